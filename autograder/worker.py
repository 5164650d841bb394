"""The child's side: runs a notebook's cells and tries what they define. Holds no expected result.

Each finding is sent at once, as bytes, so that nothing found is lost when a later function hangs or kills the process.
The messages are dicts with a `kind`:

    begin, cell             before a cell runs; "end" with its `problem` follows where it failed
    try, exercise           before its first case
    answer, exercise        the `answer` on one case after the other
    answers, exercise       at its end: `answers` without their cases, which are known
    contrasts, exercise     what became of the `contrasts` that the parent sent thereupon
    done
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import replace
from multiprocessing.connection import Connection
from types import CodeType
from typing import Any

import torch
from IPython.core.inputtransformer2 import TransformerManager
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import autograder.jupyter  # noqa: F401  the notebooks import it: loaded once, before the processes part
from autograder.answers import Answers, Question, answer_each, as_data, conclude, contrasts, unusable
from autograder.quiet import quiet
from autograder.values import pack, unpack
from autograder.watch import Capped, OutOfTime, time_limit

UNTAUGHT = TransformerManager()  # what IPython makes of a cell where no cell before has taught it more
MEMORY = 8 * 2**30  # bytes of address space


def run(connection: Connection, folder: str) -> None:
    """Take cells and questions from `connection`; run and answer them, in a process of its own; send what is found."""
    _detach()
    os.chdir(folder)
    sys.path.insert(0, folder)  # as in a kernel, files beside the notebook can be imported
    task = unpack(connection.recv_bytes())
    questions = [Question(**unpack(connection.recv_bytes())) for _ in range(task["questions"])]
    with quiet():
        shell = _shell()
        for cell in task["cells"]:
            _send(connection, kind="begin", cell=cell["number"])
            problem = _run_cell(shell, cell["source"], task["cell_seconds"])
            if problem:
                _send(connection, kind="end", cell=cell["number"], problem=problem)
        for question in questions:
            _answer(connection, shell.user_ns, question, task["case_seconds"])
    _send(connection, kind="done")
    connection.close()
    os._exit(0)  # threads that a learner left running do not hold the process


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


def _answer(connection: Connection, namespace: dict[str, Any], question: Question, seconds: float) -> None:
    if question.name not in namespace:
        _send(connection, kind="answers", exercise=question.name, answers=as_data(Answers(problem="missing")))
        return
    candidate = namespace[question.name]
    problem = unusable(candidate, question)
    if problem is not None:
        _send(connection, kind="answers", exercise=question.name, answers=as_data(problem))
        return
    _send(connection, kind="try", exercise=question.name)
    found = []
    for answer in answer_each(candidate, question, seconds):
        found.append(answer)
        _send(connection, kind="answer", exercise=question.name, answer=vars(answer))
    answers = conclude(candidate, question, found, seconds)
    _send(connection, kind="answers", exercise=question.name, answers=as_data(replace(answers, cases=[])))
    more = connection.recv_bytes()
    if more:
        tried = contrasts(candidate, replace(question, contrasts=unpack(more)), found, seconds)
        _send(connection, kind="contrasts", exercise=question.name, contrasts=tried)


def _send(connection: Connection, **message: Any) -> None:
    connection.send_bytes(pack(message))


if "autograder.worker" in sys.modules:  # preloading: what the first notebook would otherwise wait for
    torch.ones(1).sum()
