"""The Training page, without a browser."""

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from fairsal_core.faces import FaceDataset
from fairsal_core.files import write_json
from fairsal_core.reports import read_notes
from fairsal_core.runs import TERMINAL, Event, cancel, list_runs
from fairsal_core.runs.store import append_event, create_run, end_run
from fairsal_core.scaling import Trial
from fairsal_core.settings import ExperimentConfig, SweepConfig, parse_config, plan_trials
from fairsal_core.settings.attention import AttentionSettings
from tests.pages.conftest import APP, TINY, OpenPage, texts


class TestTraining:
    def test_too_few_faces_say_what_fits_and_scaling_mends_it(self, open_page: OpenPage) -> None:
        app = open_page("training")
        assert any("The largest scale that fits is" in error.value for error in app.error)
        assert app.button(key="start").disabled
        next(button for button in app.button if button.label == "Scale the counts to fit").click()
        app.run()
        assert not app.error
        assert not app.button(key="start").disabled

    def test_the_paper_preset_fills_the_form(self, open_page: OpenPage) -> None:
        app = open_page("training")
        app.selectbox(key="preset").set_value("paper").run()
        assert app.number_input(key="count_target_without").value == 3000
        assert app.number_input(key="epochs").value == 20
        assert app.number_input(key="training-learning_rate").value == 1e-5
        assert app.number_input(key="mask_epochs").value == 10
        assert app.multiselect(key="quantiles_specific_noise").value == [0.8]
        assert app.multiselect(key="quantiles_general_mask").value == [0.6]

    def test_the_subset_is_a_table_with_its_correlation(self, open_page: OpenPage, drawn: FaceDataset) -> None:
        app = open_page("training")
        for field, count in (("target_without", 12), ("other_with", 8), ("other_without", 4)):
            app.number_input(key=f"count_{field}").set_value(count)
        app.run()
        table = app.table[0].value
        pool = drawn.in_split("train")
        blond_women = int((~pool.labels("Male") & pool.labels("Blond_Hair")).sum())
        assert table.loc["women", "with Blond_Hair"] == f"8 of {blond_women}"
        assert list(table.index) == ["men", "women"]
        assert "φ = -0.71" in texts(app)  # (0*4 - 12*8) / sqrt(12*12*8*16)
        assert "times these counts" in texts(app)
        assert "3 variants × 1 seed." in texts(app)
        # 24 images, 6 epochs and three variants, at 100 a second.
        assert "training: 4 s" in texts(app)
        assert "of disk (region maps" in texts(app)

    def test_a_disk_that_is_too_small_is_told_before_the_start(
        self, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=10**6))
        app = open_page("training")
        for field, count in (("target_without", 12), ("other_with", 8), ("other_without", 4)):
            app.number_input(key=f"count_{field}").set_value(count)
        app.run()
        assert ["1 MB are free. Free some" in warning.value for warning in app.warning] == [True]

    def test_schemes_with_options_become_variants(self, open_page: OpenPage) -> None:
        app = open_page("training")
        for field, count in (("target_without", 12), ("other_with", 8), ("other_without", 4)):
            app.number_input(key=f"count_{field}").set_value(count)
        app.multiselect(key="schemes").set_value(["general_noise"]).run()
        app.multiselect(key="quantiles_general_noise").set_value([0.6, 0.8])
        app.slider(key="treat_probability").set_value(0.5).run()
        assert "4 variants × 1 seed" in texts(app)
        app.toggle(key="preview").set_value(True).run()
        assert not app.exception
        options = app.get("button_group")[0].proto.options
        assert [option.content for option in options] == [
            "General noise, top 40%, half as often",
            "General noise, top 20%, half as often",
        ]

    def test_a_runs_settings_are_cloned_and_its_pace_tells_the_time(
        self, open_page: OpenPage, drawn_folder: Path
    ) -> None:
        open_page("training")
        content = {"schemes": ["specific_mask@0.65"], "confounder": "Smiling", "mask_epochs": 3, "seeds": [0, 1]}
        config = parse_config({**content, "counts": "0,12,8,4", "training": {"epochs": 7, "batch_size": 8}})
        run = create_run("experiment", config.model_dump(mode="json"), name="earlier")
        append_event(run, Event(1.0, "original, seed 0", 0.5, "", {"loss": 0.7, "images_per_second": 24.0, "gap": 0.1}))
        end_run(run, "finished")
        app = open_page("training", run=run.name)
        app.button(key=f"clone-{run.name}").click().run()
        assert app.selectbox(key="confounder").value == "Smiling"
        assert app.number_input(key="epochs").value == 7
        assert app.number_input(key="mask_epochs").value == 3
        assert app.multiselect(key="schemes").value == ["specific_mask"]
        assert app.multiselect(key="quantiles_specific_mask").value == [0.65]
        # original, balanced and the mask: 3 epochs of 24 faces each, for two seeds, at 24 images a second.
        assert "3 variants × 2 seeds: about 18 s of training at 24 images/s" in texts(app)

    def test_explainers_faces_and_region_go_into_the_run_and_come_back(
        self, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        started: list[ExperimentConfig] = []

        def start(kind: str, config: dict[str, object], name: str) -> Path:
            started.append(parse_config(config))
            return create_run(kind, config, name=name)

        monkeypatch.setattr("pages.components.shared.begin.start", start)
        app = open_page("training")
        for field, count in (("target_without", 12), ("other_with", 8), ("other_without", 4)):
            app.number_input(key=f"count_{field}").set_value(count)
        app.run()
        app.button(key="start").click().run()
        assert started[0].attention == AttentionSettings()  # untouched fields are the defaults
        app.multiselect(key="explainers").set_value(["lrp", "gradient"])
        app.number_input(key="explained_faces").set_value(128)
        app.selectbox(key="attention_roi").set_value("parts").run()
        app.button(key="start").click().run()
        chosen = {"explainers": ["lrp", "gradient"], "explained_faces": 128, "roi": "parts"}
        assert started[1].attention == AttentionSettings.model_validate(chosen)

        typed = {"explainers": ["integrated_gradients:steps=20"], "roi": "30,84,60,24", "magnitude": "raw"}
        earlier = parse_config({"counts": "0,12,8,4", "attention": typed})
        run = create_run("experiment", earlier.model_dump(mode="json"), name="earlier")
        end_run(run, "finished")
        again = open_page("training", run=run.name)
        again.button(key=f"clone-{run.name}").click().run()
        assert not again.exception
        assert again.multiselect(key="explainers").value == ["integrated_gradients:steps=20"]
        assert again.selectbox(key="attention_roi").value == "30,84,60,24"
        again.button(key="start").click().run()
        assert started[2].attention == earlier.attention
        again.multiselect(key="explainers").set_value(["lpr"]).run()
        assert any("did you mean 'lrp'" in error.value for error in again.error)

    def test_a_note_stays_with_its_run(self, open_page: OpenPage) -> None:
        run = create_run("experiment", {}, name="noted")
        app = open_page("training", run=run.name)
        app.chat_input(key=f"note-{run.name}").set_value("the gap is seed 3's").run()
        assert [note.text for note in read_notes(run)] == ["the gap is seed 3's"]
        assert any("the gap is seed 3's" in text.value for text in app.text)

    def test_a_sweep_starts_and_shows_its_table(self, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
        started: list[SweepConfig] = []

        def start(kind: str, config: dict[str, object], name: str) -> Path:
            started.append(SweepConfig.model_validate(config))
            return create_run(kind, config, name=name)

        monkeypatch.setattr("pages.components.shared.begin.start", start)
        app = open_page("training")
        app.selectbox(key="sweep_preset").set_value("table1").run()
        assert "4 experiments: Male × Blond_Hair, 4 schemes" in texts(app)
        app.number_input(key="sweep_seeds").set_value(2).run()
        app.button(key="start_sweep").click().run()
        assert not app.exception
        assert [trial.seeds for trial in plan_trials(started[0])] == [(0, 1)] * 4
        run = list_runs()[0].path
        assert run.name in app.query_params["run"]
        write_json(run / "trials.json", [vars(Trial("abc", "Blond_Hair", "a-run", "finished"))])
        row = dict.fromkeys(("target", "confounder", "variant", "scheme", "evaluation", "run"), "x")
        row |= {"quantile": 0.6, "authors": True, "value": 0.21, "low": 0.1, "high": 0.3, "published": 0.22}
        pd.DataFrame([{**row, "quantity": "gap_ours"}]).to_parquet(run / "table.parquet")
        app.run()
        assert app.dataframe[1].value["gap_ours"].item() == "+0.21 [+0.10, +0.30] (+0.22)"

    def test_a_quick_look_asks_for_little_of_everything(self, open_page: OpenPage) -> None:
        app = open_page("training")
        app.selectbox(key="preset").set_value("paper").run()
        app.button(key="quick_look").click().run()
        assert not app.exception
        fields = ("target_with", "target_without", "other_with", "other_without")
        assert [app.number_input(key=f"count_{field}").value for field in fields] == [0, 150, 100, 50]
        assert app.number_input(key="epochs").value == 3
        assert app.number_input(key="regions_budget-images").value == 800
        assert app.number_input(key="regions_budget-width").value == 16

    def test_target_equal_to_confounder_is_refused(self, open_page: OpenPage) -> None:
        app = open_page("training")
        app.selectbox(key="confounder").set_value("Male").run()
        assert [error.value for error in app.error] == [
            "Target and confounder are the same; choose two different attributes."
        ]

    def test_a_run_that_is_gone_is_explained(self, open_page: OpenPage) -> None:
        app = open_page("training", run="20200101-000000-gone-0000")
        assert any("It may have been deleted" in warning.value for warning in app.warning)

    def test_start_makes_a_run_that_the_page_shows(self, open_page: OpenPage) -> None:
        app = open_page("training")
        for field, count in (("target_without", 12), ("other_with", 8), ("other_without", 4)):
            app.number_input(key=f"count_{field}").set_value(count)
        app.run()
        app.button(key="start").click().run()
        runs = list_runs()
        assert len(runs) == 1
        assert runs[0].id in app.query_params["run"]
        assert runs[0].name in texts(app)
        cancel(runs[0].path)
        deadline = time.monotonic() + 30
        while list_runs()[0].status.state not in TERMINAL and time.monotonic() < deadline:
            time.sleep(0.2)
        assert list_runs()[0].status.state == "cancelled"

    def test_an_interrupted_run_is_told_and_resumed(self, open_page: OpenPage, drawn_folder: Path) -> None:
        open_page("training")
        config = parse_config({"data": str(drawn_folder), "schemes": [], "balanced": False, **TINY})
        run = create_run("experiment", config.model_dump(mode="json"), name="cut off")  # nobody works on it
        (run / "log.txt").write_text("killed here")
        began = time.process_time()  # not by the clock on the wall: other tests use the machine
        app = AppTest.from_file(APP, default_timeout=60).run()
        app.query_params["run"] = run.name
        app.switch_page("pages/training.py").run()
        assert time.process_time() - began < 5
        assert "interrupted" in texts(app)
        assert "killed here" in app.error[-1].value
        app.button(key=f"resume-{run.name}").click().run()
        again = list_runs()[0].id
        assert again != run.name
        assert again in app.query_params["run"]
        cancel(list_runs()[0].path)
        assert {entry.id: entry.status.state for entry in list_runs()} == {run.name: "interrupted", again: "cancelled"}

    @pytest.mark.parametrize("config", ["{}", "[]", '{"schemes": [1], "seeds": 4}', '{"target": {"a": 1}}'])
    def test_a_foreign_run_does_not_break_the_list(self, open_page: OpenPage, config: str) -> None:
        app = open_page("training")
        run = create_run("experiment", {}, name="foreign")
        (run / "config.json").write_text(f'{{"format": 1, "kind": "experiment", "config": {config}}}')
        app.run()
        assert not app.exception
        assert [entry.id for entry in list_runs()] == [run.name]
        assert open_page("comparison")

    def test_a_start_that_fails_is_one_sentence(self, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
        app = open_page("training")
        next(button for button in app.button if button.label == "Scale the counts to fit").click()
        app.run()
        home = Path(os.environ["FAIRSAL_HOME"])
        home.mkdir(exist_ok=True)
        (home / "runs").write_text("a file where the runs should be")
        app.button(key="start").click().run()
        assert not app.exception
        assert any("No run can be made in" in error.value for error in app.error)
