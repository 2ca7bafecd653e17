"""The report: whole in one file, true to the run, careful with faces."""

import csv
import hashlib
import io
import json
import re
import shlex
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import html5lib
import numpy as np
import pandas as pd
import pytest

from fairsal_core.classifiers import ClassifierTraining
from fairsal_core.cli import build_parser, main
from fairsal_core.errors import FairsalError
from fairsal_core.faces import keep_audit
from fairsal_core.files import read_json, write_json
from fairsal_core.metrics import METRICS, words_of
from fairsal_core.reports import (
    Acceptance,
    accuracy_table,
    add_note,
    command_line,
    report_zip,
    save_acceptance,
    write_report,
)
from fairsal_core.results import read_attention, read_predictions, read_results, results_table, wide_results
from fairsal_core.runs import Run, seal_run
from fairsal_core.settings import ExperimentConfig, parse_config, variant_title
from tests.helpers import register
from tests.metrics.foreign import FOREIGN
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
    assert all(reference.startswith(("data:image/", "#")) for reference in references(text))
    assert "url(" not in text
    assert "@import" not in text
    assert "looked at it" in text


def test_its_numbers_are_those_of_the_parquet(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    written = write_report(run, tmp_path / "out", faces=False)
    table = tables_of(written.html.read_text())["Accuracy, gap and the cells, with 95% intervals"]
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
    assert "Original → General mask, top 30%" in within


def test_faces_that_are_gone_leave_a_sentence(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(data=str(tmp_path / "gone"))
    text = write_report(run, tmp_path / "out", faces=True).html.read_text()
    assert "could not be loaded" in text


def test_thresholds_notes_and_versions_are_in_it(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    save_acceptance(run.path, Acceptance(limits={"gap": 0.33}))
    write_json(run.path / "versions.json", {"fairsal": "9.9.9"})
    seal_run(run.path)
    text = write_report(run, tmp_path / "out", faces=False).html.read_text()
    assert "limit 0.33" in text
    assert "worst cell (men" not in text
    assert "fairsal 9.9.9 (of the run)" in text
    assert command_line(parse_config(dict(run.config))) in text


def test_plain_names_stand_where_a_person_reads(make_run: MakeRun, tmp_path: Path) -> None:
    text = write_report(make_run(), tmp_path / "out", faces=False).html.read_text()
    for machine in ("code", "pre"):  # what is typed or read by programs
        text = re.sub(rf"<{machine}>.*?</{machine}>", "", text, flags=re.DOTALL)
    assert "General mask, top 30%" in text
    assert re.findall(r"general_mask\S*", text) == []


LOUD = '=1+<script>alert("x")</script> ![p](https://example.org/p.png) | `c` ../../x'


def test_names_of_others_are_no_markup_formula_or_path(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(target="<b>T</b>", confounder="[C](//x)", name=LOUD)
    for name in ("results.parquet", "predictions.parquet"):
        table = pd.read_parquet(run.path / name)
        table.replace({"variant": {"balanced": LOUD}}).to_parquet(run.path / name, index=False)
    seal_run(run.path)
    written = write_report(run, tmp_path / "out", faces=False)
    assert {path.parent for path in written.cards} == {tmp_path / "out" / "model_cards"}
    assert len(written.cards) == 3
    cards = "".join(path.read_text() for path in written.cards)
    assert "<script" not in cards
    assert "<b>" not in cards
    assert "![" not in cards
    assert "[C](" not in cards
    assert "&lt;script>" in cards
    assert "<script" not in written.html.read_text().replace("&lt;script", "")
    for path in written.tables:
        if path.suffix == ".csv":
            with path.open(newline="") as stream:
                cells = [cell for row in csv.reader(stream) for cell in row]
            formulas = [cell for cell in cells if cell[:1] in "=+-@" and cell and not _is_number(cell)]
            assert formulas == [], path.name


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def test_mitigation_methods_say_what_they_need_and_how_they_were_set(make_run: MakeRun, tmp_path: Path) -> None:
    from fairsal_core.mitigation import METHODS
    from fairsal_core.reports.tables import mitigation_table
    from fairsal_core.settings import parse_config

    names = ["jtt:lambdas=50.0", "rwg", "dfr"]
    table = mitigation_table(parse_config({"mitigation": names})).set_index("variant")
    assert list(table.index) == names
    assert table.loc["jtt:lambdas=50.0", "needs"] == "target labels only"
    assert table.loc["rwg", "learns from"] == "training faces and mitigation split"
    assert "draws 10" in table.loc["dfr", "settings"]
    assert list(table["what it does"]) == [METHODS[name].description for name in ("jtt", "rwg", "dfr")]
    assert mitigation_table(parse_config({})).empty


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
    seal_run(run.path)
    save_acceptance(run.path, Acceptance(limits={"rrf": 0.3}))
    text = write_report(run, tmp_path / "out", faces=False).html.read_text()
    html5lib.HTMLParser(strict=True).parse(text)
    measured = tables_of(text)["Relevance metrics, with 95% intervals over faces"].set_index("variant")
    assert (
        measured["share of attention in the region (RRF)"].str.replace("\n", " ").str.split().str.join(" ")["Balanced"]
        == "0.200 [0.150, 0.250]"
    )
    assert measured["fall of attention in the region (ADR)"]["Original"] == "–"
    assert (
        "a rank correlation of 0.41 [0.38, 0.44] (Spearman&#39;s, of magnitudes; mean and 95% interval over 32 faces)"
        in text
    )
    assert measured["test that attention in the region fell (RDDT)"]["Balanced"] == "p = 1e-06, effect +0.80"
    verdicts = tables_of(text)["Every variant against the thresholds of this review"].set_index("variant")["verdict"]
    assert set(verdicts["Original"]) == {"✗ fail"}
    assert set(verdicts["Balanced"]) == {"✓ pass"}
    assert set(verdicts["General mask, top 30%"]) == {"– not measured"}


def test_how_good_the_region_map_is_stands_below_the_numbers(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    rows = [("lrp", "region_map@0.7", "original", pd.NA, "rrf", "all", 0.5, 0.45, 0.55, 40, 0, None, None)]
    table = pd.DataFrame(rows, columns=[*read_attention(run.path).columns])
    table.astype({"seed": "Int64", "p_value": float}).to_parquet(run.path / "attention.parquet", index=False)
    np.save(run.path / "mean_map.npy", np.zeros((49, 49), dtype=np.float32))
    known = {"auc": 0.93, "auc_low": 0.9, "auc_high": 0.95, "bits": 0.4, "bits_low": 0.3, "bits_high": 0.5}
    for auc, sentence in (
        ({}, "tells Blond_Hair with an AUC of 0.93 [0.90, 0.95] (chance: 0.5), 0.40 bits [0.30, 0.50]."),
        ({"auc": 0.6, "auc_low": 0.48}, "the map shows no place of Blond_Hair, and nothing is measured against it"),
    ):
        content = {"attribute": "Blond_Hair", **known, **auc, "faces": 200, "rarest": 30}
        write_json(run.path / "region_quality.json", content)
        seal_run(run.path)
        text = write_report(run, tmp_path / "out", faces=False).html.read_text()
        html5lib.HTMLParser(strict=True).parse(text)
        assert sentence in text
        assert "2 seeds were trained: this is about these networks" in text


def test_changes_stand_in_one_row_a_variant(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    written = write_report(run, tmp_path / "out", faces=False)
    (shown,) = [table for caption, table in tables_of(written.html.read_text()).items() if caption.startswith("Change")]
    changes = pd.read_csv(next(path for path in written.tables if path.name == "changes.csv"), keep_default_na=False)
    assert len(shown) == len(changes[["variant", "evaluation", "treated_by"]].drop_duplicates())
    for row in changes.itertuples():
        faces = f"{row.evaluation} by {variant_title(row.treated_by)}" if row.treated_by else row.evaluation
        mine = shown[(shown["variant"] == variant_title(row.variant)) & (shown["test faces"] == faces)]
        column = f"|{row.group}|" if row.metric == "gap" else row.group
        assert mine[column].item().startswith(f"{row.change:+.2f}\n[{row.change_low:.2f},")


RELEVANCE = "Relevance metrics, with 95% intervals over faces"
FAIRNESS = "Worst cell and fairness differences between groups of the confounder, with 95% intervals"
VERDICTS = "Every variant against the thresholds of this review"


def measure_foreign_metrics(run: Run) -> None:
    """Write what the registered metrics say into a run's results, and foreign ones' summaries beside a RRF."""
    results_table(read_predictions(run.path), "Male", "Blond_Hair").to_parquet(
        run.path / "results.parquet", index=False
    )
    rows = [
        ("lrp", "parts", "original", pd.NA, "rrf", "all", 0.5, 0.45, 0.55, 40, 0, None, None),
        ("lrp", "parts", "original", pd.NA, "peak_inside", "all", 0.7, 0.65, 0.75, 40, 0, None, None),
        ("lrp", "parts", "original", pd.NA, "peak", "all", 3.0, 2.0, 4.0, 40, 0, None, None),
        ("lrp", "parts", "balanced", pd.NA, "mean_fall", "all", 0.1, 0.05, 0.15, 40, 0, None, None),
        ("lrp", "parts", "balanced", pd.NA, "fall_test", "all", 0.8, None, None, 40, 0, 1e-6, True),
        ("lrp", "parts", "balanced", pd.NA, "det", "all", 0.2, None, None, 40, 0, 0.2, False),
    ]
    table = pd.DataFrame(rows, columns=[*read_attention(run.path).columns]).astype({"seed": "Int64"})
    table.to_parquet(run.path / "attention.parquet", index=False)
    seal_run(run.path)
    save_acceptance(run.path, Acceptance(limits={"false_alarms": 0.2, "peak_inside": 0.9}))


def test_foreign_metrics_are_reported(make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run()
    register(monkeypatch, METRICS, *FOREIGN)
    measure_foreign_metrics(run)
    written = write_report(run, tmp_path / "out", faces=False)
    text = written.html.read_text()
    html5lib.HTMLParser(strict=True).parse(text)
    assert "RRF, HRF, MRR and peak inside fall, ADR, DIF, mean fall, RDDT and fall test rise, when" in text
    relevance = tables_of(text)[RELEVANCE].set_index("variant")
    assert [*relevance.columns] == [
        *["explainer", "region of interest", words_of("rrf"), "peak inside", "n", "mean fall", "fall test"],
    ]
    assert relevance["peak inside"]["Original"].split() == ["0.700", "[0.650,", "0.750]"]
    assert relevance["fall test"]["Balanced"] == "p = 1e-06, effect +0.80"
    fairness = tables_of(text)[FAIRNESS]
    assert [*fairness.columns][2:] == [
        *["worst cell", "demographic parity difference", "equal opportunity difference", "equalized odds difference"],
        *["impact ratio", "false alarms (women)"],
    ]
    stored = read_results(run.path)
    pooled = stored[stored["seed"].isna() & stored["metric"].eq("false_alarms")]
    assert [cell.split()[0] for cell in fairness["false alarms (women)"]] == [
        f"{value:.2f}" for value in pooled["value"]
    ]
    verdicts = tables_of(text)[VERDICTS]
    assert verdicts["criteria"].str.contains("peak inside").all()
    assert verdicts["criteria"].str.contains(r"false alarms 0\.\d\d .*, limit 0\.2").all()
    by_name = {path.name: path.read_text() for path in written.tables}
    assert "peak inside" in by_name["attention.csv"]
    assert "false alarms (women)" in by_name["fairness.tex"]
    assert "false_alarms" in by_name["all_results.csv"]


def test_what_is_no_longer_installed_is_reported_under_its_own_name(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run()
    with monkeypatch.context() as patch:
        register(patch, METRICS, *FOREIGN)
        measure_foreign_metrics(run)
    text = write_report(run, tmp_path / "out", faces=False).html.read_text()
    assert "RRF, HRF and MRR fall, ADR, DIF and RDDT rise, when" in text
    assert [*tables_of(text)[RELEVANCE].columns] == [
        *["explainer", "variant", "region of interest", words_of("rrf"), "peak_inside", "n", "mean_fall", "fall_test"],
    ]
    assert [*tables_of(text)[FAIRNESS].columns][-1] == "false_alarms (women)"
    verdicts = tables_of(text)[VERDICTS]
    assert set(verdicts["verdict"]) == {"– not measured"}
    assert verdicts["criteria"].str.contains("– false_alarms, limit 0.2: not measured").all()


def test_the_data_card_says_how_the_faces_were_read_and_what_an_audit_found(make_run: MakeRun, tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    run = make_run(data=str(folder))
    subsets = read_json(run.path / "subsets.json")
    write_json(run.path / "subsets.json", {**subsets, "notes": ["No split is given."], "without_label": 1234})
    seal_run(run.path)
    write_report(run, tmp_path / "before", faces=False)
    before = (tmp_path / "before" / "report.html").read_text(encoding="utf-8")
    assert "No split is given." in before
    assert "1,234 faces without a label of target or confounder are left out." in before
    assert "None was made" in before
    about = {
        "faces": 40,
        "unreadable": {"count": 1},
        "duplicates": {"exact": 2, "near": 3},
        "leaks": {"pictures": {"count": 4}, "identities": {"count": 5}},
        "disagreements": {"by_attribute": {"Male": 6}},
        "missing": {"Male": 7},
        "frame": {
            "looked_at": 10,
            "of": 40,
            "no_face": {"count": 1, "low": 0.018, "high": 0.404},
            "elsewhere": {"count": 0, "low": 0.0, "high": 0.278},
            "pixels_away": 12.0,
            "squeezed": False,
        },
        "groups": [{"Male": "yes", "train": 10, "val": 3, "test": 2}],
        "target": "Male",
        "correlations": [{"attribute": "Smiling", "measure": "phi", "value": -0.5, "faces": 40}],
    }
    keep_audit(folder, about)
    write_report(run, tmp_path / "after", faces=False)
    after = (tmp_path / "after" / "report.html").read_text(encoding="utf-8")
    assert (
        "unreadable pictures 1, groups of equal pictures 2, of nearly equal ones 3, pictures in two splits 4" in after
    )
    assert "persons in two splits 5, contradicting labels of one picture 6, missing labels 7" in after
    assert (
        "In 10 of 40 pictures, drawn at random, a face was looked for: none was found in 1 (10.0%, 95% interval"
        in after
    )
    assert "Faces of each group in train, val, test: Male yes 10 / 3 / 2." in after
    assert "Goes with Male most: Smiling φ = -0.50." in after
    write_json(run.path / "data_audit.json", {**about, "made": "2026-11-29", "faces": 24})
    seal_run(run.path)
    write_report(run, tmp_path / "both", faces=False)
    both = (tmp_path / "both" / "report.html").read_text(encoding="utf-8")
    assert "<dt>Data audit of the faces read</dt><dd>Of 24 faces on 2026-11-29: unreadable pictures 1" in both
    assert "<dt>Data audit of the whole set</dt><dd>Of 40 faces" in both
    write_json(run.path / "data_audit.json", ["anyone's"])
    seal_run(run.path)
    write_report(run, tmp_path / "foreign", faces=False)
    assert "What the run says of it cannot be read." in (tmp_path / "foreign" / "report.html").read_text(
        encoding="utf-8"
    )


def test_groups_of_the_readers_choice_are_in_the_report_and_its_twin(
    make_run: MakeRun, drawn_folder: Path, tmp_path: Path
) -> None:
    run = make_run(data=str(drawn_folder))
    assert main(["report", run.id, "--groups", "Bangs", "Smiling", "--no-faces", "--out", str(tmp_path)]) == 0
    html = (tmp_path / "report.html").read_text()
    html5lib.HTMLParser(strict=True).parse(html)
    assert "Original, seeds 0, 1</h3>" in html and "Change from Original with its 95% interval" in html
    assert "groups of Bangs and Smiling, were looked at" in html
    twin = json.loads((tmp_path / "report.json").read_text())
    original, balanced, _ = twin["groups"]
    assert original["variant"] == "original" and original["changes"] == []
    assert (balanced["reference"], balanced["protected"]) == ("original", ["Bangs", "Smiling"])
    assert sum(original["sizes"].values()) == 120 and len(original["cells"]) == 8
    worst = min((cell for cell in original["cells"] if cell["counted"]), key=lambda cell: cell["value"])
    assert f"Worst: {worst['group']}, right in {worst['value']:.2f}" in html
    (first, *_) = twin["verdicts"]
    by_group = {
        one["criterion"].partition(" (")[0]: one
        for one in first["criteria"]
        if "by Bangs and Smiling" in one["criterion"]
    }
    assert set(by_group) == {"worst cell by Bangs and Smiling"}  # nothing is demanded of the impact ratio
    assert by_group["worst cell by Bangs and Smiling"]["value"] == pytest.approx(worst["value"])
    assert len(pd.read_csv(tmp_path / "tables" / "groups.csv")) == 3 * 4 * 6
    assert len(pd.read_csv(tmp_path / "tables" / "group_changes.csv")) == 2 * 4 * 5
    before = json.loads(write_report(run, tmp_path / "without", faces=False).twin.read_text())
    assert before["groups"] == []


def test_the_confounders_groups_need_no_faces(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(data=str(tmp_path / "gone"))
    written = write_report(run, tmp_path / "out", faces=False, protected=["Blond_Hair"])
    assert "men with Blond_Hair" in json.dumps(json.loads(written.twin.read_text())["groups"])
