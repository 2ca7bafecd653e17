"""A scan in the report of a run: kept beside it, and not part of what the run's manifest covers."""

import json
import re

import numpy as np
import pandas as pd

from fairsal_core.reports import write_report
from fairsal_core.runs import Run, RunFiles, check_run
from fairsal_core.scan import (
    DIFFERS,
    Judged,
    KeptGroups,
    KeptScan,
    forget_scan,
    groups_of,
    keep_groups,
    keep_scan,
    kept_groups,
    kept_scan,
    scan,
)
from tests.helpers import faces_in_memory
from tests.reports.conftest import MakeRun as MakeReported
from tests.reports.conftest import make_run as make_reported_run
from tests.scan.test_errors import drawn

__all__ = ["make_reported_run"]


def kept(cohort: str = "") -> KeptScan:
    scores, target, attributes = drawn()
    judged = Judged("original, seed 0", "Male", pd.Index(map(str, range(len(target)))), (scores > 0.5) * 1.0, target)
    return KeptScan.of(judged, scan(scores, target, attributes.rename(columns={"planted": "<b>planted"})), cohort)


def test_the_report_shows_it_letter_by_letter(make_reported_run: MakeReported) -> None:
    run: Run = make_reported_run()
    assert "Scan of all attributes" not in write_report(run, run.path / "report", faces=False).html.read_text()
    keep_scan(run.path, kept("<i>some</i>"))
    check_run(run.path)
    html = write_report(run, run.path / "report", faces=False).html.read_text()
    assert "Scan of all attributes" in html and "&lt;b&gt;planted" in html and "&lt;i&gt;some" in html
    assert "<b>planted" not in html
    forget_scan(run.path)
    assert kept_scan(run.path) is None


def test_what_is_kept_comes_back(make_reported_run: MakeReported) -> None:
    run: Run = make_reported_run()
    keep_scan(run.path, kept())
    found = kept_scan(run.path)
    assert found is not None and found.table["verdict"][0] == DIFFERS
    assert found.looked_at == len(found.table)
    RunFiles(run.path).scan.write_text(json.dumps({"rows": 3}))
    assert kept_scan(run.path) is None


def test_groups_of_any_number_are_a_section_with_a_chart_of_each_rate(make_reported_run: MakeReported) -> None:
    run: Run = make_reported_run()
    generator = np.random.default_rng(0)
    faces = faces_in_memory({"Male": generator.random(800) < 0.5, "Young": generator.random(800) < 0.5})
    race = pd.Categorical(generator.choice(["<a>", "b", "c", "d", "e"], 800))
    race[:3] = None
    faces.attributes["race"] = race
    judged = Judged("<i>one", "Male", faces.names, (generator.random(800) < 0.5) * 1.0, faces.labels("Male"))
    groups = groups_of(judged, faces, ["race", "Young"])
    keep_groups(run.path, [KeptGroups.of(judged, groups, ["race", "Young"])])
    check_run(run.path)
    (kept_one,) = kept_groups(run.path)
    pd.testing.assert_frame_equal(kept_one.table, groups.table, check_dtype=False)
    written = write_report(run, run.path / "report", faces=False)
    html = written.html.read_text()
    assert "Rates by group" in html and "race=&lt;a&gt;, Young" in html and "<i>one" not in html
    charts = re.findall(r'aria-label="(\w[^"]*) by group".*?</svg>', html, re.DOTALL)
    assert len(charts) == 6 and "true positive rate" in charts
    assert html.count("race=b, not Young") == 6 * 2 + 1  # a row and its tooltip in each chart, and the table
    assert kept_one.left_out_note in html and "race unknown" in kept_one.left_out_note
    stored = pd.read_csv(next(path for path in written.tables if path.name == "groups.csv"))
    assert len(stored) == len(groups.table)
    RunFiles(run.path).groups.write_text("{}")
    assert kept_groups(run.path) == []
