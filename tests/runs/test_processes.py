"""The environment that children get."""

import os
import platform
import subprocess
import sys

import pytest

from fairsal_core.runs import processes

_AGAIN_AND_AGAIN = """
import resource

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

size = 2**24  # not a constant of the program, which would be made once
b"x" * size
before = faults()
for _ in range(10):
    b"x" * size
print(faults() - before)
"""


def _pages_cleared(environment: dict[str, str]) -> int:
    done = subprocess.run(
        [sys.executable, "-c", _AGAIN_AND_AGAIN], env=environment, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library, which does not read these variables")
def test_a_child_keeps_the_memory_that_it_frees() -> None:
    kept = processes.child_environment()
    plain = {name: value for name, value in kept.items() if not name.startswith("MALLOC_")}
    assert _pages_cleared(kept) < _pages_cleared(plain) / 4


def test_what_a_person_says_of_memory_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "131072")
    assert processes.child_environment()["MALLOC_TRIM_THRESHOLD_"] == "131072"
    assert processes.child_environment()["MALLOC_MMAP_MAX_"] == "0"
    assert "MALLOC_MMAP_MAX_" not in os.environ  # of a server, which lives long, nothing is said
