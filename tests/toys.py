"""Exercises that no lesson has, small and of many kinds: the diagnosis is tried on more than the course's own."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from autograder.authoring import Exercise, Lesson
from autograder.draw import Draw
from autograder.key import Key, make_key
from autograder.plans import built

Arguments = dict[str, Any]


def scaled_scores(
    q: Float[Tensor, "batch tgt d_k"], k: Float[Tensor, "batch src d_k"]
) -> Float[Tensor, "batch tgt src"]:
    scores: Tensor = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5
    return scores


def shares(
    scores: Float[Tensor, "batch tgt src"], mask: Bool[Tensor, "batch tgt src"]
) -> Float[Tensor, "batch tgt src"]:
    weights = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(dim=-1) * mask
    return weights / weights.sum(-1, keepdim=True).clamp(min=1e-30)


def attend(
    q: Float[Tensor, "batch tgt d_k"], k: Float[Tensor, "batch src d_k"], v: Float[Tensor, "batch src d_v"]
) -> tuple[Float[Tensor, "batch tgt d_v"], Float[Tensor, "batch tgt src"]]:
    weights = scaled_scores(q, k).softmax(-1)
    return weights @ v, weights


def split(x: Float[Tensor, "batch seq d_model"], heads: int) -> Float[Tensor, "batch heads seq d_head"]:
    return x.reshape(*x.shape[:2], heads, -1).transpose(1, 2)


def merge(x: Float[Tensor, "batch heads seq d_head"]) -> Float[Tensor, "batch seq d_model"]:
    return x.transpose(1, 2).flatten(2)


def mean_of_real(
    x: Float[Tensor, "batch seq feature"], mask: Bool[Tensor, "batch seq"]
) -> Float[Tensor, "batch feature"]:
    return (x * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)


def without_padding(
    x: Float[Tensor, "batch seq feature"], mask: Bool[Tensor, "batch seq"]
) -> Float[Tensor, "batch seq feature"]:
    return torch.where(mask[:, :, None], x * 2, 0.0)


def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0) -> int:
    return (size + 2 * padding - kernel) // stride + 1


def pooled(
    images: Float[Tensor, "batch channel height width"], kernel: int, stride: int
) -> Float[Tensor, "batch channel out_height out_width"]:
    return images.unfold(2, kernel, stride).unfold(3, kernel, stride).mean(dim=(-2, -1))


def windows(x: Float[Tensor, "batch time"], size: int, step: int) -> Float[Tensor, "batch windows size"]:
    return x.unfold(1, size, step).clone()


def linear(
    x: Float[Tensor, "batch d_in"], weight: Float[Tensor, "d_out d_in"], bias: Float[Tensor, "d_out"]
) -> Float[Tensor, "batch d_out"]:
    return x @ weight.T + bias


def project(x: Float[Tensor, "batch d_in"], weight: Float[Tensor, "d_out d_in"]) -> Float[Tensor, "batch d_out"]:
    return (x @ weight.T).relu()


def variance(x: Float[Tensor, "batch feature"]) -> Float[Tensor, "feature"]:
    return x.var(dim=0)


def log_shares(logits: Float[Tensor, "batch classes"]) -> Float[Tensor, "batch classes"]:
    return logits.log_softmax(dim=1)


def rms_norm(x: Float[Tensor, "batch feature"], eps: float) -> Float[Tensor, "batch feature"]:
    return x / (x.square().mean(dim=1, keepdim=True) + eps).sqrt()


def smoothed(x: Float[Tensor, "batch time feature"], keep: float) -> Float[Tensor, "batch time feature"]:
    steps = [x[:, 0]]
    for t in range(1, x.shape[1]):
        steps.append(keep * steps[-1] + (1 - keep) * x[:, t])
    return torch.stack(steps, dim=1)


def hinge(scores: Float[Tensor, "batch classes"], margin: float) -> Float[Tensor, "batch classes"]:
    return (margin - scores).clamp(min=0)


def rectified_sum(a: Float[Tensor, "n m"], b: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
    return (a + b).relu()


def size_of_linear(d_in: int, d_out: int) -> int:
    return d_in * d_out + d_out


class LargestSoFar(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.largest: Tensor | None = None

    def forward(self, x: Float[Tensor, "batch d"]) -> Float[Tensor, "batch d"]:
        self.largest = x if self.largest is None else torch.maximum(self.largest, x)
        return self.largest


class Difference(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.before: Tensor | float = 0.0

    def forward(self, x: Float[Tensor, "batch d"]) -> Float[Tensor, "batch d"]:
        result = x - self.before
        self.before = x
        return result


class Numbered(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Float[Tensor, "batch d"]) -> Float[Tensor, "batch d"]:
        self.calls += 1
        return x * self.calls + 1


def gates(x: Float[Tensor, "batch experts d_model"]) -> Float[Tensor, "batch experts d_model"]:
    return x.softmax(dim=1)


def mean_pairwise(x: Float[Tensor, "n feature"]) -> Float[Tensor, "n feature"]:
    """Each row times how many pairs of rows there are."""
    return x * (len(x) * (len(x) - 1) / 2)


def mean_square(x: Float[Tensor, "n"], y: Float[Tensor, "n"]) -> Float[Tensor, ""]:
    return (x - y).square().mean()


def scaled(x: Float[Tensor, "batch d"], gain: Float[Tensor, "d"] | None) -> Float[Tensor, "batch d"]:
    return x * 2 if gain is None else x * gain


def running_sum(x: Float[Tensor, "batch time"]) -> Float[Tensor, "batch time"]:
    return x.cumsum(1)


def counted_positions(mask: Bool[Tensor, "batch seq"]) -> Int[Tensor, "batch seq"]:
    return (mask.cumsum(1) - 1).clamp(min=0) * mask


def weights_of_stack(kernel: int, layers: int, channels: int) -> int:
    return kernel**2 * channels**2 * layers


def strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    result = [1] * len(shape)
    for i in range(len(shape) - 2, -1, -1):
        result[i] = result[i + 1] * shape[i + 1]
    return tuple(result)


def _cases(name: str, *draws: Any, probe: str = "call", **more: Any) -> Exercise:
    exercise = Exercise(name, **more)
    for number, draw in enumerate(draws):
        exercise.case(f"case {number}", probe=probe)(draw)
    return exercise


def _masked(draw: Draw, *shape: int) -> Tensor:
    mask = draw.booleans(*shape, true=0.6)
    mask[..., 0] = True
    return mask


def _real(draw: Draw, batch: int, seq: int) -> Tensor:
    return torch.arange(seq) < draw.integers(1, seq - 1, batch)[:, None]


_three_calls = [
    lambda d: built().call(d.normal(2, 3)).call(d.normal(2, 3)).call(d.normal(2, 3)),
    lambda d: built().call(d.normal(4, 5)).call(d.normal(4, 5)),
]

EXERCISES = [
    _cases(
        "scaled_scores",
        lambda d: {"q": d.normal(2, 5, 4), "k": d.normal(2, 7, 4)},
        lambda d: {"q": d.normal(3, 4, 9), "k": d.normal(3, 6, 9)},
        lambda d: {"q": d.normal(2, 6, 16), "k": d.normal(2, 3, 16)},
    ),
    _cases(
        "shares",
        lambda d: {"scores": d.normal(2, 5, 7), "mask": _masked(d, 2, 5, 7)},
        lambda d: {"scores": d.normal(3, 4, 6, std=2.0), "mask": _masked(d, 3, 4, 6)},
        lambda d: {"scores": d.normal(1, 6, 6), "mask": torch.ones(1, 6, 6, dtype=torch.bool).tril()},
    ),
    _cases(
        "attend",
        lambda d: {"q": d.normal(2, 5, 4), "k": d.normal(2, 7, 4), "v": d.normal(2, 7, 3)},
        lambda d: {"q": d.normal(3, 4, 6), "k": d.normal(3, 6, 6), "v": d.normal(3, 6, 2)},
    ),
    _cases(
        "split",
        lambda d: {"x": d.normal(2, 5, 12), "heads": 3},
        lambda d: {"x": d.normal(3, 4, 10), "heads": 2},
        lambda d: {"x": d.normal(1, 7, 8), "heads": 4},
    ),
    _cases("merge", lambda d: {"x": d.normal(2, 3, 5, 4)}, lambda d: {"x": d.normal(3, 2, 4, 6)}),
    _cases(
        "mean_of_real",
        lambda d: {"x": d.normal(4, 6, 5), "mask": _real(d, 4, 6)},
        lambda d: {"x": d.normal(3, 9, 2), "mask": _real(d, 3, 9)},
        lambda d: {"x": d.normal(2, 7, 8), "mask": _real(d, 2, 7)},
    ),
    _cases(
        "without_padding",
        lambda d: {"x": d.normal(4, 6, 5), "mask": _real(d, 4, 6)},
        lambda d: {"x": d.normal(3, 9, 2), "mask": _real(d, 3, 9)},
    ),
    _cases(
        "output_size",
        lambda d: {"size": 28, "kernel": 5, "stride": 2, "padding": 1},
        lambda d: {"size": 32, "kernel": 3, "stride": 1, "padding": 1},
        lambda d: {"size": 15, "kernel": 4, "stride": 3, "padding": 2},
        lambda d: {"size": 224, "kernel": 7, "stride": 2, "padding": 3},
        lambda d: {"size": 9, "kernel": 2, "stride": 4, "padding": 0},
    ),
    _cases(
        "pooled",
        lambda d: {"images": d.normal(2, 3, 8, 9), "kernel": 3, "stride": 2},
        lambda d: {"images": d.normal(1, 4, 7, 12), "kernel": 2, "stride": 3},
        lambda d: {"images": d.normal(2, 2, 11, 6), "kernel": 4, "stride": 1},
    ),
    _cases(
        "windows",
        lambda d: {"x": d.normal(2, 11), "size": 4, "step": 3},
        lambda d: {"x": d.normal(3, 13), "size": 5, "step": 2},
        lambda d: {"x": d.normal(1, 9), "size": 2, "step": 4},
    ),
    _cases(
        "linear",
        lambda d: {"x": d.normal(2, 5), "weight": d.normal(3, 5), "bias": d.normal(3)},
        lambda d: {"x": d.normal(4, 6), "weight": d.normal(2, 6), "bias": d.normal(2)},
        lambda d: {"x": d.normal(3, 4), "weight": d.normal(4, 4), "bias": d.normal(4)},
    ),
    _cases(
        "project",
        lambda d: {"x": d.normal(4, 5), "weight": d.normal(3, 5)},
        lambda d: {"x": d.normal(5, 3), "weight": d.normal(7, 3)},
        probe="gradients",
    ),
    _cases(
        "variance",
        lambda d: {"x": d.normal(4, 9)},
        lambda d: {"x": d.normal(7, 5)},
        lambda d: {"x": d.normal(3, 6)},
        probe="gradients",
    ),
    _cases("log_shares", lambda d: {"logits": d.normal(4, 5)}, lambda d: {"logits": d.normal(3, 8, std=2.0)}),
    _cases(
        "rms_norm",
        lambda d: {"x": d.normal(4, 6, std=2.0), "eps": 0.5},
        lambda d: {"x": d.normal(3, 9), "eps": 0.1},
        lambda d: {"x": d.normal(5, 4, dtype=torch.float64), "eps": 0.25},
        probe="gradients",
    ),
    _cases(
        "smoothed",
        lambda d: {"x": d.normal(3, 5, 2), "keep": 0.5},
        lambda d: {"x": d.normal(4, 3, 6), "keep": 0.9},
        lambda d: {"x": d.normal(1, 6, 4), "keep": 0.75},
        lambda d: {"x": d.normal(2, 7, 3), "keep": 0.25},
    ),
    _cases(
        "hinge",
        lambda d: {"scores": d.normal(4, 5), "margin": 0.5},
        lambda d: {"scores": d.normal(3, 7), "margin": 1.5},
        probe="gradients",
    ),
    _cases(
        "rectified_sum",
        lambda d: {"a": d.normal(4, 5), "b": d.normal(4, 5)},
        lambda d: {"a": d.normal(3, 7), "b": d.normal(3, 7)},
    ),
    _cases(
        "size_of_linear",
        lambda d: {"d_in": 3, "d_out": 5},
        lambda d: {"d_in": 7, "d_out": 2},
        lambda d: {"d_in": 11, "d_out": 13},
    ),
    _cases(
        "mean_pairwise",
        lambda d: {"x": d.normal(4, 3)},
        lambda d: {"x": d.normal(7, 2)},
        lambda d: {"x": d.normal(5, 6)},
        quantities={"the number of pairs": lambda arguments: len(arguments["x"]) * (len(arguments["x"]) - 1) / 2},
    ),
    _cases(
        "mean_square",
        lambda d: {"x": d.normal(4), "y": d.normal(4)},
        lambda d: {"x": d.normal(7), "y": d.normal(7)},
        lambda d: {"x": d.normal(5), "y": d.normal(5)},
    ),
    _cases(
        "scaled",
        lambda d: {"x": d.normal(4, 3), "gain": d.normal(3)},
        lambda d: {"x": d.normal(2, 5), "gain": None},
        lambda d: {"x": d.normal(3, 4), "gain": d.normal(4)},
    ),
    _cases("LargestSoFar", *_three_calls),
    _cases("Difference", *_three_calls),
    _cases("Numbered", *_three_calls),
    _cases(
        "gates",
        lambda d: {"x": d.normal(3, 4, 2)},
        lambda d: {"x": d.normal(2, 5, 6)},
        lambda d: {"x": d.normal(1, 3, 4)},
    ),
    _cases(
        "running_sum", lambda d: {"x": d.normal(3, 7)}, lambda d: {"x": d.normal(5, 4)}, lambda d: {"x": d.normal(1, 9)}
    ),
    _cases(
        "counted_positions",
        lambda d: {"mask": _real(d, 4, 8)},
        lambda d: {"mask": _real(d, 3, 12).flip(1)},
        lambda d: {"mask": torch.ones(2, 7, dtype=torch.bool)},
    ),
    _cases(
        "weights_of_stack",
        lambda d: {"kernel": 3, "layers": 2, "channels": 5},
        lambda d: {"kernel": 5, "layers": 4, "channels": 7},
        lambda d: {"kernel": 2, "layers": 3, "channels": 11},
        lambda d: {"kernel": 7, "layers": 5, "channels": 3},
    ),
    _cases(
        "strides",
        lambda d: {"shape": (2, 3, 5)},
        lambda d: {"shape": (7, 2, 4, 3)},
        lambda d: {"shape": (6, 5)},
        lambda d: {"shape": (3, 2, 9)},
    ),
]


@functools.cache
def toy_key(seed: int = 0) -> Key:
    """The key of these exercises."""
    return make_key(Lesson("toys", Path(), EXERCISES, sys.modules[__name__]), seed)
