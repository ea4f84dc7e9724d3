"""Settings of the training loop that every method shares."""

from typing import Literal

from napari_mtseg.domain.settings import Settings, setting

Norm = Literal["batch", "instance", "none"]

DropoutPlace = Literal["deepest", "decoder", "last", "ends"]


class TrainingSettings(Settings):
    """How long and how fast one network learns, and from which patches."""

    base_channels: int = setting(
        32, ge=1, le=512, step=1, source="ours", unit="channels", network=True
    )
    """Channels of the first level of the network; each level doubles them."""
    levels: int = setting(
        5, ge=1, le=8, step=1, source="ours", unit="levels", network=True
    )
    """Resolution levels of the network: more levels see more context."""
    norm: Norm = setting("batch", source="paper", network=True)
    """Normalisation between convolutions."""
    patch: int = setting(
        256, ge=8, le=4096, step=8, source="ours", unit="pixels", simple=True
    )
    """Height and width of the patches; shrunk to the image where it is smaller."""
    patch_depth: int = setting(16, ge=1, le=512, step=1, source="ours", unit="planes")
    """Planes of the patches of 3D images; shrunk to the image where it is thinner."""
    batch_size: int = setting(8, ge=1, le=1024, step=1, source="ours", unit="patches")
    """Patches per step."""
    learning_rate: float = setting(
        5e-4, gt=0, le=1, step=1e-5, source="ours", unit="per step", simple=True
    )
    """Step size of the optimiser."""
    optimizer: Literal["adam", "sgd"] = setting("adam", source="ours")
    """How weights follow the gradient: Adam, or plain descent with momentum."""
    momentum: float = setting(0.9, ge=0, lt=1, step=0.05, source="paper")
    """Momentum of plain descent; Adam has its own."""
    schedule: Literal["constant", "cosine", "stepped"] = setting(
        "constant", source="ours"
    )
    """Course of the learning rate over the whole run: 'stepped' divides it by ten
    after five twelfths and after ten twelfths of the steps."""
    weight_decay: float = setting(0.0, ge=0, le=1, step=1e-5, source="ours")
    """Pull of the weights towards zero."""
    average: float = setting(0.98, ge=0, lt=1, step=0.005, source="ours")
    """Decay of the running average of the weights that predicts and is exported;
    0 uses the weights as they are."""
    dropout: float = setting(0.0, ge=0, lt=1, step=0.05, source="ours", unit="share")
    """Share of feature maps that are dropped at random while training. Predicting
    several times with it tells doubt (Monte Carlo dropout); 0 for none."""
    dropout_place: DropoutPlace = setting("decoder", source="ours")
    """Where: after the deepest level, after each level of the decoder, after its last
    one, or after the deepest and the last."""
    kept_checkpoints: int = setting(
        3, ge=0, le=20, step=1, source="ours", unit="checkpoints"
    )
    """Checkpoints of the last third of a run that are kept: together they are an
    ensemble, which tells doubt without dropout. 0 keeps none."""
    flip: bool = setting(True, source="paper")
    """Mirror patches along every axis."""
    rotate: float = setting(180.0, ge=0, le=180, step=5, source="ours", unit="degrees")
    """Largest rotation of a patch in its plane."""
    rescale: float = setting(
        1.25, ge=1, le=2, step=0.05, source="derived", unit="times"
    )
    """Largest magnification; its inverse is the smallest."""
    intensity: float = setting(0.1, ge=0, le=1, step=0.05, source="ours")
    """Largest change of brightness and contrast, as a share."""
    normalisation: Literal["percentile", "zscore", "none"] = setting(
        "percentile", source="ours", network=True
    )
    """How intensities of an image are brought to a common scale."""
    known_share: float = setting(
        0.5, ge=0, le=1, step=0.05, source="ours", unit="share"
    )
    """Share of the patches that are centred on a painted pixel."""
    precision: Literal["32-true", "16-mixed", "bf16-mixed"] = setting(
        "32-true", source="ours"
    )
    """Number format; mixed precision pays on GPUs only."""
    compile: bool = setting(False, source="ours")
    """Compile the network; pays on GPUs in long runs."""
    validate_every: int = setting(
        100, ge=1, le=1_000_000, step=10, source="ours", unit="steps"
    )
    """Steps between two validations."""
    checkpoint_every: int = setting(
        100, ge=1, le=1_000_000, step=10, source="ours", unit="steps"
    )
    """Steps between two checkpoints."""
    preview_every: int = setting(
        20, ge=1, le=1_000_000, step=5, source="ours", unit="steps"
    )
    """Steps between two predictions of the current image; another image that is looked
    at is predicted sooner."""
    prediction_memory: float = setting(
        2.5, gt=0, le=1024, step=0.5, source="ours", unit="GiB"
    )
    """Memory that predicting one image may use for the network."""


class PathwaySettings(TrainingSettings):
    """Those of a U-Net that may keep high resolution as HMEDN does."""

    pathway: int = setting(
        0, ge=0, le=7, step=1, source="paper", unit="stage", zero="none", network=True
    )
    """Stage of the encoder, 1 for full resolution, from which a high-resolution
    pathway (HMEDN) leads to the decoder as well; 0 for none."""
    pathway_width: int = setting(
        0,
        ge=0,
        le=512,
        step=1,
        source="ours",
        unit="channels",
        zero="automatic",
        network=True,
    )
    """Channels of the pathway; 0 for as many as the stage has."""


def pathway_problems(pathway: int, levels: int) -> tuple[str, ...]:
    """Return what keeps a network from having a high-resolution pathway, a sentence.

    Parameters
    ----------
    pathway : int
        Stage of the encoder, 1 for full resolution; 0 for none.
    levels : int
        Resolutions of the network; the deepest has no skip.
    """
    if pathway < levels:
        return ()
    return (
        f"pathway={pathway} needs more than {pathway} levels, but levels is {levels}. "
        "Set a smaller pathway or more levels.",
    )
