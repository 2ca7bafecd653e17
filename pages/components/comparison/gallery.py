"""The faces behind the numbers: who changed sides, with scores and attributes; one of them large."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from fairsal_core.drawing import DEMO
from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset
from fairsal_core.pictures import portrait
from fairsal_core.results import CLEAN, check_attention, face_changes, list_attention
from fairsal_core.settings import explainer_title
from pages.components.comparison.desk import Desk, Entry
from pages.components.comparison.groups import cells_in_link, choose_protected
from pages.components.comparison.stored import predictions_of
from pages.components.shared.data import get_faces_of
from pages.components.shared.links import keep_among
from pages.components.shared.overlay import overlay
from pages.components.shared.rows import abreast
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain, plain_table

A_PAGE = 12
_ACROSS = 6
_OUTCOMES: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "Changed sides": lambda table: table["changed"],
    "Newly right": lambda table: table["changed"] & table["right_after"],
    "Newly wrong": lambda table: table["changed"] & ~table["right_after"],
    "Right after": lambda table: table["right_after"],
    "Wrong after": lambda table: ~table["right_after"],
    "All": lambda table: pd.Series(True, index=table.index),
}


@st.fragment
@in_one_sentence("Who changed sides")
def gallery_section(desk: Desk) -> None:
    """Show the faces of a subgroup by what became of their prediction, and open the one that the link names."""
    after = desk.candidate
    if after is None:
        st.info("There is only the reference on the desk; choose another variant above to see which faces change.")
        return
    table = _face_table(desk.reference.source, after.source)
    with st.columns([3, 2])[0]:
        choose_protected(desk.audit)
    table = table.assign(cell=cells_in_link(desk.audit, table["target"]))
    _choose_faces(list(table["cell"].cat.categories))
    shown = _filtered(table)
    try:
        faces = get_faces_of(desk.audit.run)
    except (FairsalError, OSError) as error:
        st.info(f"The faces themselves cannot be shown: {plain(error)}")
        st.dataframe(shown, alt="Scores of the faces before and after")
        return
    pair = f"*{plain(desk.reference.label)}* → *{plain(after.label)}*"
    mended, broken = (int((table["changed"] & table["right_after"].eq(good)).sum()) for good in (True, False))
    st.caption(
        f"Clean test faces, mean score over seeds, {pair}: {mended} newly right, {broken} "
        f"newly wrong, of {len(table)}. {len(shown)} shown here, those whose score moved most first."
    )
    if shown.empty:
        st.info("No face is of this kind; choose another group or another outcome above.")
    _show_page(shown, faces, desk)
    wanted = st.query_params.get("face")
    if wanted:
        _open(wanted, table, faces, desk, after)


def _choose_faces(cells: list[str]) -> None:
    columns = st.columns([2, 3])
    with columns[0]:
        keep_among("group", ["all", *cells])
        st.selectbox("Group", ["all", *cells], key="group", bind="query-params")
    with columns[1]:
        st.segmented_control(
            "Prediction",
            list(_OUTCOMES),
            default="Changed sides",
            required=True,
            key="outcome",
            bind="query-params",
            wrap=True,
        )


@st.cache_data(max_entries=32, show_spinner=False)
def _face_table(before: Any, after: Any) -> pd.DataFrame:
    parts = []
    for run, changed, variant in (before, after):
        rows = predictions_of(run, changed)
        parts.append(rows[(rows["variant"] == variant) & (rows["evaluation"] == CLEAN)])
    return face_changes(*parts)


def _filtered(table: pd.DataFrame) -> pd.DataFrame:
    chosen = table[_OUTCOMES[st.session_state["outcome"]](table)]
    group = st.session_state["group"]
    return chosen if group == "all" else chosen[chosen["cell"].eq(group)]


def _show_page(shown: pd.DataFrame, faces: FaceDataset, desk: Desk) -> None:
    pages = max(1, -(-len(shown) // A_PAGE))
    number = 1
    if pages > 1:
        number = int(st.number_input(f"Page, 1 to {pages}", 1, pages, key=f"gallery_page_{pages}", width=160))
    here = shown.iloc[(number - 1) * A_PAGE : number * A_PAGE]
    with abreast("gallery", 3):
        columns = st.columns(_ACROSS)
    for place, (name, row) in enumerate(here.iterrows()):
        with columns[place % _ACROSS]:
            st.image(
                portrait_of(str(desk.audit.run.config["data"]), str(name), faces),
                width="stretch",
                alt=_describe(str(name), row),
            )
            st.caption(
                f"{row['before']:.2f} → **{row['after']:.2f}** {'✓ right' if row['right_after'] else '✗ wrong'}  \n"
                f"{plain(row['cell'])}"
            )
            if st.button("Open", key=f"open-{name}", help=f"Face {plain(name)}, large", width="stretch"):
                st.query_params["face"] = str(name)


@st.cache_data(max_entries=512, show_spinner=False)
def portrait_of(source: str, name: str, _faces: FaceDataset) -> bytes:
    """Return a face as a JPEG file: twelve of them are on every page of the gallery."""
    file = io.BytesIO()
    portrait(_pixels(_faces, name)).save(file, "JPEG", quality=90)
    return file.getvalue()


def _pixels(faces: FaceDataset, name: str) -> NDArray[np.uint8]:
    row = faces.names.get_indexer(pd.Index([name]))
    if row[0] < 0:  # predicted on faces that have since left the folder
        return np.full((128, 128, 3), 127, dtype=np.uint8)
    return np.asarray(faces.take(row).images[0])


def _describe(name: str, row: Any) -> str:
    return f"Face {name}, {row['cell']}, score {row['before']:.2f} before and {row['after']:.2f} after"


def _close() -> None:
    st.query_params.pop("face", None)


def _open(name: str, table: pd.DataFrame, faces: FaceDataset, desk: Desk, after: Entry) -> None:
    if name not in table.index:
        st.warning(
            f"There is no test face '{plain(name)}' in this comparison. The faces above can be opened with their buttons."
        )
        _close()
        return
    st.dialog(f"Face {plain(name)}", width="large", on_dismiss=_close)(_face)(name, table.loc[name], faces, desk, after)


def _face(name: str, row: Any, faces: FaceDataset, desk: Desk, after: Entry) -> None:
    pictures = st.columns(3)
    with pictures[0]:
        st.markdown(f"**{plain(row['cell'])}**")
        st.image(
            portrait_of(str(desk.audit.run.config["data"]), name, faces),
            width="stretch",
            alt=_describe(name, row),
        )
    _maps(name, faces, list(zip(pictures[1:], (desk.reference, after), strict=True)))
    scores = {
        "variant": [desk.reference.label, after.label],
        f"score for {desk.audit.target}": [f"{row['before']:.3f}", f"{row['after']:.3f}"],
        "prediction": ["✓ right" if row[side] else "✗ wrong" for side in ("right_before", "right_after")],
    }
    st.table(plain_table(pd.DataFrame(scores)).set_index("variant"))
    labels = faces.attributes.loc[name].astype(object) if name in faces.names else pd.Series(dtype=object)
    has = [
        plain(f"{label} {value}" if isinstance(value, str) else str(label))
        for label, value in labels.items()
        if _is_said(value)
    ]
    drawn = desk.audit.run.config["data"] == DEMO
    st.markdown("**Attributes** · " + (", ".join(has) or "none"))
    st.caption("As the face was drawn with." if drawn else "As the data set's annotators saw them.")


def _is_said(value: object) -> bool:
    """Return whether a label is there and more than a no: a class, or a yes."""
    return isinstance(value, str) or (isinstance(value, bool | np.bool_) and bool(value))


def _maps(name: str, faces: FaceDataset, places: list[tuple[Any, Entry]]) -> None:
    """Show where each of the two classifiers looked, if the runs kept maps of this face."""
    for column, entry in places:
        kept = _kept_map(entry, name)
        with column:
            st.markdown(f"**{plain(entry.label)}**" + (f" · {plain(explainer_title(kept[0]))}" if kept else ""))
            if kept is None:
                st.caption("No map of this face is kept with the run; maps are kept of the faces explained first.")
                continue
            overlay(
                _pixels(faces, name),
                np.abs(kept[1]),
                key=f"map-{entry.label}",
                alt=f"Face {name}",
                map_alt=f"Magnitude of the relevance of {entry.label} for {name}, by {explainer_title(kept[0])}",
            )
            st.caption("Magnitude of the relevance, scaled to its largest.")


def _kept_map(entry: Entry, name: str) -> tuple[str, NDArray[np.float32]] | None:
    try:
        found = list_attention(entry.audit.run.path)
        for each in found:
            check_attention(each)
        kept = [
            attention for attention in found if entry.variant in attention.about["variants"] and name in attention.faces
        ]
        if not kept:
            return None
        relevance = kept[0].maps(entry.variant)[kept[0].faces.index(name)]
        return str(kept[0].about["explainer"]), np.asarray(relevance, dtype=np.float32)
    except (FairsalError, OSError, ValueError, KeyError):  # what cannot be read is not shown; the numbers stand
        return None
