"""Drawn demo faces: portraits in CelebA's own layout, with an exact part label for every pixel.

Every label that is drawn is drawn by itself, from its own random stream, and shows in its own part of the picture: a
face drawn twice, with and without a hat, differs in the hat's pixels. So for any map that a method gives, the truth is
known. `Male` (annotated male; here: the side of the coin that shifts the cues in `cues.py`) has no part of its own.
`docs/demo_faces.md` is the data card.
"""

import lazy_loader

# What a name needs is imported when the name is first used: what a config calls the drawn faces needs no Pillow. The names
# stand in `__init__.pyi`.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
