"""The line that uses an exported model: in the shell, or in Python elsewhere."""

from pathlib import Path

from napari_mtseg.domain.shell_line import shell_line


def usage_line(kind: str, model: Path) -> str:
    """Return the line that uses a model of a format.

    Parameters
    ----------
    kind : {'folder', 'zip', 'bioimageio', 'onnx', 'torch'}
        The format.
    model : Path
        The file or folder.

    Examples
    --------
    >>> usage_line("folder", Path("nuclei-model"))
    'mtseg predict nuclei-model IMAGES --out results'
    >>> usage_line("onnx", Path("nuclei.onnx"))
    "import onnxruntime; session = onnxruntime.InferenceSession('nuclei.onnx')"
    """
    if kind == "onnx":
        file = repr(str(model))
        return f"import onnxruntime; session = onnxruntime.InferenceSession({file})"
    if kind == "torch":
        return f"import torch; model = torch.export.load({str(model)!r}).module()"
    return shell_line("mtseg", "predict", str(model), "IMAGES", "--out", "results")
