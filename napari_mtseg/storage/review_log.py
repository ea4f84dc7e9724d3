"""The review log of a project, ``reviews.jsonl``: verdicts and flag rules, appended.

One JSON object per line. A line that a power cut left half written, and one of a kind
that a newer version writes, is passed over; neither spoils another line.
"""

import getpass
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import ValidationError

from napari_mtseg.domain.review import MASK_VERDICTS, FlagRule, ReviewRecord
from napari_mtseg.domain.settings import Settings
from napari_mtseg.storage.write import append_line

LOG = "reviews.jsonl"

_KINDS: Mapping[str, type[ReviewRecord | FlagRule]] = {
    "verdict": ReviewRecord,
    "flag rule": FlagRule,
}


class ReviewLog:
    """Verdicts on predictions and flag rules, in the order in which they were given.

    Reading is free; whoever appends holds the project's annotation lock. What was
    read is kept, so that one object that is asked again reads only what is new.

    Parameters
    ----------
    project_path : Path
        Project folder.
    """

    def __init__(self, project_path: Path) -> None:
        self.file = project_path / LOG
        self._inode = 0
        self._offset = 0
        self._lines: list[ReviewRecord | FlagRule] = []

    def append(self, record: ReviewRecord) -> None:
        """Append a verdict; it is on the disk when this returns.

        Raises
        ------
        StorageError
            If the disk is full or the log cannot be written.
        """
        append_line(self.file, _as_line(record))

    def records(self) -> tuple[ReviewRecord, ...]:
        """Return all verdicts, also those that were taken back, oldest first."""
        return tuple(r for r in self._read() if isinstance(r, ReviewRecord))

    def standing(self) -> tuple[ReviewRecord, ...]:
        """Return the verdicts that were not taken back, oldest first."""
        return standing(self.records())

    def verdicts(self, run: str) -> dict[str, ReviewRecord]:
        """Return what counts now for the images that a run predicted.

        Parameters
        ----------
        run : str
            Name of the run.

        Returns
        -------
        dict
            Image id -> the run's own latest verdict that was not taken back; where it
            has none, the acceptance or correction of an earlier run whose masks are
            still there.
        """
        own: dict[str, ReviewRecord] = {}
        before: dict[str, ReviewRecord] = {}
        for record in self.standing():
            if record.run == run:
                own[record.image_id] = record
            elif record.run < run:
                _follow(before, record)
        return {**before, **own}

    def images_with_verdict(self) -> frozenset[str]:
        """Return the images that a person judged for any run; a skip is no verdict."""
        return frozenset(
            r.image_id for r in self.standing() if r.verdict not in {None, "skipped"}
        )

    def flag_rule(self, run: str) -> FlagRule | None:
        """Return from which score on images of a run are flagged; None if not said."""
        for record in reversed(self._read()):
            if isinstance(record, FlagRule) and record.run == run:
                return record
        return None

    def set_flag_rule(self, rule: FlagRule) -> None:
        """Append a flag rule, which replaces an earlier one of its run.

        Raises
        ------
        StorageError
            If the disk is full or the log cannot be written.
        """
        append_line(self.file, _as_line(rule))

    def _read(self) -> Sequence[ReviewRecord | FlagRule]:
        try:
            with self.file.open("rb") as file:
                self._read_new(file)
        except FileNotFoundError:
            self._offset, self._lines = 0, []
        return self._lines

    def _read_new(self, file: BinaryIO) -> None:
        stat = os.fstat(file.fileno())
        if stat.st_ino != self._inode or stat.st_size < self._offset:
            self._inode, self._offset, self._lines = stat.st_ino, 0, []
        if stat.st_size == self._offset:
            return
        file.seek(self._offset)
        content = file.read()
        # A line without its end may be one that is being written at this moment.
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        self._lines.extend(_lines_in(whole))


def standing(records: Sequence[ReviewRecord]) -> tuple[ReviewRecord, ...]:
    """Return the verdicts that no later record takes back, in their order.

    A record without a verdict takes back the last one of its run on its image.

    Examples
    --------
    >>> facts = {"image_id": "a", "run": "r", "who": "me", "when": ""}
    >>> given = ReviewRecord(verdict="accepted", **facts)
    >>> standing([given, ReviewRecord(verdict=None, **facts)])
    ()
    """
    left: dict[int, ReviewRecord] = {}
    places: dict[tuple[str, str], list[int]] = {}
    for place, record in enumerate(records):
        given = places.setdefault((record.run, record.image_id), [])
        if record.verdict is not None:
            left[place] = record
            given.append(place)
        elif given:
            del left[given.pop()]
    return tuple(left.values())


def time_now() -> str:
    """Return the time as records hold it: UTC, ISO 8601 with seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def account_name() -> str:
    """Return the name of the user's account; 'unknown' where the system has none."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return "unknown"


def _follow(masks: dict[str, ReviewRecord], record: ReviewRecord) -> None:
    """Keep in ``masks`` whose masks an image has, after one more verdict."""
    if record.verdict in MASK_VERDICTS:
        masks[record.image_id] = record
    elif record.verdict == "rejected" and record.before is not None:
        masks.pop(record.image_id, None)


def _as_line(record: Settings) -> str:
    return json.dumps(record.model_dump(mode="json"), ensure_ascii=False)


def _lines_in(content: bytes) -> Iterator[ReviewRecord | FlagRule]:
    for line in content.decode(errors="replace").split("\n"):
        record = _record_in(line)
        if record is not None:
            yield record


def _record_in(line: str) -> ReviewRecord | FlagRule | None:
    try:
        values: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    model = _KINDS.get(str(values.get("kind"))) if isinstance(values, dict) else None
    if model is None:
        return None
    # A newer version may say more of a verdict than this one knows.
    known = {key: value for key, value in values.items() if key in model.model_fields}
    try:
        return model.model_validate(known)
    except ValidationError:
        return None
