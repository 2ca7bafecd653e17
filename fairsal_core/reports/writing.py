"""Writing a report: one HTML file that needs nothing else, tables for papers, a model card for each classifier."""

import io
import re
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import Run
from fairsal_core.faces import FaceDataset, load_faces
from fairsal_core.files import replacing
from fairsal_core.progress import Progress, silent
from fairsal_core.reports.content import (
    Filed,
    changed_faces,
    changes,
    charts,
    judgements,
    model_cards,
    read_filed,
    region_map,
    subset_table,
)
from fairsal_core.reports.tables import (
    accuracy_table,
    attention_summary,
    changes_summary,
    fairness_table,
    on_a_page,
    write_tables,
)

HTML, CARDS, TABLES = "report.html", "model_cards", "tables"


@dataclass(frozen=True)
class Written:
    """The files of a report."""

    html: Path
    tables: list[Path]
    cards: list[Path]


def write_report(run: Run, out: Path, *, faces: bool | None = None, progress: Progress = silent) -> Written:
    """Write the report of a finished run into a folder.

    Parameters
    ----------
    run : Run
        A finished run.
    out : Path
        Gets `report.html`, `tables/*.csv` and `*.tex`, and `model_cards/*.md`.
    faces : bool, optional
        Whether test faces that changed sides are shown. By default drawn faces are and others are not, since others may be
        pictures of real people.
    progress : Progress
        Called while the faces are loaded.

    Raises
    ------
    FairsalError
        If the run has not finished, or its files cannot be read.
    """
    filed = read_filed(run)
    html = out / HTML
    with replacing(html) as temporary:
        temporary.write_text(report_html(filed, faces=faces, progress=progress), encoding="utf-8")
    cards = []
    for name, text in card_texts(filed).items():
        cards.append(out / CARDS / name)
        with replacing(cards[-1]) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return Written(html, write_tables(report_tables(filed), out / TABLES), cards)


def report_zip(run: Run, scratch: Path, *, faces: bool | None = None) -> bytes:
    """Return a whole report as a ZIP archive; `scratch` is an empty folder to write it in."""
    write_report(run, scratch, faces=faces)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in scratch.rglob("*") if path.is_file()):
            archive.write(path, f"{run.id}/{path.relative_to(scratch)}")
    return buffer.getvalue()


def report_tables(filed: Filed) -> dict[str, Any]:
    """Return the tables of a report by file name."""
    tables = {
        "accuracy": accuracy_table(filed.results),
        "fairness": fairness_table(filed.results),
        "changes": changes(filed),
        "attention": attention_summary(filed.attention),
        "training_faces": subset_table(filed),
        "all_results": filed.results,
    }
    return {name: table for name, table in tables.items() if not table.empty}


def report_html(filed: Filed, *, faces: bool | None = None, progress: Progress = silent) -> str:
    """Return the report as HTML without any reference to another file."""
    show_faces = filed.drawn if faces is None else faces
    loaded, trouble = _faces(filed, progress) if show_faces else (None, "")
    text: str = _template("report.html.j2").render(
        filed=filed,
        made=datetime.now(UTC),
        judgements=judgements(filed.results, filed.acceptance, filed.attention),
        accuracy=on_a_page(accuracy_table(filed.results)),
        fairness=on_a_page(fairness_table(filed.results)),
        subsets=subset_table(filed),
        changes=on_a_page(changes_summary(changes(filed))),
        attention=attention_summary(filed.attention),
        charts=charts(filed),
        region_map=region_map(filed),
        show_faces=show_faces,
        faces_trouble=trouble,
        changed=changed_faces(filed, loaded) if loaded else [],
        cards=model_cards(filed),
        settings=filed.config.model_dump(mode="json"),
    )
    return text


def card_texts(filed: Filed) -> dict[str, str]:
    """Return a model card in Markdown for each variant, by file name."""
    template = _template("model_card.md.j2")
    return {
        f"{re.sub(r'[^A-Za-z0-9_@.-]', '_', card['variant'])}.md": template.render(filed=filed, card=card)
        for card in model_cards(filed)
    }


def _faces(filed: Filed, progress: Progress) -> tuple[FaceDataset | None, str]:
    try:
        return load_faces(filed.config.data, progress), ""
    except (FairsalError, OSError) as error:
        return None, str(error)


def _template(name: str) -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape  # only reports need it

    environment = Environment(
        loader=PackageLoader("fairsal_core.reports"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
