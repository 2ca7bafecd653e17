"""Results and a finished run for the sections of Comparison."""

import pandas as pd
import pytest

from fairsal_core.faces import FaceDataset
from fairsal_core.results import accuracy_and_gap, over_all_seeds, results_table
from fairsal_core.runs import Run
from tests.pages.conftest import OpenPage
from tests.reports.conftest import MakeRun, made_up_predictions, make_run  # noqa: F401


@pytest.fixture
def run(open_page: OpenPage, make_run: MakeRun, drawn: FaceDataset) -> Run:  # noqa: F811
    """A finished run in the workspace of the pages, on faces that the drawn set has."""
    return make_run()


@pytest.fixture(scope="module")
def pooled() -> pd.DataFrame:
    """Results of an original and of one scheme at two quantiles."""
    table = made_up_predictions()
    scheme = table[table["variant"] == "general_mask@0.7"].assign(variant="general_mask@0.9")
    scheme["score"] = 1 - scheme["score"]  # other numbers than at the first quantile
    scheme["treated_by"] = scheme["treated_by"].str.replace("0.7", "0.9")
    results = results_table(pd.concat([table, scheme]), "Male", "Blond_Hair")
    return over_all_seeds(accuracy_and_gap(results))
