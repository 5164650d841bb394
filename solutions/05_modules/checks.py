"""What decides whether the exercises of 05_modules are right."""

import torch
import torch.nn.functional as F
from torch import nn

from autograder.authoring import Exercise, built, recipe

# ---- shapes_in_state_dict --------------------------------------------------------------------------------------------

shapes_in_state_dict = Exercise(
    "shapes_in_state_dict",
    points=1,
    hints=[
        "Go through the attributes one by one. Which of them are parameters, modules or registered buffers, and which "
        "are something else?",
        "A name is the path to it: attribute, number in the Sequential, attribute. Which of the modules in `body` have "
        "numbers to learn, and what are their places, counted from 0?",
        "A Linear's weight has a row for each number that comes out. `steps` is a plain tensor and `extra` a plain "
        "list: what does the module know of them?",
    ],
)


@shapes_in_state_dict.case("small sizes")
def _(draw):
    return {"d_in": 3, "hidden": 5, "classes": 2}


@shapes_in_state_dict.case("other sizes")
def _(draw):
    d_in, hidden, classes = (draw.permutation(50) + 2).tolist()[:3]
    return {"d_in": d_in, "hidden": hidden, "classes": classes}


@shapes_in_state_dict.case("a single class")
def _(draw):
    return {"d_in": draw.integer(2, 9), "hidden": draw.integer(10, 90), "classes": 1}


@shapes_in_state_dict.case("one number in, one hidden")
def _(draw):
    return {"d_in": 1, "hidden": 1, "classes": draw.integer(2, 9)}


def entries(d_in, hidden, classes, **changes):
    """The right answer; `changes` have two underscores for each dot, and None takes an entry out."""
    right = {
        "body.0.weight": (hidden, d_in),
        "body.0.bias": (hidden,),
        "body.2.weight": (hidden, hidden),
        "gain": (hidden,),
        "mean": (d_in,),
        "head.weight": (classes, hidden),
        "head.bias": (classes,),
    }
    changed = {**right, **{name.replace("__", "."): shape for name, shape in changes.items()}}
    return {name: shape for name, shape in changed.items() if shape is not None}


@shapes_in_state_dict.misconception
def weights_transposed(d_in, hidden, classes):
    """Your weights have a row for each number that goes in. nn.Linear keeps them the other way round: its result is
    x·weightᵀ."""
    return entries(d_in, hidden, classes, body__0__weight=(d_in, hidden), head__weight=(hidden, classes))


@shapes_in_state_dict.misconception
def counted_without_the_relu(d_in, hidden, classes):
    """You have numbered the linear layers 0 and 1. The numbers in a Sequential are places, and the ReLU has one of
    them, though it has nothing to save."""
    return entries(d_in, hidden, classes, body__2__weight=None, body__1__weight=(hidden, hidden))


@shapes_in_state_dict.misconception
def buffer_forgotten(d_in, hidden, classes):
    """There is no "mean" in yours. It is not trained, and it is saved all the same: that is what register_buffer is
    for."""
    return entries(d_in, hidden, classes, mean=None)


@shapes_in_state_dict.misconception
def plain_tensor_saved(d_in, hidden, classes):
    """Yours has "steps" in it. A tensor that is only an attribute is neither a parameter nor a registered buffer: the
    module does not know of it."""
    return entries(d_in, hidden, classes, steps=(1,))


@shapes_in_state_dict.misconception
def list_searched(d_in, hidden, classes):
    """Yours has the layer of `extra` in it. A module does not look into a Python list; nn.ModuleList is the list that
    it looks into."""
    return entries(d_in, hidden, classes, extra__0__weight=(hidden, hidden), extra__0__bias=(hidden,))


@shapes_in_state_dict.misconception
def everything_saved(d_in, hidden, classes):
    """Yours has "steps" and the layer of `extra` in it: every attribute. A module knows its parameters, its registered
    buffers and its submodules; a plain tensor and a Python list are none of them."""
    extra = {"extra__0__weight": (hidden, hidden), "extra__0__bias": (hidden,)}
    return entries(d_in, hidden, classes, steps=(1,), **extra)


@shapes_in_state_dict.misconception
def bias_where_there_is_none(d_in, hidden, classes):
    """Yours has a "body.2.bias". Look at how that layer is built."""
    return entries(d_in, hidden, classes, body__2__bias=(hidden,))


@shapes_in_state_dict.misconception
def trained_parameters_alone(d_in, hidden, classes):
    """Yours has the linear layers alone. A parameter that is an attribute of the module itself is saved too, and so
    are buffers."""
    return entries(d_in, hidden, classes, gain=None, mean=None)


@shapes_in_state_dict.variant
def asked_of_the_module(d_in, hidden, classes):
    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(d_in, hidden), nn.ReLU(), nn.Linear(hidden, hidden, bias=False))
            self.gain = nn.Parameter(torch.ones(hidden))
            self.register_buffer("mean", torch.zeros(d_in))
            self.steps = torch.zeros(1)
            self.extra = [nn.Linear(hidden, hidden)]
            self.head = nn.Linear(hidden, classes)

    return {name: value.shape for name, value in Classifier().state_dict().items()}


@shapes_in_state_dict.variant
def layer_by_layer(d_in, hidden, classes):
    answer = {"mean": (d_in,), "gain": (hidden,), "body.2.weight": (hidden,) * 2}
    for name, sizes in {"body.0": (hidden, d_in), "head": (classes, hidden)}.items():
        answer[f"{name}.weight"], answer[f"{name}.bias"] = sizes, sizes[:1]
    return answer


# ---- Affine ----------------------------------------------------------------------------------------------------------

affine = Exercise(
    "Affine",
    points=2,
    forbids=["Linear", "LazyLinear", "Bilinear"],
    hints=[
        "Which attributes does a module find by itself? What must a tensor be wrapped in, and when is it made: when "
        "the layer is built, or at each call?",
        "The weight has a row for each number that comes out. x has d_in numbers on its last axis. Which of the two "
        "has to be turned for a matrix product?",
        "nn.Parameter(torch.randn(...)) in __init__, and in forward a product with the weight's transpose, `@`, which "
        "leaves the axes before the last one alone. The bias broadcasts by itself.",
    ],
)


@affine.case("two rows")
def _(draw):
    return built(3, 5).differentiate(draw.normal(2, 3))


@affine.case("more axes in front")
def _(draw):
    return built(4, 2).differentiate(draw.normal(2, 3, 5, 4))


@affine.case("no axis in front")
def _(draw):
    return built(6, 7).differentiate(draw.normal(6))


@affine.case("as many numbers out as in")
def _(draw):
    return built(4, 4).differentiate(draw.normal(7, 4))


@affine.case("one number in, one out")
def _(draw):
    return built(1, 1).differentiate(draw.normal(3, 1))


@affine.case("an input that is a view")
def _(draw):
    return built(5, 3).differentiate(draw.normal(5, 2, 4).transpose(0, 2))


@affine.case("double precision")
def _(draw):
    return built(3, 4).to(torch.float64).differentiate(draw.normal(2, 3, dtype=torch.float64))


@affine.case("sizes of its own")
def _(draw):
    d_in, d_out = (draw.permutation(30) + 8).tolist()[:2]
    return built(d_in, d_out).differentiate(draw.normal(3, d_in))


class Layer(nn.Module):
    """A right Affine, to be spoiled in one place."""

    def __init__(self, d_in, d_out):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(d_out, d_in))
        self.bias = nn.Parameter(torch.randn(d_out))

    def forward(self, x):
        return x @ self.weight.T + self.bias


@affine.misconception
class WeightTheOtherWayRound(Layer):
    """Your weight has a row for each number that goes in. The result is right for it, but whoever loads the weights of
    an nn.Linear into your layer finds another shape: (d_out, d_in) was asked for."""

    def __init__(self, d_in, d_out):
        super().__init__(d_in, d_out)
        self.weight = nn.Parameter(torch.randn(d_in, d_out))

    def forward(self, x):
        return x @ self.weight + self.bias


@affine.misconception
class PlainTensors(Layer):
    """Your weight and bias are plain tensors. The layer computes with them, and no optimizer will ever find them: what
    turns a tensor into something that is trained?"""

    def __init__(self, d_in, d_out):
        nn.Module.__init__(self)
        self.weight, self.bias = torch.randn(d_out, d_in), torch.zeros(d_out)


@affine.misconception
class ParameterComputedWith(Layer):
    """Your weight is what a Parameter became when it was computed with, and that is a plain tensor again: no optimizer
    will find it. First the arithmetic, then nn.Parameter around its result."""

    def __init__(self, d_in, d_out):
        nn.Module.__init__(self)
        self.weight = nn.Parameter(torch.randn(d_out, d_in)) / d_in**0.5
        self.bias = nn.Parameter(torch.zeros(d_out))


@affine.misconception
class ZeroWeight(Layer):
    """Your weight is zero everywhere at first. Every input then gives the bias, and no gradient reaches what comes
    before the layer."""

    def __init__(self, d_in, d_out):
        super().__init__(d_in, d_out)
        self.weight = nn.Parameter(torch.zeros(d_out, d_in))


@affine.misconception
class NoBias(Layer):
    """Your layer has a bias and does not add it: the result is x·weightᵀ alone."""

    def forward(self, x):
        return x @ self.weight.T


@affine.misconception
class BiasSubtracted(Layer):
    """Your layer subtracts its bias."""

    def forward(self, x):
        return x @ self.weight.T - self.bias


@affine.misconception
class NotTransposed(Layer):
    """Your layer multiplies by the weight as it stands. Where d_in and d_out differ that raises an error, and where
    they are equal it gives wrong numbers without one."""

    def forward(self, x):
        return x @ self.weight + self.bias


@affine.misconception
class CutGradient(Layer):
    """The result is right, but the weight is used without its history, so it will never be trained. `.data` and
    `detach()` do that."""

    def forward(self, x):
        return x @ self.weight.data.T + self.bias


@affine.misconception
class TwoAxesAlone(Layer):
    """Yours is right for an input with two axes and for no other. torch.mm and `addmm` multiply matrices alone: which
    product leaves the axes before the last one as they are?"""

    def forward(self, x):
        return torch.addmm(self.bias, x, self.weight.T)


@affine.misconception
class ShortNames(nn.Module):
    """Your parameters have other names. A saved model finds its numbers by name, so `weight` and `bias` are part of
    the exercise."""

    def __init__(self, d_in, d_out):
        super().__init__()
        self.W, self.b = nn.Parameter(torch.randn(d_out, d_in)), nn.Parameter(torch.randn(d_out))

    def forward(self, x):
        return x @ self.W.T + self.b


@affine.variant
class ByFunction(Layer):
    def forward(self, x):
        return F.linear(x, self.weight, self.bias)


@affine.variant
class ByEinsum(nn.Module):
    def __init__(self, d_in, d_out):
        super().__init__()
        self.bias = nn.Parameter(torch.full((d_out,), 0.1))
        self.weight = nn.Parameter(torch.empty(d_out, d_in))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, inputs):
        return torch.einsum("oi,...i->...o", self.weight, inputs) + self.bias


@affine.variant
class ByBroadcasting(nn.Module):
    def __init__(self, features_in, features_out):
        super().__init__()
        self.register_parameter("weight", nn.Parameter(torch.rand(features_out, features_in) - 0.5))
        self.register_parameter("bias", nn.Parameter(torch.zeros(features_out)))
        self.register_buffer("scale", torch.ones(()))

    def forward(self, x):
        return (x[..., None, :] * self.weight).sum(dim=-1) * self.scale + self.bias


# ---- RunningMean -----------------------------------------------------------------------------------------------------

running_mean = Exercise(
    "RunningMean",
    points=2,
    hints=[
        "Two means are in play. Which one is subtracted in training, which one in evaluation, and when does the "
        "remembered one change?",
        "`register_buffer` in __init__ makes `mean`. In forward, `self.training` is True or False. The new `mean` is "
        "made from numbers, not from what gradients flow through.",
        "Within `with torch.no_grad():`, (1 - momentum) times the old mean plus momentum times the batch's. What you "
        "subtract from x in training is the batch's mean itself.",
    ],
)


@running_mean.case("one step of training")
def _(draw):
    return built(3, momentum=0.5).differentiate(draw.normal(4, 3, mean=2.0))


@running_mean.case("evaluation, right at first")
def _(draw):
    return built(4, momentum=0.3).eval().differentiate(draw.normal(3, 4, mean=1.0))


@running_mean.case("training, then evaluation")
def _(draw):
    x, y = draw.normal(5, 3, mean=3.0), draw.normal(2, 3)
    return built(3, momentum=0.2).call(x).eval().differentiate(y)


@running_mean.case("two steps of training, evaluation, and training again")
def _(draw):
    x, y, z = (draw.normal(rows, 2, mean=mean) for rows, mean in ((4, 1.0), (6, -2.0), (3, 5.0)))
    return built(2, momentum=0.7).differentiate(x).differentiate(y).eval().call(z).train().differentiate(z)


@running_mean.case("the momentum that it has by itself")
def _(draw):
    return built(5).call(draw.normal(4, 5, mean=4.0)).call(draw.normal(7, 5, mean=4.0)).eval().call(draw.normal(2, 5))


@running_mean.case("a batch of one")
def _(draw):
    return built(3, momentum=0.4).differentiate(draw.normal(1, 3)).eval().differentiate(draw.normal(1, 3))


@running_mean.case("double precision")
def _(draw):
    x = draw.normal(4, 3, mean=2.0, dtype=torch.float64)
    return built(3, momentum=0.25).to(torch.float64).call(x).eval().call(x)


@running_mean.case("a feature alone, and a momentum of its own")
def _(draw):
    momentum = draw.integer(1, 9) / 16
    return built(1, momentum=momentum).call(draw.normal(8, 1, mean=-3.0)).eval().call(draw.normal(2, 1))


class Centred(nn.Module):
    """A right RunningMean, to be spoiled in one place."""

    def __init__(self, d, momentum=0.1):
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(d))

    def updated(self, batch_mean):
        return (1 - self.momentum) * self.mean + self.momentum * batch_mean.detach()

    def forward(self, x):
        if not self.training:
            return x - self.mean
        batch_mean = x.mean(dim=0)
        self.mean = self.updated(batch_mean)
        return x - batch_mean


@running_mean.misconception
class MomentumTheOtherWayRound(Centred):
    """Your `mean` keeps `momentum` of the old value and takes the rest from the batch. Here, as in torch's BatchNorm,
    momentum is the share of the *new* one."""

    def updated(self, batch_mean):
        return self.momentum * self.mean + (1 - self.momentum) * batch_mean.detach()


@running_mean.misconception
class MeanIsTrained(Centred):
    """Your `mean` is a parameter. An optimizer would change it to make the loss smaller; it is meant to remember what
    was seen."""

    def __init__(self, d, momentum=0.1):
        super().__init__(d, momentum)
        del self.mean
        self.mean = nn.Parameter(torch.zeros(d))

    def updated(self, batch_mean):
        return nn.Parameter(super().updated(batch_mean).detach())


@running_mean.misconception
class MeanIsAnAttribute(Centred):
    """Your `mean` is a plain attribute. It works until the model is saved and loaded, or moved to another device or
    dtype: then it is forgotten, or left behind."""

    def __init__(self, d, momentum=0.1):
        nn.Module.__init__(self)
        self.momentum, self.mean = momentum, torch.zeros(d)


@running_mean.misconception
class AttributeThatStaysBehind(Centred):
    """Your `mean` is a plain attribute. It is not saved, and where the module is moved to double precision it stays
    behind: lerp and what works in place then stop at two dtypes. What does a module move and save?"""

    def __init__(self, d, momentum=0.1):
        nn.Module.__init__(self)
        self.momentum, self.mean = momentum, torch.zeros(d)

    def updated(self, batch_mean):
        return torch.lerp(self.mean, batch_mean.detach(), self.momentum)


@running_mean.misconception
class MeanIsNotSaved(Centred):
    """Your buffer moves with the module, but it is not in the `state_dict()`: persistent=False leaves it out."""

    def __init__(self, d, momentum=0.1):
        nn.Module.__init__(self)
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(d), persistent=False)


@running_mean.misconception
class GraphIsKept(Centred):
    """Your numbers are right, but the buffer hangs on to the graph of every batch so far: memory grows with each step.
    Its new value is to be computed without gradient."""

    def updated(self, batch_mean):
        return (1 - self.momentum) * self.mean + self.momentum * batch_mean


@running_mean.misconception
class GradientThroughXAlone(Centred):
    """The result is right, but its gradient flows through x alone, as if the batch's mean were a constant. The mean is
    made of x too; only the buffer is kept out of the graph."""

    def forward(self, x):
        before = self.mean
        if self.training:
            self.mean = self.updated(x.mean(dim=0))
        return x - (x.detach().mean(dim=0) if self.training else before)


@running_mean.misconception
class RemembersInEvaluationToo(Centred):
    """Your `mean` changes in evaluation too. A model that is being evaluated gives the same answer each time it is
    asked: there `mean` stays as it is."""

    def forward(self, x):
        before = self.mean
        self.mean = self.updated(x.mean(dim=0))
        return x - x.mean(dim=0) if self.training else x - before


@running_mean.misconception
class RememberedMeanInTraining(Centred):
    """In training yours subtracts the remembered mean. There the batch's own mean is what is subtracted; the remembered
    one is for evaluation."""

    def forward(self, x):
        if self.training:
            self.mean = self.updated(x.mean(dim=0))
        return x - self.mean


@running_mean.misconception
class ModeIgnored(Centred):
    """Yours does the same in both modes. `self.training` is False after eval(), and then the remembered mean is what is
    subtracted, and nothing is remembered."""

    def forward(self, x):
        self.mean = self.updated(x.mean(dim=0))
        return x - x.mean(dim=0)


@running_mean.misconception
class MeanOfEachRow(Centred):
    """Your batch mean is one number for all features. Each feature has a mean of its own, taken over the batch."""

    def forward(self, x):
        if not self.training:
            return x - self.mean
        self.mean = self.updated(x.mean().expand(x.shape[1]))
        return x - x.mean()


@running_mean.variant
class InPlace(nn.Module):
    def __init__(self, d, momentum=0.1):
        super().__init__()
        self.keep = 1 - momentum
        self.register_buffer("mean", torch.zeros(d))

    @torch.no_grad()
    def remember(self, batch_mean):
        self.mean.mul_(self.keep).add_(batch_mean * (1 - self.keep))

    def forward(self, x):
        mean = torch.sum(x, 0, keepdim=True) / x.shape[0] if self.training else self.mean
        if self.training:
            self.remember(mean.squeeze(0))
        return x - mean


@running_mean.variant
class ByData(nn.Module):
    def __init__(self, features, share=0.1):
        super().__init__()
        self.share = share
        self.mean = nn.Buffer(torch.zeros(features))

    def forward(self, batch):
        current = batch.mean(0)
        result = batch - (current if self.training else self.mean.clone())
        if self.training:
            self.mean += self.share * (current.detach() - self.mean)
        return result


@running_mean.variant
class ByBatchNorm(nn.Module):
    def __init__(self, d, momentum=0.1):
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(d))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        if self.training:
            self.seen += 1
            self.mean.copy_(torch.lerp(self.mean, x.detach().mean(0), self.momentum))
            return torch.stack([column - column.mean() for column in x.unbind(1)], dim=1)
        return torch.sub(x, self.mean)


# ---- Residual --------------------------------------------------------------------------------------------------------

residual = Exercise(
    "Residual",
    points=1,
    hints=[
        "What has to be kept when the module is built, under which name?",
        "In a call, args is a tuple of what was given by position, and kwargs a dictionary of what was given by name. "
        "How does one hand them on?",
        "self.inner(x, *args, **kwargs) is one call of the module itself. `+` makes a new tensor; `+=` writes into x.",
    ],
)

LINEAR = recipe("Linear", 4, 4)


@residual.case("around one layer")
def _(draw):
    return built(LINEAR).differentiate(draw.normal(3, 4))


@residual.case("around two layers and a ReLU")
def _(draw):
    return built(recipe("Sequential", recipe("Linear", 3, 5), recipe("ReLU"), recipe("Linear", 5, 3))).differentiate(
        draw.normal(2, 6, 3)
    )


@residual.case("around a convolution")
def _(draw):
    return built(recipe("Conv2d", 2, 2, 3, 1, 1)).differentiate(draw.normal(1, 2, 5, 4))


@residual.case("with more than x, by position and by name")
def _(draw):
    return built(recipe("Scaled", 3)).differentiate(draw.normal(4, 3), 2.5, shift=-0.75)


@residual.case("the inner module's hooks run, once")
def _(draw):
    return built(recipe("Linear", 5, 5, hooked=[""])).call(draw.normal(2, 5)).call(draw.normal(3, 5))


@residual.case("a single number, twice around")
def _(draw):
    return built(recipe("Twice", recipe("Linear", 1, 1))).differentiate(draw.normal(1))


@residual.case("an inner module that hands back what it was given")
def _(draw):
    return built(recipe("Identity")).call(draw.normal(3, 4)).call(draw.normal(2, 4))


class Shortcut(nn.Module):
    """A right Residual, to be spoiled in one place."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x, *args, **kwargs):
        return x + self.inner(x, *args, **kwargs)


@residual.misconception
class NoShortcut(Shortcut):
    """Yours gives what the inner module gives. x itself is missing in the sum."""

    def forward(self, x, *args, **kwargs):
        return self.inner(x, *args, **kwargs)


@residual.misconception
class HooksLeftOut(Shortcut):
    """Your result is right, but the inner module's forward is called, not the module. Hooks hang on the call: whoever
    looks at a model through them sees nothing of yours."""

    def forward(self, x, *args, **kwargs):
        return x + self.inner.forward(x, *args, **kwargs)


@residual.misconception
class MoreThanXIsLost(Shortcut):
    """Yours hands x on and nothing else. An inner module that needs more than x cannot be wrapped with it: what
    collects the other arguments, and how are they handed on?"""

    def forward(self, x, *args, **kwargs):
        return x + self.inner(x)


@residual.misconception
class ByPositionAlone(Shortcut):
    """Yours hands on what was given by position, and loses what was given by name: the inner module then takes its
    default."""

    def forward(self, x, *args, **kwargs):
        return x + self.inner(x, *args)


@residual.misconception
class WritesIntoX(Shortcut):
    """Your sum is written into x. x belongs to the caller, who may need it again; autograd refuses it for a tensor
    whose gradient is wanted."""

    def forward(self, x, *args, **kwargs):
        x += self.inner(x, *args, **kwargs)
        return x


@residual.misconception
class WritesIntoTheInnersResult(Shortcut):
    """Your sum is written into what the inner module gave. That may be x itself, or something that the inner module
    keeps: `+` makes a new tensor, `+=` writes into the one on its left."""

    def forward(self, x, *args, **kwargs):
        made = self.inner(x, *args, **kwargs)
        made += x
        return made


@residual.misconception
class CalledTwice(Shortcut):
    """Your result is right, but the inner module is called twice for it: twice the work, and with dropout two different
    results."""

    def forward(self, x, *args, **kwargs):
        return (x + self.inner(x, *args, **kwargs) + x + self.inner(x, *args, **kwargs)) / 2


@residual.misconception
class OtherName(nn.Module):
    """You keep the inner module under another name than `inner`, so its parameters have other names too."""

    def __init__(self, inner):
        super().__init__()
        self.module = inner

    def forward(self, x, *args, **kwargs):
        return x + self.module(x, *args, **kwargs)


@residual.misconception
class CutShortcut(Shortcut):
    """The result is right, but no gradient flows through the shortcut, which is what the shortcut is for."""

    def forward(self, x, *args, **kwargs):
        return x.detach() + self.inner(x, *args, **kwargs)


@residual.variant
class AddedLast(Shortcut):
    def forward(self, x, *more, **named):
        result = self.inner(x, *more, **named)
        return torch.add(result, x)


@residual.variant
class Registered(nn.Module):
    def __init__(self, wrapped):
        super().__init__()
        self.add_module("inner", wrapped)

    def forward(self, *args, **kwargs):
        return sum([args[0], self.inner(*args, **kwargs)])


# ---- Stack -----------------------------------------------------------------------------------------------------------

stack = Exercise(
    "Stack",
    points=2,
    hints=[
        "How many ReLUs are there between `depth` layers? How many if depth is 1?",
        "nn.ModuleList takes a list of modules and can be walked through like one. Where in the walk does the ReLU "
        "stand, and which layer has none behind it?",
        "self.layers = nn.ModuleList([... for _ in range(depth)]): the brackets make a new layer each time. Treat "
        "self.layers[:-1] and self.layers[-1] apart, or put the ReLU in front of every layer but the first.",
    ],
)


@stack.case("three layers")
def _(draw):
    return built(4, 3).differentiate(draw.normal(5, 4))


@stack.case("a single layer")
def _(draw):
    return built(3, 1).differentiate(draw.normal(4, 3))


@stack.case("two layers, more axes in front")
def _(draw):
    return built(5, 2).differentiate(draw.normal(2, 3, 5))


@stack.case("a single number")
def _(draw):
    return built(1, 2).differentiate(draw.normal(6, 1))


@stack.case("a depth and a width of their own")
def _(draw):
    d = draw.integer(6, 12)
    return built(d, draw.integer(5, 9)).differentiate(draw.normal(4, d))


@stack.case("double precision")
def _(draw):
    return built(3, 4).to(torch.float64).differentiate(draw.normal(2, 3, dtype=torch.float64))


class Layers(nn.Module):
    """A right Stack, to be spoiled in one place."""

    def __init__(self, d, depth):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(d, d) for _ in range(depth)])

    def forward(self, x):
        for i, layer in enumerate(self.layers):
            x = layer(x if i == 0 else x.relu())
        return x


@stack.misconception
class HiddenInAList(Layers):
    """Your layers are in a Python list. The stack computes with them, but has no parameters: a module does not look
    into a list. nn.ModuleList is one that it looks into."""

    def __init__(self, d, depth):
        nn.Module.__init__(self)
        self.layers = [nn.Linear(d, d) for _ in range(depth)]


@stack.misconception
class ReluAtTheEnd(Layers):
    """Yours has a ReLU after its last layer too, so its result is never negative. It stands between layers alone."""

    def forward(self, x):
        for layer in self.layers:
            x = layer(x).relu()
        return x


@stack.misconception
class NoRelu(Layers):
    """Yours has no ReLU. Linear layers without anything between them are one linear layer, however many there are."""

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


@stack.misconception
class NoReluBeforeTheLast(Layers):
    """Yours has one ReLU too few: there is none between the last two layers. Which is the number of the last layer
    that a ReLU follows, if they are counted from 0?"""

    def forward(self, x):
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i < len(self.layers) - 2:
                x = x.relu()
        return x


@stack.misconception
class OneLayerManyTimes(Layers):
    """All your layers are one and the same object. `[layer] * depth` repeats a reference; each layer has to be built
    anew to have weights of its own."""

    def __init__(self, d, depth):
        nn.Module.__init__(self)
        self.layers = nn.ModuleList([nn.Linear(d, d)] * depth)


@stack.misconception
class ReluInTheList(nn.Module):
    """Your ReLUs are in `layers` too, so the linear layers have the numbers 0, 2, 4, ... A ReLU has nothing to save and
    needs no place in the list."""

    def __init__(self, d, depth):
        super().__init__()
        layers = [layer for _ in range(depth) for layer in (nn.Linear(d, d), nn.ReLU())]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x):
        return self.layers(x)


@stack.misconception
class ReluBeforeTheFirst(Layers):
    """Yours has a ReLU in front of its first layer: all that is negative in the input is lost before anything looks at
    it."""

    def forward(self, x):
        for layer in self.layers:
            x = layer(x.relu())
        return x


@stack.misconception
class OneTooMany(Layers):
    """Yours has one layer more than `depth` says."""

    def __init__(self, d, depth):
        super().__init__(d, depth + 1)


@stack.variant
class LastApart(Layers):
    def forward(self, x):
        *first, last = self.layers
        for layer in first:
            x = F.relu(layer(x))
        return last(x)


@stack.variant
class ByIndex(nn.Module):
    def __init__(self, width, count):
        super().__init__()
        self.layers = nn.ModuleList()
        for _ in range(count):
            self.layers.append(nn.Linear(width, width))
        self.activation = nn.ReLU()

    def forward(self, x):
        x = self.layers[0](x)
        for i in range(1, len(self.layers)):
            x = self.layers[i](self.activation(x))
        return x


@stack.variant
class ByClamp(Layers):
    def forward(self, x):
        for i in range(len(self.layers)):
            x = self.layers[i](x)
            x = x.clamp(min=0) if i + 1 < len(self.layers) else x
        return x


# ---- count_parameters ------------------------------------------------------------------------------------------------

count_parameters = Exercise(
    "count_parameters",
    points=1,
    hints=[
        "Which method of a module goes through all its parameters, those of its submodules included? What does it do "
        "with one that is shared?",
        "A tensor's numel() is how many numbers it holds.",
        "sum(p.numel() for p in module.parameters()), with a condition on p.requires_grad where only those are asked "
        "for.",
    ],
)

NETWORK = recipe("Sequential", recipe("Linear", 6, 7), recipe("ReLU"), recipe("Linear", 7, 2))
NORMED = recipe("Sequential", recipe("Conv2d", 3, 4, 5), recipe("BatchNorm2d", 4), recipe("PReLU"))


@count_parameters.case("one layer")
def _(draw):
    return {"module": recipe("Linear", draw.integer(2, 30), draw.integer(2, 30))}


@count_parameters.case("layers in layers")
def _(draw):
    return {"module": recipe("Sequential", NETWORK, recipe("Parallel", NETWORK, recipe("Linear", 6, 2)), NORMED)}


@count_parameters.case("nothing to learn")
def _(draw):
    return {"module": recipe("Sequential", recipe("ReLU"), recipe("Flatten"))}


@count_parameters.case("a layer with buffers")
def _(draw):
    return {"module": NORMED}


@count_parameters.case("a weight that two layers share")
def _(draw):
    return {"module": recipe("Sequential", recipe("Tied", draw.integer(3, 20)), recipe("Linear", 5, 1))}


@count_parameters.case("some are frozen, all count")
def _(draw):
    module = recipe("Sequential", NETWORK, recipe("Linear", 2, 9), frozen=["0.0.weight", "1.bias"])
    return {"module": module, "trainable_only": False}


@count_parameters.case("some are frozen, and nothing is said of them")
def _(draw):
    return {"module": recipe("Sequential", NETWORK, recipe("Linear", 2, 9), frozen=["0.0.weight", "1.bias"])}


@count_parameters.case("some are frozen, the others count")
def _(draw):
    module = recipe("Sequential", NETWORK, recipe("Linear", 2, 9), frozen=["0.0.weight", "1.bias"])
    return {"module": module, "trainable_only": True}


@count_parameters.case("a shared weight that is frozen")
def _(draw):
    return {"module": recipe("Tied", 4, frozen=["first.weight"]), "trainable_only": True}


@count_parameters.misconception
def tensors_counted(module, trainable_only=False):
    """You have counted the tensors. What is asked for is how many numbers they hold."""
    return sum(1 for p in module.parameters() if p.requires_grad or not trainable_only)


@count_parameters.misconception
def shared_counted_twice(module, trainable_only=False):
    """A weight that two layers share counts twice in yours, and buffers count too where there are any: `state_dict()`
    has an entry for each name."""
    kept = module.state_dict(keep_vars=True).values()
    return sum(p.numel() for p in kept if p.requires_grad or not trainable_only)


@count_parameters.misconception
def each_module_for_itself(module, trainable_only=False):
    """A weight that two layers share counts twice in yours. Going through the modules one by one meets it at each of
    them."""
    own = [p for part in module.modules() for p in part.parameters(recurse=False)]
    return sum(p.numel() for p in own if p.requires_grad or not trainable_only)


@count_parameters.misconception
def once_for_each_level(module, trainable_only=False):
    """Yours counts a parameter once for every module that it lies in. `modules()` gives the inner ones and the outer
    ones, and `parameters()` of an outer one has those of the inner ones in it."""
    found = [p for part in module.modules() for p in part.parameters()]
    return sum(p.numel() for p in found if p.requires_grad or not trainable_only)


@count_parameters.misconception
def own_parameters_left_out(module, trainable_only=False):
    """Yours counts what the module's children hold. Parameters that belong to the module itself, as a single layer's
    do, have no place in them."""
    found = {id(p): p for child in module.children() for p in child.parameters()}
    return sum(p.numel() for p in found.values() if p.requires_grad or not trainable_only)


@count_parameters.misconception
def frozen_counted_always(module, trainable_only=False):
    """Yours counts frozen parameters even where `trainable_only` is True. Each parameter says of itself whether it is
    trained."""
    return sum(p.numel() for p in module.parameters())


@count_parameters.misconception
def frozen_never_counted(module, trainable_only=False):
    """Yours leaves frozen parameters out, whatever `trainable_only` says."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


@count_parameters.misconception
def frozen_counted_alone(module, trainable_only=False):
    """With `trainable_only` yours counts the frozen parameters, and not the others."""
    return sum(p.numel() for p in module.parameters() if not (trainable_only and p.requires_grad))


@count_parameters.misconception
def own_parameters_alone(module, trainable_only=False):
    """Yours counts the parameters that are attributes of the module itself. Those of its submodules belong to it
    too."""
    own = module.parameters(recurse=False)
    return sum(p.numel() for p in own if p.requires_grad or not trainable_only)


@count_parameters.misconception
def buffers_counted(module, trainable_only=False):
    """Yours counts buffers too. They are kept and saved, but nobody learns them."""
    trained = [p for p in module.parameters() if p.requires_grad or not trainable_only]
    return sum(tensor.numel() for tensor in [*trained, *module.buffers()])


@count_parameters.misconception
def biases_left_out(module, trainable_only=False):
    """Yours counts weights alone: parameters with one axis, such as biases, count too."""
    return sum(p.numel() for p in module.parameters() if p.dim() > 1 and (p.requires_grad or not trainable_only))


@count_parameters.variant
def by_identity(module, trainable_only=False):
    seen, total = set(), 0
    for part in module.modules():
        for p in part._parameters.values():
            if p is not None and id(p) not in seen and (p.requires_grad or not trainable_only):
                seen.add(id(p))
                total += p.numel()
    return total


@count_parameters.variant
def by_shapes(module, trainable_only=False):
    total = 0
    for _, p in module.named_parameters():
        if trainable_only and not p.requires_grad:
            continue
        size = 1
        for length in p.shape:
            size *= length
        total += size
    return total


@count_parameters.variant
def by_one_long_vector(module, trainable_only=False):
    flat = [p.detach().flatten() for p in set(module.parameters()) if p.requires_grad >= trainable_only]
    return len(torch.cat(flat)) if flat else 0


# ---- capture_outputs -------------------------------------------------------------------------------------------------

capture_outputs = Exercise(
    "capture_outputs",
    points=3,
    hints=[
        "module.named_modules() gives every submodule with its dotted name, and the module itself with the name "
        '"". What does register_forward_hook want, and what does it give back?',
        "A hook gets the module, its inputs and its output, but not its name: make a hook for each name, by a function "
        "that gives a function. Which statement runs whether or not an exception comes?",
        "Register a hook for each name that is not empty and keep the handles. Then try: module(x), and finally: "
        "handle.remove() for each of them. In a loop, a lambda sees the loop's *last* name, unless the name is a "
        "default argument.",
    ],
)

BRANCHES = recipe("Parallel", recipe("Linear", 4, 3), recipe("Sequential", recipe("Linear", 4, 3), recipe("Sigmoid")))


@capture_outputs.case("three in a row")
def _(draw):
    return {"module": NETWORK, "x": draw.normal(3, 6)}


@capture_outputs.case("branches in a Sequential")
def _(draw):
    return {"module": recipe("Sequential", BRANCHES, recipe("Linear", 3, 2)), "x": draw.normal(2, 4)}


@capture_outputs.case("a submodule that runs twice")
def _(draw):
    return {
        "module": recipe("Twice", recipe("Sequential", recipe("Linear", 3, 3), recipe("Tanh"))),
        "x": draw.normal(2, 3),
    }


@capture_outputs.case("nothing inside")
def _(draw):
    return {"module": recipe("Tanh"), "x": draw.normal(2, 5)}


@capture_outputs.case("hooks that were there stay")
def _(draw):
    module = recipe("Sequential", recipe("Linear", 2, 4), recipe("Tanh"), hooked=["", "0"])
    return {"module": module, "x": draw.normal(3, 2)}


@capture_outputs.case("a convolution, and a shape that changes")
def _(draw):
    module = recipe("Sequential", recipe("Conv2d", 2, 3, 2), recipe("AvgPool2d", 2), recipe("Flatten"))
    return {"module": module, "x": draw.normal(2, 2, 5, 7)}


@capture_outputs.case("a dropout, which drops other numbers in each run")
def _(draw):
    module = recipe("Sequential", recipe("Linear", 4, 6), recipe("Dropout", 0.5), recipe("Linear", 6, 2))
    return {"module": module, "x": draw.normal(3, 4, mean=1.0)}


@capture_outputs.case("the module raises half-way", raises=RuntimeError)
def _(draw):
    module = recipe("Raising", recipe("Linear", 3, 4), recipe("ReLU"), hooked=["first"])
    return {"module": module, "x": draw.normal(2, 3)}


def hooked(module, x, wanted=lambda name, part: bool(name), put=dict.__setitem__, picked=lambda x, y: y, tidy=True):
    """A right capture_outputs, to be spoiled in one place."""
    outputs, handles = {}, []
    for name, part in module.named_modules():
        if wanted(name, part):
            hook = lambda part, inputs, output, name=name: put(outputs, name, picked(inputs[0], output))  # noqa: E731
            handles.append(part.register_forward_hook(lambda *arguments, hook=hook: (hook(*arguments), None)[1]))
    try:
        module(x)
    finally:
        for handle in handles if tidy else []:
            handle.remove()
    return outputs


@capture_outputs.misconception
def hooks_left_behind(module, x):
    """Your result is right, but your hooks are still there. They would run at every later call, and keep every tensor
    of it alive."""
    return hooked(module, x, tidy=False)


@capture_outputs.misconception
def hooks_left_after_an_exception(module, x):
    """Your hooks are taken down after a run that ends well. Where the module raises, they stay: the lines behind the
    call are never reached."""
    outputs, handles = {}, []
    for name, part in module.named_modules():
        if name:
            handles.append(part.register_forward_hook(lambda _, __, output, name=name: outputs.update({name: output})))
    module(x)
    for handle in handles:
        handle.remove()
    return outputs


@capture_outputs.misconception
def exception_swallowed(module, x):
    """Where the module raises, yours goes on as if nothing had happened. The caller has to learn of it: take the hooks
    down and let the exception pass."""
    try:
        return hooked(module, x)
    except RuntimeError:
        return {}


@capture_outputs.misconception
def root_included(module, x):
    """Yours has an entry with an empty name: the module itself. It is no submodule, and what it gives the caller has
    anyway."""
    return hooked(module, x, wanted=lambda name, part: True)


@capture_outputs.misconception
def children_alone(module, x):
    """Yours has the direct children alone. Their own submodules have outputs too, under dotted names: named_children()
    does not go down to them."""
    children = dict(module.named_children())
    return hooked(module, x, wanted=lambda name, part: name in children)


@capture_outputs.misconception
def runs_twice(module, x):
    """Yours runs the module more than once. That is twice the work, and where anything is drawn at random the second
    run is another one."""
    module(x)
    return hooked(module, x)


@capture_outputs.misconception
def inputs_kept(module, x):
    """Yours keeps what each submodule was given, not what it gave. A hook gets the module, its inputs and its output,
    in this order."""
    return hooked(module, x, picked=lambda given, output: given)


@capture_outputs.misconception
def first_kept(module, x):
    """A submodule that runs twice keeps its first output in yours; the last one was asked for."""
    return hooked(module, x, put=dict.setdefault)


@capture_outputs.misconception
def every_hook_taken_down(module, x):
    """Your hooks are gone afterwards, and so are those that were there before you came. Each handle takes down its own
    hook, and no other."""
    try:
        return hooked(module, x)
    finally:
        for part in module.modules():
            part._forward_hooks.clear()


@capture_outputs.misconception
def last_name_everywhere(module, x):
    """Yours has a single entry: every hook writes under the name that the loop ended with. A function made in a loop
    looks its names up when it runs, not when it is made."""
    outputs, handles = {}, []
    for name, part in module.named_modules():
        if name:
            handles.append(part.register_forward_hook(lambda _, __, output: outputs.update({name: output})))  # noqa: B023
    try:
        module(x)
    finally:
        for handle in handles:
            handle.remove()
    return outputs


@capture_outputs.misconception
def set_to_evaluation(module, x):
    """Your result is right, but the module is in evaluation mode afterwards. Nothing about it may change."""
    return hooked(module.eval(), x)


@capture_outputs.variant
def with_a_stack_of_handles(module, x):
    from contextlib import ExitStack
    from functools import partial

    found = {}

    def note(name, _module, _arguments, output):
        found[name] = output.detach()

    with ExitStack() as handles:
        for name, part in list(module.named_modules())[1:]:
            handles.callback(part.register_forward_hook(partial(note, name)).remove)
        module(x)
    return found


@capture_outputs.variant
def by_a_class(module, x):
    class Keeper:
        def __init__(self):
            self.names = {part: name for name, part in module.named_modules() if name}
            self.found = {}

        def __call__(self, part, inputs, output):
            self.found[self.names[part]] = output

    keeper = Keeper()
    handles = [part.register_forward_hook(keeper) for part in keeper.names]
    try:
        module(x)
    except BaseException:
        for handle in handles:
            handle.remove()
        raise
    for handle in handles:
        handle.remove()
    return keeper.found


@capture_outputs.variant
def without_gradients(module, x):
    names = {part: name for name, part in module.named_modules()}
    del names[module]
    outputs = {}

    def keep(part, inputs, kwargs, output):
        outputs[names[part]] = output.clone()

    handles = [part.register_forward_hook(keep, with_kwargs=True) for part in names]
    try:
        with torch.no_grad():
            module(x)
        return outputs
    finally:
        for handle in reversed(handles):
            handle.remove()
