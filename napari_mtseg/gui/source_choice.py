"""What segments images: a run of the project, an example model, or an exported one."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_mtseg.gui.paths_field import PathsField
from napari_mtseg.gui.run_choice import RunChoice, trained_runs
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.usable_examples import usable_examples
from napari_mtseg.storage.example_models import in_one_line
from napari_mtseg.storage.locks import is_locked

EXPORTED = "An exported model"
_NO_RUN_ID = ""
"""stands in the box for an exported model; an example's stand-in is its path"""


class SourceChoice(QWidget):
    """A box of runs and models, and a line for a model's path.

    The run is in step with ``state.run_id``.
    """

    changed = Signal()
    chosen = Signal()
    """the user chose another one"""

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._examples = {str(path): i for path, i in usable_examples().items()}
        self._has_runs = False
        self._runs = RunChoice("segment_run", self)
        self._runs.setAccessibleName("Run or model")
        self._runs.setToolTip(
            "Training run whose best weights segment the images, an example model, or "
            "an exported model"
        )
        self._about = SentenceLabel("", "plain", self)
        self._about.setObjectName("segment_model_about")
        self._model = PathsField(
            "segment_model",
            "Folder or file of the exported model",
            files="File…",
            parent=self,
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._runs)
        column.addWidget(self._about)
        column.addWidget(self._model)
        self._runs.activated.connect(self._choose)
        self._model.edit.setPlaceholderText("Folder or file of the model")
        self._model.edit.textChanged.connect(self.changed)
        self._model.edit.textChanged.connect(self.chosen)
        state.events.run_id.connect(self._follow_run)
        state.runs_changed.connect(self.list_runs)
        self.list_runs()

    @property
    def is_touched(self) -> bool:
        """Whether the user said which model it shall be."""
        return bool(self._model.paths) or self._runs.run_id in self._examples

    @property
    def source(self) -> tuple[str, str]:
        """Path of the project and the run; or path of the model and ''."""
        project, run = self._state.project, self._runs.run_id
        if run in self._examples:
            return run, ""
        if run and project is not None:
            return str(project.path), run
        return str(self._model.paths[0]) if self._model.paths else "", ""

    @property
    def obstacle(self) -> str:
        """Why nothing can be segmented with it, or ''."""
        project, run = self._state.project, self._runs.run_id
        if run in self._examples:
            return ""
        if run and project is not None:
            if is_locked(project.path / "runs" / run):
                return (
                    "This run is training. Wait until it has ended, or choose another."
                )
            return ""
        models = self._model.paths
        if not models:
            has_none = project is not None and not self._has_runs
            untrained = "Nothing is trained yet. Choose a model." if has_none else ""
            return untrained or "Choose the exported model."
        if len(models) > 1 or not models[0].is_absolute() or not models[0].exists():
            return f"There is no model '{self._model.edit.text()}'. Choose another one."
        return ""

    def list_runs(self) -> None:
        """Offer the runs of the open project; a model stays chosen."""
        project, before = self._state.project, self._runs.run_id
        wants_exported = self._has_runs or bool(self._model.paths)
        is_model = before in self._examples or (before == _NO_RUN_ID and wants_exported)
        runs = trained_runs(project.path) if project else []
        self._runs.list_runs(runs, self._state.run_id)
        self._has_runs = bool(runs)
        for path, info in self._examples.items():
            title = f"Example model {info.name} ({info.ndim}D)"
            self._runs.addItem(title, path)
        self._runs.addItem(EXPORTED, _NO_RUN_ID)
        if is_model or not runs:
            wanted = before if is_model else _NO_RUN_ID
            self._runs.setCurrentIndex(self._runs.findData(wanted))
        self._show()

    def show_source(self, source: str, run: str) -> None:
        """Choose a run, or the model at ``source`` where ``run`` is ''."""
        is_example = source in self._examples
        place = self._runs.findData(source if is_example else run)
        if place >= 0:
            self._runs.setCurrentIndex(place)
            if not run and not is_example:
                self._model.show_paths((source,))
            self._show()

    def _follow_run(self) -> None:
        before = self._runs.run_id
        self.list_runs()
        if self._runs.run_id != before:
            self.chosen.emit()

    def _choose(self) -> None:
        run = self._runs.run_id
        if run and run not in self._examples:
            self._state.run_id = run
        self._show()
        self.chosen.emit()

    def _show(self) -> None:
        chosen = self._runs.run_id or ""
        self._model.setVisible(chosen == _NO_RUN_ID)
        example = self._examples.get(chosen)
        about = "" if example is None else f"It finds {in_one_line(example)}."
        self._about.say(about)
        self.changed.emit()
