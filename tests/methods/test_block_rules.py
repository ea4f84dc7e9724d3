import numpy as np
import pytest

from napari_mtseg.methods.catalog import CATALOG, load_method, settings_model
from napari_mtseg.methods.protocol import Task, block_margin

SMALL = {"task_decomposition": {"levels": 6}}
EXACT = ("baseline", "cross_task", "joint_shape", "task_decomposition")


def method(key, ndim=2, **settings):
    values = {**SMALL.get(key, {}), **settings}
    task = Task(n_channels=1, n_classes=1, spacing=(1.0,) * ndim)
    return load_method(key)(settings_model(key).checked(values), task)


def outputs_of(maker, classes):
    """Return outputs of a network that is sure of a class map."""
    heads = dict(maker.network().head_channels)
    sure = np.stack([classes == 0, classes == 1]).astype(np.float32)
    return {
        name: sure if n == 2 else np.zeros((n, *classes.shape), np.float32)
        for name, n in heads.items()
    }


@pytest.mark.parametrize("key", CATALOG)
def test_a_block_keeps_objects_that_are_small_in_it(key):
    settings = {"min_size": 9}
    if key == "high_resolution":
        settings |= {"pathway": 1, "levels": 3}
    maker = method(key, **settings)
    rule = maker.block_rule()
    classes = np.zeros((32, 32), np.uint8)
    classes[4:6, 4:6] = classes[20:22, 20:22] = 1
    outputs = outputs_of(maker, classes)
    assert len(rule.interpret(outputs).class_of) == 2
    assert len(maker.interpret(outputs).class_of) == 0
    assert rule.min_size == 9
    assert rule.refusal is None


@pytest.mark.parametrize("key", EXACT)
def test_connected_pieces_need_no_margin(key):
    assert method(key).block_rule().margin == (0, 0)
    assert method(key, ndim=3).block_rule().margin == (0, 0, 0)


def test_what_is_not_local_has_a_margin():
    assert method("recursive_approximation").block_rule().margin == (128, 128)
    assert method("high_resolution").block_rule().margin == (0, 0)
    assert method("high_resolution", nuclei=True).block_rule().margin == (128, 128)
    assert method("high_resolution", ndim=3, nuclei=True).block_rule().margin == (
        32,
        32,
        32,
    )
    assert block_margin((5.0, 1.0, 1.0), reach=32) == (7, 32, 32)


def test_only_the_largest_object_is_chosen_when_all_are_known():
    maker = method("cross_task", largest=True)
    classes = np.zeros((32, 32), np.uint8)
    classes[4:6, 4:6] = classes[20:30, 20:22] = 1
    rule, outputs = maker.block_rule(), outputs_of(maker, classes)
    assert rule.only_largest
    assert len(rule.interpret(outputs).class_of) == 2
    assert len(maker.interpret(outputs).class_of) == 1


def test_what_needs_the_whole_image_is_named():
    assert method("high_resolution").block_rule().missing_maps == ("difficulty",)
    assert method("high_resolution", difficulty=False).block_rule().missing_maps == ()
    refusal = method("joint_shape", ellipses=True).block_rule().refusal
    assert "which cannot be done in blocks" in refusal
