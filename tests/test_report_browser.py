"""The report in a real browser, where one is installed: it opens from disk, sorts, fits a phone and prints."""

import json
import re
import shutil
import subprocess

import pytest
from report_cases import half_done, swept

from llrsim.report import write_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium installed")

LOOK = """
const told = {width: innerWidth, needed: document.documentElement.scrollWidth};
told.resources = performance.getEntriesByType("resource").map((entry) => entry.name);
const table = document.querySelector("table.sortable"), head = table.tHead.rows[0].cells[1];
const read = () => [...table.tBodies[0].rows].map((row) => row.cells[1].textContent);
told.before = read();
told.sorted = ["ascending", "descending"].map((word) => {
  head.querySelector("button").click();
  return [head.getAttribute("aria-sort") === word, read()];
});
parent.postMessage(JSON.stringify(told), "*");
"""

FRAME = """<!DOCTYPE html><title>nothing</title>
<script>addEventListener("message", (event) => { document.title = event.data; });</script>
<iframe src="copy.html" style="width: %dpx; height: 900px; border: 0"></iframe>
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    swept(folder / "e12")
    half_done(swept(folder / "half"))
    return write_report(folder).path


def browse(path, home, *options):
    """What the browser says on the page: (standard output, standard error)."""
    argv = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--enable-logging=stderr"]
    argv += [f"--user-data-dir={home}", "--virtual-time-budget=5000", *options, path.as_uri()]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, done.stderr


def looked(path, home, width):
    """What a script of the test sees in a copy of the page that lets it run, in a frame as narrow as no window is."""
    page = path.read_text(encoding="utf-8")
    page = re.sub("script-src &#x27;sha256-[^;]*", "script-src &#x27;unsafe-inline&#x27;", page)
    copy = home / "copy.html"
    copy.write_text(page.replace("</body>", f"<script>{LOOK}</script></body>"), encoding="utf-8")
    frame = home / "frame.html"
    frame.write_text(FRAME % width, encoding="utf-8")
    told, _ = browse(frame, home / "profile", "--dump-dom")
    title = re.search("<title>(.*?)</title>", told, re.DOTALL).group(1)
    return json.loads(title.replace("&amp;", "&"))


def test_it_opens_from_disk_without_a_word_on_the_console(path, tmp_path):
    told, errors = browse(path, tmp_path, "--dump-dom")
    assert "<button" in told  # its own script has run under its own policy
    assert "CONSOLE" not in errors


def test_the_policy_stops_any_other_script_and_says_so(path, tmp_path):
    """The control: what is not of the page does not run, and the console is seen to tell."""
    copy = tmp_path / "copy.html"
    page = path.read_text(encoding="utf-8")
    copy.write_text(page.replace("</body>", "<script>document.title = 'ran'</script></body>"), encoding="utf-8")
    told, errors = browse(copy, tmp_path / "profile", "--dump-dom")
    assert "CONSOLE" in errors
    assert "<title>ran" not in told


@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_loads_nothing_and_sorts(path, tmp_path, width):
    told = looked(path, tmp_path, width)
    assert told["width"] == width
    assert told["needed"] <= width
    assert told["resources"] == []

    def numbers(texts):
        return [float(text.replace("\N{MINUS SIGN}", "-")) for text in texts]

    for (announced, texts), falling in zip(told["sorted"], (False, True), strict=True):
        assert announced
        assert numbers(texts) == sorted(numbers(told["before"]), reverse=falling)


def test_it_prints_on_several_pages(path, tmp_path):
    browse(path, tmp_path / "profile", f"--print-to-pdf={tmp_path / 'page.pdf'}")
    printed = (tmp_path / "page.pdf").read_bytes()
    assert printed.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) >= 3
