"""Slips: wrong answers that no author wrote down, told by what the reference gives with one thing done wrong."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch
from conftest import EXERCISES, KEYS, LESSONS, report_on
from torch import Tensor, nn

from autograder.authoring import Candidate
from autograder.key import make_key
from autograder.report import Report
from autograder.slips.prints import alike, print_of
from autograder.values import Outline


def report(name: str, candidate: Candidate) -> Report:
    lesson, exercise = next((lesson, each) for lesson, each in EXERCISES if each.name == name)
    return report_on(lesson, exercise, candidate)


def test_projections_that_are_exchanged_are_told_by_their_names() -> None:
    right: Any = LESSONS["21_attention"].module

    class CrossAttention(right.CrossAttention):  # type: ignore[misc]
        def forward(self, *args: Any, **kwargs: Any) -> Any:
            made = self._modules
            made["W_k"], made["W_v"] = made["W_v"], made["W_k"]
            try:
                return super().forward(*args, **kwargs)
            finally:
                made["W_k"], made["W_v"] = made["W_v"], made["W_k"]

    assert report("CrossAttention", CrossAttention).diagnosis == (
        "Part 0 of your result is what comes out when `W_k` and `W_v` are exchanged."
    )


def test_an_activation_that_is_missing_or_another_one_is_told_with_its_place() -> None:
    class Classifier(nn.Module):
        """What stands in place of one ReLU of the classifier."""

        def forward(self, x: Tensor) -> Tensor:
            return torch.nn.functional.gelu(x)

    right: Any = LESSONS["12_vgg"].module

    class VGG(right.VGG):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            for index, layer in enumerate(self.classifier):
                if isinstance(layer, nn.ReLU):
                    self.classifier[index] = Classifier()

    assert report("VGG", VGG).diagnosis == (
        "Your result is what comes out when `gelu` stands in place of every `relu` in `classifier`."
    )


def test_a_layer_that_is_skipped_is_told() -> None:
    right: Any = LESSONS["13_inception"].module

    class GoogLeNet(right.GoogLeNet):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.inception5a.forward = lambda x: x

    assert report("GoogLeNet", GoogLeNet).diagnosis == "Your result is what comes out when `inception5a` is left out."


def test_one_of_several_poolings_that_is_another_one_is_told() -> None:
    class LastOneAverages(nn.Module):
        """Four poolings are asked for; the last of each four calls takes the mean."""

        calls = 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            pool = torch.nn.functional.max_pool2d if self.calls % 4 else torch.nn.functional.avg_pool2d
            return pool(x, 3, stride=2, ceil_mode=True)

    right: Any = LESSONS["13_inception"].module

    class GoogLeNet(right.GoogLeNet):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.pool: nn.Module = LastOneAverages()

    found = report("GoogLeNet", GoogLeNet).diagnosis
    assert (
        found == "Your result is what comes out when `avg_pool2d` stands in place of the last `max_pool2d` in `pool`."
    )


def test_a_shortcut_that_begins_behind_the_norm_is_told() -> None:
    right: Any = LESSONS["26_decoder"].module

    class DecoderBlock(right.DecoderBlock):  # type: ignore[misc]
        def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
            x = self.norm1(x)
            x = x + self.attention(x, x, x, mask)[0]
            result: Tensor = x + self.feed_forward(self.norm2(x))
            return result

    found = report("DecoderBlock", DecoderBlock)
    assert found.recogniser in ("slip_finding", "misconception")
    assert "norm1" in found.diagnosis

    class GPT(right.GPT):  # type: ignore[misc]
        def __init__(self, vocab: int, context: int, d_model: int, heads: int, depth: int) -> None:
            super().__init__(vocab, context, d_model, heads, depth)
            blocks = (DecoderBlock(d_model, heads, 4 * d_model) for _ in range(depth))
            self.blocks: nn.Module = nn.ModuleList(blocks)

    found = report("GPT", GPT)
    assert found.recogniser == "slip_finding"
    assert "what `norm1` in each of `blocks` returns is added in place of" in found.diagnosis


def test_no_slip_is_told_where_something_else_is_wrong_too() -> None:
    right: Any = LESSONS["23_multi_head"].module

    class MultiHeadAttention(right.MultiHeadAttention):  # type: ignore[misc]
        """Keys and values are exchanged, and no error is raised where the heads do not divide d_model."""

        def __init__(self, d_model: int, heads: int) -> None:
            super().__init__(d_model, 1)
            self.heads = heads if d_model % heads == 0 else 1
            self.W_k.forward, self.W_v.forward = self.W_v.forward, self.W_k.forward

    assert report("MultiHeadAttention", MultiHeadAttention).recogniser != "slip_finding"


def test_a_statistic_for_another_is_told() -> None:
    def global_average_pool(features: Tensor) -> Tensor:
        return features.flatten(2).median(-1).values

    found = report("global_average_pool", global_average_pool).diagnosis
    assert found.startswith("Your result is what comes out when `median` stands in place of")


@pytest.mark.parametrize("lesson", ["05_modules", "21_attention"])
def test_no_slip_is_about_a_module_that_was_given(lesson: str) -> None:
    for exercise in KEYS[lesson].exercises:
        given = [name for case in exercise.cases if case["probe"] != "module" for name in case["arguments"]]
        clauses = exercise.slips["sentences"]
        assert not [clause for clause in clauses for name in given if f"`{name}` runs twice" in clause]
        if exercise.name in ("count_parameters", "capture_outputs"):
            assert not clauses


def test_slips_are_the_same_whenever_they_are_made() -> None:
    for name in ("02_broadcasting", "22_masks"):
        for committed, again in zip(KEYS[name].exercises, make_key(LESSONS[name]).exercises, strict=True):
            assert committed.slips["sentences"] == again.slips["sentences"]
            assert torch.allclose(
                committed.slips["prints"], again.slips["prints"], rtol=1e-4, atol=1e-4, equal_nan=True
            )


def test_a_print_is_the_same_in_another_order_of_computing_and_another_for_other_numbers() -> None:
    x = torch.randn(64, 32, generator=torch.Generator().manual_seed(0))
    weight = torch.randn(32, 16, generator=torch.Generator().manual_seed(1))
    one, other = x @ weight, sum(x[:, [i]] * weight[[i]] for i in range(31, -1, -1))
    assert bool(alike(print_of({"result": one}), print_of({"result": other})))
    for wrong in (one.flip(0), one * 1.001, one.T, one.relu(), one.view(16, 64), -one):
        assert not bool(alike(print_of({"result": one}), print_of({"result": wrong})))


def test_what_is_too_large_to_be_expected_costs_nothing() -> None:
    for large in (Outline(torch.bool, (5, 2**26)), torch.zeros(2**20)):
        began = time.monotonic()
        assert bool(print_of({"result": large}).isnan().all())
        assert time.monotonic() - began < 0.5


def test_prints_tell_what_is_no_number() -> None:
    x = torch.tensor([1.0, float("nan"), 3.0])
    known = print_of({"result": x})
    assert bool(alike(known, print_of({"result": x.clone()})))
    for wrong in (x.nan_to_num(0.0), torch.tensor([1.0, float("inf"), 3.0]), torch.tensor([float("nan"), 1.0, 3.0])):
        assert not bool(alike(known, print_of({"result": wrong})))
    assert bool(alike(print_of({}), print_of({})))
    assert not bool(alike(print_of({}), known))
