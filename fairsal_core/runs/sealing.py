"""What a finished run left: the manifest of its files, which says too that they were made here.

The manifest is written when a run finishes, and covers what the run is read for. It leaves out what changes afterwards (status,
log, locks) and what reviewers add (notes, acceptance, reports). Who adds to a finished run's results, as `explain` does, seals
what was added.

It is signed with a key of this workspace, which lies beside the runs and not among them: a run is made here if it was finished
by this workspace, or taken over by it (`adopt`), and its manifest is as it was written then. Runs copied in from elsewhere, or
older than manifests, open, and nothing is added to them.
"""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from fairsal_core.errors import FairsalError
from fairsal_core.home import workspace
from fairsal_core.manifests import DamagedError, check_folder, entries_of, read_manifest, write_manifest
from fairsal_core.runs import processes
from fairsal_core.runs.layout import RunFiles

Standing = Literal["made here", "not made here", "not verified"]
_KEY_BYTES = 32


def seal_run(run: Path) -> None:
    """Write the manifest of a run whose results are complete, signed with this workspace's key."""
    _write(run, entries_of(run, RunFiles(run).results_of_the_run()))


def seal_again(run: Path, added: Iterable[Path]) -> None:
    """Bring the manifest of a finished run up to date with files, or folders of files, that were added or replaced on purpose.

    What it says of all others stays, so that damage to them is still seen. A run without a manifest gets none.
    """
    manifest = read_manifest(run)
    if manifest is None:
        return
    names = [path.relative_to(run).as_posix() for path in added]

    def is_added(name: str) -> bool:
        return any(name == each or name.startswith(f"{each}/") for each in names)

    kept = {name: entry for name, entry in manifest["files"].items() if not is_added(name)}
    there = RunFiles(run).results_of_the_run()
    now = entries_of(run, [path for path in there if is_added(path.relative_to(run).as_posix())])
    _write(run, {**kept, **now})


def adopt(run: Path) -> None:
    """Take a finished run for one made here: whoever asks for it vouches for where it comes from.

    Raises
    ------
    FairsalError
        If it has a manifest and its files are not what that says.
    """
    check_run(run)
    seal_run(run)


def standing(run: Path) -> Standing:
    """Return whether a finished run was made here: what its manifest says, without a look at the other files.

    Raises
    ------
    FairsalError
        If the manifest is damaged.
    """
    manifest = manifest_of(run)
    if manifest is None:
        return "not verified"
    key = _key(make=False)
    signed = key is not None and hmac.compare_digest(str(manifest.get("seal")), _seal(manifest, key))
    return "made here" if signed and manifest.get("run") == run.name else "not made here"


def check_run(run: Path) -> None:
    """Raise FairsalError unless all files of a run are what its manifest says; one without a manifest passes."""
    manifest = manifest_of(run)
    try:
        check_folder(run, manifest["files"] if manifest else {})
    except DamagedError as error:
        raise damaged(run, error) from error


def check_may_be_added_to(run: Path) -> None:
    """Raise FairsalError if a run is finished and was not made here."""
    if not RunFiles(run).manifest.is_file() and not _is_finished(run):
        return
    found = standing(run)
    if found != "made here":
        raise FairsalError(
            f"Run {run.name} is {found}: it can be read, and nothing is added to it. "
            f"'runs {run.name} --adopt' makes it this workspace's."
        )


def manifest_of(run: Path) -> dict[str, Any] | None:
    """Return the manifest of a run, None if it has none; raises FairsalError for one that is damaged."""
    try:
        return read_manifest(run)
    except DamagedError as error:
        raise damaged(run, error) from error


def damaged(run: Path, error: DamagedError) -> FairsalError:
    """Return the error for a run whose files are not what its manifest says."""
    return FairsalError(
        f"Run {run.name} is damaged, or was changed after it finished: {error}. Take it from a backup, or run it again."
    )


def _is_finished(run: Path) -> bool:
    with suppress(OSError, ValueError, AttributeError):
        return bool(json.loads(RunFiles(run).status.read_text(encoding="utf-8")).get("state") == "finished")
    return False


def _write(run: Path, files: Mapping[str, Any]) -> None:
    content = {"run": run.name, "files": files}
    key = _key(make=True)
    assert key is not None
    write_manifest(run, {**content, "seal": _seal(content, key)})


def _seal(content: Mapping[str, Any], key: bytes) -> str:
    signed = {name: value for name, value in content.items() if name != "seal"}
    return hmac.new(key, json.dumps(signed, sort_keys=True).encode(), hashlib.sha256).hexdigest()


def _key(*, make: bool) -> bytes | None:
    """Return this workspace's key, made if there is none and it is wanted."""
    folder = workspace() / "keys"
    path = folder / "runs.key"
    with suppress(OSError):
        key = path.read_bytes()
        if len(key) == _KEY_BYTES:
            return key
    if not make:
        return None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with processes.holding(folder / "lock"):
        if not path.is_file() or path.stat().st_size != _KEY_BYTES:
            draft = path.with_suffix(".new")
            draft.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)  # Windows would write text
            with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        return path.read_bytes()
