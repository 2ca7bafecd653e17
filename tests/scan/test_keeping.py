"""A scan in the report of a run: kept beside it, and not part of what the run's manifest covers."""

import json

import pandas as pd

from fairsal_core.reports import write_report
from fairsal_core.runs import Run, RunFiles, check_run
from fairsal_core.scan import DIFFERS, Judged, KeptScan, forget_scan, keep_scan, kept_scan, scan
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
