"""Verdicts: what was found out about one submission, as text that outlives this process; and how it is found out."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from autograder import html, text
from autograder.answers import Answers
from autograder.errors import AutograderError
from autograder.grading import discreet, hostile, sandbox
from autograder.grading.cage import Bounds
from autograder.grading.course import Asked
from autograder.grading.files import write
from autograder.grading.submission import Submission
from autograder.judge import judge
from autograder.needs import with_needs
from autograder.report import Fault, Report, Stage
from autograder.runner import Limits, run_notebook

FORMAT = 1
TRIES = 3  # of a submission whose sandbox broke down around it
UNTOLD = Fault(Stage.RAN, "What your function returned is not what was expected.")
BY_ROTE = (
    "The cases that you have right have the same inputs for everyone. They count beside at least one right case whose "
    "inputs are drawn anew."
)


@dataclass(frozen=True)
class Task:
    """All that decides about one submission: what was handed in, what is asked, how long it may take, which walls."""

    submission: Submission
    asked: dict[str, Asked]
    limits: Limits = field(default_factory=Limits)
    bounds: Bounds = field(default_factory=Bounds)
    walls: sandbox.Walls = "bubblewrap"


@dataclass(frozen=True)
class Finding:
    """One test cell: the points earned, how the exercise stands, and the report for its student."""

    score: float
    points: float
    status: str
    headline: str
    text: str
    html: str


@dataclass(frozen=True)
class Verdict:
    """The findings on a submission, by test cell; the seconds that judging took; whether it would be the same on every
    machine."""

    findings: dict[str, Finding]
    seconds: float
    settled: bool = True

    @property
    def score(self) -> float:
        """The points of all test cells together."""
        return sum(finding.score for finding in self.findings.values())


def reach(task: Task) -> Verdict:
    """Run a submission behind the walls and judge its answers. Raises SandboxProblem where it cannot be run."""
    for _ in range(TRIES - 1):
        try:
            return _reach(task)
        except sandbox.ServerGone:
            continue
    return _reach(task)


def _reach(task: Task) -> Verdict:
    began = time.monotonic()
    exercises = {asked.key.name: asked for asked in task.asked.values()}
    cells = task.submission.cells
    cases = {name: len(asked.key.cases) for name, asked in exercises.items()}
    check = hostile.Check(cases, {cell.number for cell in cells})
    until = began + task.bounds.seconds
    found: dict[str, Report] = {}

    def launch(work: Sequence[bytes]) -> sandbox.Prisoner:
        left = max(0.1, until - time.monotonic())  # all of a submission's processes share its time
        return sandbox.shared(task.walls).launch(task.submission.files, work, task.bounds.within(left), check)

    def doubts(name: str, answers: Answers) -> bool:
        found[name] = judged(exercises[name], answers)
        return found[name].status == "failed"

    questions = [asked.key.question for asked in exercises.values()]
    known = {name: asked.question for name, asked in exercises.items()}
    given = run_notebook(Path(), cells, questions, task.limits, launch, doubts, known)
    written = [
        content.decode(errors="ignore") for name, content in task.submission.files.items() if name.endswith(".py")
    ]
    source = "\n".join([*(cell.source for cell in cells), *written])
    reports = {
        name: told(asked, given[asked.key.name], source, found.get(asked.key.name))
        for name, asked in task.asked.items()
    }
    needs = {name: asked.key.needs for name, asked in exercises.items()}
    findings = {name: finding(report, task.asked[name]) for name, report in with_needs(reports, needs).items()}
    return Verdict(findings, time.monotonic() - began, settled=not any(map(_hung, given.values())))


def _hung(answers: Answers) -> bool:
    """Whether time or memory decided: on a machine with more of them, the verdict could be another."""
    return "did not finish" in answers.detail or any(case.outcome in ("out of time", "died") for case in answers.cases)


def told(asked: Asked, answers: Answers, source: str, found: Report | None = None) -> Report:
    """The report for the student: the verdicts and the known mistake as they are, the rest in discreet words. `found`
    is what was found while the submission ran, before there were contrasts."""
    answers = replace(answers, note=discreet.note(answers.note))
    if found is not None and not answers.contrasts:  # nothing more is known now
        report = replace(found, note=answers.note)
    else:
        report = judged(asked, answers)
    if report.status != "failed":
        return report
    expected = [asked.key.name, [case["expected"] for case in asked.key.cases]]
    shown = discreet.report(judged(asked, discreet.answers(answers, source, expected)))
    faults = [verdict.fault for verdict in shown.verdicts]
    verdicts = [
        replace(verdict, fault=fault or UNTOLD if verdict.status == "failed" else None)
        for verdict, fault in zip(report.verdicts, faults, strict=True)
    ]
    sentences = {misconception["sentence"] for misconception in asked.key.misconceptions}
    known = report.diagnosis if report.diagnosis in sentences else shown.diagnosis
    return replace(shown, verdicts=verdicts, diagnosis=known)


def judged(asked: Asked, answers: Answers) -> Report:
    """The report on hostile answers: what trips the judge up is no answer."""
    try:
        return judge(asked.key, answers)
    except AutograderError:
        raise
    except Exception:  # data that no candidate's results look like
        refused = Answers(problem="not run", detail="Your function sent something that is no answer.")
        return replace(judge(asked.key, refused), note=answers.note)


def finding(report: Report, asked: Asked) -> Finding:
    """A report with its points: the share of cases that are right."""
    right = [verdict.label for verdict in report.verdicts if verdict.status == "passed"]
    score = 0.0
    if len(right) == len(report.verdicts):
        score = asked.points
    elif set(right) - asked.constant:
        score = min(asked.points, round(asked.points * len(right) / len(report.verdicts), 6))
    elif right:
        report = replace(report, note=" ".join(filter(None, [report.note, BY_ROTE])))
    headline = text.render(report).partition("\n")[0]
    return Finding(score, asked.points, report.status, headline, text.render(report), html.render(report))


class VerdictStore:
    """Verdicts on disk, under the hash of all that decided them: what has not changed is not judged again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, digest: str) -> Verdict | None:
        """The verdict, or None where there is none that can be read."""
        try:
            data = json.loads((self.folder / digest).read_text(encoding="utf-8"))
            findings = {name: Finding(**found) for name, found in data["findings"].items()}
            return Verdict(findings, data["seconds"], data["settled"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def save(self, digest: str, verdict: Verdict) -> None:
        """Keep a verdict."""
        write(self.folder / digest, json.dumps(asdict(verdict), ensure_ascii=False).encode())


def digest_of(task: Task) -> str:
    """The name under which a task's verdict is kept: a hash of all that decides it."""
    digest = hashlib.sha256(f"{FORMAT} {task.limits} {task.bounds} {task.walls}".encode())
    for name, asked in task.asked.items():
        digest.update(f"{name} {asked.key.name} {asked.points} {asked.origin}\0".encode())
    for cell in task.submission.cells:
        digest.update(f"{cell.number} {len(cell.source)} {cell.source}\0".encode(errors="surrogatepass"))
    for name, content in sorted(task.submission.files.items()):
        digest.update(f"{name} {len(content)} ".encode(errors="surrogatepass") + content)
    return digest.hexdigest()
