"""Where dropout sits, judged by the risk and coverage that its doubt gives.

    python -m benchmarks.dropout_place --data ../shared/data/dsb2018 --quick
    python -m benchmarks.dropout_place --data ../shared/data/dsb2018

Each row learns from the full masks of the same few images, so that there are errors to
find, and answers images that it never saw: once, and with the mean of several passes
with dropout; the row without dropout with an ensemble of its kept checkpoints instead.
The place is chosen on training images that were held out, by a measure fixed
beforehand, and then shown on the test images. Neither enter a project.
"""

import argparse
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, get_args

import numpy as np
import tifffile
from numpy.typing import NDArray

from benchmarks.dropout_place_table import (
    DOUBTS,
    ENSEMBLE,
    METRICS,
    NO_DROPOUT,
    ONE_PASS,
    PASSES,
    SPLITS,
    area_of,
    excess_of,
    tables_of,
)
from benchmarks.image_sets import ImageSet, Item
from benchmarks.row_command import (
    Plan,
    chosen_rows,
    parsed,
    plan_of,
    published,
    results_of,
    row_parser,
    steps_of,
)
from benchmarks.trained_rows import Row, Trained, Trial, trained
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.domain.training_settings import DropoutPlace
from napari_mtseg.metrics.overlap import dice
from napari_mtseg.metrics.risk_coverage import risk_coverage
from napari_mtseg.storage.image_files import open_image
from napari_mtseg.workflows.predict import Model, load_model
from napari_mtseg.workflows.uncertainty_source import FROM_ONE_PASS, UncertaintySource

PLACES: tuple[DropoutPlace, ...] = get_args(DropoutPlace)
QUICK_PLACES: tuple[DropoutPlace, ...] = ("decoder", "ends")
SHARE = 0.2
"""One for all places: half of the 16 maps of the last level would cost so much accuracy
that places would be compared by that, and not by how they order errors."""
N_PASSES = 20
QUICK_PASSES = 4
METHODS = ("baseline", "joint_shape", "high_resolution")

PUBLISHED: Mapping[str, Any] = {"n_train": 48, "n_held_out": 16}
"""training images that are used, and those of them that the place is chosen on"""
LABELLED = 0.25
"""share of the others that are learned from, drawn by the seed: 8 images"""
QUICK: Mapping[str, Any] = {"n_train": 16, "n_held_out": 4, "n_test": 6}


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = row_parser(__doc__, steps=300)
    parser.add_argument("--method", choices=METHODS, default="baseline")
    parser.add_argument("--share", type=float, default=SHARE, help="of maps dropped")
    arguments = parsed(parser)
    plan = plan_to_measure(arguments)
    n_passes = QUICK_PASSES if arguments.quick else N_PASSES
    results = results_of(arguments, plan, partial(train_and_ask, n_passes=n_passes))
    published(plan, tables_of(plan, results, share=arguments.share, n_passes=n_passes))


def plan_to_measure(arguments: argparse.Namespace) -> Plan:
    """Return the rows, the images and the folder of a run."""
    weak = argparse.Namespace(**vars(arguments), weak=False)
    plan = plan_of(weak, f"dropout_place-{arguments.method}-{arguments.share:g}", ())
    names = (NO_DROPOUT, *(QUICK_PLACES if arguments.quick else PLACES))
    rows = [
        row_of(
            name,
            method=arguments.method,
            share=arguments.share,
            steps=steps_of(arguments),
        )
        for name in chosen_rows(arguments, names)
    ]
    sizes = QUICK if arguments.quick else PUBLISHED
    return replace(plan, rows=rows, images=replace(plan.images, **sizes))


def row_of(place: str, *, method: str, share: float, steps: int) -> Row:
    """Return the row with dropout at a place, or without any."""
    dropout = {"dropout": share, "dropout_place": place}
    return Row(
        title=place,
        method=method,
        shared={"base_channels": 16, "patch": 128, "batch_size": 8, "steps": steps},
        values={"dropout": 0.0} if place == NO_DROPOUT else dropout,
        paint="all full",
        labelled=LABELLED,
        unlabelled=False,
    )


def train_and_ask(trial: Trial, *, n_passes: int) -> dict[str, Any]:
    """Train one row with one seed, and score every way of answering on every split."""
    done = trained(trial)
    answers: dict[str, Any] = {}
    for way, source in sources_of(trial.row.title, n_passes=n_passes).items():
        model = load_model(done.run, device=trial.device, uncertainty=source)
        answers[way] = {
            split: scores_of_split(model, done, trial.images, split) for split in SPLITS
        }
    return {"row": trial.row.title, "seed": trial.seed, "answers": answers}


def sources_of(row: str, *, n_passes: int) -> Mapping[str, UncertaintySource]:
    """Return the ways in which a row answers."""
    several = (
        {ENSEMBLE: UncertaintySource("ensemble")}
        if row == NO_DROPOUT
        else {PASSES: UncertaintySource("dropout", passes=n_passes)}
    )
    return {ONE_PASS: FROM_ONE_PASS, **several}


def scores_of_split(
    model: Model, done: Trained, images: ImageSet, split: str
) -> dict[str, Any]:
    """Return metric -> score of each image of a split, and the seconds it took."""
    items = [item for item in done.items if item.split == split]
    begin = time.monotonic()
    maps = tuple(name for name in DOUBTS if name in model.derived_maps)
    predictions = [model.predict_image(open_image(i.image), maps=maps) for i in items]
    seconds = time.monotonic() - begin
    scores = [
        scores_of_image(prediction, truth_of(item, images))
        for prediction, item in zip(predictions, items, strict=True)
    ]
    return {"seconds": seconds, **{name: [s[name] for s in scores] for name in METRICS}}


def truth_of(item: Item, images: ImageSet) -> NDArray[np.uint8]:
    """Return the class of each pixel; objects are all of one class."""
    mask = tifffile.imread(item.mask)
    return (mask > 0 if images.values == "objects" else mask).astype(np.uint8)


def scores_of_image(
    prediction: Prediction, truth: NDArray[np.uint8]
) -> dict[str, float]:
    """Return Dice, doubt, and the areas of pixels ordered by each kind of doubt.

    A pixel's error is 1 if its class is wrong; Dice is the mean over the classes that
    occur. Areas are NaN for kinds of doubt that the answer does not have.
    """
    wrong = prediction.classes != truth
    classes = [int(c) for c in np.unique(truth) if c]
    scores = dict.fromkeys(METRICS, math.nan)
    scores["doubt"] = prediction.scores["doubt"]
    if classes:
        found = [dice(prediction.classes == c, truth == c) for c in classes]
        scores["dice"] = float(np.mean(found))
    for name in DOUBTS:
        if name in prediction.maps:
            pixels = risk_coverage(prediction.maps[name].ravel(), wrong.ravel())
            scores[area_of(name)] = 1000 * pixels.area
            scores[excess_of(name)] = 1000 * pixels.excess
    return scores


if __name__ == "__main__":
    main()
