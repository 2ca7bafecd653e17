"""What was read of a classifier, and where it can be said otherwise."""

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from fairsal_core.classifiers import Inspection
from pages.components.shared.words import plain, plain_table

_READS = {"softmax": "one class is chosen", "sigmoid": "each is a yes or no of its own", "threshold": "a quantity"}
_MOST_NAMED = 2000


def said_form(folder: Path, found: Inspection, said: dict[str, Any]) -> None:
    """Show what was read, what was assumed and what is asked, and a form to say it; submitting reads once more."""
    for question in found.questions:
        st.warning(f"Say {plain(question)}.")
    content = found.content
    if content.get("format"):
        st.table(plain_table(_read(content)))
    for sentence in found.assumed:
        st.info(f"Assumed: {plain(sentence)}", icon=":material/help:")
    for name in found.ignored:
        st.caption(f"Not opened: {plain(name)}")
    fed, outputs = content.get("preprocessing", {}), content.get("outputs", {})
    with st.form(f"import_form-{folder}", border=True):
        typed: dict[str, Any] = {}
        if not content.get("architecture"):
            typed["architecture"] = st.text_input(
                "Network's name", said.get("architecture", ""), placeholder="resnet18"
            )
        elif outputs:
            typed |= _outputs(outputs) | _fed(fed)
        if st.form_submit_button("Read it so", icon=":material/refresh:"):
            said.update({key: value for key, value in typed.items() if value not in ("", None)})
            st.rerun()


def _read(content: dict[str, Any]) -> pd.DataFrame:
    outputs = content["outputs"]
    rows = {
        "kind": f"{content['format']} ({content.get('source', '')})",
        "network": content["architecture"],
        "weights": content["weights"],
        "outputs": f"{outputs['count']}" + (f": {', '.join(outputs['labels'][:8])}" if outputs.get("labels") else ""),
    }
    return pd.DataFrame({"read from the files": rows})


def _outputs(outputs: dict[str, Any]) -> dict[str, Any]:
    count, labels = int(outputs["count"]), list(outputs.get("labels", ()))
    first, second, third, fourth = st.columns(4)
    typed: dict[str, Any] = {}
    numbers = list(range(min(count, _MOST_NAMED)))
    chosen = outputs.get("positive", ())
    typed["positive"] = first.selectbox(
        "Output that says yes",
        numbers,
        index=int(chosen[0]) if chosen and str(chosen[0]).isdecimal() and int(chosen[0]) < len(numbers) else None,
        format_func=lambda number: f"{number}: {labels[number]}" if labels else str(number),
    )
    typed["reads"] = second.selectbox(
        "Outputs are read so",
        list(_READS),
        index=list(_READS).index(outputs.get("reads", "softmax")),
        format_func=_READS.__getitem__,
    )
    typed["among"] = third.text_input("Outputs that compete", _spelled(outputs.get("among", ())), placeholder="all")
    typed["threshold"] = fourth.number_input("Yes above (of a quantity)", value=float(outputs.get("threshold", 0.0)))
    typed["reverse"] = st.checkbox("A higher value says no", value=bool(outputs.get("reverse", False)))
    return typed


def _fed(fed: dict[str, Any]) -> dict[str, Any]:
    first, second, third, fourth, fifth = st.columns(5)
    orders = ["RGB", "BGR", "grey"]
    resize, crop = (
        _spelled(fed.get("resize") or (128, 128)),
        _spelled(fed.get("crop") or fed.get("resize") or (128, 128)),
    )
    typed: dict[str, Any] = {
        "resize": first.text_input("Resized to", resize),
        "crop": second.text_input("Cropped to", crop),
        "channels": third.selectbox("Channels", orders, index=orders.index(fed.get("channels", "RGB"))),
        "mean": fourth.text_input("Mean", _spelled(fed.get("mean", (0.0,)))),
        "std": fifth.text_input("Deviation", _spelled(fed.get("std", (1.0,)))),
    }
    typed["scale"] = first.number_input("White is", 0.0, 65535.0, float(fed.get("scale", 1.0)))
    return typed


def _spelled(values: Any) -> str:
    if isinstance(values, int | float):
        return f"{values:g}"
    return values if isinstance(values, str) else ",".join(f"{value:g}" for value in values)
