"""Which sources of uncertainty a run allows, and what is said of the others."""

import pytest
from qtpy.QtWidgets import QComboBox, QSpinBox

from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.uncertainty_choice import UncertaintyChoice
from napari_mtseg.storage.run_folder import new_run_folder


def run_of(folder, *, n_kept=0, **settings):
    facts = {"seed": 0, "device": "cpu", "versions": {}}
    info = {"method": "baseline", "settings": settings, **facts}
    run = new_run_folder(folder, info)
    run.checkpoint("best").parent.mkdir()
    for n in range(1, n_kept + 1):
        run.checkpoint(f"kept-{n}").touch()
    return run


@pytest.fixture
def choice(qtbot):
    choice = UncertaintyChoice()
    qtbot.addWidget(choice)
    choice.show()
    return choice


def sources(choice):
    return choice.findChild(QComboBox, "uncertainty_source")


def enabled(choice):
    box = sources(choice)
    items = [box.model().item(place) for place in range(box.count())]
    return [item.text() for item in items if item.isEnabled()]


def choose(choice, source):
    box = sources(choice)
    box.setCurrentIndex(box.findData(source))
    box.activated.emit(box.currentIndex())


def why(choice):
    return choice.findChild(SentenceLabel, "uncertainty_why").sentence


def test_a_run_with_dropout_and_kept_checkpoints_allows_all(choice, tmp_path):
    choice.set_run(run_of(tmp_path, dropout=0.2, n_kept=3))
    assert enabled(choice) == [
        "One pass (fast)",
        "Monte Carlo dropout",
        "Ensemble with 3 kept checkpoints",
    ]
    assert why(choice) == ""


def test_one_pass_is_the_first_choice_and_needs_no_options(choice, tmp_path):
    choice.set_run(run_of(tmp_path, dropout=0.2, n_kept=3))
    assert choice.options() == []
    assert choice.findChild(QSpinBox).isHidden()


def test_options_say_what_is_chosen(choice, tmp_path):
    choice.set_run(run_of(tmp_path, dropout=0.2, n_kept=3))
    choose(choice, "dropout")
    passes = choice.findChild(QSpinBox, "uncertainty_passes")
    assert passes.isVisible()
    assert (passes.minimum(), passes.maximum()) == (2, 100)
    assert choice.options() == ["--uncertainty", "dropout", "--passes", "20"]
    choose(choice, "ensemble")
    assert passes.isHidden()
    assert choice.options() == ["--uncertainty", "ensemble"]


@pytest.mark.parametrize(
    ("settings", "n_kept", "allowed", "sentence"),
    [
        (
            {"dropout": 0},
            3,
            ["One pass (fast)", "Ensemble with 3 kept checkpoints"],
            "This run was trained without dropout, so it has no Monte Carlo "
            "uncertainty. Choose the ensemble with its 3 kept checkpoints, or train "
            "with dropout above 0.",
        ),
        (
            {"dropout": 0.5},
            0,
            ["One pass (fast)", "Monte Carlo dropout"],
            "This run kept no checkpoints, so it is no ensemble. Choose Monte Carlo "
            "dropout, or train with kept_checkpoints above 0.",
        ),
        (
            {},
            0,
            ["One pass (fast)"],
            "This run has neither dropout nor kept checkpoints, so its uncertainty "
            "comes from one pass. For more, train with dropout or kept_checkpoints "
            "above 0.",
        ),
    ],
)
def test_what_a_run_does_not_allow_is_disabled_and_explained(
    choice, tmp_path, settings, n_kept, allowed, sentence
):
    choice.set_run(run_of(tmp_path, n_kept=n_kept, **settings))
    assert enabled(choice) == allowed
    assert why(choice) == sentence


def test_the_choice_is_remembered_for_the_next_run_that_allows_it(choice, tmp_path):
    with_dropout = run_of(tmp_path, dropout=0.2)
    choice.set_run(with_dropout)
    choose(choice, "dropout")
    choice.findChild(QSpinBox).setValue(7)
    choice.set_run(run_of(tmp_path, n_kept=3))
    assert choice.options() == []
    assert choice.findChild(QSpinBox).isHidden()
    choice.set_run(with_dropout)
    assert choice.options() == ["--uncertainty", "dropout", "--passes", "7"]


def test_without_a_run_nothing_can_be_chosen(choice):
    choice.set_run(None)
    assert not choice.isEnabled()
    assert why(choice) == ""
    assert choice.options() == []


def test_a_damaged_run_allows_one_pass(choice, tmp_path):
    run = run_of(tmp_path, dropout=0.2)
    (run.path / "run.json").write_text("{")
    choice.set_run(run)
    assert enabled(choice) == ["One pass (fast)"]
