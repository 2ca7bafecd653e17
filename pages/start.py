"""Start: what this is, and three ways in."""

import streamlit as st

from fairsal_core.experiments import list_runs
from fairsal_core.faces import DEMO
from pages.components.data import get_faces
from pages.components.frame import inside_app
from pages.components.notes import label_note
from pages.components.pictures import portrait

inside_app()

st.title("Is this face classifier fair for the right reasons?")
st.markdown(
    "fairsal shows **where in a face an attribute can be read off**, trains classifiers on biased data **with those regions "
    "hidden**, and compares their **accuracy for each subgroup** before and after. Everything runs on this machine; drawn "
    "faces are included, so that no data set is needed to begin."
)

faces = get_faces(DEMO)

ways = st.columns(3, border=True)
with ways[0]:
    st.subheader("See where an attribute lives")
    st.write("A region classifier sees one small patch at a time. Its confidence, patch by patch, is a map.")
    st.page_link("pages/attribution.py", label="Open Attribution", icon=":material/location_searching:")
with ways[1]:
    st.subheader("Hide it and retrain")
    st.write("Train on data where, say, only women are blond, with the hair masked or under noise.")
    st.page_link("pages/training.py", label="Open Training", icon=":material/model_training:")
with ways[2]:
    st.subheader("Did it help, and whom?")
    st.write("Accuracy of every subgroup, on clean and on treated test faces, with intervals.")
    st.page_link("pages/comparison.py", label="Open Comparison", icon=":material/balance:")

chosen = faces.in_split("test").take(range(10))
st.image(
    [portrait(face) for face in chosen.images],
    width=96,
    alt=[f"Drawn face {name}" for name in chosen.names],
)
label_note(DEMO)

runs = list_runs()
if runs:
    states = [run.status.state for run in runs]
    st.caption(f"{len(runs)} runs so far: {states.count('finished')} finished, {states.count('running')} running.")
