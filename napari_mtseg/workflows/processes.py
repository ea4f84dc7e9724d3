"""Several processes that train one run together, a device each.

``mtseg train --devices N`` and SLURM start them through torchrun, which tells each its
rank in the environment. Only the lead (rank 0) writes and reports.
"""

import os

from napari_mtseg.domain.errors import SettingsError


def rank() -> int:
    """Return the number of this process, 0 for the lead and for a lone one."""
    return int(os.environ.get("RANK", "0"))


def n_processes() -> int:
    """Return how many processes train together, 1 for a lone one."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def n_processes_here() -> int:
    """Return how many of them run on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def is_lead() -> bool:
    """Tell whether this process writes and reports."""
    return rank() == 0


def part_of_batch(batch_size: int) -> slice:
    """Return the patches of a batch that this process trains on.

    Raises
    ------
    SettingsError
        If the batch cannot be shared out evenly.
    """
    if batch_size % n_processes():
        raise SettingsError(
            f"batch_size is {batch_size} but {n_processes()} devices train together. "
            f"Set it to a multiple of {n_processes()}."
        )
    share = batch_size // n_processes()
    return slice(rank() * share, (rank() + 1) * share)
