"""Methods by name, their presets and variants, without torch."""

import subprocess
import sys

import pytest

from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.domain.settings import describe
from napari_mtseg.methods.catalog import (
    CATALOG,
    PRESETS,
    dimensions_of,
    entry,
    load_method,
    named_settings,
    preset,
    preset_and_variant,
    settings_model,
    settings_of,
    variants,
)
from napari_mtseg.methods.protocol import Task
from napari_mtseg.targets.paint_summary import PaintSummary

METHODS = tuple(CATALOG)


@pytest.mark.parametrize("key", METHODS)
@pytest.mark.parametrize("ndim", [2, 3])
def test_every_preset_and_variant_makes_settings_and_a_network(key, ndim):
    for name in (*PRESETS, *variants(key, ndim=ndim)):
        settings = settings_of(
            key, preset_name=name, ndim=ndim, values={"base_channels": 2}
        )
        task = Task(n_channels=1, n_classes=2, spacing=(1.0,) * ndim)
        method = load_method(key)(settings, task)
        assert method.key == key
        assert sum(stage.steps for stage in method.stages()) > 0
        assert method.network().head_channels["segmentation"] == 3


@pytest.mark.parametrize("key", METHODS)
def test_every_setting_is_explained(key):
    for described in describe(settings_model(key)):
        assert described.text.endswith("."), described.name
        assert described.source in {"paper", "code", "derived", "ours"}
        if isinstance(described.default, int | float) and not described.choices:
            assert described.step or isinstance(described.default, bool), described.name


def test_presets_of_volumes_differ():
    flat = preset("baseline", "fast", ndim=2)
    assert preset("baseline", "fast", ndim=3) == flat | {
        "patch": 48,
        "patch_depth": 16,
        "batch_size": 2,
        "base_channels": 8,
    }


def test_values_win_over_the_preset():
    settings = settings_of("baseline", preset_name="fast", ndim=2, values={"patch": 64})
    assert settings.patch == 64
    assert settings.base_channels == 16


def test_a_variant_wins_over_the_preset_and_values_over_both():
    both = settings_of(
        "high_resolution",
        preset_name="fast",
        variant="U-Net",
        ndim=2,
        values={"patch": 64},
    )
    assert (both.steps, both.network, both.base_channels, both.patch) == (
        300, "unet", 32, 64,
    )  # fmt: skip
    named = named_settings("high_resolution", "fast", "U-Net", ndim=2)
    fast = preset("high_resolution", "fast", ndim=2)
    assert named == {**fast, **variants("high_resolution")["U-Net"]}


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["fast"], ("fast", None)),
        (["HRDN-L1"], ("HRDN-L1", None)),
        (["fast", "HRDN-L1"], ("fast", "HRDN-L1")),
        (["2.5D", "paper"], ("paper", "2.5D")),
    ],
)
def test_a_size_and_a_variant_are_told_apart_in_any_order(names, found):
    assert preset_and_variant("high_resolution", names) == found


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (
            ["fast", "paper"],
            "'fast' and 'paper' are both sizes of method 'high_resolution'. Choose one "
            "size, one variant, or one of each.",
        ),
        (
            ["HMEDN", "fast", "2.5D"],
            "'HMEDN' and '2.5D' are both variants of method 'high_resolution'. Choose "
            "one size, one variant, or one of each.",
        ),
    ],
)
def test_two_presets_of_one_kind_are_refused(names, sentence):
    with pytest.raises(SettingsError) as error:
        preset_and_variant("high_resolution", names)
    assert str(error.value) == sentence


def test_variants_for_volumes_are_not_offered_for_2d_images():
    everything = variants("high_resolution")
    left = set(everything) - set(variants("high_resolution", ndim=2))
    assert left == {"3D-L2", "3D-L3", "2.5D"}
    assert variants("high_resolution", ndim=3) == everything
    assert dimensions_of("high_resolution", "2.5D") == (3,)
    assert dimensions_of("high_resolution", "HMEDN") == (2, 3)


def test_variants_for_pictures_are_not_offered_for_volumes():
    everything = variants("task_decomposition")
    left = set(everything) - set(variants("task_decomposition", ndim=3))
    assert left == {"ResNet34+Unet", "ResNet50+Unet", "VGG16+Unet", "VGG16+CE+Unet"}
    with pytest.raises(SettingsError) as error:
        settings_of("task_decomposition", preset_name="VGG16+Unet", ndim=3, values={})
    assert str(error.value) == (
        "'VGG16+Unet' of method 'task_decomposition' is for 2D images but the images "
        "are 3D. Choose another preset."
    )
    assert preset_and_variant("task_decomposition", ["fast", "VGG16+Unet"]) == (
        "fast",
        "VGG16+Unet",
    )


def test_a_variant_for_volumes_is_refused_for_2d_images():
    with pytest.raises(SettingsError) as error:
        settings_of(
            "high_resolution", preset_name="fast", variant="2.5D", ndim=2, values={}
        )
    assert str(error.value) == (
        "'2.5D' of method 'high_resolution' is for 3D images but the images are 2D. "
        "Choose another preset."
    )


def test_variants_are_copies():
    variants("baseline")["WL"]["labels"] = "all"
    assert variants("baseline")["WL"]["labels"] == "partial"


def test_an_unknown_method_is_named():
    with pytest.raises(SettingsError) as error:
        entry("unet")
    assert str(error.value) == (
        "There is no method 'unet'. Choose one of: recursive_approximation, "
        "task_decomposition, joint_shape, high_resolution, cross_task, baseline."
    )


def test_an_unknown_preset_is_named():
    with pytest.raises(SettingsError) as error:
        preset("baseline", "huge", ndim=2)
    assert str(error.value) == (
        "Method 'baseline' has no preset 'huge'. Choose one of: fast, balanced, paper, "
        "WL, SL, PL."
    )


def test_settings_are_found_without_importing_torch():
    code = (
        "import sys\n"
        "from napari_mtseg.methods import catalog\n"
        "for key in catalog.CATALOG:\n"
        "    catalog.settings_of(key, preset_name='fast', ndim=3, values={})\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


PATHWAY = "pathway=3 needs more than 3 levels, but levels is 3. Set a smaller pathway "


@pytest.mark.parametrize(
    "key", [key for key in METHODS if "pathway" in settings_model(key).model_fields]
)
def test_every_network_may_have_a_pathway_as_deep_as_its_last_skip(key):
    small = {"base_channels": 2, "levels": 3, "pathway_width": 5}
    task = Task(n_channels=1, n_classes=1, spacing=(1.0, 1.0))
    paint = PaintSummary(
        n_images=1, n_full=1, n_whole=1, classes=frozenset({1}), has_background=True
    )
    halos = []
    for stage in (0, 1, 2):
        values = {**small, "pathway": stage}
        settings = settings_of(key, preset_name="fast", ndim=2, values=values)
        method = load_method(key)(settings, task)
        assert method.readiness(paint).problems == ()
        halos.append(method.network().halo[0])
    assert halos == sorted(set(halos))
    deeper = settings_of(
        key, preset_name="fast", ndim=2, values={**small, "pathway": 3}
    )
    (problem,) = load_method(key)(deeper, task).readiness(paint).problems
    assert problem == f"{PATHWAY}or more levels."
