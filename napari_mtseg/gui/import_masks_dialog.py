"""The form that asks which masks to import, and as what."""

from collections.abc import Mapping
from pathlib import Path

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_mtseg.gui.import_masks import ImportRequest, is_export
from napari_mtseg.gui.sentence_label import SentenceLabel

KINDS = {
    "full": "Full masks: exact objects of whole images",
    "partial": "Partial masks: rough inner parts",
    "scribble": "Scribbles: strokes with their codes",
}
VALUES = {
    "objects": "Each value is an object (of class 1)",
    "classes": "Each value is a class",
}


class ImportMasksDialog(QDialog):
    """Asks which masks to read, and as what.

    Parameters
    ----------
    folder : Path
        Where the file dialogs begin.
    parent : QWidget, optional
        Qt parent.
    """

    def __init__(self, folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Import masks")
        self.setMinimumWidth(480)
        self._folder = folder
        self._source = QLineEdit()
        self._source.setObjectName("import_source")
        self._source.setPlaceholderText("A label image, or a folder of them")
        self._source.setToolTip(
            "Files are matched to the images by name, up to an ending such as _mask."
        )
        self._source.textChanged.connect(self._check)
        self._kind = _combo("import_kind", KINDS, "What the masks show.")
        self._kind.currentIndexChanged.connect(self._check)
        self._values = _combo("import_values", VALUES, "")
        self._overwrite = QCheckBox("Replace what is painted already")
        self._overwrite.setObjectName("import_overwrite")
        self._overwrite.setToolTip(
            "Without it, images with paint of the same kind keep theirs."
        )
        self._sentence = SentenceLabel(parent=self)
        standard = QDialogButtonBox.StandardButton
        self._buttons = QDialogButtonBox(standard.Ok | standard.Cancel)
        self._import = self._buttons.button(standard.Ok)
        self._import.setText("Import")
        self._import.setObjectName("import_start")
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        self._arrange()
        self._check()

    def _arrange(self) -> None:
        file, folder = QPushButton("File…"), QPushButton("Folder…")
        file.setToolTip("Choose one label image.")
        folder.setToolTip("Choose a folder of label images.")
        file.clicked.connect(lambda: self._choose_file())
        folder.clicked.connect(lambda: self._choose_folder())
        row = QHBoxLayout()
        for part in (self._source, file, folder):
            row.addWidget(part)
        form = QFormLayout()
        form.addRow("Masks", row)
        form.addRow("They are", self._kind)
        form.addRow("Values", self._values)
        form.addRow("", self._overwrite)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self._sentence)
        layout.addWidget(self._buttons)

    @property
    def request(self) -> ImportRequest:
        """What was entered."""
        return ImportRequest(
            source=Path(self._source.text().strip()).expanduser(),
            kind=self._kind.currentData(),
            values=self._values.currentData(),
            overwrite=self._overwrite.isChecked(),
        )

    def _check(self) -> None:
        source, typed = self.request.source, self._source.text().strip()
        exists, exported = bool(typed) and source.exists(), is_export(source)
        self._import.setEnabled(exists)
        self._import.setToolTip(
            "Read the masks into the project."
            if exists
            else "Choose a label image or a folder first."
        )
        if typed and not exists:
            self._sentence.say(f"'{typed}' does not exist.", "note")
        elif exported:
            self._sentence.say(
                "Labels exported from a project: they say themselves what they are."
            )
        else:
            self._sentence.say(_explanation(self.request.kind))
        has_values = self.request.kind != "scribble" and not exported
        self._kind.setEnabled(not exported)
        self._values.setEnabled(has_values)
        self._values.setToolTip(
            "What a pixel's value stands for."
            if has_values
            else "The values of these masks are known."
        )

    def _choose_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Label image", str(self._folder))
        if path:
            self._source.setText(path)

    def _choose_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(
            self, "Folder of label images", str(self._folder)
        )
        if path:
            self._source.setText(path)


def _explanation(kind: str) -> str:
    if kind == "full":
        return "The whole of each image that gets one is marked complete."
    if kind == "partial":
        return "What is not covered by a mask stays unknown."
    return "Values: 0 unpainted, 1 background, 2 separator, 3 and up the classes."


def _combo(name: str, items: Mapping[str, str], tooltip: str) -> QComboBox:
    combo = QComboBox()
    combo.setObjectName(name)
    combo.setToolTip(tooltip)
    for key, text in items.items():
        combo.addItem(text, key)
    return combo
