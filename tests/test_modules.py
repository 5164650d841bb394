"""Exercises whose answer is a module, or that are given one: what the probes see, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autograder import text
from autograder.answers import collect
from autograder.authoring import Exercise, Lesson, built, load_lesson, recipe
from autograder.judge import judge
from autograder.key import Key, make_key
from autograder.plans import Plan
from autograder.recipes import fill, made
from autograder.report import Report, Stage
from autograder.values import Recipe, identical, pack, unpack

REFERENCE = """
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn


class Scale(nn.Module):
    weight: Float[Tensor, "d_out d_in"]
    count: Float[Tensor, "d_in"]

    def __init__(self, d_in: int, d_out: int, eps: float = 0.5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_out, d_in))
        self.register_buffer("count", torch.zeros(d_in))
        self.eps = eps

    def forward(self, x: Float[Tensor, "batch d_in"]) -> Float[Tensor, "batch d_out"]:
        if self.training:
            self.count = self.count + x.detach().sum(dim=0)
        return x @ self.weight.T + self.eps


def rows_of(x: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch feature"]:
    return x[:, :2]


def doubled(x: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch feature"]:
    return 2 * x.clone()


def same(x: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch feature"]:
    return x.clone()


def turned(x: Float[Tensor, "batch feature"]) -> Float[Tensor, "feature batch"]:
    return x.T.contiguous()


class Total:
    def __init__(self, start: float) -> None:
        self.total = start

    def add(self, x: Float[Tensor, "batch feature"]) -> Float[Tensor, "feature"]:
        self.total = self.total + x.sum(dim=0)
        return self.total


class Lengths(nn.Module):
    def __init__(self, d: int) -> None:
        super().__init__()
        self.linear = nn.Linear(d, d)

    def forward(
        self, x: Float[Tensor, "batch seq d"], mask: Bool[Tensor, "batch seq"]
    ) -> Float[Tensor, "batch seq d"]:
        return self.linear(x)


def parts_of(module: nn.Module) -> int:
    return len(list(module.children()))


class Mixed(nn.Module):
    def __init__(self, d: int) -> None:
        super().__init__()
        if d < 1:
            raise ValueError("no features")
        self.scale = Scale(2, d)
        self.table = nn.Embedding(9, 2)
        self.parts = nn.ModuleList([nn.Linear(d, 2 * d, bias=False), nn.LayerNorm(2 * d)])
        self.conv = nn.Conv1d(1, 3, 2, bias=False)

    def forward(self, tokens: Int[Tensor, "batch seq"]) -> Float[Tensor, "batch seq feature"]:
        x = self.scale(self.table(tokens))
        return self.parts[1](self.parts[0](x)) + self.conv.weight.sum()


def convolved(c_in: int, c_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(c_in, c_out, (2, 3)), nn.BatchNorm2d(c_out))


def planned(build: int, steps: Float[Tensor, "batch feature"], device: str) -> Float[Tensor, "batch feature"]:
    return build * steps


class Block(nn.Module):
    def __init__(self, d: int) -> None:
        super().__init__()
        self.linear = nn.Linear(d, d)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Float[Tensor, "batch d"]) -> Float[Tensor, "batch d"]:
        return self.dropout(self.linear(x).relu())


class Stem(nn.Module):
    def __init__(self, d: int) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(d, d), nn.Linear(d, d)

    def forward(self, x: Float[Tensor, "batch d"]) -> Float[Tensor, "batch d"]:
        return self.inner(x) + self.outer(self.inner(x).relu())


class Tower(nn.Module):
    def __init__(self, block: type[nn.Module], d: int, depth: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*[block(d) for _ in range(depth)])

    def forward(self, x: Float[Tensor, "batch d"]) -> Float[Tensor, "batch d"]:
        return self.blocks(x)
"""

CHECKS = """
from autograder.authoring import Exercise, Own, built, recipe

block = Exercise("Block")
tower = Exercise("Tower", needs=["Block"])
scale = Exercise("Scale", forbids=["Linear"])
rows_of = Exercise("rows_of", memory="view")
doubled = Exercise("doubled")
same = Exercise("same", memory="copy")
turned = Exercise("turned", contiguous=True)
parts_of = Exercise("parts_of")
planned = Exercise("planned")
mixed = Exercise("Mixed")
convolved = Exercise("convolved")
stem = Exercise("Stem")
total = Exercise("Total")
lengths = Exercise("Lengths")

@total.case("three rows, then one")
def _(draw):
    return built(0.5).method("add", draw.normal(3, 2)).method("add", draw.normal(1, 2))

@lengths.case("padding on the right")
def _(draw):
    mask = draw.integers(0, 2, 2, 3).bool()
    return built(2).differentiate(draw.normal(2, 3, 2), mask).only(mask)

@scale.case("one call")
def _(draw):
    return built(3, 2).differentiate(draw.normal(4, 3))

@scale.case("two calls, then evaluation")
def _(draw):
    return built(2, 5, eps=0.25).call(draw.normal(3, 2)).call(draw.normal(1, 2)).eval().call(draw.normal(6, 2))

@scale.case("double precision")
def _(draw):
    import torch
    return built(2, 3).to(torch.float64).call(draw.normal(3, 2, dtype=torch.float64))

@block.case("training and evaluation")
def _(draw):
    return built(6).differentiate(draw.normal(5, 6)).eval().call(draw.normal(2, 6))

@tower.case("two blocks of one's own")
def _(draw):
    return built(Own("Block"), 4, 2).call(draw.normal(3, 4))

@tower.case("too large to be filled")
def _(draw):
    return built(Own("Block"), 30_000, 4).meta().call(draw.normal(1, 1).expand(2, 30_000))

@stem.case("the gradient of one parameter alone")
def _(draw):
    return built(3).differentiate_only(["inner.bias"], draw.normal(2, 3))

@stem.case("gradients without numbers")
def _(draw):
    return built(5).meta().differentiate(draw.normal(2, 5))

@rows_of.case("a matrix")
def _(draw):
    return {"x": draw.normal(3, 4)}

@doubled.case("with gradients", probe="gradients")
def _(draw):
    return {"x": draw.normal(3, 4)}

@same.case("a matrix")
def _(draw):
    return {"x": draw.normal(3, 4)}

@turned.case("a matrix")
def _(draw):
    return {"x": draw.normal(3, 4)}

@parts_of.case("three")
def _(draw):
    parts = [recipe("Linear", 2, 3), recipe("Tied", 4), recipe("ReLU")]
    return {"module": recipe("Sequential", *parts, hooked=["0"])}

@mixed.case("five tokens")
def _(draw):
    return built(3).eval().differentiate(draw.integers(0, 8, 2, 5))

@mixed.case("no features", raises=ValueError)
def _(draw):
    return built(0).call(draw.integers(0, 8, 2, 5))

@convolved.case("two channels in, five out")
def _(draw):
    return built(2, 5).eval().differentiate(draw.normal(2, 2, 4, 6))

@planned.case("two")
def _(draw):
    return {"build": 2, "steps": draw.normal(3, 4), "device": "cpu"}

@planned.case("five")
def _(draw):
    return {"build": 5, "steps": draw.normal(2, 6), "device": "cpu"}
"""


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    return make_key(lesson_in(tmp_path_factory.mktemp("solutions") / "91_modules", REFERENCE, CHECKS))


def lesson_in(folder: Path, reference: str, checks: str) -> Lesson:
    folder.mkdir()
    (folder / f"{folder.name}.py").write_text(reference)
    (folder / "checks.py").write_text(checks)
    return load_lesson(folder)


def report_on(key: Key, name: str, candidate: Any) -> Report:
    part = key.exercise(name)
    return judge(part, collect(candidate, part.question))


def told(report: Report) -> str:
    assert report.first_failure is not None
    assert report.first_failure.fault is not None
    return report.first_failure.fault.headline


class Right(nn.Module):
    """Other parameter names, other initial weights, another order, a buffer of its own: right all the same."""

    count: Tensor

    def __init__(self, inputs: int, outputs: int, offset: float = 0.5) -> None:
        super().__init__()
        self.offset = offset
        self.register_buffer("mine", torch.ones(1))
        self.count = nn.Buffer(torch.zeros(inputs))
        self.weight = nn.Parameter(torch.rand(outputs, inputs))

    def forward(self, batch: Tensor) -> Tensor:
        if self.training:
            with torch.no_grad():
                self.count += batch.sum(0)
        return torch.einsum("bi,oi->bo", batch, self.weight) + self.offset


class Turned(Right):
    def __init__(self, d_in: int, d_out: int, eps: float = 0.5) -> None:
        super().__init__(d_in, d_out, eps)
        self.weight = nn.Parameter(torch.rand(d_in, d_out))


class Renamed(nn.Module):
    def __init__(self, d_in: int, d_out: int, eps: float = 0.5) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.rand(d_out, d_in))


class Hidden(Right):
    def __init__(self, d_in: int, d_out: int, eps: float = 0.5) -> None:
        super().__init__(d_in, d_out, eps)
        del self.weight
        self.weight = torch.rand(d_out, d_in)  # type: ignore[assignment]


class TooMany(Right):
    def __init__(self, d_in: int, d_out: int, eps: float = 0.5) -> None:
        super().__init__(d_in, d_out, eps)
        self.bias = nn.Parameter(torch.rand(d_out))


class Zero(Right):
    def __init__(self, d_in: int, d_out: int, eps: float = 0.5) -> None:
        super().__init__(d_in, d_out, eps)
        nn.init.zeros_(self.weight)


class CountTrained(Right):
    def __init__(self, d_in: int, d_out: int, eps: float = 0.5) -> None:
        super().__init__(d_in, d_out, eps)
        del self.count
        self.count = nn.Parameter(torch.zeros(d_in))


class CountNotSaved(Right):
    def __init__(self, d_in: int, d_out: int, eps: float = 0.5) -> None:
        super().__init__(d_in, d_out, eps)
        self.count = nn.Buffer(torch.zeros(d_in), persistent=False)


class CountStartsAtOne(Right):
    def __init__(self, d_in: int, d_out: int, eps: float = 0.5) -> None:
        super().__init__(d_in, d_out, eps)
        self.count += 1


class CutOff(Right):
    def forward(self, batch: Tensor) -> Tensor:
        return super().forward(batch.detach())


class Stubborn(Right):
    def forward(self, batch: Tensor) -> Tensor:
        self.count = self.count + batch.detach().sum(0)
        return batch @ self.weight.T + self.offset


class Hoarding(Right):
    def forward(self, batch: Tensor) -> Tensor:
        if self.training:
            self.count = self.count + batch.sum(0)
        return batch @ self.weight.T + self.offset


class OutOfDtype(Right):
    def forward(self, batch: Tensor) -> Tensor:
        super().forward(batch)
        return (batch @ self.weight.T).float() + self.offset


class WritesIntoItsInput(Right):
    def forward(self, batch: Tensor) -> Tensor:
        result = super().forward(batch)
        if not batch.requires_grad:  # its gradients are right
            batch += 1
        return result


class InTwoAxesOnly(nn.Linear):
    def __init__(self, d_in: int, d_out: int, eps: float = 0.5) -> None:
        super().__init__(d_in, d_out, bias=False)


def test_a_right_module_passes_whatever_its_style(key: Key) -> None:
    report = report_on(key, "Scale", Right)
    assert report.status == "passed", text.render(report)


@pytest.mark.parametrize(
    ("candidate", "stage", "headline"),
    [
        (Turned, Stage.STATE, "The d_out and d_in axes are swapped in the parameter `weight`."),
        (Renamed, Stage.STATE, "Your module has no parameter `weight`."),
        (Hidden, Stage.STATE, "Your module has no parameter `weight`."),
        (TooMany, Stage.STATE, "Your module has a parameter `bias` that is not asked for."),
        (Zero, Stage.STATE, "The parameter `weight` is all zeros when the module is built."),
        (CountTrained, Stage.STATE, "Your module has a parameter `count` that is not asked for."),
        (CountNotSaved, Stage.STATE, "Your module has no buffer `count`."),
        (
            CountStartsAtOne,
            Stage.STATE,
            "3 of 3 values of the buffer `count` of a new module differ, the first at [d_in=0].",
        ),
        (CutOff, Stage.GRADIENTS, "No gradient reaches x."),
        (
            Stubborn,
            Stage.VALUES,
            "2 of 2 values of the buffer count after call 3 differ, the first at [d_in=0].",
        ),
        (Hoarding, Stage.GRADIENTS, "The buffer `count` still hangs on the graph that it was computed in."),
        (OutOfDtype, Stage.DTYPE, "The result holds float32 values; float64 was expected."),
        (WritesIntoItsInput, Stage.SIDE_EFFECTS, "Your function changed its input `x` in place, in call 1."),
        (InTwoAxesOnly, Stage.FORBIDDEN, "Your code uses `Linear`, which this exercise forbids."),
        (lambda d_in, d_out, eps=0.5: Right(d_in, d_out, eps), Stage.CALLABLE, "`Scale` is a function, not a class."),
        (dict, Stage.STATE, "What your code builds is not a module but an object of type Scale."),
        (nn.ReLU, Stage.SIGNATURE, "`Scale` cannot be called with the parameters of the stub."),
    ],
)
def test_a_wrong_module_is_told_what_is_wrong_first(key: Key, candidate: Any, stage: Stage, headline: str) -> None:
    if candidate is dict:
        candidate = type("Scale", (dict,), {"__init__": lambda self, d_in, d_out, eps=0.5: None})
    report = report_on(key, "Scale", candidate)
    assert report.status == "failed"
    assert told(report) == headline
    assert report.first_failure is not None
    assert report.first_failure.fault is not None
    assert report.first_failure.fault.stage is stage


def test_what_a_module_is_made_of_is_told_even_where_its_forward_raises(key: Key) -> None:
    assert told(report_on(key, "Scale", Renamed)) == "Your module has no parameter `weight`."


def test_a_view_is_told_from_a_copy(key: Key) -> None:
    assert report_on(key, "rows_of", lambda x: x.narrow(1, 0, 2)).status == "passed"
    assert "it is a copy; a view of the input was asked for" in told(report_on(key, "rows_of", lambda x: x[:, [0, 1]]))
    assert report_on(key, "doubled", lambda x: x + x).status == "passed"

    class InTheInputsMemory(torch.autograd.Function):
        @staticmethod
        def forward(_: Any, x: Tensor) -> Tensor:
            return x.view_as(x)

        @staticmethod
        def backward(_: Any, *gradients: Tensor) -> Tensor:
            return gradients[0]

    assert "in the memory of `x`; a copy was asked for" in told(
        report_on(key, "same", lambda x: InTheInputsMemory.apply(x))  # type: ignore[no-untyped-call]
    )
    assert report_on(key, "turned", lambda x: torch.stack(list(x), dim=1)).status == "passed"
    assert "it is not contiguous" in told(report_on(key, "turned", lambda x: x.T))


def test_gradients_of_a_function_are_compared(key: Key) -> None:
    assert told(report_on(key, "doubled", lambda x: 2 * x.detach())) == "No gradient reaches x."
    headline = told(report_on(key, "doubled", lambda x: x + x.detach()))
    assert headline == "12 of 12 values of the gradient of x differ, the first at [batch=0, feature=0]."


def test_a_module_that_is_given_is_left_as_it_was(key: Key) -> None:
    def with_hooks(module: nn.Module) -> int:
        module.register_forward_hook(lambda *_: None)
        return 3

    def in_evaluation(module: nn.Module) -> int:
        return len(list(module.eval().children()))

    def trained(module: nn.Module) -> int:
        nn.init.ones_(next(module.parameters()))
        return 3

    assert report_on(key, "parts_of", lambda module: len(module)).status == "passed"
    assert told(report_on(key, "parts_of", with_hooks)) == (
        "Your code leaves other hooks on `module` than were there before."
    )
    assert (
        told(report_on(key, "parts_of", in_evaluation)) == "Your code leaves `module` in another mode than it was in."
    )
    assert told(report_on(key, "parts_of", trained)) == "Your function changed its input `module` in place."


def test_a_forbidden_module_is_seen_where_it_is_called(key: Key) -> None:
    class Wrapper(Right):
        def forward(self, batch: Tensor) -> Tensor:
            getattr(nn, "Lin" + "ear")(2, 2)(torch.zeros(2))
            return super().forward(batch)

    assert told(report_on(key, "Scale", Wrapper)) == "Your code uses `Linear`, which this exercise forbids."


def test_recipes_and_plans_cross_as_bytes() -> None:
    inner = recipe("Sequential", recipe("Linear", 2, 3), recipe("ReLU"), frozen=["0.bias"], hooked=["1"])
    plan = built(inner, factor=2.0).call(torch.ones(2)).to(torch.float16).eval()
    assert identical(unpack(pack(plan)), dict(plan))
    assert isinstance(plan, Plan)
    module = made(inner, {})
    assert isinstance(module, nn.Sequential)
    assert not module[0].bias.requires_grad
    assert len(module[1]._forward_hooks) == 1
    assert isinstance(inner, Recipe)


def test_weights_are_filled_by_name_and_shape_whatever_their_order() -> None:
    class First(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Parameter(torch.zeros(2, 3)), nn.Parameter(torch.ones(3))

    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.b, self.a = nn.Parameter(torch.rand(3)), nn.Parameter(torch.rand(2, 3))

    assert identical(dict(fill(First()).state_dict()), {name: fill(Last()).state_dict()[name] for name in ("a", "b")})
    assert fill(First()).get_parameter("b").std() > 0


def test_a_stub_whose_init_is_not_written_is_not_attempted_and_one_whose_forward_is_not_says_so(key: Key) -> None:
    class Stub(nn.Module):
        def __init__(self, d_in: int, d_out: int, eps: float = 0.5) -> None:
            super().__init__()
            raise NotImplementedError

    class Half(Right):
        def forward(self, batch: Tensor) -> Tensor:
            raise NotImplementedError

    assert report_on(key, "Scale", Stub).status == "unattempted"
    report = report_on(key, "Scale", Half)
    assert report.first_failure is not None
    assert report.first_failure.fault is not None
    assert report.first_failure.fault.yours == "it calls `forward`, which is not written yet"


def test_a_class_that_is_no_module_is_judged_by_its_method(key: Key) -> None:
    class Total:
        def __init__(self, start: float) -> None:
            self.rows = [torch.tensor(start)]

        def add(self, x: Tensor) -> Tensor:
            self.rows += list(x)
            return sum(self.rows, torch.zeros(()))

    class Module(nn.Module):
        def __init__(self, start: float) -> None:
            super().__init__()
            self.total = torch.tensor(start)

        def add(self, x: Tensor) -> Tensor:
            self.total = self.total + x.sum(dim=0)
            return self.total

    class Forgetful(Total):
        def add(self, x: Tensor) -> Tensor:
            return x.sum(dim=0) + 0.5

    for candidate in (Total, Module):
        assert report_on(key, "Total", candidate).status == "passed"
    report = report_on(key, "Total", Forgetful)
    assert report.first_failure is not None
    assert report.first_failure.fault is not None
    assert "the result in call 2" in report.first_failure.fault.headline
    report = report_on(key, "Total", type("Total", (), {"__init__": lambda self, start: None}))
    assert report.first_failure is not None
    assert report.first_failure.fault is not None
    assert "has no attribute 'add'" in report.first_failure.fault.yours


def test_places_that_are_not_asked_for_hold_anything_and_get_no_gradient(key: Key) -> None:
    class Filled(nn.Module):
        fill, beside = 1e9, 0.0

        def __init__(self, d: int) -> None:
            super().__init__()
            self.linear = nn.Linear(d, d)

        def forward(self, x: Tensor, mask: Tensor) -> Any:
            return self.beside + self.linear(x).masked_fill(~mask[..., None], self.fill)

    class Nan(Filled):
        fill = torch.nan

    class Beside(Filled):
        beside = 1.0

    class Transposed(Filled):
        def forward(self, x: Tensor, mask: Tensor) -> Any:
            return self.linear(x).transpose(0, 1)

    for candidate in (Filled, Nan):
        assert report_on(key, "Lengths", candidate).status == "passed"
    assert report_on(key, "Lengths", Beside).status == "failed"
    report = report_on(key, "Lengths", Transposed)
    assert report.first_failure is not None
    assert report.first_failure.fault is not None
    assert report.first_failure.fault.stage == Stage.SIZES


def test_an_exercise_that_wants_a_class_says_so_in_its_heading(key: Key) -> None:
    assert key.exercise("Total").heading == "class Total"
    assert key.exercise("Scale").heading == "class Scale(nn.Module)"
    assert key.exercise("rows_of").heading == "def rows_of(x)"
    assert Exercise("x").memory == ""


class Block(nn.Module):
    """A block with dropout, whose class attributes say what is done otherwise than asked."""

    p = 0.5
    before = False

    def __init__(self, d: int) -> None:
        super().__init__()
        self.linear = nn.Linear(d, d)

    def forward(self, x: Tensor) -> Tensor:
        if self.before:
            dropped = nn.functional.dropout(x, self.p, self.training)
            return torch.relu(self.linear(dropped))
        return torch.dropout(self.linear(x).relu(), self.p, self.training)


def test_dropout_drops_the_same_places_for_everyone_so_its_place_and_its_p_are_seen(key: Key) -> None:
    assert report_on(key, "Block", Block).status == "passed"
    for wrong in ({"p": 0.4}, {"p": 0.0}, {"before": True}):
        report = report_on(key, "Block", type("Block", (Block,), wrong))
        assert report.status == "failed", wrong
        assert "values of the result in call 1 differ" in told(report)


class Tower(nn.Module):
    def __init__(self, block: type[nn.Module], d: int, depth: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([block(d) for _ in range(depth)])

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x


class ShortTower(Tower):
    def __init__(self, block: type[nn.Module], d: int, depth: int) -> None:
        super().__init__(block, d, min(depth, 2))


def test_a_network_is_built_from_the_learners_own_block_and_its_size_is_seen_without_its_memory(key: Key) -> None:
    report = report_on(key, "Tower", Tower)
    assert report.status == "passed", text.render(report)
    assert told(report_on(key, "Tower", ShortTower)) == "Your module has no parameter `blocks.2.linear.weight`."


def test_a_block_that_is_missing_is_named(key: Key) -> None:
    namespace: dict[str, Any] = {"nn": nn}
    exec("class Tower(nn.Module):\n    def __init__(self, block, d, depth):\n        super().__init__()", namespace)
    report = report_on(key, "Tower", namespace["Tower"])
    assert report.first_failure is not None
    assert report.first_failure.fault is not None
    assert "builds on your `Block`, which is not defined" in report.first_failure.fault.yours


class Stem(nn.Module):
    def __init__(self, d: int) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(d, d), nn.Linear(d, d)

    def cut(self, x: Tensor) -> Tensor:
        return x

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = self.inner(x)
        outer: Tensor = self.outer(self.cut(inner).relu())
        return inner + outer


class StemCut(Stem):
    def cut(self, x: Tensor) -> Tensor:
        return x.detach()


class StemAllCut(Stem):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.detach())


def test_the_gradients_that_are_named_are_judged_and_no_others(key: Key) -> None:
    assert report_on(key, "Stem", Stem).status == "passed"
    expected = key.exercise("Stem").cases[0]["expected"]
    assert [name for name in expected if name.startswith("gradient")] == ["gradient of inner.bias"]
    assert "values of the gradient of inner.bias differ" in told(report_on(key, "Stem", StemCut))


def test_a_gradient_that_does_not_arrive_is_seen_on_the_meta_device_too(key: Key) -> None:
    report = report_on(key, "Stem", StemAllCut)
    assert [verdict.status for verdict in report.verdicts] == ["passed", "failed"]
    assert told(report) == "No gradient reaches x."


def test_a_function_whose_parameters_are_named_as_the_parts_of_a_plan_is_called_with_them(key: Key) -> None:
    def right(build: int, steps: Tensor, device: str) -> Tensor:
        return build * steps

    def ignoring(build: int, steps: Tensor, device: str) -> Tensor:
        return steps.sin()

    def changing(build: int, steps: Tensor, device: str) -> Tensor:
        return steps.mul_(build)

    assert report_on(key, "planned", right).status == "passed"
    assert told(report_on(key, "planned", changing)) == "Your function changed its input `steps` in place."
    assert report_on(key, "planned", ignoring).diagnosis == "Your result does not change when `build` changes."
    assert told(report_on(key, "planned", lambda build: build)).endswith("called with the parameters of the stub.")


class Scale(nn.Module):
    def __init__(self, d_in: int, d_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(d_out, d_in))
        self.register_buffer("count", torch.zeros(d_in))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight.T + 0.5


class Mixed(nn.Module):
    """Right; `wrong` names the layer that another one stands in for."""

    wrong = ""

    def __init__(self, d: int) -> None:
        super().__init__()
        if d < 1:
            raise ValueError("no features")
        self.scale = Scale(d, 2) if self.wrong == "scale" else Scale(2, d)
        self.table = nn.Embedding(2, 9) if self.wrong == "table" else nn.Embedding(9, 2)
        first = nn.Linear(2 * d, d, bias=False) if self.wrong == "linear" else nn.Linear(d, 2 * d, bias=False)
        self.parts = nn.ModuleList([first, nn.LayerNorm(d if self.wrong == "norm" else 2 * d)])
        self.conv = nn.Conv1d(1, 3, 1 if self.wrong == "conv" else 2, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        x: Tensor = self.parts[1](self.parts[0](self.scale(self.table(tokens))))
        added = self.conv.weight.sum()
        return x + added + (0.1 * added - 0.1 * added.detach() if self.wrong == "gradient" else 0)


@pytest.mark.parametrize(
    ("wrong", "headline"),
    [
        ("linear", "The out_features and in_features axes are swapped in the parameter `parts.0.weight`."),
        ("table", "The num_embeddings and embedding_dim axes are swapped in the parameter `table.weight`."),
        ("scale", "The d_out and d_in axes are swapped in the parameter `scale.weight`."),
        ("norm", "The normalized_shape axis of the parameter `parts.1.weight` has size 3; 6 was expected."),
        ("conv", "The kernel_size axis of the parameter `conv.weight` has size 1; 2 was expected."),
        (
            "gradient",
            "6 of 6 values of the gradient of conv.weight differ, the first at "
            "[out_channels=0, in_channels=0, kernel_size=0].",
        ),
    ],
)
def test_the_axes_of_an_inner_layers_parameters_have_its_authors_names_or_those_that_torch_documents(
    key: Key, wrong: str, headline: str
) -> None:
    assert report_on(key, "Mixed", Mixed).status == "passed"
    assert told(report_on(key, "Mixed", type("Mixed", (Mixed,), {"wrong": wrong}))) == headline


def test_a_module_that_a_function_makes_is_told_in_the_names_of_its_layers(key: Key) -> None:
    def right(c_in: int, c_out: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(c_in, c_out, (2, 3)), nn.BatchNorm2d(c_out))

    def padded(c_in: int, c_out: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(c_in, c_out, (2, 3), padding=(0, 1)), nn.BatchNorm2d(c_out))

    def lower(c_in: int, c_out: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(c_in, c_out, (1, 3)), nn.BatchNorm2d(c_out))

    assert report_on(key, "convolved", right).status == "passed"
    assert told(report_on(key, "convolved", padded)) == "The width axis of the result has size 6; 4 was expected."
    shown = "The kernel_height axis of the parameter `0.weight` has size 1; 2 was expected."
    assert told(report_on(key, "convolved", lower)) == shown
