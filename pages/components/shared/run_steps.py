"""The steps of a run that goes: what is done, what is at it now and how far within it."""

from collections.abc import Sequence

import streamlit as st

from fairsal_core.runs import Event, Run, read_events
from pages.components.shared.words import plain, step_title

_SHOWN = 6


def show_steps(run: Run) -> None:
    """Show the last steps of a run, the one that it is at with what it says of itself."""
    steps = steps_of(read_events(run.path)[0])
    if not steps:
        st.caption(plain(run.status.message or run.status.stage or "Starting"))
        return
    hidden = len(steps) - _SHOWN
    lines = [f":small[{hidden} steps before]"] if hidden > 0 else []
    lines += [f":green[✓] {plain(step_title(step))}" for step in steps[:-1][-_SHOWN + 1 :]]
    now = run.status.stage or steps[-1]
    told = run.status.message
    lines.append(f"▸ **{plain(step_title(now))}**" + (f": {plain(told)}" if told and told != now else ""))
    st.markdown("  \n".join(lines))


def steps_of(events: Sequence[Event]) -> list[str]:
    """Return the names of the steps that a run has begun, in their order; what went on beside one is no step.

    Examples
    --------
    >>> steps_of([Event(0, "faces", 0.0), Event(1, "faces", 0.1, "packed"), Event(2, "training", 0.1)])
    ['faces', 'training']
    """
    begun = [event.stage for event in events if event.stage and not event.message]
    return list(dict.fromkeys(begun))
