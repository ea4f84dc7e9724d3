"""Verdicts on their way to the disk while a person goes on in the window."""

from contextlib import contextmanager
from threading import Event, Timer

import pytest
from napari.components import ViewerModel

from napari_mtseg.gui import editing as editing_module
from napari_mtseg.gui import verdict_writer
from napari_mtseg.gui.editing import Editing
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.tag_menu import TagWriter
from napari_mtseg.gui.verdict_writer import VerdictWriter
from napari_mtseg.storage import image_tags, verdicts
from napari_mtseg.storage.class_edits import add_class, remove_class
from napari_mtseg.storage.image_tags import TagChange
from napari_mtseg.storage.project import Project
from tests.reviewed_projects import predict, reviewed_project, runs

WAIT = 20
A, B = 0, 1


class Window:
    """A project of predicted images, the first on the canvas; judged without pages."""

    def __init__(self, qtbot, project):
        self.qtbot, self.run = qtbot, runs(project)[0]
        self.ids = [entry.id for entry in project.images]
        predict(project, self.run, dict.fromkeys(self.ids, 0.5))
        self.state = WindowState()
        self.editing = Editing(ViewerModel(), self.state)
        self.writer = VerdictWriter(self.state, self.editing)
        self.tags = TagWriter(self.state, self.editing)
        self.state.open_project(project.path)
        self.project = self.state.project
        self.show(A)

    def show(self, place):
        self.state.image_id = self.ids[place]
        self.qtbot.waitUntil(lambda: self.editing.is_shown)

    def accept(self, place):
        assert self.writer.give(self.ids[place], self.run, "accepted")

    def wait_for(self, event):
        self.qtbot.waitUntil(event.is_set)

    def on_disk(self, place):
        again = Project.open(self.project.path)
        return again.annotation(again.images[place])

    def is_shown_as_on_disk(self, place):
        """Return whether the canvas comes to show the masks of the disk."""
        origin = self.on_disk(place).origin

        def is_so():
            assert self.editing.is_shown
            assert self.editing.annotation.origin == origin

        self.qtbot.waitUntil(is_so)
        return True


@pytest.fixture
def window(tmp_path, qtbot):
    made = Window(qtbot, reviewed_project(tmp_path))
    yield made
    made.state.close_project()


@pytest.fixture
def held_reading(monkeypatch, window):
    """Hold what was read of image A back: events 'it was read', 'it may be shown'."""
    load, read, may_show = editing_module.load_image, Event(), Event()

    @contextmanager
    def holding():
        def held(project, entry, kept, **options):
            found = load(project, entry, kept, **options)
            if entry.id == window.ids[A]:
                read.set()
                assert may_show.wait(WAIT)
            return found

        monkeypatch.setattr(editing_module, "load_image", held)
        yield read, may_show
        may_show.set()

    return holding


def held(monkeypatch, holder, name, is_meant=lambda *_: True):
    """Hold a function back: events 'it was called', 'it may begin'."""
    function, called, may_go = getattr(holder, name), Event(), Event()

    def waits(*given, **options):
        if is_meant(*given):
            called.set()
            assert may_go.wait(WAIT)
        return function(*given, **options)

    monkeypatch.setattr(holder, name, waits)
    return called, may_go


def test_going_back_while_two_verdicts_are_written_shows_the_accepted_mask(
    window, monkeypatch, held_reading
):
    gates = {window.ids[A]: Event(), window.ids[B]: Event()}
    accept = verdict_writer._JUDGES["accepted"]

    def waits(**given):
        assert gates[given["entry"].id].wait(WAIT)
        return accept(**given)

    monkeypatch.setitem(verdict_writer._JUDGES, "accepted", waits)
    window.accept(A)
    window.show(B)
    window.accept(B)
    with held_reading() as (read, may_show):
        window.state.image_id = window.ids[A]
        window.wait_for(read)
        gates[window.ids[A]].set()
        window.qtbot.waitUntil(lambda: window.writer.waiting(window.ids[A]) is None)
        may_show.set()
        assert window.is_shown_as_on_disk(A)
    assert window.editing.annotation.origin == f"accepted {window.run}"
    gates[window.ids[B]].set()


def test_going_by_hand_to_the_image_of_an_undo_shows_what_it_brought_back(
    window, monkeypatch, held_reading
):
    window.accept(A)
    window.qtbot.waitUntil(lambda: window.writer.n_waiting == 0)
    window.show(B)
    called, may_go = held(monkeypatch, verdict_writer, "undo")
    with held_reading() as (read, may_show):
        window.writer.take_back(window.run)
        window.wait_for(called)
        window.state.image_id = window.ids[A]
        window.wait_for(read)
        may_go.set()
        window.qtbot.waitUntil(lambda: window.writer.n_waiting == 0)
        may_show.set()
        assert window.is_shown_as_on_disk(A)
    assert window.editing.annotation.origin == "painted"


def test_tags_said_while_a_verdict_is_written_are_kept(window, monkeypatch):
    called, may_go = held(monkeypatch, verdicts, "write_masks")
    window.accept(A)
    window.wait_for(called)
    window.show(B)
    with window.qtbot.waitSignal(window.tags.tagged):
        window.tags.set_tags([window.ids[A]], TagChange(present={1: True}))
        Timer(0.3, may_go.set).start()
    window.qtbot.waitUntil(lambda: window.writer.n_waiting == 0)
    found = window.on_disk(A)
    assert found.origin == f"accepted {window.run}"
    assert found.tags.present == {1: True}


def test_a_verdict_given_while_tags_are_written_is_kept(window, monkeypatch):
    called, may_go = held(monkeypatch, image_tags, "_write")
    window.show(B)
    with window.qtbot.waitSignal(window.tags.tagged):
        window.tags.set_tags([window.ids[A]], TagChange(present={1: True}))
        window.wait_for(called)
        window.accept(A)
        Timer(0.3, may_go.set).start()
    window.qtbot.waitUntil(lambda: window.writer.n_waiting == 0)
    found = window.on_disk(A)
    assert found.origin == f"accepted {window.run}"
    assert found.complete.whole
    assert found.tags.present == {1: True}


def test_verdicts_are_on_the_disk_before_a_class_is_deleted(window, monkeypatch):
    add_class(window.project, "extra")
    predict(window.project, window.run, dict.fromkeys(window.ids, 0.5))
    called, may_go = held(monkeypatch, verdicts, "write_masks")
    window.accept(A)
    window.wait_for(called)
    window.show(B)
    Timer(0.3, may_go.set).start()
    told = []
    window.writer.judged.connect(lambda *_: told.append(window.state.image_id))
    window.state.image_id = None
    assert window.on_disk(A).origin == f"accepted {window.run}"
    remove_class(window.project, 2)
    window.qtbot.wait(50)
    # What is told may bring another image onto the canvas, which is too soon.
    assert told == []
    window.show(B)
    window.qtbot.waitUntil(lambda: told == [window.ids[B]])
    assert window.writer.n_waiting == 0
    assert sorted(window.on_disk(A).full.class_of) == [1, 2]


def test_nothing_is_judged_while_a_class_is_deleted(window):
    window.accept(A)
    window.qtbot.waitUntil(lambda: window.writer.n_waiting == 0)
    window.state.image_id = None
    with window.qtbot.waitSignal(window.writer.refused) as refused:
        assert not window.writer.take_back(window.run)
    assert refused.args == ["", "Wait until the class is deleted, then judge again."]
    assert window.on_disk(A).origin == f"accepted {window.run}"
