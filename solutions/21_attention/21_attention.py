# %% [markdown]
# # 21 Attention: exercises
#
# Six exercises, each a step to the next. Attention is a weighted average whose weights the model works out itself: how
# well does what I look for fit what each position has to offer? You build the average, the scores, attention under a
# mask, and the two modules that every Transformer is made of: one in which a sequence looks at itself, and one in which
# it looks at another.
#
# A **target** position looks (`tgt`), a **source** position is looked at (`src`). A mask is **True where a position may
# be looked at**. Parameters have names here: the checks fill your weights by name, the same as the reference's, and
# compare what comes out.
#
# Run `check(...)` below an exercise to see what is right and what is not; `hint(...)`, as in `hint(attention)`, gives
# the next of its hints. The explanation is [the lesson 21_attention](../../lessons/21_attention.ipynb).

# %%
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from autograder import check, hint, ready

# %% [markdown]
# ## 1. Shapes first
#
# *Ten minutes, on paper.* Queries are what the targets look for, keys are what the sources offer to be found by, values
# are what is handed over. Before any code: which shape does each step have?


# %%
def shapes_of_attention(batch: int, tgt: int, src: int, d_k: int, d_v: int) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor on the way from queries, keys and values to the result, for any sizes.

    `q` has the shape (batch, tgt, d_k), `k` (batch, src, d_k), `v` (batch, src, d_v), and `is_real`, which tells the
    sources that are no padding, (batch, src). Answer with a tuple of the parameters and of ones.

    - "k_turned": `k.transpose(1, 2)`
    - "scores": `q @ k_turned`
    - "products": `q[:, :, None, :] * k[:, None, :, :]`, whose sum over the last axis gives the same scores
    - "mask": `is_real`, with one axis of size 1 put in so that it lines up with `scores`; not stretched yet
    - "weights": `scores.masked_fill(~mask, -inf).softmax(dim=-1)`
    - "sums": `weights.sum(dim=-1)`
    - "output": `weights @ v`

    Example: for batch=2, tgt=5, src=7, d_k=3, d_v=4, "k_turned" is (2, 3, 7).
    """
    ### BEGIN SOLUTION
    return {
        "k_turned": (batch, d_k, src),
        "scores": (batch, tgt, src),
        "products": (batch, tgt, src, d_k),
        "mask": (batch, 1, src),
        "weights": (batch, tgt, src),
        "sums": (batch, tgt),
        "output": (batch, tgt, d_v),
    }
    ### END SOLUTION


# %%
check(shapes_of_attention)

# %% [markdown]
# ## 2. A weighted average
#
# *Ten minutes.* Before anything is called attention: each target has a weight for each source, and gets the average of
# the sources' values under these weights. A weight of 3 next to a weight of 1 counts three times as much.


# %%
def weighted_average(
    weights: Float[Tensor, "batch tgt src"], values: Float[Tensor, "batch src d_v"]
) -> Float[Tensor, "batch tgt d_v"]:
    """For each target position the average of its sentence's values, each counted as much as its weight says.

    The weights are not negative and may have any sum: what counts is each one's share of its row's sum. Where a row of
    weights is zero from end to end there is nothing to average, and the result is a row of zeros, not NaN. The result
    has the dtype of the inputs.

    Example: weights [[[1., 3.], [0., 2.], [0., 0.]]] and values [[[0., 8.], [4., 0.]]] give
        [[[3., 2.],
          [4., 0.],
          [0., 0.]]]

    Rules: no loops over positions, comprehensions included. Neither input is changed.
    """
    ### BEGIN SOLUTION
    total = weights.sum(dim=-1, keepdim=True)
    share = weights / total.masked_fill(total == 0, 1)
    return share @ values
    ### END SOLUTION


# %%
check(weighted_average)

# %% [markdown]
# ## 3. Scores: how well does each key fit?
#
# *Ten minutes.* The dot product of a query and a key is large where both point the same way. A sum of d_k products also
# spreads more widely the more there are: its standard deviation grows with √d_k, and dividing by that keeps the scores
# of wide models as tame as those of narrow ones.


# %%
def attention_scores(
    q: Float[Tensor, "batch tgt d_k"], k: Float[Tensor, "batch src d_k"]
) -> Float[Tensor, "batch tgt src"]:
    """The dot product of each query with each key of its sentence, divided by the square root of d_k.

    Row i, column j says how much target i is drawn to source j. The result has the dtype of the inputs.

    Example: q [[[1., 0., 2., 0.]]] and k [[[3., 5., 0., 5.], [1., 0., 2., 7.]]] give [[[1.5, 2.5]]]: d_k is 4.

    Rules: no loops over positions, comprehensions included. Neither input is changed. Forbidden are
    F.scaled_dot_product_attention and nn.MultiheadAttention, in this exercise and in all that follow.
    """
    ### BEGIN SOLUTION
    d_k = q.shape[-1]
    return q @ k.transpose(-2, -1) / d_k**0.5
    ### END SOLUTION


# %%
check(attention_scores)

# %% [markdown]
# ## 4. Attention
#
# *Twenty minutes.* The softmax turns each target's scores into weights that are positive and sum to one, and the
# weights average the values. What a mask hides has weight zero, and the others share the whole. Your
# `attention_scores` is at hand.


# %%
def attention(
    q: Float[Tensor, "batch tgt d_k"],
    k: Float[Tensor, "batch src d_k"],
    v: Float[Tensor, "batch src d_v"],
    mask: Bool[Tensor, "batch tgt src"] | None = None,
) -> tuple[Float[Tensor, "batch tgt d_v"], Float[Tensor, "batch tgt src"]]:
    """Scaled dot-product attention: the output and the weights, in this order, as a tuple.

    The scores are those of exercise 3. For each target position the weights are the softmax of its scores over the
    sources that it may look at, and the output is the average of the values under these weights.

    - `mask` is True where target i may look at source j. It may have any shape that broadcasts to (batch, tgt, src),
      such as (tgt, src) or (batch, 1, src). Without a mask every target sees every source.
    - A hidden source has weight 0. A target that may look at nothing has weights of 0 and an output of 0, not NaN, and
      its gradients are finite too.
    - Gradients flow through the weights and the output. Both have the dtype of the inputs, half precision included,
      whose largest number is 65504.

    Example: q [[[2.]]], k [[[0.], [0.], [9.]]], v [[[10., 1.], [30., 3.], [77., 7.]]] and mask [[[True, True, False]]]
    give the output [[[20., 2.]]] and the weights [[[0.5, 0.5, 0.]]].

    Rules: no loops over positions. No input is changed.
    """
    ### BEGIN SOLUTION
    scores = attention_scores(q, k)
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        lowest = torch.finfo(scores.dtype).min
        weights = scores.masked_fill(~mask, lowest).softmax(dim=-1).masked_fill(~mask, 0)
    return weights @ v, weights
    ### END SOLUTION


# %%
check(attention)

# %% [markdown]
# ## 5. A sequence looks at itself
#
# *Fifteen minutes.* Where do queries, keys and values come from? From the sequence itself, through three matrices that
# are learned. Each position asks, offers and hands over something of its own. Your `attention` is at hand.


# %%
class SelfAttention(nn.Module):
    """Attention of a sequence to itself: q, k and v are three linear maps of x.

    Submodules: `W_q`, `W_k`, `W_v`, each an nn.Linear from d_model to d_k numbers, without bias. So the parameters are
    named `W_q.weight`, `W_k.weight` and `W_v.weight`; there are no others.

    Example: SelfAttention(d_model=6, d_k=4) on x of shape (2, 5, 6) gives an output of shape (2, 5, 4) and weights of
    shape (2, 5, 5).
    """

    def __init__(self, d_model: int, d_k: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.W_q = nn.Linear(d_model, d_k, bias=False)
        self.W_k = nn.Linear(d_model, d_k, bias=False)
        self.W_v = nn.Linear(d_model, d_k, bias=False)
        ### END SOLUTION

    def forward(
        self, x: Float[Tensor, "batch seq d_model"], mask: Bool[Tensor, "batch seq seq"] | None = None
    ) -> tuple[Float[Tensor, "batch seq d_k"], Float[Tensor, "batch seq seq"]]:
        """The output and the weights of `attention`. The mask is as there: it may have any shape that broadcasts to
        (batch, seq, seq), and a position that may look at nothing has weights and an output of 0."""
        ### BEGIN SOLUTION
        return attention(self.W_q(x), self.W_k(x), self.W_v(x), mask)
        ### END SOLUTION


# %%
check(SelfAttention)

# %% [markdown]
# ## 6. A sequence looks at another
#
# *Fifteen minutes.* A translation looks at its source, an image's caption at the image. The two sequences have lengths
# of their own, and may have widths of their own. The targets ask; the sources are found and handed over. The source is
# padded, and its padding must stay unseen.


# %%
class CrossAttention(nn.Module):
    """Attention of a target sequence to a source sequence: q is made of the target, k and v of the source.

    Submodules: `W_q` from d_tgt to d_k numbers, `W_k` and `W_v` from d_src to d_k numbers, each an nn.Linear without
    bias. There are no other parameters.

    Example: CrossAttention(d_tgt=6, d_src=3, d_k=4) on tgt of shape (2, 5, 6) and src of shape (2, 7, 3) gives an
    output of shape (2, 5, 4) and weights of shape (2, 5, 7).
    """

    def __init__(self, d_tgt: int, d_src: int, d_k: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.W_q = nn.Linear(d_tgt, d_k, bias=False)
        self.W_k = nn.Linear(d_src, d_k, bias=False)
        self.W_v = nn.Linear(d_src, d_k, bias=False)
        ### END SOLUTION

    def forward(
        self,
        tgt: Float[Tensor, "batch tgt d_tgt"],
        src: Float[Tensor, "batch src d_src"],
        src_mask: Bool[Tensor, "batch src"] | None = None,
    ) -> tuple[Float[Tensor, "batch tgt d_k"], Float[Tensor, "batch tgt src"]]:
        """The output and the weights of `attention`.

        `src_mask` is True on the sources that are real, and has exactly the shape (batch, src): it holds for every
        target position of its sentence. Without it all sources are real. Where a sentence's source is padding alone,
        weights and output are 0.
        """
        ### BEGIN SOLUTION
        mask = None if src_mask is None else src_mask[:, None, :]
        return attention(self.W_q(tgt), self.W_k(src), self.W_v(src), mask)
        ### END SOLUTION


# %%
check(CrossAttention)

# %% [markdown]
# ## Your attention at work
#
# The cell below trains a small model on *your* two modules to read dates. People write `24 Nov 2026`, `November 24,
# 2026` or `Tuesday, 24. November 2026`; the model has to answer `2026-11-24`. Each of the ten characters of the answer
# is a target position that looks at the characters of the date; those are of unequal number, so the batch is padded.
# It takes about fifteen seconds, and then shows where each character of an answer looked.
#
# Nobody tells the model where the year stands. Where do you expect its first four characters to look?

# %%
# demonstration: the learner's own attention reads dates
if ready(SelfAttention, CrossAttention):
    import datetime

    import matplotlib.pyplot as plt

    torch.set_num_threads(1)  # a model this small gains nothing from more
    ways = ["{d} {b} {Y}", "{B} {d}, {Y}", "{A}, {d}. {B} {Y}", "{b} {d}, {Y}", "the {d} of {B}, {Y}", "{d}. {B} {Y}"]

    def written(day: datetime.date, way: str) -> str:
        """A date as people write it, in one of several ways."""
        return way.format(d=day.day, Y=day.year, **{letter: day.strftime(f"%{letter}") for letter in "AbB"})

    torch.manual_seed(0)
    first = datetime.date(1900, 1, 1)
    days = [first + datetime.timedelta(days=number) for number in torch.randperm(55_000).tolist()]
    texts = [
        written(day, ways[i]) for day, i in zip(days, torch.randint(len(ways), (len(days),)).tolist(), strict=True)
    ]
    characters = ["·", *sorted(set("".join(texts)))]
    longest = max(map(len, texts))
    source = torch.tensor([[characters.index(c) for c in text.ljust(longest, "·")] for text in texts])
    answers = torch.tensor([[int(c) if c != "-" else 10 for c in day.isoformat()] for day in days])

    class DateReader(nn.Module):
        """Reads a date character by character, and answers all ten characters of its ISO form at once."""

        def __init__(self, width: int = 64) -> None:
            super().__init__()
            self.token, self.place = nn.Embedding(len(characters), width), nn.Embedding(longest, width)
            self.slots = nn.Parameter(torch.randn(10, width))
            self.read, self.look = SelfAttention(width, width), CrossAttention(width, width, width)
            self.answer = nn.Sequential(nn.Linear(width, 128), nn.ReLU(), nn.Linear(128, 11))

        def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
            real = ids != 0
            src = self.token(ids) + self.place.weight
            src = src + self.read(src, real[:, None, :])[0]
            seen, weights = self.look(self.slots.expand(len(ids), -1, -1), src, real)
            return self.answer(seen + self.slots), weights

    reader, held_out = DateReader(), slice(0, 2_000)
    optimizer = torch.optim.Adam(reader.parameters(), lr=3e-3)
    for step in range(601):
        if step % 150 == 0:
            with torch.no_grad():
                right = (reader(source[held_out])[0].argmax(dim=-1) == answers[held_out]).all(dim=1).float().mean()
            print(
                f"step {step:3}: {right:6.1%} of {held_out.stop:,} dates that it never saw are read without a mistake"
            )
        rows = torch.randint(held_out.stop, len(texts), (64,))
        loss = nn.functional.cross_entropy(reader(source[rows])[0].flatten(0, 1), answers[rows].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    shown = written(datetime.date(2026, 11, 24), ways[2])
    ids = torch.tensor([[characters.index(c) for c in shown.ljust(longest, "·")]])
    logits, weights = reader(ids)
    read = "".join("0123456789-"[i] for i in logits[0].argmax(dim=-1).tolist())
    figure, axes = plt.subplots(figsize=(9, 3.4), facecolor="white")
    axes.imshow(weights[0, :, : len(shown)].detach(), cmap="Blues", vmin=0)
    axes.set_xticks(range(len(shown)), shown)
    axes.set_yticks(range(10), read)
    axes.set(xlabel="source: the date as it was written", ylabel="target: the answer")
    axes.set_title(f"where each character of {read} looked")
    figure.tight_layout()
    plt.show()
