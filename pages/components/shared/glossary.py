"""What words mean, in a popover where they stand: the glossary's own sentences."""

from functools import cache
from pathlib import Path

import streamlit as st

from pages.components.shared.words import plain

_FILE = Path(__file__).resolve().parents[3] / "docs" / "glossary.md"


def glossary(*words: str) -> None:
    """Offer the meaning of some of the glossary's words."""
    meanings = _meanings()
    with st.popover("What the words mean", icon=":material/menu_book:"):
        st.markdown("\n".join(f"- **{plain(word)}**: {meanings[word]}" for word in words if word in meanings))


@cache
def _meanings() -> dict[str, str]:
    """Return each word's meaning; empty where the docs did not come along."""
    if not _FILE.is_file():
        return {}
    rows = [line.strip("| \n").split(" | ") for line in _FILE.read_text(encoding="utf-8").splitlines() if " | " in line]
    return {row[0].strip(): row[1].strip() for row in rows[1:] if len(row) == 2}
