"""An experiment's results in the format of Table 1 of De Coninck et al. (2024), beside the numbers printed there.

The authors' code tests `general_mask`, `general_noise` and `specific_noise` on treated faces and `specific_mask` on clean
ones, which the paper does not say; `original` and `balanced` are tested clean. Here every scheme is shown on both.
"""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fairsal_core.faces import group_name
from fairsal_core.results.accuracy import (
    CLEAN,
    EVALUATION_KEYS,
    TREATED,
    by_evaluation,
    cells_by_face,
    gap_name,
    natural_table,
    read_predictions,
    read_validation,
)
from fairsal_core.results.changes import changes_table
from fairsal_core.settings import BALANCED, ORIGINAL, ExperimentConfig, SchemeChoice, published_table

AUTHORS_EVALUATION = {
    "general_mask": TREATED,
    "general_noise": TREATED,
    "specific_mask": CLEAN,
    "specific_noise": TREATED,
}
QUANTITIES = ("acc", "men", "women")
MOST_ACCURACY_LOST = 0.03
REPLICATION_COLUMNS = (
    *("target", "confounder", "variant", "scheme", "quantile", "evaluation", "authors", "quantity"),
    *("value", "low", "high", "published", "n", "seeds", "train", "run"),
)
_Evaluation = tuple[str, str, str]  # variant, evaluation, treated by
_Parts = dict[_Evaluation, pd.DataFrame]
_Numbers = dict[tuple[str, str, str, str], dict[str, Any]]  # evaluation and group to value, low, high, n


def replication_table(config: ExperimentConfig, run: Path) -> pd.DataFrame:
    """Return what Table 1 has of a finished run, with intervals, in long form.

    Parameters
    ----------
    config : ExperimentConfig
        The run's.
    run : Path
        Its directory.

    Returns
    -------
    DataFrame
        Columns `REPLICATION_COLUMNS`, one row per scheme, evaluation and quantity: "acc", "men" and "women" (the two target
        groups, whatever the target) as "_original", "_balanced_delta" and "_ours_delta" (paired differences), "gap" as
        "_original", "_balanced" and "_ours". `authors` says whether the authors evaluate this scheme like this;
        `published` is what the paper prints, if it does.
    """
    predictions = read_predictions(run)
    numbers = _numbers(config, predictions)
    parts: _Parts = {
        (about["variant"], about["evaluation"], about["treated_by"]): part for about, part in by_evaluation(predictions)
    }
    rows: list[dict[str, Any]] = []
    for choice in config.schemes:
        for evaluation in (TREATED, CLEAN):
            about = {
                "target": config.target,
                "confounder": config.confounder,
                "variant": choice.name,
                "scheme": choice.scheme,
                "quantile": choice.quantile,
                "evaluation": evaluation,
                "authors": AUTHORS_EVALUATION.get(choice.scheme) == evaluation,
                "seeds": len(config.seeds),
                "train": config.counts.total,
                "run": run.name,
            }
            printed = _published(config, choice) if about["authors"] else {}
            rows += [
                {**about, **row, "published": printed.get(row["quantity"], np.nan)}
                for row in _quantities(config, _key(choice, evaluation), parts, numbers)
            ]
    return pd.DataFrame(rows, columns=list(REPLICATION_COLUMNS))


def papers_format(table: pd.DataFrame) -> pd.DataFrame:
    """Return a replication table as the paper prints it: a row per scheme, "ours [95% interval] (published)" in the cells."""
    if table.empty:
        return table
    cells = table.assign(
        shown=[
            _shown(value, low, high, printed, signed="delta" in quantity or quantity.startswith("gap"))
            for value, low, high, printed, quantity in table[["value", "low", "high", "published", "quantity"]].values
        ]
    )
    keys = ["target", "confounder", "scheme", "quantile", "evaluation", "authors", "variant", "run"]
    wide = cells.set_index([*keys, "quantity"])["shown"].unstack("quantity", sort=False).reset_index()
    return wide.rename_axis(columns=None).drop(columns=["variant", "run"])


def best_quantiles(config: ExperimentConfig, run: Path) -> pd.DataFrame:
    """Return the best quantile of each scheme that has several, chosen on validation faces and, as the paper does, on test.

    The best has the smallest |gap| among those that lose at most 3 points of accuracy against their original; if all
    lose more, the smallest |gap|.

    Returns
    -------
    DataFrame
        Columns `target`, `confounder`, `scheme`, `evaluation`, `chosen_on` ("validation" or "test"), `quantile`, and the
        accuracy and gap which that choice has on the test faces: `acc`, `gap`, `gap_low`, `gap_high`, `gap_original`.
    """
    numbers = {"test": _numbers(config, read_predictions(run))}
    validation = read_validation(run)
    if validation is not None:
        numbers = {"validation": _numbers(config, validation), **numbers}
    gap = gap_name(config.target)
    rows = []
    for choices, evaluation, chosen_on in product(config.several_quantiles.values(), (TREATED, CLEAN), numbers):
        best = min(choices, key=lambda choice: _badness(config, choice, evaluation, numbers[chosen_on]))
        found = numbers["test"][(*_key(best, evaluation), gap)]
        rows.append(
            {
                "target": config.target,
                "confounder": config.confounder,
                "scheme": best.scheme,
                "evaluation": evaluation,
                "chosen_on": chosen_on,
                "quantile": best.quantile,
                "acc": numbers["test"][(*_key(best, evaluation), "all")]["value"],
                "gap": found["value"],
                "gap_low": found["low"],
                "gap_high": found["high"],
                "gap_original": numbers["test"][(config.original_of(best.name), CLEAN, "", gap)]["value"],
            }
        )
    return pd.DataFrame(rows)


def _badness(config: ExperimentConfig, choice: SchemeChoice, evaluation: str, numbers: _Numbers) -> tuple[bool, float]:
    key = _key(choice, evaluation)
    original = numbers[(config.original_of(choice.name), CLEAN, "", "all")]["value"]
    loses = bool(numbers[(*key, "all")]["value"] < original - MOST_ACCURACY_LOST)
    return loses, abs(float(numbers[(*key, gap_name(config.target))]["value"]))


def _key(choice: SchemeChoice, evaluation: str) -> tuple[str, str, str]:
    return choice.name, evaluation, choice.general.name if evaluation == TREATED else ""


def _numbers(config: ExperimentConfig, predictions: pd.DataFrame) -> _Numbers:
    cells = cells_by_face(predictions, config.target, config.confounder)
    table = natural_table(predictions, config.target, cells, pd.Series(1, index=cells.unique()))
    keyed: dict[Any, Any] = table.set_index([*EVALUATION_KEYS, "group"])[["value", "low", "high", "n"]].to_dict("index")
    return keyed


def _quantities(config: ExperimentConfig, ours: _Evaluation, parts: _Parts, numbers: _Numbers) -> list[dict[str, Any]]:
    original = (config.original_of(ours[0]), CLEAN, "")
    balanced = (original[0].replace(ORIGINAL, BALANCED), CLEAN, "")
    others = {name: key for name, key in (("balanced", balanced), ("ours", ours)) if key in parts}
    changes = {name: _changes(config, parts[original], parts[key]) for name, key in others.items()}
    rows = []
    groups = ("all", group_name(config.target, True), group_name(config.target, False))
    for quantity, group in zip(QUANTITIES, groups, strict=True):
        rows.append({"quantity": f"{quantity}_original", **numbers[(*original, group)]})
        rows += [{"quantity": f"{quantity}_{name}_delta", **changes[name][group]} for name in others]
    gap = gap_name(config.target)
    keys = {ORIGINAL: original, **others}
    return rows + [{"quantity": f"gap_{name}", **numbers[(*key, gap)]} for name, key in keys.items()]


def _changes(config: ExperimentConfig, before: pd.DataFrame, after: pd.DataFrame) -> dict[Any, dict[str, Any]]:
    table = changes_table(before, after, config.target, config.confounder).set_index("group")
    named = table.rename(columns={"change": "value", "change_low": "low", "change_high": "high"})
    keyed: dict[Any, Any] = named[["value", "low", "high", "n"]].to_dict("index")
    return keyed


def _published(config: ExperimentConfig, choice: SchemeChoice) -> dict[str, float]:
    if config.target != "Male" or choice.treat_probability < 1:
        return {}
    for row in published_table():
        if (row["attribute"], row["scheme"], float(row["quantile"])) == (
            config.confounder,
            choice.scheme,
            choice.quantile,
        ):
            return {
                name: float(value) for name, value in row.items() if name not in ("attribute", "scheme", "quantile")
            }
    return {}


def _shown(value: float, low: float, high: float, printed: float, *, signed: bool) -> str:
    form = "{:+z.2f}" if signed else "{:.2f}"
    ours = f"{form.format(value)} [{form.format(low)}, {form.format(high)}]"
    return ours if np.isnan(printed) else f"{ours} ({form.format(printed)})"
