"""From a field file without a modality to a page: what the other two say is trained, scored and explained."""

import json
import sys
from pathlib import Path

import pytest

from imlcmm.cli import main
from imlcmm.types import MODALITIES

sys.path.insert(0, str(Path(__file__).parent / "datasets"))
from field_files import field_file, field_split


@pytest.mark.parametrize("absent", ["text", "vision"])
def test_train_evaluate_report_and_explain(tmp_path, absent, capsys):
    content = {name: field_split(name, clips) for name, clips in (("train", 16), ("valid", 8), ("test", 8))}
    for split in content.values():
        for key in (absent, f"{absent}_lengths", *(("text_bert", "raw_text") if absent == "text" else ())):
            split.pop(key, None)
    data, run = tmp_path / "d", tmp_path / "run"
    main(["convert", str(field_file(tmp_path / "d.pkl", content)), str(data), "--kind", "simsv2"])
    words = ["--data", str(data)]
    main(["train", *words, "--model", "Self_MM", "--optimization.epochs", "1", "--folder", str(run)])
    capsys.readouterr()
    main(["evaluate", str(run), *words])
    table = capsys.readouterr().out
    assert "nan" not in table
    heads = {row["head"] for row in json.loads((run / "evaluation-test" / "evaluation.json").read_text())["scores"]}
    assert heads & set(MODALITIES) == set(MODALITIES) - {absent}
    main(["report", str(run), *words])
    main(["explain", str(run), *words, "--clip", content["test"]["id"][0]])
    assert f"missing: {absent}" in capsys.readouterr().out
