"""What mitigating a classifier from elsewhere takes: by trying each method on a few faces."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from fairsal_core.classifiers import imported_subject
from fairsal_core.costs.base import PICTURE, Cost, Probed, ReadFaces, there_is
from fairsal_core.costs.disk import packed_bytes
from fairsal_core.costs.methods import MethodCost, costs_of_methods
from fairsal_core.device import pick_device
from fairsal_core.errors import FairsalError
from fairsal_core.experiments import faces_to_mitigate
from fairsal_core.mitigation import METHODS, Given, unmet
from fairsal_core.settings import MitigationJob, checked_settings


class MitigationPaces(NamedTuple):
    """Method -> what it costs; bytes of the classifier's weights."""

    mitigating: Mapping[str, MethodCost]
    weights: int


def parse(content: Mapping[str, Any]) -> MitigationJob:
    """Return the mitigation that is asked for."""
    return checked_settings(MitigationJob, dict(content))


def depends_on(config: MitigationJob) -> Any:
    """Return what the paces of a mitigation depend on."""
    return config.model_dump(mode="json", exclude={"faces"})


def probe(config: MitigationJob, read: ReadFaces) -> MitigationPaces:
    """Apply each method that fits the classifier to a few faces; nothing is kept.

    Raises
    ------
    FairsalError
        If there is no such classifier, or too few faces to try a method on.
    """
    subject = imported_subject(config.subject)
    network = subject.load().to(pick_device(config.device)).eval()
    # The others are refused in a sentence, and take nothing.
    fitting = [each for each in config.methods if not unmet(METHODS.find(each.method).needs, Given(subject))]
    costs = costs_of_methods(fitting, network, read(config.data), config.target, config.confounder)
    if fitting and not costs:
        raise FairsalError(
            f"The train split of {config.data} has too few faces of each cell of {config.target} and {config.confounder} "
            "to try a method on."
        )
    return MitigationPaces(costs, sum(value.nbytes for value in network.state_dict().values()))


def cost(config: MitigationJob, read: ReadFaces, probed: Probed[MitigationPaces]) -> Cost:
    """Return what a mitigation takes at these paces, if every method makes a classifier."""
    faces = read(config.data)
    chosen = faces_to_mitigate(
        faces.with_label(config.target, config.confounder).listed, config.target, config.confounder, config.faces
    )
    count = len(chosen.fit) + len(chosen.validation)
    methods = {name: method.seconds(count) for name, method in probed.paces.mitigating.items()}
    return Cost(
        {"starting": probed.started, **methods},
        {"program, network and batches": probed.memory, "pictures": count * PICTURE},
        there_is({"pictures": packed_bytes(faces, count), "classifiers": len(methods) * probed.paces.weights}),
    )
