"""The region classifiers that come with the repository: an atlas of real faces, and a small file per attribute of the drawn ones.

`bundled/README.md` says what each was made of, and by which command.
"""

from functools import cache
from pathlib import Path

from fairsal_core.errors import unknown_name
from fairsal_core.regions.atlas import Atlas, stored_attributes
from fairsal_core.regions.classifier import RegionClassifier

_FOLDER = Path(__file__).parent / "bundled"
_ATLAS = "celeba_atlas"


def bundled_attributes() -> tuple[str, ...]:
    """Return the attributes of the drawn faces that have a region classifier here."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.safetensors") if path.stem != _ATLAS))


def bundled_path(attribute: str) -> Path:
    """Return the file of the drawn faces' region classifier for `attribute`, for `RegionClassifier.load`."""
    if attribute not in bundled_attributes():
        raise unknown_name("bundled region classifier for attribute", attribute, bundled_attributes())
    return _FOLDER / f"{attribute}.safetensors"


def bundled_classifier(attribute: str) -> RegionClassifier:
    """Return the region classifier of the drawn faces for `attribute`."""
    return RegionClassifier.load(bundled_path(attribute))


def atlas_path() -> Path:
    """Return the file of the atlas of real faces, for `load_regions`."""
    return _FOLDER / f"{_ATLAS}.safetensors"


@cache
def atlas_names() -> tuple[str, ...]:
    """Return the attributes that the atlas of real faces is of."""
    return stored_attributes(atlas_path())


def load_atlas() -> Atlas:
    """Return the atlas of real faces: CelebA's 40 attributes, learned from aligned photographs."""
    return Atlas.load(atlas_path())
