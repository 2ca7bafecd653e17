"""Errors by column, against counting one column at a time."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fairsal_core.errors import FairsalError
from fairsal_core.metrics import difference_interval, size_of, wilson
from fairsal_core.metrics.intervals import Interval
from fairsal_core.scan import ALIKE, CANNOT_SAY, DIFFERS, SCAN_COLUMNS, by_family, scan

FACES = 2000


def drawn(seed: int = 0, planted: float = 0.3) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Scores that go up with the attribute "planted" whatever the target is; five other columns have nothing to do with them."""
    generator = np.random.default_rng(seed)
    target = generator.random(FACES) < 0.45
    columns = {name: generator.random(FACES) < 0.3 for name in ("one", "two", "three", "four", "five", "planted")}
    attributes = pd.DataFrame(columns)
    attributes["twin"] = attributes["planted"] ^ (generator.random(FACES) < 0.05)
    attributes["rare"] = generator.random(FACES) < 0.01
    attributes["partly"] = attributes["one"].astype("boolean").mask(generator.random(FACES) < 0.3)
    attributes["age"] = pd.Categorical(generator.choice(["young", "middle", "old"], FACES))
    chance = 0.2 + 0.5 * target + planted * columns["planted"] * (1 - 2 * 0.1 * target)
    scores = np.where(generator.random(FACES) < chance, 0.9, 0.1)
    return scores, target, attributes


def by_counting(scores: np.ndarray, target: np.ndarray, labels: pd.Series) -> dict[str, object]:
    """One row of a scan, slowly."""
    known = labels.notna().to_numpy()
    has, yes = labels[known].to_numpy(dtype=bool), scores[known] > 0.5
    cells = {}
    for about, of in (("true", target[known]), ("false", ~target[known])):
        for side, chosen in (("with", has), ("without", ~has)):
            faces = [index for index in range(len(has)) if of[index] and chosen[index]]
            cells[about, side] = sum(bool(yes[index]) for index in faces), len(faces)
    row: dict[str, object] = {"missing": int((~known).sum()), "n": min(n for _, n in cells.values())}
    sizes, p = [], []
    for about in ("true", "false"):
        (k1, n1), (k2, n2) = cells[about, "with"], cells[about, "without"]
        low, high = difference_interval(k1, n1, k2, n2)
        row |= {
            f"{about}_positive_difference": k1 / n1 - k2 / n2,
            f"{about}_positive_low": low,
            f"{about}_positive_high": high,
        }
        sizes.append((size_of(Interval(low, high)), size_of(Interval(*difference_interval(k1, n1, k2, n2, 0.95**0.5)))))
        table = [[k1, n1 - k1], [k2, n2 - k2]]
        if stats.contingency.expected_freq(table).min() < 5:
            p.append(stats.fisher_exact(table).pvalue)
        else:
            statistic = stats.chi2_contingency(table, correction=False).statistic
            p.append(stats.chi2.sf(statistic * (n1 + n2 - 1) / (n1 + n2), 1))
    row["value"] = max(abs(row["true_positive_difference"]), abs(row["false_positive_difference"]))
    row["low"], row["high"] = max(sure.low for _, sure in sizes), max(plain.high for plain, _ in sizes)
    row["p"] = min(1, 2 * min(p))
    right = {
        "target with": cells["true", "with"],
        "target without": cells["true", "without"],
        "other with": (cells["false", "with"][1] - cells["false", "with"][0], cells["false", "with"][1]),
        "other without": (cells["false", "without"][1] - cells["false", "without"][0], cells["false", "without"][1]),
    }
    worst = min(right, key=lambda cell: right[cell][0] / right[cell][1])
    row |= {"worst_cell": worst, "worst_value": right[worst][0] / right[worst][1]}
    row["worst_low"], row["worst_high"] = wilson(*right[worst])
    selected = [
        (cells["true", side][0] + cells["false", side][0]) / (cells["true", side][1] + cells["false", side][1])
        for side in ("with", "without")
    ]
    row["selection_ratio"] = min(selected) / max(selected)
    return row


def test_every_row_is_what_counting_gives() -> None:
    scores, target, attributes = drawn()
    found = scan(scores, target, attributes, fewest=1).set_index("attribute")
    assert set(found.columns) == set(SCAN_COLUMNS) - {"attribute"}
    labels = {name: attributes[name] for name in attributes.columns if name != "age"}
    labels |= {f"age={name}": attributes["age"] == name for name in ("young", "middle", "old")}
    assert set(found.index) == set(labels)
    expected = {name: by_counting(scores, target, column) for name, column in labels.items()}
    for name, row in expected.items():
        for column, value in row.items():
            assert found.loc[name, column] == (value if isinstance(value, str) else pytest.approx(value)), (
                name,
                column,
            )
    adjusted = stats.false_discovery_control([expected[name]["p"] for name in found.index])
    assert found["adjusted_p"].to_numpy() == pytest.approx(adjusted)


def test_what_was_planted_comes_first_with_its_family() -> None:
    found = scan(*drawn())
    assert found["attribute"].tolist()[:2] == ["planted", "twin"]
    assert (found["verdict"][:2] == DIFFERS).all() and (found["verdict"][2:] != DIFFERS).all()
    families = [part["attribute"].tolist() for part in by_family(found)]
    assert families[0] == ["planted", "twin"]
    assert ["age=middle", "age=old", "age=young"] in [sorted(family) for family in families]


def test_too_few_faces_are_no_verdict_and_stand_last() -> None:
    found = scan(*drawn())
    last = found.iloc[-1]
    assert (last["attribute"], last["verdict"]) == ("rare", CANNOT_SAY)
    assert last["n"] < 30 < last["needed"]
    assert np.isnan(last["adjusted_p"])


def test_enough_faces_without_a_difference_are_within_the_margin() -> None:
    generator = np.random.default_rng(3)
    target, has = generator.random((2, 40_000)) < 0.5
    yes = generator.random(40_000) < np.where(target, 0.9, 0.1)
    assert scan(yes, target, pd.DataFrame({"has": has}))["verdict"].tolist() == [ALIKE]
    few = slice(0, 400)
    assert scan(yes[few], target[few], pd.DataFrame({"has": has[few]}))["verdict"].tolist() == [CANNOT_SAY]


def test_decisions_scores_and_probabilities_are_understood() -> None:
    scores, target, attributes = drawn()
    by_score, by_decision, drawn_ones = (
        scan(scores, target, attributes),
        scan(scores > 0.5, target, attributes),
        scan(scores, target, attributes, threshold=None),
    )
    pd.testing.assert_frame_equal(by_score, by_decision)
    first = drawn_ones.iloc[0]
    assert first["attribute"] == "planted" and 0 < first["value"] < by_score.iloc[0]["value"]


def test_a_crossing_is_told_from_its_parts() -> None:
    scores, target, attributes = drawn()
    generator = np.random.default_rng(5)
    both = (attributes["one"] & attributes["two"]).to_numpy()
    scores = np.where(both & (generator.random(FACES) < 0.9), 0.9, scores)
    found = scan(scores, target, attributes[["one", "two", "three", "planted", "partly"]], depth=2)
    differing = found.loc[found["verdict"] == DIFFERS, "attribute"].tolist()
    assert "one and two" in differing
    alone = scan(*drawn(), depth=2)
    differing = alone.loc[alone["verdict"] == DIFFERS, "attribute"].tolist()
    assert differing[0] == "planted"
    assert not [name for name in differing if " and " in name]  # what one column explains is not put down to two


def test_crossings_without_enough_faces_are_not_looked_at() -> None:
    scores, target, attributes = drawn()
    found = scan(scores, target, attributes, depth=2)
    crossings = found[found["attribute"].str.contains(" and ")]
    assert len(crossings) and (crossings["n"] >= 30).all()
    assert not crossings["attribute"].str.contains("rare").any()
    assert not crossings["attribute"].str.fullmatch(r".*age=\w+ and .*age=\w+").any()


def test_chance_alone_is_seldom_a_discovery() -> None:
    found = [scan(*drawn(seed, planted=0))["verdict"].eq(DIFFERS).any() for seed in range(60)]
    assert np.mean(found) <= 0.1  # 5% are allowed; of 60, 7 or more come in 2% of cases


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s, t, a: (s[1:], t, a), "same faces"),
        (lambda s, t, a: (s * 3, t, a), "from 0 to 1"),
        (lambda s, t, a: (np.where(s > 0.5, np.nan, s), t, a), "from 0 to 1"),
        (lambda s, t, a: (s, t, a[[]]), "no columns"),
        (lambda s, t, a: (s, t, a.assign(one=True)[["one"]]), "one: all faces have the same value"),
        (lambda s, t, a: (s, t, pd.DataFrame({"name": [str(n) for n in range(len(a))]})), "2,000 different values"),
        (lambda s, t, a: (s[:0], t[:0], a.iloc[:0]), "no faces"),
        (lambda s, t, a: (s, t, a, 0.5, 3), "depth"),
    ],
)
def test_what_cannot_be_scanned_is_a_sentence(change: object, said: str) -> None:
    with pytest.raises(FairsalError, match=said):
        scan(*change(*drawn()))  # type: ignore[operator]
