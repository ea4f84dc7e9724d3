"""What segments images: a run of the open project, or an exported model."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_mtseg.gui.paths_field import PathsField
from napari_mtseg.gui.run_choice import RunChoice, trained_runs
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.locks import is_locked

EXPORTED = "An exported model"
_NO_RUN_ID = ""
"""stands in the box for an exported model"""


class SourceChoice(QWidget):
    """A box of runs, in step with ``state.run_id``, and a line for a model's path."""

    changed = Signal()

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._runs = RunChoice("segment_run", self)
        self._runs.setAccessibleName("Run or model")
        self._runs.setToolTip(
            "Training run whose best weights segment the images, or an exported model"
        )
        self._model = PathsField(
            "segment_model",
            "Folder or file of the exported model",
            files="File…",
            parent=self,
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._runs)
        column.addWidget(self._model)
        self._runs.activated.connect(self._choose)
        self._model.edit.textChanged.connect(self.changed)
        state.events.run_id.connect(self.list_runs)
        state.runs_changed.connect(self.list_runs)
        self.list_runs()

    @property
    def has_runs(self) -> bool:
        """Whether the open project has a run with weights."""
        return self._runs.count() > 1

    @property
    def source(self) -> tuple[str, str]:
        """Path of the project and the run; or path of the model and ''."""
        project, run = self._state.project, self._runs.run_id
        if run and project is not None:
            return str(project.path), run
        return str(self._model.paths[0]) if self._model.paths else "", ""

    @property
    def obstacle(self) -> str:
        """Why nothing can be segmented with it, or ''."""
        project, run = self._state.project, self._runs.run_id
        if run and project is not None:
            if is_locked(project.path / "runs" / run):
                return (
                    "This run is training. Wait until it has ended, or choose another."
                )
            return ""
        models = self._model.paths
        if not models:
            return "Choose the exported model."
        if len(models) > 1 or not models[0].is_absolute() or not models[0].exists():
            return f"There is no model '{self._model.edit.text()}'. Choose another one."
        return ""

    def list_runs(self) -> None:
        """Offer the runs of the open project; an exported model stays chosen."""
        project = self._state.project
        wants_model = self.has_runs or bool(self._model.paths)
        is_model = self._runs.run_id == _NO_RUN_ID and wants_model
        runs = trained_runs(project.path) if project else []
        self._runs.list_runs(runs, self._state.run_id)
        self._runs.addItem(EXPORTED, _NO_RUN_ID)
        if is_model or not runs:
            self._runs.setCurrentIndex(self._runs.count() - 1)
        self._show()

    def show_source(self, source: str, run: str) -> None:
        """Choose a run, or the model at ``source`` where ``run`` is ''."""
        place = self._runs.findData(run)
        if place >= 0:
            self._runs.setCurrentIndex(place)
            if not run:
                self._model.show_paths((source,))
            self._show()

    def _choose(self) -> None:
        run = self._runs.run_id
        if run:
            self._state.run_id = run
        self._show()

    def _show(self) -> None:
        self._model.setVisible(not self._runs.run_id)
        self.changed.emit()
