"""A few drawn faces to begin with, while the drawn set is made for the first time."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from fairsal_core.drawing import DEMO, demo_folder, draw_demo_faces
from fairsal_core.errors import FairsalError, sentence
from fairsal_core.faces import FaceDataset, load_faces
from fairsal_core.home import datasets_folder
from pages.components.shared.data import faces_or_stop, loading_of
from pages.components.shared.words import plain

FIRST = 60
FIRST_HELD_OUT = 6  # of them are test faces
_EVERY = 2.0  # seconds between two looks at how far it is


@dataclass
class _Making:
    """The whole set, drawn and packed by a thread of the server's: for all sessions, whatever becomes of this one."""

    done: float = 0.0
    total: float = 1.0
    stage: str = "Drawing demo faces"
    error: str = ""
    thread: threading.Thread | None = None

    @property
    def goes_on(self) -> bool:
        return self.thread is not None and self.thread.is_alive()

    def begin(self, make: Callable[[], object]) -> None:
        self.error = ""
        self.thread = threading.Thread(target=self._run, args=(make,), daemon=True, name="drawn faces")
        self.thread.start()

    def tell(self, done: float, total: float, message: str = "") -> None:
        self.done, self.total = done, total
        self.stage = message[:1].upper() + message[1:] or self.stage

    def _run(self, make: Callable[[], object]) -> None:
        try:
            make()
        except (FairsalError, OSError) as error:
            self.error = sentence(error) if isinstance(error, OSError) else str(error)


def first_faces_or_stop(source: str) -> FaceDataset:
    """Return packed faces: of the drawn set, where it was never made, the first 60 while a thread makes the rest.

    Face k of the drawn set depends on k alone, so the first are faces of the whole, with its labels and its split. A link to
    a later one waits for the whole.
    """
    making = _making()
    if source != DEMO or _asks_for_a_later_one() or (demo_folder().exists() and not making.goes_on):
        return faces_or_stop(source)
    if not making.goes_on and not making.error:
        making.begin(lambda: _make(making))
    try:
        if making.error:
            raise FairsalError(making.error)
        first = draw_demo_faces(datasets_folder() / f"{DEMO}-first", FIRST, workers=1)
        faces = load_faces(str(first))
    except (FairsalError, OSError) as error:
        making.error = ""  # the next look tries again
        st.error(plain(sentence(error) if isinstance(error, OSError) else str(error)))
        st.stop()
    _wait_for_the_rest()
    return faces


def _asks_for_a_later_one() -> bool:
    asked = st.query_params.get("face", "1")
    return not asked.isdigit() or int(asked) > FIRST_HELD_OUT


def _make(making: _Making) -> None:
    with loading_of(DEMO):
        load_faces(DEMO, making.tell)


@st.fragment(run_every=_EVERY)
def _wait_for_the_rest() -> None:
    making = _making()
    if not making.goes_on:
        st.rerun()
    st.progress(
        min(making.done / making.total, 1.0),
        text=f"The first {FIRST} of the drawn faces; the rest are drawn meanwhile, this once. "
        f"{making.stage}: {making.done:,.0f} of {making.total:,.0f}",
    )


@st.cache_resource(show_spinner=False)
def _making() -> _Making:
    return _Making()
