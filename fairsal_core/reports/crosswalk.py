"""Which section of the report answers what some rules ask for, and what it does not: a reading aid, and no claim to comply."""

from typing import NamedTuple


class Asked(NamedTuple):
    """What a rule asks for, the section of the report that has to do with it, and what is not in it."""

    rule: str
    asks: str
    section: str
    anchor: str
    lacking: str


CROSSWALK = (
    Asked(
        "EU AI Act, Art. 10(2)(f)-(g)",
        "examination of data for biases, and measures against them",
        "Data card; Numbers",
        "data",
        "one confounder alone is looked at; whether data fit the place of use",
    ),
    Asked(
        "EU AI Act, Art. 10(3)-(4)",
        "representative data with appropriate statistical properties",
        "Data card",
        "data",
        "how the people depicted compare with those whom it will be used on",
    ),
    Asked(
        "EU AI Act, Art. 15(1), (3)",
        "an appropriate level of accuracy, declared with its metrics",
        "Numbers",
        "numbers",
        "robustness to other changes than hidden regions; cybersecurity",
    ),
    Asked(
        "EU AI Act, Annex IV(2)(g)",
        "validation and testing: data, metrics for accuracy and discriminatory impact, signed and dated",
        "Numbers; Decision",
        "decision",
        "signatures: names are as they were typed",
    ),
    Asked(
        "EU AI Act, Annex IV(3)-(4)",
        "accuracy for groups, foreseeable risks, whether the metrics are appropriate",
        "Thresholds and verdicts; Limits",
        "verdicts",
        "unintended outcomes in use; why these metrics, unless reviewers wrote it",
    ),
    Asked(
        "ISO/IEC 19795-10",
        "performance by demographic group with sample sizes and uncertainty",
        "Numbers; Figures",
        "numbers",
        "it is about biometric recognition, which this is not; groups are annotators' labels",
    ),
    Asked(
        "NYC Local Law 144",
        "a bias audit of employment tools: selection rates and impact ratios by sex, race and their crossings",
        "Numbers",
        "numbers",
        "impact ratios, race unless the data has it, historical data, an independent auditor",
    ),
)
