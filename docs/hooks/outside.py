"""Let files that lie outside of docs/ join the site, and point links between them and the pages to the right place."""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

OUTSIDE = {
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "THIRD_PARTY.md": "project/third-party.md",
    "LICENSE": "project/LICENSE",
    "CITATION.cff": "project/CITATION.cff",
    "Containerfile": "project/Containerfile",
    "compose.yaml": "project/compose.yaml",
    "benchmarks/README.md": "project/benchmarks.md",
    "examples/own_data.ipynb": "examples/own_data.ipynb",
    "examples/own_videos.ipynb": "examples/own_videos.ipynb",
}
_HOMES = {uri: name for name, uri in OUTSIDE.items()}
_LINK = re.compile(r"(\]\()(?!\w+:|#|/)([^)\s#]+)")


def on_files(files: Files, *, config: Any, **_: Any) -> Files:
    """Add the files that are there."""
    root = Path(config.config_file_path).parent
    for name, uri in OUTSIDE.items():
        if (root / name).is_file():
            files.append(File.generated(config, uri, abs_src_path=str(root / name)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Rewrite the links of a page, which hold for the repository, to what holds for the site."""
    here = page.file.src_uri
    home = posixpath.dirname(_HOMES.get(here, f"docs/{here}"))

    def moved(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(home, match[2]))
        uri = OUTSIDE.get(target, target.removeprefix("docs/") if target.startswith("docs/") else None)
        return match[0] if uri is None else match[1] + posixpath.relpath(uri, posixpath.dirname(here) or ".")

    return _LINK.sub(moved, markdown)
