"""What the benchmarks share: the name of the machine, the memory of the process, and the page of results."""

import platform
from pathlib import Path

import torch

README = Path(__file__).with_name("README.md")


def processor() -> str:
    """Name the processor and the instruction set that PyTorch uses on it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}"


def resident(key: str) -> float:
    """Read a figure of this process's memory in MB, as Linux counts it: VmRSS now, or VmHWM at its highest."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith(key)).split()[1]) / 1024


def write_section(title: str, lines: list[str], *, page: Path = README, level: int = 3) -> None:
    """Put a section into a page, that of results unless told, in place of the one with the same title."""
    begin, end = f"<!-- begin {title} -->", f"<!-- end {title} -->"
    section = "\n".join([begin, f"{'#' * level} {title}", "", *lines, end])
    text = page.read_text() if page.is_file() else "# Benchmarks\n"
    if begin in text:
        before, rest = text.split(begin)
        text = before + section + rest.split(end)[1]
    else:
        text = f"{text.rstrip()}\n\n{section}\n"
    page.write_text(text)
