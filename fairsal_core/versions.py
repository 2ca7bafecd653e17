"""What a result was computed with, and the versions of what computes it."""

import platform
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version

import fairsal_core

# Of what each stage computes, and of what becomes of it. Raised whenever that changes, so that nothing older is taken for
# its own; `tests/stages` notices where it was not. "results" is what follows the stages: judging, metrics and tables.
STAGES: Mapping[str, int] = {
    "packing": 1,
    "regions": 3,
    "region_quality": 1,
    "maps": 1,
    "scores": 3,
    "classifiers": 2,
    "mitigated": 1,
    "relevance": 2,
    "shards": 1,
    "attribution": 1,
    "results": 6,
}
_PACKAGES = ("torch", "torchvision", "numpy", "scipy", "pandas", "zennit", "captum", "fairlearn", "safetensors")


def versions() -> dict[str, str]:
    """Return the versions of fairsal, Python and the packages that numbers depend on, and the kind of processor."""
    return {
        "fairsal": fairsal_core.__version__,
        "python": platform.python_version(),
        **_installed(),
        "processor": f"{platform.machine()}{_instructions()}",
    }


def stage_versions() -> str:
    """Return the versions of all stages as one line."""
    return " ".join(f"{name}={number}" for name, number in STAGES.items())


@cache
def torch_series() -> str:
    """Return torch's version up to the minor one: within it, what is kept is taken again."""
    return series(version("torch"))


def series(number: str) -> str:
    """Return a version up to the minor one.

    Examples
    --------
    >>> series("2.14.1+cpu")
    '2.14'
    """
    return ".".join(number.split(".")[:2])


@cache
def _installed() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # an optional one
            continue
    return found


def _instructions() -> str:
    """Return the instructions that torch computes with here; nothing if it is not at work, since importing it takes seconds."""
    torch = sys.modules.get("torch")
    if torch is None:
        return ""
    from fairsal_core.tensors import bf16_units

    units = bf16_units()
    return f" {torch.backends.cpu.get_cpu_capability()}{f' with {units}' if units else ''}"
