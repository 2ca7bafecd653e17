"""The log of a review: what is agreed on is locked, what is decided is never changed, and the report has it all."""

import json
from pathlib import Path

import pytest

from fairsal_core.errors import FairsalError
from fairsal_core.reports import (
    Acceptance,
    Agreed,
    Decided,
    Reopened,
    add_entry,
    in_a_sentence,
    last_review,
    locked_acceptance,
    new_entry,
    read_acceptance,
    read_log,
    save_acceptance,
    since_last_review,
    subject_digest,
    what_would_change,
    write_report,
)
from fairsal_core.results import read_results
from fairsal_core.runs import check_run
from tests.reports.conftest import MakeRun

SAID = {"by": "Ada", "variant": "balanced", "purpose": "a study", "verdict": "pass", "locked": True}


def decided(**changes: object) -> Decided:
    return new_entry(Decided, **{**SAID, "outcome": "accept", "acceptance": Acceptance(), **changes})


def test_locked_thresholds_stay_until_they_are_reopened_with_a_reason(tmp_path: Path) -> None:
    agreed = add_entry(tmp_path, new_entry(Agreed, by="Ada, Bo", acceptance=Acceptance(limits={"gap": 0.05})))
    assert locked_acceptance(tmp_path) == agreed
    with pytest.raises(FairsalError, match="locked"):
        save_acceptance(tmp_path, Acceptance())
    with pytest.raises(FairsalError, match="locked already"):
        add_entry(tmp_path, agreed)
    assert read_acceptance(tmp_path).limits == {"gap": 0.05}
    with pytest.raises(FairsalError, match="why"):
        new_entry(Reopened, by="Ada", why=" ")
    add_entry(tmp_path, new_entry(Reopened, by="Ada", why="a typing error"))
    assert locked_acceptance(tmp_path) is None
    with pytest.raises(FairsalError, match="nothing to reopen"):
        add_entry(tmp_path, new_entry(Reopened, by="Ada", why="again"))
    save_acceptance(tmp_path, Acceptance())
    assert [entry.kind for entry in read_log(tmp_path)] == ["agreed", "reopened"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"by": ""}, "by"),
        ({"purpose": ""}, "purpose"),
        ({"outcome": "perhaps"}, "outcome"),
        ({"outcome": "accept with conditions"}, "Conditions"),
        ({"conditions": "monitor"}, "Conditions"),
    ],
)
def test_a_decision_says_who_what_for_and_under_which_conditions(changes: dict[str, object], said: str) -> None:
    with pytest.raises(FairsalError, match=said):
        decided(**changes)


def test_the_difference_to_the_last_review_is_told(tmp_path: Path) -> None:
    first = add_entry(tmp_path, decided(outcome="more data", verdict="too few images to say", subject="a"))
    (RUN_FILE := tmp_path / "review" / "20260101-000000-junk.json").write_text("{")
    second = decided(acceptance=Acceptance(limits={"gap": 0.2}), subject="b")
    assert last_review(tmp_path, "balanced", "") == first
    said = " ".join(since_last_review(first, second))
    for words in ("'more data'", "gap was 0.1, and is 0.2", "worst_cell was 0.6, and is none", "files are others"):
        assert words in said
    assert since_last_review(first, first) == []
    other = tmp_path.parent / "other"
    (other / "review").mkdir(parents=True)
    assert last_review(other, "elsewhere", "another") is None
    assert RUN_FILE.is_file()


def test_what_would_change_the_verdict_is_how_many_faces_of_which_cell(make_run: MakeRun) -> None:
    results = read_results(make_run(seeds=(0,)).path)
    lacking = what_would_change(results, Acceptance(limits={"worst_cell": 0.8}), "general_mask@0.7")
    assert {one.group for one in lacking} <= {
        f"{who} {has} Blond_Hair" for who in ("men", "women") for has in ("with", "without")
    }
    assert lacking
    for one in lacking:
        assert one.needed is None or one.needed > one.faces == 30
        assert one.group in in_a_sentence(one)
    assert what_would_change(results, Acceptance(limits={"worst_cell": 0.0}), "balanced") == []


def test_the_report_and_its_twin_have_decision_digests_and_crosswalk(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    digest = subject_digest(run.path, "original")
    assert len(digest) == 64
    add_entry(run.path, new_entry(Agreed, by="Ada", acceptance=Acceptance(), before_results=True))
    add_entry(run.path, decided(outcome="reject", dissent="Bo: <too strict>", why="the worst cell"))
    add_entry(run.path, decided(outcome="accept with conditions", conditions="only drawn faces"))
    check_run(run.path)  # the log is beside the results, and no damage to them
    written = write_report(run, tmp_path / "out", faces=False)
    html, twin = written.html.read_text(), json.loads(written.twin.read_text())
    assert html.index("May this be used at all") < html.index("Thresholds and verdicts")
    for words in (
        "accept with conditions",
        "only drawn faces",
        "Bo: &lt;too strict&gt;",
        "Since the last review",
        digest,
    ):
        assert words in html
    assert "before any result was seen" in html
    assert "claims no compliance" in html
    assert "NYC Local Law 144" in html
    assert [entry["kind"] for entry in twin["log"]] == ["agreed", "decided", "decided"]
    assert twin["sha256"]["subjects"]["original"] == digest
    assert len(twin["sha256"]["run"]) == 64
    worst = {item["variant"]: item["verdict"] for item in twin["verdicts"] if item["test_faces"] == "clean"}
    assert worst["original"] == "fail"


def test_nothing_is_logged_with_a_run_that_was_not_made_here(make_run: MakeRun) -> None:
    run = make_run()
    (run.path / "manifest.json").unlink()
    with pytest.raises(FairsalError, match="nothing is added"):
        add_entry(run.path, decided())
    assert read_log(run.path) == []
