"""Which faces a page works on, loaded once for all sessions."""

import threading

import streamlit as st

from fairsal_core.errors import FairsalError, sentence
from fairsal_core.faces import DEMO, FaceDataset, load_faces
from fairsal_core.home import data_roots
from fairsal_core.progress import Eta

_loading = threading.Lock()


def sources() -> list[str]:
    """Return the data sources on offer: the drawn faces, and the configured folders."""
    return [DEMO, *map(str, data_roots())]


def source_name(source: str) -> str:
    """Return what to call a data source."""
    return "Drawn faces" if source == DEMO else source


def choose_source(key: str) -> str:
    """Show the choice of data, and return what was chosen."""
    return st.selectbox(
        "Faces",
        sources(),
        format_func=source_name,
        key=key,
        help="Folders in CelebA's layout appear here when FAIRSAL_DATA_ROOTS names them.",
    )


def get_faces(source: str) -> FaceDataset:
    """Return packed faces; the first time behind a progress bar, while they are drawn and packed.

    Raises FairsalError for a folder that is not on offer, whatever the browser asks for, and for one that cannot be used.
    """
    if source not in sources():
        raise FairsalError(f"'{source}' is not among the data on offer; FAIRSAL_DATA_ROOTS names the folders.")
    loaded = _loaded()
    with _loading:  # by whoever comes first; each further copy would map the file once more
        if source not in loaded:
            loaded[source] = _load(source)
    return loaded[source]


def _load(source: str) -> FaceDataset:
    place, eta = st.empty(), Eta()

    def show(done: float, total: float, message: str = "") -> None:
        fraction = min(done / total, 1.0) if total else 1.0
        left = eta.remaining(fraction)
        text = f"{message[:1].upper()}{message[1:]}, this once: {done:,.0f} of {total:,.0f}"
        place.progress(fraction, text=text + (f", {left:.0f} s left" if left else ""))

    try:
        return load_faces(source, show)
    except OSError as error:  # a full disk, or a cache that may not be written
        raise FairsalError(sentence(error)) from error
    finally:
        place.empty()


@st.cache_resource(show_spinner=False)
def _loaded() -> dict[str, FaceDataset]:
    return {}
