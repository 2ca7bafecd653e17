"""Making the example run that ships: `python -m fairsal_core.experiments.example`."""

import sys
from pathlib import Path
from typing import Any

from fairsal_core.runs import pack_example, run_here
from fairsal_core.settings import parse_config

NAME = "Example"
SETTINGS: dict[str, Any] = {
    "seeds": [0, 1],
    "mitigation": ["threshold", "leace"],
    "attention": {"explained_faces": 16},
}


def make_example() -> Path:
    """Train and explain the example on the drawn faces, and put it where it ships from; what is in the cache is taken."""
    return pack_example(run_here("experiment", parse_config(SETTINGS).model_dump(mode="json"), name=NAME))


if __name__ == "__main__":
    print(make_example(), file=sys.stderr)
