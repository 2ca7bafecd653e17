"""A whole experiment on a few drawn faces: what is written, what is reused, what is evaluated on what."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from fairsal_core.classifiers import load_classifier
from fairsal_core.errors import CancelledError, FairsalError
from fairsal_core.experiments import maps as maps_module
from fairsal_core.experiments import pipeline, regions, training
from fairsal_core.experiments.experiment import Experiment
from fairsal_core.experiments.maps import Maps, make_treatment, maps_stage
from fairsal_core.experiments.pipeline import run_experiment, run_job, training_work
from fairsal_core.experiments.planning import (
    find_validation,
    images_trained,
    plan_experiment,
    plan_variants,
    with_training,
)
from fairsal_core.experiments.training import training_task
from fairsal_core.faces import CellCounts, FaceDataset, biased_subset, load_faces
from fairsal_core.files import read_json
from fairsal_core.hashing import file_digest
from fairsal_core.progress import silent
from fairsal_core.regions import atlas_path
from fairsal_core.regions.grid import PatchGrid, min_max, to_pixel_map
from fairsal_core.results.accuracy import read_results
from fairsal_core.runs import RunFiles
from fairsal_core.runs.events import Event, JobProgress
from fairsal_core.settings import SchemeChoice
from fairsal_core.settings.experiment import ExperimentConfig, parse_config
from tests.conftest import MakeCeleba

SETTINGS: dict[str, Any] = {
    "counts": "2,8,6,4",
    "schemes": ["specific_mask@0.6", "specific_noise@0.7"],
    "regions": {"images": 40, "epochs": 1, "batch_size": 20, "validation_images": 8, "precision": "fp32"},
    "training": {"epochs": 1, "batch_size": 10, "learning_rate": 1e-3},
    "seeds": [0, 3],
    "test_per_cell": 2,
    "attention": {"explainers": ["none"]},  # test_attention.py's business
    "device": "cpu",
}
VARIANTS = ["original", "balanced", "specific_mask@0.6", "specific_noise@0.7"]
TREATED_BY = {
    "original": ["general_mask@0.6", "general_noise@0.7"],
    "balanced": ["general_mask@0.6", "general_noise@0.7"],
    "specific_mask@0.6": ["general_mask@0.6"],
    "specific_noise@0.7": ["general_noise@0.7"],
}


@dataclass
class Done:
    """A finished experiment: its config and run directory, what was computed for it, and what it said."""

    config: ExperimentConfig
    run: Path
    faces: FaceDataset
    calls: list[str]
    events: list[Event] = field(default_factory=list)

    @property
    def predictions(self) -> pd.DataFrame:
        return pd.read_parquet(self.run / "predictions.parquet")

    def scores(self, variant: str, seed: int, evaluation: str, by: str = "") -> pd.Series:
        table = self.predictions
        same = (table["variant"] == variant) & (table["seed"] == seed)
        same &= (table["evaluation"] == evaluation) & (table["treated_by"] == by)
        return table[same].set_index("face")["score"]


@pytest.fixture(scope="module")
def calls() -> Iterator[list[str]]:
    """The names of the costly functions, each time the pipeline calls one."""
    seen: list[str] = []

    def spy(module: ModuleType, name: str) -> Any:
        function = getattr(module, name)

        def called(*args: Any, **options: Any) -> Any:
            seen.append(name)
            return function(*args, **options)

        return called

    with pytest.MonkeyPatch.context() as patch:
        for module, name in (
            (regions, "train_region_classifier"),
            (maps_module, "stream_maps"),
            (training, "train_classifier"),
            (training, "train_seeds"),
        ):
            patch.setattr(module, name, spy(module, name))
        yield seen


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, drawn_folder: Path, calls: list[str]) -> Iterator[Done]:
    """One experiment with everything in it, in a workspace that the module's tests share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAIRSAL_HOME", str(tmp_path_factory.mktemp("pipeline")))
        config = parse_config({**SETTINGS, "data": str(drawn_folder)})
        events: list[Event] = []
        run = tmp_path_factory.mktemp("run")
        run_experiment(config, run, JobProgress(show=events.append))
        yield Done(config, run, load_faces(config.data), list(calls), events)


def test_the_files_of_a_run(done: Done) -> None:
    names = sorted(str(path.relative_to(done.run)) for path in done.run.rglob("*") if path.is_file())
    weights = [f"weights/{variant}-seed{seed}.safetensors" for variant in VARIANTS for seed in (0, 3)]
    assert names == sorted(
        [
            *("mean_map.npy", "predictions.parquet", "region_quality.json", "results.parquet", "subsets.json"),
            *("data_audit.json", "versions.json"),
            *weights,
        ]
    )
    for name in weights:
        load_classifier("three_conv", done.run / name)


def test_every_variant_is_evaluated_clean_and_treated(done: Done) -> None:
    table = done.predictions
    found = {
        (variant, seed, evaluation, by): len(part)
        for (variant, seed, evaluation, by), part in table.groupby(["variant", "seed", "evaluation", "treated_by"])
    }
    expected = {}
    for variant, treated in TREATED_BY.items():
        for seed in (0, 3):
            expected[variant, seed, "clean", ""] = 8
            expected.update({(variant, seed, "treated", by): 8 for by in treated})
    assert found == expected
    assert table["score"].between(0, 1).all()


def test_all_are_judged_on_the_same_balanced_faces(done: Done) -> None:
    table = done.predictions
    faces = table.groupby(["variant", "seed", "evaluation", "treated_by"])["face"].apply(tuple).unique()
    assert len(faces) == 1
    test = done.faces.attributes.loc[list(faces[0])]
    assert test.groupby(["Male", "Blond_Hair"]).size().tolist() == [2, 2, 2, 2]
    assert (done.faces.split.loc[list(faces[0])] == "test").all()
    first = table.drop_duplicates("face").set_index("face")
    assert first["target"].equals(test["Male"].loc[first.index].rename("target"))
    assert first["confounder"].equals(test["Blond_Hair"].loc[first.index].rename("confounder"))


def test_the_results_have_every_row(done: Done) -> None:
    results = read_results(done.run)
    evaluations = sum(1 + len(treated) for treated in TREATED_BY.values())
    assert len(results) == evaluations * 3 * (8 + 5)
    assert list(dict.fromkeys(results["variant"])) == VARIANTS
    table = done.predictions
    original = table[(table["variant"] == "original") & (table["evaluation"] == "clean") & (table["seed"] == 3)]
    row = results.query(
        "variant == 'original' and evaluation == 'clean' and metric == 'accuracy' and group == 'all' and seed == 3"
    )
    assert row["value"].item() == pytest.approx(((original["score"] > 0.5) == original["target"]).mean())


def test_the_subsets_are_described(done: Done) -> None:
    subsets = read_json(done.run / "subsets.json")
    assert subsets["faces"] == 240
    assert list(subsets["train"]) == VARIANTS
    assert CellCounts(**subsets["train"]["original"]) == done.config.counts
    assert CellCounts(**subsets["train"]["balanced"]) == CellCounts.equal(5)
    assert CellCounts(**subsets["test"]) == CellCounts.equal(2)
    assert subsets["phi"] == pytest.approx(done.config.counts.phi, abs=1e-4)


def test_work_is_done_once(done: Done) -> None:
    """One region classifier; maps per seed; each variant per seed."""
    assert done.calls.count("train_region_classifier") == 1
    assert done.calls.count("stream_maps") == 2
    assert done.calls.count("train_classifier") == len(VARIANTS) * 2


def test_progress_ends_at_all_of_it(done: Done) -> None:
    fractions = [event.fraction for event in done.events]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0, abs=0.02)
    stages = list(dict.fromkeys(event.stage for event in done.events))
    assert stages[:3] == ["faces", "region classifier", "attribution maps, seed 0"]
    assert stages[-1] == "results"


def slow_hidden(done: Done, variant_scheme: str, quantile: float) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The test images under the general map's mask, by hand; also the clean ones, and their names. Seed 0."""
    pixels = min_max(to_pixel_map(np.load(done.run / "mean_map.npy"), PatchGrid()))
    selected = pixels > np.quantile(pixels, quantile)
    subset = biased_subset(done.faces, "Male", "Blond_Hair", done.config.counts, seed=0)
    colour = np.mean([image.reshape(-1, 3).mean(axis=0) / 255 for image in subset.images], axis=0)
    names = list(done.scores(variant_scheme, 0, "clean").index)
    clean = done.faces.take(done.faces.names.get_indexer(names)).images / 255.0
    hidden = clean.copy()
    hidden[:, selected] = colour
    return clean, hidden, names


@torch.inference_mode()
@pytest.mark.parametrize("variant", ["original", "specific_mask@0.6"])
def test_treated_means_under_the_general_map(done: Done, variant: str) -> None:
    """Also a specific scheme is tested under the general mask: a test image's own map is not the training's."""
    clean, hidden, names = slow_hidden(done, variant, 0.6)
    classifier = load_classifier("three_conv", done.run / "weights" / f"{variant}-seed0.safetensors")
    for images, evaluation, by in ((clean, "clean", ""), (hidden, "treated", "general_mask@0.6")):
        logits = classifier(torch.from_numpy(images.transpose(0, 3, 1, 2)).float())
        found = done.scores(variant, 0, evaluation, by).loc[names].to_numpy()
        np.testing.assert_allclose(found, logits.softmax(dim=1)[:, 1].numpy(), atol=1e-4)
    assert (
        np.abs(done.scores(variant, 0, "clean") - done.scores(variant, 0, "treated", "general_mask@0.6")).max() > 1e-4
    )


def test_a_specific_treatment_selects_by_each_faces_own_map(done: Done, calls: list[str]) -> None:
    device = torch.device("cpu")
    found = regions.find_regions(done.config, done.faces, device)
    subset = biased_subset(done.faces, "Male", "Blond_Hair", done.config.counts, seed=0)
    maps = maps_stage(found, subset, done.config.measure).make()
    treatment = make_treatment(done.config.schemes[0], found, maps, device)
    assert treatment.selected.shape == (20, 128, 128)
    for own, selected in zip(maps.each, treatment.selected, strict=True):
        pixels = min_max(to_pixel_map(np.asarray(own), PatchGrid()))
        difference = (pixels > np.quantile(pixels, 0.6)) != selected.numpy()
        assert difference.mean() < 0.002  # ties in single precision
    np.testing.assert_allclose(maps.mean, np.asarray(maps.each, dtype=float).mean(axis=0), atol=1e-6)
    general = make_treatment(done.config.schemes[0].general, found, maps, device)
    assert general.selected.shape == (128, 128)


def test_a_map_that_hides_nothing_is_said(done: Done, tmp_path: Path) -> None:
    """A constant map has nothing above its quantile: a variant trained with it is its original, in silence until now."""
    plan = plan_experiment(done.config, done.faces)
    found = regions.find_regions(done.config, done.faces, torch.device("cpu"))
    each = np.repeat(np.linspace(0, 1, 49 * 49, dtype=np.float16).reshape(1, 49, 49), 20, axis=0)
    each[3:5] = 0.5
    for mean, choice, said in (
        (each[0].astype(np.float32), "specific_mask@0.6", "specific_mask@0.6: 2 of 20 maps are constant"),
        (np.ones((49, 49), dtype=np.float32), "general_mask@0.6", "general_mask@0.6: the map is constant"),
        (each[0].astype(np.float32), "general_mask@0.6", ""),
    ):
        maps = {0: Maps(each, mean, (0.5, 0.5, 0.5), {})}
        run = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        run.mkdir()
        experiment = Experiment(
            plan, RunFiles(run), torch.device("cpu"), JobProgress(), lambda network: {}, found, maps
        )
        scheme = SchemeChoice.model_validate(choice)
        variant = replace(plan.variants[0], name=choice, scheme=scheme)
        training_task(experiment, variant, 0, lambda *told: None)
        log = RunFiles(run).log
        assert (log.read_text() if log.exists() else "") == (f"{said}, so nothing is hidden there.\n" if said else "")


def test_another_quantile_reuses_what_it_can(done: Done, calls: list[str], tmp_path: Path) -> None:
    calls.clear()
    config = parse_config({**SETTINGS, "data": done.config.data, "schemes": ["general_mask@0.8"]})
    run_experiment(config, tmp_path, JobProgress())
    assert calls == ["train_classifier"] * 2  # the new scheme, each seed; no regions, no maps, no original, no balanced
    np.testing.assert_array_equal(np.load(tmp_path / "mean_map.npy"), np.load(done.run / "mean_map.npy"))
    again = pd.read_parquet(tmp_path / "predictions.parquet")
    same = again[(again["variant"] == "original") & (again["evaluation"] == "clean") & (again["seed"] == 0)]
    np.testing.assert_array_equal(same["score"], done.scores("original", 0, "clean"))


def test_nothing_is_computed_twice(done: Done, calls: list[str], tmp_path: Path) -> None:
    calls.clear()
    run_job(done.config.model_dump(mode="json"), tmp_path, JobProgress())
    assert calls == []
    pd.testing.assert_frame_equal(read_results(tmp_path), read_results(done.run))


def test_without_schemes_there_are_no_regions(done: Done, calls: list[str], tmp_path: Path) -> None:
    calls.clear()
    config = parse_config({**SETTINGS, "data": done.config.data, "schemes": [], "balanced": False})
    run_experiment(config, tmp_path, JobProgress())
    assert calls == []
    assert set(pd.read_parquet(tmp_path / "predictions.parquet")["evaluation"]) == {"clean"}
    assert not (tmp_path / "mean_map.npy").exists()


def test_cancelling_leaves_no_results(done: Done, tmp_path: Path) -> None:
    events: list[Event] = []

    def cancelled() -> bool:
        return any(event.stage.startswith("original") for event in events)

    with pytest.raises(CancelledError):
        run_experiment(done.config, tmp_path, JobProgress(show=events.append, cancelled=cancelled))
    assert not (tmp_path / "results.parquet").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"counts": "0,3000,2000,1000"}, "Too few faces in the train split.*largest scale that fits"),
        ({"confounder": "Blonde_Hair"}, "no attribute 'Blonde_Hair'; did you mean 'Blond_Hair'"),
        ({"target": "Mail"}, "did you mean 'Male'"),
        ({"test_per_cell": 100}, "Too few faces in the test split"),
        ({"data": "/nowhere/at/all"}, "There is no folder"),
    ],
    ids=["counts", "confounder", "target", "test", "data"],
)
def test_what_cannot_work_is_said_before_any_training(
    done: Done, calls: list[str], tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    calls.clear()
    with pytest.raises(FairsalError, match=message):
        run_experiment(parse_config({**SETTINGS, "data": done.config.data, **change}), tmp_path, JobProgress())
    assert calls == []


def test_the_other_held_out_split_is_judged_where_a_quantile_is_to_be_chosen(
    done: Done, calls: list[str], tmp_path: Path
) -> None:
    schemes = ["specific_mask@0.6", "specific_mask@0.8"]
    config = parse_config(
        {**SETTINGS, "data": done.config.data, "schemes": schemes, "seeds": [0], "attention": {"explainers": []}}
    )
    run_experiment(config, tmp_path, JobProgress())
    validation, test = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("validation", "predictions"))
    assert (done.faces.split.loc[validation["face"].unique()] == "val").all()
    keys = ["variant", "seed", "evaluation", "treated_by"]
    assert set(validation.groupby(keys).groups) == set(test.groupby(keys).groups)
    cells = validation.drop_duplicates("face").groupby(["target", "confounder"]).size()
    assert len(cells) == 4
    assert cells.nunique() == 1
    other = done.config.model_copy(update={"test_split": "val"})
    found = find_validation(other, done.faces)
    assert found is not None
    assert (done.faces.split.loc[found.names] == "test").all()


def test_epochs_tell_loss_pace_cells_and_gap(done: Done) -> None:
    numbers = [event.numbers for event in done.events if "loss" in event.numbers]
    assert len(numbers) == len(VARIANTS) * 2
    cells = ["men with Blond_Hair", "men without Blond_Hair", "women with Blond_Hair", "women without Blond_Hair"]
    assert all(set(number) == {"loss", "images_per_second", "gap", *cells} for number in numbers)
    for number in numbers:
        values = [number[cell] for cell in cells]
        assert number["gap"] == pytest.approx(sum(values[2:]) / 2 - sum(values[:2]) / 2)


def test_masks_and_noise_with_epochs_of_their_own(done: Done, calls: list[str], tmp_path: Path) -> None:
    calls.clear()
    config = parse_config(
        {
            **SETTINGS,
            "data": done.config.data,
            "schemes": ["specific_mask@0.6", "general_noise@0.7,p=0.5"],
            "training": {**SETTINGS["training"], "epochs": 2},
            "mask_epochs": 1,
            "seeds": [0],
        }
    )
    run_experiment(config, tmp_path, JobProgress())
    # One epoch: original, balanced and the mask are there from before. Two: original, balanced and the noise are new.
    assert calls == ["train_classifier"] * 3
    table = read_results(tmp_path)
    assert {variant: set(part["treated_by"]) for variant, part in table.groupby("variant")} == {
        "original": {"", "general_noise@0.7"},
        "balanced": {"", "general_noise@0.7"},
        "original_1_epochs": {"", "general_mask@0.6"},
        "balanced_1_epochs": {"", "general_mask@0.6"},
        "specific_mask@0.6": {"", "general_mask@0.6"},
        "general_noise@0.7,p=0.5": {"", "general_noise@0.7"},
    }
    again = pd.read_parquet(tmp_path / "predictions.parquet").query(
        "variant == 'original_1_epochs' and evaluation == 'clean'"
    )
    np.testing.assert_array_equal(again["score"], done.scores("original", 0, "clean"))


def test_a_shorter_reference_is_what_a_longer_one_passes(
    done: Done, calls: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**SETTINGS, "data": done.config.data, "schemes": ["specific_mask@0.6", "general_noise@0.7"]}
    training = {**SETTINGS["training"], "epochs": 3}
    config = parse_config({**settings, "training": training, "mask_epochs": 2, "seeds": [11]})
    planned = plan_variants(config, done.faces)
    assert [variant.name for variant in with_training(planned)] == [
        "original",
        "balanced",
        "specific_mask@0.6",
        "general_noise@0.7",
    ]
    size = config.counts.total
    balanced = planned[1].counts.total
    assert images_trained(config, planned) == 3 * (size + balanced) + 2 * size + 3 * size

    calls.clear()
    (tmp_path / "passing").mkdir()
    run_experiment(config, tmp_path / "passing", JobProgress())
    assert calls.count("train_classifier") == 4
    calls.clear()
    monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path / "empty"))
    (tmp_path / "alone").mkdir()
    alone = parse_config({**settings, "training": {**training, "epochs": 2}, "schemes": [], "seeds": [11]})
    run_experiment(alone, tmp_path / "alone", JobProgress())
    assert calls.count("train_classifier") == 2
    for kind in ("original", "balanced"):
        passed = load_file(tmp_path / "passing" / "weights" / f"{kind}_2_epochs-seed11.safetensors")
        whole = load_file(tmp_path / "alone" / "weights" / f"{kind}-seed11.safetensors")
        assert passed.keys() == whole.keys()
        for name, values in whole.items():
            torch.testing.assert_close(passed[name], values, rtol=0, atol=0)
        longer = load_file(tmp_path / "passing" / "weights" / f"{kind}-seed11.safetensors")
        assert any(not torch.equal(longer[name], values) for name, values in whole.items())


@pytest.mark.parametrize("halved", [False, True])
def test_progress_is_shared_out_by_the_work(done: Done, halved: bool) -> None:
    config = done.config.model_copy(update={"seeds": (0, 1)})
    plan = plan_experiment(config, done.faces)
    first, second, *others = plan.variants
    longer = replace(second, training=second.training.model_copy(update={"epochs": 5}))
    work = training_work(replace(plan, variants=(first, longer, *others)), halved)
    assert work[0, "balanced"] / work[0, "original"] == 5 * second.counts.total / first.counts.total
    assert list(work)[:2] == [(0, "original"), (0, "balanced")]
    assert len(work) == (4 if halved else 8)  # all cost the same but `balanced`, which is among the first


def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine be one on which seeds train faster together."""
    monkeypatch.setattr(pipeline, "may_stack", lambda *about: True)
    monkeypatch.setattr(training, "faster_together", lambda lessons, *about: len(lessons) > 1)


def test_seeds_of_a_variant_train_at_once_where_that_is_faster(
    done: Done, calls: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _at_once(monkeypatch)
    calls.clear()
    training = {**SETTINGS["training"], "epochs": 2}
    settings = {**SETTINGS, "data": done.config.data, "training": training, "mask_epochs": 1, "seeds": [0, 21, 22]}
    events: list[Event] = []
    run_experiment(parse_config(settings), tmp_path, JobProgress(record=events.append))
    # Four: original and balanced, whose first epoch is that of the mask's; the mask, which seed 0 has already; and noise.
    assert calls == ["stream_maps"] * 2 + ["train_seeds"] * 4
    assert set(read_results(tmp_path)["seed"].dropna()) >= {0, 21, 22}
    for seed in (21, 22):
        curve = [event.numbers for event in events if event.stage == f"original, seed {seed}" and event.numbers]
        assert len(curve) == 2
        assert {"loss", "gap", "images_per_second"} <= set(curve[0])
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)

    calls.clear()
    (tmp_path / "again").mkdir()
    run_experiment(parse_config(settings), tmp_path / "again", JobProgress())
    assert calls == []


def test_progress_waits_for_the_training_where_seeds_train_one_by_one(
    done: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "may_stack", lambda *about: True)
    about = {"data": done.config.data, "schemes": [], "balanced": False, "seeds": [33, 34]}
    events: list[Event] = []
    run_experiment(parse_config({**SETTINGS, **about}), tmp_path, JobProgress(record=events.append))
    begun = {event.stage: event.fraction for event in reversed(events)}
    assert begun["original, seed 33"] == pytest.approx(0.08)
    assert begun["original, seed 34"] == pytest.approx(0.08 + 0.45)


def test_without_memory_for_all_seeds_at_once_they_train_one_by_one(
    done: Done, calls: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_much(*arguments: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")

    _at_once(monkeypatch)
    monkeypatch.setattr(training, "train_seeds", too_much)
    calls.clear()
    about = {"data": done.config.data, "schemes": [], "balanced": False, "seeds": [31, 32]}
    run_experiment(parse_config({**SETTINGS, **about}), tmp_path, JobProgress())
    assert calls == ["train_classifier"] * 2


def test_plans_name_variants_once(done: Done) -> None:
    planned = plan_variants(done.config, done.faces)
    assert [variant.name for variant in planned] == VARIANTS
    assert [variant.scheme is None for variant in planned] == [True, True, False, False]


def test_drawn_faces_use_the_bundled_classifier_only_at_the_defaults(
    done: Done, drawn_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regions, "bundled_attributes", lambda: ("Blond_Hair",))
    needs = partial(regions.needs_regions, faces=done.faces)
    assert not needs(parse_config({}))
    assert needs(parse_config({"data": str(drawn_folder), "confounder": "Bald"}))  # drawn, if in a folder of its own
    assert needs(parse_config({"confounder": "Smiling"}))
    assert needs(parse_config({"regions": {"epochs": 9}}))
    assert not needs(parse_config({"data": str(drawn_folder), "schemes": []}))


def test_photographs_in_celebas_layout_have_the_atlas(make_celeba: MakeCeleba) -> None:
    root = str(make_celeba())
    faces = load_faces(root)
    needs = partial(regions.needs_regions, faces=faces)
    assert not needs(parse_config({"data": root, "confounder": "Smiling"}))
    assert needs(parse_config({"data": root, "confounder": "Smiling", "regions": {"epochs": 9}}))
    found = regions.find_regions(
        parse_config({"data": root, "confounder": "Smiling"}), faces, torch.device("cpu"), progress=silent
    )
    assert found.classifier.attribute == "Smiling"
    assert found.classifier.data["train_faces"] == 9842
    assert found.key["weights"] == file_digest(atlas_path())


def out_of_memory_above(most: int) -> Any:
    """A device on which batches of more than `most` faces do not fit."""
    train = training.train_classifier

    def train_on_it(task: Any, settings: Any, device: Any) -> Any:
        if settings.batch_size > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")
        return train(task, settings, device)

    return train_on_it


def test_too_little_memory_halves_the_batch_and_says_so(
    done: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(training, "train_classifier", out_of_memory_above(10))
    about = {"data": done.config.data, "schemes": [], "balanced": False, "seeds": [0]}
    asked = parse_config({**SETTINGS, **about, "training": {"epochs": 1, "batch_size": 40, "learning_rate": 1e-3}})
    events: list[Event] = []
    run_experiment(asked, tmp_path, JobProgress(record=events.append))
    said = [event for event in events if "batch_size" in event.numbers]
    assert [event.numbers["batch_size"] for event in said] == [20, 10]
    assert said[1].message == "original: too little memory on cpu, so trained in batches of 10, not 20."
    assert said[1].message in capsys.readouterr().err
    # It is the classifier of batches of 10, and kept as that.
    same = load_classifier("three_conv", done.run / "weights" / "original-seed0.safetensors").state_dict()
    for name, value in (
        load_classifier("three_conv", tmp_path / "weights" / "original-seed0.safetensors").state_dict().items()
    ):
        assert torch.equal(value, same[name]), name


def test_too_little_memory_for_any_batch_says_what_to_change(
    done: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "train_classifier", out_of_memory_above(1))
    about = {"data": done.config.data, "schemes": [], "balanced": False, "seeds": [7]}
    with pytest.raises(FairsalError, match="not enough memory on cpu for batches of 10: free some, or use cpu"):
        run_experiment(parse_config({**SETTINGS, **about}), tmp_path, JobProgress())
