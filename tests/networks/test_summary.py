import torch

from napari_mtseg.networks.recursive_unet import RecursiveUNet
from napari_mtseg.networks.summary import layer_table, parameter_counts
from napari_mtseg.networks.unet import UNet


def test_rows_sum_to_all_parameters_and_shapes_follow_the_poolings():
    network = RecursiveUNet(1, 2, base=2, levels=3, separator=True)
    rows = layer_table(network, 1, (16, 24))
    total = sum(p.numel() for p in network.parameters())
    assert sum(row.parameters for row in rows) == total
    assert rows[0].name == "encoder.levels.0.0.conv"
    assert (rows[0].kind, rows[0].output_shape) == ("Conv2d", (2, 16, 24))
    assert min(row.output_shape[1:] for row in rows) == (4, 6)


def test_table_leaves_the_network_as_it_was():
    network = UNet(1, 2, base=1, levels=2)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    layer_table(network, 1, (4, 4))
    assert network.training
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    assert not any(m._forward_hooks for m in network.modules())


def test_counts_of_the_specified_network():
    assert parameter_counts(UNet(1, 2)) == {
        "conv_weights": 7_843_168,
        "total": 7_849_058,
    }


def test_rows_of_a_pathway_count_too():
    network = RecursiveUNet(1, 2, base=2, levels=3, high_resolution=2)
    rows = layer_table(network, 1, (16, 24))
    assert sum(row.parameters for row in rows) == parameter_counts(network)["total"]
    entry = next(row for row in rows if row.name == "skips.pathway.entry.conv")
    assert entry.output_shape == (4, 8, 12)
