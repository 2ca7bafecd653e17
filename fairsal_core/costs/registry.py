"""Which kinds of job can be costed, and how."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from fairsal_core.costs import attribution, audit, experiment, explain, mitigation, regions, sweep
from fairsal_core.costs.base import Cost, Costing, probed_here
from fairsal_core.faces import load_faces
from fairsal_core.progress import Progress, silent
from fairsal_core.settings import ATTRIBUTION, AUDIT, EXPERIMENT, MITIGATION, REGIONS

COSTS: Mapping[str, Costing[Any, Any]] = {
    kind: Costing(module.parse, paces, module.depends_on, module.probe, module.cost)
    for kind, module, paces in (
        (EXPERIMENT, experiment, experiment.Paces),
        (AUDIT, audit, audit.AuditPaces),
        (REGIONS, regions, regions.RegionPaces),
        (ATTRIBUTION, attribution, attribution.MapPaces),
        ("explain", explain, explain.ExplainPaces),
        (MITIGATION, mitigation, mitigation.MitigationPaces),
        ("sweep", sweep, sweep.SweepPaces),
    )
}
"""Kind of job, as in `runs.worker.JOBS`, or one that is no run -> how it is costed."""


def cost_of(kind: str, content: Mapping[str, Any], progress: Progress = silent) -> Cost:
    """Return what a job takes, by trying its stages in this process, which should hold little else.

    Raises
    ------
    FairsalError
        If the settings do not fit, or what they name is not there.
    """
    costing = COSTS[kind]
    config, read = costing.parse(content), cache(lambda source: load_faces(source, progress))
    return costing.cost(config, read, probed_here(costing, config, read))
