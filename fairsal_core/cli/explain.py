"""`explain`."""

import argparse
import json

from fairsal_core.cli.costing import add_cost, cost_outcome
from fairsal_core.cli.options import add_device
from fairsal_core.cli.outcome import Outcome
from fairsal_core.cli.progress import tell_events
from fairsal_core.cli.settings import add_settings, given_settings
from fairsal_core.results import over_all_seeds, read_attention
from fairsal_core.runs import load_run, run_here, run_path
from fairsal_core.saliency import EXPLAINERS
from fairsal_core.settings import AttentionSettings, ExplainConfig, checked_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="a finished experiment")
    parser.add_argument(
        "--method",
        dest="setting_explainers",
        nargs="+",
        default=argparse.SUPPRESS,
        metavar="METHOD",
        help=f"{', '.join(EXPLAINERS)}; with settings as METHOD:setting=value,... (default: lrp)",
    )
    add_device(parser)
    add_cost(parser)
    add_settings(parser, AttentionSettings, leave_out=("explainers",))


def do(options: argparse.Namespace) -> Outcome:
    given = given_settings(options, AttentionSettings)
    config = checked_settings(ExplainConfig, {**given, "run": options.run, "device": options.device})
    content = config.model_dump(mode="json")
    if options.cost:
        return cost_outcome("explain", content)
    folder = run_path(config.run)
    done = load_run(run_here("explain", content, name=f"Explain {config.run}", listener=tell_events()))
    about = {"id": done.id, "run": config.run, "state": done.status.state, "error": done.status.error}
    if done.status.state != "finished":
        return Outcome(about, f"{config.run}: {done.status.state}: {done.status.error or ''}", ok=False)
    table = read_attention(folder)
    rows = over_all_seeds(table[table["explainer"].isin([choice.name for choice in config.explainers])])
    shown = rows[rows["group"] == "all"].drop(columns=["seed", "group", "rejected"])
    return Outcome(
        {**about, "attention": json.loads(rows.to_json(orient="records"))},
        f"{shown.round(4).to_string(index=False)}\n\n-> {folder}",
    )
