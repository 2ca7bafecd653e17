"""What was understood of the tables: columns, models, first rows with their faces, and what does not fit."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import Understood, understand
from fairsal_core.faces import FaceDataset, counts_table
from fairsal_core.pictures import portrait
from fairsal_core.settings import AuditConfig
from pages.components.audit.question import Question
from pages.components.shared.words import plain

_SHOWN, _WIDTH = 6, 130


def understood_section(question: Question, config: AuditConfig) -> bool:
    """Show what was understood of the tables, or the one sentence that says why not; return whether it was."""
    if not config.predictions:
        return True
    st.subheader("What was understood")
    try:
        found = _understand(config.model_dump_json(), config, question.faces)
    except FairsalError as error:
        st.error(plain(error))
        return False
    st.dataframe(columns_table(found), hide_index=True, alt="What each table's columns are taken for")
    for note in found.notes:
        st.markdown(f"- {plain(note)}")
    _counts(question, found)
    _first_rows(question, found)
    return True


@st.cache_data(max_entries=32, show_spinner="Reading the tables …")
def _understand(key: str, _config: AuditConfig, _faces: FaceDataset) -> Understood:
    return understand(_config, _faces)


def columns_table(found: Understood) -> pd.DataFrame:
    """Return a row for each table: which column is taken for what, its models, and of how many faces it speaks."""
    return pd.DataFrame(
        [
            {
                "table": one.file.name,
                **{f"{role}": column for role, column in one.columns.items()},
                "models": ", ".join(one.models),
                "predictions": len(one.table),
                "faces": one.table["face"].nunique(),
            }
            for one in found.brought
        ]
    ).fillna("–")


def _counts(question: Question, found: Understood) -> None:
    told = {"judged on, in equal cells": found.test, "as common as they are": found.natural}
    table = counts_table(told, question.target, question.confounder)
    st.dataframe(table.reset_index(), hide_index=True, alt="Faces of each cell")


def _first_rows(question: Question, found: Understood) -> None:
    """Show a few faces beside what each model says of them, to see whether rows and faces belong together."""
    faces = question.faces
    names = [name for name in dict.fromkeys(found.brought[0].table["face"]) if name in faces.names][:_SHOWN]
    together = pd.concat([one.table for one in found.brought], ignore_index=True)
    shown = faces.take(faces.names.get_indexer(pd.Index(names))).readable
    known = shown.with_label(question.target)
    has = dict(zip(known.names, known.labels(question.target), strict=True))
    st.caption("The first rows: does what is said belong to the face?")
    with st.container(horizontal=True):
        for place, name in enumerate(map(str, shown.names)):
            with st.container(width=_WIDTH):
                st.image(portrait(shown.images[place]), width="stretch", alt=f"Face {name}")
                said = [_said(row) for row in together[together["face"] == name].head(4).to_dict("records")]
                label = ("label yes" if has[name] else "label no") if name in has else "no label"
                st.caption(" · ".join([plain(name), label, *map(plain, said)]))


def _said(row: Mapping[Any, Any]) -> str:
    score = "" if pd.isna(row["score"]) else f" {row['score']:.2f}"
    decision = "" if pd.isna(row["decision"]) else (" yes" if row["decision"] else " no")
    return f"{row['model']}:{score}{decision}"
