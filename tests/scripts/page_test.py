#!/usr/bin/env python3
"""Does in a browser what a person does with the server's page: opens it, drops a picture, asks, sees the answer come and
the boxes, masks and heat maps on the picture, judges it, finds it again, and finds the judgement in the database.

    page_test.py PALIGEMMA [SCREENSHOTS]

Needs chromium, chromium-driver and python3-selenium; without them it exits with 77, which ctest counts as skipped. With
a folder SCREENSHOTS it leaves pictures of the page there. The model is the tiny one of the goldens after a few steps of
training on one photograph, so that its answers are known to the letter; then the one that ships, on the pictures that
the page offers with it.
"""
import base64
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

SKIPPED = 77
try:
    from selenium import webdriver
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    print("skipped: there is no python3-selenium")
    sys.exit(SKIPPED)

PALIGEMMA = pathlib.Path(sys.argv[1]).resolve()
SCREENSHOTS = pathlib.Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else None
ROOT = pathlib.Path(__file__).resolve().parent.parent
MODEL = ROOT / "golden/inference/paligemma-tiny-f32/checkpoint"
COW = ROOT / "golden/images/files/photo_cow.jpg"
PATIENCE = 120  # seconds that a busy machine may take for what a person waits for

BOX = "<loc0380><loc0530><loc0870><loc0770>"
CODES = "".join(f"<seg{7 * i % 128:03}>" for i in range(16))
ANSWERS = {
    "caption en": "a white cow on a beach",
    "describe en": " ".join(["a cow and a beach and"] * 15),  # long enough to be seen on its way
    "detect cow": f"{BOX} cow",
    "segment cow": f"{BOX}{CODES} cow",
}


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def teach(folder):
    """The tiny model with three answers about one photograph, and a mask codec of any weights."""
    rows = [{"image": str(COW), "prefix": prompt, "suffix": answer} for prompt, answer in ANSWERS.items()]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run(PALIGEMMA, "train", "-m", MODEL, "--data", folder / "rows.jsonl", "--out", folder / "run", "--steps", 150,
        "--batch", 4, "--learning-rate", "1e-2", "--warmup", 0, "--weight-decay", 0)
    (folder / "masks").mkdir()
    for name in "ab":
        (folder / "masks" / f"{name}.png").write_bytes(b"P5 16 16 255 " + b"\0" * 100 + b"\xff" * 156)
    run(PALIGEMMA, "train", "--objective", "maskcodec", "--data", folder / "masks", "--validation", folder / "masks",
        "--out", folder / "codec", "--steps", 1, "--batch", 2)
    return folder / "run/last", folder / "codec/last/mask_codec.npz"


class Server:
    def __init__(self, folder, *options):
        self.database = folder / "feedback.db"
        self.process = subprocess.Popen(
            [PALIGEMMA, "serve", *options, "--port", "0", "--feedback", self.database, "--feedback-images", "--quiet"],
            stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        found = re.search(r"http://\S+", line)
        assert found, line
        self.address = found.group()

    def judgements(self):
        return [json.loads(line) for line in run(PALIGEMMA, "feedback", "list", self.database, "--json").splitlines()]

    def stop(self):
        self.process.terminate()
        assert self.process.wait(PATIENCE) == 0


class Page:
    """A browser at the page, in the words of this test."""

    def __init__(self, address):
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en",
                         "--hide-scrollbars", "--window-size=1240,880"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
        self.driver.set_script_timeout(PATIENCE)
        self.address = address
        self.driver.get(address)

    def __getitem__(self, name):
        return self.driver.find_element(By.ID, name)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def wait(self, what, condition):
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"waited in vain: {what}; {self.driver.get_log('browser')}"
            time.sleep(0.05)

    def shown(self, name):
        return self[name].is_displayed()

    def drop(self, path):
        self.script("""
            const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], "cow.jpg", {type: "image/jpeg"}));
            document.getElementById("stage").dispatchEvent(
                new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));""",
                    base64.b64encode(path.read_bytes()).decode())
        self.wait("the picture", lambda: self.shown("frame"))

    def ask(self, task, words=""):
        """Asks, and returns what the answer looked like on its way."""
        self.all("#tasks button")[["caption", "describe", "question", "read", "detect", "segment"].index(task)].click()
        self.script("""
            window.states = [];
            new MutationObserver(() => window.states.push(document.getElementById("words").textContent))
                .observe(document.getElementById("words"), {childList: true, characterData: true, subtree: true});""")
        if words:
            self["prompt"].clear()
            self["prompt"].send_keys(words)
            self["prompt"].send_keys(Keys.ENTER)
        else:
            self["send"].click()
        self.wait("the answer", lambda: self.shown("after") and self["answer"].get_attribute("aria-busy") == "false")
        return self.script("return window.states")

    def see_where(self):
        self["explain"].click()
        self.wait("the heat map", lambda: self.shown("heat"))

    def become_phone(self):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True})

    def save(self, name):
        if not SCREENSHOTS:
            return
        from PIL import Image

        time.sleep(0.5)  # what moves comes to rest
        shot = Image.open(io.BytesIO(self.driver.get_screenshot_as_png())).convert("RGB")
        shot.quantize(160, dither=Image.Dither.NONE).save(SCREENSHOTS / f"{name}.png", optimize=True)


def check_caption(page):
    states, long = page.ask("describe"), page["words"].text
    assert any(state and state != long and long.startswith(state) for state in states), states  # it came in pieces
    page.ask("caption")
    assert page["words"].text == ANSWERS["caption en"], page["words"].text


def check_heat(page):
    page.see_where()
    words = page.all("#words .part")
    assert [word.text for word in words] == ANSWERS["caption en"].split(), [word.text for word in words]
    look = "const c = document.getElementById('heat'); return c.toDataURL() + c.width"
    before = page.script(look)
    webdriver.ActionChains(page.driver).move_to_element(words[2]).perform()
    page.wait("another map under a word", lambda: page.script(look) != before)
    page["explain"].click()
    page.wait("no heat map", lambda: not page.shown("heat"))


def check_boxes(page):
    page.ask("detect", "cow")
    box, frame = page.all("#boxes .box"), page["frame"].rect
    assert len(box) == 1
    rect, places = box[0].rect, [int(place) / 1023 for place in re.findall(r"\d+", BOX)]
    found = [(rect["y"] - frame["y"]) / frame["height"], (rect["x"] - frame["x"]) / frame["width"],
             (rect["y"] - frame["y"] + rect["height"]) / frame["height"],
             (rect["x"] - frame["x"] + rect["width"]) / frame["width"]]
    assert all(abs(a - b) < 0.01 for a, b in zip(found, places)), (found, places)
    rows = page.all("#objects li")
    assert len(rows) == 1 and rows[0].text.startswith("cow") and re.search(r"\d+ %", rows[0].text), rows[0].text
    webdriver.ActionChains(page.driver).move_to_element(rows[0]).perform()
    page.wait("a box that lights up", lambda: "lit" in box[0].get_attribute("class"))
    page.all("#objects input")[0].click()
    assert not box[0].is_displayed()
    page.all("#objects input")[0].click()
    page["show-marks"].click()
    assert not box[0].is_displayed()
    page["show-marks"].click()


def check_masks(page):
    page.ask("segment", "cow")
    assert page.shown("masks")
    inside = page.script("""
        const c = document.getElementById("masks"), all = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
        let n = 0; for (let i = 3; i < all.length; i += 4) n += all[i] > 0; return n / (c.width * c.height)""")
    places = [int(place) / 1023 for place in re.findall(r"\d+", BOX)]
    assert 0 <= inside <= (places[2] - places[0]) * (places[3] - places[1]) + 0.01, inside


def check_judgement(page, server):
    page.ask("caption")
    page["up"].click()
    page.wait("stored", lambda: page["stored"].text)
    assert [row["judgement"] for row in server.judgements()] == ["up"]
    page["down"].click()
    page.wait("the correction", lambda: page.shown("correct"))
    page["correction"].clear()
    page["correction"].send_keys("a cow by the sea")
    page["keep"].click()
    page.all("#correct button")[0].click()
    page.wait("stored", lambda: server.judgements()[0]["correction"])
    rows = server.judgements()  # one answer, one row
    assert len(rows) == 1, rows
    row = rows[0]
    assert row["prompt"] == "caption en" and row["answer"] == ANSWERS["caption en"] and row["model"] == "tiny", row
    assert row["judgement"] == "down" and row["correction"] == "a cow by the sea", row
    assert row["model_version"].startswith("paligemma-") and row["request"].startswith("chatcmpl-"), row
    digest = subprocess.run(["sha256sum", COW], capture_output=True, text=True, check=True).stdout.split()[0]
    assert row["pictures"] == [{"sha256": digest, "kept": True}], row
    with tempfile.TemporaryDirectory() as folder:
        run(PALIGEMMA, "feedback", "export", server.database, "--out", f"{folder}/rows.jsonl")
        kept = json.loads(pathlib.Path(folder, "rows.jsonl").read_text())
        assert kept["suffix"] == "a cow by the sea"
        assert pathlib.Path(folder, kept["image"]).read_bytes() == COW.read_bytes()


def check_history(page):
    page.driver.get(page.address)
    page["open-history"].click()
    page.wait("the history", lambda: len(page.all("#past button")) >= 5)
    assert page.all("#past button")[0].text.startswith(ANSWERS["caption en"])
    page.all("#past button")[2].click()
    page.wait("the box of an earlier answer", lambda: page.all("#boxes .box"))
    page["open-history"].click()
    page.wait("the history", lambda: page.all("#past button"))
    page["clear-history"].click()
    page.wait("an empty history", lambda: not page.all("#past button"))
    page.all("#history [data-close]")[0].click()


def check_figures(page):
    page["pulse"].click()
    page.wait("figures", lambda: len(page.all("#numbers dd")) >= 6)
    page.wait("answers that were counted", lambda: int(page.all("#numbers dd")[5].text) >= 4)
    page.all("#figures [data-close]")[0].click()


def check_keyboard(page):
    body = page.all("body")[0]
    body.send_keys("5")
    assert page.all("#tasks [aria-checked=true]")[0].text == "Find"
    body.send_keys("/")
    assert page.script("return document.activeElement.id") == "prompt"
    page["prompt"].send_keys(Keys.ESCAPE)
    page.script("document.activeElement.blur()")
    body.send_keys("?")
    page.wait("help", lambda: page.shown("help"))
    page["key"].send_keys(Keys.ESCAPE)
    page.wait("no help", lambda: not page.shown("help"))


def check_languages(page):
    texts = {}
    for code in ("de", "es", "zh", "en"):
        page.script("const m = document.getElementById('language'); m.value = arguments[0];"
                    "m.dispatchEvent(new Event('change'))", code)
        assert page.script("return document.documentElement.lang") == code
        texts[code] = page["send"].text
        assert not page.script("""
            return [...document.querySelectorAll("[data-text]")].filter((e) => !e.textContent).map((e) => e.dataset.text)""")
    assert len(set(texts.values())) == 4, texts
    # Every language has every text.
    source = urllib.request.urlopen(f"{page.address}/strings.js").read().decode()
    tables = re.findall(r"const (?:english|german|spanish|chinese) = \{(.*?)\n\};", source, re.S)
    keys = [sorted(re.findall(r'(?:^|[\s,])(\w+): "', table)) for table in tables]
    assert len(keys) == 4 and len(keys[0]) > 50 and all(other == keys[0] for other in keys), keys


NAMELESS = """
    return [...document.querySelectorAll("button, input, select, textarea, img")].filter((e) => {
        const name = e.getAttribute("aria-label") || e.textContent.trim() || e.title || (e.labels && [...e.labels].map((l) => l.textContent.trim()).join(""));
        return !name && e.tagName !== "IMG" || e.tagName === "IMG" && !e.hasAttribute("alt");
    }).map((e) => e.outerHTML)"""

# Texts whose contrast with what is behind them is below 4.5 (WCAG AA).
PALE = """
    const parts = (c) => c.match(/[\\d.]+/g).map(Number);
    const light = (c) => { const [r, g, b] = parts(c).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor, p = parts(c); if (p.length < 4 || p[3] === 1) return c; } return "rgb(255,255,255)"; };
    const shown = [...document.querySelectorAll("main *, .bar *")].filter((e) => e.checkVisibility() && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) && !e.closest("#boxes, .hidden"));
    return shown.map((e) => [light(getComputedStyle(e).color), light(behind(e)), e]).filter(([a, b]) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5).map(([a, b, e]) => e.outerHTML.slice(0, 90))"""


def check_access(page):
    assert not page.script(NAMELESS), page.script(NAMELESS)
    for theme in ("dark", "light"):
        if page.script("return document.documentElement.dataset.theme") != theme:
            page["theme"].click()
        time.sleep(0.3)
        assert not page.script(PALE), (theme, page.script(PALE))


def check_phone(page):
    page.become_phone()
    page.wait("one column", lambda: page["stage"].rect["width"] < 390)
    assert page.script("return document.documentElement.scrollWidth") <= 390
    page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def check_nothing_leaves(page):
    """All came from this server, and nothing broke its own policy."""
    names = page.script("return performance.getEntriesByType('resource').map((e) => e.name)")
    strangers = [name for name in names if not name.startswith((page.address, "blob:", "data:"))]
    assert not strangers, strangers
    complaints = [entry for entry in page.driver.get_log("browser") if entry["level"] == "SEVERE"]
    assert not complaints, complaints


def labels(page):
    return sorted(row.text.split()[0] for row in page.all("#objects li"))


def scores(page):
    """In percent."""
    return [int(re.search(r"(\d+)\s%", row.text)[1]) for row in page.all("#objects li")]


def check_world(page, server):
    """The model that ships: a picture is offered with it, and words to try, which it is right about."""
    page.wait("pictures to try", lambda: len(page.all("#samples button")) == 3 and page.shown("samples"))
    page.save("page-begin")
    page.all("#samples button")[0].click()
    page.wait("a caption", lambda: page.shown("after"))
    assert {"horse", "saxophone", "meadow"} <= set(page["words"].text.split()), page["words"].text
    page.see_where()
    word = next(word for word in page.all("#words .part") if word.text == "saxophone")
    webdriver.ActionChains(page.driver).move_to_element(word).perform()
    page.save("page-heat")
    page.ask("detect")  # the words that the page offers
    assert labels(page) == ["horse", "saxophone"], labels(page)
    assert all(score > 90 for score in scores(page)), scores(page)  # as `paligemma detect` has them: 0.998, 0.945
    page.save("page-light")
    page.ask("question")
    assert page["words"].text == "in the meadow", page["words"].text
    page["up"].click()
    page.wait("stored", lambda: page["stored"].text)
    page["down"].click()
    page["correction"].send_keys(", behind a saxophone")
    page.save("page-judged")
    page["remove"].click()
    page.wait("pictures to try", lambda: page.shown("samples"))
    page.all("#samples button")[1].click()
    page.wait("a caption", lambda: page.shown("after"))
    page["theme"].click()
    page.ask("segment")
    assert labels(page) == ["sunflower"], labels(page)
    page.save("page-dark")
    page.become_phone()
    page["theme"].click()
    page.ask("question")
    page.save("page-phone")
    page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    page["open-history"].click()
    page.wait("the history", lambda: len(page.all("#past button")) >= 6)
    page.save("page-history")
    page.all("#history [data-close]")[0].click()
    page.drop(COW)  # whoever brings a picture types words
    assert not page["prompt"].get_attribute("value")
    check_nothing_leaves(page)


def check_taught(page, server):
    page.drop(COW)
    check_caption(page)
    check_heat(page)
    check_boxes(page)
    check_masks(page)
    check_judgement(page, server)
    check_figures(page)
    check_nothing_leaves(page)
    check_history(page)
    check_keyboard(page)
    check_languages(page)
    page.drop(COW)
    page.ask("detect", "cow")
    check_access(page)
    check_phone(page)
    check_nothing_leaves(page)


def visit(folder, check, *options):
    """A server, and a browser at its page."""
    folder.mkdir()
    server, page = Server(folder, *options), None
    try:
        page = Page(server.address)
        check(page, server)
    except WebDriverException as error:
        raise AssertionError(error.msg) from error
    finally:
        if page:
            page.driver.quit()
        server.process.kill() if sys.exc_info()[0] else server.stop()


def main():
    if not shutil.which("chromium") or not shutil.which("chromedriver"):
        print("skipped: there is no chromium with chromium-driver")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HOME"] = folder  # the browser's profile
        os.environ.pop("PALIGEMMA_MODEL", None)
        folder = pathlib.Path(folder)
        model, codec = teach(folder)
        visit(folder / "taught", check_taught, "-m", model, "--name", "tiny", "--codec", codec)
        visit(folder / "world", check_world)
    print("the page does what it says")
    return 0


if __name__ == "__main__":
    sys.exit(main())
