"""The parts of grading: what is refused of a message, told of a report, put right in a notebook, shown in a cage."""

from __future__ import annotations

import ast
import json
import mmap
import os
import socket
import struct
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from classroom import RIGHT, Classroom
from learner import ROOT

from autograder.answers import Answer, Answers
from autograder.grading import cage, discreet, files, hostile, sandbox, syscalls, wall
from autograder.grading.cage import Bounds
from autograder.grading.course import Store
from autograder.grading.restore import Released, ReleasedCell, restore, tidy
from autograder.report import Fault, Report, Stage, Verdict
from autograder.values import Foreign, pack

RIGHT_ANSWER: dict[str, Any] = {"outcome": "returned", "results": {"result": torch.ones(2)}}
BEGUN = {"kind": "try", "exercise": "double"}


def answer(**fields: Any) -> dict[str, Any]:
    return {"kind": "answer", "exercise": "double", "answer": {**RIGHT_ANSWER, **fields}}


def answers(**fields: Any) -> dict[str, Any]:
    return {"kind": "answers", "exercise": "double", "answers": {"steps": [1, 2], **fields}}


def contrasts(tried: Any, name: str = "double") -> dict[str, Any]:
    return {"kind": "contrasts", "exercise": name, "contrasts": tried}


def taken(*messages: Any) -> list[Any]:
    """What is read of a submission's messages, one after the other: two cases were asked of it, in cells 1 and 4."""
    check = hostile.Check({"double": 2}, {1, 4})
    return [one for message in messages for one in check.messages(pack([message]))]


def test_messages_of_the_worker_are_taken() -> None:
    cells = [{"kind": "begin", "cell": 4}, {"kind": "begin", "cell": 1}, {"kind": "end", "cell": 1, "problem": "x"}]
    answered = [BEGUN, answer(), answer(), answers(), contrasts([{"outcome": "same"}])]
    messages = [*cells, *answered, answers(problem="missing"), {"kind": "answered"}, {"kind": "done"}]
    assert [message["kind"] for message in taken(*messages)] == [message["kind"] for message in messages]


WRONG_FORMS: dict[str, Any] = {
    "no kind": {},
    "unknown kind": {"kind": "verdict", "score": 99},
    "a list": ["done"],
    "unknown cell": {"kind": "begin", "cell": 2},
    "cell by name": {"kind": "begin", "cell": "4"},
    "true cell": {"kind": "begin", "cell": True},
    "problem that is a number": {"kind": "end", "cell": 1, "problem": 3},
    "unknown exercise": {"kind": "answers", "exercise": "other", "answers": {"problem": "missing", "cases": []}},
    "contrasts of an unknown exercise": contrasts([], "other"),
    "contrasts that are numbers": contrasts([1]),
    "contrasts that are no list": contrasts({"0": {}}),
    "outcome that is a list": answer(outcome=["returned"]),
    "results that are a tensor": answer(results=torch.ones(2)),
    "calls without numbers": answer(calls={"cdist": "none"}),
    "raised that is a text": answer(raised="ValueError"),
    "steps that are texts": answers(steps=["1", "2"]),
    "names that are numbers": answers(names=[1]),
    "note that is a dict": answers(note={"x": 1}),
}


@pytest.mark.parametrize("message", WRONG_FORMS.values(), ids=WRONG_FORMS.keys())
def test_messages_of_every_wrong_form_are_refused(message: Any) -> None:
    with pytest.raises(ValueError, match="message|answers|packed"):
        taken(BEGUN, answer(), answer(), message)


@pytest.mark.parametrize(
    "messages",
    [
        [answer()],
        [answers()],
        [contrasts([])],
        [BEGUN, answer(), answers()],
        [BEGUN, answer(), contrasts([])],
        [BEGUN, answer(), answer(), BEGUN, answers()],
        [BEGUN, answer(), answer(), answer(), answers()],
    ],
    ids=["not begun", "no cases", "nothing tried", "too few", "too early", "begun again", "too many"],
)
def test_messages_in_another_order_are_refused(messages: list[Any]) -> None:
    with pytest.raises(ValueError, match="answers|no message"):
        taken(*messages)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"\0" * 64,
        b"\xff" * 64,
        struct.pack("<Q", 2**60) + b"{}",
        pack([{"kind": "done"}])[:-3] + b"...",
        pack({"kind": "done"}),
        b"[" * 10**5,
    ],
)
def test_bytes_that_are_no_message_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="message|packed"):
        hostile.Check({"double": 2}, {1, 4}).messages(data)


def test_a_message_that_is_too_long_half_or_slow_holds_nobody_up() -> None:
    for sent, error in [
        (struct.pack("!i", 2**30), ValueError),
        (struct.pack("!i", -1), ValueError),
        (struct.pack("!i", 100) + b"x", TimeoutError),
        (b"\0", TimeoutError),
    ]:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.sendall(sent)
            began = time.monotonic()
            with pytest.raises(error):
                hostile.receive(ours, time.monotonic() + 0.2)
            assert time.monotonic() - began < 1
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours, pytest.raises(EOFError):
        hostile.receive(ours, time.monotonic() + 1)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (Answer("raised", {}, ["ValueError", "Exception"], "ValueError: SECRET 17"), "ValueError"),
        (Answer("raised", {}, ["SECRET17", "KeyError"], "SECRET17"), "KeyError"),
        (Answer("out of time", message="still running after 5 s"), "still running after 5 s"),
        (Answer("out of time", message="still running after SECRET 17 s"), "an exception"),
        (
            Answer("died", message="Your function was ended by signal SIGSEGV."),
            "Your function was ended by signal SIGSEGV.",
        ),
        (Answer("died", message="Your function said SECRET 17."), "an exception"),
    ],
)
def test_of_an_exception_its_class_is_told(given: Answer, told: str) -> None:
    (answer,) = discreet.answers(Answers(cases=[given]), "def double(x): return x", None).cases
    assert answer.message == told


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (Answers("missing", "Cell 3 raised ValueError: SECRET 17."), "Cell 3 raised ValueError."),
        (
            Answers("missing", "Cell 3 has a syntax error in its line 2: SECRET."),
            "Cell 3 has a syntax error in its line 2.",
        ),
        (Answers("missing", "Cell 3 did not finish within 10 s."), "Cell 3 did not finish within 10 s."),
        (Answers("signature", "(x, y)"), "(x, y)"),
        (Answers("signature", "(x, y='SECRET 17')"), "something else"),
        (Answers("not callable", "a Tensor"), "a Tensor"),
        (Answers("not callable", "a SECRET17"), "something else"),
        (Answers("not run", "The notebook's process used more than 4,096 MB of memory"), None),
        (Answers("SECRET", "SECRET 17"), "something else"),
    ],
)
def test_of_a_problem_only_words_of_the_source_are_told(given: Answers, told: str | None) -> None:
    found = discreet.answers(given, "def double(x, y): return x", None).detail
    assert "SECRET" not in found
    if told is not None:
        assert found == told


def test_a_note_is_ours_or_none() -> None:
    ours = "`double` is defined in cells 3 and 14: the last one counts."
    assert discreet.note(ours) == ours
    assert discreet.note("SECRET 17") == discreet.note(ours + " SECRET 17") == ""


def test_results_keep_their_values_and_lose_their_words() -> None:
    results = {
        "result": torch.ones(2),
        "parameters": {"weight": (2, 3), "SECRET17": (1,)},
        "other": [Foreign("ndarray", "a NumPy array of shape (5, 5)"), Foreign("x", "an object of type SECRET17"), 3.5],
    }
    (answer,) = discreet.answers(
        Answers(cases=[Answer("returned", results)]), "", {"weight": "result parameters other"}
    ).cases
    assert torch.equal(answer.results["result"], torch.ones(2))
    assert answer.results["parameters"] == {"weight": (2, 3), discreet.OTHER: (1,)}
    assert [getattr(item, "text", item) for item in answer.results["other"]] == [
        "a NumPy array of shape (5, 5)",
        "an object of another type",
        3.5,
    ]


def test_a_report_keeps_the_first_difference_and_no_picture() -> None:
    fault = Fault(Stage.VALUES, "1 of 4 values differ.", "[0] 1", "[0] 2" * 50, "Look.", ["line 1"], printed="SECRET")
    (verdict,) = discreet.report(Report("double", "x", 1, [Verdict("two rows", "failed", fault)])).verdicts
    assert verdict.fault == Fault(Stage.VALUES, "1 of 4 values differ.", "[0] 1", ("[0] 2" * 16) + " ...", "Look.")


def released(*names: str) -> Released:
    return Released(
        [
            ReleasedCell(name, "code", f"# {name}", "", name[0] == "t", name[0] == "t", name[0] == "s", False, 1.0)
            for name in names
        ]
    )


def names_of(notebook: dict[str, Any]) -> list[str]:
    return [cell["metadata"].get("nbgrader", {}).get("grade_id", "-") for cell in notebook["cells"]]


def cell(name: str = "", source: str = "x") -> dict[str, Any]:
    metadata = {"nbgrader": {"grade_id": name}} if name else {}
    return {"cell_type": "code", "metadata": metadata, "source": source}


@pytest.mark.parametrize(
    ("handed_in", "restored"),
    [
        (["s1", "t1", "s2", "t2"], ["s1", "t1", "s2", "t2"]),
        (["s1", "", "s2"], ["s1", "t1", "-", "s2", "t2"]),
        (["s2", "t2"], ["t1", "s2", "t2"]),
        ([], ["t1", "t2"]),
        (["s1", "t1", "t1", "s2"], ["s1", "-", "t1", "s2", "t2"]),
        (["mine", "t2", "t1"], ["-", "t2", "t1"]),
    ],
)
def test_deleted_tests_come_back_where_they_were(handed_in: list[str], restored: list[str]) -> None:
    notebook = tidy({"cells": [cell(name) for name in handed_in]})
    restore(notebook, released("s1", "t1", "s2", "t2"))
    assert names_of(notebook) == restored
    assert all(
        c["source"] == f"# {n}" for c, n in zip(notebook["cells"], names_of(notebook), strict=True) if n[0] == "t"
    )
    assert restore(json.loads(json.dumps(notebook)), released("s1", "t1", "s2", "t2")) == []


def test_the_wall_shows_neither_home_nor_course_nor_keys_nor_exchange() -> None:
    line = wall.command(["-c", "pass"])
    bound = {line[at + 2] for at, word in enumerate(line) if word in ("--ro-bind", "--ro-bind-try")}
    assert not bound & {
        "/",
        "/home",
        "/root",
        "/etc",
        "/usr",
        "/usr/local",
        "/usr/local/share",
        "/var",
        "/srv",
        "/tmp",
        str(ROOT),
    }
    assert not any(word.startswith(("--bind", "--dev-bind", "--share")) for word in line)
    assert "--unshare-net" in line
    assert "--clearenv" in line
    at = line.index(f"{wall.LIBRARY}/autograder/keys")
    assert line[at - 1] == "--tmpfs"


PEEK = """
import os, socket
seen = []
for folder, _, names in os.walk('/'):
    if not folder.startswith(('/proc', '/usr', '/lib')) and 'site-packages' not in folder:
        seen += [name for name in names if name.endswith(('.safetensors', '.db', '.ipynb'))]
with socket.socket() as probe:
    probe.settimeout(1)
    alone = probe.connect_ex(('127.0.0.1', PORT))
raise RuntimeError([seen, alone != 0, [name for name in os.environ if 'SECRET' in name], sorted(os.listdir('/tmp'))])
"""


def said_by(source: str, kind: sandbox.Walls = "bubblewrap") -> str:
    """What a cell raised, in a cage of its own."""
    walls = sandbox.shared(kind)
    cells = [{"number": 1, "source": source}]
    task = {"cells": cells, "questions": 0, "at_once": True, "cell_seconds": 90.0, "case_seconds": 1.0}
    prisoner = walls.launch({}, [pack(task)], Bounds(seconds=100), hostile.Check({}, {1}))
    prisoner.receive(60)
    problem = prisoner.receive(100)[0]["problem"]
    prisoner.end()
    return str(problem)


def test_a_cage_sees_no_key_no_gradebook_no_network_and_none_of_our_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MY_SECRET", "x")
    with socket.create_server(("127.0.0.1", 0)) as server:
        said = said_by(PEEK.replace("PORT", str(server.getsockname()[1])))
    # an interpreter that lies below /tmp is seen there, as it would be elsewhere
    below = {Path(path).parts[2] for path in wall.interpreter() if Path(path).is_relative_to("/tmp")}
    assert said == f"raised RuntimeError: [[], True, [], {sorted({'work', *below})}]"


HONEST = """
import subprocess, sys, tempfile
from multiprocessing import Pool, shared_memory
subprocess.run(["sh", "-c", "ls / >/dev/null"], check=True)
assert subprocess.run([sys.executable, "-c", "import torch"], check=False).returncode == 0
block = shared_memory.SharedMemory(create=True, size=64)
block.close()
block.unlink()
with Pool(2) as pool:
    assert pool.map(abs, [-1, -2]) == [1, 2]
tempfile.TemporaryDirectory().cleanup()
import matplotlib.pyplot as plt, statistics, decimal, sqlite3, bdb
plt.plot([1, 2])
plt.savefig("figure.png")
raise RuntimeError('done')
"""


def test_what_honest_code_uses_works_in_a_cage() -> None:
    assert said_by(HONEST) == "raised RuntimeError: done"


LEAVE = """
import os, subprocess, torch
from multiprocessing import shared_memory
for folder in ('/tmp', '/dev/shm', '/dev', '/', '/autograder-library', os.path.dirname(torch.__file__)):
    try:
        open(folder + '/left-behind', 'w').write('x')
    except OSError:
        pass
shared_memory.SharedMemory('left-behind-too', create=True, size=64)
subprocess.Popen(['sleep', '1000'], start_new_session=True)
torch.add = None
raise RuntimeError('done')
"""
LOOK = """
import os, torch
found = [folder for folder in ('/tmp', '/dev/shm', '/dev', '/', '/autograder-library', os.path.dirname(torch.__file__))
         for name in os.listdir(folder) if 'left-behind' in name]
processes = [name for name in os.listdir('/proc') if name.isdigit()]
raise RuntimeError([found, len(processes), torch.add is None])
"""


def test_nothing_is_left_behind_for_the_next_one() -> None:
    assert said_by(LEAVE) == "raised RuntimeError: done"
    assert said_by(LOOK) == "raised RuntimeError: [[], 1, False]"


def test_without_walls_too_what_a_submission_started_ends_with_it() -> None:
    seconds = f"{10_000 + os.getpid()}"  # to be known by
    start = f"import subprocess\nsubprocess.Popen(['sleep', '{seconds}'], start_new_session=True)\n"
    assert said_by(start + "raise RuntimeError('done')", "none") == "raised RuntimeError: done"
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert f"sleep\0{seconds}\0".encode() not in running


def test_the_filter_refuses_the_same_calls_on_every_processor_it_knows() -> None:
    assert syscalls.compiled("mips") == b""
    for processor in syscalls.PROCESSORS:
        program = syscalls.compiled(processor)
        assert len(program) % 8 == 0
        refused = [struct.unpack("HBBI", program[at : at + 8]) for at in range(0, len(program), 8)]
        column = syscalls.PROCESSORS[processor][1]
        numbers = {value for operation, _, _, value in refused if operation == syscalls.EQUAL}
        assert {pair[column] for pair in syscalls.REFUSED.values()} <= numbers


def test_files_are_read_without_following_anything(tmp_path: Path) -> None:
    from autograder.errors import NotebookProblem

    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    assert files.read_bytes(tmp_path / "file", 5) == b"12345"
    for name, largest, message in [
        ("file", 4, "file has 5 bytes; at most 4 are read."),
        ("link", 5, "link is a link; hand in the file itself."),
        ("pipe", 5, "pipe is no regular file."),
        ("nothing", 5, "nothing cannot be read: No such file or directory."),
    ]:
        with pytest.raises(NotebookProblem) as problem:
            files.read_bytes(tmp_path / name, largest)
        assert str(problem.value) == message


def test_instructors_who_share_a_course_share_its_secrets_with_their_group_alone(tmp_path: Path) -> None:
    for group, folder_mode, file_mode in [(False, 0o700, 0o600), (True, 0o770, 0o660)]:
        root = tmp_path / str(group)
        root.mkdir()
        store = Store("sqlite:///" + str(root / "gradebook.db"), root, group)
        assert store.seed(None) == store.seed(None)
        assert store.seed(3) == 3
        assert (root / "gradebook.judge/seed").stat().st_mode & 0o777 == file_mode
        assert (root / "gradebook.judge").stat().st_mode & 0o777 == folder_mode


def test_modules_are_small_and_know_no_lesson() -> None:
    import re

    for path in (ROOT / "autograder" / "grading").glob("*.py"):
        text = path.read_text()
        assert len(text.splitlines()) <= 300, path.name
        assert ast.get_docstring(ast.parse(text)), path.name
        code = re.sub(r'"""[\s\S]*?"""|#.*', "", text)
        assert not re.search(r"\d\d_[a-z]+", code), path.name


def test_what_the_sandbox_loads_is_no_part_of_judging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's process has modules that know of keys, but no key: it is told of none."""
    monkeypatch.setenv("AUTOGRADER_KEYS", str(tmp_path))
    (tmp_path / "room").mkdir()
    room = Classroom.made(tmp_path / "room")
    room.hand_in(
        "x", {**RIGHT, "double": "import autograder.key\nautograder.key.find_exercise('double')\n" + RIGHT["double"]}
    )
    room.autograde()
    assert room.grades("x") == {"check_double": 0, "check_countdown": 4}


def huge_pages() -> int:
    """Kilobytes of this process's memory that lie in huge pages."""
    rollup = Path("/proc/self/smaps_rollup").read_text()
    return int(rollup.partition("AnonHugePages:")[2].split()[0])


@pytest.mark.skipif(
    not Path("/sys/kernel/mm/transparent_hugepage").exists()
    or tuple(map(int, os.uname().release.split(".")[:2])) < (6, 1),
    reason="this kernel cannot gather pages",
)
def test_memory_is_gathered_in_huge_pages_and_stays_as_it_was() -> None:
    size = 8 * cage.HUGE_PAGE
    content = os.urandom(mmap.PAGESIZE) * (size // mmap.PAGESIZE)
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        memory.write(content)
        memory.madvise(mmap.MADV_HUGEPAGE)
        before = huge_pages()
        cage.gather_memory()
        assert huge_pages() > before
        assert memory[:] == content
