import pytest
import tifffile
from napari.components import ViewerModel
from qtpy.QtWidgets import QComboBox, QInputDialog, QLabel, QLineEdit, QPushButton

from napari_mtseg.domain.annotation import Tags
from napari_mtseg.gui import new_scene
from napari_mtseg.gui.commands import Commands
from napari_mtseg.gui.editing import Editing
from napari_mtseg.gui.image_table import Column
from napari_mtseg.gui.project_page import NO_IMAGES, ProjectPage
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.window_settings import load_window_settings, remember_project
from napari_mtseg.storage.image_tags import TagChange, tags_of
from napari_mtseg.storage.project import Project
from tests.gui.fake_commands import FakeCommands
from tests.tiny_projects import annotated, disc_image, disc_project


@pytest.fixture
def state():
    return WindowState()


@pytest.fixture
def commands():
    return FakeCommands()


@pytest.fixture
def page(qtbot, state, commands):
    page = ProjectPage(state, commands)
    qtbot.addWidget(page)
    page.resize(334, 600)
    with qtbot.waitExposed(page):
        page.show()
    yield page
    state.close_project()


@pytest.fixture
def project(tmp_path, state, page, qtbot):
    disc_project(tmp_path, n_images=3, full=1)
    state.open_project(tmp_path / "discs.mtseg")
    qtbot.waitUntil(lambda: len(page.table.known_ids()) == 3)
    return state.project


def text(page, name):
    return page.findChild(QLabel, name).sentence


def test_the_page_fits_the_narrowest_dock(page, project):
    assert page.minimumSizeHint().width() <= 334


def test_every_control_says_what_it_does(page, project):
    controls = (*page.findChildren(QPushButton), *page.findChildren(QComboBox))
    assert all(control.toolTip() for control in controls)


def test_it_tells_what_the_project_holds(page, project):
    said = text(page, "project_facts")
    assert said == "discs: 3 images, read as they are. Class: disc."
    assert text(page, "project_path") == str(project.path)
    assert page.findChild(QLabel, "image_counts").text() == (
        "3 train, 0 validate, 0 test"
    )


def test_an_empty_project_says_what_to_do(page, state, tmp_path):
    Project.create(tmp_path / "empty", classes=["object"])
    state.open_project(tmp_path / "empty.mtseg")
    assert page.findChild(QLabel, "no_images").sentence == NO_IMAGES
    assert page.findChild(QLabel, "no_images").isVisible()
    assert not page.view.isVisible()


def test_paint_is_shown_where_there_is_some(page, project):
    marks = [page.table.index(row, Column.PAINT).data() for row in range(3)]
    assert marks == ["F C", "P", "P"]


def test_paint_that_is_saved_later_is_shown(qtbot, page, project, state):
    entry = project.images[1]
    _, objects = disc_image(1, ndim=2, n_discs=1)
    project.save_annotation(entry, annotated(objects, exact=True))
    state.annotation_saved.emit(entry.id)
    index = page.table.index(1, Column.PAINT)
    qtbot.waitUntil(lambda: index.data() == "F C")


def test_what_changed_behind_another_page_is_read_on_coming_back(
    qtbot, page, project, state
):
    page.hide()
    entry = project.images[1]
    _, objects = disc_image(1, ndim=2, n_discs=1)
    project.save_annotation(entry, annotated(objects, exact=True))
    state.annotation_saved.emit(entry.id)
    page.show()
    qtbot.waitUntil(lambda: page.table.facts(entry.id).n_full == 1)


def test_an_opened_image_is_the_current_one_on_the_annotate_page(page, project, state):
    chosen = project.images[2].id
    page.view.opened.emit(chosen)
    assert (state.image_id, state.page) == (chosen, "annotate")
    assert page.view.selected_ids() == [chosen]


def test_a_changed_split_is_on_disk_and_told(qtbot, page, project, state):
    entry = project.images[0]
    with qtbot.waitSignal(page.table.modelReset):
        page.table.split_asked.emit(entry.id, "test")
    assert Project.open(project.path).image(entry.id).split == "test"
    assert page.findChild(QLabel, "image_counts").text() == (
        "2 train, 0 validate, 1 test"
    )


def test_a_group_changes_its_split_as_one(qtbot, page, project):
    for entry in project.images[:2]:
        project.update_image(entry.changed({"group": "slide"}))
    with qtbot.waitSignal(page.table.modelReset):
        page.table.split_asked.emit(project.images[0].id, "validate")
    assert [e.split for e in project.images] == ["validate", "validate", "train"]


def test_selected_images_change_their_split_together(qtbot, page, project):
    page.view.selectAll()
    with qtbot.waitSignal(page.table.modelReset):
        page.table.split_asked.emit(project.images[0].id, "test")
    assert {e.split for e in project.images} == {"test"}
    assert len(page.view.selected_ids()) == 3


def test_the_name_filter_counts_what_it_shows(page, project):
    page.findChild(QLineEdit, "image_name_filter").setText("_1")
    counts = page.findChild(QLabel, "image_counts").text()
    assert counts.startswith("1 of 3 shown.")


def test_the_list_above_the_table_sorts_it_and_follows_its_header(page, project):
    order = page.findChild(QComboBox, "image_order")
    order.setCurrentText("paint")
    assert page.view.horizontalHeader().sortIndicatorSection() == Column.PAINT
    page.view.horizontalHeader().setSortIndicator(
        Column.SPLIT, page.view.horizontalHeader().sortIndicatorOrder()
    )
    assert order.currentText() == "split"


def test_added_images_join_the_open_project(qtbot, page, project, state, tmp_path):
    pixels, _ = disc_image(7, ndim=2, n_discs=1)
    tifffile.imwrite(tmp_path / "new.tif", pixels)
    commands = Commands()
    page.files._commands = commands
    before = state.project
    with qtbot.waitSignal(page.files.files_changed, timeout=30_000):
        page.files.add_images([tmp_path / "new.tif", tmp_path / "absent.tif"])
        assert not page.findChild(QPushButton, "add_images").isEnabled()
    commands.release()
    assert "new.tif" in [e.name for e in state.project.images]
    assert state.project is not before
    said = text(page, "image_files_message")
    assert said.startswith("1 image added. 1 file could not be:")
    assert "absent.tif" in said
    assert page.findChild(QPushButton, "add_images").isEnabled()


def test_nobody_is_told_of_another_project_when_images_are_added(
    qtbot, page, project, state, commands
):
    told = []
    state.events.project.connect(lambda new: told.append(new))
    page.files.add_images([project.path])
    with qtbot.waitSignal(page.files.files_changed):
        commands.answer({"added": [], "failed": {}})
    assert told == []


def test_a_command_that_fails_says_its_sentence(qtbot, page, project, commands):
    page.files.add_images([project.path])
    with qtbot.waitSignal(page.files.files_changed):
        commands.answer(code=1, sentence="The disk is full.")
    assert text(page, "image_files_message") == "The disk is full."


def test_copies_are_kept_on_demand(page, project, commands):
    page.files.add_images([project.path / "x"], copy=True)
    assert commands.args == [
        "project",
        "add",
        str(project.path),
        str(project.path / "x"),
        "--copy",
        "--json",
    ]


def test_adding_can_be_stopped(page, project, commands):
    page.files.add_images([project.path / "x"])
    stop = page.findChild(QPushButton, "stop_image_files")
    assert stop.isVisible()
    stop.click()
    assert commands.was_stopped


def test_moved_images_are_found_again(qtbot, page, project, state, tmp_path):
    file = project.source_path(project.images[0])
    moved = tmp_path / "moved"
    moved.mkdir()
    file.rename(moved / file.name)
    find = page.findChild(QPushButton, "find_moved_images")
    assert not find.isEnabled()
    assert "Nothing to find" in find.toolTip()
    state.predictions_changed.emit()
    qtbot.waitUntil(find.isEnabled)
    commands = Commands()
    page.files._commands = commands
    with qtbot.waitSignal(page.files.files_changed, timeout=30_000):
        page.files.find_moved(moved)
    commands.release()
    assert text(page, "image_files_message") == "1 image found again; none is missing."
    qtbot.waitUntil(lambda: not find.isEnabled())


def test_closing_a_project_forgets_to_go_on_with_it(page, project, state):
    remember_project(project.path)
    page.findChild(QPushButton, "close_project").click()
    assert state.project is None
    assert load_window_settings().open_at_end == ""
    assert page.table.rowCount() == 0


@pytest.fixture
def tagging(tmp_path, qtbot, state, commands):
    """A page that can tag, with three images of which the first is on the canvas."""
    editing = Editing(ViewerModel(), state)
    page = ProjectPage(state, commands, editing)
    qtbot.addWidget(page)
    page.resize(334, 600)
    with qtbot.waitExposed(page):
        page.show()
    disc_project(tmp_path, n_images=3, painted=False)
    state.open_project(tmp_path / "discs.mtseg")
    qtbot.waitUntil(lambda: len(page.table.known_ids()) == 3 and editing.is_shown)
    yield page, editing
    state.close_project()


def scenes_shown(page):
    return [page.table.index(row, Column.SCENE).data() for row in range(3)]


def test_a_new_scene_reaches_disk_table_and_canvas(qtbot, tagging, state, monkeypatch):
    page, editing = tagging
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("night", True))
    assert page.view.isColumnHidden(Column.SCENE)
    page.table.new_scene_asked.emit([e.id for e in state.project.images])
    qtbot.waitUntil(lambda: scenes_shown(page) == ["night"] * 3)
    assert not page.view.isColumnHidden(Column.SCENE)
    assert editing.tags == Tags(scene=0)
    again = Project.open(state.project.path)
    assert [tags_of(again, e) for e in again.images] == [Tags(scene=0)] * 3


def test_a_scene_that_exists_is_refused_in_a_sentence(tagging, state, monkeypatch):
    page, _ = tagging
    said = []
    monkeypatch.setattr(new_scene, "show_error", said.append)
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("night", True))
    for _ in range(2):
        page.table.new_scene_asked.emit([state.image_id])
    assert len(said) == 1
    assert "not all different" in said[0]


def test_tags_of_other_images_are_shown_once_they_are_saved(qtbot, tagging, state):
    page, _ = tagging
    other = state.project.images[2].id
    with qtbot.waitSignal(page.tags.tagged):
        page.table.tags_asked.emit([other], TagChange(present={1: False}))
    qtbot.waitUntil(lambda: page.table.facts(other).tags == Tags(present={1: False}))


def test_tagging_tells_how_far_it_is(tagging):
    page, _ = tagging
    page.tags.advanced.emit(20, 3000)
    assert text(page, "tagging_progress") == (
        "Tagging images: 20 of 3000. You can go on working."
    )
    page.tags.tagged.emit([])
    assert text(page, "tagging_progress") == ""


def test_without_editing_nothing_can_be_tagged(page, project):
    assert page.table.choices is None
