"""Whether an image is one that a model was trained for."""

from napari_mtseg.domain.errors import ModelError
from napari_mtseg.domain.image import Image, ImageInfo
from napari_mtseg.storage.model_info import ModelInfo
from napari_mtseg.storage.stored_array import size_text
from napari_mtseg.storage.voxel_sizes import LENGTHS_IN_METRES

SPACING_TOLERANCE = 0.1
"""share by which the voxel size may differ before the user is told (ours)"""


def check_fits(image: Image, model: ModelInfo) -> None:
    """Refuse an image of other dimensions or channels than the model's.

    Raises
    ------
    ModelError
        If it cannot be predicted.
    """
    if image.info.ndim != model.ndim:
        raise ModelError(
            f"The model expects {model.ndim}D images but '{image.name}' is "
            f"{image.info.ndim}D ({size_text(image.info.spatial_shape)}). Choose a "
            "model for such images, or convert the image."
        )
    if image.info.n_channels not in model.allowed_channels:
        counts = " or ".join(str(n) for n in model.allowed_channels)
        plural = "" if counts == "1" else "s"
        raise ModelError(
            f"The model expects {counts} channel{plural} but '{image.name}' has "
            f"{image.info.n_channels}. Choose channels of the image with "
            "--channels, or a model for such images."
        )


def voxel_notices(image: ImageInfo, model: ModelInfo) -> tuple[str, ...]:
    """Return a sentence if voxels are of another size than in training."""
    known = LENGTHS_IN_METRES.keys()
    if image.unit not in known or model.unit not in known:
        return ()
    scale = LENGTHS_IN_METRES[image.unit] / LENGTHS_IN_METRES[model.unit]
    ratios = [s * scale / t for s, t in zip(image.spacing, model.spacing, strict=True)]
    if all(abs(r - 1) <= SPACING_TOLERANCE for r in ratios):
        return ()
    found, expected = _lengths(image.spacing), _lengths(model.spacing)
    return (
        f"Its voxels are {found} {image.unit} but the model was trained on "
        f"{expected} {model.unit}: rescale the image if the result is poor.",
    )


def _lengths(spacing: tuple[float, ...]) -> str:
    return " x ".join(f"{size:.3g}" for size in spacing)
