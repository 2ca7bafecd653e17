"""An experiment at work: what its steps share, and what each of them does."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import pandas as pd
import torch
from torch import nn

from fairsal_core.experiments.judging import cell_watcher
from fairsal_core.experiments.maps import Maps, maps_stage
from fairsal_core.experiments.planning import Plan, plan_experiment
from fairsal_core.experiments.regions import Regions, find_regions, quality_stage
from fairsal_core.faces import biased_subset, frame_notice, load_faces
from fairsal_core.files import write_json
from fairsal_core.home import cache_folder
from fairsal_core.results import MethodOutcome
from fairsal_core.runs import JobProgress, RunFiles
from fairsal_core.settings import ExperimentConfig

Judged = dict[Path, pd.DataFrame]
"""Predictions of one subject: file of the run -> table."""


@dataclass
class Experiment:
    """What the steps of an experiment share: its plan, where it computes, whom it tells, and what they have made so far.

    Attributes
    ----------
    plan : Plan
        What is asked for, and of which faces.
    files : RunFiles
        Of its run.
    device : torch.device
        Where to compute.
    progress : JobProgress
        Told how far it is; raises to stop.
    watch : callable
        (network) -> numbers worth plotting, between two epochs.
    regions : Regions, optional
        The confounder's, once `find_regions` has found it; None without a scheme.
    maps : dict
        Seed -> maps of its biased subset, once `map_subset` has made them; None without a scheme.
    judged : list
        Predictions of each variant and seed.
    mitigated : list
        How each method ended for each seed, and the predictions.
    """

    plan: Plan
    files: RunFiles
    device: torch.device
    progress: JobProgress
    watch: Callable[[nn.Module], dict[str, float]]
    regions: Regions | None = None
    maps: dict[int, Maps | None] = field(default_factory=dict)
    judged: list[Judged] = field(default_factory=list)
    mitigated: list[tuple[MethodOutcome, Judged]] = field(default_factory=list)

    @classmethod
    def begin(cls, config: ExperimentConfig, run: Path, device: torch.device, progress: JobProgress) -> Self:
        """Return the experiment of a run, planned, with nothing made yet.

        Raises
        ------
        FairsalError
            If the faces do not allow it.
        """
        faces = load_faces(config.data, progress)
        if notice := frame_notice(faces, cache_folder()):
            faces = replace(faces, notes=(*faces.notes, notice))  # which the run's report repeats
        plan = plan_experiment(config, faces)
        return cls(plan, RunFiles(run), device, progress, cell_watcher(config, plan.validation))

    def note(self, notice: str) -> None:
        """Say something that a reader of the run should know: now, and in its log."""
        with self.files.log.open("a", encoding="utf-8") as log:
            log.write(f"{notice}\n")
        self.progress(0, 1, notice)

    def find_regions(self) -> None:
        """Have the confounder's region classifier, and how well it knows the confounder, if a scheme asks for it."""
        config, faces = self.plan.config, self.plan.faces
        if not config.schemes:
            return
        self.regions = find_regions(config, faces, self.device, self.progress)
        quality = quality_stage(self.regions, faces, config.regions).make(self.progress)
        write_json(self.files.region_quality, {"attribute": config.confounder, **quality.as_json()})

    def map_subset(self, seed: int) -> None:
        """Have the maps of a seed's biased subset, if a scheme asks for them."""
        config = self.plan.config
        if self.regions is None:
            self.maps[seed] = None
            return
        biased = biased_subset(self.plan.faces, config.target, config.confounder, config.counts, seed=seed)
        self.maps[seed] = maps_stage(self.regions, biased, config.measure).make(self.progress)
