"""Where the full masks of an image are complete: none, all of it, boxes or slices."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from napari.components import ViewerModel
from qtpy.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from napari_mtseg.domain.annotation import N_AXES_3D, Box, CompleteRegion
from napari_mtseg.gui.editing import Editing
from napari_mtseg.gui.region_layer import RegionLayer
from napari_mtseg.gui.region_parts import RegionParts
from napari_mtseg.gui.sentence_label import SentenceLabel
from napari_mtseg.gui.state import WindowState

Kind = Literal["none", "whole", "boxes", "slices"]

MEANING = "Inside, everything unpainted counts as background."
MIN_SIDE = 2
"""pixels of a box's shorter side; a click without a drag gives less"""

_CHOICES: dict[Kind, tuple[str, str]] = {
    "none": ("None", "Full masks of this image do not count."),
    "whole": ("Whole image", "Every object of the image has its full mask."),
    "boxes": ("Boxes", "Every object inside boxes that you draw has its full mask."),
    "slices": (
        "Slices",
        "Every object on single slices has its full mask. Marks the slice shown now.",
    ),
}


class CompleteRegionChoice(QWidget):
    """Choice of the complete region, with its boxes and slices.

    Parameters
    ----------
    viewer : napari viewer
        Where the region is drawn and shown.
    state : WindowState
        Names the current image.
    editing : Editing
        Holds the region.
    parent : QWidget, optional
        Qt parent.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        state: WindowState,
        editing: Editing,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._state, self._editing = viewer, state, editing
        self._layer = RegionLayer(viewer, self._box_drawn, self._drawing_stopped)
        self._kind: Kind = "none"
        self._remembered = CompleteRegion()
        self._is_other_image = False
        self._build()
        state.events.image_id.connect(self._show_other_image)
        state.events.project.connect(self._change_project)
        editing.changed.connect(self._show)
        viewer.dims.events.point.connect(self._show_plane)
        self._show_other_image()

    def _build(self) -> None:
        self._radios: dict[Kind, QRadioButton] = {}
        group, row = QButtonGroup(self), QHBoxLayout()
        for kind, (text, tooltip) in _CHOICES.items():
            radio = QRadioButton(text)
            radio.setObjectName(f"complete_{kind}")
            radio.setToolTip(tooltip if kind == "none" else f"{tooltip} {MEANING}")
            radio.clicked.connect(lambda _=False, kind=kind: self._choose(kind))
            group.addButton(radio)
            row.addWidget(radio)
            self._radios[kind] = radio
        row.addStretch()
        self._sentence = SentenceLabel(parent=self)
        self._sentence.setObjectName("complete_sentence")
        self._parts = RegionParts(self)
        self._parts.draw_wanted.connect(self._draw_clicked)
        self._parts.box_entered.connect(self._add_box)
        self._parts.mark_wanted.connect(self._mark_slice)
        self._parts.remove_wanted.connect(self._remove_part)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self._sentence)
        layout.addWidget(self._parts)

    @property
    def _shape(self) -> tuple[int, ...] | None:
        entry = self._state.entry
        return None if entry is None else entry.spatial_shape

    @property
    def _plane(self) -> int:
        """The plane that is shown, 0 in 2D."""
        entry, point = self._state.entry, self._viewer.dims.point
        if entry is None or len(entry.spatial_shape) < N_AXES_3D:
            return 0
        if len(point) < N_AXES_3D:
            return 0
        plane = round(point[-N_AXES_3D] / entry.spacing[0])
        return min(max(plane, 0), entry.spatial_shape[0] - 1)

    def _show_other_image(self) -> None:
        self._layer.stop_drawing()
        # Its annotation may still be on the way: until then it is the old one's.
        self._is_other_image = True
        shape = self._shape or ()
        self._radios["slices"].setVisible(len(shape) == N_AXES_3D)
        self._parts.set_shape(shape)
        self._show()
        self._is_other_image = True

    def _change_project(self) -> None:
        if self._state.project is None:
            self._layer.remove()

    def _show(self) -> None:
        region = self._editing.complete
        if self._is_other_image:
            self._kind, self._remembered = "none", CompleteRegion()
            self._is_other_image = False
        if region.whole:
            self._kind = "whole"
        elif region.boxes or region.slices:
            if self._kind not in {"boxes", "slices"}:
                self._kind = "boxes" if region.boxes else "slices"
            self._remembered = region
        elif self._kind == "whole":
            self._kind = "none"
        self._radios[self._kind].setChecked(True)
        self._parts.setVisible(self._kind in {"boxes", "slices"})
        self._parts.show_region(region)
        self._say_what_counts()
        self._layer.show(region, self._shape or (), self._plane)
        self._show_plane()

    def _say_what_counts(self) -> None:
        if not self._editing.complete.is_empty:
            self._sentence.say(MEANING)
        elif self._kind == "boxes":
            self._sentence.say(
                "Click Draw box, then drag: nothing is complete yet.", "note"
            )
        elif self._kind == "slices":
            self._sentence.say("Mark a slice: nothing is complete yet.", "note")
        elif self._editing.counts.n_full:
            self._sentence.say(
                "The full masks do not count yet: say where they are complete.", "note"
            )
        else:
            self._sentence.say("")

    def _show_plane(self) -> None:
        plane = self._plane
        self._parts.show_plane(plane, is_marked=plane in self._editing.complete.slices)
        self._layer.show_plane(plane)

    def _choose(self, kind: Kind) -> None:
        self._layer.stop_drawing()
        self._kind, self._is_other_image = kind, False
        if kind == "none":
            self._set(CompleteRegion())
        elif kind == "whole":
            self._set(CompleteRegion(whole=True))
        elif kind == "slices":
            self._mark_slice()
        else:
            self._set(self._remembered)

    def _set(self, region: CompleteRegion) -> None:
        if region != self._editing.complete:
            self._editing.set_complete(region)
        self._show()

    def _mark_slice(self) -> None:
        slices = tuple(sorted({*self._remembered.slices, self._plane}))
        self._set(replace(self._remembered, slices=slices))

    def _remove_part(self, place: int) -> None:
        boxes, slices = self._remembered.boxes, self._remembered.slices
        at = place - len(boxes)
        if at < 0:
            boxes = boxes[:place] + boxes[place + 1 :]
        else:
            slices = slices[:at] + slices[at + 1 :]
        self._remembered = CompleteRegion(boxes=boxes, slices=slices)
        self._set(self._remembered)

    def _draw_clicked(self, is_wanted: bool) -> None:
        if not is_wanted:
            self._layer.stop_drawing()
        elif self._layer.start_drawing():
            self._parts.set_drawing(True)
            self._sentence.say("Drag over the image, from corner to corner.")
        else:
            self._drawing_stopped()
            self._sentence.say(
                "Boxes are drawn on rows and columns: switch the canvas to 2D, with "
                "its axes in their usual order.",
                "note",
            )

    def _drawing_stopped(self) -> None:
        if self._layer.has_the_mouse:
            self._editing.take_brush()
        self._parts.set_drawing(False)
        self._say_what_counts()

    def _box_drawn(self, low: Sequence[float], high: Sequence[float]) -> None:
        shape = self._shape
        if shape is None:
            return
        start = tuple(max(round(value), 0) for value in low)
        stop = tuple(
            min(round(value) + 1, size)
            for value, size in zip(high, shape[-2:], strict=True)
        )
        if min(b - a for a, b in zip(start, stop, strict=True)) < MIN_SIDE:
            self._sentence.say(
                f"The box must cover at least {MIN_SIDE} x {MIN_SIDE} pixels of the "
                "image. Draw it again.",
                "note",
            )
            return
        if len(shape) == N_AXES_3D:
            plane, depth = self._plane, self._parts.depth
            start = (max(plane - depth, 0), *start)
            stop = (min(plane + depth + 1, shape[0]), *stop)
        self._add_box(Box(start=start, stop=stop))

    def _add_box(self, box: Box) -> None:
        others = tuple(other for other in self._remembered.boxes if other != box)
        self._set(replace(self._remembered, boxes=(*others, box)))
