"""Compile the C files of this package on first use, and keep them in the user's cache."""

import ctypes
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from imlcmm.files import cache_folder

SWITCH = "IMLCMM_NATIVE"
SECONDS = 60
AMX = ("amx_tile", "amx_bf16", "avx512_bf16", "avx512f", "avx512bw", "avx512dq", "avx512vl")

logger = logging.getLogger(__name__)


@cache
def library(name: str, features: tuple[str, ...]) -> ctypes.CDLL | None:
    """Load a C file of this package, compiled for a processor that has the features; None where that cannot be.

    `IMLCMM_NATIVE=0` turns it off. What is compiled lies in the user's cache under its checksum.

    Args:
        name: Of the file, without ending.
        features: Instruction sets by their names in /proc/cpuinfo.
    """
    if os.environ.get(SWITCH) == "0" or not set(features) <= processor_features():
        return None
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        return None
    source = Path(__file__).with_name(f"{name}.c")
    flags = ("-O3", "-shared", "-fPIC", "-mfma", *map(_flag, features))
    try:
        return ctypes.CDLL(str(_compiled(compiler, source, flags)))
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        logger.info(f"{source.name} was not compiled, so that training is slower: {error}")
        return None


def tile_library(name: str) -> ctypes.CDLL | None:
    """Load a C file that uses AMX's tiles; None also where the system does not grant them."""
    found = library(name, AMX)
    return None if found is None or found.tiles_available() else found


@cache
def processor_features() -> frozenset[str]:
    """List the processor's instruction sets; none where the system does not tell."""
    information = Path("/proc/cpuinfo")
    if platform.machine() != "x86_64" or not information.exists():
        return frozenset()
    lines = information.read_text().splitlines()
    return frozenset(next((line for line in lines if line.startswith("flags")), "").split())


def _flag(feature: str) -> str:
    """Spell an instruction set as compilers do."""
    return "-m" + feature.replace("avx512_", "avx512").replace("_", "-")


def _compiled(compiler: str, source: Path, flags: Sequence[str]) -> Path:
    """Give the library, from the cache where this source and the headers were compiled with these flags before."""
    text = b"".join(file.read_bytes() for file in (source, *sorted(source.parent.glob("*.h"))))
    key = hashlib.sha256(text + " ".join((compiler, *flags)).encode()).hexdigest()[:16]
    folder = cache_folder()
    done = folder / f"{source.stem}-{key}.so"
    if not done.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as place:
            fresh = Path(place) / done.name
            command = [compiler, *flags, "-o", str(fresh), str(source), "-lm"]
            subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)
            fresh.replace(done)
    return done
