"""What a project knows of itself and of each of its images."""

from typing import Annotated, Literal

from pydantic import Field

from napari_mtseg.domain.annotation import MAX_CLASSES
from napari_mtseg.domain.settings import Settings

FORMAT_VERSION = 1
"""Version of the project folder's layout; older ones are migrated on opening."""

Split = Literal["train", "validate", "test"]
Colour = Literal["as_is", "grey", "rgb"]

PALETTE = (
    "#e69f00",
    "#56b4e9",
    "#009e73",
    "#f0e442",
    "#0072b2",
    "#d55e00",
    "#cc79a7",
    "#999999",
)
"""Colours that colour-blind people can tell apart (Okabe and Ito, 2008)."""


class ClassInfo(Settings):
    """One kind of object that the project segments."""

    name: Annotated[str, Field(min_length=1)]
    """name, as the annotator reads it"""
    colour: Annotated[str, Field(pattern="^#[0-9a-f]{6}$")]
    """'#rrggbb'"""


class ProjectInfo(Settings):
    """What holds for the project as a whole."""

    format_version: int = FORMAT_VERSION
    """layout of the folder"""
    name: str
    """name, without '.mtseg'"""
    classes: Annotated[
        tuple[ClassInfo, ...], Field(min_length=1, max_length=MAX_CLASSES)
    ]
    """classes 1, 2, ... in this order"""
    scenes: tuple[str, ...] = ()
    """names of the scenes an image can be of"""
    colour: Colour = "as_is"
    """'as_is', or every image read as 'grey' (1 channel) or 'rgb' (3 channels)"""

    @property
    def n_classes(self) -> int:
        """Number of classes without background."""
        return len(self.classes)


class ImageEntry(Settings):
    """One image of the project: where it is, what it is, and what it is used for."""

    id: Annotated[str, Field(pattern="^[A-Za-z0-9_-]+$")]
    """unique in the project, used as a file name"""
    name: str
    """file name, for people"""
    source: str
    """path of the file, '/' between parts; relative to the project if possible"""
    copied: bool = False
    """True if the file lies inside the project"""
    axes: str
    """'CYX' or 'CZYX'"""
    file_axes: str | None = None
    """axes of the file as the user gave them; None where the file says them itself"""
    shape: tuple[int, ...]
    """(C, [Z,] Y, X) in the file, all channels"""
    channels: tuple[int, ...] | None = None
    """channels used; None for all"""
    rgb: bool
    """True if the channels are red, green and blue"""
    dtype: str
    """pixel type in the file"""
    spacing: tuple[float, ...]
    """voxel size along ([Z,] Y, X)"""
    unit: str
    """unit of ``spacing``"""
    fingerprint: str
    """SHA-256 of the file's content"""
    group: str
    """images of one group (patient, slide, video) are never split"""
    split: Split = "train"
    """what the image is used for"""

    @property
    def spatial_shape(self) -> tuple[int, ...]:
        """([Z,] Y, X)."""
        return self.shape[1:]


def palette(names: tuple[str, ...]) -> tuple[ClassInfo, ...]:
    """Return classes with these names, each with a colour of its own."""
    return tuple(
        ClassInfo(name=name, colour=PALETTE[i % len(PALETTE)])
        for i, name in enumerate(names)
    )
