"""Which faces a page works on, loaded once for all sessions."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st

from fairsal_core.drawing import DEMO, demo_folder
from fairsal_core.errors import FairsalError, sentence
from fairsal_core.faces import (
    FaceDataset,
    Glance,
    drawn_on_demand,
    glance,
    have_changed,
    list_labels,
    load_faces,
    pack_quietly,
)
from fairsal_core.home import data_roots
from fairsal_core.progress import Eta
from fairsal_core.runs import Run, is_example
from pages.components.shared.frame import end_turn
from pages.components.shared.words import plain

SOURCE_KEY = "data"
_LAST = "last_data"  # chosen in this session, on whichever page
_loading: dict[str, threading.Lock] = {}  # one a source: while a folder is packed, other faces do not wait
_how_far: dict[str, tuple[float, str]] = {}  # of what is being loaded, for the sessions that wait
_SHORT = 0.5  # seconds
_LEAST_SECONDS, _SELDOM = 2.0, 100.0  # between two looks at every picture, and how many times as long as one takes
_DOUBTFUL = 10**9  # ns: what was written so shortly before it was read may have been written again since


def sources() -> list[str]:
    """Return the data sources on offer: the configured folders, and last the drawn faces, which nobody draws unasked then."""
    return [*map(str, data_roots()), DEMO]


def source_name(source: str, on_offer: Sequence[str] | None = None) -> str:
    """Return what to call a data source: a folder's own name, after as many above it as tell it from others on offer.

    What is on offer is looked up if it is not given, which takes a look at the disk for each folder.
    """
    if source == DEMO:
        return "Drawn faces"
    parts = Path(source).parts
    others = [Path(other).parts for other in on_offer or sources() if other not in (source, DEMO)]
    alike = max((_alike_at_the_end(parts, other) for other in others), default=0)
    return str(Path(*parts[-alike - 1 :]))


def _alike_at_the_end(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = zip(reversed(one), reversed(other), strict=False)
    return next((count for count, (left, right) in enumerate(pairs) if left != right), min(len(one), len(other)) - 1)


def choose_source(key: str = SOURCE_KEY, begin: str | None = None) -> str:
    """Show the choice of data, and return what was chosen; a link that names none on offer ends the page with a sentence.

    Parameters
    ----------
    key : str
        What the link calls it. It is always in the link: what is first on offer may be another set tomorrow.
    begin : str, optional
        What to begin with where neither link nor session says; by default what was chosen last, or is first on offer.
    """
    on_offer = sources()
    names = {source: source_name(source, on_offer) for source in on_offer}
    asked, written = st.query_params.get(key), f"{key}_in_link"
    if asked is not None and asked != st.session_state.get(written):  # it came from outside
        st.session_state[written] = asked
        st.session_state[key] = next((one for one in on_offer if asked in (one, names[one])), None)
    else:
        wanted = st.session_state.get(key) or begin or st.session_state.get(_LAST)
        # Set, since another page's widget is another.
        st.session_state[key] = wanted if wanted in on_offer else on_offer[0]
    chosen = st.selectbox(
        "Faces",
        on_offer,
        index=0 if st.session_state[key] else None,
        format_func=names.__getitem__,
        key=key,
        help="Folders of faces and their labels appear here when FAIRSAL_DATA_ROOTS names them.",
    )
    if chosen is None:
        named = f"The faces of this link, {plain(asked)}, are not on offer here. " if asked else ""
        st.warning(f"{named}Choose which faces to look at.")
        st.stop()
    st.session_state[_LAST], st.session_state[written] = chosen, names[chosen]
    if asked != names[chosen]:
        st.query_params[key] = names[chosen]
    return chosen


def get_faces(source: str) -> FaceDataset:
    """Return packed faces as they are now; the first time behind a progress bar, while they are drawn and packed.

    Each time the set's tables and folders are compared with those that were read, and every so often each picture's size and
    time of change too: as seldom as keeps that under a hundredth of the time. Where anything differs the set is read again, as
    a run would, and what pages computed of it is forgotten.

    Raises FairsalError for a folder that is not on offer, whatever the browser asks for, and for one that cannot be used.
    """
    _check_on_offer(source)
    loaded = _loaded()
    if source not in loaded:
        end_turn()  # packing may take minutes, and so may waiting for it
    with _alone(source):  # by whoever comes first; each copy would map the file once more
        if source in loaded and loaded[source].is_stale():
            del loaded[source]
            st.cache_data.clear()
        if source not in loaded:
            end_turn()
            loaded[source] = _load(source)
        return loaded[source].faces


def get_labels(source: str) -> FaceDataset:
    """Return faces and their labels as they are now, without pixels: for them nothing is packed, and nothing is drawn.

    Raises as `get_faces` does.
    """
    _check_on_offer(source)
    if source in _loaded():
        return get_faces(source)
    listed = _listed()
    if source not in listed or listed[source].is_stale():
        faces = list_labels(source)
        listed[source] = _Loaded(faces, glance(faces) if faces.root.is_dir() else frozenset())
    return listed[source].faces


def get_faces_of(run: Run) -> FaceDataset:
    """Return the faces of a run as `get_faces` does; where the example's would have to be drawn first, each is when it is shown."""
    source = str(run.config["data"])
    return drawn_on_demand(get_labels(source)) if waits_for_faces(run) else get_faces(source)


def waits_for_faces(run: Run) -> bool:
    """Return whether a run's faces would have to be drawn first, which takes minutes: the example's in an empty workspace."""
    return is_example(run) and not demo_folder().is_dir()


def _check_on_offer(source: str) -> None:
    if source not in sources():
        raise FairsalError(f"'{source}' is not among the data on offer; FAIRSAL_DATA_ROOTS names the folders.")


def loading_of(source: str) -> threading.Lock:
    """Return what is held while a set is loaded: what two drew or packed at once would take each twice as long."""
    return _loading.setdefault(source, threading.Lock())


@contextmanager
def _alone(source: str) -> Iterator[None]:
    """Let one session at a time load a set; the others show how far it is."""
    lock = loading_of(source)
    if not lock.acquire(timeout=_SHORT):
        place = st.empty()
        while not lock.acquire(timeout=_SHORT):
            fraction, text = _how_far.get(source, (0.0, "These faces are prepared"))
            place.progress(fraction, text=f"{text}. Another session began it; this page goes on when it is done.")
        place.empty()
    try:
        yield
    finally:
        lock.release()


def faces_or_stop(source: str) -> FaceDataset:
    """Return packed faces as `get_faces` does; where they cannot be used, a sentence ends the page."""
    try:
        return get_faces(source)
    except FairsalError as error:
        st.error(plain(error))
        st.stop()


def forget_faces(source: str) -> None:
    """Have a set read again when it is next wanted: what its columns are has changed."""
    _loaded().pop(source, None)
    _listed().pop(source, None)


@dataclass
class _Loaded:
    """A set as it was read, and what lay beside its pictures."""

    faces: FaceDataset
    beside: Glance
    looked: float = field(default_factory=time.monotonic)
    look_seconds: float = 0.0

    def is_stale(self) -> bool:
        """Return whether the set is another by now, as far as is looked."""
        try:
            return glance(self.faces) != self.beside or self._pictures_differ()
        except OSError:  # it is gone, which reading it will say
            return True

    def _pictures_differ(self) -> bool:
        begun = time.monotonic()
        if begun - self.looked < max(_LEAST_SECONDS, _SELDOM * self.look_seconds):
            return False
        differ = have_changed(self.faces)
        self.looked = time.monotonic()
        self.look_seconds = self.looked - begun
        return differ


def _load(source: str) -> _Loaded:
    place, eta = st.empty(), Eta()

    def show(done: float, total: float, message: str = "") -> None:
        fraction = min(done / total, 1.0) if total else 1.0
        left = eta.remaining(fraction)
        text = f"{message[:1].upper()}{message[1:]}, this once: {done:,.0f} of {total:,.0f}"
        text += f", {left:.0f} s left" if left else ""
        _how_far[source] = fraction, text
        place.progress(fraction, text=text)

    try:
        begun = time.time_ns()
        faces = pack_quietly(load_faces(source, show))
        beside = glance(faces)
        if any(begun - _DOUBTFUL < changed < time.time_ns() + _DOUBTFUL for _, _, changed in beside):
            beside = frozenset()  # it may have changed while it was read: the next one reads it once more
        return _Loaded(faces, beside)
    except OSError as error:  # a full disk, or a cache that may not be written
        raise FairsalError(sentence(error)) from error
    finally:
        place.empty()
        _how_far.pop(source, None)


@st.cache_resource(show_spinner=False)
def _loaded() -> dict[str, _Loaded]:
    return {}


@st.cache_resource(show_spinner=False)
def _listed() -> dict[str, _Loaded]:
    return {}
