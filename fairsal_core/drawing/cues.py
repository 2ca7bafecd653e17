"""How `Male` shows, which has no part of its own: it shifts eight weak, overlapping cues."""

import random

# How far the mean of each cue lies from the middle, for annotated men (+) and women (-), in standard deviations.
_MALE_CUES: dict[str, float] = {
    "jaw": 0.9,
    "brow": 0.9,
    "brow_height": 0.5,
    "hair_length": 0.9,
    "lip_colour": 0.8,
    "stubble": 0.8,
    "lashes": 0.7,
    "neck": 0.6,
}


def cue(rng: random.Random, name: str, male: bool) -> float:
    """Return one weak cue: a standard normal whose mean is shifted by the label."""
    shift = _MALE_CUES[name]
    return rng.gauss(shift if male else -shift, 1.0)
