"""Files of a stranger who wants code to run, and the canary that shows whether it did."""

import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CODE = """
from pathlib import Path
from imlcmm.models import LF_DNN
Path({canary!r}).touch()
class Own(LF_DNN):
    "A model whose module leaves a trace."
"""


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Give the path of a file that exists once code of the module `hostile`, which lies on the path, has run."""
    folder = tmp_path / "on-the-path"
    folder.mkdir()
    sung = tmp_path / "canary"
    (folder / "hostile.py").write_text(CODE.format(canary=str(sung)))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    yield sung
    sys.modules.pop("hostile", None)


class _Bomb:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.canary,)


@pytest.fixture
def bomb(canary: Path) -> bytes:
    """Give a pickle that touches the canary when it is loaded."""
    return pickle.dumps(_Bomb(canary))
