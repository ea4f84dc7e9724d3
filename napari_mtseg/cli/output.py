"""How commands speak: sentences for people on stderr, results on stdout."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def console() -> "Console":
    """Return a console for tables and progress; it writes to stderr."""
    from rich.console import Console  # noqa: PLC0415 - only where something is drawn

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
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(title=title, title_justify="left", header_style="bold")
    for place, column in enumerate(columns):
        cells = [row[place] for row in rows]
        table.add_column(column, justify="right" if _all_numbers(cells) else "left")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _all_numbers(cells: Sequence[str]) -> bool:
    return bool(cells) and all(
        cell.strip("-+%.,0123456789 e") in {"", "nan", "–"} for cell in cells
    )
