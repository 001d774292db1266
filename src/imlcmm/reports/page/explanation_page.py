"""A page about one clip, and its pictures as files."""

from pathlib import Path
from typing import Any

from imlcmm.files import file_name, write_figure, write_text
from imlcmm.reports.explanations.attention_map import COMPOSITION
from imlcmm.reports.explanations.explanation import Explainer, Explanation
from imlcmm.reports.explanations.explanation_table import opinion_rows
from imlcmm.reports.page.clip_pictures import (
    curve_pictures,
    feature_pictures,
    map_pictures,
    opinion_pictures,
    pooling_pictures,
)
from imlcmm.reports.page.render import inlay, render
from imlcmm.reports.page.svg import house_style

HEADINGS = {
    "said": "The clip and its predictions",
    "pooling": "What each head looked at",
    "attention": "What text looked at",
    "features": "What single features added",
    "curves": "The strongest features of the model",
}


def write_explanation(explainer: Explainer, explanation: Explanation, out: Path) -> None:
    """Write the page alone (a path ending in .html), or a folder with the page and a PNG of each picture."""
    pictures = {
        "heads": list(opinion_pictures(explanation)),
        "pooling": list(pooling_pictures(explanation)),
        "maps": list(map_pictures(explanation)),
        "features": list(feature_pictures(explanation)),
        "curves": list(curve_pictures(explainer.curves)),
    }
    alone = out.suffix == ".html"
    path = out if alone else out / "explanation.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    # Before the files: a figure that was laid out once for another resolution is not drawn quite the same again.
    write_text(path, explanation_page(explanation, {name: inlay(group) for name, group in pictures.items()}))
    if not alone:
        for picture in (p for group in pictures.values() for p in group):
            with house_style():
                write_figure(out / f"{file_name(explanation.clip)}-{picture.name}.png", picture.figure)


def explanation_page(explanation: Explanation, pictures: dict[str, Any]) -> str:
    """Fill the page."""
    shown = {"said": True, "pooling": pictures["pooling"], "attention": pictures["maps"]}
    shown |= {"features": pictures["features"], "curves": pictures["features"]}
    values = {
        "title": f"{explanation.run} on {explanation.clip}" + (" (SIMULATED)" if explanation.simulated else ""),
        "lead": "What the model says of one clip, and what it looked at.",
        "simulated": explanation.simulated,
        "contents": [(name, heading) for name, heading in HEADINGS.items() if shown[name]],
        "explanation": explanation,
        "opinions": opinion_rows(explanation),
        "composition": COMPOSITION,
        **pictures,
    }
    return render("explanation.html.jinja", values)
