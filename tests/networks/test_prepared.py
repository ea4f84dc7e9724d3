import torch
from torch import nn

from napari_mtseg.networks.dropout import has_dropout
from napari_mtseg.networks.prepared import prepared_for_inference
from napari_mtseg.networks.unet import UNet


def test_a_prepared_network_is_a_copy_that_keeps_its_dropout():
    network = UNet(1, 2, base=2, levels=2, dropout=0.5)
    prepared = prepared_for_inference(network)
    assert network.training
    assert not prepared.training
    assert has_dropout(prepared)
    assert not any(p.requires_grad for p in prepared.parameters())
    assert all(p.requires_grad for p in network.parameters())


def test_weights_of_planes_are_laid_out_channels_last():
    prepared = prepared_for_inference(UNet(2, 2, base=4, levels=2))
    weights = [m.weight for m in prepared.modules() if isinstance(m, nn.Conv2d)]
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in weights)
