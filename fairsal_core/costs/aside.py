"""Paces probed in a process of their own: `python -m fairsal_core.costs.aside KIND`, settings as JSON on stdin.

It does not slow whoever waits for them, and what it holds at the most is what such a job holds, and nobody else's.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from fairsal_core.costs.base import Probed, probed_here
from fairsal_core.costs.registry import COSTS
from fairsal_core.errors import FairsalError
from fairsal_core.faces import load_faces
from fairsal_core.runs import processes

_REFUSED = 3  # exit status: what was printed says why


def probe_aside(kind: str, content: Mapping[str, Any]) -> Probed[Any]:
    """Probe a job's paces in a child.

    Parameters
    ----------
    kind : str
        Of run, a key of `COSTS`.
    content : mapping
        Its settings, as in a run's `config.json`.

    Raises
    ------
    FairsalError
        If the settings do not fit, what they name is not there, or the child ended before it could say.
    """
    child = subprocess.run(
        [sys.executable, "-P", "-m", __name__, kind],
        input=json.dumps(content),
        capture_output=True,
        encoding="utf-8",
        env=processes.child_environment(),
        check=False,
    )
    if child.returncode == _REFUSED:
        raise FairsalError(child.stdout.strip())
    if child.returncode:
        last = (child.stderr.strip().splitlines() or ["no word"])[-1]
        raise FairsalError(f"Trying it ended with status {child.returncode}: {last}")
    found = json.loads(child.stdout)
    paces = TypeAdapter(COSTS[kind].paces).validate_python(found.pop("paces"))
    return Probed(paces, **found)


def main(kind: str) -> int:
    """Probe what stdin describes, and print the paces and the memory that it took."""
    costing = COSTS[kind]
    try:
        probed = probed_here(costing, costing.parse(json.load(sys.stdin)), load_faces)
    except FairsalError as error:
        print(error)
        return _REFUSED
    told = TypeAdapter(costing.paces).dump_python(probed.paces)
    print(json.dumps({"paces": told, "memory": probed.memory, "started": probed.started}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
