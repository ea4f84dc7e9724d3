"""What must be known of a trained model beside its weights."""

from typing import Annotated, Any, Literal

from pydantic import Field

from napari_mtseg.domain.annotation import MAX_CLASSES
from napari_mtseg.domain.project import ClassInfo, Colour
from napari_mtseg.domain.settings import Settings

MODEL_VERSION = 1
"""Version of the folder's layout; a newer one is refused."""


class Provenance(Settings):
    """Where a model comes from."""

    run: str
    """name of the training run"""
    seed: int
    """seed of everything random"""
    created: str
    """when the run began, ISO 8601, UTC"""
    step: int
    """optimiser steps after which these weights were taken"""
    versions: dict[str, str]
    """versions of Python and the libraries that matter"""
    metrics: Annotated[dict[str, float], Field(default_factory=dict)]
    """by name; empty where nothing was measured"""
    measured_on: str = ""
    """what the metrics were measured on; empty where nothing was measured"""
    trained_on: tuple[str, ...] = ()
    """SHA-256 of each training image, painted or learned from by its tags only"""
    n_images: int = 0
    """training images on which something was painted"""
    n_full: int = 0
    """of these, images with full masks"""
    n_partial: int = 0
    """of these, images with partial masks"""
    n_scribbled: int = 0
    """of these, images with scribbles"""
    n_tagged_only: int = 0
    """images without paint, beside these, that were learned from by their tags"""
    began_from: str = ""
    """name of the model whose weights the training, or the first of the runs that it
    goes on from, began with; empty for new weights"""
    notes: tuple[str, ...] = ()
    """what whoever trained it was told when it began, a sentence each"""


class ModelInfo(Settings):
    """What must be known of a model beside its weights."""

    format_version: int = MODEL_VERSION
    """layout of the folder"""
    name: Annotated[str, Field(min_length=1)]
    """name, for people"""
    method: str
    """key of the method"""
    settings: dict[str, Any]
    """the method's settings, all of them"""
    classes: Annotated[
        tuple[ClassInfo, ...], Field(min_length=1, max_length=MAX_CLASSES)
    ]
    """classes 1, 2, ... in this order"""
    scenes: tuple[str, ...] = ()
    """names of the scenes an image can be of"""
    n_channels: Annotated[int, Field(ge=1)]
    """channels that the network sees"""
    colour: Colour = "as_is"
    """how images become those channels"""
    axes: Literal["CYX", "CZYX"]
    """2D or 3D"""
    spacing: tuple[float, ...]
    """voxel size ([Z,] Y, X) of the training images, in ``unit``"""
    unit: str = "pixel"
    """'micrometer' ... or 'pixel' where it is not known"""
    weights_sha256: str = ""
    """SHA-256 of the weights file, so that damage is noticed"""
    provenance: Provenance
    """where the model comes from"""

    @property
    def ndim(self) -> int:
        """2 or 3."""
        return len(self.axes) - 1

    @property
    def allowed_channels(self) -> tuple[int, ...]:
        """Channel counts an image may have before its colour mode is applied."""
        return (self.n_channels,) if self.colour == "as_is" else (1, 3)
