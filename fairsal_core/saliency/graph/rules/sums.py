"""Sums: each term takes what it adds. Of log-sum-exp, by the weights it gives its terms."""

from collections.abc import Mapping

from torch import Tensor

from fairsal_core.saliency.graph.rules.base import STABILISER, Call, Rule, Shares, shared, stabilised


def added(call: Call, relevance: Tensor) -> Shares:
    """Return each term's share of a sum, x R / z; a constant term's, as a position embedding's, is the constants'."""
    shares = shared(call, relevance).inputs
    rest = relevance * (call.output / stabilised(call.output, STABILISER))
    count = len(rest)
    rest = rest.reshape(count, -1).sum(dim=1)
    for share in shares:
        if share is not None:
            if share.shape[0] != count:
                return Shares(shares)
            rest = rest - share.reshape(count, -1).sum(dim=1)
    return Shares(shares, rest)


def log_sum_exp(call: Call, relevance: Tensor) -> Shares:
    """Return shares of sum p x, with p = softmax(x) held: log sum exp x is that sum and the entropy of p, a bias."""
    (logits,) = call.values
    axes, keep = call.step.args[1], (*call.step.args, False)[2]
    axes = axes if isinstance(axes, list | tuple) else [axes]
    whole = call.output if keep else logits.logsumexp(axes, keepdim=True)
    parts = logits * (logits - whole).exp()
    outward = relevance if keep else relevance.reshape(whole.shape)
    return Shares([parts * outward / stabilised(parts.sum(axes, keepdim=True), STABILISER)])


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("add", "sub", "rsub"), added),
    "sum": shared,
    "logsumexp": log_sum_exp,
}
