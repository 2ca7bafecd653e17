from .attention import AUTO, BOX, PARTS, PRESET, REGION_MAP, AttentionSettings, ExplainerChoice, RoiChoice
from .audit import ALL_SPLITS, AUDIT, NO_DEVICE, ON_VALIDATION, ROLES, AuditConfig, columns_in
from .base import FrozenSettings, checked_settings
from .experiment import BALANCED, ORIGINAL, ExperimentConfig, SchemeChoice, parse_config
from .jobs import ATTRIBUTION, MITIGATION, REGIONS, ExplainConfig, MapJob, MitigationJob, RegionJob
from .kinds import COMPARED, EXPERIMENT, run_settings
from .mitigation import MethodChoice
from .naming import MAGNITUDE_TITLES, choice_title, explainer_title, region_title, titles, variant_title, with_titles
from .parsing_audits import parse_audit
from .presets import PRESETS, SWEEPS, preset_settings, sweep_settings
from .published import published_table
from .subject_audit import SubjectAuditConfig
from .sweep import SweepConfig, plan_trials

__all__ = [
    "ALL_SPLITS",
    "ATTRIBUTION",
    "AUDIT",
    "AUTO",
    "BALANCED",
    "BOX",
    "COMPARED",
    "EXPERIMENT",
    "MAGNITUDE_TITLES",
    "MITIGATION",
    "NO_DEVICE",
    "ON_VALIDATION",
    "ORIGINAL",
    "PARTS",
    "PRESET",
    "PRESETS",
    "REGIONS",
    "REGION_MAP",
    "ROLES",
    "SWEEPS",
    "AttentionSettings",
    "AuditConfig",
    "ExperimentConfig",
    "ExplainConfig",
    "ExplainerChoice",
    "FrozenSettings",
    "MapJob",
    "MethodChoice",
    "MitigationJob",
    "RegionJob",
    "RoiChoice",
    "SchemeChoice",
    "SubjectAuditConfig",
    "SweepConfig",
    "checked_settings",
    "choice_title",
    "columns_in",
    "explainer_title",
    "parse_audit",
    "parse_config",
    "plan_trials",
    "preset_settings",
    "published_table",
    "region_title",
    "run_settings",
    "sweep_settings",
    "titles",
    "variant_title",
    "with_titles",
]
