"""The relevance maps that a run keeps of one of its classifiers, for the faces that are looked at."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.results import Attention, check_attention, list_attention
from pages.components.scan.view import View
from pages.components.shared.words import plain


@dataclass(frozen=True)
class Kept:
    """Maps that are there.

    Attributes
    ----------
    attention : Attention
        What made them.
    places : array, (F,) int
        Where their faces are among those that are looked at.
    maps : array, (F, H, W)
        Magnitudes of the relevance.
    before : array or None
        Those of the original on the same faces, where the classifier is another.
    """

    attention: Attention
    places: NDArray[np.int64]
    maps: NDArray[np.float32]
    before: NDArray[np.float32] | None


def kept_maps(view: View) -> Kept | None:
    """Return the maps of the view's classifier; None, and a sentence, where the run keeps none."""
    try:
        found = [each for each in list_attention(view.run.path) if _is_of(each, view)]
        for each in found:
            check_attention(each)
    except (FairsalError, OSError) as error:
        st.error(plain(error))
        return None
    if not found:
        st.info("This run keeps no relevance maps of this classifier; `fairsal explain` adds them, for the first seed.")
        return None
    return _of(found[0], view)


def _is_of(attention: Attention, view: View) -> bool:
    about = attention.about
    return view.subject.variant in about["variants"] and view.subject.seed == about["maps_of_seed"]


def _of(attention: Attention, view: View) -> Kept:
    indexer = view.judged.faces.get_indexer(pd.Index(attention.faces))
    there = indexer >= 0
    original = attention.about["originals"].get(view.subject.variant)
    before = None if original in (None, view.subject.variant) else _magnitudes(attention, original, there)
    return Kept(attention, indexer[there], _magnitudes(attention, view.subject.variant, there), before)


def _magnitudes(attention: Attention, variant: str, there: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.abs(np.asarray(attention.maps(variant)[there], dtype=np.float32))
