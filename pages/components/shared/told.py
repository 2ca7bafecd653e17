"""A section that cannot show what it is about says so in one sentence, and the rest of the page stands."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import streamlit as st

from fairsal_core.errors import FairsalError, sentence
from pages.components.shared.words import plain

Given = ParamSpec("Given")
UNEXPECTED = "is not what a run leaves"
# What a run's folder holds may be anyone's, and no list of its oddities is whole. Tests of the pages take this away.
CAUGHT: tuple[type[Exception], ...] = (Exception,)
_log = logging.getLogger(__name__)


def in_one_sentence(what: str) -> Callable[[Callable[Given, None]], Callable[Given, None]]:
    """Return a decorator for a section that shows `what`; below `st.fragment`, which reruns what it decorates alone."""

    def decorate(section: Callable[Given, None]) -> Callable[Given, None]:
        @wraps(section)
        def told(*args: Given.args, **kwargs: Given.kwargs) -> None:
            try:
                section(*args, **kwargs)
            except FairsalError as error:
                st.error(plain(error))
            except CAUGHT as error:
                _log.exception("%s cannot be shown", what)
                st.error(
                    f"{what} cannot be shown: what a file of the run holds {UNEXPECTED} ({plain(sentence(error)[:120])})."
                )

        return told

    return decorate
