"""Traces as people see them: in a terminal, in a notebook, and of large models."""

from __future__ import annotations

import gc
import time
import weakref
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from traced import AXES, IMAGE, Block, Inception, attention, qkv, shapes

from autograder import trace

ATTENTION = """\
attention   batch=2, heads=3, tgt=5, src=7, d_head=11
step  operation                in → out                                                       memory  multiply-adds
      input                    q (batch, heads, tgt, d_head)
      input                    k (batch, heads, src, d_head)
      input                    v (batch, heads, src, d_head)
      input                    mask (tgt, src)
   1  transpose(-2, -1)        k (batch, heads, src, d_head) → (batch, heads, d_head, src)    view
   2  @                        q (batch, heads, tgt, d_head)                                                  2,310
                               #1 (batch, heads, d_head, src)
                               → (batch, heads, tgt, src)
   3  / 3.317                  #2 (batch, heads, tgt, src) → scores (batch, heads, tgt, src)
   4  ~                        mask (tgt, src) → (tgt, src)
   5  masked_fill(value=-inf)  scores#3 (batch, heads, tgt, src)
                               #4 (tgt, src)
                               → scores (batch, heads, tgt, src)
   6  softmax(dim=-1)          scores#5 (batch, heads, tgt, src)
                               → weights (batch, heads, tgt, src)
   7  @                        weights (batch, heads, tgt, src)                                               2,310
                               v (batch, heads, src, d_head)
                               → result[0] (batch, heads, tgt, d_head)
7 steps, 0 parameters, 4,620 multiply-adds, 4.7 kB of results"""

BLOCK = """\
Block   batch=2, heads=3, seq=5, d_head=11
step  operation                 in → out                                                    parameters  multiply-adds
      input                     x (batch, seq, heads·d_head)
   1  norm: LayerNorm           x (batch, seq, heads·d_head) → (batch, seq, heads·d_head)           66
   2  attention: SelfAttention  #1 (batch, seq, heads·d_head) → (batch, seq, heads·d_head)       4,488         46,860
   3  +                         x (batch, seq, heads·d_head)
                                #2 (batch, seq, heads·d_head)
                                → result (batch, seq, heads·d_head)
3 steps, 4,554 parameters, 46,860 multiply-adds, 12.4 kB of results"""


def test_attention_in_a_terminal() -> None:
    mask = torch.ones(5, 7, dtype=torch.bool)
    assert str(trace(attention, *qkv(), mask=mask, axes=AXES)) == ATTENTION


def test_a_module_in_a_terminal_with_its_parameters() -> None:
    found = trace(Block(), torch.randn(2, 5, 33), axes={"batch": 2, "heads": 3, "seq": 5, "d_head": 11}, depth=1)
    assert str(found) == BLOCK


def test_a_notebook_gets_the_drawing_and_the_text() -> None:
    found = trace(Inception(), torch.randn(2, 6, 8, 14), axes=IMAGE, depth=1)
    bundle = found._repr_mimebundle_()
    assert bundle["text/plain"] == str(found) == found.table()
    svg = bundle["image/svg+xml"]
    assert svg == found.diagram().as_svg()
    assert all(f">{text}<" in svg for text in ("images", "branch1: Sequential", "channel 18", "joins on", "copy"))


def test_a_drawing_shows_volumes_where_asked() -> None:
    found = trace(Inception(), torch.randn(2, 6, 8, 14), axes=IMAGE, depth=1)
    assert found.diagram(volumes=True).as_svg() != found.diagram().as_svg()


def long(x: Tensor) -> Tensor:
    for _ in range(5000):
        x = x + 1
    return x


def test_five_thousand_steps_are_shown_in_part_and_take_seconds() -> None:
    start = time.perf_counter()
    found = trace(long, torch.ones(2))
    shown = found.table()
    assert time.perf_counter() - start < 5
    assert len(found.steps) == 5000
    assert "... 4,800 steps more" in shown
    assert len(shown.splitlines()) == 205
    assert found._repr_mimebundle_().keys() == {"text/plain"}
    with pytest.raises(
        ValueError, match=r"^5,000 steps are too many to draw \(at most 100\): trace with a smaller depth"
    ):
        found.diagram()


def vgg16() -> nn.Module:
    layers: list[nn.Module] = []
    channels = 3
    for convolutions, width in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        for _ in range(convolutions):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    sizes = [512 * 49, 4096, 4096, 1000]
    return nn.Sequential(*layers, nn.Flatten(), *(nn.Linear(a, b) for a, b in pairwise(sizes)))


def test_vgg16_is_traced_on_the_meta_device_in_under_a_second() -> None:
    with torch.device("meta"):
        model, images = vgg16(), torch.randn(2, 3, 224, 224)
    start = time.perf_counter()
    found = trace(model, images, axes={"batch": 2, "channel": 3, "side": 224})
    assert time.perf_counter() - start < 1
    assert found.parameters == 138_357_544
    assert found.multiply_adds == 2 * 15_470_264_320
    assert "(batch, channel=512, side=7, side=7)" in shapes(found)


def test_a_trace_holds_no_tensor() -> None:
    x: Any = torch.randn(1000)
    gone = weakref.ref(x)
    found = trace(lambda x: (x * 2).sum(), x)
    del x
    gc.collect()
    assert gone() is None
    assert found.activation_bytes == 4004
