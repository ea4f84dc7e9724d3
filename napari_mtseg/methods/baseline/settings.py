"""Settings and presets of the plain U-Net."""

from typing import Any, Literal

from napari_mtseg.domain.settings import setting
from napari_mtseg.domain.training_settings import PathwaySettings


class BaselineSettings(PathwaySettings):
    """What the plain U-Net learns from, and how long."""

    steps: int = setting(
        2000, ge=1, le=1_000_000, step=100, source="ours", unit="steps", simple=True
    )
    """Optimiser steps."""
    labels: Literal["all", "full", "partial", "grabcut"] = setting(
        "all", source="paper"
    )
    """What counts: 'all' known pixels; 'full' masks only (the paper's SL);
    'partial' masks as if they were whole objects (WL); 'grabcut' masks made from
    them (PL)."""
    dice_weight: float = setting(1.0, ge=0, le=100, step=0.1, source="ours")
    """Weight of the Dice loss beside the cross entropy."""
    class_weighting: bool = setting(False, source="ours")
    """Make rare classes count more."""
    slope: float = setting(0.01, ge=0, le=1, step=0.01, source="ours", network=True)
    """Slope of the leaky ReLU below zero."""
    min_size: int = setting(0, ge=0, le=1_000_000, step=1, source="ours", unit="pixels")
    """Smaller predicted objects are dropped."""


SETTINGS = BaselineSettings

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {
        "steps": 200,
        "base_channels": 16,
        "levels": 4,
        "patch": 128,
        "learning_rate": 1e-3,
    },
    "balanced": {"steps": 1500, "base_channels": 16, "learning_rate": 1e-3},
    "paper": {"steps": 20000},
}
PRESETS_3D: dict[str, dict[str, Any]] = {
    "fast": {"patch": 48, "patch_depth": 16, "batch_size": 2, "base_channels": 8},
    "balanced": {"patch": 96, "patch_depth": 24, "batch_size": 2},
    "paper": {"patch": 128, "patch_depth": 32, "batch_size": 2},
}
VARIANTS: dict[str, dict[str, Any]] = {
    "WL": {"labels": "partial", "dice_weight": 0.0},
    "SL": {"labels": "full", "dice_weight": 0.0},
    "PL": {"labels": "grabcut", "dice_weight": 0.0},
}
