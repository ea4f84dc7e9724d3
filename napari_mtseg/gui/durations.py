"""How long a training still takes, measured and in words."""

MEASURE_FOR = 5.0
"""seconds of training before an estimate is worth showing"""


class TimeLeft:
    """Tells the time that is left from the time that steps took."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._n = 0
        self._left = 0
        self._is_first = True

    def restart(self) -> None:
        """Forget what was measured: a run begins, or goes on."""
        self._seconds, self._n, self._left, self._is_first = 0.0, 0, 0, True

    def add(self, step: int, of: int, seconds: float) -> None:
        """Take note of a step; the first one reads the images and does not count."""
        self._left = max(of - step, 0)
        if self._is_first:
            self._is_first = False
            return
        self._seconds += seconds
        self._n += 1

    @property
    def seconds(self) -> float | None:
        """Seconds left; None until enough was measured."""
        if self._seconds < MEASURE_FOR:
            return None
        return self._left * self._seconds / self._n


def duration_text(seconds: float) -> str:
    """Return a duration rounded to what matters.

    Examples
    --------
    >>> duration_text(42), duration_text(200), duration_text(5000)
    ('40 s', '3 min', '1 h 23 min')
    """
    if seconds < 10:
        return f"{max(round(seconds), 1)} s"
    if seconds < 57.5:
        return f"{5 * round(seconds / 5)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
