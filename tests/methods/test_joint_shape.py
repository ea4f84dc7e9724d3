"""Joint shape learning: what each kind of paint teaches mask, contour and distance."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from napari_mtseg.batches.batch import Batch
from napari_mtseg.domain.annotation import (
    Annotation,
    CompleteRegion,
    ObjectMasks,
    empty_annotation,
)
from napari_mtseg.domain.targets import IGNORE, ImageTargets
from napari_mtseg.methods.catalog import variants
from napari_mtseg.methods.joint_shape.method import JointShape
from napari_mtseg.methods.joint_shape.settings import JointShapeSettings
from napari_mtseg.methods.protocol import Task
from napari_mtseg.targets.paint_summary import summarise

WHOLE = CompleteRegion(whole=True)
SHAPE = (24, 24)


class Answers(nn.Module):
    """A network whose answer is its weights, so that their gradient can be read."""

    def __init__(self, **heads: int) -> None:
        super().__init__()
        self.maps = nn.ParameterDict(
            {name: torch.zeros(1, n, *SHAPE) for name, n in heads.items()}
        )

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        return dict(self.maps)


def method(*, n_classes: int = 1, ndim: int = 2, **settings) -> JointShape:
    task = Task(n_channels=1, n_classes=n_classes, spacing=(1.0,) * ndim)
    small = {"base_channels": 2, "levels": 2, "contour_radius": 2, **settings}
    return JointShape(JointShapeSettings.checked(small), task)


def square(start: int, side: int, *, n_class: int = 1) -> ObjectMasks:
    objects = np.zeros(SHAPE, np.uint32)
    objects[start : start + side, start : start + side] = 5
    return ObjectMasks(objects=objects, class_of={5: n_class})


def partial() -> Annotation:
    return replace(empty_annotation(SHAPE), partial=square(6, 12))


def stroked() -> Annotation:
    scribbles = np.zeros(SHAPE, np.uint8)
    scribbles[12, 6:18], scribbles[2, 2:20] = 3, 1
    return replace(empty_annotation(SHAPE), scribbles=scribbles)


def exact() -> Annotation:
    return replace(empty_annotation(SHAPE), full=square(6, 12), complete=WHOLE)


def batch_of(targets: ImageTargets, *, magnification: float = 1.0) -> Batch:
    maps = {}
    for name, values in targets.maps.items():
        values = np.array(values)[np.newaxis]
        is_codes = values.dtype == np.uint8
        maps[name] = torch.from_numpy(values.astype(np.int64 if is_codes else "f4"))
    return Batch(
        image=torch.zeros(1, 1, *SHAPE),
        targets=maps,
        magnification=torch.tensor([magnification]),
    )


def gradients(maker: JointShape, annotation: Annotation) -> dict[str, np.ndarray]:
    """Return how much each head is pulled at each pixel."""
    network = Answers(segmentation=2, contour=2, distance=1)
    batch = batch_of(maker.targets(annotation, painted=annotation))
    torch.stack(list(maker.losses(network, batch, 0.0).values())).sum().backward()
    return {
        name: weights.grad.abs().sum(dim=(0, 1)).numpy()
        for name, weights in network.maps.items()
    }


ALL = {"variant": "mask+contour+distance"}


@pytest.mark.parametrize("kind", [partial, stroked])
def test_unpainted_pixels_get_no_mask_gradient(kind):
    pull = gradients(method(**ALL), kind())
    painted = kind().partial.objects + kind().scribbles > 0
    assert (pull["segmentation"][painted] > 0).all()
    assert (pull["segmentation"][~painted] == 0).all()


def test_the_edge_of_a_partial_mask_teaches_no_contour():
    pull = gradients(method(**ALL), partial())["contour"]
    assert (pull[9:15, 9:15] > 0).all(), "deep inside there is no contour"
    deep = np.zeros(SHAPE, bool)
    deep[8:16, 8:16] = True
    assert (pull[~deep] == 0).all()


def test_scribbles_teach_no_contour():
    assert (gradients(method(**ALL), stroked())["contour"] == 0).all()


@pytest.mark.parametrize("distance", ["D1", "D2", "D3"])
@pytest.mark.parametrize("kind", [partial, stroked])
def test_distances_that_weak_labels_allow_cost_nothing(kind, distance):
    """The truth is a larger object: its distances are inside every interval."""
    maker = method(variant="mask+distance", distance=distance, reach=20)
    truth = replace(empty_annotation(SHAPE), full=square(4, 16), complete=WHOLE)
    true = batch_of(maker.targets(truth, painted=truth)).targets["distance_low_1"]
    true = (1 + true) / 2 if distance == "D3" else true
    network = Answers(segmentation=2, distance=1)
    network.maps["distance"].data[0, 0] = torch.logit(true[0].clamp(1e-6, 1 - 1e-6))
    loss = maker.losses(network, batch_of(maker.targets(kind(), painted=kind())), 0.0)[
        "distance"
    ]
    # The outermost inner pixels are 0 to the paper and -1 to the interval.
    assert float(loss.detach()) < (1 / 20) ** 2


def test_the_edge_of_a_partial_mask_is_not_taken_for_distance_0():
    maker = method(variant="mask+distance", reach=20)
    targets = maker.targets(partial(), painted=partial())
    low, high = (targets.maps[f"distance_{side}_1"] for side in ("low", "high"))
    assert (low == -2).all(), "nothing tells how far an object reaches"
    assert high[12, 12] < high[6, 6] < 0 < high[0, 0]


def test_full_masks_give_the_papers_losses():
    maker = method(**ALL, norm="none", reach=20)
    annotation = exact()
    network = Answers(segmentation=2, contour=2, distance=1)
    batch = batch_of(maker.targets(annotation, painted=annotation))
    terms = maker.losses(network, batch, 0.0)
    distance = (1 + batch.targets["distance_low_1"].clamp(-1, 1)) / 2
    assert (batch.targets["contour"] != IGNORE).all()
    for name in ("mask", "contour"):
        torch.testing.assert_close(terms[name].detach(), torch.tensor(2.0).log())
    torch.testing.assert_close(
        terms["distance"].detach(), (0.5 - distance).square().mean()
    )


@pytest.mark.parametrize("rule", ["sym", "minmax", "trunc"])
def test_a_patch_twice_as_large_has_distances_twice_as_long(rule):
    maker = method(variant="mask+distance", distance_norm=rule, reach=40)
    network = Answers(segmentation=2, distance=1)
    annotation = exact()
    targets = maker.targets(annotation, painted=annotation)
    once, twice = (
        maker._bound("low", batch_of(targets, magnification=m)) for m in (1.0, 2.0)
    )
    if rule == "trunc":
        torch.testing.assert_close(twice - 0.5, 2 * (once - 0.5))
    else:
        torch.testing.assert_close(twice, once)
    assert network is not None


def test_each_class_has_a_distance_of_its_own():
    maker = method(n_classes=2, variant="mask+distance")
    annotation = replace(
        empty_annotation(SHAPE), full=square(6, 12, n_class=2), complete=WHOLE
    )
    maps = maker.targets(annotation, painted=annotation).maps
    assert (maps["distance_low_1"] == 2).all(), "no object of class 1: far everywhere"
    assert maps["distance_low_2"][12, 12] < 0 < maps["distance_low_2"][0, 0]
    assert maker.network().head_channels == {"segmentation": 3, "distance": 2}


def test_a_prediction_holds_contour_and_distance_in_pixels():
    maker = method(**ALL, reach=10)
    outputs = {
        "segmentation": np.array([[[0.9, 0.1]], [[0.1, 0.9]]], np.float32),
        "contour": np.array([[[0.75, 0.5]], [[0.25, 0.5]]], np.float32),
        "distance": np.array([[[1.0, 0.25]]], np.float32),
    }
    found = maker.interpret(outputs)
    assert found.classes.tolist() == [[0, 1]]
    assert found.maps["contour_probability"].tolist() == [[0.25, 0.5]]
    assert found.maps["shape_distance"].tolist() == [[10, -5]]
    assert set(maker.own_maps) == set(found.maps)


def test_ellipses_mend_a_bite():
    rows, columns = np.indices((40, 40)) - 20
    disc = (rows / 15) ** 2 + (columns / 10) ** 2 <= 1
    bitten = disc & ~((rows > 2) & (columns > 2))
    probabilities = np.stack([~bitten, bitten]).astype(np.float32)
    found = method(variant="mask", ellipses=True).interpret(
        {"segmentation": probabilities}
    )
    both = (found.classes == 1) & disc
    assert both.sum() / ((found.classes == 1) | disc).sum() > 0.9


@pytest.mark.parametrize(
    ("kinds", "expected"), [([exact], "off"), ([exact, stroked], "on")]
)
def test_classes_are_weighed_where_paint_is_uneven(kinds, expected):
    found = method().adapted(summarise([kind() for kind in kinds]))
    assert found.class_weighting == expected


def test_relative_distances_need_whole_full_masks():
    found = method(distance_norm="sym").readiness(summarise([partial(), stroked()]))
    assert found.problems == (
        "distance_norm=sym needs full masks of whole images, but 2 of 2 training "
        "images are painted in part. Set distance_norm=trunc, or mark the whole images "
        "complete.",
    )
    assert method(distance_norm="sym").readiness(summarise([exact()])).problems == ()


def test_a_contour_without_any_full_mask_is_announced():
    found = method(variant="mask+contour").readiness(summarise([stroked()]))
    assert found.notices == (
        "The contour cannot be learned without a full mask, so the map "
        "'contour_probability' is noise: scribbles say nothing about contours. Mark "
        "one image complete, or set variant=mask+distance.",
    )


def test_a_second_decoder_without_shapes_is_announced():
    paint = summarise([exact()])
    assert method(variant="mask", decoders=2).readiness(paint).notices == (
        "decoders=2 changes nothing with variant=mask: the second decoder is for "
        "shapes, and none is learned. Set decoders=1, or another variant.",
    )
    assert method(variant="mask+contour", decoders=2).readiness(paint).notices == ()


def test_ellipses_are_refused_in_3d():
    scribbles = np.zeros((2, *SHAPE), np.uint8)
    scribbles[0, 0], scribbles[1, 5] = 1, 3
    drawn = replace(empty_annotation(scribbles.shape), scribbles=scribbles)
    found = method(ndim=3, ellipses=True).readiness(summarise([drawn]))
    assert found.problems == (
        "ellipses=true is for 2D images but the images are 3D. Set ellipses=false.",
    )


@pytest.mark.parametrize("name", list(variants("joint_shape")))
@pytest.mark.parametrize("ndim", [2, 3])
def test_every_row_of_the_papers_tables_makes_a_network(name, ndim):
    maker = method(ndim=ndim, **variants("joint_shape")[name])
    network = maker.network().eval()
    answers = network(torch.zeros(1, 1, *(8, 16, 16)[-ndim:]))
    assert set(answers) == set(network.head_channels)
