"""What data, runs and readers are called is shown letter by letter, on every page, by whatever shows it.

A picture in Markdown would be fetched by the browser of everyone who opens the page.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from streamlit.testing.v1 import AppTest

from fairsal_core.experiments import region_stage
from fairsal_core.faces import FaceDataset
from fairsal_core.files import safe_name, write_json
from fairsal_core.markdown import as_code, in_a_line, letters
from fairsal_core.regions import RegionTraining, bundled_path
from fairsal_core.reports import add_note
from fairsal_core.results import attention_table
from fairsal_core.runs import Run, append_event, seal_run
from fairsal_core.runs.events import Event
from pages.components.shared.words import in_chart, plain, plain_table
from tests.pages.conftest import OpenPage, read
from tests.reports.conftest import MakeRun, made_up_predictions, make_run  # noqa: F401

pytestmark = pytest.mark.timeout(180)

LOUD = "![{0}](https://example.org/{0}.png) <i>{0}</i> %{{y}} :red[{0}] $x$ `{0}` _{0}_ ~~{0}~~"
MARK = re.compile(r"!\[\w+\]\(|:red\[\w|\$x\$|`Q[a-z]+`|(?<!\w)_Q[a-z]+_(?!\w)|~~Q\w+~~")
# Elements that show no Markdown, whatever their fields are called, and fields that are none.
NO_MARKDOWN = {"text", "json", "code", "bidi_component", "arrow_data_frame", "plotly_chart", "imgs", "html"}
MARKDOWN_FIELDS = {"body", "label", "help", "text", "title", "content", "caption"}


def loud(word: str) -> str:
    return LOUD.format(f"Q{word}")


def markdown_in(message: Any) -> Iterator[tuple[str, str]]:
    """Give every text of a protocol message that the browser reads as Markdown."""
    for field, value in message.ListFields():
        values = list(value) if field.is_repeated else [value]
        for one in values:
            if field.message_type is not None and not field.message_type.GetOptions().map_entry:
                yield from markdown_in(one)
            elif isinstance(one, str) and field.name in MARKDOWN_FIELDS:
                yield field.name, one


def nodes(node: Any) -> Iterator[Any]:
    yield node
    for child in getattr(node, "children", {}).values():
        yield from nodes(child)


def shouted(app: AppTest) -> list[tuple[str, str, str]]:
    """Return kind, field and text of all that is not shown letter by letter."""
    found = []
    for node in nodes(app._tree):
        proto = getattr(node, "proto", None)
        if proto is None or node.type in NO_MARKDOWN:
            continue
        if node.type in ("table", "arrow_table"):
            frame = node.value.reset_index()
            texts = [("cell", str(cell)) for cell in [*frame.columns, *frame.to_numpy().ravel()]]
        else:
            texts = list(markdown_in(proto))
        found += [(node.type, name, text) for name, text in texts if MARK.search(text)]
    for node in nodes(app._tree):
        if node.type == "plotly_chart":
            spec = node.proto.spec
            found += [("plotly", "spec", spec[max(0, at - 60) : at + 60]) for at in [spec.find("<i>")] if at >= 0]
    return found


@pytest.fixture
def run(open_page: OpenPage, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> Run:  # noqa: F811
    """A finished run of names that would be pictures."""
    monkeypatch.setattr("tests.reports.conftest.made_up_predictions", lambda *_: _loud_predictions())
    made = make_run(name=loud("run"), target=loud("target"), confounder=loud("confounder"))
    subsets = json.loads((made.path / "subsets.json").read_text())
    subsets["train"] = {loud("variant"): subsets["test"], "original": subsets["test"]}
    subsets["test_available"] = subsets["test"]
    write_json(made.path / "subsets.json", subsets)
    for about in ("", loud("variant")):
        add_note(made.path, loud("note"), loud("author")[:200], about[:200])
    _explain(made)
    append_event(
        made.path,
        Event(
            time=1.0,
            fraction=0.1,
            stage=loud("variant"),
            message=loud("message"),
            numbers={"loss": 1.0, "batch_size": 8},
        ),
    )
    numbers = {"loss": 0.5, "gap": 0.1, "images_per_second": 9.0, loud("cell"): 0.5}
    append_event(made.path, Event(time=1.0, fraction=0.1, stage=loud("variant"), numbers=numbers))
    write_json(
        made.path / "mitigation.json",
        {"methods": [{"variant": loud("method"), "method": loud("method"), "seed": 0, "outcome": "failed", "seconds": 1,
                      "reason": loud("reason"), "trace": [], "diagnostics": {}}]},
    )  # fmt: skip
    seal_run(made.path)
    return made


def _loud_predictions() -> pd.DataFrame:
    names = {"balanced": loud("variant")}
    return made_up_predictions().replace({"variant": names, "treated_by": {"general_mask@0.7": loud("treated")}})


def _explain(run: Run) -> None:
    folder, variants = run.path / "attention" / "x", ["original", loud("variant")]
    rows = _loud_predictions()
    first = rows[(rows["evaluation"] == "clean") & (rows["seed"] == 0) & rows["variant"].isin(variants)]
    cell = first.groupby(["variant", "target", "confounder"], sort=False).cumcount()
    values = first[cell < 1][["variant", "seed", "face", "target", "confounder"]].reset_index(drop=True)
    values = values.assign(peak=1.0, rrf=np.linspace(0.1, 0.9, len(values)), contrast=0.2)
    values = values.assign(rrf_change=np.where(values["variant"] == "original", np.nan, 0.1))
    for kind in ("maps", "means"):
        (folder / kind).mkdir(parents=True)
        for variant in variants:
            maps = np.random.default_rng(0).normal(size=(4, 128, 128)).astype(np.float16)
            np.save(folder / kind / f"{safe_name(variant)}.npy", maps)
    values.to_parquet(folder / "faces.parquet", index=False)
    sanity = {"variant": loud("variant"), "seed": 0, "n": 4, "correlation": None}
    about = {
        "explainer": loud("explainer"),
        "method": "lrp",
        "roi_used": "44,84,40,24",
        "magnitude": "per_image",
        "faces": 4,
    }
    about |= {"variants": variants, "originals": dict.fromkeys(variants, "original"), "seeds": [0], "maps_of_seed": 0}
    write_json(folder / "about.json", about | {"sanity": sanity})
    table = attention_table(values, loud("target"), loud("confounder"), loud("explainer"), "44,84,40,24")
    table.to_parquet(run.path / "attention.parquet", index=False)


TABS = (
    ("Summary", "summary_view", "The paper's groups and gap"),
    ("Accuracy", "accuracy_view", "Groups and gap"),
    ("Attention", "attention_view", "Numbers"),
    ("Attention", "attention_view", "For the right reasons?"),
    ("Decide", "decide_view", "Thresholds"),
    ("Decide", "decide_view", "Decision"),
    ("Decide", "decide_view", "Notes"),
)


@pytest.mark.parametrize("page", ["start", "training", "comparison"])
def test_a_run(run: Run, open_page: OpenPage, page: str) -> None:
    app = open_page(page, run=run.id)
    assert shouted(app) == []
    if page == "comparison":
        heads, said = [], ""
        for tab, key, view in TABS:
            app.session_state["tab"], app.session_state[key] = tab, view
            app.run()
            assert shouted(app) == []
            assert [error.value for error in app.error] == []
            heads += [head.value for head in app.subheader]
            said += read("\n".join(caption.value for caption in app.caption))
        assert "Relevance in the region, before and after" in heads
        for word in ("author", "target", "confounder"):
            assert loud(word) in said
        app.session_state["tab"] = "Faces"
        app.query_params["face"] = "000001.jpg"
        app.run()
        assert not app.exception
        assert shouted(app) == []


@pytest.mark.parametrize("page", ["attribution", "training"])
def test_attributes(
    drawn: FaceDataset, open_page: OpenPage, home: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    names = {"Eyeglasses": loud("attribute"), "Male": loud("target")}
    faces = replace(drawn, attributes=drawn.attributes.rename(columns=names))
    monkeypatch.setattr("pages.components.shared.data.load_faces", lambda source, progress: faces)
    weights = bundled_path("Eyeglasses")
    about = json.loads(weights.with_suffix(".json").read_text())
    attribute = loud("attribute")

    def keep(folder: Path) -> None:
        classes = [f"not {attribute}", attribute]
        write_json(folder / "regions.json", {**about, "attribute": attribute, "classes": classes})
        (folder / "regions.safetensors").write_bytes(weights.read_bytes())

    region_stage(faces, attribute, RegionTraining(), torch.device("cpu")).put(keep)
    loaded: dict[str, Any] = {}
    monkeypatch.setattr("pages.components.shared.data._loaded", lambda: loaded)
    app = open_page(page)
    if page == "attribution":
        app.selectbox(key="attribute").set_value(attribute).run()
        assert any(loud("attribute") in read(text.value) for text in app.caption)
    else:
        app.selectbox(key="target").set_value(loud("target")).run()
        app.selectbox(key="confounder").set_value(loud("attribute")).run()
        assert any(loud("target") in read(text.value) for text in app.caption)
    assert not app.exception
    assert shouted(app) == []


@pytest.mark.parametrize(
    "text",
    [
        "1. no list",
        "# no head",
        "- no point",
        "> no quote",
        "===",
        "    no code",
        "&lt;",
        "<i>",
        "a|b",
        "__a__",
        "*a*",
        r"\*",
    ],
)
def test_every_mark_is_taken_its_meaning(text: str) -> None:
    assert read(letters(text)) == text.strip()
    assert letters(text) != text


@pytest.mark.parametrize(
    "text", ["Blond_Hair", "5_o_Clock_Shadow", "general_mask@0.7,p=0.5", "race=Black", "1.5 MB", "a: b", "at 10:30:45"]
)
def test_names_of_today_stay_as_they_are(text: str) -> None:
    assert letters(text) == plain(text) == in_a_line(text) == in_chart(text) == text


def test_a_table_has_no_markdown_in_heads_and_cells() -> None:
    table = plain_table(pd.DataFrame({"*a*": ["*b*", 1], "c": [1.5, 2.5]}))
    assert list(table.columns) == [r"\*a\*", "c"]
    assert list(table[r"\*a\*"]) == [r"\*b\*", 1]
    assert table["c"].dtype == float


def test_code_ends_where_it_shall() -> None:
    assert as_code("a ``b`` <script>") == r"<code>a \`\`b\`\` &lt;script></code>"
    assert as_code("two\nlines") == "`two lines`"
