"""Pure functions on arrays: subgroup accuracy, intervals, saliency against a region of interest. No models, no files."""

from fairsal_core.metrics.groups import (
    ALL_CELLS,
    OTHER_CELLS,
    TARGET_CELLS,
    Estimate,
    cell_numbers,
    gap,
    subgroup_estimates,
)
from fairsal_core.metrics.intervals import Interval, bootstrap_cells, percentile_interval, wilson
from fairsal_core.metrics.saliency import (
    RegionTest,
    Summary,
    adr,
    det,
    dif,
    hrf,
    inside_minus_outside,
    magnitude,
    mrr,
    rddt,
    rrf,
    summarise,
)

__all__ = [
    "ALL_CELLS",
    "OTHER_CELLS",
    "TARGET_CELLS",
    "Estimate",
    "Interval",
    "RegionTest",
    "Summary",
    "adr",
    "bootstrap_cells",
    "cell_numbers",
    "det",
    "dif",
    "gap",
    "hrf",
    "inside_minus_outside",
    "magnitude",
    "mrr",
    "percentile_interval",
    "rddt",
    "rrf",
    "subgroup_estimates",
    "summarise",
    "wilson",
]
