"""What `imlcmm` says when no command is given: its help, its version, the completion of a shell."""

from argparse import ArgumentParser
from difflib import get_close_matches
from importlib.metadata import version
from importlib.util import find_spec
from typing import NoReturn

from imlcmm.commands import COMMANDS
from imlcmm.commands.show import show
from imlcmm.commands.train import train
from imlcmm.errors import ImlcmmError, MissingPackageError
from imlcmm.untrusted import shown


def answer(words: list[str]) -> None:
    """Answer words that begin with no command.

    Raises:
        ImlcmmError: If they ask for nothing that is there.
    """
    parser = _Overview(prog="imlcmm", description="Multimodal sentiment analysis: text, voice and face.")
    parser.add_argument("--version", action="version", version=f"imlcmm {version('imlcmm')}")
    parser.add_argument("--completion", choices=("bash", "zsh", "tcsh"), help="print a script for your shell and exit")
    parser.add_argument(
        "--own_models", metavar="MODULE", help="with any command: trust a module of yours, whose models files may name"
    )
    parser.add_argument("--debug", action="store_true", help="with any command: show tracebacks")
    named = {train.__name__: train, **COMMANDS}
    if words and not words[0].startswith("-"):
        meant = get_close_matches(words[0], named, n=1)
        hint = f"did you mean {meant[0]}?" if meant else f"choose one of {', '.join(named)}."
        raise ImlcmmError(f"there is no command {shown(words[0])}; {hint} See imlcmm --help")
    commands = parser.add_subparsers(title="commands (imlcmm COMMAND --help tells more)", metavar="COMMAND")
    for name, command in named.items():
        commands.add_parser(name, help=(command.__doc__ or "").splitlines()[0])
    given = parser.parse_args(words or ["--help"])
    if given.completion:
        show(_completion(given.completion))


class _Overview(ArgumentParser):
    """Complain like everything else does."""

    def error(self, message: str) -> NoReturn:
        """Raise the complaint."""
        raise ImlcmmError(f"{message}; see imlcmm --help")


def _completion(shell: str) -> str:
    """Write what makes a shell complete all commands and their options.

    Raises:
        MissingPackageError: If shtab is not installed.
    """
    if find_spec("shtab") is None:
        raise MissingPackageError("completion needs shtab: pip install 'imlcmm[completion]'")
    from imlcmm.commands.parser import Parser, command_parser
    from imlcmm.commands.train import train_parser

    parser = Parser(prog="imlcmm")
    commands = parser.add_subcommands()
    commands.add_subcommand(train.__name__, train_parser())
    for name, command in COMMANDS.items():
        commands.add_subcommand(name, command_parser(command))
    script: str = parser.get_completion_script(f"shtab-{shell}")
    return script
