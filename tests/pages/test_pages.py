"""The logic of the pages, without a browser."""

import io
import os
import time
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from fairsal_core.experiments import (
    TERMINAL,
    Event,
    ExperimentConfig,
    SweepConfig,
    Trial,
    cancel,
    list_runs,
    parse_config,
    plan_trials,
)
from fairsal_core.experiments.attention_settings import AttentionSettings
from fairsal_core.experiments.store import append_event, create_run, end_run
from fairsal_core.faces import FaceDataset
from fairsal_core.files import write_json
from fairsal_core.reports import read_notes
from tests.pages.conftest import APP, TINY, FinishRun, OpenPage, texts


def test_the_start_page_offers_three_ways_in(open_page: OpenPage) -> None:
    app = open_page("start")
    assert "right reasons" in app.title[0].value
    assert [way.value for way in app.subheader][:3] == [
        "See where an attribute lives",
        "Hide it and retrain",
        "Did attention move?",
    ]
    assert "No run yet" in texts(app)


def test_no_page_promises_an_unbiased_model(open_page: OpenPage) -> None:
    for page in ("start", "attribution", "training", "comparison", "methods"):
        shown = texts(open_page(page)).lower()
        assert not [word for word in ("debiased", "unbiased", "fair model") if word in shown], page


@pytest.mark.parametrize("page", ["start", "attribution", "training"])
def test_every_page_with_faces_says_whose_labels_these_are(open_page: OpenPage, page: str) -> None:
    assert texts(open_page(page)).count("Labels are") == 1


class TestAttribution:
    def test_a_face_shows_its_vote_and_four_schemes(self, open_page: OpenPage) -> None:
        app = open_page("attribution")
        shown = texts(app)
        assert "All patches together say" in shown
        for scheme in ("general_mask", "specific_mask", "general_noise", "specific_noise"):
            assert f"**{scheme}**" in shown
        assert "30% of the pixels changed" in shown

    def test_the_quantile_changes_how_much_is_hidden(self, open_page: OpenPage) -> None:
        app = open_page("attribution")
        app.slider(key="quantile").set_value(0.9).run()
        assert "10% of the pixels changed" in texts(app)

    def test_a_link_reproduces_attribute_and_quantile(self, open_page: OpenPage) -> None:
        app = open_page("attribution", attribute="Eyeglasses", quantile="0.8")
        assert app.selectbox(key="attribute").value == "Eyeglasses"
        assert app.slider(key="quantile").value == 0.8

    def test_an_uploaded_portrait_is_mapped(self, open_page: OpenPage) -> None:
        buffer = io.BytesIO()
        Image.new("RGB", (300, 400), "tan").save(buffer, "PNG")
        app = self.upload(open_page, "me.png", buffer.getvalue())
        assert "**me.png**" in texts(app)
        assert "trained on drawn faces" in texts(app)

    def test_a_truncated_upload_is_one_sentence(self, open_page: OpenPage) -> None:
        buffer = io.BytesIO()
        Image.effect_noise((300, 400), 60).convert("RGB").save(buffer, "JPEG")
        app = self.upload(open_page, "cut.jpg", buffer.getvalue()[:2000])
        assert len(app.error) == 1
        assert app.error[0].value.startswith("cut.jpg does not decode")
        assert "Mean map" in texts(app)

    def test_an_upload_can_be_cropped(self, open_page: OpenPage) -> None:
        buffer = io.BytesIO()
        Image.effect_noise((400, 218), 60).convert("RGB").save(buffer, "PNG")
        app = self.upload(open_page, "wide.png", buffer.getvalue())
        assert "x 111 to 289, y 0 to 218 of 400 × 218 pixels." in texts(app)
        app.slider(key="zoom_1").set_value(2.0)
        app.slider(key="across_1").set_value(0.0).run()
        assert "x 0 to 89, y 54 to 163" in texts(app)

    def test_a_link_reproduces_a_crop(self, open_page: OpenPage) -> None:
        app = open_page("attribution", origin="Upload", zoom_1="2", across_1="0", mean_over="what is no more")
        buffer = io.BytesIO()
        Image.effect_noise((400, 218), 60).convert("RGB").save(buffer, "PNG")
        app.file_uploader(key="upload").set_value(("wide.png", buffer.getvalue(), "image/png")).run()
        assert "x 0 to 89, y 54 to 163" in texts(app)
        assert app.selectbox(key="mean_over").value == "24 held-out faces"

    def test_several_faces_share_one_scale_or_have_their_own(self, open_page: OpenPage) -> None:
        app = open_page("attribution", face="3", shown="3")
        assert texts(app).count("All patches together say") == 3
        assert app.number_input(key="face").value == 3
        app.segmented_control(key="scale").set_value("each its own").run()
        assert not app.exception

    def test_a_link_opens_a_patch(self, open_page: OpenPage) -> None:
        app = open_page("attribution", patch="100")
        assert app.number_input(key="patch").value == 100
        assert "**Patch 100** · row 2, column 2 · x 4 to 35, y 4 to 35 of 128" in texts(app)
        app.number_input(key="patch").set_value(2400).run()
        assert "x 96 to 127, y 96 to 127" in texts(app)

    def test_two_classes_have_a_difference(self, open_page: OpenPage) -> None:
        app = open_page("attribution", attribute="Eyeglasses", first_mean="Eyeglasses", second_mean="not Eyeglasses")
        assert "**Difference**, Eyeglasses less not Eyeglasses" in texts(app)
        assert "of the pixels differ by more than 1.96" in texts(app)

    def test_what_a_whole_split_takes_is_said_and_it_is_a_run(self, open_page: OpenPage) -> None:
        app = open_page("attribution", attribute="Eyeglasses")
        assert "24 faces with Eyeglasses: about **" in texts(app)
        app.button(key="start_maps").click().run()
        runs = list_runs()
        assert [run.kind for run in runs] == ["attribution"]
        assert runs[0].config["split"] == "test"
        assert runs[0].id in app.query_params["job"]
        cancel(runs[0].path)

    def test_training_a_region_classifier_is_a_run(self, open_page: OpenPage) -> None:
        app = open_page("attribution")
        app.selectbox(key="region_attribute").set_value("Smiling")
        app.selectbox(key="region_preset").set_value("paper").run()
        app.number_input(key="region_images_paper").set_value(100)
        app.button(key="start_regions").click().run()
        run = list_runs()[0]
        assert (run.kind, run.config["attribute"]) == ("regions", "Smiling")
        training = run.config["training"]
        assert (training["network"], training["images"], training["schedule"]) == ("resnet18", 100, "steps")
        cancel(run.path)

    @staticmethod
    def upload(open_page: OpenPage, name: str, content: bytes) -> AppTest:
        app = open_page("attribution")
        app.segmented_control(key="origin").set_value("Upload").run()
        app.file_uploader(key="upload").set_value([(name, content, "image/png")]).run()
        assert not app.exception
        return app


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
        assert app.number_input(key="learning_rate").value == 1e-5
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
        assert "3 variants × 1 seed. How long that takes is known after a first run" in texts(app)

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
        assert [option.content for option in options] == ["general_noise@0.6,p=0.5", "general_noise@0.8,p=0.5"]

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

        monkeypatch.setattr("pages.components.begin.start", start)
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

        monkeypatch.setattr("pages.components.begin.start", start)
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


class TestComparison:
    def test_without_runs_it_says_what_to_do(self, open_page: OpenPage) -> None:
        app = open_page("comparison")
        assert "No run has finished yet" in app.info[0].value

    def test_a_finished_run_shows_every_variant_clean_and_treated(
        self, open_page: OpenPage, finish_run: FinishRun
    ) -> None:
        app = open_page("comparison", run=finish_run().name)
        summary = app.dataframe[0].value
        assert set(zip(summary["variant"], summary["test faces"], strict=True)) == {
            (variant, evaluation)
            for variant in ("original", "balanced", "general_mask@0.7")
            for evaluation in ("clean", "treated")
        }
        assert [column for column in summary.columns[3:] if not column.startswith("Δ")] == [
            "accuracy",
            "men",
            "women",
            "gap (women - men)",
            "worst cell",
        ]
        app.segmented_control(key="evaluation").set_value("clean").run()
        assert set(app.dataframe[0].value["test faces"]) == {"clean"}
        assert "Fewer than 100 test faces" in texts(app)

    def test_an_unknown_run_is_said_and_another_shown(self, open_page: OpenPage, finish_run: FinishRun) -> None:
        finish_run(schemes=[], balanced=False)
        app = open_page("comparison", run="20200101-000000-gone-0000")
        assert "There is no finished run" in app.warning[0].value
        assert set(app.dataframe[0].value["variant"]) == {"original"}
        assert any("only the reference on the desk" in info.value for info in app.info)
