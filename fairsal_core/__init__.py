"""fairsal_core: audit face-attribute classifiers, with or without the dashboard.

Rooms, in import order (each may use only those above it): `metrics` (pure functions on arrays), `drawing`,
`faces`, `regions`, `schemes`, `classifiers`, `experiments`. Nothing below this package imports streamlit.
"""

import os

# OpenMP threads otherwise spin while they wait, which on a busy machine with few cores costs more than it gains.
# These have to be set before torch is first imported.
os.environ.setdefault("GOMP_SPINCOUNT", "0")
# Torch's large tensors come and go in every training step; in huge pages that takes a sixth of the time off.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

__version__ = "0.1.0"
