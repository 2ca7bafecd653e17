"""Functions of one number each, and norms whose statistics are held: relevance passes unchanged.

With its mean and deviation held, a norm is a (x - m) / s + b: each x gives one number, and the constants, being biases,
take nothing. So does a change of the picture's units.
"""

from collections.abc import Mapping

from fairsal_core.saliency.graph.rules.base import Call, Rule, Shares, passed

_ACTIVATIONS = (
    "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "hardswish", "hardtanh", "softplus",
    "hardshrink", "softsign", "sigmoid", "hardsigmoid", "tanh", "clamp", "clamp_min", "clamp_max", "log_sigmoid",
    "abs", "neg", "to", "_to_copy", "type_as", "log", "logit", "softmax", "log_softmax",
)  # fmt: skip
_NORMS = ("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm", "prelu")
_UNITS = ("add", "sub", "rsub", "mul", "div", "clamp", "clamp_min", "clamp_max", "neg", "to", "_to_copy", "round")


def first(call: Call, relevance: object) -> Shares:
    """Return the relevance as it is, to the first input; others are its parameters."""
    return Shares([relevance, *[None] * (len(call.values) - 1)])  # type: ignore[list-item]


RULES: Mapping[str, Rule] = {**dict.fromkeys(_ACTIVATIONS, passed), **dict.fromkeys(_NORMS, first)}
PICTURE_RULES: Mapping[str, Rule] = {**dict.fromkeys(_UNITS, passed), "batch_norm": passed}
