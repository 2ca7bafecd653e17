"""The drawn faces as a source of data: their name in a config and where they are."""

from pathlib import Path

from fairsal_core.home import datasets_folder

DEMO = "demo"
"""What a config calls the drawn faces, and the name of their folder."""


def demo_folder() -> Path:
    """Return where the drawn faces are, or will be."""
    return datasets_folder() / DEMO
