"""Who decodes what: the pictures that packing reads."""

from collections.abc import Callable
from typing import Any

import pytest

from fairsal_core.faces import packed_files

Decoded = list[str]


def spy_on_decoding(monkeypatch: pytest.MonkeyPatch) -> Decoded:
    """Return the list that grows by the name of each file that is decoded from now on."""
    names: Decoded = []
    decode: Callable[..., Any] = packed_files.decode_image

    def spy(content: bytes, name: str) -> Any:
        names.append(name)
        return decode(content, name)

    monkeypatch.setattr(packed_files, "decode_image", spy)
    return names
