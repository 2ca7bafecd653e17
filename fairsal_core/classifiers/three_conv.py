"""`three_conv`: the small network that De Coninck et al. (2024) audit, with the sizes of the authors' code."""

from torch import nn

from fairsal_core.classifiers.dropout import WideDropout
from fairsal_core.classifiers.pooling import WidePool
from fairsal_core.tensors import Normalise


def three_conv() -> nn.Module:
    """Return an untrained network: images (N, 3, 128, 128) in [0, 1] to two logits (N, 2), "without" and "with" the target.

    Every step is a module, so that explainers can attach their rules.
    """
    return nn.Sequential(
        Normalise(),
        *_block(3, 6),
        *_block(6, 12),
        *_block(12, 24),
        nn.Flatten(),
        nn.Linear(24 * 16 * 16, 1000),
        nn.LeakyReLU(0.1),
        nn.Dropout(0.5),
        nn.Linear(1000, 100),
        nn.LeakyReLU(0.1),
        nn.Dropout(0.5),
        nn.Linear(100, 2),
    )


def _block(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(inputs, outputs, kernel_size=5, padding="same"),
        WideDropout(0.1),
        nn.BatchNorm2d(outputs),
        WidePool(),
        nn.LeakyReLU(0.1),
    )
