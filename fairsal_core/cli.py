"""`python -m fairsal_core`: the same jobs without a browser.

Results go to stdout, as JSON with `--json`; progress goes to stderr. Exit status: 0 done, 1 bad input or a failed run,
2 unusable arguments, 130 stopped with Ctrl-C.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from fairsal_core.device import process_count, process_number
from fairsal_core.errors import CancelledError, FairsalError, sentence
from fairsal_core.progress import Eta

_NESTED = ("regions", "training", "attention")  # settings of an experiment that are models of their own
_QUIET_SECONDS = 5.0  # where stderr is a file or a pipe, a line this often is enough

Command = Callable[[argparse.Namespace], dict[str, Any]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
        if process_count() > 1 and options.command is not _train_regions:
            raise FairsalError("torchrun is for train-regions alone; start this without it.")
        result: dict[str, Any] = options.command(options)
    except FairsalError as error:
        print(f"fairsal: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # a full disk, a folder that may not be written
        print(f"fairsal: {sentence(error)}", file=sys.stderr)
        return 1
    except (CancelledError, KeyboardInterrupt):
        print("fairsal: stopped", file=sys.stderr)
        return 130
    if process_number() > 0:  # the first one tells what all of them did
        return 0
    shown = result.pop("shown", None)
    print(json.dumps(result, indent=2) if options.json or shown is None else shown)
    return 1 if options.command in (_run, _mitigate, _explain, _sweep) and result["state"] != "finished" else 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; each `--help` is complete."""
    parser = argparse.ArgumentParser(
        prog="python -m fairsal_core",
        description="Audit whether a face-attribute classifier is fair for the right reasons.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_CommandParser)
    for name, command, arguments, description in _commands():
        commands.add_parser(
            name, help=description, description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        ).takes(command, arguments)
    return parser


class _CommandParser(argparse.ArgumentParser):
    """Parser of one command. Its arguments are added when it is used: for most of them torch has to be imported first."""

    _add_arguments: Callable[[argparse.ArgumentParser], None] | None = None

    def takes(self, command: Command, add_arguments: Callable[[argparse.ArgumentParser], None]) -> None:
        self.add_argument("--json", action="store_true", help="write the result as JSON")
        self.set_defaults(command=command)
        self._add_arguments = add_arguments

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self._add_arguments is not None:
            add_arguments, self._add_arguments = self._add_arguments, None
            add_arguments(self)
        return super().parse_known_args(args, namespace)


def _commands() -> list[tuple[str, Command, Callable[[argparse.ArgumentParser], None], str]]:
    """Return each command's name, what it does, what adds its arguments, and what is said of it."""
    return [
        ("demo-data", _demo_data, _add_demo_data_arguments, "Draw the demo faces, in CelebA's layout."),
        ("pack", _pack, _add_pack_arguments, "Decode every image once into the memory-mapped cache."),
        (
            "train-regions",
            _train_regions,
            _add_train_regions_arguments,
            "Train a region classifier: one patch predicts a label of the whole face.",
        ),
        (
            "attribute",
            _attribute,
            _add_attribute_arguments,
            "Map where in one image, or on average, an attribute can be read off.",
        ),
        ("run", _run, _add_run_arguments, "Run an experiment: train every variant, evaluate it clean and treated."),
        (
            "mitigate",
            _mitigate,
            _add_mitigate_arguments,
            "Apply mitigation methods to the original of a finished run: a new run with its variants and the methods'.",
        ),
        (
            "explain",
            _explain,
            _add_explain_arguments,
            "Explain the classifiers of a finished run, and measure their attention.",
        ),
        (
            "sweep",
            _sweep,
            _add_sweep_arguments,
            "Run many experiments, reuse those that are finished, and print one table of all.",
        ),
        (
            "cluster",
            _cluster,
            _add_cluster_arguments,
            "Ask a Ray cluster for its nodes and its queue.",
        ),
        ("runs", _runs, _add_runs_arguments, "List the runs, or show, cancel, resume or delete one."),
        (
            "report",
            _report,
            _add_report_arguments,
            "Write a finished run as one HTML file, with its tables and model cards.",
        ),
        (
            "mirror",
            _mirror,
            _add_mirror_arguments,
            "Copy a finished run to an MLflow server: settings, curves, tables, report and weights.",
        ),
    ]


def _add_demo_data_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, help="folder to draw into (default: the workspace's)")
    parser.add_argument("--count", type=int, default=6000, help="how many faces")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same faces")


def _demo_data(options: argparse.Namespace) -> dict[str, Any]:
    from fairsal_core.faces import demo_folder, draw_demo_faces

    folder = draw_demo_faces(options.out or demo_folder(), options.count, options.seed, show_progress())
    return {
        "folder": str(folder),
        "faces": options.count,
        "seed": options.seed,
        "shown": f"{options.count} faces in {folder}",
    }


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", default="demo", help="'demo' for the drawn faces, or a folder in CelebA's or FairFace's layout"
    )


def _add_pack_arguments(parser: argparse.ArgumentParser) -> None:
    _add_data(parser)


def _pack(options: argparse.Namespace) -> dict[str, Any]:
    from fairsal_core.faces import load_faces, load_folder, undecodable_files
    from fairsal_core.home import cache_folder

    faces = load_faces(options.data, show_progress())
    skipped = undecodable_files(load_folder(faces.root), cache_folder())
    lines = [f"{len(faces)} faces packed, {len(skipped)} left out", *skipped.values()]
    return {"faces": len(faces), "skipped": skipped, "shown": "\n".join(lines)}


def _add_train_regions_arguments(parser: argparse.ArgumentParser) -> None:
    from fairsal_core.regions import REGION_PRESETS, RegionTraining

    _add_data(parser)
    parser.add_argument(
        "--attribute", required=True, help="attribute to predict, or 'all' for those the drawn faces bundle"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for ATTRIBUTE.safetensors and ATTRIBUTE.json")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1")
    parser.add_argument(
        "--preset",
        choices=sorted(REGION_PRESETS),
        default="default",
        help="settings to start from; 'paper' is De Coninck's",
    )
    _add_settings(parser, RegionTraining)


def _train_regions(options: argparse.Namespace) -> dict[str, Any]:
    from fairsal_core.device import pick_device
    from fairsal_core.experiments import help_to_train
    from fairsal_core.regions import joined

    with joined(options.device):
        if process_number() == 0:
            return _trained_regions(options)
        help_to_train(pick_device(options.device))
        return {}


def _trained_regions(options: argparse.Namespace) -> dict[str, Any]:
    from fairsal_core.experiments import REGIONS, RegionJob, checked_settings, load_run, run_here
    from fairsal_core.faces import PART_OF
    from fairsal_core.files import read_json
    from fairsal_core.regions import REGION_PRESETS, RegionClassifier, RegionTraining

    given = {**REGION_PRESETS[options.preset], **_given_settings(options, RegionTraining)}
    training = checked_settings(RegionTraining, given)
    trained = {}
    for attribute in PART_OF if options.attribute == "all" else (options.attribute,):
        job = RegionJob(data=_source(options.data), attribute=attribute, training=training, device=options.device)
        run = load_run(
            run_here(REGIONS, job.model_dump(mode="json"), name=f"regions {attribute}", listener=_tell_events())
        )
        _check_ended(run)
        about = read_json(run.path / "regions.json")
        weights = RegionClassifier.load(about["weights"]).save(options.out / attribute)
        trained[attribute] = {"weights": str(weights), "run": run.id, **about["metrics"]}
    lines = [
        f"{name}: patch accuracy {about['patch_accuracy']}, by vote {about['vote_accuracy']}, always the commoner label "
        f"{about['majority']} ({about['faces']} faces) -> {about['weights']}"
        for name, about in trained.items()
    ]
    return {"trained": trained, "shown": "\n".join(lines)}


def _add_attribute_arguments(parser: argparse.ArgumentParser) -> None:
    from fairsal_core.regions import MEASURES

    parser.add_argument(
        "--image", type=Path, help="a PNG, JPEG or WebP portrait; without it: the mean over --sample faces of --data"
    )
    _add_data(parser)
    parser.add_argument("--attribute", help="attribute of the drawn faces, for the bundled region classifier")
    parser.add_argument("--regions", type=Path, help="region classifier to use instead of the bundled one")
    parser.add_argument("--measure", default="negative_entropy", choices=sorted(MEASURES), help="confidence measure")
    parser.add_argument("--split", default="test", choices=("train", "val", "test"), help="split for the mean map")
    parser.add_argument(
        "--sample", type=int, default=500, help="faces for the mean map, drawn at random; 0 for the whole split"
    )
    parser.add_argument(
        "--class", dest="of_class", help="only faces of this class, such as Blond_Hair or 'not Blond_Hair'"
    )
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"), help="bf16 is approximate")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1")
    parser.add_argument(
        "--out", type=Path, required=True, help="NPY file for the pixel map, 128 x 128 float32 in [0, 1]"
    )
    parser.add_argument("--engine", default="local", choices=("local", "ray"), help="ray: shards on a Ray cluster")
    parser.add_argument("--address", default="", help="the Ray cluster, HOST:PORT (default: this machine's)")
    parser.add_argument("--storage", default="", help="URL, such as s3://BUCKET/FOLDER, where nodes share no workspace")


def _attribute(options: argparse.Namespace) -> dict[str, Any]:
    import numpy as np

    from fairsal_core.device import pick_device
    from fairsal_core.experiments import on_ray, open_maps, stored_maps
    from fairsal_core.faces import decode_image, list_faces, packed_folder, to_square
    from fairsal_core.files import replacing
    from fairsal_core.home import cache_folder
    from fairsal_core.regions import (
        RegionClassifier,
        bundled_classifier,
        estimate_cost,
        min_max,
        region_maps,
        summarise_maps,
    )

    if not options.attribute and not options.regions:
        raise FairsalError("Say which map is wanted: --attribute for a bundled region classifier, or --regions FILE.")
    classifier = RegionClassifier.load(options.regions) if options.regions else bundled_classifier(options.attribute)
    classifier.to(pick_device(options.device))
    about: dict[str, Any] = {}
    maps: Any
    if options.image:
        images = to_square(decode_image(options.image))[None]
        maps = region_maps(classifier, images, options.measure, show_progress(), options.precision)
    else:
        if options.storage and options.engine != "ray":
            raise FairsalError("A storage is for the nodes of a cluster: add --engine ray, or leave it out.")
        listed = list_faces(_source(options.data), show_progress())
        faces = _chosen_faces(options, classifier.attribute, listed)
        cost = estimate_cost(classifier, len(faces), options.precision)
        about = {"estimated_seconds": round(cost.seconds, 1), "bytes": cost.bytes}
        print(
            f"Mapping {len(faces):,} faces: about {cost.seconds:,.0f} s, {cost.bytes / 2**20:,.1f} MB", file=sys.stderr
        )
        path = stored_maps(
            classifier,
            faces,
            options.measure,
            packed_folder(listed, cache_folder()),
            show_progress(),
            options.precision,
            engine=on_ray(options.device, options.address, options.storage) if options.engine == "ray" else None,
            storage_url=options.storage,
        )
        maps, names = open_maps(path)
        about |= {"region_maps": str(path), "left_out": len(faces) - len(names)}
    summary = summarise_maps(maps, classifier.grid)
    result = min_max(summary.mean)
    with replacing(options.out) as temporary, temporary.open("wb") as file:
        np.save(file, result)
    y, x = (int(index) for index in np.unravel_index(result.argmax(), result.shape))
    low, high = float(summary.mean.min()), float(summary.mean.max())
    return {
        "map": str(options.out),
        "attribute": classifier.attribute,
        "measure": options.measure,
        "images": summary.count,
        "range": {"low": round(low, 4), "high": round(high, 4)},
        "largest_standard_error": round(float(summary.standard_error.max()), 4) if summary.count > 1 else None,
        "peak": {"x": x, "y": y},
        **about,
        "shown": f"Map of {classifier.attribute} over {summary.count} image(s), {options.measure} {low:.3f} to {high:.3f}, "
        f"strongest at x={x}, y={y} -> {options.out}",
    }


def _chosen_faces(options: argparse.Namespace, attribute: str, listed: Any) -> Any:
    import numpy as np

    from fairsal_core.errors import unknown_name

    faces = listed.in_split(options.split)
    if options.of_class:
        codes, names = faces.classes(attribute)
        if options.of_class not in names:
            raise unknown_name(f"class of {attribute}", options.of_class, names)
        faces = faces.take(np.flatnonzero(codes == names.index(options.of_class)))
    if not len(faces):
        raise FairsalError(f"There is no such face in the {options.split} split; choose another --split or --class.")
    return faces.sample(options.sample) if options.sample > 0 else faces


def _add_run_arguments(parser: argparse.ArgumentParser) -> None:
    from fairsal_core.classifiers import ClassifierTraining
    from fairsal_core.experiments import PRESETS, AttentionSettings, ExperimentConfig

    parser.add_argument(
        "--preset", choices=sorted(PRESETS), help="settings to start from; the options below change them"
    )
    parser.add_argument("--config", type=Path, help="JSON file with settings, such as an earlier run's")
    parser.add_argument("--name", help="a name for the run")
    _add_settings(parser, ExperimentConfig, leave_out=_NESTED)
    _add_settings(parser.add_argument_group("training"), ClassifierTraining)
    _add_settings(parser.add_argument_group("attention"), AttentionSettings)


def _run(options: argparse.Namespace) -> dict[str, Any]:
    from fairsal_core.classifiers import ClassifierTraining
    from fairsal_core.experiments import (
        AttentionSettings,
        ExperimentConfig,
        load_run,
        parse_config,
        preset_settings,
        run_here,
    )

    settings: dict[str, Any] = preset_settings(options.preset) if options.preset else {}
    if options.config:
        settings.update(_read_config(options.config))
    settings.update(_given_settings(options, ExperimentConfig, leave_out=_NESTED))
    settings["training"] = {**settings.get("training", {}), **_given_settings(options, ClassifierTraining)}
    settings["attention"] = {**settings.get("attention", {}), **_given_settings(options, AttentionSettings)}
    config = parse_config(settings)
    path = run_here("experiment", config.model_dump(mode="json"), name=options.name, listener=_tell_events())
    return _run_result(load_run(path))


def _add_sweep_arguments(parser: argparse.ArgumentParser) -> None:
    from fairsal_core.classifiers import ClassifierTraining
    from fairsal_core.experiments import SWEEPS, ExperimentConfig

    parser.add_argument("--preset", choices=sorted(SWEEPS), help="sweep to start from; the options below change it")
    parser.add_argument("--config", type=Path, help="JSON file with a sweep: name, base, trials, grid, fit")
    parser.add_argument(
        "--fit",
        action=argparse.BooleanOptionalAction,
        help="scale the counts of each trial down to what the faces allow (default: as the sweep says)",
    )
    parser.add_argument("--engine", default=argparse.SUPPRESS, help="local: this machine; ray: a Ray cluster")
    parser.add_argument(
        "--address", default=argparse.SUPPRESS, help="the Ray cluster, HOST:PORT (default: this machine's)"
    )
    parser.add_argument(
        "--storage", default=argparse.SUPPRESS, help="URL, such as s3://BUCKET/FOLDER, where nodes share no workspace"
    )
    _add_settings(parser, ExperimentConfig, leave_out=_NESTED)
    _add_settings(parser.add_argument_group("training"), ClassifierTraining)


def _sweep(options: argparse.Namespace) -> dict[str, Any]:
    from fairsal_core.classifiers import ClassifierTraining
    from fairsal_core.experiments import (
        ExperimentConfig,
        SweepConfig,
        checked_settings,
        load_run,
        papers_format,
        plan_trials,
        read_sweep,
        run_here,
        sweep_settings,
    )

    if not options.preset and not options.config:
        raise FairsalError("Say which sweep: --preset NAME, or --config FILE.")
    content: dict[str, Any] = sweep_settings(options.preset) if options.preset else {}
    content.update(_read_config(options.config) if options.config else {})
    given = _given_settings(options, ExperimentConfig, leave_out=_NESTED)
    training = _given_settings(options, ClassifierTraining)
    given |= {"training": training} if training else {}
    if "device" in given:
        content["device"] = given.pop("device")
    content |= {name: value for name, value in vars(options).items() if name in ("engine", "address", "storage")}
    if options.fit is not None:
        content["fit"] = options.fit
    # What is given here is meant for every trial, whatever its own settings say.
    content["trials"] = [_over(trial, given) for trial in content.get("trials", [{}])]
    content["grid"] = {name: values for name, values in content.get("grid", {}).items() if name not in given}
    sweep = checked_settings(SweepConfig, content)
    plan_trials(sweep)
    done = load_run(run_here("sweep", sweep.model_dump(mode="json"), name=sweep.name, listener=_tell_events()))
    about = {"id": done.id, "folder": str(done.path), "state": done.status.state, "error": done.status.error}
    if done.status.state != "finished":
        return {**about, "shown": f"{done.id}: {done.status.state}: {done.status.error or ''}"}
    trials, table, quantiles = read_sweep(done.path)
    lines = [f"{trial.confounder}: {trial.state} {trial.run} {trial.error or ''}" for trial in trials]
    tables = [papers_format(table), quantiles.round(3)]
    shown = [*(each.to_string(index=False) for each in tables if not each.empty), *lines]
    return {
        **about,
        "trials": [vars(trial) for trial in trials],
        "table": json.loads(table.to_json(orient="records")),
        "quantiles": json.loads(quantiles.to_json(orient="records")),
        "shown": "\n\n".join([*shown, f"{done.id} -> {done.path}"]),
    }


def _add_cluster_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--address", default=os.environ.get("RAY_ADDRESS", ""), help="HOST:PORT, or set RAY_ADDRESS")


def _cluster(options: argparse.Namespace) -> dict[str, Any]:
    from fairsal_core.experiments import cluster_state, describe_cluster

    if not options.address:
        raise FairsalError("Say which cluster: --address HOST:6379, or set RAY_ADDRESS.")
    state = cluster_state(options.address)
    return {"address": options.address, **state, "shown": f"{options.address}: {describe_cluster(state)}"}


def _over(settings: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return settings with others put over them, those of the training one by one."""
    training = {**settings.get("training", {}), **given.get("training", {})}
    return {**settings, **given, **({"training": training} if training else {})}


def _add_mitigate_arguments(parser: argparse.ArgumentParser) -> None:
    from fairsal_core.mitigation import METHODS

    parser.add_argument("run", help="a finished experiment")
    parser.add_argument(
        "--methods",
        nargs="+",
        default=list(METHODS),
        metavar="METHOD",
        help=f"{', '.join(METHODS)}; with settings as METHOD:setting=value,..., several values as 1+2+3",
    )
    parser.add_argument("--mitigation-faces", type=int, help="faces to learn from (default: as the run says)")
    parser.add_argument("--name", help="a name for the new run")


def _mitigate(options: argparse.Namespace) -> dict[str, Any]:
    from fairsal_core.experiments import load_run, mitigation_of, read_outcomes, run_here, run_path

    parent = load_run(run_path(options.run))
    config = mitigation_of(parent, options.methods, options.mitigation_faces)
    name = options.name or f"{parent.name or parent.id}, mitigated"
    done = load_run(run_here("experiment", config.model_dump(mode="json"), name=name, listener=_tell_events()))
    result = _run_result(done)
    outcomes = read_outcomes(done.path)
    lines = [
        f"{each.variant}, seed {each.seed}: {each.outcome} in {each.seconds:.0f} s{': ' + each.reason if each.reason else ''}"
        for each in outcomes
    ]
    about = [{name: value for name, value in vars(each).items() if name != "classifier"} for each in outcomes]
    return {**result, "parent": parent.id, "methods": about, "shown": "\n".join([*lines, "", result["shown"]])}


def _add_explain_arguments(parser: argparse.ArgumentParser) -> None:
    from fairsal_core.experiments import AttentionSettings
    from fairsal_core.saliency import EXPLAINERS

    parser.add_argument("run", help="a finished experiment")
    parser.add_argument(
        "--method",
        dest="setting_explainers",
        nargs="+",
        default=argparse.SUPPRESS,
        metavar="METHOD",
        help=f"{', '.join(EXPLAINERS)}; with settings as METHOD:setting=value,... (default: lrp)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1")
    _add_settings(parser, AttentionSettings, leave_out=("explainers",))


def _explain(options: argparse.Namespace) -> dict[str, Any]:
    from fairsal_core.experiments import (
        AttentionSettings,
        ExplainConfig,
        checked_settings,
        load_run,
        over_all_seeds,
        read_attention,
        run_here,
        run_path,
    )

    given = _given_settings(options, AttentionSettings)
    config = checked_settings(ExplainConfig, {**given, "run": options.run, "device": options.device})
    folder = run_path(config.run)
    done = load_run(
        run_here("explain", config.model_dump(mode="json"), name=f"Explain {config.run}", listener=_tell_events())
    )
    about = {"id": done.id, "run": config.run, "state": done.status.state, "error": done.status.error}
    if done.status.state != "finished":
        return {**about, "shown": f"{config.run}: {done.status.state}: {done.status.error or ''}"}
    table = read_attention(folder)
    rows = over_all_seeds(table[table["explainer"].isin([choice.name for choice in config.explainers])])
    shown = rows[rows["group"] == "all"].drop(columns=["seed", "group", "rejected"])
    return {
        **about,
        "attention": json.loads(rows.to_json(orient="records")),
        "shown": f"{shown.round(4).to_string(index=False)}\n\n-> {folder}",
    }


def _tell_events() -> Callable[[Any], None]:
    """Return a listener that shows a run's events as progress."""
    say = _progress_line()

    def listener(event: Any) -> None:
        message = f"{event.stage}: {event.message}" if event.message else event.stage
        say(event.fraction, message, event.eta_seconds)

    return listener


def _add_runs_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "id",
        nargs="?",
        help="a run; without it all are listed; 'prune' lists what no run needs, with --delete deletes it",
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--cancel", action="store_true", help="stop this run")
    action.add_argument("--resume", action="store_true", help="start again what ended early; whole stages are reused")
    action.add_argument("--delete", action="store_true", help="delete this run's directory")


def _runs(options: argparse.Namespace) -> dict[str, Any]:
    from fairsal_core.experiments import cancel, delete_run, list_runs, load_run, resume, run_path

    if not options.id:
        if options.cancel or options.resume or options.delete:
            raise FairsalError("Say which run: runs ID --cancel.")
        runs = list_runs()
        lines = [f"{run.id}  {run.status.state:<11}  {run.status.fraction:4.0%}  {run.name or ''}" for run in runs]
        return {
            "runs": [{"id": run.id, "state": run.status.state, "fraction": run.status.fraction} for run in runs],
            "shown": "\n".join(lines) or "No runs yet; start one with: python -m fairsal_core run --preset demo",
        }
    if options.id == "prune":
        return _prune(delete=options.delete)
    path = run_path(options.id)
    if options.delete:
        delete_run(path)
        return {"deleted": options.id, "shown": f"Deleted {options.id}"}
    if options.resume:
        again = resume(path)
        return {"id": again.name, "resumes": options.id, "shown": f"{options.id} goes on as {again.name}"}
    if options.cancel:
        cancel(path)
    return _run_result(load_run(path))


def _add_report_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", help="a finished run")
    parser.add_argument("--out", type=Path, help="folder to write into (default: the run's own folder, report/)")
    parser.add_argument(
        "--faces",
        action=argparse.BooleanOptionalAction,
        help="show test faces that changed sides; by default only where faces are known to be drawn",
    )


def _report(options: argparse.Namespace) -> dict[str, Any]:
    from fairsal_core.experiments import load_run, run_path
    from fairsal_core.reports import write_report

    path = run_path(options.id)
    written = write_report(
        load_run(path), options.out or path / "report", faces=options.faces, progress=show_progress()
    )
    return {
        "report": str(written.html),
        "tables": [str(table) for table in written.tables],
        "model_cards": [str(card) for card in written.cards],
        "shown": f"Report of {options.id} -> {written.html}, {len(written.tables)} tables, {len(written.cards)} model cards",
    }


def _add_mirror_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", help="a finished run")
    parser.add_argument("--uri", help="the MLflow server (default: MLFLOW_TRACKING_URI)")
    parser.add_argument("--seconds", type=int, default=600, help="give up after this time")
    parser.add_argument("--runs", type=Path, help="folder of the runs (default: the workspace's)")


def _mirror(options: argparse.Namespace) -> dict[str, Any]:
    from fairsal_core.experiments import load_run, run_path
    from fairsal_core.reports import mirror_run

    uri = options.uri or os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        raise FairsalError("Say where to: set MLFLOW_TRACKING_URI, or give --uri http://HOST:5000.")
    there = mirror_run(load_run(run_path(options.id, options.runs)), uri, options.seconds)
    return {"run": options.id, "uri": uri, "mlflow_run": there, "shown": f"Mirrored {options.id} to {uri} as {there}"}


def _prune(*, delete: bool) -> dict[str, Any]:
    from fairsal_core.experiments import leftovers, prune

    found = prune() if delete else leftovers()
    total = sum(leftover.size for leftover in found)
    done = "Deleted" if delete else "Would delete (runs prune --delete does)"
    lines = [f"{leftover.size / 2**20:8.1f} MB  {leftover.path}: {leftover.reason}" for leftover in found]
    return {
        "deleted": delete,
        "bytes": total,
        "leftovers": [{"path": str(item.path), "bytes": item.size, "reason": item.reason} for item in found],
        "shown": "\n".join([*lines, f"{done}: {len(found)} leftovers, {total / 2**20:.1f} MB"]),
    }


def _run_result(run: Any) -> dict[str, Any]:
    from fairsal_core.experiments import read_results, wide_results

    about = {"id": run.id, "folder": str(run.path), "state": run.status.state, "error": run.status.error}
    if run.status.state != "finished":
        return {**about, "shown": f"{run.id}: {run.status.state}{': ' + run.status.error if run.status.error else ''}"}
    results = read_results(run.path)
    return {
        **about,
        "results": json.loads(results.to_json(orient="records")),
        "shown": f"{wide_results(results).round(3).to_string(index=False)}\n\n{run.id} -> {run.path}",
    }


def _add_settings(parser: Any, model: type[BaseModel], leave_out: tuple[str, ...] = ()) -> None:
    """Add one option per field of a settings model; what is not given stays out, so that presets show through."""
    for name, field in model.model_fields.items():
        if name in leave_out:
            continue
        default = field.get_default(call_default_factory=True)
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            dest=f"setting_{name}",
            default=argparse.SUPPRESS,
            metavar=name.upper(),
            nargs="+" if isinstance(default, tuple) else None,
            help=f"{field.description} (default: {_shown_default(default)})",
        )


def _shown_default(default: Any) -> str:
    if isinstance(default, tuple):
        return " ".join(_shown_default(item) for item in default)
    if isinstance(default, BaseModel):
        return getattr(default, "name", "") or ",".join(str(value) for value in default.model_dump().values())
    return str(default)


def _given_settings(
    options: argparse.Namespace, model: type[BaseModel], leave_out: tuple[str, ...] = ()
) -> dict[str, Any]:
    given = {name: getattr(options, f"setting_{name}", None) for name in model.model_fields if name not in leave_out}
    return {name: value for name, value in given.items() if value is not None}


def _read_config(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FairsalError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise FairsalError(f"{path} is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise FairsalError(f"{path} holds no settings; expected a JSON object.")
    inner = content.get("config", content)  # a run directory's config.json wraps the settings
    return dict(inner) if isinstance(inner, dict) else {}


def _source(data: str) -> str:
    """Return the word `demo`, or a folder's whole path, which means the same to a worker started elsewhere."""
    from fairsal_core.faces import DEMO

    return data if data == DEMO else str(Path(data).expanduser().resolve())


def _check_ended(run: Any) -> None:
    """Raise what ended a run before it was finished."""
    if run.status.state == "cancelled":
        raise CancelledError
    if run.status.state != "finished":
        raise FairsalError(f"{run.id}: {run.status.error or run.status.state}")


def show_progress() -> Callable[..., None]:
    """Return a progress callback that keeps one line on stderr up to date, or prints sparsely where that is no terminal."""
    eta = Eta()
    say = _progress_line()

    def show(done: float, total: float, message: str = "", **numbers: float) -> None:
        fraction = done / total if total else 1.0
        say(fraction, message, eta.remaining(fraction))

    return show


def _progress_line() -> Callable[[float, str, float | None], None]:
    """Return what prints how much is done (0 to 1), what is happening and how many seconds are left."""
    live = sys.stderr.isatty()
    said = -_QUIET_SECONDS

    def say(fraction: float, message: str, left: float | None) -> None:
        nonlocal said
        if not live and fraction < 1 and time.monotonic() - said < _QUIET_SECONDS:
            return
        said = time.monotonic()
        line = f"{fraction:4.0%}  {message}" + (f"  ({left:.0f} s left)" if left and left > 1 else "")
        print(
            f"\r\x1b[K{line}" if live else line,
            end="\n" if fraction >= 1 or not live else "",
            file=sys.stderr,
            flush=True,
        )

    return say
