"""What decides whether the exercises of 12_vgg are right."""

import math
from collections import OrderedDict
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from autograder.authoring import Exercise, built

VGG_11 = [(1, 64), (1, 128), (2, 256), (2, 512), (2, 512)]
VGG_16 = [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]


def drawn_config(draw, blocks):
    """A list of (convs, channels) that no two blocks share a size of."""
    channels = (draw.permutation(90) + 5).tolist()
    return [(draw.integer(1, 5), channels[i]) for i in range(blocks)]


# ---- shapes_in_vgg ---------------------------------------------------------------------------------------------------

shapes_in_vgg = Exercise(
    "shapes_in_vgg",
    points=1,
    hints=[
        "Which of the steps change height and width, and which change the channels? None changes the batch.",
        "padding=1 puts one pixel around the image, and a 3×3 kernel takes one off on each side. A pool of 2×2 goes on "
        "in steps of 2. A weight has no batch: what comes out stands first in it, and then what goes in.",
        '"flat" has a row for each image, as long as channels · height · width of "features". A Linear\'s weight is '
        "(out, in). `image // 2 // 2` is the side after two pools.",
    ],
)


@shapes_in_vgg.case("small sizes")
def _(draw):
    return {"batch": 2, "image": 12, "first": 4, "second": 5, "hidden": 7, "classes": 10}


@shapes_in_vgg.case("other sizes")
def _(draw):
    batch, first, second, hidden, classes = (draw.permutation(60) + 5).tolist()[:5]
    image = 4 * draw.integer(20, 60)
    return {"batch": batch, "image": image, "first": first, "second": second, "hidden": hidden, "classes": classes}


@shapes_in_vgg.case("an odd image")
def _(draw):
    image = 4 * draw.integer(3, 9) + 3
    return {"batch": 4, "image": image, "first": 6, "second": 8, "hidden": draw.integer(20, 90), "classes": 5}


@shapes_in_vgg.case("one image, as small as it can be")
def _(draw):
    return {"batch": 1, "image": 4, "first": 1, "second": 1, "hidden": draw.integer(2, 9), "classes": 1}


@shapes_in_vgg.case("an image that is odd after one pool")
def _(draw):
    return {"batch": 3, "image": 30, "first": 9, "second": 2, "hidden": 11, "classes": draw.integer(20, 90)}


def shapes(batch, image, first, second, hidden, classes, side=None, pooled=None, conv=None, **changes):
    """The right answer, but for what is given."""
    side = image // 4 if side is None else side
    pooled = image // 2 if pooled is None else pooled
    conv = image if conv is None else conv
    flat = second * side**2
    right = {
        "conv1.weight": (first, 3, 3, 3),
        "after conv1": (batch, first, conv, conv),
        "after pool": (batch, first, pooled, pooled),
        "features": (batch, second, side, side),
        "flat": (batch, flat),
        "linear.weight": (hidden, flat),
        "logits": (batch, classes),
    }
    return {**right, **changes}


@shapes_in_vgg.misconception
def padding_forgotten(batch, image, first, second, hidden, classes):
    """Your convolutions make the image smaller. They would without padding; padding=1 puts back what a 3×3 kernel takes
    off at the edges."""
    pooled = (image - 2) // 2
    side = (pooled - 2) // 2
    return shapes(batch, image, first, second, hidden, classes, side, pooled, image - 2)


@shapes_in_vgg.misconception
def pool_rounds_up(batch, image, first, second, hidden, classes):
    """Your pool rounds up where a size is odd. A last row or column that does not fill a window is dropped."""
    pooled = math.ceil(image / 2)
    return shapes(batch, image, first, second, hidden, classes, math.ceil(pooled / 2), pooled)


@shapes_in_vgg.misconception
def one_pool(batch, image, first, second, hidden, classes):
    """Yours halves height and width once. There is a pool behind each of the two convolutions."""
    return shapes(batch, image, first, second, hidden, classes, image // 2)


@shapes_in_vgg.misconception
def side_not_squared(batch, image, first, second, hidden, classes):
    """Your "flat" holds the channels times the height. Flattening lays out every pixel of every channel: where is the
    width?"""
    flat = second * (image // 4)
    wrong = {"flat": (batch, flat), "linear.weight": (hidden, flat)}
    return shapes(batch, image, first, second, hidden, classes, **wrong)


@shapes_in_vgg.misconception
def batch_flattened_too(batch, image, first, second, hidden, classes):
    """Your "flat" is one row for the whole batch. `start_dim=1` leaves the batch axis as it is."""
    flat = batch * second * (image // 4) ** 2
    wrong = {"flat": (flat,), "linear.weight": (hidden, flat)}
    return shapes(batch, image, first, second, hidden, classes, **wrong)


@shapes_in_vgg.misconception
def linear_weight_turned(batch, image, first, second, hidden, classes):
    """Your "linear.weight" is (in, out). PyTorch keeps it with what comes out first, as it does for a convolution."""
    flat = second * (image // 4) ** 2
    return shapes(batch, image, first, second, hidden, classes, **{"linear.weight": (flat, hidden)})


@shapes_in_vgg.misconception
def conv_weight_turned(batch, image, first, second, hidden, classes):
    """Your "conv1.weight" has the channels that go in first. PyTorch keeps a weight with what comes out first."""
    return shapes(batch, image, first, second, hidden, classes, **{"conv1.weight": (3, first, 3, 3)})


@shapes_in_vgg.misconception
def channels_last(batch, image, first, second, hidden, classes):
    """Your images have their channels last. In PyTorch, and in `images` here, they stand behind the batch."""
    half, side = image // 2, image // 4
    wrong = {"after conv1": (batch, image, image, first), "after pool": (batch, half, half, first)}
    return shapes(batch, image, first, second, hidden, classes, **wrong, features=(batch, side, side, second))


@shapes_in_vgg.variant
def step_by_step(batch, image, first, second, hidden, classes):
    answer = {"conv1.weight": (first, 3, 3, 3)}
    answer["after conv1"] = shape = (batch, first, (image + 2 - 3) + 1, (image + 2 - 3) + 1)
    answer["after pool"] = shape = (*shape[:2], *(size // 2 for size in shape[2:]))
    answer["features"] = shape = (batch, second, *(size // 2 for size in shape[2:]))
    answer["flat"] = (batch, math.prod(shape[1:]))
    answer["linear.weight"] = (hidden, answer["flat"][1])
    answer["logits"] = (batch, classes)
    return answer


@shapes_in_vgg.variant
def asked_of_torch(batch, image, first, second, hidden, classes):
    with torch.device("meta"):
        conv1, conv2 = nn.Conv2d(3, first, 3, padding=1), nn.Conv2d(first, second, 3, padding=1)
        pool, last = nn.MaxPool2d(2), nn.Linear(hidden, classes)
        tensors = {"conv1.weight": conv1.weight}
        x = tensors["after conv1"] = conv1(torch.empty(batch, 3, image, image)).relu()
        x = tensors["after pool"] = pool(x)
        x = tensors["features"] = pool(conv2(x).relu())
        x = tensors["flat"] = x.flatten(start_dim=1)
        linear = nn.Linear(x.shape[1], hidden)
        tensors |= {"linear.weight": linear.weight, "logits": last(linear(x).relu())}
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


@shapes_in_vgg.variant
def with_divmod(batch, image, first, second, hidden, classes):
    half, _ = divmod(image, 2)
    quarter, _ = divmod(half, 2)
    row = second * quarter * quarter
    names = ["conv1.weight", "after conv1", "after pool", "features", "flat", "linear.weight", "logits"]
    sizes = [(first, 3, 3, 3), (batch, first, image, image), (batch, first, half, half)]
    sizes += [(batch, second, quarter, quarter), (batch, row), (hidden, row), (batch, classes)]
    return dict(zip(names, sizes, strict=True))


# ---- stack_cost ------------------------------------------------------------------------------------------------------

stack_cost = Exercise(
    "stack_cost",
    points=1,
    hints=[
        "How many numbers does one kernel have that looks at a single channel? A convolution that takes several "
        "channels in has such a kernel for each of them.",
        "The weight of a convolution has the shape (channels out, channels in, kernel, kernel).",
        "kernel² · channels in · channels out is one layer's; the layers are all alike.",
    ],
)


@stack_cost.case("three layers of 3×3")
def _(draw):
    return {"kernel": 3, "layers": 3, "channels": 64}


@stack_cost.case("one of 7×7")
def _(draw):
    return {"kernel": 7, "layers": 1, "channels": draw.integer(20, 600)}


@stack_cost.case("sizes that all differ")
def _(draw):
    return {"kernel": draw.integer(4, 11), "layers": draw.integer(12, 30), "channels": draw.integer(701, 999)}


@stack_cost.case("one channel")
def _(draw):
    return {"kernel": draw.integer(3, 9), "layers": draw.integer(10, 20), "channels": 1}


@stack_cost.case("kernels of 1×1")
def _(draw):
    return {"kernel": 1, "layers": draw.integer(2, 9), "channels": draw.integer(10, 90)}


@stack_cost.case("no layer at all")
def _(draw):
    return {"kernel": 5, "layers": 0, "channels": draw.integer(2, 99)}


@stack_cost.misconception
def one_layer_alone(kernel, layers, channels):
    """Yours is what one layer costs, however many there are."""
    return kernel**2 * channels**2


@stack_cost.misconception
def channels_not_squared(kernel, layers, channels):
    """Yours has one kernel for each channel. Each channel that comes out has a kernel for *every* channel that goes
    in."""
    return layers * kernel**2 * channels


@stack_cost.misconception
def kernel_not_squared(kernel, layers, channels):
    """Your kernels are a line. They are as high as they are wide."""
    return layers * kernel * channels**2


@stack_cost.misconception
def biases_counted(kernel, layers, channels):
    """Yours counts the biases too. Weights alone are asked for here."""
    return layers * (kernel**2 * channels**2 + channels)


@stack_cost.misconception
def layers_multiplied(kernel, layers, channels):
    """Yours multiplies what the layers cost. Each layer has weights of its own beside those of the others: what joins
    two numbers that stand beside each other?"""
    return (kernel**2 * channels**2) ** layers


@stack_cost.misconception
def one_kernel_as_wide(kernel, layers, channels):
    """Yours is what one convolution costs that sees as much as the whole stack. The stack is cheaper: that is its
    point."""
    return (1 + layers * (kernel - 1)) ** 2 * channels**2


@stack_cost.misconception
def the_first_takes_colours(kernel, layers, channels):
    """Your first layer takes 3 channels in. Here all layers take `channels`, the first one too."""
    first = kernel**2 * channels * (3 if layers else 0)
    return first + max(layers - 1, 0) * kernel**2 * channels**2


@stack_cost.misconception
def rows_and_columns_added(kernel, layers, channels):
    """Yours takes kernel + kernel where a kernel has kernel · kernel numbers."""
    return layers * 2 * kernel * channels**2


@stack_cost.variant
def by_adding_layers(kernel, layers, channels):
    return sum(math.prod((channels, channels, kernel, kernel)) for _ in range(layers))


@stack_cost.variant
def by_a_square(kernel, layers, channels):
    return pow(kernel * channels, 2) * layers


@stack_cost.variant
def counted_on_meta(kernel, layers, channels):
    with torch.device("meta"):
        stack = [nn.Conv2d(channels, channels, kernel, bias=False) for _ in range(layers)]
    return sum(conv.weight.numel() for conv in stack)


# ---- layers_to_see ---------------------------------------------------------------------------------------------------

layers_to_see = Exercise(
    "layers_to_see",
    points=1,
    hints=[
        "Draw a line of pixels, and below it a line of results of a kernel of 3. How many pixels do two neighbouring "
        "results see together, and three?",
        "A result has seen what its own inputs have seen. Each layer adds the same number of pixels to the span: how "
        "many, for a kernel of k?",
        "n layers see 1 + n · (kernel − 1) pixels. Turn that around; where it does not come out even, one more layer "
        "is needed.",
    ],
)


@layers_to_see.case("as far as one 7×7")
def _(draw):
    return {"kernel": 3, "pixels": 7}


@layers_to_see.case("kernels of 3, far")
def _(draw):
    return {"kernel": 3, "pixels": 2 * draw.integer(50, 5_000) + 1}


@layers_to_see.case("it does not come out even")
def _(draw):
    kernel = draw.integer(5, 11)
    return {"kernel": kernel, "pixels": 1 + draw.integer(9, 900) * (kernel - 1) + draw.integer(1, kernel - 2)}


@layers_to_see.case("a single pixel")
def _(draw):
    return {"kernel": draw.integer(2, 9), "pixels": 1}


@layers_to_see.case("less than one kernel")
def _(draw):
    return {"kernel": draw.integer(8, 11), "pixels": draw.integer(2, 7)}


@layers_to_see.case("kernels of 2")
def _(draw):
    return {"kernel": 2, "pixels": draw.integer(20, 300)}


@layers_to_see.case("large kernels, and it comes out even")
def _(draw):
    kernel = draw.integer(12, 40)
    return {"kernel": kernel, "pixels": 1 + draw.integer(100, 2_000) * (kernel - 1)}


@layers_to_see.misconception
def too_few(kernel, pixels):
    """Yours rounds down. Where it does not come out even, its last layer ends short of the pixels that were asked
    for."""
    return (pixels - 1) // (kernel - 1)


@layers_to_see.misconception
def one_too_many(kernel, pixels):
    """Yours has one layer too many where it comes out even. Before any layer a result has already seen one pixel, its
    own: how many are left for the layers to add?"""
    return (pixels - 1) // (kernel - 1) + 1


@layers_to_see.misconception
def side_by_side(kernel, pixels):
    """Yours counts kernels that lie side by side. Behind each other, each layer widens the view of *every* result of
    the one before: by how much, if neighbouring results have most of their pixels in common?"""
    return -(-pixels // kernel)


@layers_to_see.misconception
def always_three(kernel, pixels):
    """Yours is right for kernels of 3 and for no others. What of the 2 that you divide by comes from the kernel?"""
    return -(-(pixels - 1) // 2)


@layers_to_see.misconception
def multiplied(kernel, pixels):
    """Yours lets each layer multiply the view. With stride 1 each layer adds the same number of pixels; a view that
    multiplies needs strides."""
    layers, seen = 0, 1
    while seen < pixels:
        layers, seen = layers + 1, seen * kernel
    return layers


@layers_to_see.misconception
def at_least_one(kernel, pixels):
    """Yours has at least one layer. A single pixel is seen by no layer at all."""
    return max(1, -(-(pixels - 1) // (kernel - 1)))


@layers_to_see.misconception
def whole_kernel_added(kernel, pixels):
    """Yours adds a whole kernel with each layer behind the first. Two neighbouring windows share all but one column:
    how much is new at each side?"""
    layers, seen = 0, 1
    while seen < pixels:
        layers, seen = layers + 1, kernel if layers == 0 else seen + kernel
    return layers


@layers_to_see.misconception
def whole_kernel_each_time(kernel, pixels):
    """Yours adds a whole kernel with each layer, the first one too. The pixel that a result stands on is seen already:
    how many of a kernel's pixels are new?"""
    return -(-(pixels - 1) // kernel)


@layers_to_see.variant
def by_looking(kernel, pixels):
    layers, seen = 0, 1
    while seen < pixels:
        layers += 1
        seen += kernel - 1
    return layers


@layers_to_see.variant
def by_math_ceil(kernel, pixels):
    return math.ceil((pixels - 1) / (kernel - 1))


@layers_to_see.variant
def by_counting_a_range(kernel, pixels):
    return len(range(1, pixels, kernel - 1))


@layers_to_see.variant
def by_remainder(kernel, pixels):
    whole, rest = divmod(pixels - 1, kernel - 1)
    return whole + bool(rest)


# ---- vgg_block -------------------------------------------------------------------------------------------------------

vgg_block = Exercise(
    "vgg_block",
    points=2,
    hints=[
        "Write down the modules of a block with two convolutions, in order, with their places counted from 0. Which "
        "arguments does each convolution get?",
        "Begin with an empty list and add a convolution and a ReLU in each round of a loop. What does the second "
        "convolution take in? Which padding lets a 3×3 kernel keep height and width?",
        "nn.Conv2d(c_in, c_out, 3, padding=1) in the first round, nn.Conv2d(c_out, c_out, 3, padding=1) in the others, "
        "an nn.ReLU() behind each; at the end nn.MaxPool2d(2), and the star of nn.Sequential(*layers).",
    ],
)


@vgg_block.case("two convolutions")
def _(draw):
    return built(2, 3, 4).differentiate(draw.normal(2, 3, 6, 10))


@vgg_block.case("one convolution, the smallest image")
def _(draw):
    return built(1, 2, 3).differentiate(draw.normal(1, 2, 2, 2))


@vgg_block.case("three convolutions, fewer channels, odd height and width")
def _(draw):
    return built(3, 5, 2).differentiate(draw.normal(3, 5, 7, 9))


@vgg_block.case("as many convolutions and channels as the seed says")
def _(draw):
    c_in = draw.integer(1, 4)
    return built(draw.integer(4, 6), c_in, c_in + draw.integer(1, 3)).call(draw.normal(2, c_in, 8, 5))


@vgg_block.case("one channel in and out")
def _(draw):
    return built(2, 1, 1).call(draw.normal(2, 1, 5, 8))


@vgg_block.case("double precision, large numbers, a view that is not contiguous")
def _(draw):
    x = draw.normal(2, 6, 4, 3, std=30.0, dtype=torch.float64).permute(0, 3, 1, 2)
    return built(2, 3, 5).to(torch.float64).call(x)


@vgg_block.case("training and evaluation are the same")
def _(draw):
    return built(2, 2, 3).call(draw.normal(1, 2, 4, 6)).eval().call(draw.normal(2, 2, 6, 4))


@vgg_block.case("the last of VGG-16")
def _(draw):
    return built(3, 512, 512).meta().call(draw.normal(1, 1, 1, 1).expand(2, 512, 14, 14))


def block(convs, c_in, c_out, conv=nn.Conv2d, kernel=3, padding=1, activation=nn.ReLU, pool=None, ends=False, **more):
    """A right vgg_block, but for what is given; with `ends`, without the last ReLU."""
    layers = []
    for i in range(convs):
        layers += [conv(c_out if i else c_in, c_out, kernel, padding=padding, **more), activation()]
    return nn.Sequential(*(layers[:-1] if ends else layers), nn.MaxPool2d(2) if pool is None else pool)


@vgg_block.misconception
def no_padding(convs, c_in, c_out):
    """Your convolutions have no padding, so each takes a row and a column off at every side. padding=1 keeps height and
    width."""
    return block(convs, c_in, c_out, padding=0)


@vgg_block.misconception
def no_relu(convs, c_in, c_out):
    """Yours has convolutions without a ReLU behind them. One behind the other, without anything between, they compute
    no more than a single one with a larger kernel."""
    return block(convs, c_in, c_out, activation=nn.Identity)


@vgg_block.misconception
def one_relu_at_the_end(convs, c_in, c_out):
    """Yours has a single ReLU, behind its last convolution, so the convolutions before it follow each other directly
    and have the numbers 0, 1, ... Each convolution is followed by a ReLU of its own."""
    layers = [nn.Conv2d(c_out if i else c_in, c_out, 3, padding=1) for i in range(convs)]
    return nn.Sequential(*layers, nn.ReLU(), nn.MaxPool2d(2))


@vgg_block.misconception
def no_last_relu(convs, c_in, c_out):
    """Yours has a ReLU between two convolutions, but none behind the last one. Each convolution is followed by one,
    the last one too."""
    return block(convs, c_in, c_out, ends=True)


@vgg_block.misconception
def relu_first(convs, c_in, c_out):
    """Your ReLU stands in front of each convolution: what is negative in the images is lost before anything looks at
    it."""
    layers = []
    for i in range(convs):
        layers += [nn.ReLU(), nn.Conv2d(c_out if i else c_in, c_out, 3, padding=1)]
    return nn.Sequential(*layers, nn.MaxPool2d(2))


@vgg_block.misconception
def always_c_in(convs, c_in, c_out):
    """All your convolutions take `c_in` channels. The second one takes what the first one gives."""
    layers = []
    for _ in range(convs):
        layers += [nn.Conv2d(c_in, c_out, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.MaxPool2d(2))


@vgg_block.misconception
def widens_at_the_end(convs, c_in, c_out):
    """Your block changes the number of channels in its last convolution. The first one does."""
    layers = []
    for i in range(convs):
        layers += [nn.Conv2d(c_in, c_out if i == convs - 1 else c_in, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.MaxPool2d(2))


@vgg_block.misconception
def nested(convs, c_in, c_out):
    """Yours has a Sequential within the Sequential, so the parameters have one number more in their names. Collect all
    layers in one flat list."""
    pairs = [nn.Sequential(nn.Conv2d(c_out if i else c_in, c_out, 3, padding=1), nn.ReLU()) for i in range(convs)]
    return nn.Sequential(*pairs, nn.MaxPool2d(2))


@vgg_block.misconception
def the_same_layer_again(convs, c_in, c_out):
    """Behind the first, your convolutions are one and the same object, with one set of weights. `[layer] * n` repeats a
    reference: each layer has to be built anew."""
    again = [nn.Conv2d(c_out, c_out, 3, padding=1), nn.ReLU()]
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1), nn.ReLU(), *again * (convs - 1), nn.MaxPool2d(2))


@vgg_block.misconception
def average_pool(convs, c_in, c_out):
    """Yours averages each window. A max pool keeps the largest number of it."""
    return block(convs, c_in, c_out, pool=nn.AvgPool2d(2))


@vgg_block.misconception
def pool_of_stride_one(convs, c_in, c_out):
    """Your pool moves on by one pixel, so height and width shrink by one and are not halved. What does nn.MaxPool2d
    take for its stride if none is given?"""
    return block(convs, c_in, c_out, pool=nn.MaxPool2d(2, stride=1))


@vgg_block.misconception
def overlapping_pool(convs, c_in, c_out):
    """Your pool's windows are 3×3 and overlap. Those of a VGG are 2×2, side by side."""
    return block(convs, c_in, c_out, pool=nn.MaxPool2d(3, stride=2, padding=1))


@vgg_block.misconception
def pool_keeps_the_rest(convs, c_in, c_out):
    """Your pool rounds up: it keeps a last row or column that does not fill a window. Here it is dropped."""
    return block(convs, c_in, c_out, pool=nn.MaxPool2d(2, ceil_mode=True))


@vgg_block.misconception
def pool_after_each(convs, c_in, c_out):
    """Yours pools behind every convolution. A block has one pool, at its end, however many convolutions it has."""
    layers = []
    for i in range(convs):
        layers += [nn.Conv2d(c_out if i else c_in, c_out, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers)


@vgg_block.misconception
def no_pool(convs, c_in, c_out):
    """Yours ends with its last ReLU. The pool behind it is missing."""
    return block(convs, c_in, c_out, pool=nn.Identity())


@vgg_block.misconception
def with_batch_norm(convs, c_in, c_out):
    """Yours has a batch norm behind each convolution. The VGG of 2014 has none; it was invented a year later."""
    layers = []
    for i in range(convs):
        layers += [nn.Conv2d(c_out if i else c_in, c_out, 3, padding=1), nn.BatchNorm2d(c_out), nn.ReLU()]
    return nn.Sequential(*layers, nn.MaxPool2d(2))


@vgg_block.misconception
def without_bias(convs, c_in, c_out):
    """Your convolutions have no biases. A VGG's have them, as nn.Conv2d does by itself."""
    return block(convs, c_in, c_out, bias=False)


@vgg_block.variant
def one_by_one(convs, c_in, c_out):
    result = nn.Sequential()
    for _ in range(convs):
        result.append(nn.Conv2d(c_in, c_out, kernel_size=(3, 3), stride=1, padding="same"))
        result.append(nn.ReLU(inplace=True))
        c_in = c_out
    return result.append(nn.MaxPool2d(kernel_size=2, stride=2))


@vgg_block.variant
def by_recursion(convs, c_in, c_out):
    if convs == 0:
        return nn.Sequential(nn.MaxPool2d((2, 2)))
    pair = (nn.Conv2d(c_in, c_out, 3, 1, 1), nn.ReLU())
    return nn.Sequential(*pair, *by_recursion(convs - 1, c_out, c_out))


@vgg_block.variant
def by_names(convs, c_in, c_out):
    widths = [c_in] + [c_out] * convs
    layers = OrderedDict()
    for i in range(convs):
        layers[str(2 * i)] = nn.Conv2d(widths[i], widths[i + 1], 3, padding=(1, 1))
        layers[str(2 * i + 1)] = nn.ReLU()
    layers[str(2 * convs)] = nn.MaxPool2d(2)
    return nn.Sequential(layers)


@vgg_block.variant
def by_pairs_of_channels(convs, c_in, c_out):
    takes = (c_in, *(c_out for _ in range(convs - 1)))
    pairs = [(nn.Conv2d(channels, c_out, 3, padding=1), nn.ReLU()) for channels in takes]
    return nn.Sequential(*sum(pairs, ()), nn.AdaptiveMaxPool2d(1) if convs < 0 else nn.MaxPool2d(2))


# ---- parameters_of_vgg -----------------------------------------------------------------------------------------------

parameters_of_vgg = Exercise(
    "parameters_of_vgg",
    points=2,
    hints=[
        "How many weights does one 3×3 convolution from a to b channels have, and how many biases? Which numbers does "
        "it take in the first layer of a block, and which in the others?",
        "Go through the config and keep two numbers beside the sum: how many channels come in, and how large a side of "
        "the image still is. At the end they tell how many numbers one image has become.",
        "A convolution has 9·c_in·c_out + c_out numbers; behind the first of a block c_in is c_out. A Linear(a, b) has "
        "a·b + b, and the first one's a is channels · side², with the side halved (//) once for each block.",
    ],
    forbids=["Conv2d", "Linear"],
)


@parameters_of_vgg.case("VGG-11, with what stands in the signature")
def _(draw):
    return {"config": list(VGG_11)}


@parameters_of_vgg.case("VGG-16")
def _(draw):
    return {"config": list(VGG_16), "classes": 1000, "image": 224, "hidden": 4096}


@parameters_of_vgg.case("one block of one convolution")
def _(draw):
    return {"config": [(1, 2)], "classes": 5, "image": 4, "hidden": 3}


@parameters_of_vgg.case("a config from the seed, another image")
def _(draw):
    image = 8 * draw.integer(5, 20)
    return {"config": drawn_config(draw, 3), "classes": draw.integer(2, 99), "image": image, "hidden": 128}


@parameters_of_vgg.case("an image that does not halve evenly")
def _(draw):
    image = 16 * draw.integer(3, 9) + draw.integer(9, 15)
    sizes = {"classes": draw.integer(2, 99), "image": image, "hidden": draw.integer(100, 900)}
    return {"config": drawn_config(draw, 4), **sizes}


@parameters_of_vgg.case("one number is left of the image")
def _(draw):
    return {"config": [(1, 3), (2, draw.integer(4, 9))], "classes": 2, "image": 7, "hidden": draw.integer(10, 90)}


def counted(
    config, classes=1000, image=224, hidden=4096, bias=1, takes=None, flat=None, half=lambda side: side // 2, **changes
):
    """The right answer, but for what is given: `takes` (block's channels in and out, place in the block) says what a
    convolution takes, `flat` (channels, side) what the last block leaves."""
    features, c_in, side = 0, 3, image
    for convs, channels in config:
        for i in range(convs):
            taken = takes(c_in, channels, i) if takes else channels if i else c_in
            features += 9 * taken * channels + bias * channels
        c_in, side = channels, half(side)
    left = flat(c_in, side) if flat else c_in * side**2
    right = {
        "features": features,
        "classifier.0": left * hidden + bias * hidden,
        "classifier.3": hidden * hidden + bias * hidden,
        "classifier.6": hidden * classes + bias * classes,
    }
    return {**right, **changes}


@parameters_of_vgg.misconception
def weights_alone(config, classes=1000, image=224, hidden=4096):
    """Yours counts weights alone. Every convolution and every linear layer has a bias for each channel or number that
    comes out."""
    return counted(config, classes, image, hidden, bias=0)


@parameters_of_vgg.misconception
def convolutions_without_biases(config, classes=1000, image=224, hidden=4096):
    """Your "features" counts weights alone. A convolution has a bias too, one for each channel that comes out; your
    linear layers have theirs."""
    without = counted(config, classes, image, hidden, bias=0)["features"]
    return counted(config, classes, image, hidden, features=without)


@parameters_of_vgg.misconception
def every_block_takes_colours(config, classes=1000, image=224, hidden=4096):
    """Each of your blocks takes 3 channels in. Only the first one sees the image; the others take what the block before
    gives."""
    return counted(config, classes, image, hidden, takes=lambda c_in, channels, i: channels if i else 3)


@parameters_of_vgg.misconception
def never_changes_width(config, classes=1000, image=224, hidden=4096):
    """All your convolutions take as many channels as they give. The first one of each block takes what the block before
    gives, and that is fewer."""
    return counted(config, classes, image, hidden, takes=lambda c_in, channels, i: channels)


@parameters_of_vgg.misconception
def one_convolution_a_block(config, classes=1000, image=224, hidden=4096):
    """Yours counts one convolution for each block. The first number of each pair says how many there are."""
    return counted([(1, channels) for _, channels in config], classes, image, hidden)


@parameters_of_vgg.misconception
def all_take_the_blocks_input(config, classes=1000, image=224, hidden=4096):
    """All convolutions of a block take the block's input in yours. The second one takes what the first one gives."""
    return counted(config, classes, image, hidden, takes=lambda c_in, channels, i: c_in)


@parameters_of_vgg.misconception
def a_line_of_pixels(config, classes=1000, image=224, hidden=4096):
    """Your "classifier.0" takes channels · side numbers. What is left of an image is as high as it is wide."""
    return counted(config, classes, image, hidden, flat=lambda channels, side: channels * side)


@parameters_of_vgg.misconception
def always_seven(config, classes=1000, image=224, hidden=4096):
    """Your "classifier.0" takes 7 · 7 places, whatever the image and however many the blocks. That is what five blocks
    leave of 224 pixels; how large is a side here?"""
    return counted(config, classes, image, hidden, flat=lambda channels, side: channels * 49)


@parameters_of_vgg.misconception
def not_pooled(config, classes=1000, image=224, hidden=4096):
    """Your "classifier.0" takes the image in its full size. Each block ends with a pool that halves its sides."""
    return counted(config, classes, image, hidden, flat=lambda channels, side: channels * image**2)


@parameters_of_vgg.misconception
def halved_up(config, classes=1000, image=224, hidden=4096):
    """Your sides are rounded up where they are odd. A pool drops what does not fill a window."""
    return counted(config, classes, image, hidden, half=lambda side: -(-side // 2))


@parameters_of_vgg.misconception
def halved_once_too_few(config, classes=1000, image=224, hidden=4096):
    """Your sides are halved once too few. The last block has a pool too."""
    return counted(config, classes, 2 * image, hidden)


@parameters_of_vgg.misconception
def halved_once_in_all(config, classes=1000, image=224, hidden=4096):
    """Your "classifier.0" takes an image that was halved once. Each block ends with a pool, so its sides are halved as
    often as there are blocks."""
    return counted(config, classes, image, hidden, flat=lambda channels, side: channels * (image // 2) ** 2)


@parameters_of_vgg.misconception
def globally_pooled(config, classes=1000, image=224, hidden=4096):
    """Your "classifier.0" takes one number for each channel. Networks that came later average over the image first; a
    VGG takes every place of it."""
    return counted(config, classes, image, hidden, flat=lambda channels, side: channels)


@parameters_of_vgg.misconception
def straight_to_the_classes(config, classes=1000, image=224, hidden=4096):
    """Your "classifier.3" goes to the classes. There are three linear layers; the one in the middle goes from `hidden`
    to `hidden`."""
    return counted(config, classes, image, hidden, **{"classifier.3": hidden * classes + classes})


@parameters_of_vgg.variant
def over_pairs(config, classes=1000, image=224, hidden=4096):
    widths = [3] + [channels for convs, channels in config for _ in range(convs)]
    features = sum((9 * a + 1) * b for a, b in pairwise(widths))
    rows = [widths[-1] * (image >> len(config)) ** 2, hidden, hidden, classes]
    linear = [(a + 1) * b for a, b in pairwise(rows)]
    return {"features": features, **{f"classifier.{3 * i}": count for i, count in enumerate(linear)}}


@parameters_of_vgg.variant
def by_shapes_of_weights(config, classes=1000, image=224, hidden=4096):
    shapes, before = [], 3
    for convs, channels in config:
        for _ in range(convs):
            shapes += [(channels, before, 3, 3), (channels,)]
            before = channels
        image = image // 2
    flat = before * image * image
    return {
        "features": sum(math.prod(shape) for shape in shapes),
        "classifier.0": flat * hidden + hidden,
        "classifier.3": hidden * (hidden + 1),
        "classifier.6": (hidden + 1) * classes,
    }


@parameters_of_vgg.variant
def from_the_back(config, classes=1000, image=224, hidden=4096):
    side = image // 2 ** len(config)
    total = 0
    for place in reversed(range(len(config))):
        convs, channels = config[place]
        before = config[place - 1][1] if place else 3
        total += channels * (9 * before + 1) + (convs - 1) * channels * (9 * channels + 1)
    first = hidden * (config[-1][1] * side * side + 1)
    parts = zip((6, 3, 0), (classes * (hidden + 1), hidden * (hidden + 1), first), strict=True)
    return {**{f"classifier.{number}": count for number, count in parts}, "features": total}


# ---- activation_bytes ------------------------------------------------------------------------------------------------

activation_bytes = Exercise(
    "activation_bytes",
    points=1,
    hints=[
        "Which shape has the result of a convolution in the first block? Does the second convolution of a block change "
        "anything about it?",
        "In one block every convolution gives the same number of numbers: channels · height · width. When does the "
        "side become half as long: before, between or behind a block's convolutions?",
        "4 · convs · channels · side², and then side //= 2, for each block in turn.",
    ],
)


@activation_bytes.case("VGG-16")
def _(draw):
    return {"config": list(VGG_16)}


@activation_bytes.case("two small blocks")
def _(draw):
    return {"config": [(1, 2), (3, 5)], "image": 6}


@activation_bytes.case("a config from the seed, another image")
def _(draw):
    return {"config": drawn_config(draw, 4), "image": 16 * draw.integer(5, 60)}


@activation_bytes.case("an image that does not halve evenly")
def _(draw):
    return {"config": drawn_config(draw, 5), "image": 32 * draw.integer(2, 9) + draw.integer(17, 31)}


@activation_bytes.case("one block, one pixel")
def _(draw):
    return {"config": [(draw.integer(2, 9), draw.integer(10, 99))], "image": 1}


def kept(config, image=224, each=lambda convs, channels, side, before: 4 * convs * channels * side**2, up=False):
    """The right answer, but for what is given: `each` says what one block keeps."""
    found, side, before = [], image, 3
    for convs, channels in config:
        found.append(each(convs, channels, side, before))
        side, before = (side + up) // 2, channels
    return found


@activation_bytes.misconception
def numbers_not_bytes(config, image=224):
    """Yours counts numbers. A float32 takes 4 bytes."""
    return kept(config, image, lambda convs, channels, side, before: convs * channels * side**2)


@activation_bytes.misconception
def halved_before(config, image=224):
    """Your images are halved before a block's convolutions see them. The pool stands at the end of a block."""
    return kept(config, image, lambda convs, channels, side, before: 4 * convs * channels * (side // 2) ** 2)


@activation_bytes.misconception
def never_halved(config, image=224):
    """Your images keep their size all the way. Each block's pool halves them for the next one."""
    return kept(config, image, lambda convs, channels, side, before: 4 * convs * channels * image**2)


@activation_bytes.misconception
def last_alone(config, image=224):
    """Yours counts the last convolution of each block alone. Each of them gives a result that is kept."""
    return kept(config, image, lambda convs, channels, side, before: 4 * channels * side**2)


@activation_bytes.misconception
def inputs_counted(config, image=224):
    """Yours counts what each convolution takes in. What it gives is asked for, so the channels are those that come out
    of the first one too."""
    inputs = lambda convs, channels, side, before: 4 * (before + (convs - 1) * channels) * side**2  # noqa: E731
    return kept(config, image, inputs)


@activation_bytes.misconception
def relu_counted(config, image=224):
    """Yours is twice what was asked for, as if what ReLU gives were counted as well. What counts is the convolutions'
    results alone, at 4 bytes a number."""
    return kept(config, image, lambda convs, channels, side, before: 8 * convs * channels * side**2)


@activation_bytes.misconception
def pool_counted(config, image=224):
    """Yours counts what the pools give as well. The convolutions' results alone are asked for."""
    pooled = lambda convs, channels, side, before: 4 * channels * (convs * side**2 + (side // 2) ** 2)  # noqa: E731
    return kept(config, image, pooled)


@activation_bytes.misconception
def rounded_up(config, image=224):
    """Your sides are rounded up where they are odd. A pool drops what does not fill a window."""
    return kept(config, image, up=True)


@activation_bytes.misconception
def a_line(config, image=224):
    """Yours counts one row of each image. They are as high as they are wide."""
    return kept(config, image, lambda convs, channels, side, before: 4 * convs * channels * side)


@activation_bytes.misconception
def in_total(config, image=224):
    """Yours is one number for the whole network. A number for each block is asked for, in a list."""
    return sum(kept(config, image))


@activation_bytes.variant
def by_places(config, image=224):
    return [4 * convs * channels * (image // 2**place) ** 2 for place, (convs, channels) in enumerate(config)]


@activation_bytes.variant
def by_recursion_over_blocks(config, image=224):
    if not config:
        return []
    (convs, channels), *others = config
    return [convs * channels * image * image * 4, *by_recursion_over_blocks(others, image >> 1)]


@activation_bytes.variant
def by_counting_tensors(config, image=224):
    result = []
    for convs, channels in config:
        one = torch.empty(channels, image, image, device="meta")
        result.append(sum(one.numel() * one.element_size() for _ in range(convs)))
        image = image // 2
    return result


# ---- VGG -------------------------------------------------------------------------------------------------------------

vgg = Exercise(
    "VGG",
    points=3,
    hints=[
        "What does each block take in, and what is left of an image behind the last one? Two numbers that you carry "
        "through the loop over the config answer both.",
        "`side` starts as `image` and is halved with // once for each block; `c_in` starts as 3. features = "
        "nn.Sequential(*blocks), and the seven modules of the classifier stand in another nn.Sequential.",
        "The first Linear takes c_in · side² numbers, with both as they are behind the last block. In forward: "
        "self.features, flatten(start_dim=1), self.classifier.",
    ],
    needs=["vgg_block"],
)


def images(*shape):
    """The arguments of a meta case, which are shapes alone."""
    return torch.zeros(1, 1, 1, 1).expand(shape)


@vgg.case("two blocks, in training")
def _(draw):
    return built([(1, 4), (2, 5)], 3, 12, 7).differentiate(draw.normal(2, 3, 12, 12))


@vgg.case("training, evaluation, and training again")
def _(draw):
    x, y = draw.normal(3, 3, 8, 8), draw.normal(1, 3, 8, 8)
    return built([(2, 5), (1, 4)], classes=6, image=8, hidden=9).call(x).eval().call(y).train().call(y)


@vgg.case("one block, in evaluation")
def _(draw):
    return built([(1, 2)], 4, 6, 5).eval().differentiate(draw.normal(2, 3, 6, 6))


@vgg.case("an image that does not halve evenly")
def _(draw):
    return built([(1, 3), (1, 4), (1, 6)], 5, 15, 8).call(draw.normal(2, 3, 15, 15))


@vgg.case("a config from the seed")
def _(draw):
    config = [(draw.integer(1, 3), draw.integer(3, 6)), (draw.integer(1, 3), draw.integer(7, 9))]
    side, classes, hidden = 4 * draw.integer(2, 3), draw.integer(2, 5), draw.integer(6, 12)
    return built(config, classes=classes, image=side, hidden=hidden).call(draw.normal(2, 3, side, side))


@vgg.case("one number is left of the image")
def _(draw):
    return built([(1, 4), (1, 2)], 2, 5, 6).call(draw.normal(1, 3, 5, 5))


@vgg.case("double precision, a view that is not contiguous")
def _(draw):
    x = draw.normal(2, 3, 8, 8, dtype=torch.float64).transpose(2, 3)
    return built([(1, 4), (1, 5)], 3, 8, 6).to(torch.float64).call(x)


@vgg.case("VGG-11")
def _(draw):
    return built(list(VGG_11)).meta().call(images(2, 3, 224, 224))


@vgg.case("VGG-16 for smaller images and other classes")
def _(draw):
    side = 32 * draw.integer(2, 6)
    return (
        built(list(VGG_16), classes=draw.integer(2, 99), image=side, hidden=512).meta().call(images(1, 3, side, side))
    )


class Network(nn.Module):
    """A right VGG, to be spoiled in one place."""

    def __init__(self, config, classes=1000, image=224, hidden=4096):
        super().__init__()
        blocks, c_in = [], 3
        for convs, channels in config:
            blocks.append(self.block(convs, c_in, channels))
            c_in = channels
        self.features = nn.Sequential(*blocks)
        self.classifier = self.head(c_in, self.side(image, len(config)), hidden, classes)

    def block(self, convs, c_in, c_out):
        return block(convs, c_in, c_out)

    def side(self, image, blocks):
        return image // 2**blocks

    def head(self, channels, side, hidden, classes, p=0.5):
        first = [nn.Linear(channels * side**2, hidden), nn.ReLU(), nn.Dropout(p)]
        return nn.Sequential(*first, nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(p), nn.Linear(hidden, classes))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


@vgg.misconception
class AlwaysSevenBySeven(Network):
    """Your first linear layer takes 7 · 7 places of each channel, whatever the image. That is what five blocks leave of
    224 pixels: how large is a side here, for this image and this config?"""

    def side(self, image, blocks):
        return 7


@vgg.misconception
class PooledToSeven(Network):
    """Yours brings whatever the blocks leave to 7 · 7 places, as torchvision's VGG does. Here nothing stands between
    the blocks and the classifier: its first layer fits the image that the network is built for."""

    def side(self, image, blocks):
        return 7

    def forward(self, x):
        return self.classifier(F.adaptive_avg_pool2d(self.features(x), 7).flatten(1))


@vgg.misconception
class AlwaysAsInThePaper(Network):
    """Your first linear layer takes 512 · 7 · 7 numbers. That is what the paper's config leaves of 224 pixels; how many
    channels does the last block of this config give, and how large is a side then?"""

    def head(self, channels, side, hidden, classes):
        return super().head(512, 7, hidden, classes)


@vgg.misconception
class SideNotSquared(Network):
    """Your first linear layer takes channels · side numbers. What is left of an image is as high as it is wide."""

    def head(self, channels, side, hidden, classes):
        whole = super().head(1, 1, hidden, classes)
        return nn.Sequential(nn.Linear(channels * side, hidden), *list(whole)[1:])


@vgg.misconception
class OnePoolTooFew(Network):
    """Your side is halved once too few. The last block ends with a pool too."""

    def side(self, image, blocks):
        return image // 2 ** (blocks - 1)


@vgg.misconception
class RoundedUp(Network):
    """Your side is rounded up where it is odd. A pool drops what does not fill a window, and so does //."""

    def side(self, image, blocks):
        for _ in range(blocks):
            image = -(-image // 2)
        return image


@vgg.misconception
class FlatFeatures(Network):
    """Your `features` hold all layers in one row, so their parameters have one number less in their names. Each block
    stays a Sequential of its own within `features`."""

    def __init__(self, *sizes, **named):
        super().__init__(*sizes, **named)
        self.features = nn.Sequential(*(layer for one in self.features for layer in one))


@vgg.misconception
class HiddenInAList(Network):
    """Your blocks are in a Python list. A module does not look into a list, so none of their parameters is known to
    it."""

    def __init__(self, *sizes, **named):
        super().__init__(*sizes, **named)
        blocks = list(self.features)
        del self.features
        self.features = blocks

    def forward(self, x):
        for one in self.features:
            x = one(x)
        return self.classifier(x.flatten(1))


@vgg.misconception
class FlattenInTheClassifier(Network):
    """Your flatten stands in the classifier, so its linear layers have the numbers 1, 4 and 7. Flatten in `forward`, or
    in a module of its own."""

    def __init__(self, *sizes, **named):
        super().__init__(*sizes, **named)
        self.classifier = nn.Sequential(nn.Flatten(), *self.classifier)


@vgg.misconception
class NoDropout(Network):
    """Your classifier has no dropout. It stands behind each of the first two ReLUs, with p = 0.5."""

    def head(self, channels, side, hidden, classes):
        return super().head(channels, side, hidden, classes, p=0.0)


@vgg.misconception
class DropoutLeftOut(Network):
    """Your classifier has no dropout, so its linear layers have the numbers 0, 2 and 4. A dropout stands behind each of
    the first two ReLUs and has a number too, though it has nothing to save."""

    def head(self, channels, side, hidden, classes):
        return nn.Sequential(
            *[layer for i, layer in enumerate(super().head(channels, side, hidden, classes)) if i % 3 != 2]
        )


@vgg.misconception
class DropoutOnce(Network):
    """Your classifier drops once. There is a dropout behind each of its two ReLUs."""

    def head(self, channels, side, hidden, classes):
        whole = super().head(channels, side, hidden, classes)
        whole[5] = nn.Identity()
        return whole


@vgg.misconception
class LessDropout(Network):
    """Your dropout takes fewer numbers than it should: p is 0.5."""

    def head(self, channels, side, hidden, classes):
        return super().head(channels, side, hidden, classes, p=0.2)


@vgg.misconception
class DropoutInEvaluationToo(Network):
    """Your dropout works in evaluation too, so the same image gives another answer each time. nn.Dropout knows the
    mode; F.dropout has to be told, by training=self.training."""

    def forward(self, x):
        one, relu, _, two, _, _, three = self.classifier
        x = F.dropout(relu(one(self.features(x).flatten(1))), 0.5)
        return three(F.dropout(relu(two(x)), 0.5))


@vgg.misconception
class DropoutOnTheFeatures(Network):
    """Your dropout stands in front of the linear layers. It stands behind the first two of them, and their ReLUs."""

    def forward(self, x):
        one, relu, drop, two, _, _, three = self.classifier
        x = drop(self.features(x).flatten(1))
        return three(relu(two(drop(relu(one(x))))))


@vgg.misconception
class DropoutInFrontOfEach(Network):
    """Your classifier begins with a dropout, so its linear layers have the numbers 1, 4 and 6. Here each of the two
    dropouts stands behind a ReLU: the first module is a Linear."""

    def head(self, channels, side, hidden, classes):
        one, relu, drop, *rest = super().head(channels, side, hidden, classes)
        two, _, _, three = rest
        return nn.Sequential(drop, one, relu, nn.Dropout(0.5), two, nn.ReLU(), three)


@vgg.misconception
class ReluBehindTheLast(Network):
    """Your last layer has a ReLU behind it, so no logit is ever negative. The last linear layer ends the network."""

    def forward(self, x):
        return super().forward(x).relu()


@vgg.misconception
class WithSoftmax(Network):
    """Yours gives probabilities. Logits are asked for: cross_entropy takes the softmax itself, and would take it
    twice."""

    def forward(self, x):
        return super().forward(x).softmax(dim=1)


@vgg.misconception
class NoReluInTheClassifier(Network):
    """Your linear layers have no ReLU between them. Without one, three of them compute no more than one could."""

    def forward(self, x):
        one, _, drop, two, _, _, three = self.classifier
        return three(drop(two(drop(one(self.features(x).flatten(1))))))


@vgg.misconception
class NoReluBehindTheFirst(Network):
    """There is no ReLU between your first and second linear layers: the two compute no more than one could."""

    def forward(self, x):
        one, _, drop, *rest = self.classifier
        return nn.Sequential(*rest)(drop(one(self.features(x).flatten(1))))


@vgg.misconception
class ColoursIntoEveryBlock(Network):
    """Each of your blocks takes 3 channels in. Only the first one sees the image; the others take what the block before
    gives."""

    def block(self, convs, c_in, c_out):
        return block(convs, 3, c_out)


@vgg.misconception
class ChannelsLastRow(Network):
    """Your row has the channels of a place beside each other. flatten lays out one channel after the other; weights
    that were trained so would meet other numbers in yours."""

    def forward(self, x):
        return self.classifier(self.features(x).permute(0, 2, 3, 1).flatten(1))


@vgg.misconception
class TwoLinearLayers(Network):
    """Your classifier has two linear layers. There are three: to `hidden`, from `hidden` to `hidden`, and to the
    classes."""

    def head(self, channels, side, hidden, classes):
        whole = super().head(channels, side, hidden, classes)
        return nn.Sequential(*whole[:3], whole[6])


@vgg.variant
class WithAFlatten(nn.Module):
    def __init__(self, plan, classes=1000, image=224, hidden=4096):
        super().__init__()
        widths = [3] + [channels for _, channels in plan]
        pairs = zip(widths, plan, strict=False)
        self.features = nn.Sequential(*[one_by_one(convs, before, width) for before, (convs, width) in pairs])
        self.flatten = nn.Flatten()
        flat = widths[-1] * (image >> len(plan)) ** 2
        self.classifier = nn.Sequential()
        for i, (a, b) in enumerate([(flat, hidden), (hidden, hidden), (hidden, classes)]):
            if i:
                self.classifier.extend([nn.ReLU(inplace=True), nn.Dropout()])
            self.classifier.append(nn.Linear(a, b))

    def forward(self, images):
        return self.classifier(self.flatten(self.features(images)))


@vgg.variant
class AskedOfTheFeatures(nn.Module):
    def __init__(self, config, classes=1000, image=224, hidden=4096):
        super().__init__()
        self.features = nn.Sequential()
        c_in = 3
        for i, (convs, channels) in enumerate(config):
            self.features.add_module(str(i), block(convs, c_in, channels))
            c_in = channels
        with torch.no_grad():
            probe = torch.zeros(1, 3, image, image, device=self.features[0][0].weight.device)
            flat = self.features(probe).numel()
        layers = [nn.Linear(flat, hidden), nn.ReLU(), nn.Dropout(p=0.5)]
        layers += [nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(p=0.5), nn.Linear(hidden, classes)]
        self.classifier = nn.Sequential(*layers)

    def forward(self, x):
        x = self.features(x)
        return self.classifier(x.reshape(x.shape[0], -1))


@vgg.variant
class WithFunctions(nn.Module):
    def __init__(self, config, classes=1000, image=224, hidden=4096):
        super().__init__()
        blocks = []
        for place, (convs, channels) in enumerate(config):
            blocks.append(block(convs, config[place - 1][1] if place else 3, channels))
            image = image // 2
        self.features = nn.Sequential(*blocks)
        linear = {"0": (channels * image * image, hidden), "3": (hidden, hidden), "6": (hidden, classes)}
        self.classifier = nn.ModuleDict({name: nn.Linear(*sizes) for name, sizes in linear.items()})

    def forward(self, x):
        for one in self.features:
            x = one(x)
        x = torch.flatten(x, 1)
        for name in ("0", "3"):
            x = F.dropout(F.relu(self.classifier[name](x)), training=self.training)
        return self.classifier["6"](x)


@vgg.variant
class DropsBeforeRelu(Network):
    def head(self, channels, side, hidden, classes):
        whole = list(super().head(channels, side, hidden, classes))
        whole[1], whole[2], whole[4], whole[5] = whole[2], whole[1], whole[5], whole[4]
        return nn.Sequential(*whole)
