# %% [markdown]
# # 23 Multi-head attention: exercises
#
# Six exercises, each a step to the next. One attention gives each target one average, and in an average nobody can tell
# who said what. So attention is done several times side by side, in *heads*, each on a few channels of its own. Heads
# need no new arithmetic: they are a reshape before attention and the same reshape backwards after it. You build the
# two reshapes, put attention between them, count what heads cost, and end with the module that stands in every
# Transformer.
#
# A **target** position looks (`tgt`), a **source** position is looked at (`src`). A mask is **True where a position may
# be looked at**. With `heads` heads, each has `d_head` = d_model / heads channels. Parameters have names here: the
# checks fill your weights by name, the same as the reference's, and compare what comes out.
#
# Run `check(...)` below an exercise to see what is right and what is not; `hint(...)`, as in `hint(split_heads)`, gives
# the next of its hints. The explanation is [the lesson 23_multi_head](../../lessons/23_multi_head.ipynb).

# %%
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from autograder import check, hint, own, ready

# %% [markdown]
# ## Given: attention, from 21_attention
#
# This is the attention of lesson 21, ready-made, so that you need not have done that lesson here. Everything in it is
# about the last two axes: any axes may stand in front of them, a batch alone or batch and heads. You may call it,
# change it, or write your own.


# %%
def attention(
    q: Float[Tensor, "*lead tgt d_k"],
    k: Float[Tensor, "*lead src d_k"],
    v: Float[Tensor, "*lead src d_v"],
    mask: Bool[Tensor, "*lead tgt src"] | None = None,
) -> tuple[Float[Tensor, "*lead tgt d_v"], Float[Tensor, "*lead tgt src"]]:
    """Scaled dot-product attention: the output and the weights. The mask may have any shape that broadcasts to that of
    the scores; what may look at nothing has weights and an output of 0."""
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        lowest = torch.finfo(scores.dtype).min
        weights = scores.masked_fill(~mask, lowest).softmax(dim=-1).masked_fill(~mask, 0)
    return weights @ v, weights


# %% [markdown]
# ## 1. Shapes first
#
# *Ten minutes, on paper.* Before any code: which shape has each step of an attention with several heads? The queries
# come in as (batch, tgt, heads · d_head), the keys and values as (batch, src, heads · d_head).


# %%
def shapes_of_heads(batch: int, tgt: int, src: int, heads: int, d_head: int) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor on the way through an attention with several heads, for any sizes.

    `q` has the shape (batch, tgt, heads·d_head); `keys` are split into heads already, as (batch, heads, src, d_head),
    and so are `values`. `is_real`, which tells the sources that are no padding, has the shape (batch, src). Answer with
    a tuple of the parameters, of products of them, and of ones.

    - "viewed": `q.view(batch, tgt, heads, d_head)`
    - "queries": `viewed.transpose(1, 2)`
    - "scores": `queries @ keys.transpose(-2, -1)`
    - "mask": `is_real` with axes of size 1 put in, as few as it takes, so that it lines up with `scores`; not stretched
    - "weights": `scores.masked_fill(~mask, -inf).softmax(dim=-1)`
    - "attended": `weights @ values`
    - "merged": `attended.transpose(1, 2).reshape(batch, tgt, -1)`
    - "folded": `scores.flatten(0, 1)`, which makes one axis of the first two

    Example: for batch=2, tgt=5, src=7, heads=3, d_head=4, "viewed" is (2, 5, 3, 4).
    """
    ### BEGIN SOLUTION
    return {
        "viewed": (batch, tgt, heads, d_head),
        "queries": (batch, heads, tgt, d_head),
        "scores": (batch, heads, tgt, src),
        "mask": (batch, 1, 1, src),
        "weights": (batch, heads, tgt, src),
        "attended": (batch, heads, tgt, d_head),
        "merged": (batch, tgt, heads * d_head),
        "folded": (batch * heads, tgt, src),
    }
    ### END SOLUTION


# %%
check(shapes_of_heads)

# %% [markdown]
# ## 2. Split
#
# *Ten minutes.* A position has a row of d_model numbers. The first d_head of them are for head 0, the next d_head for
# head 1, and so on. Attention works on the last two axes, (seq, d_head), and takes whatever stands in front for a
# batch. So the heads have to come in front.


# %%
def split_heads(x: Float[Tensor, "batch seq heads*d_head"], heads: int) -> Float[Tensor, "batch heads seq d_head"]:
    """Each head's channels on their own: result[b, h, t] is the h-th piece of d_head numbers of x[b, t].

    `heads` divides the size of the last axis. The numbers are those of x, in its dtype; whether the result is a view or
    a copy is up to you. Gradients flow through it.

    Example: x [[[1., 2., 3., 4.], [5., 6., 7., 8.]]] and heads=2 give
        [[[[1., 2.],
           [5., 6.]],
          [[3., 4.],
           [7., 8.]]]]

    Rules: no loops over positions, comprehensions included. x is not changed.
    """
    ### BEGIN SOLUTION
    batch, seq, d_model = x.shape
    return x.view(batch, seq, heads, d_model // heads).transpose(1, 2)
    ### END SOLUTION


# %%
check(split_heads)

# %% [markdown]
# ## 3. Merge
#
# *Ten minutes.* The way back: each position gets the pieces of all its heads side by side again, head 0 first. Think of
# the order in which the numbers lie in memory.


# %%
def merge_heads(x: Float[Tensor, "batch heads seq d_head"]) -> Float[Tensor, "batch seq heads*d_head"]:
    """The inverse of split_heads: merge_heads(split_heads(x, heads)) equals x.

    The numbers are those of x, in its dtype. x may have any strides. Gradients flow through it.

    Example: x [[[[1., 2.], [5., 6.]], [[3., 4.], [7., 8.]]]] gives [[[1., 2., 3., 4.], [5., 6., 7., 8.]]].

    Rules: no loops over positions, comprehensions included. x is not changed.
    """
    ### BEGIN SOLUTION
    batch, heads, seq, d_head = x.shape
    return x.transpose(1, 2).reshape(batch, seq, heads * d_head)
    ### END SOLUTION


# %%
check(merge_heads)

# %% [markdown]
# ## 4. Split, attend, merge
#
# *Fifteen minutes.* Several heads on queries, keys and values that are given, still without anything to learn. Each
# head looks on its own: its scores come from its own d_head channels, and it has weights of its own. The mask is the
# same for all heads. Your `split_heads` and `merge_heads` are at hand, and `attention` from above.


# %%
def attend_in_heads(
    q: Float[Tensor, "batch tgt d_model"],
    k: Float[Tensor, "batch src d_model"],
    v: Float[Tensor, "batch src d_model"],
    heads: int,
    mask: Bool[Tensor, "batch 1 tgt src"] | None = None,
) -> tuple[Float[Tensor, "batch tgt d_model"], Float[Tensor, "batch heads tgt src"]]:
    """Attention in several heads: the output and each head's weights, in this order, as a tuple.

    q, k and v are split into heads, each head attends as in 21_attention, and the heads' outputs are merged. `heads`
    divides d_model. Scores are divided by the square root of the number of channels that a dot product sums.

    - `mask` is True where target i may look at source j. It has four axes, (batch, 1, tgt, src): one mask for all
      heads. Its batch axis and its tgt axis may have size 1 too, and then it holds for all sentences, or for all
      targets. Without a mask every target sees every source.
    - A target that may look at nothing has weights of 0 in each head and an output of 0, not NaN, and its gradients are
      finite too.
    - Gradients flow through the output and the weights. Both have the dtype of the inputs, half precision included,
      whose largest number is 65504.

    Example: q [[[0., 1.0986]]] (log 3), k [[[5., 1.], [7., 0.]]], v [[[10., 100.], [30., 200.]]] and heads=2 give the
    output [[[20., 125.]]] and the weights [[[[0.5, 0.5]], [[0.75, 0.25]]]]: head 0 sees 0·5 and 0·7, head 1 sees log 3
    and 0.

    Rules: no loops over positions. No input is changed. Forbidden are F.scaled_dot_product_attention and
    nn.MultiheadAttention, here and in exercise 6.
    """
    ### BEGIN SOLUTION
    attended = attention(split_heads(q, heads), split_heads(k, heads), split_heads(v, heads), mask)
    return merge_heads(attended[0]), attended[1]
    ### END SOLUTION


# %%
check(attend_in_heads)

# %% [markdown]
# ## 5. What do heads cost?
#
# *Fifteen minutes, on paper.* The module of exercise 6 has four linear maps from d_model to d_model numbers, each with
# a bias: for queries, keys, values, and for what comes out. Does a model with more heads have more parameters? Does it
# compute more, does it keep more? And what if nothing were split, and each head had all d_model channels to itself?


# %%
def cost_of_heads(tgt: int, src: int, d_model: int, heads: int) -> dict[str, int]:
    """What one sentence costs in an attention with several heads, and what its module holds.

    `heads` divides d_model. The answer is a dictionary of ints:

    - "d_head": the channels of one head.
    - "parameters": the numbers in the weights and biases of the four linear maps.
    - "multiply_adds": the multiplications of the two products of all heads together, queries with keys and weights with
      values. A product of an (a, b) matrix with a (b, c) matrix has a·b·c. Not the four maps, not the division.
    - "weights": how many numbers the weights of all heads hold.
    - "full_width": the parameters of the module if each head had d_model channels in place of d_head. Then three maps
      go from d_model to heads·d_model numbers, and the last one from heads·d_model back to d_model; all have a bias.

    Example: for tgt=5, src=7, d_model=6, heads=2, "d_head" is 3, "parameters" is 168 and "weights" is 70.
    """
    ### BEGIN SOLUTION
    wide = heads * d_model
    return {
        "d_head": d_model // heads,
        "parameters": 4 * (d_model * d_model + d_model),
        "multiply_adds": 2 * tgt * src * d_model,
        "weights": heads * tgt * src,
        "full_width": 3 * (d_model * wide + wide) + wide * d_model + d_model,
    }
    ### END SOLUTION


# %%
check(cost_of_heads)

# %% [markdown]
# ## 6. The module
#
# *Twenty minutes.* Three maps make queries, keys and values, the heads attend, and a fourth map mixes what they found:
# until then each head's result lies in channels of its own. Your functions from above are at hand.


# %%
class MultiHeadAttention(nn.Module):
    """Attention in several heads, between four linear maps.

    Submodules: `W_q`, `W_k`, `W_v` and `W_o`, each an nn.Linear from d_model to d_model numbers, with bias. There are
    no other parameters. Head h works on the h-th piece of d_head = d_model / heads numbers that W_q, W_k and W_v give.
    Where `heads` does not divide d_model, building the module raises a ValueError.

    Example: MultiHeadAttention(d_model=6, heads=2) on q of shape (2, 5, 6) and k and v of shape (2, 7, 6) gives an
    output of shape (2, 5, 6) and weights of shape (2, 2, 5, 7).
    """

    def __init__(self, d_model: int, heads: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        if d_model % heads != 0:
            raise ValueError(f"{heads} heads cannot share {d_model} channels evenly")
        self.heads = heads
        self.W_q = nn.Linear(d_model, d_model, bias=True)
        self.W_k = nn.Linear(d_model, d_model, bias=True)
        self.W_v = nn.Linear(d_model, d_model, bias=True)
        self.W_o = nn.Linear(d_model, d_model, bias=True)
        ### END SOLUTION

    def forward(
        self,
        q: Float[Tensor, "batch tgt d_model"],
        k: Float[Tensor, "batch src d_model"],
        v: Float[Tensor, "batch src d_model"],
        mask: Bool[Tensor, "batch 1 tgt src"] | None = None,
    ) -> tuple[Float[Tensor, "batch tgt d_model"], Float[Tensor, "batch heads tgt src"]]:
        """What W_o makes of the merged heads, and each head's weights.

        q, k and v go through W_q, W_k and W_v; a sequence that looks at itself is given three times. The mask is that
        of exercise 4: four axes, True where looking is allowed, one for all heads, and its batch and tgt axis may have
        size 1. A target that may look at nothing has weights of 0; its merged heads are 0, so its output is the bias of
        W_o."""
        ### BEGIN SOLUTION
        output, weights = attend_in_heads(self.W_q(q), self.W_k(k), self.W_v(v), self.heads, mask)
        return self.W_o(output), weights
        ### END SOLUTION


# %%
check(MultiHeadAttention)

# %% [markdown]
# ## Your heads at work
#
# The cell below lets two small models read the documentation that comes with every Python, character by character, and
# guess which one comes next. Each has one layer of *your* MultiHeadAttention under a causal mask, one with a single
# head, the other with four. They have the same number of parameters. If your notebook of 21_attention is right, your
# heads use *your* `attention` from there, wherever your code calls `attention`; a line says which one is in use. It
# takes about twenty seconds, and then shows how many characters back each head looks.
#
# Which of the two guesses better, and why? How far back do you expect the heads to look?

# %%
# demonstration: the learner's own heads read Python's documentation
if ready(split_heads, merge_heads, attend_in_heads, MultiHeadAttention):
    import re
    from pydoc_data import topics
    from unittest import mock

    import matplotlib.pyplot as plt

    torch.set_num_threads(1)  # models this small gain nothing from more
    earlier_attention = own(attention, "21_attention")

    def attention_for_heads(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The attention of lesson 21 takes three axes: batch and heads are folded into one, and unfolded afterwards."""
        front, folded = q.shape[:-2], [x.flatten(0, -3) for x in (q, k, v)]
        if mask is not None:
            mask = mask.expand(*front, q.shape[-2], k.shape[-2]).flatten(0, -3)
        output, weights = earlier_attention(*folded, mask)
        return output.unflatten(0, front), weights.unflatten(0, front)

    text = re.sub(r"[^a-z ,.()'-]", "", " ".join(" ".join(topics.topics.values()).split()).lower())
    characters, context, width = sorted(set(text)), 24, 64
    data = torch.tensor([characters.index(character) for character in text])
    held_out, data = data[-10_000:].view(-1, context + 1), data[:-10_000]
    causal = torch.ones(1, 1, context, context, dtype=torch.bool).tril()
    print(
        f"{len(data):,} characters to read, {len(characters)} different ones; {held_out.numel():,} more to be tested on"
    )

    class Reader(nn.Module):
        """One layer of attention, and at each position a score for every character that may come next."""

        def __init__(self, heads: int) -> None:
            super().__init__()
            self.token, self.place = nn.Embedding(len(characters), width), nn.Embedding(context, width)
            self.attention = MultiHeadAttention(width, heads)
            self.guess = nn.Sequential(nn.Linear(width, 128), nn.ReLU(), nn.Linear(128, len(characters)))

        def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
            x = self.token(ids) + self.place.weight
            seen, weights = self.attention(x, x, x, causal)
            return self.guess(x + seen), weights

    def loss_of(model: nn.Module, windows: Tensor) -> Tensor:
        return nn.functional.cross_entropy(model(windows[:, :-1])[0].flatten(0, 1), windows[:, 1:].flatten())

    readers, losses = {}, {}
    with mock.patch("__main__.attention", attention_for_heads):  # and back again: the exercises above stay as they are
        for heads in (1, 4):
            torch.manual_seed(0)
            reader = readers[heads] = Reader(heads)
            optimizer = torch.optim.Adam(reader.parameters(), lr=3e-3)
            losses[heads] = []
            for step in range(501):
                if step % 50 == 0:
                    with torch.no_grad():
                        losses[heads].append(loss_of(reader, held_out).item())
                starts = torch.randint(len(data) - context, (64, 1))
                loss = loss_of(reader, data[starts + torch.arange(context + 1)])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            count, last = sum(p.numel() for p in reader.parameters()), losses[heads][-1]
            print(f"heads: {heads}   {count:,} parameters   loss on what it never saw: {last:.3f}")
        with torch.no_grad():
            found = {heads: reader(held_out[:, :-1])[1].mean(dim=0) for heads, reader in readers.items()}
            phrase = "the statement is called."[:context]
            ids = torch.tensor([[characters.index(character) for character in phrase]])
            maps = readers[4](ids)[1][0]

    # the mean weight of what lies 0, 1, 2, ... characters back, where so many are there to be seen
    every_head = torch.cat([found[1], found[4]])
    back = torch.stack([every_head.diagonal(-steps, 1, 2)[:, -12:].mean(dim=1) for steps in range(8)], dim=1)
    figure, axes = plt.subplots(1, 2, figsize=(10, 2.8), facecolor="white")
    for heads, colour in ((1, "#D55E00"), (4, "#0072B2")):
        axes[0].plot(range(0, 501, 50), losses[heads], color=colour, label=f"heads: {heads}")
    axes[0].set(xlabel="step", ylabel="loss on held-out text")
    axes[0].legend(frameon=False)
    axes[1].imshow(back, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes[1].set_yticks(range(5), ["the single head", *(f"head {head} of 4" for head in range(4))])
    axes[1].set(xlabel="characters back", title="mean weight")
    figure.tight_layout()
    plt.show()
    figure, axes = plt.subplots(1, 4, figsize=(12, 3.4), facecolor="white")
    for head, axis in enumerate(axes):
        axis.imshow(maps[head], cmap="Blues", vmin=0, vmax=1)
        axis.set_title(f"head {head} of 4")
        axis.set_xticks(range(context), phrase, fontsize=7)
        axis.set_yticks(range(context), phrase, fontsize=7)
    axes[0].set_ylabel("tgt: the character that looks")
    figure.supxlabel("src: the character that is looked at", fontsize=9)
    figure.tight_layout()
    plt.show()
