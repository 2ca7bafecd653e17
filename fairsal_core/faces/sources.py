"""From the word in a config, `demo` or a folder, to faces that are ready to use."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from fairsal_core.drawing import DEMO, DEMO_COUNT, demo_folder, draw_demo_faces, drawn_rows, is_drawn
from fairsal_core.errors import FairsalError
from fairsal_core.faces.added import with_added_columns
from fairsal_core.faces.annotated import Annotated, faces_of
from fairsal_core.faces.archives import archives_in, told_to
from fairsal_core.faces.celeba import load_celeba, looks_like_celeba
from fairsal_core.faces.dataset import SPLITS, FaceDataset
from fairsal_core.faces.formats import FORMATS, Format, recognised
from fairsal_core.faces.frame_check import tell_of_frame
from fairsal_core.faces.mapping import Mapping, kept_mapping
from fairsal_core.faces.packed_files import stamped
from fairsal_core.faces.packing import pack
from fairsal_core.faces.pictures import list_pictures
from fairsal_core.faces.several import SETS, folders_of, is_several
from fairsal_core.faces.splitting import with_held_out
from fairsal_core.home import cache_folder, leads_out
from fairsal_core.progress import Progress, silent

_MOST_FOLDERS = 50


def load_folder(root: Path) -> FaceDataset:
    """Read the annotations of a folder in the first of FORMATS that recognises it, or one in it, or the one it is in."""
    return load_table(root)


def load_table(root: Path | str, mapping: Mapping | None = None) -> FaceDataset:
    """Read the annotations of a folder, whatever their form; the images are read later, by `fairsal_core.faces.pack`.

    Parameters
    ----------
    root : path
        A folder in one of FORMATS, which is recognised by looking: at the folder, the folders in it, or the one it is in.
    mapping : Mapping, optional
        What the columns are; by default as it is kept for this folder, else as it is proposed.

    Raises
    ------
    FairsalError
        One sentence on what is wrong, where, and what would work.
    """
    root = Path(root).expanduser()
    place, form = _found(root)
    if form.read is None:
        if mapping is not None:
            raise FairsalError(f"The format '{form.name}' of '{root}' takes no mapping.")
        return form.load(place)
    annotated = form.read(place)
    _check_inside(annotated, place, root)
    return faces_of(annotated, mapping or kept_mapping(place))


def read_folder(root: Path | str) -> Annotated:
    """Return what a folder's tables say and what their columns seem to be, before they are understood; see `load_table`."""
    place, form = _found(Path(root).expanduser())
    if form.read is None:
        raise FairsalError(f"The format '{form.name}' of '{root}' shows no columns.")
    return form.read(place)


def _found(root: Path) -> tuple[Path, Format]:
    """Return what `_find` does; a folder in no known format is one sentence on what would work."""
    found = _find(root)
    if found is None:
        raise _unrecognised(root)
    return found


def _find(root: Path) -> tuple[Path, Format] | None:
    """Return the folder with faces and its format: the folder itself, one in it, or the one it is in."""
    if not root.is_dir():
        return None
    # What recognises much would take any table for the set's; a known layout one level down goes before.
    form = recognised(root)
    if form is not None and not form.anything:
        return root, form
    inside = _inside(root)
    if len(inside) > 1 and form is None:
        names = ", ".join(place.name for place, _ in inside)
        raise FairsalError(
            f"'{root}' holds several sets ({names}): name one of them, or write their names into {root / SETS}, a line each, "
            "to have them as one."
        )
    if inside and (form is None or not inside[0][1].anything):
        return inside[0]
    if form is not None:
        return root, form
    above = root.resolve().parent
    form = None if leads_out(above, root) and _is_configured(root) else recognised(above)
    return (above, form) if form is not None and not form.anything and list_pictures(root) else None


def _is_configured(root: Path) -> bool:
    """Return whether a folder is one of those on offer, above which nobody said to read."""
    return not leads_out(root, root / "nothing")


def _inside(root: Path) -> list[tuple[Path, Format]]:
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))[:_MOST_FOLDERS]
    known = [
        (folder, form) for folder in folders if not leads_out(folder, root) and (form := recognised(folder)) is not None
    ]
    exact = [one for one in known if not one[1].anything]
    return exact or known


def _check_inside(annotated: Annotated, place: Path, root: Path) -> None:
    """Refuse a folder given for the one above whose pictures are elsewhere."""
    if (
        place != root
        and not annotated.image_folder.resolve().is_relative_to(root.resolve())
        and place == root.resolve().parent
    ):
        raise FairsalError(
            f"'{root}' holds no table of its pictures, and the one in {place} is about {annotated.image_folder}."
        )


def _unrecognised(root: Path) -> FairsalError:
    if not root.is_dir():
        return FairsalError(f"There is no folder '{root}'.")
    archives = archives_in(root)
    if archives:
        return FairsalError(
            f"'{root}' has {archives[0].name}, whose pictures are not unpacked yet; `fairsal data unpack {root}` does it."
        )
    pictures = list_pictures(root)
    if pictures and not looks_like_celeba(root):
        return FairsalError(
            f"'{root}' has {len(pictures):,} pictures and no labels: put a table beside them (labels.csv) with a "
            f"column of their file names, such as {pictures[0]}, and one for each attribute."
        )
    try:
        load_celeba(root)
    except FairsalError as error:  # which says what is missing
        return error
    return FairsalError(f"'{root}' is in none of the known layouts ({', '.join(FORMATS)}).")


def audit_target(source: str, faces: FaceDataset) -> tuple[str | None, tuple[str, ...]]:
    """Return the target and the protected attributes of a set: those of its mapping, as kept or as proposed."""
    found = _find(Path(source).expanduser())
    if found is None or found[1].read is None:
        return next(iter(faces.choices), None), ()
    mapping = kept_mapping(found[0]) or found[1].read(found[0]).mapping
    return mapping.target, mapping.protected


def is_photographed_celeba(source: str) -> bool:
    """Return whether a source is a folder in CelebA's layout, or several that are, and not of drawn faces."""
    found = None if source == DEMO else _find(Path(source).expanduser())
    if found is None:
        return False
    place, form = found
    parts = [(each, recognised(each)) for each in folders_of(place)] if is_several(place) else [(place, form)]
    return all(of is not None and of.name == "celeba" and not is_drawn(each) for each, of in parts)


def list_faces(source: str, progress: Progress = silent) -> FaceDataset:
    """Return faces that are not packed, with the rows they have, or would have, in the packed set; the rest as `load_faces`.

    Where they do not lie where CelebA's do, that is told.
    """
    if not source.strip():
        raise FairsalError("No data chosen; give 'demo' or a folder with faces and their labels.")
    folder = draw_demo_faces(demo_folder(), progress=progress) if source == DEMO else Path(source)
    with told_to(progress):
        faces = with_added_columns(load_folder(folder), source)
    tell_of_frame(faces, cache_folder(), progress)
    return stamped(replace(with_held_out(faces), rows=np.arange(len(faces))))


def list_labels(source: str, progress: Progress = silent) -> FaceDataset:
    """Return faces with their labels, as `list_faces` does, for whoever needs no picture: the demo set is not drawn for it."""
    if source != DEMO or is_drawn(demo_folder()):
        return list_faces(source, progress)
    return with_added_columns(demo_labels(), source)


@cache
def demo_labels(count: int = DEMO_COUNT, seed: int = 0) -> FaceDataset:
    """Return the labels that the demo set is drawn with; its pictures may not be there."""
    names, labels, splits = zip(*drawn_rows(count, seed), strict=True)
    index = pd.Index(names, name="image")
    split = pd.Series([SPLITS[each] for each in splits], index, pd.CategoricalDtype(list(SPLITS)), name="split")
    folder = demo_folder()
    return FaceDataset("celeba", folder, folder, pd.DataFrame(list(labels), index=index, dtype=bool), split)


def load_faces(source: str, progress: Progress = silent) -> FaceDataset:
    """Return packed faces, drawing the demo set and packing whatever is not packed yet.

    Parameters
    ----------
    source : str
        "demo" for the drawn faces, else a folder in one of FORMATS.
    progress : Progress
        Called while drawing and packing, of a large set also later, when more of it is read; may raise to stop.
    """
    return pack(list_faces(source, progress), cache_folder(), progress=progress)
