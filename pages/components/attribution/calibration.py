"""How well a region classifier knows how sure it may be: reliability diagram over the histogram of confidences."""

from typing import Any

import numpy as np
import streamlit as st

from fairsal_core.regions import Quality, RegionClassifier
from pages.components.shared.words import plain


def calibration_section(classifier: RegionClassifier) -> None:
    """Show the stored calibration of a region classifier, or say how to have one."""
    about = classifier.calibration
    _quality(classifier)
    with st.expander("How well calibrated is this region classifier?"):
        if not about:
            st.info("Its calibration was not measured when it was trained; train it again to have it.")
            return
        names = [name for name in ("before", "after") if name in about]
        for column, name in zip(st.columns(2), names, strict=False):
            with column:
                title = "As trained" if name == "before" else f"Logits divided by {about['temperature']:g}"
                st.markdown(f"**{title}** · ECE {about[name]['ece']:.3f}")
                st.plotly_chart(
                    _diagram(about[name]),
                    key=f"calibration-{name}",
                    alt=f"Reliability diagram, {title.lower()}; the numbers are in the table below",
                )
        st.caption(
            f"Top-label expected calibration error, 100 bins, over {about['patches']:,} patches of {about['faces']:,} "
            "validation faces: points on the line mean that a patch is right as often as it is sure. Bars: how many patches."
            + (" The temperature was fitted on the same faces." if "after" in about else "")
        )
        frame = {"confidence from": np.arange(100) / 100}
        for name in names:
            frame |= {f"{part}, {name}": about[name][part] for part in ("count", "correct")}
        with st.popover("Numbers", icon=":material/table:"):
            st.dataframe(frame, hide_index=True)


def _quality(classifier: RegionClassifier) -> None:
    """Say how well it tells its attribute at all, if that was measured; below the level that numbers need, as a warning."""
    if "auc" not in classifier.metrics:
        return
    quality = Quality.from_json(classifier.metrics)
    if why := quality.withheld(classifier.attribute):
        st.warning(plain(why))
        return
    st.caption(plain(quality.told(classifier.attribute)))


@st.cache_resource(max_entries=64, show_spinner=False)
def _diagram(side: dict[str, Any]) -> Any:
    """Return points over bars. The figure is shared: nobody may change it."""
    from plotly.subplots import make_subplots

    count = np.array(side["count"])
    filled = np.flatnonzero(count)
    confidence, accuracy = (np.array(side[name])[filled] / count[filled] for name in ("confidence", "correct"))
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.7, 0.3], vertical_spacing=0.06)
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dot", "color": "gray"}, hoverinfo="skip", row=1, col=1
    )
    figure.add_scatter(
        x=confidence,
        y=accuracy,
        mode="markers",
        marker={"size": 6},
        hovertemplate="sure %{x:.2f}, right %{y:.2f}<extra></extra>",
        row=1,
        col=1,
    )
    figure.add_bar(
        x=(filled + 0.5) / len(count),
        y=count[filled],
        width=1 / len(count),
        hovertemplate="%{y:,} patches<extra></extra>",
        row=2,
        col=1,
    )
    figure.update_xaxes(range=[0, 1])
    figure.update_xaxes(title="confidence of the predicted class", row=2, col=1)
    figure.update_yaxes(title="right", range=[0, 1], row=1, col=1)
    figure.update_yaxes(title="patches", row=2, col=1)
    figure.update_layout(showlegend=False, height=360, margin={"l": 0, "r": 0, "t": 8, "b": 0})
    return figure
