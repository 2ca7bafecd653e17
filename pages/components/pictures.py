"""Arrays to pictures, as the pages know them."""

from fairsal_core.pictures import (
    colour_bar,
    colour_map,
    data_url,
    diverging_bar,
    diverging_map,
    outline_path,
    over_face,
    portrait,
    to_bytes,
)

__all__ = [
    "colour_bar",
    "colour_map",
    "data_url",
    "diverging_bar",
    "diverging_map",
    "outline_path",
    "over_face",
    "portrait",
    "to_bytes",
]
