# %% [markdown]
# # 10 Convolution: exercises
#
# Seven exercises, each a step to the next. A kernel is a small window of weights that slides over an image and gives
# one number wherever it stands. You work out how many such places there are, write the convolution as one matrix
# product, take the largest and the mean of what it gives, and tell how far a stack of layers sees. The last exercise
# puts them together to a network, and your own network then learns to tell which way a camera was shaken.
#
# Run `check(...)` below an exercise to see what is right and what is not; `hint(...)`, as in `hint(conv2d)`, gives the
# next of its hints. The explanation is [the lesson 10_convolution](../../lessons/10_convolution.ipynb).

# %%
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from autograder import check, hint, ready

# %% [markdown]
# ## 1. Shapes first
#
# *Ten minutes, on paper.* A convolution is a matrix product in disguise. `F.unfold` copies every window of the images
# into a column; the kernels, each written as one row, are multiplied with all columns at once; and the products are put
# back into the places of an image. Before any code: which shape does each tensor on this way have?


# %%
def shapes_in_convolution(
    batch: int, c_in: int, height: int, width: int, c_out: int, kh: int, kw: int
) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor below, for any sizes at which the kernel fits into the images.

    `images` has the shape (batch, c_in, height, width). Each of the c_out kernels is kh rows by kw columns large and
    reaches through all c_in channels. It moves by one pixel at a time, and nothing is put around the images, unless
    said otherwise. The answer's keys are

    - "weight": the weights of all kernels in one tensor, in the order c_out, c_in, kernel rows, kernel columns
    - "bias": one number for each kernel
    - "columns": `F.unfold(images, (kh, kw))`, with three axes: batch, then the numbers of one window, all its channels
      included, then the places where the kernel can stand
    - "matrix": `weight.flatten(1)`
    - "products": `matrix @ columns`
    - "result": the products, their places put back into rows and columns: an image with c_out channels
    - "average": `result.mean(dim=(2, 3))`
    - "padded": `images` with one row of zeros above and one below, and two columns of zeros on the left and two on the
      right

    Example: for batch=2, c_in=3, height=5, width=8, c_out=4, kh=3, kw=2, "weight" is (4, 3, 3, 2), and the kernel can
    stand in 3 rows and 7 columns.
    """
    ### BEGIN SOLUTION
    out_height, out_width = height - kh + 1, width - kw + 1
    return {
        "weight": (c_out, c_in, kh, kw),
        "bias": (c_out,),
        "columns": (batch, c_in * kh * kw, out_height * out_width),
        "matrix": (c_out, c_in * kh * kw),
        "products": (batch, c_out, out_height * out_width),
        "result": (batch, c_out, out_height, out_width),
        "average": (batch, c_out),
        "padded": (batch, c_in, height + 2, width + 4),
    }
    ### END SOLUTION


# %%
check(shapes_in_convolution)

# %% [markdown]
# ## 2. How many places are there?
#
# *Ten minutes.* Padding makes the image larger, a stride lets the kernel skip places, and dilation spreads the kernel
# out. One formula has all three in it. Derive it: how far does the first window reach, and how many steps still fit
# after it?


# %%
def conv_output_size(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """How many windows fit along one axis of `size` pixels; a Python int.

    `padding` pixels are added at *both* ends. A window reads `kernel` pixels that lie `dilation` apart: neighbours for
    dilation=1, every second pixel for dilation=2. Each window begins `stride` pixels after the one before it; only
    windows that lie wholly on the padded axis count.

    Examples:
        conv_output_size(7, kernel=3) is 5
        conv_output_size(7, kernel=3, stride=2, padding=1) is 4
        conv_output_size(8, kernel=3, stride=2) is 3: the last pixel is not read
        conv_output_size(7, kernel=3, dilation=2) is 3: a window reads pixels 0, 2 and 4, and so spans 5

    Rules: at least one window fits; kernel, stride and dilation are at least 1.
    """
    ### BEGIN SOLUTION
    span = dilation * (kernel - 1) + 1
    return (size + 2 * padding - span) // stride + 1
    ### END SOLUTION


# %%
check(conv_output_size)

# %% [markdown]
# ## 3. The convolution
#
# *Twenty minutes.* Multiply each window by the kernel, number by number, and add everything up. With `F.unfold` all of
# it is one matrix product, which is what fast libraries have long done. The kernel is not turned around: what is called
# a convolution in deep learning is a cross-correlation in mathematics.


# %%
def conv2d(
    images: Float[Tensor, "batch c_in height width"],
    weight: Float[Tensor, "c_out c_in kh kw"],
    bias: Float[Tensor, "c_out"] | None,
    stride: int = 1,
    padding: int = 0,
) -> Float[Tensor, "batch c_out out_height out_width"]:
    """The kernels' answers at every place where they fit, plus each kernel's bias; without one where it is None.

    With `padded` for the images between `padding` rows and columns of zeros on all four sides, the result at
    [b, o, y, x] is bias[o] plus the sum over all c, i and j of

        weight[o, c, i, j] * padded[b, c, y * stride + i, x * stride + j]

    Windows that do not fit are dropped. The result has the dtype of the images, and gradients reach the images, the
    weight and the bias.

    Example, one image and one kernel of one channel each:
        images  [[[[1., 2., 3.],   weight  [[[[10., 1.]]]]   bias  [100.]   result  [[[[112., 123.],
                   [4., 5., 6.]]]]                                                     [145., 156.]]]]

    Rules: none of torch's own convolutions, neither as function nor as module, of one, two or three dimensions,
    transposed ones included. F.unfold and F.pad are allowed. No input is changed; each may be a view that is not
    contiguous.
    """
    ### BEGIN SOLUTION
    height, width = images.shape[2:]
    kh, kw = weight.shape[2:]
    out_height = (height + 2 * padding - kh) // stride + 1
    out_width = (width + 2 * padding - kw) // stride + 1
    columns = F.unfold(images, (kh, kw), stride=stride, padding=padding)
    products = weight.flatten(1) @ columns
    result = products.unflatten(2, (out_height, out_width))
    return result if bias is None else result + bias[:, None, None]
    ### END SOLUTION


# %%
check(conv2d)

# %% [markdown]
# ## 4. The largest of each window
#
# *Fifteen minutes.* A pooling slides a window too, but has no weights, and looks at each channel by itself. Keeping the
# largest number says that something was found here, and forgets where in the window it was.


# %%
def max_pool2d(
    images: Float[Tensor, "batch channel height width"], kernel: int, stride: int
) -> Float[Tensor, "batch channel out_height out_width"]:
    """The largest number of each window of `kernel` times `kernel` pixels, for every channel by itself.

    The first window lies in the upper left corner and the others follow every `stride` pixels, downwards and to the
    right. There is no padding, and windows that do not fit are dropped. `stride` may be smaller than `kernel`, so that
    windows overlap, or larger, so that pixels are skipped. All numbers of a window may be negative.

    Example, kernel=2, stride=2; the last column does not fill a window:
        images  [[[[1., -2., 5., 6., 9.],   result  [[[[3., 7.]]]]
                   [0.,  3., 7., 4., 8.]]]]

    Rules: none of torch's own max poolings and no adaptive pooling, neither as function nor as module; F.unfold is
    allowed. The images are not changed, and may be a view. The result has their dtype, and gradients reach them.
    """
    ### BEGIN SOLUTION
    rows = images.unfold(2, kernel, stride).amax(dim=-1)
    return rows.unfold(3, kernel, stride).amax(dim=-1)
    ### END SOLUTION


# %%
check(max_pool2d)

# %% [markdown]
# ## 5. One number for each channel
#
# *Five minutes.* At the end of a network the map of each channel becomes one number: its mean. What is left does not
# depend on the image's size any more, so one network reads images of any size.


# %%
def global_average_pool(images: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch channel"]:
    """The mean of each channel of each image over all its pixels.

    Example, one image with two channels of two rows and two columns:
        images  [[[[1., 2.], [3., 6.]], [[0., 0.], [0., 10.]]]]   result  [[3.0, 2.5]]

    Rules: no adaptive pooling, neither as function nor as module. The images are not changed. The result has their
    dtype, and gradients reach them.
    """
    ### BEGIN SOLUTION
    return images.flatten(2).mean(dim=-1)
    ### END SOLUTION


# %%
check(global_average_pool)

# %% [markdown]
# ## 6. How far does it see?
#
# *Fifteen minutes.* One number behind one layer depends on as many pixels as its kernel is wide. Behind the next layer
# it depends on several of those numbers, and so on more pixels. How many in the end is the *receptive field*. A stride
# makes all later layers see further: their neighbours lie further apart on the image.


# %%
def receptive_field(layers: list[tuple[int, int]]) -> int:
    """How many pixels of the input lie from the first to the last one that one number of the last layer depends on.

    `layers` are pairs (kernel, stride), from the input to the output, for convolutions and poolings alike. Counted is
    along one axis, both ends included, far from the border; pixels between that no window reads count too. No layers
    see the one pixel itself. The result is a Python int.

    Examples:
        receptive_field([]) is 1
        receptive_field([(3, 1), (3, 1)]) is 5
        receptive_field([(3, 2), (3, 1)]) is 7: three numbers that lie 2 pixels apart, each of them 3 pixels wide
        receptive_field([(2, 4), (3, 1)]) is 10: the same with three numbers 4 pixels apart, each 2 wide

    Rules: the list is not changed.
    """
    ### BEGIN SOLUTION
    field, apart = 1, 1  # pixels; how far apart on the input two neighbours of this layer lie
    for kernel, stride in layers:
        field += (kernel - 1) * apart
        apart *= stride
    return field
    ### END SOLUTION


# %%
check(receptive_field)

# %% [markdown]
# ## 7. A network of your own parts
#
# *Twenty minutes.* Kernels become parameters, and your functions a network: two convolutions with a pooling between
# them, an average, and a linear layer that makes a score for each class of what was found. Nothing in it depends on the
# height and width of the images.


# %%
class SmallConvNet(nn.Module):
    """Images in, a score for each class out.

    Parameters, by these names: `weight1` of shape (c_hidden, c_in, 3, 3), `bias1` of shape (c_hidden,), `weight2` of
    shape (c_out, c_hidden, 3, 3), and `head`, an nn.Linear(c_out, classes), with its own `head.weight` and `head.bias`.
    There is no second bias. How you initialise the weights is up to you, but none is zero everywhere:
    `torch.randn(shape) / (fan_in ** 0.5)` is a good start, where fan_in is how many numbers one kernel sees.

    The steps:

    1. `conv2d` with weight1 and bias1, stride 1, padding 1; then ReLU
    2. `max_pool2d` with kernel 3, stride 2
    3. `conv2d` with weight2, without bias, stride 2, padding 1; then ReLU
    4. `global_average_pool`
    5. `head`, and nothing behind it: scores, not probabilities

    Rules: call your own functions. torch's own convolutions, max poolings and adaptive poolings are forbidden here
    too; F.relu, nn.ReLU and the method relu are not.
    """

    weight1: Float[Tensor, "c_hidden c_in kh kw"]
    bias1: Float[Tensor, "c_hidden"]
    weight2: Float[Tensor, "c_out c_hidden kh kw"]

    def __init__(self, c_in: int, c_hidden: int, c_out: int, classes: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.weight1 = nn.Parameter(torch.randn(c_hidden, c_in, 3, 3) / (9 * c_in) ** 0.5)
        self.bias1 = nn.Parameter(torch.zeros(c_hidden))
        self.weight2 = nn.Parameter(torch.randn(c_out, c_hidden, 3, 3) / (9 * c_hidden) ** 0.5)
        self.head = nn.Linear(c_out, classes)
        ### END SOLUTION

    def forward(self, images: Float[Tensor, "batch c_in height width"]) -> Float[Tensor, "batch classes"]:
        """A score for each class of each image. Height and width are at least 3."""
        ### BEGIN SOLUTION
        x = conv2d(images, self.weight1, self.bias1, padding=1).relu()
        x = max_pool2d(x, kernel=3, stride=2)
        x = conv2d(x, self.weight2, None, stride=2, padding=1).relu()
        return self.head(global_average_pool(x))
        ### END SOLUTION


# %%
check(SmallConvNet)

# %% [markdown]
# ## A shaken camera, told apart by your network
#
# The portrait is of Grace Hopper, who wrote one of the first compilers. The US Navy took it, it is in the public
# domain, and Matplotlib brings it along. The cell below runs when all seven exercises are right:
#
# - `conv2d` lays four kernels that people designed over the photograph, all at once: four channels come out.
# - `max_pool2d` keeps the strongest edges of each 8 by 8 pixels.
# - Two more kernels shake the camera, sideways and up and down. `SmallConvNet` then learns from small pieces of the
#   *left* half of the photograph which of the two happened, or neither, and is asked about pieces of the right half,
#   which it has never seen. `global_average_pool` brings each piece to mean 0 and variance 1 before.
# - At the end you see the six kernels that it made up in its first layer. Nobody designed them.
#
# It takes about twenty seconds, longer if your functions loop over pixels.

# %%
# demonstration: a photograph under kernels, and a network that learns kernels of its own
if ready(
    shapes_in_convolution,
    conv_output_size,
    conv2d,
    max_pool2d,
    global_average_pool,
    receptive_field,
    SmallConvNet,
):
    import matplotlib.pyplot as plt
    from matplotlib.cbook import get_sample_data

    torch.set_num_threads(1)  # a network this small gains nothing from more
    photo = torch.tensor(plt.imread(get_sample_data("grace_hopper.jpg", asfileobj=False)))
    grey = photo.float().mean(dim=2)[None, None, ::2, ::2] / 255  # (batch, channel, height, width)
    height, width = grey.shape[2:]

    designed = {
        "blurred": torch.full((3, 3), 1 / 9),
        "sharpened": torch.tensor([[0.0, -1.0, 0.0], [-1.0, 5.0, -1.0], [0.0, -1.0, 0.0]]),
        "edges from left to right": torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]),
        "edges from the top down": torch.tensor([[-1.0, -2.0, -1.0], [0.0, 0.0, 0.0], [1.0, 2.0, 1.0]]),
    }
    answers = conv2d(grey, torch.stack(list(designed.values()))[:, None], None)
    strongest = max_pool2d(answers[:, 2:].abs(), kernel=8, stride=8)
    edges = tuple(conv_output_size(size, kernel=3) for size in (height, width))
    print(f"the photograph {height, width}, its edges {edges}, their strongest {tuple(strongest.shape[2:])}")

    figure, axes = plt.subplots(1, 6, figsize=(13, 3), facecolor="white", layout="constrained")
    pictures = {"the photograph": grey[0, 0], **dict(zip(designed, answers[0], strict=True))}
    pictures["strongest of 8 × 8"] = strongest[0].amax(dim=0)
    for axis, (title, picture) in zip(axes, pictures.items(), strict=True):
        darkest, brightest = {"edges": (-1, 1), "strongest": (0, 3)}.get(title.partition(" ")[0], (0, 1))
        axis.imshow(picture, cmap="gray", vmin=darkest, vmax=brightest)
        axis.set_title(title, fontsize=9)
        axis.set_axis_off()
    plt.show()

    shaken = torch.full((1, 1, 1, 7), 1 / 7)  # seven pixels of a row, run into one
    sideways = conv2d(F.pad(grey, (3, 3, 0, 0), mode="replicate"), shaken, None)
    up_and_down = conv2d(F.pad(grey, (0, 0, 3, 3), mode="replicate"), shaken.mT, None)
    versions = torch.cat([grey, sideways, up_and_down])[:, 0]
    kinds = ["still", "sideways", "up and down"]

    def pieces(count: int, left: int, right: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pieces of 32 × 32 pixels between two columns of the photograph, and what happened to each."""
        kind = torch.randint(3, (count,), generator=generator)
        y = torch.randint(height - 32, (count, 1, 1), generator=generator) + torch.arange(32)[:, None]
        x = torch.randint(left, right - 32, (count, 1, 1), generator=generator) + torch.arange(32)
        cut = versions[kind[:, None, None], y, x][:, None]
        centred = cut - global_average_pool(cut)[:, :, None, None]
        spread = global_average_pool(centred.square())[:, :, None, None].sqrt()
        return centred / (spread + 0.02), kind

    torch.manual_seed(1)
    model = SmallConvNet(1, 6, 12, classes=3)
    for parameter in model.parameters():  # the same start for everyone
        nn.init.kaiming_normal_(parameter) if parameter.dim() > 1 else nn.init.zeros_(parameter)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    generator = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(300):
        images, kind = pieces(64, 0, width // 2, generator)
        loss = F.cross_entropy(model(images), kind)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    images, kind = pieces(1000, width // 2, width, torch.Generator().manual_seed(0))
    with torch.no_grad():
        told = model(images).argmax(dim=1)
    seen = receptive_field([(3, 1), (3, 2), (3, 2)])
    print(f"{sum(p.numel() for p in model.parameters())} parameters, each number of the last map sees {seen} pixels")
    for number, name in enumerate(kinds):
        share = (told[kind == number] == number).float().mean()
        print(f"pieces of the right half that were {name}: {share:.0%} told right")

    figure, axes = plt.subplots(2, 7, figsize=(13, 3.6), facecolor="white", layout="constrained")
    axes[0, 0].plot(losses, color="#0072B2")
    axes[0, 0].set(xlabel="step", ylabel="loss")
    axes[1, 0].set_axis_off()
    wrong = (told != kind).nonzero()[:3, 0].tolist()
    right = (told == kind).nonzero()[: 6 - len(wrong), 0].tolist()
    for axis, i in zip(axes[0, 1:], right + wrong, strict=True):
        axis.imshow(images[i, 0], cmap="gray")
        was, said = kinds[kind[i]], kinds[told[i]]
        axis.set_title(was if was == said else f"{was}\ntaken for {said}", fontsize=9)
        axis.set_axis_off()
    for axis, kernel in zip(axes[1, 1:], model.weight1.detach()[:, 0], strict=True):
        axis.imshow(kernel, cmap="PuOr", vmin=-1.5, vmax=1.5)
        axis.set_title("learned", fontsize=9)
        axis.set_axis_off()
    plt.show()
