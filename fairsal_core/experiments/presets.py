"""Ready-made experiments."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from fairsal_core.errors import unknown_name


@dataclass(frozen=True)
class Preset:
    """Settings to start from; whatever they leave out keeps its default."""

    name: str
    description: str
    settings: dict[str, Any]


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("demo", "Teaching demo: the drawn faces and all defaults", {}),
        Preset(
            "paper",
            "De Coninck et al. 2024: 3000 / 2000 / 1000 faces and the authors' hyper-parameters (10 epochs for masks)",
            {
                "counts": "0,3000,2000,1000",
                "schemes": ["general_noise@0.7"],
                "training": {
                    "classifier": "three_conv",
                    "epochs": 20,
                    "batch_size": 128,
                    "learning_rate": 1e-5,
                    "learning_rate_decay": 0.95,
                    "weight_decay": 1e-3,
                },
            },
        ),
    )
}


def preset_settings(name: str) -> dict[str, Any]:
    """Return a copy of a preset's settings; an unknown name is an error that names the nearest."""
    if name not in PRESETS:
        raise unknown_name("preset", name, PRESETS)
    return deepcopy(PRESETS[name].settings)
