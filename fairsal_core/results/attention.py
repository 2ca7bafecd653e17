"""What the explain stage left: summaries and maps, read from a run, and measured again against another region."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.faces import AnyRoi, cell_name, cells_of, group_name, groups_of_column
from fairsal_core.files import safe_name
from fairsal_core.metrics import SaliencyMetric, SaliencyTest, magnitude, metrics_of, one_sided_test, summarise
from fairsal_core.results.checking import Kind, check_columns, check_explainer, check_maps
from fairsal_core.runs import RunFiles, map_array, read_array, read_content, read_table
from fairsal_core.saliency import EXPLAINERS
from fairsal_core.settings import RoiChoice, checked_settings

KEPT_FACES = 128  # whose maps are kept with the run: 4 MB a variant
ATTENTION_COLUMNS = (
    "explainer",
    "roi",
    "variant",
    "seed",
    "metric",
    "group",
    "value",
    "low",
    "high",
    "n",
    "n_nan",
    "p_value",
    "rejected",
)
PEAK = "peak"  # the largest magnitude of a face's map, beside what is measured of it
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("explainer", "variant", "metric", "group"), "text"),
    **dict.fromkeys(("seed", "n", "n_nan"), "whole number"),
    **dict.fromkeys(("value", "low", "high", "p_value"), "number"),
}
_FACE_KINDS: dict[str, Kind] = {
    "variant": "text",
    "face": "text",
    "seed": "whole number",
    "target": "flag",
    "confounder": "group",
    "peak": "number",
}
_SIDE = 128

SignedMaps = NDArray[np.float16]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Attention:
    """What one explainer found in one run.

    Attributes
    ----------
    folder : Path
        Its folder.
    about : mapping
        `explainer`, `method`, `settings`, `roi` (as asked), `roi_used`, `roi_area`, `magnitude`, `faces` (explained),
        `variants`, `originals` (which each is compared with), `seeds`, `maps_of_seed`.
    values : DataFrame
        One row per variant, seed and face: `target`, `confounder`, `peak`, diagnostics, and every metric's value.
    """

    folder: Path
    about: Mapping[str, Any]
    values: pd.DataFrame

    @property
    def run(self) -> Path:
        """The run's folder."""
        return self.folder.parents[1]

    @property
    def sanity(self) -> str:
        """What became of the maps when the weights were randomised, in a sentence; empty for a run that did not look.

        References
        ----------
        Adebayo et al. (2018), *Sanity Checks for Saliency Maps*.
        """
        found = self.about.get("sanity")
        if not found:
            return ""
        from fairsal_core.settings import explainer_title, variant_title  # brings torch

        named = explainer_title(str(self.about["explainer"]))
        of = (
            f"{variant_title(str(found['variant']))}, seed {found['seed']}, and of the same network with random weights"
        )
        if found["correlation"] is None:
            return f"{named}: no face's maps of {of} can be compared, since one is constant."
        interval = "" if found["low"] is None else f" [{found['low']:.2f}, {found['high']:.2f}]"
        return (
            f"{named}: maps of {of} have a rank correlation of {found['correlation']:.2f}{interval} "
            f"(Spearman's, of magnitudes; mean and 95% interval over {found['n']} faces)."
        )

    @property
    def instead(self) -> str:
        """Why this explainer stands in another's place, in a sentence; empty where it does not."""
        return str(self.about.get("instead") or "")

    @property
    def faces(self) -> list[str]:
        """Names of the faces whose maps are kept, in the maps' order."""
        seed = self.about["maps_of_seed"]
        first = self.values[(self.values["seed"] == seed) & (self.values["variant"] == self.about["variants"][0])]
        return [str(name) for name in first["face"].iloc[:KEPT_FACES]]

    def maps(self, variant: str) -> SignedMaps:
        """Return the kept signed maps (F, H, W) of a variant, each divided by its largest magnitude."""
        maps: SignedMaps = self._read("maps", variant, (len(self.faces), _SIDE, _SIDE))
        return maps

    def peaks(self, variant: str) -> NDArray[np.float32]:
        """Return the largest magnitude of each kept map, in logits."""
        of = self.values[(self.values["seed"] == self.about["maps_of_seed"]) & (self.values["variant"] == variant)]
        peaks: NDArray[np.float32] = of["peak"].to_numpy(dtype=np.float32)[:KEPT_FACES]
        return peaks

    def means(self, variant: str) -> NDArray[np.float32]:
        """Return the mean signed map of each cell, (C, H, W), over all explained faces and seeds."""
        means: NDArray[np.float32] = self._read("means", variant, (self.cells, _SIDE, _SIDE))
        return means

    @property
    def cells(self) -> int:
        """How many cells there are."""
        _, groups = groups_of_column(self.values["confounder"])
        return len(cells_of(groups))

    def _read(self, kind: str, variant: str, shape: tuple[int, ...]) -> NDArray[Any]:
        path = self.folder / kind / f"{safe_name(variant)}.npy"
        try:
            found = map_array(self.run, path) if kind == "maps" else read_array(self.run, path)
        except FileNotFoundError as error:
            raise FairsalError(
                f"The {kind} of {variant} in {self.folder} cannot be read ({str(error)[:120]})."
            ) from error
        if found.shape != shape or found.dtype.kind != "f":
            raise FairsalError(
                f"The {kind} of {variant} in {self.folder} are {found.dtype} {found.shape}, not {shape}."
            )
        return found


def read_attention(run: Path) -> pd.DataFrame:
    """Return the summaries of all explainers of a run, with the columns ATTENTION_COLUMNS; empty if it has none.

    Raises
    ------
    FairsalError
        If the file is there and cannot be read.
    """
    file = RunFiles(run).attention
    try:
        table = read_table(run, file)
    except FileNotFoundError:
        return pd.DataFrame(columns=list(ATTENTION_COLUMNS))
    if len(table):
        check_columns(f"The summaries of attention of run {run.name}", table, _KINDS)
    return table


def list_attention(run: Path) -> list[Attention]:
    """Return what each explainer found in a run, in the order of EXPLAINERS.

    Raises
    ------
    FairsalError
        If a file of theirs cannot be read.
    """
    folders = sorted(
        path.parent
        for path in RunFiles(run).attention_folder.glob("*/about.json")
        if not path.parent.name.startswith(".")
    )
    try:
        found = [_read_one(run, folder) for folder in folders]
        return sorted(found, key=lambda one: EXPLAINERS.place(one.about["method"]))
    except (OSError, KeyError, TypeError) as error:
        raise FairsalError(f"The attention of run {run.name} cannot be read ({str(error)[:120]}).") from error


def _read_one(run: Path, folder: Path) -> Attention:
    about = read_content(run, folder / "about.json")
    check_explainer(str(folder), about)
    return Attention(folder, about, read_table(run, folder / "faces.parquet"))


def check_attention(attention: Attention) -> None:
    """Raise FairsalError if what is told of the kept maps is not what they can be shown and measured by."""
    folder, about = attention.folder, attention.about
    check_maps(str(folder), about)
    check_columns(f"The values of faces in {folder}", attention.values, _FACE_KINDS)
    if about["roi_used"]:
        checked_settings(RoiChoice, about["roi_used"])
    if len(attention.faces) < attention.cells:
        raise FairsalError(f"{folder} keeps no maps of a face of each subgroup.")
    if any(len(attention.peaks(variant)) != len(attention.faces) for variant in about["variants"]):
        raise FairsalError(f"{folder} does not hold the values of every face under every variant.")


def measure_again(attention: Attention, roi: AnyRoi, target: str, confounder: str, name: str) -> pd.DataFrame:
    """Return the summaries against another region, from the maps that are kept: those of one seed.

    Parameters
    ----------
    attention : Attention
        What an explainer found.
    roi : Roi or PixelRoi
        The region; a mask for each face is in the order of `attention.faces`.
    target, confounder : str
        Attribute names, for naming the groups.
    name : str
        The region in words.

    Returns
    -------
    DataFrame
        Columns ATTENTION_COLUMNS.
    """
    seed, variants = attention.about["maps_of_seed"], attention.about["variants"]
    values = attention.values[attention.values["seed"] == seed]
    scaling = attention.about["magnitude"]
    originals = attention.about["originals"]
    magnitude_of = {name: magnitudes(attention.maps(name), attention.peaks(name), scaling) for name in variants}
    parts = []
    for variant, after in magnitude_of.items():
        about = values[values["variant"] == variant].iloc[: len(after)]
        kept = about[["variant", "seed", "face", "target", "confounder"]]
        before = None if originals[variant] == variant else magnitude_of.get(originals[variant])
        parts.append(kept.assign(**measure(before, after, roi)))
    table = pd.concat(parts, ignore_index=True)
    return attention_table(table, target, confounder, str(attention.about["explainer"]), name)


def attention_table(
    values: pd.DataFrame, target: str, confounder: str, explainer: str, roi: RoiChoice | str | None
) -> pd.DataFrame:
    """Return the summaries of per-face values: every metric of every variant, per group, for each seed and over all.

    Parameters
    ----------
    values : DataFrame
        One row per variant, seed and face.
    target, confounder : str
        Attribute names, for naming the groups.
    explainer : str
        Its name.
    roi : RoiChoice, str or None
        The region in words.

    Returns
    -------
    DataFrame
        Columns ATTENTION_COLUMNS. `seed` is missing where all seeds are taken together. `value` is the mean over faces
        with its 95% interval `low` to `high` (over faces, and over seeds where there are several); for a test
        it is the effect size, and `p_value` and `rejected` are filled. `n` counts faces with a value, `n_nan` those without.
    """
    named = roi.name if isinstance(roi, RoiChoice) else roi
    measured = [metric.name for metric in metrics_of(SaliencyMetric)]
    metrics = [name for name in (*measured, PEAK) if name in values.columns]
    rows = []
    for variant, part in values.groupby("variant", sort=False):
        seeds = list(dict.fromkeys(part["seed"]))
        by_metric = {name: part.pivot(index="face", columns="seed", values=name).to_numpy(float).T for name in metrics}
        faces = part.drop_duplicates("face").sort_values("face")  # pivot sorts too
        groups = _groups(faces, target, confounder)
        for chosen, seed in [*(([row], seed) for row, seed in enumerate(seeds)), (list(range(len(seeds))), pd.NA)]:
            about = {"explainer": explainer, "roi": named, "variant": variant, "seed": seed}
            for group, members in groups.items():
                inside = {name: numbers[chosen][:, members] for name, numbers in by_metric.items()}
                rows += [{**about, "group": group, **row} for row in _rows(inside)]
    table = pd.DataFrame(rows, columns=list(ATTENTION_COLUMNS))
    return table.astype({"seed": "Int64", "rejected": "boolean", "p_value": float, "roi": "string"})


def _rows(values: Mapping[str, Values]) -> Iterator[dict[str, Any]]:
    """Give one row a metric and test, of values (S, N); nothing for a metric that the variant does not have."""
    comparing = {metric.name for metric in metrics_of(SaliencyMetric) if metric.needs_before}
    for name, numbers in values.items():
        if np.isnan(numbers).all() and name in comparing:
            continue  # the original, which is compared with nothing
        summary = summarise(numbers)
        yield {
            "metric": name,
            "value": summary.mean,
            "low": summary.interval.low,
            "high": summary.interval.high,
            "n": summary.n,
            "n_nan": summary.n_nan + summary.n_infinite,
        }
    for test in metrics_of(SaliencyTest):
        if test.tests not in values or np.isnan(values[test.tests]).all():
            continue
        result = one_sided_test(_mean_over_seeds(values[test.tests]))
        yield {
            "metric": test.name,
            "value": result.effect_size,
            "n": result.n,
            "n_nan": result.n_nan,
            "p_value": result.p_value,
            "rejected": result.rejected,
        }


def _mean_over_seeds(values: Values) -> Values:
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        mean: Values = np.where(known, values, 0).sum(axis=0) / known.sum(axis=0)
    return mean


def _groups(faces: pd.DataFrame, target: str, confounder: str) -> dict[str, NDArray[np.bool_]]:
    targets, (of, kinds) = faces["target"].to_numpy(bool), groups_of_column(faces["confounder"])
    groups = {"all": np.ones(len(targets), dtype=bool)}
    groups |= {group_name(target, value): targets == value for value in (True, False)}
    for cell in cells_of(kinds):
        groups[cell_name(target, confounder, cell)] = (targets == cell.target) & (of == kinds.index(cell.confounder))
    return groups


def measure(
    before: NDArray[np.floating[Any]] | None, after: NDArray[np.floating[Any]], roi: AnyRoi
) -> dict[str, Values]:
    """Return each face's value of each metric; of those that compare NaN, where there is nothing to compare with."""
    return {metric.name: metric.values(before, after, roi) for metric in metrics_of(SaliencyMetric)}


def magnitudes(maps: SignedMaps, peaks: NDArray[np.floating[Any]], mode: str) -> NDArray[np.floating[Any]]:
    signed = np.asarray(maps, dtype=np.float32)
    if mode == "raw":
        return magnitude(signed * peaks[:, None, None].astype(np.float32), "raw")
    return magnitude(signed)
