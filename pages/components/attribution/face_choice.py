"""Which faces to look at: some of the held-out split, or uploaded ones."""

import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.faces import EXAMPLE_CREDIT, EXAMPLE_NAME, EXAMPLE_SOURCE, FaceDataset, example_photo
from pages.components.attribution.photos import choose_from_photo
from pages.components.attribution.reading import Picked, held_out
from pages.components.shared.words import plain

MOST_FACES = 6
FOUND_WITH = "Faces are found with MTCNN, whose authors ask for no commercial use of its weights."
FROM_SET, UPLOAD, EXAMPLE = "From the set", "Upload", "Example"


def choose_faces(faces: FaceDataset) -> list[Picked]:
    """Return the faces to look at: from the held-out split, uploaded, or the example; none after a bad upload."""
    origin = st.segmented_control(
        "Face",
        [FROM_SET, UPLOAD, EXAMPLE],
        default=FROM_SET,
        required=True,
        key="origin",
        bind="query-params",
        wrap=True,
    )
    if origin == UPLOAD:
        return _upload_faces()
    if origin == EXAMPLE:
        return _example()
    return _faces_of_the_set(held_out(faces))


def are_photos() -> bool:
    """Return whether the faces to look at are not of the set, but photos: the reader's own, or the example."""
    asked = st.session_state.get("origin") or st.query_params.get("origin")  # a link comes before its widget
    return asked in (UPLOAD, EXAMPLE)


def _example() -> list[Picked]:
    st.markdown(f"{EXAMPLE_CREDIT} [Source]({EXAMPLE_SOURCE}). {FOUND_WITH}")  # as a caption its link were too pale
    return [choose_from_photo(example_photo(), EXAMPLE_NAME, 1)]


def _faces_of_the_set(pool: FaceDataset) -> list[Picked]:
    first = st.number_input(
        f"Test face, 1 to {len(pool):,}",
        1,
        len(pool),
        1,
        key="face",
        bind="query-params",
        help="Arrow keys step through.",
    )
    most = min(MOST_FACES, len(pool) - int(first) + 1)
    count = st.number_input("How many from there", 1, MOST_FACES, 1, key="shown", bind="query-params")
    chosen = pool.take([int(first) - 1 + step for step in range(min(int(count), most))])
    readable = chosen.readable
    for name in chosen.names.difference(readable.names):
        st.warning(f"{plain(name)} does not decode.")
    return [
        Picked(str(name), face, of_the_set=True) for name, face in zip(readable.names, readable.images, strict=True)
    ]


def _upload_faces() -> list[Picked]:
    """Return the faces in the uploaded photos; one that cannot be used is named."""
    uploads = st.file_uploader(
        "Photos (PNG, JPEG or WebP)",
        type=["png", "jpg", "jpeg", "webp"],
        key="upload",
        accept_multiple_files=True,
        help=f"Up to {MOST_FACES}.",
    )
    if not uploads:
        st.info(
            "Choose a photo of a face. The face is found and turned upright; the photo stays on this machine. Without one at "
            "hand, take the Example."
        )
    else:
        st.caption(FOUND_WITH)
    found = []
    for number, upload in enumerate(uploads[:MOST_FACES], 1):
        try:
            found.append(choose_from_photo(upload.getvalue(), upload.name, number))
        except FairsalError as error:
            st.error(plain(error))
    return found
