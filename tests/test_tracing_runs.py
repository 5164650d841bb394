"""Unusual candidates and results: each is a clear trace, and nothing is changed or left behind."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules import module as hooks
from torch.utils.flop_counter import FlopCounterMode
from traced import operations

from autograder import trace

x = torch.randn(2, 5)


def leftovers() -> tuple[Any, ...]:
    return (
        dict(hooks._global_forward_hooks),
        dict(hooks._global_forward_pre_hooks),
        torch._C._len_torch_function_stack(),
        torch._C._len_torch_dispatch_stack(),
        torch.is_grad_enabled(),
    )


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    before = leftovers()
    yield
    assert leftovers() == before


# ---- unusual candidates and results ----------------------------------------------------------------------------------


@dataclass
class Output:
    logits: Tensor
    caches: list[Tensor]
    steps: int = 1


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (lambda x: (x + 1, [x + 2]), ["result[0]", "result[1][0]"]),
        (lambda x: {"logits": x + 1}, ["result['logits']"]),
        (lambda x: Output(x + 1, [x + 2]), ["result.logits", "result.caches[0]"]),
        (lambda x: x.max(dim=1), ["result[0]", "result[1]"]),
        (lambda x: x, ["x"]),
    ],
)
def test_results_in_tuples_dicts_and_dataclasses(function: Callable[[Tensor], Any], names: list[str]) -> None:
    found = trace(function, torch.randn(2, 5))
    assert [found.values[key].name for key in found.outputs] == names


@pytest.mark.parametrize(
    ("function", "note"),
    [
        (lambda: None, "the candidate returned None, and no tensor"),
        (lambda: 3, "the candidate returned a value of type int, and no tensor"),
        (lambda: iter([]), "the candidate returned a value of type list_iterator, and no tensor"),
    ],
)
def test_no_tensor_at_all(function: Callable[[], Any], note: str) -> None:
    found = trace(function)
    assert found.notes == (note,)
    assert str(found) == f"<lambda>\nNo step: nothing here called torch.\nNote: {note}."
    assert found._repr_mimebundle_().keys() == {"text/plain"}


def test_an_input_that_no_step_takes_is_noted() -> None:
    assert trace(lambda x, mask: x + 1, torch.ones(2), torch.ones(2)).notes == ("no step takes mask",)


class Adder:
    def __call__(self, x: Tensor) -> Tensor:
        return x + 1

    def method(self, x: Tensor) -> Tensor:
        return x + 1


@torch.jit.script
def scripted(x: Tensor) -> Tensor:
    return x.relu() + 1


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * x


@torch.compile
def compiled(x: Tensor) -> Tensor:
    return x.relu() + 1


def without_gradient(x: Tensor) -> Tensor:
    with torch.no_grad():
        return x + 1


@pytest.mark.parametrize(
    ("candidate", "steps"),
    [
        (Adder(), ["+ 1"]),
        (Adder().method, ["+ 1"]),
        (functools.partial(torch.add, alpha=2, other=torch.ones(5)), ["torch.add(alpha=2)"]),
        (F.relu, ["F.relu"]),
        (without_gradient, ["+ 1"]),
        (
            lambda x: Square.apply(x) + 1,  # type: ignore[no-untyped-call]
            ["*", "+ 1"],
        ),
        (compiled, ["relu()", "+ 1"]),
        (torch.compile(nn.Sequential(nn.ReLU())), ["0: ReLU"]),
        (lambda x: scripted(x) * 2, ["aten.relu", "aten.add", "* 2"]),
        (torch.jit.script(nn.Sequential(nn.Sequential(nn.ReLU()))), ["aten.relu"]),
        (nn.Sequential(nn.LazyLinear(3)), ["0: LazyLinear"]),
        (nn.Sequential(nn.Identity(), nn.Sequential(), nn.ReLU()), ["0: Identity", "1: Sequential", "2: ReLU"]),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Lazy modules")
def test_whatever_can_be_called_can_be_traced(candidate: Callable[..., Any], steps: list[str]) -> None:
    found = trace(candidate, torch.randn(2, 5))
    assert found.error == ""
    assert [operation for operation in operations(found) if not operation.startswith("init.")] == steps
    assert found.steps[0].inputs[:1] == found.inputs
    assert found.outputs == found.steps[-1].outputs


# ---- nothing is changed ----------------------------------------------------------------------------------------------


class Changing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(5)
        self.drop = nn.Dropout()
        self.mean: Tensor
        self.register_buffer("mean", torch.zeros(5))

    def forward(self, x: Tensor) -> Tensor:
        self.mean = self.mean + x.mean(dim=0)
        result: Tensor = self.drop(self.norm(x))
        result.sum().backward()  # type: ignore[no-untyped-call]
        self.eval()
        return result


def test_training_mode_buffers_gradients_and_randomness_are_as_before() -> None:
    module = Changing()
    module.norm(torch.randn(4, 5)).pow(2).sum().backward()
    gradients = {name: weight.grad for name, weight in module.named_parameters()}
    numbers = copy.deepcopy((module.state_dict(), gradients))
    x, mean = torch.randn(4, 5), module.mean
    random_state = torch.get_rng_state()
    found = trace(module, x)
    assert found.error == ""
    assert "backward()" in operations(found)
    assert all(part.training for part in module.modules())
    assert module.mean is mean
    assert all(weight.grad is gradients[name] for name, weight in module.named_parameters())
    torch.testing.assert_close((module.state_dict(), gradients), numbers, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), random_state)


def test_hooks_that_are_there_run_and_stay() -> None:
    layer, seen = nn.Linear(5, 3), []

    def doubled(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        seen.append(module)
        return output * 2

    layer.register_forward_hook(doubled)
    layer.register_forward_pre_hook(lambda module, inputs: (inputs[0] + 1,))
    found = trace(nn.Sequential(layer, nn.ReLU()), torch.randn(2, 5))
    assert seen == [layer]
    assert operations(found)[-2:] == ["* 2", "1: ReLU"]
    assert found.steps[-1].inputs == found.steps[-2].outputs
    assert (len(layer._forward_hooks), len(layer._forward_pre_hooks)) == (1, 1)


def test_prints_go_through_and_other_modes_see_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    with FlopCounterMode(display=False) as counter:
        trace(lambda x: (print("hello"), x @ x)[1], torch.ones(3, 3))
    assert capsys.readouterr().out == "hello\n"
    assert counter.get_total_flops() == 54


def test_what_is_no_exception_goes_through() -> None:
    def interrupted(x: Tensor) -> Tensor:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trace(interrupted, torch.ones(2))


def test_a_trace_within_a_traced_function() -> None:
    def function(x: Tensor) -> Tensor:
        assert operations(trace(lambda y: y + 1, x)) == ["+ 1"]
        return x * 2

    assert operations(trace(function, torch.ones(2))) == ["+ 1", "* 2"]
