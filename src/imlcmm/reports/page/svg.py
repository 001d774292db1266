"""Figures as pictures inside a page, which take the page's colours and font."""

import hashlib
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

# As drawn, these are the colours of a light page; in the page they become its variables, which know dark mode.
INK, FAINT = "#1c2126", "#6a737c"
COLOURS = {"multimodal": "#7a3fa0", "text": "#2767b0", "audio": "#b8560f", "vision": "#2c7d4f"}
_VARIABLES = {INK: "currentColor", FAINT: "var(--faint)", **{c: f"var(--{name})" for name, c in COLOURS.items()}}
_CHINESE = (
    "Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei", "SimHei", "Arial Unicode MS",
)  # fmt: skip
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "imlcmm",
    "text.parse_math": False,  # a clip's id holds dollar signs
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("axes.edgecolor", "grid.color"), FAINT),
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw what is drawn inside in the style of the page, with a Chinese font of this machine if there is one.

    In a page the browser's fonts count; in a PNG, a character that no font here has is drawn as a box.
    """
    installed = {font.name for font in fontManager.ttflist}
    family = ["DejaVu Sans", *(name for name in _CHINESE if name in installed)]
    with mpl.rc_context({**_STYLE, "font.family": family}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def inline(figure: Figure, label: str) -> Markup:
    """Turn a figure into an SVG element of a page.

    Args:
        figure: Drawn inside `house_style`.
        label: What the picture shows, for those who do not see it.
    """
    text = StringIO()
    silent = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with house_style():
        figure.savefig(text, format="svg", transparent=True, metadata=silent)
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    size = re.search(r'viewBox="[^"]*"', svg)
    body = re.sub(r"<style.*?</style>|<metadata>.*?</metadata>", "", svg[svg.index(">") + 1 :], flags=re.DOTALL)
    body = body.replace("xlink:href", "href")
    body = _short_ids(_compact(_page_colours(body)), hashlib.sha256((label + body).encode()).hexdigest()[:8])
    return Markup('<svg role="img" {} aria-label="{}">{}').format(Markup(size[0] if size else ""), label, Markup(body))


def _page_colours(svg: str) -> str:
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    # The page's own font; its size stays.
    return re.sub(r" font-family: [^;\"]*;?", "", svg)


def _compact(svg: str) -> str:
    """Round coordinates to hundredths, and say the style of markers in a row once."""
    svg = re.sub(r'(?<= )(?:d|x|y)="[^"]*"', lambda found: _rounded(found[0]), svg)
    svg = re.sub(r"\n\s*", "\n", svg)

    def grouped(found: re.Match[str]) -> str:
        style = found["style"]
        return f'<g style="{style}">' + found[0].replace(f' style="{style}"', "") + "</g>"

    return re.sub(r'<use [^>]*? style="(?P<style>[^"]*)"/>(?:\n<use [^>]*? style="(?P=style)"/>)+', grouped, svg)


def _rounded(attribute: str) -> str:
    short = re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), attribute)
    return short.replace("\n", "").replace(' "', '"')


def _short_ids(svg: str, prefix: str) -> str:
    """Keep the ids that something refers to, under names that no other picture of a page has."""
    used = dict.fromkeys(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    names = {old: f"p{prefix}-{i}" for i, old in enumerate(used)}
    svg = re.sub(r' id="([^"]+)"', lambda found: f' id="{names[found[1]]}"' if found[1] in names else "", svg)
    return re.sub(r'((?:href="#|url\(#))([^")]+)', lambda found: found[1] + str(escape(names[found[2]])), svg)
