"""How a model is used, in each of its formats: the last words of its card."""

from napari_mtseg.domain.shell_line import shell_line
from napari_mtseg.networks.exported_network import ExportedNetwork
from napari_mtseg.storage.model_info import ModelInfo
from napari_mtseg.workflows.export_formats import SUFFIXES, Format
from napari_mtseg.workflows.export_words import (
    axes_in_words,
    normalisation_in_words,
    sizes_in_words,
)


def usage_in_words(
    kind: Format, info: ModelInfo, network: ExportedNetwork, *, file: str | None = None
) -> str:
    """Return how a model of a format is used, as Markdown.

    Parameters
    ----------
    kind : {'folder', 'zip', 'bioimageio', 'onnx', 'torch'}
        The format.
    info : ModelInfo
        Its facts.
    network : ExportedNetwork
        Its network; the weights do not matter.
    file : str, optional
        Its name; by default that of the model, with the suffix of the format.
    """
    file = file or f"{info.name}{SUFFIXES[kind]}"
    if kind == "onnx":
        return _of_onnx(file, info, network)
    if kind == "torch":
        return _of_torch(file, info, network)
    ours = _of_model(file, network)
    if kind == "bioimageio":
        return f"{ours}\n{_OF_PACKAGE}"
    return f"{ours}\nThe weights are safetensors: loading them never runs code."


_OF_PACKAGE = (
    "napari-mtseg reads nothing of this package but `model.json` and "
    "`weights.safetensors`, which cannot run code. Other programs run it with "
    "bioimageio.core: with the ONNX weights, or with the PyTorch weights where "
    "napari-mtseg is installed."
)


def _of_model(file: str, network: ExportedNetwork) -> str:
    answers = (
        "What it tells of each image as a whole is a row of `images.csv`, which "
        "is written with the results.\n\n"
    )
    predict = shell_line("mtseg", "predict", file, "IMAGES", "--out", "results")
    return (
        f"```\n{predict}\n```\n\n"
        f"{answers if network.windowed.image_heads else ''}"
        "or from Python, on a NumPy array:\n\n"
        "```python\n"
        "from napari_mtseg import load_model\n\n"
        f'model = load_model("{file}")\n'
        "prediction = model.predict(pixels)\n"
        "prediction.instances, prediction.classes, prediction.probabilities\n"
        "```\n"
    )


def _of_onnx(file: str, info: ModelInfo, network: ExportedNetwork) -> str:
    return (
        "```python\n"
        "import onnxruntime\n\n"
        f'session = onnxruntime.InferenceSession("{file}")\n'
        f'{_names(network)} = session.run(None, {{"image": images}})\n'
        "```\n\n"
        f"{_of_input(info, network)} The same facts are in the file's metadata: "
        "`session.get_modelmeta().custom_metadata_map`."
    )


def _of_torch(file: str, info: ModelInfo, network: ExportedNetwork) -> str:
    return (
        "```python\n"
        "import torch\n\n"
        f'model = torch.export.load("{file}").module()\n'
        f"{_names(network)} = model(torch.from_numpy(images))\n"
        "```\n\n"
        f"{_of_input(info, network)}"
    )


def _names(network: ExportedNetwork) -> str:
    heads = tuple(network.heads)
    return f"{heads[0]}," if len(heads) == 1 else ", ".join(heads)


def _of_input(info: ModelInfo, network: ExportedNetwork) -> str:
    return (
        f"`images`: {axes_in_words(info)}; {normalisation_in_words(info)}. The size of "
        f"an image is {sizes_in_words(network)} pixels: pad others at their end by "
        "repeating the last row and column, and crop the answers. Answers are "
        "probabilities, channels second; of `segmentation` the background and the "
        "classes in order. Objects, contours and tiling are the work of napari-mtseg, "
        "not of this file."
    )
