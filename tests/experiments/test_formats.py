"""Run directories of earlier formats still open. A new format adds its directory here; none is ever changed."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from fairsal_core.experiments import (
    list_runs,
    load_run,
    over_all_seeds,
    parse_config,
    read_events,
    read_results,
    results_table,
    wide_results,
)
from fairsal_core.experiments.store import FORMAT
from fairsal_core.experiments.usage import used_by

KEPT = sorted((Path(__file__).parent / "data").iterdir())


@pytest.fixture(params=KEPT, ids=lambda path: path.name)
def run(request: pytest.FixtureRequest, home: Path) -> Path:
    return Path(shutil.copytree(request.param, home / "runs" / request.param.name))


def test_todays_format_is_kept() -> None:
    assert {load_run(path).problem for path in KEPT} == {None}
    assert len(KEPT) >= FORMAT


def test_it_opens(run: Path) -> None:
    (loaded,) = list_runs()
    assert (loaded.path, loaded.problem, loaded.status.state) == (run, None, "finished")
    config = parse_config(dict(loaded.config))
    assert (config.target, config.confounder, config.seeds) == ("Male", "Blond_Hair", (0, 1))
    assert [choice.name for choice in config.schemes] == ["general_mask@0.7"]
    events, _ = read_events(run)
    assert any("loss" in event.numbers for event in events)
    assert used_by(run)


def test_its_results_read_and_follow_from_its_predictions(run: Path) -> None:
    results = read_results(run)
    assert set(wide_results(results)["variant"]) == {"original", "balanced", "general_mask@0.7"}
    again = results_table(pd.read_parquet(run / "predictions.parquet"), "Male", "Blond_Hair")
    keys = ["variant", "evaluation", "treated_by", "metric", "group"]
    kept = over_all_seeds(results).set_index(keys)["value"]
    pd.testing.assert_series_equal(kept, over_all_seeds(again).set_index(keys)["value"].loc[kept.index])
