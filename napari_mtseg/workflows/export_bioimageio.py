"""A model as a BioImage.IO package, with PyTorch and ONNX weights, tested by its core.

Of all that this program writes only this package holds a pickle, `weights.pt`, because
BioImage.IO knows PyTorch weights as nothing else. It holds the safetensors and the
facts of our own model folder too, from which we read it.
"""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError

from napari_mtseg import __version__
from napari_mtseg.domain.errors import ModelError
from napari_mtseg.networks.exported_network import ExportedNetwork
from napari_mtseg.storage.model_folder import (
    CARD_FILE,
    INFO_FILE,
    WEIGHTS_FILE,
    model_files,
)
from napari_mtseg.storage.model_info import ModelInfo
from napari_mtseg.storage.write import write_bytes_atomically
from napari_mtseg.workflows.export_cover import cover_picture
from napari_mtseg.workflows.export_credits import Credits, cited
from napari_mtseg.workflows.export_network import (
    answers,
    architecture,
    facts_of_architecture,
)
from napari_mtseg.workflows.export_onnx import write_onnx
from napari_mtseg.workflows.export_tensors import (
    INPUT,
    input_tensor,
    output_tensors,
    size_of_test_image,
)
from napari_mtseg.workflows.export_trial import generated_image, normalised_image
from napari_mtseg.workflows.export_words import facts_for_programs
from napari_mtseg.workflows.quiet_libraries import quiet_libraries

STATE_FILE, ONNX_FILE = "weights.pt", "weights.onnx"
ENVIRONMENT_FILE, COVER_FILE = "environment.yaml", "cover.png"

LEAST_NAME, MOST_NAME = 5, 64
"""characters of a model's name that BioImage.IO wants"""

_ENVIRONMENT = """name: napari-mtseg
channels: [conda-forge]
dependencies:
  - python >=3.11
  - pip
  - pip:
      - napari-mtseg =={version}
"""


def write_bioimageio(
    path: Path,
    folder: Path,
    info: ModelInfo,
    network: ExportedNetwork,
    *,
    card: str,
    said: Credits,
) -> Path:
    """Write a package, validated but not yet tested.

    Parameters
    ----------
    path : Path
        Zip file to write.
    folder : Path
        Empty folder for its files, which the caller deletes.
    info : ModelInfo
        What is known of the model.
    network : ExportedNetwork
        With its weights, in eval mode.
    card : str
        Markdown for people.
    said : Credits
        Authors, licence, and what to cite; checked before.

    Returns
    -------
    Path
        The ONNX file in ``folder``.

    Raises
    ------
    ModelError
        If the specification does not allow what the model is or says: a network that
        answers nothing but 0 for the test image, for example.
    """
    from bioimageio.spec import ValidationContext, save_bioimageio_package

    folder = folder.resolve()
    info, files = model_files(
        info, network.network.state_dict(), card=_with_validation(card)
    )
    files |= _test_files(info, network)
    files[STATE_FILE] = _state_dict(network)
    files[ENVIRONMENT_FILE] = _ENVIRONMENT.format(version=__version__).encode()
    for name, content in files.items():
        write_bytes_atomically(folder / name, content)
    opset = write_onnx(folder / ONNX_FILE, info, network, card=card, said=said)
    with quiet_libraries(), ValidationContext(root=folder, perform_io_checks=True):
        try:
            described = _described(info, network, folder=folder, opset=opset, said=said)
        except ValidationError as error:
            why = str(error.errors()[0]["msg"]).removesuffix(".")
            raise ModelError(
                f"bioimageio.spec refuses the description of the model '{info.name}': "
                f"{why}. Choose another format with --format, and report this."
            ) from None
        save_bioimageio_package(described, output_path=path)
    return folder / ONNX_FILE


def _test_files(info: ModelInfo, network: ExportedNetwork) -> dict[str, bytes]:
    """Return the test image, the network's answers for it, and the cover."""
    size = size_of_test_image(network)
    image = generated_image(info.n_channels, size)
    seen = normalised_image(info, size)
    said = dict(zip(network.heads, answers(network, seen[None]), strict=True))
    arrays = {f"test_{INPUT}.npy": image[None]}
    arrays |= {f"test_{head}.npy": answer for head, answer in said.items()}
    files = {name: _npy(array) for name, array in arrays.items()}
    shown = said["segmentation"][0]
    files[COVER_FILE] = cover_picture(image, shown, info.classes)
    return files


def _described(
    info: ModelInfo,
    network: ExportedNetwork,
    *,
    folder: Path,
    opset: int,
    said: Credits,
) -> Any:
    from bioimageio.spec.common import FileDescr
    from bioimageio.spec.model import v0_5

    model: Any = v0_5.ModelDescr
    files = {file.name: FileDescr(source=file) for file in folder.iterdir()}
    tests = {head: files[f"test_{head}.npy"] for head in network.heads}
    return model(
        name=bioimageio_name(info.name),
        description=said.description or default_description(info),
        authors=[v0_5.Author(name=name.strip()) for name in said.authors],
        cite=[v0_5.CiteEntry.model_validate(cited(text)) for text in said.cite],
        license=said.license or None,
        tags=_tags(info),
        documentation=files[CARD_FILE],
        covers=[files[COVER_FILE]],
        attachments=[files[INFO_FILE], files[WEIGHTS_FILE]],
        inputs=[input_tensor(info, network, test=files[f"test_{INPUT}.npy"])],
        outputs=output_tensors(info, network, tests=tests),
        weights=_weights(info, files, opset=opset),
        config=_config(info, network),
    )


def _weights(info: ModelInfo, files: Mapping[str, Any], *, opset: int) -> Any:
    from bioimageio.spec.model import v0_5

    state = v0_5.PytorchStateDictWeightsDescr(
        source=files[STATE_FILE].source,
        architecture=v0_5.ArchitectureFromLibraryDescr(
            callable=v0_5.Identifier(architecture.__name__),
            import_from=architecture.__module__,
            kwargs=facts_of_architecture(info),
        ),
        pytorch_version=v0_5.Version(torch.__version__.split("+")[0]),
        dependencies=files[ENVIRONMENT_FILE],
    )
    onnx = v0_5.OnnxWeightsDescr(
        source=files[ONNX_FILE].source,
        opset_version=opset,
        parent="pytorch_state_dict",
        external_data=files.get(f"{ONNX_FILE}.data"),
    )
    return v0_5.WeightsDescr(pytorch_state_dict=state, onnx=onnx)


def _config(info: ModelInfo, network: ExportedNetwork) -> Any:
    """Return what the specification has no field for; the training images above all."""
    from bioimageio.spec.model import v0_5

    facts = info.provenance
    told = {
        **facts_for_programs(info, network),
        "receptive_radius": list(network.windowed.halo),
        "training": {
            "run": facts.run,
            "n_images": facts.n_images + facts.n_tagged_only,
            "sha256_of_images": list(facts.trained_on),
            "metrics": {k: float(v) for k, v in facts.metrics.items()},
            "measured_on": facts.measured_on,
        },
    }
    known = v0_5.BioimageioConfig(
        task="segmentation",
        target_structure=[c.name for c in info.classes],
        architecture_description=f"network of the method {info.method}",
        model_parameter_count=sum(p.numel() for p in network.parameters()),
    )
    return v0_5.Config.model_validate({"bioimageio": known, "napari_mtseg": told})


def _tags(info: ModelInfo) -> list[str]:
    classes = (c.name for c in info.classes)
    return ["segmentation", f"{info.ndim}d", "napari-mtseg", info.method, *classes]


def bioimageio_name(name: str) -> str:
    """Return a model's name in the letters and of the length that BioImage.IO wants.

    Examples
    --------
    >>> bioimageio_name("zelle"), bioimageio_name("v.2")
    ('zelle', 'model v-2')
    """
    plain = re.sub(r"[^A-Za-z0-9_+\- ()]", "-", name)[:MOST_NAME]
    return plain if len(plain) >= LEAST_NAME else f"model {plain}"


def default_description(info: ModelInfo) -> str:
    """Return what a model does, in a sentence."""
    names = ", ".join(c.name for c in info.classes)
    return (
        f"Segments {names} in {info.ndim}D images. Made with napari-mtseg, method "
        f"{info.method}."
    )[:512]


def _with_validation(card: str) -> str:
    """Return a card with the section that BioImage.IO asks for."""
    return (
        f"{card}\n## Validation\n\nAnnotate some images that took no part in the "
        "training, add them to a project with the split `test`, and run `mtseg "
        "evaluate PROJECT --split test`; or compare the segmentation with masks of "
        "your own by Dice.\n"
    )


def _state_dict(network: ExportedNetwork) -> bytes:
    """Return the weights as a plain dictionary of tensors, pickled by torch."""
    target = io.BytesIO()
    plain = {k: t.detach().cpu().clone() for k, t in network.state_dict().items()}
    torch.save(plain, target)
    return target.getvalue()


def _npy(array: np.ndarray) -> bytes:
    target = io.BytesIO()
    np.save(target, np.ascontiguousarray(array, np.float32))
    return target.getvalue()
