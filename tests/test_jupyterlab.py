"""The course in a browser: an exercise as a learner does it, by keyboard, and a class as an instructor grades it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from learner import LESSON, ROOT, SOLUTION, as_shown, isolated, points
from simulated import SimulatedClass

from autograder.authoring import load_lesson

EXERCISE = "causal_mask"
MISCONCEPTION = "sees_the_future"
WRONG = "return torch.ones(length, length, dtype=torch.bool).triu()"
RIGHT = "return torch.ones(length, length, dtype=torch.bool).tril()"
TOKEN = "a-token-for-this-run"
SERVER_START = 60.0
SECONDS = 30_000  # playwright counts in milliseconds; long, since it waits for what comes and then goes on at once
QUIET_CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str:
    path = shutil.which("chromium")
    if path is None:
        missing = "chromium is missing: install it with `apt install chromium`"
        if os.environ.get("CI"):
            pytest.fail(f"{missing}. Under CI this test is not skipped.")
        pytest.skip(missing)
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def do_not_ask_about_news(home: Path) -> None:
    """JupyterLab's first question to a new user lies over the notebook's lower corner."""
    settings = home / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}))


@contextmanager
def jupyterlab(folder: Path, home: Path) -> Iterator[str]:
    """The address of a JupyterLab that serves this folder."""
    port = free_port()
    command = [
        *[sys.executable, "-m", "jupyter", "lab", "--no-browser", "--ip=127.0.0.1", f"--port={port}"],
        *[f"--ServerApp.token={TOKEN}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}"],
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        *(["--allow-root"] if os.geteuid() == 0 else []),
    ]
    log = home / "jupyterlab.log"
    # `jupyter lab` looks for `jupyter-lab` on PATH, where an environment that is not activated does not put it
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    with log.open("w") as output:
        server = subprocess.Popen(
            command, cwd=folder, env={**isolated(home), "PATH": path}, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            wait_until_it_answers(f"http://127.0.0.1:{port}/api/status?token={TOKEN}", server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            try:
                server.wait(timeout=10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def wait_until_it_answers(url: str, server: subprocess.Popen[Any], log: Path) -> None:
    end = time.monotonic() + SERVER_START
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


@contextmanager
def browser(folder: Path, home: Path, picture: Path) -> Iterator[Any]:
    """A page of a browser, signed in at a JupyterLab that serves this folder. What it looks like in the end is in
    `picture`."""
    executable = chromium()
    from playwright.sync_api import sync_playwright

    do_not_ask_about_news(home)
    with jupyterlab(folder, home) as address, sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable, args=QUIET_CHROMIUM)
        page = started.new_page(viewport={"width": 1400, "height": 1600}, base_url=address)
        page.set_default_timeout(SECONDS)
        page.goto(f"/api/status?token={TOKEN}")
        yield page
        page.screenshot(path=picture)
        started.close()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Any]:
    """The lesson's exercise notebook, open in JupyterLab."""
    folder = tmp_path / "exercises"
    shutil.copytree(ROOT / "exercises" / LESSON, folder / LESSON)
    with browser(folder, tmp_path / "home", tmp_path / "page.png") as opened:
        opened.goto(f"/lab/tree/{LESSON}/{LESSON}.ipynb")
        # JupyterLab drops a cell that is run before the kernel is there. Its status bar alone tells when that is: the
        # notebook's own indicator begins as idle.
        opened.locator(".jp-StatusBar-TextItem").filter(has_text="| Idle").wait_for()
        yield opened


def cell_with(page: Any, text: str) -> Any:
    return page.locator(".jp-Notebook .jp-CodeCell").filter(has_text=text)


def run(page: Any, cell: Any) -> None:
    """Run a cell and wait until it has: JupyterLab then shows a number in its prompt, a new one each time."""
    prompt = cell.locator(".jp-InputPrompt")
    before = prompt.inner_text()
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    page.wait_for_function(
        "([prompt, before]) => /\\[\\d+\\]/.test(prompt.innerText) && prompt.innerText !== before",
        arg=[prompt.element_handle(), before],
    )


def write_last_line(page: Any, cell: Any, code: str) -> None:
    """Replace the last line of a function as one types it: to the end, select the line, write over it."""
    cell.locator(".cm-content").click()
    for key in ("Control+End", "Shift+Home"):
        page.keyboard.press(key)
    page.keyboard.type(code)
    assert cell.locator(".cm-line").last.inner_text().strip() == code


def report(page: Any, text: str) -> Any:
    """The report on the page, once it has this text: what came before may stay a moment."""
    shown = page.locator(".autograder-report").filter(has_text=text)
    shown.wait_for()
    assert shown.is_visible()
    assert page.locator(".autograder-report").count() == 1
    return shown


def errors(page: Any) -> Any:
    """What JupyterLab shows in red: tracebacks and stderr both have this type."""
    return page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']")


def test_learner_is_told_the_mistake_mends_it_and_is_told_that_it_is_right(page: Any) -> None:
    lesson = load_lesson(SOLUTION)
    exercise = next(exercise for exercise in lesson.exercises if exercise.name == EXERCISE)
    [sentence] = [wrong.sentence for wrong in exercise.misconceptions if wrong.name == MISCONCEPTION]
    answer, check = cell_with(page, f"def {EXERCISE}("), cell_with(page, f"check({EXERCISE})")

    run(page, cell_with(page, "from autograder import"))
    write_last_line(page, answer, WRONG)
    run(page, answer)
    run(page, check)
    assert report(page, as_shown(sentence)).locator("svg").is_visible()
    assert "cases right" in errors(page).inner_text()

    write_last_line(page, answer, RIGHT)
    run(page, answer)
    run(page, check)
    report(page, f"{EXERCISE}: right on all")
    assert errors(page).count() == 0


def test_the_button_of_formgrader_grades_a_submission(tmp_path: Path) -> None:
    simulated = SimulatedClass(tmp_path / "course", LESSON)
    simulated.make()
    simulated.hand_in(2)
    with browser(simulated.root, tmp_path / "home", tmp_path / "page.png") as opened:
        opened.goto(f"/formgrader/manage_submissions/{LESSON}")
        opened.locator("td.autograde a").first.click()
        shown = opened.locator(".modal-body").filter(has_text="submissions graded")
        shown.wait_for()
        assert f"{LESSON}: 1 of 1 submissions graded" in shown.inner_text()
    assert simulated.scores() == {"ada": sum(points().values())}
