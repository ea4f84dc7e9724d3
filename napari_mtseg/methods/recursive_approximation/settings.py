"""Settings and presets of recursive approximation."""

from typing import Any, Literal

from napari_mtseg.domain.settings import setting
from napari_mtseg.domain.training_settings import PathwaySettings


class RecursiveApproximationSettings(PathwaySettings):
    """How the labels grow, and what the tasks weigh."""

    iterations: int = setting(
        10, ge=1, le=100, step=1, source="paper", unit="iterations", simple=True
    )
    """Times the labels grow."""
    steps_per_iteration: int = setting(
        500, ge=1, le=1_000_000, step=10, source="ours", unit="steps", simple=True
    )
    """Optimiser steps before the labels grow again."""
    first_steps: int = setting(
        0,
        ge=0,
        le=1_000_000,
        step=10,
        source="ours",
        unit="steps",
        zero="as the others",
    )
    """Optimiser steps before the labels grow for the first time; 0 for as many as
    before every growth. Growth cannot be undone, so a short training should not let an
    untrained network begin it."""
    last_steps: int = setting(
        0,
        ge=0,
        le=1_000_000,
        step=10,
        source="ours",
        unit="steps",
        zero="as the others",
    )
    """Optimiser steps of the last iteration; 0 for as many as the others. Only there
    the approximation task learns from labels that are nearly fully grown."""
    beta: float = setting(0.5, ge=0, le=1e9, step=0.05, source="ours", simple=True)
    """Speed of growth while training (the paper's beta): labels stop about 1/beta
    pixels short of what the segmentation task proposes."""
    beta_last: float = setting(0.5, ge=0, le=1e9, step=0.5, source="ours")
    """Speed of the growths before and after the last iteration: a larger one fills
    what beta leaves, once the proposal can be trusted."""
    beta_final: float = setting(5.0, ge=0, le=1e9, step=0.5, source="ours")
    """Speed of growth at prediction; larger fills the proposal."""
    beta_without_full: float = setting(0.2, ge=0, le=1e9, step=0.05, source="ours")
    """Upper bound of beta where no image has a full mask."""
    supervision: Literal["auto", "full", "paint"] = setting("auto", source="ours")
    """What the segmentation task learns from: 'full' masks and strokes, as in the
    paper; or all 'paint', partial masks and inferred background too, which helps where
    the full masks show only some of the kinds of image. 'auto' is 'paint' only where
    there is no full mask."""
    strokes_teach: bool = setting(True, source="ours")
    """Let scribbles teach the segmentation task."""
    separation: Literal["auto", "on", "off"] = setting("auto", source="ours")
    """Learn the border between touching objects as a third task; 'auto' does so where
    separators are drawn."""
    multi_task_blocks: int = setting(
        2, ge=1, le=7, step=1, source="ours", unit="levels", network=True
    )
    """Decoder levels in which the tasks have streams of their own."""
    slope: float = setting(0.01, ge=0, le=1, step=0.01, source="ours", network=True)
    """Slope of the leaky ReLU below zero."""
    segmentation_weight: float = setting(1.0, ge=0, le=100, step=0.1, source="ours")
    """Weight of the segmentation task's loss."""
    approximation_weight: float = setting(1.0, ge=0, le=100, step=0.1, source="ours")
    """Weight of the approximation task's loss."""
    separation_weight: float = setting(1.0, ge=0, le=100, step=0.1, source="ours")
    """Weight of the separation task's loss."""
    window: float = setting(16.0, ge=0, le=10_000, step=1, source="ours", unit="pixels")
    """Reach around a mask in which unpainted counts as not yet approximated, where
    not every object is marked."""
    separator_gap: int = setting(3, ge=0, le=100, step=1, source="ours", unit="pixels")
    """Pixels around a separator that count neither way."""
    erode_low: float = setting(0.2, ge=0, le=1, step=0.05, source="ours", unit="share")
    """Smallest erosion of a full mask into a partial one, in inradii."""
    erode_high: float = setting(0.5, ge=0, le=1, step=0.05, source="ours", unit="share")
    """Largest erosion of a full mask into a partial one, in inradii."""
    min_size: int = setting(0, ge=0, le=1_000_000, step=1, source="ours", unit="pixels")
    """Smaller predicted objects are dropped."""


SETTINGS = RecursiveApproximationSettings

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {
        "supervision": "paint",
        "iterations": 8,
        "first_steps": 80,
        "steps_per_iteration": 16,
        "last_steps": 64,
        "beta_last": 2.0,
        "base_channels": 16,
        "levels": 4,
        "patch": 128,
        "learning_rate": 1e-3,
    },
    "balanced": {
        "supervision": "paint",
        "steps_per_iteration": 120,
        "last_steps": 420,
        "beta_last": 2.0,
        "base_channels": 16,
        "learning_rate": 1e-3,
    },
    "paper": {"steps_per_iteration": 2000},
}
PRESETS_3D: dict[str, dict[str, Any]] = {
    "fast": {"patch": 48, "patch_depth": 16, "batch_size": 2, "base_channels": 8},
    "balanced": {"patch": 96, "patch_depth": 24, "batch_size": 2},
    "paper": {"patch": 128, "patch_depth": 32, "batch_size": 2},
}
VARIANTS: dict[str, dict[str, Any]] = {
    "two tasks": {"separation": "off"},
    "three tasks": {"separation": "on"},
    "all paint": {"supervision": "paint"},
}
