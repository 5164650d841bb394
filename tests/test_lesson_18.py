"""What 18_padding must hold beyond the rules for every lesson: its references give torch's own answers, more padding
changes nothing, no gradient reaches padding, and what its checks say of a mistake is what was made."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import KEYS, LESSONS, report_on
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from autograder import text
from autograder.authoring import Exercise
from autograder.report import Report
from autograder.values import identical

LESSON = LESSONS["18_padding"]
MODULE = LESSON.module
LARGEST = {torch.float16: 3e4, torch.bfloat16: 1e30, torch.float32: 1e30, torch.float64: 1e30}
DTYPES = list(LARGEST)

lengths_of_a_batch = st.lists(st.integers(0, 7), min_size=1, max_size=5).filter(any)


def exercise(name: str) -> Exercise:
    return next(exercise for exercise in LESSON.exercises if exercise.name == name)


def told(name: str, candidate: Callable[..., Any]) -> str:
    return " ".join(text.render(report(name, candidate)).split())


def report(name: str, candidate: Callable[..., Any]) -> Report:
    return report_on(LESSON, exercise(name), candidate)


def real(lengths: list[int], places: int | None = None) -> Tensor:
    return torch.arange(max(lengths) if places is None else places) < torch.tensor(lengths)[:, None]


def spoiled(x: Tensor, mask: Tensor, by: float = 1e30) -> Tensor:
    """x with large numbers of either sign where the mask is False."""
    return torch.where(mask, x, by * torch.randn_like(x).sign())


@settings(deadline=None, max_examples=40)
@given(lengths=lengths_of_a_batch, pad_id=st.integers(-100, 60_000))
def test_a_batch_is_that_of_pad_sequence(lengths: list[int], pad_id: int) -> None:
    sequences = [torch.randint(0, 9, (length,)) for length in lengths]
    expected = pad_sequence(sequences, batch_first=True, padding_value=pad_id)
    assert torch.equal(MODULE.pad_batch(sequences, pad_id), expected)


def test_a_batch_is_what_comes_back_from_packing() -> None:
    sequences = [torch.randint(1, 9, (length,)) for length in (3, 5, 2)]
    batch = MODULE.pad_batch(sequences, 0)
    packed = pack_padded_sequence(batch, torch.tensor([3, 5, 2]), batch_first=True, enforce_sorted=False)
    assert torch.equal(pad_packed_sequence(packed, batch_first=True)[0], batch)


@settings(deadline=None, max_examples=40)
@given(lengths=lengths_of_a_batch, left=st.booleans())
def test_positions_are_those_of_the_sentences_alone(lengths: list[int], left: bool) -> None:
    mask = real(lengths, 9).flip(1) if left else real(lengths, 9)
    positions = MODULE.position_ids(mask)
    assert positions[mask].tolist() == list(itertools.chain.from_iterable(map(range, lengths)))
    assert not positions[~mask].any()


def test_with_these_positions_gpt2_reads_a_padded_batch_as_its_sentences_alone() -> None:
    from transformers import GPT2Config, GPT2Model

    torch.manual_seed(0)
    kind: Any = GPT2Model
    model = kind(GPT2Config(vocab_size=20, n_positions=16, n_embd=12, n_layer=2, n_head=3)).eval()
    sequences = [torch.randint(1, 20, (length,)) for length in (4, 2, 6)]
    turned = MODULE.pad_batch([sequence.flip(0) for sequence in sequences], 0).flip(1)  # padded on the left
    mask = turned != 0
    with torch.no_grad():
        batch = model(turned, attention_mask=mask.long(), position_ids=MODULE.position_ids(mask)).last_hidden_state
        for row, real_ones, sequence in zip(batch, mask, sequences, strict=True):
            assert torch.allclose(row[real_ones], model(sequence[None]).last_hidden_state[0], atol=1e-5)


@settings(deadline=None, max_examples=40)
@given(lengths=lengths_of_a_batch, seed=st.integers(0, 2**20))
def test_a_mean_is_that_of_each_sentence_alone(lengths: list[int], seed: int) -> None:
    torch.manual_seed(seed)
    mask = real(lengths, 8)
    x = spoiled(torch.randn(len(lengths), 8, 3, dtype=torch.float64), mask[..., None])
    for mean, row, length in zip(MODULE.masked_mean(x, mask), x, lengths, strict=True):
        assert torch.allclose(mean, row[:length].mean(dim=0) if length else torch.zeros(3, dtype=torch.float64))


@settings(deadline=None, max_examples=40)
@given(lengths=lengths_of_a_batch, seed=st.integers(0, 2**20))
def test_a_softmax_is_that_of_what_is_real_alone(lengths: list[int], seed: int) -> None:
    torch.manual_seed(seed)
    mask = real(lengths, 8)
    scores = spoiled(torch.randn(len(lengths), 8, dtype=torch.float64), mask)
    for weights, row, length in zip(MODULE.masked_softmax(scores, mask), scores, lengths, strict=True):
        assert torch.allclose(weights[:length], row[:length].softmax(dim=0))
        assert not weights[length:].any()


@pytest.mark.parametrize("pad_id", [-100, -1, 0, 3])
def test_a_loss_and_its_gradients_are_those_of_ignore_index(pad_id: int) -> None:
    torch.manual_seed(0)
    mask = real([4, 0, 2, 7])
    logits = spoiled(torch.randn(4, 7, 5, dtype=torch.float64), mask[..., None]).requires_grad_()
    targets = torch.randint(0, 5, (4, 7)).masked_fill(~mask, pad_id)
    ours = MODULE.masked_cross_entropy(logits, targets, pad_id)
    theirs = F.cross_entropy(logits.transpose(1, 2), targets, ignore_index=pad_id)
    assert torch.allclose(ours, theirs)
    for a, b in zip(*(torch.autograd.grad(loss, logits) for loss in (ours, theirs)), strict=True):
        assert torch.allclose(a, b)


@settings(deadline=None, max_examples=30)
@given(lengths=lengths_of_a_batch, more=st.integers(1, 9), seed=st.integers(0, 2**20))
def test_more_padding_changes_nothing(lengths: list[int], more: int, seed: int) -> None:
    torch.manual_seed(seed)
    batch, places = len(lengths), max(lengths)
    mask, longer = real(lengths), real(lengths, places + more)
    x = torch.randn(batch, places, 3, dtype=torch.float64)
    wide = spoiled(F.pad(x, (0, 0, 0, more)), longer[..., None])
    targets = torch.randint(0, 2, (batch, places)).masked_fill(~mask, 2)
    assert torch.allclose(MODULE.masked_mean(wide, longer), MODULE.masked_mean(x, mask))
    assert torch.equal(MODULE.position_ids(longer), F.pad(MODULE.position_ids(mask), (0, more)))
    weights = MODULE.masked_softmax(x[..., 0], mask)
    assert torch.allclose(MODULE.masked_softmax(wide[..., 0], longer), F.pad(weights, (0, more)))
    losses = (
        MODULE.masked_cross_entropy(logits, each, 2)
        for logits, each in ((x, targets), (wide, F.pad(targets, (0, more), value=2)))
    )
    assert torch.allclose(*losses)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_no_gradient_reaches_padding_and_all_are_finite(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    mask = real([4, 0, 2, 6])
    x = spoiled(torch.randn(4, 6, 3).to(dtype), mask[..., None], LARGEST[dtype]).requires_grad_()
    targets = torch.randint(0, 3, (4, 6)).masked_fill(~mask, -100)
    results = {
        "masked_mean": MODULE.masked_mean(x, mask),
        "masked_softmax": MODULE.masked_softmax(x[..., 0], mask),
        "masked_cross_entropy": MODULE.masked_cross_entropy(x, targets, -100),
    }
    for name, result in results.items():
        assert result.dtype == dtype, name
        assert result.isfinite().all(), name
        (gradient,) = torch.autograd.grad((result * torch.randn_like(result)).sum(), x, retain_graph=True)
        assert gradient.isfinite().all(), name
        assert gradient[mask].any(), name
        assert not gradient[~mask].any(), name


@pytest.mark.parametrize("shape", [(6,), (1, 6), (4, 6), (4, 1), (2, 1, 1, 6), (2, 1, 4, 6), (2, 3, 4, 6)], ids=str)
def test_every_mask_that_broadcasts_is_taken(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    scores, mask = torch.randn(2, 3, 4, 6), torch.rand(shape) < 0.5
    whole = MODULE.masked_softmax(scores, mask.expand(scores.shape))
    assert torch.equal(MODULE.masked_softmax(scores, mask), whole)


@pytest.mark.parametrize("lengths", [(3, 5, 2), (1,), (4, 0, 9, 9)], ids=str)
def test_shapes_are_those_of_the_lessons_own_functions(lengths: tuple[int, ...]) -> None:
    d_model, vocab = 11, 13
    tokens = MODULE.pad_batch([torch.ones(length, dtype=torch.int64) for length in lengths], 0)
    is_real = tokens != 0
    x, logits = torch.zeros(*tokens.shape, d_model), torch.zeros(*tokens.shape, vocab)
    steps = {"tokens": tokens, "mask": MODULE.padding_mask(tokens, 0), "x": x, "column": is_real[:, :, None]}
    steps |= {"means": MODULE.masked_mean(x, is_real), "real": x[is_real], "logits": logits}
    steps |= {"losses": F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none")}
    steps |= {"loss": MODULE.masked_cross_entropy(logits, tokens, 0)}
    shapes = {name: tuple(step.shape) for name, step in steps.items()}
    assert MODULE.shapes_of_padding(lengths, d_model, vocab) == shapes


@pytest.mark.parametrize("name", ["masked_mean", "masked_softmax", "masked_cross_entropy"])
def test_the_same_rows_padded_further_have_the_same_answer(name: str) -> None:
    cases = {case["label"]: case for case in KEYS["18_padding"].exercise(name).cases}
    (label,) = (label for label in cases if label.startswith("two sentences in"))
    short, longer = (cases[each]["expected"]["result"] for each in (label, "the same two, padded further"))
    if name == "masked_softmax":
        assert not longer[..., short.shape[-1] :].any()
        longer = longer[..., : short.shape[-1]]
    assert torch.allclose(short, longer)
    assert not identical(cases[label]["arguments"], cases["the same two, padded further"]["arguments"])


def by_its_keyword(logits: Tensor, targets: Tensor, pad_id: int) -> Tensor:
    return F.cross_entropy(logits.transpose(1, 2), targets, ignore_index=pad_id)


def by_its_place(logits: Tensor, targets: Tensor, pad_id: int) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), None, None, pad_id)


def by_a_module(logits: Tensor, targets: Tensor, pad_id: int) -> Tensor:
    loss: Tensor = nn.CrossEntropyLoss(ignore_index=pad_id)(logits.transpose(1, 2), targets)
    return loss


def by_the_likelihood(logits: Tensor, targets: Tensor, pad_id: int) -> Tensor:
    return F.nll_loss(logits.log_softmax(dim=-1).transpose(1, 2), targets, ignore_index=pad_id)


def by_its_default(logits: Tensor, targets: Tensor, pad_id: int) -> Tensor:
    return F.cross_entropy(logits.transpose(1, 2), targets.masked_fill(targets == pad_id, -100))


@pytest.mark.parametrize("candidate", [by_its_keyword, by_its_place, by_a_module, by_the_likelihood, by_its_default])
def test_ignore_index_is_seen_however_it_is_used(candidate: Callable[..., Any]) -> None:
    found = report("masked_cross_entropy", candidate)
    assert found.passed <= 1  # a single token without padding has nothing to ignore
    assert "Your code uses `ignore_index`, which this exercise forbids." in text.render(found)


def test_torchs_losses_may_be_used_on_targets_that_are_words() -> None:
    def on_safe_targets(logits: Tensor, targets: Tensor, pad_id: int) -> Tensor:
        is_real = targets != pad_id
        losses = F.cross_entropy(logits.transpose(1, 2), targets.clamp(min=0), reduction="none")
        return (losses * is_real).sum() / is_real.sum()

    def on_real_tokens(logits: Tensor, targets: Tensor, pad_id: int) -> Tensor:
        loss: Tensor = nn.CrossEntropyLoss()(logits[targets != pad_id], targets[targets != pad_id])
        return loss

    for candidate in (on_safe_targets, on_real_tokens):
        found = report("masked_cross_entropy", candidate)
        assert found.status == "passed", text.render(found)


@pytest.mark.parametrize(
    ("candidate", "named"),
    [
        (lambda sequences, pad_id: pad_sequence(sequences, batch_first=True, padding_value=pad_id), "pad_sequence"),
        (
            lambda sequences, pad_id: torch.nested.to_padded_tensor(torch.nested.nested_tensor(sequences), pad_id),
            "to_padded_tensor",
        ),
    ],
)
def test_torchs_padding_is_no_answer(candidate: Callable[..., Any], named: str) -> None:
    found = report("pad_batch", candidate)
    assert found.score == 0
    assert f"Your code uses `{named}`, which this exercise forbids." in text.render(found)


def test_what_leaks_only_where_padding_is_large_is_told_as_such() -> None:
    def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
        return (scores - 1e9 * ~mask).softmax(dim=-1) * mask

    rendered = told("masked_softmax", masked_softmax)
    assert "masked_softmax: 9 of 15 cases right" in rendered
    assert "What lies there may be larger than that number, and wins the softmax then: write over it." in rendered


def test_a_nan_that_is_in_the_gradient_alone_is_told_as_such() -> None:
    def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
        count = mask.sum(dim=1, keepdim=True)
        return torch.where(count > 0, (x * mask[..., None]).sum(dim=1) / count, 0)

    rendered = told("masked_mean", masked_mean)
    assert "masked_mean: 10 of 12 cases right" in rendered
    assert "Nothing may be divided by 0 to begin with." in rendered
    assert "the gradient of x differ" in rendered
