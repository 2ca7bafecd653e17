"""The schemes by name. A new one is one file with its function and one line here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import torch
from torch import Tensor

from fairsal_core.errors import FairsalError, unknown_name
from fairsal_core.registry import Registry
from fairsal_core.schemes.mask import mask
from fairsal_core.schemes.noise import noise, noise_after_normalisation
from fairsal_core.schemes.selection import select_pixels

Hide = Callable[[Tensor, Tensor, Tensor, torch.Generator | None], Tensor]
Scope = Literal["general", "specific"]
Kind = Literal["mask", "noise", "other"]
Epochs = Literal["training.epochs", "mask_epochs"]

PIXEL = "pixel"
NOISE_DOMAINS: dict[str, Hide] = {PIXEL: noise, "normalised": noise_after_normalisation}


@dataclass(frozen=True)
class Scheme:
    """A way to hide the regions where the confounder lives.

    Attributes
    ----------
    name, description : str
        For interface and tables.
    scope : "general" or "specific"
        Whether one mean map serves all images, or each image has its own.
    hide : callable
        (images (N, 3, H, W), selected (1 or N, 1, H, W), fill (1, 3, 1, 1), generator) -> images.
    kind : "mask", "noise" or "other"
        Whether it takes away what is there, disturbs it, or does neither.
    general : str
        Name of the general scheme that hides the same way, which test images are treated by. A general scheme's is its own.
    epochs : "training.epochs" or "mask_epochs"
        The experiment's setting that says how long it is trained; by default masks follow `mask_epochs`.
    domains : mapping of str to callable
        Where its noise can be added, and what `hide` is there; "pixel", in [0, 1], is where it is unless one says otherwise.
        Empty for a scheme that leaves no choice.
    """

    name: str
    description: str
    scope: Scope
    hide: Hide
    kind: Kind = "other"
    general: str = ""
    epochs: Epochs | None = None
    domains: Mapping[str, Hide] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.scope == "general" and not self.general:
            object.__setattr__(self, "general", self.name)
        if self.epochs is None:
            object.__setattr__(self, "epochs", "mask_epochs" if self.kind == "mask" else "training.epochs")


def problem_of(scheme: Scheme, known: Mapping[str, Scheme]) -> str | None:
    """Return why a scheme cannot be registered among others, itself one of them; None if it can."""
    for field_name, allowed in (("scope", Scope), ("kind", Kind), ("epochs", Epochs)):
        if (value := getattr(scheme, field_name)) not in get_args(allowed):
            return f"its {field_name} is one of {', '.join(get_args(allowed))}, not {value!r}"
    if scheme.domains and (scheme.kind != "noise" or scheme.domains.get(PIXEL) is not scheme.hide):
        return f"domains are for noise, and '{PIXEL}' is the one where it does what it does anyway"
    if unreadable := [name for name in scheme.domains if not name.isidentifier()]:
        return f"'{unreadable[0]}' cannot be part of a variant's name"
    if scheme.scope == "general" and scheme.general != scheme.name:
        return f"it is general, so its general scheme is not '{scheme.general}'"
    general = known.get(scheme.general)
    if general is None or general.scope != "general":
        return f"it needs a general scheme that hides the same way, and '{scheme.general}' is none"
    lacking = [name for name in scheme.domains if name not in general.domains]
    return f"its general scheme {general.name} has no noise domain '{lacking[0]}'" if lacking else None


SCHEMES = Registry(
    "scheme",
    "fairsal.schemes",
    Scheme,
    (
        Scheme(
            "general_mask",
            "The same pixels of every face, chosen by the mean map, set to the mean colour.",
            "general",
            mask,
            kind="mask",
        ),
        Scheme(
            "specific_mask",
            "Each face's own pixels, chosen by its own map, set to the mean colour.",
            "specific",
            mask,
            kind="mask",
            general="general_mask",
        ),
        Scheme(
            "general_noise",
            "The same pixels of every face, chosen by the mean map, under fresh noise.",
            "general",
            noise,
            kind="noise",
            domains=NOISE_DOMAINS,
        ),
        Scheme(
            "specific_noise",
            "Each face's own pixels, chosen by its own map, under fresh noise.",
            "specific",
            noise,
            kind="noise",
            general="general_noise",
            domains=NOISE_DOMAINS,
        ),
    ),
    problem_of,
)


def find_scheme(name: str, noise_domain: str = PIXEL) -> Scheme:
    """Return the scheme of this name, as it hides with its noise in this domain; an unknown one is an error.

    The domain is one of the scheme's own, such as "pixel" or, as in the authors' code, "normalised"; a scheme that has none
    is what it is.
    """
    scheme = SCHEMES.find(name)
    if not scheme.domains:
        return scheme
    if noise_domain not in scheme.domains:
        raise unknown_name("noise domain", noise_domain, scheme.domains)
    return replace(scheme, hide=scheme.domains[noise_domain])


def apply_scheme(
    images: Tensor,
    maps: Tensor,
    scheme: str,
    quantile: float,
    fill: Sequence[float] | Tensor = (0.5, 0.5, 0.5),
    generator: torch.Generator | None = None,
) -> Tensor:
    """Hide the pixels whose map value lies strictly above the map's quantile.

    Parameters
    ----------
    images : tensor, (N, 3, H, W)
        In [0, 1], before any normalisation.
    maps : tensor, (H, W) for a general scheme, (N, H, W) for a specific one
        Pixel maps.
    scheme : str
        A name in `SCHEMES`.
    quantile : float
        In (0, 1); 0.7 hides the top 30%.
    fill : 3 floats
        Colour of the masks, in [0, 1]: the data set's mean.
    generator : torch.Generator, optional
        Source of the noise, on the images' device.

    Returns
    -------
    tensor, (N, 3, H, W)
        New images; the given ones are untouched.

    Raises
    ------
    FairsalError
        If scheme, quantile or shapes do not fit.

    References
    ----------
    De Coninck et al. (2024), section 3.3.
    """
    chosen = find_scheme(scheme)
    if images.ndim != 4:
        raise FairsalError(f"Expected images of shape (N, 3, H, W), got {tuple(images.shape)}.")
    expected = tuple(images.shape[-2:]) if chosen.scope == "general" else (len(images), *images.shape[-2:])
    if tuple(maps.shape) != expected:
        raise FairsalError(f"{scheme} needs maps of shape {expected}, got {tuple(maps.shape)}.")
    selected = select_pixels(maps.to(images.device, torch.float32), quantile)
    return hide(images, selected, chosen, fill, generator)


def hide(
    images: Tensor, selected: Tensor, scheme: Scheme, fill: Sequence[float] | Tensor, generator: torch.Generator | None
) -> Tensor:
    """Hide pixels that were selected before: (H, W) for all images or (N, H, W). Training selects once and hides often."""
    where = selected.unsqueeze(0) if selected.ndim == 2 else selected
    colour = torch.as_tensor(fill, dtype=images.dtype, device=images.device).view(1, 3, 1, 1)
    return scheme.hide(images, where.unsqueeze(1), colour, generator)
