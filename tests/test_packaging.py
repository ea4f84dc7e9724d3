"""What an installed copy holds, whichever way it was installed."""

import importlib
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from npe2 import PluginManifest
from packaging.requirements import Requirement

import napari_mtseg

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = ROOT / "napari_mtseg" / "napari.yaml"
PROJECT: dict[str, Any] = tomllib.loads(
    (ROOT / "pyproject.toml").read_text(encoding="utf-8")
)["project"]
BINDINGS = {"pyqt5", "pyqt6", "pyside2", "pyside6"}
BUILD_EDITABLE = "import sys, hatchling.build as b; b.build_editable(sys.argv[1])"
FIND_MANIFEST = """
import site, sys
site.addsitedir(sys.argv[1])
sys.path.insert(0, sys.argv[1])
from npe2 import PluginManifest
print(PluginManifest.from_distribution("napari-mtseg").display_name)
"""


def names(requirements: list[str]) -> set[str]:
    return {Requirement(line).name.lower() for line in requirements}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The source archive, the wheel made from it, and the wheel of ``pip -e``."""
    folder = tmp_path_factory.mktemp("built")
    editable = tmp_path_factory.mktemp("editable")
    for command in (
        ["-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        ["-c", BUILD_EDITABLE, str(editable)],
    ):
        done = subprocess.run(
            [sys.executable, *command], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return {
        "sdist": next(folder.glob("*.tar.gz")),
        "wheel": next(folder.glob("*.whl")),
        "editable": next(editable.glob("*.whl")),
    }


@pytest.mark.parametrize("kind", ["sdist", "wheel", "editable"])
def test_napari_finds_the_manifest_after(
    kind: str, built: dict[str, Path], tmp_path: Path
) -> None:
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    install += ["--no-build-isolation", "--target", str(tmp_path), str(built[kind])]
    for command in (install, ["-c", FIND_MANIFEST, str(tmp_path)]):
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() == "Mtseg"


def test_the_wheel_holds_manifest_licence_and_type_marker(
    built: dict[str, Path],
) -> None:
    with zipfile.ZipFile(built["wheel"]) as wheel:
        held = wheel.namelist()
        manifest = wheel.read("napari_mtseg/napari.yaml")
    assert manifest == MANIFEST.read_bytes()
    assert "napari_mtseg/py.typed" in held
    assert any(name.endswith("licenses/LICENSE") for name in held)
    assert not any(name.startswith(("tests/", "benchmarks/")) for name in held)


def test_the_example_models_are_found_in_an_installed_copy(
    built: dict[str, Path], tmp_path: Path
) -> None:
    with zipfile.ZipFile(built["wheel"]) as wheel:
        wheel.extractall(tmp_path)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from napari_mtseg.storage.example_models import described_examples\n"
        "for name, (path, _) in described_examples().items(): print(name, path)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    found = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert found.keys() == {"blobs3d", "fetal_head", "nuclei"}
    models = tmp_path / "napari_mtseg" / "models"
    assert {Path(path).parent for path in found.values()} == {models}


def test_the_version_has_one_home(built: dict[str, Path]) -> None:
    assert built["wheel"].name.split("-")[1] == napari_mtseg.__version__


def test_the_top_level_link_is_whole_in_the_source_archive(
    built: dict[str, Path], tmp_path: Path
) -> None:
    with tarfile.open(built["sdist"]) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    assert (unpacked / "napari.yaml").read_bytes() == MANIFEST.read_bytes()
    assert (unpacked / "napari_mtseg" / "napari.yaml").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="git may not make links there")
def test_the_top_level_manifest_is_a_link_to_the_one_in_the_package() -> None:
    assert (ROOT / "napari.yaml").readlink() == Path("napari_mtseg/napari.yaml")


def test_the_manifest_is_valid_and_names_this_package() -> None:
    assert PluginManifest.from_file(MANIFEST).name == PROJECT["name"]


def test_the_base_install_has_neither_napari_nor_a_qt_binding() -> None:
    assert names(PROJECT["dependencies"]) & {"napari", *BINDINGS} == set()


def test_the_window_libraries_come_with_the_base_install() -> None:
    wanted = {"magicgui", "qtpy", "superqt", "psygnal", "pyqtgraph"}
    assert wanted <= names(PROJECT["dependencies"])


def test_the_extra_all_is_every_feature_with_one_qt_binding() -> None:
    (everything,) = PROJECT["optional-dependencies"]["all"]
    assert Requirement(everything).extras == {"cluster", "export", "medical", "pyqt5"}


@pytest.mark.parametrize("binding", ["pyqt5", "pyqt6"])
def test_a_qt_extra_brings_napari_and_its_binding(binding: str) -> None:
    assert names(PROJECT["optional-dependencies"][binding]) == {"napari", binding}


def test_the_command_runs_a_function_that_exists() -> None:
    module, _, function = PROJECT["scripts"]["mtseg"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))
