"""What a person says about an image as a whole: scene, classes present, all marked."""

from dataclasses import replace

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QWidget,
)
from superqt.utils import QFlowLayout

from napari_mtseg.domain.annotation import Tags
from napari_mtseg.gui.editing import Editing
from napari_mtseg.gui.new_scene import ask_for_scene
from napari_mtseg.gui.state import WindowState

NOT_GIVEN = "not given"

_SIGNS: dict[bool | None, tuple[str, str]] = {
    None: ("?", "not known whether it occurs"),
    True: ("✓", "occurs in this image"),
    False: ("✗", "does not occur in this image"),
}
_NEXT: dict[bool | None, bool | None] = {None: True, True: False, False: None}


class ImageTags(QWidget):
    """Controls for the tags of the current image.

    Parameters
    ----------
    state : WindowState
        Names the project's scenes and classes.
    editing : Editing
        Holds the tags.
    parent : QWidget, optional
        Qt parent.
    """

    def __init__(
        self, state: WindowState, editing: Editing, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._state, self._editing = state, editing
        self._classes: tuple[str, ...] = ()
        self._present: list[QPushButton] = []
        self._build()
        state.events.project.connect(self._show_choices)
        state.classes_changed.connect(self._show_choices)
        editing.changed.connect(self._show)
        self._show_choices()

    def _build(self) -> None:
        self._exhaustive = QCheckBox("Every object is marked")
        self._exhaustive.setObjectName("every_object_is_marked")
        self._exhaustive.setToolTip(
            "Tick this once each object of the image has at least one mark, however "
            "small. Then what lies far from every mark can count as background."
        )
        self._exhaustive.clicked.connect(self._set_exhaustive)
        self._scene = QComboBox()
        self._scene.setObjectName("scene")
        self._scene.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        self._scene.activated.connect(self._set_scene)
        add = QPushButton("Add scene…")
        add.setObjectName("add_scene")
        add.setAutoDefault(False)
        add.setToolTip(
            "Add a kind of image, such as a stain or a view. Some methods learn it too."
        )
        add.clicked.connect(lambda: self._add_scene())
        self._flow_holder = QWidget()
        self._flow = QFlowLayout(self._flow_holder)
        self._flow.setContentsMargins(0, 0, 0, 0)
        self._flow.setHorizontalSpacing(4)
        self._flow.setVerticalSpacing(4)
        scene_row = QHBoxLayout()
        scene_row.addWidget(self._scene, stretch=1)
        scene_row.addWidget(add)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setColumnStretch(1, 1)
        grid.addWidget(self._exhaustive, 0, 0, 1, 2)
        grid.addWidget(QLabel("Scene"), 1, 0)
        grid.addLayout(scene_row, 1, 1)
        grid.addWidget(QLabel("Present"), 2, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self._flow_holder, 2, 1)

    def _show_choices(self) -> None:
        """Offer the project's scenes and classes."""
        info = None if self._state.project is None else self._state.project.info
        scenes = () if info is None else info.scenes
        self._scene.clear()
        self._scene.addItems([NOT_GIVEN, *scenes])
        self._scene.setEnabled(bool(scenes))
        self._scene.setToolTip(
            "What kind of image this is."
            if scenes
            else "This project has no scenes: add one first."
        )
        self._classes = () if info is None else tuple(c.name for c in info.classes)
        while len(self._present) < len(self._classes):
            self._present.append(self._present_button(len(self._present) + 1))
        for button in self._present[len(self._classes) :]:
            button.hide()
        self._show()

    def _present_button(self, number: int) -> QPushButton:
        button = QPushButton()
        button.setObjectName(f"present_{number}")
        button.setAutoDefault(False)
        button.clicked.connect(lambda: self._step_present(number))
        self._flow.addWidget(button)
        return button

    def _show(self) -> None:
        tags = self._editing.tags
        self._exhaustive.setChecked(tags.exhaustive)
        place = 0 if tags.scene is None else tags.scene + 1
        self._scene.setCurrentIndex(place if place < self._scene.count() else 0)
        for number, name in enumerate(self._classes, start=1):
            sign, meaning = _SIGNS[tags.present.get(number)]
            after = _SIGNS[_NEXT[tags.present.get(number)]][1]
            button = self._present[number - 1]
            short = name if len(name) <= 20 else f"{name[:19]}…"
            text = f"{short} {sign}".replace("&", "&&")
            if button.text() != text or button.isHidden():
                button.setText(text)
                button.setToolTip(f"{name}: {meaning}. Press for: {after}.")
                button.setAccessibleName(f"{name} {meaning}")
                button.show()

    def _set(self, tags: Tags) -> None:
        if self._state.entry is not None:
            self._editing.set_tags(tags)
        self._show()

    def _set_exhaustive(self, is_wanted: bool) -> None:
        self._set(replace(self._editing.tags, exhaustive=is_wanted))

    def _set_scene(self, place: int) -> None:
        self._set(replace(self._editing.tags, scene=place - 1 if place else None))

    def _step_present(self, number: int) -> None:
        present = dict(self._editing.tags.present)
        after = _NEXT[present.pop(number, None)]
        if after is not None:
            present[number] = after
        self._set(replace(self._editing.tags, present=present))

    def _add_scene(self) -> None:
        scene = ask_for_scene(self._state, "Add scene", self)
        if scene is not None:
            self._set(replace(self._editing.tags, scene=scene))
