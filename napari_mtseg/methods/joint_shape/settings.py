"""Settings, presets and table rows of joint shape learning."""

from typing import Any, Literal

from napari_mtseg.domain.settings import setting
from napari_mtseg.domain.training_settings import Norm, PathwaySettings

Variant = Literal["mask", "mask+contour", "mask+distance", "mask+contour+distance"]


class JointShapeSettings(PathwaySettings):
    """Which shapes are learned beside the mask, and how they are measured."""

    steps: int = setting(
        2000, ge=1, le=1_000_000, step=10, source="ours", unit="steps", simple=True
    )
    """Optimiser steps."""
    variant: Variant = setting(
        "mask+distance", source="paper", simple=True, network=True
    )
    """What is learned: the mask alone, or with its contour, its distance map, or
    both."""
    decoders: Literal[1, 2] = setting(1, source="paper", network=True)
    """1 as the paper proposes, with all heads on one decoder; 2 gives the shapes a
    decoder of their own, as the networks it is compared with."""
    distance: Literal["D1", "D2", "D3"] = setting("D3", source="paper", network=True)
    """Distance to the boundary: outside only (D1), on both sides (D2), or negative
    inside (D3)."""
    distance_norm: Literal["sym", "minmax", "trunc"] = setting("trunc", source="ours")
    """How distances are brought into 0..1: by the largest of the image (sym, minmax),
    or cut off at 'reach' (trunc), which alone fits patches and weak labels."""
    reach: float = setting(64.0, gt=0, le=4096, step=4, source="ours", unit="pixels")
    """Distance at which 'trunc' cuts off."""
    contour_radius: int = setting(
        0, ge=0, le=200, step=1, source="ours", unit="pixels", zero="automatic"
    )
    """Half the width of the contour that is learned; 0 takes the paper's 5 pixels at
    256 x 256, scaled with the shorter side of the image."""
    border_is_boundary: bool = setting(False, source="ours")
    """Count the image's edge as boundary of the objects that it cuts, as the paper's
    code does for whole images; wrong for patches of larger objects."""
    mask_weight: float = setting(1.0, ge=0, le=100, step=0.1, source="code")
    """Weight of the mask's loss."""
    contour_weight: float = setting(1.0, ge=0, le=100, step=0.1, source="code")
    """Weight of the contour's loss."""
    distance_weight: float = setting(1.0, ge=0, le=100, step=0.1, source="code")
    """Weight of the distance map's loss."""
    class_weighting: Literal["auto", "on", "off"] = setting("auto", source="ours")
    """Make rare classes and rare contours count more; 'auto' does so unless every
    image has a full mask, since strokes cover classes unevenly."""
    norm: Norm = setting("instance", source="ours", network=True)
    """Normalisation between convolutions; the paper names none. Batch norm keeps the
    staining and brightness of a patch and needs batches of four or more; instance norm
    does not."""
    affine: bool = setting(False, source="ours", network=True)
    """Let the normalisation learn scale and shift; the paper's counts of parameters
    leave no room for them."""
    rescale: float = setting(
        1.25, ge=1, le=1.25, step=0.05, source="derived", unit="times"
    )
    """Largest magnification; its inverse is the smallest. Contours are drawn before
    patches are rescaled, so that more would change their width."""
    ellipses: bool = setting(False, source="paper")
    """Replace each class by the ellipse that fits it best, as for the disc and cup of
    the eye; 2D only."""
    min_size: int = setting(0, ge=0, le=1_000_000, step=1, source="ours", unit="pixels")
    """Smaller predicted objects are dropped."""

    @property
    def has_contour(self) -> bool:
        """True if a contour is learned."""
        return "contour" in self.variant

    @property
    def has_distance(self) -> bool:
        """True if a distance map is learned."""
        return "distance" in self.variant


SETTINGS = JointShapeSettings

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {
        "steps": 300,
        "base_channels": 16,
        "levels": 4,
        "patch": 128,
        "learning_rate": 1e-3,
        "norm": "batch",
        "reach": 32.0,
    },
    "balanced": {
        "steps": 1500,
        "base_channels": 16,
        "learning_rate": 1e-3,
        "norm": "batch",
    },
    "paper": {
        "steps": 24_000,
        "batch_size": 4,
        "learning_rate": 1e-4,
        "norm": "none",
        "distance_norm": "sym",
        "border_is_boundary": True,
        "rotate": 0.0,
        "rescale": 1.0,
        "intensity": 0.0,
        "average": 0.0,
    },
}
PRESETS_3D: dict[str, dict[str, Any]] = {
    "fast": {
        "patch": 64,
        "patch_depth": 16,
        "batch_size": 2,
        "base_channels": 8,
        "norm": "instance",
    },
    "balanced": {"patch": 96, "patch_depth": 32, "batch_size": 2, "norm": "instance"},
    "paper": {"patch": 128, "patch_depth": 32, "batch_size": 2},
}
VARIANTS: dict[str, dict[str, Any]] = {
    "1Enc1Dec-M": {"variant": "mask"},
    "1Enc2Dec-MC": {"variant": "mask+contour", "decoders": 2},
    "1Enc2Dec-MD": {"variant": "mask+distance", "decoders": 2},
    "Conv-MC": {"variant": "mask+contour"},
    "Conv-MD": {"variant": "mask+distance"},
    "Conv-MD-D1": {"variant": "mask+distance", "distance": "D1"},
    "Conv-MD-D2": {"variant": "mask+distance", "distance": "D2"},
    "Conv-MD-D3": {"variant": "mask+distance", "distance": "D3"},
    "Conv-MCD": {"variant": "mask+contour+distance"},
}
