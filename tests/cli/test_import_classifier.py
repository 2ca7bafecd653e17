"""`import-classifier`, and `mitigate --subject` on what it stored."""

from pathlib import Path

import pytest

from fairsal_core.cli import main
from tests.classifiers.imported.makers import torchvision_folder
from tests.cli.helpers import said


def test_a_folder_is_imported_examined_and_mitigated(
    home: Path, drawn_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = torchvision_folder(home / "net")
    given = ["--set", "resize=32", "crop=32", "--data", str(drawn_folder), "--target", "Eyeglasses", "--json"]
    assert main(["import-classifier", str(folder), *given]) == 0
    about = said(capsys)
    assert about["manifest"]["preprocessing"]["resize"] == [32, 32] and about["check"]["logits_error"] <= 1e-5
    assert about["doctor"]["n"] >= 20 and about["doctor"]["sentences"]

    assert main(["import-classifier", "list", "--json"]) == 0
    assert [each["digest"] for each in said(capsys)["stored"]] == [about["digest"]]

    asked = [
        "mitigate",
        "--subject",
        "net",
        "--data",
        str(drawn_folder),
        "--target",
        "Eyeglasses",
        "--confounder",
        "Male",
    ]
    assert main([*asked, "--methods", "global_threshold:tolerance=1", "--cost", "--json"]) == 0
    assert list(said(capsys)["seconds"]) == ["starting", "global_threshold:tolerance=1.0"]

    main([*asked, "--methods", "global_threshold:tolerance=1", "--json"])
    (method,) = said(capsys)["methods"]
    assert method["outcome"] == "ok" or method["reason"]  # one that was never trained may say the same of all faces
    assert (method["digest"] is not None) == (method["outcome"] == "ok")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "no folder"),
        (["nowhere", "--set", "positive"], "has no value"),
        (["nowhere", "--set", "positiv=1"], "did you mean 'positive'"),
        (["nowhere", "--data", "demo"], "say --target"),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    home: Path, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import-classifier", *arguments]) == 1
    assert sentence in capsys.readouterr().err


def test_mitigate_asks_what_and_of_which(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mitigate"]) == 1
    assert "--subject" in capsys.readouterr().err
    assert main(["mitigate", "--subject", "net"]) == 1
    assert "--target and --confounder" in capsys.readouterr().err
