"""`cost`."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairsal_core.cli.outcome import Outcome
from fairsal_core.cli.progress import show_progress
from fairsal_core.cli.settings import read_config
from fairsal_core.errors import FairsalError
from fairsal_core.settings import PRESETS, SubjectAuditConfig, parse_audit, parse_config, preset_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--preset", choices=sorted(PRESETS), help="a ready-made experiment")
    asked.add_argument(
        "--config", type=Path, help="JSON file with settings of an experiment, or of an audit of classifiers"
    )
    parser.add_argument("--data", help="other faces than the settings name: 'demo', or a folder")


def do(options: argparse.Namespace) -> Outcome:
    settings = preset_settings(options.preset) if options.preset else read_config(options.config)
    if options.data:
        settings["data"] = options.data
    seconds, room = _of_audit(settings) if settings.get("subjects") else _of_experiment(settings)
    lines = [f"{took:10,.0f} s  {stage}" for stage, took in seconds.items()]
    lines += [
        f"{sum(seconds.values()):10,.0f} s  in all, if nothing of it is there yet, as busy as this machine is now"
    ]
    lines += [f"{size / 1e6:9,.0f} MB  {what}" for what, size in room.items()]
    if room:
        lines.append(f"{sum(room.values()) / 1e6:9,.0f} MB  of disk at most")
    return Outcome({"seconds": dict(seconds), "disk_bytes": dict(room)}, "\n".join(lines))


def _of_experiment(settings: dict[str, Any]) -> tuple[Mapping[str, float], Mapping[str, int]]:
    from fairsal_core.experiments import disk_bytes, plan_variants, probe_paces, stage_seconds
    from fairsal_core.faces import load_faces

    config = parse_config(settings)
    faces = load_faces(config.data, show_progress())
    variants = plan_variants(config, faces)
    seconds = stage_seconds(config, variants, faces, probe_paces(config, faces))
    return seconds, disk_bytes(config, variants, faces)


def _of_audit(settings: dict[str, Any]) -> tuple[Mapping[str, float], Mapping[str, int]]:
    from fairsal_core.experiments import audit_seconds, probe_audit
    from fairsal_core.faces import load_faces

    config = parse_audit(settings)
    if not isinstance(config, SubjectAuditConfig):
        raise FairsalError("An audit of tables alone takes seconds: there is nothing to try.")
    faces = load_faces(config.data, show_progress())
    return audit_seconds(config, faces, probe_audit(config, faces)), {}
