"""Traces of real models against others: torchinfo for shapes and parameters, FlopCounterMode for multiply-adds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torchinfo
import transformers
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from autograder import trace

transformers.logging.set_verbosity_error()


@dataclass
class Real:
    """A real model at a tiny size, with its inputs by name."""

    build: Callable[..., nn.Module]
    inputs: dict[str, tuple[int, ...]]  # shapes; of token ids where the name says so

    def given(self) -> dict[str, torch.Tensor]:
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


def models() -> Any:
    return pytest.mark.parametrize("real", MODELS.values(), ids=list(MODELS))


@models()
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


@models()
def test_multiply_adds_are_those_of_flop_counter_mode(real: Real) -> None:
    model, inputs = real.build(attn_implementation="eager"), real.given()
    with FlopCounterMode(display=False) as counter:
        model(**inputs)
    for depth in (None, 0, 2):
        found = trace(model, **inputs, depth=depth)
        assert found.multiply_adds == counter.get_total_flops() / 2 > 0
        assert sum(step.multiply_adds for step in found.steps) == found.multiply_adds
