from .audit_estimate import AuditPaces, SubjectPace, audit_seconds, probe_audit
from .auditing import Understood, audit_brought, understand
from .auditing_subjects import Engines, audit_subjects
from .estimate import Pace, Paces, probe_paces, recent_pace, stage_seconds, training_seconds
from .explaining import ExplainedFaces, RelevanceEngine, relevance_stage
from .maps import growing_maps
from .mitigating import mitigation_of, unmet_needs
from .mitigating_imported import Made, faces_to_mitigate, mitigate_imported
from .pipeline import run_experiment
from .planning import Variant, plan_variants
from .provenance import outdated
from .regions import ALL, available_regions, help_to_train, region_stage
from .room import disk_bytes
from .scoring import Engine, Hiding, Part, said_of, score_part
from .subjects import find_subjects, stored_variants
from .trusting import trusted_choices
from .what_if import Area, Hidden, hide_in, moved, moved_on_average, ways

__all__ = [
    "ALL",
    "Area",
    "AuditPaces",
    "Engine",
    "Engines",
    "ExplainedFaces",
    "Hidden",
    "Hiding",
    "Made",
    "Pace",
    "Paces",
    "Part",
    "RelevanceEngine",
    "SubjectPace",
    "Understood",
    "Variant",
    "audit_brought",
    "audit_seconds",
    "audit_subjects",
    "available_regions",
    "disk_bytes",
    "faces_to_mitigate",
    "find_subjects",
    "growing_maps",
    "help_to_train",
    "hide_in",
    "mitigate_imported",
    "mitigation_of",
    "moved",
    "moved_on_average",
    "outdated",
    "plan_variants",
    "probe_audit",
    "probe_paces",
    "recent_pace",
    "region_stage",
    "relevance_stage",
    "run_experiment",
    "said_of",
    "score_part",
    "stage_seconds",
    "stored_variants",
    "training_seconds",
    "trusted_choices",
    "understand",
    "unmet_needs",
    "ways",
]
