"""Imports run downward, and nothing in fairsal_core knows the dashboard. Read from the source, not from what is loaded."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "fairsal_core"
# Each room may use those before it.
ROOMS = (
    "metrics", "drawing", "faces", "regions", "schemes", "classifiers", "saliency", "mitigation", "extensions", "runs",
    "settings", "results", "experiments", "scaling", "costs", "scan", "reports", "cli",
)  # fmt: skip
FILES = sorted((ROOT / PACKAGE).rglob("*.py"))
PAGES = sorted([*ROOT.glob("app.py"), *(ROOT / "pages").rglob("*.py")])


def imports_of(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give the module and the names of every import, also those inside functions; relative ones made absolute."""
    here = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ()
        elif isinstance(node, ast.ImportFrom):
            start = here[: len(here) - node.level] if node.level else ()
            yield ".".join([*start, *(node.module or "").split(".")]).strip("."), tuple(a.name for a in node.names)


def room_of(path: Path) -> str | None:
    """Return the room a file belongs to; None for what all rooms stand on (errors, files, home...)."""
    first = path.relative_to(ROOT / PACKAGE).parts[0].removesuffix(".py")
    if first == "__main__":
        return "cli"
    return first if first in ROOMS else None


def used_rooms(path: Path) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Give the room, the module and the names of each import from fairsal_core's rooms."""
    for module, names in imports_of(path):
        parts = module.split(".")
        if parts[0] != PACKAGE:
            continue
        if len(parts) > 1:
            if parts[1] in ROOMS:
                yield parts[1], module, names
        else:  # from fairsal_core import regions
            yield from ((name, f"{PACKAGE}.{name}", ()) for name in names if name in ROOMS)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_room_is_in_the_order() -> None:
    rooms = {path.name for path in (ROOT / PACKAGE).iterdir() if (path / "__init__.py").is_file()}
    assert rooms <= set(ROOMS)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_no_streamlit_below_the_pages(path: Path) -> None:
    assert not [module for module, _ in imports_of(path) if module.split(".")[0] == "streamlit"]


@pytest.mark.parametrize("path", FILES, ids=name)
def test_rooms_use_only_rooms_above_them(path: Path) -> None:
    own = room_of(path)
    allowed = set() if own is None else set(ROOMS[: ROOMS.index(own) + 1])
    if own in ("drawing", "faces"):
        allowed -= {"metrics"}  # drawing faces and reading image sets need no statistics
    wrong = [(room, module) for room, module, _ in used_rooms(path) if room not in allowed]
    assert wrong == []


@pytest.mark.parametrize("path", [*FILES, *PAGES], ids=name)
def test_other_rooms_are_entered_by_the_front_door(path: Path) -> None:
    """From another room come only names that its `__init__` gives."""
    own = room_of(path) if path in FILES else None
    for room, module, names in used_rooms(path):
        if room == own or (own == "cli" and room == "cli"):
            continue
        assert module == f"{PACKAGE}.{room}", f"{name(path)} imports {module}, not {PACKAGE}.{room}"
        if names and room != "cli":
            given = set(import_module(module).__all__)
            assert set(names) <= given, f"{sorted(set(names) - given)} not in the __all__ of {module}"


@pytest.mark.parametrize("room", [room for room in ROOMS if (ROOT / PACKAGE / room / "__init__.py").is_file()])
def test_what_a_room_gives_exists(room: str) -> None:
    module = import_module(f"{PACKAGE}.{room}")
    assert len(set(module.__all__)) == len(module.__all__)
    assert [given for given in module.__all__ if not hasattr(module, given)] == []


def test_no_module_needs_itself() -> None:
    """Imports go round in no circle, not even those inside functions or only for types."""
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}
    graph = {
        module: {
            given
            for source, names in imports_of(path)
            for given in ([f"{source}.{each}" for each in names if f"{source}.{each}" in modules] or [source])
            if given in modules
        }
        for module, path in modules.items()
    }
    assert graph["fairsal_core.runs.launcher"] >= {"fairsal_core.runs.processes"}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_metrics_are_pure() -> None:
    """No models, no files: metrics import no torch and nothing of fairsal_core but each other, the errors and the registry."""
    for path in (ROOT / PACKAGE / "metrics").glob("*.py"):
        for module, _ in imports_of(path):
            assert module.split(".")[0] not in ("torch", "pathlib", "pandas"), name(path)
            if module.startswith(PACKAGE):
                assert module.startswith(tuple(f"{PACKAGE}.{one}" for one in ("metrics", "errors", "registry"))), name(
                    path
                )
