"""Result tables to print and to file: as text with intervals, CSV and LaTeX."""

from pathlib import Path

import pandas as pd

from fairsal_core.experiments import over_all_seeds, wide_results
from fairsal_core.files import replacing

_KEYS = ("variant", "evaluation", "treated_by")
_METRICS = {
    "worst_cell": "worst cell",
    "demographic_parity_difference": "demographic parity difference",
    "equal_opportunity_difference": "equal opportunity difference",
    "equalized_odds_difference": "equalized odds difference",
}
_RELEVANCE = ("rrf", "hrf", "mrr", "adr", "dif")


def accuracy_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return one row per variant and evaluation, each number as text with its 95% interval in brackets.

    Parameters
    ----------
    results : DataFrame
        As from `results_table`.

    Returns
    -------
    DataFrame
        Columns `variant`, `evaluation`, `treated_by`, then all, the two target groups, the gap, the cells.
    """
    value, low, high = (wide_results(results, column) for column in ("value", "low", "high"))
    table = value[list(_KEYS)].copy()
    for group in value.columns[len(_KEYS) :]:
        form = "{:+z.2f} [{:+z.2f}, {:+z.2f}]" if " - " in group else "{:z.2f} [{:z.2f}, {:z.2f}]"
        table[group] = [form.format(*numbers) for numbers in zip(value[group], low[group], high[group], strict=True)]
    return table


def fairness_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return the metrics that are one number a variant, one column each, as text with its interval; perhaps no column.

    The worst cell is named before its accuracy.
    """
    pooled = over_all_seeds(results)
    columns = {}
    for metric, title in _METRICS.items():
        part = pooled[pooled["metric"] == metric]
        if part.empty:
            continue
        named = part["group"] + ": " if metric == "worst_cell" else ""
        columns[title] = (
            named
            + part["value"].map("{:z.2f}".format)
            + part["low"].map(" [{:z.2f}, ".format)
            + part["high"].map("{:z.2f}]".format)
        ).set_axis(pd.MultiIndex.from_frame(part[list(_KEYS)]))
    return pd.DataFrame(columns).reset_index() if columns else pd.DataFrame()


def changes_summary(changes: pd.DataFrame) -> pd.DataFrame:
    """Return one row per variant and evaluation, the change of each group as text with its interval; perhaps empty.

    Parameters
    ----------
    changes : DataFrame
        As from `content.changes`; the change of a gap is that of its size, and its column is named |gap|.
    """
    if changes.empty:
        return changes
    told = changes.assign(
        group=changes["group"].where(changes["metric"] != "gap", "|" + changes["group"].astype(str) + "|"),
        text=[f"{row.change:+z.2f} [{row.change_low:z.2f}, {row.change_high:z.2f}]" for row in changes.itertuples()],
    )
    groups = list(told["group"].unique())
    groups.sort(key=lambda group: not group.startswith("|"))  # the gap first: it is what a change is asked of
    wide = told.pivot(index=list(_KEYS), columns="group", values="text")
    order = pd.MultiIndex.from_frame(told[list(_KEYS)].drop_duplicates())
    return wide.loc[order, groups].reset_index().rename_axis(columns=None)


def on_a_page(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table as a page has room for it: what the test faces are treated by stands with the evaluation."""
    if not {"evaluation", "treated_by"} <= set(table.columns):
        return table
    treated = table["treated_by"].astype(str)
    faces = table["evaluation"].astype(str) + (" by " + treated).where(treated != "", "")
    place = list(table.columns).index("evaluation")
    narrower = table.drop(columns=["evaluation", "treated_by"])
    narrower.insert(place, "test faces", faces)
    return narrower


def attention_summary(attention: pd.DataFrame) -> pd.DataFrame:
    """Return one row per explainer and variant: relevance metrics over all explained faces, as text with intervals.

    Parameters
    ----------
    attention : DataFrame
        As from `read_attention`; perhaps empty.
    """
    pooled = over_all_seeds(attention)
    pooled = pooled[pooled["group"] == "all"]
    rows = []
    for (explainer, roi, variant), part in pooled.groupby(["explainer", "roi", "variant"], sort=False):
        by_metric = part.set_index("metric")
        row = {"explainer": explainer, "variant": variant, "region of interest": roi}
        for metric in (name for name in _RELEVANCE if name in by_metric.index):
            number = by_metric.loc[metric]
            row[metric.upper()] = f"{number['value']:z.3f} [{number['low']:z.3f}, {number['high']:z.3f}]"
        if "rddt" in by_metric.index:
            test = by_metric.loc["rddt"]
            row["RDDT"] = f"p = {test['p_value']:.2g}, effect {test['value']:+z.2f}"
        rows.append({**row, "n": int(by_metric["n"].max())})
    return pd.DataFrame(rows).fillna("–") if rows else pd.DataFrame()


def write_tables(tables: dict[str, pd.DataFrame], folder: Path) -> list[Path]:
    """Write each table as NAME.csv and NAME.tex, and return the paths."""
    written = []
    for name, table in tables.items():
        for suffix, text in (("csv", table.to_csv(index=False)), ("tex", _latex(table, name))):
            path = folder / f"{name}.{suffix}"
            with replacing(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
            written.append(path)
    return written


def _latex(table: pd.DataFrame, name: str) -> str:
    styled = table.style.hide(axis="index").format(precision=4, na_rep="", escape="latex")
    text: str = styled.format_index(escape="latex", axis="columns").to_latex(
        hrules=True, label=f"tab:{name}", caption=name.replace("_", " "), position_float="centering"
    )
    return "% needs \\usepackage{booktabs}\n" + text
