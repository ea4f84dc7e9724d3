"""Starting is quick, and pays for nothing that is not used."""

import subprocess
import sys

import pytest

import napari_mtseg
from benchmarks.startup import help_seconds, import_seconds

IMPORT_PACKAGE = "import napari_mtseg"
IMPORT_COMMAND = "import napari_mtseg.cli.main"
SHOW_HELP = """
import sys
from napari_mtseg.cli.main import main
sys.argv = ["mtseg", "--help"]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""


def modules_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running ``code``."""
    tail = (
        "\nimport sys; print('modules:', *{m.partition('.')[0] for m in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code + tail],
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    return set(done.stdout.splitlines()[-1].removeprefix("modules:").split())


def test_importing_the_package_takes_less_than_a_tenth_of_a_second() -> None:
    assert import_seconds(repeats=5) < 0.1


def test_the_help_page_is_shown_in_less_than_seven_tenths_of_a_second() -> None:
    assert help_seconds(repeats=5) < 0.7


@pytest.mark.parametrize(
    "code",
    [IMPORT_PACKAGE, IMPORT_COMMAND, SHOW_HELP],
    ids=["package", "command", "help"],
)
def test_starting_imports_neither_arrays_nor_torch_nor_the_window(code: str) -> None:
    heavy = {"torch", "monai", "lightning_fabric", "napari", "qtpy", "magicgui"}
    heavy |= {"numpy", "scipy"}
    assert modules_after(code) & heavy == set()


def test_the_public_names_are_offered_before_they_are_loaded() -> None:
    assert {*napari_mtseg.__all__} <= set(dir(napari_mtseg))


@pytest.mark.parametrize("name", sorted({*napari_mtseg.__all__} - {"__version__"}))
def test_a_public_name_is_loaded_when_it_is_used(name: str) -> None:
    assert callable(getattr(napari_mtseg, name))


def test_an_unknown_name_is_an_attribute_error_that_says_so() -> None:
    with pytest.raises(
        AttributeError, match="'napari_mtseg' has no attribute 'nuclei'"
    ):
        getattr(napari_mtseg, "nuclei")  # noqa: B009
