"""What 21_attention must hold beyond the rules for every lesson: its references give torch's and transformers' own
answers, attention knows no order, and what its checks say of a mistake is what was made."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import LESSONS, report_on
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from autograder import text
from autograder.authoring import Exercise

LESSON = LESSONS["21_attention"]
MODULE = LESSON.module
SIZES = [(2, 5, 7, 3, 4), (1, 1, 1, 1, 1), (3, 4, 4, 16, 2), (2, 1, 9, 8, 8)]  # batch, tgt, src, d_k, d_v


def exercise(name: str) -> Exercise:
    return next(exercise for exercise in LESSON.exercises if exercise.name == name)


def inputs(batch: int, tgt: int, src: int, d_k: int, d_v: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    torch.manual_seed(batch + tgt + src + d_k + d_v)
    shapes = (batch, tgt, d_k), (batch, src, d_k), (batch, src, d_v)
    return [torch.randn(*shape, dtype=dtype, requires_grad=True) for shape in shapes]


def each_sees_something(batch: int, tgt: int, src: int) -> Tensor:
    mask = torch.rand(batch, tgt, src) < 0.6
    mask[..., :1] |= ~mask.any(dim=-1, keepdim=True)
    return mask


def linear_weights(module: nn.Module) -> list[Tensor]:
    return [module.get_parameter(f"W_{part}.weight") for part in "qkv"]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("sizes", SIZES)
def test_attention_and_its_gradients_are_torchs_own(sizes: tuple[int, int, int, int, int], masked: bool) -> None:
    q, k, v = inputs(*sizes)
    mask = each_sees_something(*sizes[:3]) if masked else None
    output, weights = MODULE.attention(q, k, v, mask)
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    assert torch.allclose(output, expected)
    assert torch.allclose(weights.sum(dim=-1), torch.ones(sizes[:2], dtype=torch.float64))
    upstream = torch.randn_like(output)
    for ours, theirs in zip(*(torch.autograd.grad(o, (q, k, v), upstream) for o in (output, expected)), strict=True):
        assert torch.allclose(ours, theirs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_target_that_may_look_at_nothing_gets_zeros_and_finite_gradients(dtype: torch.dtype) -> None:
    q, k, v = inputs(2, 4, 6, 5, 3, dtype)
    mask = each_sees_something(2, 4, 6)
    mask[0, 2] = False
    mask[1] = False
    output, weights = MODULE.attention(q, k, v, mask)
    assert output.dtype == weights.dtype == dtype
    assert not output[0, 2].any()
    assert not output[1].any()
    assert not weights[~mask].any()
    for gradient in torch.autograd.grad(output.sum() + weights.square().sum(), (q, k, v)):
        assert gradient.isfinite().all()


@pytest.mark.parametrize(
    "shape", [(7,), (1, 7), (5, 7), (1, 5, 7), (2, 1, 7), (2, 5, 1), (1, 1, 1)], ids=lambda shape: str(shape)
)
def test_every_mask_that_broadcasts_is_taken(shape: tuple[int, ...]) -> None:
    q, k, v = inputs(2, 5, 7, 3, 4)
    mask = torch.rand(shape) < 0.5
    found, wanted = (MODULE.attention(q, k, v, m) for m in (mask, mask.expand(2, 5, 7)))
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


@settings(deadline=None, max_examples=30)
@given(seq=st.integers(1, 9), seed=st.integers(0, 2**20), masked=st.booleans())
def test_words_in_another_order_give_the_same_in_that_order(seq: int, seed: int, masked: bool) -> None:
    torch.manual_seed(seed)
    module = MODULE.SelfAttention(6, 4).double()
    x, order = torch.randn(2, seq, 6, dtype=torch.float64), torch.randperm(seq)
    mask = torch.rand(2, seq, seq) < 0.7 if masked else None
    output, weights = module(x, mask)
    moved, moved_weights = module(x[:, order], None if mask is None else mask[:, order][:, :, order])
    assert torch.allclose(moved, output[:, order])
    assert torch.allclose(moved_weights, weights[:, order][:, :, order])


@settings(deadline=None, max_examples=30)
@given(more=st.integers(1, 6), seed=st.integers(0, 2**20))
def test_more_padding_changes_nothing(more: int, seed: int) -> None:
    torch.manual_seed(seed)
    module = MODULE.CrossAttention(3, 5, 4).double()
    tgt, src = torch.randn(2, 4, 3, dtype=torch.float64), torch.randn(2, 6, 5, dtype=torch.float64)
    real = torch.rand(2, 6) < 0.6
    output, weights = module(tgt, src, real)
    padded = torch.cat([src, 100 * torch.randn(2, more, 5, dtype=torch.float64)], dim=1)
    again, more_weights = module(tgt, padded, F.pad(real, (0, more)))
    assert torch.allclose(again, output)
    assert torch.allclose(more_weights, F.pad(weights, (0, more)))


def test_self_attention_equals_torchs_with_copied_weights() -> None:
    torch.manual_seed(0)
    ours, theirs = (
        MODULE.SelfAttention(8, 8).double(),
        nn.MultiheadAttention(8, 1, bias=False, batch_first=True).double(),
    )
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat(linear_weights(ours)))
        theirs.out_proj.weight.copy_(torch.eye(8))
    x, mask = torch.randn(3, 6, 8, dtype=torch.float64), torch.ones(6, 6, dtype=torch.bool).tril()
    output, weights = ours(x, mask)
    expected, expected_weights = theirs(x, x, x, attn_mask=~mask)
    assert torch.allclose(output, expected)
    assert torch.allclose(weights, expected_weights)
    output.square().sum().backward()
    expected.square().sum().backward()
    assert theirs.in_proj_weight.grad is not None
    assert torch.allclose(torch.cat([_gradient(weight) for weight in linear_weights(ours)]), theirs.in_proj_weight.grad)


def test_cross_attention_equals_torchs_with_copied_weights() -> None:
    torch.manual_seed(0)
    ours = MODULE.CrossAttention(8, 5, 8).double()
    theirs = nn.MultiheadAttention(8, 1, bias=False, batch_first=True, kdim=5, vdim=5).double()
    with torch.no_grad():
        for name, weight in zip(("q_proj_weight", "k_proj_weight", "v_proj_weight"), linear_weights(ours), strict=True):
            theirs.get_parameter(name).copy_(weight)
        theirs.out_proj.weight.copy_(torch.eye(8))
    tgt, src = torch.randn(3, 4, 8, dtype=torch.float64), torch.randn(3, 7, 5, dtype=torch.float64)
    real = torch.arange(7) < torch.tensor([[7], [2], [4]])
    expected, expected_weights = theirs(tgt, src, src, key_padding_mask=~real)
    output, weights = ours(tgt, src, real)
    assert torch.allclose(output, expected)
    assert torch.allclose(weights, expected_weights)


def test_self_attention_equals_one_head_of_transformers_bert() -> None:
    from transformers import BertConfig
    from transformers.models.bert import modeling_bert

    torch.manual_seed(0)
    config = BertConfig(hidden_size=12, num_attention_heads=1)
    config._attn_implementation = "eager"
    kind: Any = modeling_bert.BertSelfAttention
    ours, theirs = MODULE.SelfAttention(12, 12), kind(config).eval()
    for mine, linear in zip(linear_weights(ours), (theirs.query, theirs.key, theirs.value), strict=True):
        with torch.no_grad():
            linear.weight.copy_(mine)
            linear.bias.zero_()
    x, real = torch.randn(2, 5, 12), torch.tensor([[True] * 5, [True, True, True, False, False]])
    hidden = torch.zeros(2, 1, 1, 5).masked_fill(~real[:, None, None], torch.finfo(torch.float32).min)
    expected, expected_weights = theirs(x, hidden)[:2]
    output, weights = ours(x, real[:, None])
    assert torch.allclose(output, expected, atol=1e-6)
    assert torch.allclose(weights, expected_weights[:, 0], atol=1e-6)


def test_parameters_are_counted_by_their_widths_alone() -> None:
    assert sum(p.numel() for p in MODULE.SelfAttention(768, 64).parameters()) == 3 * 768 * 64
    assert sum(p.numel() for p in MODULE.CrossAttention(512, 768, 64).parameters()) == 131_072


@pytest.mark.parametrize("sizes", SIZES)
def test_shapes_are_those_of_real_tensors(sizes: tuple[int, int, int, int, int]) -> None:
    q, k, v = inputs(*sizes)
    k_turned = k.transpose(1, 2)
    weights = (q @ k_turned).softmax(dim=-1)
    steps = {"k_turned": k_turned, "scores": q @ k_turned, "products": q[:, :, None] * k[:, None]}
    steps |= {"mask": torch.ones(len(k), k.shape[1])[:, None, :], "weights": weights, "sums": weights.sum(dim=-1)}
    steps |= {"output": weights @ v}
    assert MODULE.shapes_of_attention(*sizes) == {name: tuple(step.shape) for name, step in steps.items()}


def test_a_weighted_average_under_the_softmax_is_attention() -> None:
    q, k, v = inputs(2, 5, 7, 3, 4)
    raised = MODULE.attention_scores(q, k).exp()
    assert torch.allclose(MODULE.weighted_average(raised, v), MODULE.attention(q, k, v)[0])


def test_torchs_attention_is_no_answer() -> None:
    def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        _, weights = MODULE.attention(q, k, v, mask)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask), weights

    report = report_on(LESSON, exercise("attention"), attention)
    assert "Your code uses `scaled_dot_product_attention`, which this exercise forbids." in text.render(report)


def test_a_loop_over_the_targets_is_seen() -> None:
    def attention_scores(q: Tensor, k: Tensor) -> Tensor:
        rows = [(q[:, i, None] * k).sum(dim=-1) for i in range(q.shape[1])]
        return torch.stack(rows, dim=1).div(math.sqrt(q.shape[-1]))

    report = report_on(LESSON, exercise("attention_scores"), attention_scores)
    assert "your code loops over the tgt or src axis" in " ".join(text.render(report).split())


def test_an_even_share_where_nothing_may_be_seen_is_told_as_such() -> None:
    def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        scores = q @ k.mT / q.shape[-1] ** 0.5
        if mask is not None:
            scores = scores + torch.zeros(mask.shape, dtype=q.dtype).masked_fill(~mask, torch.finfo(q.dtype).min)
        weights = scores.softmax(dim=-1)
        return weights @ v, weights

    rendered = " ".join(text.render(report_on(LESSON, exercise("attention"), attention)).split())
    assert "attention: 9 of 12 cases right" in rendered
    assert "and the softmax gives each source an even share, hidden or not. Weights and output of 0" in rendered
    assert "expected: [batch=0, tgt=2, d_v=0] 0" in rendered


def _gradient(weight: Any) -> Tensor:
    assert isinstance(weight.grad, Tensor)
    return weight.grad
