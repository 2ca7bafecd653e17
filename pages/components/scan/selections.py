"""Ready selections: faces that changed sides, and those judged worst, to keep as a cohort."""

import pandas as pd
import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.results import CLEAN
from fairsal_core.scan import changed_sides, judged_by, subjects_of, worst_decile
from pages.components.comparison.stored import predictions_of
from pages.components.scan.faces import SHOWN, keep_as_cohort, show_faces
from pages.components.scan.view import View, stamp_of
from pages.components.shared.links import keep_among
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain

_WORST = "The worst tenth, by score"


@in_one_sentence("Ready selections")
def selections_section(view: View) -> None:
    """Show faces that are worth keeping without having been looked for."""
    title = "Ready selections: faces that changed sides, the worst tenth"
    with st.expander(title, key="selections", bind="query-params"):
        found = _found(view)
        keep_among("selection", found)
        chosen = str(st.selectbox("Selection", list(found), key="selection", bind="query-params"))
        names, origin = found[chosen]
        if not len(names):
            st.caption("No face is in it.")
            return
        places = view.judged.faces.get_indexer(names)
        show_faces(view, places[:SHOWN])
        keep_as_cohort(view, places, origin, key=f"selection-{chosen}")


def _found(view: View) -> dict[str, tuple[pd.Index, str]]:
    """Return title -> faces and how they were chosen."""
    found: dict[str, tuple[pd.Index, str]] = {}
    try:
        found[_WORST] = worst_decile(view.judged), f"the tenth that {view.subject.name} judges worst"
    except FairsalError as error:
        st.caption(plain(error))
    known = subjects_of(predictions_of(view.run.path, stamp_of(view.run)))
    others = [each for each in known if each != view.subject and each.evaluation == CLEAN]
    for other in others[:1]:
        before = judged_by(view.run, other)
        for became, names in changed_sides(view.judged, before).items():
            origin = f"{became} by {view.subject.name}, unlike {other.name}"
            found[f"Changed sides since {other.name}: {became} ({len(names):,})"] = names, origin
    return found
