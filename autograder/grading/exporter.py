"""Where nbgrader lets us into a run: `c.Autograde.exporter_class` names the class that it makes once, when the list of
submissions is known and none is touched yet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbconvert.exporters import NotebookExporter
from nbformat import from_dict
from nbgrader.converters import Autograde, NbGraderException

from autograder.errors import AutograderError
from autograder.grading import sandbox
from autograder.grading.preprocessor import Judge

if TYPE_CHECKING:
    from autograder.grading.session import Session


class JudgingExporter(NotebookExporter):  # type: ignore[misc]
    """nbconvert's exporter, with a judging session around the conversion of a class."""

    session: Session

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.optimistic_validation = True  # once behind all preprocessors, not behind each
        self._made: dict[str, Any] = {}
        if not isinstance(self.parent, Autograde):
            return
        settings = Judge(parent=self)
        try:
            if not settings.scheduler:
                sandbox.shared(settings.sandbox).start()  # its server loads torch while this process does

            from autograder.grading.session import Session

            self.session = Session(self.parent, settings)
        except AutograderError as problem:
            self.parent.log.error("%s", problem)
            raise NbGraderException(str(problem)) from problem
        self._wrap(self.parent)

    def _wrap(self, converter: Autograde) -> None:
        """nbgrader has no hook for a run's end, nor one that a failed submission reaches."""
        convert, ended = converter.convert_notebooks, converter.run_post_convert_hook

        def convert_all() -> None:
            with self.session.at_work():
                convert()

        def one_ended() -> None:
            ended()
            self.session.close_submission(self.session.student_of(str(Path(converter.notebooks[0]).parent)))

        converter.convert_notebooks = convert_all
        converter.run_post_convert_hook = one_ended

    def register_preprocessor(self, preprocessor: Any, enabled: bool = False) -> Any:
        """As nbconvert's, but a preprocessor is made once: nbgrader registers all of them anew for each notebook."""
        if not isinstance(preprocessor, str):
            return super().register_preprocessor(preprocessor, enabled)
        if preprocessor in self._made:
            self._preprocessors.append(self._made[preprocessor])
        else:
            super().register_preprocessor(preprocessor, enabled)
            self._made[preprocessor] = self._preprocessors[-1]
        return self._made[preprocessor]

    def from_filename(self, filename: str, resources: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        """Read a notebook as hostile: what a student wrote is a notebook at most nearly. Raises NotebookProblem."""
        if not self.parent._sanitizing:  # our own file, with outputs in it
            return super().from_filename(filename, resources=resources, **kwargs)
        from autograder.grading.submission import read_notebook

        path = Path(filename)
        about = {"metadata": {"name": path.stem, "path": str(path.parent)}, **(resources or {})}
        return self.from_notebook_node(from_dict(read_notebook(path)), resources=about, **kwargs)
