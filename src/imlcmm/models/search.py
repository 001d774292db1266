"""What a search over hyper-parameters may try."""

from typing import NamedTuple


class Range(NamedTuple):
    """Numbers from `low` to `high`, evenly spread over the logarithm if `log`."""

    low: float
    high: float
    log: bool = False


class Choice(NamedTuple):
    """One of several values."""

    values: tuple[float | str, ...]
