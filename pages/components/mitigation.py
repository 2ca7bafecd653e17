"""Mitigation on the pages: asking for it, how each method ended, and what it cost in accuracy."""

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import CLEAN, MethodOutcome, Run, mitigation_of, read_outcomes
from fairsal_core.metrics import ACCURACY, EQUALIZED_ODDS, dominated
from fairsal_core.mitigation import METHODS
from pages.components.audit import Audit
from pages.components.begin import begin_and_watch
from pages.components.desk import Desk
from pages.components.labels import label_places
from pages.components.words import plain, title_of

_START = ("threshold", "zhang", "p_clarc", "fine_tune")
_SIGNS = {"ok": "✓ ok", "no effect": "– no effect", "failed": "✗ failed"}
_FADED, _FULL = ("#7f7f7f", 0.45), ("#0072b2", 1.0)


def mitigate_form(run: Run) -> None:
    """Offer to mitigate a finished run with any set of methods; says what each needs."""
    with st.expander("Mitigate this run"):
        st.markdown(
            "Methods start from the *original* of every seed and learn from faces it was not trained on; strengths, layers and "
            "thresholds are chosen on the other held-out split, never on the test faces. The result is a new run with all "
            "variants of this one and the methods beside them; this run stays as it is."
        )
        methods = st.multiselect(
            "Methods",
            list(METHODS),
            default=_START,
            key=f"mitigate_methods-{run.id}",
            help="\n\n".join(f"{name}: {method.description}" for name, method in METHODS.items()),
        )
        if methods:
            st.dataframe(needs_table(methods), hide_index=True, alt="What each chosen method does and needs")
        faces = st.number_input(
            "Faces to learn from",
            4,
            100_000,
            int(run.config.get("mitigation_faces", 1000)),
            step=100,
            key=f"mitigate_faces-{run.id}",
            help="In equal cells, as far as the train split has enough beside the faces the original was trained on.",
        )
        if st.button("Mitigate", key=f"mitigate-{run.id}", disabled=not methods, icon=":material/play_arrow:"):
            _begin(run, methods, int(faces))


def _begin(run: Run, methods: list[str], faces: int) -> None:
    try:
        config = mitigation_of(run, methods, faces)
    except FairsalError as error:
        st.error(plain(error))
        return
    begin_and_watch("experiment", config.model_dump(mode="json"), f"{title_of(run)}, mitigated")


def needs_table(methods: list[str]) -> pd.DataFrame:
    """Return what each method does and what it needs, in words."""
    return pd.DataFrame(
        [
            {
                "method": name,
                "what it does": METHODS[name].description,
                "needs": ", ".join(METHODS[name].needs) or "target labels only",
                "changes": "weights" if METHODS[name].trains else "no weights",
            }
            for name in methods
        ]
    )


def outcomes_section(audit: Audit) -> None:
    """Show how each method ended for each seed, with the reason and what its search saw; a link where there is none."""
    try:
        outcomes = read_outcomes(audit.run.path)
    except FairsalError as error:
        st.error(plain(error))
        return
    if not outcomes:
        st.page_link(
            "pages/training.py",
            label="Mitigate this run",
            icon=":material/balance:",
            query_params={"run": audit.run.id},
            help="Adds threshold, adversarial and concept-removal methods as variants, in a new run.",
        )
        return
    st.subheader("How mitigation ended")
    st.dataframe(
        outcomes_table(outcomes),
        hide_index=True,
        key="outcomes",
        column_config={"saliency": st.column_config.Column(width=180)},  # most are empty, which makes it too narrow
        alt="Outcome of every mitigation method for every seed",
    )
    st.caption(
        "A method is a variant above if it failed for no seed and was ok for one at least; where it had no effect the original "
        "stands for it. *threshold* needs each face's group to predict; its decisions are drawn, so its numbers are expectations."
    )
    with st.expander("What the searches saw on the validation faces"):
        st.dataframe(trace_table(outcomes), hide_index=True, alt="Every candidate of every search")


def outcomes_table(outcomes: list[MethodOutcome]) -> pd.DataFrame:
    """Return one row per method and seed; columns in which nothing stands are left out."""
    table = pd.DataFrame(
        [
            {
                "method": each.variant,
                "seed": each.seed,
                "outcome": _SIGNS.get(each.outcome, each.outcome),
                "chosen": _chosen(each),
                "reason": each.reason,
                "needs": ", ".join(METHODS[each.method].needs) if each.method in METHODS else "",
                "saliency": _saliency(each),
                "seconds": round(each.seconds),
            }
            for each in outcomes
        ]
    )
    return table.loc[:, (table != "").any()]


def _saliency(outcome: MethodOutcome) -> str:
    same = outcome.method in METHODS and METHODS[outcome.method].same_saliency
    return "unchanged by construction" if same else ""


def _chosen(outcome: MethodOutcome) -> str:
    chosen = next((trial for trial in outcome.trace if trial["chosen"]), None)
    return _in_words(chosen["settings"]) if chosen else ""


def _in_words(settings: dict[str, object]) -> str:
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in settings.items()
    )


def trace_table(outcomes: list[MethodOutcome]) -> pd.DataFrame:
    """Return one row per candidate."""
    return pd.DataFrame(
        [
            {
                "method": each.variant,
                "seed": each.seed,
                **trial,
                "settings": _in_words(trial["settings"]),
            }
            for each in outcomes
            for trial in each.trace
        ]
    )


def pareto_section(desk: Desk) -> None:
    """Show accuracy against the equalized odds difference of every variant on the desk, on clean test faces."""
    points = pareto_points(desk.results)
    if len(points) < 2:
        return
    st.plotly_chart(
        pareto_chart(points, desk.audit.confounder),
        key="pareto",
        alt="Accuracy against the equalized odds difference of every variant; dominated ones are faded",
    )
    beaten = points.loc[points["dominated"], "variant"]
    st.caption(
        "Clean test faces, 95% intervals both ways. Up is more accurate, left is more alike between the groups; a variant that "
        "another beats in both is faded"
        + (f": {', '.join(beaten)}. " if len(beaten) else ". ")
        + "Intervals overlap: a faded point need not be worse."
    )


def pareto_points(results: pd.DataFrame) -> pd.DataFrame:
    """Return accuracy and equalized odds difference per variant, on clean faces, with intervals and dominance."""
    clean = results[results["evaluation"] == CLEAN]
    accuracy = clean[(clean["metric"] == ACCURACY) & (clean["group"] == "all")].set_index("variant")
    odds = clean[clean["metric"] == EQUALIZED_ODDS].set_index("variant")
    columns = ["value", "low", "high"]
    points = accuracy[columns].add_suffix("_accuracy").join(odds[columns].add_suffix("_odds"), how="inner").dropna()
    beaten = dominated(points["value_accuracy"].to_numpy(float), points["value_odds"].to_numpy(float))
    return points.assign(dominated=beaten).reset_index()


@st.cache_resource(max_entries=64, show_spinner=False)
def pareto_chart(points: pd.DataFrame, confounder: str) -> go.Figure:
    """Return the picture: one labelled point a variant."""
    figure = go.Figure()
    across, down = (_span(points, what) for what in ("odds", "accuracy"))
    places = label_places(points["value_odds"], points["value_accuracy"], list(points["variant"]), across, down)
    for beaten, part in points.assign(place=places).groupby("dominated"):
        colour, opacity = _FADED if beaten else _FULL
        figure.add_scatter(
            name="dominated" if beaten else "not dominated",
            x=part["value_odds"],
            y=part["value_accuracy"],
            text=part["variant"],
            mode="markers+text",
            textposition=part["place"],
            marker={"size": 11, "color": colour, "opacity": opacity},  # the names stay as readable as the others
            error_x=_bars(part, "odds", colour, opacity),
            error_y=_bars(part, "accuracy", colour, opacity),
            hovertemplate="%{text}: accuracy %{y:.3f}, equalized odds difference %{x:.3f}<extra></extra>",
        )
    figure.update_layout(
        title="Accuracy against fairness",
        xaxis_title=f"equalized odds difference by {confounder}",
        yaxis_title="accuracy",
        height=460,
        margin={"l": 8, "r": 8, "t": 60, "b": 8},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"},
    )
    return figure


def _span(points: pd.DataFrame, what: str) -> float:
    """Return what the axis spans, intervals and all."""
    return float(points[f"high_{what}"].max() - points[f"low_{what}"].min()) or 1.0


def _bars(part: pd.DataFrame, what: str, colour: str, opacity: float) -> dict[str, object]:
    value = part[f"value_{what}"]
    return {
        "type": "data",
        "symmetric": False,
        "array": part[f"high_{what}"] - value,
        "arrayminus": value - part[f"low_{what}"],
        "thickness": 1,
        "color": f"{colour}{round(255 * opacity):02x}",
    }
