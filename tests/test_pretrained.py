"""Models are found by folder, by the name of a package's, or on a hub, for which a small server stands here."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from imlcmm import Predictor, find_pretrained
from imlcmm.cli import main
from imlcmm.errors import ModelError
from imlcmm.models import LF_DNN
from imlcmm.prediction.predictor import STARTER
from imlcmm.untrusted import inside

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """Give the files of one folder as the hub does: a list, then each by its name."""

    folder: Path

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        files = {str(f.relative_to(self.folder)): f.stat().st_size for f in self.folder.rglob("*") if f.is_file()}
        if self.path.startswith("/api/models/me/mine/tree"):
            tree = [{"type": "file", "path": name, "size": size, "oid": name} for name, size in files.items()]
            self.answer(json.dumps(tree).encode())
        elif self.path.startswith("/api/models/me/mine"):
            told = {"id": "me/mine", "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}
            self.answer(json.dumps(told).encode())
        elif self.path.startswith(f"/me/mine/resolve/{COMMIT}/"):
            self.answer((self.folder / self.path.split(COMMIT)[1].lstrip("/").split("?")[0]).read_bytes())
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def answer(self, content):
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def checkpoint(simulated, tmp_path):
    torch.manual_seed(0)
    model = LF_DNN(simulated.spec)
    model.prepare(simulated.train)
    model.save_pretrained(tmp_path / "on-the-hub")
    return tmp_path / "on-the-hub"


@pytest.fixture
def hub(checkpoint, tmp_path):
    """Give the environment of a process that asks a server of ours in place of the hub."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Ours", (Hub,), {"folder": checkpoint}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    yield {**os.environ, "HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "hub"), "HF_HUB_DISABLE_XET": "1"}
    server.shutdown()


def run(words, environment, folder):
    command = [sys.executable, "-m", "imlcmm", *words]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


def test_a_model_comes_from_the_hub_once_and_then_from_its_cache(hub, checkpoint, tmp_path):
    (checkpoint / "code.py").write_text("raise SystemExit")
    (checkpoint / "weights.bin").write_bytes(b"\x80\x04K\x01.")
    first = run(["export", "me/mine", "model.onnx"], hub, tmp_path)
    assert "LF_DNN" in first.stdout, first.stderr
    fetched = {file.name for file in (tmp_path / "hub").rglob("*")}
    assert "model.safetensors" in fetched
    assert not {"code.py", "weights.bin"} & fetched
    offline = {**hub, "HF_HUB_OFFLINE": "1"}
    again = run(["export", "me/mine", "again.onnx"], offline, tmp_path)
    assert "LF_DNN" in again.stdout, again.stderr
    listed = run(["models", "--installed"], offline, tmp_path)
    assert "me/mine" in listed.stdout
    assert "starter" in listed.stdout


def test_what_the_hub_does_not_have_is_told(hub, tmp_path):
    told = run(["export", "me/other", "model.onnx"], hub, tmp_path)
    assert told.returncode == 2
    assert told.stderr == "imlcmm: me/other is no folder, no installed model, and none on the hub that you may read\n"


def test_without_a_network_one_line_says_so(tmp_path):
    away = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hub")}
    told = run(["export", "me/mine", "model.onnx"], away, tmp_path)
    assert told.returncode == 2
    assert "the hub cannot be reached; connect, or copy the model's folder" in told.stderr
    assert told.stderr.count("\n") == 1


def test_a_folder_comes_first_and_a_typing_error_in_one_asks_no_hub(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: pytest.fail("the hub was asked"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    assert find_pretrained("runs/mine") == Path("runs/mine")
    assert find_pretrained("runs/mien") == Path("runs/mien")
    with pytest.raises(ModelError, match="is no checkpoint"):
        Predictor.load("runs/mien")


def test_an_installed_model_loads_by_its_name_and_nothing_of_its_package_runs(tmp_path, monkeypatch):
    package, facts = tmp_path / "somebody", tmp_path / "somebody-1.0.dist-info"
    package.mkdir()
    facts.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    (package / "small").symlink_to(STARTER)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: somebody\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[imlcmm.models]\nsmall = somebody.small\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_pretrained("small") == package / "small"
    assert find_pretrained("starter").samefile(STARTER)
    assert Predictor.load("small").name == "small"


def test_results_do_not_go_into_a_hub_s_cache(tmp_path, monkeypatch, capsys, simulated):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["evaluate", "me/mine", "--data", str(simulated.path)])
    assert "say by --out where the results go" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_links_of_the_hub_s_cache_lead_to_its_own_blobs_alone(tmp_path):
    seed = tmp_path / "models--me--mine" / "snapshots" / COMMIT / "seed-5" / "best"
    blobs = tmp_path / "models--me--mine" / "blobs"
    seed.mkdir(parents=True)
    blobs.mkdir()
    (blobs / "a").write_text("{}")
    (tmp_path / "secret").write_text("{}")
    (seed / "model.json").symlink_to(blobs / "a")
    (seed / "config.json").symlink_to(tmp_path / "secret")
    assert inside(seed, "model.json").is_file()
    with pytest.raises(ValueError, match="leads out of its folder"):
        inside(seed, "config.json")
