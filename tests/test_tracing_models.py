"""Traces of real models against others: torchinfo for shapes and parameters, FlopCounterMode for multiply-adds."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torchinfo
import transformers
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from autograder import trace

transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]


@dataclass
class Real:
    """A real model at a tiny size, with its inputs by name."""

    build: Callable[..., nn.Module]
    inputs: Mapping[str, tuple[int, ...]]  # shapes; of token ids where the name says so

    def given(self) -> dict[str, Any]:
        return {
            name: torch.arange(torch.Size(shape).numel()).reshape(shape) % 10 if "ids" in name else torch.randn(shape)
            for name, shape in self.inputs.items()
        }


def tiny(kind: str, **more: Any) -> Callable[..., nn.Module]:
    """Builds a transformers model of a kind such as "GPT2LMHead" from its configuration class."""
    name, _, config = kind.partition("/")

    def build(**changed: Any) -> nn.Module:
        model = getattr(transformers, name)(getattr(transformers, f"{config}Config")(**more | changed))
        assert isinstance(model, nn.Module)
        return model.eval()

    return build


TEXT = {"hidden_size": 12, "num_attention_heads": 3, "num_hidden_layers": 2, "intermediate_size": 20, "vocab_size": 50}
IMAGE = {"hidden_size": 12, "num_attention_heads": 3, "num_hidden_layers": 2, "intermediate_size": 20}
TOKENS = {"input_ids": (2, 7)}
PIXELS = {"pixel_values": (2, 3, 32, 48)}

MODELS = {
    "GPT-2": Real(tiny("GPT2LMHeadModel/GPT2", n_embd=12, n_head=3, n_layer=2, vocab_size=50, use_cache=False), TOKENS),
    "BERT": Real(tiny("BertModel/Bert", **TEXT), TOKENS),
    "LLaMA": Real(
        tiny("LlamaForCausalLM/Llama", **(TEXT | {"hidden_size": 24}), num_key_value_heads=1, use_cache=False), TOKENS
    ),
    "ViT": Real(tiny("ViTModel/ViT", **IMAGE, image_size=(32, 48), patch_size=8), PIXELS),
    "ResNet": Real(
        tiny("ResNetModel/ResNet", embedding_size=8, hidden_sizes=[8, 16], depths=[1, 2], layer_type="basic"), PIXELS
    ),
    "T5": Real(
        tiny("T5Model/T5", d_model=12, d_kv=4, num_heads=3, d_ff=20, num_layers=2, vocab_size=50, use_cache=False),
        TOKENS | {"decoder_input_ids": (2, 5)},
    ),
    "MobileNetV2": Real(tiny("MobileNetV2Model/MobileNetV2", depth_multiplier=0.35), PIXELS),
    "ConvNeXt": Real(tiny("ConvNextModel/ConvNext", hidden_sizes=[8, 12], depths=[1, 2], num_stages=2), PIXELS),
    "DistilBERT": Real(tiny("DistilBertModel/DistilBert", dim=12, n_heads=3, n_layers=2, hidden_dim=20), TOKENS),
}


each_model = pytest.mark.parametrize("real", MODELS.values(), ids=list(MODELS))


@each_model
def test_shapes_and_parameters_are_torchinfos_at_every_submodule(real: Real) -> None:
    model, inputs = real.build(), real.given()
    found = trace(model, **inputs)
    calls: dict[str | None, list[tuple[list[list[int]], int]]] = defaultdict(list)
    for step in found.modules:
        shapes = [list(found.values[key].shape) for key in step.outputs]
        calls[step.module].append((shapes, step.parameters))
    paths = {id(module): path for path, module in model.named_modules()}
    summary = torchinfo.summary(model, input_data=inputs, depth=100, verbose=0)
    expected: dict[str, list[tuple[list[int], int]]] = defaultdict(list)
    for layer in summary.summary_list:
        if layer.executed:
            expected[paths[layer.layer_id]].append((list(layer.output_size), layer.num_params))
    assert set(calls) == set(expected)
    assert len(calls) >= 15
    for path, layers in expected.items():
        assert len(calls[path]) == len(layers), path
        for (shapes, parameters), (shape, number) in zip(calls[path], layers, strict=True):
            assert shape in shapes, path
            assert parameters == number, path
    assert found.parameters == sum(weight.numel() for weight in model.parameters())


@each_model
def test_multiply_adds_are_those_of_flop_counter_mode(real: Real) -> None:
    model, inputs = real.build(attn_implementation="eager"), real.given()
    with FlopCounterMode(display=False) as counter:
        model(**inputs)
    for depth in (None, 0, 2):
        found = trace(model, **inputs, depth=depth)
        assert found.multiply_adds == counter.get_total_flops() / 2 > 0
        assert sum(step.multiply_adds for step in found.steps) == found.multiply_adds


def test_gpt2_small_is_traced_on_the_meta_device_in_about_a_second() -> None:
    with torch.device("meta"):
        model, tokens = tiny("GPT2Model/GPT2")(), torch.zeros(2, 7, dtype=torch.long)
    start = time.perf_counter()
    found = trace(model, tokens, axes={"batch": 2, "seq": 7, "d_model": 768}, depth=1)
    assert time.perf_counter() - start < 2
    assert found.parameters == 124_439_808
    blocks = [step for step in found.steps if step.operation.endswith(": GPT2Block")]
    assert [found.shape(step.outputs[0]) for step in blocks] == ["(batch, seq, d_model)"] * 12


def test_attention_in_one_kernel_counts_as_the_two_products_that_it_is() -> None:
    q, k = torch.randn(2, 3, 5, 11), torch.randn(2, 3, 7, 11)
    for device in ("cpu", "meta"):
        found = trace(F.scaled_dot_product_attention, q.to(device), k.to(device), k.to(device))
        assert found.multiply_adds == 2 * (2 * 3 * 5 * 7 * 11)


def test_products_with_a_vector_and_recurrent_layers_are_counted_too() -> None:
    assert trace(torch.mv, torch.ones(3, 5), torch.ones(5)).multiply_adds == 15
    assert trace(torch.dot, torch.ones(5), torch.ones(5)).multiply_adds == 5
    assert trace(torch.addmv, torch.ones(3), torch.ones(3, 5), torch.ones(5)).multiply_adds == 15
    layer, x = nn.LSTM(3, 4), torch.ones(6, 2, 3)
    assert trace(layer, x).multiply_adds == trace(layer.to("meta"), x.to("meta")).multiply_adds == 6 * 2 * 16 * (3 + 4)
