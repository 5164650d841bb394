# %% [markdown]
# # 12 VGG: exercises
#
# Seven exercises, each a step to the next. You say which shapes a small VGG has, count what a stack of small kernels
# costs and how far it sees, build the block that the network is made of, count where its parameters and its memory
# lie, and then build the network from a list. At the end your own VGG reads handwritten digits.
#
# Parameters have **names** here: the checks fill yours by name, with the same numbers as the reference's, and compare
# what comes out. Initialise them as you like.
#
# Run `check(...)` below an exercise to see what is right and what is not; `hint(...)` gives the next of its hints. The
# explanation is [the lesson 12_vgg](../../lessons/12_vgg.ipynb).

# %%
import torch
from jaxtyping import Float
from torch import Tensor, nn

from autograder import check, hint, ready

# %% [markdown]
# ## 1. Shapes first
#
# *Ten minutes, on paper.* A VGG repeats two things: convolutions that keep height and width and change the channels,
# and pools that keep the channels and halve height and width. Behind them, everything that is left becomes one long
# row. Before any code: which shape does each step have?


# %%
def shapes_in_vgg(
    batch: int, image: int, first: int, second: int, hidden: int, classes: int
) -> dict[str, tuple[int, ...]]:
    """The shape of each of these tensors, for any sizes. `images` has the shape (batch, 3, image, image).

        conv1, conv2 = nn.Conv2d(3, first, 3, padding=1), nn.Conv2d(first, second, 3, padding=1)
        pool = nn.MaxPool2d(2)
        linear, last = nn.Linear(..., hidden), nn.Linear(hidden, classes)

    - "conv1.weight"
    - "after conv1": `conv1(images).relu()`
    - "after pool": `pool` of that
    - "features": `pool(conv2(...).relu())` of that
    - "flat": `flatten(start_dim=1)` of that
    - "linear.weight": of the linear layer that takes "flat"
    - "logits": `last(linear(...).relu())` of that

    `image` is at least 4 and may be odd: a pool drops a last row or column that does not fill a window. Answer with
    tuples of ints.

    Example: for batch=2, image=12, first=4, "after conv1" is (2, 4, 12, 12).
    """
    ### BEGIN SOLUTION
    side = image // 2 // 2
    flat = second * side**2
    return {
        "conv1.weight": (first, 3, 3, 3),
        "after conv1": (batch, first, image, image),
        "after pool": (batch, first, image // 2, image // 2),
        "features": (batch, second, side, side),
        "flat": (batch, flat),
        "linear.weight": (hidden, flat),
        "logits": (batch, classes),
    }
    ### END SOLUTION


# %%
check(shapes_in_vgg)

# %% [markdown]
# ## 2. What does a stack cost?
#
# *Five minutes.* One 7×7 convolution, or three 3×3 ones behind each other? Count the numbers that have to be learned.


# %%
def stack_cost(kernel: int, layers: int, channels: int) -> int:
    """The weights of `layers` square convolutions, one behind the other, without biases.

    Each has a kernel of kernel × kernel, and takes `channels` channels to as many.

    Example: stack_cost(kernel=3, layers=1, channels=2) is 36.
    """
    ### BEGIN SOLUTION
    return layers * kernel**2 * channels**2
    ### END SOLUTION


# %%
check(stack_cost)

# %% [markdown]
# ## 3. How far does it see?
#
# *Ten minutes.* One number that a 3×3 convolution gives was made from 3 pixels across. Those were themselves made from
# 3 pixels across, in the layer before. How many layers does it take until one number has seen, say, 11 pixels across?


# %%
def layers_to_see(kernel: int, pixels: int) -> int:
    """The fewest convolutions of kernel × kernel, one behind the other, of which one result has seen `pixels` pixels
    across or more.

    All have stride 1 and no dilation. `kernel` is at least 2. No layer at all sees 1 pixel.

    Example: layers_to_see(kernel=3, pixels=5) is 2.
    """
    ### BEGIN SOLUTION
    return -(-(pixels - 1) // (kernel - 1))
    ### END SOLUTION


# %%
check(layers_to_see)

# %% [markdown]
# ## 4. A block
#
# *Fifteen minutes.* The one brick that all VGGs are built of. How many convolutions it has, and of how many channels,
# are arguments, so it is made in a loop; `nn.Sequential(*layers)` takes a list apart and makes one module of it.


# %%
def vgg_block(convs: int, c_in: int, c_out: int) -> nn.Sequential:
    """`convs` times a 3×3 convolution and a ReLU, then one 2×2 max pool, all in one flat nn.Sequential.

    - Each convolution has a bias, stride 1 and padding 1, so that height and width stay. The first one takes `c_in`
      channels to `c_out`, the others `c_out` to `c_out`; each has weights of its own. `convs` is at least 1.
    - The pool halves height and width; a last row or column that does not fill a window is dropped.
    - A Sequential numbers what it holds, so the parameters are named `0.weight`, `0.bias`, `2.weight`, `2.bias`, ...

    Example: vgg_block(convs=2, c_in=3, c_out=8) holds five modules, and takes images of shape (1, 3, 6, 9) to
    (1, 8, 3, 4).
    """
    ### BEGIN SOLUTION
    layers: list[nn.Module] = []
    for i in range(convs):
        layers += [nn.Conv2d(c_in if i == 0 else c_out, c_out, kernel_size=3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.MaxPool2d(2))
    ### END SOLUTION


# %%
check(vgg_block)

# %% [markdown]
# ## 5. Where do the parameters lie?
#
# *Fifteen minutes.* A VGG is written down as a list: for each block, how many convolutions it has and how many channels
# they give. VGG-16 is `[(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]`. Behind the blocks come three linear layers.
# In a `Sequential` with ReLU and dropout between them they have the numbers 0, 3 and 6. Which part holds the most
# numbers: thirteen convolutions, or one of the linear layers?


# %%
def parameters_of_vgg(
    config: list[tuple[int, int]], classes: int = 1000, image: int = 224, hidden: int = 4096
) -> dict[str, int]:
    """How many numbers each part of a VGG has to learn, weights and biases.

    `config` has (convs, channels) for each block; the blocks are those of exercise 4, the first one takes images of 3
    channels, and each further one takes what the block before gives. Each block halves height and width, and drops a
    row or column that is left over. `image` is the height and width of the images.

    - "features": all blocks together
    - "classifier.0": nn.Linear from all that the last block gives of one image to `hidden`
    - "classifier.3": nn.Linear from `hidden` to `hidden`
    - "classifier.6": nn.Linear from `hidden` to `classes`

    Example: parameters_of_vgg([(1, 2)], classes=5, image=4, hidden=3) is
        {"features": 56, "classifier.0": 27, "classifier.3": 12, "classifier.6": 20}.

    Rules: arithmetic alone. A network is not built to count it: nn.Conv2d and nn.Linear are forbidden.
    """
    ### BEGIN SOLUTION
    features, c_in, side = 0, 3, image
    for convs, channels in config:
        features += 3 * 3 * c_in * channels + channels
        features += (convs - 1) * (3 * 3 * channels * channels + channels)
        c_in, side = channels, side // 2
    return {
        "features": features,
        "classifier.0": c_in * side**2 * hidden + hidden,
        "classifier.3": hidden * hidden + hidden,
        "classifier.6": hidden * classes + classes,
    }
    ### END SOLUTION


# %%
check(parameters_of_vgg)

# %% [markdown]
# ## 6. Where does the memory go?
#
# *Ten minutes.* To learn, a network keeps what each layer gave until the gradients are computed. Parameters are kept
# once; these *activations* are kept for every image of the batch. Here you count them for one image.


# %%
def activation_bytes(config: list[tuple[int, int]], image: int = 224) -> list[int]:
    """For each block, the bytes that the results of its convolutions take, of one image, in float32.

    A float32 takes 4 bytes. `config` and `image` are those of exercise 5. What ReLU and pool give is not counted.

    Example: activation_bytes([(1, 2), (3, 5)], image=6) is [288, 540].
    """
    ### BEGIN SOLUTION
    found, side = [], image
    for convs, channels in config:
        found.append(4 * convs * channels * side**2)
        side //= 2
    return found
    ### END SOLUTION


# %%
check(activation_bytes)

# %% [markdown]
# ## 7. The network
#
# *Twenty minutes.* All of it, from the list. Which arguments decide how many numbers the first linear layer takes?


# %%
class VGG(nn.Module):
    """A VGG: blocks of convolutions, then three linear layers.

    - `features`: an nn.Sequential with one `vgg_block` for each (convs, channels) of `config`. The first block takes
      images of 3 channels, each further one takes what the block before gives. Its parameters are named
      `features.0.0.weight`, `features.0.0.bias`, ...
    - then all that is left of an image is flattened into one row, in the order (channel, height, width);
    - `classifier`: an nn.Sequential of Linear(channels·side², hidden), ReLU, Dropout(0.5), Linear(hidden, hidden),
      ReLU, Dropout(0.5), Linear(hidden, classes), where `side` is the height and width that the last block leaves of
      an image of image × image. Its parameters are named `classifier.0.weight`, `classifier.3.weight`,
      `classifier.6.weight`, ...

    Images come in the size that the network was built for. What comes out are logits: no softmax.

    Example: VGG([(1, 64), (1, 128), (2, 256), (2, 512), (2, 512)]) is VGG-11, of 132,863,336 parameters. It takes
    images of shape (2, 3, 224, 224) to logits of shape (2, 1000).
    """

    def __init__(
        self, config: list[tuple[int, int]], classes: int = 1000, image: int = 224, hidden: int = 4096
    ) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        blocks, c_in, side = [], 3, image
        for convs, channels in config:
            blocks.append(vgg_block(convs, c_in, channels))
            c_in, side = channels, side // 2
        self.features = nn.Sequential(*blocks)
        self.classifier = nn.Sequential(
            nn.Linear(c_in * side**2, hidden),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(hidden, classes),
        )
        ### END SOLUTION

    def forward(self, images: Float[Tensor, "batch channel=3 height width"]) -> Float[Tensor, "batch classes"]:
        """The logits of each image."""
        ### BEGIN SOLUTION
        return self.classifier(self.features(images).flatten(start_dim=1))
        ### END SOLUTION


# %%
check(VGG)

# %% [markdown]
# ## Your VGG at work
#
# The cell below counts VGG-16 with *your* functions, and then trains a small VGG of *your* own on real handwritten
# digits: 1,797 images of 8 × 8 pixels, scanned from forms. A quarter of them are held back. You see how the loss falls,
# and which of the digits that it has never seen it gets wrong. It takes about ten seconds.
#
# How many of ten digits do you expect it to read? And which ones will it mix up?

# %%
# demonstration: digits read by the learner's own network
if ready(parameters_of_vgg, activation_bytes, vgg_block, VGG):
    import importlib.util

    sixteen = [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]
    parts, kept = parameters_of_vgg(sixteen), activation_bytes(sixteen)
    print(f"VGG-16 has {sum(parts.values()):,} parameters; {parts['classifier.0']:,} are in its first linear layer.")
    print(
        f"Its convolutions keep {sum(kept) / 1e6:.0f} MB for one image, {kept[0] / sum(kept):.0%} in the first block."
    )
    if importlib.util.find_spec("sklearn") is None:
        print("The digits come with scikit-learn, which is not installed. In a terminal, in the course's folder, run")
        print('    .venv/bin/pip install -c constraints.txt -e ".[capstones]"')
        print("and then this cell again.")
    else:
        import matplotlib.pyplot as plt
        from sklearn.datasets import load_digits

        torch.set_num_threads(1)  # a model this small gains nothing from more
        torch.manual_seed(0)
        data = load_digits()
        digits = torch.from_numpy(data.images).float()[:, None] / 16
        digits, labels = digits.expand(-1, 3, -1, -1), torch.from_numpy(data.target)  # grey: three equal channels
        held_back = 450
        model = VGG([(2, 16), (2, 32)], classes=10, image=8, hidden=128)
        optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
        losses, unseen_losses, rounds = [], [], 20
        for _ in range(rounds):
            model.train()
            for batch in torch.randperm(len(digits) - held_back).split(64):
                loss = nn.functional.cross_entropy(model(digits[batch]), labels[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            model.eval()
            with torch.no_grad():
                logits = model(digits)
                each = nn.functional.cross_entropy(logits, labels, reduction="none")
            losses.append(each[:-held_back].mean().item())
            unseen_losses.append(each[-held_back:].mean().item())
        said = logits.argmax(dim=1)
        wrong = [i for i in range(len(digits) - held_back, len(digits)) if said[i] != labels[i]]
        print(f"Of {held_back} digits that it has never seen it reads {1 - len(wrong) / held_back:.1%}.")
        figure, axis = plt.subplots(figsize=(6, 2.6), facecolor="white")
        axis.plot(range(1, rounds + 1), losses, color="#0072B2", label="digits it learned from")
        axis.plot(range(1, rounds + 1), unseen_losses, color="#D55E00", linestyle="--", label="digits held back")
        axis.set(xlabel="times through the digits", ylabel="loss", yscale="log", xticks=range(0, rounds + 1, 5))
        axis.legend(frameon=False)
        figure.tight_layout()
        shown = wrong[:12]
        if shown:
            figure, axes = plt.subplots(
                1, len(shown), figsize=(0.9 * len(shown), 1.5), facecolor="white", squeeze=False
            )
            figure.suptitle("what it got wrong: the digit, and what it said", fontsize=9)
            for axis, i in zip(axes[0], shown, strict=True):
                axis.imshow(digits[i, 0].numpy(), cmap="gray_r")
                axis.set_title(f"{labels[i]}: {said[i]}", fontsize=9)
                axis.axis("off")
        plt.show()
