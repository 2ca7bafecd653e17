"""The process that reads a classifier's files first: `python -m fairsal_core.classifiers.imported.child REQUEST ANSWER`.

It alone opens what nobody has looked at yet. It says what it found as JSON; if it dies or takes too long, its parent lives.
"""

import json
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from fairsal_core.classifiers.imported.contents import look_into
from fairsal_core.classifiers.imported.limits import MOST_WRITTEN, forbid, limit_files
from fairsal_core.classifiers.imported.offline import offline
from fairsal_core.errors import FairsalError, sentence
from fairsal_core.files import read_json


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return what there is to say of a folder: a reading, and, if it leaves no question, what the network does."""
    started = time.perf_counter()
    from fairsal_core.classifiers.imported.registry import kind_of, manifest_of, read_contents

    offline()
    import torch

    torch.set_num_threads(max(int(request.get("threads", 1)), 1))
    contents = look_into(Path(request["folder"]), request.get("weights", ""))
    _import(kind_of(contents, request["said"]).needs)
    forbid()
    reading = read_contents(contents, request["said"])
    about: dict[str, Any] = {
        "content": reading.content,
        "assumed": reading.assumed,
        "questions": reading.questions,
        "ignored": contents.ignored,
    }
    if not reading.questions:
        from fairsal_core.classifiers.imported.checking import check_network

        about["check"] = check_network(contents.folder, manifest_of(reading), Path(request["faces"]))
    return {**about, "seconds": time.perf_counter() - started}


def _import(modules: Sequence[str]) -> None:
    """Import before the rules hold: libraries may start processes to see what the machine has."""
    for module in ("torchvision", *modules):
        import_module(module)


def main(request: Path, place: Path) -> None:
    """Answer a request in a file by another."""
    limit_files(MOST_WRITTEN)
    try:
        said = answer(read_json(request))
    except FairsalError as error:
        said = {"error": str(error)}
    except MemoryError as error:
        said = {"error": sentence(error)}
    except Exception as error:  # a stranger's file may make a library raise anything
        said = {"error": f"The classifier cannot be read: {sentence(error)[:300]}"}
    place.write_text(json.dumps(said), encoding="utf-8")  # its parent alone reads it, and waits until the end


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
