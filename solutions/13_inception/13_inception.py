# %% [markdown]
# # 13 Inception: exercises
#
# Six exercises, each a step to the next. An Inception block looks at the same maps with kernels of several sizes at
# once and lays the results on top of each other. You count what its 1×1 bottlenecks save, build the block and the head
# that trains the middle of a network, and put nine blocks together: GoogLeNet, with the parameters and the sizes of the
# paper.
#
# Parameters have **names** here: the checks fill yours by name, with the same numbers as the reference's, and compare
# what comes out. Maps are channels first, (batch, channel, height, width).
#
# Run `check(...)` below an exercise to see what is right and what is not; `hint(...)` gives the next of its hints. The
# explanation is [the lesson 13_inception](../../lessons/13_inception.ipynb).

# %%
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from autograder import check, hint, ready

# %% [markdown]
# ## 1. Shapes first
#
# *Ten minutes, on paper.* Four branches look at the same maps x:
#
# | branch | layers |
# |---|---|
# | `branch1` | 1×1 convolution to c1 |
# | `branch3` | 1×1 convolution to c3_reduce, then 3×3 convolution to c3 |
# | `branch5` | 1×1 convolution to c5_reduce, then 5×5 convolution to c5 |
# | `branch_pool` | 3×3 max pooling, stride 1, then 1×1 convolution to c_pool |
#
# Every layer is padded so that its output has the height and the width of its input. The four results are joined on the
# channel axis. Before any code: which shape does each tensor have?


# %%
def shapes_in_inception_block(
    batch: int,
    c_in: int,
    c1: int,
    c3_reduce: int,
    c3: int,
    c5_reduce: int,
    c5: int,
    c_pool: int,
    height: int,
    width: int,
) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor in a block that is given x of shape (batch, c_in, height, width), for any sizes.

    - "branch1": what the first branch gives
    - "reduced3", "branch3": after the 1×1 and after the 3×3 convolution of the second
    - "reduced5", "branch5": after the 1×1 and after the 5×5 convolution of the third
    - "pooled", "branch_pool": after the pooling and after the 1×1 convolution of the fourth
    - "joined": the block's result
    - "weight5": the weight of the 5×5 convolution, as nn.Conv2d keeps it

    Example: for batch=2, c1=64, height=28, width=30, "branch1" is (2, 64, 28, 30).
    """
    ### BEGIN SOLUTION
    channels = {
        "branch1": c1,
        "reduced3": c3_reduce,
        "branch3": c3,
        "reduced5": c5_reduce,
        "branch5": c5,
        "pooled": c_in,
        "branch_pool": c_pool,
        "joined": c1 + c3 + c5 + c_pool,
    }
    shapes: dict[str, tuple[int, ...]] = {name: (batch, count, height, width) for name, count in channels.items()}
    return shapes | {"weight5": (c5, c5_reduce, 5, 5)}
    ### END SOLUTION


# %%
check(shapes_in_inception_block)

# %% [markdown]
# ## 2. What a bottleneck saves
#
# *Ten minutes.* A wide kernel over many channels is costly. A 1×1 convolution in front of it mixes the channels into
# fewer, for little. How little?


# %%
def bottleneck_cost(c_in: int, c_mid: int, c_out: int, kernel: int, height: int, width: int) -> tuple[int, int]:
    """The multiply-adds of one image, without and with a 1×1 convolution in front.

    - Without: a kernel×kernel convolution from c_in channels to c_out.
    - With: a 1×1 convolution from c_in to c_mid, then a kernel×kernel convolution from c_mid to c_out.

    Stride 1, padded so that every output is height×width; no biases. One multiplication with its addition counts
    once. The products with padding count too. `c_mid` may be larger than the others; the answer is two ints.

    Example: bottleneck_cost(c_in=4, c_mid=1, c_out=2, kernel=3, height=5, width=6) is (2160, 660).
    """
    ### BEGIN SOLUTION
    without = c_in * c_out * kernel**2
    reduced = c_in * c_mid + c_mid * c_out * kernel**2
    return height * width * without, height * width * reduced
    ### END SOLUTION


# %%
check(bottleneck_cost)

# %% [markdown]
# ## 3. The block
#
# *Twenty minutes.* The branches of exercise 1 as a module. `nn.Sequential` numbers its layers, ReLUs and poolings
# included, and the numbers are in the parameters' names.


# %%
class InceptionBlock(nn.Module):
    """Four branches over the same maps, joined on the channel axis.

    Each branch is an nn.Sequential; a ReLU follows **every** convolution, the 1×1 ones included, and nothing else.
    Convolutions have biases and stride 1.

    - `branch1`: 1×1 to c1
    - `branch3`: 1×1 to c3_reduce, 3×3 to c3
    - `branch5`: 1×1 to c5_reduce, 5×5 to c5
    - `branch_pool`: max pooling 3×3 with stride 1, 1×1 to c_pool

    So the parameters are `branch1.0.weight`, `branch3.0.weight`, `branch3.2.weight`, `branch5.0.weight`,
    `branch5.2.weight`, `branch_pool.1.weight` and their biases. Height and width stay as they are in every layer. The
    result has the channels of branch1 first, then those of branch3, branch5 and branch_pool.

    Example: InceptionBlock(192, 64, 96, 128, 16, 32, 32), the paper's block 3a, has 163,696 parameters and makes
    (batch, 256, 28, 30) of (batch, 192, 28, 30).

    Rules: the input is not changed.
    """

    def __init__(self, c_in: int, c1: int, c3_reduce: int, c3: int, c5_reduce: int, c5: int, c_pool: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.branch1 = nn.Sequential(nn.Conv2d(c_in, c1, 1), nn.ReLU())
        self.branch3 = nn.Sequential(
            nn.Conv2d(c_in, c3_reduce, 1), nn.ReLU(), nn.Conv2d(c3_reduce, c3, 3, padding=1), nn.ReLU()
        )
        self.branch5 = nn.Sequential(
            nn.Conv2d(c_in, c5_reduce, 1), nn.ReLU(), nn.Conv2d(c5_reduce, c5, 5, padding=2), nn.ReLU()
        )
        self.branch_pool = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), nn.Conv2d(c_in, c_pool, 1), nn.ReLU())
        ### END SOLUTION

    def forward(self, x: Float[Tensor, "batch c_in height width"]) -> Float[Tensor, "batch c_out height width"]:
        """The four branches' maps, one behind the other; c_out is c1 + c3 + c5 + c_pool."""
        ### BEGIN SOLUTION
        return torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.branch_pool(x)], dim=1)
        ### END SOLUTION


# %%
check(InceptionBlock)

# %% [markdown]
# ## 4. A head half-way
#
# *Fifteen minutes.* In a deep network without shortcuts and without normalisation little gradient reaches the first
# layers. An auxiliary head is a small classifier on the maps in the middle of the network: its loss has a shorter way
# back. It helps in training and is thrown away afterwards.


# %%
class AuxiliaryHead(nn.Module):
    """A classifier on maps of 14×14 to 16×16 (any height and width with which 4×4 are left after the pooling).

    In this order:

    1. average pooling, kernel 5×5, stride 3, no padding
    2. `conv`: 1×1 convolution from c_in to 128 channels, with bias; ReLU
    3. flatten: channels, then height, then width, as flatten does
    4. `fc1`: nn.Linear(2048, 1024); ReLU
    5. dropout with p = 0.7, in training alone
    6. `fc2`: nn.Linear(1024, classes): the logits

    `conv`, `fc1` and `fc2` are attributes of the module, so that the parameters are `conv.weight`, `conv.bias`,
    `fc1.weight` and so on.

    Example: AuxiliaryHead(512) makes (batch, 1000) of (batch, 512, 14, 14).
    """

    def __init__(self, c_in: int, classes: int = 1000) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.conv = nn.Conv2d(c_in, 128, 1)
        self.fc1 = nn.Linear(2048, 1024)
        self.dropout = nn.Dropout(0.7)
        self.fc2 = nn.Linear(1024, classes)
        ### END SOLUTION

    def forward(self, x: Float[Tensor, "batch c_in height width"]) -> Float[Tensor, "batch classes"]:
        """The logits."""
        ### BEGIN SOLUTION
        pooled = F.avg_pool2d(x, kernel_size=5, stride=3)
        reduced = self.conv(pooled).relu()
        hidden = self.fc1(reduced.flatten(1)).relu()
        return self.fc2(self.dropout(hidden))
        ### END SOLUTION


# %%
check(AuxiliaryHead)

# %% [markdown]
# ## 5. Three losses are one
#
# *Five minutes.* In training the network answers three times. The answers of the heads count less.


# %%
def auxiliary_loss(
    logits: Float[Tensor, "batch classes"],
    aux1: Float[Tensor, "batch classes"],
    aux2: Float[Tensor, "batch classes"],
    labels: Int[Tensor, "batch"],
    weight: float = 0.3,
) -> Float[Tensor, ""]:
    """The loss of `logits` plus `weight` times the loss of each of the two heads.

    Each of the three losses is the cross-entropy with `labels`, averaged over the batch; F.cross_entropy takes logits
    and labels and gives that. The result has no axes, and gradients flow to all three.

    Example: with all logits zero and 4 classes each loss is log 4 = 1.3863, and the result is 1.6 · 1.3863 = 2.2181.
    """
    ### BEGIN SOLUTION
    return F.cross_entropy(logits, labels) + weight * (F.cross_entropy(aux1, labels) + F.cross_entropy(aux2, labels))
    ### END SOLUTION


# %%
check(auxiliary_loss)

# %% [markdown]
# ## 6. GoogLeNet
#
# *Thirty minutes.* Twenty-two layers with weights from your own blocks, as Szegedy and others put them together in
# 2014, in table 1 of their paper. The sizes are those of one image of 224×224.
#
# | row | layer | output: channels × height × width |
# |---|---|---|
# | `conv1` | 7×7, stride 2, padding 3 | 64 × 112 × 112 |
# | | pool | 64 × 56 × 56 |
# | `conv2` | 1×1 | 64 × 56 × 56 |
# | `conv3` | 3×3, padding 1 | 192 × 56 × 56 |
# | | pool | 192 × 28 × 28 |
# | `inception3a` | InceptionBlock(192, 64, 96, 128, 16, 32, 32) | 256 × 28 × 28 |
# | `inception3b` | InceptionBlock(256, 128, 128, 192, 32, 96, 64) | 480 × 28 × 28 |
# | | pool | 480 × 14 × 14 |
# | `inception4a` | InceptionBlock(480, 192, 96, 208, 16, 48, 64) | 512 × 14 × 14 |
# | `inception4b` | InceptionBlock(512, 160, 112, 224, 24, 64, 64) | 512 × 14 × 14 |
# | `inception4c` | InceptionBlock(512, 128, 128, 256, 24, 64, 64) | 512 × 14 × 14 |
# | `inception4d` | InceptionBlock(512, 112, 144, 288, 32, 64, 64) | 528 × 14 × 14 |
# | `inception4e` | InceptionBlock(528, 256, 160, 320, 32, 128, 128) | 832 × 14 × 14 |
# | | pool | 832 × 7 × 7 |
# | `inception5a` | InceptionBlock(832, 256, 160, 320, 32, 128, 128) | 832 × 7 × 7 |
# | `inception5b` | InceptionBlock(832, 384, 192, 384, 48, 128, 128) | 1024 × 7 × 7 |
# | | average over height and width | 1024 |
# | | dropout, p = 0.4 | 1024 |
# | `fc` | Linear to the classes | 1000 |


# %%
class GoogLeNet(nn.Module):
    """The network of the table above, from your InceptionBlock and AuxiliaryHead.

    - `conv1`, `conv2` and `conv3` are convolutions with biases; a ReLU follows each. There is no normalisation.
    - The four poolings are max poolings, kernel 3×3, stride 2, no padding, with ceil_mode=True: a window that hangs
      over the edge counts, and 112 becomes 56.
    - With `aux`, `aux1` is an AuxiliaryHead on the output of inception4a, and `aux2` on that of inception4d; without,
      the network has no such parameters.
    - In training with `aux` the result is a tuple of three logits: (logits, aux1's, aux2's). Otherwise it is the logits
      alone, and the heads do not run: in evaluation images of other sizes can be classified too.
    - Dropout drops in training alone. Gradients flow back from all three results into everything below them.

    Example: GoogLeNet() has 13,378,280 parameters, GoogLeNet(aux=False) 6,998,552.
    """

    def __init__(self, classes: int = 1000, aux: bool = True) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3)
        self.conv2 = nn.Conv2d(64, 64, 1)
        self.conv3 = nn.Conv2d(64, 192, 3, padding=1)
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception3a = InceptionBlock(192, 64, 96, 128, 16, 32, 32)
        self.inception3b = InceptionBlock(256, 128, 128, 192, 32, 96, 64)
        self.inception4a = InceptionBlock(480, 192, 96, 208, 16, 48, 64)
        self.inception4b = InceptionBlock(512, 160, 112, 224, 24, 64, 64)
        self.inception4c = InceptionBlock(512, 128, 128, 256, 24, 64, 64)
        self.inception4d = InceptionBlock(512, 112, 144, 288, 32, 64, 64)
        self.inception4e = InceptionBlock(528, 256, 160, 320, 32, 128, 128)
        self.inception5a = InceptionBlock(832, 256, 160, 320, 32, 128, 128)
        self.inception5b = InceptionBlock(832, 384, 192, 384, 48, 128, 128)
        self.aux1 = AuxiliaryHead(512, classes) if aux else None
        self.aux2 = AuxiliaryHead(528, classes) if aux else None
        self.dropout = nn.Dropout(0.4)
        self.fc = nn.Linear(1024, classes)
        ### END SOLUTION

    def forward(
        self, images: Float[Tensor, "batch channel=3 height width"]
    ) -> Float[Tensor, "batch classes"] | tuple[Tensor, Tensor, Tensor]:
        """The logits; in training with `aux` those of the two heads too."""
        ### BEGIN SOLUTION
        x = self.pool(self.conv1(images).relu())
        x = self.pool(self.conv3(self.conv2(x).relu()).relu())
        x = self.pool(self.inception3b(self.inception3a(x)))
        at_4a = self.inception4a(x)
        at_4d = self.inception4d(self.inception4c(self.inception4b(at_4a)))
        x = self.pool(self.inception4e(at_4d))
        x = self.inception5b(self.inception5a(x))
        logits = self.fc(self.dropout(x.mean(dim=(2, 3))))
        if self.training and self.aux1 is not None and self.aux2 is not None:
            return logits, self.aux1(at_4a), self.aux2(at_4d)
        return logits
        ### END SOLUTION


# %%
check(GoogLeNet)

# %% [markdown]
# ## Your network at work
#
# The first cell below holds your network against the paper: it is built without numbers, runs once, and every row of
# table 1 is read off. The second sends a real photograph through it, untrained, and asks how much gradient each of the
# three losses brings to each layer. Where do you expect the heads' curves to end, and which loss reaches `conv1` best?
# The third trains a small network of your blocks. Together they take about half a minute.

# %%
# demonstration: table 1 of the paper, from the learner's own GoogLeNet
if ready(InceptionBlock, AuxiliaryHead, GoogLeNet):
    paper = {
        "conv1": (64, 112, 112),
        "pool 1": (64, 56, 56),
        "conv3": (192, 56, 56),
        "pool 2": (192, 28, 28),
        "inception3a": (256, 28, 28),
        "inception3b": (480, 28, 28),
        "pool 3": (480, 14, 14),
        "inception4a": (512, 14, 14),
        "inception4b": (512, 14, 14),
        "inception4c": (512, 14, 14),
        "inception4d": (528, 14, 14),
        "inception4e": (832, 14, 14),
        "pool 4": (832, 7, 7),
        "inception5a": (832, 7, 7),
        "inception5b": (1024, 7, 7),
        "average": (1024,),
        "fc": (1000,),
    }
    behind = {
        "conv2": "pool 1",
        "inception3a": "pool 2",
        "inception4a": "pool 3",
        "inception5a": "pool 4",
        "fc": "average",
    }
    with torch.device("meta"):
        network, one_image = GoogLeNet().eval(), torch.empty(1, 3, 224, 224)
    rows: dict[str, tuple[int, ...]] = {}

    def note(name: str, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Keep the sizes of what a layer gave; what came in is what the pooling in front of it gave."""
        if name in behind:
            rows[behind[name]] = tuple(inputs[0].shape[1:])
        rows[name] = tuple(output.shape[1:])

    for name, part in network.named_children():
        if name in paper or name in behind:
            part.register_forward_hook(lambda _, inputs, output, name=name: note(name, inputs, output))
    network(one_image)
    for name, size in paper.items():
        yours = rows.get(name, ())
        verdict = "as in the paper" if yours == size else f"the paper has {' × '.join(map(str, size))}"
        print(f"{name:12} {' × '.join(map(str, yours)):>15}   {verdict}")
    print(f"{sum(p.numel() for p in network.parameters()):,} parameters")

# %%
# demonstration: how much gradient each loss brings to each layer
if ready(GoogLeNet, auxiliary_loss):
    import matplotlib.cbook
    import matplotlib.pyplot as plt
    import numpy as np

    torch.set_num_threads(1)
    torch.manual_seed(0)
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        photo = torch.from_numpy(np.asarray(plt.imread(file)).copy()).permute(2, 0, 1).float() / 255
    photo = (photo - photo.mean()) / photo.std()
    crops = torch.stack([photo[:, 20:244, 140:364], photo[:, 300:524, 100:324]])
    labels = torch.tensor([3, 7])
    network = GoogLeNet(classes=10)
    results = network(crops)
    print(f"the loss of all three: {auxiliary_loss(*results, labels).item():.3f}")
    layers = {name: p for name, p in network.named_parameters() if name in ("conv1.weight", "conv3.weight")}
    layers |= {
        n: p for n, p in network.named_parameters() if n.startswith("inception") and n.endswith("branch1.0.weight")
    }
    figure, axes = plt.subplots(figsize=(8, 3.2), facecolor="white")
    for answer, label, marker in zip(results, ("logits", "aux1", "aux2"), "os^", strict=True):
        loss = F.cross_entropy(answer, labels)
        found = torch.autograd.grad(loss, list(layers.values()), retain_graph=True, allow_unused=True)
        pairs = zip(found, layers.values(), strict=True)
        sizes = [torch.nan if g is None else (g.norm() / p.norm()).item() for g, p in pairs]
        axes.plot([name.split(".")[0].removeprefix("inception") for name in layers], sizes, marker=marker, label=label)
        print(f"the loss of {label:6} brings conv1 {sizes[0]:.1e} of its own size")
    axes.set(yscale="log", xlabel="layer", ylabel="gradient / weight", title="gradient by layer, for each loss alone")
    axes.legend(frameon=False)
    figure.tight_layout()
    plt.show()

# %%
# demonstration: a small network of the learner's blocks finds where in a photograph a cut-out lies
if ready(InceptionBlock):
    import matplotlib.cbook
    import matplotlib.pyplot as plt
    import numpy as np

    torch.set_num_threads(1)
    torch.manual_seed(0)
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        photo = torch.from_numpy(np.asarray(plt.imread(file)).copy()).permute(2, 0, 1).float() / 255
    photo, side = (photo - photo.mean()) / photo.std(), 112

    def cut(count: int) -> tuple[Tensor, Tensor]:
        """Cut-outs of 112×112 pixels, every second one kept, and in which of nine fields their corners lie."""
        top, left = torch.randint(photo.shape[1] - side, (count,)), torch.randint(photo.shape[2] - side, (count,))
        fields = top * 3 // (photo.shape[1] - side) * 3 + left * 3 // (photo.shape[2] - side)
        corners = zip(top.tolist(), left.tolist(), strict=True)
        pieces = [photo[:, row : row + side : 2, column : column + side : 2] for row, column in corners]
        return torch.stack(pieces), fields

    small = nn.Sequential(
        nn.Conv2d(3, 24, 7, stride=4, padding=3),
        nn.ReLU(),
        InceptionBlock(24, 16, 16, 24, 8, 12, 12),
        InceptionBlock(64, 16, 16, 24, 8, 12, 12),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),
        InceptionBlock(64, 24, 24, 48, 8, 12, 12),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(96, 9),
    )
    optimizer, losses = torch.optim.Adam(small.parameters(), lr=3e-3), []
    for _ in range(200):
        pieces, fields = cut(32)
        loss = F.cross_entropy(small(pieces), fields)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    pieces, fields = cut(400)
    with torch.no_grad():
        found = small(pieces).argmax(dim=1)
    right = (found == fields).float().mean()
    print(f"{right:.0%} of 400 new cut-outs are found in the right field of nine; guessing finds {1 / 9:.0%}")
    figure, axes = plt.subplots(figsize=(6, 2.6), facecolor="white")
    axes.plot(losses, color="#0072B2")
    axes.set(xlabel="step", ylabel="loss")
    figure.tight_layout()
    plt.show()
