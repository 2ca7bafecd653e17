"""Every setting of every registered explainer and method is drawn, and is in what starts."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field
from streamlit.testing.v1 import AppTest

from fairsal_core.mitigation import METHODS
from fairsal_core.regions import RegionTraining
from fairsal_core.runs import list_runs
from fairsal_core.runs.store import create_run, end_run
from fairsal_core.saliency import EXPLAINERS, ExplainerSettings
from fairsal_core.settings import ExperimentConfig, ExplainConfig, checked_settings, parse_config
from pages.components.shared.settings_widgets import widget_for
from tests.helpers import register
from tests.pages.conftest import UNTREATED, FinishRun, OpenPage

WIDGETS = ("number_input", "checkbox", "selectbox", "multiselect", "text_input", "color_picker")
REGISTRIES: dict[str, Any] = {"explainers": EXPLAINERS, "methods": METHODS}
ALL = [(kind, name) for kind, registry in REGISTRIES.items() for name in registry]


def drawn(app: AppTest) -> dict[str, Any]:
    """Return the page's widgets by their keys."""
    return {widget.key: widget for kind in WIDGETS for widget in getattr(app, kind)}


def said(app: AppTest) -> list[str]:
    return [str(error.value) for error in app.error]


def fit(app: AppTest) -> AppTest:
    """Ask for as many faces as the small set has."""
    for field, count in (("target_without", 12), ("other_with", 8), ("other_without", 4)):
        app.number_input(key=f"count_{field}").set_value(count)
    return app.run()


Open = Callable[[str, list[str]], tuple[AppTest, str]]


@pytest.fixture
def open_form(open_page: OpenPage, finish_run: FinishRun, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Open the page with the form that offers explainers, or methods; gives the key of what is chosen there, too."""
    # A browser sends what was typed, and AppTest what it would be called.
    monkeypatch.setattr("pages.components.shared.choice_form.choice_title", lambda entries, name: name)

    def open_(kind: str, chosen: list[str]) -> tuple[AppTest, str]:
        if kind == "explainers":
            app, key = fit(open_page("training")), "explainers"
        else:
            run = finish_run(**UNTREATED).name
            app, key = fit(open_page("training", run=run)), f"mitigate_methods-{run}"
        app.multiselect(key=key).set_value(chosen).run()
        assert not app.exception
        return app, key

    return open_


@pytest.mark.parametrize("kind", REGISTRIES)
def test_every_setting_is_drawn_with_its_description_and_default(open_form: Open, kind: str) -> None:
    registry = REGISTRIES[kind]
    app, key = open_form(kind, list(registry))
    widgets = drawn(app)
    for name, entry in registry.items():
        for field, about in entry.settings.model_fields.items():
            widget = widgets[f"{key}-{name}-{field}"]
            default = getattr(entry.settings(), field)
            assert widget.value == widget_for(field, about, default).held(default), (name, field)
            assert "Default: " in widget.proto.help
            if about.description:
                assert about.description[1:20] in widget.proto.help.replace("\\", ""), (name, field)
    assert app.multiselect(key=key).value == list(registry)


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_what_a_widget_holds_is_the_value_again(kind: str, name: str) -> None:
    settings = REGISTRIES[kind][name].settings
    for field, about in settings.model_fields.items():
        default = getattr(settings(), field)
        widget = widget_for(field, about, default)
        again = widget.read(widget.held(default))
        assert again == (pytest.approx(default, abs=0.003) if field == "colour" else default), field


def test_a_changed_setting_is_in_the_run_that_starts(open_form: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[ExperimentConfig] = []

    def start(kind: str, config: dict[str, Any], name: str) -> Path:
        started.append(parse_config(config))
        return create_run(kind, config, name=name)

    monkeypatch.setattr("pages.components.shared.begin.start", start)
    app, _ = open_form("explainers", ["lrp", "integrated_gradients:steps=20", "occlusion"])
    assert app.number_input(key="explainers-integrated_gradients-steps").value == 20  # as it was typed
    app.number_input(key="explainers-integrated_gradients-steps").set_value(30).run()
    app.checkbox(key="explainers-lrp-zero_bias").uncheck()
    app.color_picker(key="explainers-occlusion-colour").pick("#ff0000").run()
    names = ["lrp:zero_bias=False", "integrated_gradients:steps=30", "occlusion:colour=1.0+0.0+0.0"]
    assert app.multiselect(key="explainers").value == names
    app.number_input(key="training-weight_decay").set_value(0.5)
    app.number_input(key="regions_budget-images").set_value(500).run()
    assert not app.exception
    app.button(key="start").click().run()
    config = started[0]
    assert [choice.name for choice in config.attention.explainers] == names
    assert config.attention.explainers[2].settings.model_dump()["colour"] == (1.0, 0.0, 0.0)
    assert (config.training.weight_decay, config.regions.images) == (0.5, 500)

    app.number_input(key="explainers-integrated_gradients-steps").set_value(50).run()
    assert app.multiselect(key="explainers").value[1] == "integrated_gradients"  # as for everyone who leaves it alone


class ForeignSettings(ExplainerSettings):
    """Settings of an explainer that nobody here knows."""

    reach: int = Field(3, ge=1, description="how far it looks")
    ways: tuple[str, ...] = Field(("up",), description="where it looks")


def test_an_explainer_from_elsewhere_is_drawn_and_starts(open_form: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[ExperimentConfig] = []

    def start(kind: str, config: dict[str, Any], name: str) -> Path:
        started.append(parse_config(config))
        return create_run(kind, config, name=name)

    monkeypatch.setattr("pages.components.shared.begin.start", start)
    foreign = replace(EXPLAINERS["gradient"], name="foreign", settings=ForeignSettings)
    register(monkeypatch, EXPLAINERS, foreign)
    app, _ = open_form("explainers", ["foreign:reach=5"])
    app.multiselect(key="explainers-foreign-ways").set_value(["up", "down"]).run()
    app.button(key="start").click().run()
    assert not app.exception
    (choice,) = started[0].attention.explainers
    assert choice.name == "foreign:reach=5,ways=up+down"
    assert choice.settings == ForeignSettings(reach=5, ways=("up", "down"))


def test_settings_of_a_preset_and_of_an_earlier_run_come_back(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    content: dict[str, Any] = {
        "counts": "0,12,8,4",
        "training": {"weight_decay": 0.25},
        "regions": {"epochs": 9},
        "attention": {
            "explainers": ["smoothgrad:samples=7", {"method": "occlusion", "settings": {"colour": [0.1, 0.2, 0.3]}}]
        },
    }
    monkeypatch.setattr("pages.components.training.form_state.preset_settings", lambda name: content)
    app = open_page("training")
    assert app.number_input(key="explainers-smoothgrad-samples").value == 7
    assert app.color_picker(key="explainers-occlusion-colour").value == "#1a334c"
    assert app.number_input(key="training-weight_decay").value == 0.25
    assert app.number_input(key="regions_budget-epochs").value == 9
    assert not said(app)

    run = create_run(
        "experiment",
        parse_config({**content, "attention": {"explainers": ["lrp:epsilon=0.5"]}}).model_dump(mode="json"),
        name="x",
    )
    end_run(run, "finished")
    app = open_page("training", run=run.name)
    assert app.number_input(key="explainers-lrp-epsilon").value == 0.5  # a run's link fills the form
    app.number_input(key="explainers-lrp-epsilon").set_value(0.25).run()
    app.button(key=f"clone-{run.name}").click().run()
    assert app.number_input(key="explainers-lrp-epsilon").value == 0.5


def test_settings_that_do_not_fit_are_one_sentence(open_form: Open) -> None:
    app, _ = open_form("explainers", ["occlusion"])
    app.number_input(key="explainers-occlusion-window").set_value(4).run()
    assert ["stride" in error for error in said(app)] == [True]
    assert app.button(key="start").disabled
    assert app.number_input(key="explainers-occlusion-window").value == 4  # to be mended where it was done
    app.number_input(key="explainers-occlusion-stride").set_value(2).run()
    assert not said(app)
    assert app.multiselect(key="explainers").value == ["occlusion:window=4,stride=2"]
    app.multiselect(key="explainers").set_value(["occlusion:window=x"]).run()
    assert ["window" in error for error in said(app)] == [True]


def test_the_methods_of_a_run_take_settings(open_form: Open) -> None:
    app, key = open_form("methods", ["zhang", "p_clarc:layers=3+5"])
    assert app.multiselect(key=f"{key}-p_clarc-layers").value == ["3", "5"]
    app.multiselect(key=f"{key}-zhang-alphas").set_value(["0.5", "much"]).run()
    mitigate = app.button(key=key.replace("_methods", ""))
    assert ["alphas" in error and "much" in error for error in said(app)] == [True]
    assert mitigate.disabled
    app.multiselect(key=f"{key}-zhang-alphas").set_value(["0.5", "2"])
    app.selectbox(key=f"{key}-zhang-aim").select("demographic_parity").run()
    assert not said(app)
    assert app.multiselect(key=key).value == ["zhang:alphas=0.5+2.0,aim=demographic_parity", "p_clarc:layers=3+5"]


def test_a_run_is_explained_with_settings(open_page: OpenPage, finish_run: FinishRun) -> None:
    run = finish_run(balanced=False, attention={"explainers": ["none"]})
    app = open_page("comparison", run=run.name, tab="Attention")
    app.selectbox(key="explain_methods-lrp-composite").select("epsilon_gamma_box").run()
    assert app.multiselect(key="explain_methods").value == ["lrp:composite=epsilon_gamma_box"]
    app.button(key="explain_start").click().run()
    assert not app.exception
    job = next(one for one in list_runs() if one.kind == "explain")
    chosen = checked_settings(ExplainConfig, dict(job.config)).explainers
    assert [one.name for one in chosen] == ["lrp:composite=epsilon_gamma_box"]


def test_a_region_classifier_is_trained_with_settings(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[dict[str, Any]] = []

    def start(kind: str, config: dict[str, Any], name: str) -> Path:
        started.append(config)
        return create_run(kind, config, name=name)

    monkeypatch.setattr("pages.components.shared.begin.start", start)
    app = open_page("attribution")
    app.number_input(key="region_settings_default-width").set_value(8)
    app.text_input(key="region_settings_default-schedule").set_value("steps").run()
    app.button(key="start_regions").click().run()
    training = RegionTraining.model_validate(started[0]["training"])
    assert (training.width, training.schedule, training.epochs) == (8, "steps", RegionTraining().epochs)
