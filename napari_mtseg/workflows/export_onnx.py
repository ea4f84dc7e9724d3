"""A model as an ONNX file: programs in any language run it."""

from pathlib import Path
from typing import Any

import torch

from napari_mtseg.domain.errors import ModelError
from napari_mtseg.networks.exported_network import ExportedNetwork
from napari_mtseg.storage.model_folder import facts_text
from napari_mtseg.storage.model_info import ModelInfo
from napari_mtseg.workflows.export_checks import Check, difference_check
from napari_mtseg.workflows.export_credits import (
    NOTHING_SAID,
    Credits,
    credit_facts,
)
from napari_mtseg.workflows.export_network import (
    answers,
    size_in_words,
    traced,
    tried_inputs,
)
from napari_mtseg.workflows.export_words import (
    axes_in_words,
    facts_for_programs,
    normalisation_in_words,
)
from napari_mtseg.workflows.quiet_libraries import quiet_libraries

INPUT = "image"
"""name of the only input"""


def write_onnx(
    path: Path,
    info: ModelInfo,
    network: ExportedNetwork,
    *,
    card: str,
    said: Credits = NOTHING_SAID,
) -> int:
    """Write a network with its weights, and what is known of it, as one ONNX file.

    A network of more than 2 GB has its weights in a second file, '.data' after the
    name, since ONNX files cannot be larger.

    Parameters
    ----------
    path : Path
        File to write.
    info : ModelInfo
        What is known of the model; it is written into the file's metadata.
    network : ExportedNetwork
        With its weights, in eval mode.
    card : str
        Markdown for people, for the metadata.
    said : Credits
        Authors, licence and more, each a fact of the metadata.

    Returns
    -------
    int
        Version of the operators (opset).

    Raises
    ------
    ModelError
        If ONNX has no operator for a part of the network.
    """
    program = traced(network, info.n_channels)
    try:
        with torch.no_grad(), quiet_libraries():
            written: Any = torch.onnx.export(
                program,
                dynamo=True,
                input_names=[INPUT],
                output_names=list(network.heads),
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        raise ModelError(_refusal(info, error)) from error
    model = written.model
    model.producer_name = "napari-mtseg"
    model.doc_string = card
    model.metadata_props.update(facts_for_programs(info, network))
    model.metadata_props.update(credit_facts(said))
    model.metadata_props["napari_mtseg.model"] = facts_text(info)
    model.graph.inputs[
        0
    ].doc_string = f"{axes_in_words(info)}, {normalisation_in_words(info)}"
    written.save(path)
    return int(model.opset_imports[""])


def onnx_checks(
    path: Path, info: ModelInfo, network: ExportedNetwork
) -> tuple[Check, ...]:
    """Validate an ONNX file, and compare onnxruntime's answers with the network's."""
    import onnx
    import onnxruntime

    with quiet_libraries():
        try:
            onnx.checker.check_model(path, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
            return (Check(what="The file is valid ONNX", passed=False),)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    compared = (
        difference_check(
            f"onnxruntime answers like the network on {size_in_words(images)} pixels",
            session.run(None, {INPUT: images}),
            answers(network, images),
        )
        for images in tried_inputs(info, network)
    )
    return (Check(what="The file is valid ONNX", passed=True), *compared)


def _refusal(info: ModelInfo, error: Exception) -> str:
    (reason, *_) = str(error).strip().splitlines() or ["no reason is given"]
    return (
        f"The network of the model '{info.name}' cannot be written as ONNX ({reason}). "
        "Choose the format torch or folder, and report this as a bug."
    )
