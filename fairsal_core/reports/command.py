"""The command line that runs an experiment, or an audit, again."""

import shlex
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from fairsal_core.faces import CellCounts
from fairsal_core.settings import AuditConfig, ExperimentConfig

_OWN_OPTIONS = ("training",)  # groups of settings whose fields are options of their own


def command_line(config: ExperimentConfig | AuditConfig, settings_file: str = "config.json") -> str:
    """Return `python -m fairsal_core run ...`, or `audit ...`, with every setting that is not a default.

    Where a setting has no option of its own, the line reads them all from `settings_file`, a copy of the run's
    `config.json`.

    Examples
    --------
    >>> command_line(ExperimentConfig(confounder="Eyeglasses", seeds=(0, 1)))
    'python -m fairsal_core run --confounder Eyeglasses --seeds 0 1'
    """
    if isinstance(config, AuditConfig):
        return shlex.join(_audit(config))
    default = ExperimentConfig()
    changed = {
        name: getattr(config, name)
        for name in ExperimentConfig.model_fields
        if getattr(config, name) != getattr(default, name)
    }
    words = ["python", "-m", "fairsal_core", "run"]
    if not all(name in _OWN_OPTIONS or _has_words(value) for name, value in changed.items()):
        return shlex.join([*words, "--config", settings_file])
    for name, value in changed.items():
        words += _changed(value, type(value)()) if name in _OWN_OPTIONS else _option(name, value)
    return shlex.join(words)


_OF_AUDITS = {"confounder": "protected", "test_split": "split"}


def _audit(config: AuditConfig) -> Iterator[str]:
    yield from ("python", "-m", "fairsal_core", "audit")
    for name, field in AuditConfig.model_fields.items():
        value = getattr(config, name)
        if name in ("seeds", "device") or value == field.get_default(call_default_factory=True):
            continue
        text = ",".join(f"{role}={column}" for role, column in value.items()) if isinstance(value, dict) else value
        yield from _option(_OF_AUDITS.get(name, name), text)


def _has_words(value: Any) -> bool:
    """Return whether an option can say this value: no empty list, nothing missing, no group of settings."""
    if isinstance(value, tuple):
        return bool(value) and all(map(_has_words, value))
    if isinstance(value, BaseModel):
        return isinstance(value, CellCounts) or hasattr(value, "name")
    return value is not None and not isinstance(value, dict)


def _changed(settings: BaseModel, default: BaseModel) -> Iterator[str]:
    for name in type(settings).model_fields:
        if getattr(settings, name) != getattr(default, name):
            yield from _option(name, getattr(settings, name))


def _option(name: str, value: Any) -> Iterator[str]:
    yield f"--{name.replace('_', '-')}"
    if isinstance(value, tuple):
        yield from map(_word, value)
    else:
        yield _word(value)


def _word(value: Any) -> str:
    if isinstance(value, BaseModel):
        return getattr(value, "name", "") or ",".join(str(part) for part in value.model_dump().values())
    return str(value)
