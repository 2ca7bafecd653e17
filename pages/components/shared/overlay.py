"""Maps over faces: opacity, hover and keys work in the browser, without a rerun; a click or Enter opens a patch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from fairsal_core.pictures import (
    colour_bar,
    colour_map,
    data_url,
    diverging_bar,
    diverging_map,
    outline_path,
)
from fairsal_core.regions import PatchGrid

OPACITY = 60  # percent

_HTML = """
<figure>
  <div class="stack">
    <img class="face" /><img class="map" />
    <svg viewBox="0 0 128 128" preserveAspectRatio="none" aria-hidden="true">
      <path class="under" /><path class="over" /><rect class="chosen" /><rect class="here" />
    </svg>
    <output class="value" aria-live="polite"></output>
  </div>
  <div class="scale"><span class="low"></span><img class="bar" alt="" /><span class="high"></span></div>
  <label>Map opacity <input type="range" min="0" max="100" /><span class="percent"></span></label>
</figure>
"""

_CSS = """
figure { margin: 0; color: var(--st-text-color); font-family: var(--st-font); font-size: 0.875rem; }
.stack { position: relative; aspect-ratio: 178 / 218; border-radius: 8px; overflow: hidden; background: #8884; }
.stack.opens { cursor: crosshair; }
.stack:focus-visible { outline: 3px solid var(--st-primary-color); outline-offset: 2px; }
.stack img, .stack svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.stack img.map { image-rendering: pixelated; }
svg path, svg rect { fill: none; vector-effect: non-scaling-stroke; }
.under { stroke: #000c; stroke-width: 3px; }
.over { stroke: #fff; stroke-width: 1.25px; }
.here { stroke: #fff; stroke-width: 1.5px; stroke-dasharray: 4 3; visibility: hidden; }
.chosen { stroke: #fff; stroke-width: 3px; visibility: hidden; filter: drop-shadow(0 0 1px #000) drop-shadow(0 0 1px #000); }
.value { position: absolute; left: 6px; bottom: 6px; padding: 1px 6px; border-radius: 4px; background: #000c; color: #fff;
  font-variant-numeric: tabular-nums; visibility: hidden; }
.scale { display: flex; gap: 6px; align-items: center; margin: 6px 0 2px; font-variant-numeric: tabular-nums; }
.scale .bar { flex: 1; width: 100%; min-width: 0; height: 8px; border-radius: 4px; }
label { display: flex; gap: 8px; align-items: center; }
input { flex: 1; min-width: 60px; accent-color: var(--st-primary-color); }
.percent { min-width: 2.8em; text-align: right; font-variant-numeric: tabular-nums; }
"""

_JS = """
const opacities = new Map()  // kept while the page lives, so that a new face does not reset the slider

export default function ({ data, key, parentElement, setTriggerValue }) {
  const find = (selector) => parentElement.querySelector(selector)
  const [face, map, slider, value, stack] = [".face", ".map", "input", ".value", ".stack"].map(find)
  const [here, chosen] = [".here", ".chosen"].map(find)
  face.src = data.face
  face.alt = data.alt
  map.src = data.map
  map.alt = data.mapAlt
  find(".bar").src = data.bar
  find(".low").textContent = data.low
  find(".high").textContent = data.high
  find(".under").setAttribute("d", data.outline)
  find(".over").setAttribute("d", data.outline)

  const show = () => {
    map.style.opacity = slider.value / 100
    find(".percent").textContent = slider.value + " %"
  }
  slider.value = opacities.get(key) ?? data.opacity
  slider.oninput = () => { opacities.set(key, slider.value); show() }
  slider.onchange = () => {  // into the link, without a rerun
    const address = new URL(window.location.href)
    address.searchParams.set("opacity", slider.value)
    window.history.replaceState(window.history.state, "", address)
  }
  show()

  const tell = (text) => { value.textContent = text; value.style.visibility = text ? "visible" : "hidden" }
  const frame = (rect, cell) => {
    rect.style.visibility = cell ? "visible" : "hidden"
    if (!cell) return
    const { stride, size } = data.patches
    const sizes = { x: cell.column * stride, y: cell.row * stride, width: size, height: size }
    for (const [name, number] of Object.entries(sizes)) rect.setAttribute(name, number)
  }
  const clamp = (number, count) => Math.min(count - 1, Math.max(0, number))
  const share = (event) => {
    const box = stack.getBoundingClientRect()
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]
  }
  const cellAt = (event) => {
    const { stride, size, side } = data.patches
    const [column, row] = share(event).map((part) => clamp(Math.round((part * 128 - size / 2) / stride), side))
    return { row, column }
  }
  stack.onpointermove = (event) => {
    const [column, row] = share(event).map((part) => clamp(Math.floor(part * data.values.length), data.values.length))
    tell(data.values[row][column]?.toFixed(3) ?? "")
    if (data.patches) frame(here, cellAt(event))
  }
  stack.onpointerleave = () => { tell(""); if (data.patches) frame(here, null) }
  stack.onblur = stack.onpointerleave

  stack.onclick = stack.onkeydown = null
  frame(here, null)
  frame(chosen, null)
  stack.classList.toggle("opens", data.patches !== null)
  if (!data.patches) { stack.removeAttribute("tabindex"); return }

  const { side, values } = data.patches
  const cellOf = (position) => ({ row: Math.floor(position / side), column: position % side })
  const open = (cell) => setTriggerValue("cell", cell.row * side + cell.column)
  if (data.patches.chosen !== null) frame(chosen, cellOf(data.patches.chosen))
  stack.setAttribute("tabindex", "0")
  stack.setAttribute("role", "application")
  stack.setAttribute("aria-label", data.mapAlt + ". Arrow keys move over the patches, Enter opens one.")
  stack.onclick = (event) => open(cellAt(event))
  let keyed = cellOf(data.patches.chosen ?? Math.floor((side * side) / 2))
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }
  stack.onkeydown = (event) => {
    if (event.key in steps) {
      const [down, right] = steps[event.key]
      keyed = { row: clamp(keyed.row + down, side), column: clamp(keyed.column + right, side) }
      frame(here, keyed)
      tell("row " + keyed.row + ", column " + keyed.column + ": " + (values[keyed.row][keyed.column]?.toFixed(3) ?? ""))
    } else if (event.key === "Enter" || event.key === " ") open(keyed)
    else return
    event.preventDefault()
  }
}
"""

_overlay = st.components.v2.component("fairsal_overlay", html=_HTML, css=_CSS, js=_JS)


@dataclass(frozen=True)
class Scale:
    """Which values the first and the last colour stand for, and the colours."""

    low: float
    high: float
    colours: Callable[[NDArray[np.floating]], NDArray[np.uint8]]
    bar: NDArray[np.uint8]


def sequential(low: float, high: float) -> Scale:
    """Return the scale from low to high; maps that share it can be compared."""
    span = high - low or 1.0
    return Scale(low, high, lambda values: colour_map((values - low) / span), colour_bar())


def diverging(limit: float) -> Scale:
    """Return the scale of a difference: blue at -limit, white at 0, red at +limit."""
    return Scale(-limit, limit, lambda values: diverging_map(values, limit), diverging_bar())


@dataclass(frozen=True)
class Patches:
    """The patches under a map.

    Attributes
    ----------
    grid : PatchGrid
        Where they are.
    values : array, (per_side, per_side)
        Of each position, for the keyboard's cell.
    chosen : int or None
        The position that is framed.
    on_open : callable
        Called with a position when its cell is clicked, or Enter is pressed on it.
    """

    grid: PatchGrid
    values: NDArray[np.floating]
    chosen: int | None
    on_open: Callable[[int], None]


UNIT = (0.0, 1.0)


def overlay(
    face: NDArray[np.uint8],
    values: NDArray[np.floating],
    *,
    key: str,
    alt: str,
    map_alt: str,
    scale: Scale | None = None,
    selected: NDArray[np.bool_] | None = None,
    patches: Patches | None = None,
) -> None:
    """Show a map over a face (128, 128, 3), with an opacity slider and the value under the pointer.

    Parameters
    ----------
    face : array, (128, 128, 3) uint8
        Below.
    values : array, (128, 128)
        The map; NaN is see-through.
    key, alt, map_alt : str
        Widget key, and what face and map are called for those who do not see them.
    scale : Scale, optional
        By default from 0 to 1.
    selected : array, (128, 128) bool, optional
        Pixels to outline.
    patches : Patches, optional
        If given, the patch under the pointer is framed, arrow keys move over the patches, and one can be opened.
    """
    scale = scale or sequential(*UNIT)
    _overlay(
        key=key,
        data={
            "face": data_url(face),
            "map": data_url(_see_through(values, scale)),
            "bar": data_url(scale.bar),
            "low": f"{scale.low:.3f}",
            "high": f"{scale.high:.3f}",
            "values": _numbers(values[::2, ::2]),  # 2 x 2 blocks of a map are constant
            "outline": "" if selected is None else outline_path(selected),
            "patches": _described(patches) if patches else None,
            "alt": alt,
            "mapAlt": map_alt,
            "opacity": _opacity(),
        },
        on_cell_change=lambda: _open(key, patches),
    )


def _open(key: str, patches: Patches | None) -> None:
    cell = st.session_state[key]["cell"]
    if patches and cell is not None:
        patches.on_open(int(cell))


def _described(patches: Patches) -> dict[str, Any]:
    grid = patches.grid
    return {
        "side": grid.per_side,
        "stride": grid.stride,
        "size": grid.patch_size,
        "values": _numbers(patches.values),
        "chosen": patches.chosen,
    }


def _numbers(values: NDArray[np.floating]) -> list[list[float | None]]:
    table = np.round(np.asarray(values, dtype=np.float64), 4).astype(object)
    table[np.isnan(values)] = None
    rows: list[list[float | None]] = table.tolist()
    return rows


def _see_through(values: NDArray[np.floating], scale: Scale) -> NDArray[np.uint8]:
    there = ~np.isnan(values)
    colours = scale.colours(np.where(there, values, scale.low))
    return np.dstack([colours, np.where(there, 255, 0).astype(np.uint8)])


def centred(positions: NDArray[np.floating], grid: PatchGrid) -> NDArray[np.float32]:
    """Return a picture (128, 128) with each position's value at the centre of its patch, and NaN where no patch is centred."""
    values = np.full((grid.image_size, grid.image_size), np.nan, dtype=np.float32)
    start = (grid.patch_size - grid.stride) // 2
    end = start + grid.stride * grid.per_side
    blocks = np.repeat(np.repeat(np.asarray(positions, dtype=np.float32), grid.stride, axis=0), grid.stride, axis=1)
    values[start:end, start:end] = blocks
    return values


def _opacity() -> int:
    """Return the opacity that the link asks for, in percent."""
    text = st.query_params.get("opacity", "")
    return min(int(text), 100) if text.isdigit() else OPACITY
