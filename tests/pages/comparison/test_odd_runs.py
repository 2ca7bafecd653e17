"""Whatever lies in a stranger's run directory: Comparison says one sentence, and other runs open on the same page."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from fairsal_core.files import read_json, write_json
from fairsal_core.results import attention_table
from fairsal_core.runs import Run, RunFiles
from pages.components.shared import told
from tests.pages.conftest import OpenPage, read, texts
from tests.reports.conftest import MakeRun, make_run  # noqa: F401

pytestmark = [
    pytest.mark.timeout(300),
    # Sums over what is no number, as long as the page says so.
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]


class Odd(NamedTuple):
    """What is done to a run's directory, and words of the sentence that says so; none where the page can do without."""

    name: str
    damage: Callable[[Path], object]
    says: str = ""


def config(**changes: Any) -> Callable[[Path], None]:
    """Change settings; None takes one away."""

    def damage(run: Path) -> None:
        content = read_json(run / "config.json")
        content["config"] = {k: v for k, v in {**content["config"], **changes}.items() if v is not None}
        write_json(run / "config.json", content)

    return damage


def holds(name: str, content: Any) -> Callable[[Path], None]:
    """Have a file hold bytes, or something as JSON."""
    encoded = content if isinstance(content, bytes) else json.dumps(content).encode()
    return lambda run: (run / name).write_bytes(encoded) and None


def subsets(**changes: Any) -> Callable[[Path], None]:
    return lambda run: write_json(run / "subsets.json", {**read_json(run / "subsets.json"), **changes})


def table(name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    return lambda run: change(pd.read_parquet(run / name)).to_parquet(run / name, index=False)


def results(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    return table("results.parquet", change)


def predictions(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    return table("predictions.parquet", change)


def variant_named(name: str) -> Callable[[Path], None]:
    def rename(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.replace({"variant": {"balanced": name}})

    def damage(run: Path) -> None:
        results(rename)(run)
        predictions(rename)(run)

    return damage


def gone(name: str) -> Callable[[Path], None]:
    def damage(run: Path) -> None:
        path = run / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def replaced(name: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    def damage(run: Path) -> None:
        gone(name)(run)
        make(run / name)

    return damage


def huge(path: Path) -> None:
    path.touch()
    os.truncate(path, 2**41)  # a hole: it takes no room


def about(**changes: Any) -> Callable[[Path], None]:
    file = "attention/lrp/about.json"
    return lambda run: write_json(run / file, {**read_json(run / file), **changes})


def saved(name: str, array: Any) -> Callable[[Path], None]:
    return lambda run: np.save(run / name, array)


VIEWS: dict[str, list[tuple[str, str]]] = {
    "Summary": [("summary_view", "The subgroups"), ("summary_view", "The paper's groups and gap")],
    "Accuracy": [("accuracy_view", "All numbers"), ("accuracy_view", "How mitigation ended")],
    "Attention": [
        ("attention_view", view) for view in ("Face by face", "Mean maps", "Numbers", "For the right reasons?")
    ],
    "Faces": [("", "")],
    "Decide": [("decide_view", view) for view in ("Thresholds", "Decision", "Notes", "Report")],
}
FACES = "attention/lrp/faces.parquet"
ODD = [
    Odd("data is a number", config(data=7), "data: Input should be a valid string"),
    Odd("no target", config(target=None), "target: Field required"),
    Odd("the target is a list", config(target=["Male"]), "target: Input should be a valid string"),
    Odd("an empty confounder", config(confounder=""), "confounder: String should have at least 1 character"),
    Odd("seeds are a number", config(seeds=3), "seeds:"),
    Odd("no seeds", config(seeds=[]), "seeds:"),
    Odd("settings of another version", config(temperature=3)),
    Odd("subsets are a list", holds("subsets.json", []), "The training faces"),
    Odd("subsets are empty", holds("subsets.json", b""), "cannot be compared"),
    Odd("subsets are a pipe", replaced("subsets.json", os.mkfifo), "no regular file"),
    Odd("subsets are huge", replaced("subsets.json", huge), "far too long"),
    Odd("subsets are gone", gone("subsets.json"), "subsets.json"),
    Odd("subsets are nested", holds("subsets.json", b"[" * 10**6), "nested too deeply"),
    Odd("phi is text", subsets(phi="strong"), "phi:"),
    Odd("fewer than no faces", subsets(test_available={"target_with": -1}), "test_available"),
    Odd("training faces are no table", subsets(train="none"), "train:"),
    Odd("numbers are text", results(lambda rows: rows.astype({"value": str})), "'value'"),
    Odd("variants are numbers", results(lambda rows: rows.assign(variant=1)), "'variant'"),
    Odd("infinite numbers", results(lambda rows: rows.assign(high=np.inf)), "'high'"),
    Odd("counts are fractions", results(lambda rows: rows.assign(n=0.5)), "'n'"),
    Odd("a column is gone", results(lambda rows: rows.drop(columns="low")), "lack the column 'low'"),
    Odd("a cell is gone", results(lambda rows: rows[rows["group"] != "men with Blond_Hair"]), "'men with Blond_Hair'"),
    Odd("the gap is gone", results(lambda rows: rows[rows["metric"] != "gap"]), "'women - men'"),
    Odd("no numbers at all", results(lambda rows: rows.assign(value=np.nan, low=np.nan, high=np.nan)), "no numbers"),
    Odd("no rows", results(lambda rows: rows.iloc[:0]), "The results"),
    Odd("seeds alone", results(lambda rows: rows[rows["seed"].notna()]), "no accuracies over all seeds"),
    Odd("rows twice", results(lambda rows: pd.concat([rows, rows])), "a row twice"),
    Odd("results are junk", holds("results.parquet", b"PAR1" + bytes(100) + b"PAR1"), "cannot be read"),
    Odd("results are a folder", replaced("results.parquet", Path.mkdir), "no regular file"),
    Odd("results are huge", replaced("results.parquet", huge), "far too long"),
    Odd("other attributes", config(target="Smiling"), "lack the accuracy"),
    Odd("no predictions", gone("predictions.parquet"), "predictions.parquet"),
    Odd("predictions are a pipe", replaced("predictions.parquet", os.mkfifo), "no regular file"),
    Odd("scores are text", predictions(lambda rows: rows.astype({"score": str})), "'score'"),
    Odd("targets are numbers", predictions(lambda rows: rows.astype({"target": int})), "'target'"),
    Odd("faces are numbers", predictions(lambda rows: rows.assign(face=range(len(rows)))), "'face'"),
    Odd("faces twice", predictions(lambda rows: pd.concat([rows, rows])), "a face twice"),
    Odd("one cell", predictions(lambda rows: rows[rows["target"] & rows["confounder"]]), "all cells"),
    Odd("other groups", predictions(lambda rows: rows.assign(confounder=np.where(rows["confounder"], "a", "b"))), "all cells"),
    Odd("groups are numbers", predictions(lambda rows: rows.astype({"confounder": int})), "'confounder'"),
    Odd(
        "cells of other groups",
        subsets(test={"target=a": 1, "other=a": 1, "target=b": 1, "other=b": 1}),
        "Blond_Hair=a",
    ),
    Odd("a seed judged fewer", predictions(lambda rows: rows.iloc[:-1]), "incomplete"),
    Odd("a variant named with slashes", variant_named("../../etc/passwd")),
    Odd("a variant named with control characters", variant_named("a\x1b[31m\n\tb\u202e")),
    Odd("no weights", gone("weights")),
    Odd("a name of a megabyte", lambda run: _named(run, "n" * 10**6)),
    Odd("notes are junk", replaced("notes", lambda path: path.mkdir() or (path / "1.json").write_text("[]"))),
    Odd("a note is a pipe", replaced("notes", lambda path: path.mkdir() or os.mkfifo(path / "1.json"))),
    Odd("thresholds are junk", holds("acceptance.json", {"gap_at_most": "none"})),
    Odd("mitigation is junk", holds("mitigation.json", {"methods": [{}]}), "What became of mitigation"),
    Odd("a search of numbers", holds("mitigation.json", {"methods": [1]}), "What became of mitigation"),
    Odd("the region map has one row", saved("mean_map.npy", np.zeros(3)), "region map"),
    Odd("the region map is no number", saved("mean_map.npy", np.full((49, 49), np.nan)), "region map"),
    Odd("the region map is a pipe", replaced("mean_map.npy", os.mkfifo)),
    Odd("summaries are junk", holds("attention.parquet", b"junk"), "attention.parquet"),
    Odd("summaries are text", table("attention.parquet", lambda rows: rows.assign(value="much")), "'value'"),
    Odd("explanations of nothing", about(variants=[]), "variants:"),
    Odd("explanations say little", holds("attention/lrp/about.json", {}), "explainer:"),
    Odd("explanations are text", holds("attention/lrp/about.json", "lrp"), "lrp"),
    Odd("an unknown explainer", about(method="tea_leaves")),
    Odd("a region that is none", about(roi_used="somewhere"), "The settings do not fit: kind"),
    Odd("values of other faces", table(FACES, lambda rows: rows.drop(columns="face")), "'face'"),
    Odd("values of no face", table(FACES, lambda rows: rows.iloc[:0]), "keeps no maps"),
    Odd("maps are gone", gone("attention/lrp/maps"), "The maps of"),
    Odd("maps are small", saved("attention/lrp/maps/original.npy", np.zeros((8, 3, 3))), "The maps of"),
    Odd("maps are text", saved("attention/lrp/maps/original.npy", np.full((8, 128, 128), "x")), "The maps of"),
    Odd("maps are no numbers", saved("attention/lrp/maps/original.npy", np.full((8, 128, 128), np.nan)), "no number"),
    Odd("means are a pipe", replaced("attention/lrp/means/original.npy", os.mkfifo), "means/original.npy"),
]  # fmt: skip


def _named(run: Path, name: str) -> None:
    write_json(run / "config.json", {**read_json(run / "config.json"), "name": name})


def explain(run: Run) -> None:
    """Leave what an explainer leaves, made up, in a run that has no manifest: a stranger's may have none, or one that fits."""
    RunFiles(run.path).manifest.unlink()
    (run.path / "notes").mkdir()
    folder = run.path / "attention" / "lrp"
    rows = pd.read_parquet(run.path / "predictions.parquet")
    first = rows[(rows["evaluation"] == "clean") & (rows["seed"] == 0)]
    cell = first.groupby(["variant", "target", "confounder"], sort=False).cumcount()
    values = first[cell < 2][["variant", "seed", "face", "target", "confounder"]].reset_index(drop=True)
    random = np.random.default_rng(0)
    values = values.assign(peak=1.0, **{name: random.random(len(values)) for name in ("rrf", "hrf", "mrr", "contrast")})
    treated = values["variant"] != "original"
    values = values.assign(**{name: np.where(treated, values["rrf"], np.nan) for name in ("adr", "dif", "rrf_change")})
    variants = list(dict.fromkeys(values["variant"]))
    for kind, count in (("maps", 8), ("means", 4)):
        (folder / kind).mkdir(parents=True)
        for variant in variants:
            np.save(folder / kind / f"{variant}.npy", random.normal(size=(count, 128, 128)).astype(np.float16))
    values.to_parquet(folder / "faces.parquet", index=False)
    content = {"explainer": "lrp", "method": "lrp", "settings": {}, "roi": "auto", "roi_used": "region_map@0.7"}
    content |= {"roi_area": 0.3, "magnitude": "per_image", "faces": 8, "variants": variants, "seeds": [0]}
    content |= {"originals": dict.fromkeys(variants, "original"), "maps_of_seed": 0, "sanity": None}
    write_json(folder / "about.json", content)
    summaries = attention_table(values, "Male", "Blond_Hair", "lrp", "region_map@0.7")
    summaries.to_parquet(run.path / "attention.parquet", index=False)


@pytest.fixture
def two(open_page: OpenPage, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> tuple[Run, Run]:  # noqa: F811
    """An odd run to be and a sound one, in the workspace of the pages."""
    monkeypatch.setattr(told, "CAUGHT", (Exception,))
    odd, sound = make_run(name="Odd"), make_run(name="Sound")
    for run in (odd, sound):
        explain(run)
    return odd, sound


def shown(app: AppTest) -> str:
    return read("\n".join(str(error.value) for error in app.error))


def in_tables_and_charts(app: AppTest) -> str:
    """Everything that is read in tables, charts and choices."""
    tables = [table.value.reset_index().to_csv() for kind in (app.dataframe, app.table) for table in kind]
    charts = [chart.proto.spec for chart in app.get("plotly_chart")]
    choices = [option for one in (*app.selectbox, *app.multiselect) for option in one.options if one.label != "Run"]
    return "\n".join((*tables, *charts, *choices))


def every_view(app: AppTest) -> Iterator[AppTest]:
    """Show one tab and view after the other."""
    for tab, views in VIEWS.items():
        for key, view in views:
            app.session_state["tab"] = tab
            if key:
                app.session_state[key] = view
            app.run()
            assert not app.exception, (tab, view)
            yield app


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.name)
def test_one_sentence_and_other_runs_open(two: tuple[Run, Run], open_page: OpenPage, odd: Odd) -> None:
    run, sound = two
    odd.damage(run.path)
    app = open_page("comparison", run=run.id)
    said = list(dict.fromkeys(sentence for view in every_view(app) if (sentence := shown(view))))
    assert bool(said) == bool(odd.says), said
    assert all(odd.says.lower() in sentence.lower() and len(sentence) < 500 for sentence in said), said
    assert not any("cannot be shown" in sentence for sentence in said)  # the net, which no known oddity needs
    app.selectbox[0].set_value(sound.id).run()
    assert not app.exception
    assert not app.error, shown(app)
    assert app.selectbox(key="reference").options == ["Original", "Balanced", "General mask, top 30%"]


def test_a_sound_run_says_nothing_of_the_kind(two: tuple[Run, Run], open_page: OpenPage) -> None:
    app = open_page("comparison", run=two[0].id)
    told_of = ""
    for view in every_view(app):
        assert not view.error, shown(view)
        told_of += texts(view) + in_tables_and_charts(view)
    assert (
        re.findall(r".{0,40}(?:\w+@|region_map|per_image|\blrp\b).*", told_of) == []
    )  # what only code calls something
    assert "Mean maps by group" in told_of
    assert "Relevance in the region, before and after" in told_of


def test_settings_of_another_version_are_told_where_they_are_needed(two: tuple[Run, Run], open_page: OpenPage) -> None:
    config(temperature=3)(two[0].path)
    app = open_page("comparison", run=two[0].id)
    told_of = [
        read(warning.value)
        for view in every_view(app)
        for warning in view.warning
        if "The settings do not fit: temperature" in read(warning.value)
    ]
    assert [sentence.partition(":")[0] for sentence in told_of] == [
        "Which variant is compared with which cannot be told from the settings of this run",
        "This run cannot be reported or repeated here, since its settings cannot be read",
    ]


def test_an_odd_run_beside_another_is_left_out(two: tuple[Run, Run], open_page: OpenPage) -> None:
    run, sound = two
    (run.path / "results.parquet").write_bytes(b"")
    app = open_page("comparison", run=sound.id, also=f"Odd {run.id[-4:]}")
    assert not app.exception
    assert [error.value.startswith(f"Run {run.id} cannot be compared") for error in app.error] == [True]
    assert app.selectbox(key="reference").options == ["Original", "Balanced", "General mask, top 30%"]


def test_other_pages_open_beside_all_of_them(
    open_page: OpenPage,
    make_run: MakeRun,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(told, "CAUGHT", (Exception,))
    runs = []
    for odd in ODD:
        run = make_run(name=odd.name)
        explain(run)
        odd.damage(run.path)
        runs.append(run)
    for page in ("start", "training", "attribution", "comparison"):
        open_page(page)
    app = open_page("training")
    for run, odd in zip(runs, ODD, strict=True):
        app.query_params["run"] = run.id
        app.run()
        assert not app.exception, odd.name
