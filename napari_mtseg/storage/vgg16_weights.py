"""The convolutions of VGG16 as learned on ImageNet, from a file that is what it claims.

The published file is a pickle, which can run code when it is loaded. It is opened only
after its SHA-256 has been found right, and for tensors alone; what is kept of it, in
the user's cache folder, is a safetensors file of a tenth of its size.
"""

import hashlib
import pickle
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from napari_mtseg.domain.errors import ModelError
from napari_mtseg.storage.published_file import (
    PublishedFile,
    cache_folder,
    download,
    refusal,
)
from napari_mtseg.storage.write import clear_write_errors, write_bytes_atomically

if TYPE_CHECKING:
    from torch import Tensor

IMAGENET = "imagenet"
"""source: the published file, downloaded once"""

_LAYERS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
"""Numbers of the convolutions among torchvision's ``features``"""

_CHANNELS = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
"""Channels of the image, then of the map after each convolution"""

_SHAPES: Mapping[str, tuple[int, ...]] = {
    f"features.{layer}.{part}": shape
    for layer, (n_in, n_out) in zip(_LAYERS, pairwise(_CHANNELS), strict=True)
    for part, shape in (("weight", (n_out, n_in, 3, 3)), ("bias", (n_out,)))
}

_NOT_WEIGHTS = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)
"""What torch raises on a file that is damaged or holds more than tensors."""


# It is of 2017, in torch's old format: a row of pickles, which no memory map can read.
VGG16_FILE = PublishedFile(
    url="https://download.pytorch.org/models/vgg16-397923af.pth",
    sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    n_bytes=553_433_881,
)
"""torchvision's VGG16 without batch norm"""


def vgg16_weights(
    source: str,
    *,
    published: PublishedFile = VGG16_FILE,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, "Tensor"]:
    """Return the 13 convolutions of VGG16; code in the file cannot run.

    Parameters
    ----------
    source : str
        'imagenet': the published file, which is downloaded and converted the first
        time and read from the user's cache folder ever after. Else the path of the
        published file, or of a safetensors file with the same names.
    published : PublishedFile
        The only pickle that is opened.
    progress : callable, optional
        Called with the bytes done and the bytes in all during a download.

    Returns
    -------
    dict of str to Tensor
        ``features.0.weight`` ``(64, 3, 3, 3)`` to ``features.28.bias`` ``(512,)`` by
        torchvision's names, float32, on the CPU; no classifier.

    Raises
    ------
    ModelError
        If the file is missing, cannot be downloaded, is not the published one, or
        does not hold these weights.
    StorageError
        If the disk is full or the cache folder cannot be written.

    References
    ----------
    .. [1] Simonyan and Zisserman, "Very deep convolutional networks for large-scale
       image recognition", ICLR 2015, configuration D, as trained by torchvision.
    """
    if source == IMAGENET:
        return _from_cache(published) or _from_web(published, progress)
    path = Path(source).expanduser()
    if not path.is_file():
        raise refusal(
            published, f"There is no file '{path.absolute()}' with weights of VGG16."
        )
    try:
        if path.suffix.lower() == ".safetensors":
            return _from_safetensors(path, published)[0]
        with path.open("rb") as file:
            return _from_pickle(file, f"'{path}'", published)
    except OSError as error:
        raise refusal(
            published, f"'{path}' cannot be read ({error.strerror or error})."
        ) from error


def weights_at_hand(source: str, *, published: PublishedFile = VGG16_FILE) -> bool:
    """Return True where :func:`vgg16_weights` needs no download."""
    if source == IMAGENET:
        return _cached_file(published).is_file()
    return Path(source).expanduser().is_file()


def _cached_file(published: PublishedFile) -> Path:
    return cache_folder() / f"{published.name}.safetensors"


def _from_cache(published: PublishedFile) -> dict[str, "Tensor"] | None:
    """Return the converted weights; None if there are none, or they are damaged."""
    try:
        weights, facts = _from_safetensors(_cached_file(published), published)
    except (FileNotFoundError, ModelError):
        return None
    is_ours = facts.get("source_sha256") == published.sha256
    return weights if is_ours and "weights_sha256" in facts else None


def _from_web(
    published: PublishedFile, progress: Callable[[int, int], None] | None
) -> dict[str, "Tensor"]:
    """Download, check, convert and keep; one process at a time, the others wait."""
    from filelock import FileLock

    folder = cache_folder()
    with clear_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{published.name}.lock"):
            if found := _from_cache(published):
                return found
            # It has no name where the system can: a killed process leaves nothing.
            with tempfile.TemporaryFile(dir=folder) as file:
                download(file, published, progress)
                origin = f"What came from {published.url}"
                weights = _from_pickle(file, origin, published)
            _keep(weights, published)
    return weights


def _from_pickle(
    file: BinaryIO, origin: str, published: PublishedFile
) -> dict[str, "Tensor"]:
    """Read a pickle from the same open file whose hash was found right."""
    import torch

    file.seek(0)
    stream: Any = file
    found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != published.sha256:
        shown = found[: len(published.shown_sha256)]
        raise refusal(
            published,
            f"{origin} is not the published file of VGG16, so it was not opened: its "
            f"SHA-256 begins with {shown}, not {published.shown_sha256}.",
        )
    file.seek(0)
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except _NOT_WEIGHTS as error:
        raise refusal(
            published,
            f"{origin} is damaged or holds more than weights, which could run code, "
            "so it was not loaded.",
        ) from error
    return _checked(content if isinstance(content, dict) else {}, origin, published)


def _from_safetensors(
    path: Path, published: PublishedFile
) -> tuple[dict[str, "Tensor"], Mapping[str, str]]:
    """Return the weights and what the file says about itself."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            facts = file.metadata() or {}
            names = _SHAPES.keys() & set(file.keys())
            content = {name: file.get_tensor(name) for name in names}
    except SafetensorError:
        raise refusal(
            published, f"'{path}' is damaged or not a safetensors file."
        ) from None
    weights = _checked(content, f"'{path}'", published)
    recorded = facts.get("weights_sha256")
    if recorded is not None and recorded != _digest(weights):
        raise refusal(
            published,
            f"'{path}' is damaged: these are not the weights it was made with.",
        )
    return weights, facts


def _checked(
    content: Mapping[str, Any], origin: str, published: PublishedFile
) -> dict[str, "Tensor"]:
    faults = (_fault(name, content.get(name)) for name in _SHAPES)
    if fault := next(filter(None, faults), None):
        raise refusal(
            published,
            f"{origin} does not hold the weights of a VGG16 without batch norm: "
            f"{fault}.",
        )
    return {name: content[name].detach().float().contiguous() for name in _SHAPES}


def _fault(name: str, tensor: Any) -> str | None:
    """Return what is wrong with a weight; None if nothing is."""
    import torch

    if not isinstance(tensor, torch.Tensor):
        return f"it has no '{name}'"
    if tuple(tensor.shape) != _SHAPES[name]:
        return f"its '{name}' is of shape {tuple(tensor.shape)}, not {_SHAPES[name]}"
    if not tensor.is_floating_point():
        return f"its '{name}' holds {tensor.dtype}, not torch.float32"
    if not torch.isfinite(tensor).all():
        return f"its '{name}' holds NaN or infinity"
    return None


def _keep(weights: Mapping[str, "Tensor"], published: PublishedFile) -> None:
    from safetensors.torch import save

    facts = {
        "source": published.url,
        "source_sha256": published.sha256,
        "converted": datetime.now().astimezone().isoformat(timespec="seconds"),
        "weights_sha256": _digest(weights),
    }
    write_bytes_atomically(_cached_file(published), save(dict(weights), metadata=facts))


def _digest(weights: Mapping[str, "Tensor"]) -> str:
    digest = hashlib.sha256()
    for name in _SHAPES:
        digest.update(weights[name].numpy().data)
    return digest.hexdigest()
