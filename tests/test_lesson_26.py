"""What 26_decoder must hold beyond the rules for every lesson: its references give transformers' and torch's own
numbers, no position sees a later one, padding moves nothing, a cache changes nothing, and what is written is drawn as
it should be."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import LESSONS, report_on
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel

from autograder import text
from autograder.authoring import Exercise
from autograder.recipes import fill

LESSON = LESSONS["26_decoder"]
MODULE = LESSON.module
# vocab, context, d_model, heads, depth
TINY = (11, 9, 8, 2, 2)
PUBLISHED = {
    "gpt2": (50_257, 1_024, 768, 12, 12, 124_439_808),
    "gpt2-medium": (50_257, 1_024, 1_024, 16, 24, 354_823_168),
    "gpt2-large": (50_257, 1_024, 1_280, 20, 36, 774_030_080),
    "gpt2-xl": (50_257, 1_024, 1_600, 25, 48, 1_557_611_200),
}
few = settings(deadline=None, max_examples=25)
seeds = st.integers(0, 2**20)


def exercise(name: str) -> Exercise:
    return next(exercise for exercise in LESSON.exercises if exercise.name == name)


def told(name: str, candidate: Any) -> str:
    return " ".join(text.render(report_on(LESSON, exercise(name), candidate)).split())


def gpt(*sizes: int, kind: str = "GPT") -> Any:
    return fill(getattr(MODULE, kind)(*(sizes or TINY))).double()


def words(batch: int, seq: int, vocab: int = TINY[0], seed: int = 0) -> Tensor:
    return torch.randint(vocab, (batch, seq), generator=torch.Generator().manual_seed(seed))


# ---- transformers' GPT-2 ---------------------------------------------------------------------------------------------


def gpt2(vocab: int, context: int, d_model: int, heads: int, depth: int) -> Any:
    config = GPT2Config(
        vocab_size=vocab,
        n_positions=context,
        n_embd=d_model,
        n_head=heads,
        n_layer=depth,
        activation_function="gelu",  # theirs by default is the approximation by tanh
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
    )
    config._attn_implementation = "eager"
    kind: Any = GPT2LMHeadModel
    return kind(config)


def in_gpt2(named: dict[str, Tensor], depth: int) -> dict[str, Tensor]:
    """Weights, or their gradients, under the names of transformers and in the shapes of its Conv1D."""
    found = {"transformer.wte.weight": named["token_embedding.weight"]}
    found["transformer.wpe.weight"] = named["position_embedding.weight"]
    for kind in ("weight", "bias"):
        found[f"transformer.ln_f.{kind}"] = named[f"final_norm.{kind}"]
        for i in range(depth):
            ours, theirs = f"blocks.{i}", f"transformer.h.{i}"
            qkv = torch.cat([named[f"{ours}.attention.W_{part}.{kind}"] for part in "qkv"])
            linear = {"attn.c_attn": qkv, "attn.c_proj": named[f"{ours}.attention.W_o.{kind}"]}
            linear |= {"mlp.c_fc": named[f"{ours}.feed_forward.up.{kind}"]}
            linear |= {"mlp.c_proj": named[f"{ours}.feed_forward.down.{kind}"]}
            found |= {
                f"{theirs}.{name}.{kind}": value.T if kind == "weight" else value for name, value in linear.items()
            }
            found |= {f"{theirs}.ln_{n}.{kind}": named[f"{ours}.norm{n}.{kind}"] for n in (1, 2)}
    return found


def twins(sizes: tuple[int, int, int, int, int]) -> tuple[Any, Any]:
    ours, theirs = gpt(*sizes), gpt2(*sizes).double()
    weights = {name: value.detach() for name, value in ours.named_parameters()}
    missing = theirs.load_state_dict(in_gpt2(weights, sizes[-1]), strict=False)
    assert missing.unexpected_keys == []
    assert missing.missing_keys == ["lm_head.weight"]  # tied to the token embedding
    return ours, theirs


def gradients(model: nn.Module) -> dict[str, Tensor]:
    found = {name: value.grad for name, value in model.named_parameters()}
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.parametrize("sizes", [TINY, (7, 6, 12, 3, 1), (5, 16, 4, 1, 3)])
def test_logits_and_gradients_are_those_of_gpt2(sizes: tuple[int, int, int, int, int]) -> None:
    ours, theirs = twins(sizes)
    tokens = words(3, sizes[1] - 1, sizes[0])
    logits, expected = ours(tokens), theirs(tokens).logits
    assert torch.allclose(logits, expected)
    for result in (logits, expected):
        result.sin().sum().backward()
    found, wanted = in_gpt2(gradients(ours), sizes[-1]), gradients(theirs)
    assert found.keys() == wanted.keys()
    for name, gradient in found.items():
        assert torch.allclose(gradient, wanted[name]), name


@pytest.mark.parametrize("side", ["left", "right"])
def test_padded_batches_have_the_logits_of_gpt2_where_tokens_are_real(side: str) -> None:
    ours, theirs = twins(TINY)
    tokens, mask = words(4, 7), torch.arange(7) < torch.tensor([[7], [3], [1], [5]])
    mask = mask.flip(1) if side == "left" else mask
    expected = theirs(tokens, attention_mask=mask.long(), position_ids=MODULE.position_ids(mask)).logits
    logits = ours(tokens, mask)
    assert torch.allclose(logits[mask], expected[mask])
    assert logits.isfinite().all()


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes_have_the_published_numbers_of_parameters(name: str) -> None:
    *sizes, count = PUBLISHED[name]
    with torch.device("meta"):
        ours = MODULE.GPT(*sizes)
    assert sum(parameter.numel() for parameter in ours.parameters()) == count


def test_gpt2_itself_has_as_many() -> None:
    with torch.device("meta"):
        ours, theirs = MODULE.GPT(*PUBLISHED["gpt2"][:-1]), gpt2(*PUBLISHED["gpt2"][:-1])
    counts = [sum(parameter.numel() for parameter in model.parameters()) for model in (ours, theirs)]
    assert counts[0] == counts[1]


@pytest.mark.parametrize("pad_id", [0, 4, -100])
def test_the_loss_is_that_of_gpt2(pad_id: int) -> None:
    ours, theirs = twins(TINY)
    real = torch.arange(8) < torch.tensor([[8], [5], [2]])
    tokens = words(3, 8, TINY[0] - 1)
    tokens = (tokens + (tokens >= pad_id) * (pad_id >= 0)).masked_fill(~real, pad_id)
    fed = tokens.clamp(min=0)
    expected = theirs(fed, attention_mask=real.long(), labels=tokens.masked_fill(~real, -100)).loss
    assert torch.allclose(MODULE.causal_loss(ours(fed, real), tokens, pad_id).float(), expected.float())


def test_the_most_likely_tokens_are_those_that_gpt2_writes() -> None:
    ours, theirs = twins((11, 16, 8, 2, 2))
    tokens = words(4, 3).clamp(min=1)
    written = MODULE.generate(ours, tokens, 10, 0.0, None, None)
    expected = theirs.generate(
        tokens,
        attention_mask=torch.ones_like(tokens),
        max_new_tokens=10,
        do_sample=False,
        eos_token_id=-1,
        pad_token_id=0,
    )
    assert torch.equal(written, expected)


# ---- torch's own modules ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("causal", [True, False])
def test_a_block_is_torchs_encoder_layer_with_its_norms_in_front(causal: bool) -> None:
    ours = fill(MODULE.DecoderBlock(12, 3, 20)).double()
    theirs = nn.TransformerEncoderLayer(12, 3, 20, 0.0, "gelu", batch_first=True, norm_first=True).double()
    state: dict[str, Tensor] = dict(ours.named_parameters())
    copied = {"self_attn.out_proj": "attention.W_o", "linear1": "feed_forward.up", "linear2": "feed_forward.down"}
    copied |= {"norm1": "norm1", "norm2": "norm2"}
    weights = {f"{name}.{k}": state[f"{mine}.{k}"] for name, mine in copied.items() for k in ("weight", "bias")}
    for kind in ("weight", "bias"):
        weights[f"self_attn.in_proj_{kind}"] = torch.cat([state[f"attention.W_{part}.{kind}"] for part in "qkv"])
    theirs.load_state_dict(weights)
    x = torch.randn(2, 5, 12, dtype=torch.float64, requires_grad=True)
    mask = MODULE.causal_mask(5)
    found = ours(x, mask[None, None] if causal else None)
    expected = theirs(x, src_mask=~mask if causal else None)
    assert torch.allclose(found, expected)
    upstream = torch.randn_like(found)
    gradient, wanted = (torch.autograd.grad(result, x, upstream)[0] for result in (found, expected))
    assert torch.allclose(gradient, wanted)


def test_the_feed_forward_part_is_torchs_layers_in_a_row() -> None:
    ours: Any = fill(MODULE.FeedForward(6, 10)).double()
    theirs = nn.Sequential(ours.up, nn.GELU(), ours.down)
    x = 3 * torch.randn(4, 7, 6, dtype=torch.float64)
    assert torch.allclose(ours(x), theirs(x))


@few
@given(batch=st.integers(1, 4), seq=st.integers(2, 8), seed=seeds)
def test_the_loss_is_the_mean_over_real_targets_one_by_one(batch: int, seq: int, seed: int) -> None:
    torch.manual_seed(seed)
    lengths = torch.randint(1, seq + 1, (batch,))
    lengths[0] = max(2, int(lengths[0]))
    tokens = words(batch, seq, 6, seed).masked_fill(torch.arange(seq) >= lengths[:, None], 6)
    logits = torch.randn(batch, seq, 7, dtype=torch.float64)
    losses = [
        -logits[b, t].log_softmax(dim=-1)[tokens[b, t + 1]]
        for b, length in enumerate(lengths.tolist())
        for t in range(length - 1)
    ]
    assert torch.allclose(MODULE.causal_loss(logits, tokens, 6), torch.stack(losses).mean())


# ---- what must not move ----------------------------------------------------------------------------------------------


@few
@given(seq=st.integers(2, 9), data=st.data(), seed=seeds)
def test_no_position_sees_a_later_one(seq: int, data: st.DataObject, seed: int) -> None:
    model, tokens = gpt(), words(2, seq, seed=seed)
    position = data.draw(st.integers(1, seq - 1))
    changed = tokens.clone()
    changed[:, position] = (changed[:, position] + 1) % TINY[0]
    before, after = model(tokens), model(changed)
    assert torch.equal(before[:, :position], after[:, :position])
    assert not torch.allclose(before[:, position], after[:, position])


def test_no_gradient_comes_from_a_later_position() -> None:
    model, tokens = gpt(), words(1, 6)
    embedded = model.token_embedding(tokens).detach().requires_grad_()
    model.token_embedding.register_forward_hook(lambda module, given, result: embedded)
    model(tokens)[:, 2].sum().backward()
    assert embedded.grad is not None
    assert embedded.grad[:, :3].abs().sum(dim=-1).all()
    assert not embedded.grad[:, 3:].any()


@few
@given(seq=st.integers(1, 6), more=st.integers(1, 3), left=st.booleans(), seed=seeds)
def test_padding_on_either_side_moves_no_logit(seq: int, more: int, left: bool, seed: int) -> None:
    model, tokens, padding = gpt(), words(2, seq, seed=seed), words(2, more, seed=seed + 1)
    mask = torch.ones(2, seq + more, dtype=torch.bool)
    mask[:, slice(0, more) if left else slice(seq, None)] = False
    padded = torch.cat([padding, tokens] if left else [tokens, padding], dim=1)
    logits = model(padded, mask)
    assert torch.allclose(logits[mask].view(2, seq, -1), model(tokens))


def test_a_row_of_padding_alone_has_finite_gradients_and_gives_none() -> None:
    model, tokens, mask = gpt(), words(2, 4), torch.tensor([[False] * 4, [True] * 4])
    model(tokens, mask)[1].square().sum().backward()
    alone = gpt()
    alone(tokens[1:]).square().sum().backward()
    for name, gradient in gradients(model).items():
        assert gradient.isfinite().all()
        assert torch.allclose(gradient, gradients(alone)[name]), name


# ---- writing, and remembering ----------------------------------------------------------------------------------------


@few
@given(portions=st.lists(st.integers(1, 4), min_size=1, max_size=9), seed=seeds)
def test_a_cache_gives_the_logits_of_the_whole_at_every_step(portions: list[int], seed: int) -> None:
    portions = [size for i, size in enumerate(portions) if sum(portions[: i + 1]) <= TINY[1]]
    tokens = words(2, sum(portions), seed=seed)
    whole, cached, start = gpt()(tokens), gpt(kind="CachedGPT"), 0
    for steps in portions:
        logits = cached(tokens[:, start : start + steps])
        assert torch.allclose(logits, whole[:, start : start + steps])
        start += steps


def test_a_cache_does_not_touch_what_it_gave_before() -> None:
    cache = MODULE.KeyValueCache()
    first = cache.append(torch.ones(1, 2, 3, 4), torch.zeros(1, 2, 3, 4))
    kept = [tensor.clone() for tensor in first]
    cache.append(torch.full((1, 2, 1, 4), 7.0), torch.full((1, 2, 1, 4), 8.0))
    assert all(torch.equal(before, now) for before, now in zip(kept, first, strict=True))


def test_a_gpt_with_a_cache_writes_what_it_writes_without() -> None:
    tokens, model, cached = words(3, 4), gpt(11, 20, 8, 2, 2), gpt(11, 20, 8, 2, 2, kind="CachedGPT")
    written, new = tokens, tokens
    for _ in range(12):
        new = cached(new)[:, -1].argmax(dim=-1, keepdim=True)
        written = torch.cat([written, new], dim=1)
    assert torch.equal(written, MODULE.generate(model, tokens, 12, 0.0, None, None))


def test_what_is_written_is_drawn_by_the_models_probabilities() -> None:
    model = gpt()
    tokens = words(1, 4).expand(20_000, 4)
    logits = model(tokens[:1])[0, -1] / 0.7
    least = logits.topk(4).values[-1]
    shares = logits.masked_fill(logits < least, -torch.inf).softmax(dim=-1)
    written = MODULE.generate(model, tokens, 1, 0.7, 4, torch.Generator().manual_seed(0))
    came = F.one_hot(written[:, -1], TINY[0]).double().mean(dim=0)
    assert torch.allclose(came, shares, atol=0.02)
    assert not came[shares == 0].any()


def test_the_same_generator_writes_the_same() -> None:
    model, tokens = gpt(), words(5, 3)
    once, again, other = (
        MODULE.generate(model, tokens, 20, 1.0, None, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


@pytest.mark.parametrize("training", [True, False])
def test_writing_leaves_the_model_as_it_was_and_keeps_no_graph(training: bool) -> None:
    model, modes = gpt().train(training), list[bool]()
    model.register_forward_hook(lambda module, given, result: modes.extend([module.training, result.requires_grad]))
    MODULE.generate(model, words(1, 3), 4, 1.0, 5, None)
    assert modes == [False, False] * 4
    assert all(part.training == training for part in model.modules())


def test_a_fair_die_is_taken_for_a_loaded_one_hardly_ever() -> None:
    """Right answers that draw in another way are judged by their shares: these have to be far from the edge."""
    shares = [0.55, 0.25, 0.15, 0.05]
    logits = [math.log(share) for share in shares]
    torch.manual_seed(0)
    for _ in range(200):
        with pytest.raises(MODULE.FairThrows):
            MODULE.generate(MODULE.Die(logits, shares), torch.zeros(300, 1, dtype=torch.long), 2, 1.0, None, None)
    assert 0.14 / math.sqrt(0.55 * 0.45 / 300) > 4.8  # standard deviations


# ---- what the stubs say ----------------------------------------------------------------------------------------------


def test_the_examples_of_the_stubs_are_true() -> None:
    def count(module: nn.Module) -> int:
        return sum(parameter.numel() for parameter in module.parameters())

    assert count(MODULE.FeedForward(6, 24)) == 318
    assert count(MODULE.DecoderBlock(6, 3, 24)) == 510
    assert count(MODULE.GPT(11, 9, 6, 3, 2)) == 1_152
    assert MODULE.causal_loss(torch.zeros(1, 4, 8), torch.tensor([[5, 2, 7, 0]]), 0) == pytest.approx(math.log(8))
    written = MODULE.generate(MODULE.Adder(10, 3, 50.0), torch.tensor([[1, 2, 4]]), 3, 1.0, None, None)
    assert written.tolist() == [[1, 2, 4, 7, 3, 4]]
    k = torch.randn(2, 3, 4, 5)
    cache = MODULE.KeyValueCache()
    assert cache.append(k, k)[0].shape == (2, 3, 4, 5)
    assert cache.append(k[:, :, :1], k[:, :, :1])[1].shape == (2, 3, 5, 5)


@pytest.mark.parametrize("sizes", [(2, 5, 11, 9, 6, 3), (1, 1, 7, 4, 4, 1), (3, 6, 20, 6, 8, 8)])
def test_shapes_on_paper_are_those_of_the_model(sizes: tuple[int, int, int, int, int, int]) -> None:
    batch, seq, vocab, context, d_model, heads = sizes
    model, seen = MODULE.GPT(vocab, context, d_model, heads, 1), dict[str, Tensor]()

    def note(name: str, part: int | None = None) -> Callable[[nn.Module, Any, Any], None]:
        return lambda module, given, result: seen.update({name: result if part is None else result[part]})

    block = model.blocks[0]
    block.attention.register_forward_hook(note("weights", 1))
    block.attention.W_q.register_forward_hook(note("q"))
    block.feed_forward.up.register_forward_hook(note("hidden"))
    model.final_norm.register_forward_hook(note("x"))
    tokens = words(batch, seq, vocab)
    mask = torch.ones(batch, seq, dtype=torch.bool)
    seen["logits"] = model(tokens)
    seen |= {"token_table": model.token_embedding.weight, "position_table": model.position_embedding.weight}
    seen["queries"] = MODULE.split_heads(seen.pop("q"), heads)
    seen["allowed"] = MODULE.combine_masks(mask[:, None, None, :], MODULE.causal_mask(seq))
    seen["targets"] = tokens[:, 1:]
    k = torch.cat([seen["queries"], seen["queries"][:, :, :1]], dim=2)
    seen["step_weights"] = MODULE.attention(k[:, :, -1:], k, k)[1]
    assert MODULE.shapes_of_gpt(*sizes) == {name: tuple(tensor.shape) for name, tensor in seen.items()}


GIVEN = [
    ("18_padding", "position_ids"),
    ("21_attention", "attention"),
    ("22_masks", "causal_mask"),
    ("22_masks", "combine_masks"),
    ("23_multi_head", "split_heads"),
    ("23_multi_head", "merge_heads"),
    ("23_multi_head", "MultiHeadAttention"),
]


@pytest.mark.parametrize(("lesson", "name"), GIVEN)
def test_what_is_given_passes_the_checks_of_its_own_lesson(lesson: str, name: str) -> None:
    if lesson not in LESSONS:
        pytest.skip(f"{lesson} is not there")
    owner = LESSONS[lesson]
    asked = next(exercise for exercise in owner.exercises if exercise.name == name)
    report = report_on(owner, asked, getattr(MODULE, name))
    assert report.status == "passed", text.render(report)


# ---- what is said of mistakes ----------------------------------------------------------------------------------------


def test_positions_counted_from_the_edge_of_the_batch_are_told_so() -> None:
    class GPT(MODULE.GPT):  # type: ignore[misc, name-defined]
        def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
            if tokens.shape[1] > self.context:
                raise ValueError
            real = torch.ones_like(tokens, dtype=torch.bool) if mask is None else mask
            x = self.token_embedding(tokens) + self.position_embedding(torch.arange(tokens.shape[1]))
            allowed = real[:, None, None, :] & torch.ones(tokens.shape[1], tokens.shape[1], dtype=torch.bool).tril()
            for block in self.blocks:
                x = block(x, allowed)
            logits: Tensor = self.final_norm(x) @ self.token_embedding.weight.T
            return logits

    rendered = told("GPT", GPT)
    assert "GPT: 9 of 13 cases right" in rendered
    assert "Your positions count from the left edge of the batch." in rendered


def test_torchs_own_attention_is_no_answer() -> None:
    class DecoderBlock(nn.Module):
        def __init__(self, d_model: int, heads: int, d_ff: int) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
            self.attention = nn.MultiheadAttention(d_model, heads, batch_first=True)
            self.feed_forward = MODULE.FeedForward(d_model, d_ff)

        def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
            normed = self.norm1(x)
            x = x + self.attention(normed, normed, normed)[0]
            return x + self.feed_forward(self.norm2(x))  # type: ignore[no-any-return]

    assert "Your code uses `MultiheadAttention`, which this exercise forbids." in told("DecoderBlock", DecoderBlock)


def test_one_who_never_draws_is_told_so() -> None:
    def generate(
        model: Any, tokens: Tensor, steps: int, temperature: float, top_k: int | None, generator: torch.Generator | None
    ) -> Any:
        return MODULE.generate(model, tokens, steps, 0.0, top_k, generator)

    generate.__globals__.update(Adder=MODULE.Adder, Die=MODULE.Die, CUP=MODULE.CUP)
    rendered = told("generate", generate)
    assert "generate: 12 of 15 cases right" in rendered
    assert "Yours always takes the most likely token." in rendered
    assert "On these inputs a FairThrows should be raised; yours returned." in rendered


def test_a_cache_in_the_class_belongs_to_all_and_is_rejected() -> None:
    class KeyValueCache:
        memory: list[tuple[Tensor, Tensor]] = []  # noqa: RUF012

        def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
            self.memory.append((k, v))
            return torch.cat([k for k, _ in self.memory], dim=2), torch.cat([v for _, v in self.memory], dim=2)

    assert "KeyValueCache: 1 of 8 cases right" in told("KeyValueCache", KeyValueCache)


def outcome(model: Any, tokens: Tensor) -> str:
    try:
        return str(model(tokens).tolist())
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize(("name", "arguments"), [("Adder", (7, 2, 3.0, False)), ("Die", ([1.0, 0.5], [0.9, 0.1]))])
def test_the_models_of_the_checks_are_those_of_the_notebook(name: str, arguments: Any) -> None:
    in_checks: Any = exercise("generate").variants["among_the_top"]
    ours, theirs = getattr(MODULE, name)(*arguments), in_checks.__globals__[name](*arguments)
    assert ours.training == theirs.training
    for tokens in (words(3, 1, 2), words(3, 2, 2), words(3, 3, 2), torch.arange(300)[:, None].expand(300, 2) % 10 // 9):
        assert outcome(ours, tokens) == outcome(theirs, tokens)
