"""A function of many parts, in threads of one core each."""

import threading

import pytest
import torch

from fairsal_core.classifiers.side_by_side import side_by_side


@pytest.fixture
def three_threads() -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_it_says_of_each_part_what_the_function_does_and_in_order() -> None:
    assert side_by_side(lambda some, more: some * more, [1, 2, 3, 4, 5], [2, 2, 2, 2, 3]) == [2, 4, 6, 8, 15]


@pytest.mark.usefixtures("three_threads")
def test_parts_run_at_once_with_one_core_each_and_without_gradients() -> None:
    together = threading.Barrier(3, timeout=20)

    def run(part: int) -> tuple[int, bool]:
        together.wait()
        torch.ones(4) + 1  # whatever the first operation of a thread sets, it is over
        return torch.get_num_threads(), torch.is_grad_enabled()

    assert side_by_side(run, range(3)) == [(1, False)] * 3


@pytest.mark.usefixtures("three_threads")
def test_other_threads_keep_all_cores() -> None:
    side_by_side(lambda part: part, range(3))
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert found == [3]
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_what_a_part_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda part: 1 / part, [1, 0, 2])


def test_with_one_thread_it_is_a_map() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert side_by_side(lambda part: threading.current_thread(), range(2)) == [threading.current_thread()] * 2
    finally:
        torch.set_num_threads(before)
