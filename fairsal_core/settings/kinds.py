"""Kinds of run that leave predictions and results, and the settings of each."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fairsal_core.settings.audit import AUDIT
from fairsal_core.settings.parsing_audits import parse_audit

if TYPE_CHECKING:
    from fairsal_core.settings.audit import AuditConfig
    from fairsal_core.settings.experiment import ExperimentConfig

EXPERIMENT = "experiment"
COMPARED = (EXPERIMENT, AUDIT)  # what Comparison shows and a report files


def run_settings(kind: str, content: Mapping[str, Any]) -> "ExperimentConfig | AuditConfig":
    """Return the settings of a run that is compared; raises FairsalError as `parse_config` does."""
    if kind == AUDIT:
        return parse_audit(dict(content))
    from fairsal_core.settings.experiment import parse_config  # brings torch

    return parse_config(dict(content))
