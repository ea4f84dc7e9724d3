import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from napari_mtseg.cli.methods import show_methods
from napari_mtseg.domain.errors import SettingsError
from napari_mtseg.methods.catalog import CATALOG, settings_model

app = typer.Typer()
app.command()(show_methods)


def run(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def networks(*words: str) -> dict[str, dict[str, int]]:
    return json.loads(run(*words, "--summary", "--json"))["networks"]


def test_every_method_is_listed_with_what_it_learns_from():
    text = run()
    for entry in CATALOG.values():
        assert entry.key in text
    assert "learns from" in text
    listed = json.loads(run("--json"))
    assert [e["uses"] for e in listed] == [e.uses for e in CATALOG.values()]


@pytest.mark.parametrize("method", CATALOG)
def test_every_setting_has_a_range_a_source_and_a_text(method: str):
    facts = json.loads(run(method, "--json"))
    model = settings_model(method)
    assert [s["name"] for s in facts["settings"]] == list(model.model_fields)
    for found in facts["settings"]:
        assert found["source"] in {"paper", "code", "derived", "ours"}
        assert found["description"]
        assert found["range"] != "any", found["name"]
    assert facts["presets"].keys() == {"fast", "balanced", "paper"}
    text = run(method)
    assert all(name in text for name in model.model_fields)


def test_presets_for_volumes_differ():
    def fast(ndim: str):
        return json.loads(run("baseline", "--json", "--ndim", ndim))["presets"]["fast"]

    assert fast("3")["patch"] < fast("2")["patch"]


def test_recursive_approximation_has_the_parameters_that_follow_from_its_paper():
    size = ("--channels", "1", "--classes", "2")
    found = networks("recursive_approximation", *size, "--all")
    assert found["default"]["total"] == 7_941_668
    assert found["two tasks"]["total"] == 7_941_668
    assert found["three tasks"]["total"] == 7_951_014
    chosen = networks("recursive_approximation", *size, "--set", "separation=on")
    assert chosen == {"default": found["three tasks"]}
    variant = networks("recursive_approximation", *size, "--preset", "three tasks")
    assert variant == {"three tasks": found["three tasks"]}


def test_the_baseline_has_the_parameters_of_a_single_task():
    assert networks("baseline") == {
        "default": {
            "conv_weights": 7_843_168,
            "total": 7_849_058,
            "receptive_field": [245, 245],
        }
    }


def test_joint_shape_has_the_conv_weights_of_its_papers_table():
    found = networks("joint_shape", "--channels", "3", "--classes", "2", "--all")
    counts = {name: row["conv_weights"] for name, row in found.items()}
    assert counts["1Enc1Dec-M"] == 7_844_256
    assert counts["Conv-MC"] == 7_844_832
    assert counts["Conv-MD"] == counts["default"] == 7_844_544
    assert counts["1Enc2Dec-MC"] == 10_978_272
    assert counts["1Enc2Dec-MD"] == 10_977_984
    affine = networks(
        *("joint_shape", "--channels", "3", "--classes", "2"),
        *("--set", "norm=batch", "--set", "affine=true"),
    )
    assert affine["default"]["total"] == 7_850_432


def test_hmedn_has_parameters_and_receptive_fields_near_its_papers_tables():
    found = networks("high_resolution", "--channels", "5", "--classes", "4", "--all")
    counts = {name: row["total"] for name, row in found.items()}
    assert counts["DstNet1"] == 3_175_060
    assert counts["HRDN-L1"] == 3_361_048
    assert counts["HRDN-L2"] == 3_473_144
    assert counts["HRDN-L3"] == 3_776_056
    assert counts["HRDN-L4"] == 4_221_944
    assert counts["HMEDN"] == counts["default"] == 3_791_681
    fields = {name: row["receptive_field"][0] for name, row in found.items()}
    assert [fields[f"DilNet{n}"] for n in (1, 2, 3)] == [133, 97, 85]
    volumes = networks(
        *("high_resolution", "--channels", "4", "--classes", "4"),
        *("--ndim", "3", "--all"),
    )
    assert volumes["3D-L2"]["total"] == 4_206_120
    assert volumes["3D-L3"]["total"] == 5_820_328


def test_a_size_and_a_variant_together_make_one_network():
    size = ("--preset", "fast", "--preset", "Conv-MC")
    assert networks("joint_shape", *size) == {
        "fast Conv-MC": networks(
            "joint_shape", "--preset", "fast", "--set", "variant=mask+contour"
        )["fast"]
    }


def test_variants_for_volumes_are_marked_and_left_out_of_2d_networks():
    text = run("high_resolution")
    assert "  2.5D (3D images only): slices=5, patch_depth=5\n" in text
    facts = json.loads(run("high_resolution", "--json"))
    for_volumes = [name for name, n in facts["dimensions"].items() if n == [3]]
    assert for_volumes == ["3D-L2", "3D-L3", "2.5D"]
    assert "2.5D" not in networks("high_resolution", "--all")


def test_what_0_stands_for_is_said():
    assert "0 (automatic)" in run("high_resolution")
    facts = json.loads(run("high_resolution", "--json"))["settings"]
    assert {s["name"]: s["zero"] for s in facts}["pathway"] == "none"


def test_layers_add_up_to_the_total():
    words = ("baseline", "--summary", "--json", "--channels", "3", "--classes", "4")
    found = json.loads(run(*words, "--preset", "fast", "--ndim", "3"))
    assert sum(row["parameters"] for row in found["layers"]) == found["total"]
    assert found["networks"]["fast"]["total"] == found["total"]
    assert found["layers"][-1]["output_shape"][0] == 4


def test_the_table_shows_layers_and_counts():
    text = run("baseline", "--summary", "--set", "levels=2", "--set", "base_channels=2")
    assert "encoder.levels.0.0.conv" in text
    assert "conv_weights" in text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["magic"], "There is no method 'magic'. Choose one of:"),
        (["--summary"], "--summary needs a method, for example:"),
        (["baseline", "--all"], "--preset, --set and --all are for --summary."),
        (["baseline", "--summary", "--set", "levels=99"], "Setting 'levels' is 99 but"),
        (["baseline", "--summary", "--set", "swirl=1"], "There is no setting 'swirl'."),
        (
            ["baseline", "--summary", "--preset", "x"],
            "has no preset 'x'. Choose one of:",
        ),
        (
            ["recursive_approximation", "--summary", "--set", "levels=1"],
            "These settings make no network:",
        ),
        (
            ["high_resolution", "--summary", "--set", "pathway=4", "--set", "levels=3"],
            "pathway=4 needs more than 4 levels, but levels is 3. Set a smaller "
            "pathway or more levels.",
        ),
        (
            ["high_resolution", "--summary", "--set", "levels=3", "--set", "slices=5"],
            "slices=5 is for 3D images but the images are 2D. Set slices=1.\n"
            "pathway=3 needs more than 3 levels, but levels is 3. Set a smaller "
            "pathway or more levels.",
        ),
        (
            ["joint_shape", "--summary", "--ndim", "3", "--set", "ellipses=true"],
            "ellipses=true is for 2D images but the images are 3D. Set ellipses=false.",
        ),
        (
            ["high_resolution", "--summary", "--preset", "2.5D"],
            "'2.5D' of method 'high_resolution' is for 3D images but the images are "
            "2D. Choose another preset.",
        ),
    ],
)
def test_a_wrong_choice_gets_a_sentence(words: list[str], sentence: str):
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, SettingsError)
    assert sentence in str(done.exception)


@pytest.mark.parametrize("words", [[], ["baseline"], ["baseline", "--json"]])
def test_describing_methods_imports_no_torch(words: list[str]):
    code = (
        "import sys, typer\n"
        "from napari_mtseg.cli.methods import show_methods\n"
        f"sys.argv = ['mtseg', *{words!r}]\n"
        "app = typer.Typer(); app.command()(show_methods)\n"
        "app(standalone_mode=False)\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_task_decomposition_has_the_parameters_of_its_papers_network():
    words = ("--channels", "3", "--classes", "12", "--scenes", "3")
    found = json.loads(run("task_decomposition", "--summary", *words, "--json"))
    assert found["total"] == 22_122_331
    assert found["parts"] == {
        "encoder": 14_714_688,
        "context ensemble": 6_818_048,
        "class head": 134_412,
        "scene head": 132_099,
        "decoder": 323_084,
    }
    assert found["context_receptive_fields"] == [3, 7, 15, 31, 63]
    text = run("task_decomposition", "--summary", *words)
    assert "in its own pixels: 3, 7, 15, 31, 63" in text


def test_rows_of_volumes_have_networks_of_their_own():
    words = ("--ndim", "3", "--channels", "4", "--classes", "4", "--scenes", "2")
    found = networks("task_decomposition", *words, "--preset", "paper", "--all")
    assert list(found) == [
        "paper",
        "Wnet+Unet",
        "Wnet+CE+Unet",
        "Base",
        "Base+Class",
        "Base+Class+Sync",
        "Base+Class+Sync+Scene",
    ]
    assert found["paper"]["total"] == 1_444_938
    assert found["Wnet+Unet"]["total"] == 230_800
