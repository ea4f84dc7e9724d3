"""What the next run starts from: new weights, an earlier run, or a model."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from napari.utils.notifications import show_warning
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QMenu,
    QSizePolicy,
    QWidget,
)

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.gui.named_widgets import named_button, row_of
from napari_mtseg.gui.run_records import RunRecord
from napari_mtseg.gui.usable_examples import usable_examples
from napari_mtseg.methods.catalog import CATALOG, network_settings
from napari_mtseg.storage.model_folder import read_model_info
from napari_mtseg.storage.model_info import ModelInfo

NEW = "New weights"
_TIP = (
    "Begin with new weights, with the weights and grown labels of an earlier run of "
    "this method, or with the weights of a model."
)
_BROWSE_TIP = "Choose another model to start from"


class StartChoice(QWidget):
    """A box of the runs of a method and of models, and a way to more models.

    Signals: ``changed()``; ``method_wanted(str)``, the key of the method of a model
    that was chosen where another method is set.
    """

    changed = Signal()
    method_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._method = ""
        self._ndim = 2
        self._records: tuple[RunRecord, ...] = ()
        self._models: dict[str, ModelInfo] = {}
        self._chosen: str | None = None
        self._build()
        self._models |= {str(path): info for path, info in usable_examples().items()}
        self._list()
        self.box.currentIndexChanged.connect(lambda _: self._take())

    @property
    def start(self) -> str | None:
        """Name of the run or path of the model to start from; None for new weights."""
        return self._chosen

    def settings(self) -> Mapping[str, Any]:
        """Return the settings that what is chosen needs; none for new weights."""
        if self._chosen in self._models:
            return network_settings(self._method, self._models[self._chosen].settings)
        for record in self._records:
            if record.id == self._chosen:
                return network_settings(self._method, record.settings)
        return {}

    def set_method(self, key: str) -> None:
        """Offer the runs of a method; a model of another one is chosen no more."""
        self._method = key
        self._list()

    def set_ndim(self, ndim: int) -> None:
        """Offer models for 2D or 3D images."""
        self._ndim = ndim
        self._list()

    def set_records(self, records: Iterable[RunRecord]) -> None:
        """Offer these runs."""
        self._records = tuple(records)
        self._list()

    def choose(self, start: str) -> None:
        """Choose a run or a model that is offered; new weights if it is not."""
        self.box.setCurrentIndex(max(self.box.findData(start), 0))

    def _build(self) -> None:
        self.box = QComboBox()
        self.box.setObjectName("start_from")
        self.box.setToolTip(_TIP)
        self.box.setMinimumContentsLength(6)
        # Else it would be as wide as its longest entry, and so would the page.
        shrinks = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        self.box.setSizeAdjustPolicy(shrinks)
        self.box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        browse = named_button("choose_start_model", "…", self)
        browse.setToolTip(_BROWSE_TIP)
        browse.setAccessibleName(_BROWSE_TIP)
        browse.setMaximumWidth(44)
        menu = QMenu(browse)
        folder, file = menu.addAction("Model folder…"), menu.addAction("Model file…")
        browse.setMenu(menu)
        row = row_of(self.box, browse)
        row.setContentsMargins(0, 0, 0, 0)
        self.setLayout(row)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        folder.triggered.connect(lambda: self._ask_for(folder=True))
        file.triggered.connect(lambda: self._ask_for(folder=False))
        self.setFocusProxy(self.box)

    def _list(self) -> None:
        self.box.blockSignals(True)
        self.box.clear()
        self.box.addItem(NEW, None)
        for record in self._records:
            if record.method == self._method and record.has_weights:
                self.box.addItem(f"Run of {record.created}", record.id)
        for path, info in self._models.items():
            if info.ndim == self._ndim:
                self.box.addItem(f"Model {info.name}", path)
        model = self._models.get(self._chosen or "")
        fits = model is None or model.method == self._method
        at = self.box.findData(self._chosen) if self._chosen and fits else 0
        self.box.setCurrentIndex(max(at, 0))
        self._chosen = self.box.currentData()
        self.box.blockSignals(False)

    def _take(self) -> None:
        """Take what was chosen; a model brings its method with it."""
        wanted = self.box.currentData()
        model = self._models.get(wanted or "")
        if model is not None and model.method != self._method:
            self.method_wanted.emit(model.method)
        self._chosen = wanted
        self._list()
        self.changed.emit()

    def _ask_for(self, *, folder: bool) -> None:
        title = "Model to start from"
        if folder:
            path = QFileDialog.getExistingDirectory(self, title)
        else:
            path, _ = QFileDialog.getOpenFileName(self, title, "", "Models (*.zip)")
        if not path:
            return
        try:
            info = read_model_info(Path(path))
        except MtsegError as error:
            show_warning(str(error))
            return
        if info.method not in CATALOG:
            show_warning(
                f"The model '{info.name}' is of the method '{info.method}', which this "
                "version of napari-mtseg does not know. Update napari-mtseg, or choose "
                "another model."
            )
            return
        if info.ndim != self._ndim:
            show_warning(
                f"The model '{info.name}' is for {info.ndim}D images but those of this "
                f"project are {self._ndim}D. Choose another model."
            )
            return
        self._models[path] = info
        self._list()
        self.choose(path)
