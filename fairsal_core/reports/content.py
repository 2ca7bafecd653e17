"""What a report says, gathered from a run's directory; templates only lay it out."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import (
    CLEAN,
    ORIGINAL,
    TREATED,
    ExperimentConfig,
    Run,
    accuracy_and_gap,
    changes_table,
    face_changes,
    gap_name,
    list_attention,
    over_all_seeds,
    parse_config,
    read_attention,
    read_predictions,
    read_results,
)
from fairsal_core.faces import CELLS, DEMO, CellCounts, FaceDataset, cell_name, group_name
from fairsal_core.files import read_json
from fairsal_core.metrics import Interval
from fairsal_core.pictures import colour_map, data_url, photo_url
from fairsal_core.regions import PatchGrid, min_max, to_pixel_map
from fairsal_core.reports.acceptance import Acceptance, Judged, Verdict, judge, judge_rrf, overall
from fairsal_core.reports.charts import Point, interval_chart
from fairsal_core.reports.command import command_line
from fairsal_core.reports.review import Note, read_acceptance, read_notes
from fairsal_core.versions import versions

FACES_A_VARIANT = 8


@dataclass(frozen=True)
class Judgement:
    """All criteria of one variant under one evaluation, and what they come to."""

    variant: str
    evaluation: str
    treated_by: str
    criteria: list[Judged]
    verdict: Verdict


@dataclass(frozen=True)
class Filed:
    """A finished run as a report files it."""

    run: Run
    config: ExperimentConfig
    results: pd.DataFrame
    predictions: pd.DataFrame
    attention: pd.DataFrame
    sanity: list[str]
    subsets: Mapping[str, Any]
    versions: Mapping[str, str]
    versions_are_of: str
    acceptance: Acceptance
    notes: list[Note]

    @property
    def drawn(self) -> bool:
        """Whether the faces are known to be drawn; any folder may hold real people."""
        return self.config.data == DEMO

    @property
    def command(self) -> str:
        return command_line(self.config)

    @property
    def groups(self) -> tuple[str, str]:
        """What to call those with and without the target attribute."""
        return group_name(self.config.target, True), group_name(self.config.target, False)


def read_filed(run: Run) -> Filed:
    """Read everything a report needs.

    Raises
    ------
    FairsalError
        If the run has not finished, or its files cannot be read.
    """
    if run.status.state != "finished":
        raise FairsalError(f"Run {run.id} is {run.status.state}; a report needs a finished one.")
    try:
        subsets = read_json(run.path / "subsets.json")
    except (OSError, ValueError) as error:
        raise FairsalError(f"The training faces of run {run.id} cannot be read ({str(error)[:120]}).") from error
    recorded = _recorded_versions(run.path)
    return Filed(
        run=run,
        config=parse_config(dict(run.config)),
        results=read_results(run.path),
        predictions=read_predictions(run.path),
        attention=read_attention(run.path),
        sanity=[found.sanity for found in list_attention(run.path) if found.sanity],
        subsets=subsets,
        versions=recorded or versions(),
        versions_are_of="the run" if recorded else "this report; the run did not record its own",
        acceptance=read_acceptance(run.path),
        notes=read_notes(run.path),
    )


def _recorded_versions(run: Path) -> dict[str, str]:
    try:
        return dict(read_json(run / "versions.json"))
    except (OSError, ValueError):
        return {}


def judgements(results: pd.DataFrame, acceptance: Acceptance, attention: pd.DataFrame | None = None) -> list[Judgement]:
    """Judge every variant under every evaluation, by its rows over all seeds.

    Parameters
    ----------
    results : DataFrame
        As from `results_table`.
    acceptance : Acceptance
        Thresholds.
    attention : DataFrame, optional
        As from `read_attention`; its first explainer's RRF over all explained faces, which are clean, is what counts.
    """
    judged = []
    for (variant, evaluation, treated_by), part in over_all_seeds(results).groupby(
        ["variant", "evaluation", "treated_by"], sort=False
    ):
        criteria = judge(part, acceptance, _rrf(attention, str(variant), acceptance.rrf_at_most))
        judged.append(Judgement(str(variant), str(evaluation), str(treated_by), criteria, overall(criteria)))
    return judged


def _rrf(attention: pd.DataFrame | None, variant: str, limit: float | None) -> Judged | None:
    if attention is None or attention.empty or limit is None:
        return None
    pooled = over_all_seeds(attention)
    of = pooled[pooled["variant"].eq(variant) & pooled["metric"].eq("rrf") & pooled["group"].eq("all")]
    if of.empty:
        return None
    row = of.iloc[0]
    return judge_rrf(float(row["value"]), Interval(float(row["low"]), float(row["high"])), int(row["n"]), limit)


def subset_table(filed: Filed) -> pd.DataFrame:
    """Return the four cells: available for training, used by each variant, and in the test set."""
    names = [cell_name(filed.config.target, filed.config.confounder, cell) for cell in CELLS]
    columns = {"available in the train split": filed.subsets["available"], **filed.subsets["train"]}
    columns["test set"] = filed.subsets["test"]
    counts = {title: CellCounts.model_validate(values) for title, values in columns.items()}
    table = pd.DataFrame({title: [values[cell] for cell in CELLS] for title, values in counts.items()}, index=names)
    table.loc["all"] = table.sum()
    return table.rename_axis("cell").reset_index()


def changes(filed: Filed) -> pd.DataFrame:
    """Return the change from `original` to every other variant, for each evaluation that both have."""
    keys = ["variant", "evaluation", "treated_by"]
    parts = dict(list(filed.predictions.groupby(keys, sort=False, observed=True)))
    tables = [
        changes_table(
            parts[(ORIGINAL, evaluation, treated_by)], part, filed.config.target, filed.config.confounder
        ).assign(variant=str(variant), evaluation=str(evaluation), treated_by=str(treated_by))
        for (variant, evaluation, treated_by), part in parts.items()
        if variant != ORIGINAL and (ORIGINAL, evaluation, treated_by) in parts
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def charts(filed: Filed) -> list[dict[str, Any]]:
    """Return the figures as SVG with their titles: accuracy of the target groups, the gap, the cells on clean faces."""
    pooled = accuracy_and_gap(over_all_seeds(filed.results))
    clean = pooled[pooled["evaluation"] == CLEAN]
    gap = gap_name(filed.config.target)
    cells = [cell_name(filed.config.target, filed.config.confounder, cell) for cell in CELLS]
    figures = [
        *((f"Accuracy of {group}", _points(pooled, group), 0.0) for group in filed.groups),
        (f"Gap in accuracy: {gap}", _points(pooled, gap), -1.0),
        *((f"Accuracy of {cell}, clean test faces", _points(clean, cell), 0.0) for cell in cells),
    ]
    return [{"title": title, "svg": interval_chart(title, points, low, 1.0)} for title, points, low in figures]


def _points(pooled: pd.DataFrame, group: str) -> list[Point]:
    part = pooled[pooled["group"] == group]
    return [
        Point(_row_label(row["variant"], row["treated_by"]), row["value"], row["low"], row["high"], row["evaluation"])
        for row in part.to_dict("records")
    ]


def _row_label(variant: str, treated_by: str) -> str:
    return variant if not treated_by else f"{variant}, treated"


def region_map(filed: Filed) -> dict[str, str] | None:
    """Return the run's mean map as a picture with its description; None where the run stored none."""
    try:
        positions = np.load(filed.run.path / "mean_map.npy", allow_pickle=False)
        pixels = min_max(to_pixel_map(positions.astype(np.float32), PatchGrid()))
    except (OSError, ValueError, FairsalError):
        return None
    return {"url": data_url(colour_map(pixels)), "alt": f"Mean map of {filed.config.confounder} over training faces"}


def changed_faces(filed: Filed, faces: FaceDataset) -> list[dict[str, Any]]:
    """Return, for each scheme or method, the faces that changed sides most on clean test faces, with pictures."""
    clean = filed.predictions[filed.predictions["evaluation"] == CLEAN]
    before = clean[clean["variant"] == ORIGINAL]
    groups = []
    for variant, after in clean[clean["variant"] != ORIGINAL].groupby("variant", sort=False, observed=True):
        table = face_changes(before, after)
        changed = table[table["changed"]]
        shown = [name for name in changed.index[:FACES_A_VARIANT] if name in faces.names]
        pictures = faces.take(faces.names.get_indexer(pd.Index(shown)))
        groups.append(
            {
                "variant": variant,
                "mended": int(changed["right_after"].sum()),
                "broken": int((~changed["right_after"]).sum()),
                "n": len(table),
                "faces": [
                    _face(filed, name, changed.loc[name], photo_url(pixels))
                    for name, pixels in zip(shown, pictures.images if shown else (), strict=True)
                ],
            }
        )
    return groups


def _face(filed: Filed, name: str, row: pd.Series, url: str) -> dict[str, Any]:
    cell = next(cell for cell in CELLS if cell == (bool(row["target"]), bool(row["confounder"])))
    return {
        "name": name,
        "url": url,
        "cell": cell_name(filed.config.target, filed.config.confounder, cell),
        "before": float(row["before"]),
        "after": float(row["after"]),
        "right_after": bool(row["right_after"]),
    }


def model_cards(filed: Filed) -> list[dict[str, Any]]:
    """Return what a model card says of each variant's classifiers: data, numbers, files with their checksums."""
    pooled = over_all_seeds(filed.results)
    cards = []
    for variant in dict.fromkeys(pooled["variant"]):
        part = pooled[(pooled["variant"] == variant) & pooled["metric"].isin(("accuracy", "gap"))]
        cards.append(
            {
                "variant": variant,
                "counts": filed.subsets["train"].get(variant),
                "rows": part.to_dict("records"),
                "files": _weights(filed.run.path, str(variant)),
                "treated": bool((part["evaluation"] == TREATED).any()),
            }
        )
    return cards


def _weights(run: Path, variant: str) -> list[dict[str, Any]]:
    files = sorted((run / "weights").glob("*.safetensors"))
    return [
        {"name": path.name, "bytes": path.stat().st_size, "sha256": _sha256(path)}
        for path in files
        if path.name.rpartition("-seed")[0] == variant
    ]


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
