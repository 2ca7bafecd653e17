"""The errors a person can mend."""

import difflib
from collections.abc import Iterable


class FairsalError(Exception):
    """Bad input. The message is one clear sentence that says what came, what was expected and what to do."""


class CancelledError(Exception):
    """Someone asked a long job to stop. Raised by a `Progress` callback, caught by whoever owns the job."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> FairsalError:
    """Return the error for a name that does not exist, with the nearest one that does.

    Examples
    --------
    >>> str(unknown_name("attribute", "Blond_Hare", ["Blond_Hair", "Smiling"]))
    "There is no attribute 'Blond_Hare'; did you mean 'Blond_Hair'? Known: Blond_Hair, Smiling."
    """
    known = list(known)
    lowered = {candidate.lower(): candidate for candidate in known}
    nearest = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
    hint = f"; did you mean '{lowered[nearest[0]]}'?" if nearest else "."
    return FairsalError(f"There is no {kind} '{name}'{hint} Known: {', '.join(known)}.")
