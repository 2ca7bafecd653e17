"""Run directories of earlier formats still open. A new format adds its directory here; none is ever changed."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from fairsal_core.results import over_all_seeds, read_results, results_table, wide_results
from fairsal_core.runs import list_runs, load_run, read_events
from fairsal_core.runs.store import FORMAT
from fairsal_core.runs.usage import used_by
from fairsal_core.settings import parse_config

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
    now = over_all_seeds(again).set_index(keys)["value"].loc[kept.index]
    # A difference between groups was the mean of its sizes over seeds; now it is the size of its mean, which is at most that.
    sizes = kept.index.get_level_values("metric").str.endswith("_difference")
    pd.testing.assert_series_equal(kept[~sizes], now[~sizes])
    assert (now[sizes] <= kept[sizes] + 1e-9).all()
