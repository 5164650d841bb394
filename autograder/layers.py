"""Layers: the names that torch's documentation gives to the axes of what its layers hold and of what they return."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from autograder.axes import tensors_of
from autograder.plans import has_plan
from autograder.probes import Names, as_called, by_their_names
from autograder.recipes import made
from autograder.values import clone
from autograder.watch import namespace_of

KERNELS = {1: "kernel_size", 2: "kernel_height kernel_width", 3: "kernel_depth kernel_height kernel_width"}
NORM = dict.fromkeys(("weight", "bias", "running_mean", "running_var"), "num_features")
IMAGES = "batch channel height width"
# by class, whatever inherits from it included
HELD: dict[type[nn.Module], dict[str, str]] = {
    nn.Linear: {"weight": "out_features in_features", "bias": "out_features"},
    nn.Bilinear: {"weight": "out_features in1_features in2_features", "bias": "out_features"},
    nn.Embedding: {"weight": "num_embeddings embedding_dim"},
    nn.EmbeddingBag: {"weight": "num_embeddings embedding_dim"},
    nn.GroupNorm: {"weight": "num_channels", "bias": "num_channels"},
    nn.PReLU: {"weight": "num_parameters"},
    nn.LayerNorm: {"weight": "*normalized_shape", "bias": "*normalized_shape"},
    nn.RMSNorm: {"weight": "*normalized_shape"},
    nn.modules.batchnorm._NormBase: NORM,
}
OF_IMAGES = (
    nn.Conv2d,
    nn.ConvTranspose2d,
    nn.BatchNorm2d,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
)


def tensors_in(reference: Any, names: Names, cases: list[dict[str, Any]]) -> dict[str, Any]:
    """The parameters and buffers of a reference described, those in its layers included: as its author does, else in
    torch's words. Where it is a function that makes a module, so are the module's `result` and its first argument.

    What is another tensor in another case is left out, for a key has one description of each name.
    """
    held = [_held(reference, names, case) for case in cases if has_plan(case) and not case["raises"]]
    found = {name: described for each in held for name, described in each.items()}
    alike = {name: dims for name, dims in found.items() if all(each.get(name, dims) == dims for each in held)}
    return {**alike, **tensors_of(reference)}


def _held(reference: Any, names: Names, case: dict[str, Any]) -> dict[str, Any]:
    given = made(clone(case["arguments"]["build"]), namespace_of(reference) or {})
    positional, by_name = as_called(reference, names.call, by_their_names(names.call, given))
    with torch.device("meta"):  # shapes are not asked for, and numbers would take long
        built = reference(*positional, **by_name)
    if not isinstance(built, nn.Module):
        return {}
    dims: dict[str, Any] = {}
    for path, part in built.named_modules():
        own = {name: {"dtype": "Float", "dims": axes} for name, axes in _dims(part).items()} | tensors_of(type(part))
        kept = {name for name, value in (part._parameters | part._buffers).items() if value is not None}
        dims |= {f"{path}.{name}" if path else name: own[name] for name in own if name in kept}
    if not isinstance(reference, type) and isinstance(built, nn.Sequential) and len(built):
        ends = {"argument 0": built[0], "result": built[-1]}
        dims |= {name: {"dtype": "Float", "dims": IMAGES} for name, end in ends.items() if isinstance(end, OF_IMAGES)}
    return dims


def _dims(part: nn.Module) -> dict[str, str]:
    """The axes of what one layer holds itself."""
    if isinstance(part, nn.modules.conv._ConvNd):
        ends = ["out_channels", "in_channels" if part.groups == 1 else "in_channels/groups"]
        if part.transposed:
            ends = ["in_channels", "out_channels" if part.groups == 1 else "out_channels/groups"]
        return {"weight": " ".join([*ends, KERNELS[len(part.kernel_size)]]), "bias": "out_channels"}
    found = next((dims for kind, dims in HELD.items() if isinstance(part, kind)), {})
    if isinstance(part, nn.LayerNorm | nn.RMSNorm) and len(part.normalized_shape) == 1:
        return {name: dims.removeprefix("*") for name, dims in found.items()}
    return found
