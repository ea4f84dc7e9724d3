"""What the tests of the window share."""

from functools import partialmethod

import pytest
from pytestqt.qtbot import QtBot

PATIENCE = 30_000
"""milliseconds: on a busy machine what comes, comes late"""


@pytest.fixture(autouse=True)
def _settings_of_nobody(tmp_path, monkeypatch):
    """Keep the tests from the settings of whoever runs them."""
    monkeypatch.setenv("MTSEG_CONFIG", str(tmp_path / "config"))


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """Wait longer than pytest-qt does where a test does not say how long."""
    for name in ("waitSignal", "waitSignals", "waitUntil"):
        patient = partialmethod(getattr(QtBot, name), timeout=PATIENCE)
        monkeypatch.setattr(QtBot, name, patient)
