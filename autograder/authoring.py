"""What an author writes in `checks.py`: exercises with their cases, misconceptions and variants.

causal_mask = Exercise("causal_mask", points=2, hints=["Which positions may token i look at?", "...", "..."])

@causal_mask.case("five tokens")
def _(draw):
    return {"length": 5}

@causal_mask.misconception
def sees_the_future(length):
    \"\"\"Row i is what token i may look at. Yours lets it look ahead: keep the lower triangle.\"\"\"
    return torch.ones(length, length, dtype=torch.bool).triu()

@causal_mask.variant
def by_comparison(length):
    position = torch.arange(length)
    return position <= position[:, None]
"""

from __future__ import annotations

import importlib.util
import inspect
import linecache
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from autograder.draw import Draw
from autograder.errors import LessonProblem
from autograder.plans import built
from autograder.quiet import quiet
from autograder.values import Own, Recipe

__all__ = ["Case", "Exercise", "Lesson", "Misconception", "Own", "built", "load_lesson", "recipe"]

Candidate = Callable[..., Any]
DrawArguments = Callable[[Draw], dict[str, Any]]
Memory = Literal["", "view", "copy"]
DrawOfSize = Callable[[Draw, int], dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """One labelled set of inputs, and the probe that tries a candidate on it. `raises` names the exception that is the
    right answer, where one is; `memory` overrides the exercise's where it is not None."""

    label: str
    arguments: DrawArguments
    probe: str = "call"
    raises: str = ""
    memory: Memory | None = None


@dataclass(frozen=True)
class Misconception:
    """A wrong candidate that learners really write, and the sentence that sets it right."""

    name: str
    sentence: str
    candidate: Candidate


@dataclass
class Exercise:
    """One function that the learner writes, and all that decides whether it is right.

    `needs` names the earlier exercises that this one builds on, `forbids` the functions that may not be called (by
    their last name: "cdist" stands for torch.cdist and every alias of it, "Linear" for nn.Linear and what inherits from
    it) and the keyword arguments that may not be used ("ignore_index"). `memory` tells whether the result must lie in
    an input's memory ("view") or must not ("copy"), `contiguous` whether it has to be. `quantities` are numbers that
    have a name in this exercise, each a function of a case's arguments, beside the sizes of its axes and its arguments
    that are numbers: a result that is wrong by such a factor is told its name.
    """

    name: str
    points: int = 1
    hints: Sequence[str] = ()
    needs: Sequence[str] = ()
    forbids: Sequence[str] = ()
    memory: Memory = ""
    contiguous: bool = False
    quantities: Mapping[str, Callable[[dict[str, Any]], float]] = field(default_factory=dict)
    cases: list[Case] = field(default_factory=list)
    misconceptions: list[Misconception] = field(default_factory=list)
    variants: dict[str, Candidate] = field(default_factory=dict)
    loop_axis: str | None = None
    loop_arguments: DrawOfSize | None = None

    def case(
        self,
        label: str,
        probe: str = "call",
        raises: type[Exception] | None = None,
        memory: Memory | None = None,
    ) -> Callable[[DrawArguments], DrawArguments]:
        """Add a case: the decorated function draws its arguments."""

        def add(arguments: DrawArguments) -> DrawArguments:
            if any(case.label == label for case in self.cases):
                raise LessonProblem(f"{self.name} has two cases labelled {label!r}: labels tell cases apart.")
            self.cases.append(Case(label, arguments, probe, raises.__name__ if raises else "", memory))
            return arguments

        return add

    def misconception(self, candidate: Candidate) -> Candidate:
        """Add a misconception: the decorated candidate's docstring is the sentence that learners read."""
        if not candidate.__doc__:
            raise LessonProblem(f"{self.name}'s misconception {candidate.__name__} needs a docstring for learners.")
        sentence = inspect.cleandoc(candidate.__doc__).replace("\n", " ")
        self.misconceptions.append(Misconception(candidate.__name__, sentence, candidate))
        return candidate

    def variant(self, candidate: Candidate) -> Candidate:
        """Add a variant: another right candidate."""
        self.variants[candidate.__name__] = candidate
        return candidate

    def no_loop_over(self, axis: str) -> Callable[[DrawOfSize], DrawOfSize]:
        """Forbid Python loops over `axis`: the decorated function draws arguments that give that axis a size."""

        def add(arguments: DrawOfSize) -> DrawOfSize:
            self.loop_axis, self.loop_arguments = axis, arguments
            return arguments

        return add


def recipe(
    name: str, *arguments: Any, frozen: Sequence[str] = (), hooked: Sequence[str] = (), own: bool = False
) -> Recipe:
    """A module that a case hands to a candidate: `recipe("Sequential", recipe("Linear", 3, 5), recipe("ReLU"))`.

    `name` is a class of torch.nn or of `recipes.SPECIMENS`, or with `own=True` one of the candidate's own notebook.
    `frozen` names parameters that are not trained, `hooked` submodules that carry a forward hook from the start.
    """
    return Recipe(name, list(arguments), list(frozen), list(hooked), own)


@dataclass(frozen=True)
class Lesson:
    """A lesson's exercises, in order, with the module that holds their references."""

    name: str
    folder: Path
    exercises: list[Exercise]
    module: ModuleType

    def reference(self, exercise: Exercise) -> Candidate:
        """The reference solution of one of the lesson's exercises."""
        candidate: Candidate = getattr(self.module, exercise.name)
        return candidate

    @property
    def sources(self) -> list[Path]:
        """The files an author edits."""
        return [self.folder / f"{self.name}.py", self.folder / "checks.py"]


def load_lesson(folder: Path) -> Lesson:
    """The lesson in `solutions/<lesson>`. Raises LessonProblem where a file, a reference or an exercise is missing."""
    folder = folder.resolve()
    with quiet():
        reference = _load(folder / f"{folder.name}.py", f"solution_{folder.name}")
        checks = _load(folder / "checks.py", f"checks_{folder.name}")
    exercises = [value for value in vars(checks).values() if isinstance(value, Exercise)]
    if not exercises:
        raise LessonProblem(f"{folder / 'checks.py'} defines no Exercise.")
    for exercise in exercises:
        if not callable(getattr(reference, exercise.name, None)):
            raise LessonProblem(f"{folder.name}.py has no function `{exercise.name}`, which checks.py names.")
        if not exercise.cases:
            raise LessonProblem(f"{exercise.name} has no cases: add one with @{exercise.name}.case(label).")
    return Lesson(folder.name, folder, exercises, reference)


def _load(path: Path, name: str) -> ModuleType:
    if not path.is_file():
        raise LessonProblem(f"{path} is missing: every lesson has one (see CONTRIBUTING.md).")
    linecache.checkcache(str(path))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and type hints look their module up by name
    try:
        spec.loader.exec_module(module)
    except LessonProblem:
        raise
    except Exception as error:
        raise LessonProblem(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
    return module
