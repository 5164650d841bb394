"""What decides whether the exercises of 10_convolution are right."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from autograder.authoring import Exercise, built

# ---- shapes_in_convolution -------------------------------------------------------------------------------------------

shapes_in_convolution = Exercise(
    "shapes_in_convolution",
    points=1,
    hints=[
        "How many numbers does a kernel meet in one window, over all channels? And in how many rows can a kernel of 3 "
        "rows stand on an image of 5 rows?",
        "A matrix product takes away the axis that its two factors share, and keeps the others. Which one do `matrix` "
        "and `columns` share?",
        "The kernel stands in height - kh + 1 rows and width - kw + 1 columns, and a window holds c_in * kh * kw "
        "numbers. Padding counts at both ends: one row above and one below are two rows more.",
    ],
)


@shapes_in_convolution.case("a kernel of three rows and two columns")
def _(draw):
    return {"batch": 2, "c_in": 3, "height": 5, "width": 8, "c_out": 4, "kh": 3, "kw": 2}


@shapes_in_convolution.case("other sizes")
def _(draw):
    batch, c_in, c_out, kh, kw = (draw.permutation(9) + 2).tolist()[:5]
    height, width = draw.integer(20, 40), draw.integer(41, 80)
    return {"batch": batch, "c_in": c_in, "height": height, "width": width, "c_out": c_out, "kh": kh, "kw": kw}


@shapes_in_convolution.case("a kernel of one pixel")
def _(draw):
    height, width = draw.integer(5, 9), draw.integer(10, 20)
    return {"batch": 1, "c_in": 3, "height": height, "width": width, "c_out": draw.integer(21, 40), "kh": 1, "kw": 1}


@shapes_in_convolution.case("a kernel as large as the image")
def _(draw):
    kh, kw = draw.integer(3, 7), draw.integer(8, 12)
    return {"batch": 2, "c_in": 1, "height": kh, "width": kw, "c_out": draw.integer(13, 30), "kh": kh, "kw": kw}


@shapes_in_convolution.case("the first layer of a large network")
def _(draw):
    return {"batch": draw.integer(16, 64), "c_in": 3, "height": 224, "width": 320, "c_out": 96, "kh": 11, "kw": 7}


def shapes(batch, c_in, height, width, c_out, kh, kw, **changes):
    rows, columns = height - kh + 1, width - kw + 1
    right = {
        "weight": (c_out, c_in, kh, kw),
        "bias": (c_out,),
        "columns": (batch, c_in * kh * kw, rows * columns),
        "matrix": (c_out, c_in * kh * kw),
        "products": (batch, c_out, rows * columns),
        "result": (batch, c_out, rows, columns),
        "average": (batch, c_out),
        "padded": (batch, c_in, height + 2, width + 4),
    }
    return {**right, **changes}


@shapes_in_convolution.misconception
def kernels_without_channels(batch, c_in, height, width, c_out, kh, kw):
    """Your kernels have no axis for the channels of the input. A kernel reaches through all of them, with weights of
    its own for each: it is a block, not a square."""
    return shapes(batch, c_in, height, width, c_out, kh, kw, weight=(c_out, kh, kw), matrix=(c_out, kh * kw))


@shapes_in_convolution.misconception
def a_window_of_one_channel(batch, c_in, height, width, c_out, kh, kw):
    """Your "columns" hold the numbers of one channel's window. A window reaches through all channels, so a column holds
    those of each of them."""
    places = (height - kh + 1) * (width - kw + 1)
    return shapes(batch, c_in, height, width, c_out, kh, kw, columns=(batch, kh * kw, places))


@shapes_in_convolution.misconception
def channels_in_before_channels_out(batch, c_in, height, width, c_out, kh, kw):
    """Your "weight" begins with c_in. In PyTorch the first axis of a weight is what comes out, as in nn.Linear: one
    kernel for each channel of the result."""
    return shapes(batch, c_in, height, width, c_out, kh, kw, weight=(c_in, c_out, kh, kw))


@shapes_in_convolution.misconception
def places_before_numbers(batch, c_in, height, width, c_out, kh, kw):
    """Your "columns" have the places in the middle and a window's numbers at the end. F.unfold makes a *column* of each
    window, so that a matrix of kernels can stand on the left of it."""
    places = (height - kh + 1) * (width - kw + 1)
    return shapes(batch, c_in, height, width, c_out, kh, kw, columns=(batch, places, c_in * kh * kw))


@shapes_in_convolution.misconception
def a_place_for_each_pixel(batch, c_in, height, width, c_out, kh, kw):
    """Yours has a place for every pixel of the input. Without padding the kernel must lie wholly on the image: a kernel
    of 3 rows cannot begin in the last two."""
    places, result = height * width, (batch, c_out, height, width)
    columns, products = (batch, c_in * kh * kw, places), (batch, c_out, places)
    return shapes(batch, c_in, height, width, c_out, kh, kw, columns=columns, products=products, result=result)


@shapes_in_convolution.misconception
def one_place_too_few(batch, c_in, height, width, c_out, kh, kw):
    """Yours has one row and one column of places too few. A kernel of 3 rows on an image of 3 rows fits once, not 0
    times: count the first place too."""
    rows, columns = height - kh, width - kw
    return shapes(batch, c_in, height, width, c_out, kh, kw, columns=(batch, c_in * kh * kw, rows * columns),
                  products=(batch, c_out, rows * columns), result=(batch, c_out, rows, columns))  # fmt: skip


@shapes_in_convolution.misconception
def a_bias_for_each_place(batch, c_in, height, width, c_out, kh, kw):
    """Your "bias" has a number for each place. It is one number for each kernel, the same wherever that kernel
    stands."""
    bias = (c_out, height - kh + 1, width - kw + 1)
    return shapes(batch, c_in, height, width, c_out, kh, kw, bias=bias)


@shapes_in_convolution.misconception
def axes_of_size_one_left(batch, c_in, height, width, c_out, kh, kw):
    """Your "average" keeps two axes of size 1. `mean(dim=(2, 3))` takes both axes away, unless it is told
    keepdim=True."""
    return shapes(batch, c_in, height, width, c_out, kh, kw, average=(batch, c_out, 1, 1))


@shapes_in_convolution.misconception
def padded_at_one_end(batch, c_in, height, width, c_out, kh, kw):
    """Your "padded" counts the padding once for each axis. There is a row above *and* one below, and columns on both
    sides."""
    return shapes(batch, c_in, height, width, c_out, kh, kw, padded=(batch, c_in, height + 1, width + 2))


@shapes_in_convolution.misconception
def rows_make_it_wider(batch, c_in, height, width, c_out, kh, kw):
    """Your "padded" is wider by the rows and higher by the columns. A row above makes an image higher."""
    return shapes(batch, c_in, height, width, c_out, kh, kw, padded=(batch, c_in, height + 4, width + 2))


@shapes_in_convolution.misconception
def the_channels_stay(batch, c_in, height, width, c_out, kh, kw):
    """Your "result" still has c_in channels. Each kernel adds all of them up and gives one number: there are as many
    channels as kernels."""
    result = (batch, c_in, height - kh + 1, width - kw + 1)
    return shapes(batch, c_in, height, width, c_out, kh, kw, result=result, average=(batch, c_in))


@shapes_in_convolution.variant
def from_real_tensors(batch, c_in, height, width, c_out, kh, kw):
    images = torch.empty(batch, c_in, height, width, device="meta")
    layer = nn.Conv2d(c_in, c_out, (kh, kw), device="meta")
    result = layer(images)
    columns = images.unfold(2, kh, 1).unfold(3, kw, 1).permute(0, 1, 4, 5, 2, 3).flatten(1, 3).flatten(2)
    asked = {"weight": layer.weight, "bias": layer.bias, "columns": columns, "matrix": layer.weight.flatten(1)}
    asked |= {"products": result.flatten(2), "result": result, "average": result.mean((2, 3))}
    return {name: tuple(tensor.shape) for name, tensor in {**asked, "padded": F.pad(images, (2, 2, 1, 1))}.items()}


@shapes_in_convolution.variant
def by_counting_places(batch, c_in, height, width, c_out, kh, kw):
    rows = sum(1 for top in range(height) if top + kh <= height)
    columns = sum(1 for left in range(width) if left + kw <= width)
    answer = {"padded": (batch, c_in, 1 + height + 1, 2 + width + 2), "average": (batch, c_out)}
    answer["result"] = (*answer["average"], rows, columns)
    answer["products"] = (*answer["average"], rows * columns)
    answer["weight"] = (c_out, c_in, kh, kw)
    answer["matrix"] = (c_out, math.prod(answer["weight"][1:]))
    answer["columns"] = (batch, answer["matrix"][1], answer["products"][2])
    answer["bias"] = answer["matrix"][:1]
    return answer


@shapes_in_convolution.variant
def from_columns_on(batch, c_in, height, width, c_out, kh, kw):
    window, places = kw * kh * c_in, (width - (kw - 1)) * (height - (kh - 1))
    names = ["weight", "bias", "columns", "matrix", "products", "result", "average", "padded"]
    values = [
        (c_out, c_in, kh, kw),
        (c_out,),
        (batch, window, places),
        (c_out, window),
        (batch, c_out, places),
        (batch, c_out, height - (kh - 1), width - (kw - 1)),
        (batch, c_out),
        (batch, c_in, height + 2 * 1, width + 2 * 2),
    ]
    return dict(zip(names, values, strict=True))


# ---- conv_output_size ------------------------------------------------------------------------------------------------

conv_output_size = Exercise(
    "conv_output_size",
    points=2,
    hints=[
        "Draw an axis of 7 pixels and a window of 3 below it. How often can you push it on by 2 before it hangs over "
        "the end?",
        "How far is it from the first pixel of a window to its last one, both included? How many pixels does the "
        "padded axis have, and how many of them are left behind the first window?",
        "A window spans dilation * (kernel - 1) + 1 pixels, the padded axis has size + 2 * padding. What is left over "
        "allows so many steps of `stride`, rounded down; the first window comes on top.",
    ],
)


@conv_output_size.case("seven pixels, a kernel of three")
def _(draw):
    return {"size": 7, "kernel": 3}


@conv_output_size.case("stride 2 on an even size: one pixel is left over")
def _(draw):
    return {"size": 2 * draw.integer(5, 40), "kernel": 3, "stride": 2}


@conv_output_size.case("stride 2 on an odd size, padded")
def _(draw):
    return {"size": 2 * draw.integer(5, 40) + 1, "kernel": 3, "stride": 2, "padding": 1}


@conv_output_size.case("dilated")
def _(draw):
    return {"size": draw.integer(40, 80), "kernel": draw.integer(3, 6), "dilation": draw.integer(2, 5)}


def left_over(rest, windows, **numbers):
    """Arguments at which so many windows fit, with `rest` pixels behind the last one."""
    span = numbers.get("dilation", 1) * (numbers["kernel"] - 1) + 1
    padded = span + numbers["stride"] * (windows - 1) + rest
    return {"size": padded - 2 * numbers["padding"], **numbers}


@conv_output_size.case("everything at once, most of a step is left over")
def _(draw):
    kernel, stride, dilation = (draw.permutation(3) + 3).tolist()
    numbers = {"kernel": kernel, "stride": stride, "padding": draw.integer(6, 9), "dilation": dilation}
    return left_over(stride - 1, draw.integer(9, 30), **numbers)


@conv_output_size.case("one pixel")
def _(draw):
    return {"size": 1, "kernel": 1}


@conv_output_size.case("a window over the whole padded axis")
def _(draw):
    size, padding = draw.integer(4, 20), draw.integer(1, 3)
    return {"size": size, "kernel": size + 2 * padding, "stride": draw.integer(2, 5), "padding": padding}


@conv_output_size.case("a stride larger than the kernel, one pixel is left over")
def _(draw):
    return left_over(1, draw.integer(9, 30), kernel=2, stride=draw.integer(5, 9), padding=1)


@conv_output_size.case("an even kernel, padded")
def _(draw):
    return {"size": draw.integer(20, 60), "kernel": 4, "stride": 1, "padding": 2}


@conv_output_size.case("a long row")
def _(draw):
    return {"size": draw.integer(16_000, 48_000), "kernel": 400, "stride": 160, "padding": 200}


@conv_output_size.misconception
def padded_once(size, kernel, stride=1, padding=0, dilation=1):
    """Yours adds the padding at one end only. There are `padding` pixels at each of the two."""
    return (size + padding - dilation * (kernel - 1) - 1) // stride + 1


@conv_output_size.misconception
def first_window_forgotten(size, kernel, stride=1, padding=0, dilation=1):
    """Yours counts the steps and not the windows. Behind the first window come as many as there are steps, so there is
    one more of them."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride


@conv_output_size.misconception
def rounded_up(size, kernel, stride=1, padding=0, dilation=1):
    """Yours counts a last window that hangs over the end. A step that is not complete leads nowhere: round down."""
    return -((dilation * (kernel - 1) + 1 - size - 2 * padding) // stride) + 1


@conv_output_size.misconception
def to_the_nearest(size, kernel, stride=1, padding=0, dilation=1):
    """Yours rounds to the nearest number. Two thirds of a step are no step: round down."""
    return math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 0.5) + 1


@conv_output_size.misconception
def a_float(size, kernel, stride=1, padding=0, dilation=1):
    """Yours divides with `/`, which gives a float: 3.5 windows are no answer, and 3.0 is no size either. `//` divides
    whole numbers and rounds down."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1


@conv_output_size.misconception
def dilation_ignored(size, kernel, stride=1, padding=0, dilation=1):
    """The dilation makes no difference in yours. A window that reads pixels 0, 2 and 4 spans more than three."""
    return (size + 2 * padding - kernel) // stride + 1


@conv_output_size.misconception
def dilation_times_kernel(size, kernel, stride=1, padding=0, dilation=1):
    """Your window spans dilation times kernel pixels. Three pixels have two gaps between them: with dilation 2 they are
    pixels 0, 2 and 4, which span five."""
    return (size + 2 * padding - dilation * kernel) // stride + 1


@conv_output_size.misconception
def gaps_without_the_first_pixel(size, kernel, stride=1, padding=0, dilation=1):
    """Your window is one pixel too short: pixels 0, 2 and 4 span five, not four. Both ends belong to it."""
    return (size + 2 * padding - dilation * (kernel - 1)) // stride + 1


@conv_output_size.misconception
def dilation_lengthens_by_its_number(size, kernel, stride=1, padding=0, dilation=1):
    """Yours makes the window longer by dilation - 1 in all. Every gap between two of its pixels grows, and there are
    kernel - 1 of them."""
    return (size + 2 * padding - kernel - (dilation - 1)) // stride + 1


@conv_output_size.misconception
def stride_divides_the_size(size, kernel, stride=1, padding=0, dilation=1):
    """Yours divides the padded size by the stride before it takes the window away. The window is as wide for every
    stride: take it away first, then see how many steps are left."""
    return (size + 2 * padding) // stride - dilation * (kernel - 1)


@conv_output_size.misconception
def kernel_makes_no_difference(size, kernel, stride=1, padding=0, dilation=1):
    """Yours is the size divided by the stride, rounded up, whatever the kernel and the padding are. That holds for one
    padding only, the one that libraries call "same"."""
    return -(-size // stride)


@conv_output_size.misconception
def one_added_before_the_division(size, kernel, stride=1, padding=0, dilation=1):
    """Yours adds the first window before it divides by the stride. Its 1 stands for a whole window, not for one pixel:
    it comes after the division."""
    return (size + 2 * padding - dilation * (kernel - 1)) // stride


@conv_output_size.variant
def by_counting(size, kernel, stride=1, padding=0, dilation=1):
    count, first = 0, -padding
    while first + dilation * (kernel - 1) < size + padding:
        count, first = count + 1, first + stride
    return count


@conv_output_size.variant
def by_a_range(size, kernel, stride=1, padding=0, dilation=1):
    return len(range(0, size + 2 * padding - dilation * (kernel - 1), stride))


@conv_output_size.variant
def from_a_real_layer(size, kernel, stride=1, padding=0, dilation=1):
    layer = nn.Conv1d(1, 1, kernel, stride=stride, padding=padding, dilation=dilation, device="meta")
    return layer(torch.empty(1, 1, size, device="meta")).shape[-1]


@conv_output_size.variant
def as_the_documentation_writes_it(size, kernel, stride=1, padding=0, dilation=1):
    return math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1)


@conv_output_size.variant
def steps_rounded_up(size, kernel, stride=1, padding=0, dilation=1):
    starts = padding + size + padding - (kernel - 1) * dilation  # where a window may begin
    return (starts + stride - 1) // stride


# ---- conv2d ----------------------------------------------------------------------------------------------------------

TORCHS_OWN = [f"{kind}{axes}d" for kind in ("conv", "conv_transpose", "Conv", "ConvTranspose") for axes in (1, 2, 3)]
TORCHS_OWN += ["LazyConv1d", "LazyConv2d", "LazyConv3d", "convolution", "_convolution", "conv_tbc", "scipy_conv"]
TORCHS_OWN += ["mkldnn_convolution", "slow_conv3d", "thnn_conv2d", "_slow_conv2d_forward", "convolve", "convolve2d"]
TORCHS_OWN += ["conv2d.default", "convolution.default", "correlate", "correlate2d"]

conv2d = Exercise(
    "conv2d",
    points=4,
    forbids=TORCHS_OWN,
    needs=["shapes_in_convolution", "conv_output_size"],
    hints=[
        "Which numbers does one kernel meet at one place, and in which order do F.unfold's columns hold them? In which "
        "order does weight.flatten(1) hold the weights?",
        "F.unfold takes the size of the kernel, the stride and the padding, and gives (batch, c_in * kh * kw, places). "
        "(c_out, c_in * kh * kw) @ that gives (batch, c_out, places): places are rows times columns, row after row.",
        "products.unflatten(2, (out_height, out_width)) makes an image of it; conv_output_size knows both sizes. The "
        "bias needs two axes of size 1 on its right, and an `is None` before it is added.",
    ],
)


def convolution(draw, images, weight, bias=True, dtype=torch.float32, **numbers):
    """Arguments of those shapes, none of their numbers trivial; a bias whose numbers differ."""
    arguments = {"images": draw.normal(*images, dtype=dtype), "weight": draw.normal(*weight, dtype=dtype)}
    return {**arguments, "bias": draw.normal(weight[0], std=3.0, dtype=dtype) if bias else None, **numbers}


@conv2d.case("one channel, a kernel of one row and two columns")
def _(draw):
    images = draw.integers(1, 9, 1, 1, 2, 4).float()
    return {"images": images, "weight": torch.tensor([[[[10.0, 1.0]]]]), "bias": torch.tensor([100.0])}


@conv2d.case("rectangular images and kernels, more channels out than in")
def _(draw):
    return convolution(draw, (2, 3, 6, 8), (5, 3, 3, 2))


@conv2d.case("without a bias, fewer channels out than in")
def _(draw):
    return convolution(draw, (1, 4, 5, 8), (3, 4, 2, 4), bias=False)


@conv2d.case("stride 2, and a row and a column that no window reads")
def _(draw):
    return convolution(draw, (2, 3, 7, 11), (4, 3, 2, 4), stride=2)


@conv2d.case("padding 1 keeps height and width, kernels of 3 × 3")
def _(draw):
    return convolution(draw, (1, 2, 4, 7), (3, 2, 3, 3), padding=1)


@conv2d.case("odd sizes, stride 2, padding 1, no bias")
def _(draw):
    return convolution(draw, (2, 2, 7, 9), (3, 2, 3, 3), bias=False, stride=2, padding=1)


@conv2d.case("a kernel that fits with the padding only, a stride of 3")
def _(draw):
    return convolution(draw, (1, 2, 2, 9), (3, 2, 5, 2), stride=3, padding=2)


@conv2d.case("a kernel of one pixel, a stride")
def _(draw):
    return convolution(draw, (2, 3, 4, 7), (5, 3, 1, 1), stride=2)


@conv2d.case("a kernel of one pixel on one pixel")
def _(draw):
    return convolution(draw, (1, 1, 1, 1), (1, 1, 1, 1))


@conv2d.case("a kernel as large as the images")
def _(draw):
    return convolution(draw, (3, 2, 3, 4), (5, 2, 3, 4))


@conv2d.case("as many columns, rows and images as channels out")
def _(draw):
    return convolution(draw, (3, 2, 5, 5), (3, 2, 3, 3))


@conv2d.case("as many channels in as out, square kernels")
def _(draw):
    return convolution(draw, (1, 3, 4, 5), (3, 3, 3, 3), padding=1)


@conv2d.case("windows of padding alone")
def _(draw):
    return convolution(draw, (1, 2, 2, 3), (3, 2, 2, 2), padding=3, stride=2)


@conv2d.case("views that are not contiguous")
def _(draw):
    arguments = convolution(draw, (2, 5, 6, 3), (3, 2, 3, 4), padding=1)
    images, weight = arguments["images"].permute(0, 3, 1, 2), arguments["weight"].permute(3, 0, 1, 2)
    return {**arguments, "images": images, "weight": weight, "bias": draw.normal(8, std=3.0)[::2]}


@conv2d.case("half precision")
def _(draw):
    # whole numbers: every order of adding them up gives the same sum
    images, weight = draw.integers(-4, 4, 1, 2, 4, 6).half(), draw.integers(-3, 3, 3, 2, 3, 2).half()
    return {"images": images, "weight": weight, "bias": draw.integers(-9, 9, 3).half(), "stride": 2, "padding": 1}


@conv2d.case("double precision, and the gradients", probe="gradients")
def _(draw):
    return convolution(draw, (2, 2, 5, 4), (3, 2, 3, 2), dtype=torch.float64, stride=2, padding=1)


@conv2d.case("the gradients without a bias", probe="gradients")
def _(draw):
    return convolution(draw, (1, 2, 3, 5), (2, 2, 2, 3), bias=False)


def places(size, kernel, stride, padding):
    return (size + 2 * padding - kernel) // stride + 1


def windows_of(images, kh, kw, stride=1, padding=0):
    """Every window: (batch, c_in, out_height, out_width, kh, kw)."""
    return F.pad(images, (padding,) * 4).unfold(2, kh, stride).unfold(3, kw, stride)


def convolved(images, weight, bias=None, stride=1, padding=0):
    """A right convolution, to be spoiled in one place."""
    result = torch.einsum("bcyxij,ocij->boyx", windows_of(images, *weight.shape[2:], stride, padding), weight)
    return result if bias is None else result + bias[:, None, None]


@conv2d.misconception
def kernel_turned_around(images, weight, bias, stride=1, padding=0):
    """Yours turns the kernel around before it lays it on the image, as a convolution in mathematics does. Here the
    weight at [0, 0] meets the upper left pixel of the window."""
    return convolved(images, weight.flip(2, 3), bias, stride, padding)


@conv2d.misconception
def kernel_transposed(images, weight, bias, stride=1, padding=0):
    """Yours walks through a window row by row and through the kernel column by column. Both shapes fit, and the weights
    meet the wrong pixels: which order do the numbers of a column of F.unfold have?"""
    matrix = weight.transpose(2, 3).flatten(1)
    products = matrix @ F.unfold(images, weight.shape[2:], stride=stride, padding=padding)
    sizes = [places(images.shape[2 + i], weight.shape[2 + i], stride, padding) for i in range(2)]
    result = products.unflatten(2, sizes)
    return result if bias is None else result + bias[:, None, None]


@conv2d.misconception
def kernel_channels_last(images, weight, bias, stride=1, padding=0):
    """Yours writes a kernel pixel by pixel, each with all its channels, and a window channel by channel. Both have the
    same length, and the weights meet the wrong numbers."""
    matrix = weight.permute(0, 2, 3, 1).flatten(1)
    products = matrix @ F.unfold(images, weight.shape[2:], stride=stride, padding=padding)
    sizes = [places(images.shape[2 + i], weight.shape[2 + i], stride, padding) for i in range(2)]
    result = products.unflatten(2, sizes)
    return result if bias is None else result + bias[:, None, None]


@conv2d.misconception
def channels_out_scattered(images, weight, bias, stride=1, padding=0):
    """Your products have the channels as their last axis, and a reshape to an image leaves every number where it is in
    memory: what should be one channel is a mixture of all. Bring the channels forward before you reshape."""
    result = convolved(images, weight, bias, stride, padding)
    return result.permute(0, 2, 3, 1).reshape(result.shape)


@conv2d.misconception
def rows_and_columns_exchanged(images, weight, bias, stride=1, padding=0):
    """Yours cuts the places into out_width rows of out_height numbers. They come row after row: the rows are the outer
    axis, and a row has out_width places."""
    result = convolved(images, weight, bias, stride, padding)
    batch, c_out, out_height, out_width = result.shape
    return result.reshape(batch, c_out, out_width, out_height)


@conv2d.misconception
def bias_forgotten(images, weight, bias, stride=1, padding=0):
    """Yours leaves the bias out. Where there is one, each channel of the result gets its number added, at every
    place."""
    return convolved(images, weight, None, stride, padding)


@conv2d.misconception
def bias_along_the_width(images, weight, bias, stride=1, padding=0):
    """Your bias meets the width: it stops with an error, unless there happen to be as many columns as channels, and
    then it is added column by column. Shapes line up from the right; the bias belongs to the channels."""
    result = convolved(images, weight, None, stride, padding)
    return result if bias is None else result + bias


@conv2d.misconception
def bias_for_every_channel_in(images, weight, bias, stride=1, padding=0):
    """Yours adds the bias once for each channel of the input. The channels of a window are added up, and the bias comes
    once, at the end."""
    result = convolved(images, weight, None, stride, padding)
    return result if bias is None else result + images.shape[1] * bias[:, None, None]


@conv2d.misconception
def bias_for_every_place_of_the_kernel(images, weight, bias, stride=1, padding=0):
    """Yours adds the bias once for each place of the kernel, kh · kw times in all: it stands inside the loop over the
    kernel. The products are added up there, and the bias comes once, at the end."""
    result = convolved(images, weight, None, stride, padding)
    return result if bias is None else result + weight[0, 0].numel() * bias[:, None, None]


@conv2d.misconception
def bias_always_there(images, weight, bias, stride=1, padding=0):
    """Yours takes for granted that there is a bias. It may be None, as in every convolution that a norm follows."""
    return convolved(images, weight, None, stride, padding) + bias.view(-1, 1, 1)


@conv2d.misconception
def is_the_bias_true(images, weight, bias, stride=1, padding=0):
    """Yours asks whether the bias is *true*. A tensor of several numbers is neither true nor false, and a bias of 0.0
    is a bias too: ask whether it `is None`."""
    result = convolved(images, weight, None, stride, padding)
    return result + bias[:, None, None] if bias else result


@conv2d.misconception
def stride_ignored(images, weight, bias, stride=1, padding=0):
    """The stride makes no difference in yours: the kernel stands at every pixel."""
    return convolved(images, weight, bias, 1, padding)


@conv2d.misconception
def stride_along_the_height_alone(images, weight, bias, stride=1, padding=0):
    """Yours takes its strides from row to row, and one pixel at a time along a row. The stride holds for both axes."""
    windows = F.pad(images, (padding,) * 4).unfold(2, weight.shape[2], stride).unfold(3, weight.shape[3], 1)
    result = torch.einsum("bcyxij,ocij->boyx", windows, weight)
    return result if bias is None else result + bias[:, None, None]


@conv2d.misconception
def padding_ignored(images, weight, bias, stride=1, padding=0):
    """The padding makes no difference in yours: windows that hang over the border are missing."""
    return convolved(images, weight, bias, stride, 0)


@conv2d.misconception
def padded_on_two_sides(images, weight, bias, stride=1, padding=0):
    """Yours puts the padding below and on the right only. It belongs on all four sides: F.pad takes a number for each
    side, left and right first, then top and bottom."""
    return convolved(F.pad(images, (0, padding, 0, padding)), weight, bias, stride)


@conv2d.misconception
def all_padding_at_the_end(images, weight, bias, stride=1, padding=0):
    """Yours puts all of the padding on the right and below, twice as much there and none on the left and above. The
    sizes are right, and every window begins too far down and to the right."""
    return convolved(F.pad(images, (0, 2 * padding, 0, 2 * padding)), weight, bias, stride)


@conv2d.misconception
def padded_with_the_border(images, weight, bias, stride=1, padding=0):
    """Yours repeats the pixels of the border. The padding is zeros."""
    rows, columns = (torch.arange(-padding, size + padding).clamp(0, size - 1) for size in images.shape[2:])
    return convolved(images[:, :, rows][:, :, :, columns], weight, bias, stride)


@conv2d.misconception
def windows_that_hang_over(images, weight, bias, stride=1, padding=0):
    """Yours has one more window where the stride does not come out even: it hangs over the border and is filled up.
    Windows that do not fit are dropped."""
    sizes = zip(images.shape[2:], weight.shape[2:], strict=True)
    down, across = (-(size + 2 * padding - kernel) % stride for size, kernel in sizes)
    return convolved(F.pad(images, (padding, padding + across, padding, padding + down)), weight, bias, stride)


@conv2d.misconception
def channels_averaged(images, weight, bias, stride=1, padding=0):
    """Yours averages over the channels of the input. A kernel adds up everything in its window, the channels
    included."""
    return convolved(images, weight / images.shape[1], bias, stride, padding)


@conv2d.misconception
def first_channel_alone(images, weight, bias, stride=1, padding=0):
    """Yours looks at the first channel of the images only. A kernel has weights for each channel, and all of them are
    added up."""
    return convolved(images[:, :1], weight[:, :1], bias, stride, padding)


@conv2d.misconception
def in_and_out_exchanged(images, weight, bias, stride=1, padding=0):
    """Yours takes the second axis of the weight for the channels that come out. The first one is: weight[o] is the
    kernel that makes channel o. Where there are as many in as out, nothing is raised."""
    return convolved(images, weight.transpose(0, 1), bias, stride, padding)


@conv2d.misconception
def single_precision_result(images, weight, bias, stride=1, padding=0):
    """Yours writes into a tensor of float32, whatever the images are. torch.zeros(...) makes one unless it is told a
    dtype."""
    return convolved(images, weight, bias, stride, padding).float()


@conv2d.misconception
def numbers_taken_out(images, weight, bias, stride=1, padding=0):
    """Your numbers are right, but no gradient gets through: nothing in this layer could be trained. item(), tolist(),
    detach(), no_grad() and torch.tensor(...) keep the numbers and forget where they came from."""
    return convolved(images, weight, bias, stride, padding).detach()


@conv2d.variant
def by_windows_and_einsum(images, weight, bias, stride=1, padding=0):
    result = convolved(images, weight, None, stride, padding)
    return result if bias is None else result + bias.view(1, -1, 1, 1)


@conv2d.variant
def by_shifted_images(images, weight, bias, stride=1, padding=0):
    padded = torch.nn.functional.pad(images, [padding] * 4)
    c_out, _, kh, kw = weight.shape
    rows, columns = ((padded.shape[2 + i] - weight.shape[2 + i]) // stride + 1 for i in (0, 1))
    result = torch.zeros(len(images), c_out, rows, columns, dtype=images.dtype)
    for i in range(kh):
        for j in range(kw):
            seen = padded[:, :, i : i + stride * rows : stride, j : j + stride * columns : stride]
            seen = seen[:, :, :rows, :columns]
            result = result + torch.tensordot(weight[:, :, i, j], seen, dims=([1], [1])).transpose(0, 1)
    if bias is not None:
        result += bias.reshape(c_out, 1, 1)
    return result


@conv2d.variant
def place_by_place(images, weight, bias, stride=1, padding=0):
    batch, c_in, height, width = images.shape
    padded = images.new_zeros(batch, c_in, height + 2 * padding, width + 2 * padding)
    padded[:, :, padding : padding + height, padding : padding + width] = images
    kh, kw = weight.shape[2:]
    rows = []
    for top in range(0, padded.shape[2] - kh + 1, stride):
        row = []
        for left in range(0, padded.shape[3] - kw + 1, stride):
            window = padded[:, None, :, top : top + kh, left : left + kw]
            value = (window * weight).sum(dim=(2, 3, 4))
            row.append(value if bias is None else value + bias)
        rows.append(torch.stack(row, dim=-1))
    return torch.stack(rows, dim=-2)


@conv2d.variant
def columns_as_rows(images, weight, bias, stride=1, padding=0):
    columns = F.unfold(images, weight.shape[-2:], padding=padding, stride=stride).transpose(1, 2)
    offset = torch.zeros(len(weight), dtype=weight.dtype) if bias is None else bias
    products = F.linear(columns, weight.reshape(len(weight), -1), offset)
    out_height = (images.shape[2] + 2 * padding - weight.shape[2]) // stride + 1
    return products.transpose(1, 2).reshape(len(images), len(weight), out_height, -1)


@conv2d.variant
def as_one_large_linear_layer(images, weight, bias, stride=1, padding=0):
    batch, c_in, height, width = images.shape
    pixels = torch.eye(c_in * height * width, dtype=weight.dtype).view(-1, c_in, height, width)
    touched = convolved(pixels, weight, None, stride, padding)  # what each pixel does to each place
    result = images.reshape(batch, -1) @ touched.flatten(1)
    result = result.view(batch, *touched.shape[1:])
    return result if bias is None else result.add(bias.unsqueeze(1).unsqueeze(2))


@conv2d.variant
def by_fourier_transform(images, weight, bias, stride=1, padding=0):
    padded = F.pad(images, (padding,) * 4).double()
    sizes = padded.shape[2:]
    spectrum = torch.fft.rfft2(padded)[:, None] * torch.fft.rfft2(weight.double(), s=sizes).conj()
    kh, kw = weight.shape[2:]
    result = torch.fft.irfft2(spectrum.sum(dim=2), s=sizes)[..., : sizes[0] - kh + 1, : sizes[1] - kw + 1]
    result = result[..., ::stride, ::stride].to(images.dtype)
    return result if bias is None else result + bias[None, :, None, None]


# ---- max_pool2d ------------------------------------------------------------------------------------------------------

POOLINGS = [f"{kind}{axes}d" for kind in ("max_pool", "adaptive_max_pool", "adaptive_avg_pool") for axes in (1, 2, 3)]
POOLINGS += [f"{name}_with_indices" for name in POOLINGS[:6]]
POOLINGS += [f"{kind}{axes}d" for kind in ("MaxPool", "AdaptiveMaxPool", "AdaptiveAvgPool") for axes in (1, 2, 3)]
POOLINGS += ["fractional_max_pool2d", "fractional_max_pool3d", "FractionalMaxPool2d", "FractionalMaxPool3d"]
POOLINGS += ["_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "mkldnn_max_pool2d", "_max_pool2d", "max_pool2d.default"]

max_pool2d = Exercise(
    "max_pool2d",
    points=3,
    forbids=POOLINGS,
    hints=[
        "Can you get a tensor that has two axes more, one for the rows and one for the columns inside a window?",
        "The method `unfold(axis, size, step)` gives windows along one axis, without a copy, and puts the window's own "
        "axis at the end. Once for the height and once for the width. The largest of two axes is `amax`.",
        "images.unfold(2, kernel, stride).unfold(3, kernel, stride) has the shape (batch, channel, out_height, "
        "out_width, kernel, kernel). Take the largest over the last two axes.",
    ],
)


@max_pool2d.case("windows of 2 × 2, one column left over")
def _(draw):
    return {"images": draw.normal(1, 1, 2, 5), "kernel": 2, "stride": 2}


@max_pool2d.case("two images, three channels")
def _(draw):
    return {"images": draw.normal(2, 3, 8, 10), "kernel": 2, "stride": 2}


@max_pool2d.case("windows that overlap, odd sizes")
def _(draw):
    return {"images": draw.normal(2, 3, 9, 13), "kernel": 3, "stride": 2}


@max_pool2d.case("windows that overlap, a row and a column left over")
def _(draw):
    return {"images": draw.normal(2, 3, 8, 12), "kernel": 3, "stride": 2}


@max_pool2d.case("a stride larger than the window")
def _(draw):
    return {"images": draw.normal(2, 4, 12, 17), "kernel": 2, "stride": 5}


@max_pool2d.case("every number is negative")
def _(draw):
    return {"images": -draw.uniform(2, 3, 5, 8) - 0.5, "kernel": 2, "stride": 3}


@max_pool2d.case("stride 1")
def _(draw):
    return {"images": draw.normal(1, 4, 4, 7), "kernel": 3, "stride": 1}


@max_pool2d.case("windows of one pixel")
def _(draw):
    return {"images": draw.normal(1, 2, 5, 8), "kernel": 1, "stride": 2}


@max_pool2d.case("one pixel")
def _(draw):
    return {"images": draw.normal(1, 1, 1, 1, mean=-3.0), "kernel": 1, "stride": 1}


@max_pool2d.case("a window as high as the image")
def _(draw):
    return {"images": draw.normal(2, 3, 4, 7), "kernel": 4, "stride": 4}


@max_pool2d.case("a view that is not contiguous")
def _(draw):
    return {"images": draw.normal(2, 11, 7, 3).permute(0, 3, 2, 1), "kernel": 3, "stride": 2}


@max_pool2d.case("half precision, large numbers")
def _(draw):
    return {"images": draw.normal(1, 3, 6, 9, std=4000.0, dtype=torch.float16), "kernel": 2, "stride": 2}


@max_pool2d.case("double precision, and the gradients", probe="gradients")
def _(draw):
    return {"images": draw.normal(2, 2, 7, 5, dtype=torch.float64), "kernel": 3, "stride": 2}


def pooled(images, kernel, stride):
    """A right max pooling, to be spoiled in one place."""
    return images.unfold(2, kernel, stride).unfold(3, kernel, stride).amax(dim=(4, 5))


@max_pool2d.misconception
def averages(images, kernel, stride):
    """Yours is the mean of each window. The largest number was asked for."""
    return images.unfold(2, kernel, stride).unfold(3, kernel, stride).mean(dim=(4, 5))


@max_pool2d.misconception
def begins_at_zero(images, kernel, stride):
    """Where all numbers of a window are negative yours gives 0. A search for the largest number that begins with 0
    never gets below it; zeros around the windows do the same."""
    return pooled(images, kernel, stride).clamp(min=0)


@max_pool2d.misconception
def windows_side_by_side(images, kernel, stride):
    """Yours puts the windows side by side, whatever the stride is. They begin `stride` pixels apart, so they may
    overlap, or leave pixels out."""
    return pooled(images, kernel, kernel)


@max_pool2d.misconception
def at_every_pixel(images, kernel, stride):
    """Yours has a window at every pixel. The stride says how far apart they begin."""
    return pooled(images, kernel, 1)


@max_pool2d.misconception
def windows_that_hang_over_too(images, kernel, stride):
    """Yours has a window too many where the stride does not come out even: it hangs over the border. Windows that do
    not fit are dropped."""
    down, across = (-(size - kernel) % stride for size in images.shape[2:])
    return pooled(F.pad(images, (0, across, 0, down), value=-torch.inf), kernel, stride)


@max_pool2d.misconception
def size_divided_by_stride(images, kernel, stride):
    """Yours has height // stride rows and width // stride columns. How many windows fit depends on the kernel too:
    conv_output_size knows."""
    down, across = (max((size // stride - 1) * stride + kernel - size, 0) for size in images.shape[2:])
    full = pooled(F.pad(images, (0, across, 0, down), value=-torch.inf), kernel, stride)
    return full[:, :, : images.shape[2] // stride, : images.shape[3] // stride]


@max_pool2d.misconception
def over_the_channels_too(images, kernel, stride):
    """Yours takes the largest number over all channels of a window. F.unfold's columns hold the channels one behind the
    other; each channel is pooled by itself."""
    return pooled(images, kernel, stride).amax(dim=1, keepdim=True)


@max_pool2d.misconception
def columns_split_the_wrong_way(images, kernel, stride):
    """Yours splits the numbers of a column into (kernel * kernel, channel). In a column of F.unfold the channels are
    the outer axis: first all numbers of channel 0, then all of channel 1."""
    channel = images.shape[1]
    columns = F.unfold(images, kernel, stride=stride).unflatten(1, (kernel * kernel, channel))
    rows = (images.shape[2] - kernel) // stride + 1
    return columns.amax(dim=1).unflatten(2, (rows, -1))


@max_pool2d.misconception
def along_the_width_alone(images, kernel, stride):
    """Yours takes the largest of each *row* of a window, and so has an axis too many: the rows of the window are still
    there."""
    return images.unfold(2, kernel, stride).unfold(3, kernel, stride).amax(dim=-1)


@max_pool2d.misconception
def first_row_of_each_window(images, kernel, stride):
    """Yours looks at the first row of each window only. A window has `kernel` rows too."""
    return images.unfold(2, kernel, stride).unfold(3, kernel, stride)[..., 0, :].amax(dim=-1)


@max_pool2d.misconception
def values_and_places(images, kernel, stride):
    """`max(dim=...)` gives two tensors, the values and where they were found. Yours returns both; the values were
    asked for."""
    return images.unfold(2, kernel, stride).unfold(3, kernel, stride).flatten(4).max(dim=4)


@max_pool2d.misconception
def places_of_the_largest(images, kernel, stride):
    """Yours gives *where* in its window the largest number is. What it is was asked for."""
    return images.unfold(2, kernel, stride).unfold(3, kernel, stride).flatten(4).argmax(dim=4)


@max_pool2d.misconception
def rows_and_columns_turned(images, kernel, stride):
    """Yours has the columns before the rows. The windows follow each other row by row: out_height comes before
    out_width."""
    return pooled(images.transpose(2, 3), kernel, stride)


@max_pool2d.misconception
def largest_by_size(images, kernel, stride):
    """Yours compares absolute values: of -5 and 3 it keeps -5 or 5. The largest number is 3."""
    return pooled(images.abs(), kernel, stride)


@max_pool2d.misconception
def kernel_and_stride_exchanged(images, kernel, stride):
    """Yours has windows of `stride` pixels that begin `kernel` pixels apart. It is the other way round."""
    return images.unfold(2, stride, kernel).unfold(3, stride, kernel).amax(dim=(4, 5))


@max_pool2d.misconception
def the_largest_taken_out(images, kernel, stride):
    """Your numbers are right, but no gradient gets back to the images. item(), tolist(), detach() and torch.tensor(...)
    keep the numbers and forget where they came from."""
    return pooled(images, kernel, stride).detach()


@max_pool2d.variant
def by_columns(images, kernel, stride):
    batch, channel, height, _ = images.shape
    columns = F.unfold(images, kernel, stride=stride).reshape(batch, channel, kernel * kernel, -1)
    return columns.max(dim=2).values.reshape(batch, channel, (height - kernel) // stride + 1, -1)


@max_pool2d.variant
def by_shifted_slices(images, kernel, stride):
    rows, columns = ((size - kernel) // stride * stride + 1 for size in images.shape[2:])
    largest = None
    for i in range(kernel):
        for j in range(kernel):
            part = images[:, :, i : i + rows : stride, j : j + columns : stride]
            largest = part if largest is None else torch.maximum(largest, part)
    return largest.clone()


@max_pool2d.variant
def place_after_place(images, kernel, stride):
    batch, channel, height, width = images.shape
    tops, lefts = range(0, height - kernel + 1, stride), range(0, width - kernel + 1, stride)
    result = torch.full((batch, channel, len(tops), len(lefts)), -torch.inf, dtype=images.dtype)
    for y, top in enumerate(tops):
        for x, left in enumerate(lefts):
            result[:, :, y, x] = images[:, :, top : top + kernel, left : left + kernel].amax(dim=(-2, -1))
    return result


@max_pool2d.variant
def all_of_a_window_at_once(images, kernel, stride):
    return images.unfold(2, kernel, stride).unfold(3, kernel, stride).amax(dim=(4, 5))


@max_pool2d.variant
def by_an_index_of_pixels(images, kernel, stride):
    inside = torch.arange(kernel)
    y = torch.arange(0, images.shape[2] - kernel + 1, stride)[:, None] + inside
    x = torch.arange(0, images.shape[3] - kernel + 1, stride)[:, None] + inside
    return images[:, :, y[:, None, :, None], x[None, :, None, :]].flatten(4).sort(dim=-1).values[..., -1]


# ---- global_average_pool ---------------------------------------------------------------------------------------------

global_average_pool = Exercise(
    "global_average_pool",
    points=1,
    forbids=[name for name in POOLINGS if "adaptive" in name.lower()],
    hints=[
        "Which two axes should be gone afterwards, and which two stay?",
        "`mean` takes one axis or several: dim names those that disappear.",
        "images.mean(dim=(2, 3)). Without keepdim no axes of size 1 are left behind.",
    ],
)


@global_average_pool.case("two images, three channels")
def _(draw):
    return {"images": draw.normal(2, 3, 4, 5, mean=2.0)}


@global_average_pool.case("more channels than pixels")
def _(draw):
    return {"images": draw.normal(3, 7, 1, 4, std=3.0)}


@global_average_pool.case("every axis of the same size")
def _(draw):
    return {"images": draw.normal(3, 3, 3, 3, mean=1.0)}


@global_average_pool.case("one image with one channel")
def _(draw):
    return {"images": draw.normal(1, 1, 2, 6, mean=-2.0)}


@global_average_pool.case("one pixel")
def _(draw):
    return {"images": draw.normal(1, 4, 1, 1)}


@global_average_pool.case("a view that is not contiguous")
def _(draw):
    return {"images": draw.normal(2, 6, 3, 5, mean=1.0).permute(0, 3, 1, 2)}


@global_average_pool.case("half precision")
def _(draw):
    return {"images": draw.integers(-8, 8, 2, 3, 4, 8).half()}


@global_average_pool.case("double precision, and the gradients", probe="gradients")
def _(draw):
    return {"images": draw.normal(2, 4, 3, 5, dtype=torch.float64)}


@global_average_pool.misconception
def axes_of_size_one_stay(images):
    """Your result still has two axes, of size 1 each. A linear layer would take the last one for its features."""
    return images.mean(dim=(2, 3), keepdim=True)


@global_average_pool.misconception
def every_axis_of_one_gone(images):
    """Your squeeze takes out *every* axis of size 1: for a batch of one image, or a single channel, an axis is lost
    that belongs there."""
    return images.mean(dim=(2, 3), keepdim=True).squeeze()


@global_average_pool.misconception
def the_largest(images):
    """Yours is the largest number of each channel. The mean was asked for."""
    return images.amax(dim=(2, 3))


@global_average_pool.misconception
def the_sum(images):
    """Yours is the sum of each channel. It is not divided by the number of pixels."""
    return images.sum(dim=(2, 3))


@global_average_pool.misconception
def one_number_for_each_image(images):
    """Yours averages over the channels too, and has one number for each image. Each channel keeps a number of its
    own."""
    return images.flatten(1).mean(dim=1)


@global_average_pool.misconception
def one_number_for_each_channel(images):
    """Yours averages over the batch too. Each image keeps numbers of its own: what one image shows must not depend on
    its neighbours."""
    return images.mean(dim=(0, 2, 3))


@global_average_pool.misconception
def over_the_channels(images):
    """Yours averages over the channels and the rows, and keeps the columns. The axes are batch, channel, height and
    width, counted from 0."""
    return images.mean(dim=(1, 2))


@global_average_pool.misconception
def over_the_height_alone(images):
    """Yours averages over the height only: the width is still there."""
    return images.mean(dim=2)


@global_average_pool.misconception
def divided_by_the_height_twice(images):
    """Yours divides by the square of the height, as if every image were square. The number of pixels is height times
    width."""
    return images.sum(dim=(2, 3)) / images.shape[2] ** 2


@global_average_pool.misconception
def divided_by_all_pixels_of_the_batch(images):
    """Yours divides by the pixels of all channels. Each channel's sum is divided by height times width."""
    return images.sum(dim=(2, 3)) / images[0].numel()


@global_average_pool.misconception
def means_taken_out(images):
    """Your numbers are right, but no gradient gets back to the images. item(), tolist(), detach() and torch.tensor(...)
    keep the numbers and forget where they came from."""
    return images.mean(dim=(2, 3)).detach()


@global_average_pool.variant
def over_two_axes(images):
    return images.mean(dim=(2, 3))


@global_average_pool.variant
def one_axis_after_the_other(images):
    return images.mean(3).mean(2)


@global_average_pool.variant
def by_average_pooling(images):
    return F.avg_pool2d(images, images.shape[2:]).flatten(1)


@global_average_pool.variant
def as_a_matrix_product(images):
    batch, channel, height, width = images.shape
    share = torch.full((height * width,), 1 / (height * width), dtype=images.dtype)
    return images.reshape(batch, channel, -1) @ share


@global_average_pool.variant
def by_einsum(images):
    return torch.einsum("bchw->bc", images) / (images.size(-1) * images.size(-2))


# ---- receptive_field -------------------------------------------------------------------------------------------------

receptive_field = Exercise(
    "receptive_field",
    points=2,
    hints=[
        "Draw two layers with kernel 3 and stride 1, one below the other. Which three numbers does the last one read, "
        "and which pixels do these read together?",
        "Keep two numbers: how many pixels are seen so far, and how far apart on the input two neighbours of the layer "
        "lie that you stand on. What does a kernel of k add to the first one?",
        "A layer adds (kernel - 1) steps, each as long as neighbours of its *input* lie apart. Only afterwards its own "
        "stride multiplies that distance. Begin with 1 and 1.",
    ],
)


@receptive_field.case("two layers of 3, stride 1")
def _(draw):
    return {"layers": [(3, 1), (3, 1)]}


@receptive_field.case("a stride first")
def _(draw):
    return {"layers": [(3, 2), (draw.integer(3, 7), 1)]}


@receptive_field.case("a stride last")
def _(draw):
    return {"layers": [(draw.integer(4, 9), 1), (3, draw.integer(2, 5))]}


@receptive_field.case("no layers")
def _(draw):
    return {"layers": []}


@receptive_field.case("one layer")
def _(draw):
    return {"layers": [(draw.integer(4, 30), draw.integer(2, 9))]}


@receptive_field.case("layers of one pixel that skip")
def _(draw):
    return {"layers": [(1, 2), (draw.integer(2, 5), 3), (1, 1), (4, 1)]}


@receptive_field.case("strides larger than the kernels")
def _(draw):
    return {"layers": [(2, draw.integer(4, 7)), (3, 5), (2, 1)]}


@receptive_field.case("kernels and strides that all differ")
def _(draw):
    kernels, strides = (draw.permutation(6) + 2).tolist(), (draw.permutation(6) + 1).tolist()
    return {"layers": list(zip(kernels, strides, strict=True))[:5]}


@receptive_field.case("sixteen layers with poolings between them")
def _(draw):
    return {"layers": [layer for convs in (2, 2, 3, 3, 3) for layer in [(3, 1)] * convs + [(2, 2)]]}


@receptive_field.case("a deep network")
def _(draw):
    blocks = [(3, 1 + (i % draw.integer(4, 6) == 0)) for i in range(draw.integer(20, 30))]
    return {"layers": [(7, 2), (3, 2), *blocks]}


@receptive_field.misconception
def kernels_added_up(layers):
    """Yours adds the kernels up. A second layer of 3 reads three numbers that see three pixels each, but they overlap:
    together it is 5, not 6."""
    return sum(kernel for kernel, _ in layers) or 1


@receptive_field.misconception
def kernels_multiplied(layers):
    """Yours multiplies the kernels. That would hold if the windows of neighbours lay side by side; with stride 1 they
    overlap."""
    return math.prod(kernel for kernel, _ in layers)


@receptive_field.misconception
def strides_ignored(layers):
    """The strides make no difference in yours. Behind a stride of 2, neighbours lie two pixels apart, so a kernel
    reaches twice as far."""
    return 1 + sum(kernel - 1 for kernel, _ in layers)


@receptive_field.misconception
def own_stride_first(layers):
    """Yours lets a layer's own stride widen its own kernel. The stride moves the windows apart for the layers that come
    after it; this layer still reads neighbours of its input."""
    field, apart = 1, 1
    for kernel, stride in layers:
        apart *= stride
        field += (kernel - 1) * apart
    return field


@receptive_field.misconception
def from_the_wrong_end(layers):
    """Yours takes the layers in the opposite order. The list goes from the input to the output, and the strides before
    a layer are the ones that count for it."""
    field, apart = 1, 1
    for kernel, stride in reversed(layers):
        field += (kernel - 1) * apart
        apart *= stride
    return field


@receptive_field.misconception
def a_whole_kernel_each_time(layers):
    """Yours adds the whole kernel for each layer. The first of its pixels is already seen: a kernel of 3 adds two
    steps."""
    field, apart = 1, 1
    for kernel, stride in layers:
        field += kernel * apart
        apart *= stride
    return field


@receptive_field.misconception
def begins_with_nothing(layers):
    """Yours begins with 0 and is one short. Before any layer a number sees one pixel: itself."""
    field, apart = 0, 1
    for kernel, stride in layers:
        field += (kernel - 1) * apart
        apart *= stride
    return field


@receptive_field.misconception
def the_last_stride_alone(layers):
    """Yours remembers the last stride only. Two strides of 2 one after the other put neighbours four pixels apart: they
    multiply."""
    field, apart = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * apart
        apart = stride
    return field


@receptive_field.misconception
def strides_added(layers):
    """Yours adds the strides up. Strides of 3 and 3 put neighbours nine pixels apart: they multiply."""
    field, apart = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * apart
        apart += stride - 1
    return field


@receptive_field.misconception
def the_field_is_multiplied(layers):
    """Yours multiplies the whole field by each stride as it passes. What the layers before have seen does not grow:
    only later steps get longer."""
    field = 1
    for kernel, stride in layers:
        field = (field + kernel - 1) * stride
    return field


@receptive_field.misconception
def last_one_moves_too(layers):
    """Yours goes back from the output, which is a good way, but takes one stride too many at each layer: `field`
    neighbours have only field - 1 steps between the first and the last of them."""
    field = 1
    for kernel, stride in reversed(layers):
        field = field * stride + kernel - 1
    return field


@receptive_field.misconception
def the_list_emptied(layers):
    """Your number is right, but the caller's list is empty afterwards: pop takes each layer out of the very list that
    was given. A walk through a list leaves it as it is."""
    field = 1
    while layers:
        kernel, stride = layers.pop()
        field = (field - 1) * stride + kernel
    return field


@receptive_field.misconception
def every_other_pixel_left_out(layers):
    """Yours counts the pixels that are really read. Asked for is how far it is from the first to the last one: what
    lies between counts too."""
    return len(pixels_read(layers))


@receptive_field.misconception
def no_layers_see_nothing(layers):
    """Yours gives 0 for no layers. Then a number is the pixel itself: it sees one."""
    field, apart = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * apart
        apart *= stride
    return field if layers else 0


@receptive_field.variant
def from_the_output_back(layers):
    field = 1
    for kernel, stride in layers[::-1]:
        field = (field - 1) * stride + kernel
    return field


def pixels_read(layers):
    """The pixels that the number 0 of the last layer depends on."""
    seen = {0}
    for kernel, stride in reversed(layers):
        seen = {place * stride + i for place in seen for i in range(kernel)}
    return seen


@receptive_field.variant
def by_following_pixels(layers):
    seen = pixels_read(layers)
    return max(seen) - min(seen) + 1


@receptive_field.variant
def as_a_closed_sum(layers):
    return 1 + sum((layers[i][0] - 1) * math.prod(stride for _, stride in layers[:i]) for i in range(len(layers)))


@receptive_field.variant
def the_input_that_gives_one_number(layers):
    def needed(out, rest):
        if not rest:
            return out
        *before, (kernel, stride) = rest
        return needed(kernel + stride * (out - 1), before)

    return needed(1, list(layers))


# ---- SmallConvNet ----------------------------------------------------------------------------------------------------

SmallConvNet = Exercise(
    "SmallConvNet",
    points=3,
    forbids=[*TORCHS_OWN, *POOLINGS],
    needs=["conv2d", "max_pool2d", "global_average_pool"],
    hints=[
        "Which of the five steps have weights, and which shapes do these weights have? What must an attribute be, so "
        "that the module finds it?",
        "nn.Parameter(torch.randn(c_hidden, c_in, 3, 3) / (9 * c_in) ** 0.5) is the first weight. In forward, each "
        "step is one call whose result is the next one's input.",
        "conv2d(images, self.weight1, self.bias1, padding=1).relu(), then max_pool2d(x, 3, 2), then conv2d with "
        "self.weight2, None, stride=2 and padding=1 and a relu; the head gets the average.",
    ],
)


@SmallConvNet.case("two images in colour")
def _(draw):
    return built(3, 4, 5, 2).call(draw.normal(2, 3, 7, 9))


@SmallConvNet.case("sizes that all differ, and the gradients")
def _(draw):
    return built(2, 3, 6, 5).differentiate(draw.normal(4, 2, 8, 11))


@SmallConvNet.case("images of two sizes, one network")
def _(draw):
    return built(1, 5, 3, 4).call(draw.normal(2, 1, 6, 10)).call(draw.normal(1, 1, 13, 5))


@SmallConvNet.case("the smallest images")
def _(draw):
    return built(c_in=1, c_hidden=1, c_out=1, classes=1).call(draw.normal(1, 1, 3, 3, std=2.0))


@SmallConvNet.case("a view, in evaluation")
def _(draw):
    return built(3, 2, 4, 6).eval().call(draw.normal(2, 9, 12, 3, std=2.0).permute(0, 3, 1, 2))


@SmallConvNet.case("double precision")
def _(draw):
    return built(2, 4, 3, 5).to(torch.float64).call(draw.normal(3, 2, 10, 7, dtype=torch.float64))


class Right(nn.Module):
    """A right SmallConvNet, to be spoiled in one place."""

    def __init__(self, c_in, c_hidden, c_out, classes):
        super().__init__()
        self.weight1 = nn.Parameter(torch.randn(c_hidden, c_in, 3, 3) / (9 * c_in) ** 0.5)
        self.bias1 = nn.Parameter(torch.zeros(c_hidden))
        self.weight2 = nn.Parameter(torch.randn(c_out, c_hidden, 3, 3) / (9 * c_hidden) ** 0.5)
        self.head = nn.Linear(c_out, classes)

    def first(self, images):
        return convolved(images, self.weight1, self.bias1, padding=1).relu()

    def between(self, x):
        return pooled(x, 3, 2)

    def second(self, x):
        return convolved(x, self.weight2, stride=2, padding=1).relu()

    def forward(self, images):
        return self.head(self.second(self.between(self.first(images))).mean(dim=(2, 3)))


@SmallConvNet.misconception
class FirstReluForgotten(Right):
    """There is no ReLU behind your first convolution. With nothing between them, two convolutions are one convolution
    with a larger kernel."""

    def first(self, images):
        return convolved(images, self.weight1, self.bias1, padding=1)


@SmallConvNet.misconception
class SecondReluForgotten(Right):
    """There is no ReLU behind your second convolution. The average of what it gives would then be linear in it, and the
    head could undo it."""

    def second(self, x):
        return convolved(x, self.weight2, stride=2, padding=1)


@SmallConvNet.misconception
class FirstPaddingForgotten(Right):
    """Your first convolution has no padding, and loses a row and a column on each side."""

    def first(self, images):
        return convolved(F.pad(images, (0, 0, 0, 0)), self.weight1, self.bias1).relu()


@SmallConvNet.misconception
class SecondPaddingForgotten(Right):
    """Your second convolution has no padding. On small images its kernel does not even fit."""

    def second(self, x):
        return convolved(x, self.weight2, stride=2).relu()


@SmallConvNet.misconception
class SecondStrideForgotten(Right):
    """Your second convolution moves one pixel at a time. A stride of 2 was asked for."""

    def second(self, x):
        return convolved(x, self.weight2, padding=1).relu()


@SmallConvNet.misconception
class PoolingSideBySide(Right):
    """Your pooling has its windows side by side. They are 3 pixels wide and begin 2 pixels apart, so they overlap."""

    def between(self, x):
        return pooled(F.pad(x, (0, 0, 0, 0)), 3, 3)


@SmallConvNet.misconception
class PoolingOfTwo(Right):
    """Your pooling has windows of 2 × 2. They are 3 pixels wide."""

    def between(self, x):
        return pooled(x, 2, 2)


@SmallConvNet.misconception
class PoolingForgotten(Right):
    """There is no pooling between your convolutions."""

    def between(self, x):
        return x


@SmallConvNet.misconception
class PoolingBeforeTheConvolution(Right):
    """Yours pools the images before the first convolution. The first kernels should see every pixel; what they find is
    pooled."""

    def forward(self, images):
        return self.head(self.second(self.first(self.between(images))).mean(dim=(2, 3)))


@SmallConvNet.misconception
class AveragedBeforeTheRelu(Right):
    """Yours averages the second convolution's maps and takes the ReLU of the averages. Then what is negative at one
    place cancels what is positive at another: the ReLU belongs to every pixel, before the average."""

    def forward(self, images):
        x = convolved(self.between(self.first(images)), self.weight2, stride=2, padding=1)
        return self.head(x.mean(dim=(2, 3)).relu())


@SmallConvNet.misconception
class LargestAtTheEnd(Right):
    """Yours hands the largest number of each channel to the head. The average was asked for."""

    def forward(self, images):
        return self.head(self.second(self.between(self.first(images))).amax(dim=(2, 3)))


@SmallConvNet.misconception
class ProbabilitiesOut(Right):
    """Yours ends with a softmax. Scores were asked for: cross_entropy does the softmax itself, and twice is once too
    often."""

    def forward(self, images):
        return super().forward(images).softmax(dim=-1)


@SmallConvNet.misconception
class ReluOnTheScores(Right):
    """Yours has a ReLU behind the head too, so that no score can be negative. Nothing comes behind the head."""

    def forward(self, images):
        return super().forward(images).relu()


@SmallConvNet.misconception
class FirstBiasUnused(Right):
    """Your `bias1` is there and is not used: it never reaches the first convolution, and never learns."""

    def first(self, images):
        return convolved(images, self.weight1, padding=1).relu()


@SmallConvNet.misconception
class SecondBias(Right):
    """Yours has a second bias. The second convolution has none."""

    def __init__(self, c_in, c_hidden, c_out, classes):
        super().__init__(c_in, c_hidden, c_out, classes)
        self.bias2 = nn.Parameter(torch.zeros(c_out))

    def second(self, x):
        return convolved(x, self.weight2, self.bias2, stride=2, padding=1).relu()


@SmallConvNet.misconception
class WeightsBackToFront(Right):
    """Your weights have the channels that go in first. The first axis is what comes out: (c_hidden, c_in, 3, 3) and
    (c_out, c_hidden, 3, 3)."""

    def __init__(self, c_in, c_hidden, c_out, classes):
        super().__init__(c_in, c_hidden, c_out, classes)
        self.weight1 = nn.Parameter(torch.randn(c_in, c_hidden, 3, 3))
        self.weight2 = nn.Parameter(torch.randn(c_hidden, c_out, 3, 3))

    def forward(self, images):
        x = convolved(images, self.weight1.transpose(0, 1), self.bias1, padding=1).relu()
        x = convolved(self.between(x), self.weight2.transpose(0, 1), stride=2, padding=1).relu()
        return self.head(x.mean(dim=(2, 3)))


@SmallConvNet.misconception
class PlainTensors(nn.Module):
    """Your weights are plain tensors: the module does not know them, and no optimizer would ever change them. Wrap each
    in nn.Parameter."""

    def __init__(self, c_in, c_hidden, c_out, classes):
        super().__init__()
        self.weight1 = torch.randn(c_hidden, c_in, 3, 3) / (9 * c_in) ** 0.5
        self.bias1 = torch.zeros(c_hidden)
        self.weight2 = torch.randn(c_out, c_hidden, 3, 3) / (9 * c_hidden) ** 0.5
        self.head = nn.Linear(c_out, classes)

    first, between, second, forward = Right.first, Right.between, Right.second, Right.forward


@SmallConvNet.misconception
class ZeroWeights(Right):
    """Your kernels are zero everywhere at first. Then all of them get the same gradient, or none, and none of them ever
    becomes different from the others."""

    def __init__(self, c_in, c_hidden, c_out, classes):
        super().__init__(c_in, c_hidden, c_out, classes)
        self.weight1 = nn.Parameter(torch.zeros(c_hidden, c_in, 3, 3))
        self.weight2 = nn.Parameter(torch.zeros(c_out, c_hidden, 3, 3))


@SmallConvNet.variant
class ReluBehindThePooling(nn.Module):
    """The largest number and ReLU may change places: neither changes the order of numbers."""

    def __init__(self, c_in, c_hidden, c_out, classes):
        super().__init__()
        self.head = nn.Linear(c_out, classes)
        self.bias1 = nn.Parameter(torch.rand(c_hidden))
        self.weight2 = nn.Parameter(torch.nn.init.xavier_uniform_(torch.empty(c_out, c_hidden, 3, 3)))
        self.weight1 = nn.Parameter(torch.nn.init.kaiming_normal_(torch.empty(c_hidden, c_in, 3, 3)))

    def forward(self, images):
        x = F.relu(pooled(convolved(images, self.weight1, self.bias1, 1, 1), kernel=3, stride=2))
        x = F.relu(convolved(x, self.weight2, None, 2, 1))
        return self.head(x.flatten(2).mean(-1))


@SmallConvNet.variant
class ByColumns(nn.Module):
    """Matrix products of columns, written out."""

    def __init__(self, c_in, c_hidden, c_out, classes):
        super().__init__()
        for name, shape in {"weight1": (c_hidden, c_in, 3, 3), "weight2": (c_out, c_hidden, 3, 3)}.items():
            self.register_parameter(name, nn.Parameter(torch.randn(shape).mul(0.1)))
        self.register_parameter("bias1", nn.Parameter(torch.empty(c_hidden).uniform_(-0.1, 0.1)))
        self.add_module("head", nn.Linear(c_out, classes))

    def layer(self, x, weight, bias, stride):
        products = weight.flatten(1) @ F.unfold(x, 3, padding=1, stride=stride)
        products = products if bias is None else products + bias[:, None]
        return torch.clamp(products.reshape(len(x), len(weight), (x.shape[2] - 1) // stride + 1, -1), min=0)

    def forward(self, images):
        hidden = by_shifted_slices(self.layer(images, self.weight1, self.bias1, 1), 3, 2)
        found = self.layer(hidden, self.weight2, None, 2)
        return found.sum(dim=(2, 3)).div(found[0, 0].numel()) @ self.head.weight.T + self.head.bias


@SmallConvNet.variant
class WithReluModules(Right):
    """ReLU as a module, and a rule of initialisation of its own."""

    def __init__(self, c_in, c_hidden, c_out, classes):
        super().__init__(c_in, c_hidden, c_out, classes)
        self.activation = nn.ReLU()

    def first(self, images):
        return self.activation(place_by_place(images, self.weight1, self.bias1, 1, 1))

    def second(self, x):
        return self.activation(place_by_place(x, self.weight2, None, 2, 1))
