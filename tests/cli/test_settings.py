"""Settings models as options: what is typed goes on as it is, what is not typed stays out."""

from pathlib import Path

import pytest

from fairsal_core.classifiers import ClassifierTraining
from fairsal_core.cli import build_parser
from fairsal_core.cli.settings import NESTED, given_settings, read_config
from fairsal_core.errors import FairsalError
from fairsal_core.settings import AttentionSettings, ExperimentConfig, parse_config

# What people and scripts have typed so far, and what each of the three models of `run` was given by it.
TYPED = [
    ("", {}, {}, {}),
    ("--schemes general_mask general_noise@0.7", {"schemes": ["general_mask", "general_noise@0.7"]}, {}, {}),
    ("--schemes=general_mask", {"schemes": ["general_mask"]}, {}, {}),
    ("--seeds 0 1 2", {"seeds": ["0", "1", "2"]}, {}, {}),
    ("--seeds 0 1 --seeds 2", {"seeds": ["2"]}, {}, {}),
    ("--seeds -1", {"seeds": ["-1"]}, {}, {}),
    ("--balanced false --counts 0,60,40,20", {"balanced": "false", "counts": "0,60,40,20"}, {}, {}),
    ("--epochs 3 --epochs 4 --roi 1,2,3,4", {}, {"epochs": "4"}, {"roi": "1,2,3,4"}),
    ("--confound Smiling --learning-rate=1e-3", {"confounder": "Smiling"}, {"learning_rate": "1e-3"}, {}),
    ("--explainers lrp gradient --device cpu", {"device": "cpu"}, {}, {"explainers": ["lrp", "gradient"]}),
]


@pytest.mark.parametrize(("typed", "experiment", "training", "attention"), TYPED)
def test_what_is_typed_is_what_is_given(typed: str, experiment: dict, training: dict, attention: dict) -> None:
    options = build_parser().parse_args(["run", *typed.split()])
    assert given_settings(options, ExperimentConfig, leave_out=NESTED) == experiment
    assert given_settings(options, ClassifierTraining) == training
    assert given_settings(options, AttentionSettings) == attention
    if "-1" not in typed:
        parse_config({**experiment, "training": training, "attention": attention})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [("{", "is not JSON"), ("[1]", "holds no settings; expected a JSON object")],
)
def test_a_file_without_settings_is_one_sentence(content: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(content)
    with pytest.raises(FairsalError, match=sentence):
        read_config(file)


def test_a_runs_own_file_is_settings_too(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"kind": "experiment", "config": {"seeds": [3]}}')
    assert read_config(file) == {"seeds": [3]}
