"""Several processes that train one region classifier: torchrun starts them, and each computes its share of every batch.

All draw the same order and the same patches, and take their share of them; the statistics of batch norm are the whole batch's;
`DistributedDataParallel` averages the gradients. So they make what one process makes of the same batches, but for rounding.
The first process does everything else: it keeps the run, writes the weights, and tells the others what to train.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch

# Before there is a group: by default its functions take the one that is there when they are imported. DDP imports them, and
# kept so, the group and its threads outlive `destroy_process_group` and may end the process at its exit (SIGABRT).
import torch.distributed.nn.functional
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from fairsal_core.device import process_count, process_number
from fairsal_core.errors import FairsalError

# The first process may queue for its device, or pack the faces, for as long as it takes; torchrun sees to it that none of
# them waits for one that is dead.
_PATIENCE = timedelta(days=7)


@contextmanager
def joined(device: str) -> Iterator[None]:
    """Join the processes that torchrun started with this one, if any; where they train on GPUs, each on its own.

    Raises
    ------
    FairsalError
        If there are not as many GPUs, or the device is one that they would all share.
    """
    if process_count() == 1:
        yield
        return
    on_gpus = _take_gpu(device)
    distributed.init_process_group("cpu:gloo,cuda:nccl" if on_gpus else "gloo", timeout=_PATIENCE)
    yield  # if this raises, the process ends, and torchrun ends the others
    if process_number() == 0:
        tell(None)
    distributed.destroy_process_group()


def _take_gpu(device: str) -> bool:
    """Make a GPU of this machine this process's default, and return whether there are any to take."""
    if device not in ("auto", "cpu", "cuda"):
        raise FairsalError(
            f"Under torchrun every process takes a GPU of its own: use auto, cuda or cpu, not '{device}'."
        )
    count = 0 if device == "cpu" else torch.cuda.device_count()
    if not count:
        return False
    here, number = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["LOCAL_RANK"])
    if here > count:
        raise FairsalError(f"torchrun started {here} processes for {count} GPUs: use --nproc-per-node {count}.")
    torch.cuda.set_device(number)
    return True


def tell(wanted: dict[str, Any] | None) -> None:
    """Tell the other processes what to train with this one, or, by None, that there is nothing more."""
    if process_count() > 1:
        distributed.broadcast_object_list([json.dumps(wanted)], device=torch.device("cpu"))


def heard() -> dict[str, Any] | None:
    """Wait for what the first process tells."""
    word: list[str] = [""]
    distributed.broadcast_object_list(word, device=torch.device("cpu"))
    wanted: dict[str, Any] | None = json.loads(word[0])
    return wanted


def trainable(network: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the network's `supervised`, of which a backward pass leaves the same gradients in all processes.

    In the network every batch norm is made one of the whole batch. In eval mode it is what it was.
    """
    if process_count() == 1:
        return network.supervised  # type: ignore[return-value]
    if next(network.parameters()).is_cuda:
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    else:
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.__class__ = _SharedBatchNorm
    return DistributedDataParallel(_Supervised(network))


def share(batch: Tensor) -> Tensor:
    """Return this process's part of what a whole batch consists of: equal parts, but for one; none where it is too small."""
    return batch.tensor_split(process_count())[process_number()]


def mean_of_batch(values: Tensor, count: int) -> Tensor:
    """Return the mean of the values (n, P) of a batch of `count` rows, of which this process has n.

    It is this process's part of it, `process_count()` fold: what has to be averaged over all, as gradients are.
    """
    if process_count() == 1:
        return values.mean()
    return values.sum() * (process_count() / (count * values.shape[1]))


def average(values: Tensor) -> Tensor:
    """Return the mean of these numbers over all processes."""
    if process_count() > 1:
        distributed.all_reduce(values)
    return values / process_count()


class _Supervised(nn.Module):
    """`DistributedDataParallel` knows `forward` alone."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, positions: Tensor) -> Tensor:
        logits: Tensor = self.network.supervised(images, positions)  # type: ignore[operator]
        return logits


class _SharedBatchNorm(nn.BatchNorm2d):
    """What torch's `SyncBatchNorm` is on GPUs, which alone it works on."""

    def forward(self, features: Tensor) -> Tensor:
        if not self.training:
            return super().forward(features)
        values = features.float()
        over = (0, 2, 3)
        count = features.new_tensor([values.numel() // values.shape[1]], dtype=torch.float32)
        sums, total = _total(torch.cat([values.sum(over), count])).split([values.shape[1], 1])
        mean = sums / total
        centred = values - mean[:, None, None]
        variance = _total(centred.square().sum(over)) / total
        self._keep(mean.detach(), (variance * total / (total - 1)).detach())
        scale = self.weight * (variance + self.eps).rsqrt()
        normalised: Tensor = centred * scale[:, None, None] + self.bias[:, None, None]
        return normalised.to(features.dtype)

    def _keep(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


class _Total(torch.autograd.Function):
    """The sum over all processes, of whose parts each has the gradient of the sum of all their losses."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        distributed.all_reduce(total)
        return total


def _total(values: Tensor) -> Tensor:
    total: Tensor = _Total.apply(values)
    return total
