"""What stands for a value of a pickle until it is read whole."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from imlcmm.datasets.field.lazy import LazyArray, Payload

MARK: Final = object()


class Name:
    """Stands for a name that a pickle may hold."""

    def __init__(self, call: Callable[..., Any]) -> None:
        """Remember what a call of it means here."""
        self.call = call


class PendingDType:
    """A dtype that still waits for its byte order."""

    def __init__(self, code: str) -> None:
        """Accept the codes of booleans, integers, floats, strings and objects."""
        self.value = np.dtype(code)


class PendingArray:
    """An array on the way: made empty by one opcode, filled by a later one."""

    value: LazyArray | list[Any] | None = None


class RefusedError(Exception):
    """The file holds something that is not read; the message says what, and what to do."""

    def __init__(self, what: str, advice: str = "only plain values and numpy arrays are read from a pickle") -> None:
        """Join the two."""
        super().__init__(f"{what}; {advice}")


class LongText:
    """A long string that is still in the file."""

    def __init__(self, payload: Payload) -> None:
        """Remember where it lies."""
        self.payload = payload
