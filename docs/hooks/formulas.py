"""Turn the formulas of a page into MathML while the site is built, so that readers load no script for them."""

import html
import re
from typing import Any

from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError

_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
_BLOCK = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)
_UNKNOWN = re.compile(r">\\(?![{}\\<])[^<]*<")


def on_page_content(content: str, *, page: Any, **_: Any) -> str:
    """Replace what arithmatex has marked as a formula."""

    def inline(match: re.Match[str]) -> str:
        return mathml(html.unescape(match[1]), "inline", page.file.src_uri)

    def block(match: re.Match[str]) -> str:
        return f'<div class="formula">{mathml(html.unescape(match[1]), "block", page.file.src_uri)}</div>'

    return _BLOCK.sub(block, _INLINE.sub(inline, content))


def mathml(latex: str, display: str, where: str) -> str:
    r"""Translate one formula.

    Raises:
        PluginError: If the translator does not know all of it: it writes an unknown command as it is, such as `\foo`.
    """
    try:
        translated = convert(latex.strip(), display=display)
    except Exception as error:
        raise PluginError(f"{where}: the formula {latex.strip()!r} cannot be read: {error!r}") from error
    unknown = _UNKNOWN.search(translated)
    if unknown:
        raise PluginError(
            f"{where}: the formula {latex.strip()!r} holds {unknown[0][1:-1]!r}, which nothing translates"
        )
    return translated
