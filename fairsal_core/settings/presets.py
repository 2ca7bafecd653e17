"""Ready-made experiments and sweeps."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from fairsal_core.errors import unknown_name
from fairsal_core.settings.published import published_schemes


@dataclass(frozen=True)
class Preset:
    """Settings to start from; whatever they leave out keeps its default."""

    name: str
    description: str
    settings: dict[str, Any]


def _of_the_paper(confounder: str) -> dict[str, Any]:
    return {
        "confounder": confounder,
        "counts": "0,3000,2000,1000",
        "schemes": published_schemes(confounder),
        "mask_epochs": 10,
        "measure": "negative_entropy",
        "training": {
            "classifier": "three_conv",
            "epochs": 20,
            "batch_size": 128,
            "learning_rate": 1e-5,
            "learning_rate_decay": 0.95,
            "weight_decay": 1e-3,
        },
    }


def _of_the_second_paper(confounder: str) -> dict[str, Any]:
    return {
        "target": "Smiling",
        "confounder": confounder,
        "counts": "0,3000,2000,1000",
        "schemes": ["general_mask@0.7", "general_noise@0.7"],
        "measure": "negative_entropy",
        "training": {
            "classifier": "resnet50",
            "epochs": 1,
            "batch_size": 128,
            "learning_rate": 3e-4,
            "learning_rate_decay": 1.0,
            "weight_decay": 0.0,
        },
    }


_DC = "De Coninck et al. 2024: Male × {}, 3000 / 2000 / 1000 faces, their quantiles and hyper-parameters"
_SZ = "Sztukiewicz et al. 2025: Smiling × {}, ResNet50, one epoch (subset sizes of De Coninck et al.)"

PRESETS = {
    preset.name: preset
    for preset in (
        Preset("demo", "Teaching demo: the drawn faces and all defaults", {}),
        Preset(
            "tour",
            "Guided tour: a third of the demo's training, for a first look",
            {"counts": "0,300,200,100", "training": {"epochs": 4}, "attention": {"explained_faces": 64}},
        ),
        Preset("paper", _DC.format("Blond_Hair"), _of_the_paper("Blond_Hair")),
        Preset("paper_eyeglasses", _DC.format("Eyeglasses"), _of_the_paper("Eyeglasses")),
        Preset("paper_smiling", _DC.format("Smiling"), _of_the_paper("Smiling")),
        Preset("paper_hat", _DC.format("Wearing_Hat"), _of_the_paper("Wearing_Hat")),
        Preset("smiling_necktie", _SZ.format("Wearing_Necktie"), _of_the_second_paper("Wearing_Necktie")),
        Preset("smiling_hat", _SZ.format("Wearing_Hat"), _of_the_second_paper("Wearing_Hat")),
    )
}

_PAPER = ("paper", "paper_eyeglasses", "paper_smiling", "paper_hat")
_ALL_SCHEMES = ("general_mask", "general_noise", "specific_mask", "specific_noise")
_NO_MAPS: dict[str, Any] = {"attention": {"explainers": []}}  # a table of accuracies explains nothing


_METHODS = (
    *("class_scaling", "rwy", "rwg", "suby", "subg", "group_dro", "jtt", "dfr", "masktune"),
    *("zhang", "savani", "a_clarc", "rr_clarc", "leace", "fine_tune"),
)


def _head_to_head(name: str, **trial: Any) -> dict[str, Any]:
    """Return the sweep that compares schemes and methods, these chosen with group labels on the validation faces and without."""
    return {
        "name": name,
        "base": {
            "seeds": list(range(10)),
            "schemes": [f"{scheme}@{q}" for scheme in _ALL_SCHEMES for q in (0.7, 0.95)],  # much and little
            "attention": {"explainers": ["lrp"], "explained_faces": 64},
            **trial,
        },
        "trials": [
            {"mitigation": [f"{method}:choose_by={choose_by}" for method in _METHODS]}
            for choose_by in ("worst_group", "worst_class")
        ],
        "fit": True,
    }


def _sweep(name: str, presets: tuple[str, ...], **more: Any) -> dict[str, Any]:
    trials = [PRESETS[preset].settings for preset in presets]
    return {"name": name, "base": {"seeds": [0, 1, 2, 3, 4], **_NO_MAPS}, "trials": trials, "fit": True, **more}


_SHORT = dict(zip(_PAPER, ("blond", "glasses", "smiling", "hat"), strict=True))
_BOTH_MEASURES = {"measure": ["negative_entropy", "information_gain"]}

SWEEPS = {
    preset.name: preset
    for preset in (
        Preset("table1", "Table 1 of De Coninck et al. 2024: four confounders, 5 seeds", _sweep("table1", _PAPER)),
        *(
            Preset(
                f"table1_{short}",
                f"One confounder of Table 1, 5 seeds: {PRESETS[preset].settings['confounder']}",
                _sweep(f"table1_{short}", (preset,)),
            )
            for preset, short in _SHORT.items()
        ),
        *(
            Preset(
                f"measures_{short}",
                f"The same with maps by the paper's measure and by information gain: {PRESETS[preset].settings['confounder']}",
                _sweep(f"measures_{short}", (preset,), grid=_BOTH_MEASURES),
            )
            for preset, short in _SHORT.items()
        ),
        Preset(
            "quantiles",
            "All schemes at four quantiles, for choosing one on the validation split: four confounders, 5 seeds",
            _sweep(
                "quantiles",
                _PAPER,
                grid={"schemes": [[f"{scheme}@{q}" for scheme in _ALL_SCHEMES for q in (0.6, 0.7, 0.8, 0.95)]]},
            ),
        ),
        Preset(
            "clean_half",
            "The schemes of Table 1, with all faces treated and with half of them left clean: Blond_Hair, 5 seeds",
            _sweep(
                "clean_half",
                ("paper",),
                grid={
                    "schemes": [
                        [name + option for name in published_schemes("Blond_Hair") for option in ("", ",p=0.5")],
                    ]
                },
            ),
        ),
        Preset(
            "second_paper",
            "Sztukiewicz et al. 2025: Smiling × Wearing_Necktie and Smiling × Wearing_Hat, 5 seeds",
            _sweep("second_paper", ("smiling_necktie", "smiling_hat")),
        ),
        Preset(
            "methods",
            "Schemes beside the group-robust methods of the literature, chosen with group labels and without: Blond_Hair, 10 seeds",
            _head_to_head("methods", counts="0,300,200,100"),
        ),
        Preset(
            "methods_necktie",
            "The same for Smiling × Wearing_Necktie, at the size of the papers' subsets or what the faces allow of it",
            _head_to_head("methods_necktie", target="Smiling", confounder="Wearing_Necktie", counts="0,3000,2000,1000"),
        ),
        Preset(
            "drawn",
            "All schemes on the drawn faces: Blond_Hair, half of the demo's training faces, 10 seeds",
            {
                "name": "drawn",
                "base": {
                    "seeds": list(range(10)),
                    "counts": "0,300,200,100",  # ten seeds then take a quarter of an hour on two cores
                    "schemes": [f"{scheme}@0.7" for scheme in _ALL_SCHEMES],
                    **_NO_MAPS,
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


def sweep_settings(name: str) -> dict[str, Any]:
    """Return a copy of a sweep's settings; an unknown name is an error that names the nearest."""
    if name not in SWEEPS:
        raise unknown_name("sweep", name, SWEEPS)
    return deepcopy(SWEEPS[name].settings)
