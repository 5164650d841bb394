"""nbgrader's preprocessors of ours: `Restore` before a submission is judged, and `Judge` in place of `Execute`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbformat import NotebookNode, from_dict
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Enum, Float, Integer, Unicode

from autograder.errors import AutograderError
from autograder.grading.restore import restore

if TYPE_CHECKING:
    from autograder.grading.verdict import Finding

Resources = dict[str, Any]


class Restore(NbGraderPreprocessor):  # type: ignore[misc]
    """Gives locked cells and their metadata back as they were released, and makes a notebook of what is nearly one."""

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        """The whole notebook at once."""
        about = resources["nbgrader"]
        notebook = dict(nb)
        for change in restore(notebook, session_of(self).notebooks[about["notebook"]].released):
            self.log.warning("%s: the cell %s. It is as it was released.", about["student"], change)
        return from_dict(notebook), resources


class Judge(NbGraderPreprocessor):  # type: ignore[misc]
    """Runs submissions in a sandbox and judges their answers against a key that no student has seen."""

    seed = Integer(
        None,
        allow_none=True,
        help="The seed that inputs are drawn from. By default one is made and kept in gradebook.judge/seed.",
    ).tag(config=True)
    sandbox = Enum(
        ["bubblewrap", "none"], "bubblewrap", help='"none" runs submissions with your own rights: for people you trust.'
    ).tag(config=True)
    scheduler = Unicode("", help="A Dask scheduler's address, as tcp://host:8786. Empty: this machine.").tag(
        config=True
    )
    workers = Integer(0, help="Submissions at once on this machine. 0: two for each of its processors, and one.").tag(
        config=True
    )
    case_seconds = Float(5.0, help="Seconds that a function may take on one case.").tag(config=True)
    cell_seconds = Float(10.0, help="Seconds that a cell may take.").tag(config=True)
    seconds = Float(60.0, help="Seconds that a submission may take in all.").tag(config=True)
    memory = Integer(4096, help="Megabytes of memory that a submission may use in all.").tag(config=True)
    processes = Integer(128, help="Processes and threads that a submission may have at once.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        """Put a report and a score into every test cell."""
        about = resources["nbgrader"]
        verdict = session_of(self).verdict((about["student"], about["notebook"]))
        for cell in nb.cells:
            name = cell.metadata.get("nbgrader", {}).get("grade_id")
            if name in verdict.findings:
                cell.outputs = outputs(verdict.findings[name])
        return nb, resources


def outputs(finding: Finding) -> list[NotebookNode]:
    """A test cell's outputs. nbgrader takes its score from the first `execute_result`, whose text is a number."""
    score, of = f"{finding.score:g}", f"{finding.points:g}"
    report = {"text/html": finding.html, "text/plain": finding.text}
    shown = {"text/html": f"<div>{score} of {of} points</div>", "text/plain": repr(finding.score)}
    return [
        from_dict({"output_type": "display_data", "data": report, "metadata": {}}),
        from_dict({"output_type": "execute_result", "data": shown, "metadata": {}, "execution_count": 1}),
    ]


def session_of(preprocessor: NbGraderPreprocessor) -> Any:
    """The session that a preprocessor belongs to. Raises AutograderError where nbgrader was not set up for one."""
    session = getattr(preprocessor.parent, "session", None)
    if session is None:
        raise AutograderError(
            "c.Autograde.exporter_class has to be autograder.grading.exporter.JudgingExporter, as in this course's "
            "nbgrader_config.py."
        )
    return session
