"""One model that is the JSON on disk, the hash, the command line and the form."""

import json
from typing import Any

import pytest

from fairsal_core.errors import FairsalError
from fairsal_core.faces import CellCounts
from fairsal_core.hashing import hash_of
from fairsal_core.settings.attention import ExplainerChoice
from fairsal_core.settings.base import checked_settings
from fairsal_core.settings.experiment import ExperimentConfig, SchemeChoice, parse_config
from fairsal_core.settings.presets import PRESETS, preset_settings


def test_text_forms() -> None:
    config = parse_config(
        {"counts": "1,2,3,4", "schemes": ["general_mask@0.6", "specific_noise"], "seeds": ["3", 4], "target": "Smiling"}
    )
    assert config.counts == CellCounts(target_with=1, target_without=2, other_with=3, other_without=4)
    assert [choice.name for choice in config.schemes] == ["general_mask@0.6", "specific_noise@0.7"]
    assert config.seeds == (3, 4)


def test_a_scheme_by_its_parts_is_the_same() -> None:
    assert SchemeChoice.model_validate("general_mask@0.60") == SchemeChoice(scheme="general_mask", quantile=0.6)


@pytest.mark.parametrize(
    ("choice", "general"),
    [
        ("specific_mask@0.6", "general_mask@0.6"),
        ("specific_noise", "general_noise@0.7"),
        ("general_mask", "general_mask@0.7"),
        ("specific_noise@0.8,p=0.5,normalised", "general_noise@0.8,normalised"),
    ],
)
def test_the_general_scheme_that_treats_the_test_images(choice: str, general: str) -> None:
    assert SchemeChoice.model_validate(choice).general.name == general


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("general_noise@0.70,p=0.50", "general_noise@0.7,p=0.5"),
        ("general_noise@0.7,normalised,p=0.25", "general_noise@0.7,p=0.25,normalised"),
        ("general_noise@0.7,p=1,pixel", "general_noise@0.7"),
        ("general_mask@0.7,normalised", "general_mask@0.7"),  # a mask adds no noise anywhere
    ],
)
def test_a_schemes_name_says_all_of_it(text: str, name: str) -> None:
    choice = SchemeChoice.model_validate(text)
    assert choice.name == name
    assert SchemeChoice.model_validate(name) == choice


def test_masks_may_have_epochs_of_their_own() -> None:
    config = parse_config(
        {"schemes": ["general_mask@0.6", "general_noise@0.7"], "training": {"epochs": 20}, "mask_epochs": 10}
    )
    assert [config.epochs_of(choice) for choice in config.schemes] == [10, 20]
    assert config.lengths == [20, 10]
    assert [config.reference_name("original", epochs) for epochs in (20, 10)] == ["original", "original_10_epochs"]


@pytest.mark.parametrize(("scheme", "epochs"), [("general_mask@0.6", 10), ("general_noise@0.6", 20)])
def test_schemes_of_one_kind_need_one_original(scheme: str, epochs: int) -> None:
    config = parse_config({"schemes": [scheme], "training": {"epochs": 20}, "mask_epochs": 10})
    assert config.lengths == [epochs]
    assert config.reference_name("original", epochs) == "original"


def test_schemes_at_several_quantiles_are_those_to_choose_from() -> None:
    names = [
        "general_mask@0.6",
        "general_noise@0.6",
        "general_mask@0.8",
        "general_noise@0.8,p=0.5",
        "general_noise@0.7,p=0.5",
    ]
    several = parse_config({"schemes": names}).several_quantiles
    assert {kind: [choice.quantile for choice in choices] for kind, choices in several.items()} == {
        "general_mask": [0.6, 0.8],
        "general_noise,p=0.5": [0.8, 0.7],
    }


def test_where_it_is_computed_does_not_count() -> None:
    assert parse_config({"device": "cuda:1"}).key == ExperimentConfig().key


def test_json_round_trip_keeps_the_hash() -> None:
    config = parse_config({"seeds": [1, 2], "schemes": ["specific_mask@0.55"], "regions": {"epochs": 2}})
    again = parse_config(json.loads(config.model_dump_json()))
    assert again == config
    assert again.key == config.key
    assert parse_config(config.model_dump(mode="json")) == config


def test_it_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        ExperimentConfig().target = "Smiling"  # type: ignore[misc]


@pytest.mark.parametrize(
    "change",
    [
        {"target": "Smiling"},
        {"counts": "0,3000,2000,1001"},
        {"balanced": False},
        {"schemes": ["general_mask@0.71"]},
        {"schemes": []},
        {"measure": "margin"},
        {"mask_epochs": 3},
        {"schemes": ["general_mask@0.7,p=0.5"]},
        {"regions": {"epochs": 5}},
        {"training": {"learning_rate": 2e-5}},
        {"seeds": [1]},
        {"test_split": "val"},
        {"test_per_cell": 10},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_moves_the_hash(change: dict[str, Any]) -> None:
    assert parse_config(change).key != ExperimentConfig().key


@pytest.mark.parametrize(
    ("preset", "key", "schemes", "general", "lengths"),
    [
        ("demo", "e31eb49a38eed36a", "general_mask@0.7", "general_mask@0.7", [6]),
        ("tour", "c502db50a562840c", "general_mask@0.7", "general_mask@0.7", [4]),
        (
            "paper",
            "4c87d3d87a73a6e5",
            "general_mask@0.6 general_noise@0.7 specific_mask@0.6 specific_noise@0.8",
            "general_mask@0.6 general_noise@0.7 general_mask@0.6 general_noise@0.8",
            [20, 10],
        ),
        (
            "paper_eyeglasses",
            "76f37a5a5ed532d2",
            "general_mask@0.6 general_noise@0.6 specific_mask@0.6 specific_noise@0.8",
            "general_mask@0.6 general_noise@0.6 general_mask@0.6 general_noise@0.8",
            [20, 10],
        ),
        (
            "paper_smiling",
            "a01d8d9ed80dc37a",
            "general_mask@0.8 general_noise@0.6 specific_mask@0.95 specific_noise@0.6",
            "general_mask@0.8 general_noise@0.6 general_mask@0.95 general_noise@0.6",
            [20, 10],
        ),
        (
            "paper_hat",
            "fb6d37090984065c",
            "general_mask@0.8 general_noise@0.95 specific_mask@0.95 specific_noise@0.95",
            "general_mask@0.8 general_noise@0.95 general_mask@0.95 general_noise@0.95",
            [20, 10],
        ),
        (
            "smiling_necktie",
            "09cf2662b4a9503b",
            "general_mask@0.7 general_noise@0.7",
            "general_mask@0.7 general_noise@0.7",
            [1],
        ),
        (
            "smiling_hat",
            "a70a60cf5f61116d",
            "general_mask@0.7 general_noise@0.7",
            "general_mask@0.7 general_noise@0.7",
            [1],
        ),
    ],
)
def test_presets_keep_their_names_and_hashes(
    preset: str, key: str, schemes: str, general: str, lengths: list[int]
) -> None:
    """Runs and artifacts of earlier versions are found by them."""
    config = parse_config(preset_settings(preset))
    assert config.key == key
    assert " ".join(choice.name for choice in config.schemes) == schemes
    assert " ".join(choice.general.name for choice in config.schemes) == general
    assert config.lengths == lengths


@pytest.mark.parametrize(
    ("text", "key", "content"),
    [
        (
            "general_noise@0.7,p=0.5,normalised",
            "2956e3c3c79759d8",
            '{"scheme":"general_noise","quantile":0.7,"treat_probability":0.5,"noise_domain":"normalised"}',
        ),
        (
            "specific_noise@0.7,normalised",
            "47826a07dc8937bf",
            '{"scheme":"specific_noise","quantile":0.7,"treat_probability":1.0,"noise_domain":"normalised"}',
        ),
        (
            "specific_mask@0.65,p=0.25",
            "e335f10502376316",
            '{"scheme":"specific_mask","quantile":0.65,"treat_probability":0.25,"noise_domain":"pixel"}',
        ),
        (
            "specific_mask@0.6",
            "26e497ab3318073e",
            '{"scheme":"specific_mask","quantile":0.6,"treat_probability":1.0,"noise_domain":"pixel"}',
        ),
    ],
)
def test_schemes_keep_their_names_content_and_hashes(text: str, key: str, content: str) -> None:
    choice = SchemeChoice.model_validate(text)
    assert choice.name == text
    assert choice.model_dump_json() == content
    assert parse_config({"schemes": [text]}).key == key


def test_the_hash_is_the_same_in_every_process_and_order() -> None:
    assert hash_of({"a": "é", "b": [1, 2.5]}) == hash_of({"b": [1, 2.5], "a": "é"}) == "1d5aa48ef9cd2b6b"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"epoch": 3}, "^The settings do not fit: epoch: there is no such setting.$"),
        ({"training": {"epoch": 3}}, "training.epoch: there is no such setting"),
        ({"training": {"epochs": 0}}, r"training.epochs: .*greater than or equal to 1 \(got 0\)"),
        ({"seeds": [0, 0]}, "seeds: each may be given once"),
        ({"seeds": [-1]}, "seeds: seeds are 0 or more"),
        ({"seeds": []}, "seeds: .*at least 1 item"),
        ({"schemes": ["general_mask@0.7", "general_mask@0.70"]}, "schemes: each may be given once"),
        ({"schemes": ["general_mask@x"]}, "schemes.0.quantile: .*valid number"),
        ({"counts": "1,2,3"}, "counts: cell counts are four numbers"),
        ({"schemes": ["general_mask@0.7,p=0"]}, "treat_probability: .*greater than 0"),
        ({"schemes": ["general_noise@0.7,p=2"]}, "treat_probability: .*less than or equal to 1"),
        ({"schemes": [1]}, "schemes.0: .*dictionary"),
        ({"schemes": ["general_noise@0.7,lab"]}, "noise_domain: .*'pixel' or 'normalised'"),
        ({"test_split": "train"}, "test_split"),
        ({"test_per_cell": 0}, "test_per_cell"),
        ({"data": ""}, "data"),
        ({"regions": {"precision": "fp8"}}, "regions.precision"),
    ],
)
def test_what_does_not_fit_is_one_sentence(content: dict[str, Any], message: str) -> None:
    with pytest.raises(FairsalError, match=message) as caught:
        parse_config(content)
    assert "\n" not in str(caught.value)
    assert "pydantic" not in str(caught.value)


def test_several_mistakes_are_all_named() -> None:
    with pytest.raises(FairsalError, match=r"training\.epochs: .*; typo: there is no"):
        parse_config({"typo": 1, "training": {"epochs": -1}})


@pytest.mark.parametrize(
    ("content", "nearest"),
    [
        ({"schemes": ["general_maks"]}, "general_mask"),
        ({"measure": "entropy"}, "negative_entropy"),
        ({"regions": {"network": "dens"}}, "dense"),
        ({"training": {"classifier": "3_conv"}}, "three_conv"),
    ],
)
def test_unknown_names_get_the_nearest(content: dict[str, Any], nearest: str) -> None:
    with pytest.raises(FairsalError, match=f"did you mean '{nearest}'"):
        parse_config(content)


@pytest.mark.parametrize("quantile", ["0", "1", "nan", "-1"])
def test_quantiles_outside(quantile: str) -> None:
    with pytest.raises(FairsalError, match="must lie between 0 and 1"):
        parse_config({"schemes": [f"general_mask@{quantile}"]})


def test_target_and_confounder_have_to_differ() -> None:
    with pytest.raises(FairsalError, match="both 'Male'"):
        parse_config({"confounder": "Male"})


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid_experiments(name: str) -> None:
    assert PRESETS[name].description
    config = parse_config(preset_settings(name))
    assert config.target == ("Smiling" if name.startswith("smiling") else "Male")


def test_the_papers_preset() -> None:
    config = parse_config(preset_settings("paper"))
    assert config.counts == CellCounts()
    training = config.training
    assert (training.epochs, training.batch_size, training.learning_rate) == (20, 128, 1e-5)
    assert (training.learning_rate_decay, training.weight_decay) == (0.95, 1e-3)
    assert config.mask_epochs == 10
    assert [choice.name for choice in config.schemes] == [
        "general_mask@0.6",
        "general_noise@0.7",
        "specific_mask@0.6",
        "specific_noise@0.8",
    ]


def test_an_unknown_preset() -> None:
    with pytest.raises(FairsalError, match="no preset 'papr'; did you mean 'paper'"):
        preset_settings("papr")


def test_each_variant_is_compared_with_the_original_of_its_length() -> None:
    config = parse_config(
        {"schemes": ["general_mask@0.7", "general_noise@0.7"], "mask_epochs": 3, "training": {"epochs": 5}}
    )
    assert config.original_of("general_noise@0.7") == config.original_of("balanced") == "original"
    assert config.original_of("general_mask@0.7") == config.original_of("balanced_3_epochs") == "original_3_epochs"
    for original in ("original", "original_3_epochs"):
        assert config.original_of(original) == original


@pytest.mark.parametrize(
    "text",
    [
        "integrated_gradients:steps=20,baseline=black",
        "occlusion:window=32,colour=0.1+0.2+0.3",
        "lrp",
    ],
)
def test_an_explainer_is_read_from_the_name_it_has(text: str) -> None:
    choice = checked_settings(ExplainerChoice, text)
    assert checked_settings(ExplainerChoice, choice.name) == choice
    assert ("colour" not in text) or choice.settings.model_dump()["colour"] == (0.1, 0.2, 0.3)


def test_settings_that_do_not_fit_each_other_are_named_as_that() -> None:
    with pytest.raises(FairsalError, match="occlusion does not take these settings together: "):
        checked_settings(ExplainerChoice, "occlusion:window=4")
