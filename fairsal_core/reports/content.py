"""What a report says, gathered from a run's directory; templates only lay it out."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from fairsal_core.classifiers import ClassifierTraining
from fairsal_core.drawing import DEMO, demo_folder
from fairsal_core.errors import FairsalError
from fairsal_core.faces import (
    Cell,
    FaceDataset,
    audit_sentence,
    cell_name,
    counts_kept,
    counts_table,
    group_name,
    kept_audit,
)
from fairsal_core.files import safe_name
from fairsal_core.hashing import file_digest
from fairsal_core.pictures import colour_map, data_url, photo_url
from fairsal_core.progress import Progress, silent
from fairsal_core.regions import PatchGrid, min_max, to_pixel_map
from fairsal_core.reports.acceptance import Acceptance, Judged, Verdict, judge, judge_groups, overall
from fairsal_core.reports.charts import Point, interval_chart
from fairsal_core.reports.command import command_line
from fairsal_core.reports.decisions import Agreed, Decided, Reopened, read_log, since_last_review
from fairsal_core.reports.evidence import data_digest, in_a_sentence, run_digest, subject_digest, what_would_change
from fairsal_core.reports.review import Note, read_acceptance, read_notes
from fairsal_core.results import (
    CLEAN,
    TREATED,
    about_these_networks,
    accuracy_and_gap,
    changes_table,
    face_changes,
    gap_name,
    list_attention,
    over_all_seeds,
    quality_note,
    read_attention,
    read_hidden,
    read_hidden_faces,
    read_predictions,
    read_results,
)
from fairsal_core.runs import Run, RunFiles, Standing, checked, read_array, read_content, recorded_versions, standing
from fairsal_core.scan import (
    AS_THEY_ARE,
    KeptGroups,
    data_of,
    groups_by_variant,
    hidden_by_group,
    kept_groups,
    labels_for,
    worst_of,
)
from fairsal_core.settings import ORIGINAL, AuditConfig, ExperimentConfig, run_settings
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
    config: ExperimentConfig | AuditConfig
    results: pd.DataFrame
    predictions: pd.DataFrame
    attention: pd.DataFrame
    hidden: pd.DataFrame
    sanity: list[str]
    region: str
    subsets: Mapping[str, Any]
    versions: Mapping[str, str]
    versions_are_of: str
    made: Standing
    acceptance: Acceptance
    notes: list[Note]
    log: list[Agreed | Reopened | Decided]
    digests: Mapping[str, str]
    by_group: list[KeptGroups]
    hidden_by_group: list[tuple[str, pd.DataFrame]]

    @property
    def decisions(self) -> list[Decided]:
        """What was decided, oldest first."""
        return [entry for entry in self.log if isinstance(entry, Decided)]

    @property
    def drawn(self) -> bool:
        """Whether the faces are known to be drawn; any folder may hold real people."""
        return self.config.data == DEMO

    @property
    def training(self) -> ClassifierTraining | None:
        """How its classifiers were trained; None of an audit, which trains nothing."""
        return self.config.training if isinstance(self.config, ExperimentConfig) else None

    @property
    def reference(self) -> str:
        """The variant that changes are measured from: the original, or the first of an audit's models."""
        return _reference(self.results)

    @property
    def few_seeds(self) -> str:
        """What its seeds are too few to say of schemes and methods; empty for enough, and where nothing was trained."""
        return about_these_networks(len(self.config.seeds)) if self.training else ""

    @property
    def command(self) -> str:
        return command_line(self.config)

    @property
    def groups(self) -> tuple[str, str]:
        """What to call those with and without the target attribute."""
        return group_name(self.config.target, True), group_name(self.config.target, False)


def _reference(results: pd.DataFrame) -> str:
    variants = list(dict.fromkeys(results["variant"].astype(str)))
    return ORIGINAL if ORIGINAL in variants else variants[0]


def read_filed(run: Run, protected: Sequence[str] = (), view: str = AS_THEY_ARE, progress: Progress = silent) -> Filed:
    """Read everything a report needs.

    Parameters
    ----------
    run : Run
        A finished run.
    protected, view
        What its rates are grouped by, as for `groups_of`; by default the groups are those that were put into its report.
    progress : Progress
        Called while the labels of its faces are read, which groups may need.

    Raises
    ------
    FairsalError
        If the run has not finished, or its files cannot be read.
    """
    if run.status.state != "finished":
        raise FairsalError(f"Run {run.id} is {run.status.state}; a report needs a finished one.")
    try:
        subsets = read_content(run.path, RunFiles(run.path).subsets)
    except FileNotFoundError as error:
        raise FairsalError(f"Run {run.id} does not say which faces it was trained on.") from error
    recorded = recorded_versions(run.path)
    results, predictions = read_results(run.path), read_predictions(run.path)
    by_group = (
        _by_group(run, predictions, _reference(results), protected, view, progress)
        if protected
        else kept_groups(run.path)
    )
    return Filed(
        run=run,
        config=run_settings(run.kind, run.config),
        results=results,
        predictions=predictions,
        attention=read_attention(run.path),
        hidden=read_hidden(run.path),
        sanity=[words for found in list_attention(run.path) for words in (found.instead, found.sanity) if words],
        region=quality_note(run.path, str(run.config["confounder"])),
        subsets=subsets,
        versions=recorded or versions(),
        versions_are_of="the run" if recorded else "this report; the run did not record its own",
        made=standing(run.path),
        acceptance=read_acceptance(run.path),
        notes=read_notes(run.path),
        log=read_log(run.path),
        digests={"run": run_digest(run.path), **data_digest(run.path)},
        by_group=by_group,
        hidden_by_group=_hidden_by_group(run, predictions, by_group, progress),
    )


def _by_group(
    run: Run, predictions: pd.DataFrame, reference: str, protected: Sequence[str], view: str, progress: Progress
) -> list[KeptGroups]:
    target, confounder = str(run.config["target"]), str(run.config["confounder"])
    faces = labels_for(data_of(run), predictions, confounder, protected, view, progress)
    return groups_by_variant(predictions, target, faces, protected, reference, view)


def _hidden_by_group(
    run: Run, predictions: pd.DataFrame, by_group: Sequence[KeptGroups], progress: Progress
) -> list[tuple[str, pd.DataFrame]]:
    """Return what groups are made of and what hiding changes in each, for a run that kept what it did to each face.

    Labels come from the set as it is now; of a set that has gone nothing is said.
    """
    decisions = read_hidden_faces(run.path)
    if decisions.empty:
        return []
    target, confounder = str(run.config["target"]), str(run.config["confounder"])
    found = []
    for protected in dict.fromkeys(tuple(each.protected) for each in by_group):
        with suppress(FairsalError, OSError):
            faces = labels_for(data_of(run), predictions, confounder, protected, progress=progress)
            found.append((" x ".join(protected), hidden_by_group(decisions, target, faces, protected)))
    return found


def judgements(
    results: pd.DataFrame,
    acceptance: Acceptance,
    attention: pd.DataFrame | None = None,
    groups: Sequence[KeptGroups] = (),
) -> list[Judgement]:
    """Judge every variant under every evaluation, by its rows over all seeds.

    Parameters
    ----------
    results : DataFrame
        As from `results_table`.
    acceptance : Acceptance
        Thresholds.
    attention : DataFrame, optional
        As from `read_attention`; see `judge`.
    groups : sequence of KeptGroups
        Groups that somebody chose: their criteria, on clean faces, are among those of their variant; see `judge_groups`.
    """
    chosen = {each.variant or each.subject: each for each in groups}
    relevance = None if attention is None or attention.empty else over_all_seeds(attention)
    judged = []
    for (variant, evaluation, treated_by), part in over_all_seeds(results).groupby(
        ["variant", "evaluation", "treated_by"], sort=False
    ):
        of_variant = None if relevance is None else relevance[relevance["variant"] == variant]
        criteria = judge(part, acceptance, of_variant)
        if evaluation == CLEAN and str(variant) in chosen:
            criteria += judge_groups(chosen[str(variant)], acceptance)
        judged.append(Judgement(str(variant), str(evaluation), str(treated_by), criteria, overall(criteria)))
    return judged


def data_notes(filed: Filed) -> list[str]:
    """Return what there was to say about how the faces were read, one sentence each."""
    lacking = filed.subsets.get("without_label")
    left_out = [f"{lacking:,} faces without a label of target or confounder are left out."] if lacking else []
    return [*filed.subsets.get("notes", ()), *left_out]


def data_audits(filed: Filed) -> dict[str, str]:
    """Return what data audits found, title -> paragraph: of the faces that the run read, and the last of the whole set.

    Of a run that made none, as of predictions alone, how to make one is said, but not of drawn faces.
    """
    root = demo_folder() if filed.config.data == DEMO else Path(filed.config.data)
    of_set = kept_audit(root)
    said = {
        "Data audit of the faces read": _audit_of_run(filed.run.path),
        "Data audit of the whole set": audit_sentence(of_set) if of_set else "",
    }
    found = {title: sentences for title, sentences in said.items() if sentences}
    if found or filed.config.data == DEMO:
        return found
    return {"Data audit": "None was made; fairsal data audit makes one."}


def _audit_of_run(run: Path) -> str:
    try:
        return audit_sentence(read_content(run, RunFiles(run).data_audit))
    except FileNotFoundError:
        return ""
    except (AttributeError, KeyError, TypeError, ValueError):  # it may be anyone's
        return "What the run says of it cannot be read."


def subset_table(filed: Filed) -> pd.DataFrame:
    """Return the cells: available for training, used by each variant, and in the test set."""
    columns = {"available in the train split": filed.subsets["available"], **filed.subsets["train"]}
    columns["test set"] = filed.subsets["test"]
    counts = {title: counts_kept(values) for title, values in columns.items()}
    table = counts_table(counts, filed.config.target, filed.config.confounder)
    table.loc["all"] = table.sum()
    return table.reset_index()


def changes(filed: Filed) -> pd.DataFrame:
    """Return the change from the reference to every other variant, for each evaluation that both have."""
    reference = filed.reference
    keys = ["variant", "evaluation", "treated_by"]
    parts = dict(list(filed.predictions.groupby(keys, sort=False, observed=True)))
    tables = [
        changes_table(
            parts[(reference, evaluation, treated_by)], part, filed.config.target, filed.config.confounder
        ).assign(variant=str(variant), evaluation=str(evaluation), treated_by=str(treated_by))
        for (variant, evaluation, treated_by), part in parts.items()
        if variant != reference and (reference, evaluation, treated_by) in parts
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def charts(filed: Filed) -> list[dict[str, Any]]:
    """Return the figures as SVG with their titles: accuracy of the target groups, the gap, the cells on clean faces."""
    pooled = accuracy_and_gap(over_all_seeds(filed.results))
    clean = pooled[pooled["evaluation"] == CLEAN]
    gap = gap_name(filed.config.target)
    cells = [
        cell_name(filed.config.target, filed.config.confounder, cell) for cell in counts_kept(filed.subsets["test"])
    ]
    figures = [
        *((f"Accuracy of {group}", _points(pooled, group), 0.0) for group in filed.groups),
        (f"Gap in accuracy: {gap}", _points(pooled, gap), -1.0),
        *((f"Accuracy of {cell}, clean test faces", _points(clean, cell), 0.0) for cell in cells),
    ]
    return [{"title": title, "svg": interval_chart(title, points, low, 1.0)} for title, points, low in figures]


def group_charts(kept: KeptGroups) -> list[Markup]:
    """Return a chart of the cells, where they are known, and one of each rate: a row for each group, however many there are."""
    cells = [("accuracy of each group, by label", kept.cells_table)] if kept.cells else []
    rates = [
        (f"{str(metric).replace('_', ' ')} by group", part) for metric, part in kept.table.groupby("metric", sort=False)
    ]
    return [interval_chart(title, _group_points(part), 0.0, 1.0) for title, part in [*cells, *rates]]


def worst_group(kept: KeptGroups) -> str:
    """Return which group fares worst of those that count, in a sentence; empty where none does, or cells are not known."""
    worst = worst_of(kept.cells_table)
    if worst is None:
        return ""
    return f"Worst: {worst['group']}, right in {worst['value']:.2f} [{worst['low']:.2f}, {worst['high']:.2f}], n = {worst['n']:,}."


def _group_points(part: pd.DataFrame) -> list[Point]:
    numbers = part.astype({"value": float, "low": float, "high": float})
    return [
        Point(row["group"], row["value"], row["low"], row["high"], "clean" if row["counted"] else "treated")
        for row in numbers.to_dict("records")
    ]


def _points(pooled: pd.DataFrame, group: str) -> list[Point]:
    from fairsal_core.settings import titles  # brings torch

    part = pooled[pooled["group"] == group]
    told = titles(part["variant"].unique())
    return [
        Point(
            _row_label(told[row["variant"]], row["treated_by"]),
            row["value"],
            row["low"],
            row["high"],
            row["evaluation"],
        )
        for row in part.to_dict("records")
    ]


def _row_label(variant: str, treated_by: str) -> str:
    return variant if not treated_by else f"{variant}, treated"


def region_map(filed: Filed) -> dict[str, str] | None:
    """Return the run's mean map as a picture with its description; None where the run stored none."""
    try:
        positions = read_array(filed.run.path, RunFiles(filed.run.path).mean_map)
        pixels = min_max(to_pixel_map(positions.astype(np.float32), PatchGrid()))
    except (OSError, ValueError, FairsalError):
        return None
    return {"url": data_url(colour_map(pixels)), "alt": f"Mean map of {filed.config.confounder} over training faces"}


def changed_faces(filed: Filed, faces: FaceDataset) -> list[dict[str, Any]]:
    """Return, for each variant but the reference, the faces that changed sides most on clean test faces, with pictures."""
    clean = filed.predictions[filed.predictions["evaluation"] == CLEAN]
    before = clean[clean["variant"] == filed.reference]
    groups = []
    for variant, after in clean[clean["variant"] != filed.reference].groupby("variant", sort=False, observed=True):
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
    group = row["confounder"] if isinstance(row["confounder"], str) else bool(row["confounder"])
    cell = Cell(bool(row["target"]), group)
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
        part = accuracy_and_gap(pooled[pooled["variant"] == variant])
        cards.append(
            {
                "variant": variant,
                "counts": filed.subsets["train"].get(variant),
                "rows": part.to_dict("records"),
                "files": _weights(filed.run.path, str(variant)),
                "treated": bool((part["evaluation"] == TREATED).any()),
                "source": _source(filed, str(variant)),
            }
        )
    return cards


def _source(filed: Filed, variant: str) -> str:
    """Return where an audited classifier comes from, in words; nothing for one that was trained in the run."""
    for table in filed.subsets.get("brought", ()):
        if variant in table["models"]:
            columns = ", ".join(f"{role} in '{column}'" for role, column in table["columns"].items())
            return f"its predictions alone, from {table['file']} ({columns})"
    for subject in filed.subsets.get("subjects", ()):
        if variant == subject["name"]:
            return f"{subject['architecture']}, {subject['from']}, digest {subject['digest']}"
    return ""


def _weights(run: Path, variant: str) -> list[dict[str, Any]]:
    files = sorted(RunFiles(run).weights_folder.glob("*.safetensors"))
    return [
        {"name": path.name, "bytes": path.stat().st_size, "sha256": file_digest(checked(run, path))}
        for path in files
        if path.name.rpartition("-seed")[0] == safe_name(variant)
    ]


def open_questions(filed: Filed) -> list[tuple[str, list[str]]]:
    """Return for each variant with an open verdict on clean faces what would close it, in sentences."""
    told = []
    for variant in dict.fromkeys(over_all_seeds(filed.results)["variant"]):
        lacking = what_would_change(filed.results, filed.acceptance, str(variant))
        if lacking:
            told.append((str(variant), [in_a_sentence(one) for one in lacking]))
    return told


def decisions(filed: Filed) -> list[dict[str, Any]]:
    """Return the decisions, newest first, each with what differs from the last about the same variant."""
    told: list[dict[str, Any]] = []
    last: dict[str, Decided] = {}
    for entry in filed.decisions:
        before = last.get(entry.variant)
        told.append({"entry": entry, "since": since_last_review(before, entry) if before else [], "before": before})
        last[entry.variant] = entry
    return told[::-1]


def subjects(filed: Filed) -> dict[str, str]:
    """Return the SHA-256 of each variant's classifiers, as far as their files are there."""
    variants = dict.fromkeys(over_all_seeds(filed.results)["variant"])
    found = {str(variant): subject_digest(filed.run.path, str(variant)) for variant in variants}
    return {variant: digest for variant, digest in found.items() if digest}
