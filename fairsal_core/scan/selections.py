"""Ready selections: faces that are worth keeping as a cohort without looking for them first."""

import numpy as np
import pandas as pd

from fairsal_core.errors import FairsalError
from fairsal_core.scan.subjects import Judged

WORST_SHARE = 0.1


def changed_sides(judged: Judged, before: Judged) -> dict[str, pd.Index]:
    """Return the faces of which two classifiers say different things, by what became of them.

    Returns
    -------
    dict
        "wrong now" and "right now" -> names, in the order of `judged`; faces that only one has judged are in neither.
    """
    places = before.faces.get_indexer(judged.faces)
    both = places >= 0
    was, now = (before.wrong > 0.5)[places], judged.wrong > 0.5
    return {"wrong now": judged.faces[both & now & ~was], "right now": judged.faces[both & was & ~now]}


def worst_decile(judged: Judged) -> pd.Index:
    """Return the tenth of the faces whose scores are furthest from their labels, the worst first, a half rounded up.

    Raises
    ------
    FairsalError
        If there are decisions and no scores, by which faces cannot be put in order.
    """
    if judged.scores is None:
        raise FairsalError(f"{judged.name} gave decisions and no scores: which are the worst tenth cannot be said.")
    loss = np.where(judged.has, 1 - judged.scores, judged.scores)
    count = int(np.ceil(WORST_SHARE * len(loss)))
    return judged.faces[np.argsort(-loss, kind="stable")[:count]]
