"""The example models that come with the program: where they lie and what they are.

In an installed copy they are inside the package, in a checkout beside it.
"""

from pathlib import Path

from napari_mtseg.domain.errors import ModelError
from napari_mtseg.storage.model_folder import INFO_FILE, read_model_info
from napari_mtseg.storage.model_info import ModelInfo

SAMPLE_IMAGE = "sample.tif"
"""image in a model's folder to try it with"""
EXPECTED_CLASSES = "sample_classes.tif"
"""classes that the model is to find in it"""


def example_models() -> dict[str, Path]:
    """Return the folder of each example model by its name, sorted."""
    package = Path(__file__).parents[1]
    for folder in (package / "models", package.parent / "models"):
        found = sorted(file.parent for file in folder.glob(f"*/{INFO_FILE}"))
        if found:
            return {path.name: path for path in found}
    return {}


def example_model(name: str) -> Path:
    """Return the folder of an example model.

    Raises
    ------
    ModelError
        If there is none of this name.
    """
    known = example_models()
    if name not in known:
        names = ", ".join(known) or "none, this copy of the program came without them"
        raise ModelError(
            f"There is no example model '{name}'. The example models: {names}."
        )
    return known[name]


def in_one_line(info: ModelInfo) -> str:
    """Return what a model segments, in which images, and by which method."""
    classes = ", ".join(known.name for known in info.classes)
    channels = f"{info.n_channels} channel{'s' * (info.n_channels > 1)}"
    read = "" if info.colour == "as_is" else f" read as {info.colour}"
    return f"{classes}; {info.ndim}D images, {channels}{read}; method {info.method}"


def described_examples() -> dict[str, tuple[Path, str]]:
    """Return the folder of each example model, and what it is for in one line."""
    return {
        name: (path, in_one_line(read_model_info(path)))
        for name, path in example_models().items()
    }
