from .attention import ExplainConfig
from .attention_results import Attention, list_attention, measure_again, read_attention
from .attention_settings import AttentionSettings, ExplainerChoice, RoiChoice
from .attribution import (
    REGIONS,
    MapJob,
    RegionJob,
    class_means,
    read_means,
)
from .changes import changes_table, face_changes, reference_changes
from .config import (
    BALANCED,
    ORIGINAL,
    ExperimentConfig,
    SchemeChoice,
    checked_settings,
    hash_of,
    parse_config,
)
from .estimate import Pace, recent_pace, training_seconds
from .launcher import cancel, resume, run_here, start
from .mitigate import MethodOutcome, mitigation_of, read_outcomes
from .mitigation_settings import MethodChoice
from .pipeline import (
    available_regions,
    help_to_train,
    plan_variants,
    run_experiment,
    trained_regions,
)
from .presets import PRESETS, SWEEPS, preset_settings, sweep_settings
from .processes import holding
from .pruning import Leftover, leftovers, prune
from .ray_engine import ask_cluster, cluster_state, describe_cluster
from .replication import AUTHORS_EVALUATION, papers_format
from .reporting import Event, Report
from .results import (
    CLEAN,
    TREATED,
    VALIDATION,
    accuracy_and_gap,
    gap_name,
    natural_table,
    over_all_seeds,
    read_predictions,
    read_results,
    results_table,
    wide_results,
)
from .roi_choice import find_roi, region_map_roi
from .sharding import ATTRIBUTION, map_here, on_ray, open_maps, stored_maps
from .store import (
    RESUMABLE,
    TERMINAL,
    Run,
    delete_run,
    list_runs,
    load_run,
    log_tail,
    read_events,
    run_path,
)
from .sweep import SweepConfig, Trial, plan_trials, read_sweep
from .trade_off import fairness_change_table
from .variants import Variant

__all__ = [
    "ATTRIBUTION",
    "AUTHORS_EVALUATION",
    "BALANCED",
    "CLEAN",
    "ORIGINAL",
    "PRESETS",
    "REGIONS",
    "RESUMABLE",
    "SWEEPS",
    "TERMINAL",
    "TREATED",
    "VALIDATION",
    "Attention",
    "AttentionSettings",
    "Event",
    "ExperimentConfig",
    "ExplainConfig",
    "ExplainerChoice",
    "Leftover",
    "MapJob",
    "MethodChoice",
    "MethodOutcome",
    "Pace",
    "RegionJob",
    "Report",
    "RoiChoice",
    "Run",
    "SchemeChoice",
    "SweepConfig",
    "Trial",
    "Variant",
    "accuracy_and_gap",
    "ask_cluster",
    "available_regions",
    "cancel",
    "changes_table",
    "checked_settings",
    "class_means",
    "cluster_state",
    "delete_run",
    "describe_cluster",
    "face_changes",
    "fairness_change_table",
    "find_roi",
    "gap_name",
    "hash_of",
    "help_to_train",
    "holding",
    "leftovers",
    "list_attention",
    "list_runs",
    "load_run",
    "log_tail",
    "map_here",
    "measure_again",
    "mitigation_of",
    "natural_table",
    "on_ray",
    "open_maps",
    "over_all_seeds",
    "papers_format",
    "parse_config",
    "plan_trials",
    "plan_variants",
    "preset_settings",
    "prune",
    "read_attention",
    "read_events",
    "read_means",
    "read_outcomes",
    "read_predictions",
    "read_results",
    "read_sweep",
    "recent_pace",
    "reference_changes",
    "region_map_roi",
    "results_table",
    "resume",
    "run_experiment",
    "run_here",
    "run_path",
    "start",
    "stored_maps",
    "sweep_settings",
    "trained_regions",
    "training_seconds",
    "wide_results",
]
