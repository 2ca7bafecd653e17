"""How long an audit of classifiers takes, told before it starts."""

from fairsal_core.experiments import audit_seconds, probe_audit
from fairsal_core.settings import AuditConfig, SubjectAuditConfig
from pages.components.audit.question import Question
from pages.components.shared.estimate import estimate_section


def cost_section(question: Question, config: AuditConfig | None) -> None:
    """Show the seconds of each stage once they are known; nothing for tables alone, which take seconds."""
    if not isinstance(config, SubjectAuditConfig):
        return
    faces = question.faces
    regions = config.regions.model_dump_json() if config.schemes else ""
    explainers = tuple(choice.model_dump_json() for choice in config.attention.explainers)
    key = ("audit", config.data, config.confounder, config.device, config.subjects, regions, explainers)
    estimate_section(key, lambda: probe_audit(config, faces), lambda paces: audit_seconds(config, faces, paces))
