"""The commands of `imlcmm`: a function each, whose signature and docstring are its options and its help.

`train` is not among them: it lies in `train.py`, with a parser of its own.
"""

from collections.abc import Callable

from imlcmm.commands.data import convert, extract, simulate
from imlcmm.commands.export import export
from imlcmm.commands.models import evaluate, leaderboard, models, tune
from imlcmm.commands.predict import predict
from imlcmm.commands.report import explain, report
from imlcmm.commands.reproduce import reproduce
from imlcmm.commands.serve import serve
from imlcmm.commands.share import share

COMMANDS: dict[str, Callable[..., None]] = {
    command.__name__: command
    for command in (
        convert,
        simulate,
        extract,
        evaluate,
        leaderboard,
        tune,
        models,
        predict,
        export,
        share,
        reproduce,
        report,
        explain,
        serve,
    )
}
