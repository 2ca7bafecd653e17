"""A map over a face: the opacity slider and the value under the pointer work in the browser, without a rerun."""

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.components.pictures import colour_bar, colour_map, data_url

_HTML = """
<figure>
  <div class="stack"><img class="face" /><img class="map" /><output class="value" aria-live="off"></output></div>
  <div class="scale"><span>0</span><img class="bar" alt="" /><span>1</span></div>
  <label>Map opacity <input type="range" min="0" max="100" /><span class="percent"></span></label>
</figure>
"""

_CSS = """
figure { margin: 0; color: var(--st-text-color); font-family: var(--st-font); font-size: 0.875rem; }
.stack { position: relative; aspect-ratio: 178 / 218; border-radius: 8px; overflow: hidden; background: #8884; }
.stack img { position: absolute; inset: 0; width: 100%; height: 100%; }
.value { position: absolute; left: 6px; bottom: 6px; padding: 1px 6px; border-radius: 4px; background: #000b; color: #fff;
  font-variant-numeric: tabular-nums; visibility: hidden; }
.scale { display: flex; gap: 6px; align-items: center; margin: 6px 0 2px; }
.scale .bar { flex: 1; width: 100%; min-width: 0; height: 8px; border-radius: 4px; }
label { display: flex; gap: 8px; align-items: center; }
input { flex: 1; min-width: 60px; accent-color: var(--st-primary-color); }
.percent { min-width: 2.8em; text-align: right; font-variant-numeric: tabular-nums; }
"""

_JS = """
const opacities = new Map()  // kept while the page lives, so that a new face does not reset the slider

export default function ({ data, key, parentElement }) {
  const find = (selector) => parentElement.querySelector(selector)
  const [face, map, slider, value, stack] = [".face", ".map", "input", ".value", ".stack"].map(find)
  face.src = data.face
  face.alt = data.alt
  map.src = data.map
  map.alt = data.mapAlt
  find(".bar").src = data.bar

  const show = () => {
    map.style.opacity = slider.value / 100
    find(".percent").textContent = slider.value + " %"
  }
  slider.value = opacities.get(key) ?? data.opacity
  slider.oninput = () => { opacities.set(key, slider.value); show() }
  show()

  stack.onpointermove = (event) => {
    const box = stack.getBoundingClientRect()
    const side = data.values.length
    const place = (offset, extent) => Math.min(side - 1, Math.max(0, Math.floor((offset / extent) * side)))
    const column = place(event.clientX - box.left, box.width)
    const row = place(event.clientY - box.top, box.height)
    value.textContent = data.values[row][column].toFixed(2)
    value.style.visibility = "visible"
  }
  stack.onpointerleave = () => { value.style.visibility = "hidden" }
}
"""

_overlay = st.components.v2.component("fairsal_overlay", html=_HTML, css=_CSS, js=_JS)


def overlay(face: NDArray[np.uint8], values: NDArray[np.floating], *, key: str, alt: str, map_alt: str) -> None:
    """Show a map (128, 128) in [0, 1] over a face (128, 128, 3), with an opacity slider and the value under the pointer."""
    _overlay(
        key=key,
        data={
            "face": data_url(face),
            "map": data_url(colour_map(values)),
            "bar": data_url(colour_bar()),
            "values": np.round(values[::2, ::2], 3).tolist(),  # 2 x 2 blocks of a pixel map are constant
            "alt": alt,
            "mapAlt": map_alt,
            "opacity": 60,
        },
    )
