"""Which schemes to train with, each at which quantiles."""

import streamlit as st

from fairsal_core.schemes import PIXEL, SCHEMES
from pages.components.shared.rows import in_rows
from pages.components.shared.words import explained

QUANTILES = [round(0.05 * step, 2) for step in range(1, 20)]


def choose_schemes() -> list[str]:
    """Show the schemes, and the quantiles of each chosen one; return them as SCHEME@QUANTILE with their options."""
    schemes = st.multiselect(
        "Schemes",
        list(SCHEMES),
        format_func=SCHEMES.title,
        key="schemes",
        help="Each hides regions in its own way.\n\n" + explained(SCHEMES),
    )
    chosen = []
    for column, scheme in in_rows(schemes, min(max(len(schemes), 2), 4)):
        key = f"quantiles_{scheme}"
        st.session_state.setdefault(key, [0.7])
        quantiles = column.multiselect(
            f"Quantiles of {SCHEMES.title(scheme).lower()}",
            sorted({*QUANTILES, *st.session_state[key]}),
            key=key,
            help="0.7 hides the top 30%. Several make several variants.",
        )
        chosen += [(scheme, quantile) for quantile in quantiles]
    probability, domain = st.session_state["treat_probability"], st.session_state.get("noise_domain", PIXEL)
    return [scheme_name(scheme, quantile, probability, domain) for scheme, quantile in chosen]


def choose_treated_share() -> None:
    """Show how many training images a scheme treats."""
    st.slider(
        "Treated share",
        0.05,
        1.0,
        step=0.05,
        key="treat_probability",
        help="How many training images are treated at each step; the others stay clean. The paper treats all.",
    )


def noise_domains() -> list[str]:
    """Return where the chosen schemes' noise can be added, and what was chosen before; a scheme that adds none leaves no choice."""
    of_schemes = [name for scheme in st.session_state["schemes"] for name in SCHEMES[scheme].domains]
    return list(dict.fromkeys([PIXEL, *of_schemes, st.session_state["noise_domain"]]))


def scheme_name(scheme: str, quantile: float, probability: float, domain: str) -> str:
    """Return a scheme as the form asks for it, such as "general_noise@0.7,p=0.5,normalised"."""
    treated = f",p={probability:g}" if probability < 1 else ""
    added = f",{domain}" if domain != PIXEL and domain in SCHEMES[scheme].domains else ""
    return f"{scheme}@{quantile:g}{treated}{added}"
