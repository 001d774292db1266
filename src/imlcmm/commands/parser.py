"""An argument parser whose complaints are one line, and which reads a command's options from its signature."""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, NoReturn, get_origin

from docstring_parser import parse
from jsonargparse import ArgumentParser

from imlcmm.errors import ImlcmmError

_DENIED = re.compile(r"Importing '[^']*' is not allowed")


class Parser(ArgumentParser):
    """Complain like everything else does: by an ImlcmmError."""

    def parse_args(self, *arguments: Any, **options: Any) -> Any:
        """Parse, and complain of imports that a value asks for wherever they are refused."""
        try:
            return super().parse_args(*arguments, **options)
        except ImportError as error:
            self.error(str(error))

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise the essence of a complaint."""
        hint = "" if "--help" in message else f"; see {self.prog.replace(' [options]', '')} --help"
        raise ImlcmmError(_essence(message) + hint)


def command_parser(command: Callable[..., None], **options: Any) -> Parser:
    """Declare a command: parameters without a default stand for themselves, the keyword-only ones are options.

    Sequences take several words, and the fields of a dataclass are options of their own; a parameter named `more` takes
    the words after `--` and is left to the caller.
    """
    described = parse(command.__doc__ or "")
    parser = Parser(description=described.short_description, **options)
    help_of = {parameter.arg_name: parameter.description for parameter in described.params}
    by_hand: set[str | int] = {"more"}
    for name, parameter in inspect.signature(command).parameters.items():
        several, named = get_origin(parameter.annotation) is Sequence, parameter.kind is parameter.KEYWORD_ONLY
        optional = parameter.default is not parameter.empty
        if is_dataclass(parameter.annotation):
            parser.add_class_arguments(parameter.annotation)
            by_hand.add(name)
        if name in by_hand or not (several or (optional and not named)):
            continue
        of = parameter.annotation.__args__[0] if several else parameter.annotation
        count = "?" if not several else "*" if optional else "+"
        default = {"default": parameter.default} if optional else {}
        parser.add_argument(f"--{name}" if named else name, nargs=count, type=of, help=help_of[name], **default)
        by_hand.add(name)
    parser.add_function_arguments(command, as_positional=True, skip=by_hand)
    return parser


def arguments_of(command: Callable[..., None], given: dict[str, Any]) -> dict[str, Any]:
    """Gather what a command's parser has read into the command's arguments."""
    arguments = dict(given)
    for name, parameter in inspect.signature(command).parameters.items():
        kind = parameter.annotation
        if isinstance(kind, type) and is_dataclass(kind):
            arguments[name] = kind(**{field.name: arguments.pop(field.name) for field in fields(kind)})
    return arguments


def _essence(message: str) -> str:
    """Join the lines of a parser's complaint, without those that speak of types or repeat what was given."""
    denied = _DENIED.search(message)
    if denied:
        return f"{denied[0]}: it is no registered model; if you trust its module, name that with --own_models MODULE"
    noise = ("Does not validate", "Subtypes:", "Errors:", "Expected a <class 'NoneType'>", "Given value")
    lines = [line.strip().removeprefix("- ") for line in message.splitlines()]
    return " ".join(line for line in lines if line and not line.startswith(noise))
