"""Tags of several images at once: what the menu offers, and what is on disk then."""

from contextlib import contextmanager
from threading import Event

import numpy as np
import pytest
from qtpy.QtWidgets import QMenu

from napari_mtseg.domain.annotation import Tags
from napari_mtseg.domain.errors import AnnotationError, StorageError
from napari_mtseg.gui import tag_menu
from napari_mtseg.gui.image_facts import TagChoices
from napari_mtseg.gui.tag_menu import TagWriter, add_tag_menus
from napari_mtseg.storage.class_edits import add_scene
from napari_mtseg.storage.image_tags import TagChange, set_tags, tags_of
from napari_mtseg.storage.project import Project
from tests.gui.painted_projects import on_disk, open_window, plain_project

CHOICES = TagChoices(scenes=("day", "night"), classes=("a", "b & c"))
DAY, NIGHT = 0, 1


def menus_of(tags, choices=CHOICES):
    """Return the menu, and the actions of its two submenus by their texts."""
    asked = []
    menu = QMenu()
    add_tag_menus(
        menu, choices, tags, ask=asked.append, ask_new_scene=lambda: asked.append("new")
    )
    scene, present = (action.menu() for action in menu.actions())
    scenes = {action.text(): action for action in scene.actions()}
    classes = {
        f"{each.text()} {action.text()}": action
        for each in present.actions()
        for action in each.menu().actions()
    }
    return menu, scenes, classes, asked


def ticked(actions):
    return [text for text, action in actions.items() if action.isChecked()]


def test_the_menu_offers_scenes_and_a_new_one(qapp):
    menu, scenes, _, asked = menus_of([Tags(scene=NIGHT)])
    assert [action.text() for action in menu.actions()] == ["Scene", "Classes present"]
    assert [t for t in scenes if t] == ["day", "night", "Not given", "New scene…"]
    assert ticked(scenes) == ["night"]
    for text in ("day", "Not given", "New scene…"):
        scenes[text].trigger()
    assert asked == [TagChange(scene=DAY), TagChange(scene=None), "new"]


def test_the_menu_offers_three_states_of_each_class(qapp):
    _menu, _, classes, asked = menus_of([Tags(present={1: True})])
    assert ticked(classes) == ["a occurs", "b && c not known"]
    for text in ("a does not occur", "a not known", "b && c occurs"):
        classes[text].trigger()
    assert asked == [
        TagChange(present={1: False}),
        TagChange(present={1: None}),
        TagChange(present={2: True}),
    ]


def test_of_several_images_the_menu_ticks_what_holds_for_all(qapp):
    tags = [Tags(scene=DAY, present={1: True}), Tags(present={1: True, 2: False})]
    menu, scenes, classes, _ = menus_of(tags)
    texts = [action.text() for action in menu.actions()]
    assert texts == ["Scene of 2 images", "Classes present in 2 images"]
    assert ticked(scenes) == []
    assert ticked(classes) == ["a occurs"]


def test_a_project_without_scenes_can_get_the_first(qapp):
    _menu, scenes, _, _ = menus_of([Tags()], TagChoices(classes=("a",)))
    assert list(scenes) == ["Not given", "New scene…"]


@pytest.fixture
def window(tmp_path, qtbot):
    """Four images of two classes and two scenes; the first is on the canvas."""
    project = plain_project(tmp_path, n_images=4)
    for name in CHOICES.scenes:
        add_scene(project, name)
    with open_window(project, qtbot) as (_, state, editing):
        writer = TagWriter(state, editing)
        qtbot.waitUntil(lambda: editing.is_shown)
        yield state, editing, writer


def ids_of(state):
    return [entry.id for entry in state.project.images]


def tags_on_disk(state):
    again = Project.open(state.project.path)
    return [tags_of(again, entry) for entry in again.images]


@contextmanager
def slow_writing(monkeypatch):
    """Let the thread write nothing until the second event is set."""
    began, go = Event(), Event()

    def wait_and_set(project, entries, change, **options):
        began.set()
        assert go.wait(20)
        return set_tags(project, entries, change, **options)

    monkeypatch.setattr(tag_menu, "set_tags", wait_and_set)
    monkeypatch.setattr(tag_menu, "BATCH", 1)
    try:
        yield began, go
    finally:
        go.set()


def test_all_images_are_tagged_the_one_on_the_canvas_by_its_editing(qtbot, window):
    state, editing, writer = window
    with qtbot.waitSignal(writer.tagged) as tagged:
        writer.set_tags(ids_of(state), TagChange(scene=NIGHT, present={2: False}))
        assert editing.tags == Tags(scene=NIGHT, present={2: False})
    assert tagged.args == [ids_of(state)[1:]]
    assert editing.flush()
    assert tags_on_disk(state) == [Tags(scene=NIGHT, present={2: False})] * 4


def test_paint_that_is_not_saved_yet_is_kept_beside_the_tags(qtbot, window):
    state, editing, writer = window
    painted = editing._painted
    painted.arrays["scribble"][2, :5] = 3
    writer.set_tags(ids_of(state), TagChange(scene=DAY))
    writer.wait()
    assert editing.flush()
    found = on_disk(state.project)
    assert found.tags == Tags(scene=DAY)
    assert np.count_nonzero(found.scribbles == 3) == 5


def test_an_image_that_comes_onto_the_canvas_meanwhile_gets_its_tags_and_paint(
    qtbot, window, monkeypatch
):
    state, editing, writer = window
    ids = ids_of(state)
    with slow_writing(monkeypatch) as (began, go):
        writer.set_tags(ids[1:], TagChange(scene=NIGHT))
        assert began.wait(20)
        monkeypatch.setattr(writer, "_held", _letting(writer, go))
        state.image_id = ids[3]
    qtbot.waitUntil(lambda: editing.is_shown)
    assert editing.tags == Tags(scene=NIGHT)
    editing._painted.arrays["scribble"][0, :4] = 3
    writer.wait()
    assert editing.flush()
    assert tags_on_disk(state) == [Tags()] + [Tags(scene=NIGHT)] * 3
    assert np.count_nonzero(on_disk(state.project, 3).scribbles) == 4


def _letting(writer, go):
    """Let the thread go on with its image as soon as the window waits for it."""
    held = writer._held

    @contextmanager
    def letting():
        go.set()
        with held():
            yield

    return letting


def test_an_image_that_was_read_before_it_was_tagged_is_told_later(
    qtbot, window, monkeypatch
):
    state, editing, writer = window
    ids = ids_of(state)
    # The thread has written image 1, the window does not know yet, and shows what
    # it read before.
    writer._written[ids[1]] = [TagChange(scene=NIGHT)]
    state.image_id = ids[1]
    qtbot.waitUntil(lambda: editing.is_shown)
    assert editing.tags == Tags(scene=NIGHT)


def test_going_there_and_back_before_it_is_shown_loses_no_tag(qtbot, window):
    state, editing, writer = window
    ids = ids_of(state)
    state.image_id = ids[1]
    writer.set_tags(ids[:2], TagChange(scene=DAY))
    state.image_id = ids[0]
    qtbot.waitUntil(lambda: editing.is_shown)
    writer.wait()
    assert editing.tags == Tags(scene=DAY)
    assert editing.flush()
    assert tags_on_disk(state)[:2] == [Tags(scene=DAY)] * 2


def test_closing_the_project_waits_until_all_is_written(window):
    state, _, writer = window
    project, ids = state.project, ids_of(state)
    state.image_id = ids[1]
    writer.set_tags(ids, TagChange(scene=DAY))
    state.close_project()
    again = Project.open(project.path)
    assert [tags_of(again, e) for e in again.images] == [Tags(scene=DAY)] * 4


def test_nothing_is_tagged_while_a_class_is_deleted(qtbot, window):
    state, _, writer = window
    ids = ids_of(state)
    state.image_id = None
    with qtbot.waitSignal(writer.refused) as refused:
        writer.set_tags(ids, TagChange(scene=DAY))
    assert refused.args[0].startswith("Wait until the class is deleted")
    assert tags_on_disk(state) == [Tags()] * 4


def test_nothing_is_tagged_while_paint_cannot_be_saved(qtbot, window, monkeypatch):
    state, editing, writer = window
    monkeypatch.setattr(editing, "flush", lambda: False)
    state.saving = "The disk is full."
    with qtbot.waitSignal(writer.refused) as refused:
        writer.set_tags(ids_of(state), TagChange(scene=DAY))
    assert refused.args == ["The disk is full."]


@pytest.mark.parametrize(
    ("error", "n_tried", "sentence"),
    [
        (
            AnnotationError("It is damaged."),
            4,
            "It is damaged. 2 other images could not be tagged either.",
        ),
        (StorageError("The disk is full."), 1, "The disk is full."),
    ],
)
def test_failures_are_one_sentence(
    qtbot, window, monkeypatch, error, n_tried, sentence
):
    state, _, writer = window
    tried = []

    def fail(*args, **options):
        tried.append(args)
        raise error

    monkeypatch.setattr(tag_menu, "set_tags", fail)
    with qtbot.waitSignal(writer.refused) as refused:
        writer.set_tags(ids_of(state), TagChange(scene=DAY))
    assert refused.args == [sentence]
    assert len(tried) == n_tried


def test_long_work_tells_how_far_it_is(qtbot, window, monkeypatch):
    state, _, writer = window
    monkeypatch.setattr(tag_menu, "TELLS_EVERY", -1.0)
    monkeypatch.setattr(tag_menu, "BATCH", 1)
    seen = []
    writer.advanced.connect(lambda *n: seen.append(n))
    with qtbot.waitSignal(writer.tagged):
        writer.set_tags(ids_of(state), TagChange(scene=DAY))
    assert seen == [(1, 3), (2, 3), (3, 3)]
