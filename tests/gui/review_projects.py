"""Small projects with predictions, for tests of the Review page's triage."""

import numpy as np

from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.storage.prediction_files import save_prediction
from napari_mtseg.storage.run_folder import new_run_folder
from tests.tiny_projects import SIZE, disc_project

RUN_INFO = {
    "method": "baseline",
    "settings": {},
    "seed": 0,
    "device": "cpu",
    "versions": {},
}


def predicted_project(folder, doubts, **scores):
    """Make a project of one image per doubt, predicted by one run; return both.

    Parameters
    ----------
    folder : Path
        Where the project comes to lie.
    doubts : sequence of float
        Score 'boundary_entropy' of each image.
    scores : sequence of float
        Further scores of each image, by name.
    """
    project = disc_project(folder, n_images=len(doubts), full=0)
    run = new_run_folder(project.path, RUN_INFO)
    run.checkpoint("best").parent.mkdir()
    run.checkpoint("best").touch()
    for place, entry in enumerate(project.images):
        told = {name: values[place] for name, values in scores.items()}
        told["boundary_entropy"] = doubts[place]
        predict(project, run.path.name, entry, **told)
    return project, run.path.name


def predict(project, run, entry, **scores):
    """Save a prediction of one square."""
    objects = np.zeros((SIZE, SIZE), np.uint32)
    objects[4:16, 4:16] = 1
    inside = (objects > 0).astype(np.float16)
    made = Prediction(
        classes=(objects > 0).astype(np.uint8),
        probabilities=np.stack([1 - inside, inside]),
        instances=objects,
        class_of={1: 1},
        scores=scores,
    )
    folder = project.path / "predictions" / run / entry.id
    save_prediction(folder, made, spacing=(1, 1), unit="pixel")
