"""The packages of the extra `interchange`, imported where they are needed."""

from importlib import import_module
from typing import Any

from imlcmm.errors import MissingPackageError


def package(name: str) -> Any:
    """Import a package of the extra.

    Raises:
        MissingPackageError: If it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingPackageError(
            f"{name.partition('.')[0]} is not installed; pip install 'imlcmm[interchange]'"
        ) from error
