"""Stand-ins for what the Annotate page is given, and a project to show."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from psygnal import Signal
from qtpy.QtCore import QObject
from qtpy.QtCore import Signal as QtSignal

from napari_mtseg.domain.annotation import (
    Annotation,
    CompleteRegion,
    ObjectMasks,
    Tags,
    empty_annotation,
)
from napari_mtseg.gui.commands import CommandResult
from napari_mtseg.gui.painted_image import PaintCounts
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.project import Project
from tests.tiny_projects import disc_project

NOTHING = PaintCounts(n_partial=0, n_strokes=0, n_full=0)


class FakeEditing:
    """Keeps the annotation of the current image without layers."""

    changed = Signal()

    def __init__(self, state: WindowState) -> None:
        self._state = state
        self.tags = Tags()
        self.complete = CompleteRegion()
        self.counts = NOTHING
        self.hint = ""
        self.is_in_parts = False
        self.replaced: list[Annotation] = []
        self.said: list[str] = []
        self.saves = True
        state.events.image_id.connect(self._show)

    @property
    def annotation(self) -> Annotation | None:
        entry = self._state.entry
        return None if entry is None else empty_annotation(entry.spatial_shape)

    def set_tags(self, tags: Tags) -> None:
        self.tags = tags
        self.changed.emit()

    def set_complete(self, region: CompleteRegion) -> None:
        self.complete = region
        self.changed.emit()

    def paint(self, **counts: Any) -> None:
        self.counts = replace(self.counts, **counts)
        self.changed.emit()

    def replace_annotation(self, annotation: Annotation) -> None:
        self.replaced.append(annotation)
        self.tags, self.complete = annotation.tags, annotation.complete
        self.counts = NOTHING
        self.changed.emit()

    def take_brush(self):
        self.said.append("take_brush")

    def flush(self) -> bool:
        self.said.append("flush")
        return self.saves

    def apply_classes(self) -> None:
        self.said.append("apply_classes")

    def _show(self) -> None:
        self.tags, self.complete, self.counts = Tags(), CompleteRegion(), NOTHING
        self.changed.emit()


class FakeTrainer(QObject):
    """Counts the questions; answers only when told."""

    prepared = QtSignal()
    readiness_changed = QtSignal(object)

    def __init__(self) -> None:
        super().__init__()
        self.n_asked = 0

    def ask_readiness(self) -> None:
        self.n_asked += 1


class FakeCommands:
    """Keeps the arguments, and ends the command when told."""

    def __init__(self) -> None:
        self.args: list[str] = []

    def run(self, args, on_end, on_line=None):
        self.args, self._on_end = list(args), on_end
        return self

    def stop(self) -> None:
        raise AssertionError("nobody stops it here")

    def end(self, code: int = 0, report=None, sentence: str = ""):
        stdout = "" if report is None else json.dumps(report)
        self._on_end(CommandResult(code=code, stdout=stdout, sentence=sentence))


def opened(folder: Path, *, classes: int = 2, ndim: int = 2) -> WindowState:
    """Return the state of a window in which a tiny project is open."""
    project = class_project(folder, classes=classes, ndim=ndim)
    state = WindowState()
    state.open_project(project.path)
    return state


def class_project(folder: Path, *, classes: int, ndim: int = 2) -> Project:
    """Make a project of three unpainted images and some classes."""
    project = disc_project(folder, ndim=ndim, painted=False)
    names = ["nucleus", "debris", *(f"kind {n}" for n in range(3, classes + 1))]
    colours = ["#e69f00", "#56b4e9", "#009e73"]
    listed = [
        {"name": name, "colour": colours[n % 3]}
        for n, name in enumerate(names[:classes])
    ]
    file = project.path / "project.json"
    info = json.loads(file.read_text())
    file.write_text(json.dumps({**info, "classes": listed}))
    return Project.open(project.path)


def painted(shape: tuple[int, ...], n_class: int) -> Annotation:
    """Return an annotation with one partial mask."""
    objects = np.zeros(shape, np.uint32)
    objects[..., 2:6, 2:6] = 1
    masks = ObjectMasks(objects=objects, class_of={1: n_class})
    return replace(empty_annotation(shape), partial=masks)
