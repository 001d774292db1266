"""An argument parser whose complaints are one line, and which reads a command's options from its signature."""

import inspect
import re
from argparse import SUPPRESS, Action
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args, get_origin

from docstring_parser import parse
from jsonargparse import ArgumentParser, DefaultHelpFormatter

from imlcmm.errors import ImlcmmError

HANDED_ON = ("more", "own_models")
"""Parameters that no option fills: the words after `--`, and the modules that the caller trusts."""

_WRITTEN = {Path: "PATH", float: "NUMBER", int: "NUMBER", str: "TEXT"}
_WRONG_VALUE = re.compile(r'Parser key "([^"]+)": Expected a (.+?)\. Got value: (.*)')
_DENIED = re.compile(r"Importing '[^']*' is not allowed")


class HelpFormatter(DefaultHelpFormatter):
    """Show what people write for a value (PATH, NUMBER) in its place, and its default if it has one."""

    def _get_help_string(self, action: Action) -> str:
        text = action.help or ""
        if not action.option_strings or action.dest == "help" or action.default in (None, False, SUPPRESS, ()):
            return text
        return f"{text} (default: %(default)s)"

    def _get_default_metavar_for_optional(self, action: Action) -> str:
        kind = getattr(action, "_typehint", action.type)
        choices = next((get_args(part) for part in get_args(kind) if get_origin(part) is Literal), None)
        if choices:
            return f"{{{','.join(choices)}}}"
        plain = next((word for known, word in _WRITTEN.items() if known in (kind, *get_args(kind))), None)
        return plain or super()._get_default_metavar_for_optional(action)


class Parser(ArgumentParser):
    """Complain like everything else does: by an ImlcmmError."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Show help as people read it."""
        super().__init__(*arguments, **{"formatter_class": HelpFormatter, **options})
        self.switches: set[str] = set()

    def parse_args(self, words: Sequence[str] | None = None, **options: Any) -> Any:  # type: ignore[override]
        """Parse, and complain of imports that a value asks for wherever they are refused."""
        try:
            return super().parse_args(None if words is None else self._turned(words), **options)
        except ImportError as error:
            self.error(str(error))

    def _turned(self, words: Sequence[str]) -> list[str]:
        """Say of a switch that stands alone that it is on, or it would take the next word for its value."""
        pairs = zip(words, [*words[1:], ""], strict=False)
        return [f"{w}=true" if w in self.switches and then not in ("true", "false") else w for w, then in pairs]

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise the essence of a complaint."""
        hint = "" if "--help" in message else f"; see {self.prog.replace(' [options]', '')} --help"
        raise ImlcmmError(_essence(message) + hint)


def command_parser(command: Callable[..., None]) -> Parser:
    """Declare a command: parameters without a default stand for themselves, the keyword-only ones are options.

    Sequences take several words, and the fields of a dataclass are options of their own, with a switch for a
    field whose metadata names what turns it "off"; those of `HANDED_ON` are left to the caller.
    """
    described = parse(command.__doc__ or "")
    parser = Parser(prog=f"imlcmm {command.__name__}", description=described.short_description)
    help_of = {parameter.arg_name: parameter.description for parameter in described.params}
    for name, parameter in inspect.signature(command).parameters.items():
        kind, named = parameter.annotation, parameter.kind is parameter.KEYWORD_ONLY
        several, optional = get_origin(kind) is Sequence, parameter.default is not parameter.empty
        if is_dataclass(kind):
            parser.add_class_arguments(kind)
            for switch, told in _switches(kind).values():
                parser.add_argument(f"--{switch}", type=bool, nargs="?", const=True, default=False, help=told)
                parser.switches.add(f"--{switch}")
            continue
        if name in HANDED_ON:
            continue
        options: dict[str, Any] = {"type": kind.__args__[0] if several else kind, "help": help_of[name]}
        if optional:
            options["default"] = parameter.default
        elif named:
            options["required"] = True
        if several:
            options["nargs"] = "*" if optional else "+"
        elif kind is bool:
            # A switch's name alone means yes.
            options |= {"nargs": "?", "const": True}
            parser.switches.add(f"--{name}")
        elif optional and not named:
            options["nargs"] = "?"
        parser.add_argument(f"--{name}" if named else name, **options)
    return parser


def arguments_of(command: Callable[..., None], given: dict[str, Any]) -> dict[str, Any]:
    """Gather what a command's parser has read into the command's arguments."""
    arguments = dict(given)
    for name, parameter in inspect.signature(command).parameters.items():
        kind = parameter.annotation
        if isinstance(kind, type) and is_dataclass(kind):
            values = {field.name: arguments.pop(field.name) for field in fields(kind)}
            off = {field: False for field, (switch, _) in _switches(kind).items() if arguments.pop(switch)}
            arguments[name] = kind(**values | off)
    return arguments


def _switches(kind: Any) -> dict[str, tuple[str, str]]:
    """Give the fields that a switch turns off, with its name and its help."""
    return {field.name: field.metadata["off"] for field in fields(kind) if "off" in field.metadata}


def _essence(message: str) -> str:
    """Join the lines of a parser's complaint, without those that repeat what was given, in the user's words."""
    denied = _DENIED.search(message)
    if denied:
        return f"{denied[0]}: it is no registered model; if you trust its module, name that with --own_models MODULE"
    noise = ("Does not validate", "Subtypes:", "Errors:", "Expected a <class 'NoneType'>", "Given value")
    lines = [line.strip().removeprefix("- ") for line in message.splitlines()]
    told = " ".join(line for line in lines if line and not line.startswith(noise))
    wrong = _WRONG_VALUE.fullmatch(told)
    return f"--{wrong[1]} is {wrong[3]}; it must be {_needed(wrong[2])}" if wrong else told


def _needed(kind: str) -> str:
    """Say a type as people do."""
    choices = re.findall(r"'([^']*)'", kind) if kind.startswith("typing.Literal") else []
    words = {"<class 'int'>": "a whole number", "<class 'float'>": "a number", "<class 'bool'>": "true or false"}
    return f"one of {', '.join(choices)}" if choices else words.get(kind, kind)
