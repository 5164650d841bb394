# %% [markdown]
# # 01 Shapes: exercises
#
# Seven exercises, each a step to the next. A tensor is a row of numbers in memory, and beside it a shape and strides
# that say how to walk along that row. With these two you flatten images, turn them, cut them into patches as a vision
# transformer does, put them together again, and let a window slide over a sound without copying a single number. At the
# end your own functions play with a photograph and draw a melody.
#
# Run `check(...)` below an exercise to see what is right and what is not; `hint(...)`, as in `hint(strides_of)`, gives
# the next of its hints. The explanation is [the lesson 01_shapes](../../lessons/01_shapes.ipynb).

# %%
import torch
from jaxtyping import Float
from torch import Tensor

from autograder import check, hint, ready

# %% [markdown]
# ## 1. Shapes first
#
# *Ten minutes, on paper.* The stride of an axis says how many numbers further along in memory the next element of that
# axis lies. A *view* has a shape and strides of its own over memory that was there before; a *copy* writes the numbers
# again, somewhere else. Before any code: what does each expression give?


# %%
def shapes_after_reshaping(
    batch: int, channel: int, height: int, width: int
) -> dict[str, tuple[tuple[int, ...], tuple[int, ...], str]]:
    """For each expression below its shape, its strides and "view" or "copy", for any sizes from 2 up.

    `images` has the shape (batch, channel, height, width) and lies in memory in this order without gaps: its strides
    are (channel*height*width, height*width, width, 1). The answer's keys are

    - "flat": `images.flatten(1)`, which makes one axis of all from axis 1 on
    - "channels_last": `images.permute(0, 2, 3, 1)`
    - "packed": `images.permute(0, 2, 3, 1).contiguous()`
    - "pixels": `images.permute(0, 2, 3, 1).flatten(1, 2)`, which makes one axis of axes 1 and 2
    - "columns": `images.transpose(2, 3).flatten(2)`
    - "even_rows": `images[:, :, ::2]`, the rows 0, 2, 4 and so on

    A flatten is a view where one stride can walk along the joined axis, and a copy where none can.

    Example: for batch=2, channel=3, height=4, width=5, "flat" is ((2, 60), (60, 1), "view").
    """
    ### BEGIN SOLUTION
    image, plane = channel * height * width, height * width
    return {
        "flat": ((batch, image), (image, 1), "view"),
        "channels_last": ((batch, height, width, channel), (image, width, 1, plane), "view"),
        "packed": ((batch, height, width, channel), (image, width * channel, channel, 1), "copy"),
        "pixels": ((batch, plane, channel), (image, 1, plane), "view"),
        "columns": ((batch, channel, plane), (image, plane, 1), "copy"),
        "even_rows": ((batch, channel, (height + 1) // 2, width), (image, plane, 2 * width, 1), "view"),
    }
    ### END SOLUTION


# %%
check(shapes_after_reshaping)

# %% [markdown]
# ## 2. From a shape to its strides
#
# *Ten minutes.* A new tensor lies in memory row after row: the last axis moves fastest, and the first one slowest. So
# its strides follow from its shape. This is all that a tensor library needs to find an element.


# %%
def strides_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a contiguous tensor of this shape, row after row, in elements, as a tuple.

    The stride of an axis is how many elements lie between two neighbours along that axis.

    Examples:
        strides_of((2, 3, 4)) is (12, 4, 1): 12 elements to the next matrix, 4 to the next row, 1 to the next number
        strides_of((5,)) is (1,)
        strides_of(()) is (): a single number has no axes

    Rules: pure Python, without torch or NumPy. Sizes are integers from 1 up, and may be larger than any memory holds.
    """
    ### BEGIN SOLUTION
    strides = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))
    ### END SOLUTION


# %%
check(strides_of)

# %% [markdown]
# ## 3. One row for each image
#
# *Five minutes.* A linear layer takes a row of numbers, not an image. The numbers of an image already lie one behind
# the other, so nothing has to move: the three axes of an image become one.


# %%
def flatten_images(
    images: Float[Tensor, "batch channel height width"],
) -> Float[Tensor, "batch (channel*height*width)"]:
    """Each image as one row: channel after channel, in it row after row, in it column after column.

    Example, one image with two channels of one row and three columns:
        images  [[[[1., 2., 3.]], [[4., 5., 6.]]]]   result  [[1., 2., 3., 4., 5., 6.]]

    Rules: a view where the images lie in memory in this order, as a new tensor does, and no copy of them. The images
    may also come as a view whose memory is in another order, such as a transposed one; then the order of the *axes*
    counts, and a copy is right. The images are not changed.
    """
    ### BEGIN SOLUTION
    return images.flatten(start_dim=1)
    ### END SOLUTION


# %%
check(flatten_images)

# %% [markdown]
# ## 4. The channels at the end
#
# *Five minutes.* PyTorch keeps the channels of an image first; cameras, files and Matplotlib keep them last, red, green
# and blue of a pixel side by side. To exchange axes is one thing, and to move the numbers in memory another.


# %%
def to_channels_last(
    images: Float[Tensor, "batch channel height width"],
) -> Float[Tensor, "batch height width channel"]:
    """The same images with the channels as the last axis; the result at [b, y, x, c] is `images[b, c, y, x]`.

    The result is contiguous: the channels of a pixel lie side by side in memory.

    Example, one image with two channels of one row and three columns:
        images  [[[[1., 2., 3.]], [[4., 5., 6.]]]]   result  [[[[1., 4.], [2., 5.], [3., 6.]]]]

    Rules: the images are not changed.
    """
    ### BEGIN SOLUTION
    return images.movedim(1, -1).contiguous()
    ### END SOLUTION


# %%
check(to_channels_last)

# %% [markdown]
# ## 5. An image becomes a sequence of patches
#
# *Twenty minutes.* A vision transformer reads an image as a sentence whose words are square patches. Cut the height in
# rows of patches and the width in columns, bring the axes that belong to one patch together, and join them. A reshape
# alone gives the right shape and the wrong pixels.


# %%
def patchify(
    images: Float[Tensor, "batch channel (rows*patch) (cols*patch)"], patch: int
) -> Float[Tensor, "batch (rows*cols) (channel*patch*patch)"]:
    """Cut each image into square patches of `patch` times `patch` pixels, and make one row of each patch.

    The patches follow each other row by row, from left to right and from the top down. In a patch, channel follows
    channel; in a channel, row follows row, and in a row, column follows column.

    Example, one image with two channels of two rows and four columns, patch=2:
        images  [[[[ 0.,  1.,  2.,  3.],        result  [[[0., 1., 4., 5., 10., 11., 14., 15.],
                   [ 4.,  5.,  6.,  7.]],                 [2., 3., 6., 7., 12., 13., 16., 17.]]]
                  [[10., 11., 12., 13.],
                   [14., 15., 16., 17.]]]]

    Rules: no unfold, fold, pixel_shuffle or pixel_unshuffle, neither as function nor as method or module: reshape and
    permute are the point. `patch` divides the height and the width. The images may be a view that is not contiguous,
    and are not changed.
    """
    ### BEGIN SOLUTION
    batch, channel, height, width = images.shape
    cells = images.reshape(batch, channel, height // patch, patch, width // patch, patch)
    return cells.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
    ### END SOLUTION


# %%
check(patchify)

# %% [markdown]
# ## 6. And the patches an image again
#
# *Fifteen minutes.* A model that paints works on patches and hands out an image. Every step of `patchify` can be
# undone, in the opposite order. A permute is undone by another one, and seldom by itself.


# %%
def unpatchify(
    patches: Float[Tensor, "batch (rows*cols) (channel*patch*patch)"], channel: int, rows: int, cols: int, patch: int
) -> Float[Tensor, "batch channel (rows*patch) (cols*patch)"]:
    """Put patches together to images: the inverse of `patchify`.

    `rows` and `cols` count patches, not pixels: an image has rows*patch rows of pixels. The order of the patches, and
    of the numbers in a patch, is that of `patchify`.

    Example, channel=1, rows=1, cols=2, patch=2:
        patches  [[[0., 1., 4., 5.],      result  [[[[0., 1., 2., 3.],
                   [2., 3., 6., 7.]]]                [4., 5., 6., 7.]]]]

    Rules: no unfold, fold, pixel_shuffle or pixel_unshuffle, neither as function nor as method or module. The patches
    may be a view that is not contiguous, and are not changed.
    """
    ### BEGIN SOLUTION
    cells = patches.reshape(len(patches), rows, cols, channel, patch, patch)
    return cells.permute(0, 3, 1, 4, 2, 5).flatten(2, 3).flatten(-2)
    ### END SOLUTION


# %%
check(unpatchify)

# %% [markdown]
# ## 7. A window that slides without a copy
#
# *Fifteen minutes.* Sound, prices and heartbeats are read through windows that overlap. Written one below the other
# they would hold most numbers several times. Strides can do better: two axes may walk along the same memory.


# %%
def sliding_windows(x: Float[Tensor, "batch time"], size: int, step: int) -> Float[Tensor, "batch windows size"]:
    """Windows of `size` numbers of each row of x, the first one at 0, each `step` after the one before it, as a view.

    What is left at the end and does not fill a window is dropped. `size` is from 1 to time; `step` is at least 1 and
    may be larger than `size`, so that numbers between two windows are skipped.

    Example, size=3, step=2:
        x  [[0., 1., 2., 3., 4., 5., 6., 7.]]   result  [[[0., 1., 2.],
                                                          [2., 3., 4.],
                                                          [4., 5., 6.]]]

    Rules: no copy, the result shares the memory of x. That holds for any strides that x may have: x may be a view
    itself. torch's functions only; `as_strided` and the method `unfold` are both allowed. x is not changed.
    """
    ### BEGIN SOLUTION
    batch, time = x.shape
    starts = range(0, time - size + 1, step)
    return x.as_strided((batch, len(starts), size), (x.stride(0), step * x.stride(1), x.stride(1)))
    ### END SOLUTION


# %%
check(sliding_windows)

# %% [markdown]
# ## A shuffled photograph and a melody, by your functions
#
# The portrait is of Grace Hopper, who wrote one of the first compilers. The US Navy took it, it is in the public
# domain, and Matplotlib brings it along. The cell below runs when all seven exercises are right:
#
# - `patchify` cuts the photograph. The patches are shuffled; hidden but for every fourth, as a masked autoencoder sees
#   them while it learns; and each replaced by its mean, which is what a very coarse camera would see.
# - `unpatchify` puts each of these together to an image again. Sorted back, the shuffled patches are the photograph.
# - `flatten_images` makes a row of each picture, so that one subtraction tells how far it is from the photograph, and
#   `to_channels_last` hands the pictures to Matplotlib.
# - `sliding_windows` runs over a melody of about 17,000 numbers; the frequencies in each window become a column of the
#   last picture. `strides_of` says how far apart windows lie that would be copied.

# %%
# demonstration: a photograph in patches, a melody in windows
if ready(
    shapes_after_reshaping,
    strides_of,
    flatten_images,
    to_channels_last,
    patchify,
    unpatchify,
    sliding_windows,
):
    import matplotlib.pyplot as plt
    from matplotlib.cbook import get_sample_data

    torch.manual_seed(0)
    patch, rows, cols = 32, 18, 16
    photo = torch.tensor(plt.imread(get_sample_data("grace_hopper.jpg", asfileobj=False)))
    photo = photo[: rows * patch, : cols * patch].permute(2, 0, 1)[None] / 255  # (batch, channel, height, width)

    patches = patchify(photo, patch)
    order = torch.randperm(rows * cols)
    shuffled = patches[:, order]
    is_seen = torch.rand(rows * cols, 1) < 0.25
    means = patches.unflatten(2, (3, -1)).mean(dim=3, keepdim=True)  # one number for each patch and channel
    versions = {
        "shuffled": shuffled,
        "sorted back": shuffled[:, order.argsort()],
        "one patch in four": torch.where(is_seen, patches, 0.8),
        "the mean of each patch": means.expand(-1, -1, -1, patch * patch).flatten(2),
    }
    pictures = torch.cat([unpatchify(version, 3, rows, cols, patch) for version in versions.values()])
    distances = (flatten_images(pictures) - flatten_images(photo)).square().mean(dim=1)
    for name, distance in zip(versions, distances.tolist(), strict=True):
        print(f"{name:24}mean squared difference to the photograph: {distance:.4f}")

    rate = 8_000  # numbers a second
    seconds = torch.arange(int(0.35 * rate)) / rate
    notes = [262.0, 330.0, 392.0, 523.0, 392.0, 330.0]  # Hz
    melody = torch.cat([torch.sin(2 * torch.pi * note * seconds) * torch.exp(-4 * seconds) for note in notes])[None]
    windows = sliding_windows(melody, size=512, step=64)
    spectrum = torch.fft.rfft(windows * torch.hann_window(512)).abs()[0, :, :48]
    print(f"{windows.numel():,} numbers in windows, {melody.numel():,} in memory;")
    print(f"strides {windows.stride()}, and of a copy {strides_of(tuple(windows.shape))}")

    figure, axes = plt.subplots(1, 5, figsize=(13, 3.4), facecolor="white", layout="constrained")
    for axis, (title, picture) in zip(axes, zip(versions, to_channels_last(pictures), strict=True), strict=False):
        axis.imshow(picture)
        axis.set_title(title, fontsize=10)
        axis.set_axis_off()
    reach = (0, melody.numel() / rate, 0, 48 * rate / 512)
    axes[4].imshow(spectrum.T.sqrt(), origin="lower", aspect="auto", cmap="Blues", extent=reach)
    axes[4].set_title("six notes in windows", fontsize=10)
    axes[4].set(xlabel="seconds", ylabel="Hz")
    plt.show()
