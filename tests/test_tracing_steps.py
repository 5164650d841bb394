"""Steps: how an operation reads, views and copies, the names of results, depth and the graph."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from traced import IMAGE, Block, Inception, attention, operations, qkv

from autograder import trace

x35, x5 = torch.randn(3, 5), torch.randn(5)


@pytest.mark.parametrize(
    ("function", "operation", "memory"),
    [
        (lambda x: x.transpose(0, 1), "transpose(0, 1)", "view"),
        (lambda x: x[:, None], "[:, None]", "view"),
        (lambda x: x[..., 1:3, 0], "[..., 1:3, 0]", "view"),
        (lambda x: x.T, ".T", "view"),
        (lambda x: x.reshape(5, 3), "reshape(5, 3)", "view"),
        (lambda x: x.expand(2, 3, 5), "expand(2, 3, 5)", "view"),
        (lambda x: x.contiguous(), "contiguous()", "view"),
        (lambda x: x.float(), "float()", "view"),
        (lambda x: x.double(), "double()", "copy"),
        (lambda x: x.to(torch.int64), "to(torch.int64)", "copy"),
        (lambda x: x.clone(), "clone()", "copy"),
        (lambda x: x.repeat(2, 1), "repeat(2, 1)", "copy"),
        (lambda x: x[[0, 2]], "[[0, 2]]", "copy"),
        (lambda x: torch.cat([x, x], dim=1), "torch.cat(dim=1)", "copy"),
        (lambda x: x @ x5, "@", ""),
        (lambda x: 1 - x, "1 -", ""),
        (lambda x: -x, "-", ""),
        (lambda x: x**2, "** 2", ""),
        (lambda x: x > 0.25, "> 0.25", ""),
        (lambda x: x.sum(dim=-1, keepdim=True), "sum(dim=-1, keepdim=True)", ""),
        (lambda x: F.relu(x), "F.relu", ""),
        (lambda x: F.dropout(x, 0.1), "F.dropout(p=0.1)", ""),
        (lambda x: torch.einsum("ij,j->i", x, x5), "torch.einsum('ij,j->i')", ""),
        (lambda x: x.add_(1), "+= 1", "in place"),
        (lambda x: x.relu_(), "relu_()", "in place"),
        (lambda x: torch.add(x, x, out=x), "torch.add", "in place"),
    ],
)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_an_operation_reads_as_it_was_written_and_tells_views_from_copies(
    function: Callable[[Tensor], Tensor], operation: str, memory: str, device: str
) -> None:
    global x5
    x5 = torch.randn(5, device=device)
    (step,) = trace(function, torch.randn(3, 5, device=device)).steps
    assert (step.operation, step.memory) == (operation, memory)


def test_a_reshape_that_had_to_copy_says_so() -> None:
    found = trace(lambda x: x.T.reshape(15), x35)
    assert [step.memory for step in found.steps] == ["view", "copy"]


def test_an_operation_in_place_may_change_the_shape() -> None:
    found = trace(lambda x: x.t_().resize_(15), torch.randn(3, 5), axes={"a": 3, "b": 5})
    assert [(step.memory, found.shape(step.outputs[0])) for step in found.steps] == [
        ("in place", "(b, a)"),
        ("in place", "(a·b)"),
    ]


def test_a_sum_over_all_of_a_scalar() -> None:
    assert trace(lambda x: x.sum(dim=-1), torch.ones(())).error == ""


def test_what_is_written_through_a_view_is_another_value_of_what_it_views() -> None:
    def function(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y = x.clone()
        head, tail = y[:, :2], y[:, 2:]
        head += 1
        return y, head * 1, tail * 1

    found = trace(function, torch.randn(3, 5))
    write = next(step for step in found.steps if step.operation == "+= 1")
    assert [found.values[key].shape for key in write.outputs] == [(3, 2), (3, 5)]
    assert found.outputs[0] == write.outputs[1]
    assert found.steps[-1].inputs == found.steps[2].outputs, "tail does not overlap with what was written"


def test_results_have_the_names_of_the_variables_they_are_assigned_to() -> None:
    def inner(x: Tensor) -> Tensor:
        return x.exp()

    def function(x: Tensor) -> list[Tensor]:
        first, second = x.chunk(2)
        third = fourth = inner(first)
        x += (fifth := second * 2).sum()
        many = list(map(inner, [third]))
        rows = list(x)
        row, _, _ = x
        total = sum([third, row])
        return [fourth, fifth, *many, *rows, total]

    found = trace(function, torch.randn(3, 5))
    names = [[found.values[key].name for key in step.outputs] for step in found.steps]
    assert names == [
        ["first", "second"],
        ["third"],
        ["fifth"],
        [""],
        ["x"],
        ["result[2]"],  # what list makes of it is not it
        ["result[3]", "result[4]", "result[5]"],
        ["row", "", ""],
        [""],  # 0 + third, with which sum begins
        ["result[6]"],
    ]


# ---- modules and depth -----------------------------------------------------------------------------------------------


def test_depth_says_how_far_modules_are_opened() -> None:
    def at(depth: int | None) -> list[str]:
        return operations(trace(Block(), torch.randn(2, 5, 33), depth=depth))

    assert at(0) == ["Block"]
    assert at(1) == ["norm: LayerNorm", "attention: SelfAttention", "+"]
    assert at(2) == at(None) == at(9)
    assert at(2)[:4] == ["norm: LayerNorm", "attention.W_q: Linear", "view(2, 5, 3, 11)", "transpose(1, 2)"]
    assert at(2)[-3:] == ["reshape((2, 5, 33))", "attention.W_o: Linear", "+"]
    assert operations(trace(attention, *qkv(), depth=0)) == ["attention"]


def test_totals_do_not_depend_on_the_depth() -> None:
    totals = {
        (found.parameters, found.multiply_adds, found.activation_bytes)
        for found in (trace(Block(), torch.randn(2, 5, 33), depth=depth) for depth in (None, 0, 1, 2))
    }
    assert len(totals) == 1


def test_a_module_called_twice_appears_twice_and_counts_once() -> None:
    layer = nn.Linear(5, 5)
    found = trace(lambda x: layer(layer(x)), x35)
    assert operations(found) == ["layer: Linear", "layer: Linear"]
    assert [step.parameters for step in found.steps] == [30, 30]
    assert found.parameters == 30
    assert found.steps[1].inputs == found.steps[0].outputs


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.scale = nn.Buffer(torch.ones(4))
        self.spare = nn.Linear(3, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.embedding(tokens) * self.scale @ self.embedding.weight.T  # type: ignore[no-any-return]


def test_parameters_used_directly_are_inputs_and_shared_ones_count_once() -> None:
    found = trace(Tied(), torch.tensor([[1, 2, 3]]))
    assert operations(found) == ["embedding: Embedding", "*", ".T", "@"]
    kinds = {value.name: value.kind for value in found.values.values() if value.kind in ("parameter", "buffer")}
    assert kinds == {"embedding.weight": "parameter", "scale": "buffer"}
    assert found.parameters == 40 + 12
    assert found.notes == ("no step takes 12 of the parameters",)


def test_what_branches_and_joins_keeps_its_graph() -> None:
    found = trace(Inception(), torch.randn(2, 6, 8, 14), axes=IMAGE, depth=1)
    *branches, join = found.steps
    assert [step.inputs for step in branches] == [found.inputs] * 3
    assert join.inputs == tuple(step.outputs[0] for step in branches)
    assert (join.joins, found.shape(join.outputs[0])) == ("channel", "(batch, channel=18, height, width)")
    assert trace(Inception(), torch.randn(2, 6, 8, 14), depth=1).steps[-1].joins == "axis 1"
    block = trace(Block(), torch.randn(2, 5, 33), depth=1)
    assert block.steps[-1].inputs == (block.inputs[0], block.steps[1].outputs[0])
