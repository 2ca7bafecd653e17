"""What a patch says for or against a class, with a sign, which confidence has not: it may be highest where it is surely not so."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LEAST = 1e-6  # of a probability: 20 bits are enough to be sure


def evidence(probabilities: NDArray[np.floating], prior: Sequence[float]) -> NDArray[np.float32]:
    """Return log2 p(class | patch) / p(class), in bits: above 0 the patch speaks for the class, below 0 against it.

    Parameters
    ----------
    probabilities : array, (..., C)
        Of each class, by each patch.
    prior : sequence of C floats
        The classes' base rates.

    Returns
    -------
    array, (..., C)
        Same shape. One bit: twice as likely as for a face of which nothing is seen.

    Examples
    --------
    >>> [round(float(bits), 2) for bits in evidence(np.array([0.5, 0.5]), (0.75, 0.25))]
    [-0.58, 1.0]
    """
    rates = np.asarray(prior, dtype=np.float64)
    seen = np.maximum(np.asarray(probabilities, dtype=np.float64), _LEAST)
    bits: NDArray[np.float32] = np.log2(seen / (rates / rates.sum())).astype(np.float32)
    return bits
