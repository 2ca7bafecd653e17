"""The glossary, where its words stand."""

import ast
from pathlib import Path

import pytest

from pages.components.shared.glossary import _meanings

CALLS = [
    (path, node)
    for path in sorted((Path(__file__).resolve().parents[3] / "pages").rglob("*.py"))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "glossary"
]


@pytest.mark.parametrize(("path", "call"), CALLS)
def test_every_word_that_a_page_explains_is_in_the_glossary(path: Path, call: ast.Call) -> None:
    words = [ast.literal_eval(word) for word in call.args]
    assert words
    assert set(words) <= set(_meanings())
