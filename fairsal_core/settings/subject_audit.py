"""What an audit of classifiers is asked: which, what is hidden from them, how they are explained."""

from typing import Literal

from pydantic import Field, field_validator

from fairsal_core.regions import DEFAULT_MEASURE, RegionTraining
from fairsal_core.settings.attention import AttentionSettings
from fairsal_core.settings.audit import AuditConfig
from fairsal_core.settings.experiment import SchemeChoice

_MOST_SUBJECTS = 20


class SubjectAuditConfig(AuditConfig):
    """Classifiers to audit, perhaps beside predictions: on clean faces, and with the protected attribute's regions hidden."""

    subjects: tuple[str, ...] = Field(
        min_length=1,
        max_length=_MOST_SUBJECTS,
        description="classifiers: RUN:VARIANT of a finished experiment, with #SEED for another than its first; or an imported one",
    )
    schemes: tuple[SchemeChoice, ...] = Field(
        (SchemeChoice(),), description="how regions are hidden, as SCHEME@QUANTILE; nothing for no causal check"
    )
    measure: str = Field(DEFAULT_MEASURE, description="confidence measure of the region map")
    regions: RegionTraining = Field(RegionTraining(), description="how a region classifier is trained if there is none")
    attention: AttentionSettings = Field(AttentionSettings(), description="how attention is measured")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:1")
    engine: Literal["local", "ray"] = Field(
        "local", description="what scores and explains: this machine, or a Ray cluster"
    )
    address: str = Field("", description="the Ray cluster, HOST:PORT; by default the one on this machine")
    storage: str = Field(
        "", description="URL, such as s3://BUCKET/FOLDER, for nodes of a cluster that share no workspace"
    )

    @field_validator("schemes")
    @classmethod
    def _each_general_once(cls, choices: tuple[SchemeChoice, ...]) -> tuple[SchemeChoice, ...]:
        # A specific scheme hides by each face's own map: its test faces are treated by the general one, as everywhere.
        return tuple(dict.fromkeys(choice.general for choice in choices))
