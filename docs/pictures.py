"""Draw the pictures of docs/workbench.md: fill a workbench with made-up interviews, label, train, and photograph it.

python docs/pictures.py    # needs Chromium, and takes some minutes
"""

import shutil
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from playwright.sync_api import sync_playwright
from skimage.data import astronaut

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from workbench import serving

from imlcmm.serve.client import Client

HERE = Path(__file__).parent
# Words, and what the words, the voice and the face say.
SAID = [
    ("Thank you for coming, it is so good to see you.", 0.8, 0.8, 0.8),
    ("We begin at three and end at five.", 0.0, 0.0, 0.4),
    ("Last year was terrible for all of us.", -0.8, -0.8, -0.4),
    ("I lost the job that I loved.", -0.8, -0.8, -0.8),
    ("Then my sister called.", 0.0, 0.0, 0.0),
    ("She was wonderful, she helped me so much.", 0.8, 0.8, 0.8),
    ("We opened a small shop in May.", 0.4, 0.0, 0.4),
    ("The first weeks were hard and nobody came.", -0.4, -0.4, -0.4),
    ("Oh great, another rainy day without customers.", 0.8, -0.8, -0.4),
    ("I was afraid, honestly.", -0.4, -0.8, 0.0),
    ("Now it is the best thing I ever did.", 0.8, 0.8, 0.8),
    ("People are kind and they come back.", 0.8, 0.4, 0.4),
    ("The street is loud.", -0.4, 0.0, 0.0),
    ("I would not change anything, I am happy.", 0.8, 0.8, 0.8),
    ("Goodbye, and thanks again.", 0.4, 0.4, 0.4),
]
LENGTH, RATE = 2.4, 16_000
INTERVIEWS = 13


def main() -> None:
    """Make everything in a folder of its own, and write the pictures beside this file."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "bench", "--frame_rate", "5") as (url, _):
        with Client(url, timeout=120.0) as client:
            for number in range(INTERVIEWS):
                path = interview(Path(folder) / f"interview {number + 1:02}.mp4", number)
                add(client, path, "Shop owners" if number % 2 else "Regulars")
            train(client)
        photograph(url)


def interview(path: Path, number: int) -> Path:
    """Write a video whose sound rises and falls with the voice's label, over a portrait that moves a little."""
    draw = np.random.default_rng(number)
    mood = np.exp([(1.5 if number % 2 else 0.2) * labels[0] for _, *labels in SAID])
    order = draw.choice(len(SAID), 13, replace=False, p=mood / mood.sum()) if number else range(len(SAID))
    said = [SAID[i] for i in order]
    samples = np.concatenate([voice(one[2], draw) for one in said])
    face = astronaut()[::2, ::2]
    with av.open(str(path), "w") as out:
        pictures = out.add_stream("libx264", rate=5)
        pictures.height, pictures.width, pictures.pix_fmt = 256, 256, "yuv420p"
        sound = out.add_stream("aac", rate=RATE, layout="mono")
        for i in range(round(len(samples) / RATE * 5)):
            frame = av.VideoFrame.from_ndarray(np.roll(face, int(4 * np.sin(i / 3)), axis=1).copy(), format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 5)
            out.mux(pictures.encode(frame))
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        out.mux(sound.encode(frame))
        out.mux(pictures.encode(None))
        out.mux(sound.encode(None))
    clock = [f"00:00:{LENGTH * i:06.3f}".replace(".", ",") for i in range(len(said) + 1)]
    cues = [f"{i + 1}\n{clock[i]} --> {clock[i + 1]}\n{one[0]}\n" for i, one in enumerate(said)]
    path.with_suffix(".srt").write_text("\n".join(cues))
    return path


def voice(label: float, draw: np.random.Generator) -> np.ndarray:
    """Hum in syllables, higher and louder the better the mood."""
    moments = np.arange(int(RATE * LENGTH)) / RATE
    pitch = 150 + 60 * label + 8 * draw.normal() + 12 * np.sin(5 * moments)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    hum = sum(np.sin(k * phase) / k for k in range(1, 8))
    swell = np.clip(np.sin(2 * np.pi * 2.2 * moments), 0, 1) * (moments < LENGTH - 0.4)
    return ((0.12 + 0.06 * label) * hum * swell + 0.002 * draw.normal(size=moments.size)).astype(np.float32)


def add(client: Client, path: Path, collection: str) -> None:
    """Upload an interview with its subtitles, and label it."""
    number = client.upload(path, collection=collection)
    client.wait(number)
    client.call(
        f"/recordings/{number}/transcript",
        "PUT",
        params={"name": "x.srt"},
        content=path.with_suffix(".srt").read_bytes(),
    )
    known = {words: labels for words, *labels in SAID}
    for utterance in client.wait(number)["utterance_list"]:
        text, audio, vision = known[utterance["transcript"]]
        whole = round((0.35 * text + 0.4 * audio + 0.25 * vision) / 0.2) * 0.2
        labels = {"multimodal": whole, "text": text, "audio": audio, "vision": vision}
        client.call(f"/utterances/{utterance['id']}/labels", "PUT", json={"rater": "Ann", "labels": labels})
        if number <= 2:
            second = {
                name: max(-1.0, value - 0.2) if utterance["id"] % 3 == 0 else value for name, value in labels.items()
            }
            client.call(f"/utterances/{utterance['id']}/labels", "PUT", json={"rater": "Ben", "labels": second})


def train(client: Client) -> None:
    """Train two models on the labels, and let the second score the library."""
    finish(client, client.call("/datasets", "POST", json={"name": "interviews", "source": "labels"})["id"])
    for name, model in (("LF_DNN", "LF_DNN"), ("MLF_DNN", "MLF_DNN")):
        run = {"name": name, "data": "interviews", "model": model, "seeds": 2, "epochs": 12}
        finish(client, client.call("/runs", "POST", json=run)["job"])
    finish(client, client.call("/model", "PUT", json={"run": "MLF_DNN"})["id"])
    for each in client.call("/recordings", params={"limit": 200})["recordings"]:
        client.wait(each["id"])


def finish(client: Client, job: int) -> None:
    """Wait until a job is done."""
    import time

    while (found := client.call(f"/jobs/{job}"))["state"] in ("waiting", "running"):
        time.sleep(0.3)
    if found["state"] != "done":
        raise SystemExit(f"job {job}: {found['message']}")


def photograph(url: str) -> None:
    """Draw the pages."""
    sizes = {"desk": {"width": 1280, "height": 1080}, "phone": {"width": 390, "height": 844}}
    wanted = [
        ("library", "/", "desk", "light"), ("recording", "/recordings/1", "desk", "light"),
        ("recording", "/recordings/1", "desk", "dark"), ("train", "/train", "desk", "light"),
        ("compare", "/compare", "desk", "light"), ("label", "/label", "desk", "light"),
        ("library", "/", "phone", "dark"), ("recording", "/recordings/1", "phone", "light"),
    ]  # fmt: skip
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, path, size, scheme in wanted:
            page = browser.new_context(viewport=sizes[size], color_scheme=scheme).new_page()
            page.goto(url + path)
            page.wait_for_timeout(1500)
            if name == "recording":
                page.locator("#timeline").focus()
                for _ in range(8):
                    page.keyboard.press("ArrowRight")
            if name == "label":
                page.get_by_label("Your name").fill("Cem")
                page.get_by_role("button", name="Begin").click()
                page.wait_for_timeout(3500)
                page.keyboard.press("4")
            page.evaluate("scrollTo(0, 0)")
            page.wait_for_timeout(500)
            page.screenshot(path=HERE / f"workbench-{name}-{size}-{scheme}.png")
            page.context.close()
        browser.close()


if __name__ == "__main__":
    main()
