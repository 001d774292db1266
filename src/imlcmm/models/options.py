"""Checking the options of a model that come out of a file."""

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any, get_type_hints

from imlcmm.untrusted import check_type, shown


def check_options(model: type, options: Mapping[str, Any]) -> None:
    """Check options against the constructor's annotations; a text encoder must be described, not named.

    The weights of a text encoder lie in the checkpoint: a name would be fetched, from wherever the file says.

    Raises:
        ValueError: Naming the option and its value.
    """
    hints = get_type_hints(model.__init__)
    for name, value in options.items():
        if name not in hints:
            raise ValueError(f"has an option {shown(name)}, which {model.__name__} does not know")
        check_type(asdict(value) if is_dataclass(value) and not isinstance(value, type) else value, hints[name], name)
    if isinstance(options.get("text_encoder"), str):
        raise ValueError(f"names a text encoder, {shown(options['text_encoder'])}, instead of describing it")
