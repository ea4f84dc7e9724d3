"""What the tests of the window share."""

import pytest


@pytest.fixture(autouse=True)
def _settings_of_nobody(tmp_path, monkeypatch):
    """Keep the tests from the settings of whoever runs them."""
    monkeypatch.setenv("MTSEG_CONFIG", str(tmp_path / "config"))
