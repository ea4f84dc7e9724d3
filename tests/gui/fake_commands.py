"""Stands for Commands: keeps what it is asked, and ends when a test says so."""

import json

from napari_mtseg.gui.commands import CommandResult


class FakeCommands:
    def __init__(self):
        self.args = None
        self.was_stopped = False

    def run(self, args, on_end, on_line=None):
        self.args, self._on_end, self._on_line = list(args), on_end, on_line
        return self

    def say(self, line):
        self._on_line(line)

    def stop(self):
        self.was_stopped = True

    def end(self, *, code=0, stdout="", sentence="", was_stopped=False):
        self._on_end(
            CommandResult(
                code=code, stdout=stdout, sentence=sentence, was_stopped=was_stopped
            )
        )

    def answer(self, report=None, *, code=0, sentence=""):
        stdout = "" if report is None else json.dumps(report)
        self.end(code=code, stdout=stdout, sentence=sentence)
