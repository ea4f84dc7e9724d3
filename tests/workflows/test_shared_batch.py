import pytest
import torch
from torch import nn

from napari_mtseg.methods.catalog import CATALOG
from napari_mtseg.workflows import shared_batch
from napari_mtseg.workflows.shared_batch import RepeatedNetwork, share_layers


@pytest.fixture
def group(tmp_path):
    """Make a process group of this process alone."""
    store = f"file://{tmp_path}/store"
    torch.distributed.init_process_group(
        "gloo", init_method=store, rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


def small_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Dropout2d(0.5), nn.Conv2d(3, 2, 1)
    )


def test_a_shared_batch_norm_is_a_batch_norm(group):
    plain, shared = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
    share_layers(shared)
    assert isinstance(shared, nn.BatchNorm2d)
    torch.manual_seed(0)
    first = torch.randn(3, 2, 4, 5, requires_grad=True)
    second = first.detach().clone().requires_grad_()
    weight = torch.randn(3, 2, 4, 5)
    for norm, x in ((plain, first), (shared, second)):
        (norm(x) * weight).sum().backward()
    torch.testing.assert_close(second.grad, first.grad)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(shared.state_dict()[name], value)
    x = torch.randn(1, 2, 3, 3)
    torch.testing.assert_close(shared.eval()(x), plain.eval()(x))


def test_shared_layers_keep_the_names_of_the_weights():
    plain, shared = small_network(), small_network()
    share_layers(shared)
    assert list(shared.state_dict()) == list(plain.state_dict())


@pytest.mark.parametrize("kind", [nn.Dropout, nn.Dropout2d, nn.Dropout3d])
def test_the_parts_of_dropout_are_that_of_the_whole_batch(kind):
    x = torch.randn(4, 3, *(2,) * (3 if kind is nn.Dropout3d else 2))
    plain, shared = kind(0.5), kind(0.5)
    share_layers(shared)
    torch.manual_seed(3)
    whole = plain(x)
    parts = []
    for own in (slice(0, 2), slice(2, 4)):
        torch.manual_seed(3)
        with shared_batch.dropping_of([shared], 4, own):
            parts.append(shared(x[own]))
    torch.testing.assert_close(torch.cat(parts), whole)


def test_repeated_work_counts_once():
    """Two processes whose gradients become a mean, of a loss that counts twice."""
    layer = nn.Linear(2, 1)
    x = torch.randn(3, 2)
    layer(x).sum().backward()
    expected = layer.weight.grad.clone()
    layer.weight.grad = None
    answer = RepeatedNetwork(layer, n=2)(x)
    torch.testing.assert_close(answer, layer(x))
    (answer.sum() * 2).backward()
    torch.testing.assert_close(layer.weight.grad, expected)


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path):
    """Every method, with batch norm, dropout, a growing share of labels, an adversary.

    Small steps, since rounding grows with them: it is all that differs.
    """
    from benchmarks.two_processes import rows

    found = rows(tmp_path, list(CATALOG), steps=20, values={"learning_rate": 3e-5})
    assert {row.method: row.steps for row in found} == dict.fromkeys(CATALOG, 20)
    for row in found:
        assert row.first_difference < 1e-5, row
        assert row.difference < 1e-4, row
