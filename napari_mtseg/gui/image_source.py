"""Where the images of a new project come from: a folder, or open layers."""

from pathlib import Path

from napari.components import ViewerModel
from napari.layers import Image as ImageLayer
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QGridLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QRadioButton,
    QWidget,
)

from napari_mtseg.gui.layer_files import image_layers
from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.storage.image_files import list_image_files

NO_FOLDER = "Choose the folder that holds the images."

_NO_LAYERS = "No image is open in napari."
_LIST_HEIGHT = 90


class ImageSource(QWidget):
    """Lets the user choose a folder of images, or layers of the viewer.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Its image layers can be chosen.
    parent : QWidget, optional
        Qt parent.
    """

    changed = Signal()
    """another folder or other layers were chosen, or the folder was looked at"""

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._reason = ""
        self._look = NewestAnswer(self)
        self._look.answered.connect(self._show_found)
        self._look.refused.connect(self._show_refused)
        self._build()
        viewer.layers.events.inserted.connect(self._list_layers)
        viewer.layers.events.removed.connect(self._list_layers)
        self._list_layers()

    @property
    def folder(self) -> Path | None:
        """The folder that is chosen; None if layers are, or nothing is yet."""
        text = self._path.text().strip()
        is_folder = self._from_folder.isChecked() and bool(text)
        return Path(text).expanduser() if is_folder else None

    @property
    def layers(self) -> tuple[ImageLayer, ...]:
        """The layers that are chosen; none if a folder is."""
        if self._from_folder.isChecked():
            return ()
        items = [self._names.item(row) for row in range(self._names.count())]
        return tuple(
            layer
            for layer, item in zip(image_layers(self._viewer), items, strict=False)
            if item.checkState() == Qt.CheckState.Checked
        )

    @property
    def problem(self) -> str:
        """Why no project can be made of the choice; '' if one can."""
        if not self._from_folder.isChecked():
            return "" if self.layers else "Choose at least one layer."
        if self.folder is None:
            return NO_FOLDER
        return self._reason

    def set_folder(self, folder: Path) -> None:
        """Choose a folder."""
        self._from_folder.setChecked(True)
        self._path.setText(str(folder))

    def _build(self) -> None:
        self._from_folder = QRadioButton("Images of a folder")
        self._from_folder.setObjectName("from_folder")
        self._from_folder.setToolTip("Every image file directly in one folder.")
        self._from_folder.setChecked(True)
        self._from_layers = QRadioButton("Images open in napari")
        self._from_layers.setObjectName("from_layers")
        self._path = QLineEdit()
        self._path.setObjectName("images_folder")
        self._path.setPlaceholderText("Folder of images")
        self._path.setToolTip(
            "Folder with TIFF, OME-Zarr, PNG, JPEG, NIfTI or other image files."
        )
        self._browse = QPushButton("Browse…")
        self._browse.setObjectName("browse_images")
        self._browse.setToolTip("Choose the folder of images.")
        self._found = SentenceLabel()
        self._found.setObjectName("images_found")
        self._names = QListWidget()
        self._names.setObjectName("layer_names")
        self._names.setMaximumHeight(_LIST_HEIGHT)
        off = Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        self._names.setHorizontalScrollBarPolicy(off)
        self._names.setToolTip("Layers that become images of the project, as copies.")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self._from_folder, 0, 0, 1, 2)
        grid.addWidget(self._path, 1, 0)
        grid.addWidget(self._browse, 1, 1)
        grid.addWidget(self._found, 2, 0, 1, 2)
        grid.addWidget(self._from_layers, 3, 0, 1, 2)
        grid.addWidget(self._names, 4, 0, 1, 2)
        self._browse.clicked.connect(self._ask)
        self._path.textChanged.connect(self._look_at_folder)
        self._names.itemChanged.connect(lambda _: self.changed.emit())
        self._from_folder.toggled.connect(self._switch)

    def _switch(self) -> None:
        is_folder = self._from_folder.isChecked()
        for widget in (self._path, self._browse):
            widget.setVisible(is_folder)
        self._found.setVisible(is_folder and bool(self._found.sentence))
        self._names.setVisible(not is_folder)
        self.changed.emit()

    def _list_layers(self) -> None:
        layers = image_layers(self._viewer)
        self._names.blockSignals(True)
        self._names.clear()
        for layer in layers:
            item = QListWidgetItem(layer.name, self._names)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked)
        self._names.blockSignals(False)
        self._from_layers.setEnabled(bool(layers))
        self._from_layers.setToolTip(
            "Copies of these layers become the project's images."
            if layers
            else f"{_NO_LAYERS} Open one first, or choose a folder."
        )
        if not layers:
            self._from_folder.setChecked(True)
        self._switch()

    def _look_at_folder(self) -> None:
        """Count the images in a thread: a folder may be large, or far away."""
        folder = self.folder
        self._found.say("")
        if folder is None:
            self._look.drop()
        else:
            self._reason = "Looking at the folder…"
            self._look.ask(lambda: (folder, list_image_files(folder)))
        self.changed.emit()

    def _show_found(self, answer: tuple[Path, list[Path]]) -> None:
        folder, files = answer
        if not files:
            self._show_refused(
                f"No images in '{folder.name}'. Choose the folder that holds the image "
                "files themselves."
            )
            return
        n = len(files)
        self._reason = ""
        self._found.say(f"{n} image{'s' * (n != 1)}, such as {files[0].name}.", "ok")
        self.changed.emit()

    def _show_refused(self, sentence: str) -> None:
        self._reason = sentence
        self._found.say(sentence, "problem")
        self.changed.emit()

    def _ask(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder of images")
        if folder:
            self.set_folder(Path(folder))
