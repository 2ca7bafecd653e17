"""The region classifiers that come with the repository: one small file per attribute of the drawn faces.

`python -m fairsal_core train-regions --attribute all --images 4800 --epochs 2 --out fairsal_core/regions/bundled` reproduces
them.
"""

from pathlib import Path

from fairsal_core.errors import unknown_name
from fairsal_core.regions.classifier import RegionClassifier

_FOLDER = Path(__file__).parent / "bundled"


def bundled_attributes() -> tuple[str, ...]:
    """Return the attributes of the drawn faces that have a region classifier here."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.safetensors")))


def bundled_path(attribute: str) -> Path:
    """Return the file of the drawn faces' region classifier for `attribute`, for `RegionClassifier.load`."""
    if attribute not in bundled_attributes():
        raise unknown_name("bundled region classifier for attribute", attribute, bundled_attributes())
    return _FOLDER / f"{attribute}.safetensors"


def bundled_classifier(attribute: str) -> RegionClassifier:
    """Return the region classifier of the drawn faces for `attribute`."""
    return RegionClassifier.load(bundled_path(attribute))
