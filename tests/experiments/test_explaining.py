"""The explain stage on a few drawn faces: every number again by hand, from the stored classifiers."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr

from fairsal_core.classifiers import build_classifier, load_classifier
from fairsal_core.errors import CancelledError, FairsalError
from fairsal_core.experiments import explaining as stage
from fairsal_core.experiments.pipeline import run_experiment
from fairsal_core.experiments.planning import plan_variants
from fairsal_core.faces import FaceDataset, Roi, load_faces, part_roi
from fairsal_core.files import read_json, write_json
from fairsal_core.metrics import adr, dif, hrf, magnitude, mrr, one_sided_test, rrf, summarise
from fairsal_core.regions import LOWEST_AUC
from fairsal_core.regions.grid import PatchGrid, min_max, to_pixel_map
from fairsal_core.results.attention import ATTENTION_COLUMNS, list_attention, measure_again, read_attention
from fairsal_core.results.roi import WithheldError, find_roi, quality_note, region_map_roi, region_quality
from fairsal_core.runs import launcher, seal_run, store
from fairsal_core.runs.events import Event, JobProgress
from fairsal_core.saliency import explain
from fairsal_core.settings import checked_settings
from fairsal_core.settings.attention import AttentionSettings, ExplainerChoice, RoiChoice
from fairsal_core.settings.experiment import ExperimentConfig, parse_config
from fairsal_core.settings.jobs import ExplainConfig
from tests.helpers import put_bundled

SETTINGS: dict[str, Any] = {
    "counts": "2,8,6,4",
    "schemes": ["general_mask@0.6"],
    "balanced": False,
    "regions": {"images": 40, "epochs": 1, "batch_size": 20, "validation_images": 24, "precision": "fp32"},
    "training": {"epochs": 1, "batch_size": 10, "learning_rate": 1e-3},
    "seeds": [0, 3],
    "test_per_cell": 3,
    "attention": {"explained_faces": 8, "explainers": ["lrp", "gradient"]},
    "device": "cpu",
}
VARIANTS = ["original", "general_mask@0.6"]
GROUPS = ["all", "men", "women"]


@dataclass
class Done:
    config: ExperimentConfig
    run: Path
    faces: FaceDataset
    events: list[Event]

    @property
    def lrp(self) -> Any:
        return next(found for found in list_attention(self.run) if found.about["explainer"] == "lrp")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, drawn_folder: Path) -> Iterator[Done]:
    """A finished run in a workspace that the module's tests share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAIRSAL_HOME", str(tmp_path_factory.mktemp("attention")))
        config = parse_config({**SETTINGS, "data": str(drawn_folder)})
        put_bundled(config)
        run = store.create_run("experiment", config.model_dump(mode="json"))
        events: list[Event] = []
        run_experiment(config, run, JobProgress(show=events.append))
        store.update_status(run, state="running")
        store.end_run(run, "finished")
        yield Done(config, run, load_faces(config.data), events)


def relevance(done: Done, variant: str, seed: int, names: list[str]) -> np.ndarray:
    """LRP of the annotated label's logit, from the weights in the run directory."""
    faces = done.faces.take([int(done.faces.names.get_loc(name)) for name in names])
    classifier = load_classifier("three_conv", done.run / "weights" / f"{variant}-seed{seed}.safetensors")
    return explain(classifier, faces.images, faces.labels("Male").astype(int), "lrp").relevance


def test_the_same_balanced_test_faces_are_explained_for_every_variant_and_seed(done: Done) -> None:
    values = done.lrp.values
    assert list(dict.fromkeys(values["variant"])) == VARIANTS
    by_classifier = values.groupby(["variant", "seed"])["face"].apply(tuple)
    assert len(by_classifier) == 4
    assert len(set(by_classifier)) == 1
    judged = set(pd.read_parquet(done.run / "predictions.parquet")["face"])
    assert set(values["face"]) <= judged
    faces = values.iloc[:8]
    assert faces.groupby(["target", "confounder"]).size().tolist() == [2, 2, 2, 2]
    assert faces.iloc[:4].groupby(["target", "confounder"]).size().tolist() == [
        1,
        1,
        1,
        1,
    ]  # each beginning is balanced


def test_every_value_by_hand(done: Done) -> None:
    found = done.lrp
    names = found.faces
    roi = region_map_roi(done.run, 0.7)
    for seed in (0, 3):
        before = magnitude(relevance(done, "original", seed, names))
        after = magnitude(relevance(done, "general_mask@0.6", seed, names))
        rows = found.values[(found.values["seed"] == seed) & (found.values["variant"] == "general_mask@0.6")]
        expected = {
            "rrf": rrf(after, roi),
            "mrr": mrr(after, roi),
            "adr": adr(before, after, roi),
            "rrf_change": rrf(after, roi) - rrf(before, roi),
        }
        for name, values in expected.items():
            np.testing.assert_allclose(rows[name], values, rtol=2e-3, atol=1e-5, err_msg=name)
        for name, values in {"hrf": hrf(after, roi), "dif": dif(before, after, roi)}.items():
            np.testing.assert_allclose(rows[name], values, atol=3e-3, err_msg=name)  # pixels at the threshold
        raw = np.abs(relevance(done, "general_mask@0.6", seed, names)).max(axis=(1, 2))
        np.testing.assert_allclose(rows["peak"], raw, rtol=1e-5)
        assert (rows["relevance_kept"] - 1).abs().max() < 5e-3


def test_the_region_is_what_a_mask_would_hide(done: Done) -> None:
    pixels = min_max(to_pixel_map(np.load(done.run / "mean_map.npy"), PatchGrid()))
    roi = region_map_roi(done.run, 0.7)
    np.testing.assert_array_equal(roi.mask((128, 128)), pixels > np.quantile(pixels, 0.7))
    assert done.lrp.about["roi_used"] == "region_map@0.7"
    assert done.lrp.about["roi_area"] == pytest.approx(0.3, abs=0.01)


def test_the_summaries_have_every_row(done: Done) -> None:
    table = read_attention(done.run)
    assert tuple(table.columns) == ATTENTION_COLUMNS
    assert set(table["explainer"]) == {"lrp", "gradient"}
    cells = [f"{who} {how} Blond_Hair" for who in ("men", "women") for how in ("with", "without")]
    lrp = table[table["explainer"] == "lrp"]
    counts = lrp.groupby(["variant", "metric"], sort=False).size()
    assert set(counts) == {3 * 7}  # two seeds and both together; all, two groups, four cells
    assert set(lrp["group"]) == {*GROUPS, *cells}
    assert set(lrp.loc[lrp["variant"] == "original", "metric"]) == {"rrf", "hrf", "mrr", "contrast", "peak", "det"}
    assert set(lrp.loc[lrp["variant"] != "original", "metric"]) >= {"adr", "dif", "rrf_change", "rddt"}


def test_a_summary_row_by_hand(done: Done) -> None:
    values, table = done.lrp.values, read_attention(done.run)
    treated = values[values["variant"] == "general_mask@0.6"]
    row = table.query("explainer == 'lrp' and variant == 'general_mask@0.6' and group == 'women'")
    women = treated[~treated["target"]].pivot(index="face", columns="seed", values="rrf").to_numpy().T
    pooled = row[row["seed"].isna() & (row["metric"] == "rrf")].iloc[0]
    assert pooled["value"] == pytest.approx(women.mean())
    assert (pooled["low"], pooled["high"]) == pytest.approx(summarise(women).interval)
    assert pooled["n"] == 4
    fell = treated[~treated["target"] & (treated["seed"] == 3)].sort_values("face")["adr"].to_numpy()
    test = one_sided_test(fell)
    rddt = row[(row["seed"] == 3) & (row["metric"] == "rddt")].iloc[0]
    assert (rddt["value"], rddt["p_value"], rddt["n"]) == pytest.approx((test.effect_size, test.p_value, 4))
    assert rddt["rejected"] == test.rejected


def test_kept_maps_and_mean_maps(done: Done) -> None:
    found = done.lrp
    for variant in VARIANTS:
        raw = relevance(done, variant, 0, found.faces)
        kept = found.maps(variant)
        assert kept.dtype == np.float16
        assert np.abs(kept).max(axis=(1, 2)).tolist() == [1.0] * 8
        np.testing.assert_allclose(kept * found.peaks(variant)[:, None, None], raw, atol=1e-3 * np.abs(raw).max())
        scaled = [relevance(done, variant, seed, found.faces) for seed in (0, 3)]
        scaled = [maps / np.abs(maps).max(axis=(1, 2), keepdims=True) for maps in scaled]
        first = done.faces.attributes.loc[found.faces]
        for cell, (target, confounder) in enumerate([(True, True), (True, False), (False, True), (False, False)]):
            members = ((first["Male"] == target) & (first["Blond_Hair"] == confounder)).to_numpy()
            mean = np.mean([maps[members] for maps in scaled], axis=(0, 1))
            np.testing.assert_allclose(found.means(variant)[cell], mean, atol=1e-3)


def test_the_maps_are_compared_with_those_of_random_weights(done: Done) -> None:
    found = done.lrp
    torch.manual_seed(0)
    untrained = build_classifier("three_conv").eval()
    rows = [int(done.faces.names.get_loc(name)) for name in found.faces]
    faces = done.faces.take(rows)
    random = explain(untrained, faces.images, faces.labels("Male").astype(int), "lrp").relevance
    learned = relevance(done, "original", 0, found.faces)
    each = [
        spearmanr(np.abs(one).ravel(), np.abs(other).ravel()).statistic
        for one, other in zip(learned, random, strict=True)
    ]
    sanity = found.about["sanity"]
    assert (sanity["variant"], sanity["seed"], sanity["n"]) == ("original", 0, 8)
    assert sanity["correlation"] == pytest.approx(np.mean(each), abs=2e-3)  # kept maps are rounded to float16
    assert sanity["low"] < sanity["correlation"] < sanity["high"]
    assert f"a rank correlation of {sanity['correlation']:.2f} [" in found.sanity
    assert found.sanity.endswith("over 8 faces).")


def test_another_region_is_measured_from_the_kept_maps(done: Done) -> None:
    found = done.lrp
    again = measure_again(found, region_map_roi(done.run, 0.7), "Male", "Blond_Hair", "region_map@0.7")
    table = read_attention(done.run)
    first = table[(table["explainer"] == "lrp") & (table["seed"] == 0) & (table["metric"] != "peak")]
    of_seed = again[again["seed"] == 0]
    pd.testing.assert_frame_equal(of_seed.reset_index(drop=True), first.reset_index(drop=True))
    box = Roi(x=70, y=10, width=20, height=40)
    other = measure_again(found, box, "Male", "Blond_Hair", "box")
    row = other.query("variant == 'original' and group == 'all' and metric == 'rrf' and seed == 0").iloc[0]
    expected = rrf(magnitude(relevance(done, "original", 0, found.faces)), box).mean()
    assert row["value"] == pytest.approx(expected, rel=1e-3)
    assert row["roi"] == "box"


def test_each_faces_own_part_as_the_region(done: Done) -> None:
    faces = done.faces.take([int(done.faces.names.get_loc(name)) for name in done.lrp.faces])
    choice, roi = find_roi(RoiChoice.model_validate("parts"), done.run, "Blond_Hair", faces)
    assert choice is not None
    assert roi is not None
    np.testing.assert_array_equal(roi.mask((128, 128)), part_roi(faces, "Blond_Hair").pixels)
    table = measure_again(done.lrp, roi, "Male", "Blond_Hair", choice.name)
    assert table.query("metric == 'rrf' and group == 'all'")["n"].tolist() == [8] * 4


def test_nothing_is_measured_against_a_map_that_knows_nothing(
    drawn_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A region classifier of 40 faces and one epoch: there are maps, and a sentence in the place of numbers."""
    monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path))
    few = {"explained_faces": 4, "explainers": ["gradient"], "roi": "region_map@0.7"}
    config = parse_config({**SETTINGS, "data": str(drawn_folder), "attention": few, "seeds": [0]})
    run = store.create_run("experiment", config.model_dump(mode="json"))
    run_experiment(config, run, JobProgress())
    quality = region_quality(run)
    assert quality is not None
    assert quality.auc < LOWEST_AUC or quality.interval.low <= 0.5
    (found,) = list_attention(run)
    assert found.about["roi_used"] is None
    assert found.about["roi_withheld"] == quality.withheld("Blond_Hair") != ""
    assert found.maps("original").any()
    assert set(read_attention(run)["metric"]) == {"peak"}
    with pytest.raises(WithheldError, match="nothing is measured against it"):
        find_roi(RoiChoice(kind="region_map"), run, "Blond_Hair", None)
    choice, _ = find_roi(RoiChoice(), run, "Blond_Hair", load_faces(config.data))
    assert choice is not None
    assert choice.kind == "parts"  # auto takes the next that there is


def test_a_run_that_did_not_judge_its_regions_says_so(done: Done, tmp_path: Path) -> None:
    shutil.copy(done.run / "mean_map.npy", tmp_path)
    assert region_quality(tmp_path) is None
    assert "was not measured" in quality_note(tmp_path, "Blond_Hair")
    assert "with an AUC of" in quality_note(done.run, "Blond_Hair")
    (tmp_path / "region_quality.json").write_text("[]", encoding="utf-8")
    with pytest.raises(FairsalError, match="cannot be read"):
        quality_note(tmp_path, "Blond_Hair")


def test_auto_takes_what_there_is(done: Done, tmp_path: Path) -> None:
    auto = RoiChoice()
    faces = done.faces.take([0, 1])
    for run, confounder, kind in (
        (done.run, "Smiling", "region_map"),
        (tmp_path, "Smiling", "parts"),
        (tmp_path, "Young", None),
    ):
        choice, roi = find_roi(auto, run, confounder, faces)
        assert (choice.kind if choice else None) == kind
        assert (roi is None) == (kind is None)
    few = done.faces.take(range(6))
    assert few.parts_folder is not None
    (tmp_path / "parts").mkdir()
    for name in few.names[:2]:  # of most faces nothing is known: numbers would be of two
        shutil.copy(few.parts_folder / f"{Path(name).stem}.png", tmp_path / "parts")
    choice, _ = find_roi(auto, tmp_path, "Smiling", replace(few, parts_folder=tmp_path / "parts"))
    assert choice is None or choice.kind != "parts"
    with pytest.raises(FairsalError, match="has no region map"):
        find_roi(RoiChoice(kind="region_map"), tmp_path, "Smiling", faces)
    with pytest.raises(FairsalError, match="no preset region for Blond_Hair"):
        find_roi(RoiChoice(kind="preset"), tmp_path, "Blond_Hair", faces)


def test_explaining_later_adds_to_what_is_there(done: Done) -> None:
    before = read_attention(done.run)
    config = {"run": done.run.name, "explainers": ["integrated_gradients:steps=2"], "explained_faces": 4}
    job = launcher.run_here("explain", {**config, "roi": "70,10,20,40", "device": "cpu"})
    assert store.load_run(job).status.state == "finished", store.load_run(job).status.error
    table = read_attention(done.run)
    name = "integrated_gradients:steps=2"
    pd.testing.assert_frame_equal(table[table["explainer"] != name], before)
    assert set(table.loc[table["explainer"] == name, "roi"]) == {"70,10,20,40"}
    found = {found.about["explainer"]: found for found in list_attention(done.run)}
    assert len(found[name].faces) == 4
    assert "completeness_delta" in found[name].values
    assert [path.name for path in (done.run / "attention").iterdir() if path.name.startswith(".")] == []


def test_the_same_maps_are_computed_once(done: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("explained twice")

    monkeypatch.setattr(stage, "explain", refuse)
    settings = checked_settings(
        ExplainConfig, {**SETTINGS["attention"], "run": done.run.name, "device": "cpu", "roi": "preset"}
    )
    with pytest.raises(FairsalError, match="no preset"):
        stage.explain_finished(settings, JobProgress())
    stage.explain_finished(settings.model_copy(update={"roi": RoiChoice()}), JobProgress())


def test_cancelling_leaves_the_earlier_maps(done: Done) -> None:
    before = read_attention(done.run)
    settings = checked_settings(
        ExplainConfig,
        {"run": done.run.name, "device": "cpu", "explainers": ["smoothgrad:samples=2"], "explained_faces": 4},
    )
    events: list[Event] = []
    report = JobProgress(show=events.append, cancelled=lambda: any("smoothgrad" in event.message for event in events))
    with pytest.raises(CancelledError):
        stage.explain_finished(settings, report)
    pd.testing.assert_frame_equal(read_attention(done.run), before)
    assert "smoothgrad:samples=2" not in {found.about["explainer"] for found in list_attention(done.run)}


def test_a_run_that_cannot_be_explained(done: Done) -> None:
    settings = checked_settings(ExplainConfig, {"run": done.run.name})
    job = store.create_run("experiment", {})
    with pytest.raises(FairsalError, match="is no finished experiment: it is interrupted"):
        stage.explain_finished(settings.model_copy(update={"run": job.name}), JobProgress())
    write_json(job / "status.json", {"state": "finished"})
    write_json(job / "config.json", {**read_json(done.run / "config.json")})
    with pytest.raises(FairsalError, match=r"is not verified: it can be read, and nothing is added to it"):
        stage.explain_finished(settings.model_copy(update={"run": job.name}), JobProgress())
    seal_run(job)
    with pytest.raises(FairsalError, match=r"Run .* has no predictions"):
        stage.explain_finished(settings.model_copy(update={"run": job.name}), JobProgress())


def test_no_explainer_no_stage(done: Done, tmp_path: Path) -> None:
    config = parse_config({**SETTINGS, "data": done.config.data, "attention": {"explainers": ["none"]}})
    run_experiment(config, tmp_path, JobProgress())
    assert read_attention(tmp_path).empty
    assert list_attention(tmp_path) == []
    assert not (tmp_path / "attention").exists()


# Settings


def test_what_an_explainer_found_that_is_no_longer_installed_comes_last(tmp_path: Path) -> None:
    for method in ("gradient", "a_foreign_one", "lrp"):
        folder = tmp_path / "attention" / method
        folder.mkdir(parents=True)
        write_json(folder / "about.json", {"explainer": method, "method": method})
        pd.DataFrame({"face": ["000001.jpg"]}).to_parquet(folder / "faces.parquet")
    assert [found.about["method"] for found in list_attention(tmp_path)] == ["lrp", "gradient", "a_foreign_one"]


def test_explainers_are_readable_from_text() -> None:
    settings = AttentionSettings.model_validate({"explainers": ["lrp", "integrated_gradients:steps=20,baseline=black"]})
    assert [choice.name for choice in settings.explainers] == ["lrp", "integrated_gradients:steps=20,baseline=black"]
    assert settings.explainers[1].settings.steps == 20  # type: ignore[attr-defined]
    again = AttentionSettings.model_validate(settings.model_dump(mode="json"))
    assert again == settings
    assert hash(again) == hash(settings)


@pytest.mark.parametrize("text", ["auto", "region_map@0.85", "preset", "parts", "3,40,20,10"])
def test_regions_are_readable_from_their_names(text: str) -> None:
    choice = RoiChoice.model_validate(text)
    assert choice.name == text
    assert RoiChoice.model_validate(choice.model_dump(mode="json")) == choice


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"explainers": ["lpr"]}, "did you mean 'lrp'"),
        ({"explainers": ["lrp:gamma=many"]}, "lrp does not take gamma = 'many'"),
        ({"explainers": ["lrp:colour=1"]}, "lrp does not take colour"),
        ({"explainers": ["lrp", "lrp"]}, "may be given once"),
        ({"explained_faces": 2}, "attention.explained_faces"),
        ({"roi": "somewhere"}, "attention.roi.kind"),
        ({"roi": "1,2,3"}, "attention.roi.box"),
        ({"roi": "1,2,0,5"}, "width and height of at least 1"),
        ({"roi": "100,100,40,10"}, "reaches outside the 128 x 128 image"),
        ({"roi": "region_map@1.5"}, "quantile must lie between 0 and 1"),
        ({"roi": {"kind": "box"}}, "four numbers"),
    ],
)
def test_settings_that_do_not_fit(change: dict[str, Any], message: str) -> None:
    with pytest.raises(FairsalError, match=message):
        parse_config({"attention": change})


def test_a_choice_has_the_explainers_own_settings() -> None:
    assert ExplainerChoice.model_validate("lrp").settings.__class__.__name__ == "LrpSettings"


def test_a_region_that_does_not_fit_is_said_before_any_training(done: Done, drawn: FaceDataset) -> None:
    def plan(**changes: Any) -> None:
        plan_variants(parse_config({**SETTINGS, "data": done.config.data, **changes}), drawn)

    plan(attention={"roi": "parts"})
    with pytest.raises(FairsalError, match="no preset region for Blond_Hair"):
        plan(attention={"roi": "preset"})
    with pytest.raises(FairsalError, match="no part mask for attribute"):
        plan(attention={"roi": "parts"}, confounder="Bangs", counts="1,1,1,1")
    with pytest.raises(FairsalError, match="no region map"):
        plan(attention={"roi": "region_map"}, schemes=[])
    plan(attention={"roi": "region_map", "explainers": ["none"]}, schemes=[])
