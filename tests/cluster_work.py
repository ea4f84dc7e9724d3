"""What tests let the workers of a cluster do: functions and values that can be sent."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np

from napari_mtseg.domain.errors import ImageError
from napari_mtseg.storage.image_files import open_image
from napari_mtseg.workflows.predict import Model
from napari_mtseg.workflows.task_runner import ModelSource


@dataclass(frozen=True, kw_only=True)
class CountedSource(ModelSource):
    """A model that leaves a note each time it is loaded."""

    notes: Path

    def load(self) -> Model:
        (self.notes / f"{os.getpid()}-{uuid4().hex}").touch()
        return super().load()


@dataclass(frozen=True)
class ImageTask:
    """An image to predict, and where to note the process that does."""

    image: Path
    notes: Path
    seconds: float = 0.0
    """to wait, so that a worker can be killed meanwhile"""


def classes_of(model: Model, task: ImageTask) -> np.ndarray:
    (task.notes / f"{task.image.stem}-{os.getpid()}").touch()
    time.sleep(task.seconds)
    return model.predict_image(open_image(task.image)).classes


def process_of(_model: Model, _task: int) -> int:
    time.sleep(0.02)
    return os.getpid()


def refused_third(_model: Model, task: int) -> int:
    if task == 3:
        raise ImageError("Image 3 is empty. Choose another one.")
    return task


def broken_third(_model: Model, task: int) -> int:
    if task == 3:
        raise KeyError("a bug")
    return task


def deadly_third(_model: Model, task: int) -> int:
    if task == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return task
