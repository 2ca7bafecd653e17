"""The names of a run's files: the only place that knows them."""

from dataclasses import dataclass
from pathlib import Path

from fairsal_core.files import safe_name
from fairsal_core.manifests import MANIFEST, files_below


@dataclass(frozen=True)
class RunFiles:
    """Where the files of a run lie in its directory, whether they are there or not.

    Every run has what was asked (`config`), where it is (`status`, written under `status_guard`), how it went (`events`, `log`),
    who works on it (`lock`), whether it shall stop (`cancel`) and which artifacts it took (`artifacts`). The rest is left by jobs.

    Attributes
    ----------
    folder : Path
        The run's directory.

    Examples
    --------
    >>> RunFiles(Path("runs/one")).weights("general_mask@0.7", seed=0).as_posix()
    'runs/one/weights/general_mask@0.7-seed0.safetensors'
    """

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config.json"

    @property
    def status(self) -> Path:
        return self.folder / "status.json"

    @property
    def status_guard(self) -> Path:
        return self.folder / "status.lock"

    @property
    def events(self) -> Path:
        return self.folder / "events.jsonl"

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    @property
    def lock(self) -> Path:
        return self.folder / "lock"

    @property
    def cancel(self) -> Path:
        return self.folder / "cancel"

    @property
    def device_lock(self) -> Path:
        """The lock of a device that a cluster gives, and nobody else wants."""
        return self.folder / ".device.lock"

    @property
    def of_this_machine(self) -> frozenset[str]:
        """Names of the files that mean nothing on another machine."""
        return frozenset(path.name for path in (self.lock, self.status_guard, self.cancel, self.device_lock))

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts.txt"

    @property
    def manifest(self) -> Path:
        """What all other files were when the run finished; see `fairsal_core.runs.sealing`."""
        return self.folder / MANIFEST

    def results_of_the_run(self) -> list[Path]:
        """Return what is there of what a run is read for: all but what goes on changing, and what reviewers leave."""
        changing = (self.status, self.status_guard, self.events, self.log, self.lock, self.cancel, self.device_lock)
        reviewers = {self.notes, self.acceptance, self.review, self.scan, self.groups, self.report}
        left_out = {*changing, *reviewers, self.artifacts, self.manifest}
        return [
            path
            for path in files_below(self.folder)
            if not {path, *path.parents} & left_out
            and not any(part.startswith(".") for part in path.relative_to(self.folder).parts)
        ]

    # Of an experiment.

    @property
    def versions(self) -> Path:
        return self.folder / "versions.json"

    @property
    def subsets(self) -> Path:
        return self.folder / "subsets.json"

    @property
    def data_audit(self) -> Path:
        """What was found in the faces that the run reads, before anything was trained or judged."""
        return self.folder / "data_audit.json"

    @property
    def mean_map(self) -> Path:
        return self.folder / "mean_map.npy"

    @property
    def region_quality(self) -> Path:
        """How well the confounder's region classifier tells it on faces held out."""
        return self.folder / "region_quality.json"

    @property
    def predictions(self) -> Path:
        return self.folder / "predictions.parquet"

    @property
    def validation(self) -> Path:
        """Predictions on the held-out split that is there to choose by."""
        return self.folder / "validation.parquet"

    @property
    def results(self) -> Path:
        return self.folder / "results.parquet"

    @property
    def brought(self) -> Path:
        """Copies of the tables of predictions that an audit is about."""
        return self.folder / "brought"

    @property
    def hidden(self) -> Path:
        """How many decisions change when regions are hidden."""
        return self.folder / "hidden.parquet"

    @property
    def hidden_faces(self) -> Path:
        """What hiding did to the decision about each face."""
        return self.folder / "hidden_faces.parquet"

    @property
    def mitigation(self) -> Path:
        return self.folder / "mitigation.json"

    @property
    def weights_folder(self) -> Path:
        return self.folder / "weights"

    def weights(self, variant: str, seed: int) -> Path:
        """Return where the classifier of a variant and seed lies."""
        return self.weights_folder / f"{safe_name(variant)}-seed{seed}.safetensors"

    def same_saliency(self, variant: str, seed: int) -> Path:
        """Return where a classifier lies whose saliency is its original's, so that nobody explains it again."""
        return self.folder / "thresholds" / f"{safe_name(variant)}-seed{seed}.safetensors"

    # Of the explainers.

    @property
    def attention(self) -> Path:
        return self.folder / "attention.parquet"

    @property
    def attention_folder(self) -> Path:
        return self.folder / "attention"

    # Of other jobs.

    @property
    def regions(self) -> Path:
        return self.folder / "regions.json"

    @property
    def region_means(self) -> Path:
        return self.folder / "means.npy"

    @property
    def about_region_means(self) -> Path:
        return self.folder / "means.json"

    @property
    def trials(self) -> Path:
        return self.folder / "trials.json"

    @property
    def trial_table(self) -> Path:
        return self.folder / "table.parquet"

    @property
    def best_quantiles(self) -> Path:
        return self.folder / "quantiles.parquet"

    # Of its reviewers.

    @property
    def notes(self) -> Path:
        return self.folder / "notes"

    @property
    def acceptance(self) -> Path:
        return self.folder / "acceptance.json"

    @property
    def review(self) -> Path:
        """What reviewers agreed on and decided: an entry a file, none of which is ever changed."""
        return self.folder / "review"

    @property
    def scan(self) -> Path:
        """The scan that the report shows."""
        return self.folder / "scan.json"

    @property
    def groups(self) -> Path:
        """The rates by crossed groups that the report shows."""
        return self.folder / "groups.json"

    @property
    def report(self) -> Path:
        return self.folder / "report"
