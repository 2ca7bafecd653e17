"""Table 1 of De Coninck et al. (2024) as printed: what presets ask for, and what replications are compared with."""

import csv
from functools import lru_cache
from pathlib import Path

_TABLE1 = Path(__file__).with_name("published") / "deconinck2024_table1.csv"


@lru_cache(maxsize=1)
def published_table() -> tuple[dict[str, str], ...]:
    """Return the rows of Table 1 as printed: attribute, scheme, quantile, and twelve numbers."""
    with _TABLE1.open(encoding="utf-8", newline="") as stream:
        return tuple(csv.DictReader(line for line in stream if not line.startswith("#")))


def published_schemes(confounder: str) -> list[str]:
    """Return the schemes of Table 1 for a confounder, each at the quantile printed there."""
    return [
        f"{row['scheme']}@{float(row['quantile']):g}" for row in published_table() if row["attribute"] == confounder
    ]
