"""Small projects with predictions of two runs, as a person reviews them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.domain.project import Split
from napari_mtseg.geometry.outliers import object_statistics
from napari_mtseg.storage.prediction_files import save_prediction
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import new_run_folder
from napari_mtseg.storage.write import read_json, write_json

SHAPE = (12, 16)
OBJECTS = np.zeros(SHAPE, np.uint32)
OBJECTS[1:5, 1:5] = 1
OBJECTS[7:11, 7:13] = 2


def reviewed_project(
    folder: Path, names: str = "abcd", *, shape: tuple[int, ...] = SHAPE
) -> Project:
    """Make a project of noise with one class, and two runs without weights.

    The last image is a test image, the one before it validates.
    """
    project = Project.create(folder / "p.mtseg", classes=("nucleus",))
    splits: dict[str, Split] = {names[-1]: "test", names[-2]: "validate"}
    for i, name in enumerate(names):
        noise = np.random.default_rng(i).integers(0, 255, shape, np.uint8)
        tifffile.imwrite(folder / f"{name}.tif", noise)
        split = splits.get(name, "train")
        axes = "ZYX" if len(shape) == 3 else None
        project.add_image(folder / f"{name}.tif", split=split, axes=axes)
    facts = {"settings": {}, "seed": 0, "device": "cpu", "versions": {"python": "3"}}
    facts["classes"] = ("nucleus",)
    for _ in range(2):
        new_run_folder(project.path, {"method": "baseline", **facts})
    return project


def runs(project: Project) -> tuple[str, ...]:
    """Return the names of the runs, the earlier first."""
    return tuple(sorted(path.name for path in (project.path / "runs").iterdir()))


def predict(
    project: Project,
    run: str,
    doubts: Mapping[str, float],
    objects: NDArray[np.uint32] = OBJECTS,
) -> None:
    """Save predictions of these objects; ``doubts`` are image ids with a score."""
    for image_id, doubt in doubts.items():
        probabilities = np.zeros((2, *objects.shape), np.float16)
        probabilities[1] = objects > 0
        prediction = Prediction(
            classes=(objects > 0).astype(np.uint8),
            probabilities=probabilities,
            instances=objects,
            class_of={int(i): 1 for i in np.unique(objects) if i},
            maps={"uncertainty": (objects > 0).astype(np.float16) * np.float16(doubt)},
            scores={"boundary_entropy": doubt, "low_confidence": doubt / 2},
            statistics=_statistics(objects),
            descriptor=(doubt, 1.0),
        )
        save_prediction(
            project.path / "predictions" / run / image_id,
            prediction,
            spacing=(1.0,) * objects.ndim,
            unit="pixel",
            class_names=tuple(known.name for known in project.info.classes),
        )


def _statistics(objects: NDArray[np.uint32]) -> dict[str, float]:
    sizes = np.unique(objects[objects > 0], return_counts=True)[1]
    ones = np.ones(sizes.size)
    return object_statistics({"size": sizes, "elongation": ones, "fill": ones})


def predict_hastily(project: Project, run: str, doubts: Mapping[str, float]) -> None:
    """Save what thousands of predictions say, without their maps."""
    first = next(iter(doubts))
    predict(project, run, {first: 0.5})
    folder = project.path / "predictions" / run
    facts = read_json(folder / first / "prediction.json")
    for image_id, doubt in doubts.items():
        (folder / image_id).mkdir(exist_ok=True)
        scores = {**facts["scores"], "boundary_entropy": doubt}
        write_json(folder / image_id / "prediction.json", {**facts, "scores": scores})
