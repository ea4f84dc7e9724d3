"""The mean of several answers of a network, and how far they differ."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor

from napari_mtseg.networks.pooled_network import Activation
from napari_mtseg.networks.sample_overlap import most_probable_class
from napari_mtseg.networks.samples import EXPECTED_ENTROPY, VARIANCE

SPREAD_MAPS = (EXPECTED_ENTROPY, VARIANCE)
"""maps that only several answers have"""

SPREAD_OF = "segmentation"
"""head whose answers are compared"""


def activated(output: Tensor, activation: Activation, *, dim: int = 0) -> Tensor:
    """Return what a head answers by what its last layer returns.

    Parameters
    ----------
    output : (channels, [Z,] Y, X) or (channels,)
        Of the last layer.
    activation : {"softmax", "sigmoid", "none"}
        Of the head.
    dim : int
        Where the channels are.
    """
    if activation == "none":
        return output
    return output.sigmoid() if activation == "sigmoid" else output.softmax(dim)


def spread_maps_of(
    heads: Iterable[str], activations: Mapping[str, Activation]
) -> tuple[str, ...]:
    """Return SPREAD_MAPS where a segmentation by a softmax is among the heads."""
    is_softmax = activations.get(SPREAD_OF, "softmax") == "softmax"
    return SPREAD_MAPS if is_softmax and SPREAD_OF in set(heads) else ()


@torch.no_grad()
def mean_answers(
    answers: Iterable[dict[str, Tensor]],
    names: Sequence[str],
    activations: Mapping[str, Activation],
    *,
    between: Callable[[], None] | None = None,
    kept: list[Tensor] | None = None,
) -> dict[str, Tensor]:
    """Return the mean of several answers for one input, and their spread.

    One answer is held at a time, beside sums (Welford's algorithm, float32).

    Parameters
    ----------
    answers : iterable of dict
        Logits by head for one sample, ``(1, channels, [Z,] Y, X)`` or
        ``(1, channels)``; the dicts are emptied.
    names : sequence of str
        Heads that are wanted.
    activations : mapping of str to {"softmax", "sigmoid", "none"}
        Of heads that do not classify; all others are 'softmax'.
    between : callable, optional
        Called between two answers; what it raises ends it all.
    kept : list, optional
        Where the answers have a spread, the most probable class of each pixel in each
        answer, ([Z,] Y, X) uint8, is added to it.

    Returns
    -------
    dict
        By head the mean of its activated answers, without the first axis. If the head
        'segmentation' is among them and is a softmax, EXPECTED_ENTROPY, ([Z,] Y, X):
        the mean of the entropy of its answers, 0..log(channels) nats; and VARIANCE,
        ([Z,] Y, X): the variance of a probability over the answers (of the population,
        0..1/4), mean over the channels.

    Raises
    ------
    ValueError
        If there is no answer.
    """
    spread = spread_maps_of(names, activations)
    means: dict[str, Tensor] = {}
    totals: dict[str, Tensor] = {}
    n = 0
    for n, logits in enumerate(answers, 1):
        if n > 1 and between is not None:
            between()
        for name in names:
            output = logits.pop(name)[0].float()
            if spread and name == SPREAD_OF:
                if kept is not None:
                    kept.append(most_probable_class(output))
                answer = _take_spread(output, n, means.get(name), totals)
            else:
                answer = activated(output, activations.get(name, "softmax"))
            # An answer may be the network's own tensor, which is not ours to change.
            if name in means:
                means[name].add_(answer - means[name], alpha=1 / n)
            else:
                means[name] = answer.clone()
            del output, answer
        logits.clear()
    if not n:
        raise ValueError("there is no answer to take the mean of")
    return means | {name: total.div_(n) for name, total in totals.items()}


def _take_spread(
    output: Tensor, n: int, mean: Tensor | None, totals: dict[str, Tensor]
) -> Tensor:
    """Return answer ``n``, and let the sums of the spread count it.

    ``mean`` is that of the ``n - 1`` answers before.
    """
    # The logarithm comes with the softmax: half the time of taking it from the answer.
    logarithm = output.log_softmax(0)
    answer = logarithm.exp()
    # 0 log 0 is 0, and not what a float makes of it
    finite = logarithm.clamp_(min=-1e4)
    more = {EXPECTED_ENTROPY: finite.mul_(answer).sum(0).neg_()}
    if mean is None:
        more[VARIANCE] = torch.zeros_like(more[EXPECTED_ENTROPY])
    else:
        # the difference to the new mean is (n - 1) / n of that to the old one
        squared = (answer - mean).square_()
        more[VARIANCE] = squared.mean(0).mul_((n - 1) / n)
    for name, added in more.items():
        totals[name] = totals[name].add_(added) if name in totals else added
    return answer
