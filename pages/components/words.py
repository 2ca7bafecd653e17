"""How states and durations are written, the same on every page."""

STATE_COLOURS = {
    "queued": "gray",
    "running": "blue",
    "finished": "green",
    "failed": "red",
    "cancelled": "orange",
    "interrupted": "orange",
}


def describe_duration(seconds: float) -> str:
    """Return seconds in words.

    Examples
    --------
    >>> describe_duration(42), describe_duration(125), describe_duration(7260)
    ('42 s', '2 min 5 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
