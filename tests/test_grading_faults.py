"""Submissions that break things, and honest ones that only look odd: nobody else's grade suffers, nor their own more
than it must."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from classroom import POINTS, RIGHT, Classroom
from tricks import code

WHOLE = sum(POINTS.values())
LIMITS = {"case_seconds": 4.0, "cell_seconds": 5.0, "seconds": 30.0, "memory": 1024, "processes": 48}

# in a cell before the solutions: the cell is lost, what it does not reach is not
FAULTY_CELLS = {
    "endless-loop": code(
        """
        while True:
            pass
        """
    ),
    "deaf-endless-loop": code(
        """
        import signal
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        while True:
            pass
        """
    ),
    "sleep": code(
        """
        import time
        time.sleep(10_000)
        """
    ),
    "fork-bomb": code(
        """
        import os
        while True:
            try:
                os.fork()
            except OSError:
                pass
        """
    ),
    "memory": code(
        """
        blocks = []
        while True:
            blocks.append(bytearray(b'x' * 2**26))
        """
    ),
    "memory-in-many": code(
        """
        import os
        for _ in range(20):
            if os.fork() == 0:
                block = bytearray(b'x' * 2**27)
                while True: pass
        import time
        time.sleep(100)
        """
    ),
    "full-disk": code(
        """
        with open('full', 'wb') as file:
            while True:
                file.write(b'x' * 2**20)
        """
    ),
    "many-files": code(
        """
        for number in range(10**7):
            open(f'file-{number}', 'w').close()
        """
    ),
    "gigabyte-of-output": code(
        """
        import os, sys
        for _ in range(1_000):
            print('x' * 2**20)
            os.write(1, b'x' * 2**20)
        """
    ),
    "segfault": code(
        """
        import ctypes
        ctypes.string_at(0)
        """
    ),
    "kill-group": code(
        """
        import os
        os.kill(0, 9)
        """
    ),
    "recursion": code(
        """
        import sys
        sys.setrecursionlimit(10**9)
        def deeper(n):
            return deeper(n + 1)
        deeper(0)
        """
    ),
    "hundred-threads": code(
        """
        import threading, time
        for _ in range(100):
            threading.Thread(target=time.sleep, args=(1_000,)).start()
        """
    ),
    "abort": code(
        """
        import os
        os.abort()
        """
    ),
    "stopped": code(
        """
        import os, signal
        os.kill(os.getpid(), signal.SIGSTOP)
        """
    ),
    "half-a-message": code(
        """
        import os, struct
        for number in range(3, 64):
            try:
                os.write(number, struct.pack('!i', 1000) + b'x')
            except OSError:
                pass
        import time
        time.sleep(1000)
        """
    ),
    "too-long-a-message": code(
        """
        import os, struct
        for number in range(3, 64):
            try:
                os.write(number, struct.pack('!i', 2**31 - 1))
                while True: os.write(number, b'x' * 2**20)
            except OSError:
                pass
        """
    ),
}
FAULTY_NOTEBOOKS = {
    "no-json": "{ no json",
    "empty": "",
    "no-cells": json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}}),
    "deep": "[" * 100_000,
    "zeros": "\0" * 1000,
}
HONEST_BUT_NOISY = {
    "warnings": "import warnings, sys\nwarnings.warn('careful')\nprint('to stderr', file=sys.stderr)",
    "prints": "print('hello ' * 100)\nimport logging\nlogging.error('nothing')",
    "thread-left-running": "import threading, time\nthreading.Thread(target=time.sleep, args=(500,)).start()",
    "process-left-running": "import subprocess\nsubprocess.Popen(['sleep', '500'])",
    "raw-stderr": "import os\nos.write(2, b'from C')",
    "plots": "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
    "magics": "%matplotlib inline\n!echo hello",
    "failing-cell": "1 / 0",
    "loader": "import torch\nfrom torch.utils.data import DataLoader\nlist(DataLoader(list(range(4)), num_workers=2))",
    "scratch": "open('mine.txt', 'w').write('x' * 1000)\nimport tempfile\ntempfile.mkdtemp()",
}
# in the function itself: it alone is lost
FAULTY_FUNCTIONS = {
    "function-loops": "while True:\n        pass",
    "function-exits": "import os\n    os._exit(0)",
    "function-segfaults": "import ctypes\n    ctypes.string_at(0)",
    "function-eats-memory": "return [bytearray(b'x' * 2**26) for _ in range(10**6)]",
}


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Classroom:
    room = Classroom.made(tmp_path, **LIMITS)
    monkeypatch.setenv("AUTOGRADER_KEYS", str(tmp_path / "keys"))
    return room


def test_faults_cost_what_they_break_and_nobody_else_anything(room: Classroom) -> None:
    for name, source in {**FAULTY_CELLS, **HONEST_BUT_NOISY}.items():
        room.hand_in(name, RIGHT, source)
    for name, source in FAULTY_FUNCTIONS.items():
        room.hand_in(name, {**RIGHT, "double": f"def double(x):\n    {source}"})
    for name, content in FAULTY_NOTEBOOKS.items():
        room.hand_in_notebook(name, content)
    said = room.autograde()
    scores = room.scores()
    honest = dict.fromkeys([*FAULTY_CELLS, *HONEST_BUT_NOISY], WHOLE)
    lost = dict.fromkeys(FAULTY_FUNCTIONS, POINTS["check_countdown"])
    assert {name: scores[name] for name in {**honest, **lost}} == {**honest, **lost}, said
    for name in FAULTY_NOTEBOOKS:
        assert scores[name] == 0
        assert f"Not graded: {name}: 90_small.ipynb is not a notebook" in said, said
