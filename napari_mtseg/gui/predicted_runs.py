"""Which runs have predictions."""

import os
from pathlib import Path

from napari_mtseg.storage.prediction_files import has_prediction
from napari_mtseg.storage.run_folder import runs_of


def has_predictions(folder: Path) -> bool:
    """Return True if there is a whole prediction in ``predictions/RUN``."""
    try:
        # Not glob: it would list all images before the first is looked at.
        with os.scandir(folder) as found:
            return any(has_prediction(Path(each.path)) for each in found)
    except OSError:
        return False


def earlier_runs(project: Path, run_id: str) -> list[str]:
    """Return the runs before this one that have predictions, newest first."""
    return [
        run.path.name
        for run in reversed(runs_of(project))
        if run.path.name < run_id
        and has_predictions(project / "predictions" / run.path.name)
    ]
