import pytest
import torch
from torch import nn

from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.samples import Ensemble, MonteCarloDropout
from napari_mtseg.networks.unet import UNet


def network(seed=0, **further):
    with seeded(seed):
        settings = {"base": 2, "levels": 2, "dropout": 0.5, **further}
        return UNet(1, 2, **settings).eval()


def answers(samples, x):
    return [logits["segmentation"] for logits in samples(x)]


X = torch.linspace(0, 1, 64).reshape(1, 1, 8, 8)


def test_equal_seeds_repeat_every_pass_and_other_seeds_do_not():
    asked = network()
    first = answers(MonteCarloDropout(asked, n_passes=5, seed=3), X)
    second = answers(MonteCarloDropout(asked, n_passes=5, seed=3), X)
    other = answers(MonteCarloDropout(asked, n_passes=5, seed=4), X)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    assert len({a.sum().item() for a in first}) > 1


def test_a_pass_depends_on_its_number_and_not_on_how_many_there_are():
    asked = network()
    few = answers(MonteCarloDropout(asked, n_passes=2, seed=3), X)
    many = answers(MonteCarloDropout(asked, n_passes=4, seed=3), X)
    assert all(torch.equal(a, b) for a, b in zip(few, many, strict=False))


def test_passes_leave_the_global_generator_and_the_network_alone():
    asked = network()
    before = {name: tensor.clone() for name, tensor in asked.state_dict().items()}
    expected, state = asked(X)["segmentation"], torch.random.get_rng_state()
    for _ in MonteCarloDropout(asked, n_passes=3, seed=0)(X):
        assert torch.equal(torch.random.get_rng_state(), state)
        assert not any(module.training for module in asked.modules())
        assert torch.equal(asked(X)["segmentation"], expected)
    assert all(torch.equal(asked.state_dict()[name], t) for name, t in before.items())


def test_only_dropout_is_in_training_mode_during_a_pass():
    asked, modes = network(), {}
    for module in asked.modules():
        module.register_forward_pre_hook(
            lambda module, _: modes.setdefault(type(module), set()).add(module.training)
        )
    answers(MonteCarloDropout(asked, n_passes=2, seed=0), X)
    assert modes.pop(nn.Dropout2d) == {True}
    assert set().union(*modes.values()) == {False}
    assert nn.BatchNorm2d in modes


def test_passes_that_nobody_asks_for_are_not_computed():
    asked, n = network(), []
    asked.register_forward_hook(lambda *_: n.append(1))
    passes = MonteCarloDropout(asked, n_passes=10, seed=0)(X)
    next(passes)
    passes.close()
    assert len(n) == 1
    assert not any(module.training for module in asked.modules())


def test_no_pass_has_gradients():
    with torch.enable_grad():
        one = network()
        for samples in (MonteCarloDropout(one, n_passes=2, seed=0), Ensemble([one])):
            assert not any(a.requires_grad for a in answers(samples, X))


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (network, {"n_passes": 0, "seed": 0}, "1 or more"),
        (lambda: network(dropout=0.0), {"n_passes": 2, "seed": 0}, "no dropout"),
        (lambda: network().train(), {"n_passes": 2, "seed": 0}, "training mode"),
    ],
)
def test_what_cannot_answer_at_random_is_refused(make, settings, message):
    with pytest.raises(ValueError, match=message):
        MonteCarloDropout(make(), **settings)


def test_an_ensemble_answers_by_each_network_in_turn():
    members = [network(0), network(1, levels=3)]
    ensemble = Ensemble(members)
    for found, member in zip(ensemble(X), members, strict=True):
        assert torch.equal(found["segmentation"], member(X)["segmentation"])
    assert ensemble.networks == tuple(members)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (list, "at least one"),
        (lambda: [network(), network().train()], "training mode"),
        (lambda: [network(), UNet(1, 3, base=2, levels=2).eval()], "different heads"),
    ],
)
def test_networks_that_make_no_ensemble_are_refused(members, message):
    with pytest.raises(ValueError, match=message):
        Ensemble(members())


def test_samples_say_where_they_come_from():
    asked = network()
    assert MonteCarloDropout(asked, n_passes=20, seed=0).description == (
        "20 passes with dropout"
    )
    assert Ensemble([asked] * 3).description == "ensemble of 3"
    assert (MonteCarloDropout(asked, n_passes=20, seed=0).n, Ensemble([asked]).n) == (
        20,
        1,
    )
