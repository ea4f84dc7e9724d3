"""Settings, presets and table rows of HMEDN."""

from typing import Any, Literal

from napari_mtseg.domain.settings import setting
from napari_mtseg.domain.training_settings import DropoutPlace, TrainingSettings

Network = Literal[
    "distilling",
    "dilated",
    "unet",
    "fcn",
    "dcan",
    "isensee",
    "deepmedic",
    "dense_seg",
    "resnet34",
    "resnet50",
    "resnet101",
    "densenet121",
]


class HighResolutionSettings(TrainingSettings):
    """Where high resolution is kept, and what is learned at blurry boundaries."""

    steps: int = setting(
        4000, ge=1, le=1_000_000, step=10, source="ours", unit="steps", simple=True
    )
    """Optimiser steps."""
    base_channels: int = setting(
        24, ge=1, le=512, step=1, source="derived", unit="channels", network=True
    )
    """Channels of the first level of the network; each level doubles them. Of a
    ResNet or DenseNet, those of the decoder's last level; of DeepMedic and DenseSeg,
    those of the first convolution."""
    network: Network = setting("distilling", source="paper", network=True)
    """The paper's encoder-decoder with dense blocks and side channels; dilated
    convolutions at full resolution alone; or a network that it compares with. Of
    these the U-Net, the ResNets and the DenseNet take the pathway if one is set."""
    pathway: int = setting(
        3, ge=0, le=4, step=1, source="paper", unit="stage", zero="none", network=True
    )
    """Stage of the encoder from which a high-resolution pathway leads to the decoder;
    0 for none. Stage 1 has full resolution."""
    pathway_width: int = setting(
        0,
        ge=0,
        le=512,
        step=1,
        source="derived",
        unit="channels",
        zero="automatic",
        network=True,
    )
    """Channels of the pathway; 0 takes the paper's for its stage."""
    dilation: Literal["2,4", "3,5"] = setting("2,4", source="ours", network=True)
    """The two dilations of the nine residual blocks; for dilated networks the
    paper's."""
    dilated_blocks: Literal[6, 9] = setting(9, source="paper", network=True)
    """Residual blocks of the dilated network."""
    contour: bool = setting(True, source="paper", simple=True, network=True)
    """Learn a smooth map of the boundaries as well."""
    contour_weight: float = setting(1.0, ge=0, le=100, step=0.1, source="paper")
    """Weight of the boundary map's loss (the paper's alpha)."""
    contour_width: float = setting(
        2.0, gt=0, le=100, step=0.5, source="paper", unit="pixels"
    )
    """Standard deviation of the boundary map (the paper's delta)."""
    edges: Literal["inner", "canny"] = setting("inner", source="ours")
    """What counts as boundary: the outermost pixels of an object, or as in the paper
    the Canny edges of its mask, which are up to two pixels thick."""
    difficulty: bool = setting(True, source="paper", simple=True)
    """Let pixels near boundaries count more."""
    class_weighting: Literal["auto", "frequency", "root", "off"] = setting(
        "auto", source="ours"
    )
    """Make rare classes count more, by their frequency as in the paper or by its root;
    'auto' is 'root' unless every image has a full mask, then 'off' with difficulty
    and 'frequency' without."""
    difficulty_weight: float = setting(
        0.0, ge=0, le=1000, step=1, source="ours", zero="automatic"
    )
    """How much more (the paper's mu); 0 takes the ratio of background to objects, at
    most 50."""
    difficulty_width: float = setting(
        8.0, gt=0, le=200, step=1, source="paper", unit="pixels"
    )
    """Standard deviation of the difficulty map (the paper's delta 2)."""
    deep_supervision: float = setting(0.5, ge=0, le=100, step=0.1, source="ours")
    """Weight of the segmentation loss at the end of the pathway."""
    nuclei: bool = setting(False, source="code", simple=True, network=True)
    """Learn the border and the core of each object too, and separate touching objects
    by a watershed from the cores."""
    border_width: float = setting(
        2.0, gt=0, le=100, step=0.5, source="ours", unit="pixels"
    )
    """Width of the border in nuclei mode."""
    min_marker: int = setting(5, ge=1, le=100_000, step=1, source="code", unit="pixels")
    """Smaller cores are not believed in nuclei mode."""
    slices: Literal[1, 3, 5, 7, 9] = setting(1, source="paper", network=True)
    """Neighbouring planes of a volume that a 2D network sees as channels; 1 sees a
    volume in 3D. Patches are as deep."""
    dropout_place: Literal["stages", DropoutPlace] = setting(  # type: ignore[assignment]
        "stages", source="paper"
    )
    """Where: at the end of each stage of encoder and decoder; or after the deepest
    level, after each level of the decoder, after its last one, or after the deepest
    and the last. Networks other than the paper's have no such stages: there 'stages'
    is 'decoder'. Those of Isensee, DeepMedic and DenseSeg keep their own dropout."""
    rescale: float = setting(
        1.25, ge=1, le=1.25, step=0.05, source="derived", unit="times"
    )
    """Largest magnification; its inverse is the smallest. Boundaries are smoothed
    before patches are rescaled, so that more would change their width."""
    fill_islands: bool = setting(False, source="ours")
    """Give what an object encloses to the object, as the paper does for organs; not
    for rings, membranes or nested classes."""
    min_size: int = setting(0, ge=0, le=1_000_000, step=1, source="ours", unit="pixels")
    """Smaller predicted objects are dropped."""


SETTINGS = HighResolutionSettings

_PLAIN = {"contour": False, "difficulty": False}
_COMPARED = {**_PLAIN, "pathway": 0, "dropout": 0.0}
_NUCLEI = {"base_channels": 32, "nuclei": True, **_COMPARED}
_PAPER = {
    "batch_size": 10,
    "learning_rate": 1e-3,
    "weight_decay": 2e-7,
    "normalisation": "zscore",
    "difficulty_weight": 25.0,
    "fill_islands": True,
    "average": 0.0,
    "rotate": 0.0,
    "rescale": 1.0,
    "intensity": 0.0,
}

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {
        "steps": 300,
        "base_channels": 8,
        "levels": 4,
        "pathway_width": 16,
        "patch": 128,
        "batch_size": 4,
        "learning_rate": 2e-3,
    },
    "balanced": {"steps": 1500, "base_channels": 16, "learning_rate": 1e-3},
    "paper": {"steps": 200_000, "patch": 208, **_PAPER},
}
PRESETS_3D: dict[str, dict[str, Any]] = {
    "fast": {"patch": 64, "patch_depth": 16, "batch_size": 2},
    "balanced": {"patch": 96, "patch_depth": 24, "batch_size": 2},
    "paper": {
        "base_channels": 16,
        "pathway": 2,
        "contour": False,
        "dropout": 0.2,
        "patch": 128,
        "patch_depth": 128,
        "batch_size": 1,
    },
}
VARIANTS: dict[str, dict[str, Any]] = {
    "DilNet1": {"network": "dilated", "dilation": "3,5", **_PLAIN, "dropout": 0.0},
    "DilNet2": {"network": "dilated", "dilation": "2,4", **_PLAIN, "dropout": 0.0},
    "DilNet3": {
        "network": "dilated",
        "dilation": "3,5",
        "dilated_blocks": 6,
        **_PLAIN,
        "dropout": 0.0,
    },
    "DstNet1": {"pathway": 0, **_PLAIN},
    "DstNet2": {"pathway": 0, "levels": 4, **_PLAIN},
    "HRDN-L1": {"pathway": 1, **_PLAIN},
    "HRDN-L2": {"pathway": 2, **_PLAIN},
    "HRDN-L3": {"pathway": 3, **_PLAIN},
    "HRDN-L4": {"pathway": 4, "levels": 5, **_PLAIN},
    "HRDN-L3 difficulty": {"pathway": 3, "contour": False, "difficulty": True},
    "HRDN-L3 contour": {"pathway": 3, "contour": True, "difficulty": False},
    "HMEDN": {"pathway": 3, "contour": True, "difficulty": True},
    "3D-L2": {"base_channels": 16, "pathway": 2, "dropout": 0.2, "contour": False},
    "3D-L3": {"base_channels": 16, "pathway": 3, "dropout": 0.2, "contour": False},
    "U-Net": {"network": "unet", "base_channels": 32, **_COMPARED},
    "FCN": {"network": "fcn", "base_channels": 64, **_COMPARED},
    "DCAN": {"network": "dcan", "base_channels": 44, **_COMPARED, "contour": True},
    "E-UNet": {
        "network": "isensee",
        "base_channels": 16,
        "norm": "instance",
        **_COMPARED,
    },
    "DeepMedic": {"network": "deepmedic", "base_channels": 30, **_COMPARED},
    "DenseSeg": {"network": "dense_seg", "base_channels": 32, **_COMPARED},
    "ResNet34": {"network": "resnet34", **_NUCLEI},
    "ResNet101": {"network": "resnet101", **_NUCLEI},
    "DenseNet121": {"network": "densenet121", **_NUCLEI},
    "ResNet34+HR-L2": {"network": "resnet34", **_NUCLEI, "pathway": 2},
    "ResNet34+HR-L3": {"network": "resnet34", **_NUCLEI, "pathway": 3},
    "ResNet34+HR-L4": {"network": "resnet34", **_NUCLEI, "pathway": 4},
    "2.5D": {"slices": 5, "patch_depth": 5},
    "nuclei": {"nuclei": True},
}
VOLUME_VARIANTS = frozenset({"3D-L2", "3D-L3", "2.5D"})
"""rows that are for 3D images only"""
