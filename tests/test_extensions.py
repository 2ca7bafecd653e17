"""A package that is really installed, the one of CONTRIBUTING.md, adds to every registry; a broken one is named."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import textwrap
import venv
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
_, _, RECIPE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("**From outside: entry points.**")
MODULES = {
    "__init__": "",
    "explainers": """
        from fairsal_core.saliency import Attribution, Explainer, ExplainerSettings

        class Settings(ExplainerSettings):
            strength: float = 1.0

        def prepare(network, settings, sample):
            return lambda images, targets, limit: Attribution(settings.strength * images.mean(dim=1), {})

        EXPLAINER = Explainer("brightness", "How bright a pixel is (nobody 2026).", Settings, prepare)
    """,
    "methods": """
        import copy

        from fairsal_core.mitigation import Applied, Method, MitigationSettings

        class Settings(MitigationSettings):
            shift: float = 100.0

        def apply(classifier, fit, validation, settings, *, seed=0, progress=None):
            shifted = copy.deepcopy(classifier)
            shifted[-1].bias.data[1] += settings.shift
            return Applied(shifted, ())

        METHOD = Method("say_yes", "Says yes (nobody 2026).", Settings, apply, needs=())
    """,
    "networks": """
        import torch
        from pydantic import BaseModel
        from torch import nn

        from fairsal_core.classifiers import Architecture
        from fairsal_core.regions import Network

        class Settings(BaseModel):
            width: int = 3

        class Patches(nn.Module):
            def __init__(self, classes, grid, settings):
                super().__init__()
                self.see = nn.Conv2d(settings.width, classes, grid.patch_size, stride=grid.stride)

            def forward(self, images):
                return self.see(images)

        def brightness():
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))

        CLASSIFIER = Architecture("mean_colour", "Sees the mean colour.", brightness)
        NETWORK = Network("one_layer", "One layer.", Settings, Patches)
    """,
    "measures": """
        from fairsal_core.regions import Measure

        MEASURE = Measure("first_class", "Probability of the first class.", lambda scores, prior: scores[..., 0].exp())
    """,
    "metrics": """
        from fairsal_core.metrics import ALL_CELLS, Estimate, GroupMetric, Interval, SaliencyMetric, SaliencyTest

        def strongest(after, roi):
            return after.max(axis=(1, 2))

        def said_yes(decisions):
            return Estimate("said_yes", ALL_CELLS, float(decisions.yes.mean()), Interval(0, 1), len(decisions.cells))

        METRICS = [
            SaliencyMetric("strongest", "strongest", "The largest magnitude (nobody 2026).", strongest),
            SaliencyTest("any", "any", "A test that there is any (nobody 2026).", "strongest", "is there any?"),
            GroupMetric("said_yes", "said yes", "How often the answer is yes (nobody 2026).", said_yes),
        ]
    """,
    "formats": """
        import pandas as pd

        from fairsal_core.faces import FaceDataset, Format

        def load(folder):
            table = pd.read_csv(folder / "our_labels.csv", index_col="file").astype(bool)
            split = pd.Series("train", table.index, dtype=pd.CategoricalDtype(["train", "val", "test"]), name="split")
            return FaceDataset("ours", folder, folder, table, split)

        FORMAT = Format("our_table", "A CSV file of ours.", lambda folder: (folder / "our_labels.csv").is_file(), load)
    """,
}
ODD = """
    [build-system]
    requires = ["setuptools"]
    build-backend = "setuptools.build_meta"

    [project]
    name = "odd-fairsal"
    version = "0.3"

    [tool.setuptools]
    py-modules = ["odd_fairsal", "odd_broken"]

    [project.entry-points."fairsal.measures"]
    broken = "odd_broken:MEASURE"
    missing = "odd_fairsal:NOTHING"
    wrong = "odd_fairsal:WRONG"
    taken = "odd_fairsal:TAKEN"

    [project.entry-points."fairsal.metrics"]
    unmeasured = "odd_fairsal:UNMEASURED"

    [project.entry-points."fairsal.schemes"]
    lone = "odd_fairsal:LONE"
"""
ODD_MODULES = {
    "odd_broken": "raise RuntimeError('made for another version')",
    "odd_fairsal": """
        from fairsal_core.metrics import SaliencyTest
        from fairsal_core.regions import Measure
        from fairsal_core.schemes import Scheme

        UNMEASURED = SaliencyTest("unmeasured", "none", "A test of nothing.", "nothing", "is there nothing?")
        WRONG = Scheme("fine", "A scheme, and no measure.", "general", lambda images, selected, fill, generator: images)
        TAKEN = Measure("margin", "Another one of that name.", lambda scores, prior: scores[..., 0])
        LONE = Scheme("lone", "It has no general counterpart.", "specific", WRONG.hide, kind="mask", general="face_mask")
    """,
}
LIST = """
    import json, sys
    import fairsal_core.settings.experiment, fairsal_core.faces.sources
    from fairsal_core.extensions import REGISTRIES, list_extensions

    fairsal_core.settings.experiment.ExperimentConfig()
    early = sorted({"our_fairsal", "odd_fairsal", "odd_broken"} & {name.partition(".")[0] for name in sys.modules})
    found = [vars(extension) for extension in list_extensions()]
    print(json.dumps({"early": early, "found": found, "names": {one.group: list(one) for one in REGISTRIES}}))
"""
USE_SCHEMES = """
    import json
    import torch
    from fairsal_core.settings.experiment import ExperimentConfig, SchemeChoice, parse_config
    from fairsal_core.schemes import apply_scheme

    images = torch.rand(4, 3, 32, 32) + 0.1
    for scheme, maps in (("face_occluder", torch.rand(32, 32)), ("specific_smear", torch.rand(4, 32, 32))):
        hidden = (apply_scheme(images, maps, scheme, 0.7) == 0).all(dim=1)
        assert torch.equal(hidden, (maps > torch.quantile(maps.flatten(-2), 0.7, dim=-1)[..., None, None]).expand_as(hidden))

    smear = SchemeChoice.model_validate("specific_smear@0.6,p=0.5,normalised")  # it adds no noise anywhere
    assert smear == SchemeChoice(scheme="specific_smear", quantile=0.6, treat_probability=0.5), smear
    assert smear.name == "specific_smear@0.6,p=0.5"
    assert smear.general.name == smear.general.general.name == "face_occluder@0.6"

    config = parse_config(
        {"schemes": ["face_occluder", "specific_smear", "general_mask"], "training": {"epochs": 20}, "mask_epochs": 10}
    )
    assert [config.epochs_of(choice) for choice in config.schemes] == [20, 10, 10]
    assert [choice.general.name for choice in config.schemes] == ["face_occluder@0.7"] * 2 + ["general_mask@0.7"]
    assert config.lengths == [20, 10]
    assert config.original_of("specific_smear@0.7") == "original_10_epochs"
    assert config.original_of("face_occluder@0.7") == "original"
    again = parse_config(json.loads(config.model_dump_json()))
    assert again == config and again.key == config.key
"""
USE_THE_REST = """
    import sys
    from pathlib import Path
    import numpy as np
    import pandas as pd
    import torch
    from fairsal_core.classifiers import build_classifier, load_classifier, save_classifier
    from fairsal_core.settings.experiment import parse_config
    from fairsal_core.faces import Roi, load_faces
    from fairsal_core.mitigation import LabelledFaces, mitigate
    from fairsal_core.regions import NETWORKS, PatchGrid, RegionClassifier, confidence, region_maps
    from fairsal_core.results import attention_table, measure, results_table
    from fairsal_core.saliency import EXPLAINERS, explain

    home = Path(sys.argv[1])
    faces = load_faces(str(home / "ours"))
    assert (faces.name, len(faces), faces.labels("Happy").tolist()) == ("ours", 3, [True, False, True])

    config = parse_config(
        {
            "measure": "first_class",
            "training": {"classifier": "mean_colour"},
            "regions": {"network": "one_layer"},
            "attention": {"explainers": ["brightness:strength=2"]},
            "mitigation": ["say_yes:shift=50"],
        }
    )
    assert parse_config(config.model_dump(mode="json")) == config

    classifier = build_classifier("mean_colour").eval()
    save_classifier(classifier, home / "classifier.safetensors")
    classifier = load_classifier("mean_colour", home / "classifier.safetensors")
    images = torch.rand(2, 3, 128, 128)
    (explainer,) = config.attention.explainers
    relevance = explain(classifier, images, 1, explainer.method, explainer.settings).relevance
    np.testing.assert_allclose(relevance, 2 * images.mean(dim=1), rtol=1e-5)

    pixels, labels = np.random.default_rng(0).integers(0, 256, (8, 128, 128, 3), np.uint8), np.arange(8) % 2 == 0
    given = LabelledFaces(pixels, labels, labels)
    (method,) = config.mitigation
    done = mitigate(classifier, method.method, given, given, method.settings)
    assert done.outcome == "ok", done.reason
    assert torch.equal(done.classifier[-1].bias - classifier[-1].bias, torch.tensor([0.0, 50.0]))

    network = NETWORKS.find("one_layer")
    made = RegionClassifier(
        network.build(2, PatchGrid(), network.settings()), "Happy", ("not Happy", "Happy"), (0.5, 0.5), kind="one_layer"
    )
    made.save(home / "regions")
    maps = region_maps(RegionClassifier.load(home / "regions"), pixels, config.measure)
    assert maps.shape == (8, 49, 49)
    np.testing.assert_allclose(confidence(np.log([[0.2, 0.8]]), "first_class"), [0.2])
    assert EXPLAINERS.place("brightness") == len(EXPLAINERS) - 1

    cells = np.arange(4).repeat(5)
    judged = pd.DataFrame({"variant": "original", "evaluation": "clean", "treated_by": "", "seed": 0, "face": np.arange(20)})
    judged = judged.assign(target=cells < 2, confounder=cells % 2 == 0, score=np.arange(20) / 20)
    results = results_table(judged, "Happy", "Sad").set_index("metric")
    assert results.loc["said_yes", "value"].tolist() == [0.45, 0.45]
    roi = Roi(x=0, y=0, width=2, height=2)
    values = judged.assign(peak=1.0, **measure(None, np.arange(1, 321, dtype=float).reshape(20, 4, 4), roi))
    summaries = attention_table(values, "Happy", "Sad", "lrp", "box").set_index("metric")
    assert summaries.loc["strongest", "value"].iloc[0] == np.arange(16, 321, 16).mean()
    assert summaries[summaries["group"] == "all"].loc["any", "rejected"].all()
"""


def block(kind: str) -> str:
    """Return the recipe's first block of a language."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", RECIPE, re.DOTALL | re.MULTILINE)[0]


def write_project(folder: Path, pyproject: str, modules: dict[str, str]) -> Path:
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(textwrap.dedent(pyproject), encoding="utf-8")
    for name, code in modules.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(code), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The interpreter of an environment that has what this one has, this checkout, and the two packages installed."""
    folder = tmp_path_factory.mktemp("extended")
    builder = venv.EnvBuilder(symlinks=os.name != "nt")
    builder.create(folder / "env")
    python = str(builder.ensure_directories(folder / "env").env_exe)
    purelib = sysconfig.get_path("purelib", "venv", {"base": str(folder / "env"), "platbase": str(folder / "env")})
    here = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    beside = [f"import site; site.addsitedir({path!r})" for path in (*here, str(ROOT))]
    Path(purelib, "beside.pth").write_text("\n".join(beside) + "\n", encoding="utf-8")
    modules = {f"our_fairsal/{name}": code for name, code in {**MODULES, "schemes": block("python")}.items()}
    projects = [
        write_project(folder / "ours", block("toml"), modules),
        write_project(folder / "odd", ODD, ODD_MODULES),
    ]
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "--no-deps", "--no-build-isolation", "--no-index", *map(str, projects)], check=True, cwd=folder
    )
    return python


def run(python: str, code: str, *arguments: str) -> str:
    """Run a script in the extended environment, and return what it printed; of extensions nothing is said on stderr."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-c", code, *arguments],
        cwd=Path(python).parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if line.startswith("fairsal")]
    return done.stdout


def test_what_is_installed_is_listed_and_what_does_not_fit_is_named(python: str) -> None:
    listed = json.loads(run(python, textwrap.dedent(LIST)))
    assert listed["early"] == []  # not before it is asked for
    ours = {one["group"]: one for one in listed["found"] if one["distribution"] == "our-fairsal"}
    given = {
        "fairsal.formats": ["our_table"],
        "fairsal.measures": ["first_class"],
        "fairsal.networks": ["one_layer"],
        "fairsal.schemes": ["face_occluder", "specific_smear"],
        "fairsal.classifiers": ["mean_colour"],
        "fairsal.explainers": ["brightness"],
        "fairsal.methods": ["say_yes"],
        "fairsal.metrics": ["strongest", "any", "said_yes"],
    }
    assert {group: one["gives"] for group, one in ours.items()} == given
    assert {(one["name"], one["version"], one["problem"]) for one in ours.values()} == {("ours", "1.0", None)}
    odd = [one for one in listed["found"] if one["distribution"] == "odd-fairsal"]
    assert [(one["name"], one["gives"], one["problem"]) for one in odd] == [
        ("broken", [], "RuntimeError: made for another version"),
        ("missing", [], "AttributeError: module 'odd_fairsal' has no attribute 'NOTHING'"),
        ("taken", [], "'margin' is left out: there is a confidence measure of that name already"),
        ("wrong", [], "it gives Scheme, which is no Measure"),
        (
            "lone",
            [],
            "'lone' is left out: it needs a general scheme that hides the same way, and 'face_mask' is none",
        ),
        (
            "unmeasured",
            [],
            "'unmeasured' is left out: it tests the values of a saliency metric, and 'nothing' is none",
        ),
    ]
    for group, names in given.items():
        assert listed["names"][group][-len(names) :] == names  # after those that fairsal has itself
    assert len(listed["names"]["fairsal.schemes"]) == 4 + 2


def test_what_is_installed_is_used(python: str, tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "our_labels.csv").write_text("file,Happy\na.png,1\nb.png,0\nc.png,1\n", encoding="utf-8")
    for name in "abc":
        Image.new("RGB", (128, 128), "teal").save(tmp_path / "ours" / f"{name}.png")
    run(python, textwrap.dedent(USE_SCHEMES) + textwrap.dedent(USE_THE_REST), str(tmp_path))
