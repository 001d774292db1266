"""The site of the documents: it builds without a warning, loads nothing from elsewhere, and its formulas are read."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mkdocs")
ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "docs" / "hooks"))
from formulas import mathml  # noqa: E402
from mkdocs.exceptions import PluginError  # noqa: E402
from navigation import on_config  # noqa: E402
from outside import on_page_markdown  # noqa: E402

LOADED = re.compile(r"<(?:script|img|iframe|source)[^>]* src=[\"']?(\w+:)?//|<link[^>]* href=[\"']?(\w+:)?//|@import")


class Named:
    def __init__(self, **told):
        self.__dict__.update(told)


def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 15
    for page in pages:
        assert not LOADED.search(page.read_text(encoding="utf-8")), page
    for sheet in tmp_path.rglob("*.css"):
        assert not re.search(r"url\([\"']?(\w+:)?//", sheet.read_text(encoding="utf-8")), sheet
    assert (tmp_path / "search" / "search_index.js").stat().st_size > 10_000
    assert (tmp_path / "examples" / "own_data.ipynb").is_file()


def test_a_formula_becomes_mathml():
    found = mathml(r"\frac{a_1}{2}", "block", "page.md")
    assert found.startswith("<math")
    assert "<mfrac>" in found
    assert 'display="block"' in found


def test_a_formula_that_nothing_translates_breaks_the_build():
    with pytest.raises(PluginError, match=r"page\.md: the formula .* holds .*, which nothing translates"):
        mathml(r"x + \nothing", "inline", "page.md")


@pytest.mark.parametrize(
    ("page", "written", "wanted"),
    [
        ("faq.md", "[a](../THIRD_PARTY.md#x)", "[a](project/third-party.md#x)"),
        ("models/index.md", "[a](../../benchmarks/README.md)", "[a](../project/benchmarks.md)"),
        ("project/contributing.md", "[a](docs/security.md)", "[a](../security.md)"),
        ("faq.md", "[a](own-kind.md) [b](https://x.org/LICENSE)", "[a](own-kind.md) [b](https://x.org/LICENSE)"),
    ],
)
def test_links_lead_to_what_lies_outside(page, written, wanted):
    assert on_page_markdown(written, page=Named(file=Named(src_uri=page))) == wanted


def test_the_navigation_holds_what_is_there(tmp_path):
    (tmp_path / "models").mkdir()
    for name in ("index.md", "models/tfn.md", "models/index.md"):
        (tmp_path / name).touch()
    nav = [{"Home": "index.md"}, {"More": ["missing.md", {"Models": "models/"}]}, {"Nothing": ["missing.md"]}]
    filled = on_config(Named(nav=nav, docs_dir=str(tmp_path))).nav
    assert filled == [{"Home": "index.md"}, {"More": [{"Models": ["models/index.md", "models/tfn.md"]}]}]
