"""Rules of an exercise: functions that may not be called, axes that may not be looped over, inputs left alone."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import KEYS
from torch import Tensor

from autograder.answers import collect
from autograder.judge import judge
from autograder.report import Report, Stage
from autograder.watch import Calls, names_used


def report_on(name: str, candidate: Callable[..., Any]) -> Report:
    key = next(exercise for key in KEYS.values() for exercise in key.exercises if exercise.name == name)
    return judge(key, collect(candidate, key.question))


def headline(report: Report) -> str:
    assert report.first_failure is not None
    assert report.first_failure.fault is not None
    return report.first_failure.fault.headline


def helper(x: Tensor, y: Tensor) -> Tensor:
    return torch.cdist(x, y)


def through_an_alias(x: Tensor, y: Tensor) -> Tensor:
    from torch import cdist as innocent

    return innocent(x, y)


def through_a_helper(x: Tensor, y: Tensor) -> Tensor:
    return helper(x, y)


def by_its_name_as_text(x: Tensor, y: Tensor) -> Tensor:
    result: Tensor = getattr(torch, "cdi" + "st")(x, y)
    return result


def through_another_function_of_torch(x: Tensor, y: Tensor) -> Tensor:
    return F.pairwise_distance(x[:, None], y[None], eps=0)


def by_its_operator(x: Tensor, y: Tensor) -> Tensor:
    result: Tensor = getattr(torch.ops.aten, "cdi" + "st")(x, y)
    return result


class AsAnObject:
    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.cdist(x, y)


@pytest.mark.parametrize(
    "candidate",
    [
        torch.cdist,
        helper,
        through_an_alias,
        through_a_helper,
        by_its_name_as_text,
        by_its_operator,
        AsAnObject(),
        functools.partial(helper),
    ],
)
def test_a_forbidden_function_is_named_under_every_alias(candidate: Callable[..., Any]) -> None:
    report = report_on("pairwise_distances", candidate)
    assert report.score == 0
    assert "`cdist`, which this exercise forbids" in headline(report)


def test_each_forbidden_function_has_its_own_name() -> None:
    assert "`pairwise_distance`" in headline(report_on("pairwise_distances", through_another_function_of_torch))


def test_a_forbidden_function_that_torch_does_not_dispatch_is_seen_too() -> None:
    def broadcast_shape(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
        try:
            return tuple(torch.broadcast_shapes(a, b))  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            raise ValueError from error

    report = report_on("broadcast_shape", broadcast_shape)
    assert report.score == 0
    assert report.status == "failed"


LOGITS, TARGETS = torch.zeros(3, 4), torch.tensor([0, 2, -100])


@pytest.mark.parametrize(
    ("call", "seen"),
    [
        (lambda: F.cross_entropy(LOGITS, TARGETS.clamp(min=0), ignore_index=2), True),
        (lambda: F.cross_entropy(LOGITS, TARGETS), True),
        (lambda: F.nll_loss(LOGITS, TARGETS), True),
        (lambda: torch.nn.NLLLoss(ignore_index=-100)(LOGITS, TARGETS), True),
        (lambda: F.cross_entropy(LOGITS, TARGETS.clamp(min=0)), False),
        (lambda: F.cross_entropy(LOGITS, TARGETS.clamp(min=0), ignore_index=3), False),
        (lambda: torch.vmap(F.cross_entropy)(LOGITS[:, None], TARGETS.clamp(min=0)[:, None]), False),
    ],
)
def test_a_loss_that_leaves_targets_out_is_seen_by_what_it_does(call: Callable[[], Tensor], seen: bool) -> None:
    with Calls() as calls:
        call()
    assert bool(calls.counts["ignore_index"]) is seen


def test_a_keyword_argument_is_a_name_that_is_used() -> None:
    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(logits, targets, ignore_index=7)

    def listed() -> tuple[str, str]:
        return ("ignore_index", "reduction")

    assert "ignore_index" in names_used(loss)
    assert "ignore_index" not in names_used(listed)
    assert "ignore_index" not in names_used(test_each_forbidden_function_has_its_own_name)


def test_to_raise_always_is_no_answer() -> None:
    def broadcast_shape(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
        raise ValueError("no")

    assert report_on("broadcast_shape", broadcast_shape).score == 0


def rows_in_a_loop(length: int) -> Tensor:
    mask = torch.zeros(length, length, dtype=torch.bool)
    for i in range(length):
        mask[i, : i + 1] = True
    return mask


def rows_in_a_while(length: int) -> Tensor:
    mask, i = torch.zeros(length, length, dtype=torch.bool), 0
    while i < length:
        mask[i, : i + 1] = True
        i += 1
    return mask


def rows_in_a_comprehension(length: int) -> Tensor:
    return torch.tensor([[j <= i for j in range(length)] for i in range(length)])


def rows_in_a_map(length: int) -> Tensor:
    def row(i: int) -> Tensor:
        return torch.arange(length) <= i

    return torch.stack(list(map(row, range(length))))


def rows_in_a_recursion(length: int, row: int = 0) -> Tensor:
    here = (torch.arange(length) <= row)[None]
    return here if row + 1 == length else torch.cat([here, rows_in_a_recursion(length, row + 1)])


class RowsInAnObject:
    def __call__(self, length: int) -> Tensor:
        return rows_in_a_loop(length)


@pytest.mark.parametrize(
    "candidate",
    [rows_in_a_loop, rows_in_a_while, rows_in_a_comprehension, rows_in_a_map, rows_in_a_recursion, RowsInAnObject()],
)
def test_a_loop_in_any_form_is_seen(candidate: Callable[..., Any]) -> None:
    report = report_on("causal_mask", candidate)
    assert report.score == 0
    assert headline(report).endswith("your code loops over the length axis, which this exercise forbids.")


def doubled(length: int) -> Tensor:
    """Doubles the mask until it is large enough: a loop whose steps grow with the logarithm."""
    mask = torch.ones(1, 1, dtype=torch.bool)
    while len(mask) < length:
        size = len(mask)
        top = torch.cat([mask, torch.zeros(size, size, dtype=torch.bool)], dim=1)
        bottom = torch.cat([torch.ones(size, size, dtype=torch.bool), mask], dim=1)
        mask = torch.cat([top, bottom])
    return mask[:length, :length]


def with_a_loop_over_something_else(length: int) -> Tensor:
    position = torch.arange(length)
    for axis in (0, 1):
        position = position.unsqueeze(axis)
    return (
        position[0] <= position[0].T if position.dim() == 2 else torch.arange(length) <= torch.arange(length)[:, None]
    )


@pytest.mark.parametrize("candidate", [doubled, with_a_loop_over_something_else])
def test_loops_over_other_things_are_allowed(candidate: Callable[..., Any]) -> None:
    assert report_on("causal_mask", candidate).status == "passed"


def test_an_input_that_was_changed_is_named() -> None:
    def combine_masks(padding: Tensor, causal: Tensor) -> Tensor:
        result = padding & causal
        causal.logical_not_()
        return result

    report = report_on("combine_masks", combine_masks)
    assert report.score == 0
    assert headline(report) == "Your function changed its input `causal` in place."
    assert report.first_failure is not None
    assert report.first_failure.fault is not None
    assert report.first_failure.fault.stage is Stage.SIDE_EFFECTS


@pytest.mark.parametrize(
    "candidate",
    [
        lambda x: torch.softmax(x, 0),
        lambda x: x.softmax(0),
        lambda x: F.softmax(x, 0),
        lambda x: torch.nn.Softmax(0)(x),
        lambda x: getattr(torch.special, "soft" + "max")(x, 0),
        lambda x: getattr(torch.ops.aten, "soft" + "max").int(x, 0),
        lambda x: getattr(torch._C._VariableFunctions, "soft" + "max")(x, 0),
        lambda x: torch.vmap(lambda row: row.softmax(0))(x),
    ],
)
def test_every_way_to_a_function_is_counted_under_its_name(candidate: Callable[[Tensor], Tensor]) -> None:
    with Calls() as calls:
        candidate(torch.ones(2, 3))
    assert calls.counts["softmax"]


def test_a_function_in_place_counts_as_the_function() -> None:
    with Calls() as calls:
        torch.ones(2).relu_()
    assert calls.counts["relu"]
