"""A grid of small pictures with a region's outline on each, one size, one colour bar."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from fairsal_core.pictures import data_url, diverging_bar

_HTML = """
<div class="wide" tabindex="0" role="region" aria-label="Maps in rows"><div class="grid"></div></div>
<div class="scale"></div>
"""

_CSS = """
.wide { overflow-x: auto; }
.grid { display: grid; gap: 8px; color: var(--st-text-color); font-family: var(--st-font); font-size: 0.8125rem; }
.grid { --most: 1fr; }
@media (max-width: 1500px) { .grid { --most: 150px; } }
.head { font-weight: 600; align-self: end; overflow-wrap: anywhere; }
.side { align-self: center; overflow-wrap: anywhere; }
figure { margin: 0; min-width: 84px; }
.stack { position: relative; aspect-ratio: 178 / 218; border-radius: 6px; overflow: hidden; background: #8883; }
.stack img, .stack svg { position: absolute; inset: 0; width: 100%; height: 100%; }
svg path { fill: none; stroke: #fff; stroke-width: 3; vector-effect: non-scaling-stroke; }
svg path + path { stroke: #111; stroke-width: 1.2; }
figcaption { opacity: 0.85; font-variant-numeric: tabular-nums; }
.scale { display: flex; gap: 8px; align-items: center; margin-top: 8px; max-width: 520px; font-size: 0.8125rem;
  color: var(--st-text-color); font-family: var(--st-font); font-variant-numeric: tabular-nums; }
.scale img { flex: 1; min-width: 0; height: 10px; border-radius: 4px; }
"""

_JS = """
export default function ({ data, parentElement }) {
  const make = (tag, className, text) => {
    const element = document.createElement(tag)
    element.className = className ?? ""
    if (text) element.textContent = text
    return element
  }
  const outline = (path) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg")
    svg.setAttribute("viewBox", "0 0 128 128")
    svg.setAttribute("preserveAspectRatio", "none")
    svg.setAttribute("aria-hidden", "true")
    for (let i = 0; i < 2; i++) {
      const drawn = document.createElementNS("http://www.w3.org/2000/svg", "path")
      drawn.setAttribute("d", path)
      svg.append(drawn)
    }
    return svg
  }
  const picture = (cell) => {
    const figure = make("figure"), stack = make("div", "stack"), image = make("img")
    image.src = cell.image
    image.alt = cell.alt
    stack.append(image)
    if (cell.outline) stack.append(outline(cell.outline))
    figure.append(stack)
    if (cell.caption) figure.append(make("figcaption", "", cell.caption))
    return figure
  }
  const grid = parentElement.querySelector(".grid")
  grid.style.gridTemplateColumns = `minmax(70px, 0.6fr) repeat(${data.columns.length}, minmax(84px, var(--most)))`
  const parts = [make("div"), ...data.columns.map((name) => make("div", "head", name))]
  for (const row of data.rows) parts.push(make("div", "side", row.name), ...row.cells.map(picture))
  grid.replaceChildren(...parts)
  const bar = make("img")
  bar.src = data.bar
  bar.alt = "Colour scale from blue (below zero) over white (zero) to red (above zero)"
  parentElement.querySelector(".scale").replaceChildren(make("span", "", data.low), bar, make("span", "", data.high))
}
"""

_grid = st.components.v2.component("fairsal_map_grid", html=_HTML, css=_CSS, js=_JS)


@dataclass(frozen=True)
class Picture:
    """One cell of a grid: pixels (128, 128, 3), what they show, the region's outline as an SVG path, a short caption."""

    pixels: NDArray[np.uint8]
    alt: str
    outline: str = ""
    caption: str = ""


@st.cache_data(max_entries=512, show_spinner=False)
def _url(pixels: NDArray[np.uint8]) -> str:
    return data_url(pixels)


def map_grid(columns: Sequence[str], rows: Sequence[tuple[str, Sequence[Picture]]], limit: float, *, key: str) -> None:
    """Show named rows of pictures under named columns, and the colour scale from -limit to limit that all maps share."""
    content = [
        {
            "name": name,
            "cells": [
                {
                    "image": _url(picture.pixels),
                    "alt": picture.alt,
                    "outline": picture.outline,
                    "caption": picture.caption,
                }
                for picture in pictures
            ],
        }
        for name, pictures in rows
    ]
    _grid(
        key=key,
        data={
            "columns": list(columns),
            "rows": content,
            "bar": data_url(diverging_bar()),
            "low": f"−{limit:.2g}",
            "high": f"+{limit:.2g}",
        },
    )
