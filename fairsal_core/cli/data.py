"""`data`: look at a folder of faces, keep what its columns are, audit it, unpack it."""

import argparse
import json
from pathlib import Path
from typing import Any

from fairsal_core.cli.options import source
from fairsal_core.cli.outcome import Outcome
from fairsal_core.cli.progress import show_progress
from fairsal_core.errors import FairsalError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        choices=sorted(_ACTIONS),
        help="check: what its columns seem to be, twelve rows, groups; audit: duplicates, leaks between splits, correlations; "
        "unpack: its archives; croissant: its description as JSON-LD",
    )
    parser.add_argument("folder", help="a folder with faces, or 'demo' for the drawn ones")
    parser.add_argument("--mapping", type=Path, help="JSON file with the mapping to use, such as check --json shows it")
    parser.add_argument("--keep", action="store_true", help="check: keep the mapping for all that reads this folder")
    parser.add_argument("--forget", action="store_true", help="check: go back to what is proposed")
    parser.add_argument("--target", help="audit: what would be predicted; check: the target to keep")
    parser.add_argument(
        "--look-at",
        type=_count,
        default=argparse.SUPPRESS,
        metavar="COUNT",
        help="audit: in how many pictures, drawn at random, a face is looked for, or all (default: 200)",
    )
    parser.add_argument(
        "--protected", nargs="+", default=None, metavar="ATTRIBUTE", help="attributes that it should not rely on"
    )
    parser.add_argument("--out", type=Path, help="unpack: where to; croissant: a folder for the description")


def _count(text: str) -> int | None:
    """Return a number of pictures, or None for "all"; ValueError for anything else, as argparse wants it."""
    if text == "all":
        return None
    if int(text) < 0:
        raise ValueError
    return int(text)


def do(options: argparse.Namespace) -> Outcome:
    return _ACTIONS[options.action](options)


def _folder(options: argparse.Namespace) -> Path:
    from fairsal_core.drawing import DEMO, demo_folder, draw_demo_faces

    if options.folder == DEMO:
        return draw_demo_faces(demo_folder(), progress=show_progress())
    return Path(source(options.folder))


def _mapping(options: argparse.Namespace) -> Any:
    from fairsal_core.faces import parse_mapping
    from fairsal_core.files import read_json

    if options.mapping is None:
        return None
    try:
        content = read_json(options.mapping)
    except (OSError, ValueError) as error:
        raise FairsalError(f"{options.mapping} cannot be read as JSON ({error}).") from error
    return parse_mapping(content.get("mapping", content) if isinstance(content, dict) else content)


def _check(options: argparse.Namespace) -> Outcome:
    from fairsal_core.faces import (
        check_set,
        describe_check,
        faces_of,
        forget_mapping,
        frame_notice,
        keep_mapping,
        kept_mapping,
        read_folder,
    )
    from fairsal_core.home import cache_folder

    found = read_folder(_folder(options))
    if options.forget:
        forget_mapping(found.root)
    mapping = _mapping(options)
    if options.target or options.protected:
        base = mapping or kept_mapping(found.root) or found.mapping
        mapping = base.with_target(options.target or base.target, tuple(options.protected or base.protected))
    about = check_set(found, mapping)
    about["notice"] = frame_notice(faces_of(found, found.mapping), cache_folder())
    chosen = mapping or kept_mapping(found.root) or found.mapping
    if options.keep:
        about["kept_in"] = str(keep_mapping(found.root, chosen))
    shown = describe_check(about, chosen) + (f"\n\n{about['notice']}" if about["notice"] else "")
    return Outcome(about, shown + (f"\n\nkept in {about['kept_in']}" if options.keep else ""))


def _audit(options: argparse.Namespace) -> Outcome:
    from fairsal_core.faces import (
        LOOKED_AT,
        audit_data,
        audit_target,
        describe_audit,
        keep_audit,
        list_faces,
        load_faces,
        undecodable_files,
    )
    from fairsal_core.home import cache_folder

    folder = str(_folder(options))
    faces = load_faces(folder, show_progress()).readable
    target, protected = audit_target(folder, faces)
    skipped = undecodable_files(list_faces(folder), cache_folder())
    about = audit_data(
        faces,
        options.target or target,
        tuple(options.protected or protected),
        skipped,
        show_progress(),
        vars(options).get("look_at", LOOKED_AT),
    )
    keep_audit(Path(folder), about)
    return Outcome({"folder": folder, **about}, describe_audit(about))


def _unpack(options: argparse.Namespace) -> Outcome:
    from fairsal_core.faces import unpack

    done = unpack(Path(options.folder).expanduser(), options.out, show_progress())
    return Outcome({"unpacked": done}, "\n".join(f"{count:,} files out of {path}" for path, count in done.items()))


def _croissant(options: argparse.Namespace) -> Outcome:
    from fairsal_core.faces import list_faces, load_faces, packed_folder, write_croissant
    from fairsal_core.home import cache_folder

    folder = str(_folder(options))
    faces = load_faces(folder, show_progress()).readable
    path = write_croissant(faces, options.out or packed_folder(list_faces(folder), cache_folder()))
    return Outcome({"croissant": str(path), **json.loads(path.read_text(encoding="utf-8"))}, str(path))


_ACTIONS = {"check": _check, "audit": _audit, "unpack": _unpack, "croissant": _croissant}
