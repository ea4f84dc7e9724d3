"""Recursive approximation beside the rows of its paper, on real images.

    python -m benchmarks.recursive_approximation --data ../shared/data/dsb2018 --quick

Rows, all the same network and number of steps: WL (partial masks as if whole), SL (the
few full masks alone), PL (GrabCut pseudo labels), baseline on all paint, recursive
approximation, full supervision. Masks of test images never enter a project.
"""

import argparse
import shutil
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.image_sets import IMAGE_SETS, ImageSet, Item, prepared
from benchmarks.jobs import run_jobs
from benchmarks.recursive_approximation_table import table_of

BETA_LAST = 2.0
"""as in the preset fast"""
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "WL": ("baseline", {"labels": "partial", "dice_weight": 0.0}),
    "SL": ("baseline", {"labels": "full", "dice_weight": 0.0}),
    "PL": ("baseline", {"labels": "grabcut", "dice_weight": 0.0}),
    "all paint": ("baseline", {"labels": "all", "dice_weight": 0.0}),
    "recursive": (
        "recursive_approximation",
        {"supervision": "full", "beta_last": BETA_LAST},
    ),
    "recursive, paint": (
        "recursive_approximation",
        {"supervision": "paint", "beta_last": BETA_LAST},
    ),
    "full": ("baseline", {"labels": "full", "dice_weight": 0.0}),
}
QUICK_ROWS = ("WL", "SL", "recursive", "full")
N_ITERATIONS = 8
FIRST_SHARE = 0.3
"""share of the steps before the first growth"""
LAST_SHARE = 0.4
"""share of the steps in the last iteration; those between share the rest"""
AREA = (0.2, 0.5)
"""partial masks cover 20-50 % of an object, so that their Dice starts near 0.5"""


def main() -> None:
    """Run the benchmark and print its tables."""
    arguments = _arguments()
    images = IMAGE_SETS[arguments.data.name]
    seeds, rows, steps = arguments.seeds, tuple(arguments.rows), arguments.steps
    if arguments.quick:
        images = replace(images, n_train=16, max_pixels=images.max_pixels)
        seeds, rows, steps = 1, QUICK_ROWS, min(steps, 80)
    out = arguments.out / images.name / ("quick" if arguments.quick else "published")
    prepared(arguments.data, out / "data", images)
    jobs = [
        {
            "name": f"{row.replace(', ', '_').replace(' ', '_')}-{seed}",
            "data": str(arguments.data),
            "out": str(out),
            "images": images,
            "row": row,
            "seed": seed,
            "steps": steps,
            "device": arguments.device,
        }
        for seed in range(seeds)
        for row in rows
    ]
    results = run_jobs(
        train_and_score, jobs, results=out / "results", n_at_once=arguments.jobs
    )
    text = table_of(results, images, quick=arguments.quick, steps=steps)
    (out / "table.md").write_text(text)
    print(text)


def train_and_score(  # noqa: PLR0913 - a job is described by plain values
    *,
    name: str,
    data: str,
    out: str,
    images: ImageSet,
    row: str,
    seed: int,
    steps: int,
    device: str,
) -> dict[str, Any]:
    """Train one row with one seed and score it on the test images."""
    from napari_mtseg.domain.events import LabelsGrown
    from napari_mtseg.storage.run_folder import find_run, runs_of
    from napari_mtseg.workflows.runs import start_run
    from napari_mtseg.workflows.train import train

    folder = Path(out)
    items = prepared(Path(data), folder / "data", images)
    method, values = ROWS[row]
    project = _project(folder / "projects" / name, items, images, row, seed)
    if runs_of(project.path):
        run = find_run(project.path, None)
    else:
        run, _ = start_run(
            project, method, _settings(method, values, steps), seed=seed, device=device
        )
    for event in train(project, run):
        if isinstance(event, LabelsGrown):
            continue
    masks = {item.name: item.mask for item in items}
    return {
        "row": row,
        "seed": seed,
        "grown": _grown_dice(project, run, masks) if "recursive" in row else [],
        "test": _test_scores(run, items, images),
    }


def _settings(method: str, values: dict[str, Any], steps: int) -> dict[str, Any]:
    from napari_mtseg.methods.catalog import settings_of

    last = round(steps * LAST_SHARE)
    each = round(steps * (1 - FIRST_SHARE - LAST_SHARE) / (N_ITERATIONS - 2))
    length = (
        {
            "iterations": N_ITERATIONS,
            "first_steps": steps - last - (N_ITERATIONS - 2) * each,
            "steps_per_iteration": each,
            "last_steps": last,
        }
        if method == "recursive_approximation"
        else {"steps": steps}
    )
    return settings_of(
        method, preset_name="fast", ndim=2, values={**values, **length}
    ).model_dump()


def _project(
    path: Path, items: list[Item], images: ImageSet, row: str, seed: int
) -> Any:
    """Make the project that an annotator would have made, or open it again."""
    from napari_mtseg.storage.project import Project
    from napari_mtseg.storage.project_names import with_suffix
    from napari_mtseg.workflows.simulate import PaintingHabits, simulate

    path = with_suffix(path)
    marker = path / "painted"
    if marker.exists():
        return Project.open(path)
    shutil.rmtree(path, ignore_errors=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    project = Project.create(path, classes=images.classes, colour=images.colour)
    training = [item for item in items if item.split == "train"]
    for item in training:
        project.add_image(item.image)
    n_full = len(training) if row == "full" else images.n_full
    chosen = _one_of_each_scene(training, n_full, seed)
    simulate(
        project,
        {project.image(item.image.name).id: item.mask for item in training},
        habits=PaintingHabits(
            full_count=n_full,
            full_images=chosen if images.full_of_each_scene else (),
            area_low=AREA[0],
            area_high=AREA[1],
        ),
        values=images.values,
        seed=seed,
    )
    marker.touch()
    return project


def _one_of_each_scene(items: list[Item], n: int, seed: int) -> tuple[str, ...]:
    """Choose ``n`` images, one of each scene in turn, as an annotator would."""
    rng = np.random.default_rng(seed)
    by_scene: dict[str, list[str]] = {}
    for index in rng.permutation(len(items)):
        item = items[index]
        by_scene.setdefault(item.scene, []).append(item.image.name)
    turns = zip_longest(*(by_scene[scene] for scene in sorted(by_scene)))
    return tuple([name for turn in turns for name in turn if name is not None][:n])


def _grown_dice(project: Any, run: Any, masks: dict[str, Path]) -> list[float]:
    """Dice of the growing labels of weakly annotated images, iteration by iteration."""
    import tifffile

    from napari_mtseg.metrics.overlap import dice

    weak = [e for e in project.images if not project.annotation(e).has_full]
    curve = []
    for iteration in range(run.last_iteration() + 1):
        found = []
        for entry in weak:
            grown = run.load_grown(iteration, entry.id)
            if grown is not None:
                truth = tifffile.imread(masks[entry.name.removesuffix(".tif")]) > 0
                found.append(dice(grown > 0, truth))
        curve.append(float(np.mean(found)))
    return curve


def _test_scores(
    run: Any, items: list[Item], images: ImageSet
) -> dict[str, list[float]]:
    import tifffile

    from napari_mtseg.instances.components import separate_objects
    from napari_mtseg.storage.image_files import open_image
    from napari_mtseg.workflows.evaluate import evaluate_masks
    from napari_mtseg.workflows.predict import load_model

    model = load_model(run)
    scores: dict[str, list[float]] = {"dice": [], "object_dice": [], "hausdorff": []}
    for item in items:
        if item.split != "test":
            continue
        prediction = model.predict_image(open_image(item.image))
        truth = tifffile.imread(item.mask).astype(np.uint32)
        if images.values == "classes":
            truth, _ = separate_objects(truth.astype(np.uint8))
        class_of = {int(i): 1 for i in np.unique(truth) if i}
        found = evaluate_masks(prediction, truth, class_of, spacing=(1.0, 1.0))
        scores["dice"].append(found.classes[1].dice)
        scores["object_dice"].append(found.classes[1].object_dice)
        scores["hausdorff"].append(found.classes[1].object_hausdorff)
    return scores


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="dsb2018 or hc18")
    parser.add_argument("--quick", action="store_true", help="one seed, few images")
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=480, help="optimiser steps")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at once")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
