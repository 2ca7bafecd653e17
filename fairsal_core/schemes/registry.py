"""The schemes by name. A new one is one file with its function and one line here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from fairsal_core.errors import FairsalError, unknown_name
from fairsal_core.schemes.mask import mask
from fairsal_core.schemes.noise import noise, noise_after_normalisation
from fairsal_core.schemes.selection import select_pixels

Hide = Callable[[Tensor, Tensor, Tensor, torch.Generator | None], Tensor]


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
    """

    name: str
    description: str
    scope: Literal["general", "specific"]
    hide: Hide


SCHEMES = {
    scheme.name: scheme
    for scheme in (
        Scheme(
            "general_mask",
            "The same pixels of every face, chosen by the mean map, set to the mean colour.",
            "general",
            mask,
        ),
        Scheme(
            "specific_mask", "Each face's own pixels, chosen by its own map, set to the mean colour.", "specific", mask
        ),
        Scheme(
            "general_noise",
            "The same pixels of every face, chosen by the mean map, under fresh noise.",
            "general",
            noise,
        ),
        Scheme(
            "specific_noise", "Each face's own pixels, chosen by its own map, under fresh noise.", "specific", noise
        ),
    )
}


NOISE_DOMAINS: dict[str, Hide] = {"pixel": noise, "normalised": noise_after_normalisation}


def find_scheme(name: str, noise_domain: str = "pixel") -> Scheme:
    """Return the scheme of this name; an unknown one is an error that names the nearest.

    `noise_domain` says where a noise scheme adds its noise: to pixels in [0, 1], or, as in the authors' code, "normalised".
    """
    if name not in SCHEMES:
        raise unknown_name("scheme", name, SCHEMES)
    if noise_domain not in NOISE_DOMAINS:
        raise unknown_name("noise domain", noise_domain, NOISE_DOMAINS)
    scheme = SCHEMES[name]
    return replace(scheme, hide=NOISE_DOMAINS[noise_domain]) if scheme.hide is noise else scheme


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
        "general_mask", "specific_mask", "general_noise" or "specific_noise".
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
