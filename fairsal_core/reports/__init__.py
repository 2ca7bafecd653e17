"""Reports: tables, acceptance thresholds, reviewers' notes, and a file that can be filed."""

from fairsal_core.reports.acceptance import Acceptance, Judged, at_least, at_most, judge, judge_rrf, overall
from fairsal_core.reports.command import command_line
from fairsal_core.reports.content import Judgement, judgements
from fairsal_core.reports.mirror import mirror_run
from fairsal_core.reports.review import Note, add_note, read_acceptance, read_notes, save_acceptance
from fairsal_core.reports.tables import accuracy_table, fairness_table
from fairsal_core.reports.writing import Written, report_zip, write_report

__all__ = [
    "Acceptance",
    "Judged",
    "Judgement",
    "Note",
    "Written",
    "accuracy_table",
    "add_note",
    "at_least",
    "at_most",
    "command_line",
    "fairness_table",
    "judge",
    "judge_rrf",
    "judgements",
    "mirror_run",
    "overall",
    "read_acceptance",
    "read_notes",
    "report_zip",
    "save_acceptance",
    "write_report",
]
