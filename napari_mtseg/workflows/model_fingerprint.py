"""What the answers of a model depend on, as one hash."""

import hashlib
import json
from collections.abc import Sequence

from torch import nn

from napari_mtseg.storage.model_info import ModelInfo
from napari_mtseg.workflows.uncertainty_source import UncertaintySource

_FACTS = ("method", "settings", "classes", "scenes", "n_channels", "colour", "spacing")


def fingerprint_of(
    info: ModelInfo, networks: Sequence[nn.Module], uncertainty: UncertaintySource
) -> str:
    """Return the SHA-256, in hex, of what a model answers with.

    Its name, device and memory do not count: they do not change the result, or only as
    far as windows are blended.

    Parameters
    ----------
    info : ModelInfo
        What the model is for.
    networks : sequence of torch.nn.Module
        All that answer; one, or the members of an ensemble.
    uncertainty : UncertaintySource
        How often they answer.
    """
    facts = info.model_dump(mode="json", include=set(_FACTS))
    asked = [uncertainty.kind, uncertainty.passes, uncertainty.seed]
    digest = hashlib.sha256(json.dumps([facts, asked], sort_keys=True).encode())
    for network in networks:
        for name, tensor in sorted(network.state_dict().items()):
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
