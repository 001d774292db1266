"""`imlcmm report`: one page that needs nothing else, shows evaluate's numbers, and trusts no transcript."""

import json
import re
import shutil
from html.parser import HTMLParser

import pandas as pd
import pytest

from imlcmm.cli import main
from imlcmm.datasets.loading import load_dataset
from imlcmm.evaluation.evaluate import evaluate_runs
from imlcmm.evaluation.tables import comparison_table, score_table
from imlcmm.reports.page.report_page import write_report

VILE = '<script>alert("x")</script> & $\\frac$ it\'s'


class Elements(HTMLParser):
    """Collects the elements of a page and the cells of its tables."""

    def __init__(self):
        super().__init__()
        self.elements, self.cells, self.rows, self.open = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def parse(page):
    parser = Elements()
    parser.feed(page)
    return parser


@pytest.fixture(scope="module")
def vile_data(simulated_folder, tmp_path_factory):
    """The simulated data with transcripts that want to be more than text, and named audio features."""
    folder = tmp_path_factory.mktemp("vile") / "<b>data"
    shutil.copytree(simulated_folder, folder)
    names = json.loads((folder / "test.json").read_text())
    names["transcripts"] = [VILE] * len(names["transcripts"])
    (folder / "test.json").write_text(json.dumps(names))
    manifest = json.loads((folder / "dataset.json").read_text())
    manifest["splits"]["test"]["bytes"]["test.json"] = (folder / "test.json").stat().st_size
    columns = [f"<i>mfcc {i} $x_$" for i in range(manifest["widths"]["audio"])]
    manifest["notes"]["extractors"] = {"audio": {"columns": columns, "units": ["dB"] * len(columns), "rate": 10.0}}
    (folder / "dataset.json").write_text(json.dumps(manifest))
    return load_dataset(folder)


@pytest.fixture(scope="module")
def written(imlcmm_run, lf_dnn_run, vile_data, tmp_path_factory, few_resamples):
    path = tmp_path_factory.mktemp("page") / "new" / "report.html"
    report = write_report([imlcmm_run.folder, lf_dnn_run.folder], vile_data, path)
    return path.read_text(encoding="utf-8"), report


@pytest.fixture(scope="module")
def page(written):
    return written[0]


def test_nothing_is_loaded_from_elsewhere(page):
    found = parse(page)
    assert not {tag for tag, _ in found.elements} & {"script", "link", "iframe", "img", "object", "embed", "base"}
    for tag, attributes in found.elements:
        for name, value in attributes.items():
            inside = not re.match(r"\s*(?:[a-z]+:)?//", value or "")
            assert inside, (tag, name, value)
            if name in ("href", "src", "xlink:href"):
                assert value.startswith(("#", "data:image/png")), (tag, value)
    assert "@import" not in page
    assert set(re.findall(r"url\((.)", page)) <= {"#"}
    assert "default-src 'none'" in page


def test_untrusted_text_stays_text(page):
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;" in page
    assert "<i>mfcc" not in page
    assert "&lt;i&gt;mfcc" in page
    assert "<b>data" not in page


def test_ids_are_unique_and_every_reference_is_kept(page):
    elements = parse(page).elements
    ids = [a["id"] for _, a in elements if "id" in a]
    assert len(ids) == len(set(ids))
    wanted = {a["href"][1:] for _, a in elements if a.get("href", "").startswith("#")}
    wanted |= {a["aria-labelledby"] for _, a in elements if "aria-labelledby" in a}
    wanted |= set(re.findall(r"url\(#([^)]+)\)", page))
    assert wanted <= set(ids)


def test_pictures_take_the_page_s_colours_and_are_described(page):
    svgs = [a for tag, a in parse(page).elements if tag == "svg"]
    assert len(svgs) > 20
    assert all(a["role"] == "img" and len(a["aria-label"]) > 5 and "viewbox" in a for a in svgs)
    drawn = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert "currentColor" in drawn
    assert "var(--audio)" in drawn
    assert not re.search(r"(?:fill|stroke): #(?!fff)", drawn)
    assert "font-family" not in drawn


def test_the_scores_are_those_of_evaluate(written, lf_dnn_run, vile_data):
    page, report = written
    again = evaluate_runs([lf_dnn_run.folder], vile_data).evaluations[0]
    pd.testing.assert_frame_equal(again.to_frame(), report.evaluations[1].to_frame())
    table = score_table(pd.concat([e.to_frame() for e in report.evaluations]), report.evaluations[0].reference)
    rows = [tuple(" ".join(cell.split()) for cell in row) for row in parse(page).rows]
    for row in table.astype(str).itertuples(index=False):
        assert tuple(cell.replace("nan", "–") for cell in row) in rows
    for tests in report.comparisons.values():
        for row in comparison_table(tests).itertuples(index=False):
            assert tuple(row) in rows


def test_it_tells_what_it_is_about(page):
    assert "SIMULATED data: no person spoke here" in page
    headings = re.findall(r"<h2[^>]*>([^<]*)</h2>", page)
    assert headings[1:] == [
        "What was trained on what", "Scores", "Paired comparisons", "Learning curves", "Unimodal and mixup losses",
        "Predicted against true", "Confusion of classes", "Calibration", "The worst clips", "What single features do",
        "What text looks at", "To run it again",
    ]  # fmt: skip
    assert "audio (seconds)" in page
    assert "mfcc" in page
    assert len(page) < 2_000_000


@pytest.mark.usefixtures("few_resamples")
def test_a_model_without_kan_and_attention_lacks_their_sections(lf_dnn_run, simulated_folder, capsys):
    main(["report", str(lf_dnn_run.folder), "--data", str(simulated_folder), "--split", "valid"])
    path = lf_dnn_run.folder / "report-valid.html"
    page = path.read_text(encoding="utf-8")
    assert str(path) in capsys.readouterr().out
    for absent in ("comparisons", "terms", "features", "attention"):
        assert f'"{absent}"' not in page
        assert f'"#{absent}"' not in page
    assert '"#scores"' in page
    assert "on 24 clips of the valid split" in page
