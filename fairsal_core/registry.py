"""What is chosen by name: one kind of registry, which installed packages add to."""

import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, Protocol, TypeVar

from fairsal_core.errors import FairsalError, sentence, unknown_name

# Names are part of variants' names ("general_mask@0.7,p=0.5"), of files' names and of the command line.
_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
_PACKAGE = __name__.partition(".")[0]


class Entry(Protocol):
    """What every entry of a registry has."""

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...


E = TypeVar("E", bound=Entry)
ProblemOf = Callable[[E, Mapping[str, E]], str | None]
"""(entry, all entries by name, itself too) -> why it cannot be registered, None if it can."""


@dataclass(frozen=True)
class Extension:
    """What became of an entry point of an installed package.

    Attributes
    ----------
    group, name : str
        The entry point, such as "fairsal.schemes" and the name that its package gives it.
    distribution, version : str
        The installed package.
    gives : tuple of str
        Names of the entries that are registered.
    problem : str, optional
        What is left out, and why; None if nothing is.
    """

    group: str
    name: str
    distribution: str
    version: str
    gives: tuple[str, ...]
    problem: str | None = None

    def __str__(self) -> str:
        given = ", ".join(self.gives) or "nothing"
        problem = f"; {self.problem}" if self.problem else ""
        return f"{self.group}: {given} (by {self.name} of {self.distribution} {self.version}){problem}"


class Registry(Mapping[str, E]):
    """The entries of one kind by name: those made here, in their order, then those of installed packages.

    Installed packages are asked by the entry points of `group`, in every process, when first something is read that the
    entries made here do not answer: never while modules are imported, since a package that adds a scheme imports the schemes.
    What cannot be loaded or does not fit is left out, and `extensions` says why.

    Parameters
    ----------
    kind : str
        What an entry is called in an error.
    group : str
        The entry points' group. Each names an entry, or a list of entries.
    of : type
        The entries' class.
    entries : iterable
        Those made here.
    problem_of : callable, optional
        What else has to hold of an entry.

    Raises
    ------
    FairsalError
        If an entry made here has a problem.

    Examples
    --------
    >>> @dataclass(frozen=True)
    ... class Shape:
    ...     name: str
    ...     description: str
    >>> shapes = Registry("shape", "example.shapes", Shape, [Shape("square", "Four equal sides."), Shape("circle", "Round.")])
    >>> list(shapes), shapes["circle"].description
    (['square', 'circle'], 'Round.')
    >>> shapes.find("cirle")
    Traceback (most recent call last):
    fairsal_core.errors.FairsalError: There is no shape 'cirle'; did you mean 'circle'? Known: square, circle.
    """

    def __init__(
        self,
        kind: str,
        group: str,
        of: type[E],
        entries: Iterable[E],
        problem_of: ProblemOf[E] = lambda entry, known: None,
    ) -> None:
        self.kind, self.group = kind, group
        self._of, self._problem_of = of, problem_of
        self._own = {entry.name: entry for entry in entries}
        self._found: tuple[Mapping[str, E], tuple[Extension, ...]] | None = None
        for entry in self._own.values():
            if problem := problem_of(entry, self._own):
                raise FairsalError(f"The {kind} '{entry.name}' cannot be registered: {problem}.")

    def __getitem__(self, name: str) -> E:
        return self._own[name] if name in self._own else self._all()[0][name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all()[0])

    def __len__(self) -> int:
        return len(self._all()[0])

    def find(self, name: str) -> E:
        """Return the entry of this name; an unknown one is an error that names the nearest."""
        if name not in self:
            raise unknown_name(self.kind, name, self)
        return self[name]

    def title(self, name: str) -> str:
        """Return what a reader is told for a name: its entry's title where it has one, else the name as words.

        Examples
        --------
        >>> @dataclass(frozen=True)
        ... class Shape:
        ...     name: str
        ...     description: str
        >>> Registry("shape", "example.titles", Shape, [Shape("right_angle", "Square.")]).title("right_angle")
        'Right angle'
        """
        return entry_title(self, name)

    def place(self, name: str) -> int:
        """Return where a name stands, to sort by; a name that is not there, or no longer, comes after all others."""
        return list(self).index(name) if name in self else len(self)

    def extensions(self) -> tuple[Extension, ...]:
        """Return what became of the entry points of this group."""
        return self._all()[1]

    def origin(self, name: str) -> str:
        """Return the installed package that gives an entry, with its version; empty for those made here, and for none."""
        if name in self._own:
            return ""
        given = (extension for extension in self.extensions() if name in extension.gives)
        return next((f"{each.distribution} {each.version}" for each in given), "")

    def _all(self) -> tuple[Mapping[str, E], tuple[Extension, ...]]:
        # No lock: an import waits for other threads' imports, and these may read here. Threads that come at the same
        # time all find the same.
        if self._found is not None:
            return self._found
        points = sorted(entry_points(group=self.group), key=lambda point: (*_origin(point), point.name, point.value))
        found = self._with_those_of([_ask(point, self._of) for point in points])
        # Before a package is imported whole it cannot give what it has: that is so when it reads this registry itself.
        if not _being_imported({_PACKAGE, *(_package_of(point) for point in points)}):
            self._found = found
        return found

    def _with_those_of(self, asked: "Sequence[_Asked[E]]") -> tuple[Mapping[str, E], tuple[Extension, ...]]:
        entries = dict(self._own)
        for one in asked:
            for entry in one.offered:
                if problem := self._problem_of_name(entry.name, entries):
                    one.leave_out(entry, problem)
                else:
                    entries[entry.name] = entry
                    one.given.append(entry)
        # What is left out may be what another needs: look again until nothing is.
        while unfit := [(one, *pair) for one in asked for pair in self._unfit(one.given, entries)]:
            for one, entry, problem in unfit:
                one.given.remove(entry)
                del entries[entry.name]
                one.leave_out(entry, problem)
        return entries, tuple(one.record(self.group) for one in asked)

    def _problem_of_name(self, name: object, known: Mapping[str, E]) -> str | None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            return "a name is a letter and then letters, digits and underscores"
        return f"there is a {self.kind} of that name already" if name in known else None

    def _unfit(self, given: Iterable[E], known: Mapping[str, E]) -> Iterator[tuple[E, str]]:
        for entry in given:
            try:
                problem = self._problem_of(entry, known)
            except Exception as error:  # a foreign entry may hold anything
                problem = sentence(error)
            if problem:
                yield entry, problem


def entry_title(entries: Mapping[str, Any], name: str) -> str:
    """Return what a reader is told for a name among some entries, as `Registry.title` does among all."""
    given = getattr(entries[name], "title", "") if name in entries else ""
    return str(given) or as_words(name)


def as_words(name: str) -> str:
    """Return a name of code as words.

    Examples
    --------
    >>> as_words("general_mask")
    'General mask'
    """
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


@dataclass
class _Asked(Generic[E]):
    """An entry point, the entries that it offers, those of them that are registered, and what is wrong with the others."""

    point: EntryPoint
    offered: list[E]
    problems: list[str]
    given: list[E] = field(default_factory=list)

    def leave_out(self, entry: E, problem: str) -> None:
        self.problems.append(f"'{entry.name}' is left out: {problem}")

    def record(self, group: str) -> Extension:
        names = tuple(entry.name for entry in self.given)
        return Extension(group, self.point.name, *_origin(self.point), names, "; ".join(self.problems) or None)


def _ask(point: EntryPoint, of: type[E]) -> _Asked[E]:
    """Load what an entry point names. Whatever a foreign module does then, it is kept out and said, not raised."""
    try:
        found = point.load()
        # A list of entries, but no iterator: that would be empty for whoever reads it next.
        each = list(found) if isinstance(found, Collection) and not isinstance(found, of) else [found]
    except (Exception, SystemExit) as error:
        return _Asked(point, [], [sentence(error)])
    others = dict.fromkeys(type(entry).__name__ for entry in each if not isinstance(entry, of))
    problems = [f"it gives {other}, which is no {of.__name__}" for other in others]
    return _Asked(point, [entry for entry in each if isinstance(entry, of)], problems)


def _origin(point: EntryPoint) -> tuple[str, str]:
    """Return the name and version of an entry point's package."""
    return (point.dist.name, point.dist.version) if point.dist else ("", "")


def _package_of(point: EntryPoint) -> str:
    """Return the outermost package that an entry point names, whatever else it says ("package.module:attribute")."""
    return point.value.partition(":")[0].partition(".")[0].strip()


def _being_imported(packages: Collection[str]) -> bool:
    """Return whether a module of these packages is being imported now, by whichever thread."""
    return any(
        getattr(getattr(module, "__spec__", None), "_initializing", False)
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in packages
    )
