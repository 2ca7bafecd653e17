"""Writing a report: one HTML file that needs nothing else, tables for papers, a model card for each classifier."""

import io
import json
import math
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset, load_faces
from fairsal_core.files import replacing, safe_name, write_json
from fairsal_core.markdown import as_code, in_a_line
from fairsal_core.metrics import directions, words_of
from fairsal_core.progress import Progress, silent
from fairsal_core.reports.acceptance import Judged
from fairsal_core.reports.content import (
    Filed,
    changed_faces,
    changes,
    charts,
    data_audits,
    data_notes,
    decisions,
    group_charts,
    judgements,
    model_cards,
    open_questions,
    read_filed,
    region_map,
    subjects,
    subset_table,
    worst_group,
)
from fairsal_core.reports.crosswalk import CROSSWALK
from fairsal_core.reports.tables import (
    accuracy_table,
    attention_summary,
    changes_summary,
    fairness_table,
    group_changes_table,
    groups_table,
    heads_of,
    mitigation_table,
    on_a_page,
    reported_metrics,
    scan_table,
    write_tables,
)
from fairsal_core.results import cautions, hidden_in_words, over_all_seeds
from fairsal_core.runs import Run
from fairsal_core.scan import AS_THEY_ARE, kept_scan

HTML, TWIN, CARDS, TABLES = "report.html", "report.json", "model_cards", "tables"


@dataclass(frozen=True)
class Written:
    """The files of a report."""

    html: Path
    twin: Path
    tables: list[Path]
    cards: list[Path]


def write_report(
    run: Run,
    out: Path,
    *,
    faces: bool | None = None,
    protected: Sequence[str] = (),
    view: str = AS_THEY_ARE,
    progress: Progress = silent,
) -> Written:
    """Write the report of a finished run into a folder.

    Parameters
    ----------
    run : Run
        A finished run.
    out : Path
        Gets `report.html`, `report.json`, `tables/*.csv` and `*.tex`, and `model_cards/*.md`.
    faces : bool, optional
        Whether test faces that changed sides are shown. By default drawn faces are and others are not, since others may be
        pictures of real people.
    protected, view
        What rates are grouped by, as for `groups_of`; by default groups are those that were put into the run's report.
    progress : Progress
        Called while the faces are loaded.

    Raises
    ------
    FairsalError
        If the run has not finished, or its files cannot be read.
    """
    filed = read_filed(run, protected, view, progress)
    html = out / HTML
    with replacing(html) as temporary:
        temporary.write_text(report_html(filed, faces=faces, progress=progress), encoding="utf-8")
    twin = out / TWIN
    write_json(twin, report_json(filed))
    cards = []
    for name, text in card_texts(filed).items():
        cards.append(out / CARDS / name)
        with replacing(cards[-1]) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return Written(html, twin, write_tables(report_tables(filed), out / TABLES), cards)


def report_zip(run: Run, scratch: Path, *, faces: bool | None = None) -> bytes:
    """Return a whole report as a ZIP archive; `scratch` is an empty folder to write it in."""
    write_report(run, scratch, faces=faces)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in scratch.rglob("*") if path.is_file()):
            archive.write(path, f"{run.id}/{path.relative_to(scratch)}")
    return buffer.getvalue()


def _all_hidden(filed: Filed) -> pd.DataFrame:
    parts = [table.assign(groups=of) for of, table in filed.hidden_by_group]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def report_tables(filed: Filed) -> dict[str, Any]:
    """Return the tables of a report by file name."""
    tables = {
        "accuracy": accuracy_table(filed.results),
        "fairness": fairness_table(filed.results),
        "changes": changes(filed),
        "attention": attention_summary(filed.attention),
        "hidden": filed.hidden,
        "hidden_by_group": _all_hidden(filed),
        "groups": _all_groups(filed),
        "group_changes": _all_group_changes(filed),
        "training_faces": subset_table(filed),
        "all_results": filed.results,
    }
    return {name: table for name, table in tables.items() if not table.empty}


def _all_groups(filed: Filed) -> pd.DataFrame:
    parts = [each.table.assign(subject=each.subject) for each in filed.by_group]
    return pd.concat(parts) if parts else pd.DataFrame()


def _all_group_changes(filed: Filed) -> pd.DataFrame:
    parts = [each.changes_table.assign(variant=each.variant, reference=each.reference) for each in filed.by_group]
    return pd.concat(parts) if parts else pd.DataFrame()


def report_html(filed: Filed, *, faces: bool | None = None, progress: Progress = silent) -> str:
    """Return the report as HTML without any reference to another file."""
    from fairsal_core.settings import titles, with_titles  # brings torch

    show_faces = filed.drawn if faces is None else faces
    loaded, trouble = _faces(filed, progress) if show_faces else (None, "")
    text: str = _template("report.html.j2").render(
        filed=filed,
        made=datetime.now(UTC),
        judgements=judgements(filed.results, filed.acceptance, filed.attention, filed.by_group),
        accuracy=on_a_page(with_titles(accuracy_table(filed.results))),
        fairness=on_a_page(with_titles(fairness_table(filed.results))),
        subsets=(counted := subset_table(filed)).rename(columns=titles(counted.columns)),
        data_notes=data_notes(filed),
        data_audits=data_audits(filed),
        cautions=cautions(with_titles(filed.results)),
        changes=on_a_page(with_titles(changes_summary(changes(filed)))),
        scan=(scanned := kept_scan(filed.run.path)),
        scan_rows=scan_table(scanned) if scanned else None,
        groups=[
            (each, groups_table(each), group_changes_table(each), group_charts(each), worst_group(each))
            for each in filed.by_group
        ],
        attention=with_titles(attention_summary(filed.attention)).rename(columns=heads_of(filed.attention)),
        hidden=with_titles(hidden_in_words(filed.hidden)),
        hidden_by_group=[(of, with_titles(hidden_in_words(table))) for of, table in filed.hidden_by_group],
        directions=directions(reported_metrics(filed.attention)),
        charts=charts(filed),
        region_map=region_map(filed),
        show_faces=show_faces,
        faces_trouble=trouble,
        changed=changed_faces(filed, loaded) if loaded else [],
        cards=model_cards(filed),
        methods=with_titles(mitigation_table(filed.config)),
        settings=filed.config.model_dump(mode="json"),
        decisions=decisions(filed),
        open_questions=open_questions(filed),
        subjects=subjects(filed),
        crosswalk=CROSSWALK,
    )
    return text


def report_json(filed: Filed) -> dict[str, Any]:
    """Return what the report says, for programs: the decisions, verdicts, numbers and digests."""
    numbers = over_all_seeds(filed.results).drop(columns="seed")
    return {
        "format": 1,
        "run": filed.run.id,
        "name": filed.run.name,
        "target": filed.config.target,
        "confounder": filed.config.confounder,
        "seeds": list(filed.config.seeds),
        "standing": filed.made,
        "sha256": {**filed.digests, "subjects": subjects(filed)},
        "thresholds": dict(filed.acceptance.limits),
        "verdicts": [
            {
                "variant": item.variant,
                "test_faces": item.evaluation,
                "treated_by": item.treated_by,
                "verdict": item.verdict,
                "criteria": [_criterion(one) for one in item.criteria],
            }
            for item in judgements(filed.results, filed.acceptance, filed.attention, filed.by_group)
        ],
        "log": [entry.model_dump(mode="json") for entry in filed.log],
        "open": dict(open_questions(filed)),
        "notes": [note.model_dump(mode="json") for note in filed.notes],
        "numbers": json.loads(numbers.to_json(orient="records")),
        "groups": [each.model_dump(mode="json") for each in filed.by_group],
        "crosswalk": [asked._asdict() for asked in CROSSWALK],
        "versions": dict(filed.versions),
    }


def _criterion(one: Judged) -> dict[str, Any]:
    numbers = {"value": one.value, "low": one.interval.low, "high": one.interval.high}
    told = {name: None if math.isnan(number) else number for name, number in numbers.items()}
    return {
        "criterion": one.criterion,
        "bound": one.bound,
        "limit": one.limit,
        **told,
        "n": one.n,
        "verdict": one.verdict,
    }


def card_texts(filed: Filed) -> dict[str, str]:
    """Return a model card in Markdown for each variant, by file name."""
    template = _template("model_card.md.j2")
    return {
        f"{re.sub(r'[^A-Za-z0-9_@.-]', '_', safe_name(card['variant']))}.md": template.render(filed=filed, card=card)
        for card in model_cards(filed)
    }


def _faces(filed: Filed, progress: Progress) -> tuple[FaceDataset | None, str]:
    try:
        return load_faces(filed.config.data, progress), ""
    except (FairsalError, OSError) as error:
        return None, str(error)


def _template(name: str) -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape  # only reports need it

    from fairsal_core.settings import variant_title

    environment = Environment(
        loader=PackageLoader("fairsal_core.reports"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"line": in_a_line, "code": as_code, "title_of_variant": variant_title, "metric": words_of}
    return environment.get_template(name)
