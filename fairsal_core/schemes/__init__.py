"""The schemes that hide regions while training: general or specific, mask, noise or other."""

from fairsal_core.schemes.registry import NOISE_DOMAINS, PIXEL, SCHEMES, Scheme, apply_scheme, find_scheme, hide
from fairsal_core.schemes.selection import check_quantile, select_pixels

__all__ = [
    "NOISE_DOMAINS",
    "PIXEL",
    "SCHEMES",
    "Scheme",
    "apply_scheme",
    "check_quantile",
    "find_scheme",
    "hide",
    "select_pixels",
]
