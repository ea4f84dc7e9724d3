"""Losses of maps of numbers, in which unknown pixels have no say."""

from torch import Tensor


def interval_loss(prediction: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Squared distance of a prediction in 0..1 to an interval; 0 inside it.

    Parameters
    ----------
    prediction : (N, C, [Z,] Y, X) float
        In 0..1, such as a sigmoid.
    low, high : (N, C, [Z,] Y, X) float
        Bounds in 0..1, ``low <= high``. Where both are equal the value is known; where
        they are 0 and 1 nothing is known and the pixel does not count.

    Returns
    -------
    scalar Tensor
        Mean over the pixels that count of ``max(low - p, 0)^2 + max(p - high, 0)^2``,
        the mean squared error where all is known; 0 where nothing is
        (METHODS.md section 6).
    """
    counts = ((low > 0) | (high < 1)).to(prediction.dtype)
    beyond = (low - prediction).clamp(min=0) + (prediction - high).clamp(min=0)
    return (beyond.square() * counts).sum() / counts.sum().clamp(min=1)


def masked_squared_error(prediction: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Mean squared error over known pixels; 0 where none is known.

    Parameters
    ----------
    prediction, target : (N, [Z,] Y, X) float
        What is compared.
    known : (N, [Z,] Y, X) bool
        Pixels that count.
    """
    counts = known.to(prediction.dtype)
    error = (prediction - target).square() * counts
    return error.sum() / counts.sum().clamp(min=1)
