"""A link is the whole view: whoever opens it anew sees the screen of whoever sent it."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fairsal_core.drawing import DEMO
from fairsal_core.faces import draw_fairface, load_faces
from fairsal_core.regions import MEASURES
from fairsal_core.registry import as_words
from fairsal_core.runs import list_runs
from fairsal_core.runs.store import create_run, end_run
from fairsal_core.schemes import SCHEMES
from fairsal_core.settings import ExperimentConfig, parse_config
from pages.components.shared.data import source_name, sources
from tests.pages.conftest import APP, OpenPage, read, texts

Step = tuple[str, str, object]  # kind of widget, its key, its value
ATTRIBUTION: Sequence[Step] = (
    ("selectbox", "attribute", "Eyeglasses"),
    ("slider", "quantile", 0.85),
    ("number_input", "face", 3),
    ("number_input", "shown", 2),
    ("segmented_control", "scale", "each its own"),
    ("segmented_control", "level", "patches"),
    ("segmented_control", "shown_as", "confidence"),
    ("selectbox", "measure", "negative_entropy"),
    ("number_input", "patch", 700),
    ("number_input", "patch_of", 2),
    ("toggle", "by_sight", True),
    ("segmented_control", "sight_class", "Eyeglasses"),
    ("segmented_control", "sight_order", "surest first"),
    ("selectbox", "first_mean", "Eyeglasses"),
    ("selectbox", "second_mean", "not Eyeglasses"),
    ("selectbox", "attribute", "Smiling"),
    ("number_input", "shown", 1),
    ("slider", "quantile", 0.5),
    ("segmented_control", "origin", "Example"),
    ("selectbox", "attribute", "Bangs"),
)
TRAINING: Sequence[Step] = (
    ("number_input", "count_target_without", 12),
    ("number_input", "count_other_with", 8),
    ("number_input", "count_other_without", 4),
    ("selectbox", "confounder", "Eyeglasses"),
    ("selectbox", "target", "Smiling"),
    ("multiselect", "schemes", ["general_noise", "specific_mask"]),
    ("multiselect", "quantiles_general_noise", [0.6, 0.8]),
    ("slider", "treat_probability", 0.5),
    ("selectbox", "noise_domain", "normalised"),
    ("checkbox", "balanced", False),
    ("number_input", "seed_count", 3),
    ("number_input", "epochs", 2),
    ("number_input", "mask_epochs", 4),
    ("selectbox", "classifier", "resnet18"),
    ("selectbox", "device", "cpu"),
    ("number_input", "training-batch_size", 8),
    ("selectbox", "run_measure", "negative_entropy"),
    ("number_input", "regions_budget-images", 100),
    ("multiselect", "explainers", ["gradient"]),
    ("selectbox", "attention_roi", "parts"),
)
METHODS: Sequence[Step] = (
    *(("slider", "mini_p", value) for value in (0.5, 0.6, 0.7)),
    ("slider", "mini_prior", 0.3),
    ("segmented_control", "topic", "Schemes"),
    *(("slider", "mini_quantile", value) for value in (0.5, 0.6, 0.9)),
    ("selectbox", "mini_scheme", "specific_noise"),
    ("segmented_control", "topic", "Subgroups"),
    ("slider", "mini_blond", 300),
    ("segmented_control", "topic", "Intervals"),
    ("slider", "mini_n", 100),
    ("slider", "mini_share", 0.9),
    ("segmented_control", "topic", "Attention"),
    ("slider", "mini_shift", 0.8),
    ("segmented_control", "topic", "Explainers"),
    ("slider", "mini_steps", 20),
    ("segmented_control", "topic", "Mitigation"),
    ("slider", "mini_alpha", 1.0),
)


def screen(app: AppTest) -> list[str]:
    """What a reader sees: texts, tables, and what every widget holds."""
    kinds = ("selectbox", "multiselect", "slider", "number_input", "checkbox", "toggle")
    held = [f"{one.key}={one.value}" for kind in kinds for one in getattr(app, kind)]
    tables = [each.value.to_csv() for each in (*app.table, *app.dataframe)]
    metrics = [f"{one.label}: {one.value} {one.delta}" for one in app.metric]
    return [*texts(app).splitlines(), *held, *tables, *metrics]


def as_linked(value: object) -> object:
    """Return a value as a browser writes it into the link, where a widget is bound to it: as it is shown."""
    if value in {*MEASURES, *SCHEMES}:
        return as_words(str(value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def follow(open_page: OpenPage, page: str, steps: Sequence[Step], *, bound: bool = True) -> None:
    """Change one thing after the other, and open the link of each view anew; what is bound a browser writes into it."""
    app, linked = open_page(page), dict[str, object]()
    for kind, key, value in steps:
        getattr(app, kind)(key=key).set_value(value).run()
        assert not app.exception, (key, value)
        linked |= {key: as_linked(value)} if bound else {}
        link = {**app.query_params, **linked}
        assert screen(open_page(page, **link)) == screen(app), (key, value, link)


def test_every_view_of_attribution_is_its_link(open_page: OpenPage) -> None:
    follow(open_page, "attribution", ATTRIBUTION)


def test_every_view_of_the_form_is_its_link(open_page: OpenPage) -> None:
    follow(open_page, "training", TRAINING, bound=False)


def test_every_view_of_methods_is_its_link(open_page: OpenPage) -> None:
    follow(open_page, "methods", METHODS)


@pytest.fixture
def roots(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two sets on offer whose folders are called alike."""
    made = [draw_fairface(tmp_path / name / "faces", count=24, seed=seed) for seed, name in enumerate(("one", "two"))]
    monkeypatch.setenv("FAIRSAL_DATA_ROOTS", ":".join(map(str, made)))
    return made


def opened(page: str, **query: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=60).run()
    app.query_params.update(query)
    app.switch_page(f"pages/{page}.py").run()
    assert not app.exception
    return app


def test_with_sets_on_offer_no_drawn_face_is_made_unasked(roots: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("faces were drawn that nobody asked for")

    monkeypatch.setattr("pages.components.shared.first_faces.draw_demo_faces", refuse)
    monkeypatch.setattr("fairsal_core.faces.sources.draw_demo_faces", refuse)
    assert sources() == [*map(str, roots), DEMO]
    assert [source_name(source) for source in sources()] == ["one/faces", "two/faces", "Drawn faces"]
    for page in ("start", "data", "attribution", "training"):
        app = opened(page)
        if page != "start":
            assert app.selectbox(key="data").value == str(roots[0])
            assert app.query_params["data"] == "one/faces"


def test_a_link_names_the_data_and_the_session_stays_with_them(roots: list[Path]) -> None:
    app = opened("data", data="two/faces")
    assert app.selectbox(key="data").value == str(roots[1])
    app.query_params.clear()
    app.switch_page("pages/training.py").run()
    assert app.selectbox(key="data").value == str(roots[1])


def test_a_link_to_data_that_are_not_on_offer_says_so_and_loads_nothing(roots: list[Path]) -> None:
    app = opened("attribution", data="celeba_of_somebody")
    assert ["celeba_of_somebody, are not on offer here" in read(one.value) for one in app.warning] == [True]
    app.selectbox(key="data").set_value(str(roots[0])).run()
    assert not app.warning


def finished(**settings: object) -> ExperimentConfig:
    config = parse_config({"counts": "0,12,8,4", **settings})
    end_run(create_run("experiment", config.model_dump(mode="json"), name="earlier"), "finished")
    return config


RICH: dict[str, object] = {
    "test_split": "val",
    "test_per_cell": 1,
    "mitigation": ["global_threshold"],
    "mitigation_faces": 40,
    "seeds": [4, 7],
    "schemes": ["general_noise@0.6,p=0.5", "general_noise@0.6", "specific_mask@0.8"],
    "device": "cpu",
}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[ExperimentConfig]:
    begun: list[ExperimentConfig] = []

    def start(kind: str, config: dict[str, object], name: str) -> Path:
        begun.append(parse_config(config))
        return create_run(kind, config, name=name)

    monkeypatch.setattr("pages.components.shared.begin.start", start)
    return begun


def test_a_clone_is_whole_and_says_what_the_form_does_not_show(
    open_page: OpenPage, started: list[ExperimentConfig]
) -> None:
    earlier = finished(**RICH)
    app = open_page("training", run=list_runs()[0].id)
    app.button(key=f"clone-{list_runs()[0].id}").click().run()
    assert "Kept, though this form does not show it" in texts(app)
    for part in ("val", "global", "4, 7"):
        assert part in texts(app).split("Kept, though")[1]
    link = dict(app.query_params)
    app.button(key="start").click().run()
    assert started[0] == earlier
    again = open_page("training", preset=link["preset"], settings=link["settings"])
    again.button(key="start").click().run()
    assert started[1] == earlier
    again.button(key="let_go").click().run()
    again.button(key="start").click().run()
    assert (started[2].test_split, started[2].seeds) == ("test", (0, 1))


def test_a_run_s_link_opens_its_own_data(roots: list[Path]) -> None:
    *_, confounder = load_faces(str(roots[1])).choices
    finished(data=str(roots[1]), target="gender=Male", confounder=confounder)
    app = opened("training", run=list_runs()[0].id)
    assert app.selectbox(key="data").value == str(roots[1])
    assert app.selectbox(key="confounder").value == confounder


def test_settings_in_a_link_that_make_no_sense_are_one_sentence(open_page: OpenPage) -> None:
    for settings in ("{", "[]", '{"counts": 3}', '{"schemes": ["gone@0.7"]}'):
        app = open_page("training", preset="demo", settings=settings)
        assert ["The settings in this link cannot be read" in one.value for one in app.warning] == [True], settings
        assert app.selectbox(key="target").value == "Male"
