import pytest

from napari_mtseg.cli import window
from napari_mtseg.domain.errors import WindowError


def test_without_a_screen_one_sentence_says_so(monkeypatch):
    monkeypatch.setattr(window, "has_screen", lambda: False)
    monkeypatch.setattr(window, "find_spec", lambda _name: object())
    with pytest.raises(WindowError, match=r"^There is no screen to open a window on: "):
        window.open_window(None)


def test_without_napari_one_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(window, "find_spec", lambda _name: None)
    with pytest.raises(WindowError) as error:
        window.open_window(None)
    assert str(error.value) == (
        "The window needs napari, which is not installed. Install it with: "
        "pip install 'napari-mtseg[pyqt5]'."
    )


@pytest.mark.parametrize(("display", "shown"), [("", False), (":7", True)])
def test_on_linux_a_screen_is_one_that_is_named(monkeypatch, display, shown):
    monkeypatch.setattr(window.sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert window.has_screen() is shown
