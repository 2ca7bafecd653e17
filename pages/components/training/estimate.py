"""What an experiment will take: seconds of each stage, and room on the disk."""

import shutil
from pathlib import Path

import streamlit as st

from fairsal_core.experiments import Variant, disk_bytes, probe_paces, stage_seconds
from fairsal_core.faces import FaceDataset
from fairsal_core.home import workspace
from fairsal_core.settings import ExperimentConfig
from pages.components.shared.estimate import estimate_section


def time_section(config: ExperimentConfig, variants: list[Variant], faces: FaceDataset) -> None:
    """Show the seconds of each stage once they are known."""
    estimate_section(
        _what_is_probed(config),
        lambda: probe_paces(config, faces),
        lambda paces: stage_seconds(config, variants, faces, paces),
    )


def room_section(config: ExperimentConfig, variants: list[Variant], faces: FaceDataset) -> None:
    """Say how much disk the run takes, what of it, and whether there is room."""
    parts = disk_bytes(config, variants, faces)
    needed, free = sum(parts.values()), shutil.disk_usage(_there(workspace())).free
    listed = ", ".join(f"{what} {_amount(size)}" for what, size in parts.items())
    told = f"At most **{_amount(needed)}** of disk ({listed}), if nothing of it is there yet"
    if needed > free:
        st.warning(f"{told}; {_amount(free)} are free. Free some (`runs prune`), or ask for fewer variants or seeds.")
    else:
        st.caption(f"{told}. There is room.")


def _there(folder: Path) -> Path:
    """Return the folder, or the nearest above it that there is."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def _amount(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(count / 1e6, 1):.0f} MB"


def _what_is_probed(config: ExperimentConfig) -> tuple[str, ...]:
    """Return what paces depend on, for the cache to tell them by."""
    regions = config.regions.model_dump_json(exclude={"images", "epochs", "validation_images", "seed"})
    training = config.training.model_dump_json(include={"classifier", "batch_size", "precision"})
    explainers = ",".join(choice.name for choice in config.attention.explainers)
    methods = ",".join(choice.model_dump_json() for choice in config.mitigation)
    return config.data, config.confounder, regions, training, explainers, methods, config.device
