from typing import Literal

import pytest
from pydantic import model_validator
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QLineEdit, QSpinBox

from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.domain.settings import Settings, describe, setting
from napari_mtseg.domain.training_settings import TrainingSettings
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.settings_form import CHANGED, OWN, SHARED, SettingsForm
from napari_mtseg.methods.catalog import CATALOG, PRESETS, preset, settings_model


class Example(Settings):
    """Settings of a test."""

    steps: int = setting(
        100, ge=1, le=1000, step=10, source="paper", unit="steps", simple=True
    )
    """How long."""
    rate: float = setting(5e-4, gt=0, lt=1, step=1e-5, source="ours")
    """How fast."""
    norm: Literal["batch", "none"] = setting("batch", source="code")
    """Which one."""
    flip: bool = setting(True, source="ours")
    """Whether."""
    sizes: tuple[int, ...] = setting((1, 2), source="ours")
    """Some numbers."""
    width: int = setting(
        3, ge=0, le=9, step=1, source="ours", unit="pixels", zero="automatic"
    )
    """How wide."""
    weight: float = setting(0.0, ge=0, le=9, step=1, source="ours", zero="none")
    """How heavy."""
    part: float = setting(0.5, ge=0, le=1, step=0.1, source="ours", unit="share")
    """How much."""

    @model_validator(mode="after")
    def _check(self) -> "Example":
        if self.steps == 13:
            raise ValueError("steps must not be 13.")
        return self


@pytest.fixture
def form(qtbot):
    made = SettingsForm(Example)
    qtbot.addWidget(made)
    return made


def control(form, name, kind):
    return form.findChild(kind, f"setting_{name}")


def test_each_kind_of_setting_gets_its_control(form):
    assert control(form, "steps", QSpinBox).value() == 100
    assert control(form, "rate", QDoubleSpinBox).value() == pytest.approx(5e-4)
    assert control(form, "norm", QComboBox).currentText() == "batch"
    assert control(form, "flip", QCheckBox).isChecked()
    assert control(form, "sizes", QLineEdit).text() == "[1, 2]"


def test_only_what_differs_from_the_preset_is_told(form):
    form.start_from({"steps": 300})
    assert form.values() == {}
    control(form, "steps", QSpinBox).setValue(310)
    control(form, "norm", QComboBox).setCurrentIndex(1)
    assert form.values() == {"steps": 310, "norm": "none"}
    control(form, "steps", QSpinBox).setValue(300)
    assert form.values() == {"norm": "none"}


def test_a_change_by_the_user_is_told_and_a_shown_value_is_not(form, qtbot):
    with qtbot.assertNotEmitted(form.changed):
        form.show_values({"steps": 7})
    assert form.values() == {"steps": 7}
    with qtbot.waitSignal(form.changed):
        control(form, "flip", QCheckBox).setChecked(False)


def test_a_small_number_is_shown_as_it_is(form):
    box = control(form, "rate", QDoubleSpinBox)
    assert box.text() == "0.0005"
    form.show_values({"rate": 3e-8})
    assert box.text() == "0.00000003"
    assert form.values() == {"rate": 3e-8}


def test_numbers_out_of_range_cannot_be_entered(form):
    steps, rate = (
        control(form, "steps", QSpinBox),
        control(form, "rate", QDoubleSpinBox),
    )
    steps.setValue(5000)
    rate.setValue(0)
    assert steps.value() == 1000
    assert 0 < rate.value() < 1e-5
    rate.setValue(1)
    assert rate.value() < 1
    assert form.problem == ""


def test_values_that_do_not_go_together_are_said_in_a_sentence(form):
    control(form, "steps", QSpinBox).setValue(13)
    assert form.problem == "steps must not be 13."
    control(form, "steps", QSpinBox).setValue(14)
    assert form.problem == ""


def test_what_no_control_holds_is_typed_and_checked(form):
    line = control(form, "sizes", QLineEdit)
    line.setText("[3, 4]")
    assert form.problem == ""
    assert form.values()["sizes"] == (3, 4)
    line.setText("many")
    assert "'sizes' is 'many'" in form.problem


def test_wrong_values_are_refused_and_the_form_stays(form):
    with pytest.raises(SettingsError, match="'steps' is 0"):
        form.show_values({"steps": 0})
    assert form.values() == {}


def test_a_tooltip_says_meaning_range_unit_and_source(form):
    form.start_from({"steps": 300})
    box = control(form, "steps", QSpinBox)
    assert box.suffix() == " steps"
    assert box.toolTip() == (
        "How long.\nRange: 1 to 1,000 steps\nDefault: 100 steps, the paper's value\n"
        "This preset: 300 steps\nIn the shell: --set steps=100"
    )


def test_a_zero_that_is_no_number_is_said_in_words(form):
    width, weight = (
        control(form, "width", QSpinBox),
        control(form, "weight", QDoubleSpinBox),
    )
    assert (width.text(), weight.text()) == ("3 pixels", "none")
    width.setValue(0)
    assert width.text() == "automatic"
    assert form.values() == {"width": 0}
    assert "Default: 0 (none), our choice" in weight.toolTip()
    weight.setValue(2)
    assert weight.text() == "2"


def test_a_unit_that_is_no_measure_stands_in_the_tooltip(form):
    box = control(form, "part", QDoubleSpinBox)
    assert box.text() == "0.5"
    assert "Range: 0 to 1 (share)\nDefault: 0.5, our choice" in box.toolTip()


@pytest.mark.parametrize("key", CATALOG)
def test_settings_of_the_method_stand_before_those_of_every_training(qtbot, key):
    form = SettingsForm(settings_model(key))
    qtbot.addWidget(form)
    names = [c.about.name for c in form._controls]
    are_shared = [name in TrainingSettings.model_fields for name in names]
    assert sorted(names) == sorted(settings_model(key).model_fields)
    assert are_shared == sorted(are_shared)
    said = [label.sentence for label in form._more.findChildren(SentenceLabel)]
    assert said == [OWN, SHARED]


def test_changed_settings_are_signed_and_go_back_to_the_preset(form, qtbot):
    assert not form._back.isEnabled()
    control(form, "steps", QSpinBox).setValue(5)
    assert form._labels["steps"].text() == f"{CHANGED}Steps"
    with qtbot.waitSignal(form.changed):
        form._back.click()
    assert form._labels["steps"].text() == "Steps"
    assert form.values() == {}


@pytest.mark.parametrize("key", CATALOG)
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_of_every_method_is_shown_as_it_is(qtbot, key, name):
    form = SettingsForm(settings_model(key))
    qtbot.addWidget(form)
    for ndim in (2, 3):
        wanted = preset(key, name, ndim=ndim)
        form.start_from(wanted)
        assert form.values() == {}
        shown = {c.about.name: c.value for c in form._controls}
        defaults = {d.name: d.default for d in describe(settings_model(key))}
        assert shown == {**defaults, **wanted}
        assert form.problem == ""


def test_the_form_is_no_wider_than_the_dock(qtbot):
    form = SettingsForm(settings_model("recursive_approximation"))
    qtbot.addWidget(form)
    form._more.set_open(True)
    form.show()
    assert form.minimumSizeHint().width() <= 330
