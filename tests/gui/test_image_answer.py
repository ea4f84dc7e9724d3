"""What a model says of an image as a whole, beside its overlays."""

from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtWidgets import QLabel, QWidget

from napari_mtseg.domain.annotation import Tags
from napari_mtseg.domain.errors import ProjectError
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.gui.image_answer import DOUBT, MAX_LINES, ImageAnswerPanel
from napari_mtseg.gui.named_answer import NamedAnswer, named_answer, names_now
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.storage.class_edits import add_scene, rename_class, rename_scene
from napari_mtseg.storage.prediction_files import save_prediction
from tests.tiny_projects import disc_project

SCENES = ("histology", "fluorescence")


@pytest.fixture
def state(tmp_path):
    disc_project(tmp_path)
    state = WindowState()
    state.open_project(tmp_path / "discs.mtseg")
    for name in SCENES:
        add_scene(state.project, name)
    yield state
    state.close_project()


@pytest.fixture
def panel(qtbot, state):
    holder = QWidget()
    qtbot.addWidget(holder)
    panel = ImageAnswerPanel(state, holder)
    holder.show()
    yield panel
    holder.close()


def predict(state, *, present=None, scenes=(), disagreeing=(), found=False, **more):
    classes = np.full((4, 4), found, np.uint8)
    made = Prediction(
        classes=classes,
        probabilities=np.stack([1 - classes, classes]).astype(np.float16),
        instances=classes.astype(np.uint32),
        class_of={1: 1} if found else {},
        present=present or {},
        scenes=scenes,
        **more,
    )
    folder = state.project.path / "predictions" / "run" / state.image_id
    save_prediction(
        folder,
        made,
        spacing=(1, 1),
        unit="pixel",
        class_names=["disc"],
        scene_names=SCENES if scenes else (),
        disagreeing=disagreeing,
    )
    return folder


def tag(state, scene):
    entry = state.entry
    annotation = state.project.annotation(entry)
    tagged = replace(annotation, tags=Tags(scene=scene))
    state.project.save_annotation(entry, tagged)
    state.annotation_saved.emit(entry.id)


def said(panel, name):
    found = panel.findChild(SentenceLabel, name).sentence
    return found.replace("\u00a0", " ")


def lines(panel):
    grid = panel.findChild(QWidget, "predicted_classes").layout()
    rows = []
    for row in range(grid.rowCount()):
        items = [grid.itemAtPosition(row, column) for column in range(3)]
        if all(items):
            texts = [item.widget().text() for item in items]
            rows.append(" ".join(texts).replace("\u00a0", " ").strip())
    return rows


def test_scene_and_classes_are_told_with_their_probabilities(qtbot, state, panel):
    folder = predict(state, present={1: 0.98}, scenes=(0.07, 0.93), found=True)
    panel.show_prediction(folder)
    qtbot.waitUntil(lambda: not panel.isHidden())
    assert said(panel, "predicted_scene") == "Scene: fluorescence 93 % (histology 7 %)"
    assert lines(panel) == ["disc occurs 98 %"]
    assert panel.findChild(SentenceLabel, "answer_doubts").isHidden()
    assert panel.findChild(SentenceLabel, "other_classes").isHidden()


def test_of_a_method_that_does_not_tell_nothing_is_shown(qtbot, state, panel):
    panel.show_answer(NamedAnswer(scenes=(("a", 1.0),)))
    assert not panel.isHidden()
    panel.show_prediction(predict(state))
    qtbot.waitUntil(lambda: said(panel, "predicted_scene") == "")
    assert lines(panel) == []
    assert said(panel, "uncertainty_from") == "Uncertainty from one pass"
    panel.show_answer(NamedAnswer())
    assert panel.isHidden()


def test_it_is_told_where_the_uncertainty_comes_from(qtbot, state, panel):
    folder = predict(
        state,
        uncertainty_from="20 passes with dropout",
        scores={"doubt": 0.314, "quality": 0.9},
        found=True,
    )
    panel.show_prediction(folder)
    qtbot.waitUntil(lambda: not panel.isHidden())
    assert said(panel, "uncertainty_from") == (
        "Uncertainty from 20 passes with dropout; doubt 0.31"
    )


def test_doubt_per_object_pixel_is_no_number_where_nothing_was_found(
    qtbot, state, panel
):
    source = "ensemble of 3"
    folder = predict(state, uncertainty_from=source, scores={"doubt": 46685.0})
    panel.show_prediction(folder)
    qtbot.waitUntil(lambda: not panel.isHidden())
    assert said(panel, "uncertainty_from") == (
        "Uncertainty from ensemble of 3; nothing was found"
    )


@pytest.mark.parametrize(
    ("chance", "found", "sentence"),
    [
        (
            0.87,
            False,
            "The segmentation shows no disc, but the image looks as if it had some "
            "(occurs 87 %).",
        ),
        (
            0.12,
            True,
            "The segmentation shows disc, but the image looks as if it had none "
            "(occurs 12 %).",
        ),
    ],
)
def test_a_disagreement_is_marked_and_said_in_words(
    qtbot, state, panel, chance, found, sentence
):
    panel.show_prediction(
        predict(state, present={1: chance}, disagreeing=[1], found=found)
    )
    qtbot.waitUntil(lambda: not panel.isHidden())
    assert said(panel, "answer_doubts") == f"{DOUBT} {sentence}"
    assert lines(panel) == [f"{DOUBT} disc occurs {100 * chance:.0f} %"]
    doubts = panel.findChild(SentenceLabel, "answer_doubts")
    assert doubts.accessibleName().startswith("Look closely: The segmentation shows")
    assert panel.findChild(SentenceLabel, "predicted_scene").isHidden()


def test_a_scene_that_a_person_gave_is_held_against_the_predicted_one(
    qtbot, state, panel
):
    panel.show_prediction(predict(state, scenes=(0.93, 0.07)))
    qtbot.waitUntil(lambda: not panel.isHidden())
    assert said(panel, "answer_doubts") == ""
    tag(state, 1)
    sentence = (
        f"{DOUBT} This image is tagged as fluorescence, but the model takes it for "
        "histology (93 %)."
    )
    qtbot.waitUntil(lambda: said(panel, "answer_doubts") == sentence)
    tag(state, 0)
    qtbot.waitUntil(lambda: said(panel, "answer_doubts") == "")


def test_new_and_renamed_scenes_and_classes_mislabel_nothing(qtbot, state, panel):
    folder = predict(state, present={1: 0.5}, scenes=(0.75, 0.25), disagreeing=[1])
    panel.show_prediction(folder)
    qtbot.waitUntil(lambda: not panel.isHidden())
    add_scene(state.project, "brightfield")
    rename_scene(state.project, 0, "stained")
    rename_class(state.project, 1, "cell")
    state.classes_changed.emit()
    qtbot.waitUntil(lambda: lines(panel) == [f"{DOUBT} cell occurs 50 %"])
    assert said(panel, "predicted_scene") == "Scene: stained 75 % (fluorescence 25 %)"


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        (("a", "b"), ("a", "b", "c"), ("a", "b")),
        (("a", "b"), ("b", "c"), ("a", "b")),
        (("a", "b"), ("x", "b"), ("x", "b")),
        (("a", "b"), ("b",), ("a", "b")),
        ((), ("a",), ("a", "class 2")),
    ],
    ids=["added", "removed", "renamed", "fewer", "unknown"],
)
def test_what_was_removed_keeps_its_name(then, now, expected):
    assert names_now(then, now, n=2, one="class") == expected


def test_a_prediction_that_goes_away_is_no_crash(qtbot, state, panel):
    folder = predict(state, scenes=(0.75, 0.25))
    panel.show_prediction(folder)
    qtbot.waitUntil(lambda: not panel.isHidden())
    (folder / "prediction.json").unlink()
    with pytest.raises(ProjectError, match="There is no whole prediction"):
        named_answer(folder, state.project, state.entry)
    panel.show_prediction(folder)
    qtbot.waitUntil(panel.isHidden)


def test_of_many_classes_those_that_matter_have_a_line(panel):
    names = [f"class {n}" for n in range(1, MAX_LINES + 4)]
    chances = [0.99, *[0.01] * (len(names) - 1)]
    panel.show_answer(
        NamedAnswer(
            classes=tuple(zip(names, chances, strict=True)),
            shown=frozenset(["class 1", "class 2"]),
            disagreeing=("class 2",),
        )
    )
    assert lines(panel) == ["class 1 occurs 99 %", f"{DOUBT} class 2 occurs 1 %"]
    others = panel.findChild(SentenceLabel, "other_classes")
    assert others.sentence == "9 other classes: probably not in this image"
    assert "class 11" in others.toolTip()
    panel.show_answer(NamedAnswer(classes=(("class 1", 0.25),)))
    assert lines(panel) == ["class 1 occurs 25 %"]


def test_many_scenes_are_named_in_the_tooltip(panel):
    scenes = (("a", 0.5), ("b", 0.25), ("c", 0.125), ("d", 0.0625), ("e", 0.0625))
    panel.show_answer(NamedAnswer(scenes=scenes))
    assert said(panel, "predicted_scene") == "Scene: a 50 % (b 25 %, c 12 %, …)"
    assert "e 6" in panel.findChild(SentenceLabel, "predicted_scene").toolTip()


def test_long_names_and_markup_do_not_widen_the_dock(panel):
    name = "<b>a class with a long name and & more</b>"
    panel.show_answer(
        NamedAnswer(
            scenes=((name, 0.75), ("other", 0.25)),
            classes=((name, 0.75),),
            disagreeing=(name,),
        )
    )
    assert panel.minimumSizeHint().width() <= 300
    assert any("<b>a class" in label.text() for label in panel.findChildren(QLabel))
