from .auditing import Understood, audit_brought, faces_judged, understand
from .auditing_subjects import MAPPED_FACES, Engines, audit_subjects
from .data_audit import audit_faces_read
from .explaining import SANITY_FACES, ExplainedFaces, RelevanceEngine, relevance_stage
from .maps import growing_maps
from .mitigating import mitigation_of, unmet_needs
from .mitigating_imported import Made, faces_to_mitigate, mitigate_imported
from .partner import has_partner
from .pipeline import run_experiment
from .planning import VALIDATION_PER_CELL, Variant, images_trained, plan_variants, split_to_choose_on, with_training
from .provenance import outdated
from .regions import ALL, available_regions, find_regions, help_to_train, needs_regions, region_stage
from .scoring import Engine, Hiding, Part, said_of, score_part
from .subjects import find_subject, find_subjects, stored_variants
from .trusting import trusted_choices
from .what_if import Area, Hidden, hide_in, moved, moved_on_average, ways

__all__ = [
    "ALL",
    "MAPPED_FACES",
    "SANITY_FACES",
    "VALIDATION_PER_CELL",
    "Area",
    "Engine",
    "Engines",
    "ExplainedFaces",
    "Hidden",
    "Hiding",
    "Made",
    "Part",
    "RelevanceEngine",
    "Understood",
    "Variant",
    "audit_brought",
    "audit_faces_read",
    "audit_subjects",
    "available_regions",
    "faces_judged",
    "faces_to_mitigate",
    "find_regions",
    "find_subject",
    "find_subjects",
    "growing_maps",
    "has_partner",
    "help_to_train",
    "hide_in",
    "images_trained",
    "mitigate_imported",
    "mitigation_of",
    "moved",
    "moved_on_average",
    "needs_regions",
    "outdated",
    "plan_variants",
    "region_stage",
    "relevance_stage",
    "run_experiment",
    "said_of",
    "score_part",
    "split_to_choose_on",
    "stored_variants",
    "trusted_choices",
    "understand",
    "unmet_needs",
    "ways",
    "with_training",
]
