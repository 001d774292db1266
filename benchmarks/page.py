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


def write_section(title: str, lines: list[str]) -> None:
    """Put a section into the page of results, in place of the one with the same title."""
    begin, end = f"<!-- begin {title} -->", f"<!-- end {title} -->"
    section = "\n".join([begin, f"### {title}", "", *lines, end])
    page = README.read_text() if README.is_file() else "# Benchmarks\n"
    if begin in page:
        before, rest = page.split(begin)
        page = before + section + rest.split(end)[1]
    else:
        page = f"{page.rstrip()}\n\n{section}\n"
    README.write_text(page)
