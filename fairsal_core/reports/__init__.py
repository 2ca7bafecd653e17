"""Reports: tables, acceptance thresholds, reviewers' notes, and a file that can be filed."""

from fairsal_core.reports.acceptance import Acceptance, Judged, at_least, at_most, judge, offered_criteria, overall
from fairsal_core.reports.command import command_line
from fairsal_core.reports.content import Judgement, judgements
from fairsal_core.reports.decisions import (
    OUTCOMES,
    Agreed,
    Decided,
    Reopened,
    add_entry,
    last_review,
    locked_acceptance,
    new_entry,
    read_log,
    since_last_review,
)
from fairsal_core.reports.evidence import Lacking, in_a_sentence, subject_digest, what_would_change
from fairsal_core.reports.mirror import mirror_run
from fairsal_core.reports.review import Note, add_note, read_acceptance, read_notes, save_acceptance
from fairsal_core.reports.tables import accuracy_table, fairness_table, groups_table
from fairsal_core.reports.writing import Written, report_zip, write_report

__all__ = [
    "OUTCOMES",
    "Acceptance",
    "Agreed",
    "Decided",
    "Judged",
    "Judgement",
    "Lacking",
    "Note",
    "Reopened",
    "Written",
    "accuracy_table",
    "add_entry",
    "add_note",
    "at_least",
    "at_most",
    "command_line",
    "fairness_table",
    "groups_table",
    "in_a_sentence",
    "judge",
    "judgements",
    "last_review",
    "locked_acceptance",
    "mirror_run",
    "new_entry",
    "offered_criteria",
    "overall",
    "read_acceptance",
    "read_log",
    "read_notes",
    "report_zip",
    "save_acceptance",
    "since_last_review",
    "subject_digest",
    "what_would_change",
    "write_report",
]
