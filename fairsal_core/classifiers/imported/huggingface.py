"""A folder of transformers: `config.json`, `preprocessor_config.json` and `model.safetensors`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fairsal_core.classifiers.imported.contents import MOST_CONFIG, Contents
from fairsal_core.classifiers.imported.manifest import Manifest, Preprocessing
from fairsal_core.classifiers.imported.named import shapes_in
from fairsal_core.classifiers.imported.offline import offline
from fairsal_core.classifiers.imported.processor import CONFIG as PROCESSOR
from fairsal_core.classifiers.imported.processor import processor_settings
from fairsal_core.classifiers.imported.source import Reading, Source, ordinary_pixels, pictures, said_of_outputs
from fairsal_core.errors import FairsalError
from fairsal_core.files import read_json

CONFIG, WEIGHTS = "config.json", "model.safetensors"
_LOCAL = {"local_files_only": True, "trust_remote_code": False}
_KINDS = {"multi_label_classification": "sigmoid", "single_label_classification": "softmax", "regression": "threshold"}


class Logits(nn.Module):
    """A model of transformers that gives its logits alone."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.model(pixel_values=pixels).logits
        return logits


def recognises(contents: Contents, said: Mapping[str, Any]) -> bool:
    """Return whether there is a configuration of transformers beside the safetensors file."""
    config = contents.configs.get(CONFIG)
    return contents.weights.suffix == ".safetensors" and isinstance(config, dict) and "model_type" in config


def read(contents: Contents, said: Mapping[str, Any]) -> Reading:
    """Return what the configurations say."""
    config = _checked(contents)
    labels = _labels(config)
    count = len(labels) or int(config.get("num_labels", 2))
    outputs, assumed, questions = said_of_outputs(count, labels, said)
    kind = _KINDS.get(str(config.get("problem_type")))
    if kind == "threshold" and "reads" not in said:
        questions.append("above which value of this regression the answer is yes: reads=threshold threshold=NUMBER")
    elif kind is None and count == 1 and "reads" not in said:
        questions.append(
            "what the single output is: reads=sigmoid if it is a logit, reads=threshold threshold=NUMBER if it is a quantity"
        )
    elif kind is not None and count > 1:
        outputs["reads"] = kind
        questions = [asked for asked in questions if "reads=" not in asked]
    settings, taken = _preprocessing(contents, config)
    content = {
        "format": SOURCE.name,
        "architecture": str((config.get("architectures") or [config["model_type"]])[0]),
        "weights": contents.weights.name,
        "outputs": outputs,
        "preprocessing": settings.model_dump(),
    }
    return Reading(content, assumed + taken, questions)


def _checked(contents: Contents) -> dict[str, Any]:
    for name, config in contents.configs.items():
        if isinstance(config, dict) and (config.get("auto_map") or config.get("custom_pipelines")):
            raise FairsalError(
                f"{name} names code of its own (auto_map), which is never run: save it as a class of transformers."
            )
    config = dict(contents.configs[CONFIG])
    if "quantization_config" in config:
        raise FairsalError(
            f"{CONFIG} says that the weights are quantised, which leaves no gradients: save them in full."
        )
    return config


def _labels(config: Mapping[str, Any]) -> tuple[str, ...]:
    named = config.get("id2label")
    if not isinstance(named, Mapping):
        return ()
    try:
        ordered = {int(number): str(name) for number, name in named.items()}
    except ValueError:
        raise FairsalError(f"{CONFIG} numbers its labels by something else than numbers (id2label).") from None
    if sorted(ordered) != list(range(len(ordered))):
        raise FairsalError(f"{CONFIG} does not number its {len(ordered)} labels from 0 on (id2label).")
    return tuple(ordered[index] for index in sorted(ordered))


def _preprocessing(contents: Contents, config: Mapping[str, Any]) -> tuple[Preprocessing, list[str]]:
    if (processor := contents.configs.get(PROCESSOR)) is not None:
        return processor_settings(processor), []
    side = config.get("image_size", 224)
    side = side if isinstance(side, int) else side[0]
    half = (0.5, 0.5, 0.5)
    settings = Preprocessing(resize=(side, side), mean=half, std=half)
    return settings, [f"there is no {PROCESSOR}: resize={side}, mean=0.5 std=0.5"]


def build(folder: Path, manifest: Manifest) -> nn.Module:
    """Return the model with its weights, without code of others and without a hub; see `Source.build`."""
    offline()
    from transformers import AutoModelForImageClassification
    from transformers.utils import logging

    logging.disable_progress_bar()
    if manifest.weights != WEIGHTS:
        raise FairsalError(f"transformers reads {WEIGHTS} alone: rename {manifest.weights}.")
    shapes_in(folder / WEIGHTS)  # one sentence for a damaged file
    try:
        model, about = AutoModelForImageClassification.from_pretrained(
            folder,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **_LOCAL,
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError) as error:
        reason = " ".join(str(error).split())[:160]
        raise FairsalError(
            f"transformers cannot read {CONFIG} and {WEIGHTS} ({type(error).__name__}: {reason})."
        ) from None
    _complain(about)
    return Logits(model).eval()


def _complain(about: Mapping[str, Any]) -> None:
    """Refuse a model some of whose weights were drawn at random, of which transformers merely warns."""
    missing, wrong = sorted(about["missing_keys"]), sorted(map(str, about["mismatched_keys"]))
    if missing or wrong:
        first = missing[0] if missing else wrong[0]
        raise FairsalError(
            f"{WEIGHTS} has no {first}, as {CONFIG} asks for ({len(missing) + len(wrong)} such): transformers would draw it "
            "at random. Is the head missing, or the model another one?"
        )


def blank(folder: Path, manifest: Manifest, seed: int) -> nn.Module:
    """Return the model with random weights; see `Source.blank`."""
    offline()
    from transformers import AutoConfig, AutoModelForImageClassification

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = AutoConfig.from_pretrained(folder, **_LOCAL)
        return Logits(AutoModelForImageClassification.from_config(config, trust_remote_code=False)).eval()


@torch.inference_mode()
def own(folder: Path, manifest: Manifest, frames: Tensor, rounded: bool) -> Tensor:
    """Return what transformers' image processor and model say; see `Source.own`."""
    network = build(folder, manifest)
    from transformers import AutoImageProcessor

    path = folder / PROCESSOR
    if not path.is_file() or processor_settings(read_json(path, MOST_CONFIG)) != manifest.preprocessing:
        outputs: Tensor = network(ordinary_pixels(frames, manifest.preprocessing, rounded))
        return outputs
    processor = AutoImageProcessor.from_pretrained(folder, **_LOCAL)
    given = pictures(frames) if rounded else [each * 255 for each in frames]
    outputs = network(processor(images=given, return_tensors="pt")["pixel_values"])
    return outputs  # noqa: RET504  # a name is what gives it its type


def save(network: nn.Module, folder: Path, manifest: Manifest, to: Path) -> None:
    """Write the model as transformers does; see `Source.save`."""
    network.model.save_pretrained(to, safe_serialization=True)  # type: ignore[operator, union-attr]


SOURCE = Source(
    "huggingface",
    "a folder of Hugging Face transformers",
    ("transformers",),
    "hf",
    recognises,
    read,
    build,
    blank,
    own,
    save,
)
