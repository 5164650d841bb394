"""What 23_multi_head must hold beyond the rules for every lesson: its references give torch's and transformers' own
answers with copied weights, heads know no order, and what its checks say of a mistake is what was made."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import LESSONS, report_on
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from autograder import text, trace
from autograder.authoring import Exercise

LESSON = LESSONS["23_multi_head"]
MODULE = LESSON.module
SIZES = [
    (2, 5, 7, 3, 4),
    (1, 1, 1, 1, 1),
    (3, 3, 3, 3, 3),
    (2, 4, 6, 1, 8),
    (2, 1, 9, 8, 1),
]  # batch tgt src heads d_head
PARTS = "qkvo"


def exercise(name: str) -> Exercise:
    return next(exercise for exercise in LESSON.exercises if exercise.name == name)


def inputs(batch: int, tgt: int, src: int, d_model: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    torch.manual_seed(batch + tgt + src + d_model)
    shapes = (batch, tgt, d_model), (batch, src, d_model), (batch, src, d_model)
    return [torch.randn(*shape, dtype=dtype, requires_grad=True) for shape in shapes]


def each_sees_something(batch: int, tgt: int, src: int) -> Tensor:
    mask = torch.rand(batch, 1, tgt, src) < 0.6
    mask[..., :1] |= ~mask.any(dim=-1, keepdim=True)
    return mask


def weights_of(module: nn.Module, kind: str = "weight") -> dict[str, Tensor]:
    return {part: module.get_parameter(f"W_{part}.{kind}") for part in PARTS}


def torchs(ours: nn.Module, d_model: int, heads: int) -> nn.MultiheadAttention:
    """torch's own module with the weights of ours."""
    theirs = nn.MultiheadAttention(d_model, heads, batch_first=True, dtype=torch.float64)
    weights, biases = weights_of(ours), weights_of(ours, "bias")
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([weights[part] for part in "qkv"]))
        theirs.in_proj_bias.copy_(torch.cat([biases[part] for part in "qkv"]))
        theirs.out_proj.weight.copy_(weights["o"])
        theirs.out_proj.bias.copy_(biases["o"])
    return theirs


def built(d_model: int, heads: int) -> Any:
    """Ours, in double precision, with biases that are not small."""
    torch.manual_seed(d_model + heads)
    module = MODULE.MultiHeadAttention(d_model, heads).double()
    for bias in weights_of(module, "bias").values():
        nn.init.normal_(bias)
    return module


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("sizes", SIZES)
def test_attention_in_heads_and_its_gradients_are_torchs_own(
    sizes: tuple[int, int, int, int, int], masked: bool
) -> None:
    batch, tgt, src, heads, d_head = sizes
    q, k, v = inputs(batch, tgt, src, heads * d_head)
    mask = each_sees_something(batch, tgt, src) if masked else None
    output, weights = MODULE.attend_in_heads(q, k, v, heads, mask)
    cut_q, cut_k, cut_v = (x.reshape(batch, -1, heads, d_head).transpose(1, 2) for x in (q, k, v))
    expected = F.scaled_dot_product_attention(cut_q, cut_k, cut_v, attn_mask=mask).transpose(1, 2).flatten(2)
    assert torch.allclose(output, expected)
    assert torch.allclose(weights.sum(dim=-1), torch.ones(batch, heads, tgt, dtype=torch.float64))
    upstream = torch.randn_like(output)
    for ours, theirs in zip(*(torch.autograd.grad(o, (q, k, v), upstream) for o in (output, expected)), strict=True):
        assert torch.allclose(ours, theirs)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("sizes", SIZES)
def test_the_module_equals_torchs_with_copied_weights(sizes: tuple[int, int, int, int, int], masked: bool) -> None:
    batch, tgt, src, heads, d_head = sizes
    d_model = heads * d_head
    ours = built(d_model, heads)
    theirs = torchs(ours, d_model, heads)
    given_to = [inputs(batch, tgt, src, d_model) for _ in range(2)]
    mask = each_sees_something(batch, tgt, src) if masked else None
    hidden = None if mask is None else ~mask.expand(batch, heads, tgt, src).flatten(0, 1)
    output, weights = ours(*given_to[0], mask)
    expected, expected_weights = theirs(*given_to[1], attn_mask=hidden, average_attn_weights=False)
    assert torch.allclose(output, expected)
    assert torch.allclose(weights, expected_weights)
    upstream, on_weights = torch.randn_like(output), torch.randn_like(weights)
    torch.autograd.backward([output, weights], [upstream, on_weights])
    torch.autograd.backward([expected, expected_weights], [upstream, on_weights])
    for mine, other in zip(*given_to, strict=True):
        assert torch.allclose(gradient(mine), gradient(other))
    in_weight = torch.cat([gradient(weights_of(ours)[part]) for part in "qkv"])
    in_bias = torch.cat([gradient(weights_of(ours, "bias")[part]) for part in "qkv"])
    assert torch.allclose(in_weight, gradient(theirs.in_proj_weight))
    assert torch.allclose(in_bias, gradient(theirs.in_proj_bias))
    assert torch.allclose(gradient(ours.W_o.weight), gradient(theirs.out_proj.weight))
    assert torch.allclose(gradient(ours.W_o.bias), gradient(theirs.out_proj.bias))


@pytest.mark.parametrize("heads", [1, 2, 4, 8])
def test_there_are_as_many_parameters_as_in_torchs_however_many_heads(heads: int) -> None:
    ours, theirs = MODULE.MultiHeadAttention(8, heads), nn.MultiheadAttention(8, heads)
    counts = {sum(p.numel() for p in module.parameters()) for module in (ours, theirs)}
    assert counts == {MODULE.cost_of_heads(5, 7, 8, heads)["parameters"]}


def test_the_module_equals_transformers_clip_attention() -> None:
    from transformers import CLIPVisionConfig
    from transformers.models.clip import modeling_clip

    config = CLIPVisionConfig(hidden_size=12, num_attention_heads=3)
    config._attn_implementation = "eager"
    kind: Any = modeling_clip.CLIPAttention
    ours, theirs = built(12, 3), kind(config).double().eval()
    projections = {"q": theirs.q_proj, "k": theirs.k_proj, "v": theirs.v_proj, "o": theirs.out_proj}
    for part, linear in projections.items():
        linear.load_state_dict(getattr(ours, f"W_{part}").state_dict())
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    mask = torch.ones(1, 1, 5, 5, dtype=torch.bool).tril()
    hidden = torch.zeros(2, 1, 5, 5, dtype=torch.float64).masked_fill(~mask, torch.finfo(torch.float64).min)
    output, weights = ours(x, x, x, mask)
    expected, expected_weights = theirs(x, attention_mask=hidden)[:2]
    assert torch.allclose(output, expected)
    assert torch.allclose(weights, expected_weights)
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())
    for each in (output, expected):
        each.square().sum().backward()
    for part, linear in projections.items():
        mine = gradient(getattr(ours, f"W_{part}").weight)
        assert torch.allclose(mine, gradient(linear.weight), atol=1e-4), part  # theirs computes its softmax in float32


def test_the_module_equals_transformers_gpt2_attention() -> None:
    from transformers import GPT2Config
    from transformers.models.gpt2 import modeling_gpt2

    config = GPT2Config(n_embd=12, n_head=4, n_positions=9)
    config._attn_implementation = "eager"
    kind: Any = modeling_gpt2.GPT2Attention
    ours, theirs = built(12, 4), kind(config, layer_idx=0).double().eval()
    weights, biases = weights_of(ours), weights_of(ours, "bias")
    with torch.no_grad():  # its maps hold their weights the other way round
        theirs.c_attn.weight.copy_(torch.cat([weights[part] for part in "qkv"]).T)
        theirs.c_attn.bias.copy_(torch.cat([biases[part] for part in "qkv"]))
        theirs.c_proj.weight.copy_(weights["o"].T)
        theirs.c_proj.bias.copy_(biases["o"])
    x = torch.randn(2, 6, 12, dtype=torch.float64)
    mask = torch.ones(1, 1, 6, 6, dtype=torch.bool).tril()
    hidden = torch.zeros(2, 1, 6, 6, dtype=torch.float64).masked_fill(~mask, torch.finfo(torch.float64).min)
    output, head_weights = ours(x, x, x, mask)
    expected, expected_weights = theirs(x, attention_mask=hidden)[:2]
    assert torch.allclose(output, expected)
    assert torch.allclose(head_weights, expected_weights)


def test_the_heads_equal_those_of_transformers_bert() -> None:
    from transformers import BertConfig
    from transformers.models.bert import modeling_bert

    config = BertConfig(hidden_size=12, num_attention_heads=2)
    config._attn_implementation = "eager"
    kind: Any = modeling_bert.BertSelfAttention
    ours, theirs = built(12, 2), kind(config).double().eval()
    for part, linear in {"q": theirs.query, "k": theirs.key, "v": theirs.value}.items():
        linear.load_state_dict(getattr(ours, f"W_{part}").state_dict())
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    real = torch.tensor([[True] * 5, [True, True, True, False, False]])[:, None, None]
    hidden = torch.zeros(2, 1, 1, 5, dtype=torch.float64).masked_fill(~real, torch.finfo(torch.float64).min)
    expected, expected_weights = theirs(x, hidden)[:2]
    output, weights = MODULE.attend_in_heads(ours.W_q(x), ours.W_k(x), ours.W_v(x), 2, real)
    assert torch.allclose(output, expected)
    assert torch.allclose(weights, expected_weights)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_target_that_may_look_at_nothing_gets_the_bias_and_finite_gradients(dtype: torch.dtype) -> None:
    module = built(12, 3).to(dtype)
    q, k, v = inputs(2, 4, 6, 12, dtype)
    mask = each_sees_something(2, 4, 6)
    mask[0, :, 2] = False
    mask[1] = False
    output, weights = module(q, k, v, mask)
    assert output.dtype == weights.dtype == dtype
    assert torch.equal(output[0, 2], module.W_o.bias)
    assert torch.equal(output[1], module.W_o.bias.expand(4, 12))
    assert not weights[~mask.expand_as(weights)].any()
    (output.sum() + weights.square().sum()).backward()
    assert all(gradient(x).isfinite().all() for x in (q, k, v, *module.parameters()))


@pytest.mark.parametrize("shape", [(2, 1, 5, 7), (1, 1, 5, 7), (2, 1, 1, 7), (1, 1, 1, 7), (2, 3, 5, 7)], ids=str)
def test_every_mask_that_broadcasts_is_taken(shape: tuple[int, ...]) -> None:
    q, k, v = inputs(2, 5, 7, 12)
    mask = torch.rand(shape) < 0.5
    found, wanted = (built(12, 3)(q, k, v, m) for m in (mask, mask.expand(2, 3, 5, 7)))
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


@settings(deadline=None, max_examples=40)
@given(batch=st.integers(1, 3), seq=st.integers(1, 5), heads=st.integers(1, 4), d_head=st.integers(1, 4))
def test_a_merge_undoes_a_split(batch: int, seq: int, heads: int, d_head: int) -> None:
    x = torch.randn(batch, seq, heads * d_head)
    split = MODULE.split_heads(x, heads)
    assert torch.equal(MODULE.merge_heads(split), x)
    pieces = [
        [[x[b, t, h * d_head : (h + 1) * d_head] for t in range(seq)] for h in range(heads)] for b in range(batch)
    ]
    assert all(
        torch.equal(split[b, h, t], pieces[b][h][t]) for b in range(batch) for h in range(heads) for t in range(seq)
    )


@settings(deadline=None, max_examples=20)
@given(seq=st.integers(1, 7), seed=st.integers(0, 2**20), masked=st.booleans())
def test_words_in_another_order_give_the_same_in_that_order(seq: int, seed: int, masked: bool) -> None:
    module = built(12, 3)
    torch.manual_seed(seed)
    x, order = torch.randn(2, seq, 12, dtype=torch.float64), torch.randperm(seq)
    mask = torch.rand(2, 1, seq, seq) < 0.7 if masked else None
    output, weights = module(x, x, x, mask)
    y = x[:, order]
    moved, moved_weights = module(y, y, y, None if mask is None else mask[:, :, order][:, :, :, order])
    assert torch.allclose(moved, output[:, order])
    assert torch.allclose(moved_weights, weights[:, :, order][:, :, :, order])


def test_heads_have_no_order() -> None:
    module, other = built(12, 3), built(12, 3)
    order, channels = torch.tensor([2, 0, 1]), torch.arange(12).view(3, 4)
    turned = channels[order].flatten()
    with torch.no_grad():
        for part in "qkv":
            weights_of(other)[part].copy_(weights_of(module)[part][turned])
            weights_of(other, "bias")[part].copy_(weights_of(module, "bias")[part][turned])
        other.W_o.weight.copy_(module.W_o.weight[:, turned])
    q, k, v = inputs(2, 5, 7, 12)
    (output, weights), (again, turned_weights) = module(q, k, v), other(q, k, v)
    assert torch.allclose(again, output)
    assert torch.allclose(turned_weights, weights[:, order])


@settings(deadline=None, max_examples=20)
@given(more=st.integers(1, 6), seed=st.integers(0, 2**20))
def test_more_padding_changes_nothing(more: int, seed: int) -> None:
    module = built(8, 2)
    torch.manual_seed(seed)
    tgt, src = torch.randn(2, 4, 8, dtype=torch.float64), torch.randn(2, 6, 8, dtype=torch.float64)
    real = torch.rand(2, 1, 1, 6) < 0.6
    output, weights = module(tgt, src, src, real)
    padded = torch.cat([src, 100 * torch.randn(2, more, 8, dtype=torch.float64)], dim=1)
    again, more_weights = module(tgt, padded, padded, F.pad(real, (0, more)))
    assert torch.allclose(again, output)
    assert torch.allclose(more_weights, F.pad(weights, (0, more)))


def test_lesson_21s_attention_does_it_too_with_the_heads_folded_into_the_batch() -> None:
    attention = LESSONS["21_attention"].module.attention
    q, k, v = inputs(2, 5, 7, 12)
    mask = each_sees_something(2, 5, 7)
    folded = [MODULE.split_heads(x, 3).flatten(0, 1) for x in (q, k, v)]
    output, weights = attention(*folded, mask.expand(2, 3, 5, 7).flatten(0, 1))
    found = MODULE.merge_heads(output.unflatten(0, (2, 3))), weights.unflatten(0, (2, 3))
    wanted = MODULE.attend_in_heads(q, k, v, 3, mask)
    assert all(torch.allclose(a, b) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize(("d_model", "heads"), [(10, 3), (4, 6), (768, 11)])
def test_heads_that_do_not_divide_the_width_are_refused(d_model: int, heads: int) -> None:
    with pytest.raises(ValueError, match=f"^{heads} heads cannot share {d_model} channels evenly$"):
        MODULE.MultiHeadAttention(d_model, heads)


@pytest.mark.parametrize("sizes", SIZES)
def test_shapes_are_those_of_real_tensors(sizes: tuple[int, int, int, int, int]) -> None:
    batch, tgt, src, heads, d_head = sizes
    q, keys = torch.randn(batch, tgt, heads * d_head), torch.randn(batch, heads, src, d_head)
    viewed = q.view(batch, tgt, heads, d_head)
    scores = viewed.transpose(1, 2) @ keys.transpose(-2, -1)
    attended = scores.softmax(dim=-1) @ keys
    steps = {"viewed": viewed, "queries": viewed.transpose(1, 2), "scores": scores, "weights": scores.softmax(dim=-1)}
    steps |= {"mask": torch.ones(batch, src)[:, None, None], "attended": attended, "folded": scores.flatten(0, 1)}
    steps |= {"merged": attended.transpose(1, 2).reshape(batch, tgt, -1)}
    assert MODULE.shapes_of_heads(*sizes) == {name: tuple(step.shape) for name, step in steps.items()}


@pytest.mark.parametrize("sizes", SIZES)
def test_costs_are_those_of_a_real_run(sizes: tuple[int, int, int, int, int]) -> None:
    _, tgt, src, heads, d_head = sizes
    d_model = heads * d_head
    q, k, v = (x.detach() for x in inputs(1, tgt, src, d_model))
    costs = MODULE.cost_of_heads(tgt, src, d_model, heads)
    assert costs["multiply_adds"] == trace(MODULE.attend_in_heads, q, k, v, heads).multiply_adds
    assert costs["weights"] == MODULE.attend_in_heads(q, k, v, heads)[1].numel()
    wide = [nn.Linear(d_model, heads * d_model) for _ in range(3)] + [nn.Linear(heads * d_model, d_model)]
    assert costs["full_width"] == sum(p.numel() for linear in wide for p in linear.parameters())


def test_torchs_attention_is_no_answer() -> None:
    def attend_in_heads(q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None) -> Any:
        _, weights = MODULE.attend_in_heads(q, k, v, heads, mask)
        q, k, v = (MODULE.split_heads(x, heads) for x in (q, k, v))
        return MODULE.merge_heads(F.scaled_dot_product_attention(q, k, v, attn_mask=mask)), weights

    report = report_on(LESSON, exercise("attend_in_heads"), attend_in_heads)
    assert "Your code uses `scaled_dot_product_attention`, which this exercise forbids." in text.render(report)


def test_a_loop_over_the_positions_is_seen_and_one_over_the_heads_is_not() -> None:
    def over_positions(x: Tensor, heads: int) -> Tensor:
        return torch.stack([x[:, t].reshape(len(x), heads, -1) for t in range(x.shape[1])], dim=2)

    def over_heads(x: Tensor, heads: int) -> Tensor:
        width = x.shape[-1] // heads
        return torch.stack([x[..., h * width : (h + 1) * width] for h in range(heads)], dim=1)

    rendered = text.render(report_on(LESSON, exercise("split_heads"), over_positions))
    assert "your code loops over the seq axis" in " ".join(rendered.split())
    assert report_on(LESSON, exercise("split_heads"), over_heads).status == "passed"


def test_a_view_without_the_transpose_is_told_as_such() -> None:
    def split_heads(x: Tensor, heads: int) -> Tensor:
        batch, seq, d_model = x.shape
        return x.reshape(batch, heads, seq, d_model // heads)

    rendered = " ".join(text.render(report_on(LESSON, exercise("split_heads"), split_heads)).split())
    assert "split_heads: 2 of 9 cases right" in rendered
    assert "Your shape is right and its numbers are scrambled. view moves nothing" in rendered
    assert "head 0 the first positions, whole" in rendered


def test_weights_that_are_averaged_over_the_heads_are_told_as_such() -> None:
    class MultiHeadAttention(MODULE.MultiHeadAttention):  # type: ignore[misc, name-defined]
        def forward(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
            output, weights = super().forward(q, k, v, mask)
            return output, weights.mean(dim=1)

    rendered = " ".join(text.render(report_on(LESSON, exercise("MultiHeadAttention"), MultiHeadAttention)).split())
    assert "That is what nn.MultiheadAttention gives by default; here each head's own were asked for." in rendered


def gradient(tensor: Tensor) -> Tensor:
    assert isinstance(tensor.grad, Tensor)
    return tensor.grad
