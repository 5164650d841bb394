"""What the tests of traces trace, and how they look at what came of it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from autograder.tracing import Trace

AXES = {"batch": 2, "heads": 3, "tgt": 5, "src": 7, "d_head": 11}
IMAGE = {"batch": 2, "channel": 6, "height": 8, "width": 14}


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    weights = scores.softmax(dim=-1)
    return weights @ v, weights


def split_heads(x: Tensor, heads: int) -> Tensor:
    batch, seq, width = x.shape
    return x.view(batch, seq, heads, width // heads).transpose(1, 2)


class SelfAttention(nn.Module):
    def __init__(self, d_model: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.W_q, self.W_k, self.W_v, self.W_o = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        q = split_heads(self.W_q(x), self.heads)
        k = split_heads(self.W_k(x), self.heads)
        v = split_heads(self.W_v(x), self.heads)
        attended, _ = attention(q, k, v)
        merged = attended.transpose(1, 2).reshape(x.shape)
        return self.W_o(merged)  # type: ignore[no-any-return]


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(33)
        self.attention = SelfAttention(33, 3)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.attention(self.norm(x))  # type: ignore[no-any-return]


def branch(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers, nn.ReLU())


class Inception(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.branch1 = branch(nn.Conv2d(6, 4, 1))
        self.branch3 = branch(nn.Conv2d(6, 3, 1), nn.Conv2d(3, 5, 3, padding=1))
        self.pool = branch(nn.MaxPool2d(3, 1, 1), nn.Conv2d(6, 9, 1))

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([self.branch1(images), self.branch3(images), self.pool(images)], dim=1)


def qkv() -> list[Tensor]:
    return [torch.randn(2, 3, 5, 11), torch.randn(2, 3, 7, 11), torch.randn(2, 3, 7, 11)]


def shapes(found: Trace) -> list[str]:
    """The shape of each step's first result."""
    return [found.shape(step.outputs[0]) for step in found.steps]


def operations(found: Trace) -> list[str]:
    return [step.operation for step in found.steps]
