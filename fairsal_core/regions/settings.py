"""How region classifiers are trained: settings, schedules, presets."""

from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR, StepLR


class RegionTraining(BaseModel):
    """How a region classifier is trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: str = Field("dense", description="kind of region classifier: dense, or the paper's resnet18")
    width: int | None = Field(
        None, ge=4, le=256, description="channels of the network's first layers; by default dense 32, resnet18 64"
    )
    head: int | None = Field(
        None, ge=4, le=1024, description="channels of dense's layer before the classes; by default twice the width"
    )
    training_stride: int | None = Field(
        None,
        ge=2,
        le=32,
        description="pixels between the patches of a face that a step of dense's training looks at; by default 8, 2 are all",
    )
    per_side: int = Field(
        49, ge=2, le=97, description="patch positions along each side; 49 is the paper's, 25 and 13 are cheaper"
    )
    images: int = Field(
        4000, ge=2, description="training faces, drawn from the train split; all of it if that has fewer"
    )
    epochs: int = Field(4, ge=1, le=1000, description="passes over the training faces")
    batch_size: int = Field(32, ge=1, le=4096, description="faces per step")
    learning_rate: float = Field(2e-3, gt=0, description="peak rate of AdamW")
    schedule: str = Field(
        "one_cycle",
        description="of the rate: one_cycle, up and then to 0 along a cosine; or steps, / 10 every 40 epochs",
    )
    focus: float = Field(
        0.9,
        ge=0,
        le=1,
        description="share of a position's weight that goes by how much of the attribute was told there so far",
    )
    warm_up: float = Field(
        0,
        ge=0,
        le=0.5,
        description="share of training in which positions count by how well a linear probe reads the label there; over as "
        "much again they come to count alike",
    )
    imbalance: Literal["prior", "balanced", "none"] = Field(
        "prior",
        description="prior: the network tells the evidence alone, to which the base rate is added; balanced: each class weighs the "
        "same in the loss, then the same; none: it tells both",
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of each label spread over all classes")
    weight_decay: float = Field(1e-2, ge=0, description="of AdamW")
    colour_jitter: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="by how much, in standard deviations of 1, light and colours are varied in training",
    )
    mirror: bool = Field(False, description="show half of the batches mirrored; not for what tells left from right")
    averaging: float = Field(
        0.99,
        ge=0,
        lt=1,
        description="what is kept is a running mean of the weights, which forgets so slowly; 0: the last",
    )
    patience: int = Field(
        3, ge=0, description="epochs without a smaller loss on the validation faces after which it stops; 0: never"
    )
    validation_images: int = Field(1000, ge=1, description="faces of the validation split that judge it")
    temperature_scaling: bool = Field(
        False, description="divide the logits by a temperature fitted on the validation faces"
    )
    precision: Literal["bf16", "fp32"] = Field("bf16", description="bf16 is used only where the hardware gains from it")
    compile: bool = Field(False, description="torch.compile the network; pays off on a GPU in long trainings")
    seed: int = Field(0, ge=0, description="fixes the sample, the order and the initial weights")


def _one_cycle(optimiser: Optimizer, rate: float, epochs: int, steps: int) -> LRScheduler:
    rise = 0.3 if steps == 5 else 0.2  # at 5 steps a rise over 0.2 ends at step 0, where torch divides by zero
    return OneCycleLR(optimiser, rate, total_steps=steps, pct_start=rise)


def _steps(optimiser: Optimizer, rate: float, epochs: int, steps: int) -> LRScheduler:
    return StepLR(optimiser, step_size=40 * (steps // epochs), gamma=0.1)


# How the learning rate goes, given the optimiser, the peak rate, the epochs and the steps in all.
SCHEDULES: dict[str, Callable[[Optimizer, float, int, int], LRScheduler]] = {"one_cycle": _one_cycle, "steps": _steps}

# Settings to start from, whatever they leave out keeps its default.
_ALL_ALIKE: dict[str, Any] = {
    "focus": 0.0,
    "imbalance": "none",
    "label_smoothing": 0.1,
    "averaging": 0.0,
    "patience": 0,
}
REGION_PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    # For an atlas of real faces: all of them, as long as it pays.
    "long": {
        "images": 1_000_000,
        "epochs": 40,
        "head": 192,
        "weight_decay": 0.05,
        "colour_jitter": 0.08,
        "mirror": True,
        "averaging": 0.998,
        "patience": 8,
        "temperature_scaling": True,
    },
    # All patches of a face at every step, all alike after the warm-up: a tenth of the speed. The drawn faces' are trained so.
    "every_patch": {**_ALL_ALIKE, "training_stride": 2, "warm_up": 0.25},
    # De Coninck et al. 2024 and its authors' code; weeks on a CPU.
    "paper": {
        "network": "resnet18",
        "images": 1_000_000,
        "epochs": 90,
        "batch_size": 256,
        "learning_rate": 1e-3,
        "schedule": "steps",
        **_ALL_ALIKE,
    },
}
