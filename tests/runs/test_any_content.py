"""Whatever is in the files of a run, or in settings from elsewhere: a sentence at most, never an exception of another kind."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairsal_core.errors import FairsalError
from fairsal_core.runs import store
from fairsal_core.runs.layout import RunFiles
from fairsal_core.settings import ExperimentConfig, parse_config

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12))
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = list(store.Status.model_fields)


def objects(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(names), JSON, max_size=6)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store.create_run("experiment", {"a": 1}, tmp_path_factory.mktemp("any") / "runs")


@given(status=objects(FIELDS), config=objects(["format", "kind", "config", "created", "name"]))
def test_any_status_and_config(run: Path, status: dict[str, Any], config: dict[str, Any]) -> None:
    RunFiles(run).status.write_text(json.dumps(status))
    RunFiles(run).config.write_text(json.dumps(config))
    (loaded,) = store.list_runs(run.parent)
    assert loaded.status.state in store.TERMINAL
    assert loaded.created.tzinfo is not None
    assert isinstance(loaded.config, dict)


@given(lines=st.lists(objects(["time", "stage", "fraction", "message", "loss"]) | JSON, max_size=5))
def test_any_events(run: Path, lines: list[Any]) -> None:
    RunFiles(run).events.write_text("".join(json.dumps(line) + "\n" for line in lines))
    events, after = store.read_events(run)
    assert len(events) <= len(lines)
    assert after == RunFiles(run).events.stat().st_size


@given(content=st.binary(max_size=200))
def test_any_bytes(run: Path, content: bytes) -> None:
    for name in ("status.json", "config.json", "events.jsonl", "log.txt"):
        (run / name).write_bytes(content)
    store.list_runs(run.parent)
    store.read_events(run)
    store.log_tail(run)


@given(content=objects([*ExperimentConfig.model_fields, "typo"]))
@example({"counts": {"\n": None}})
def test_any_settings(content: dict[str, Any]) -> None:
    try:
        config = parse_config(content)
    except FairsalError as error:
        assert "\n" not in str(error)
        return
    assert parse_config(config.model_dump(mode="json")) == config
