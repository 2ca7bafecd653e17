from .ray_cluster import ask_cluster, cluster_state, describe_cluster
from .shards import map_here, on_ray, open_maps, stored_maps
from .sweep import Trial, check_trials, read_sweep

__all__ = [
    "Trial",
    "ask_cluster",
    "check_trials",
    "cluster_state",
    "describe_cluster",
    "map_here",
    "on_ray",
    "open_maps",
    "read_sweep",
    "stored_maps",
]
