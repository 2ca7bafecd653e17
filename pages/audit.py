"""Audit: any classifier, its predictions or itself, on the faces of any set.

Each section is one function of a file in `components/audit/`; a new one is one import and one call.
"""

import streamlit as st

from fairsal_core.settings import AUDIT, SubjectAuditConfig
from pages.components.audit.import_section import import_section
from pages.components.audit.question import choose_question
from pages.components.audit.starting import asked, start_section
from pages.components.audit.subjects import choose_subjects
from pages.components.audit.tables import choose_tables
from pages.components.audit.understood import understood_section
from pages.components.audit.what_if import what_if_section
from pages.components.shared.estimate import cost_section
from pages.components.shared.frame import inside_app
from pages.components.shared.glossary import glossary
from pages.components.shared.label_note import label_note

inside_app()

st.title("Audit any classifier")
st.markdown(
    "Bring what a classifier says of faces, and see for which groups it errs, with intervals, and which faces are behind each "
    "number. Nothing is trained, and nothing leaves this machine."
)

glossary("subject", "subgroup, cell", "worst cell", "group", "gap", "impact ratio", "interval")
question = choose_question()
tables = choose_tables()
import_section(question.faces, question.target)
subjects = choose_subjects(question)
config = asked(question, tables, subjects)
understood = config is not None and understood_section(question, config)
if understood and isinstance(config, SubjectAuditConfig):  # tables alone take seconds
    cost_section(AUDIT, config, lambda source: question.faces)
start_section(question, config if understood else None)
what_if_section(question, subjects.get("subjects", []))
label_note(question.source)
