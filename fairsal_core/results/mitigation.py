"""How the mitigation methods of a run ended."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fairsal_core.errors import FairsalError
from fairsal_core.files import write_json
from fairsal_core.runs import RunFiles, read_content

OK, NO_EFFECT, FAILED = "ok", "no effect", "failed"


@dataclass(frozen=True)
class MethodOutcome:
    """How a method ended for one seed.

    Attributes
    ----------
    variant, method : str
        Name in the tables, and of the method.
    seed : int
        Of the original it was applied to.
    outcome, reason : str
        "ok", "no effect" or "failed", and why.
    classifier : Path or None
        Weights of the new classifier; None unless it is ok.
    trace : list of dict
        The candidates of its search, judged on the validation faces.
    diagnostics : dict
        Numbers about it.
    seconds : float
        What it took when it was computed.
    """

    variant: str
    method: str
    seed: int
    outcome: str
    reason: str
    classifier: Path | None
    trace: list[dict[str, Any]]
    diagnostics: dict[str, float | None]
    seconds: float


def shown_variants(outcomes: Sequence[MethodOutcome]) -> list[str]:
    """Return the names of the methods that are variants of the run: not failed for any seed, and ok for one at least."""
    ended: dict[str, set[str]] = {}
    for outcome in outcomes:
        ended.setdefault(outcome.variant, set()).add(outcome.outcome)
    return [variant for variant, ways in ended.items() if FAILED not in ways and OK in ways]


def write_outcomes(run: Path, outcomes: Sequence[MethodOutcome], counts: dict[str, Any]) -> None:
    """Write `mitigation.json`."""
    methods = [{name: value for name, value in asdict(each).items() if name != "classifier"} for each in outcomes]
    write_json(RunFiles(run).mitigation, {"faces": counts, "shown": shown_variants(outcomes), "methods": methods})


def read_outcomes(run: Path) -> list[MethodOutcome]:
    """Return how the methods of a run ended; none for a run without mitigation.

    Raises
    ------
    FairsalError
        If the file cannot be read.
    """
    try:
        content = read_content(run, RunFiles(run).mitigation)
        return [_checked(MethodOutcome(classifier=None, **entry)) for entry in content["methods"]]
    except FileNotFoundError:
        return []
    except (KeyError, TypeError, AttributeError) as error:
        raise FairsalError(
            f"What became of mitigation in run {run.name} cannot be read ({str(error)[:120]})."
        ) from error


def _checked(outcome: MethodOutcome) -> MethodOutcome:
    texts = (outcome.variant, outcome.method, outcome.outcome, outcome.reason)
    if not all(isinstance(text, str) for text in texts) or not isinstance(outcome.seconds, int | float):
        raise TypeError("how a method ended is told otherwise")
    if not all(
        {"chosen", "settings"} <= trial.keys() and isinstance(trial["settings"], dict) for trial in outcome.trace
    ):
        raise TypeError("what its search saw is told otherwise")
    return outcome
