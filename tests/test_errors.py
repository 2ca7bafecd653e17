"""An error names what would have worked."""

from fairsal_core.errors import CancelledError, FairsalError, unknown_name


def test_the_nearest_name_is_found_whatever_the_case() -> None:
    assert "did you mean 'Smiling'?" in str(unknown_name("attribute", "SMILLING", ["Male", "Smiling"]))


def test_far_names_get_no_hint_but_the_list() -> None:
    message = str(unknown_name("attribute", "xyz", ["Male", "Smiling"]))
    assert message == "There is no attribute 'xyz'. Known: Male, Smiling."


def test_known_names_may_be_an_iterator() -> None:
    assert "Known: a, b." in str(unknown_name("thing", "c", iter(["a", "b"])))


def test_cancelling_is_not_a_mistake_of_the_user() -> None:
    assert not issubclass(CancelledError, FairsalError)
