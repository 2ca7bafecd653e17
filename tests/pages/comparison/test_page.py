"""The Comparison page, without a browser."""

import pytest

from tests.pages.conftest import FinishRun, OpenPage


class TestComparison:
    def test_without_runs_the_example_says_what_it_is_and_where_others_come_from(
        self, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        app = open_page("comparison")
        assert "the example that ships" in app.info[0].value
        assert "Your own runs" in app.info[0].value
        monkeypatch.setattr("pages.components.comparison.audit.example_run", lambda: None)
        assert "No run has finished yet" in app.run().info[0].value

    def test_a_finished_run_shows_every_variant_clean_and_treated(
        self, open_page: OpenPage, finish_run: FinishRun
    ) -> None:
        app = open_page("comparison", run=finish_run().name, tab="Accuracy")
        summary = app.dataframe[0].value
        assert set(zip(summary["variant"], summary["test faces"], strict=True)) == {
            (variant, faces)
            for variant in ("Original", "Balanced", "General mask, top 30%")
            for faces in ("clean", "under General mask, top 30%")
        }
        assert [column for column in summary.columns[2:] if not column.startswith("Δ")] == [
            "worst cell",
            "gap (women - men)",
            "accuracy",
            "men",
            "women",
            "impact ratio",
        ]
        app.segmented_control(key="evaluation").set_value("clean").run()
        assert set(app.dataframe[0].value["test faces"]) == {"clean"}
        assert any("too few for a verdict" in one.value for one in open_page("comparison").warning)

    def test_an_unknown_run_is_said_and_another_shown(self, open_page: OpenPage, finish_run: FinishRun) -> None:
        finish_run(schemes=[], balanced=False)
        app = open_page("comparison", run="20200101-000000-gone-0000")
        assert "There is no finished run" in app.warning[0].value
        assert any("only the reference here" in info.value for info in app.info)
