"""Tests of the optional parts: marked `extras`, and skipped with a reason where what they need is not installed."""

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest


def needs(*modules: str) -> Callable[[Any], Any]:
    """Return a decorator for tests that need these modules of requirements-scale-dev.txt."""
    return lambda test: pytest.mark.extras(unless_missing(*modules)(test))


def unless_missing(*modules: str) -> pytest.MarkDecorator:
    """Return the mark that skips a test unless these modules are installed."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(
        bool(missing), reason=f"needs {', '.join(missing)}: pip install -r requirements-scale-dev.txt"
    )
