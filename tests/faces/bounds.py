"""What bad input may cost, and how it has to be told."""

import gc
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOST_BYTES = 500 * 2**20
MOST_SECONDS = 5.0
SELF = Path("/proc/self")


def memory(field: str) -> int:
    """Return a field of this process's status, in bytes."""
    (line,) = (line for line in (SELF / "status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


@contextmanager
def bounded(what: str, most: int = MOST_BYTES) -> Iterator[None]:
    """Fail if what is done here needs too much memory above what was held before, or too long."""
    gc.collect()
    measured = (SELF / "clear_refs").exists()
    if measured:
        (SELF / "clear_refs").write_text("5")  # sets the peak back to what is held now
        held = memory("VmRSS")
    began = time.process_time()  # not by the clock on the wall: others may use the machine
    yield
    seconds = time.process_time() - began
    if measured:
        peak = memory("VmHWM") - held
        print(f"{what}: {peak / 2**20:.0f} MB, {seconds:.2f} s")
        assert peak < most, f"{what}: {peak / 2**20:.0f} MB above idle"
    assert seconds < MOST_SECONDS, f"{what}: {seconds:.1f} s"


def one_sentence(text: str, expected: str) -> None:
    """Fail if this is not the one clear sentence that is expected of bad input."""
    assert re.search(expected, text), text
    assert "\n" not in text
    assert len(text) < 600
    assert "Traceback" not in text
