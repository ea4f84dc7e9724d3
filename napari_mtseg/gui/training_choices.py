"""How to train a method: preset, variant, device, seed, start and settings."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QRadioButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.domain.settings import describe
from napari_mtseg.gui.fold import Fold
from napari_mtseg.gui.run_records import RunRecord
from napari_mtseg.gui.setting_controls import LARGEST
from napari_mtseg.gui.settings_form import SettingsForm
from napari_mtseg.gui.start_choice import StartChoice
from napari_mtseg.gui.trainer import TrainRequest
from napari_mtseg.methods.catalog import (
    PRESETS,
    preset,
    settings_model,
    settings_of,
    variants,
)

_PRESET_WORDS = {
    "fast": "A small network and few steps: minutes on two CPU cores.",
    "balanced": "A larger network and more steps: about an hour on two CPU cores.",
    "paper": "The paper's sizes and steps: meant for a GPU.",
}
_DEVICE_WORDS = {
    "auto": "Automatic",
    "cpu": "CPU",
    "cuda": "GPU (CUDA)",
    "mps": "GPU (Apple)",
}
ROW = "Paper's row"
NO_ROW = "None: as the preset"
_SEED_WIDTH = 120
"""pixels"""


class TrainingChoices(QWidget):
    """Everything about a run but its method, with sensible values from the start."""

    changed = Signal()
    method_wanted = Signal(str)
    """key of the method of a model that was chosen to start from"""

    def __init__(self, method: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("training_choices")
        self._ndim = 2
        self._records: tuple[RunRecord, ...] = ()
        self._start_values: dict[str, Any] = {}
        self._forms: dict[str, SettingsForm] = {}
        self._variant_values: dict[str, Any] = {}
        self._build()
        self.set_method(method)

    @property
    def method(self) -> str:
        """Key of the method that is set."""
        return self._method

    @property
    def preset(self) -> str:
        """Name of the chosen preset."""
        return str(self._presets.checkedButton().property("preset"))

    @property
    def form(self) -> SettingsForm:
        """The form of the method's settings."""
        return self._forms[self._method]

    def request(self) -> TrainRequest:
        """Return the run that the user wants."""
        return TrainRequest(
            method=self._method,
            preset=self.preset,
            values=self.form.values(),
            seed=int(self.seed.value()),
            device=str(self.device.currentData()),
            parent=self.start.start,
        )

    def settings(self) -> dict[str, Any] | None:
        """Return all settings of that run; None while one of them cannot be used."""
        try:
            found = settings_of(
                self._method,
                preset_name=self.preset,
                ndim=self._ndim,
                values=self.form.values(),
            )
        except SettingsError:
            return None
        return found.model_dump(mode="json")

    def units(self) -> dict[str, str]:
        """Return the unit of each setting of the method."""
        return {about.name: about.unit for about in describe(self.model)}

    @property
    def model(self) -> Any:
        """Class of the method's settings."""
        return settings_model(self._method)

    def set_method(self, key: str) -> None:
        """Offer the presets, variants, settings and earlier runs of a method."""
        self._method = key
        if key not in self._forms:
            self._forms[key] = SettingsForm(settings_model(key))
            self._forms[key].changed.connect(self.changed)
            self._form_box.addWidget(self._forms[key])
        for known, form in self._forms.items():
            form.setVisible(known == key)
        self._offer_variants()
        self._variant_values = {}
        self._start_values = {}
        self.start.set_method(key)
        self._take_preset()

    def set_ndim(self, ndim: int) -> None:
        """Offer presets and rows for 2D or 3D images."""
        if ndim != self._ndim:
            self._ndim, row = ndim, self.variant.currentData()
            self.start.set_ndim(ndim)
            self._offer_variants()
            self.variant.setCurrentIndex(max(self.variant.findData(row), 0))
            self._take_preset()

    def set_devices(self, names: Sequence[str]) -> None:
        """Offer these devices, and the best of them."""
        before = self.device.currentData()
        self.device.clear()
        for name in dict.fromkeys(("auto", *names)):
            self.device.addItem(_DEVICE_WORDS.get(name, name), name)
        self.device.setCurrentIndex(max(self.device.findData(before), 0))

    def set_earlier_runs(self, records: Iterable[RunRecord]) -> None:
        """Offer runs of the method to train on from."""
        self._records = tuple(records)
        self.start.set_records(self._records)

    def start_from(self, run_id: str) -> None:
        """Start the next run from the weights and grown labels of another.

        It gets the settings of that run, since weights fit no other network.
        """
        for record in self._records:
            if record.id == run_id:
                self._show(record.settings)
        self.start.choose(run_id)
        self.changed.emit()

    def _build(self) -> None:
        grid = QGridLayout()
        grid.setColumnStretch(1, 1)
        self.variant = self._combo(
            "table_row",
            "Settings of a row of the paper's tables, in place of the preset's.",
        )
        self.device = self._combo(
            "device", "Where to compute; 'Automatic' takes a GPU if there is one."
        )
        self.start = StartChoice()
        self.seed = QSpinBox()
        self.seed.setObjectName("seed")
        self.seed.setRange(0, LARGEST)
        self.seed.setMaximumWidth(_SEED_WIDTH)
        self.seed.setToolTip(
            "Seed of everything random: the same seed gives the same numbers again."
        )
        rows: tuple[tuple[str, QWidget | QHBoxLayout], ...] = (
            ("Preset", self._preset_row()),
            (ROW, self.variant),
            ("Device", self.device),
            ("Start from", self.start),
            ("Seed", self.seed),
        )
        for row, (name, what) in enumerate(rows):
            label = self._label(name, what if isinstance(what, QWidget) else None)
            grid.addWidget(label, row, 0)
            if name == ROW:
                self._variant_label = label
            if isinstance(what, QWidget):
                grid.addWidget(what, row, 1)
            else:
                grid.addLayout(what, row, 1)
        forms = QWidget()
        self._form_box = QVBoxLayout(forms)
        self._form_box.setContentsMargins(0, 0, 0, 0)
        self.fold = Fold(
            "Settings", forms, tooltip="How long, how fast, and everything else."
        )
        self.fold.heading.setObjectName("settings_heading")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(grid)
        layout.addWidget(self.fold)
        self.set_devices(())
        self._presets.buttonClicked.connect(lambda _: self._take_preset())
        self.variant.activated.connect(lambda _: self._take_preset())
        self.start.changed.connect(self._take_preset)
        self.start.method_wanted.connect(self.method_wanted)
        self.seed.valueChanged.connect(lambda _: self.changed.emit())

    def _preset_row(self) -> QHBoxLayout:
        self._presets = QButtonGroup(self)
        row = QHBoxLayout()
        for name in PRESETS:
            button = QRadioButton(name)
            button.setObjectName(f"preset_{name}")
            button.setProperty("preset", name)
            button.setToolTip(_PRESET_WORDS.get(name, f"The preset '{name}'."))
            self._presets.addButton(button)
            row.addWidget(button)
        row.addStretch(1)
        self._presets.buttons()[0].setChecked(True)
        return row

    def _combo(self, name: str, tooltip: str) -> QComboBox:
        combo = QComboBox()
        combo.setObjectName(name)
        combo.setToolTip(tooltip)
        combo.setMinimumContentsLength(6)
        # Else it would be as wide as its longest entry, and so would the page.
        shrinks = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        combo.setSizeAdjustPolicy(shrinks)
        combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        return combo

    def _label(self, text: str, buddy: QWidget | None) -> QLabel:
        label = QLabel(text)
        if buddy is not None:
            label.setBuddy(buddy)
        return label

    def _offer_variants(self) -> None:
        known = variants(self._method, self._ndim)
        self.variant.clear()
        self.variant.addItem(NO_ROW, None)
        for name in known:
            self.variant.addItem(name, name)
        self.variant.setVisible(bool(known))
        self._variant_label.setVisible(bool(known))

    def _take_preset(self) -> None:
        """Show preset, variant and what the weights to start from need.

        What the user changed by hand stays changed.
        """
        given = {**self._variant_values, **self._start_values}
        by_hand = {
            name: value
            for name, value in self.form.values().items()
            if given.get(name) != value
        }
        name = self.variant.currentData()
        self._variant_values = variants(self._method)[name] if name else {}
        self._start_values = dict(self.start.settings())
        given = {**self._variant_values, **self._start_values}
        self.form.start_from(preset(self._method, self.preset, ndim=self._ndim))
        self._show({**given, **by_hand})
        self.changed.emit()

    def _show(self, values: Mapping[str, Any]) -> None:
        # Those of a run or a model of another version may not be allowed any more.
        with suppress(SettingsError):
            self.form.show_values(values)
