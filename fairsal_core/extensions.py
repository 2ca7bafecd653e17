"""All that installed packages can add to, and what they added."""

from fairsal_core.classifiers import CLASSIFIERS
from fairsal_core.faces import FORMATS
from fairsal_core.metrics import METRICS
from fairsal_core.mitigation import METHODS
from fairsal_core.regions import MEASURES, NETWORKS
from fairsal_core.registry import Extension
from fairsal_core.saliency import EXPLAINERS
from fairsal_core.schemes import SCHEMES

__all__ = ["REGISTRIES", "Extension", "list_extensions"]

REGISTRIES = (FORMATS, MEASURES, NETWORKS, SCHEMES, CLASSIFIERS, EXPLAINERS, METHODS, METRICS)


def list_extensions() -> list[Extension]:
    """Return what became of each installed entry point, group by group: what it gives, and what was left out and why."""
    return [extension for registry in REGISTRIES for extension in registry.extensions()]
