"""Task decomposition: what paint and tags teach of segmentation, classes and scene."""

import math
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
    Tags,
    empty_annotation,
)
from napari_mtseg.domain.errors import ModelError
from napari_mtseg.domain.targets import ImageTargets
from napari_mtseg.methods.catalog import PRESETS, settings_of, variants
from napari_mtseg.methods.protocol import Task, stage_at
from napari_mtseg.methods.task_decomposition import method as method_module
from napari_mtseg.methods.task_decomposition.method import TaskDecomposition
from napari_mtseg.methods.task_decomposition.settings import (
    TaskDecompositionSettings,
)
from napari_mtseg.networks.vgg import VGG16
from napari_mtseg.targets.paint_summary import PaintSummary, summarise

WHOLE = CompleteRegion(whole=True)
SHAPE = (24, 24)
SMALL = {
    "base_channels": 2,
    "width": 4,
    "hidden": 4,
    "encoder_weights": "none",
    "norm": "batch",
    "steps": 30,
}
FIRST, SECOND, THIRD = 0.0, 0.4, 0.9
"""progress in each of the three stages"""


class Answers(nn.Module):
    """A network whose answer is its weights, so that their gradient can be read."""

    def __init__(self, *, classes: int = 2, scenes: int = 3) -> None:
        super().__init__()
        self.answers = nn.ParameterDict(
            {
                "segmentation": torch.zeros(1, classes, *SHAPE),
                "classes": torch.zeros(1, classes),
                "scenes": torch.zeros(1, scenes),
            }
        )

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        return dict(self.answers)


def method(
    *, n_classes: int = 1, n_scenes: int = 3, ndim: int = 2, **settings
) -> TaskDecomposition:
    task = Task(
        n_channels=1, n_classes=n_classes, n_scenes=n_scenes, spacing=(1.0,) * ndim
    )
    values = TaskDecompositionSettings.checked({**SMALL, "scenes": "on", **settings})
    return TaskDecomposition(values, task)


def square(start: int, side: int, *, n_class: int = 1) -> ObjectMasks:
    objects = np.zeros(SHAPE, np.uint32)
    objects[start : start + side, start : start + side] = 5
    return ObjectMasks(objects=objects, class_of={5: n_class})


def painted(**tags) -> Annotation:
    return replace(empty_annotation(SHAPE), partial=square(6, 12), tags=Tags(**tags))


def exact(**tags) -> Annotation:
    return replace(
        empty_annotation(SHAPE),
        full=square(6, 12),
        complete=WHOLE,
        tags=Tags(**tags),
    )


def batch_of(targets: ImageTargets) -> Batch:
    maps = {}
    for name, values in targets.maps.items():
        values = np.array(values)[np.newaxis]
        is_codes = values.dtype == np.uint8
        maps[name] = torch.from_numpy(values.astype(np.int64 if is_codes else "f4"))
    facts = {k: torch.from_numpy(np.array(v)[None]) for k, v in targets.facts.items()}
    return Batch(
        image=torch.zeros(1, 1, *SHAPE),
        targets=maps,
        magnification=torch.ones(1),
        facts=facts,
    )


def losses(maker, annotation, progress, network=None):
    network = network or Answers(classes=maker.task.n_classes + 1)
    batch = batch_of(maker.targets(annotation, painted=annotation))
    return maker.losses(network, batch, progress)


def pull_on_classes(maker, annotation, progress=FIRST):
    """Return the sign of the gradient of each class's logit: below 0 it is raised."""
    network = Answers(classes=maker.task.n_classes + 1)
    losses(maker, annotation, progress, network)["classes"].backward()
    return torch.sign(network.answers["classes"].grad[0]).int().tolist()


def test_each_stage_adds_a_loss_to_those_before():
    first = {"cross_entropy", "overlap", "classes"}
    assert set(losses(method(), exact(scene=1), FIRST)) == first
    second = first | {"synchronisation"}
    assert set(losses(method(), exact(scene=1), SECOND)) == second
    assert set(losses(method(), exact(scene=1), THIRD)) == second | {"scene"}


def test_stages_have_the_names_of_what_is_learned_and_the_papers_rates():
    stages = method().stages()
    assert [stage.name for stage in stages] == [
        "stage 1 of 3: segmentation and classes",
        "stage 2 of 3: segmentation and classes in step",
        "stage 3 of 3: segmentation, scene and classes in step",
    ]
    assert [stage.steps for stage in stages] == [10, 10, 10]
    assert [stage.learning_rate for stage in stages] == [1.0, 0.5, 0.2]


def test_a_stage_that_adds_nothing_goes_on():
    base = {"classes": False, "synchronise": False, "scenes": "off"}
    assert [stage.name for stage in method(**base).stages()] == [
        "stage 1 of 3: segmentation",
        "stage 2 of 3: segmentation",
        "stage 3 of 3: segmentation",
    ]


def test_the_synchronisation_alone_leaves_the_segmentation_without_gradient():
    maker = method(decoder="plain")
    network = maker.network()
    batch = replace(
        batch_of(maker.targets(exact(scene=0), painted=exact(scene=0))),
        image=torch.rand(1, 1, *SHAPE),
    )
    maker.losses(network, batch, SECOND)["synchronisation"].backward()
    touched = {
        name for name, weight in network.named_parameters() if weight.grad is not None
    }
    parts = {name.split(".")[0] for name in touched}
    assert not {name for name in touched if "decoder" in name}
    assert "encoder" in parts
    assert any("class" in name for name in touched)
    assert any(
        weight.grad.abs().sum() > 0
        for name, weight in network.named_parameters()
        if name.startswith("encoder") and weight.grad is not None
    )


def test_full_masks_teach_which_classes_occur_and_which_do_not():
    # Background and class 1 occur, class 2 does not.
    assert pull_on_classes(method(n_classes=2), exact()) == [-1, -1, 1]


def test_partial_masks_teach_only_what_occurs():
    assert pull_on_classes(method(n_classes=2), painted()) == [0, -1, 0]


def test_a_class_tagged_absent_is_taught_as_absent():
    maker = method(n_classes=2)
    assert pull_on_classes(maker, painted(present={2: False})) == [0, -1, 1]


def test_a_class_tagged_present_is_taught_where_a_patch_shows_the_whole_image():
    maker = method(n_classes=2)
    tagged = replace(empty_annotation(SHAPE), tags=Tags(present={2: True}))
    assert pull_on_classes(maker, tagged) == [0, 0, -1]


def test_a_class_tagged_present_teaches_nothing_of_a_part_of_the_image():
    maker = method(n_classes=2)
    tagged = replace(empty_annotation(SHAPE), tags=Tags(present={2: True}))
    targets = maker.targets(tagged, painted=tagged)
    larger = {**targets.facts, "extent": np.array([48, 48])}
    network = Answers(classes=3)
    batch = batch_of(replace(targets, facts=larger))
    assert float(maker.losses(network, batch, FIRST)["classes"]) == 0.0


def test_the_scene_is_taught_by_its_tag_alone():
    maker = method()
    assert float(losses(maker, exact(), THIRD)["scene"]) == 0.0
    loss = float(losses(maker, exact(scene=2), THIRD)["scene"])
    assert loss == pytest.approx(0.2 * math.log(3))


def test_overlap_is_not_learned_where_hardly_a_pixel_is_known():
    scribbles = np.zeros(SHAPE, np.uint8)
    scribbles[0, :2], scribbles[5, :2] = 1, 3
    strokes = replace(empty_annotation(SHAPE), scribbles=scribbles)
    # 4 of 576 pixels are 0.7 %.
    assert float(losses(method(), strokes, FIRST)["overlap"]) == 0.0
    scribbles[5, :6] = 3
    strokes = replace(empty_annotation(SHAPE), scribbles=scribbles)
    assert float(losses(method(), strokes, FIRST)["overlap"]) > 0.0


def test_unpainted_images_are_used_as_the_settings_say():
    nothing = empty_annotation(SHAPE)
    tagged = replace(nothing, tags=Tags(scene=1))
    assert not method().uses(nothing)
    assert method().uses(tagged)
    assert method().uses(replace(nothing, tags=Tags(present={1: False})))
    assert not method(scenes="off").uses(tagged)
    assert method(unpainted="all").uses(nothing)
    assert not method(unpainted="none").uses(tagged)
    assert method(unpainted="none").uses(painted())


def test_an_unpainted_image_is_a_stratum_of_its_own():
    tagged = replace(empty_annotation(SHAPE), tags=Tags(scene=1))
    targets = method().targets(tagged, painted=tagged)
    assert targets.stratum == "none"
    assert float(losses(method(), tagged, FIRST)["cross_entropy"]) == 0.0


def test_scenes_are_learned_where_two_are_tagged():
    paint = summarise([exact(scene=0), exact(scene=2)])
    assert method(scenes="auto").adapted(paint).scenes == "on"
    paint = summarise([exact(scene=0), exact(scene=0), exact()])
    assert method(scenes="auto").adapted(paint).scenes == "off"


def test_one_is_told_that_scenes_are_not_learned():
    paint = summarise([exact(scene=0), exact()])
    assert method(scenes="auto").readiness(paint).notices[0] == (
        "Scenes are not learned: 1 scene is tagged among the training images, and it "
        "takes two. The third stage goes on with what the second learns."
    )


def test_scenes_without_tags_are_refused_where_they_were_asked_for():
    assert method().readiness(summarise([exact()])).problems == (
        "scenes=on needs training images of two scenes, but no image is tagged with a "
        "scene. Tag the scene of some images, or set scenes=auto.",
    )


def test_a_scene_on_images_that_are_not_learned_from_does_not_count():
    only_tagged = replace(empty_annotation(SHAPE), tags=Tags(scene=1))
    paint = summarise([exact(scene=0), only_tagged])
    assert method(scenes="auto").adapted(paint).scenes == "on"
    assert method(scenes="auto", unpainted="none").adapted(paint).scenes == "off"


def test_a_scene_that_no_image_is_tagged_with_is_named():
    maker = method(scenes="auto")
    named = replace(maker.task, scene_names=("day", "dusk", "night"))
    paint = summarise([exact(scene=0), exact(scene=2)])
    notices = TaskDecomposition(maker.settings, named).readiness(paint).notices
    assert notices[0] == (
        "No training image is tagged with the scene 'dusk': it cannot be learned."
    )


def test_without_a_context_scenes_have_no_place():
    alone = {"context": False, "classes": False, "synchronise": False}
    maker = method(scenes="auto", decoder="unet", **alone)
    paint = summarise([exact(scene=0), exact(scene=1)])
    assert maker.readiness(paint).problems == ()
    assert maker.adapted(paint).scenes == "off"
    assert maker.network().image_heads == {}


def test_tags_that_paint_contradicts_are_named():
    paint = summarise([exact(scene=0), exact(scene=1), painted(present={1: False})])
    assert method().readiness(paint).notices[0] == (
        "Paint contradicts the class tags of 1 image; there the paint wins. Correct "
        "the tags or the paint."
    )
    base = {"classes": False, "synchronise": False}
    notices = method(**base).readiness(paint).notices
    assert not any("contradicts" in notice for notice in notices)


def test_random_weights_are_named():
    paint = summarise([exact(scene=0), exact(scene=1)])
    assert method().readiness(paint).notices == (
        "The encoder starts from random weights, with batch norm, and not from those "
        "of ImageNet as in the paper.",
    )


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"context": False},
            "context=false needs a decoder with skips, but decoder is plain. Set "
            "decoder=unet or context=true.",
        ),
        (
            {"context": False, "decoder": "unet"},
            "context=false leaves no place for the tasks 'classes' and 'scenes'. Set "
            "context=true, or classes=false, synchronise=false and scenes=off.",
        ),
        (
            {"classes": False},
            "synchronise=true keeps the classes in step, but classes is false. Set "
            "classes=true or synchronise=false.",
        ),
        (
            {"encoder_weights": "imagenet"},
            "encoder_weights=imagenet needs base_channels=64 and norm=none, but they "
            "are 2 and batch. Set both, or encoder_weights=none.",
        ),
        (
            {"encoder_weights": "/no/such.pth", "base_channels": 64, "norm": "none"},
            "There is no file '/no/such.pth' with weights for the encoder. Set "
            "encoder_weights to the path of one, to imagenet or to none.",
        ),
        (
            {"encoder": "resnet34", "ndim": 3},
            "encoder=resnet34 is for 2D images but the images are 3D, which have an "
            "encoder of their own. Leave out the setting encoder.",
        ),
    ],
)
def test_settings_that_make_no_network_are_named(settings, sentence):
    paint = summarise([exact(scene=0), exact(scene=1)])
    assert sentence in method(**settings).readiness(paint).problems


def test_without_published_weights_the_encoder_gets_batch_norm(monkeypatch):
    def none_there(source):
        raise ModelError("There is no network.")

    monkeypatch.setattr(method_module, "vgg16_weights", none_there)
    maker = method(encoder_weights="imagenet", base_channels=64, norm="none")
    assert maker.missing_weights() == (
        "The encoder starts from random weights, with batch norm. There is no network."
    )
    chosen = maker.adapted(PaintSummary())
    assert (chosen.encoder_weights, chosen.norm) == ("none", "batch")


def test_a_file_of_weights_that_is_not_there_is_an_error(monkeypatch):
    def none_there(source):
        raise ModelError("There is no such file.")

    monkeypatch.setattr(method_module, "vgg16_weights", none_there)
    maker = method(encoder_weights="mine.pth", base_channels=64, norm="none")
    with pytest.raises(ModelError, match="There is no such file"):
        maker.adapted(PaintSummary())


def test_published_weights_become_those_of_the_encoder(monkeypatch):
    places = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    own = VGG16(1, base=64, norm="none").state_dict()
    values = iter(own.values())
    published = {
        f"features.{place}.{part}": next(values).clone()
        for place in places
        for part in ("weight", "bias")
    }
    monkeypatch.setattr(method_module, "vgg16_weights", lambda source: published)
    maker = method(encoder_weights="imagenet", base_channels=64, norm="none")
    first = maker.first_weights()
    with torch.device("meta"):
        known = maker.network().state_dict()
    assert len(first) == 26
    assert all(known[name].shape == value.shape for name, value in first.items())


def test_an_answer_has_classes_scenes_and_their_disagreement():
    maker = method(n_classes=2)
    segmentation = np.zeros((3, 4, 4), np.float32)
    segmentation[0] = 1.0
    segmentation[:, 0, 0] = (0.1, 0.9, 0.0)
    found = maker.interpret(
        {
            "segmentation": segmentation,
            "classes": np.array([1.0, 0.9, 0.75], np.float32),
            "scenes": np.array([0.1, 0.2, 0.7], np.float32),
        }
    )
    assert found.present == pytest.approx({1: 0.9, 2: 0.75})
    assert found.scenes == pytest.approx((0.1, 0.2, 0.7))
    # Class 2 is told to occur, and no pixel shows it.
    assert found.scores["disagreement"] == pytest.approx(0.75)
    assert set(found.class_of.values()) == {1}


def test_a_network_of_segmentation_alone_tells_nothing_else():
    base = {"classes": False, "synchronise": False, "scenes": "off"}
    found = method(**base).interpret({"segmentation": np.ones((2, 4, 4), np.float32)})
    assert (found.present, found.scenes, found.scores) == ({}, (), {})


@pytest.mark.parametrize("ndim", [2, 3])
def test_every_preset_and_row_makes_a_network(ndim):
    task = Task(n_channels=3, n_classes=2, n_scenes=2, spacing=(1.0,) * ndim)
    for name in (*PRESETS, *variants("task_decomposition", ndim)):
        settings = settings_of(
            "task_decomposition", preset_name=name, ndim=ndim, values={}
        )
        if ndim == 3 and settings.encoder != "vgg16":
            continue
        with torch.device("meta"):
            network = TaskDecomposition(settings, task).network()
        assert network.head_channels == {"segmentation": 3}
        has_heads = settings.classes
        assert network.image_heads.get("classes") == (3 if has_heads else None)


def test_the_papers_network_has_the_papers_parameters():
    task = Task(n_channels=3, n_classes=11, n_scenes=3, spacing=(1.0, 1.0))
    with torch.device("meta"):
        network = TaskDecomposition(TaskDecompositionSettings(), task).network()
    assert sum(weight.numel() for weight in network.parameters()) == 22_122_331


@pytest.mark.parametrize(
    ("progress", "stage"), [(0.0, 0), (9 / 30, 0), (10 / 30, 1), (19 / 30, 1), (1, 2)]
)
def test_the_stage_of_a_step_is_found_by_progress(progress, stage):
    assert stage_at(method().stages(), progress) == stage
