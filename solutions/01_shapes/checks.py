"""What decides whether the exercises of 01_shapes are right."""

from itertools import accumulate
from math import prod
from operator import mul

import torch

from autograder.authoring import Exercise

# ---- shapes_after_reshaping ------------------------------------------------------------------------------------------

shapes_after_reshaping = Exercise(
    "shapes_after_reshaping",
    points=2,
    hints=[
        "Start from the strides of `images`. How far in memory is it from a pixel to the same pixel of the next "
        "channel, to the pixel below, to the pixel on its right?",
        "permute and transpose take the strides along with the sizes and leave the memory alone. A step over two rows "
        "is twice as long as a step over one.",
        "Two neighbouring axes join without a copy where the outer stride is the inner size times the inner stride. In "
        '"pixels" the outer one is height, with the stride width, and the inner one width, with the stride 1. In '
        '"columns" it is the other way round.',
    ],
)


@shapes_after_reshaping.case("small sizes")
def _(draw):
    return {"batch": 2, "channel": 3, "height": 4, "width": 5}


@shapes_after_reshaping.case("other sizes, an odd height")
def _(draw):
    batch, channel, width = (draw.permutation(12) + 2).tolist()[:3]
    return {"batch": batch, "channel": channel, "height": 2 * draw.integer(8, 20) + 1, "width": width}


@shapes_after_reshaping.case("every size is 2")
def _(draw):
    return {"batch": 2, "channel": 2, "height": 2, "width": 2}


@shapes_after_reshaping.case("large images")
def _(draw):
    height, width = draw.integer(400, 900), draw.integer(1000, 2000)
    return {"batch": draw.integer(16, 64), "channel": 3, "height": height, "width": width}


def laid_out(batch, channel, height, width, **changes):
    image, plane = channel * height * width, height * width
    right = {
        "flat": ((batch, image), (image, 1), "view"),
        "channels_last": ((batch, height, width, channel), (image, width, 1, plane), "view"),
        "packed": ((batch, height, width, channel), (image, width * channel, channel, 1), "copy"),
        "pixels": ((batch, plane, channel), (image, 1, plane), "view"),
        "columns": ((batch, channel, plane), (image, plane, 1), "copy"),
        "even_rows": ((batch, channel, (height + 1) // 2, width), (image, plane, 2 * width, 1), "view"),
    }
    return {**right, **changes}


@shapes_after_reshaping.misconception
def permute_moves_the_numbers(batch, channel, height, width):
    """Your "channels_last" is a copy. permute moves no number: it hands out the same memory with sizes and strides in
    another order."""
    packed = laid_out(batch, channel, height, width)["packed"]
    return laid_out(batch, channel, height, width, channels_last=packed)


@shapes_after_reshaping.misconception
def strides_of_a_new_tensor(batch, channel, height, width):
    """Your "channels_last" has the strides of a new tensor of that shape. It is a view, so each axis keeps the stride
    that it had in `images`: only their order changes."""
    shape, strides, _ = laid_out(batch, channel, height, width)["packed"]
    return laid_out(batch, channel, height, width, channels_last=(shape, strides, "view"))


@shapes_after_reshaping.misconception
def sizes_turned_and_strides_not(batch, channel, height, width):
    """Your "channels_last" has its sizes in the new order and its strides in the old one. An axis takes both along."""
    shape = (batch, height, width, channel)
    strides = (channel * height * width, height * width, width, 1)
    return laid_out(batch, channel, height, width, channels_last=(shape, strides, "view"))


@shapes_after_reshaping.misconception
def contiguous_changes_nothing(batch, channel, height, width):
    """Your "packed" is what permute gave. `contiguous` hands back the tensor itself only where it lies in order
    already; here the channels of a pixel lie far apart, and it has to write them anew."""
    view = laid_out(batch, channel, height, width)["channels_last"]
    return laid_out(batch, channel, height, width, packed=view)


@shapes_after_reshaping.misconception
def joining_after_permute_copies(batch, channel, height, width):
    """Your "pixels" is a copy. A reshape after a permute copies only where it must: height and width are still
    neighbours in memory, row after row, and one stride walks along both."""
    strides = (channel * height * width, channel, 1)
    pixels = ((batch, height * width, channel), strides, "copy")
    return laid_out(batch, channel, height, width, pixels=pixels)


@shapes_after_reshaping.misconception
def joining_never_copies(batch, channel, height, width):
    """Your "columns" is a view. After the transpose the walk goes down a column and then back up to the next one: no
    single stride does that, so flatten has to copy."""
    columns = ((batch, channel, height * width), (channel * height * width, height * width, 1), "view")
    return laid_out(batch, channel, height, width, columns=columns)


@shapes_after_reshaping.misconception
def columns_with_a_stride_of_a_row(batch, channel, height, width):
    """Your "columns" is a view whose last stride is the width. That walks down the first column and then out of the
    image: no single stride leads from the end of a column to the top of the next one, so flatten has to copy."""
    columns = ((batch, channel, height * width), (channel * height * width, height * width, width), "view")
    return laid_out(batch, channel, height, width, columns=columns)


@shapes_after_reshaping.misconception
def slicing_copies(batch, channel, height, width):
    """Your "even_rows" is a copy. A slice with a step is a view: the stride of its axis is multiplied by the step."""
    rows = (height + 1) // 2
    strides = (channel * rows * width, rows * width, width, 1)
    return laid_out(batch, channel, height, width, even_rows=((batch, channel, rows, width), strides, "copy"))


@shapes_after_reshaping.misconception
def rows_of_the_smaller_image(batch, channel, height, width):
    """Your "even_rows" has the strides of a new, smaller tensor. The memory is that of `images`: how far is it there
    from one channel to the next, and from row 0 to row 2?"""
    rows = (height + 1) // 2
    strides = (channel * rows * width, rows * width, width, 1)
    return laid_out(batch, channel, height, width, even_rows=((batch, channel, rows, width), strides, "view"))


@shapes_after_reshaping.misconception
def half_of_the_rows(batch, channel, height, width):
    """Your "even_rows" has one row too few where the height is odd. Of the rows 0 to 4, the rows 0, 2 and 4 are taken:
    three."""
    _, strides, memory = laid_out(batch, channel, height, width)["even_rows"]
    return laid_out(batch, channel, height, width, even_rows=((batch, channel, height // 2, width), strides, memory))


@shapes_after_reshaping.misconception
def strides_in_bytes(batch, channel, height, width):
    """Your strides count bytes, as NumPy's do: each is four times too long. PyTorch's count elements, and so do those
    of `images` that you were given."""
    right = laid_out(batch, channel, height, width)
    return {name: (shape, tuple(4 * stride for stride in strides), m) for name, (shape, strides, m) in right.items()}


@shapes_after_reshaping.variant
def from_a_real_tensor(batch, channel, height, width):
    images = torch.empty(batch, channel, height, width, device="meta")
    last = images.permute(0, 2, 3, 1)
    asked = {
        "flat": images.flatten(1),
        "channels_last": last,
        "packed": last.contiguous(),
        "pixels": last.flatten(1, 2),
        "columns": images.transpose(2, 3).flatten(2),
        "even_rows": images[:, :, ::2],
    }
    return {
        name: (tensor.shape, tensor.stride(), "view" if tensor._is_view() else "copy") for name, tensor in asked.items()
    }


@shapes_after_reshaping.variant
def by_a_small_library_of_its_own(batch, channel, height, width):
    def packed(sizes):
        return tuple(prod(sizes[i + 1 :]) for i in range(len(sizes)))

    def turned(sizes, strides, order):
        return tuple(sizes[i] for i in order), tuple(strides[i] for i in order)

    def joined(sizes, strides, first):
        fits = strides[first] == sizes[first + 1] * strides[first + 1]
        new = (*sizes[:first], sizes[first] * sizes[first + 1], *sizes[first + 2 :])
        return (new, (*strides[:first], *strides[first + 1 :]), "view") if fits else (new, packed(new), "copy")

    sizes = (batch, channel, height, width)
    last = turned(sizes, packed(sizes), (0, 2, 3, 1))
    even = (*sizes[:2], len(range(0, height, 2)), width)
    return {
        "flat": joined(*joined(sizes, packed(sizes), 2)[:2], 1),
        "channels_last": (*last, "view"),
        "packed": (last[0], packed(last[0]), "copy"),
        "pixels": joined(*last, 1),
        "columns": joined(*turned(sizes, packed(sizes), (0, 1, 3, 2)), 2),
        "even_rows": (even, tuple(s * k for s, k in zip(packed(sizes), (1, 1, 2, 1), strict=True)), "view"),
    }


@shapes_after_reshaping.variant
def from_the_last_axis_up(batch, channel, height, width):
    a, b, c, d = (channel * height * width, height * width, width, 1)
    answer = {"even_rows": ((batch, channel, -(-height // 2), width), (a, b, c + c, d), "view")}
    answer["columns"] = ((batch, channel, width * height), (a, b, d), "copy")
    answer["pixels"] = ((batch, height * width, channel), (a, d, b), "view")
    answer["packed"] = ((batch, height, width, channel), (a, c * channel, channel, 1), "copy")
    answer["channels_last"] = ((batch, height, width, channel), (a, c, d, b), "view")
    answer["flat"] = ((batch, a), (a, d), "view")
    return answer


# ---- strides_of ------------------------------------------------------------------------------------------------------

strides_of = Exercise(
    "strides_of",
    points=2,
    # sizes larger than any memory keep out what these tools could do; the list is for the message
    forbids=["stride", "strides", "empty", "zeros", "ones", "empty_like", "ndarray", "full", "rand", "randn"],
    hints=[
        "How far is it from one number to its right neighbour? And from one row to the next one, when a row holds four "
        "numbers?",
        "One step along an axis passes over everything that the axes to its right hold. How many elements is that?",
        "Walk through the shape from its end. Keep the product of the sizes that you have passed: it begins at 1, it "
        "is the stride of the axis you stand on, and then it is multiplied by that axis's size.",
    ],
)


@strides_of.case("two matrices")
def _(draw):
    return {"shape": (2, 3, 4)}


@strides_of.case("sizes that all differ")
def _(draw):
    return {"shape": tuple((draw.permutation(12) + 2).tolist()[:5])}


@strides_of.case("one axis")
def _(draw):
    return {"shape": (draw.integer(5, 90),)}


@strides_of.case("a single number")
def _(draw):
    return {"shape": ()}


@strides_of.case("axes of size 1")
def _(draw):
    return {"shape": (1, draw.integer(3, 6), 1, draw.integer(7, 9), 1)}


@strides_of.case("a row of images")
def _(draw):
    return {"shape": (draw.integer(16, 64), 3, draw.integer(100, 300), draw.integer(301, 600))}


@strides_of.case("sizes that no memory holds")
def _(draw):
    # each size fits 64 bits and their product does not: arithmetic of fixed width goes wrong without a word
    return {"shape": (draw.integer(2, 9), 10**12 + draw.integer(0, 10**6), 10**12 + draw.integer(0, 10**6), 7)}


@strides_of.case("many axes")
def _(draw):
    return {"shape": tuple(draw.integers(1, 4, draw.integer(20, 30)).tolist())}


def products(shape):
    """The right strides."""
    return tuple(prod(shape[i + 1 :]) for i in range(len(shape)))


@strides_of.misconception
def own_size_included(shape):
    """Each of your strides has the axis's own size in it. One step along an axis passes over what lies to the right of
    that axis: its own size says how many such steps there are."""
    return tuple(prod(shape[i:]) for i in range(len(shape)))


@strides_of.misconception
def first_axis_fastest(shape):
    """Yours are the strides of Fortran and Matlab, where the first axis moves fastest. In PyTorch it is the last one:
    begin at the end of the shape."""
    return tuple(prod(shape[:i]) for i in range(len(shape)))


@strides_of.misconception
def back_to_front(shape):
    """Your strides are right, but back to front. You walked through the shape from its end, which is a good way: turn
    what you collected around."""
    return products(shape)[::-1]


@strides_of.misconception
def the_next_size_alone(shape):
    """Each of your strides is the size of the next axis alone. A step passes over everything to the right: with shape
    (2, 3, 4) the next matrix is 3 rows of 4 away."""
    return (*shape[1:], 1) if shape else ()


@strides_of.misconception
def sizes_added(shape):
    """Yours adds the sizes on the right up. Three rows of four numbers are 12 numbers, not 7."""
    return tuple(sum(shape[i + 1 :]) if i + 1 < len(shape) else 1 for i in range(len(shape)))


@strides_of.misconception
def in_bytes(shape):
    """Yours counts bytes, as NumPy does. PyTorch's strides count elements: the last one is 1."""
    return tuple(4 * stride for stride in products(shape))


@strides_of.misconception
def last_axis_forgotten(shape):
    """Yours has no stride for the last axis. It has one too: its neighbours are one element apart."""
    return products(shape)[:-1]


@strides_of.misconception
def a_stride_for_nothing(shape):
    """Yours gives the shape () a stride. A single number has no axes, so there is nothing to give a stride to: does
    your code begin with the last axis's 1 before it has looked whether there is one?"""
    return products(shape) or (1,)


@strides_of.misconception
def nothing_moves_along_a_one(shape):
    """Yours gives an axis of size 1 the stride 0. That is what a *stretched* axis has; in a new tensor every axis
    follows the same rule, and the product of what lies to its right is asked for."""
    return tuple(0 if size == 1 else stride for size, stride in zip(shape, products(shape), strict=True))


@strides_of.misconception
def a_list(shape):
    """Yours is right, but it is a list. Strides are a tuple, as a shape is."""
    return list(products(shape))


@strides_of.misconception
def divided_as_floats(shape):
    """Yours divides with `/`, which gives floats: 12.0 is no stride, and large products lose their last digits. Whole
    numbers are divided with `//`; or multiply from the end instead."""
    rest = prod(shape)
    return tuple(rest / prod(shape[: i + 1]) for i in range(len(shape)))


@strides_of.variant
def by_accumulate(shape):
    return tuple(accumulate(reversed(shape), mul, initial=1))[-2::-1]


@strides_of.variant
def by_dividing_what_is_left(shape):
    left, strides = prod(shape), ()
    for size in shape:
        left //= size
        strides += (left,)
    return strides


@strides_of.variant
def by_recursion(shape):
    if not shape:
        return ()
    inner = by_recursion(shape[1:])
    return (shape[1] * inner[0] if inner else 1, *inner)


@strides_of.variant
def in_place_from_the_end(shape):
    strides = [1] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * shape[axis + 1]
    return tuple(strides)


# ---- flatten_images --------------------------------------------------------------------------------------------------

flatten_images = Exercise(
    "flatten_images",
    points=1,
    memory="view",
    hints=[
        "Which axis stays as it is, and which ones become one? What is the size of the joined axis?",
        "`flatten` takes the first axis that it joins; `reshape` takes the new shape, and works out a size of -1.",
        "images.flatten(1), or images.reshape(len(images), -1). Both are views where that is possible; `view` refuses "
        "where it is not.",
    ],
)


@flatten_images.case("two images, three channels")
def _(draw):
    return {"images": draw.normal(2, 3, 4, 5)}


@flatten_images.case("more images than pixels")
def _(draw):
    return {"images": draw.normal(31, 2, 3, 4)}


@flatten_images.case("a batch of one image")
def _(draw):
    return {"images": draw.normal(1, 3, 2, 7)}


@flatten_images.case("one image of one pixel")
def _(draw):
    return {"images": draw.normal(1, 1, 1, 1)}


@flatten_images.case("images that came with their channels last", memory="")
def _(draw):
    return {"images": draw.normal(3, 4, 5, 2).permute(0, 3, 1, 2)}


@flatten_images.case("images whose rows and columns are exchanged", memory="")
def _(draw):
    return {"images": draw.normal(2, 3, 7, 5).transpose(2, 3)}


@flatten_images.case("every second row", memory="")
def _(draw):
    return {"images": draw.normal(4, 2, 10, 3)[:, :, ::2]}


@flatten_images.case("half precision")
def _(draw):
    return {"images": draw.normal(5, 3, 2, 4, dtype=torch.float16)}


@flatten_images.case("the gradient comes back", probe="gradients")
def _(draw):
    return {"images": draw.normal(2, 5, 3, 4)}


@flatten_images.misconception
def batch_joined_too(images):
    """Yours makes one row of the whole batch. The images stay apart: the first axis is not joined."""
    return images.flatten()


@flatten_images.misconception
def channels_stay(images):
    """Yours joins height and width and leaves the channels. They belong to the row too: join from the axis after the
    batch on."""
    return images.flatten(2)


@flatten_images.misconception
def pixel_after_pixel(images):
    """Yours puts the channels of a pixel side by side: the channels became the last axis before the axes were joined.
    Channel after channel is asked for."""
    return images.permute(0, 2, 3, 1).flatten(1)


@flatten_images.misconception
def batch_at_the_end(images):
    """Your rows have the right length, but each holds numbers of several images. A reshape cuts one long row of numbers
    into pieces; with the batch as its *last* size it deals them out in turn, and a transpose does not undo that."""
    return images.reshape(-1, len(images)).T


@flatten_images.misconception
def column_after_column(images):
    """Yours walks down the columns: height and width were exchanged before the axes were joined."""
    return images.transpose(2, 3).flatten(1)


@flatten_images.misconception
def by_view_alone(images):
    """Yours calls `view`, which never copies and so refuses images whose memory lies in another order. Which function
    gives a view where it can and a copy where it must?"""
    return images.view(len(images), -1)


@flatten_images.misconception
def memory_as_it_lies(images):
    """Yours reads the memory as it lies, with strides of its own. Where the images are a transposed or sliced view,
    memory is in another order than their axes, and holds numbers that are not theirs."""
    return images.as_strided((len(images), images[0].numel()), (images[0].numel(), 1))


@flatten_images.misconception
def each_row_copied(images):
    """Your rows are right, but every number was copied. `clone`, `contiguous` on a view, `stack` and `cat` write new
    memory; nothing has to move here."""
    return torch.stack([image.flatten() for image in images])


@flatten_images.misconception
def cloned_for_a_view(images):
    """Yours copies every number with `clone` and then calls `view`. The copy keeps the order that the numbers have in
    memory, so `view` refuses it where it would refuse the images; and where it would not, no copy is needed."""
    return images.clone().view(len(images), -1)


@flatten_images.misconception
def size_one_dropped(images):
    """Yours drops axes of size 1, so that a batch of one image loses its batch axis. squeeze without an axis takes
    every 1 that it finds."""
    return images.flatten(1).squeeze()


@flatten_images.variant
def by_reshape(images):
    batch, channel, height, width = images.shape
    return images.reshape(batch, channel * height * width)


@flatten_images.variant
def by_reshape_of_minus_one(images):
    return images.reshape(images.shape[0], -1)


@flatten_images.variant
def two_axes_at_a_time(images):
    return images.flatten(2, 3).flatten(1, 2)


@flatten_images.variant
def by_a_module(images):
    return torch.nn.Flatten()(images)


@flatten_images.variant
def by_view_where_it_fits(images):
    try:
        return images.view(images.size(0), -1)
    except RuntimeError:
        return torch.stack([torch.cat([row for channel in image for row in channel]) for image in images])


# ---- to_channels_last ------------------------------------------------------------------------------------------------

to_channels_last = Exercise(
    "to_channels_last",
    points=1,
    contiguous=True,
    hints=[
        "Write the four axes down in the order that is asked for. At which place did each of them stand before?",
        "permute takes, for each new axis, the number of the old one. Is what it gives contiguous? Ask it: "
        "`is_contiguous()`.",
        "images.permute(0, 2, 3, 1) is a view with the right axes; .contiguous() behind it writes them in order.",
    ],
)


@to_channels_last.case("two images, three channels")
def _(draw):
    return {"images": draw.normal(2, 3, 4, 5)}


@to_channels_last.case("more channels than anything else")
def _(draw):
    return {"images": draw.normal(3, 11, 2, 7)}


@to_channels_last.case("every axis of the same size")
def _(draw):
    return {"images": draw.normal(4, 4, 4, 4)}


@to_channels_last.case("one grey pixel")
def _(draw):
    return {"images": draw.normal(1, 1, 1, 1)}


@to_channels_last.case("one row of pixels")
def _(draw):
    return {"images": draw.normal(1, 5, 1, 6)}


@to_channels_last.case("images whose rows and columns are exchanged")
def _(draw):
    return {"images": draw.normal(2, 3, 7, 5).transpose(2, 3)}


@to_channels_last.case("images that lie with their channels last already")
def _(draw):
    return {"images": draw.normal(3, 4, 5, 2).permute(0, 3, 1, 2)}


@to_channels_last.case("half precision")
def _(draw):
    return {"images": draw.normal(5, 3, 2, 4, dtype=torch.float16)}


@to_channels_last.case("the gradient comes back", probe="gradients")
def _(draw):
    return {"images": draw.normal(2, 5, 3, 4)}


@to_channels_last.misconception
def turned_and_not_written(images):
    """Your result is right in every number, but it is a view whose channels lie far apart in memory: exchanging axes
    moves nothing. `contiguous()` writes a tensor in the order of its axes."""
    return images.permute(0, 2, 3, 1)


@to_channels_last.misconception
def written_too_early(images):
    """Yours calls `contiguous()` before it exchanges the axes. Then the images are in order, and what you make of them
    is a view that is not. Which tensor has to be contiguous?"""
    return images.contiguous().permute(0, 2, 3, 1)


@to_channels_last.misconception
def reshaped(images):
    """Your shape is right and your pixels are scrambled. A reshape keeps the numbers in the order in which they were
    and cuts them anew; to exchange axes, use permute."""
    batch, channel, height, width = images.shape
    return images.reshape(batch, height, width, channel)


@to_channels_last.misconception
def permuted_backwards(images):
    """Yours sends the axes to the wrong places. The numbers that permute takes are not where an axis goes, but where
    each new axis comes *from*; the two are inverse to each other."""
    return images.permute(0, 3, 1, 2).contiguous()


@to_channels_last.misconception
def exchanged_with_the_width(images):
    """Yours exchanges the channels with the width, so that rows and columns are exchanged too. Height and width keep
    their order: this takes one exchange more, or a permute."""
    return images.transpose(1, 3).contiguous()


@to_channels_last.misconception
def exchanged_with_the_height(images):
    """Yours exchanges the channels with the height, and the width is still last."""
    return images.transpose(1, 2).contiguous()


@to_channels_last.misconception
def a_memory_format(images):
    """Yours changes how the images lie in memory and leaves their axes: `memory_format=torch.channels_last` is for
    speed, and the shape stays (batch, channel, height, width). Here the axes themselves are exchanged."""
    return images.contiguous(memory_format=torch.channels_last)


@to_channels_last.misconception
def turned_in_place(images):
    """Your result is right, but the images that came in are turned too. Methods that end in an underscore, such as
    `transpose_`, change the caller's tensor."""
    return images.transpose_(1, 2).transpose_(2, 3).contiguous()


@to_channels_last.misconception
def flipped_colours(images):
    """Yours has the channels in the opposite order, blue first. Some libraries for images want that; here their order
    stays."""
    return images.permute(0, 2, 3, 1).flip(-1)


@to_channels_last.variant
def by_two_exchanges(images):
    return images.swapaxes(1, 2).swapaxes(2, 3).clone(memory_format=torch.contiguous_format)


@to_channels_last.variant
def by_stacking_channels(images):
    return torch.stack(images.unbind(1), dim=-1)


@to_channels_last.variant
def by_einsum(images):
    return torch.einsum("bchw->bhwc", images).contiguous()


@to_channels_last.variant
def by_memory_format(images):
    return images.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1).contiguous()


@to_channels_last.variant
def written_into_new_memory(images):
    batch, channel, height, width = images.shape
    result = torch.empty(batch, height, width, channel, dtype=images.dtype)
    for c in range(channel):
        result[..., c] = images[:, c]
    return result


# ---- patchify --------------------------------------------------------------------------------------------------------

NO_UNFOLDING = [
    "unfold",
    "Unfold",
    "unfold_copy",
    "im2col",
    "fold",
    "Fold",
    "col2im",
    "pixel_shuffle",
    "PixelShuffle",
    "pixel_unshuffle",
    "PixelUnshuffle",
]

patchify = Exercise(
    "patchify",
    points=3,
    forbids=NO_UNFOLDING,
    hints=[
        "A pixel's row number in the image says two things: in which row of patches it lies, and where in its patch. "
        "Which two axes does the height become, and which of the two comes first?",
        "images.reshape(batch, channel, height // patch, patch, width // patch, patch) has six axes: batch, channel, "
        "rows, y, cols, x. Which of them make up the axis of patches, which the numbers of one patch, and in which "
        "order must they stand before they are joined?",
        "Bring the six axes in the order batch, rows, cols, channel, y, x with permute; then join rows with cols, and "
        "the last three.",
    ],
)


@patchify.case("two images, four by five patches")
def _(draw):
    return {"images": draw.normal(2, 3, 8, 10), "patch": 2}


@patchify.case("more columns of patches than rows")
def _(draw):
    return {"images": draw.normal(3, 2, 8, 28), "patch": 4}


@patchify.case("sizes of their own")
def _(draw):
    batch, channel, rows, cols, patch = (draw.permutation(6) + 2).tolist()[:5]
    return {"images": draw.normal(batch, channel, rows * patch, cols * patch), "patch": patch}


@patchify.case("square images, every size alike")
def _(draw):
    return {"images": draw.normal(3, 3, 9, 9), "patch": 3}


@patchify.case("one pixel, one patch")
def _(draw):
    return {"images": draw.normal(1, 1, 1, 1), "patch": 1}


@patchify.case("every pixel is a patch")
def _(draw):
    return {"images": draw.normal(2, 5, 3, 4), "patch": 1}


@patchify.case("the image is one patch")
def _(draw):
    return {"images": draw.normal(2, 3, 5, 5), "patch": 5}


@patchify.case("images whose rows and columns are exchanged")
def _(draw):
    return {"images": draw.normal(2, 3, 15, 12).transpose(2, 3), "patch": 3}


@patchify.case("a grey image expanded to three channels")
def _(draw):
    return {"images": draw.normal(2, 1, 4, 10).expand(-1, 3, -1, -1), "patch": 2}


@patchify.case("half precision")
def _(draw):
    return {"images": draw.normal(1, 2, 6, 15, dtype=torch.float16), "patch": 3}


@patchify.case("the gradient comes back", probe="gradients")
def _(draw):
    return {"images": draw.normal(2, 3, 4, 10), "patch": 2}


def cut(images, patch, order="brcCyx"):
    """The six axes of the patches in an order of one's own: batch b, rows r, cols c, channel C, and y and x within a
    patch."""
    batch, channel, height, width = images.shape
    cells = images.reshape(batch, channel, height // patch, patch, width // patch, patch)
    return cells.permute(*("bCrycx".index(axis) for axis in order))


@patchify.misconception
def cut_as_the_numbers_come(images, patch):
    """Your shape is right and your patches are scrambled: the first one holds a piece of the first rows of the image,
    not a square. A reshape keeps the order of the numbers, so the axes have to be put in order before they are
    joined."""
    batch, channel, height, width = images.shape
    return images.reshape(batch, (height // patch) * (width // patch), channel * patch * patch)


@patchify.misconception
def channels_left_in_front(images, patch):
    """Your shape is right, and your squares are whole, but a row holds several squares of one channel instead of one
    square of every channel. Which axis still stands before the rows and columns of patches when you join?"""
    batch, channel, height, width = images.shape
    number = (height // patch) * (width // patch)
    return cut(images, patch, "bCrcyx").reshape(batch, number, channel * patch * patch)


@patchify.misconception
def channels_last_in_a_patch(images, patch):
    """Your patches hold red, green and blue of one pixel, then those of the next. Channel after channel is asked for:
    the whole patch in the first channel, then in the second."""
    return cut(images, patch, "brcyxC").flatten(3).flatten(1, 2)


@patchify.misconception
def patches_column_by_column(images, patch):
    """Your patches follow each other from the top down, column by column. Row by row is asked for, as one reads."""
    return cut(images, patch, "bcrCyx").flatten(3).flatten(1, 2)


@patchify.misconception
def patches_turned(images, patch):
    """Each of your patches is transposed: its columns are where its rows belong. Two of the axes inside a patch stand
    in the wrong order when they are joined."""
    return cut(images, patch, "brcCxy").flatten(3).flatten(1, 2)


@patchify.misconception
def every_so_many_pixels(images, patch):
    """Each of your patches holds pixels from all over the image, a fixed distance apart. Where the height is split, the
    rows of patches are the outer axis and the rows inside a patch the inner one; yours has them the other way round."""
    batch, channel, height, width = images.shape
    cells = images.reshape(batch, channel, patch, height // patch, patch, width // patch)
    return cells.permute(0, 3, 5, 1, 2, 4).flatten(3).flatten(1, 2)


@patchify.misconception
def a_grid_of_patches(images, patch):
    """Your patches are right, but they still stand in rows and columns. A sequence is asked for: the two axes become
    one."""
    return cut(images, patch).flatten(3)


@patchify.misconception
def patches_not_flattened(images, patch):
    """Your patches are right, but they are still small images. One row of numbers for each patch is asked for."""
    return cut(images, patch).flatten(1, 2)


@patchify.misconception
def patches_of_all_images_in_one(images, patch):
    """Yours puts the patches of all images in one long sequence. Each image keeps its own: the batch stays the first
    axis."""
    return cut(images, patch).flatten(3).flatten(0, 2)


@patchify.misconception
def a_patch_for_each_channel(images, patch):
    """Yours makes a patch of each channel. The channels of one place belong together in one row."""
    return cut(images, patch, "bCrcyx").flatten(4).flatten(1, 3)


@patchify.misconception
def rows_and_columns_counted_alike(images, patch):
    """Yours takes the image for a square: it uses one count of patches for the height and for the width. The two may
    differ."""
    batch, channel, height, _ = images.shape
    side = height // patch
    cells = images.reshape(batch, channel, side, patch, side, patch)
    return cells.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


@patchify.misconception
def joined_by_view(images, patch):
    """Yours joins the permuted axes with `view`, which never copies. After a permute the axes of a patch are no longer
    neighbours in memory, so no stride walks along all of them. Which function copies where it must?"""
    batch, channel, height, width = images.shape
    return cut(images, patch).view(batch, (height // patch) * (width // patch), channel * patch * patch)


@patchify.variant
def by_loops_and_slices(images, patch):
    patches = []
    for top in range(0, images.shape[2], patch):
        for left in range(0, images.shape[3], patch):
            patches.append(images[:, :, top : top + patch, left : left + patch].flatten(1))
    return torch.stack(patches, dim=1)


@patchify.variant
def by_unflatten_and_movedim(images, patch):
    cells = images.unflatten(3, (-1, patch)).unflatten(2, (-1, patch))
    return cells.movedim((2, 4), (1, 2)).flatten(3, 5).flatten(1, 2)


@patchify.variant
def by_einsum_of_six_axes(images, patch):
    batch, channel, height, width = images.shape
    cells = images.contiguous().view(batch, channel, height // patch, patch, width // patch, patch)
    together = torch.einsum("bCrycx->brcCyx", cells)
    return together.reshape(batch, -1, channel * patch**2)


@patchify.variant
def by_chunks(images, patch):
    bands = images.split(patch, dim=2)
    squares = [square for band in bands for square in band.split(patch, dim=3)]
    return torch.cat([square.reshape(len(images), 1, -1) for square in squares], dim=1)


@patchify.variant
def by_strides(images, patch):
    images = images.contiguous()
    batch, channel, height, width = images.shape
    b, c, h, w = images.stride()
    shape = (batch, height // patch, width // patch, channel, patch, patch)
    return images.as_strided(shape, (b, patch * h, patch * w, c, h, w)).reshape(batch, -1, channel * patch * patch)


@patchify.variant
def by_indexing(images, patch):
    _, channel, height, width = images.shape
    number = torch.arange((height // patch) * (width // patch))[:, None]
    place = torch.arange(channel * patch * patch)[None, :]
    y = number // (width // patch) * patch + place // patch % patch
    x = number % (width // patch) * patch + place % patch
    return images[:, place // (patch * patch), y, x]


# ---- unpatchify ------------------------------------------------------------------------------------------------------

unpatchify = Exercise(
    "unpatchify",
    points=3,
    forbids=NO_UNFOLDING,
    hints=[
        "Which axes were joined to the axis of patches, and which to the numbers of a patch? In which order?",
        "Split both axes again: batch, rows, cols, channel, y, x. An image has its channels first, then what makes up "
        "its height, then what makes up its width.",
        "The height is made of rows and y, side by side and in this order; the width of cols and x. So the order "
        "before joining is batch, channel, rows, y, cols, x.",
    ],
)


def patches_of(draw, batch, channel, rows, cols, patch, dtype=torch.float32):
    patches = draw.normal(batch, rows * cols, channel * patch * patch, dtype=dtype)
    return {"patches": patches, "channel": channel, "rows": rows, "cols": cols, "patch": patch}


@unpatchify.case("two images, four by five patches")
def _(draw):
    return patches_of(draw, batch=2, channel=3, rows=4, cols=5, patch=2)


@unpatchify.case("more columns of patches than rows")
def _(draw):
    return patches_of(draw, batch=3, channel=2, rows=2, cols=7, patch=4)


@unpatchify.case("sizes of their own")
def _(draw):
    return patches_of(draw, *(draw.permutation(6) + 2).tolist()[:5])


@unpatchify.case("square images, every size alike")
def _(draw):
    return patches_of(draw, batch=3, channel=3, rows=3, cols=3, patch=3)


@unpatchify.case("one patch of one pixel")
def _(draw):
    return patches_of(draw, batch=1, channel=1, rows=1, cols=1, patch=1)


@unpatchify.case("every pixel is a patch")
def _(draw):
    return patches_of(draw, batch=2, channel=5, rows=3, cols=4, patch=1)


@unpatchify.case("the image is one patch")
def _(draw):
    return patches_of(draw, batch=2, channel=3, rows=1, cols=1, patch=5)


@unpatchify.case("a column of patches, not contiguous")
def _(draw):
    arguments = patches_of(draw, batch=2, channel=4, rows=5, cols=1, patch=3)
    return {**arguments, "patches": draw.normal(2, 36, 5).transpose(1, 2)}


@unpatchify.case("one patch repeated, as a view")
def _(draw):
    arguments = patches_of(draw, batch=2, channel=3, rows=5, cols=4, patch=2)
    return {**arguments, "patches": draw.normal(2, 1, 12).expand(-1, 20, -1)}


@unpatchify.case("half precision")
def _(draw):
    return patches_of(draw, batch=1, channel=2, rows=4, cols=5, patch=3, dtype=torch.float16)


@unpatchify.case("the gradient comes back", probe="gradients")
def _(draw):
    return patches_of(draw, batch=2, channel=3, rows=2, cols=5, patch=4)


def joined(patches, channel, rows, cols, patch, split="brcCyx", order="bCrycx"):
    """Patches put together, their axes split in one order and joined in another."""
    sizes = {"b": len(patches), "r": rows, "c": cols, "C": channel, "y": patch, "x": patch}
    cells = patches.reshape(*(sizes[axis] for axis in split))
    return cells.permute(*(split.index(axis) for axis in order)).flatten(4).flatten(2, 3)


@unpatchify.misconception
def laid_out_as_the_numbers_come(patches, channel, rows, cols, patch):
    """Your shape is right and your image is scrambled: each patch was laid out along the first rows instead of as a
    square. A reshape keeps the order of the numbers; the axes have to be exchanged before they are joined."""
    return patches.reshape(len(patches), channel, rows * patch, cols * patch)


@unpatchify.misconception
def same_permute_again(patches, channel, rows, cols, patch):
    """Yours permutes with the very numbers that cut the image. A permute is undone by its inverse, which has other
    numbers here: for each axis of the image, where among the axes of the patches does it stand?"""
    cells = patches.reshape(len(patches), rows, cols, channel, patch, patch)
    shape = (len(patches), channel, rows * patch, cols * patch)
    return cells.permute(0, 2, 4, 1, 3, 5).reshape(shape)


@unpatchify.misconception
def rows_not_interleaved(patches, channel, rows, cols, patch):
    """Yours brings the channels to the front, but joins rows with cols and the inside of a patch with itself. A row of
    pixels runs through all patches beside each other: which two axes make up the height?"""
    cells = patches.reshape(len(patches), rows, cols, channel, patch, patch)
    return cells.movedim(3, 1).reshape(len(patches), channel, rows * patch, cols * patch)


@unpatchify.misconception
def patches_placed_column_by_column(patches, channel, rows, cols, patch):
    """Yours lays the patches from the top down, column by column. They come row by row: where the axis of patches is
    split, rows is the outer one."""
    return joined(patches, channel, rows, cols, patch, split="bcrCyx")


@unpatchify.misconception
def patches_laid_on_their_side(patches, channel, rows, cols, patch):
    """Each patch of your image is transposed: its rows run downwards. The two axes inside a patch have one size, so no
    error tells them apart."""
    return joined(patches, channel, rows, cols, patch, split="brcCxy")


@unpatchify.misconception
def channels_taken_for_innermost(patches, channel, rows, cols, patch):
    """Yours takes the numbers of a patch as pixel after pixel, with the channels innermost. They come channel after
    channel."""
    return joined(patches, channel, rows, cols, patch, split="brcyxC")


@unpatchify.misconception
def patches_dealt_out(patches, channel, rows, cols, patch):
    """Yours deals out the pixels of each patch over the whole image. In the height, the rows of patches are the outer
    axis and the rows inside a patch the inner one; in the width it is alike."""
    return joined(patches, channel, rows, cols, patch, order="bCyrxc")


@unpatchify.misconception
def channels_at_the_end(patches, channel, rows, cols, patch):
    """Your image is right, but its channels are last. In this course they stand behind the batch."""
    return joined(patches, channel, rows, cols, patch).movedim(1, -1)


@unpatchify.misconception
def height_and_width_exchanged(patches, channel, rows, cols, patch):
    """Your image is transposed as a whole: the columns of patches make up its height."""
    return joined(patches, channel, rows, cols, patch, order="bCcxry")


@unpatchify.misconception
def image_joined_by_view(patches, channel, rows, cols, patch):
    """Yours joins the permuted axes with `view`, which never copies. After a permute the rows of a patch are no longer
    neighbours in memory, so no stride walks along all of them. Which function copies where it must?"""
    cells = patches.reshape(len(patches), rows, cols, channel, patch, patch).permute(0, 3, 1, 4, 2, 5)
    return cells.view(len(patches), channel, rows * patch, cols * patch)


@unpatchify.variant
def by_filling_slices(patches, channel, rows, cols, patch):
    images = torch.empty(len(patches), channel, rows * patch, cols * patch, dtype=patches.dtype)
    for number in range(rows * cols):
        top, left = number // cols * patch, number % cols * patch
        square = patches[:, number].reshape(-1, channel, patch, patch)
        images[:, :, top : top + patch, left : left + patch] = square
    return images


@unpatchify.variant
def by_cat_of_bands(patches, channel, rows, cols, patch):
    squares = patches.unflatten(2, (channel, patch, patch)).unbind(1)
    bands = [torch.cat(squares[row * cols : (row + 1) * cols], dim=3) for row in range(rows)]
    return torch.cat(bands, dim=2)


@unpatchify.variant
def by_einsum_and_unflatten(patches, channel, rows, cols, patch):
    cells = patches.unflatten(1, (rows, cols)).unflatten(3, (channel, patch, patch))
    return torch.einsum("brcCyx->bCrycx", cells).reshape(-1, channel, rows * patch, cols * patch)


@unpatchify.variant
def by_strides_over_new_memory(patches, channel, rows, cols, patch):
    images = patches.new_empty(len(patches), channel, rows * patch, cols * patch)
    b, c, h, w = images.stride()
    sizes = (len(patches), rows, cols, channel, patch, patch)
    images.as_strided(sizes, (b, patch * h, patch * w, c, h, w)).copy_(patches.reshape(sizes))
    return images


@unpatchify.variant
def by_looking_up_each_pixel(patches, channel, rows, cols, patch):
    y, x = torch.arange(rows * patch)[:, None], torch.arange(cols * patch)
    number = y // patch * cols + x // patch
    place = y % patch * patch + x % patch
    return torch.stack([patches[:, number, place + c * patch * patch] for c in range(channel)], dim=1)


# ---- sliding_windows -------------------------------------------------------------------------------------------------

sliding_windows = Exercise(
    "sliding_windows",
    points=3,
    memory="view",
    hints=[
        "Where does window number w begin, and where is its last number? How many windows fit before the last number "
        "of one lies beyond the end of x?",
        "(time - size) // step + 1 windows fit. How far apart in memory are the beginnings of two windows, and how far "
        "apart are two neighbours within one? Ask x for its strides: it need not be contiguous.",
        "x.as_strided takes the new shape and the new strides: a window further is step times the stride of time. The "
        "method x.unfold(1, size, step) does the same.",
    ],
)


@sliding_windows.case("three windows, two numbers left over")
def _(draw):
    return {"x": draw.normal(2, 12), "size": 4, "step": 3}


@sliding_windows.case("one step at a time")
def _(draw):
    return {"x": draw.normal(5, draw.integer(40, 60)), "size": draw.integer(7, 9), "step": 1}


@sliding_windows.case("windows side by side")
def _(draw):
    size = draw.integer(5, 9)
    return {"x": draw.normal(3, 4 * size), "size": size, "step": size}


@sliding_windows.case("numbers between the windows are skipped")
def _(draw):
    return {"x": draw.normal(2, 22), "size": 3, "step": 5}


@sliding_windows.case("the last window ends with the last number")
def _(draw):
    size, step = draw.integer(8, 12), draw.integer(2, 3)
    return {"x": draw.normal(4, size + 6 * step), "size": size, "step": step}


@sliding_windows.case("one number is missing for one window more")
def _(draw):
    size, step = draw.integer(8, 12), draw.integer(3, 4)
    return {"x": draw.normal(3, size + 5 * step - 1), "size": size, "step": step}


@sliding_windows.case("one window holds all")
def _(draw):
    return {"x": draw.normal(3, 8), "size": 8, "step": 2}


@sliding_windows.case("windows of one number")
def _(draw):
    return {"x": draw.normal(2, 13), "size": 1, "step": 4}


@sliding_windows.case("a single number")
def _(draw):
    return {"x": draw.normal(1, 1), "size": 1, "step": 1}


@sliding_windows.case("a transposed table")
def _(draw):
    return {"x": draw.normal(11, 3).T, "size": 5, "step": 2}


@sliding_windows.case("every second number")
def _(draw):
    return {"x": draw.normal(2, 30)[:, ::2], "size": 6, "step": 3}


@sliding_windows.case("one row expanded to four")
def _(draw):
    return {"x": draw.normal(1, 14).expand(4, -1), "size": 5, "step": 4}


@sliding_windows.case("half precision")
def _(draw):
    return {"x": draw.normal(3, 17, dtype=torch.float16), "size": 5, "step": 2}


@sliding_windows.case("the gradient of a number that is in several windows", probe="gradients")
def _(draw):
    return {"x": draw.normal(2, 11), "size": 5, "step": 2}


@sliding_windows.misconception
def windows_copied(x, size, step):
    """Your windows are right, but they are a copy: `stack`, `cat`, an index that is a tensor, `contiguous` and `clone`
    all write the numbers anew. Two strides that walk along the same memory need no copy."""
    return torch.stack([x[:, i : i + size] for i in range(0, x.shape[1] - size + 1, step)], dim=1)


@sliding_windows.misconception
def step_left_out(x, size, step):
    """Your windows begin at every number. `step` says how far apart two of them begin."""
    return x.unfold(1, size, 1)


@sliding_windows.misconception
def windows_never_overlap(x, size, step):
    """Your windows follow each other without overlap, `size` apart. They begin `step` apart, whatever their size is."""
    return x.unfold(1, size, size)


@sliding_windows.misconception
def size_and_step_exchanged(x, size, step):
    """Your windows have the length of the step, and begin `size` apart: the two arguments are exchanged."""
    return x.unfold(1, step, size)


@sliding_windows.misconception
def last_window_missing(x, size, step):
    """Yours has one window too few. With time - size numbers to move in, a window has that many // step moves, and it
    stood somewhere before the first move."""
    return x.unfold(1, size, step)[:, :-1]


@sliding_windows.misconception
def last_start_left_out(x, size, step):
    """Yours loses the last window where it ends exactly with x. A window may begin at time - size too, and Python's
    `range` stops before its end."""
    return x.unfold(1, size, step)[:, : len(range(0, x.shape[1] - size, step))]


@sliding_windows.misconception
def leftover_filled_up(x, size, step):
    """Yours has one more window where numbers are left over, filled up with zeros. What does not fill a window is
    dropped; filling up needs new memory too."""
    missing = -(x.shape[1] - size) % step
    return torch.nn.functional.pad(x, (0, missing)).unfold(1, size, step) if missing else x.unfold(1, size, step)


@sliding_windows.misconception
def strides_taken_for_granted(x, size, step):
    """Yours takes for granted that the numbers of a row lie side by side. Where x is a view, a transposed one or every
    second number of another, its strides are different: `x.stride()` tells them."""
    batch, time = x.shape
    return x.as_strided((batch, (time - size) // step + 1, size), (time, step, 1))


@sliding_windows.misconception
def neighbours_in_time_one_apart(x, size, step):
    """Yours asks x for the stride of its rows, but takes 1 for the stride of time. In a transposed x, or where x is
    every second number of another, neighbours in time lie further apart: `x.stride(1)` tells how far."""
    batch, time = x.shape
    return x.as_strided((batch, (time - size) // step + 1, size), (x.stride(0), step, 1))


@sliding_windows.misconception
def step_in_memory(x, size, step):
    """Yours moves each window by `step` places in memory, but the numbers of a window by the stride of time. Where x
    takes every second number of its memory, a step over `step` numbers is twice as long."""
    batch, time = x.shape
    shape = (batch, (time - size) // step + 1, size)
    return x.as_strided(shape, (x.stride(0), step, x.stride(1)))


@sliding_windows.misconception
def position_before_window(x, size, step):
    """Your last two axes are exchanged: row i holds the number i of every window. A row for each window is asked
    for."""
    return x.unfold(1, size, step).transpose(1, 2)


@sliding_windows.misconception
def windows_of_all_rows_in_one(x, size, step):
    """Yours puts the windows of all rows below each other. Each row of x keeps its own: the batch stays the first
    axis."""
    return x.unfold(1, size, step).flatten(0, 1)


@sliding_windows.misconception
def over_the_batch(x, size, step):
    """Yours slides over the batch. Time is the second axis."""
    return x.unfold(0, size, step)


@sliding_windows.variant
def by_unfold(x, size, step):
    return x.unfold(dimension=-1, size=size, step=step)


@sliding_windows.variant
def every_window_then_some(x, size, step):
    return x.unfold(1, size, 1)[:, ::step]


@sliding_windows.variant
def from_the_transposed(x, size, step):
    return x.T.unfold(0, size, step).movedim(1, 0)


@sliding_windows.variant
def by_strides_row_after_row(x, size, step):
    count = len(range(0, x.size(1) - size + 1, step))
    along = x.stride(-1)
    return torch.as_strided(x, [len(x), count, size], [x.stride(0), along * step, along], x.storage_offset())
