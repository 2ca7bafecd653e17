"""Which map hides what, and what that does: `python -m benchmarks.measures --run RUN RUN [--json]`.

The runs are those of a sweep such as `measures_glasses`: experiments that differ in the measure of their maps alone. One row is a
scheme, tested clean or treated: what De Coninck et al. print of it, and what the classifiers of all seeds are worth under the map
by each measure, with 95% intervals over seeds and faces. The original stands in the first rows. Of two runs a second table has the
second's numbers less the first's, whose intervals profit from the same seeds and faces.
"""

import argparse
import json
from collections.abc import Sequence

import pandas as pd

from fairsal_core.errors import FairsalError
from fairsal_core.metrics import Decisions, Interval, change_estimates, change_interval
from fairsal_core.metrics.groups import gap_weights
from fairsal_core.metrics.shortcut import conflicting_cells, shortcut_change, shortcut_estimate
from fairsal_core.results import (
    AUTHORS_EVALUATION,
    over_all_seeds,
    read_predictions,
    replication_table,
    results_table,
)
from fairsal_core.results.accuracy import Answers, answers, by_evaluation, judged
from fairsal_core.runs import Run, load_run, run_path
from fairsal_core.settings import ExperimentConfig, parse_config

_TOLD = {
    "accuracy": "accuracy",
    "worst_cell": "worst cell",
    "gap": "gap",
    "equalized_odds_difference": "equalized odds",
}


def rows_of(run: Run, config: ExperimentConfig) -> pd.DataFrame:
    """Return one row a variant and evaluation, the numbers as text."""
    printed = replication_table(config, run.path)
    printed = printed[printed["quantity"] == "gap_ours"].set_index(["variant", "evaluation"])["published"]
    predictions = read_predictions(run.path)
    # Judged anew: what a run wrote down is as old as the fairsal that made it.
    results = over_all_seeds(results_table(predictions, config.target, config.confounder))
    shortcuts = {}
    for about, part in by_evaluation(predictions):
        correct, cells, _ = judged(part)
        gap = shortcut_estimate(Decisions(correct, cells), conflicting_cells(config.counts.phi))
        shortcuts[tuple(about.values())] = _shown(gap.value, *gap.interval, sign="+")
    rows = []
    for (variant, evaluation, by), part in results.groupby(["variant", "evaluation", "treated_by"], sort=False):
        row = {"variant": variant, "evaluation": evaluation, "treated by": by}
        for metric, called in _TOLD.items():
            found = part[part["metric"] == metric]
            found = found[found["group"] == "all"] if metric == "accuracy" else found
            row[called] = _shown(*found[["value", "low", "high"]].iloc[0], sign="+" if metric == "gap" else "")
        row["shortcut gap"] = shortcuts[(variant, evaluation, by)]
        row["printed gap"] = printed.get((variant, evaluation))
        scheme = str(variant).partition("@")[0]
        row["as the authors"] = AUTHORS_EVALUATION.get(scheme, "clean") == evaluation
        rows.append(row)
    return pd.DataFrame(rows)


def _shown(value: float, low: float, high: float, sign: str) -> str:
    return f"{value:{sign}.2f} [{low:{sign}.2f}, {high:{sign}.2f}]"


def table(names: Sequence[str]) -> pd.DataFrame:
    """Return the rows of all runs, the measure of each beside them; what no scheme is in stands once."""
    found = []
    for name in names:
        run = load_run(run_path(name))
        config = parse_config(dict(run.config))
        found.append(rows_of(run, config).assign(measure=config.measure, confounder=config.confounder))
    rows = pd.concat(found)
    plain = ~rows["variant"].astype(str).str.contains("@", regex=False)
    rows.loc[plain, "measure"] = ""
    rows = rows[~(plain & rows["evaluation"].eq("treated"))]
    return rows.drop_duplicates().sort_values(
        ["confounder", "variant", "evaluation", "measure"], kind="stable", ignore_index=True
    )


def differences(names: Sequence[str]) -> pd.DataFrame:
    """Return one row a scheme and evaluation: what the second of two runs has more of than the first, as text."""
    first, second = (load_run(run_path(name)) for name in names)
    config = parse_config(dict(first.config))
    conflicting = conflicting_cells(config.counts.phi)
    before = {tuple(about.values()): answers(part) for about, part in by_evaluation(read_predictions(first.path))}
    rows = []
    for about, part in by_evaluation(read_predictions(second.path)):
        then, now = before.get(tuple(about.values())), answers(part)
        if "@" not in about["variant"]:
            continue
        if (
            then is None
            or not then.faces.equals(now.faces)
            or then.seeds != now.seeds
            or (then.cells != now.cells).any()
        ):
            raise FairsalError(
                "The two runs differ in more than the measure: in schemes, seeds, faces or their labels."
            )
        accuracy, *_ = change_estimates(then.correct, now.correct, now.cells)
        shortcut = shortcut_change(then.correct, now.correct, now.cells, conflicting)
        gap, interval = _signed_gap_change(then, now)
        rows.append(
            {
                **about,
                "accuracy": _shown(accuracy.value, *accuracy.interval, sign="+"),
                "shortcut gap": _shown(shortcut.value, *shortcut.interval, sign="+"),
                "gap": _shown(gap, *interval, sign="+"),
            }
        )
    return pd.DataFrame(rows).sort_values(["variant", "evaluation"], kind="stable", ignore_index=True)


def _signed_gap_change(then: Answers, now: Answers) -> tuple[float, Interval]:
    """Return by how much the gap itself, not its size, rose."""
    weights = gap_weights(now.decisions.sizes)
    value = float(weights @ (now.decisions.rates - then.decisions.rates))
    return value, change_interval(then.correct, now.correct, now.cells, weights)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", nargs="+", required=True, help="finished experiments that differ in their measure")
    parser.add_argument("--json", action="store_true", help="JSON on stdout instead of a table")
    options = parser.parse_args()
    tables = {"rows": table(options.run)}
    if len(options.run) == 2:
        tables["second less first"] = differences(options.run)
    if options.json:
        print(json.dumps({name: found.to_dict("records") for name, found in tables.items()}, indent=1))
        return
    for name, found in tables.items():
        print(f"{name}\n{found.to_string(index=False)}")


if __name__ == "__main__":
    main()
