"""A job beside experiments: train one region classifier."""

from pathlib import Path
from typing import Any

from fairsal_core.device import pick_device
from fairsal_core.experiments.regions import ALL, region_stage
from fairsal_core.faces import load_faces
from fairsal_core.files import write_json
from fairsal_core.regions import Atlas, RegionClassifier
from fairsal_core.runs import JobProgress, RunFiles
from fairsal_core.settings import RegionJob, checked_settings


def run_regions(config: dict[str, Any], run: Path, progress: JobProgress) -> None:
    """Train a region classifier, unless it was trained before, and write what came of it as `regions.json`."""
    job = checked_settings(RegionJob, config)
    progress.stage("faces", share=0.1)
    faces = load_faces(job.data, progress)
    progress.stage("region classifier", share=0.9)
    path = region_stage(faces, job.attribute, job.training, pick_device(job.device)).make(progress)
    about = {"attribute": job.attribute, "weights": str(path.with_name(f"{path.name}.safetensors"))}
    write_json(RunFiles(run).regions, {**about, **_judged(path, job.attribute)})
    progress(1, 1, "Done")


def _judged(path: Path, attribute: str) -> dict[str, Any]:
    """Return what validation faces say of the region classifier; of an atlas, of each attribute."""
    if attribute == ALL:
        return {"metrics": {head.attribute: head.metrics for head in Atlas.load(path).heads}}
    trained = RegionClassifier.load(path)
    return {"metrics": trained.metrics, "calibration": trained.calibration}
