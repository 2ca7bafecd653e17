"""The table of methods head to head says of a run what its results say."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.methods import Tables, rows_of, table_of
from tests.reports.conftest import SKILL, MakeRun, make_run  # noqa: F401


def test_a_runs_methods_are_tabulated_as_its_results_have_them(make_run: MakeRun) -> None:  # noqa: F811
    run = make_run()
    rows, cells = rows_of(Tables.of_run(run.id))
    table = table_of(rows, cells, "original").set_index("method")
    results = pd.read_parquet(run.path / "results.parquet")
    told = results[results["seed"].isna() & (results["evaluation"] == "clean") & (results["metric"] == "accuracy")]
    assert list(table.index) == list(SKILL)
    for method in SKILL:
        own = told[told["variant"] == method].set_index("group")
        four = own[own.index.str.contains("with")]
        assert len(four) == 4
        numbers = {name: float(table.loc[method, name].split()[0]) for name in ("average", "worst group")}
        assert numbers["average"] == pytest.approx(four["value"].mean(), abs=0.005)
        assert numbers["worst group"] == pytest.approx(four["value"].min(), abs=0.005)
    assert table.loc["original", "worst group, change"] == ""
    assert str(table.loc["balanced", "worst group, change"]).startswith("+0.")


def test_seeds_that_were_kept_apart_are_tabulated_together(make_run: MakeRun, tmp_path: Path) -> None:  # noqa: F811
    whole = Tables.of_run(make_run(seeds=(0, 1, 2)).id)
    for seeds in ([2], [0, 1], [2]):  # the third time in the place of the first
        some = Tables(*(table[table["seed"].isin(seeds)] if len(table) else table for table in whole))
        some.keep(tmp_path)
    together = Tables.kept(tmp_path)
    for kept, table in zip(together, whole, strict=True):
        assert len(kept) == len(table)
    told, expected = (table_of(*rows_of(tables), "original") for tables in (together, whole))
    pd.testing.assert_frame_equal(told, expected)


def test_of_a_schemes_quantiles_the_best_on_validation_faces_is_shown(make_run: MakeRun) -> None:  # noqa: F811
    """Never the best on test faces: which of the two that is must not matter."""
    run = make_run(schemes=["general_mask@0.7", "general_mask@0.9"])
    clean = pd.read_parquet(run.path / "predictions.parquet")
    mask = clean["variant"] == "general_mask@0.7"
    # On the test faces 0.9 is always right; on the validation faces 0.7 is.
    right = clean[mask].assign(variant="general_mask@0.9", score=lambda rows: rows["target"] * 0.8 + 0.1)
    pd.concat([clean, right]).to_parquet(run.path / "predictions.parquet", index=False)
    swapped = {"general_mask@0.7": "general_mask@0.9", "general_mask@0.9": "general_mask@0.7"}
    pd.concat([clean, right]).replace({"variant": swapped}).to_parquet(run.path / "validation.parquet", index=False)
    (run.path / "manifest.json").unlink()
    rows, _ = rows_of(Tables.of_run(run.id))
    assert list(rows) == ["original", "balanced", "general_mask@0.7"]
