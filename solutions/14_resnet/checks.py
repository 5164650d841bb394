"""What decides whether the exercises of 14_resnet are right."""

import torch
import torch.nn.functional as F
from torch import nn

from autograder.authoring import Exercise, Own, built, recipe

# ---- shapes_through_resnet -------------------------------------------------------------------------------------------

shapes_through_resnet = Exercise(
    "shapes_through_resnet",
    points=1,
    hints=[
        "Which of the parts have a stride of 2, and what does each of those make of 7 rows? Of 8?",
        "A padding of half the kernel makes up for the kernel: the positions left are those at 0, 2, 4, ... How many "
        "are there in n? And whose channels does `expansion` multiply: those of the blocks, or of all parts?",
        "Each of conv1, maxpool, layer2, layer3 and layer4 makes (n + 1) // 2 of n. The channels are 64, 64, and then "
        "64, 128, 256 and 512 times the expansion; pooled has those of layer4.",
    ],
)


@shapes_through_resnet.case("a square of 224")
def _(draw):
    return {"height": 224, "width": 224, "expansion": 1}


@shapes_through_resnet.case("bottlenecks, a wide image")
def _(draw):
    return {"height": 96, "width": 320, "expansion": 4}


@shapes_through_resnet.case("odd sizes")
def _(draw):
    return {"height": 8 * draw.integer(20, 60) + 1, "width": 16 * draw.integer(70, 90) + 7, "expansion": 1}


@shapes_through_resnet.case("odd sizes, bottlenecks")
def _(draw):
    return {"height": 2 * draw.integer(400, 700) + 1, "width": 32 * draw.integer(5, 11) + 1, "expansion": 4}


@shapes_through_resnet.case("a single pixel")
def _(draw):
    return {"height": 1, "width": 1, "expansion": 4}


@shapes_through_resnet.case("a row of pixels")
def _(draw):
    return {"height": 1, "width": draw.integer(100, 900), "expansion": 1}


def shapes_by(height, width, expansion, halved=lambda n, name: (n + 1) // 2, still=("layer1",), wide=64, stem=64):
    """The right answer, to be spoiled in one place: `still` are the parts that keep height and width, `wide` and `stem`
    the channels of layer1 without the expansion and of what comes before it."""
    parts = ["conv1", "maxpool", "layer1", "layer2", "layer3", "layer4"]
    shapes = {}
    for place, name in enumerate(parts):
        if name not in still:
            height, width = halved(height, name), halved(width, name)
        channel = stem if place < 2 else wide * expansion * 2 ** (place - 2)
        shapes[name] = (channel, height, width)
    shapes["pooled"] = (channel,)
    return shapes


@shapes_through_resnet.misconception
def rounded_down(height, width, expansion):
    """Yours rounds halves down: an odd size loses its last position. With a padding of half the kernel, every second
    position is left, beginning with the first: count them in 5."""
    return shapes_by(height, width, expansion, halved=lambda n, name: n // 2)


@shapes_through_resnet.misconception
def padding_forgotten(height, width, expansion):
    """Yours leaves the paddings out: the kernels then lose a border of the image at each step."""

    def halved(n, name):
        return (n - {"conv1": 7}.get(name, 3)) // 2 + 1

    return shapes_by(height, width, expansion, halved=halved)


@shapes_through_resnet.misconception
def first_stage_halved_too(height, width, expansion):
    """Yours halves in layer1 too. The max pooling has halved in front of it; which stages does the text name?"""
    return shapes_by(height, width, expansion, still=())


@shapes_through_resnet.misconception
def pooling_keeps_the_size(height, width, expansion):
    """Your max pooling keeps height and width. It has a stride of 2."""
    return shapes_by(height, width, expansion, still=("maxpool", "layer1"))


@shapes_through_resnet.misconception
def expansion_forgotten(height, width, expansion):
    """Your stages give 64 to 512 channels, whatever the expansion. 64 to 512 is what is inside; what goes out of a
    block is `expansion` times as many."""
    return shapes_by(height, width, 1)


@shapes_through_resnet.misconception
def pooled_without_the_expansion(height, width, expansion):
    """Your "pooled" has 512 channels, whatever the expansion. The mean keeps every channel that it is given: how many
    does your layer4 give?"""
    return {**shapes_by(height, width, expansion), "pooled": (512,)}


@shapes_through_resnet.misconception
def expansion_everywhere(height, width, expansion):
    """Yours multiplies conv1 and maxpool by the expansion too. Only blocks have one."""
    return shapes_by(height, width, expansion, stem=64 * expansion)


@shapes_through_resnet.misconception
def channels_last(height, width, expansion):
    """Your channels come last. Images are channels first in this course: (channel, height, width)."""
    return {name: (*shape[1:], shape[0]) for name, shape in shapes_by(height, width, expansion).items()}


@shapes_through_resnet.misconception
def width_before_height(height, width, expansion):
    """Yours has width before height. Rows come first: (channel, height, width)."""
    return shapes_by(width, height, expansion)


@shapes_through_resnet.misconception
def pooled_keeps_its_axes(height, width, expansion):
    """Your "pooled" still has axes for height and width. A mean over two axes takes them away, unless keepdim says
    otherwise."""
    shapes = shapes_by(height, width, expansion)
    return {**shapes, "pooled": (*shapes["pooled"], 1, 1)}


@shapes_through_resnet.variant
def asked_of_the_layers(height, width, expansion):
    shapes, channel = {}, 64
    with torch.device("meta"):
        x = torch.empty(1, 3, height, width)
        parts = {"conv1": nn.Conv2d(3, 64, 7, 2, 3), "maxpool": nn.MaxPool2d(3, 2, 1)}
        for number, inside in enumerate((64, 128, 256, 512), 1):
            given, channel = channel, inside * expansion
            parts[f"layer{number}"] = nn.Conv2d(given, channel, 3, stride=1 if number == 1 else 2, padding=1)
        for name, part in parts.items():
            x = part(x)
            shapes[name] = x.shape[1:]
    return {**shapes, "pooled": x.mean(dim=(2, 3)).shape[1:]}


@shapes_through_resnet.variant
def written_out(height, width, expansion):
    def half(n):
        return -(-n // 2)

    h, w = half(height), half(width)
    answer = {"conv1": (64, h, w)}
    h, w = half(h), half(w)
    answer["maxpool"] = (64, h, w)
    answer["layer1"] = (64 * expansion, h, w)
    answer["layer2"] = (128 * expansion, half(h), half(w))
    answer["layer3"] = (256 * expansion, half(half(h)), half(half(w)))
    answer["layer4"] = (512 * expansion, half(half(half(h))), half(half(half(w))))
    answer["pooled"] = (512 * expansion,)
    return answer


@shapes_through_resnet.variant
def by_the_formula(height, width, expansion):
    kernels = {"conv1": (7, 2, 3), "maxpool": (3, 2, 1), "layer1": (3, 1, 1)}
    answer, size = {"pooled": (2**9 * expansion,)}, [height, width]
    for i, name in enumerate(["conv1", "maxpool", "layer1", "layer2", "layer3", "layer4"]):
        kernel, stride, padding = kernels.get(name, (3, 2, 1))
        size = [(n + 2 * padding - kernel) // stride + 1 for n in size]
        answer[name] = (64 if i < 2 else 2 ** (i + 4) * expansion, *size)
    return answer


# ---- block_parameters ------------------------------------------------------------------------------------------------

block_parameters = Exercise(
    "block_parameters",
    points=1,
    hints=[
        "What does a k×k convolution from a to b channels hold? And the BatchNorm behind it, which sees b channels?",
        "How many channels does the block give? Compare that with c_in, and the stride with 1: either difference alone "
        "is enough to need a projection.",
        "List the convolutions as (before, after, kernel), the projection among them where it is there. Each holds "
        "before · after · kernel² numbers, and its BatchNorm 2 · after.",
    ],
)


@block_parameters.case("a basic block that keeps the shape")
def _(draw):
    return {"c_in": 64, "c": 64, "stride": 1, "expansion": 1}


@block_parameters.case("a bottleneck that keeps the shape")
def _(draw):
    c = draw.integer(20, 300)
    return {"c_in": 4 * c, "c": c, "stride": 1, "expansion": 4}


@block_parameters.case("a basic block with a stride, and more channels")
def _(draw):
    return {"c_in": draw.integer(10, 90), "c": draw.integer(100, 300), "stride": 2, "expansion": 1}


@block_parameters.case("a basic block with a stride, and as many channels")
def _(draw):
    c = draw.integer(30, 300)
    return {"c_in": c, "c": c, "stride": 2, "expansion": 1}


@block_parameters.case("a basic block without a stride, and fewer channels")
def _(draw):
    return {"c_in": draw.integer(100, 300), "c": draw.integer(10, 90), "stride": 1, "expansion": 1}


@block_parameters.case("the first bottleneck of all")
def _(draw):
    return {"c_in": 64, "c": 64, "stride": 1, "expansion": 4}


@block_parameters.case("a bottleneck with a stride")
def _(draw):
    c = draw.integer(40, 200)
    return {"c_in": 2 * c, "c": c, "stride": 2, "expansion": 4}


@block_parameters.case("a bottleneck with a stride, and as many channels")
def _(draw):
    c = draw.integer(20, 200)
    return {"c_in": 4 * c, "c": c, "stride": 3, "expansion": 4}


@block_parameters.case("one channel")
def _(draw):
    return {"c_in": 1, "c": 1, "stride": 1, "expansion": 1}


def counted(
    c_in,
    c,
    stride,
    expansion,
    norm=lambda after: 2 * after,
    projects=lambda stride, c_in, c_out: stride != 1 or c_in != c_out,
    projection=lambda c_in, c_out: c_in * c_out + 2 * c_out,
    kernels=(1, 3, 1),
):
    """The right answer, to be spoiled in one place."""
    if expansion == 1:
        convolutions = [(c_in, c, 3), (c, c, 3)]
    else:
        convolutions = list(zip((c_in, c, c), (c, c, expansion * c), kernels, strict=True))
    total = sum(before * after * kernel**2 + norm(after) for before, after, kernel in convolutions)
    return total + (projection(c_in, c * expansion) if projects(stride, c_in, c * expansion) else 0)


@block_parameters.misconception
def norms_forgotten(c_in, c, stride, expansion):
    """Yours counts the convolutions alone. A BatchNorm has a weight and a bias for each of its channels."""
    return counted(c_in, c, stride, expansion, norm=lambda after: 0, projection=lambda a, b: a * b)


@block_parameters.misconception
def buffers_counted(c_in, c, stride, expansion):
    """Yours counts four numbers for each channel of a BatchNorm. Two of them, the running mean and variance, are
    buffers: they are kept, not trained."""
    return counted(c_in, c, stride, expansion, norm=lambda after: 4 * after, projection=lambda a, b: a * b + 4 * b)


@block_parameters.misconception
def one_number_for_each_norm(c_in, c, stride, expansion):
    """Yours counts one number for each channel of a BatchNorm. It has a weight and a bias."""
    return counted(c_in, c, stride, expansion, norm=lambda after: after, projection=lambda a, b: a * b + b)


@block_parameters.misconception
def biases_counted(c_in, c, stride, expansion):
    """Yours gives each convolution a bias. The BatchNorm behind it subtracts the mean, and a bias with it; it has a
    bias of its own."""
    return counted(c_in, c, stride, expansion, norm=lambda after: 3 * after, projection=lambda a, b: a * b + 3 * b)


@block_parameters.misconception
def never_projected(c_in, c, stride, expansion):
    """Yours has no projection anywhere. Two tensors of different shapes cannot be added."""
    return counted(c_in, c, stride, expansion, projects=lambda stride, c_in, c_out: False)


@block_parameters.misconception
def always_projected(c_in, c, stride, expansion):
    """Yours has a projection in every block. Where the shape stays, x is added as it came, which costs nothing."""
    return counted(c_in, c, stride, expansion, projects=lambda stride, c_in, c_out: True)


@block_parameters.misconception
def projected_at_a_stride_alone(c_in, c, stride, expansion):
    """Yours has a projection only where there is a stride. The channels may change without one: look at the first
    bottleneck of all, from 64 to 256."""
    return counted(c_in, c, stride, expansion, projects=lambda stride, c_in, c_out: stride != 1)


@block_parameters.misconception
def projected_at_new_channels_alone(c_in, c, stride, expansion):
    """Yours has a projection only where the channels change. A stride changes height and width, and then x does not
    fit either."""
    return counted(c_in, c, stride, expansion, projects=lambda stride, c_in, c_out: c_in != c_out)


@block_parameters.misconception
def projected_if_both_change(c_in, c, stride, expansion):
    """Yours has a projection only where there is a stride and the channels change too. One of the two is enough."""
    return counted(c_in, c, stride, expansion, projects=lambda stride, c_in, c_out: stride != 1 and c_in != c_out)


@block_parameters.misconception
def compared_with_the_inside(c_in, c, stride, expansion):
    """Yours compares c_in with `c`. That is what a bottleneck has inside; what x is added to has 4·c channels."""
    return counted(c_in, c, stride, expansion, projects=lambda stride, c_in, c_out: stride != 1 or c_in != c)


@block_parameters.misconception
def projection_without_its_norm(c_in, c, stride, expansion):
    """Your projection is the convolution alone. There is a BatchNorm behind it as behind every other."""
    return counted(c_in, c, stride, expansion, projection=lambda a, b: a * b)


@block_parameters.misconception
def projection_of_three_by_three(c_in, c, stride, expansion):
    """Your projection is a 3×3 convolution. It has to bring x into shape, not to look around: 1×1 is enough."""
    return counted(c_in, c, stride, expansion, projection=lambda a, b: 9 * a * b + 2 * b)


@block_parameters.misconception
def three_by_three_throughout(c_in, c, stride, expansion):
    """All convolutions of your bottleneck are 3×3. Its first and its last are 1×1: they change the channels and see
    one pixel."""
    return counted(c_in, c, stride, expansion, kernels=(3, 3, 3))


@block_parameters.variant
def asked_of_real_layers(c_in, c, stride, expansion):
    def layer(before, after, kernel):
        return [nn.Conv2d(before, after, kernel, bias=False, device="meta"), nn.BatchNorm2d(after, device="meta")]

    out = c * expansion
    layers = layer(c_in, c, 3) + layer(c, c, 3)
    if expansion != 1:
        layers = layer(c_in, c, 1) + layer(c, c, 3) + layer(c, out, 1)
    if (stride, c_in) != (1, out):
        layers += layer(c_in, out, 1)
    return sum(p.numel() for p in nn.Sequential(*layers).parameters())


@block_parameters.variant
def by_polynomials(c_in, c, stride, expansion):
    out = c * expansion
    total = 9 * c * (c_in + c) + 4 * c if expansion == 1 else c * (c_in + 9 * c + 4 * c + 12)
    return total if stride == 1 and out == c_in else total + out * (c_in + 2)


@block_parameters.variant
def layer_by_layer(c_in, c, stride, expansion):
    total = 0

    def add(channels, kernel):
        nonlocal total, c_now
        total += c_now * channels * kernel * kernel
        total += channels + channels
        c_now = channels

    for path in (
        {
            1: [(c, 3), (c, 3)],
            4: [(c, 1), (c, 3), (4 * c, 1)],
        }[expansion],
        [(c * expansion, 1)] * (stride > 1 or c_in != expansion * c),
    ):
        c_now = c_in
        for channels, kernel in path:
            add(channels, kernel)
    return total


# ---- gradient_norms --------------------------------------------------------------------------------------------------

gradient_norms = Exercise(
    "gradient_norms",
    points=2,
    hints=[
        "Keep every x_i in a list while you go forward. What has to be true of x, so that autograd follows it from the "
        "very first block on?",
        "torch.autograd.grad(loss, [...]) gives a gradient for each tensor of a list. Which of your x_i belong into "
        "it, and what makes one number of a gradient with several axes?",
        "x.requires_grad_(); append block(x_i), plus x_i where `shortcut` is True; loss = last.square().sum() / 2; "
        "then the norm() of each gradient with respect to all but the last, in one tensor.",
    ],
)

DENSE = recipe("Sequential", recipe("Linear", 6, 6), recipe("Tanh"))
CONVOLVED = recipe("Sequential", recipe("Conv2d", 3, 3, (3, 5), 1, (1, 2)), recipe("Sigmoid"))


@gradient_norms.case("three blocks, no shortcut")
def _(draw):
    return {"blocks": recipe("Sequential", DENSE, DENSE, DENSE), "x": draw.normal(4, 6), "shortcut": False}


@gradient_norms.case("three blocks with shortcuts")
def _(draw):
    return {"blocks": recipe("Sequential", DENSE, DENSE, DENSE), "x": draw.normal(4, 6), "shortcut": True}


@gradient_norms.case("a single block")
def _(draw):
    return {"blocks": recipe("Sequential", recipe("Linear", 3, 3)), "x": draw.normal(1, 3), "shortcut": True}


@gradient_norms.case("blocks of different kinds, no shortcut")
def _(draw):
    blocks = recipe("Sequential", recipe("Linear", 5, 5), recipe("Tanh"), recipe("Linear", 5, 5), recipe("Sigmoid"))
    return {"blocks": blocks, "x": draw.normal(7, 5), "shortcut": False}


@gradient_norms.case("convolutions, images that are no squares")
def _(draw):
    return {"blocks": recipe("Sequential", *[CONVOLVED] * 4), "x": draw.normal(2, 3, 5, 7), "shortcut": True}


@gradient_norms.case("twenty blocks, no shortcut")
def _(draw):
    return {"blocks": recipe("Sequential", *[DENSE] * 20), "x": draw.normal(3, 6), "shortcut": False}


@gradient_norms.case("twenty blocks with shortcuts")
def _(draw):
    return {"blocks": recipe("Sequential", *[DENSE] * 20), "x": draw.normal(3, 6, std=0.1), "shortcut": True}


@gradient_norms.case("the same block twice, an input that is a view")
def _(draw):
    return {"blocks": recipe("Sequential", *[recipe("Tied", 4)] * 2), "x": draw.normal(4, 5).T, "shortcut": True}


@gradient_norms.case("in training, a block with dropout")
def _(draw):
    # a dropout of everything is random in no way: in training this block makes nothing of x, in evaluation it does
    blocks = recipe("Sequential", DENSE, recipe("Sequential", DENSE, recipe("Dropout", 1.0)), DENSE)
    return {"blocks": blocks, "x": draw.normal(3, 6), "shortcut": True}


def measured(
    blocks,
    x,
    shortcut,
    given=lambda states, shortcut: states[-1],
    joined=lambda before, made, first: before + made,
    loss=lambda last: last.square().sum() / 2,
    size=lambda gradient: gradient.square().sum().sqrt(),
    picked=lambda states: states[:-1],
):
    """A right gradient_norms, to be spoiled in one place."""
    first = x.clone().requires_grad_()
    states = [first]
    for block in blocks:
        made = block(given(states, shortcut))
        states.append(joined(states[-1], made, first) if shortcut else made)
    gradients = torch.autograd.grad(loss(states[-1]), picked(states), allow_unused=True)
    return torch.stack([size(gradient) for gradient in gradients])


@gradient_norms.misconception
def each_block_from_the_first_x(blocks, x, shortcut):
    """Yours is right without the shortcut. With it, each of your blocks computes from the first x: what a block gets is
    the sum that the one before it has left."""
    return measured(blocks, x, shortcut, given=lambda states, shortcut: states[0 if shortcut else -1])


@gradient_norms.misconception
def behind_each_block(blocks, x, shortcut):
    """Yours is the gradient behind each block, x_1 to x_depth. In front of each block it is x_0 to x_{depth−1}: the
    first entry belongs to x itself, and the last x has none."""
    return measured(blocks, x, shortcut, picked=lambda states: states[1:])


@gradient_norms.misconception
def last_one_first(blocks, x, shortcut):
    """Your entries are in the order in which a gradient flows, the last block first. The first entry belongs to the
    first block."""
    return measured(blocks, x, shortcut).flip(0)


@gradient_norms.misconception
def one_too_many(blocks, x, shortcut):
    """Yours has an entry for x_depth too. The result has one entry for each block."""
    return measured(blocks, x, shortcut, picked=lambda states: states)


@gradient_norms.misconception
def squares_without_the_root(blocks, x, shortcut):
    """Yours is the sum of the squares of each gradient. Its norm is the root of that."""
    return measured(blocks, x, shortcut, size=lambda gradient: gradient.square().sum())


@gradient_norms.misconception
def mean_size(blocks, x, shortcut):
    """Yours is the mean of the absolute values of each gradient. Its norm is the root of the sum of the squares."""
    return measured(blocks, x, shortcut, size=lambda gradient: gradient.abs().mean())


@gradient_norms.misconception
def largest_entry(blocks, x, shortcut):
    """Yours is the largest absolute value in each gradient. Its norm is the root of the sum of the squares of all."""
    return measured(blocks, x, shortcut, size=lambda gradient: gradient.abs().max())


@gradient_norms.misconception
def loss_without_the_half(blocks, x, shortcut):
    """All your norms are twice too large: the loss is *half* the sum of the squares, so that its gradient with respect
    to the last x is that x itself."""
    return measured(blocks, x, shortcut, loss=lambda last: last.square().sum())


@gradient_norms.misconception
def loss_is_the_sum(blocks, x, shortcut):
    """Your loss is the sum of the last x. It is half the sum of its squares."""
    return measured(blocks, x, shortcut, loss=lambda last: last.sum())


@gradient_norms.misconception
def loss_is_a_mean(blocks, x, shortcut):
    """Your loss is a mean over all numbers. A sum was asked for: with a mean, each norm is divided by how many numbers
    there are."""
    return measured(blocks, x, shortcut, loss=lambda last: last.square().mean() / 2)


@gradient_norms.misconception
def no_shortcut_at_all(blocks, x, shortcut):
    """Yours is right without the shortcut, and does the same with it. There x_{i+1} is x_i *plus* what the block
    makes of it."""
    return measured(blocks, x, False)


@gradient_norms.misconception
def shortcut_always(blocks, x, shortcut):
    """Yours is right with the shortcut, and does the same without it. There x_{i+1} is what the block makes, and
    nothing is added."""
    return measured(blocks, x, True)


@gradient_norms.misconception
def shortcut_from_the_input(blocks, x, shortcut):
    """Your shortcut adds the very first x to what each block makes. Each block has a shortcut of its own: x_i is what
    that block was given."""
    return measured(blocks, x, shortcut, joined=lambda before, made, first: first + made)


@gradient_norms.misconception
def shortcut_without_a_gradient(blocks, x, shortcut):
    """Your sums are right, but no gradient flows back through the shortcut: detach() or .data cuts it. What flows
    there is the very thing to be measured."""
    return measured(blocks, x, shortcut, joined=lambda before, made, first: before.detach() + made)


@gradient_norms.misconception
def put_in_evaluation(blocks, x, shortcut):
    """Yours puts the blocks in evaluation and leaves them there. They run in the mode in which they came: dropout and
    batch norm compute something else in the other one."""
    blocks.eval()
    return measured(blocks, x, shortcut)


@gradient_norms.misconception
def in_evaluation_for_a_while(blocks, x, shortcut):
    """Yours runs the blocks in evaluation and puts them back afterwards. They run in the mode in which they came:
    dropout and batch norm compute something else in the other one."""
    mode = blocks.training
    blocks.eval()
    norms = measured(blocks, x, shortcut)
    blocks.train(mode)
    return norms


@gradient_norms.misconception
def gradients_of_the_weights(blocks, x, shortcut):
    """Yours measures the gradients of the blocks' parameters. Asked for are those of what each block is *given*."""
    first = x.clone()
    last = first
    for block in blocks:
        last = last + block(last) if shortcut else block(last)
    (last.square().sum() / 2).backward()
    parts = [[p.grad.square().sum() for p in block.parameters()] for block in blocks]
    return torch.stack([torch.stack(part).sum().sqrt() if part else torch.zeros(()) for part in parts])


@gradient_norms.variant
def by_backward(blocks, x, shortcut):
    given, current = [], x.detach().clone().requires_grad_(True)
    for block in blocks:
        current.retain_grad()
        given.append(current)
        current = block(current) + (current if shortcut else 0)
    (0.5 * (current**2).sum()).backward()
    return torch.tensor([tensor.grad.norm() for tensor in given])


@gradient_norms.variant
def block_by_block(blocks, x, shortcut):
    inputs = [x]
    with torch.no_grad():
        for block in blocks:
            inputs.append(inputs[-1] + block(inputs[-1]) if shortcut else block(inputs[-1]))
    gradient = inputs.pop()
    norms = []
    for block, given in zip(reversed(list(blocks)), reversed(inputs), strict=True):
        given = given.detach().requires_grad_()
        (through,) = torch.autograd.grad(block(given), given, gradient)
        gradient = through + gradient if shortcut else through
        norms.insert(0, torch.linalg.vector_norm(gradient))
    return torch.stack(norms)


@gradient_norms.variant
def by_hooks(blocks, x, shortcut):
    norms = torch.zeros(len(blocks))

    def keep(i):
        def hook(gradient):
            norms[i] = gradient.flatten().norm()

        return hook

    state = x * torch.ones((), requires_grad=True)
    for i in range(len(blocks)):
        state.register_hook(keep(i))
        state = blocks[i](state) + shortcut * state
    state.pow(2).sum().div(2).backward()
    return norms


# ---- BasicBlock ------------------------------------------------------------------------------------------------------

basic_block = Exercise(
    "BasicBlock",
    points=2,
    hints=[
        "Which of the block's parts change height and width, and which change the channels? When can x be added as it "
        "came?",
        "Follow the branch: convolution, norm, ReLU, convolution, norm. Then the sum, and only then the last ReLU. The "
        "projection has the same stride as conv1.",
        "In __init__: if stride != 1 or c_in != c_out, downsample is nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, "
        "bias=False), nn.BatchNorm2d(c_out)), otherwise nn.Identity(). In forward: "
        "relu(bn2(conv2(relu(bn1(conv1(x))))) + downsample(x)).",
    ],
)


@basic_block.case("a shape that stays")
def _(draw):
    return built(3, 3).differentiate(draw.normal(2, 3, 5, 7))


@basic_block.case("more channels")
def _(draw):
    return built(2, 4).differentiate(draw.normal(3, 2, 4, 5))


@basic_block.case("a stride of 2, odd sizes, fewer channels")
def _(draw):
    return built(3, 2, stride=2).differentiate(draw.normal(4, 3, 5, 7))


@basic_block.case("a stride of 2, as many channels, in training and in evaluation")
def _(draw):
    x, y = draw.normal(2, 2, 8, 5, mean=1.0), draw.normal(1, 2, 3, 6)
    return built(2, 2, 2).call(x).eval().call(y)


@basic_block.case("evaluation, right at first, large numbers and a stride of 3")
def _(draw):
    return built(2, 3, 3).eval().call(draw.normal(2, 2, 8, 10, std=9.0))


@basic_block.case("an image of one pixel, in evaluation")
def _(draw):
    return built(1, 1).eval().differentiate(draw.normal(1, 1, 1, 1))


@basic_block.case("double precision, an input that is a view")
def _(draw):
    x = draw.normal(2, 4, 6, 3, dtype=torch.float64).transpose(1, 3)
    return built(3, 2).to(torch.float64).call(x)


@basic_block.case("as large as in ResNet-18")
def _(draw):
    return built(256, 512, 2).meta()


@basic_block.case("what the block says of itself")
def _(draw):
    return built(2, 2).ask("expansion")


class Basic(nn.Module):
    """A right BasicBlock, to be spoiled in one place."""

    expansion = 1

    def __init__(self, c_in, c_out, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.downsample = self.shortcut(c_in, c_out, stride)

    def shortcut(self, c_in, c_out, stride):
        return projection(c_in, c_out, stride) if stride != 1 or c_in != c_out else nn.Identity()

    def branch(self, x):
        return self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))

    def forward(self, x):
        return (self.branch(x) + self.downsample(x)).relu()


def projection(c_in, c_out, stride, kernel=1):
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(c_out),
    )


@basic_block.misconception
class NoShortcut(Basic):
    """Yours gives the branch alone. What is the projection for, and what happens to x where there is none?"""

    def forward(self, x):
        return self.branch(x).relu()


@basic_block.misconception
class ReluBeforeTheSum(Basic):
    """Yours puts the ReLU on the branch and then adds: the branch can only raise x, never lower it. The last ReLU comes
    after the sum."""

    def forward(self, x):
        return self.branch(x).relu() + self.downsample(x)


@basic_block.misconception
class ReluOnTheBranchToo(Basic):
    """Yours has a ReLU behind bn2 as well as after the sum. What the branch adds may be negative, up to the sum."""

    def forward(self, x):
        return (self.branch(x).relu() + self.downsample(x)).relu()


@basic_block.misconception
class NoReluAtTheEnd(Basic):
    """Yours ends with the sum. There is a ReLU after it."""

    def forward(self, x):
        return self.branch(x) + self.downsample(x)


@basic_block.misconception
class NoReluInside(Basic):
    """Your branch has no ReLU between its convolutions: two of them in a row, with a norm between, are one linear map
    in evaluation."""

    def branch(self, x):
        return self.bn2(self.conv2(self.bn1(self.conv1(x))))


@basic_block.misconception
class ReluInFrontOfTheConvolutions(Basic):
    """Your ReLUs stand in front of the convolutions, and none after the sum, as in the second ResNet, of 2016. Here
    the order is convolution, norm, ReLU, and the last ReLU follows the sum."""

    def forward(self, x):
        return self.bn2(self.conv2(self.bn1(self.conv1(x.relu())).relu())) + self.downsample(x)


@basic_block.misconception
class NormInFrontOfTheConvolutions(Basic):
    """Your norms and ReLUs stand in front of the convolutions, as in the second ResNet, of 2016. Here the order is
    convolution, norm, ReLU, and bn1 has the channels that conv1 gives."""

    def __init__(self, c_in, c_out, stride=1):
        super().__init__(c_in, c_out, stride)
        self.bn1 = nn.BatchNorm2d(c_in)

    def forward(self, x):
        return self.conv2(self.bn2(self.conv1(self.bn1(x).relu())).relu()) + self.downsample(x)


@basic_block.misconception
class ReluWrittenIntoTheInput(Basic):
    """Yours writes a ReLU into x, which belongs to the caller: `relu_` and inplace=True do that. The branch and the
    shortcut then see x without what was below zero."""

    def forward(self, x):
        with torch.no_grad():
            x.relu_()
        return super().forward(x)


@basic_block.misconception
class ReluBeforeTheNorm(Basic):
    """Yours has the ReLU between conv1 and bn1. The order is convolution, norm, ReLU."""

    def branch(self, x):
        return self.bn2(self.conv2(self.bn1(self.conv1(x).relu())))


@basic_block.misconception
class ReluOnTheProjection(Basic):
    """Yours has a ReLU behind the projection too. The shortcut has none: it should hand x on with as little change as
    the shape allows."""

    def forward(self, x):
        shortcut = self.downsample(x)
        return (self.branch(x) + (shortcut if shortcut is x else shortcut.relu())).relu()


@basic_block.misconception
class StrideOnTheSecond(Basic):
    """Your stride is on conv2. The shapes are the same, the numbers are not: conv1 has it."""

    def __init__(self, c_in, c_out, stride=1):
        super().__init__(c_in, c_out, stride)
        self.conv1 = nn.Conv2d(c_in, c_out, 3, 1, 1, bias=False)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, stride, 1, bias=False)


@basic_block.misconception
class ProjectedAtAStrideAlone(Basic):
    """Yours has no projection where the channels change without a stride. There x does not fit the sum either."""

    def shortcut(self, c_in, c_out, stride):
        return projection(c_in, c_out, stride) if stride != 1 else nn.Identity()


@basic_block.misconception
class ProjectedAtNewChannelsAlone(Basic):
    """Yours has no projection where a stride changes height and width and the channels stay. There x does not fit the
    sum either."""

    def shortcut(self, c_in, c_out, stride):
        return projection(c_in, c_out, stride) if c_in != c_out else nn.Identity()


@basic_block.misconception
class ProjectedAlways(Basic):
    """Yours has a projection in every block. Where the shape stays, x itself is added: it costs nothing, and the
    gradient passes it unchanged."""

    def shortcut(self, c_in, c_out, stride):
        return projection(c_in, c_out, stride)


@basic_block.misconception
class ProjectionWithoutNorm(Basic):
    """Your projection is the convolution alone. A BatchNorm belongs behind it, `downsample.1`, so that both sides of
    the sum have the same scale."""

    def shortcut(self, c_in, c_out, stride):
        return super().shortcut(c_in, c_out, stride)[:1] if stride != 1 or c_in != c_out else nn.Identity()


@basic_block.misconception
class OneNormTwice(Basic):
    """Yours uses bn1 behind both convolutions, and bn2 never runs. Each has weights and running statistics of its
    own."""

    def branch(self, x):
        return self.bn1(self.conv2(self.bn1(self.conv1(x)).relu()))


@basic_block.variant
class AsTorchvision(nn.Module):
    expansion = 1

    def __init__(self, inplanes, planes, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, kernel_size=3, padding="same", bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = None
        if not (stride == 1 and inplanes == planes):
            self.downsample = projection(inplanes, planes, stride)

    def forward(self, x):
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


@basic_block.variant
class ByPixels(Basic):
    """The projection by slicing and einsum, the norms by function."""

    def norm(self, x, norm):
        if self.training:
            norm.num_batches_tracked += 1
        return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, self.training)

    def forward(self, x):
        branch = F.relu(self.norm(F.conv2d(x, self.conv1.weight, stride=self.conv1.stride, padding=1), self.bn1))
        branch = self.norm(F.conv2d(branch, self.conv2.weight, padding=1), self.bn2)
        if len(list(self.downsample.children())) == 0:
            return F.relu(x + branch)
        step = self.conv1.stride[0]
        seen = torch.einsum("oi,bihw->bohw", self.downsample[0].weight[:, :, 0, 0], x[:, :, ::step, ::step])
        return F.relu(self.norm(seen, self.downsample[1]) + branch)


@basic_block.variant
class EmptySequential(nn.Module):
    def __init__(self, c_in, c_out, stride=1):
        super().__init__()
        layers = nn.ModuleList([nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out)])
        self.downsample = nn.Sequential(*(layers if c_in != c_out or stride > 1 else []))
        self.bn2, self.bn1 = nn.BatchNorm2d(c_out), nn.BatchNorm2d(c_out)
        self.conv2, self.conv1 = (
            nn.Conv2d(channels, c_out, 3, step, 1, bias=False) for channels, step in ((c_out, 1), (c_in, stride))
        )

    def forward(self, inputs):
        total = self.downsample(inputs)
        branch = inputs
        for part in (self.conv1, self.bn1, nn.ReLU(), self.conv2, self.bn2):
            branch = part(branch)
        return torch.clamp(torch.add(total, branch), min=0)


# ---- Bottleneck ------------------------------------------------------------------------------------------------------

bottleneck = Exercise(
    "Bottleneck",
    points=2,
    hints=[
        "How many channels are there in front of each of the three convolutions, and how many behind it? Which of the "
        "numbers does x have to fit?",
        "c_in → c_mid → c_mid → 4·c_mid, by 1×1, 3×3 and 1×1. Each has its norm; the first two have a ReLU behind it. "
        "The stride is where the window is.",
        "As in BasicBlock, with conv1 = nn.Conv2d(c_in, c_mid, 1, bias=False), conv2 = nn.Conv2d(c_mid, c_mid, 3, "
        "stride, padding=1, bias=False), conv3 = nn.Conv2d(c_mid, 4 * c_mid, 1, bias=False), and a projection where "
        "stride != 1 or c_in != 4 * c_mid.",
    ],
)


@bottleneck.case("a shape that stays")
def _(draw):
    return built(8, 2).differentiate(draw.normal(2, 8, 3, 4))


@bottleneck.case("more channels, no stride")
def _(draw):
    return built(3, 2).differentiate(draw.normal(2, 3, 4, 5))


@bottleneck.case("a stride of 2, odd sizes")
def _(draw):
    return built(3, 1, stride=2).differentiate(draw.normal(4, 3, 5, 7))


@bottleneck.case("a stride of 2, as many channels, in training and in evaluation")
def _(draw):
    x, y = draw.normal(3, 4, 5, 8, mean=1.0), draw.normal(1, 4, 6, 3)
    return built(4, 1, 2).call(x).eval().call(y)


@bottleneck.case("as many channels in as in the middle")
def _(draw):
    return built(2, 2).eval().call(draw.normal(2, 2, 3, 5))


@bottleneck.case("evaluation, right at first, large numbers and a stride of 3")
def _(draw):
    return built(2, 1, 3).eval().call(draw.normal(2, 2, 8, 10, std=9.0))


@bottleneck.case("double precision, an input that is a view")
def _(draw):
    x = draw.normal(2, 4, 6, 4, dtype=torch.float64).transpose(1, 3)
    return built(4, 1).to(torch.float64).call(x)


@bottleneck.case("as large as in ResNet-50")
def _(draw):
    return built(1024, 512, 2).meta()


@bottleneck.case("what the block says of itself")
def _(draw):
    return built(8, 2).ask("expansion")


class Narrow(nn.Module):
    """A right Bottleneck, to be spoiled in one place."""

    expansion = 4

    def __init__(self, c_in, c_mid, stride=1, strides=None, c_out=None):
        super().__init__()
        c_out = c_out or 4 * c_mid
        first, second, third = strides or (1, stride, 1)
        self.conv1, self.bn1 = nn.Conv2d(c_in, c_mid, 1, first, bias=False), nn.BatchNorm2d(c_mid)
        self.conv2, self.bn2 = nn.Conv2d(c_mid, c_mid, 3, second, 1, bias=False), nn.BatchNorm2d(c_mid)
        self.conv3, self.bn3 = nn.Conv2d(c_mid, c_out, 1, third, bias=False), nn.BatchNorm2d(c_out)
        self.downsample = self.shortcut(c_in, c_mid, c_out, stride)

    def shortcut(self, c_in, c_mid, c_out, stride):
        return projection(c_in, c_out, stride) if stride != 1 or c_in != c_out else nn.Identity()

    def branch(self, x):
        x = self.bn1(self.conv1(x)).relu()
        x = self.bn2(self.conv2(x)).relu()
        return self.bn3(self.conv3(x))

    def forward(self, x):
        return (self.branch(x) + self.downsample(x)).relu()


@bottleneck.misconception
class StrideOnTheFirst(Narrow):
    """Your stride is on the first 1×1, as in the paper. There it drops three of four pixels unseen; here the 3×3 has
    it, whose window covers them all."""

    def __init__(self, c_in, c_mid, stride=1):
        super().__init__(c_in, c_mid, stride, strides=(stride, 1, 1))


@bottleneck.misconception
class NotExpanded(Narrow):
    """Yours gives `c_mid` channels. The last 1×1 makes them many again: 4·c_mid."""

    def __init__(self, c_in, c_mid, stride=1):
        super().__init__(c_in, c_mid, stride, c_out=c_mid)


@bottleneck.misconception
class OutsideTakenForInside(Narrow):
    """Yours takes `c_mid` for what goes out, and has a quarter of it inside. The second argument is what is inside."""

    def __init__(self, c_in, c_mid, stride=1):
        super().__init__(c_in, max(c_mid // 4, 1), stride, c_out=c_mid)


@bottleneck.misconception
class WideInside(Narrow):
    """Yours is wide in the middle and narrow at its ends. That is the inverted block of lesson 15_mobilenet; here the
    3×3 works on few channels."""

    def __init__(self, c_in, c_mid, stride=1):
        super().__init__(c_in, c_mid * 4, stride, c_out=c_mid)


@bottleneck.misconception
class NarrowNoReluAtTheEnd(Narrow):
    """Yours ends with the sum. There is a ReLU after it."""

    def forward(self, x):
        return self.branch(x) + self.downsample(x)


@bottleneck.misconception
class ReluOnAllThree(Narrow):
    """Yours has a ReLU behind bn3 too. What the branch adds may be negative, up to the sum."""

    def forward(self, x):
        return (self.branch(x).relu() + self.downsample(x)).relu()


@bottleneck.misconception
class OneReluInside(Narrow):
    """Yours has no ReLU behind bn2. Both of the first two norms are followed by one."""

    def branch(self, x):
        return self.bn3(self.conv3(self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))))


@bottleneck.misconception
class ReluBehindTheFirstMissing(Narrow):
    """Yours has no ReLU behind bn1. Both of the first two norms are followed by one."""

    def branch(self, x):
        return self.bn3(self.conv3(self.bn2(self.conv2(self.bn1(self.conv1(x)))).relu()))


@bottleneck.misconception
class NarrowProjectedAtAStrideAlone(Narrow):
    """Yours has no projection where the channels change without a stride. The first bottleneck of a ResNet makes 256
    channels of 64, at stride 1."""

    def shortcut(self, c_in, c_mid, c_out, stride):
        return projection(c_in, c_out, stride) if stride != 1 else nn.Identity()


@bottleneck.misconception
class NarrowProjectedAlways(Narrow):
    """Yours has a projection in every block. Where the shape stays, x itself is added: it costs nothing, and the
    gradient passes it unchanged."""

    def shortcut(self, c_in, c_mid, c_out, stride):
        return projection(c_in, c_out, stride)


@bottleneck.misconception
class ComparedWithTheMiddle(Narrow):
    """Yours compares `c_in` with `c_mid` to see whether a projection is needed. What x is added to has 4·c_mid
    channels."""

    def shortcut(self, c_in, c_mid, c_out, stride):
        return projection(c_in, c_out, stride) if stride != 1 or c_in != c_mid else nn.Identity()


@bottleneck.variant
class InSequence(nn.Module):
    expansion = 4

    def __init__(self, c_in, c_mid, stride=1):
        super().__init__()
        widths = (c_in, c_mid, c_mid, 4 * c_mid)
        kernels, strides = (1, 3, 1), (1, stride, 1)
        for i in range(3):
            convolution = nn.Conv2d(*widths[i : i + 2], kernels[i], strides[i], kernels[i] // 2, bias=False)
            self.add_module(f"conv{i + 1}", convolution)
            self.add_module(f"bn{i + 1}", nn.BatchNorm2d(widths[i + 1]))
        self.downsample = projection(c_in, widths[-1], stride) if (stride, widths[-1]) != (1, c_in) else None

    def forward(self, x):
        shortcut = self.downsample(x) if self.downsample else x
        for i in (1, 2, 3):
            x = self.get_submodule(f"bn{i}")(self.get_submodule(f"conv{i}")(x))
            x = F.relu(x + shortcut if i == 3 else x)
        return x


@bottleneck.variant
class PaddedByHand(Narrow):
    def forward(self, x):
        branch = torch.relu_(self.bn1(torch.einsum("oi,bihw->bohw", self.conv1.weight.flatten(1), x)))
        branch = F.conv2d(F.pad(branch, (1, 1, 1, 1)), self.conv2.weight, stride=self.conv2.stride)
        branch = self.bn3(self.conv3(nn.ReLU()(self.bn2(branch))))
        return torch.maximum(branch + self.downsample(x), torch.zeros(()).to(x))


@bottleneck.variant
class OutOfOrder(nn.Module):
    def __init__(self, channels, inner, step=1):
        super().__init__()
        self.bn3, self.bn2, self.bn1 = nn.BatchNorm2d(inner * 4), nn.BatchNorm2d(inner), nn.BatchNorm2d(inner)
        if step > 1 or channels != inner * 4:
            self.downsample = projection(channels, inner * 4, step)
        self.conv3 = nn.Conv2d(inner, inner * 4, (1, 1), bias=False)
        self.conv2 = nn.Conv2d(inner, inner, (3, 3), (step, step), (1, 1), bias=False)
        self.conv1 = nn.Conv2d(channels, inner, (1, 1), bias=False)
        nn.init.kaiming_normal_(self.conv2.weight, mode="fan_out")

    def forward(self, x):
        way = nn.Sequential(self.conv1, self.bn1, nn.ReLU(), self.conv2, self.bn2, nn.ReLU(), self.conv3, self.bn3)
        shortcut = self.downsample(x) if hasattr(self, "downsample") else x
        return (shortcut + way(x)).clamp(min=0)


# ---- ResNet ----------------------------------------------------------------------------------------------------------


class BasicBlock(Basic):
    """What the cases below find by this name, for the misconceptions and the variants."""


class Bottleneck(Narrow):
    """What the cases below find by this name, for the misconceptions and the variants."""


resnet = Exercise(
    "ResNet",
    points=3,
    needs=["BasicBlock", "Bottleneck"],
    hints=[
        "Walk through the network with a pencil: how many channels does each block take, and how many does it give? "
        "Which blocks have a stride?",
        "Keep a number `c_in`, 64 at first. Each block is block(c_in, c, stride), and behind it c_in is "
        "c * block.expansion. Build a stage as a list of blocks and unpack it into a Sequential.",
        "For stage i from 0 to 3, c is 64 · 2ⁱ, and the stride is 2 for the first block of every stage but the first. "
        "fc takes the c_in that is left at the end. x.mean(dim=(2, 3)) is what it is given.",
    ],
)


@resnet.case("twelve layers, in training and in evaluation")
def _(draw):
    images, image = draw.normal(3, 3, 40, 17), draw.normal(1, 3, 9, 72, mean=1.0, std=9.0)
    judged = ["bn1.weight", "layer1.0.bn1.bias", "layer2.0.downsample.1.weight", "layer4.0.bn1.bias", "fc.bias"]
    plan = built(Own("BasicBlock"), [1, 2, 1, 1], 5)
    return plan.call(images).eval().differentiate_only(judged, image)


@resnet.case("layers and classes of its own")
def _(draw):
    layers = [draw.integer(1, 2), 1, draw.integer(2, 3), 1]
    return built(Own("BasicBlock"), layers, draw.integer(2, 300)).meta()


@resnet.case("ResNet-18")
def _(draw):
    return built(Own("BasicBlock"), [2, 2, 2, 2]).meta()


@resnet.case("ResNet-50")
def _(draw):
    return built(Own("Bottleneck"), [3, 4, 6, 3]).meta()


class Residual(nn.Module):
    """A right ResNet, to be spoiled in one place."""

    def __init__(self, block, layers, classes=1000):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        c_in = 64
        for stage, count in enumerate(layers):
            c = 64 * 2**stage
            self.add_module(f"layer{stage + 1}", self.stage(block, c_in, c, count, self.stride(stage)))
            c_in = c * block.expansion
        self.fc = nn.Linear(c_in, classes)

    def stride(self, stage):
        return 1 if stage == 0 else 2

    def stage(self, block, c_in, c, count, stride):
        rest = [block(c * block.expansion, c, 1) for _ in range(count - 1)]
        return nn.Sequential(block(c_in, c, stride), *rest)

    def stem(self, images):
        return self.maxpool(self.bn1(self.conv1(images)).relu())

    def pooled(self, x):
        return x.mean(dim=(2, 3))

    def forward(self, images):
        return self.fc(self.pooled(self.layer4(self.layer3(self.layer2(self.layer1(self.stem(images)))))))


@resnet.misconception
class StrideInEveryStage(Residual):
    """Your first stage has a stride too. The max pooling has halved in front of it, so layer1 keeps height and
    width."""

    def stride(self, stage):
        return 2


@resnet.misconception
class StrideInNoStage(Residual):
    """None of your stages has a stride: the last one works on as many pixels as the first."""

    def stride(self, stage):
        return 1


@resnet.misconception
class StrideInEveryBlock(Residual):
    """All blocks of your later stages have a stride. Only the first of each halves height and width."""

    def stage(self, block, c_in, c, count, stride):
        rest = [block(c * block.expansion, c, stride) for _ in range(count - 1)]
        return nn.Sequential(block(c_in, c, stride), *rest)


@resnet.misconception
class OneBlockManyTimes(Residual):
    """The later blocks of each of your stages are one and the same object. `[block] * n` repeats a reference; each has
    to be built anew to have weights of its own."""

    def stage(self, block, c_in, c, count, stride):
        return nn.Sequential(block(c_in, c, stride), *[block(c * block.expansion, c, 1)] * (count - 1))


@resnet.misconception
class NoPoolingInTheStem(Residual):
    """Yours has no max pooling behind the first convolution. It has no weights, so its name is nowhere to be missed."""

    def stem(self, images):
        return self.bn1(self.conv1(images)).relu()


@resnet.misconception
class PoolingWithoutPadding(Residual):
    """Your max pooling has no padding, so a border is lost. It has a kernel of 3, a stride of 2 and a padding of 1."""

    def __init__(self, block, layers, classes=1000):
        super().__init__(block, layers, classes)
        self.maxpool = nn.MaxPool2d(3, 2)


@resnet.misconception
class NoReluInTheStem(Residual):
    """Yours has no ReLU behind bn1. The order is convolution, norm, ReLU, pooling."""

    def stem(self, images):
        return self.maxpool(self.bn1(self.conv1(images)))


@resnet.misconception
class MaximumAtTheEnd(Residual):
    """Yours takes the maximum over height and width at the end. The mean was asked for."""

    def pooled(self, x):
        return x.amax(dim=(2, 3))


@resnet.misconception
class MeanOfSevenBySeven(Residual):
    """Your last mean reads 7×7 places. That is what is left of 224×224 pixels; of smaller images less is left, and the
    window does not fit. The mean goes over all of height and width, whatever they are."""

    def pooled(self, x):
        return F.avg_pool2d(x, 7).flatten(1)


@resnet.misconception
class LogSoftmaxAtTheEnd(Residual):
    """Yours gives the logarithms of probabilities. Logits were asked for: a loss such as cross_entropy has the
    log_softmax in it."""

    def forward(self, images):
        return super().forward(images).log_softmax(dim=1)


@resnet.misconception
class SoftmaxAtTheEnd(Residual):
    """Yours gives probabilities. Logits were asked for: a loss such as cross_entropy has the softmax in it."""

    def forward(self, images):
        return super().forward(images).softmax(dim=1)


@resnet.misconception
class HeadWithoutExpansion(Residual):
    """Your `fc` takes 512 numbers, whatever the block. A bottleneck gives four times as many channels."""

    def __init__(self, block, layers, classes=1000):
        super().__init__(block, layers, classes)
        self.fc = nn.Linear(512, classes)


@resnet.misconception
class BlocksWithoutExpansion(Residual):
    """Yours takes c for the channels that a block gives. A bottleneck gives c · block.expansion, and that is what the
    next block and `fc` are given."""

    def __init__(self, block, layers, classes=1000):
        super().__init__(block, layers, classes)
        c_in = 64
        for stage, count in enumerate(layers):
            blocks = []
            for place in range(count):
                blocks.append(block(c_in, 64 * 2**stage, 1 if place else self.stride(stage)))
                c_in = 64 * 2**stage
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(512, classes)


@resnet.variant
class ByKeepingCount(nn.Module):
    def __init__(self, block, layers, num_classes=1000):
        super().__init__()
        self.inplanes = 64
        self.conv1 = nn.Conv2d(3, self.inplanes, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(self.inplanes)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._make_layer(block, 64, layers[0])
        self.layer2 = self._make_layer(block, 128, layers[1], stride=2)
        self.layer3 = self._make_layer(block, 256, layers[2], stride=2)
        self.layer4 = self._make_layer(block, 512, layers[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)

    def _make_layer(self, block, planes, blocks, stride=1):
        made = [block(self.inplanes, planes, stride)]
        self.inplanes = planes * block.expansion
        for _ in range(1, blocks):
            made.append(block(self.inplanes, planes))
        return nn.Sequential(*made)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


@resnet.variant
class FromATable(nn.Module):
    def __init__(self, block, layers, classes=1000):
        super().__init__()
        widths = [64] + [block.expansion * c for c in (64, 128, 256, 512)]
        self.fc = nn.Linear(widths[-1], classes)
        for i, (before, after, count) in enumerate(zip(widths, widths[1:], layers, strict=False)):
            stage = nn.Sequential()
            for place in range(count):
                c_in = after if place else before
                stage.append(block(c_in, after // block.expansion, 1 + (i > 0 and place == 0)))
            self.register_module(f"layer{i + 1}", stage)
        self.bn1, self.conv1 = nn.BatchNorm2d(64), nn.Conv2d(3, 64, 7, 2, 3, bias=False)

    def forward(self, images):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(images))), 3, 2, 1)
        for number in range(1, 5):
            for block in getattr(self, f"layer{number}"):
                x = block(x)
        return self.fc(x.flatten(2).mean(-1))


@resnet.variant
class PoolingAfterwards(Residual):
    """ReLU and the maximum may change places; sums may be taken one axis after the other."""

    def stem(self, images):
        x = self.bn1(self.conv1(images))
        return F.max_pool2d(F.pad(x, (1, 1, 1, 1), value=-torch.inf), 3, stride=2).relu()

    def forward(self, images):
        x = self.stem(images)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        x = x.sum(dim=3).sum(dim=2) / (x.shape[2] * x.shape[3])
        return F.linear(x, self.fc.weight, self.fc.bias)
