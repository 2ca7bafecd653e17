"""safetensors and the name of a network of torchvision or timm."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from fairsal_core.classifiers.imported.contents import Contents, look_into
from fairsal_core.classifiers.imported.manifest import Manifest, Preprocessing, as_manifest
from fairsal_core.classifiers.imported.offline import offline
from fairsal_core.classifiers.imported.processor import CONFIG, processor_settings
from fairsal_core.classifiers.imported.source import Reading, Source, grey, ordinary_pixels, pictures, said_of_outputs
from fairsal_core.errors import FairsalError, unknown_name

CONFIG_FILE, SAID_FILE = "config.json", "fairsal.json"
_PREFIXES = ("module.", "_orig_mod.", "model.", "network.", "net.")  # what wrappers put before the names of weights
_INPUT_WEIGHTS = (
    "conv1.weight",
    "conv1.0.weight",
    "stem.0.weight",
    "patch_embed.proj.weight",
    "features.0.0.weight",
    "features.0.weight",
)
# What timm's networks may be built with. Not what would load something: checkpoint_path, pretrained_cfg, cache_dir ...
_ARGUMENTS = frozenset(
    (
        *(
            "img_size",
            "image_size",
            "patch_size",
            "in_chans",
            "depth",
            "depths",
            "dims",
            "embed_dim",
            "num_heads",
            "window_size",
        ),
        *(
            "mlp_ratio",
            "global_pool",
            "class_token",
            "reg_tokens",
            "no_embed_class",
            "qkv_bias",
            "init_values",
            "width_mult",
        ),
        *("dropout", "drop_rate"),
    )
)
_CLASSES = 1000  # what a head is told by: any number would do
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Library:
    """Where networks are made by name: its names, how one is made, and what it feeds a network with unless told otherwise."""

    name: str
    names: Callable[[], list[str]]
    make: Callable[[str, int, Mapping[str, Any]], nn.Module]
    defaults: Callable[[str], Preprocessing]


def shapes_in(path: Path) -> dict[str, tuple[int, ...]]:
    """Return names and shapes of the tensors in a safetensors file, without what wrappers put before the names.

    Raises
    ------
    FairsalError
        If it is none.
    """
    try:
        with safe_open(path, "pt") as file:
            found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise FairsalError(
            f"{path.name} is no whole safetensors file ({' '.join(str(error).split())[:120]})."
        ) from None
    if not found:
        raise FairsalError(f"{path.name} holds no weights.")
    cut = _prefix(found)
    return {name[cut:]: shape for name, shape in found.items()}


def state_in(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by the names that `shapes_in` gives them."""
    with safe_open(path, "pt") as file:
        cut = _prefix(file.keys())
        return {name[cut:]: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118


def _prefix(names: Any) -> int:
    return next((len(prefix) for prefix in _PREFIXES if all(name.startswith(prefix) for name in names)), 0)


def outputs_of(library: Library, architecture: str, arguments: Mapping[str, Any], found: Shapes) -> int:
    """Return how many outputs the network in a file has: it differs from the library's own in nothing else.

    Raises
    ------
    FairsalError
        If it is another network, has no head, or another number of input channels.
    """
    expected = _shapes(library, architecture, _CLASSES, arguments)
    differing = [name for name in expected if name in found and found[name] != expected[name]]
    heads = [name for name in differing if found[name][1:] == expected[name][1:] and expected[name][:1] == (_CLASSES,)]
    missing, unknown = (
        [name for name in expected if name not in found],
        [name for name in found if name not in expected],
    )
    entry = next((name for name in differing if name in _INPUT_WEIGHTS and len(found[name]) == 4), None)
    if entry and found[entry][1] != expected[entry][1]:
        how = (
            "say so by in_chans of model_args in config.json"
            if library.name == "timm"
            else "timm's networks take any number"
        )
        raise FairsalError(
            f"{entry} takes {found[entry][1]} channels, and {library.name}'s {architecture} {expected[entry][1]}: {how}."
        )
    wrong = [name for name in differing if name not in heads]
    if missing or unknown or wrong:
        raise FairsalError(_another(library.name, architecture, (missing, unknown, wrong), found, expected))
    return found[heads[0]][0] if heads else _CLASSES


def _another(
    library: str,
    architecture: str,
    differences: tuple[list[str], list[str], list[str]],
    found: Shapes,
    expected: Shapes,
) -> str:
    missing, unknown, wrong = differences
    count = len(missing) + len(unknown) + len(wrong)
    heads = [name for name in missing if expected[name][:1] == (_CLASSES,)]
    if heads and len(missing) == len(heads) and not wrong:
        return f"The head of {library}'s {architecture} is missing: the file has no {' and no '.join(heads)}."
    detail = (
        f"it has no {missing[0]}" if missing
        else f"{wrong[0]} is {list(found[wrong[0]])}, not {list(expected[wrong[0]])}" if wrong
        else f"it has {unknown[0]}, which that has not"
    )  # fmt: skip
    return f"The weights are no {library} {architecture}: {detail} ({count} such differences)."


def _shapes(
    library: Library, architecture: str, count: int, arguments: Mapping[str, Any]
) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        network = _made(library, architecture, count, arguments)
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def _made(library: Library, architecture: str, count: int, arguments: Mapping[str, Any]) -> nn.Module:
    if architecture not in library.names():
        raise unknown_name(f"network of {library.name}", architecture, library.names())
    if foreign := sorted(set(arguments) - _ARGUMENTS):
        raise FairsalError(
            f"A network may not be built with '{foreign[0]}'; with {', '.join(sorted(_ARGUMENTS))} it may."
        )
    try:
        return library.make(architecture, count, arguments)
    except (TypeError, ValueError, AssertionError, RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:160]
        raise FairsalError(
            f"{library.name}'s {architecture} cannot be built with {dict(arguments)} ({reason})."
        ) from None


def recognises(library: Library, contents: Contents, said: Mapping[str, Any]) -> bool:
    """Return whether the folder says, or somebody says, a name of the library's; timm's config is timm's."""
    if contents.weights.suffix != ".safetensors":
        return False
    config = contents.configs.get(CONFIG_FILE, {})
    if not isinstance(config, dict) or "model_type" in config:
        return False
    architecture, wanted = said.get("architecture") or config.get("architecture", ""), config.get("library")
    if wanted or "pretrained_cfg" in config:
        return bool((wanted or "timm") == library.name)
    return not architecture or str(architecture) in library.names()


def read(library: Library, contents: Contents, said: Mapping[str, Any]) -> Reading:
    """Return what the weights' shapes and timm's `config.json` say; the rest is the library's own and assumed."""
    config = contents.configs.get(CONFIG_FILE, {})
    architecture = str(said.get("architecture") or config.get("architecture", ""))
    found = shapes_in(contents.weights)
    if not architecture:
        return Reading({}, questions=[_which_network(found)])
    arguments = {name: _argument(value) for name, value in dict(config.get("model_args") or {}).items()}
    count = outputs_of(library, architecture, arguments, found)
    labels = tuple(map(str, config.get("label_names") or config.get("labels") or ()))
    outputs, assumed, questions = said_of_outputs(count, labels if len(labels) == count else (), said)
    if labels and len(labels) != count and not said.get("labels"):
        assumed.append(
            f"the {len(labels)} labels of {CONFIG_FILE} are not those of the {count} outputs (labels=A,B,...)"
        )
    settings, taken = _preprocessing(library, contents, architecture)
    content = {
        "format": library.name,
        "architecture": architecture,
        "arguments": arguments,
        "weights": contents.weights.name,
        "outputs": outputs,
        "preprocessing": settings.model_dump(),
    }
    return Reading(content, assumed + taken, questions)


def _which_network(found: Shapes) -> str:
    return (
        f"which network it is: architecture=NAME of torchvision or timm (it has {len(found)} tensors, the first is "
        f"{next(iter(found))} {list(next(iter(found.values())))})"
    )


def _argument(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _preprocessing(library: Library, contents: Contents, architecture: str) -> tuple[Preprocessing, list[str]]:
    config = contents.configs.get(CONFIG_FILE, {})
    if (processor := contents.configs.get(CONFIG)) is not None:
        return processor_settings(processor), []
    if isinstance(config.get("pretrained_cfg"), dict):
        return timm_settings(config["pretrained_cfg"]), []
    settings = library.defaults(architecture)
    told = f"resize={settings.resized[0]} crop={settings.size[0]} mean={_listed(settings.mean)} std={_listed(settings.std)}"
    return settings, [f"pixels as {library.name} prepares them for {architecture}: {told}"]


def _listed(values: tuple[float, ...]) -> str:
    return ",".join(f"{value:g}" for value in values)


def timm_settings(config: Mapping[str, Any]) -> Preprocessing:
    """Return what timm's `pretrained_cfg` says: as timm's `create_transform` understands it, for square frames."""
    depth, height, width = config.get("input_size") or (3, 224, 224)
    share = float(config.get("crop_pct") or 0.875)
    resized = [int(height / share), int(width / share)]
    content = {
        "resize": resized,
        "crop": [height, width],
        "interpolation": config.get("interpolation") or "bicubic",
        "channels": "grey" if depth == 1 else "RGB",
        "mean": config.get("mean") or (0.485, 0.456, 0.406),
        "std": config.get("std") or (0.229, 0.224, 0.225),
    }
    manifest = as_manifest({"format": "timm", "weights": "x", "preprocessing": content})
    return manifest.preprocessing


def build(library: Library, folder: Path, manifest: Manifest) -> nn.Module:
    """Return the network with the weights of a folder, in eval mode; see `Source.build`."""
    path = folder / manifest.weights
    network = _made(library, manifest.architecture, manifest.outputs.count, manifest.arguments)
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    if shapes_in(path) != expected:
        raise FairsalError(f"{manifest.weights} does not hold a {manifest.architecture} of {library.name}.")
    network.load_state_dict(state_in(path))
    return network.float().eval()


def blank(library: Library, folder: Path, manifest: Manifest, seed: int) -> nn.Module:
    """Return the network with random weights, in eval mode; see `Source.blank`."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return _made(library, manifest.architecture, manifest.outputs.count, manifest.arguments).eval()


@torch.inference_mode()
def own(library: Library, folder: Path, manifest: Manifest, frames: Tensor, rounded: bool) -> Tensor:
    """Return what the library's own transforms and network say; see `Source.own`."""
    network = build(library, folder, manifest)
    transform = _timm_transform(folder, manifest) if library.name == "timm" else None
    if transform is None:
        outputs: Tensor = network(ordinary_pixels(frames, manifest.preprocessing, rounded))
        return outputs
    given: list[Any] = pictures(frames) if rounded else list(frames)
    if manifest.preprocessing.channels == "grey":
        given = [each.convert("L") for each in given] if rounded else list(grey(frames))
    outputs = network(torch.stack([transform(each) for each in given]))
    return outputs  # noqa: RET504  # a name is what gives it its type


def _timm_transform(folder: Path, manifest: Manifest) -> Any:
    """Return timm's own transform where it is what the manifest was read from, and not what somebody said instead."""
    from timm.data import create_transform, resolve_data_config

    config = look_into(folder, manifest.weights).configs.get(CONFIG_FILE, {})
    said = config.get("pretrained_cfg") if isinstance(config, dict) else None
    if not isinstance(said, dict) or timm_settings(said) != manifest.preprocessing:
        return None
    return create_transform(**resolve_data_config(pretrained_cfg=said), is_training=False)


def save(library: Library, network: nn.Module, folder: Path, manifest: Manifest, to: Path) -> None:
    """Write the weights as they came; see `Source.save`."""
    state = {name: value.detach().cpu().contiguous().clone() for name, value in network.state_dict().items()}
    save_file(state, to / manifest.weights)


def _torchvision_names() -> list[str]:
    import torchvision

    return list(torchvision.models.list_models(module=torchvision.models))


def _torchvision_network(name: str, count: int, arguments: Mapping[str, Any]) -> nn.Module:
    import torchvision

    extra = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    network: nn.Module = torchvision.models.get_model(name, weights=None, num_classes=count, **extra, **arguments)
    return network


def _torchvision_defaults(name: str) -> Preprocessing:
    import torchvision

    preset = torchvision.models.get_model_weights(name).DEFAULT.transforms()
    return Preprocessing(
        resize=(preset.resize_size[0], preset.resize_size[0]),
        crop=(preset.crop_size[0], preset.crop_size[0]),
        interpolation=preset.interpolation.value,
        mean=tuple(preset.mean),
        std=tuple(preset.std),
    )


def _timm_names() -> list[str]:
    from importlib.util import find_spec

    if find_spec("timm") is None:
        return []
    offline()
    import timm

    return list(timm.list_models())


def _timm_network(name: str, count: int, arguments: Mapping[str, Any]) -> nn.Module:
    offline()
    import timm

    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=count, **arguments)
    return network


def _timm_defaults(name: str) -> Preprocessing:
    offline()
    import timm

    config = timm.get_pretrained_cfg(name)
    return timm_settings(config.to_dict() if config else {})


def _source(library: Library, needs: tuple[str, ...], extra: str) -> Source:
    return Source(
        library.name,
        f"safetensors with a network's name of {library.name}",
        needs,
        extra,
        *(partial(do, library) for do in (recognises, read, build, blank, own, save)),  # type: ignore[arg-type]
    )


TORCHVISION = Library("torchvision", _torchvision_names, _torchvision_network, _torchvision_defaults)
TIMM = Library("timm", _timm_names, _timm_network, _timm_defaults)
TORCHVISION_SOURCE, TIMM_SOURCE = _source(TORCHVISION, ("torchvision",), ""), _source(TIMM, ("timm",), "timm")
