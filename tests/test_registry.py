"""A registry reads as the dict it was, and takes in what installed packages give; what does not fit is named, not raised."""

import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fairsal_core.errors import FairsalError
from fairsal_core.registry import Registry

Install = Callable[..., None]


@dataclass(frozen=True)
class Shape:
    name: str
    description: str = "A shape."
    holds: str = ""


SQUARE, CIRCLE = Shape("square"), Shape("circle")


def registry(**options: object) -> Registry[Shape]:
    return Registry("shape", "fairsal.tests", Shape, [SQUARE, CIRCLE], **options)  # type: ignore[arg-type]


SHAPES = registry()  # for a package that reads it


def holds_nothing_unknown(shape: Shape, known: object) -> str | None:
    return None if not shape.holds or shape.holds in known else f"there is no shape '{shape.holds}'"  # type: ignore[operator]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a package on the path, with the metadata that an installation leaves: `install("name", code, entry="attribute")`."""
    monkeypatch.syspath_prepend(tmp_path)
    made: list[str] = []

    def make(name: str, code: str, **points: str) -> None:
        made.append(name)
        (tmp_path / f"{name}.py").write_text(
            f"from tests.test_registry import Shape, registry\n{textwrap.dedent(code)}", encoding="utf-8"
        )
        about = tmp_path / f"{name}-2.1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.1\n", encoding="utf-8")
        lines = [f"{point} = {name}:{attribute}" for point, attribute in points.items()]
        (about / "entry_points.txt").write_text("\n".join(["[fairsal.tests]", *lines, ""]), encoding="utf-8")

    yield make
    for name in made:
        sys.modules.pop(name, None)


def test_it_reads_as_a_dict() -> None:
    shapes = registry()
    assert list(shapes) == ["square", "circle"]
    assert sorted(shapes) == ["circle", "square"]
    assert len(shapes) == 2
    assert "circle" in shapes
    assert "cone" not in shapes
    assert shapes["circle"] is shapes.find("circle") is shapes.get("circle") is CIRCLE
    assert shapes.get("cone") is None
    assert dict(shapes) == {"square": SQUARE, "circle": CIRCLE} == shapes
    assert list(shapes.values()) == [SQUARE, CIRCLE]
    with pytest.raises(KeyError):
        shapes["cone"]
    with pytest.raises(FairsalError, match=r"no shape 'cirkle'; did you mean 'circle'\? Known: square, circle"):
        shapes.find("cirkle")
    with pytest.raises(TypeError):
        shapes["cone"] = Shape("cone")  # type: ignore[index]


def test_what_is_not_there_any_longer_is_sorted_last() -> None:
    shapes = registry()
    assert sorted(["gone", "circle", "square"], key=shapes.place) == ["square", "circle", "gone"]


def test_extensions_come_after_its_own(install: Install) -> None:
    install("b_package", "CONE = Shape('a_cone')", cone="CONE")
    install("a_package", "ALL, LENS = [Shape('torus'), Shape('sphere')], Shape('lens')", z="ALL", a="LENS")
    shapes = registry()
    assert list(shapes) == ["square", "circle", "lens", "torus", "sphere", "a_cone"]
    assert [(one.name, one.distribution, one.version, one.gives) for one in shapes.extensions()] == [
        ("a", "a_package", "2.1", ("lens",)),
        ("z", "a_package", "2.1", ("torus", "sphere")),
        ("cone", "b_package", "2.1", ("a_cone",)),
    ]


def test_extensions_are_asked_late_and_once(install: Install) -> None:
    install("slow", "CONE = Shape('cone')", cone="CONE")
    shapes = registry()
    assert "circle" in shapes
    assert shapes.find("square") is SQUARE
    assert "slow" not in sys.modules
    cone = shapes.find("cone")
    assert "slow" in sys.modules
    del sys.modules["slow"]
    assert shapes["cone"] is cone
    assert "slow" not in sys.modules


@pytest.mark.parametrize(
    ("code", "gives", "problem"),
    [
        ("raise OSError('no such library')", (), r"OSError: no such library"),
        ("import sys; sys.exit('I do not run here')", (), r"SystemExit: I do not run here"),
        ("import nowhere_to_be_found", (), r"ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("THEM = None", (), r"it gives NoneType, which is no Shape"),
        ("THEM = 'cone'", (), r"it gives str, which is no Shape"),
        ("THEM = Shape", (), r"it gives type, which is no Shape"),
        ("THEM = (Shape(name) for name in ('cone',))", (), r"it gives generator, which is no Shape"),
        ("THEM = [Shape('cone'), 3]", ("cone",), r"it gives int, which is no Shape"),
        ("THEM = Shape('circle')", (), r"'circle' is left out: there is a shape of that name already"),
        ("THEM = [Shape('cone')] * 2", ("cone",), r"'cone' is left out: there is a shape of that name already"),
        ("THEM = Shape('a@0.7')", (), r"'a@0.7' is left out: a name is a letter and then letters, digits and under"),
        ("THEM = Shape(3)", (), r"'3' is left out: a name is"),
        ("THEM = Shape('cone', holds='ball')", (), r"'cone' is left out: there is no shape 'ball'"),
        ("THEM = Shape('cone', holds=3)", (), r"'cone' is left out: TypeError: "),
    ],
)
def test_what_does_not_fit_is_left_out_and_named(
    install: Install, capfd: pytest.CaptureFixture[str], code: str, gives: tuple[str, ...], problem: str
) -> None:
    def check(shape: Shape, known: object) -> str | None:
        return holds_nothing_unknown(shape, known) if shape.holds >= "" else None

    install("odd", code, them="THEM")
    install("other", "OTHER = Shape('other')", other="OTHER")
    shapes = registry(problem_of=check)
    assert list(shapes) == ["square", "circle", *gives, "other"]
    assert shapes["circle"] is CIRCLE
    odd, _ = shapes.extensions()
    assert odd.gives == gives
    assert odd.problem is not None
    assert odd.problem.startswith(problem)
    assert str(odd).startswith(f"fairsal.tests: {', '.join(gives) or 'nothing'} (by them of odd 2.1); {problem}")
    assert "".join(capfd.readouterr()) == ""


def test_what_needs_something_that_is_left_out_is_left_out_too(install: Install) -> None:
    code = """
    ALL = [Shape("box", holds="bag"), Shape("bag", holds="pocket"), Shape("pocket", holds="coin"), Shape("tin", holds="key")]
    """
    install("nested", code, all="ALL")
    install("with_key", "KEY = Shape('key', holds='square')", key="KEY")
    shapes = registry(problem_of=holds_nothing_unknown)
    assert list(shapes) == ["square", "circle", "tin", "key"]
    assert shapes.extensions()[0].gives == ("tin",)


def test_its_own_entries_have_to_fit() -> None:
    with pytest.raises(FairsalError, match="The shape 'box' cannot be registered: there is no shape 'ball'"):
        Registry("shape", "fairsal.tests", Shape, [Shape("box", holds="ball")], holds_nothing_unknown)


@pytest.mark.parametrize("first", [lambda: list(SHAPES), lambda: __import__("reader")], ids=["asked for", "imported"])
def test_a_package_that_reads_the_registry_while_it_is_imported(
    install: Install, monkeypatch: pytest.MonkeyPatch, first: Callable[[], object]
) -> None:
    code = """
    import tests.test_registry as tests
    seen = list(tests.SHAPES)
    CONE = Shape("cone", f"A {tests.SHAPES['circle'].name} drawn out.")
    """
    install("reader", code, cone="CONE")
    monkeypatch.setattr(sys.modules[__name__], "SHAPES", registry())
    first()
    assert sys.modules["reader"].seen == ["square", "circle"]
    assert list(SHAPES) == ["square", "circle", "cone"]
    assert SHAPES["cone"].description == "A circle drawn out."
    assert [one.problem for one in SHAPES.extensions()] == [None]


def test_threads_that_come_at_the_same_time_find_the_same(install: Install) -> None:
    install("lingers", "import time; time.sleep(0.2)\nCONE = Shape('cone')", cone="CONE")
    shapes, together, found = registry(), threading.Barrier(8), []

    def read() -> None:
        together.wait()
        found.append((list(shapes), shapes.find("cone"), shapes.extensions()))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert {(*names, id(cone), *extensions) for names, cone, extensions in found} == {
        ("square", "circle", "cone", id(shapes["cone"]), *shapes.extensions())
    }
