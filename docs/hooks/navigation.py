"""Fill the navigation: a folder stands for its pages, and a page that is not there yet is left out.

No page can be forgotten so, nor a mistyped name stay: MkDocs warns of pages that the navigation lacks, and a warning
breaks the build.
"""

from pathlib import Path
from typing import Any


def on_config(config: Any, **_: Any) -> Any:
    """Replace what mkdocs.yml says of the navigation by what is there."""
    config.nav = _present(config.nav, Path(config.docs_dir))
    return config


def _present(entries: list[Any], docs: Path) -> list[Any]:
    found = []
    for entry in entries:
        ((title, target),) = entry.items() if isinstance(entry, dict) else [(None, entry)]
        if isinstance(target, list):
            filled: Any = _present(target, docs)
        elif target.endswith("/"):
            pages = sorted((docs / target).glob("*.md"), key=lambda page: (page.name != "index.md", page.name))
            filled = [page.relative_to(docs).as_posix() for page in pages]
        else:
            outside = target.startswith(("project/", "examples/"))
            filled = target if outside or (docs / target).is_file() else None
        if filled:
            found.append({title: filled} if title else filled)
    return found
