"""The parts of a face, by number, as the label pictures name them."""

# CelebAMask-HQ's numbers, as far as they are drawn, and one of our own for the necktie. "l" is the person's left.
PARTS: dict[str, int] = {
    "background": 0,
    "skin": 1,
    "nose": 2,
    "eye_g": 3,
    "l_eye": 4,
    "r_eye": 5,
    "l_brow": 6,
    "r_brow": 7,
    "l_ear": 8,
    "r_ear": 9,
    "mouth": 10,
    "u_lip": 11,
    "l_lip": 12,
    "hair": 13,
    "hat": 14,
    "neck": 17,
    "cloth": 18,
    "necktie": 19,
}
"""Part name -> value in the label pictures under `parts/`."""
