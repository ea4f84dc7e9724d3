"""Dropout of whole feature maps, and its place in a network."""

from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from napari_mtseg.domain.training_settings import DropoutPlace

_KINDS: dict[int, type[nn.Module]] = {2: nn.Dropout2d, 3: nn.Dropout3d}


def dropouts(n: int, *, rate: float, place: DropoutPlace, ndim: int) -> nn.ModuleList:
    """Return what follows each level on the way back to full resolution.

    Modules without parameters, so that a network's weights have the same names with
    dropout and without.

    Parameters
    ----------
    n : int
        Levels, the deepest one included, 1 or more.
    rate : float
        Share of the maps that are dropped while training, 0 <= rate < 1.
    place : {"deepest", "decoder", "last", "ends"}
        After which levels maps are dropped: the deepest, all but the deepest, the last,
        or the deepest and the last. A single level is all of these.
    ndim : int
        2 or 3.

    Returns
    -------
    torch.nn.ModuleList
        ``n`` modules, deepest level first, each either a dropout or the identity.

    Raises
    ------
    ValueError
        If there is no level or ``rate`` is not in 0 <= rate < 1.

    References
    ----------
    .. [1] J. Tompson et al., "Efficient object localization using convolutional
       networks", CVPR 2015, for whole maps: neighbours in a map tell the same, so that
       dropping single pixels would drop little. The places are ours.

    Examples
    --------
    >>> [module.p for module in dropouts(2, rate=0.5, place="ends", ndim=2)]
    [0.5, 0.5]
    >>> dropouts(3, rate=0.5, place="last", ndim=2)[1]
    Identity()
    """
    if n < 1:
        raise ValueError(f"a network has one level or more, not {n}")
    chosen = {
        "deepest": {0},
        "decoder": set(range(min(1, n - 1), n)),
        "last": {n - 1},
        "ends": {0, n - 1},
    }[place]
    return nn.ModuleList(
        map_dropout(rate if number in chosen else 0.0, ndim=ndim) for number in range(n)
    )


def map_dropout(rate: float, *, ndim: int) -> nn.Module:
    """Return a dropout of whole maps ``(N, C, [Z,] Y, X)``; the identity at rate 0.

    Raises
    ------
    ValueError
        If ``rate`` is not in 0 <= rate < 1: without any map there is no answer.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"the share of dropped maps is {rate}, not in 0 <= rate < 1")
    return _KINDS[ndim](rate) if rate else nn.Identity()


def active_dropouts(network: nn.Module) -> tuple[nn.Module, ...]:
    """Return the dropout modules of a network that drop anything in training."""
    return tuple(m for m in network.modules() if isinstance(m, _DropoutNd) and m.p > 0)


def has_dropout(network: nn.Module) -> bool:
    """Tell whether a network drops anything at random, in whatever way."""
    return bool(active_dropouts(network))
