"""Where the tasks of a prediction are done: in this process, or by several workers.

A task is a small value, such as a file or a block of an image. Whoever has many gives
them to a :class:`TaskRunner` together with a function of a model and a task; the model
is loaded once per worker.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from napari_mtseg.storage.run_folder import RunFolder
from napari_mtseg.workflows.predict import Model, load_model
from napari_mtseg.workflows.uncertainty_source import (
    FROM_ONE_PASS,
    UncertaintySource,
)

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class ModelSource:
    """What a worker needs to load a model: small, hashable, and can be sent."""

    path: Path
    """model folder or zip, or the folder of a run"""
    is_run: bool = False
    """True of a run, whose best weights are meant"""
    device: str = "auto"
    """'auto', 'cpu', 'cuda' or 'mps'"""
    memory: float | None = None
    """GiB that the network may take for one window; the model's own by default"""
    uncertainty: UncertaintySource = FROM_ONE_PASS
    """what the uncertainty is computed from"""

    def load(self) -> Model:
        """Load the model.

        Raises
        ------
        ModelError, RunError, SettingsError
            As :func:`~napari_mtseg.workflows.predict.load_model`.
        """
        return load_model(
            RunFolder(self.path) if self.is_run else self.path,
            device=self.device,
            memory=self.memory,
            uncertainty=self.uncertainty,
        )


class TaskRunner(Protocol):
    """Does tasks with a model, somewhere."""

    def run(
        self,
        work: Callable[[Model, Task], Result],
        tasks: Iterable[Task],
        source: ModelSource,
    ) -> Iterator[tuple[Task, Result]]:
        """Yield each task with its result as it is done, in any order.

        Parameters
        ----------
        work : callable
            A function of a module, so that it can be sent; does one task. Doing a task
            twice must do no harm: what a lost worker had in hand is done again.
        tasks : iterable
            Small values that can be sent.
        source : ModelSource
            The model that ``work`` gets.

        Raises
        ------
        LostTaskError
            When the others are done, if a task ends every worker that begins it.
        MtsegError
            What ``work`` raises; tasks that have not begun are dropped.
        """
        ...


class InThisProcess:
    """Does one task after the other, here.

    Parameters
    ----------
    model : Model, optional
        Used in place of loading one.
    """

    def __init__(self, model: Model | None = None) -> None:
        self._model = model

    def run(
        self,
        work: Callable[[Model, Task], Result],
        tasks: Iterable[Task],
        source: ModelSource,
    ) -> Iterator[tuple[Task, Result]]:
        """Yield each task with its result, in order."""
        model = self._model or source.load()
        for task in tasks:
            yield task, work(model, task)
