"""`masktune`: what a classifier looks at most is masked in its training faces, and it is fine-tuned for one epoch on what is left
(Asgari et al. 2022). Nobody has to know what it looks at, or any group.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from fairsal_core.mitigation.base import Applied, Batch, ChooseBy, LabelledFaces, chosen_by, device_of
from fairsal_core.mitigation.layers import cut_at, stages
from fairsal_core.mitigation.search import Search
from fairsal_core.mitigation.tuning import TuningSettings, classification_loss, logits_of, tune
from fairsal_core.progress import Progress, silent

_BATCH = 128


class MaskTuneSettings(TuningSettings):
    """Settings of `masktune`."""

    choose_by: ChooseBy = chosen_by("worst_class")
    epochs: int = Field(1, ge=1, le=1000, description="passes over the masked faces")
    deviations: tuple[float, ...] = Field(
        (2.0,),
        min_length=1,
        description="standard deviations above a map's mean from which its pixels are masked, to search",
    )
    layer: str = Field("", description="layer whose maps are looked at; none given: the last one with maps")


def masktune(
    classifier: nn.Module,
    fit: LabelledFaces,
    validation: LabelledFaces,
    settings: MaskTuneSettings,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Applied:
    """Return the classifier after fine-tuning on faces without the regions that it looked at most."""
    layer = settings.layer or stages(classifier, fit.images)[-1]
    maps = class_activation_maps(classifier, layer, fit)
    search = Search(classifier, validation, settings)
    for done, deviations in enumerate(settings.deviations, start=1):
        masked = without_salient(fit, maps, deviations)

        def build(candidate: nn.Module, masked: LabelledFaces = masked) -> None:
            def step(batch: Batch) -> Tensor:
                loss = classification_loss(logits_of(candidate, batch.images), batch.target)
                loss.backward()
                return loss.detach()

            tune(candidate, masked, settings, step, seed=seed)

        search.attempt({"deviations": deviations}, build)
        progress(done, len(settings.deviations), f"masked above {deviations:g} deviations")
    tuned, _, trace = search.outcome()
    return Applied(tuned, trace)


def class_activation_maps(classifier: nn.Module, layer: str, faces: LabelledFaces) -> NDArray[np.float32]:
    """Return XGrad-CAM of each face's own label (Fu et al. 2020), (N, H, W) at the face's size, not negative.

    relu(sum_c w_c a_c) with w_c = sum(a_c * dz/da_c) / sum(a_c), a the layer's maps and z the label's logit; interpolated
    bilinearly. A channel whose sum is 0 counts nothing.
    """
    maps, device = [], device_of(classifier)
    with torch.enable_grad(), cut_at(classifier, layer) as cut:
        for rows in np.array_split(np.arange(len(faces)), max(1, len(faces) // _BATCH)):
            batch = faces.batch(rows, device)
            logits = classifier(batch.images)
            label = logits.gather(1, batch.target.long()[:, None]).sum()
            (gradient,) = torch.autograd.grad(label, cut[layer])
            seen = grad_cam(cut[layer].detach(), gradient)
            size = batch.images.shape[-2:]
            maps.append(nn.functional.interpolate(seen[:, None], size, mode="bilinear", align_corners=False)[:, 0])
    result: NDArray[np.float32] = torch.cat(maps).float().cpu().numpy()
    return result


def grad_cam(activations: Tensor, gradient: Tensor) -> Tensor:
    """Return relu(sum_c w_c a_c), (N, h, w), of maps and their gradient (N, C, h, w); see `class_activation_maps`."""
    sums = activations.sum(dim=(2, 3))
    weights = (gradient * activations).sum(dim=(2, 3)) / torch.where(sums == 0, torch.inf, sums)
    return (weights[:, :, None, None] * activations).sum(dim=1).relu()


def without_salient(faces: LabelledFaces, maps: NDArray[np.float32], deviations: float) -> LabelledFaces:
    """Return the faces with all pixels in their mean colour whose map is above its mean + deviations * its standard deviation."""
    cut = maps.mean(axis=(1, 2), keepdims=True) + deviations * maps.std(axis=(1, 2), keepdims=True)
    colour = np.asarray(faces.images).mean(axis=(0, 1, 2)).round().astype(np.uint8)
    images = np.where((maps > cut)[..., None], colour, faces.images)
    return LabelledFaces(images, faces.target, faces.confounder)
