"""The report: whole in one file, true to the run, careful with faces."""

import hashlib
import io
import json
import re
import shlex
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import html5lib
import pandas as pd
import pytest

from fairsal_core.classifiers import ClassifierTraining
from fairsal_core.cli import build_parser, main
from fairsal_core.errors import FairsalError
from fairsal_core.experiments import ExperimentConfig, parse_config, read_attention, read_results, wide_results
from fairsal_core.files import write_json
from fairsal_core.reports import (
    Acceptance,
    accuracy_table,
    add_note,
    command_line,
    report_zip,
    save_acceptance,
    write_report,
)
from tests.reports.conftest import MakeRun


class References(HTMLParser):
    """Collects whatever a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base")
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "poster", "data")]


def references(text: str) -> list[str]:
    parser = References()
    parser.feed(text)
    return parser.found


def tables_of(text: str) -> dict[str, pd.DataFrame]:
    """The tables of a page by caption, every cell as text."""
    page = html5lib.parse(text, namespaceHTMLElements=False)
    found = {}
    for table in page.iter("table"):
        head, *rows = [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")]
        found["".join(table.find("caption").itertext())] = pd.DataFrame(rows, columns=head)
    return found


def test_it_is_valid_and_whole(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(name="Audit <script>alert(1)</script> & more")
    add_note(run.path, "<img src=http://example.org/x.png> looked at it", "A & B")
    written = write_report(run, tmp_path / "out", faces=False)
    text = written.html.read_text()
    html5lib.HTMLParser(strict=True).parse(text)
    assert all(reference.startswith("data:image/") for reference in references(text))
    assert "url(" not in text
    assert "@import" not in text
    assert "looked at it" in text


def test_its_numbers_are_those_of_the_parquet(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    written = write_report(run, tmp_path / "out", faces=False)
    table = tables_of(written.html.read_text())["Accuracy, gap and the four cells, with 95% intervals"]
    value = wide_results(read_results(run.path))
    assert len(table) == len(value) == 6
    for group in value.columns[3:]:
        seen = table[group].str.extract(r"^([+-]?[\d.]+)")[0].astype(float)
        assert seen.tolist() == [float(f"{number:.2f}") for number in value[group]]


def test_csv_holds_every_result_and_latex_compiles_in_form(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    written = write_report(run, tmp_path / "out", faces=False)
    by_name = {path.name: path for path in written.tables}
    every = pd.read_csv(by_name["all_results.csv"])
    pd.testing.assert_frame_equal(
        every[["value", "low", "high"]], read_results(run.path)[["value", "low", "high"]].reset_index(drop=True)
    )
    latex = by_name["accuracy.tex"].read_text()
    assert latex.count("\\begin{") == latex.count("\\end{")
    assert "\\toprule" in latex
    assert "men with Blond\\_Hair" in latex
    assert not re.search(r"(?<!\\)_", latex.split("\\label")[1].split("}", 1)[1])


def test_faces_that_may_be_real_are_shown_only_on_request(
    make_run: MakeRun, drawn_folder: Path, tmp_path: Path
) -> None:
    run = make_run(data=str(drawn_folder))
    without = write_report(run, tmp_path / "without").html.read_text()
    assert "Faces are left out" in without
    assert "image/jpeg" not in without
    within = write_report(run, tmp_path / "with", faces=True).html.read_text()
    html5lib.HTMLParser(strict=True).parse(within)
    assert within.count("image/jpeg") == 16  # eight for each of two variants
    assert "original → general_mask@0.7" in within


def test_faces_that_are_gone_leave_a_sentence(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(data=str(tmp_path / "gone"))
    text = write_report(run, tmp_path / "out", faces=True).html.read_text()
    assert "could not be loaded" in text


def test_thresholds_notes_and_versions_are_in_it(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    save_acceptance(run.path, Acceptance(gap_at_most=0.33, worst_cell_at_least=None))
    write_json(run.path / "versions.json", {"fairsal": "9.9.9"})
    text = write_report(run, tmp_path / "out", faces=False).html.read_text()
    assert "limit 0.33" in text
    assert "worst cell (men" not in text
    assert "fairsal 9.9.9 (of the run)" in text
    assert command_line(parse_config(dict(run.config))) in text


def test_a_model_card_names_its_file_and_checksum(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    cards = {path.stem: path.read_text() for path in write_report(run, tmp_path / "out", faces=False).cards}
    assert set(cards) == {"original", "balanced", "general_mask@0.7"}
    assert "original-seed1.safetensors" in cards["original"]
    assert hashlib.sha256(b"weights").hexdigest() in cards["original"]
    assert "none in the run's directory" in cards["balanced"]


def test_the_zip_holds_all_of_it(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    names = zipfile.ZipFile(io.BytesIO(report_zip(run, tmp_path / "scratch", faces=False))).namelist()
    assert f"{run.id}/report.html" in names
    assert f"{run.id}/tables/accuracy.tex" in names
    assert f"{run.id}/model_cards/original.md" in names


def test_only_a_finished_run_has_one(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    write_json(run.path / "status.json", {"state": "failed", "error": "no"})
    with pytest.raises(FairsalError, match="finished"):
        write_report(
            type(run)(**{**run.__dict__, "status": run.status.model_copy(update={"state": "failed"})}), tmp_path
        )


def test_the_command_writes_it(make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run()
    assert main(["report", run.id, "--out", str(tmp_path / "out"), "--no-faces", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert Path(result["report"]).is_file()
    assert len(result["model_cards"]) == 3
    assert main(["report", "20200101-000000-gone-0000"]) == 1
    assert "There is no run" in capsys.readouterr().err


CONFIGS = [
    {},
    {"confounder": "Eyeglasses", "seeds": [0, 1, 2]},
    {"counts": "0,300,200,100", "balanced": False, "schemes": ["general_noise@0.5", "specific_mask@0.65"]},
    {"training": {"epochs": 2, "learning_rate": 1e-5, "precision": "fp32"}, "test_per_cell": 7, "data": "/a b/faces"},
]


@pytest.mark.parametrize("content", CONFIGS)
def test_the_command_line_gives_the_same_experiment(content: dict) -> None:
    config = parse_config(content)
    words = shlex.split(command_line(config))
    options = build_parser().parse_args(words[3:])
    said = {
        model: {
            name: getattr(options, f"setting_{name}")
            for name in model.model_fields
            if hasattr(options, f"setting_{name}")
        }
        for model in (ExperimentConfig, ClassifierTraining)
    }
    assert parse_config({**said[ExperimentConfig], "training": said[ClassifierTraining]}) == config


@pytest.mark.parametrize("content", [{"schemes": []}, {"regions": {"epochs": 1}}])
def test_what_no_option_can_say_is_read_from_the_settings_file(content: dict) -> None:
    assert command_line(parse_config(content)) == "python -m fairsal_core run --config config.json"


def test_the_accuracy_table_is_text_with_intervals(make_run: MakeRun) -> None:
    table = accuracy_table(read_results(make_run().path))
    assert table["women - men"].str.fullmatch(r"[+-]\d\.\d\d \[[+-]\d\.\d\d, [+-]\d\.\d\d\]").all()


def test_measured_attention_is_tabulated_and_judged(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    rows = [
        ("lrp", "parts", "original", pd.NA, "rrf", "all", 0.5, 0.45, 0.55, 40, 0, None, None),
        ("lrp", "parts", "balanced", pd.NA, "rrf", "all", 0.2, 0.15, 0.25, 40, 0, None, None),
        ("lrp", "parts", "balanced", pd.NA, "adr", "all", 0.1, 0.05, 0.15, 40, 0, None, None),
        ("lrp", "parts", "balanced", pd.NA, "rddt", "all", 0.8, None, None, 40, 0, 1e-6, True),
    ]
    table = pd.DataFrame(rows, columns=[*read_attention(run.path).columns]).astype({"seed": "Int64"})
    table.to_parquet(run.path / "attention.parquet", index=False)
    folder = run.path / "attention" / "lrp"
    folder.mkdir(parents=True)
    sanity = {"variant": "original", "seed": 0, "correlation": 0.412, "low": 0.38, "high": 0.44, "n": 32}
    write_json(folder / "about.json", {"explainer": "lrp", "method": "lrp", "sanity": sanity})
    pd.DataFrame({"face": []}).to_parquet(folder / "faces.parquet")
    save_acceptance(run.path, Acceptance(gap_at_most=None, worst_cell_at_least=None, rrf_at_most=0.3))
    text = write_report(run, tmp_path / "out", faces=False).html.read_text()
    html5lib.HTMLParser(strict=True).parse(text)
    measured = tables_of(text)["Relevance metrics, with 95% intervals over faces"].set_index("variant")
    assert measured["RRF"].str.replace("\n", " ").str.split().str.join(" ")["balanced"] == "0.200 [0.150, 0.250]"
    assert measured["ADR"]["original"] == "–"
    assert (
        "a rank correlation of 0.41 [0.38, 0.44] (Spearman&#39;s, of magnitudes; mean and 95% interval over 32 faces)"
        in text
    )
    assert measured["RDDT"]["balanced"] == "p = 1e-06, effect +0.80"
    verdicts = tables_of(text)["Every variant against the thresholds of this review"].set_index("variant")["verdict"]
    assert set(verdicts["original"]) == {"✗ fail"}
    assert set(verdicts["balanced"]) == {"✓ pass"}
    assert set(verdicts["general_mask@0.7"]) == {"– not measured"}


def test_changes_stand_in_one_row_a_variant(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    written = write_report(run, tmp_path / "out", faces=False)
    (shown,) = [table for caption, table in tables_of(written.html.read_text()).items() if caption.startswith("Change")]
    changes = pd.read_csv(next(path for path in written.tables if path.name == "changes.csv"), keep_default_na=False)
    assert len(shown) == len(changes[["variant", "evaluation", "treated_by"]].drop_duplicates())
    for row in changes.itertuples():
        faces = f"{row.evaluation} by {row.treated_by}" if row.treated_by else row.evaluation
        mine = shown[(shown["variant"] == row.variant) & (shown["test faces"] == faces)]
        column = f"|{row.group}|" if row.metric == "gap" else row.group
        assert mine[column].item().startswith(f"{row.change:+.2f}\n[{row.change_low:.2f},")
