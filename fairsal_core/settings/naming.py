"""What a reader is told for the names that settings, tables and files use: plain words, from the registries' own fields."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from fairsal_core.errors import FairsalError
from fairsal_core.mitigation import METHODS
from fairsal_core.registry import as_words, entry_title
from fairsal_core.saliency import EXPLAINERS
from fairsal_core.schemes import SCHEMES
from fairsal_core.settings.attention import RoiChoice
from fairsal_core.settings.base import checked_settings
from fairsal_core.settings.experiment import BALANCED, ORIGINAL, SchemeChoice

if TYPE_CHECKING:
    import pandas as pd

MAGNITUDE_TITLES = {"per_image": "relative to each map's largest value", "raw": "as strong as it is"}
_REGIONS = {
    "auto": "the best there is",
    "preset": "the confounder's usual box",
    "parts": "the confounder's part masks",
}
_AS_TOLD = {ORIGINAL: "Original", BALANCED: "Balanced"}


def variant_title(name: str) -> str:
    """Return what to call a variant: a reference, a scheme at a quantile, a mitigation method; another's name as it is.

    Examples
    --------
    >>> variant_title("general_mask@0.7"), variant_title("original_20_epochs")
    ('General mask, top 30%', 'Original, 20 epochs')
    >>> variant_title("general_noise@0.6,p=0.5,normalised")
    'General noise, top 40%, half as often, after normalisation'
    """
    kind, _, rest = name.partition("_")
    if kind in _AS_TOLD and (not rest or rest.endswith("_epochs")):
        return _AS_TOLD[kind] + (f", {as_words(rest).lower()}" if rest else "")
    if "@" in name:
        return _scheme_title(name)
    return choice_title(METHODS, name)


def _scheme_title(name: str) -> str:
    if name.partition("@")[0] not in SCHEMES:
        return name
    try:
        choice = checked_settings(SchemeChoice, name)
    except FairsalError:
        return name
    told = [SCHEMES.title(choice.scheme), f"top {round(100 * (1 - choice.quantile), 2):g}%"]
    if choice.treat_probability < 1:
        share = choice.treat_probability
        told.append("half as often" if share == 0.5 else f"{share:.0%} of the images")
    if choice.noise_domain != "pixel":
        told.append("after normalisation" if choice.noise_domain == "normalised" else as_words(choice.noise_domain))
    return ", ".join(told)


def explainer_title(name: str) -> str:
    """Return what to call an explainer with its settings, as `variant_title` does."""
    return choice_title(EXPLAINERS, name)


def choice_title(entries: Mapping[str, Any], name: str) -> str:
    """Return what to call METHOD or METHOD:setting=value,...; a name that is not among them stands for itself.

    Examples
    --------
    >>> choice_title(EXPLAINERS, "integrated_gradients:steps=20")
    'Integrated gradients (steps 20)'
    """
    method, _, settings = name.partition(":")
    if method not in entries:
        return name
    told = settings.replace("_", " ").replace("=", " ").replace(",", ", ").replace("+", " or ")
    return entry_title(entries, method) + (f" ({told})" if told else "")


def region_title(name: str) -> str:
    """Return what to call a region of interest.

    Examples
    --------
    >>> region_title("region_map@0.7"), region_title("30,84,60,24")
    ('where the confounder can be read off, top 30%', 'a box at 30, 84 of 60 × 24 pixels')
    """
    try:
        choice = checked_settings(RoiChoice, name)
    except FairsalError:
        return name
    if choice.box is not None:
        x, y, width, height = choice.box
        return f"a box at {x}, {y} of {width} × {height} pixels"
    if choice.kind == "region_map":
        return f"where the confounder can be read off, top {round(100 * (1 - choice.quantile), 2):g}%"
    return _REGIONS.get(choice.kind, choice.kind)


_TOLD_IN = {
    **dict.fromkeys(("variant", "treated_by", "classifier", "hidden by"), variant_title),
    "explainer": explainer_title,
    **dict.fromkeys(("roi", "region of interest"), region_title),
}


def with_titles(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return a table of results for a reader: variants, what treats them, explainers and regions by what they are called.

    Two variants of one title keep their names, so that rows can be told apart.
    """
    told = {}
    for column, title in _TOLD_IN.items():
        if column in table.columns:
            told[column] = table[column].map(titles(table[column].dropna().unique(), title))
    return table.assign(**told)


def titles(names: Iterable[str], title: Callable[[str], str] = variant_title) -> dict[str, str]:
    """Return what to call each of some names; those that would be called alike are called by their names.

    Examples
    --------
    >>> titles(["original", "general_mask@0.7"])
    {'original': 'Original', 'general_mask@0.7': 'General mask, top 30%'}
    >>> titles(["original", "Original"])
    {'original': 'original', 'Original': 'Original'}
    """
    told = {str(name): title(str(name)) for name in names}
    count = Counter(told.values())
    return {name: words if count[words] == 1 else name for name, words in told.items()}
