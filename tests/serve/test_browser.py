"""The pages as people use them: a real browser, a real server, at a desk and on a phone, by day and by night."""

import re
import shutil
import subprocess
import sys
import wave
from contextlib import contextmanager

import numpy as np
import pytest

from clips import Picture, Sound, make_clip

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
astronaut = pytest.importorskip("skimage.data").astronaut

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no browser is installed; make test-browser installs one")

WORK = 120_000
SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
SENTENCES = [
    "Thank you for coming, it is so good to see you.", "We begin at three and end at five.",
    "Last year was terrible for all of us.", "I lost the job that I loved.", "Then my sister called.",
    "She was wonderful, she helped me so much.", "We opened a small shop in May.",
    "The first weeks were hard and nobody came.", "I was afraid, honestly.", "Now it is the best thing I ever did.",
    "People are kind and they come back.", "The street is loud.", "I would not change anything, I am happy.",
    "Goodbye, and thanks again.",
]  # fmt: skip
KEYS = [5, 3, 1, 1, 3, 5, 4, 2, 2, 5, 5, 3, 5, 4]
EVIL = "<img src=x onerror=document.title='hacked'>"


def voice(seconds, seed):
    draw = np.random.default_rng(seed)
    moments = np.arange(int(16_000 * seconds)) / 16_000
    swell = np.sin(8 * np.pi * moments) ** 2 * (0.5 + 0.5 * np.sin(moments / 3) ** 2)
    return (0.2 * draw.normal(size=moments.size) * swell).astype(np.float32)


def subtitles(lines):
    times = ((f"00:00:{2 * i:02},000", f"00:00:{2 * i + 1:02},800") for i in range(len(lines)))
    return "".join(
        f"{i}\n{a} --> {b}\n{line}\n\n" for i, ((a, b), line) in enumerate(zip(times, lines, strict=True), 1)
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An interview with its subtitles, and a call, in folders as somebody would drop them."""
    folder = tmp_path_factory.mktemp("files") / "Interviews"
    folder.mkdir()
    face = astronaut()[::2, ::2]
    pictures = np.stack([np.roll(face, int(6 * np.sin(i)), axis=1) for i in range(len(SENTENCES) * 8)])
    make_clip(folder / "shop owner.mp4", Picture(pictures, rate=4), Sound(voice(2 * len(SENTENCES), 1)))
    (folder / "shop owner.srt").write_text(subtitles(SENTENCES))
    calls = folder.with_name("Calls")
    calls.mkdir()
    samples = (voice(8, 2) * 32767).astype("<i2")
    with wave.open(str(calls / "call.wav"), "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
        out.writeframes(samples.tobytes())
    said = ["The delivery never came.", EVIL, "Nobody answered my mails.", "That is bad service."]
    (calls / "call.srt").write_text(subtitles(said))
    return folder.parent


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    workspace = tmp_path_factory.mktemp("served") / "bench"
    words = ["-m", "imlcmm", "serve", "--workspace", str(workspace), "--port", "0", "--no-open", "--frame_rate", "5"]
    server = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True)
    yield server.stdout.readline().split()[0].rstrip("/")
    server.terminate()
    assert server.wait(20) == 0


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def looked_at(browser, size="desk", scheme="light"):
    """Open a page, on which nothing may go wrong unseen and from which nothing may be asked elsewhere."""
    context = browser.new_context(viewport=SIZES[size], color_scheme=scheme, has_touch=size == "phone")
    context.set_default_timeout(60_000)
    page, wrong, asked = context.new_page(), [], []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("request", lambda request: asked.append(request.url))
    yield page
    assert page.title() != "hacked"
    context.close()
    assert not wrong
    assert all(one.startswith(("http://127.0.0.1:", "blob:", "data:")) for one in asked)


def files_arrive_with_progress_and_subtitles(page, folder):
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
    page.locator("#folder").set_input_files(str(folder / "Interviews"))
    expect(page.locator("#rows tr")).to_have_count(1)
    page.locator("#files").set_input_files([folder / "Calls" / "call.wav", folder / "Calls" / "call.srt"])
    expect(page.locator("#rows tr")).to_have_count(2)
    for count in (len(SENTENCES), 4):
        status = re.compile(f"^scored{count} utterances")
        expect(page.locator("#rows td", has_text=status)).to_have_count(1, timeout=WORK)
    page.locator("#files").set_input_files([folder / "Calls" / "call.wav"])
    expect(page.locator("#uploads")).to_contain_text("was here already")


def words_are_found_in_transcripts(page):
    page.get_by_label("Search").fill("sister called")
    expect(page.locator("#rows tr")).to_have_count(1)
    page.get_by_label("Search").fill("")
    expect(page.locator("#rows tr")).to_have_count(2)


def a_moment_of_the_timeline_is_one_of_the_player(page):
    page.get_by_role("link", name="shop owner.mp4").click()
    expect(page.locator("#transcript li")).to_have_count(len(SENTENCES))
    box = page.locator("#timeline").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.6, box["y"] + 60)
    second = page.evaluate("document.querySelector('video').currentTime")
    assert 10 < second < 20
    expect(page.locator("#transcript li[aria-current]")).to_have_count(1)
    expect(page.locator("#now blockquote")).to_have_text(SENTENCES[int(second // 2)])
    page.locator("#timeline").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#now blockquote")).to_have_text(SENTENCES[1])


def a_corrected_utterance_is_scored_again_alone(page):
    lines = page.locator("#transcript li")
    before = lines.locator(".badge").all_inner_texts()
    lines.nth(1).get_by_role("button", name=re.compile("correct")).click()
    lines.nth(1).get_by_label("Words").fill("This is awful, I hate it.")
    lines.nth(1).get_by_label("Speaker").fill("Host")
    lines.nth(1).get_by_role("button", name="Keep and score again").click()
    expect(lines.nth(1)).to_contain_text("Host: This is awful")
    expect(lines.nth(1).locator(".badge")).to_have_text(re.compile("−"), timeout=WORK)
    after = lines.locator(".badge").all_inner_texts()
    assert before[:1] + before[2:] == after[:1] + after[2:]


def results_leave_as_files(page, folder):
    for name, ending in (("CSV", "csv"), ("ELAN", "eaf"), ("picture", "png")):
        with page.expect_download() as found:
            page.get_by_role("link", name=name, exact=True).click()
        found.value.save_as(folder / f"x.{ending}")
        assert (folder / f"x.{ending}").stat().st_size > 500
    assert "This is awful" in (folder / "x.csv").read_text()


def utterances_are_labelled_by_keys_and_raters_compared(page):
    for rater, count in (("Ann", len(SENTENCES)), ("Ben", 6)):
        page.get_by_label("Your name").fill(rater)
        page.get_by_label("Next").select_option("time")
        page.get_by_role("button", name="Begin").click()
        for i in range(count):
            expect(page.locator("#progress")).to_contain_text(f"{i} labelled")
            page.locator("#question").click()
            page.keyboard.press(str(KEYS[i] if rater == "Ann" else max(1, KEYS[i] - (i % 3 == 0))))
            page.keyboard.press("Enter")
        expect(page.locator("#progress")).to_contain_text(f"{count} labelled")
    row = page.locator("#agreement tbody tr", has_text="all together")
    expect(row).to_contain_text(re.compile(r"14\s*2\s*6\s*0\.\d\d"))


def labels_become_a_data_set(page):
    page.locator("#make").get_by_label("Name").fill("own")
    page.get_by_role("button", name="Make the data set").click()
    expect(page.locator("#made")).to_contain_text("own is made: 14 clips", timeout=WORK)


def a_run_is_trained_compared_and_scores_the_library(page):
    expect(page.locator("#datasets tbody tr")).to_contain_text("own")
    page.get_by_label("Model").select_option("LF_DNN")
    page.get_by_label("Epochs").fill("6")
    page.get_by_role("button", name="Train", exact=True).click()
    run = page.locator("#runs tbody tr", has_text="LF_DNN")
    expect(run).to_contain_text("finished", timeout=WORK)
    expect(page.locator("#curves svg")).to_have_count(2)
    page.get_by_role("button", name="Compare on validation").click()
    expect(page.locator("#comparison table").first).to_contain_text("MAE", timeout=WORK)
    run.get_by_role("button", name="Use for the library").click()
    expect(run).to_contain_text("scores the library", timeout=WORK)


def two_recordings_stand_side_by_side(page):
    expect(page.locator("#contrast .chart svg")).to_have_count(2)
    expect(page.locator("#contrast")).to_contain_text("chance")


def test_the_whole_way_in_a_browser(browser, url, folder, tmp_path):
    """One way, since each station looks at what the one before made."""
    with looked_at(browser) as page:
        page.goto(url)
        files_arrive_with_progress_and_subtitles(page, folder)
        words_are_found_in_transcripts(page)
        a_moment_of_the_timeline_is_one_of_the_player(page)
        a_corrected_utterance_is_scored_again_alone(page)
        results_leave_as_files(page, tmp_path)
        page.goto(f"{url}/label")
        utterances_are_labelled_by_keys_and_raters_compared(page)
        labels_become_a_data_set(page)
        page.goto(f"{url}/train")
        a_run_is_trained_compared_and_scores_the_library(page)
        page.goto(f"{url}/recordings/1")
        expect(page.locator("#facts")).to_contain_text("scored by LF_DNN · scored", timeout=WORK)
        page.goto(f"{url}/compare")
        two_recordings_stand_side_by_side(page)
    for size in SIZES:
        for scheme in ("light", "dark"):
            check_pages(browser, url, size, scheme)


def check_pages(browser, url, size, scheme):
    """Look at each page: nothing sticks out or jumps while it loads, and axe finds nothing serious."""
    places = {
        "library": "/",
        "recording": "/recordings/1",
        "label": "/label",
        "train": "/train",
        "compare": "/compare",
        "api": "/api",
    }
    with looked_at(browser, size, scheme) as page:
        for name, path in places.items():
            page.add_init_script(
                "window.shifts = 0; new PerformanceObserver((list) => list.getEntries().forEach((one) => "
                "{ if (!one.hadRecentInput) window.shifts += one.value; }))"
                ".observe({ type: 'layout-shift', buffered: true });"
            )
            page.goto(url + path, wait_until="networkidle" if name == "api" else "load")
            page.wait_for_timeout(800)
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"{name} is {wide} pixels too wide"
            found = axe.Axe().run(page).response["violations"]
            serious = [
                f"{name}: {one['id']} {one['nodes'][0]['html'][:120]}"
                for one in found
                if one["impact"] in ("serious", "critical")
            ]
            assert not serious, serious
            assert page.evaluate("window.shifts") < 0.1, f"{name} jumps by {page.evaluate('window.shifts'):.2f}"
