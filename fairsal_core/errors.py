"""The errors a person can mend."""

import difflib
import errno
from collections.abc import Iterable


class FairsalError(Exception):
    """Bad input. The message is one clear sentence that says what came, what was expected and what to do."""


class CancelledError(Exception):
    """Someone asked a long job to stop. Raised by a `Progress` callback, caught by whoever owns the job."""


def sentence(error: BaseException) -> str:
    """Return one line on what failed and, where it is known, what to do about it.

    Examples
    --------
    >>> sentence(OSError(errno.ENOSPC, "No space left on device"))
    'The disk is full: free some space and start again.'
    >>> sentence(ValueError("two\\nlines"))
    'ValueError: two lines'
    """
    if isinstance(error, FairsalError):
        return " ".join(str(error).split())
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full: free some space and start again."
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        place = f" {error.filename}" if error.filename else ""
        return f"fairsal has no permission for{place} ({error.strerror}): let its user write there and start again."
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}."
    if isinstance(error, MemoryError):
        return "There is not enough memory: use fewer images or a smaller batch."
    if type(error).__name__ == "OutOfMemoryError":  # torch's, which is not imported here
        return "There is not enough memory on the graphics card: use a smaller batch."
    return " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")


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
