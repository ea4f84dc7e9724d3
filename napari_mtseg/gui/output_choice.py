"""What is written for each image that is segmented."""

from collections.abc import Collection

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QLabel, QVBoxLayout, QWidget

from napari_mtseg.gui.sentence_label import SentenceLabel

MAPS = {
    "instances": ("Instances", "Every object has a number of its own"),
    "classes": ("Segmentation", "Every pixel has the number of its class"),
    "contours": ("Contours", "Outlines of the objects"),
    "distance": ("Distance", "Distance to the nearest outline, negative inside"),
    "probabilities": ("Probability", "How probable each class is, 0 to 1"),
    "uncertainty": ("Uncertainty", "How undecided the network is, 0 (sure) to 1"),
}
"""name of a map for `mtseg predict` -> its name and what it shows, for people"""

OTHERS = {
    "overview": ("Overview pictures", "A small picture of each image with outlines"),
    "rois": ("ImageJ ROIs", "Outlines of the objects as a ROI set for ImageJ and Fiji"),
    "coco": ("COCO JSON", "Outlines of the objects as COCO, for detection programs"),
}
_FIRST = {"instances", "classes", "contours", "overview"}
_ALWAYS = (
    "Maps of TIFF, PNG and JPEG images are TIFF files. A table that measures each "
    "object (CSV) and a report are always written."
)


class OutputChoice(QWidget):
    """A check box per map, and per file for other programs."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._boxes: dict[str, QCheckBox] = {}
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        for place, (key, (name, tip)) in enumerate({**MAPS, **OTHERS}.items()):
            box = QCheckBox(name, self)
            box.setObjectName(f"write_{key}")
            box.setToolTip(tip)
            box.setChecked(key in _FIRST)
            box.toggled.connect(self.changed)
            self._boxes[key] = box
            grid.addWidget(box, place // 2, place % 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(QLabel("Write for each image", self))
        column.addLayout(grid)
        column.addWidget(SentenceLabel(_ALWAYS, "plain", self))

    @property
    def maps(self) -> tuple[str, ...]:
        """Names of the maps that are wanted."""
        return tuple(key for key in MAPS if self._boxes[key].isChecked())

    @property
    def also(self) -> tuple[str, ...]:
        """Files for other programs that are wanted."""
        return tuple(k for k in ("rois", "coco") if self._boxes[k].isChecked())

    @property
    def overview(self) -> bool:
        """Whether a picture of each image is wanted."""
        return bool(self._boxes["overview"].isChecked())

    def show_chosen(self, chosen: Collection[str]) -> None:
        """Tick these and no others."""
        for key, box in self._boxes.items():
            box.setChecked(key in chosen)
