"""What a training writes into its run folder; nothing in processes beside the lead."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from napari_mtseg.domain.events import Event, TrainingFailed, TrainingFinished
from napari_mtseg.storage.checkpoint import save_checkpoint
from napari_mtseg.storage.run_folder import RunFolder
from napari_mtseg.storage.write import write_json
from napari_mtseg.workflows.processes import is_lead


class RunWriter:
    """Writes events, checkpoints, previews and metrics of one run."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run

    def append(self, event: Event) -> None:
        """Append an event to the run's record."""
        if is_lead():
            self._run.append(event)

    def forget_after(self, step: int) -> None:
        """Take back the events that came after ``step``: they happen again."""
        if is_lead():
            self._run.rewrite_events(_until(self._run.events(), step))

    def save(
        self, name: str, tensors: Mapping[str, Tensor], state: Mapping[str, Any]
    ) -> str:
        """Save the 'last' or 'best' checkpoint; return its name in the run folder."""
        path = self._run.checkpoint(name)
        if is_lead():
            save_checkpoint(path, tensors, state)
        return path.relative_to(self._run.path).as_posix()

    def save_preview(self, image_id: str, maps: Mapping[str, NDArray[Any]]) -> str:
        """Save maps of the current image; return the file's name in the run folder."""
        return self._run.save_preview(image_id, maps)

    def save_metrics(
        self, *, reason: str, step: int, metrics: dict[str, float]
    ) -> None:
        """Write down how the run ended."""
        if is_lead():
            write_json(
                self._run.path / "metrics.json",
                {"reason": reason, "step": step, "metrics": metrics},
            )


def _until(events: tuple[Event, ...], step: int) -> list[Event]:
    ends = (TrainingFinished, TrainingFailed)
    return [
        event
        for event in events
        if step > 0
        and getattr(event, "step", 0) <= step
        and not isinstance(event, ends)
    ]
