"""Choosing a region of interest: the data's own, part masks, presets, or a rectangle drawn on the mean face.

The choice is one `RoiChoice`; in the link it is `roi=` and its name.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.faces import ROI_PRESETS
from fairsal_core.pictures import data_url, outline_path
from fairsal_core.settings import RoiChoice
from pages.components.shared.words import plain

SIDE = 128
LABELS = {"region_map": "Region map", "parts": "Part masks", "box": "Rectangle"}
_FIELDS = ("x", "y", "width", "height")
_START = (44, 84, 40, 24)

_HTML = """
<figure>
  <div class="stack">
    <img class="face" draggable="false" />
    <svg viewBox="0 0 128 128" preserveAspectRatio="none" aria-hidden="true"><path /><path /><rect /></svg>
  </div>
  <figcaption></figcaption>
</figure>
"""

_CSS = """
figure { margin: 0; max-width: 16rem; color: var(--st-text-color); font-family: var(--st-font); font-size: 0.875rem; }
.stack { position: relative; aspect-ratio: 178 / 218; border-radius: 8px; overflow: hidden; background: #8884;
  user-select: none; }
.stack.draw { cursor: crosshair; touch-action: none; }
.stack img, .stack svg { position: absolute; inset: 0; width: 100%; height: 100%; }
path { fill: none; stroke: #fff; stroke-width: 3.5; vector-effect: non-scaling-stroke; }
path + path { stroke: #111; stroke-width: 1.4; }
rect { fill: #fff3; stroke: var(--st-primary-color); stroke-width: 2; vector-effect: non-scaling-stroke; }
figcaption { margin-top: 4px; font-variant-numeric: tabular-nums; }
"""

_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  const find = (selector) => parentElement.querySelector(selector)
  const [stack, face, rect, caption] = [".stack", ".face", "rect", "figcaption"].map(find)
  face.src = data.face
  face.alt = data.alt
  caption.textContent = data.caption
  for (const path of parentElement.querySelectorAll("path")) path.setAttribute("d", data.outline)
  rect.setAttribute("width", 0)
  rect.setAttribute("height", 0)
  stack.classList.toggle("draw", data.draw)

  let from = null
  const at = (event) => {
    const box = stack.getBoundingClientRect()
    const place = (offset, extent) => Math.min(data.side, Math.max(0, Math.round((offset / extent) * data.side)))
    return [place(event.clientX - box.left, box.width), place(event.clientY - box.top, box.height)]
  }
  const box = (to) => ({
    x: Math.min(from[0], to[0]), y: Math.min(from[1], to[1]),
    width: Math.abs(to[0] - from[0]), height: Math.abs(to[1] - from[1]),
  })
  const show = (drawn) => { for (const [name, value] of Object.entries(drawn)) rect.setAttribute(name, value) }
  stack.onpointerdown = data.draw ? (event) => { from = at(event); stack.setPointerCapture(event.pointerId) } : null
  stack.onpointermove = (event) => { if (from) show(box(at(event))) }
  stack.onpointercancel = () => { from = null }
  stack.onpointerup = (event) => {
    if (!from) return
    const drawn = box(at(event))
    from = null
    if (drawn.width && drawn.height) setTriggerValue("drawn", drawn)
  }
}
"""

_editor = st.components.v2.component("fairsal_roi_editor", html=_HTML, css=_CSS, js=_JS)


def choose_roi(confounder: str, used: RoiChoice | None, kinds: Sequence[str]) -> RoiChoice:
    """Show the choice of region, begun by the link's `roi` or else by what the run used, and return what was chosen.

    Parameters
    ----------
    confounder : str
        The attribute that the region is about.
    used : RoiChoice or None
        The region that the run was measured against.
    kinds : sequence of str
        The kinds there are for this run, of LABELS.
    """
    _begin(used, kinds)
    kind = st.selectbox(
        f"Region of interest for {plain(confounder)}",
        kinds,
        format_func=lambda name: LABELS[name],
        key="roi_kind",
        help="Where the confounder lives: read off the data itself, from part masks of the faces, or drawn by hand.",
    )
    if kind == "region_map":
        quantile = st.slider("Above the quantile", 0.5, 0.95, step=0.05, key="roi_quantile")
        choice = RoiChoice(kind="region_map", quantile=quantile)
    elif kind == "parts":
        choice = RoiChoice(kind="parts")
    else:
        choice = _choose_box()
    st.query_params["roi"] = choice.name
    return choice


def roi_figure(face: NDArray[np.uint8], mask: NDArray[np.bool_], *, draw: bool, area: float) -> None:
    """Show the region (128, 128) on a face with its area; where `draw`, dragging draws a new rectangle."""
    hint = " · drag on the face to draw another" if draw else ""
    _editor(
        key="roi_editor",
        data={
            "face": data_url(face),
            "alt": f"Mean face with the region of interest outlined, {area:.1%} of the image",
            "caption": f"{area:.1%} of the image{hint}",
            "outline": outline_path(mask),
            "draw": draw,
            "side": SIDE,
        },
        on_drawn_change=_take_drawn,
    )


def _begin(used: RoiChoice | None, kinds: Sequence[str]) -> None:
    """Fill the widgets once from the link, or from what the run used."""
    if "roi_kind" in st.session_state and st.session_state["roi_kind"] in kinds:
        return
    choice = _from_link() or used or RoiChoice(kind="box", box=_START)
    if choice.kind == "preset" or choice.kind not in kinds:
        choice = RoiChoice(kind="box", box=choice.box or _START)
    st.session_state["roi_kind"] = choice.kind
    st.session_state["roi_quantile"] = choice.quantile
    _fill(choice.box or _START)


def _from_link() -> RoiChoice | None:
    words = st.query_params.get("roi")
    if not words:
        return None
    try:
        return RoiChoice.model_validate(words)
    except (FairsalError, ValueError):
        st.warning(f"The link's region of interest '{plain(words)}' is not one, so another is shown.")
        return None


def _choose_box() -> RoiChoice:
    st.selectbox(
        "Preset",
        ["none", *ROI_PRESETS],
        key="roi_preset",
        on_change=_take_preset,
        help="In the frame of aligned faces.",
    )
    columns = st.columns(4)
    for column, name in zip(columns, _FIELDS, strict=True):
        lowest = 0 if name in ("x", "y") else 1
        edge = {"width": "roi_x", "height": "roi_y"}.get(name)
        highest = SIDE - int(st.session_state[edge]) if edge else SIDE - 1
        st.session_state[f"roi_{name}"] = min(int(st.session_state[f"roi_{name}"]), highest)
        column.number_input(name.capitalize(), lowest, highest, step=1, key=f"roi_{name}", help="In pixels of 128.")
    x, y, width, height = (int(st.session_state[f"roi_{name}"]) for name in _FIELDS)
    return RoiChoice(kind="box", box=(x, y, width, height))


def _fill(box: Sequence[int]) -> None:
    for name, value in zip(_FIELDS, box, strict=True):
        st.session_state[f"roi_{name}"] = int(value)


def _take_preset() -> None:
    preset = ROI_PRESETS.get(st.session_state["roi_preset"])
    if preset:
        _fill((preset.x, preset.y, preset.width, preset.height))


def _take_drawn() -> None:
    drawn: Any = st.session_state["roi_editor"].drawn
    if drawn:
        _fill([drawn[name] for name in _FIELDS])
        st.session_state["roi_preset"] = "none"
