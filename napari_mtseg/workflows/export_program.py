"""A model as a torch.export program (`.pt2`): PyTorch alone runs it."""

from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch.export import ExportedProgram

from napari_mtseg.networks.exported_network import ExportedNetwork
from napari_mtseg.storage.model_folder import CARD_FILE, INFO_FILE, facts_text
from napari_mtseg.storage.model_info import ModelInfo
from napari_mtseg.workflows.export_checks import Check, difference_check
from napari_mtseg.workflows.export_network import (
    answers,
    size_in_words,
    traced,
    tried_inputs,
)
from napari_mtseg.workflows.quiet_libraries import quiet_libraries


def write_program(
    path: Path, info: ModelInfo, network: ExportedNetwork, *, card: str
) -> None:
    """Trace a network and save it with ``model.json`` and the card inside.

    Parameters
    ----------
    path : Path
        Ends in '.pt2'.
    info : ModelInfo
        What is known of the model.
    network : ExportedNetwork
        With its weights, in eval mode.
    card : str
        Markdown for people.
    """
    program = traced(network, info.n_channels)
    inside = {INFO_FILE: facts_text(info), CARD_FILE: card}
    with quiet_libraries():
        torch.export.save(program, path, extra_files=inside)


def program_checks(
    path: Path, info: ModelInfo, network: ExportedNetwork
) -> tuple[Check, ...]:
    """Load a saved program and compare its answers with those of the network."""
    with quiet_libraries():
        program = torch.export.load(path)
    return tuple(
        difference_check(
            f"Loaded again by torch.export, it answers like the network on "
            f"{size_in_words(images)} pixels",
            _run(program, images),
            answers(network, images),
        )
        for images in tried_inputs(info, network)
    )


def _run(program: ExportedProgram, images: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    with torch.inference_mode():
        said = program.module()(torch.from_numpy(images))
    return tuple(answer.numpy() for answer in said)
