"""The scripts that make the starter model, and small archives in the place of the packages."""

import sys
import zipfile
from pathlib import Path

import pytest

from archives import tar

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))


@pytest.fixture
def archive(tmp_path):
    """Write an archive of a source's name; returns its folder."""

    def write(source, files):
        if source.wheel:
            with zipfile.ZipFile(tmp_path / source.archive, "w") as wheel:
                for name, content in files.items():
                    wheel.writestr(name, content)
        else:
            (tmp_path / source.archive).write_bytes(tar(files))
        return tmp_path

    return write
