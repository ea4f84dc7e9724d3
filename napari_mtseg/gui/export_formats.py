"""In which formats a model can be taken away, and what each is for."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ExportFormat:
    """One format of `mtseg export`, for people."""

    title: str
    """its name"""
    purpose: str
    """what it is for, a sentence or two"""
    suffix: str
    """what its file ends with; '' for a folder"""
    use: str
    """what the line that uses it does, ending with a colon"""
    has_credits: bool = False
    """True if it names its authors and its licence"""


_IN_SHELL = (
    "Segment images with it from a shell; put your own folder in place of IMAGES:"
)

FORMATS = {
    "folder": ExportFormat(
        title="Model folder",
        purpose="For this program on any computer: window, shell, Python and further "
        "training.",
        suffix="",
        use=_IN_SHELL,
    ),
    "zip": ExportFormat(
        title="Model folder as one zip file",
        purpose="The same as the model folder in one file, easy to send.",
        suffix=".zip",
        use=_IN_SHELL,
    ),
    "bioimageio": ExportFormat(
        title="BioImage.IO",
        purpose="For programs that run models of the BioImage Model Zoo, and to share "
        "it there. This program reads it too.",
        suffix=".bioimageio.zip",
        use=_IN_SHELL,
        has_credits=True,
    ),
    "onnx": ExportFormat(
        title="ONNX",
        purpose="For programs in any language that run ONNX. It holds the network "
        "alone: pixels in, probabilities out.",
        suffix=".onnx",
        use="Load it in Python:",
    ),
    "torch": ExportFormat(
        title="torch.export",
        purpose="For PyTorch without this program. It holds the network alone: pixels "
        "in, probabilities out.",
        suffix=".pt2",
        use="Load it in Python:",
    ),
}
"""name of a format for `mtseg export` -> what people are told of it"""
