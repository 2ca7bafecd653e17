"""Draw the picture of the start page and the README: `python docs/make_overview.py`, from the repository's root."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from fairsal_core.drawing import draw_face
from fairsal_core.faces import to_square
from fairsal_core.pictures import colour_map, portrait, to_bytes
from fairsal_core.regions import bundled_classifier, pixel_maps, region_maps
from fairsal_core.schemes import apply_scheme

OUT = Path(__file__).with_name("images") / "overview.png"
HEIGHT, SPACE, QUANTILE = 218, 14, 0.7


def main() -> None:
    """Write one face, its map of Blond_Hair over it, and what two schemes make of it, side by side."""
    drawn = draw_face(seed=0, index=10, changes={"Blond_Hair": True, "Wearing_Hat": False})
    face = to_square(drawn.image)
    classifier = bundled_classifier("Blond_Hair")
    values = pixel_maps(region_maps(classifier, face[None])[0], classifier)
    images = torch.from_numpy(face[None].copy()).permute(0, 3, 1, 2).float() / 255
    colour = [float(channel) for channel in images.mean(dim=(0, 2, 3))]
    maps = torch.from_numpy(values[None].copy())
    hidden = [
        apply_scheme(images, maps, scheme, QUANTILE, colour, torch.Generator().manual_seed(0))
        for scheme in ("specific_mask", "specific_noise")
    ]
    over = (0.35 * face + 0.65 * colour_map(values)).astype(np.uint8)
    panels = [face, over, *(to_bytes(image[0].permute(1, 2, 0).numpy()) for image in hidden)]
    width = HEIGHT * 178 // 218
    picture = Image.new("RGBA", (len(panels) * (width + SPACE) - SPACE, HEIGHT), (0, 0, 0, 0))
    for number, panel in enumerate(panels):
        picture.paste(portrait(panel).resize((width, HEIGHT), Image.Resampling.LANCZOS), (number * (width + SPACE), 0))
    picture.save(OUT, optimize=True)


if __name__ == "__main__":
    main()
