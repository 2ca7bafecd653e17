"""What this product takes and is worth: `python -m benchmarks.NAME`. Each says at its end, on stderr, on which processor."""

import atexit
import os
import sys

from fairsal_core.versions import versions


def _say_processor() -> None:
    """Say which instructions torch computed with: a figure without them says little."""
    print(f"On {os.cpu_count()} cores of {versions()['processor']}.", file=sys.stderr)


if sys.argv[0] == "-m":  # asked for by name, and not imported by a test or by a process that a benchmark started
    atexit.register(_say_processor)
