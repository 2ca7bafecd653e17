"""What `pip install .` gives works outside of the checkout, with everything a run needs.

The wheel is built and installed without network: setuptools is among the requirements, the dependencies are this environment's.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ["pyproject.toml", "README.md", *(file.name for file in ROOT.glob("requirements*.txt"))]
LEFT_OUT = shutil.ignore_patterns("__pycache__")
# A run in a process of its own, as the pages start it: the worker has to find the package too.
START_A_RUN = """
import sys, time
from fairsal_core.runs import load_run, start
settings = {"images": 40, "epochs": 1, "validation_images": 5}
run = start("regions", {"data": sys.argv[1], "attribute": "Eyeglasses", "training": settings, "device": "cpu"})
while load_run(run).status.state in ("queued", "running"):
    time.sleep(0.1)
status = load_run(run).status
print(status.state, status.error)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that pip builds of what the package is made of."""
    folder = tmp_path_factory.mktemp("wheel")
    checkout = folder / "checkout"
    shutil.copytree(ROOT / "fairsal_core", checkout / "fairsal_core", ignore=LEFT_OUT)
    for name in SOURCES:
        shutil.copy(ROOT / name, checkout)
    pip("wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", str(folder), str(checkout))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel; its dependencies are seen through a path file."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder)
    paths = sysconfig.get_paths("venv", vars={"base": str(folder), "platbase": str(folder)})
    Path(paths["purelib"], "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    pip("--python", str(folder), "install", "--no-deps", "--no-index", str(wheel))
    return Path(paths["scripts"])


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def answer(*command: str | Path, cwd: Path) -> str:
    """Return what an installed program says, far from the checkout and with nothing of it on the path."""
    here = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**here, "FAIRSAL_HOME": str(cwd / "workspace")},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_the_whole_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    files = {path for path in (ROOT / "fairsal_core").rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert packed == {path.relative_to(ROOT).as_posix() for path in files}
    assert "fairsal_core/py.typed" in packed


def test_it_asks_for_what_the_requirement_files_name(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        about = HeaderParser().parsestr(archive.read(name).decode())
    asked = {extra: set() for extra in ("", "ray", "mlflow", "timm", "hf", "onnx")}
    for line in about.get_all("Requires-Dist"):
        package, _, condition = line.partition("; extra == ")
        asked[condition.strip('"')].add(package)
    for extra, file in (
        ("", "requirements.txt"),
        *((extra, f"requirements-{extra}.txt") for extra in asked if extra),
    ):
        lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
        assert asked[extra] == {line for line in lines if line and not line.startswith("#")}
    assert (
        about["Version"] == tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    )


def test_its_command_works_far_from_the_checkout(environment: Path, tmp_path: Path) -> None:
    assert json.loads(answer(environment / "fairsal", "runs", "--json", cwd=tmp_path)) == {"runs": []}
    drawn = json.loads(answer(environment / "fairsal", "demo-data", "--count", "5", "--json", cwd=tmp_path))
    assert Path(drawn["folder"]).is_relative_to(tmp_path)
    assert len(list(Path(drawn["folder"], "img_align_celeba").iterdir())) == 5
    where = answer(environment / "python", "-c", "import fairsal_core; print(fairsal_core.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(environment.parent)


def test_its_worker_works_far_from_the_checkout(environment: Path, drawn_folder: Path, tmp_path: Path) -> None:
    assert answer(environment / "python", "-c", START_A_RUN, drawn_folder, cwd=tmp_path) == "finished None\n"
    (run,) = json.loads(answer(environment / "fairsal", "runs", "--json", cwd=tmp_path))["runs"]
    assert run["state"] == "finished"
