"""The change in fairness of every variant: by hand, and equal to the difference of the results' own numbers."""

import numpy as np
import pandas as pd
import pytest

from fairsal_core.errors import FairsalError
from fairsal_core.metrics import odds_change
from fairsal_core.results.accuracy import over_all_seeds, results_table
from fairsal_core.results.trade_off import fairness_change_table

VARIANTS = ("original", "balanced", "general_mask@0.7")


def predictions(per_cell: int = 40) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    rows = []
    for index, variant in enumerate(VARIANTS):
        for seed in (0, 1):
            for evaluation, by in (("clean", ""), ("treated", "general_mask@0.7")):
                for cell in range(4):
                    target, confounder = cell < 2, cell % 2 == 0
                    right = generator.random(per_cell) < (0.5 + 0.1 * cell * (2 - index))
                    scores = np.where(right == target, 0.9, 0.1)
                    rows += [
                        (variant, seed, evaluation, by, f"{cell}-{face}", target, confounder, score)
                        for face, score in enumerate(scores)
                    ]
    columns = ["variant", "seed", "evaluation", "treated_by", "face", "target", "confounder", "score"]
    return pd.DataFrame(rows, columns=columns)


def test_each_change_is_the_difference_of_the_results() -> None:
    table = predictions()
    found = fairness_change_table(table, lambda variant: "original")
    assert list(dict.fromkeys(found["variant"])) == list(VARIANTS[1:])
    assert (found["n"] == 160).all()
    results = over_all_seeds(results_table(table, "Male", "Blond_Hair"))
    clean = results[results["evaluation"] == "clean"].set_index(["variant", "metric"])["value"]
    for row in found.itertuples():
        before, after = (abs(clean[(name, row.metric)]) for name in ("original", row.variant))
        assert row.value == pytest.approx(after - before)
        assert row.low <= row.value <= row.high


def test_the_change_of_the_odds_and_its_interval() -> None:
    generator = np.random.default_rng(1)
    cells = np.repeat(np.arange(4), 60)
    chance = np.array([0.9, 0.5, 0.8, 0.7])[cells]
    before, after = generator.random((2, 240)) < chance, generator.random((2, 240)) < 0.5 + chance / 3

    def odds(right: np.ndarray) -> float:
        rates = [right[:, cells == cell].mean() for cell in range(4)]
        return float(max(abs(rates[0] - rates[1]), abs(rates[2] - rates[3])))

    found = odds_change(before, after, cells)
    assert found.value == pytest.approx(odds(after) - odds(before))
    assert found.interval.low < found.value < found.interval.high
    # Of one network each it is about as wide as that of faces drawn again, which holds for so many.
    drawn = []
    for _ in range(1000):
        faces = np.concatenate([generator.choice(np.flatnonzero(cells == cell), 60) for cell in range(4)])
        drawn.append(odds(after[:1, faces]) - odds(before[:1, faces]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    of_one = odds_change(before[:1], after[:1], cells).interval
    assert 0.9 * (high - low) < of_one.high - of_one.low < 2 * (high - low)
    same = odds_change(before, before, cells).interval
    assert same.low < 0 < same.high


def test_what_cannot_be_compared() -> None:
    right = np.ones((1, 3), dtype=bool)
    assert np.isnan(odds_change(right, right, np.array([0, 1, 2])).value)
    with pytest.raises(FairsalError, match="the same seeds and faces"):
        odds_change(right, right[:, :2], np.array([0, 1, 2]))
    alone = predictions(4).query("variant == 'original'")
    assert fairness_change_table(alone, lambda variant: "original").empty
