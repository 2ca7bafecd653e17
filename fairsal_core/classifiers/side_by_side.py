"""A function of many parts, in threads that compute with one core each."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier
from typing import Any, TypeVar

import torch

_Result = TypeVar("_Result")


def side_by_side(run: Callable[..., _Result], *arguments: Sequence[Any]) -> list[_Result]:
    """Return what a function says of each part, as `map` does, as many at once as torch has threads.

    Each part is computed by one core, without gradients.
    """
    threads = min(torch.get_num_threads(), len(arguments[0]))
    if threads < 2:
        return list(map(run, *arguments))

    def alone(*values: Any) -> _Result:
        with torch.no_grad():
            return run(*values)

    return list(_threads(threads).map(alone, *arguments))


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    threads = torch.get_num_threads()
    started = Barrier(count)

    def start() -> None:
        torch.get_num_threads()  # what a thread asks first is set from what holds for all, and would undo the next line later
        torch.set_num_threads(1)
        started.wait()

    pool = ThreadPoolExecutor(count, "part")
    list(pool.map(lambda _: start(), range(count)))
    torch.set_num_threads(threads)  # what was set in a thread also holds for every thread to come
    return pool
