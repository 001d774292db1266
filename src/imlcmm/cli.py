"""The command line. Results go to standard output, everything else to standard error."""

import errno
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import signature

from imlcmm.commands import COMMANDS
from imlcmm.errors import ImlcmmError
from imlcmm.progress import tell_warnings


def main(arguments: list[str] | None = None) -> int:
    """Run a command; a user's mistake is answered by one line and exit code 2."""
    words = [_spelt(word) for word in (sys.argv[1:] if arguments is None else arguments)]
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    own, words = _own_models(words)
    tell_warnings(debug)
    with _one_line_errors(debug):
        if own:
            from imlcmm.models import admit_models

            for module in own:
                admit_models(module)
        _run(words, own)
    return 0


def _spelt(word: str) -> str:
    """Spell an option as it is declared: --no-open is --no_open."""
    name, mark, value = word.partition("=")
    return name[:2] + name[2:].replace("-", "_") + mark + value if name.startswith("--") else word


def _own_models(words: list[str]) -> tuple[list[str], list[str]]:
    """Take out of the words the modules that the caller trusts: what is loaded may name their models."""
    parts = [part for word in words for part in (word.split("=", 1) if word.startswith("--own_models=") else [word])]
    places = [i for i, part in enumerate(parts) if part == "--own_models"]
    own = [parts[i + 1] for i in places if i + 1 < len(parts)]
    return own, [part for i, part in enumerate(parts) if i not in places and i - 1 not in places]


def _run(words: list[str], own: list[str]) -> None:
    """Run one command; only its own parser is made, since all of them take seconds."""
    from imlcmm.commands.train import train, train_from_words

    name, *rest = words or [""]
    if name == train.__name__:
        train_from_words(rest)
    elif name in COMMANDS:
        _run_command(COMMANDS[name], rest, own)
    else:
        from imlcmm.commands.overview import answer

        answer(words)


def _run_command(command: Callable[..., None], words: list[str], own: list[str]) -> None:
    from imlcmm.commands.parser import HANDED_ON, arguments_of, command_parser

    words, more = _parted(words)
    given = command_parser(command).parse_args(words)
    arguments = arguments_of(command, given.as_dict())
    known = signature(command).parameters
    if more and "more" not in known:
        raise ImlcmmError(f"{command.__name__} takes no words after --; see imlcmm {command.__name__} --help")
    command(**arguments, **{name: words for name, words in zip(HANDED_ON, (more, own), strict=True) if name in known})


def _parted(words: list[str]) -> tuple[list[str], list[str]]:
    """Part a command's own words from those after `--`, which it hands on."""
    place = words.index("--") if "--" in words else len(words)
    return words[:place], words[place + 1 :]


@contextmanager
def _one_line_errors(debug: bool) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write("imlcmm: interrupted; run it again to go on, a training with --resume\n")
        raise SystemExit(130) from None
    except (ImlcmmError, OSError) as error:
        if debug:
            raise
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        sys.stderr.write(f"imlcmm: {'the disk is full: free some space and run again' if full else error}\n")
        raise SystemExit(2) from None


if __name__ == "__main__":
    sys.exit(main())
