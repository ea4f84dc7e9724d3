"""What a table says of scenes and classes of images, for `mtseg project tag`."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mtseg.cli.project_scenes import NO_SCENE
from napari_mtseg.domain.errors import SettingsError

if TYPE_CHECKING:
    from napari_mtseg.domain.project import ImageEntry, ProjectInfo
    from napari_mtseg.storage.image_tags import Keep
    from napari_mtseg.storage.project import Project

MAX_PROBLEMS = 10
"""different problems of a table that are told"""

_COLUMNS = ("scene", "present", "absent")
_SEPARATORS = ",;\t"
"""of the cells of a table; the first one where none fits better"""
N_NAMED = 5
"""unknown names, or rows, that a sentence lists"""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is said about some images, in the words of the command line or a table."""

    scene: str = ""
    """scene, NO_SCENE, or '' to leave it as it is"""
    present: tuple[str, ...] = ()
    """classes that occur"""
    absent: tuple[str, ...] = ()
    """classes that do not occur"""
    unknown: tuple[str, ...] = ()
    """classes of which nothing is said any more"""
    exhaustive: "bool | Keep" = "keep"
    """whether every object is marked"""

    @property
    def classes(self) -> tuple[str, ...]:
        """All classes that are named."""
        return (*self.present, *self.absent, *self.unknown)


class ImageNames:
    """Finds the images of a project by what people call them."""

    def __init__(self, project: "Project") -> None:
        from napari_mtseg.workflows.mask_files import stem_of

        self._by_id = {entry.id: entry for entry in project.images}
        self._by_name: dict[str, dict[str, ImageEntry]] = {}
        for entry in project.images:
            for name in (entry.name, stem_of(entry.name)):
                self._by_name.setdefault(name, {})[entry.id] = entry

    def called(self, name: str) -> "tuple[ImageEntry, ...]":
        """Return the images of an id, or of a file name with or without ending."""
        if name in self._by_id:
            return (self._by_id[name],)
        return tuple(self._by_name.get(name, {}).values())


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A row of a table."""

    number: int
    """as a spreadsheet counts: 1 for the names of the columns"""
    cells: tuple[str, ...]
    """without the blanks around them"""


def table_in(
    project: "Project", path: Path, *, may_add: bool
) -> tuple[dict[str, Wish], tuple[str, ...]]:
    """Return image id -> what a table says of it, and the columns passed over."""
    first, *rows = _rows(path)
    columns = tuple(cell.casefold() for cell in first.cells)
    _check_columns(path, first.cells)
    images = ImageNames(project)
    said: dict[str, tuple[int, Wish]] = {}
    problems: dict[str, list[int]] = {}
    for row in rows:
        cells = {
            **dict.fromkeys(_COLUMNS, ""),
            **dict(zip(columns, row.cells, strict=False)),
        }
        wish = Wish(
            scene=cells["scene"],
            present=words_in(cells["present"]),
            absent=words_in(cells["absent"]),
        )
        meant, name = images.called(cells["name"]), cells["name"]
        found = [
            *_cell_problems(row, len(columns)),
            *_name_problems(name, meant),
            *_wish_problems(wish, project.info, may_add=may_add),
        ]
        if len(meant) == 1:
            number, other = said.setdefault(meant[0].id, (row.number, wish))
            if other != wish:
                found.append(f"says of '{name}' something else than row {number}")
        for problem in found:
            problems.setdefault(problem, []).append(row.number)
    if problems:
        raise SettingsError(_problems_in_lines(path, problems))
    known = {"name", *_COLUMNS}
    passed_over = [c for c in first.cells if c and c.casefold() not in known]
    return {key: wish for key, (_, wish) in said.items()}, tuple(passed_over)


def _rows(path: Path) -> list[_Row]:
    """Return the rows of a table that hold anything, at least an empty one."""
    if not path.is_file():
        raise SettingsError(f"The table '{path}' does not exist. Check the path.")
    try:
        text = path.read_bytes().decode("utf-8-sig")
        found = _split(text, max(_SEPARATORS, key=lambda it: _n_known(text, it)))
    except (UnicodeDecodeError, csv.Error):
        raise SettingsError(
            f"The table '{path.name}' is no CSV file in UTF-8. Save it as one."
        ) from None
    return list(found) or [_Row(number=1, cells=())]


def _split(text: str, separator: str) -> Iterator[_Row]:
    """Yield the rows of a text that hold anything."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    for number, line in enumerate(lines, start=1):
        cells = tuple(cell.strip() for cell in line)
        if any(cells):
            yield _Row(number=number, cells=cells)


def _n_known(text: str, separator: str) -> int:
    """Return how many known columns the first row has if it is split so."""
    first = next(_split(text, separator), _Row(number=1, cells=()))
    return sum(cell.casefold() in {"name", *_COLUMNS} for cell in first.cells)


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    folded = Counter(column.casefold() for column in columns if column)
    if "name" not in folded or not folded.keys() & {*_COLUMNS}:
        raise SettingsError(
            f"The table '{path.name}' has the columns {', '.join(columns) or 'none'} "
            f"but needs 'name' and any of {', '.join(_COLUMNS)}, separated by commas, "
            "semicolons or tabs. Rename or add columns."
        )
    twice = [c for c in ("name", *_COLUMNS) if folded[c] > 1]
    if twice:
        raise SettingsError(
            f"The table '{path.name}' has the column '{twice[0]}' twice. Remove one."
        )


def _cell_problems(row: _Row, n_columns: int) -> list[str]:
    if not any(row.cells[n_columns:]):
        return []
    return [
        f"has {len(row.cells)} cells for {n_columns} columns; put a cell that holds "
        "the separator in quotes"
    ]


def _name_problems(name: str, meant: "Sequence[ImageEntry]") -> list[str]:
    if not name:
        return ["names no image"]
    if not meant:
        return [f"the project has no image '{name}'"]
    if len(meant) > 1:
        return [
            f"'{name}' is the name of {len(meant)} images; use an id, such as "
            f"'{meant[0].id}'"
        ]
    return []


def _wish_problems(wish: Wish, info: "ProjectInfo", *, may_add: bool) -> list[str]:
    classes = [c.name for c in info.classes]
    unknown = [c for c in dict.fromkeys(wish.classes) if c not in classes]
    problems = []
    if wish.scene not in {"", NO_SCENE, *info.scenes} and not may_add:
        has = f"only {', '.join(info.scenes)}" if info.scenes else "none yet"
        problems.append(
            f"the project has no scene '{wish.scene}', {has}; --add-scenes adds it"
        )
    if unknown:
        problems.append(
            f"the project has no class {quoted(unknown)}, only {', '.join(classes)}"
        )
    both = sorted(set(wish.present) & set(wish.absent))
    return problems + [f"'{name}' is present and absent" for name in both]


def _problems_in_lines(path: Path, problems: Mapping[str, Sequence[int]]) -> str:
    """Return one sentence on the whole table, and a line for each problem.

    ``problems`` are sentences with the numbers of the rows that they hold for.
    """
    n = len(problems)
    told = [f"{_in_words(rows)}: {text}" for text, rows in problems.items()]
    count = "1 problem" if n == 1 else f"{n} problems"
    return "\n".join(
        [
            f"The table '{path.name}' has {count}, so nothing was tagged. Correct it "
            "and try again.",
            *told[:MAX_PROBLEMS],
            *([f"and {n - MAX_PROBLEMS} more"] if n > MAX_PROBLEMS else []),
        ]
    )


def _in_words(rows: Sequence[int]) -> str:
    shown, more = ", ".join(map(str, rows[:N_NAMED])), len(rows) - N_NAMED
    return f"row{'s' * (len(rows) > 1)} {shown}" + f" and {more} more" * (more > 0)


def words_in(text: str) -> tuple[str, ...]:
    """Return the words of a list whose separators are commas or semicolons."""
    return tuple(word.strip() for word in re.split("[;,]", text) if word.strip())


def quoted(names: Sequence[str]) -> str:
    """Return the first names in quotes, and how many more there are."""
    shown = ", ".join(f"'{name}'" for name in names[:N_NAMED])
    more = len(names) - N_NAMED
    return shown + f" and {more} more" * (more > 0)
