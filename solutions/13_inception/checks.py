"""What decides whether the exercises of 13_inception are right."""

import torch
import torch.nn.functional as F
from torch import nn

from autograder.authoring import Exercise, built

# ---- shapes_in_inception_block ---------------------------------------------------------------------------------------

shapes_in_inception_block = Exercise(
    "shapes_in_inception_block",
    points=1,
    hints=[
        "Which number in a convolution's shape depends on the kernel's size, when it is padded so that height and "
        "width stay?",
        "A pooling looks at each channel by itself. How many channels does it give? And how many lie on top of each "
        "other when four results are joined?",
        "Only the channels change: to what the table says, and back to c_in at the pooling. Joined, the four branches' "
        "last channels add up. A weight is (channels out, channels in, kernel height, kernel width).",
    ],
)


@shapes_in_inception_block.case("the paper's block 3a")
def _(draw):
    return {
        "batch": 2,
        "c_in": 192,
        "c1": 64,
        "c3_reduce": 96,
        "c3": 128,
        "c5_reduce": 16,
        "c5": 32,
        "c_pool": 32,
        "height": 28,
        "width": 30,
    }


SIZES = ["batch", "c_in", "c1", "c3_reduce", "c3", "c5_reduce", "c5", "c_pool", "height", "width"]


@shapes_in_inception_block.case("other sizes")
def _(draw):
    return dict(zip(SIZES, (draw.permutation(60) + 2).tolist(), strict=False))


@shapes_in_inception_block.case("large sizes")
def _(draw):
    return dict(zip(SIZES, (draw.permutation(900) + 100).tolist(), strict=False))


@shapes_in_inception_block.case("one image, one channel, one row")
def _(draw):
    channels = dict(zip(SIZES[2:8], (draw.permutation(30) + 2).tolist(), strict=False))
    return {"batch": 1, "c_in": 1, **channels, "height": 1, "width": draw.integer(40, 60)}


def shapes(batch, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool, height, width, weight5=None, **changes):
    """The right answer; `changes` are other channels, or whole shapes."""
    channels = {
        "branch1": c1,
        "reduced3": c3_reduce,
        "branch3": c3,
        "reduced5": c5_reduce,
        "branch5": c5,
        "pooled": c_in,
        "branch_pool": c_pool,
        "joined": c1 + c3 + c5 + c_pool,
        **changes,
    }
    maps = {name: (batch, c, height, width) if isinstance(c, int) else c for name, c in channels.items()}
    return {**maps, "weight5": weight5 or (c5, c5_reduce, 5, 5)}


@shapes_in_inception_block.misconception
def maps_that_shrink(batch, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool, height, width):
    """Your maps shrink under the 3×3 and the 5×5 kernel, as they do without padding. Every layer here is padded, or the
    four results could not be laid on top of each other."""
    return shapes(
        *(batch, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool, height, width),
        branch3=(batch, c3, height - 2, width - 2),
        branch5=(batch, c5, height - 4, width - 4),
    )


@shapes_in_inception_block.misconception
def pooling_that_halves(batch, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool, height, width):
    """Your pooling halves height and width. It is the stride that makes maps smaller, not the pooling: with stride 1
    there is a window for every place."""
    half = (height // 2, width // 2)
    return shapes(
        *(batch, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool, height, width),
        pooled=(batch, c_in, *half),
        branch_pool=(batch, c_pool, *half),
    )


@shapes_in_inception_block.misconception
def pooling_that_reduces(batch, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool, height, width):
    """Your "pooled" has c_pool channels already. A pooling looks at one channel at a time and cannot mix them: which
    layer of the branch can?"""
    return shapes(batch, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool, height, width, pooled=c_pool)


@shapes_in_inception_block.misconception
def input_joined_too(batch, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool, height, width):
    """Your "joined" counts the pooled maps with c_in channels. The branch goes on with a 1×1 convolution, and its last
    layer is what is joined."""
    return shapes(batch, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool, height, width, joined=c1 + c3 + c5 + c_in)


@shapes_in_inception_block.misconception
def reductions_joined_too(batch, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool, height, width):
    """Your "joined" counts the reduced maps too. They are used inside their branch; each branch gives what its last
    layer gives."""
    every = c1 + c3_reduce + c3 + c5_reduce + c5 + c_pool
    return shapes(batch, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool, height, width, joined=every)


@shapes_in_inception_block.misconception
def joined_on_the_width(batch, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool, height, width):
    """Your "joined" lays the maps side by side. They are laid on top of each other: it is the channels that add up."""
    return shapes(
        *(batch, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool, height, width), joined=(batch, c1, height, 4 * width)
    )


@shapes_in_inception_block.misconception
def joined_by_adding(batch, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool, height, width):
    """Your "joined" has as many channels as the widest branch, as if the others could be added to it. Maps are added
    where a shortcut is; here they are laid on top of each other, and each branch keeps all its channels."""
    widest = max(c1, c3, c5, c_pool)
    return shapes(batch, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool, height, width, joined=widest)


@shapes_in_inception_block.misconception
def weight_from_the_input(batch, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool, height, width):
    """Your "weight5" reads the block's own input. What does the 5×5 convolution stand behind?"""
    return shapes(*(batch, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool, height, width), weight5=(c5, c_in, 5, 5))


@shapes_in_inception_block.misconception
def weight_the_other_way_round(batch, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool, height, width):
    """Your "weight5" has its channels the other way round: a convolution's weight has one kernel for each channel that
    comes out."""
    return shapes(
        *(batch, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool, height, width), weight5=(c5_reduce, c5, 5, 5)
    )


@shapes_in_inception_block.variant
def by_real_layers(batch, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool, height, width):
    with torch.device("meta"):
        x, reduced3 = torch.empty(batch, c_in, height, width), nn.Conv2d(c_in, c3_reduce, 1)
        reduced5, last5 = nn.Conv2d(c_in, c5_reduce, 1), nn.Conv2d(c5_reduce, c5, 5, padding=2)
        found = {"branch1": nn.Conv2d(c_in, c1, 1)(x), "reduced3": reduced3(x), "reduced5": reduced5(x)}
        found["branch3"] = nn.Conv2d(c3_reduce, c3, 3, padding=1)(found["reduced3"])
        found["branch5"] = last5(found["reduced5"])
        found["pooled"] = nn.MaxPool2d(3, 1, 1)(x)
        found["branch_pool"] = nn.Conv2d(c_in, c_pool, 1)(found["pooled"])
        found["joined"] = torch.cat([found[name] for name in found if name.startswith("branch")], dim=1)
        found["weight5"] = last5.weight
    return {name: tuple(tensor.shape) for name, tensor in found.items()}


@shapes_in_inception_block.variant
def one_by_one(batch, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool, height, width):
    answer = {}
    answer["weight5"] = (c5, c5_reduce, 5, 5)
    answer["pooled"] = torch.Size([batch, c_in, height, width])
    answer["branch1"] = (batch, c1, height, width)
    answer["branch3"] = (batch, c3, height, width)
    answer["branch5"] = (batch, c5, height, width)
    answer["branch_pool"] = (batch, c_pool, height, width)
    answer["joined"] = (batch, sum([c1, c3, c5, c_pool]), height, width)
    answer["reduced3"] = (batch, c3_reduce, height, width)
    answer["reduced5"] = (batch, c5_reduce, height, width)
    return answer


@shapes_in_inception_block.variant
def by_padding(batch, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool, height, width):
    def maps(c, kernel):
        padding = (kernel - 1) // 2
        return (batch, c, height + 2 * padding - kernel + 1, width + 2 * padding - kernel + 1)

    return {
        "branch1": maps(c1, 1),
        "reduced3": maps(c3_reduce, 1),
        "branch3": maps(c3, 3),
        "reduced5": maps(c5_reduce, 1),
        "branch5": maps(c5, 5),
        "pooled": maps(c_in, 3),
        "branch_pool": maps(c_pool, 1),
        "joined": maps(c1 + c3 + c5 + c_pool, 1),
        "weight5": (c5, c5_reduce) + 2 * (5,),
    }


# ---- bottleneck_cost -------------------------------------------------------------------------------------------------

bottleneck_cost = Exercise(
    "bottleneck_cost",
    points=1,
    hints=[
        "How many multiply-adds does *one* number of the output take? And how many numbers does the output have?",
        "One number of the output reads a kernel×kernel window of every channel that comes in. Write the cost of one "
        "convolution as a product of five numbers, then use it for all three convolutions.",
        "cost(a, b, k) = height · width · a · b · k². The first answer is cost(c_in, c_out, kernel); the second is the "
        "sum of a 1×1 and of a kernel×kernel convolution, with c_mid between them.",
    ],
)


@bottleneck_cost.case("the stub's example")
def _(draw):
    return {"c_in": 4, "c_mid": 1, "c_out": 2, "kernel": 3, "height": 5, "width": 6}


@bottleneck_cost.case("the 5×5 branch of the paper's block 3a")
def _(draw):
    return {"c_in": 192, "c_mid": 16, "c_out": 32, "kernel": 5, "height": 28, "width": 28}


@bottleneck_cost.case("sizes of its own")
def _(draw):
    c_in, c_mid, c_out, height, width = (draw.permutation(90) + 8).tolist()[:5]
    return {"c_in": c_in, "c_mid": c_mid, "c_out": c_out, "kernel": 3, "height": height, "width": width}


@bottleneck_cost.case("a wide kernel on a large image")
def _(draw):
    c_in, c_mid, c_out = (draw.permutation(900) + 100).tolist()[:3]
    return {"c_in": c_in, "c_mid": c_mid, "c_out": c_out, "kernel": 7, "height": 1080, "width": 1920}


@bottleneck_cost.case("the second kernel is 1×1 too")
def _(draw):
    c_in, c_mid, c_out = (draw.permutation(50) + 2).tolist()[:3]
    return {"c_in": c_in, "c_mid": c_mid, "c_out": c_out, "kernel": 1, "height": draw.integer(3, 9), "width": 10}


@bottleneck_cost.case("a bottleneck that is none")
def _(draw):
    return {"c_in": 3, "c_mid": draw.integer(40, 90), "c_out": 5, "kernel": 3, "height": 7, "width": 4}


@bottleneck_cost.case("one channel, one pixel")
def _(draw):
    return {"c_in": 1, "c_mid": 1, "c_out": 1, "kernel": 5, "height": 1, "width": 1}


@bottleneck_cost.misconception
def costs_multiplied(c_in, c_mid, c_out, kernel, height, width):
    """Your second number is a product of two costs. The 1×1 convolution runs first and the other one after it: what two
    things cost one after the other is added."""
    area = height * width
    return area * c_in * c_out * kernel**2, area * (c_in * c_mid) * (c_mid * c_out * kernel**2)


@bottleneck_cost.misconception
def kernel_not_squared(c_in, c_mid, c_out, kernel, height, width):
    """Your kernel counts once. It is a square: how many numbers does a window of one channel hold?"""
    area = height * width
    return area * c_in * c_out * kernel, area * (c_in * c_mid + c_mid * c_out * kernel)


@bottleneck_cost.misconception
def weights_counted(c_in, c_mid, c_out, kernel, height, width):
    """Yours are the numbers of weights. Each weight is used again at every place of the output."""
    return c_in * c_out * kernel**2, c_in * c_mid + c_mid * c_out * kernel**2


@bottleneck_cost.misconception
def bottleneck_for_nothing(c_in, c_mid, c_out, kernel, height, width):
    """Your second number leaves the 1×1 convolution out. It is cheap, not free: it reads all of c_in at every place."""
    area = height * width
    return area * c_in * c_out * kernel**2, area * c_mid * c_out * kernel**2


@bottleneck_cost.misconception
def bottleneck_behind(c_in, c_mid, c_out, kernel, height, width):
    """In yours the wide kernel comes first and the 1×1 behind it, so the wide one still reads all of c_in. The 1×1
    stands in front."""
    area = height * width
    return area * c_in * c_out * kernel**2, area * (c_in * c_mid * kernel**2 + c_mid * c_out)


@bottleneck_cost.misconception
def both_wide(c_in, c_mid, c_out, kernel, height, width):
    """In yours both convolutions of the second number are kernel×kernel. The first of them looks at one place at a
    time."""
    area = height * width
    return area * c_in * c_out * kernel**2, area * (c_in * c_mid + c_mid * c_out) * kernel**2


@bottleneck_cost.misconception
def counted_twice(c_in, c_mid, c_out, kernel, height, width):
    """Yours is twice as much: you count a multiplication and its addition as two. Here the pair counts once."""
    area = 2 * height * width
    return area * c_in * c_out * kernel**2, area * (c_in * c_mid + c_mid * c_out * kernel**2)


@bottleneck_cost.misconception
def without_padding(c_in, c_mid, c_out, kernel, height, width):
    """Your output shrinks by kernel − 1, as without padding. Padded, there are height·width places, whatever the
    kernel."""
    area = (height - kernel + 1) * (width - kernel + 1)
    return area * c_in * c_out * kernel**2, height * width * c_in * c_mid + area * c_mid * c_out * kernel**2


@bottleneck_cost.misconception
def square_images(c_in, c_mid, c_out, kernel, height, width):
    """Yours takes every image for a square: it uses height twice. An image has a width too."""
    area = height * height
    return area * c_in * c_out * kernel**2, area * (c_in * c_mid + c_mid * c_out * kernel**2)


@bottleneck_cost.misconception
def the_other_order(c_in, c_mid, c_out, kernel, height, width):
    """Your two numbers are in the other order: first without the 1×1, then with it."""
    area = height * width
    return area * (c_in * c_mid + c_mid * c_out * kernel**2), area * c_in * c_out * kernel**2


@bottleneck_cost.misconception
def products_multiplied(c_in, c_mid, c_out, kernel, height, width):
    """Your second number multiplies the costs of the two convolutions. One runs after the other: what do costs do
    then?"""
    area = height * width
    return area * c_in * c_out * kernel**2, (area * c_in * c_mid) * (area * c_mid * c_out * kernel**2)


@bottleneck_cost.variant
def by_one_convolution(c_in, c_mid, c_out, kernel, height, width):
    def cost(before, after, size):
        return before * after * size * size * height * width

    return cost(c_in, c_out, kernel), cost(c_in, c_mid, 1) + cost(c_mid, c_out, kernel)


@bottleneck_cost.variant
def by_weights(c_in, c_mid, c_out, kernel, height, width):
    wide, narrow = torch.empty(c_out, c_in, kernel, kernel), torch.empty(c_mid, c_in, 1, 1)
    behind = torch.empty(c_out, c_mid, kernel, kernel)
    places = height * width
    return places * wide.numel(), places * (narrow.numel() + behind.numel())


@bottleneck_cost.variant
def factored(c_in, c_mid, c_out, kernel, height, width):
    import math

    per_channel = math.prod([kernel, kernel, c_out])
    return tuple(height * width * n for n in (c_in * per_channel, c_mid * (c_in + per_channel)))


# ---- InceptionBlock --------------------------------------------------------------------------------------------------

inception_block = Exercise(
    "InceptionBlock",
    points=3,
    hints=[
        "With which padding does a 3×3 kernel keep height and width? A 5×5? A 3×3 pooling with stride 1?",
        "A ReLU in a Sequential takes a number of its own: 1×1 convolution 0, ReLU 1, 3×3 convolution 2, ReLU 3. What "
        "is a pooling's stride when none is given?",
        "Each branch is nn.Sequential(nn.Conv2d(...), nn.ReLU(), ...), the last one with nn.MaxPool2d(3, stride=1, "
        "padding=1) in front. Kernels of k are padded by (k − 1) / 2. torch.cat joins the four along the channel axis.",
    ],
)


@inception_block.case("six sizes that differ, two images")
def _(draw):
    return built(3, 2, 4, 5, 6, 7, 1).differentiate(draw.normal(2, 3, 5, 7))


@inception_block.case("branches of equal width, square maps")
def _(draw):
    return built(4, 3, 2, 3, 2, 3, 3).call(draw.normal(2, 4, 6, 6))


@inception_block.case("one channel, one pixel")
def _(draw):
    return built(1, 1, 1, 1, 1, 1, 1).call(draw.normal(3, 1, 1, 1))


@inception_block.case("maps smaller than the kernels")
def _(draw):
    return built(5, 2, 3, 4, 2, 3, 2).call(draw.normal(2, 5, 1, 2))


@inception_block.case("an input that is a view, in double precision")
def _(draw):
    x = draw.normal(2, 6, 5, 3, dtype=torch.float64).permute(0, 3, 2, 1)
    return built(3, 4, 2, 5, 3, 2, 6).to(torch.float64).differentiate(x)


@inception_block.case("numbers below zero alone")
def _(draw):
    return built(3, 2, 3, 4, 3, 2, 4).call(-1 - draw.uniform(2, 3, 4, 5))


@inception_block.case("evaluation, channels of its own")
def _(draw):
    channels = (draw.permutation(9) + 2).tolist()[:7]
    return built(*channels).eval().call(draw.normal(1, channels[0], 6, 5))


@inception_block.case("the paper's block 3a, without numbers")
def _(draw):
    return built(192, 64, 96, 128, 16, 32, 32).meta().call(draw.normal(1, 1).expand(2, 192, 28, 30))


class InceptionBlock(nn.Module):
    """A right InceptionBlock, to be spoiled in one place."""

    bias = True

    def __init__(self, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool):
        super().__init__()
        self.branch1 = self.chain(self.conv(c_in, c1, 1))
        self.branch3 = self.chain(self.conv(c_in, c3_reduce, 1), self.conv(c3_reduce, c3, 3))
        self.branch5 = self.chain(self.conv(c_in, c5_reduce, 1), self.conv(c5_reduce, c5, 5))
        self.branch_pool = nn.Sequential(self.pool(), *self.chain(self.conv(c_in, c_pool, 1)))

    def conv(self, before, after, kernel):
        return nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=self.bias)

    def chain(self, *convolutions):
        return nn.Sequential(*[layer for conv in convolutions for layer in (conv, nn.ReLU())])

    def pool(self):
        return nn.MaxPool2d(3, stride=1, padding=1)

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.branch_pool(x)], dim=1)


@inception_block.misconception
class NoReluWithin(InceptionBlock):
    """Yours has no ReLU between the 1×1 convolution and the wide one. Two convolutions with nothing between them are a
    single one, only cheaper: every convolution is followed by a ReLU."""

    def chain(self, *convolutions):
        return nn.Sequential(*[layer for conv in convolutions for layer in (conv, nn.Identity())][:-1], nn.ReLU())


@inception_block.misconception
class NoReluBehindTheReductions(InceptionBlock):
    """Your wide convolutions stand directly behind the 1×1 ones and have the number 1 in their names. A ReLU follows
    every convolution, the 1×1 ones included, and takes a number of its own."""

    def chain(self, *convolutions):
        return nn.Sequential(*convolutions, nn.ReLU())


@inception_block.misconception
class ReluBehindThePooling(InceptionBlock):
    """Yours has a ReLU between the pooling and its convolution. It shows only where all numbers of a window are below
    zero. Convolutions are followed by a ReLU, and nothing else is."""

    def forward(self, x):
        pool, conv, relu = self.branch_pool
        pooled = relu(conv(pool(x).relu()))
        return torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), pooled], dim=1)


@inception_block.misconception
class ReluModuleBehindThePooling(InceptionBlock):
    """Your last branch has a ReLU between the pooling and its convolution, which therefore has the number 2.
    Convolutions are followed by a ReLU, and nothing else is."""

    def __init__(self, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool):
        super().__init__(c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool)
        pool, conv, relu = self.branch_pool
        self.branch_pool = nn.Sequential(pool, nn.ReLU(), conv, relu)


@inception_block.misconception
class ReluWrittenIntoTheInput(InceptionBlock):
    """Yours writes a ReLU into x, which belongs to the caller: `relu_` and inplace=True do that. All four branches then
    see x without what was below zero."""

    def forward(self, x):
        with torch.no_grad():
            x.relu_()
        return super().forward(x)


@inception_block.misconception
class Normalised(InceptionBlock):
    """Yours has a BatchNorm behind each convolution, as the networks that came a year later have. Here a ReLU follows,
    and nothing else; so the numbers in the names are others too."""

    def chain(self, *convolutions):
        layers = [(conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU()) for conv in convolutions]
        return nn.Sequential(*[layer for three in layers for layer in three])


@inception_block.misconception
class NormalisedInParts(InceptionBlock):
    """Yours has a BatchNorm behind each convolution, and puts the two in a Sequential of their own. Here a ReLU follows
    each convolution and nothing else, and each branch is one flat Sequential."""

    def __init__(self, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool):
        super().__init__(c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool)
        self.branch1 = self.branch1[0]
        self.branch_pool = nn.Sequential(self.pool(), self.branch_pool[1])

    def chain(self, *convolutions):
        return nn.Sequential(
            *[nn.Sequential(conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU()) for conv in convolutions]
        )


@inception_block.misconception
class NoReluAtTheEnd(InceptionBlock):
    """Your branches end with a convolution, so the result has numbers below zero. The last convolution of each branch
    is followed by a ReLU too."""

    def chain(self, *convolutions):
        return super().chain(*convolutions)[:-1]


@inception_block.misconception
class NoReluAnywhere(InceptionBlock):
    """Yours has no ReLU at all: the result is a linear function of the maps, but for the pooling."""

    def chain(self, *convolutions):
        return nn.Sequential(*[layer for conv in convolutions for layer in (conv, nn.Identity())])


@inception_block.misconception
class NotPadded(InceptionBlock):
    """Your wide kernels are not padded, or not enough: their maps are smaller than the others, and maps of unequal size
    cannot be joined on channels. How much does a kernel of 5 take away at each side, and how much one of 3?"""

    def conv(self, before, after, kernel):
        return nn.Conv2d(before, after, kernel)


@inception_block.misconception
class StrideLeftOut(InceptionBlock):
    """Your pooling has no stride of its own, and takes its kernel's size for it: its maps have a third of the height
    and of the width, and do not fit the others."""

    def pool(self):
        return nn.MaxPool2d(3, padding=1)


@inception_block.misconception
class Averaged(InceptionBlock):
    """Your last branch takes the average of each window. The largest number was asked for."""

    def pool(self):
        return nn.AvgPool2d(3, stride=1, padding=1)


@inception_block.misconception
class PoolBehind(InceptionBlock):
    """Your last branch pools behind its convolution, so the convolution's parameters are named branch_pool.0. The
    pooling comes first: it is the maps that came in that are pooled."""

    def __init__(self, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool):
        super().__init__(c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool)
        self.branch_pool = nn.Sequential(*self.chain(self.conv(c_in, c_pool, 1)), self.pool())


@inception_block.misconception
class PoolFirstInLine(InceptionBlock):
    """All your maps are right, and joined in another order. The next layer knows channels by their place alone:
    branch1, branch3, branch5, branch_pool."""

    def forward(self, x):
        return torch.cat([self.branch_pool(x), self.branch1(x), self.branch3(x), self.branch5(x)], dim=1)


@inception_block.misconception
class FiveBeforeThree(InceptionBlock):
    """Your maps of branch5 lie before those of branch3. The next layer knows channels by their place alone."""

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch5(x), self.branch3(x), self.branch_pool(x)], dim=1)


@inception_block.misconception
class JoinedOnTheWidth(InceptionBlock):
    """Yours joins the last axis, the width: the maps lie side by side, where they fit at all. Channels are axis 1."""

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.branch_pool(x)], dim=-1)


@inception_block.misconception
class NoBottlenecks(InceptionBlock):
    """Your wide kernels read the block's input directly, without the 1×1 in front. That is the block that the paper
    calls naive; it costs several times as much."""

    def __init__(self, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool):
        super().__init__(c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool)
        self.branch3, self.branch5 = self.chain(self.conv(c_in, c3, 3)), self.chain(self.conv(c_in, c5, 5))


@inception_block.misconception
class NoBiases(InceptionBlock):
    """Your convolutions have no biases. Later networks leave them out because a normalisation follows; here none
    does."""

    bias = False


@inception_block.variant
class WithSamePadding(nn.Module):
    def __init__(self, c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool):
        super().__init__()

        def layers(*sizes):
            found = []
            for before, after, kernel in sizes:
                found += [nn.Conv2d(before, after, kernel, padding="same"), nn.ReLU(inplace=True)]
            return found

        self.branch_pool = nn.Sequential(nn.MaxPool2d((3, 3), (1, 1), (1, 1)), *layers((c_in, c_pool, 1)))
        self.branch5 = nn.Sequential(*layers((c_in, c5_reduce, 1), (c5_reduce, c5, 5)))
        self.branch3 = nn.Sequential(*layers((c_in, c3_reduce, 1), (c3_reduce, c3, 3)))
        self.branch1 = nn.Sequential(*layers((c_in, c1, 1)))

    def forward(self, maps):
        branches = self.branch1, self.branch3, self.branch5, self.branch_pool
        return torch.concat([branch(maps) for branch in branches], 1)


@inception_block.variant
class FilledInPlace(InceptionBlock):
    def forward(self, x):
        maps = [self.branch1(x), self.branch3(x), self.branch5(x), self.branch_pool(x)]
        batch, _, height, width = x.shape
        result = x.new_empty(batch, sum(m.shape[1] for m in maps), height, width)
        start = 0
        for m in maps:
            result[:, start : start + m.shape[1]] = m
            start += m.shape[1]
        return result


@inception_block.variant
class ReluOnceMore(nn.Module):
    def __init__(self, *channels):
        super().__init__()
        c_in, c1, c3_reduce, c3, c5_reduce, c5, c_pool = channels
        self.branch1 = nn.Sequential(nn.Conv2d(c_in, c1, kernel_size=1))
        self.branch3 = nn.Sequential(
            nn.Conv2d(c_in, c3_reduce, kernel_size=1), nn.ReLU(), nn.Conv2d(c3_reduce, c3, (3, 3), padding=(1, 1))
        )
        self.branch5 = nn.Sequential(
            nn.Conv2d(c_in, c5_reduce, kernel_size=1), nn.ReLU(), nn.Conv2d(c5_reduce, c5, (5, 5), padding=(2, 2))
        )
        self.branch_pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(c_in, c_pool, kernel_size=1))

    def forward(self, x):
        return F.relu(torch.cat([branch(x) for branch in self.children()], dim=-3))


# ---- AuxiliaryHead ---------------------------------------------------------------------------------------------------

auxiliary_head = Exercise(
    "AuxiliaryHead",
    points=2,
    hints=[
        "Where do the 2048 numbers that fc1 takes come from? How many places are left of 14×14 under a 5×5 window that "
        "moves by 3?",
        "Which of the steps have parameters, and so belong into __init__? How does a function learn that dropout is "
        "not wanted in evaluation, and how does a module?",
        "F.avg_pool2d(x, 5, 3), then the convolution, relu, flatten(1), fc1, relu, an nn.Dropout(0.7) made in "
        "__init__, fc2. Nothing follows fc2.",
    ],
)


@auxiliary_head.case("two images, in evaluation")
def _(draw):
    return built(3, 7).eval().call(draw.normal(2, 3, 14, 14))


@auxiliary_head.case("training, then evaluation")
def _(draw):
    x = draw.normal(3, 4, 14, 14)
    return built(4, 5).train().call(x).eval().call(x)


@auxiliary_head.case("maps of 14×16, of 15×14 and of 16×15")
def _(draw):
    plan = built(2, 3).eval()
    for height, width in ((14, 16), (15, 14), (16, 15)):
        plan = plan.call(draw.normal(1, 2, height, width))
    return plan


@auxiliary_head.case("one image, one channel, one class")
def _(draw):
    return built(1, 1).train().call(draw.normal(1, 1, 14, 15))


@auxiliary_head.case("an input that is a view, in double precision")
def _(draw):
    c_in, classes = (draw.permutation(9) + 2).tolist()[:2]
    x = draw.normal(2, 16, 14, c_in, dtype=torch.float64).permute(0, 3, 2, 1)
    return built(c_in, classes).to(torch.float64).eval().call(x)


@auxiliary_head.case("the paper's second head, without numbers")
def _(draw):
    return built(528).meta().differentiate(draw.normal(1, 1).expand(2, 528, 14, 14))


class AuxiliaryHead(nn.Module):
    """A right AuxiliaryHead, to be spoiled in one place."""

    p = 0.7

    def __init__(self, c_in, classes=1000):
        super().__init__()
        self.conv = nn.Conv2d(c_in, 128, 1)
        self.fc1 = nn.Linear(2048, 1024)
        self.fc2 = nn.Linear(1024, classes)

    def pool(self, x):
        return F.avg_pool2d(x, 5, 3)

    def reduce(self, x):
        return self.conv(self.pool(x)).relu()

    def hidden(self, x):
        return F.relu(self.fc1(x))

    def drop(self, x):
        return F.dropout(x, self.p, self.training)

    def forward(self, x):
        return self.fc2(self.drop(self.hidden(self.reduce(x).flatten(1))))


@auxiliary_head.misconception
class Adaptive(AuxiliaryHead):
    """Your pooling is told how many windows to make, and chooses their size itself: 4×4 or 5×5 or between, not the 5×5
    windows at a distance of 3 that were asked for."""

    def pool(self, x):
        return F.adaptive_avg_pool2d(x, 4)


@auxiliary_head.misconception
class MaxPooled(AuxiliaryHead):
    """Yours takes the largest number of each window. The average was asked for."""

    def pool(self, x):
        return F.max_pool2d(x, 5, 3)


@auxiliary_head.misconception
class ConvolutionFirst(AuxiliaryHead):
    """Yours runs its convolution and the ReLU on all the maps and takes averages afterwards. The order matters, for a
    ReLU comes between; and the convolution has twelve times as many places to visit."""

    def reduce(self, x):
        return self.pool(self.conv(x).relu())


@auxiliary_head.misconception
class NoReluBehindConv(AuxiliaryHead):
    """Yours has no ReLU between `conv` and `fc1`: the two are one linear function."""

    def reduce(self, x):
        return self.conv(self.pool(x))


@auxiliary_head.misconception
class NoReluBehindFc1(AuxiliaryHead):
    """Yours has no ReLU between `fc1` and `fc2`: the two are one linear function."""

    def hidden(self, x):
        return self.fc1(x)


@auxiliary_head.misconception
class KeepsSeventyPercent(AuxiliaryHead):
    """Your dropout takes away 30 % and keeps 70 %. In PyTorch p is the share that is dropped."""

    p = 0.3


@auxiliary_head.misconception
class DropsHalf(AuxiliaryHead):
    """Your dropout has its default p, 0.5. The head drops more: 70 %."""

    p = 0.5


@auxiliary_head.misconception
class NoDropout(AuxiliaryHead):
    """Yours drops nothing. In evaluation it is right; in training 70 % of what `fc1` gives is dropped."""

    p = 0


@auxiliary_head.misconception
class DropsInEvaluation(AuxiliaryHead):
    """Yours drops in evaluation too. The function F.dropout does not know the mode of the module it is called in; it
    has to be told."""

    def drop(self, x):
        return F.dropout(x, self.p)


@auxiliary_head.misconception
class DropsBeforeFc1(AuxiliaryHead):
    """Your dropout stands in front of `fc1`. It belongs between the two linear layers."""

    def forward(self, x):
        return self.fc2(self.hidden(self.drop(self.reduce(x).flatten(1))))


@auxiliary_head.misconception
class ChannelsLast(AuxiliaryHead):
    """Yours puts the channels last before it flattens, so `fc1` meets the same numbers in another order than its
    weights were learned for."""

    def forward(self, x):
        return self.fc2(self.drop(self.hidden(self.reduce(x).permute(0, 2, 3, 1).flatten(1))))


@auxiliary_head.misconception
class Probabilities(AuxiliaryHead):
    """Yours gives probabilities. Logits were asked for: the cross-entropy applies its softmax itself."""

    def forward(self, x):
        return super().forward(x).softmax(dim=1)


@auxiliary_head.variant
class AllModules(nn.Module):
    def __init__(self, c_in, classes=1000):
        super().__init__()
        self.fc2 = nn.Linear(1024, classes)
        self.fc1 = nn.Linear(128 * 4 * 4, 1024)
        self.conv = nn.Conv2d(c_in, 128, kernel_size=(1, 1))
        self.pool, self.relu = nn.AvgPool2d(5, stride=3), nn.ReLU()
        self.flat, self.drop = nn.Flatten(), nn.Dropout(p=0.7)

    def forward(self, x):
        for layer in (self.pool, self.conv, self.relu, self.flat, self.fc1, self.relu, self.drop, self.fc2):
            x = layer(x)
        return x


@auxiliary_head.variant
class ConvolvedThenPooled(AuxiliaryHead):
    def reduce(self, x):
        return F.relu(F.avg_pool2d(self.conv(x), kernel_size=5, stride=3))


@auxiliary_head.variant
class ByUnfold(AuxiliaryHead):
    def reduce(self, x):
        pooled = x.unfold(2, 5, 3).unfold(3, 5, 3).mean(dim=(-2, -1))
        mixed = torch.einsum("oi,bihw->bohw", self.conv.weight[:, :, 0, 0], pooled) + self.conv.bias[:, None, None]
        return mixed.clamp(min=0)

    def forward(self, x):
        maps = self.reduce(x)
        hidden = torch.relu(maps.reshape(len(maps), 2048) @ self.fc1.weight.T + self.fc1.bias)
        if self.training:
            hidden = F.dropout(hidden, 0.7)
        return self.fc2(hidden)


# ---- auxiliary_loss --------------------------------------------------------------------------------------------------

auxiliary_loss = Exercise(
    "auxiliary_loss",
    points=1,
    hints=[
        "How many losses are there, and which of them counts in full?",
        "F.cross_entropy takes logits and labels. Does it want probabilities? Does it average?",
        "The cross-entropy of `logits`, plus `weight` times that of `aux1`, plus `weight` times that of `aux2`.",
    ],
)


def answers_of(draw, batch, classes, std=1.0, dtype=torch.float32):
    """Three times logits, and labels."""
    logits = {name: draw.normal(batch, classes, std=std, dtype=dtype) for name in ("logits", "aux1", "aux2")}
    return {**logits, "labels": draw.integers(0, classes - 1, batch)}


@auxiliary_loss.case("four images, three classes", probe="gradients")
def _(draw):
    return answers_of(draw, 4, 3)


@auxiliary_loss.case("as many images as classes, another weight", probe="gradients")
def _(draw):
    return {**answers_of(draw, 5, 5), "weight": 0.1 + draw.integer(5, 9) / 10}


@auxiliary_loss.case("one image", probe="gradients")
def _(draw):
    return {**answers_of(draw, 1, draw.integer(4, 9)), "weight": 0.4}


@auxiliary_loss.case("heads that do not count")
def _(draw):
    return {**answers_of(draw, 3, 4), "weight": 0.0}


@auxiliary_loss.case("large logits, in double precision", probe="gradients")
def _(draw):
    return answers_of(draw, 6, 4, std=40.0, dtype=torch.float64)


@auxiliary_loss.case("many classes, logits that are views")
def _(draw):
    found = answers_of(draw, 7, 50)
    return {**found, "aux1": draw.normal(50, 7).T, "logits": draw.normal(7, 100)[:, ::2], "weight": 2.5}


@auxiliary_loss.misconception
def heads_in_full(logits, aux1, aux2, labels, weight=0.3):
    """In yours the heads count as much as the network's own answer. They are multiplied by `weight`."""
    return F.cross_entropy(logits, labels) + F.cross_entropy(aux1, labels) + F.cross_entropy(aux2, labels)


@auxiliary_loss.misconception
def weight_fixed(logits, aux1, aux2, labels, weight=0.3):
    """Your heads always count 0.3, whatever `weight` says."""
    return F.cross_entropy(logits, labels) + 0.3 * (F.cross_entropy(aux1, labels) + F.cross_entropy(aux2, labels))


@auxiliary_loss.misconception
def weight_on_everything(logits, aux1, aux2, labels, weight=0.3):
    """Yours multiplies all three losses by `weight`. The network's own answer counts in full."""
    return weight * (F.cross_entropy(logits, labels) + F.cross_entropy(aux1, labels) + F.cross_entropy(aux2, labels))


@auxiliary_loss.misconception
def weight_on_the_logits(logits, aux1, aux2, labels, weight=0.3):
    """In yours it is the network's own answer that counts less, and the heads count in full."""
    return weight * F.cross_entropy(logits, labels) + F.cross_entropy(aux1, labels) + F.cross_entropy(aux2, labels)


@auxiliary_loss.misconception
def heads_averaged(logits, aux1, aux2, labels, weight=0.3):
    """Yours takes the mean of the heads' losses, so each counts half of `weight`. Each of them counts `weight`."""
    heads = (F.cross_entropy(aux1, labels) + F.cross_entropy(aux2, labels)) / 2
    return F.cross_entropy(logits, labels) + weight * heads


@auxiliary_loss.misconception
def weighted_mean(logits, aux1, aux2, labels, weight=0.3):
    """Yours divides by the sum of the weights. What is asked for is a sum, not a mean of the three losses."""
    heads = F.cross_entropy(aux1, labels) + F.cross_entropy(aux2, labels)
    return (F.cross_entropy(logits, labels) + weight * heads) / (1 + 2 * weight)


@auxiliary_loss.misconception
def one_head_forgotten(logits, aux1, aux2, labels, weight=0.3):
    """In yours the second head has no part: its answer changes nothing, and no gradient reaches it."""
    return F.cross_entropy(logits, labels) + weight * F.cross_entropy(aux1, labels)


@auxiliary_loss.misconception
def second_head_in_full(logits, aux1, aux2, labels, weight=0.3):
    """In yours the second head's loss counts in full: `weight` stands before the first head alone. Both heads count
    less."""
    own, first, second = (F.cross_entropy(answer, labels) for answer in (logits, aux1, aux2))
    return own + weight * first + second


@auxiliary_loss.misconception
def softmax_twice(logits, aux1, aux2, labels, weight=0.3):
    """Yours gives probabilities to F.cross_entropy, which takes them for logits and applies a softmax again."""
    own, *heads = (F.cross_entropy(answer.softmax(dim=1), labels) for answer in (logits, aux1, aux2))
    return own + weight * sum(heads)


@auxiliary_loss.misconception
def summed_over_the_batch(logits, aux1, aux2, labels, weight=0.3):
    """Yours sums over the images of the batch, so that a larger batch has a larger loss. The mean was asked for."""
    own, *heads = (F.cross_entropy(answer, labels, reduction="sum") for answer in (logits, aux1, aux2))
    return own + weight * sum(heads)


@auxiliary_loss.misconception
def logits_mixed(logits, aux1, aux2, labels, weight=0.3):
    """Yours adds the logits and takes one loss of the sum. The heads are to be right each for itself: there are three
    losses."""
    return F.cross_entropy(logits + weight * (aux1 + aux2), labels)


@auxiliary_loss.misconception
def heads_detached(logits, aux1, aux2, labels, weight=0.3):
    """The number is right, but no gradient reaches the heads: they are cut off before their losses are taken."""
    heads = F.cross_entropy(aux1.detach(), labels) + F.cross_entropy(aux2.detach(), labels)
    return F.cross_entropy(logits, labels) + weight * heads


@auxiliary_loss.variant
def by_a_loop(logits, aux1, aux2, labels, weight=0.3):
    loss = torch.zeros((), dtype=logits.dtype)
    for answer, share in ((logits, 1.0), (aux1, weight), (aux2, weight)):
        loss = loss + share * nn.CrossEntropyLoss()(answer, labels)
    return loss


@auxiliary_loss.variant
def by_log_softmax(logits, aux1, aux2, labels, weight=0.3):
    def loss(answer):
        return -answer.log_softmax(dim=1)[torch.arange(len(labels)), labels].mean()

    return loss(logits) + weight * loss(aux1) + weight * loss(aux2)


@auxiliary_loss.variant
def by_stacking(logits, aux1, aux2, labels, weight=0.3):
    stacked = torch.stack([logits, aux1, aux2])
    right = stacked.gather(2, labels.expand(3, -1)[:, :, None])[:, :, 0]
    losses = (stacked.logsumexp(dim=2) - right).mean(dim=1)
    return (losses * losses.new_tensor([1, weight, weight])).sum()


# ---- GoogLeNet -------------------------------------------------------------------------------------------------------

googlenet = Exercise(
    "GoogLeNet",
    points=4,
    needs=["InceptionBlock", "AuxiliaryHead"],
    hints=[
        "Follow one image down the table. Between which rows does height halve without a layer that has weights?",
        "Keep what inception4a and inception4d give in variables of their own: the network goes on with them, and the "
        "heads read them. What decides whether the heads run: `aux`, the mode, or both?",
        "conv1, pool, conv2, conv3, pool, 3a, 3b, pool, 4a to 4e, pool, 5a, 5b, x.mean(dim=(2, 3)), dropout, fc, with "
        "a relu behind each of the three convolutions and pool = nn.MaxPool2d(3, stride=2, ceil_mode=True). The tuple "
        "only if self.training and aux.",
    ],
)


def image(draw, batch, height, width):
    """Images with colours of their own, so bright that they are still seen behind 22 layers of biases."""
    return 300 * (draw.normal(batch, 3, 1, 1) + draw.normal(batch, 3, height, width))


@googlenet.case("the paper's network in training, without numbers")
def _(draw):
    return built().meta().train().call(draw.normal(1, 1).expand(2, 3, 224, 240))


@googlenet.case("without heads: training, then evaluation")
def _(draw):
    x = image(draw, 2, 34, 47)
    return built(draw.integer(3, 9), aux=False).train().call(x).eval().call(x)


@googlenet.case("with heads: training, then evaluation on small images")
def _(draw):
    # rows of the image overlap in memory, so that a large image takes little room in a key
    large = image(draw, 1, 1, 5_000)[0, 0, 0].as_strided((1, 3, 224, 256), (0, 1_000, 11, 1))
    judged = ["conv1.bias", "inception4a.branch1.0.bias", "inception4d.branch5.2.bias"]
    plan = built(draw.integer(3, 9)).train().differentiate_only(judged, large)
    return plan.eval().call(image(draw, 2, 52, 34))


@googlenet.case("evaluation without numbers, classes of its own")
def _(draw):
    return built(draw.integer(20, 900)).meta().eval().call(draw.normal(1, 1).expand(1, 3, 97, 161))


BLOCKS = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}


class GoogLeNet(nn.Module):
    """A right GoogLeNet, to be spoiled in one place."""

    p = 0.4
    heads_at = ("4a", "4d")
    pools_behind = ("3b", "4e")
    pooling: dict[str, object] = {"ceil_mode": True}  # noqa: RUF012 - never changed

    def __init__(self, classes=1000, aux=True):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3)
        self.conv2, self.conv3 = nn.Conv2d(64, 64, 1), nn.Conv2d(64, 192, 3, padding=1)
        for name, channels in BLOCKS.items():
            setattr(self, f"inception{name}", InceptionBlock(*channels))
        if aux:
            self.aux1, self.aux2 = AuxiliaryHead(512, classes), AuxiliaryHead(528, classes)
        self.fc, self.aux = nn.Linear(1024, classes), aux

    def pool(self, x):
        return F.max_pool2d(x, 3, stride=2, **self.pooling)

    def stem(self, x):
        x = self.pool(self.conv1(x).relu())
        return self.pool(self.conv3(self.conv2(x).relu()).relu())

    def average(self, x):
        return x.mean(dim=(2, 3))

    def drop(self, x):
        return F.dropout(x, self.p, self.training)

    def with_heads(self):
        return self.training and self.aux

    def read(self, maps):
        return maps

    def results(self, logits, aux1, aux2):
        return logits, aux1, aux2

    def forward(self, images):
        x, at = self.stem(images), {}
        for name in BLOCKS:
            x = at[name] = getattr(self, f"inception{name}")(x)
            if name in self.pools_behind:
                x = self.pool(x)
        logits = self.fc(self.drop(self.average(x)))
        if not self.with_heads():
            return logits
        first, second = (self.read(at[name]) for name in self.heads_at)
        return self.results(logits, self.aux1(first), self.aux2(second))


@googlenet.misconception
class WindowsDropped(GoogLeNet):
    """Your poolings drop the last window where it hangs over the edge: 112 becomes 55, then 27, 13, 6. The paper's 56,
    28, 14, 7 need ceil_mode."""

    pooling: dict[str, object] = {}  # noqa: RUF012


@googlenet.misconception
class PaddedPools(GoogLeNet):
    """Your poolings are padded. The sizes come out as asked, but every window lies one place further to the top left
    than with ceil_mode."""

    pooling: dict[str, object] = {"padding": 1}  # noqa: RUF012


@googlenet.misconception
class FirstHeadTooLate(GoogLeNet):
    """Your first head reads inception4b. Its maps have the shape of inception4a's, so nothing complains; aux1 belongs
    on 4a."""

    heads_at = ("4b", "4d")


@googlenet.misconception
class SecondHeadTooEarly(GoogLeNet):
    """Your second head reads inception4c, which gives 512 channels. aux2 belongs on 4d, which gives 528."""

    heads_at = ("4a", "4c")

    def __init__(self, classes=1000, aux=True):
        super().__init__(classes, aux)
        if aux:
            self.aux2 = AuxiliaryHead(512, classes)


@googlenet.misconception
class HeadsOfAThousand(GoogLeNet):
    """Your heads tell 1000 classes apart, whatever `classes` says. They are compared with the same labels as the
    network itself, and have as many classes."""

    def __init__(self, classes=1000, aux=True):
        super().__init__(classes, aux)
        if aux:
            self.aux1, self.aux2 = AuxiliaryHead(512), AuxiliaryHead(528)


@googlenet.misconception
class LastPoolForgotten(GoogLeNet):
    """Yours has no pooling between inception4e and inception5a. The average at the end takes maps of any size, so
    nothing complains: go through the rows of the table that have no name."""

    pools_behind = ("3b",)


@googlenet.misconception
class HeadsInEvaluation(GoogLeNet):
    """In evaluation yours gives the heads' answers too. They help in training alone, and they run on maps of 14×14
    only."""

    def with_heads(self):
        return self.aux


@googlenet.misconception
class HeadsNeverUsed(GoogLeNet):
    """Yours has heads and never asks them: in training the logits alone come back, and the heads would not learn."""

    def with_heads(self):
        return False


@googlenet.misconception
class LogitsLast(GoogLeNet):
    """Your three results are in another order. The network's own logits come first, then those of aux1 and of aux2."""

    def results(self, logits, aux1, aux2):
        return aux1, aux2, logits


@googlenet.misconception
class NoReluInTheStem(GoogLeNet):
    """Yours has no ReLU behind conv1, conv2 and conv3. The ones that are in the blocks come later."""

    def stem(self, x):
        x = self.pool(self.conv1(x))
        return self.pool(self.conv3(self.conv2(x)))


@googlenet.misconception
class NoReluBehindConv2(GoogLeNet):
    """Yours has no ReLU between conv2 and conv3: a 1×1 convolution without one could be a part of the 3×3 behind it."""

    def stem(self, x):
        x = self.pool(self.conv1(x).relu())
        return self.pool(self.conv3(self.conv2(x)).relu())


@googlenet.misconception
class NothingDropped(GoogLeNet):
    """Yours drops nothing before `fc`. In evaluation it is right; in training 40 % of the 1024 numbers are dropped."""

    p = 0


@googlenet.misconception
class AlwaysDrops(GoogLeNet):
    """Yours drops before `fc` in evaluation too. F.dropout does not know the mode of the network it is called in; it
    has to be told."""

    def drop(self, x):
        return F.dropout(x, self.p)


@googlenet.misconception
class LargestInsteadOfAverage(GoogLeNet):
    """Yours takes the largest number of each map at the end. The average over height and width was asked for."""

    def average(self, x):
        return x.amax(dim=(2, 3))


@googlenet.misconception
class AverageOfSevenBySeven(GoogLeNet):
    """Your last average reads 7×7 places. That is what is left of 224×224 pixels; of smaller images less is left, and
    the window does not fit. The average goes over all of height and width, whatever they are."""

    def average(self, x):
        return F.avg_pool2d(x, 7).reshape(-1, 1024)


@googlenet.misconception
class HeadsCutOff(GoogLeNet):
    """The three results are right, but the heads read maps without their history: their losses train the heads alone.
    They are there to send a gradient into the layers below them."""

    def read(self, maps):
        return maps.detach()


@googlenet.misconception
class HeadsKept(GoogLeNet):
    """Yours has the heads' parameters with aux=False too. They would be saved and loaded with a network that never uses
    them."""

    def __init__(self, classes=1000, aux=True):
        super().__init__(classes)
        self.aux = aux


@googlenet.misconception
class HeadsAlways(GoogLeNet):
    """Yours builds its heads and asks them whatever `aux` says. With aux=False the network has no such parameters, and
    gives its logits alone in training too."""

    def __init__(self, classes=1000, aux=True):
        super().__init__(classes)


@googlenet.variant
class InStages(nn.Module):
    def __init__(self, classes=1000, aux=True):
        super().__init__()
        self.fc = nn.Linear(1024, classes)
        self.aux = aux
        if aux:
            self.aux2, self.aux1 = AuxiliaryHead(528, classes), AuxiliaryHead(512, classes)
        for name in sorted(BLOCKS, reverse=True):
            self.add_module(f"inception{name}", InceptionBlock(*BLOCKS[name]))
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3)
        self.conv2 = nn.Conv2d(64, 64, kernel_size=1)
        self.conv3 = nn.Conv2d(64, 192, kernel_size=3, padding="same")
        self.pool, self.relu = nn.MaxPool2d(3, 2, ceil_mode=True), nn.ReLU(inplace=True)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.4))

    def forward(self, x):
        def through(x, names):
            for name in names.split():
                x = self.get_submodule(name)(x)
            return x

        x = through(x, "conv1 relu pool conv2 relu conv3 relu pool inception3a inception3b pool")
        first = through(x, "inception4a")
        second = through(first, "inception4b inception4c inception4d")
        logits = through(second, "inception4e pool inception5a inception5b head fc")
        return (logits, self.aux1(first), self.aux2(second)) if self.training and self.aux else logits


@googlenet.variant
class HeadsFirst(GoogLeNet):
    def forward(self, images):
        x = self.inception3b(self.inception3a(self.stem(images)))
        x = self.inception4a(F.max_pool2d(x, 3, 2, ceil_mode=True))
        aux1 = self.aux1(x) if self.with_heads() else None
        x = self.inception4d(self.inception4c(self.inception4b(x)))
        aux2 = self.aux2(x) if self.with_heads() else None
        x = self.inception5b(self.inception5a(self.pool(self.inception4e(x))))
        logits = self.fc(self.drop(x.flatten(2).mean(dim=2)))
        return logits if aux1 is None else (logits, aux1, aux2)


@googlenet.variant
class PaddedByHand(GoogLeNet):
    def pool(self, x):
        _, _, height, width = x.shape
        spare = [-(length - 3) % 2 if length > 3 else 3 - length for length in (width, height)]
        return F.max_pool2d(F.pad(x, (0, spare[0], 0, spare[1]), value=-torch.inf), 3, 2)

    def average(self, x):
        return F.avg_pool2d(x, tuple(x.shape[2:])).flatten(1)
