# %% [markdown]
# # 02 Broadcasting: exercises
#
# Seven exercises, each a step to the next. Two tensors of different shapes meet; an axis of size 1 stretches to the
# size that the other one has there. With that one rule you build what a network is full of: a bias for each channel, a
# norm, all distances between two sets of points, one-hot labels, a padding mask. At the end your own functions repaint
# a photograph with a handful of colours.
#
# Run `check(...)` below an exercise to see what is right and what is not; `hint(...)` gives the next of its hints. The
# explanation is [the lesson 02_broadcasting](../../lessons/02_broadcasting.ipynb).

# %%
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from autograder import check, hint, ready

# %% [markdown]
# ## 1. Shapes first
#
# *Five minutes, on paper.* Two shapes are lined up from the right. Where one of them has a 1, or nothing, the other
# one's size is the result's. Before any code: which shape does each expression have?


# %%
def shapes_after_broadcasting(
    batch: int, channel: int, height: int, width: int, feature: int, classes: int
) -> dict[str, tuple[int, ...]]:
    """The shape of each expression below, for any sizes. Answer with tuples of the parameters and of ones.

    The tensors are

        images      (batch, channel, height, width)      x           (batch, feature)
        bias        (channel,)                           prototypes  (classes, feature)
        prediction  (batch, 1)                           labels      (batch,)

    and the answer's keys

    - "column": `bias[:, None, None]`
    - "shifted": `images + bias[:, None, None]`
    - "channel_mean": `images.mean(dim=(0, 2, 3), keepdim=True)`
    - "differences": `x[:, None] - prototypes`
    - "is_class": `labels[:, None] == torch.arange(classes)`
    - "error": `prediction - labels`

    Example: with channel=3, "column" is (3, 1, 1).
    """
    ### BEGIN SOLUTION
    return {
        "column": (channel, 1, 1),
        "shifted": (batch, channel, height, width),
        "channel_mean": (1, channel, 1, 1),
        "differences": (batch, classes, feature),
        "is_class": (batch, classes),
        "error": (batch, batch),
    }
    ### END SOLUTION


# %%
check(shapes_after_broadcasting)

# %% [markdown]
# ## 2. The rule itself
#
# *Fifteen minutes.* PyTorch, NumPy and JAX share one rule for shapes that meet. Whoever has written it once reads error
# messages about sizes at a glance. You write it for shapes alone: no tensor is needed.


# %%
def broadcast_shape(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that tensors of the shapes `a` and `b` have together, by broadcasting, as a tuple.

    The shapes are lined up from the right. At each place the two sizes must be equal, or one of them must be
    1 or missing: then the other one is the result's. Where they do not fit, raise a ValueError, with any
    message.

    Examples:
        broadcast_shape((5, 1, 3), (4, 1)) is (5, 4, 3)
        broadcast_shape((2, 3), (3,)) is (2, 3)
        broadcast_shape((2, 3), (2,)) raises ValueError: 3 and 2 meet on the right
        broadcast_shape((), (4,)) is (4,): a single number has no axes

    Rules: pure Python, without torch or NumPy. Sizes are integers from 1 up, and may be larger than any
    memory holds.
    """
    ### BEGIN SOLUTION
    length = max(len(a), len(b))
    a = (1,) * (length - len(a)) + a
    b = (1,) * (length - len(b)) + b
    shape = []
    for left, right in zip(a, b, strict=True):
        if left != right and left != 1 and right != 1:
            raise ValueError(f"{left} and {right} do not fit")
        shape.append(right if left == 1 else left)
    return tuple(shape)
    ### END SOLUTION


# %%
check(broadcast_shape)

# %% [markdown]
# ## 3. One number for each channel
#
# *Five minutes.* A convolution adds one number to each channel, the same at every pixel of every image. The bias has
# one axis and the images have four, so the bias has to be told where its axis belongs.


# %%
def add_channel_bias(
    images: Float[Tensor, "batch channel height width"], bias: Float[Tensor, "channel"]
) -> Float[Tensor, "batch channel height width"]:
    """Add `bias[c]` to every pixel of channel c, in every image. The result has the dtype of the images.

    Example, one image with two channels of one row and two columns, bias=[10., 20.]:
        images  [[[[1., 2.]],   [[3., 4.]]]]
        result  [[[[11., 12.]], [[23., 24.]]]]

    Rules: neither input is changed. Any two axes may have the same size by chance.
    """
    ### BEGIN SOLUTION
    return images + bias[:, None, None]
    ### END SOLUTION


# %%
check(add_channel_bias)

# %% [markdown]
# ## 4. Every feature on the same scale
#
# *Ten minutes.* One feature counts in thousands, another in thousandths. Standardizing brings each of them to mean 0
# and variance 1 over the batch. It is the heart of batch normalization, and it is two broadcasts.


# %%
def standardize(x: Float[Tensor, "batch feature"], eps: float = 1e-5) -> Float[Tensor, "batch feature"]:
    """(x - mean) / sqrt(var + eps), where each feature has its own mean and variance over the batch.

    The variance is the biased one: the sum of the squared deviations divided by batch, not by batch - 1. A
    batch of one row therefore gives zeros. The result has the dtype of x.

    Example, eps=0.:
        x       [[1., 10.],   result  [[-1., -1.],
                 [3., 30.]]            [ 1.,  1.]]

    Rules: x is not changed. No ready-made norm: no layer_norm, batch_norm, instance_norm, group_norm or
    rms_norm, neither as a function nor as a module.
    """
    ### BEGIN SOLUTION
    mean = x.mean(dim=0, keepdim=True)
    variance = x.var(dim=0, keepdim=True, correction=0)
    return (x - mean) / torch.sqrt(variance + eps)
    ### END SOLUTION


# %%
check(standardize)

# %% [markdown]
# ## 5. All pairs at once
#
# *Fifteen minutes.* How far is each point of one set from each point of another? Nearest neighbours, k-means and the
# scores of attention all begin with such a table. n points and m points make n·m pairs, and no loop is needed.


# %%
def pairwise_distances(x: Float[Tensor, "n feature"], y: Float[Tensor, "m feature"]) -> Float[Tensor, "n m"]:
    """The Euclidean distance between each row of x and each row of y: the root of the sum of squared differences.

    The result at [i, j] is the distance from x[i] to y[j], and has the dtype of the inputs. A point may be in
    both sets: its distance to itself is 0.

    Example:
        x = [[0., 0.], [3., 0.]], y = [[0., 4.], [3., 0.], [0., 0.]]
        result  [[4., 3., 0.],
                 [5., 0., 3.]]

    Rules: no loops over n or m, comprehensions included; no cdist, pdist or pairwise_distance. Neither input
    is changed. The formula |x|² + |y|² - 2 x·y is right too; the lesson shows what it costs.
    """
    ### BEGIN SOLUTION
    differences = x[:, None, :] - y[None, :, :]
    return differences.square().sum(dim=2).sqrt()
    ### END SOLUTION


# %%
check(pairwise_distances)

# %% [markdown]
# ## 6. A class becomes a row
#
# *Five minutes.* A label such as 2 is a name, not a quantity: class 2 is not twice class 1. So a network is given a row
# with a 1 in place 2 and zeros elsewhere. Ask each label, for every class: is it you?


# %%
def one_hot(labels: Int[Tensor, "batch"], classes: int) -> Float[Tensor, "batch classes"]:
    """A row for each label: 1 in the column that the label names, 0 elsewhere; float32.

    Every label is at least 0 and below `classes`.

    Example, classes=3:
        labels  [2, 0]   result  [[0., 0., 1.],
                                  [1., 0., 0.]]

    Rules: compare. No one_hot, eye, diag, embedding, gather, no scatter_... or index_..., no loops. The labels
    are not changed, and may be of any integer dtype.
    """
    ### BEGIN SOLUTION
    return (labels[:, None] == torch.arange(classes)).float()
    ### END SOLUTION


# %%
check(one_hot)

# %% [markdown]
# ## 7. Lengths become a mask
#
# *Five minutes.* The sentences of a batch have different lengths, but a tensor is a rectangle: the rest is filled up
# with padding. From the lengths alone you can tell which positions are real. You will use this mask in every lesson on
# sequences.


# %%
def lengths_to_mask(lengths: Int[Tensor, "batch"], max_len: int) -> Bool[Tensor, "batch max_len"]:
    """True at the first `lengths[i]` positions of row i, False after them: True means "a real token".

    A length of 0 gives a row of False. No length is above `max_len`.

    Example, max_len=4:
        lengths  [3, 0, 4]   result  [[True,  True,  True,  False],
                                      [False, False, False, False],
                                      [True,  True,  True,  True ]]

    Rules: no loops, comprehensions included. The lengths are not changed, and may be of any integer dtype.
    """
    ### BEGIN SOLUTION
    return torch.arange(max_len) < lengths[:, None]
    ### END SOLUTION


# %%
check(lengths_to_mask)

# %% [markdown]
# ## A photograph in twelve colours, painted by your functions
#
# The portrait is of Grace Hopper, who wrote one of the first compilers. The US Navy took it, it is in the public
# domain, and Matplotlib brings it along. The cell below runs when all seven exercises are right:
#
# - `add_channel_bias` makes it warmer: more red, less blue.
# - Each pixel becomes a row of five features: its red, green and blue, its row and its column. `standardize` lets a row
#   number of three digits and a colour between 0 and 1 count alike.
# - k-means then finds twelve centres. `pairwise_distances` tells which centre is nearest to each pixel; `one_hot`
#   writes that as a table of pixels and centres, and one matrix product with it adds up each centre's pixels.
# - `lengths_to_mask` draws how many pixels each colour has got.

# %%
# demonstration: a photograph in twelve colours
if ready(
    shapes_after_broadcasting,
    broadcast_shape,
    add_channel_bias,
    standardize,
    pairwise_distances,
    one_hot,
    lengths_to_mask,
):
    import matplotlib.pyplot as plt
    from matplotlib.cbook import get_sample_data

    photo = torch.tensor(plt.imread(get_sample_data("grace_hopper.jpg", asfileobj=False)))
    photo = photo[::4, ::4].permute(2, 0, 1)[None] / 255  # (batch, channel, height, width)
    warm = add_channel_bias(photo, torch.tensor([0.12, 0.02, -0.12])).clamp(0, 1)

    _, _, height, width = photo.shape
    colours = photo[0].permute(1, 2, 0).reshape(-1, 3)
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    places = torch.stack([(rows + 0 * columns).flatten(), (columns + 0 * rows).flatten()], dim=1)
    pixels = standardize(torch.cat([colours, places], dim=1))

    k = 12
    centres = pixels[torch.linspace(0, len(pixels) - 1, k).long()]
    for _ in range(30):
        belongs = one_hot(pairwise_distances(pixels, centres).argmin(dim=1), k)  # (pixels, k)
        centres = belongs.T @ pixels / belongs.sum(dim=0)[:, None].clamp(min=1)
    count = belongs.sum(dim=0)
    palette = belongs.T @ colours / count[:, None].clamp(min=1)
    painted = (belongs @ palette).reshape(height, width, 3)

    order = palette.sum(dim=1).argsort(descending=True)
    bars = lengths_to_mask((100 * count[order] / count.max()).long(), 100)  # (k, 100)
    chart = torch.where(bars[:, :, None], palette[order][:, None, :], torch.ones(3))
    print("all differences of pixels and centres:", broadcast_shape((len(pixels), 1, 5), (k, 5)))

    pictures = {
        "the photograph": photo[0].permute(1, 2, 0),
        "warmer: a bias for each channel": warm[0].permute(1, 2, 0),
        "twelve centres": painted,
        "how many pixels each has": chart,
    }
    figure, axes = plt.subplots(1, 4, figsize=(12, 4), facecolor="white", layout="constrained")
    for axis, (title, picture) in zip(axes, pictures.items(), strict=True):
        axis.imshow(picture, aspect="auto", interpolation="nearest")
        axis.set_box_aspect(height / width)
        axis.set_title(title, fontsize=10)
        axis.set_axis_off()
    plt.show()
