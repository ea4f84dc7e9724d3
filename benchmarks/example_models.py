"""Make the example models in models/ again.

    OMP_NUM_THREADS=1 python -m benchmarks.example_models --data DATA
    OMP_NUM_THREADS=1 python -m benchmarks.example_models --data DATA --only blobs3d

DATA holds the folders dsb2018 and hc18; blobs3d is made of generated volumes and needs
none. Each model takes five to ten minutes of one core. A training that was stopped
goes on where it was, and one that is done is not repeated, if --work is the same.
"""

import argparse
import shutil
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import tifffile

from benchmarks.example_cards import extended_card
from benchmarks.example_projects import ExampleProject, example_project
from benchmarks.example_recipes import RECIPES, Recipe
from napari_mtseg.methods.catalog import settings_of
from napari_mtseg.storage.example_models import EXPECTED_CLASSES, SAMPLE_IMAGE
from napari_mtseg.storage.image_files import open_image
from napari_mtseg.storage.model_folder import CARD_FILE
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import RunFolder, find_run, runs_of
from napari_mtseg.workflows.evaluate import evaluate_project
from napari_mtseg.workflows.export import export_model
from napari_mtseg.workflows.predict import load_model
from napari_mtseg.workflows.predict_images import images_of_split, predict_project
from napari_mtseg.workflows.runs import start_run
from napari_mtseg.workflows.scores import Evaluation
from napari_mtseg.workflows.train import train


def main(words: Sequence[str] | None = None) -> None:
    """Train the models that were asked for and write their folders."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--only", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--work", type=Path, default=Path("benchmark-results/models"))
    parser.add_argument("--out", type=Path, default=Path("models"))
    chosen = parser.parse_args(words)
    for name in chosen.only:
        recipe = RECIPES[name]
        made = example_project(recipe.data_set, chosen.data, chosen.work / name)
        run = trained(recipe, made)
        folder = published(chosen.out / name, recipe, run, evaluated(made, run))
        sys.stdout.write(f"{folder}\n{(folder / CARD_FILE).read_text()}\n")


def trained(recipe: Recipe, made: ExampleProject) -> RunFolder:
    """Train a model, or go on where an earlier call was stopped."""
    project = made.project
    if runs_of(project.path):
        run = find_run(project.path, None)
    else:
        settings = settings_of(
            recipe.method,
            preset_name="fast",
            variant=recipe.variant,
            ndim=len(project.images[0].spacing),
            values=recipe.settings,
        )
        run, _ = start_run(
            project, recipe.method, settings.model_dump(), seed=0, device="cpu"
        )
    if not run.has_finished:
        deque(train(project, run), maxlen=0)
    return run


def evaluated(made: ExampleProject, run: RunFolder) -> Evaluation:
    """Score a run on the test images, which took no part in it."""
    model = load_model(run, device="cpu")
    images = images_of_split(made.project, "test")
    deque(predict_project(made.project, model, images=images), maxlen=0)
    return evaluate_project(
        made.project, run.path.name, made.test_masks, values=made.values
    )


def published(folder: Path, recipe: Recipe, run: RunFolder, scores: Evaluation) -> Path:
    """Write a model's folder, with an image to try it and what it finds there."""
    shutil.rmtree(folder, ignore_errors=True)
    export_model(Project.open(run.path.parents[1]), run.path.name, folder)
    recipe.write_sample(folder / SAMPLE_IMAGE)
    found = load_model(folder, device="cpu").predict_image(
        open_image(folder / SAMPLE_IMAGE)
    )
    tifffile.imwrite(
        folder / EXPECTED_CLASSES,
        found.classes,
        photometric="minisblack",
        compression="zlib",
    )
    card = folder / CARD_FILE
    n_found = int(found.instances.max())
    text = extended_card(card.read_text(), recipe, scores, n_found=n_found)
    card.write_text(text)
    return folder


if __name__ == "__main__":
    main()
