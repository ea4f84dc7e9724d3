"""Settings, presets and table rows of cross-task consistency."""

from typing import Any, Literal

from napari_mtseg.domain.settings import setting
from napari_mtseg.domain.training_settings import DropoutPlace, TrainingSettings


class CrossTaskSettings(TrainingSettings):
    """Which answers are learned, and on what they have to agree."""

    steps: int = setting(
        6000, ge=1, le=1_000_000, step=10, source="code", unit="steps", simple=True
    )
    """Optimiser steps."""
    distance: bool = setting(True, source="paper", simple=True, network=True)
    """Learn the signed distance to the outline beside the mask."""
    cross: bool = setting(True, source="paper", simple=True)
    """Let mask and distance map agree, on images without paint too."""
    guidance: bool = setting(True, source="paper", simple=True)
    """Let them agree once more where the network is sure of the mask."""
    adversary: Literal["none", "geman_mcclure", "cross_entropy"] = setting(
        "geman_mcclure", source="paper", simple=True
    )
    """A second network that tells distance maps of images without full masks from the
    others, and that the first one learns to mislead; 'cross_entropy' as in SASSNet."""
    teacher: bool = setting(False, source="code")
    """Let the mask agree with that of the running average where this is sure
    (UA-MT)."""
    decoders: Literal[1, 2] = setting(2, source="ours", network=True)
    """2 gives the distance map a decoder of its own, as the text has it; 1 shares one,
    as the code of DTC and SASSNet does."""
    steepness: float = setting(1500.0, gt=0, le=100_000, step=50, source="code")
    """How abruptly a distance becomes a mask: 1 / (1 + exp(steepness * distance)), with
    distances in -1..1. Large values leave a gradient at the very outline alone."""
    distance_norm: Literal["auto", "sides", "trunc"] = setting("auto", source="ours")
    """How distances are brought into -1..1: inside and outside by the largest of the
    image each (sides, the paper), or cut off at 'reach' (trunc), which weak labels
    need; 'auto' takes 'sides' where every painted image has full masks."""
    reach: float = setting(32.0, gt=0, le=4096, step=4, source="ours", unit="pixels")
    """Distance at which 'trunc' cuts off."""
    passes: int = setting(8, ge=2, le=100, step=1, source="code", unit="passes")
    """Passes with dropout from which the doubt about a patch is measured."""
    noise: float = setting(0.1, ge=0, le=1, step=0.05, source="code", zero="none")
    """Noise added to the image in these passes, cut off at twice as much. Without it
    what lies before the first dropout is computed once for all of them."""
    doubt: Literal["mean_entropy", "predictive"] = setting(
        "mean_entropy", source="paper"
    )
    """Doubt is the mean of the passes' entropies, or the entropy of their mean."""
    overlap_weight: float = setting(1.0, ge=0, le=100, step=0.1, source="paper")
    """Weight of the mask's Dice loss."""
    entropy: Literal["auto", "on", "off"] = setting("auto", source="ours")
    """Learn the mask by cross entropy as well; 'auto' does so unless every painted
    image has full masks, where the paper has the Dice loss alone."""
    entropy_weight: float = setting(1.0, ge=0, le=100, step=0.1, source="ours")
    """Weight of that cross entropy."""
    class_weighting: Literal["auto", "on", "off"] = setting("auto", source="ours")
    """Make rare classes count more in the cross entropy; 'auto' does so unless every
    image has a full mask, since strokes cover classes unevenly."""
    distance_weight: float = setting(0.3, ge=0, le=100, step=0.1, source="code")
    """Weight of the distance map's squared error."""
    cross_weight: float = setting(1.0, ge=0, le=100, step=0.1, source="code")
    """Weight of the agreement of mask and distance map, at the end of its ramp."""
    guidance_weight: float = setting(1.0, ge=0, le=100, step=0.1, source="code")
    """Weight of their agreement where the network is sure, at the end of its ramp."""
    adversary_weight: float = setting(0.01, ge=0, le=100, step=0.005, source="code")
    """Weight of misleading the adversary, at the end of its ramp."""
    teacher_weight: float = setting(0.1, ge=0, le=100, step=0.05, source="code")
    """Weight of the agreement with the running average, at the end of its ramp."""
    ramp_steps: int = setting(40, ge=1, le=100_000, step=10, source="ours")
    """Steps in which what needs no label rises over the whole run; the code has 40
    epochs of 150 iterations, whatever the length of the run."""
    beta: float = setting(0.5, gt=0, le=1, step=0.1, source="paper")
    """Scale of the Geman-McClure loss."""
    adversary_rate: float = setting(1e-4, gt=0, le=1, step=1e-5, source="code")
    """Step size of the adversary's own Adam optimiser."""
    adversary_channels: int = setting(
        64, ge=1, le=512, step=1, source="code", unit="channels"
    )
    """Channels of the adversary's first layer; each layer doubles them."""
    largest: bool = setting(False, source="code")
    """Keep the largest object of each class alone."""
    min_size: int = setting(0, ge=0, le=1_000_000, step=1, source="ours", unit="pixels")
    """Smaller predicted objects are dropped."""
    base_channels: int = setting(
        16, ge=1, le=512, step=1, source="code", unit="channels", network=True
    )
    """Channels of the first level of the network; each level doubles them."""
    levels: int = setting(
        5, ge=2, le=5, step=1, source="code", unit="levels", network=True
    )
    """Resolution levels of the V-Net."""
    dropout: float = setting(0.5, ge=0, lt=1, step=0.05, source="code", unit="share")
    """Share of feature maps that are dropped at random while training, and in the
    passes that tell doubt; 0 for none."""
    dropout_place: DropoutPlace = setting("ends", source="code")
    """Where: after the deepest level, after each level of the decoder, after its last
    one, or after the deepest and the last."""
    batch_size: int = setting(4, ge=1, le=1024, step=1, source="code", unit="patches")
    """Patches per step: of images with and without paint in turn."""
    learning_rate: float = setting(
        0.01, gt=0, le=1, step=1e-5, source="code", unit="per step", simple=True
    )
    """Step size of the optimiser."""
    optimizer: Literal["adam", "sgd"] = setting("sgd", source="code")
    """How weights follow the gradient: Adam, or plain descent with momentum."""
    schedule: Literal["constant", "cosine", "stepped"] = setting(
        "stepped", source="code"
    )
    """Course of the learning rate over the whole run: 'stepped' divides it by ten
    after five twelfths and after ten twelfths of the steps."""
    weight_decay: float = setting(1e-4, ge=0, le=1, step=1e-5, source="code")
    """Pull of the weights towards zero."""
    average: float = setting(0.99, ge=0, lt=1, step=0.005, source="code")
    """Decay of the running average of the weights that teaches where 'teacher' is on.
    That it predicts and is exported is ours; 0 uses the weights as they are."""

    @property
    def learns_unlabelled(self) -> bool:
        """True if something is learned from images without paint."""
        return self.cross or self.guidance or self.teacher or self.adversary != "none"


SETTINGS = CrossTaskSettings

_SMALL: dict[str, Any] = {
    "optimizer": "adam",
    "schedule": "cosine",
    "learning_rate": 3e-3,
    "decoders": 1,
    "dropout": 0.2,
    "steepness": 100.0,
    "noise": 0.0,
    "passes": 4,
    "entropy": "on",
    "class_weighting": "on",
    "adversary_channels": 16,
}

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {**_SMALL, "steps": 400, "levels": 4, "patch": 128, "batch_size": 4},
    "balanced": {**_SMALL, "steps": 1500, "patch": 160, "batch_size": 8},
    "paper": {
        "patch": 112,
        "normalisation": "zscore",
        "known_share": 0.0,
        "rotate": 0.0,
        "rescale": 1.0,
        "intensity": 0.0,
    },
}
PRESETS_3D: dict[str, dict[str, Any]] = {
    "fast": {
        "base_channels": 8,
        "patch": 48,
        "patch_depth": 32,
        "batch_size": 2,
    },
    "balanced": {"base_channels": 8, "patch": 96, "patch_depth": 48, "batch_size": 2},
    "paper": {"patch_depth": 80},
}

_ALONE: dict[str, Any] = {
    "distance": False,
    "cross": False,
    "guidance": False,
    "adversary": "none",
    "teacher": False,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "V-Net": {**_ALONE},
    "UA-MT": {
        **_ALONE,
        "teacher": True,
        "doubt": "predictive",
        "entropy": "on",
        "entropy_weight": 0.5,
        "overlap_weight": 0.5,
    },
    "SASSNet": {
        **_ALONE,
        "distance": True,
        "adversary": "cross_entropy",
        "decoders": 1,
    },
    "DTC": {**_ALONE, "distance": True, "cross": True, "decoders": 1},
    "MTCTL": {
        "distance": True,
        "cross": True,
        "guidance": True,
        "adversary": "geman_mcclure",
        "teacher": False,
    },
}
