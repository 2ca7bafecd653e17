from .aside import probe_aside
from .base import Cost, Costing, Probed, ReadFaces
from .experiment import recent_pace, training_seconds
from .registry import COSTS, cost_of

__all__ = [
    "COSTS",
    "Cost",
    "Costing",
    "Probed",
    "ReadFaces",
    "cost_of",
    "probe_aside",
    "recent_pace",
    "training_seconds",
]
