"""A form made from any settings: the simple ones first, then all the others.

In each part stand those of the method before those of every training, as in the shell.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.domain.settings import Settings, describe
from napari_mtseg.domain.training_settings import TrainingSettings
from napari_mtseg.gui.fold import Fold
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.setting_controls import SettingControl, title, tooltip

CHANGED = "● "
"""sign before the name of a setting that differs from the preset"""
OWN = "Of this method:"
SHARED = "Of training, the same for every method:"


class SettingsForm(QWidget):
    """Shows the settings of a model and tells which differ from a preset.

    Parameters
    ----------
    model : type of Settings
        Its fields become controls, its limits their ranges.
    """

    changed = Signal()
    """the user changed a value"""

    def __init__(self, model: type[Settings], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        found = sorted(describe(model), key=lambda about: _is_shared(about.name))
        self._controls = [SettingControl(about, self) for about in found]
        self._labels: dict[str, QLabel] = {}
        self._preset: dict[str, Any] = {}
        self._problem = SentenceLabel(parent=self)
        self._problem.setObjectName("settings_problem")
        self._back = QPushButton("Back to the preset")
        self._back.setObjectName("settings_back")
        self._back.clicked.connect(self._forget_changes)
        simple = [c for c in self._controls if c.about.simple]
        others = [c for c in self._controls if not c.about.simple]
        self._more = Fold(
            f"All settings ({len(others)} more)",
            self._rows_in_two_parts(others),
            tooltip="Every other setting of this method.",
        )
        self._more.heading.setObjectName("all_settings")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self._rows(simple), self._problem, self._back, self._more):
            layout.addWidget(widget)
        self._more.setVisible(bool(others))
        for control in self._controls:
            control.changed.connect(self._tell)
        self.start_from({})

    @property
    def problem(self) -> str:
        """The sentence that says which value cannot be used; '' if all can."""
        return self._problem.sentence

    def values(self) -> dict[str, Any]:
        """Return what differs from the preset.

        Returns
        -------
        dict
            Name -> value, as ``settings_of`` of the catalog takes them.
        """
        shown = {c.about.name: c.value for c in self._controls}
        return {k: v for k, v in shown.items() if v != self._preset[k]}

    def start_from(self, preset: Mapping[str, Any]) -> None:
        """Show a preset; ``values`` tells from now on what differs from it.

        Parameters
        ----------
        preset : mapping
            What differs from the defaults; values that are allowed.
        """
        defaults = {c.about.name: c.about.default for c in self._controls}
        self._preset = {**defaults, **preset}
        self.show_values({})

    def show_values(self, values: Mapping[str, Any]) -> None:
        """Show the preset with some values replaced.

        Raises
        ------
        SettingsError
            If a name or value is not allowed; the form stays as it was.
        """
        checked = self._model.checked({**self._preset, **values})
        for control in self._controls:
            control.show_value(getattr(checked, control.about.name))
        self._refresh()

    def _rows_in_two_parts(self, controls: Sequence[SettingControl]) -> QWidget:
        own = [c for c in controls if not _is_shared(c.about.name)]
        shared = [c for c in controls if _is_shared(c.about.name)]
        if not own or not shared:
            return self._rows(controls)
        both = QWidget(self)
        layout = QVBoxLayout(both)
        layout.setContentsMargins(0, 0, 0, 0)
        for words, part in ((OWN, own), (SHARED, shared)):
            layout.addWidget(SentenceLabel(words, parent=both))
            layout.addWidget(self._rows(part))
        return both

    def _rows(self, controls: Sequence[SettingControl]) -> QWidget:
        rows = QWidget(self)
        layout = QFormLayout(rows)
        layout.setContentsMargins(8, 0, 0, 0)
        layout.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for control in controls:
            label = QLabel(title(control.about))
            label.setBuddy(control.widget)
            self._labels[control.about.name] = label
            layout.addRow(label, control.widget)
        return rows

    def _tell(self) -> None:
        self._refresh()
        self.changed.emit()

    def _forget_changes(self) -> None:
        self.show_values({})
        self.changed.emit()

    def _refresh(self) -> None:
        changed = self.values()
        self._check(changed)
        for control in self._controls:
            name, about = control.about.name, control.about
            sign = CHANGED if name in changed else ""
            self._labels[name].setText(sign + title(about))
            text = tooltip(about, self._preset[name])
            if sign:
                text = f"{text}\n{CHANGED}differs from the preset"
            self._labels[name].setToolTip(text)
            control.widget.setToolTip(text)
        self._back.setEnabled(bool(changed))
        self._back.setToolTip(
            f"Sets the {len(changed)} changed settings ({CHANGED.strip()}) back."
            if changed
            else "Nothing differs from the preset."
        )

    def _check(self, changed: Mapping[str, Any]) -> None:
        try:
            self._model.checked({**self._preset, **changed})
        except SettingsError as error:
            self._problem.say(str(error), "problem")
        else:
            self._problem.say("")


def _is_shared(name: str) -> bool:
    """Tell whether every method has this setting."""
    return name in TrainingSettings.model_fields
