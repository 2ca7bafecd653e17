"""Settings models as options, and settings from a file.

Options hand on what was typed, and nothing that was not: presets and files go underneath, and only the whole is
checked, by the model. So nothing is converted here, and argparse is enough (docs/architecture.md).
"""

import argparse
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from fairsal_core.errors import FairsalError

NESTED = ("regions", "training", "attention")  # settings of an experiment that are models of their own


def add_settings(parser: Any, model: type[BaseModel], leave_out: tuple[str, ...] = ()) -> None:
    """Add one option per field of a settings model; what is not given stays out, so that presets show through."""
    for name, field in model.model_fields.items():
        if name in leave_out:
            continue
        default = field.get_default(call_default_factory=True)
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            dest=f"setting_{name}",
            default=argparse.SUPPRESS,
            metavar=name.upper(),
            nargs="+" if isinstance(default, tuple) else None,
            help=f"{field.description} (default: {_shown_default(default)})",
        )


def given_settings(
    options: argparse.Namespace, model: type[BaseModel], leave_out: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return what was given of a settings model, as it was typed."""
    given = {name: getattr(options, f"setting_{name}", None) for name in model.model_fields if name not in leave_out}
    return {name: value for name, value in given.items() if value is not None}


def read_config(path: Path) -> dict[str, Any]:
    """Return the settings in a JSON file.

    Raises
    ------
    FairsalError
        If it cannot be read, or holds no settings.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FairsalError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise FairsalError(f"{path} is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise FairsalError(f"{path} holds no settings; expected a JSON object.")
    inner = content.get("config", content)  # a run directory's config.json wraps the settings
    return dict(inner) if isinstance(inner, dict) else {}


def _shown_default(default: Any) -> str:
    if isinstance(default, tuple):
        return " ".join(_shown_default(item) for item in default)
    if isinstance(default, BaseModel):
        return getattr(default, "name", "") or ",".join(str(value) for value in default.model_dump().values())
    return str(default)
