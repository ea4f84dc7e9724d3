"""What the documentation promises, tried."""

import re
from pathlib import Path

from napari_mtseg.methods.recursive_approximation import settings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "python.md"

SMALL = {
    "first_steps": 2,
    "steps_per_iteration": 2,
    "last_steps": 2,
    "base_channels": 2,
    "levels": 2,
    "patch": 32,
    "batch_size": 2,
}
"""instead of what the preset 'fast' says, which takes minutes"""


def python_blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S)


def test_the_python_page_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(settings.PRESETS, "fast", SMALL)
    names = {}
    for number, block in enumerate(python_blocks(PAGE), start=1):
        exec(compile(block, f"block {number} of {PAGE.name}", "exec"), names)
    said = capsys.readouterr().out
    assert re.search(r"^\d+ nuclei$", said, re.M)
    assert "TrainingFinished" in said
    assert (tmp_path / "glands-model" / "model.json").is_file()
    assert any((tmp_path / "results").iterdir())


def test_the_python_page_names_all_that_the_package_offers():
    import napari_mtseg

    page = PAGE.read_text(encoding="utf-8")
    offered = set(napari_mtseg.__all__) - {"__version__"}
    assert all(f"| `{name}" in page for name in offered)
