"""Which kind of audit is asked for: of predictions, or of classifiers."""

from typing import Any

from fairsal_core.settings.audit import AuditConfig
from fairsal_core.settings.base import checked_settings


def parse_audit(content: dict[str, Any]) -> AuditConfig:
    """Return the audit that `content` describes, of predictions or of classifiers; raises FairsalError as `parse_config` does."""
    if not content.get("subjects"):
        return checked_settings(AuditConfig, content)
    from fairsal_core.settings.subject_audit import SubjectAuditConfig  # brings torch, which predictions do not need

    return checked_settings(SubjectAuditConfig, content)
