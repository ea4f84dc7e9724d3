"""The main job on the embedded sample: paint, train, predict, evaluate, export.

Before it, what a model does that is trained already.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tifffile

from napari_mtseg.domain.errors import ImageError
from napari_mtseg.domain.events import Event
from napari_mtseg.domain.project import Split
from napari_mtseg.methods.catalog import settings_of
from napari_mtseg.storage.example_models import SAMPLE_IMAGE, example_model
from napari_mtseg.storage.image_files import open_image
from napari_mtseg.storage.prediction_files import load_prediction
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import RunFolder
from napari_mtseg.storage.write import clear_write_errors
from napari_mtseg.workflows.evaluate import evaluate_project
from napari_mtseg.workflows.export import export_model
from napari_mtseg.workflows.growth_picture import growth_panels, save_picture
from napari_mtseg.workflows.overview import write_overview
from napari_mtseg.workflows.predict import load_model
from napari_mtseg.workflows.predict_images import predict_project
from napari_mtseg.workflows.runs import start_run
from napari_mtseg.workflows.sample import CLASS_NAME, SampleFiles, write_sample
from napari_mtseg.workflows.scores import Evaluation
from napari_mtseg.workflows.simulate import PaintingHabits, simulate
from napari_mtseg.workflows.train import train

METHOD = "recursive_approximation"
N_FULL = 2
EXAMPLE = "nuclei"
"""example model that shows what a trained one does"""
CLEAN = {"min_size": 60}
"""specks of a few pixels are no glands"""

SPLITS: dict[str, Split] = {
    "tile_00": "test",
    "tile_13": "test",
    "tile_22": "test",
    "tile_31": "test",
    "tile_02": "validate",
}
"""tiles that do not train; each shows epithelium and its edge"""
N_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """Where the demo's results are."""

    project: Path
    picture: Path
    model: Path
    evaluation: Evaluation


def make_sample_project(folder: Path, *, seed: int) -> tuple[Project, SampleFiles]:
    """Write the sample and a project on it, painted as an annotator would.

    A diagonal of tiles is held out for the test; their masks never enter the project.
    One tile validates.
    """
    sample = write_sample(folder / "sample")
    project = Project.create(folder / "glands.mtseg", classes=[CLASS_NAME])
    for image in sample.images:
        project.add_image(image, split=SPLITS.get(image.stem, "train"))
    simulate(
        project,
        folder / "sample" / "masks",
        habits=PaintingHabits(full_count=N_FULL),
        seed=seed,
    )
    return project, sample


def segment_at_once(folder: Path, *, device: str) -> tuple[Path, int]:
    """Segment the picture of an example model with it, before anything is painted.

    Returns
    -------
    Path and int
        Picture of what was found, and the number of objects.
    """
    source = example_model(EXAMPLE)
    model = load_model(source, device=device)
    image = open_image(source / SAMPLE_IMAGE)
    found = model.predict_image(image)
    with clear_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    picture = write_overview(
        folder / f"{EXAMPLE}.png",
        found,
        image,
        classes=model.info.classes,
        colour=model.info.colour,
    )
    return picture, len(found.class_of)


def train_sample(
    project: Project,
    *,
    seed: int,
    device: str,
    settings: Mapping[str, Any] | None = None,
) -> tuple[RunFolder, Iterator[Event]]:
    """Start a fast run of recursive approximation on the sample.

    ``settings`` differ from those of the preset 'fast'.
    """
    chosen = settings_of(
        METHOD, preset_name="fast", ndim=2, values={**CLEAN, **(settings or {})}
    )
    run, _ = start_run(project, METHOD, chosen.model_dump(), seed=seed, device=device)
    return run, train(project, run)


def finish_demo(
    project: Project, run: RunFolder, sample: SampleFiles, folder: Path, *, device: str
) -> DemoResult:
    """Predict, evaluate on the held-out tiles, draw the picture, export the model."""
    model = load_model(run, device=device)
    for outcome in predict_project(project, model, images=project.images):
        if outcome.error is not None:
            raise ImageError(outcome.error)
    masks = sample.masks[0].parent
    evaluation = evaluate_project(project, run.path.name, masks, split="test")
    weak = [e for e in project.images if project.annotation(e).has_partial]
    shown = sorted(weak, key=lambda e: abs(0.5 - _share(masks / e.name)))[:N_SHOWN]
    picture = folder / "growth.png"
    predictions = project.path / "predictions" / run.path.name
    save_picture(
        picture,
        [
            growth_panels(project, run, e.id, load_prediction(predictions / e.id))
            for e in sorted(shown, key=lambda e: e.id)
        ],
    )
    exported = export_model(project, run.path.name, folder / "glands-model")
    return DemoResult(
        project=project.path, picture=picture, model=exported, evaluation=evaluation
    )


def _share(mask: Path) -> float:
    """Share of a tile that is epithelium; half of it shows growth best."""
    return float((tifffile.imread(mask) > 0).mean())
