"""Start-up times of the package and of its command: ``python -m benchmarks.startup``.

Each time is the best of several fresh processes, the one least disturbed by whatever
else the machine does.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence


def best_seconds(command: Sequence[str], *, repeats: int) -> float:
    """Return the shortest wall time in which ``command`` ran to its end, seconds."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - started)
    return min(times)


def import_seconds(*, repeats: int = 7) -> float:
    """Return what ``import napari_mtseg`` adds to a bare interpreter, seconds."""
    bare = best_seconds([sys.executable, "-c", "pass"], repeats=repeats)
    full = best_seconds([sys.executable, "-c", "import napari_mtseg"], repeats=repeats)
    return full - bare


def mtseg_command() -> str:
    """Return the path of the installed ``mtseg``.

    Raises
    ------
    FileNotFoundError
        If the package is not installed in this environment.
    """
    scripts = sysconfig.get_path("scripts")
    found = shutil.which("mtseg", path=os.fspath(scripts))
    if found is None:
        raise FileNotFoundError(f"no mtseg in {scripts}: run `make install`")
    return found


def help_seconds(*, repeats: int = 7) -> float:
    """Return how long ``mtseg --help`` takes from the first to the last, seconds."""
    return best_seconds([mtseg_command(), "--help"], repeats=repeats)


if __name__ == "__main__":
    print(f"import napari_mtseg  {import_seconds():.3f} s  (wanted: < 0.1)")
    print(f"mtseg --help         {help_seconds():.3f} s  (wanted: < 0.7)")
