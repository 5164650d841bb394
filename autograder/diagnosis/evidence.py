"""Evidence: what is known of one wrong result over all cases, as a recogniser sees it.

A recogniser is a function from `Evidence` to a `Finding` or None. What it says has to hold on every case: on the wrong
ones it explains the result, and on the right ones it does not contradict it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from autograder.answers import Answer, Answers
from autograder.axes import axis, labels, of_arguments
from autograder.compare import TOLERANCES, compare, distance
from autograder.contrast import arguments_of
from autograder.diagnosis.given import Inputs, defaults, inputs_of, sizes_of
from autograder.key import ExerciseKey
from autograder.values import Outline

SLIGHT = 10.0  # tolerances
SLACK = 3.0  # tolerances: what was computed from a rounded result is rounded more than that
Transform = Callable[["Sample"], "Tensor | None"]


@dataclass(frozen=True)
class Finding:
    """What was recognised: one sentence about the learner's result, and one place to look."""

    sentence: str
    look: str = ""
    recogniser: str = ""


@dataclass(frozen=True)
class Sample:
    """One result on one case: `names` are the axes' names, `sizes` the size of each named axis of the arguments and the
    result, `right` whether nothing is wrong with it, `argument_names` the axes of each tensor among the arguments."""

    label: str
    arguments: dict[str, Any]
    expected: Any
    yours: Any
    names: list[str]
    sizes: dict[str, int]
    right: bool
    quantities: dict[str, float] = field(default_factory=dict)
    argument_names: dict[str, list[str]] = field(default_factory=dict)

    @property
    def comparable(self) -> bool:
        """Whether both sides are tensors of one shape and dtype."""
        return self.tensors and self.expected.shape == self.yours.shape and self.expected.dtype == self.yours.dtype

    @property
    def tensors(self) -> bool:
        """Whether both sides are tensors."""
        return isinstance(self.expected, Tensor) and isinstance(self.yours, Tensor)

    @cached_property
    def differs(self) -> Tensor:
        """Where a comparable pair differs."""
        return ~close(self.expected, self.yours)


@dataclass(frozen=True)
class Evidence:
    """One named result that is wrong on some case: `what` names it in a sentence, `samples` are the cases on which both
    reference and candidate returned, `raised` those on which the candidate did not, wrongly; `right_by_name` tells of
    each named result whether it is right on all cases."""

    key: ExerciseKey
    answers: Answers
    what: str
    samples: list[Sample]
    raised: list[Answer]
    name: str = "result"
    right_by_name: dict[str, bool] = field(default_factory=dict)

    @cached_property
    def wrong(self) -> list[Sample]:
        """The samples that are wrong."""
        return [each for each in self.samples if not each.right]

    @cached_property
    def right(self) -> list[Sample]:
        """The samples that are right."""
        return [sample for sample in self.samples if sample.right]

    @cached_property
    def comparable(self) -> bool:
        """Whether every wrong sample can be compared value by value."""
        return bool(self.wrong) and all(sample.comparable for sample in self.wrong)

    @cached_property
    def alike(self) -> bool:
        """Whether all wrong results have the same named axes."""
        return len({tuple(sample.names) for sample in self.wrong}) == 1

    def axis_from_end(self, index: int) -> str:
        """The last axis (-1) or the last but one (-2) in a sentence: by its name where it is the same in all cases."""
        if self.alike:
            names = self.wrong[0].names
            return axis(names, len(names) + index)
        named = {sample.names[index] for sample in self.wrong if len(sample.names) >= -index}
        name = named.pop() if len(named) == 1 else ""
        return f"the {name} axis" if name else "the last axis" if index == -1 else "the last axis but one"

    @cached_property
    def slight(self) -> bool:
        """Whether every difference is of a few tolerances only: then almost any small change would explain it."""
        return self.comparable and all(distance(s.expected, s.yours) <= SLIGHT for s in self.wrong)

    @property
    def your(self) -> str:
        """The result as a sentence begins with it: "Your result", "Part 1 of your result", "Your “column”"."""
        if self.what == "the result":
            return "Your mask" if self.boolean else "Your result"
        if self.what.startswith("“"):
            return f"Your {self.what}"
        what = self.what.replace("of the result", "of your result")
        return what[0].upper() + what[1:]

    @property
    def boolean(self) -> bool:
        """Whether the result is a boolean tensor."""
        return all(isinstance(s.expected, Tensor) and s.expected.dtype == torch.bool for s in self.samples)

    def explained_by(self, transform: Transform, least: int) -> bool:
        """Whether `transform` of each sample is the candidate's result, on every case.

        It must tell something: in the wrong samples together at least `least` places have to depend on it. A transform
        returns None where it cannot be made; then it explains no wrong sample.
        """
        told = 0
        for sample in sorted(self.samples, key=lambda sample: sample.right):
            if not sample.tensors:
                if sample.right:  # on the meta device, say: a tensor without numbers contradicts nothing
                    continue
                return False
            changed = transform(sample)
            if changed is None:
                if sample.right:
                    continue
                return False
            if changed.shape != sample.yours.shape or (not sample.right and unchanged(sample.expected, changed)):
                return False
            # as the candidate's dtype would hold it: half precision ends at 65504
            if not bool(close(changed.to(sample.yours.dtype), sample.yours, SLACK).all()):
                return False
            told += 0 if sample.right else informative(sample.expected)
        return told >= least


def unchanged(expected: Tensor, changed: Tensor) -> bool:
    """Whether a change does nothing, as a reversal along an axis of size 1."""
    return expected.shape == changed.shape and bool(close(changed, expected, SLACK).all())


def informative(expected: Tensor) -> int:
    """How many places of a tensor could have told a wrong explanation apart: none where all values are one."""
    if expected.numel() < 2 or bool((expected == expected.flatten()[0]).all()):
        return 0
    return expected.numel()


def distinct_values(values: Tensor) -> Tensor:
    """The different values of a tensor, in order."""
    found: Tensor = torch.unique(values)
    return found


def close(expected: Tensor, yours: Tensor, slack: float = 1.0) -> Tensor:
    """Where two tensors of one shape agree, within `slack` tolerances of the dtype of `yours`."""
    if yours.dtype not in TOLERANCES:
        return expected == yours
    relative, absolute = (slack * tolerance for tolerance in TOLERANCES[yours.dtype])
    e, y = expected.double(), yours.double()
    finite = e.isfinite() & ((e - y).abs() <= absolute + relative * e.abs())
    return finite | (e == y) | (e.isnan() & y.isnan())


@dataclass(frozen=True)
class _Leaf:
    what: str
    expected: Any
    yours: Any
    described: Any


# results about what a module is made of, and about what it leaves behind: `state` and `judge` tell these themselves
TOLD = ("buffers", "unsaved buffers", "zero weights", "buffers in the graph", "calls of")
FIRST_CALL = re.compile(r" (?:in|after) call 1$")  # the same as the only call of another case
CALL = re.compile(r" (?:in|after) call (\d+)$")


def uncapitalized(text: str) -> str:
    """A sentence's beginning as it stands within another sentence."""
    return text[0].lower() + text[1:]


def gather(key: ExerciseKey, answers: Answers) -> list[Evidence]:
    """The evidence on each named result that is wrong on some case, in the results' order."""
    samples: dict[tuple[str, str], list[Sample]] = {}
    raised = []
    axes, numbers = of_arguments(key.parameters, key.forward), defaults([*key.parameters, *(key.forward or [])])
    names = key.question.names
    for case, answer in zip(key.cases, answers.cases, strict=True):
        returned = answer.outcome == "returned"
        if not returned:
            raised += [] if case["raises"] and case["raises"] in answer.raised else [answer]
        inputs: dict[int, Inputs] = {}
        for name, expected in case["expected"].items():
            call = CALL.search(name)
            number = int(call[1]) if call else 1
            # what a module is made of is known even where calling it fails
            known = returned or (name == "parameters" and name in answer.results)
            if known and not name.startswith(TOLD):
                if number not in inputs:
                    inputs[number] = inputs_of(numbers | arguments_of(case, names, number), axes)
                for leaf in _leaves_of(key, name, expected, answer.results.get(name)):
                    known_as = (FIRST_CALL.sub("", name), FIRST_CALL.sub("", leaf.what))
                    samples.setdefault(known_as, []).append(_sample(case, inputs[number], leaf))
    right = {name: all(s.right for (n, _), found in samples.items() if n == name for s in found) for name, _ in samples}
    evidence = [Evidence(key, answers, what, found, raised, name, right) for (name, what), found in samples.items()]
    wrong = [each for each in evidence if each.wrong]
    # where a module is made of other parameters, what it computes says nothing; where it computes something else, its
    # gradients say nothing
    made = [each for each in wrong if each.name == "parameters"]
    computed = [each for each in wrong if not each.name.startswith("gradient of ")] or wrong
    # likewise a later call, where the first one is wrong already
    first = [each for each in computed if CALL.search(each.name) is None]
    return made or first or computed


def _leaves_of(key: ExerciseKey, name: str, expected: Any, yours: Any) -> Iterator[_Leaf]:
    """The parts of a named result. A parameter's shape is an outline of a tensor."""
    if name != "parameters":
        yield from _leaves(expected, yours, key.described(name), f"the {name}")
    elif isinstance(yours, dict) and yours.keys() == expected.keys():
        for parameter, shape in expected.items():
            sizes = [shape, yours[parameter]]
            wanted, came = (Outline(torch.float32, each) if isinstance(each, tuple) else each for each in sizes)
            yield _Leaf(f"the parameter `{parameter}`", wanted, came, key.described(parameter))
    else:
        yield _Leaf("the parameters", expected, yours, None)


def _leaves(expected: Any, yours: Any, described: Any, what: str) -> Iterator[_Leaf]:
    """The parts of a result that are judged by themselves, named as in the faults that `compare` tells."""
    if isinstance(expected, dict) and isinstance(yours, dict) and expected.keys() == yours.keys():
        for name in expected:
            yield from _leaves(expected[name], yours[name], None, f"“{name}”")
    elif _parts(expected) and type(yours) is type(expected) and len(yours) == len(expected):
        for i, (wanted, came) in enumerate(zip(expected, yours, strict=True)):
            item = described[i] if isinstance(described, list) and i < len(described) else None
            yield from _leaves(wanted, came, item, f"part {i} of {what}")
    else:
        yield _Leaf(what, expected, yours, described)


def _parts(value: Any) -> bool:
    return isinstance(value, tuple | list) and any(isinstance(item, Tensor | tuple) for item in value)


def _sample(case: dict[str, Any], inputs: Inputs, leaf: _Leaf) -> Sample:
    shape = leaf.expected.shape if isinstance(leaf.expected, Tensor | Outline) else ()
    dims = leaf.described.get("dims", "") if isinstance(leaf.described, dict) else ""
    names = labels(dims, len(shape)) or [""] * len(shape)
    sizes = sizes_of([*inputs.tensors.values(), (names, shape)])
    yours = leaf.yours
    if _integer_width_is_free(leaf):
        yours = yours.to(leaf.expected.dtype)
    right = leaf.expected == yours if isinstance(leaf.expected, Outline) else _is_right(leaf)
    of_arguments = {name: axes for name, (axes, _) in inputs.tensors.items()}
    quantities = case.get("quantities", {})
    return Sample(case["label"], inputs.arguments, leaf.expected, yours, names, sizes, right, quantities, of_arguments)


def _is_right(leaf: _Leaf) -> bool:
    return compare(leaf.expected, leaf.yours, leaf.described, leaf.what) is None


def _integer_width_is_free(leaf: _Leaf) -> bool:
    free = isinstance(leaf.described, dict) and leaf.described.get("dtype") == "Int"
    return free and not leaf.yours.dtype.is_floating_point if isinstance(leaf.yours, Tensor) else False


def with_recogniser(finding: Finding, recogniser: Callable[[Evidence], Finding | None]) -> Finding:
    """The finding, with the name of what found it."""
    return replace(finding, recogniser=recogniser.__name__)
