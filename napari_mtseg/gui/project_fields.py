"""What a new project is asked: name, place, classes, colours, copies."""

from pathlib import Path
from typing import get_args

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_mtseg.domain.project import Colour
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.storage.project_names import with_suffix

_COLOURS: dict[Colour, tuple[str, str]] = {
    "as_is": ("as they are", "All images must have the same channels."),
    "grey": ("grey", "Colour images are read as grey, so both kinds can be mixed."),
    "rgb": ("colour", "Grey images are read as colour, so both kinds can be mixed."),
}
_COPY_TIP = (
    "Copy the image files into the project folder. Otherwise the project refers to "
    "them where they are, and they must stay there."
)
_COPY_ALWAYS = "Layers are always copied: they have no file that can be referred to."


class ProjectFields(QWidget):
    """The fields of the form that makes a project."""

    changed = Signal()
    """another answer was given"""
    confirmed = Signal()
    """Enter was pressed in a field"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._build()
        for line in (self._name, self._place, self._classes):
            line.textChanged.connect(self.changed)
            line.returnPressed.connect(self.confirmed)
        self._colour.currentIndexChanged.connect(self._explain)
        self._browse.clicked.connect(self._ask_place)
        self._explain()

    @property
    def project_path(self) -> Path:
        """Folder of the project that is made."""
        place = Path(self._place.text().strip()).expanduser()
        return with_suffix(place / (self._name.text().strip() or "project"))

    @property
    def problem(self) -> str:
        """Sentence that says which answer is missing; '' if none is."""
        name = self._name.text().strip()
        if not name or name != Path(name).name:
            return "Give the project a name that can be the name of a folder."
        if not self._place.text().strip():
            return "Choose the folder to put the project in."
        if not _words(self._classes.text()):
            return "Name at least one class, such as 'nucleus'."
        if self.project_path.exists():
            return (
                f"'{self.project_path.name}' is there already. Choose another name, or "
                "go back and open it."
            )
        return ""

    def suggest(self, *, name: str, place: Path) -> None:
        """Fill in what the user has not typed."""
        if not self._name.isModified():
            self._name.setText(name)
        if not self._place.isModified():
            self._place.setText(str(place))

    def forget(self) -> None:
        """Take suggestions again."""
        self._name.setText("")
        self._place.setText("")

    def demand_copies(self, is_demanded: bool) -> None:
        """Leave no choice where images have no files of their own."""
        self._copy.setEnabled(not is_demanded)
        self._copy.setToolTip(_COPY_ALWAYS if is_demanded else _COPY_TIP)

    def arguments(self) -> list[str]:
        """Return the options of `mtseg project new`."""
        colour = get_args(Colour)[self._colour.currentIndex()]
        classes = ",".join(_words(self._classes.text()))
        copied = self._copy.isChecked() or not self._copy.isEnabled()
        return ["--classes", classes, "--colour", colour, *["--copy"] * copied]

    def _build(self) -> None:
        self._name = _line("project_name", "Name of the project, and of its folder.")
        self._place = _line(
            "project_place", "Folder in which the project's own folder is made."
        )
        self._browse = QPushButton("Browse…")
        self._browse.setObjectName("browse_place")
        self._browse.setToolTip("Choose where the project is put.")
        place = QHBoxLayout()
        place.addWidget(self._place)
        place.addWidget(self._browse)
        self._classes = _line(
            "project_classes",
            "Names of what is segmented, separated by commas. More can be added later.",
        )
        self._classes.setText("object")
        self._colour = QComboBox()
        self._colour.setObjectName("project_colour")
        self._colour.setToolTip("How images of one and of three channels are read.")
        self._colour.addItems([text for text, _ in _COLOURS.values()])
        self._meaning = SentenceLabel()
        self._copy = QCheckBox("Keep copies in the project")
        self._copy.setObjectName("copy_images")
        self.demand_copies(False)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Name", self._name)
        form.addRow("Put it in", place)
        form.addRow("Classes", self._classes)
        form.addRow("Read images", self._colour)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(form)
        column.addWidget(self._meaning)
        column.addWidget(self._copy)

    def _explain(self) -> None:
        _, meaning = list(_COLOURS.values())[self._colour.currentIndex()]
        self._meaning.say(meaning)

    def _ask_place(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Where to put the project")
        if folder:
            self._place.setText(folder)
            self._place.setModified(True)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _line(name: str, tooltip: str) -> QLineEdit:
    line = QLineEdit()
    line.setObjectName(name)
    line.setToolTip(tooltip)
    return line
