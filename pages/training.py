"""Training: choose a bias and a scheme, see what it means, start, watch, cancel."""

import streamlit as st

from pages.components.shared.data import choose_source, faces_or_stop
from pages.components.shared.frame import inside_app
from pages.components.shared.frame_note import frame_note
from pages.components.shared.label_note import label_note
from pages.components.training.chosen_run import chosen_run_section, rest_of_run_section
from pages.components.training.experiment import experiment_section, plan_section
from pages.components.training.form_state import begin_form
from pages.components.training.run_settings import named_source
from pages.components.training.runs_table import runs_section
from pages.components.training.sweep_form import sweep_form

inside_app()

st.title("Train under a known bias")
st.markdown(
    "Each variant learns the target from the same biased faces: as they are (*original*), in equal cells (*balanced*), or with the "
    "confounder's regions hidden by a scheme. All are judged on the same test faces, clean and treated."
)

# Start and the run's steps stay in sight while the form is scrolled.
st.html(
    "<style>@media (min-width: 641px) {"
    "[data-testid=stColumn]:has(.st-key-beside) { position: sticky; top: 1rem; align-self: flex-start } }</style>"
)
form, beside = st.columns([5, 3], gap="medium")
with beside, st.container(key="beside"):
    start_place = st.container()
    chosen_run_section()
below = st.container()
with below:  # before the form: packing its faces keeps nobody from a run that stands
    rest_of_run_section()
    runs_section()
with form:
    begin_form()
    source = choose_source(begin=named_source())
    faces = faces_or_stop(source)
    frame_note(source, faces)
    plan = experiment_section(source, faces)
    label_note(source)
with start_place:
    plan_section(plan, faces)
with below:
    sweep_form(source, faces)
