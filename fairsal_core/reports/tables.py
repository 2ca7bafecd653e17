"""Result tables to print and to file: as text with intervals, CSV and LaTeX."""

from pathlib import Path

import pandas as pd

from fairsal_core.files import replacing
from fairsal_core.metrics import ACCURACY, GAP, METRICS, Metric, SaliencyTest, in_order, title_of
from fairsal_core.results import Column, columns_of, over_all_seeds, shown_tests, shown_values, wide_results
from fairsal_core.scan import DIFFERS, KeptGroups, KeptScan
from fairsal_core.settings import AuditConfig, ExperimentConfig
from fairsal_core.spreadsheets import as_csv

_SCAN_ROWS = 15

_KEYS = ("variant", "evaluation", "treated_by")


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
    gaps = set(results.loc[results["metric"] == GAP, "group"])
    for group in value.columns[len(_KEYS) :]:
        form = "{:+z.2f} [{:+z.2f}, {:+z.2f}]" if group in gaps else "{:z.2f} [{:z.2f}, {:z.2f}]"
        table[group] = [form.format(*numbers) for numbers in zip(value[group], low[group], high[group], strict=True)]
    return table


def fairness_table(results: pd.DataFrame) -> pd.DataFrame:
    """Return every metric but accuracy and gap, a column for each number, as text with its interval; perhaps no column.

    The worst cell is named before its accuracy.
    """
    pooled = over_all_seeds(results)
    others = [name for name in in_order(pooled["metric"]) if name not in (ACCURACY, GAP)]
    columns = {column.title: _texts(pooled, column) for name in others for column in columns_of(pooled, name)}
    if not columns:
        return pd.DataFrame()
    rows = pd.MultiIndex.from_frame(pooled[list(_KEYS)].drop_duplicates())
    return pd.DataFrame(columns).reindex(rows).dropna(how="all").fillna("–").reset_index()


def _texts(pooled: pd.DataFrame, column: Column) -> pd.Series:
    part, form = column.rows(pooled), f"{column.sign}z.2f"
    texts = (
        (part["group"] + ": " if column.group is None else "")
        + part["value"].map(f"{{:{form}}}".format)
        + part["low"].map(f" [{{:{form}}}, ".format)
        + part["high"].map(f"{{:{form}}}]".format)
    )
    return texts.set_axis(pd.MultiIndex.from_frame(part[list(_KEYS)]))


def changes_summary(changes: pd.DataFrame) -> pd.DataFrame:
    """Return one row per variant and evaluation, the change of each group as text with its interval; perhaps empty.

    Parameters
    ----------
    changes : DataFrame
        As from `content.changes`; the change of a gap is that of its size, and its column is named |gap|.
    """
    if changes.empty:
        return changes
    of_size = changes["metric"].isin([name for name, metric in METRICS.items() if metric.of_size])
    told = changes.assign(
        group=changes["group"].where(~of_size, "|" + changes["group"].astype(str) + "|"),
        text=[f"{row.change:+z.2f} [{row.change_low:z.2f}, {row.change_high:z.2f}]" for row in changes.itertuples()],
    )
    groups = list(told["group"].unique())
    groups.sort(key=lambda group: not group.startswith("|"))  # the gap first: it is what a change is asked of
    wide = told.pivot(index=list(_KEYS), columns="group", values="text")
    order = pd.MultiIndex.from_frame(told[list(_KEYS)].drop_duplicates())
    return wide.loc[order, groups].reset_index().rename_axis(columns=None)


def mitigation_table(config: ExperimentConfig | AuditConfig) -> pd.DataFrame:
    """Return one row per mitigation method that was asked for: its variant, what it does, learns from and needs, its settings."""
    from fairsal_core.mitigation import METHODS  # brings torch

    choices = config.mitigation if isinstance(config, ExperimentConfig) else ()
    return pd.DataFrame(
        [
            {
                "variant": choice.name,
                "what it does": METHODS.find(choice.method).description,
                "learns from": METHODS.find(choice.method).learns_from,
                "needs": METHODS.find(choice.method).needed,
                "settings": "; ".join(f"{name} {value}" for name, value in choice.settings.model_dump().items()),
            }
            for choice in choices
        ]
    )


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
    values, tests = shown_values(pooled), reported_tests(pooled)
    rows = []
    for (explainer, roi, variant), part in pooled.groupby(["explainer", "roi", "variant"], sort=False):
        by_metric = part.set_index("metric")
        row = {"explainer": explainer, "variant": variant, "region of interest": roi}
        for name in (name for name in values if name in by_metric.index):
            number = by_metric.loc[name]
            row[title_of(name)] = f"{number['value']:z.3f} [{number['low']:z.3f}, {number['high']:z.3f}]"
        for name in (name for name in tests if name in by_metric.index):
            test = by_metric.loc[name]
            row[title_of(name)] = f"p = {test['p_value']:.2g}, effect {test['value']:+z.2f}"
        rows.append({**row, "n": int(by_metric["n"].max())})
    return pd.DataFrame(rows).fillna("–") if rows else pd.DataFrame()


def heads_of(attention: pd.DataFrame) -> dict[str, str]:
    """Return what stands over the columns of `attention_summary` for a reader: what a metric says, before its abbreviation."""
    return {metric.title: metric.in_words for metric in reported_metrics(attention)}


def reported_tests(attention: pd.DataFrame) -> list[str]:
    """Return the tests that stand beside the values that they test; of a test that is no longer installed nobody knows."""
    shown = {*shown_values(attention), None}
    return [name for name in shown_tests(attention) if _tested_by(name) in shown]


def _tested_by(name: str) -> str | None:
    test = METRICS.get(name)
    return test.tests if isinstance(test, SaliencyTest) else None


def reported_metrics(attention: pd.DataFrame) -> list[Metric]:
    """Return the metrics that `attention_summary` has a column of, as far as they are installed."""
    return [METRICS[name] for name in (*shown_values(attention), *reported_tests(attention)) if name in METRICS]


def write_tables(tables: dict[str, pd.DataFrame], folder: Path) -> list[Path]:
    """Write each table as NAME.csv and NAME.tex, and return the paths."""
    written = []
    for name, table in tables.items():
        for suffix, text in (("csv", as_csv(table)), ("tex", _latex(table, name))):
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


def groups_table(kept: KeptGroups) -> pd.DataFrame:
    """Return every rate of each group with its interval, one row a group, and under them how far apart groups are."""
    wide: dict[str, dict[str, str]] = {}
    for row in kept.rows:
        wide.setdefault(str(row["group"]), {})[str(row["metric"])] = _shown(row["value"], row["low"], row["high"])
    rows = [{"group": group, "faces": f"{kept.sizes[group]:,}", **rates} for group, rates in wide.items()]
    for title, end in (("largest − smallest", "difference"), ("smallest / largest", "ratio")):
        spread = {
            name: _shown(each[end], each[f"{end}_low"], each[f"{end}_high"]) for name, each in kept.spreads.items()
        }
        rows.append({"group": title, "faces": "", **spread})
    return pd.DataFrame(rows).rename(columns=lambda name: name.replace("_", " ")).fillna("")


def group_changes_table(kept: KeptGroups) -> pd.DataFrame:
    """Return what became of every rate of each group since the reference, one row a group; perhaps empty."""
    wide: dict[str, dict[str, str]] = {}
    for row in kept.changes:
        wide.setdefault(str(row["group"]), {})[str(row["metric"])] = _shown(row["value"], row["low"], row["high"], "+")
    rows = [{"group": group, **changes} for group, changes in wide.items()]
    return pd.DataFrame(rows).rename(columns=lambda name: name.replace("_", " ")) if rows else pd.DataFrame()


def _shown(value: float | None, low: float | None, high: float | None, sign: str = "") -> str:
    return "–" if pd.isna(value) else f"{value:{sign}z.2f} [{low:{sign}z.2f}, {high:{sign}z.2f}]"


def scan_table(kept: KeptScan) -> pd.DataFrame:
    """Return the rows of a scan for a page: those that differ, and the first of the others."""
    table = kept.table.head(max(int((kept.table["verdict"] == DIFFERS).sum()), _SCAN_ROWS))

    return pd.DataFrame(
        {
            "attribute": table["attribute"],
            "verdict": table["verdict"],
            "difference": list(map(_shown, table["value"], table["low"], table["high"])),
            "of its own": list(map(_shown, table["own"], table["own_low"], table["own_high"])),
            "adjusted p": ["–" if pd.isna(p) else f"{p:.2g}" for p in table["adjusted_p"]],
            "n": table["n"],
            "needed": ["–" if pd.isna(needed) else f"{needed:,.0f}" for needed in table["needed"]],
            "worst cell": table["worst_cell"],
            "right there": list(map(_shown, table["worst_value"], table["worst_low"], table["worst_high"])),
            "family": table["family"],
        }
    )
