# %% [markdown]
# # 22 Masks: exercises
#
# Eight exercises, each a step to the next. A mask is a boolean tensor that is **True where a position may be attended
# to**. You build the masks of a GPT, of a translation model, of a sliding window, of a prompt, and of packed documents,
# and none of them needs a loop.
#
# Run `check(...)` below an exercise to see what is right and what is not; `hint(...)`, as in `hint(causal_mask)`, gives
# the next of its hints. The explanation is [the lesson 22_masks](../../lessons/22_masks.ipynb).

# %%
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from autograder import check, hint, ready

# %% [markdown]
# ## 1. Shapes first
#
# *Five minutes, on paper.* The scores of attention have the shape `(batch, heads, tgt, src)`: for every sentence and
# every head, how much each target position looks at each source position. A mask is laid over them by broadcasting.
# Before any code: which shape does each step have?


# %%
def shapes_of_masks(batch: int, heads: int, tgt: int, src: int) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor on the way from padded tokens to masked scores, for any sizes.

    `tokens` has the shape (batch, src) and `scores` (batch, heads, tgt, src). Answer with a tuple of the parameters
    and of ones. "per_score" is asked as it is before anything stretches it.

    - "is_real": `tokens != pad_id`
    - "per_score": `is_real`, with axes of size 1 put in until it lines up with `scores`
    - "causal": a mask with a row for each target position and a column for each source position
    - "both": `per_score & causal`
    - "masked_scores": `scores.masked_fill(~both, -inf)`

    Example: for batch=2, heads=3, tgt=5, src=7, "is_real" is (2, 7).
    """
    ### BEGIN SOLUTION
    return {
        "is_real": (batch, src),
        "per_score": (batch, 1, 1, src),
        "causal": (tgt, src),
        "both": (batch, 1, tgt, src),
        "masked_scores": (batch, heads, tgt, src),
    }
    ### END SOLUTION


# %%
check(shapes_of_masks)

# %% [markdown]
# ## 2. No look into the future
#
# *Five minutes.* A language model learns to predict the next token. If position 2 could look at position 3, it would
# read the answer instead of predicting it. Row i of this mask says what position i may look at.


# %%
def causal_mask(length: int) -> Bool[Tensor, "length length"]:
    """True where the column is not later than the row: position i sees positions 0 to i.

    Example, length=3:
        [[True, False, False],
         [True, True,  False],
         [True, True,  True ]]

    Rules: no loops over positions, comprehensions included.
    """
    ### BEGIN SOLUTION
    position = torch.arange(length)
    return position[None, :] <= position[:, None]
    ### END SOLUTION


# %%
check(causal_mask)

# %% [markdown]
# ## 3. Two masks become one
#
# *Five minutes.* A position may be looked at when the padding mask allows it **and** the causal mask allows it. The two
# have different shapes; broadcasting joins them without a copy for every sentence.


# %%
def combine_masks(
    padding: Bool[Tensor, "batch heads=1 tgt=1 src"], causal: Bool[Tensor, "tgt src"]
) -> Bool[Tensor, "batch heads=1 tgt src"]:
    """True where both masks are. `causal` can be any mask of that shape; tgt and src may differ.

    The axis of size 1 at position 1 stays: it stretches over the heads later.

    Example: padding [[[[True, True, False]]]] and causal [[True, False, False], [True, True, True]] give
        [[[[True, False, False],
           [True, True,  False]]]]

    Rules: neither input is changed; no loops.
    """
    ### BEGIN SOLUTION
    return padding & causal
    ### END SOLUTION


# %%
check(combine_masks)

# %% [markdown]
# ## 4. A mask that is added
#
# *Ten minutes.* Much code adds its mask to the scores instead of filling them: 0 where a position is allowed, a huge
# negative number where it is not, so that the softmax makes it zero. Minus infinity would do, until a row is masked
# from end to end: then the softmax computes `-inf - (-inf)` and the whole row is NaN. The lowest finite number does
# not.


# %%
def to_additive(mask: Bool[Tensor, "*shape"], dtype: torch.dtype = torch.float32) -> Float[Tensor, "*shape"]:
    """0 where `mask` is True, the lowest finite number of `dtype` where it is False; a tensor of `dtype`.

    `torch.finfo(dtype)` knows the numbers of a dtype.

    Example: to_additive([True, False]) is [0.0, -3.4028e+38], and for torch.float16 it is [0.0, -65504.0].

    Rules: the mask may have any shape and is not changed; no NaN, no infinity.
    """
    ### BEGIN SOLUTION
    return torch.zeros(mask.shape, dtype=dtype).masked_fill(~mask, torch.finfo(dtype).min)
    ### END SOLUTION


# %%
check(to_additive)

# %% [markdown]
# ## 5. A translation looks at its source
#
# *Ten minutes.* In a translation model each word of the target looks at the words of the source. There is no future in
# the source: it is there whole. But its padding must stay unseen, whatever the target's own tokens are.


# %%
def cross_attention_mask(
    tgt_tokens: Int[Tensor, "batch tgt"], src_tokens: Int[Tensor, "batch src"], pad_id: int
) -> Bool[Tensor, "batch heads=1 tgt src"]:
    """True where the source token is real, for every target position, those that are padding included.

    The target axis has its full size, tgt, not 1.

    Example, pad_id=0: tgt_tokens [[4, 0]] and src_tokens [[7, 8, 0]] give
        [[[[True, True, False],
           [True, True, False]]]]

    Rules: no loops.
    """
    ### BEGIN SOLUTION
    batch, tgt = tgt_tokens.shape
    is_real = src_tokens != pad_id
    return is_real[:, None, None, :].expand(batch, 1, tgt, -1)
    ### END SOLUTION


# %%
check(cross_attention_mask)

# %% [markdown]
# ## 6. A window that slides
#
# *Ten minutes.* Looking at everything before costs length² scores. Many models let most of their layers look back a
# fixed distance only.


# %%
def sliding_window_mask(length: int, window: int) -> Bool[Tensor, "length length"]:
    """Position i sees itself and the window-1 positions before it, nothing later.

    A window longer than the sequence gives the causal mask. `window` is at least 1.

    Example, length=4, window=2:
        [[True,  False, False, False],
         [True,  True,  False, False],
         [False, True,  True,  False],
         [False, False, True,  True ]]

    Rules: no loops over positions.
    """
    ### BEGIN SOLUTION
    position = torch.arange(length)
    steps_back = position[:, None] - position[None, :]
    return (steps_back >= 0) & (steps_back < window)
    ### END SOLUTION


# %%
check(sliding_window_mask)

# %% [markdown]
# ## 7. A prompt that is read whole
#
# *Fifteen minutes.* A prefix language model reads its prompt in both directions and writes causally after it. Each
# sentence of the batch has a prompt of its own length.


# %%
def prefix_mask(prefix: Int[Tensor, "batch"], length: int) -> Bool[Tensor, "batch heads=1 length length"]:
    """Every position sees all of its sentence's first `prefix` positions, and causally what comes after them.

    `prefix` holds one length for each sentence, from 0 (a causal mask) to `length` (everything sees everything).

    Example, prefix=[2], length=4:
        [[[[True, True, False, False],
           [True, True, False, False],
           [True, True, True,  False],
           [True, True, True,  True ]]]]

    Rules: no loops, neither over positions nor over the batch.
    """
    ### BEGIN SOLUTION
    position = torch.arange(length)
    causal = position[None, :] <= position[:, None]
    in_prefix = position < prefix[:, None]
    return causal | in_prefix[:, None, None, :]
    ### END SOLUTION


# %%
check(prefix_mask)

# %% [markdown]
# ## 8. Several documents in one row
#
# *Fifteen minutes.* Padding is wasted work, so training data is often packed: short documents stand one behind the
# other in one row. A token must not look into its neighbour. Packers reuse ids, so the same id may come back later in
# the row for another document.


# %%
def document_mask(documents: Int[Tensor, "batch seq"]) -> Bool[Tensor, "batch heads=1 seq seq"]:
    """True where the column is in the same document as the row and not later.

    A document is one unbroken run of an id: in [5, 5, 2, 5] the last 5 is a third document. Ids are any integers, and
    none of them means padding.

    Example: documents=[[5, 5, 2, 5]] gives
        [[[[True,  False, False, False],
           [True,  True,  False, False],
           [False, False, True,  False],
           [False, False, False, True ]]]]

    Rules: no loops, neither over positions nor over documents.
    """
    ### BEGIN SOLUTION
    starts = documents[:, 1:] != documents[:, :-1]
    run = torch.nn.functional.pad(starts, (1, 0)).cumsum(dim=1)
    same_document = run[:, :, None] == run[:, None, :]
    position = torch.arange(documents.shape[1])
    causal = position[None, :] <= position[:, None]
    return (same_document & causal)[:, None]
    ### END SOLUTION


# %%
check(document_mask)

# %% [markdown]
# ## Your masks at work
#
# The cell below trains a small language model on the lines of the Zen of Python, with *your* masks: the lines are of
# unequal length, so the batch is padded, and each character may see only what comes before it. It does so with windows
# of four widths, and says how unsure each model stays. It takes about ten seconds.
#
# The model is told which characters it sees, and not where they stand (that is lesson `24_positions`). Which window do
# you expect to serve it best?

# %%
# demonstration: a language model trained under the learner's own masks
if ready(causal_mask, combine_masks, to_additive, sliding_window_mask):
    import codecs
    import contextlib
    import io

    from torch import nn

    from autograder.drawing import grid

    with contextlib.redirect_stdout(io.StringIO()):
        import this
    torch.set_num_threads(1)  # a model this small gains nothing from more
    lines = [line for line in codecs.decode(this.s, "rot13").splitlines() if line]
    characters = ["·", *sorted(set("".join(lines)))]
    longest = max(len(line) for line in lines)
    batch = torch.tensor([[characters.index(c) for c in line.ljust(longest, "·")] for line in lines])
    inputs, targets = batch[:, :-1], batch[:, 1:]

    class Reader(nn.Module):
        """One attention layer that predicts each line's next character, under a mask."""

        def __init__(self, vocab: int, width: int = 48) -> None:
            super().__init__()
            self.token = nn.Embedding(vocab, width)
            self.q, self.k, self.v = (nn.Linear(width, width, bias=False) for _ in range(3))
            self.out = nn.Sequential(nn.Linear(width, 96), nn.ReLU(), nn.Linear(96, vocab))

        def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
            x = self.token(ids)[:, None]
            scores = self.q(x) @ self.k(x).transpose(-2, -1) / x.shape[-1] ** 0.5
            weights = (scores + to_additive(mask)).softmax(dim=-1)
            return self.out(x + weights @ self.v(x))[:, 0], weights

    def train(window: int) -> tuple[float, Tensor]:
        """The loss after training with a window of this width, and where the model looks then."""
        torch.manual_seed(0)
        length = inputs.shape[1]
        before = causal_mask(length) & sliding_window_mask(length, window)
        mask = combine_masks((inputs != 0)[:, None, None, :], before)
        model = Reader(len(characters))
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        for _ in range(150):
            logits, weights = model(inputs, mask)
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return loss.item(), weights.detach()

    looks = {}
    for window in (1, 2, 4, longest):
        loss, looks[window] = train(window)
        print(f"a window of {window:2}: as unsure as a choice among {torch.tensor(loss).exp():.1f} characters")
    shown, percent = list(lines[1][:14]), looks[4][1, 0, :14, :14].mul(100).round().int()
    display(grid(percent, shown, shown, "where a window of 4 looks, in percent", "tgt", "src"))
