"""The child's side: runs a notebook's cells and tries what they define. Holds no expected result.

What is found is sent as messages, dicts with a `kind`:

    begin, cell             before a cell runs; "end" with its `problem` follows where it failed
    try, exercise           before its first case
    answer, exercise        the `answer` on one case after the other
    answers, exercise       at its end: `answers` without their cases, which are known
    answered                all exercises; the parent then sends the contrasts of each that was tried, or nothing
    contrasts, exercise     what became of its `contrasts`
    done
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from types import CodeType
from typing import Any

import torch
from IPython.core.inputtransformer2 import TransformerManager
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import autograder.jupyter  # noqa: F401  the notebooks import it: loaded once, before the processes part
from autograder.answers import Answer, Answers, Question, answer_each, as_data, conclude, contrasts, unusable
from autograder.quiet import quiet
from autograder.values import pack, unpack
from autograder.watch import Capped, OutOfTime, time_limit

UNTAUGHT = TransformerManager()  # what IPython makes of a cell where no cell before has taught it more
MEMORY = 8 * 2**30  # bytes of address space
PATIENCE = 0.1  # seconds that messages wait for others: sending one takes as long as most cases
Tried = tuple[Any, Question, list[Answer]]


def run(connection: Connection, folder: str) -> None:
    """Take cells and questions from `connection`; run and answer them, in a process of its own; send what is found."""
    _detach()
    os.chdir(folder)
    sys.path.insert(0, folder)  # as in a kernel, files beside the notebook can be imported
    task = unpack(connection.recv_bytes())
    questions = [Question(**unpack(connection.recv_bytes())) for _ in range(task["questions"])]
    outbox = _Outbox(connection, 0.0 if task["at_once"] else PATIENCE)
    with quiet():
        shell = _shell()
        for cell in task["cells"]:
            outbox.put(kind="begin", cell=cell["number"])
            problem = _run_cell(shell, cell["source"], task["cell_seconds"])
            if problem:
                outbox.put(kind="end", cell=cell["number"], problem=problem)
        seconds = task["case_seconds"]
        tried = [each for question in questions for each in _answered(outbox, shell.user_ns, question, seconds)]
        outbox.put(kind="answered")
        outbox.empty()
        for (candidate, question, found), more in [(each, connection.recv_bytes()) for each in tried]:
            if more:
                told = contrasts(candidate, replace(question, contrasts=unpack(more)), found, seconds)
                outbox.put(kind="contrasts", exercise=question.name, contrasts=told)
    outbox.put(kind="done")
    outbox.empty()
    connection.close()
    os._exit(0)  # threads that a learner left running do not hold the process


class _Outbox:
    """Messages on their way to the parent, which wait `patience` seconds for others to come. With none, nothing that
    was found is lost when a later function hangs or kills the process."""

    def __init__(self, connection: Connection, patience: float) -> None:
        self.connection = connection
        self.patience = patience
        self.emptied = -patience  # long ago: the first message tells that the child is there
        self.waiting: list[dict[str, Any]] = []

    def put(self, **message: Any) -> None:
        """Send a message, now or with one that follows."""
        self.waiting.append(message)
        if time.monotonic() - self.emptied >= self.patience:
            self.empty()

    def empty(self) -> None:
        """Send what waits."""
        if self.waiting:
            self.connection.send_bytes(pack(self.waiting))
        self.waiting = []
        self.emptied = time.monotonic()


def _detach() -> None:
    """A session of its own, so that signals to the group stay here; nothing to read, no channel for stray output."""
    if hasattr(os, "setsid"):
        os.setsid()
        import resource

        with contextlib.suppress(ValueError, OSError):  # not every system has this limit
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    torch.set_num_threads(1)  # a parallel region does not survive the fork
    os.environ["MPLBACKEND"] = "Agg"


class _Shell(InteractiveShell):  # type: ignore[misc]
    """IPython without a screen: errors come back as results, and nothing is shown."""

    def enable_gui(self, gui: str | None = None) -> None:
        """Nothing to do: %matplotlib asks for it."""

    def ask_exit(self) -> None:
        """What `exit` and `quit` do."""
        raise SystemExit

    def showtraceback(self, *_: Any, **__: Any) -> None:
        """Nothing to show it on."""

    showsyntaxerror = showtraceback


def _shell() -> InteractiveShell:
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "NoColor"
    return _Shell.instance(config=config)


def _run_cell(shell: InteractiveShell, source: str, seconds: float) -> str:
    """Run one cell; why it failed, or ""."""
    with contextlib.redirect_stdout(Capped()), contextlib.redirect_stderr(Capped()):
        try:
            with time_limit(seconds):
                error = _executed(shell, source)
        except OutOfTime:
            return f"did not finish within {seconds:g} s"
    if error is None:
        return ""
    if isinstance(error, OutOfTime):
        return f"did not finish within {seconds:g} s"
    if isinstance(error, SyntaxError):
        return f"has a syntax error in its line {error.lineno}: {error.msg}"
    return f"raised {type(error).__name__}: {str(error)[:500]}"


def _executed(shell: InteractiveShell, source: str) -> BaseException | None:
    """Run a cell as IPython does; what it raised. One that is Python as it stands spares IPython's search for magics,
    which takes longer than most cells."""
    code = _as_python(shell, source)
    if code is None:
        result = shell.run_cell(source, silent=True)
        error: BaseException | None = result.error_before_exec or result.error_in_exec
        return error
    shell.events.trigger("pre_execute")
    try:
        with shell.builtin_trap, shell.display_trap:
            exec(code, shell.user_ns)
    except BaseException as error:
        return error
    finally:
        shell.events.trigger("post_execute")
    return None


def _as_python(shell: InteractiveShell, source: str) -> CodeType | None:
    """A cell's code, where IPython would run it unchanged; None where it might not."""
    alone = "\n" not in source.strip()  # one line may be the name of a magic
    if alone or source[0].isspace() or source.startswith("In ["):  # what IPython takes away from a cell's beginning
        return None
    if shell.input_transformers_post or shell.ast_transformers:
        return None
    if vars(shell.input_transformer_manager) != vars(UNTAUGHT):
        return None
    source = source.rstrip("\n") + "\n"
    try:
        code: CodeType = shell.compile(source, shell.compile.cache(source, shell.execution_count), "exec")
    except Exception:  # magics, top-level await, mistakes, which IPython words
        return None
    return code


def _answered(outbox: _Outbox, namespace: dict[str, Any], question: Question, seconds: float) -> Iterator[Tried]:
    """Try what answers one question; nothing comes of what cannot be tried."""
    if question.name not in namespace:
        outbox.put(kind="answers", exercise=question.name, answers=as_data(Answers(problem="missing")))
        return
    candidate = namespace[question.name]
    problem = unusable(candidate, question)
    if problem is not None:
        outbox.put(kind="answers", exercise=question.name, answers=as_data(problem))
        return
    outbox.put(kind="try", exercise=question.name)
    found = []
    for answer in answer_each(candidate, question, seconds):
        found.append(answer)
        outbox.put(kind="answer", exercise=question.name, answer=vars(answer))
    answers = conclude(candidate, question, found, seconds)
    outbox.put(kind="answers", exercise=question.name, answers=as_data(replace(answers, cases=[])))
    yield candidate, question, found


if "autograder.worker" in sys.modules:  # preloading: what the first notebook would otherwise wait for
    torch.ones(1).sum()
