"""From templates and values to a page."""

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from imlcmm.reports.page.clip_pictures import Picture
from imlcmm.reports.page.svg import inline


class Inlaid(NamedTuple):
    """A picture as it stands in a page."""

    svg: Markup
    caption: str


def render(template: str, values: Mapping[str, Any]) -> str:
    """Fill a template; everything that is not markup of ours is escaped, such as transcripts."""
    environment = Environment(
        loader=PackageLoader("imlcmm", "reports/page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    source, _, _ = PackageLoader("imlcmm", "reports/page").get_source(environment, "style.css")
    page = environment.get_template(template)
    return page.render(values, style=Markup(source), version=version("imlcmm")).lstrip()


def inlay(pictures: Iterable[Picture], about: str = "") -> list[Inlaid]:
    """Put pictures into a page; `about` says of what they are, for those who do not see them."""
    return [Inlaid(inline(p.figure, f"{about} {p.caption}".strip()), p.caption) for p in pictures]
