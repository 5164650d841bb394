"""Judging ahead of nbgrader: submissions go to an executor in the order in which nbgrader will ask for them.

The executor has the interface of `concurrent.futures`: threads of this process, each of which waits for a sandboxed
one, or a Dask cluster's workers. What is found goes to disk, so that memory does not grow with the class.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass

from autograder.errors import AutograderError
from autograder.grading.verdict import Task, Verdict, VerdictStore, digest_of, reach

Name = tuple[str, str]  # student and notebook
Prepare = Callable[[Name], Task]


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_workers() -> int:
    """How many submissions run at once: half of a submission's time is spent waiting, for the kernel and for the
    judge."""
    return 2 * cores() + 1


@dataclass(frozen=True)
class Pool:
    """An executor, and what ends the connection that it lives on."""

    executor: Executor
    close: Callable[[], object] = bool


def connect(scheduler: str, workers: int) -> Pool:
    """A Dask cluster's executor where a scheduler is named, else threads. Raises AutograderError."""
    if not scheduler:
        return Pool(ThreadPoolExecutor(workers, thread_name_prefix="judge"))
    try:
        from distributed import Client
    except ImportError as error:
        raise AutograderError(
            'c.Judge.scheduler needs the package distributed: pip install -c constraints.txt -e ".[cluster]"'
        ) from error
    try:
        client = Client(scheduler, timeout="10s", set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise AutograderError(f"The Dask scheduler {scheduler} (c.Judge.scheduler) does not answer: {error}") from error
    return Pool(client.get_executor(pure=False, retries=3), client.close)


@dataclass
class Outcome:
    """How one submission fared: a verdict's name in the store, or why there is none."""

    digest: str = ""
    problem: BaseException | None = None
    seconds: float = 0.0
    known: bool = False  # from an earlier run


class Ahead:
    """Judges `names` in order; `result` waits for one of them.

    A verdict in the store is taken as it is; with `settled_only`, not one that time or memory decided.
    """

    def __init__(
        self,
        names: Iterable[Name],
        prepare: Prepare,
        store: VerdictStore,
        pool: Pool,
        window: int,
        settled_only: bool = False,
    ) -> None:
        self.settled_only = settled_only
        self.prepare = prepare
        self.store = store
        self.pool = pool
        self.room = threading.Semaphore(window)
        self.changed = threading.Condition()
        self.outcomes: dict[Name, Outcome] = {}
        self.running: dict[Name, float] = {}
        self.futures: set[Future[Verdict]] = set()
        self.stopped = False
        self.names = list(names)
        self.expected = set(self.names)
        self.feeder = threading.Thread(target=self._feed, name="judge ahead", daemon=True)
        self.feeder.start()

    def result(self, name: Name) -> Verdict:
        """The verdict on a submission, as soon as there is one. Raises what kept it from being reached."""
        with self.changed:
            known = name in self.expected
        if not known:
            self._begin(name)
        with self.changed:
            self.changed.wait_for(lambda: name in self.outcomes)
            outcome = self.outcomes[name]
        if outcome.problem is not None:
            raise outcome.problem
        verdict = self.store.load(outcome.digest)
        if verdict is None:
            raise AutograderError(f"The verdict on {name[0]} is gone from {self.store.folder}: run the command again.")
        return verdict

    def stop(self) -> None:
        """Begin nothing more."""
        self.stopped = True
        self.room.release()
        self.feeder.join(5)
        for future in list(self.futures):
            future.cancel()
        self.pool.executor.shutdown(wait=False)
        self.pool.close()

    def slow(self, seconds: float) -> list[str]:
        """The students whose submissions have been running for longer."""
        now = time.monotonic()
        with self.changed:
            return [name[0] for name, began in self.running.items() if now - began > seconds]

    def done(self) -> int:
        """How many are judged."""
        with self.changed:
            return len(self.outcomes)

    def _feed(self) -> None:
        for name in self.names:
            self.room.acquire()
            if self.stopped:
                return
            self._begin(name)

    def _begin(self, name: Name) -> None:
        try:
            task = self.prepare(name)
            digest = digest_of(task)
            known = self.store.load(digest)
            if known is not None and (known.settled or not self.settled_only):
                self._end(name, Outcome(digest, seconds=known.seconds, known=True))
                return
            with self.changed:
                self.running[name] = time.monotonic()
            future = self.pool.executor.submit(reach, task)
            self.futures.add(future)
        except BaseException as problem:  # told to the one who asks for the result
            self._end(name, Outcome(problem=problem))
            return
        future.add_done_callback(lambda done: self._take(name, digest, done))

    def _take(self, name: Name, digest: str, done: Future[Verdict]) -> None:
        self.futures.discard(done)
        try:
            verdict = done.result()
            self.store.save(digest, verdict)
            self._end(name, Outcome(digest, seconds=verdict.seconds))
        except BaseException as problem:
            self._end(name, Outcome(problem=problem))

    def _end(self, name: Name, outcome: Outcome) -> None:
        with self.changed:
            self.running.pop(name, None)
            self.outcomes[name] = outcome
            self.changed.notify_all()
        self.room.release()
