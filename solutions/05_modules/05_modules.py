# %% [markdown]
# # 05 Modules: exercises
#
# Seven exercises, each a step to the next. An `nn.Module` is an object that knows its parameters, its submodules and
# its mode, and that is called like a function. You write a layer, a layer that remembers, a wrapper, a stack, and then
# two functions that look into any module at all. At the end your own modules paint a photograph.
#
# Parameters have **names** here, as in every model whose weights are saved: the checks fill yours by name, with the
# same numbers as the reference's, and compare what comes out. Initialise them as you like.
#
# Run `check(...)` below an exercise to see what is right and what is not; `hint(...)` gives the next of its hints. The
# explanation is [the lesson 05_modules](../../lessons/05_modules.ipynb).

# %%
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from autograder import check, hint, ready

# %% [markdown]
# ## 1. Shapes first
#
# *Ten minutes, on paper.* `state_dict()` is what is saved of a model: every parameter and every persistent buffer, by
# name. Before any code: what is in it, and with which shapes?


# %%
def shapes_in_state_dict(d_in: int, hidden: int, classes: int) -> dict[str, tuple[int, ...]]:
    """The name and the shape of everything in the `state_dict()` of this module, for any sizes.

        class Classifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.body = nn.Sequential(nn.Linear(d_in, hidden), nn.ReLU(), nn.Linear(hidden, hidden, bias=False))
                self.gain = nn.Parameter(torch.ones(hidden))
                self.register_buffer("mean", torch.zeros(d_in))
                self.steps = torch.zeros(1)
                self.extra = [nn.Linear(hidden, hidden)]
                self.head = nn.Linear(hidden, classes)

    `nn.Linear(a, b)` computes x·weightᵀ + bias. What you answer is a dictionary from names to tuples; their order does
    not matter.

    Example: one of its entries is "gain": (hidden,).
    """
    ### BEGIN SOLUTION
    return {
        "gain": (hidden,),
        "mean": (d_in,),
        "body.0.weight": (hidden, d_in),
        "body.0.bias": (hidden,),
        "body.2.weight": (hidden, hidden),
        "head.weight": (classes, hidden),
        "head.bias": (classes,),
    }
    ### END SOLUTION


# %%
check(shapes_in_state_dict)

# %% [markdown]
# ## 2. A layer of your own
#
# *Ten minutes.* The layer that most of a network's numbers live in. An attribute that is an `nn.Parameter` is found by
# its module: it is trained, saved and moved with it.


# %%
class Affine(nn.Module):
    """x·weightᵀ + bias on the last axis, whatever axes come before it.

    Parameters: `weight` of shape (d_out, d_in) and `bias` of shape (d_out,). Their first values are yours to choose,
    but a weight that is zero everywhere would learn nothing.

    Example: with weight [[1., 2.], [0., 1.], [3., 0.]] and bias [0., 10., 0.], x = [1., 1.] gives [3., 11., 3.].

    Rules: nn.Linear is forbidden, and so is a class that inherits from it; F.linear is not.
    """

    weight: Float[Tensor, "d_out d_in"]
    bias: Float[Tensor, "d_out"]

    def __init__(self, d_in: int, d_out: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.weight = nn.Parameter(torch.randn(d_out, d_in) / d_in**0.5)
        self.bias = nn.Parameter(torch.zeros(d_out))
        ### END SOLUTION

    def forward(self, x: Float[Tensor, "*lead d_in"]) -> Float[Tensor, "*lead d_out"]:
        """The transformed x. There may be no axis before the last one, or several."""
        ### BEGIN SOLUTION
        return x @ self.weight.T + self.bias
        ### END SOLUTION


# %%
check(Affine)

# %% [markdown]
# ## 3. A layer that remembers
#
# *Fifteen minutes.* Some numbers of a model are kept and saved, and yet not trained: they are its *buffers*. This layer
# takes the mean out of its input. In training it uses the mean of the batch and keeps a running average of what it saw;
# in evaluation, where a batch may be a single row, it uses the average. `self.training` tells which mode it is in.


# %%
class RunningMean(nn.Module):
    """Subtracts a mean from each feature: the batch's in training, the remembered one in evaluation.

    The buffer `mean` has the shape (d,), is zero at first and is in the `state_dict()`. There are no parameters.

    - In training the result is x − batch mean, and gradients flow through both. Then
      mean ← (1 − momentum) · mean + momentum · batch mean, without gradient: the buffer keeps numbers, no graph.
    - In evaluation the result is x − mean, and `mean` stays as it is.

    Example, d=1, momentum=0.5: in training, x = [[2.], [4.]] gives [[-1.], [1.]], and `mean` becomes [1.5]. Then, in
    evaluation, x = [[2.]] gives [[0.5]].
    """

    mean: Float[Tensor, "d"]

    def __init__(self, d: int, momentum: float = 0.1) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(d))
        ### END SOLUTION

    def forward(self, x: Float[Tensor, "batch d"]) -> Float[Tensor, "batch d"]:
        """x without its mean."""
        ### BEGIN SOLUTION
        if not self.training:
            return x - self.mean
        batch_mean = x.mean(dim=0)
        with torch.no_grad():
            self.mean.lerp_(batch_mean, self.momentum)
        return x - batch_mean
        ### END SOLUTION


# %%
check(RunningMean)

# %% [markdown]
# ## 4. A module around a module
#
# *Ten minutes.* The shortcut that made deep networks trainable, around any module. `*args` and `**kwargs` collect what
# else a call was given, and hand it on.


# %%
class Residual(nn.Module):
    """x + inner(x, ...). The wrapped module is kept as `self.inner`.

    `inner` is called once, and as a module, `self.inner(...)`: its forward alone would leave its hooks out. Whatever
    is given besides x goes to it as it came. Neither x nor anything else that was given is changed.

    Example: with an inner module that doubles, Residual(inner)(torch.tensor([3.])) is [9.].
    """

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.inner = inner
        ### END SOLUTION

    def forward(self, x: Float[Tensor, "*shape"], *args: Any, **kwargs: Any) -> Float[Tensor, "*shape"]:
        """x plus what the inner module makes of it."""
        ### BEGIN SOLUTION
        return x + self.inner(x, *args, **kwargs)
        ### END SOLUTION


# %%
check(Residual)

# %% [markdown]
# ## 5. As many layers as you like
#
# *Ten minutes.* How many layers a model has is often an argument. `nn.ModuleList` is a list whose modules are found;
# a Python list hides them from the optimizer, from `state_dict()` and from `to(device)`.


# %%
class Stack(nn.Module):
    """`depth` layers nn.Linear(d, d) one behind the other, with a ReLU between each two and none after the last.

    `self.layers` is an nn.ModuleList of the linear layers and nothing else, so that the parameters are named
    `layers.0.weight`, `layers.0.bias`, `layers.1.weight`, ... Each has weights of its own. `depth` is at least 1.

    Example: Stack(d=4, depth=1) is one linear layer, and has no ReLU.
    """

    def __init__(self, d: int, depth: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.layers = nn.ModuleList(nn.Linear(d, d) for _ in range(depth))
        ### END SOLUTION

    def forward(self, x: Float[Tensor, "*lead d"]) -> Float[Tensor, "*lead d"]:
        """x after all layers."""
        ### BEGIN SOLUTION
        for layer in self.layers[:-1]:
            x = layer(x).relu()
        return self.layers[-1](x)
        ### END SOLUTION


# %%
check(Stack)

# %% [markdown]
# ## 6. How many numbers are in there?
#
# *Ten minutes.* "A model of seven billion parameters" is counted by such a function. Two layers may share one
# `Parameter` object, as a language model's embedding and its last layer often do: it is one set of numbers.


# %%
def count_parameters(module: nn.Module, trainable_only: bool = False) -> int:
    """How many numbers a module's parameters hold, those of all its submodules included; a Python int.

    A Parameter that is shared counts once. Buffers do not count. With `trainable_only`, only parameters whose
    `requires_grad` is True count.

    Example: count_parameters(nn.Linear(3, 5)) is 20.
    """
    ### BEGIN SOLUTION
    parameters = [p for p in module.parameters() if p.requires_grad or not trainable_only]
    return sum(p.numel() for p in parameters)
    ### END SOLUTION


# %%
check(count_parameters)

# %% [markdown]
# ## 7. What happens inside?
#
# *Twenty minutes.* A model gives its last result; what its parts gave on the way is gone. A *forward hook* is a
# function that a module calls with itself, its inputs and its output each time it has run. With hooks you look into a
# model that somebody else wrote, without changing a line of it. Whoever hangs hooks up takes them down again.


# %%
def capture_outputs(module: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Runs module(x) once and returns every submodule's output, by the submodule's dotted name.

    - The names are those of `module.named_modules()`. The module itself, whose name is "", is left out, and so is a
      submodule that did not run.
    - A submodule that runs twice keeps its last output.
    - Afterwards the hooks that you registered are gone, also when module(x) raises; the exception goes on to the
      caller. Hooks that were there before stay. Nothing else about the module changes.
    - The outputs may be detached or not.

    Example: for nn.Sequential(nn.Linear(3, 5), nn.ReLU()) the result has the keys "0" and "1".
    """
    ### BEGIN SOLUTION
    outputs: dict[str, Tensor] = {}

    def keep(name):
        def hook(_module, _inputs, output):
            outputs[name] = output

        return hook

    handles = [part.register_forward_hook(keep(name)) for name, part in module.named_modules() if name]
    try:
        module(x)
    finally:
        for handle in handles:
            handle.remove()
    return outputs
    ### END SOLUTION


# %%
check(capture_outputs)

# %% [markdown]
# ## Your modules at work
#
# The cell below trains a network made of *your* modules to paint a photograph: from a pixel's place to its colour. It
# is built twice from the same parts, thirty layers with and without your shortcut around every two of them, and your
# hooks show how much of the signal arrives at each depth before training begins. It takes about half a minute.
#
# Which of the two do you expect to learn?

# %%
# demonstration: a photograph painted by the learner's own modules
if ready(Affine, RunningMean, Residual, Stack, count_parameters, capture_outputs):
    import matplotlib.cbook
    import matplotlib.pyplot as plt
    import numpy as np

    torch.set_num_threads(1)  # a model this small gains nothing from more
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        photo = torch.from_numpy(np.asarray(plt.imread(file)).copy()).float()[:480:10, 16:496:10] / 255
    height, width, _ = photo.shape
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    place = torch.stack([rows, columns], dim=-1).view(-1, 2)
    waves = place @ (torch.randn(2, 32, generator=torch.Generator().manual_seed(0)) * 4)
    inputs, colours = torch.cat([waves.sin(), waves.cos()], dim=1), photo.view(-1, 3)

    def network(shortcut: bool) -> nn.Module:
        torch.manual_seed(0)
        pairs = [Stack(64, depth=2) for _ in range(15)]
        middle = [Residual(pair) if shortcut else pair for pair in pairs]
        return nn.Sequential(RunningMean(64), *middle, Affine(64, 3))

    figure, axes = plt.subplots(1, 4, figsize=(11, 2.8), facecolor="white")
    axes[1].imshow(photo)
    axes[1].set_title("the photograph")
    for place_in_row, (title, shortcut) in enumerate({"without Residual": False, "with Residual": True}.items()):
        model = network(shortcut)
        outputs = capture_outputs(model, inputs)
        spread = [outputs[str(i)].std(dim=0).mean().item() for i in range(1, 16)]
        axes[0].plot(range(2, 31, 2), spread, label=title, color=("#D55E00", "#0072B2")[place_in_row])
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        for _ in range(150):
            loss = nn.functional.mse_loss(model(inputs), colours)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        painted = model.eval()(inputs).detach().clamp(0, 1).view(height, width, 3)
        axes[2 + place_in_row].imshow(painted)
        axes[2 + place_in_row].set_title(title)
        print(f"{title}: {count_parameters(model):,} parameters, mean squared error {loss.item():.4f}")
    axes[0].set(xlabel="layers passed", ylabel="spread of the signal", yscale="log")
    axes[0].legend(frameon=False)
    for axis in axes[1:]:
        axis.axis("off")
    figure.tight_layout()
    plt.show()
