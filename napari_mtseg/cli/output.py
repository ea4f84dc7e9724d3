"""How commands speak: sentences for people on stderr, results on stdout."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.console import Console


PIPE_WIDTH = 160
"""Columns of a table that goes into a file or another program."""


def console() -> "Console":
    """Return a console for tables and progress; it writes to stderr."""
    from rich.console import Console

    return Console(stderr=True)


def say(text: str) -> None:
    """Print one line for people."""
    sys.stderr.write(f"{text}\n")


def print_json(value: Any) -> None:
    """Print a result for scripts on stdout."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str | None = None
) -> None:
    """Print a table for people on stdout; numbers are aligned to the right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold")
    for place, column in enumerate(columns):
        cells = [row[place] for row in rows]
        justify: Literal["left", "right"] = "right" if _all_numbers(cells) else "left"
        table.add_column(column, justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)


def _all_numbers(cells: Sequence[str]) -> bool:
    return bool(cells) and all(
        cell.strip("-+%.,0123456789 e") in {"", "nan"} for cell in cells
    )
