"""Region classifiers and attribution maps as runs, on binary and on categorical labels."""

from pathlib import Path

import numpy as np
import pytest

from fairsal_core.experiments import available_regions
from fairsal_core.faces import draw_fairface, load_faces
from fairsal_core.files import read_json
from fairsal_core.regions import RegionClassifier, pixel_maps, region_maps, summarise_maps
from fairsal_core.results import read_means
from fairsal_core.runs import Run, load_run, run_here

TRAINING = {"images": 24, "epochs": 1, "batch_size": 8, "validation_images": 6, "width": 4, "per_side": 13}


@pytest.fixture(scope="module")
def fairface(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(draw_fairface(tmp_path_factory.mktemp("runs") / "fairface", count=40))


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAIRSAL_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def run(kind: str, **config: object) -> Run:
    return load_run(run_here(kind, {"device": "cpu", **config}))


@pytest.mark.parametrize(("attribute", "classes"), [("age", 9), ("gender", 2), ("race", 7)])
def test_a_region_classifier_of_each_fairface_label(fairface: str, attribute: str, classes: int) -> None:
    done = run("regions", data=fairface, attribute=attribute, training=TRAINING)
    assert done.status.state == "finished", done.status.error
    about = read_json(done.path / "regions.json")
    classifier = RegionClassifier.load(Path(about["weights"]))
    assert len(classifier.classes) <= classes
    assert about["calibration"]["patches"] == len(load_faces(fairface).in_split("val")) * 13 * 13
    assert set(available_regions(load_faces(fairface), fairface)) >= {attribute}


def test_mean_maps_of_a_split_and_of_each_class(fairface: str) -> None:
    run("regions", data=fairface, attribute="race", training=TRAINING)
    done = run("attribution", data=fairface, attribute="race", split="val", measure="information_gain")
    assert done.status.state == "finished", done.status.error
    means = read_means(done)
    assert means is not None
    faces = load_faces(fairface)
    classifier = RegionClassifier.load(available_regions(faces, fairface)["race"])
    held_out = faces.in_split("val")
    maps = region_maps(classifier, held_out.images, "information_gain")
    expected = summarise_maps(maps, classifier.grid)
    np.testing.assert_allclose(means["all"].mean, expected.mean, atol=1e-3)
    np.testing.assert_allclose(means["all"].standard_error, expected.standard_error, atol=1e-3)
    codes, names = held_out.classes("race")
    assert {name: summary.count for name, summary in means.items() if name != "all"} == {
        name: int((codes == code).sum()) for code, name in enumerate(names) if (codes == code).any()
    }
    assert pixel_maps(maps, classifier).shape == (len(held_out), 128, 128)


def test_maps_are_made_once(fairface: str) -> None:
    run("regions", data=fairface, attribute="gender", training=TRAINING)
    first, second = (run("attribution", data=fairface, attribute="gender", split="val") for _ in range(2))
    paths = [Path(read_json(done.path / "means.json")["maps"]) for done in (first, second)]
    assert paths[0] == paths[1]
    assert "Mapping gender" in (first.path / "events.jsonl").read_text()
    assert "Mapping gender" not in (second.path / "events.jsonl").read_text()


def test_without_a_region_classifier_it_says_so(drawn_folder: Path) -> None:
    done = run("attribution", data=str(drawn_folder), attribute="Smiling")
    assert done.status.state == "failed"
    assert "no region classifier of these faces for attribute 'Smiling'" in str(done.status.error)
    assert read_means(done) is None
