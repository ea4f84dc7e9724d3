"""The Project page: what the project holds, and a table of its images."""

from collections import deque

from napari.utils.notifications import show_error
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from napari_mtseg.domain.errors import MtsegError
from napari_mtseg.domain.project import ImageEntry, Split
from napari_mtseg.gui.commands import Commands
from napari_mtseg.gui.editing import Editing
from napari_mtseg.gui.image_facts import ImageFacts, TagChoices, facts_of_images
from napari_mtseg.gui.image_files import ImageFiles
from napari_mtseg.gui.image_filter import ImageFilter
from napari_mtseg.gui.image_table import SPLITS, ImageTable
from napari_mtseg.gui.image_table_view import ImageTableView
from napari_mtseg.gui.new_scene import ask_for_scene
from napari_mtseg.gui.newest_answer import NewestAnswer
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState
from napari_mtseg.gui.tag_menu import TagWriter
from napari_mtseg.gui.thumbnails import Thumbnails
from napari_mtseg.gui.window_settings import forget_open_project
from napari_mtseg.storage.image_tags import TagChange
from napari_mtseg.storage.project import Project

NO_IMAGES = "No images yet. Add a folder to begin."
LEGEND = "P partial · S scribble · F full · C complete"

_COLOURS = {
    "as_is": "read as they are",
    "grey": "read as grey",
    "rgb": "read as red, green and blue",
}
SplitChange = tuple[list[str], Split]


class ProjectPage(QWidget):
    """Shows the images, opens one of them, and adds, splits and finds images.

    Parameters
    ----------
    state : WindowState
        Its project is shown; its image is set when one is opened.
    commands : Commands
        Runs what is slow.
    editing : Editing, optional
        Holds the tags of the image on the canvas; without it, none can be tagged.
    parent : QWidget, optional
        Qt parent.
    """

    def __init__(
        self,
        state: WindowState,
        commands: Commands,
        editing: Editing | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("project_page")
        self._state = state
        self._unread: set[str] = set()
        self._asked_splits: deque[SplitChange] = deque()
        self.thumbnails = Thumbnails(self)
        self.table = ImageTable(self.thumbnails, self)
        self.view = ImageTableView(self.table)
        self.files = ImageFiles(state, commands)
        self._facts = NewestAnswer(self)
        self._split_writer = NewestAnswer(self)
        self.tags = None if editing is None else TagWriter(state, editing, self)
        self._build()
        self._join()
        self._show_project()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802 - Qt's name
        """Read what changed while another page was shown."""
        super().showEvent(event)
        self._read_changed()

    def _build(self) -> None:
        self._title, self._path = SentenceLabel(), SentenceLabel()
        self._title.setObjectName("project_facts")
        self._path.setObjectName("project_path")
        self._path.setToolTip("Folder of the project.")
        self._counts = QLabel()
        self._counts.setObjectName("image_counts")
        self._legend = SentenceLabel(LEGEND)
        self._legend.setObjectName("mark_legend")
        self._legend.setToolTip(
            "What is painted on an image: partial masks, scribbles, full masks, and a "
            "complete region."
        )
        self._tagging = SentenceLabel()
        self._tagging.setObjectName("tagging_progress")
        self._empty = SentenceLabel(NO_IMAGES)
        self._empty.setObjectName("no_images")
        self._filter = ImageFilter(self.table, self.view)
        close = QPushButton("Close project")
        close.setObjectName("close_project")
        close.setToolTip("Save everything and go back to the start.")
        close.clicked.connect(self._close)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._title)
        column.addWidget(self._path)
        column.addWidget(self._filter)
        column.addWidget(self.view, stretch=1)
        column.addWidget(self._counts)
        column.addWidget(self._legend)
        column.addWidget(self._tagging)
        column.addWidget(self._empty)
        column.addWidget(self.files)
        column.addWidget(close)

    def _join(self) -> None:
        state = self._state
        state.events.project.connect(self._show_project)
        state.events.image_id.connect(self._show_current)
        state.images_changed.connect(self._show_images)
        state.classes_changed.connect(self._say_facts)
        state.classes_changed.connect(self._show_choices)
        state.annotation_saved.connect(self._annotation_saved)
        state.reviewed.connect(self._annotation_saved)
        state.predictions_changed.connect(self._read_all)
        self.view.opened.connect(self._open_image)
        self.table.split_asked.connect(self._change_split)
        self.table.modelReset.connect(self._say_counts)
        self.files.files_changed.connect(self._read_all)
        self._facts.answered.connect(self._show_facts)
        self._facts.refused.connect(show_error)
        self._split_writer.answered.connect(self._splits_saved)
        self._split_writer.refused.connect(show_error)
        if self.tags is not None:
            self.table.tags_asked.connect(self.tags.set_tags)
            self.table.new_scene_asked.connect(self._add_scene)
            self.tags.advanced.connect(self._say_tagging)
            self.tags.tagged.connect(self._tags_saved)
            self.tags.refused.connect(show_error)

    def _entries(self) -> tuple[ImageEntry, ...]:
        return () if self._state.project is None else self._state.project.images

    def _show_project(self) -> None:
        self._asked_splits.clear()
        self._unread.clear()
        self._facts.drop()
        self.thumbnails.show_project(self._state.project)
        self.table.forget_facts()
        self._filter.clear()
        self._tagging.say("")
        self._show_choices()
        self._show_images()

    def _show_images(self) -> None:
        entries = self._entries()
        self.thumbnails.forget_failures()
        self.table.show_images(entries)
        self.table.set_current(self._state.image_id)
        for widget in (self._filter, self.view, self._counts, self._legend):
            widget.setVisible(bool(entries))
        self._empty.say("" if entries else NO_IMAGES, "plain")
        self._say_facts()
        self._unread |= {entry.id for entry in entries} - self.table.known_ids()
        self._read_changed()

    def _show_current(self) -> None:
        self.table.set_current(self._state.image_id)
        self.view.show_image(self._state.image_id)

    def _say_facts(self) -> None:
        project = self._state.project
        if project is None:
            return
        info, n = project.info, len(project.images)
        classes = ", ".join(each.name for each in info.classes)
        self._title.say(
            f"{info.name}: {n} image{'s' * (n != 1)}, {_COLOURS[info.colour]}. "
            f"{'Class' if info.n_classes == 1 else 'Classes'}: {classes}."
        )
        self._path.say(str(project.path))

    def _say_counts(self) -> None:
        entries = self._entries()
        splits = [entry.split for entry in entries]
        counts = ", ".join(f"{splits.count(split)} {split}" for split in SPLITS)
        n_shown = self.table.rowCount()
        is_filtered = n_shown != len(entries)
        shown = f"{n_shown} of {len(entries)} shown. " * is_filtered
        self._counts.setText(shown + counts)

    def _read_all(self) -> None:
        self._unread = {entry.id for entry in self._entries()}
        self._read_changed()

    def _annotation_saved(self, image_id: str) -> None:
        self._unread.add(image_id)
        if self._facts.is_busy:
            # What is being read may be older than this; it is read again when shown.
            self._facts.drop()
        self._read_changed()

    def _read_changed(self) -> None:
        """Read what is unread, unless nobody looks at the page."""
        project = self._state.project
        if project is None or not self._unread or not self.isVisible():
            return
        entries = [entry for entry in project.images if entry.id in self._unread]
        self._facts.ask(lambda: (project, facts_of_images(project, entries)))

    def _show_facts(self, answer: tuple[Project, dict[str, ImageFacts]]) -> None:
        project, facts = answer
        if project is self._state.project:
            self._unread -= facts.keys()
            self.table.set_facts(facts)
            self.files.say_missing(
                sum(self.table.facts(e.id).is_missing for e in project.images)
            )

    def _open_image(self, image_id: str) -> None:
        self._state.image_id = image_id
        self._state.page = "annotate"

    def _change_split(self, image_id: str, split: Split) -> None:
        """Save another split in a thread: a group may have many files."""
        project = self._state.project
        if project is not None:
            selected, asked = self.view.selected_ids(), self._asked_splits
            asked.append((selected if image_id in selected else [image_id], split))
            self._split_writer.ask(lambda: _save_splits(project, asked))

    def _splits_saved(self, project: Project) -> None:
        now = self._state.project
        if now is project:
            self._state.images_changed.emit()
        elif now is not None and now.path == project.path:
            self.files.read_images()

    def _show_choices(self) -> None:
        project = self._state.project
        if project is None or self.tags is None:
            self.table.set_choices(None)
            return
        info = project.info
        classes = tuple(each.name for each in info.classes)
        self.table.set_choices(TagChoices(scenes=info.scenes, classes=classes))

    def _add_scene(self, ids: list[str]) -> None:
        """Ask for the name of a new scene and give it to images."""
        if self.tags is None:
            return
        scene = ask_for_scene(self._state, "New scene", self)
        if scene is not None:
            self.tags.set_tags(ids, TagChange(scene=scene))

    def _say_tagging(self, n_done: int, n: int) -> None:
        self._tagging.say(f"Tagging images: {n_done} of {n}. You can go on working.")

    def _tags_saved(self, ids: list[str]) -> None:
        self._tagging.say("")
        if self._state.project is not None and ids:
            self._unread |= set(ids)
            # One of them is enough for whoever counts what is known of all images.
            self._state.annotation_saved.emit(ids[-1])

    def _close(self) -> None:
        try:
            forget_open_project()
        except MtsegError as error:
            show_error(str(error))
        self._state.close_project()


def _save_splits(project: Project, asked: deque[SplitChange]) -> Project:
    while asked:
        ids, split = asked.popleft()
        for image_id in ids:
            entry = project.image(image_id)
            if entry.split != split:
                project.update_image(entry.changed({"split": split}))
    return project
