"""What a worker does for a run of the kind "audit"."""

from pathlib import Path
from typing import Any

from fairsal_core.runs import JobProgress
from fairsal_core.settings import NO_DEVICE, parse_audit


def run_job(config: dict[str, Any], run: Path, progress: JobProgress) -> None:
    """Audit what a run directory's config names: predictions alone, or classifiers, which need a device."""
    settings = parse_audit(config)
    if settings.device == NO_DEVICE:
        from fairsal_core.experiments import audit_brought

        audit_brought(settings, run, progress)
        return
    from fairsal_core.experiments import audit_subjects  # brings torch, which predictions do not need
    from fairsal_core.scaling.audit_engines import engines_of

    audit_subjects(settings, run, progress, engines_of(settings))
