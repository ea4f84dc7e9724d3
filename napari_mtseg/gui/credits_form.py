"""Who a shared model is by, and under which licence."""

from napari.utils.notifications import show_error
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QWidget

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.gui.named_widgets import named_line
from napari_mtseg.gui.window_settings import load_window_settings, remember_credits

LICENCES = {
    "CC-BY-4.0": "Anybody may use and change it and must name you",
    "CC0-1.0": "Anybody may use and change it",
    "MIT": "Anybody may use and change it; a short licence for software",
    "Apache-2.0": "As MIT, with a word on patents",
    "BSD-3-Clause": "As MIT; your name may not advertise what others make of it",
}
"""SPDX name -> what it allows"""


class CreditsForm:
    """Asks for authors and a licence, and remembers them for the next model.

    Its rows go into a form with others, so that all fields are in line.
    """

    def __init__(self, parent: QWidget) -> None:
        self.author = named_line(
            "model_author",
            "Who made the model; part several names by semicolons",
            parent,
        )
        self.author.setPlaceholderText("Your name; another name")
        self.licence = QComboBox(parent)
        self.licence.setObjectName("model_licence")
        self.licence.setEditable(True)
        self.licence.setToolTip(
            "What others may do with the model: choose one, or type another SPDX name; "
            "without a licence nobody else may use it"
        )
        for place, (name, allows) in enumerate(LICENCES.items()):
            self.licence.addItem(name)
            self.licence.setItemData(place, allows, Qt.ItemDataRole.ToolTipRole)
        line = self.licence.lineEdit()
        if line is not None:
            line.setPlaceholderText("None: for you alone")
        self._labels = QLabel("Author", parent), QLabel("Licence", parent)
        known = load_window_settings()
        self.author.setText(known.author)
        self.licence.setCurrentText(known.licence)

    def add_to(self, form: QFormLayout) -> None:
        """Add a row for each to a form."""
        fields = (self.author, self.licence)
        for label, field in zip(self._labels, fields, strict=True):
            label.setBuddy(field)
            form.addRow(label, field)

    def show_rows(self, *, is_shown: bool, is_enabled: bool) -> None:
        """Show the rows or hide them, and let them be changed or not."""
        for label in self._labels:
            label.setVisible(is_shown)
        for field in (self.author, self.licence):
            field.setVisible(is_shown)
            field.setEnabled(is_enabled)

    @property
    def authors(self) -> tuple[str, ...]:
        """The names that are given."""
        names = (name.strip() for name in self.author.text().split(";"))
        return tuple(name for name in names if name)

    @property
    def obstacle(self) -> str:
        """Why a model cannot be shared yet, or ''."""
        if not self.authors:
            return "Say who made the model: BioImage.IO wants an author."
        return ""

    def options(self) -> list[str]:
        """Return the options of `mtseg export` that say it."""
        words = [word for name in self.authors for word in ("--author", name)]
        licence = self.licence.currentText().strip()
        return [*words, "--license", licence] if licence else words

    def remember(self) -> None:
        """Keep both for the next model."""
        licence = self.licence.currentText().strip()
        try:
            remember_credits(self.author.text().strip(), licence)
        except MtsegError as error:
            show_error(str(error))
