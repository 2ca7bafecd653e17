"""What a result was computed with."""

import platform
from importlib.metadata import PackageNotFoundError, version

import fairsal_core

_PACKAGES = ("torch", "torchvision", "numpy", "scipy", "pandas", "zennit", "captum", "fairlearn", "safetensors")


def versions() -> dict[str, str]:
    """Return the versions of fairsal, Python and the packages that numbers depend on."""
    return {"fairsal": fairsal_core.__version__, "python": platform.python_version(), **_installed()}


def _installed() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # an optional one
            continue
    return found
