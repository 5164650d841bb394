# %% [markdown]
# # 26 Decoder: exercises
#
# Eight exercises, each a step to the next. A GPT is a stack of blocks in which each position looks at those before it,
# and a guess at every position of what comes next. You build the block, the model, the loss that it learns from, the
# loop that lets it write, and the memory that lets it write without computing everything again. At the end your own GPT
# learns from real text and writes some.
#
# A mask is **True** where a position may be looked at, or where a token is real. Parameters have names here: the checks
# fill your weights by name, the same as the reference's, and compare what comes out. How they begin is free, other than
# zeros.
#
# Run `check(...)` below an exercise to see what is right and what is not; `hint(...)`, as in `hint(GPT)`, gives the
# next of its hints. The explanation is [the lesson 26_decoder](../../lessons/26_decoder.ipynb).

# %%
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from autograder import check, hint, ready

# %% [markdown]
# ## Given: parts of earlier lessons
#
# These are ready-made, so that this lesson stands alone: `position_ids` of lesson 18_padding, `attention` of
# 21_attention, `causal_mask` and `combine_masks` of 22_masks, `split_heads`, `merge_heads` and `MultiHeadAttention` of
# 23_multi_head. You may call them, change them, or put your own in their place.


# %%
def position_ids(mask: Bool[Tensor, "batch seq"]) -> Int[Tensor, "batch seq"]:
    """From 18_padding: real tokens are counted from 0, wherever the padding stands; padding has 0."""
    return (mask.cumsum(dim=1) - 1).masked_fill(~mask, 0)


def causal_mask(length: int) -> Bool[Tensor, "length length"]:
    """From 22_masks: position i may look at the positions 0 to i."""
    return torch.ones(length, length, dtype=torch.bool).tril()


def combine_masks(
    padding: Bool[Tensor, "batch heads=1 tgt=1 src"], causal: Bool[Tensor, "tgt src"]
) -> Bool[Tensor, "batch heads=1 tgt src"]:
    """From 22_masks: True where both masks are."""
    return padding & causal


def attention(
    q: Float[Tensor, "*lead tgt d_k"],
    k: Float[Tensor, "*lead src d_k"],
    v: Float[Tensor, "*lead src d_v"],
    mask: Bool[Tensor, "*lead tgt src"] | None = None,
) -> tuple[Float[Tensor, "*lead tgt d_v"], Float[Tensor, "*lead tgt src"]]:
    """From 21_attention: the output and the weights. The mask may have any shape that broadcasts to that of the scores;
    a target that may look at nothing has weights and an output of 0."""
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        lowest = torch.finfo(scores.dtype).min
        weights = scores.masked_fill(~mask, lowest).softmax(dim=-1).masked_fill(~mask, 0)
    return weights @ v, weights


def split_heads(x: Float[Tensor, "batch seq heads*d_head"], heads: int) -> Float[Tensor, "batch heads seq d_head"]:
    """From 23_multi_head: each head's channels on their own."""
    batch, seq, d_model = x.shape
    return x.view(batch, seq, heads, d_model // heads).transpose(1, 2)


def merge_heads(x: Float[Tensor, "batch heads seq d_head"]) -> Float[Tensor, "batch seq heads*d_head"]:
    """From 23_multi_head: the inverse of split_heads."""
    return x.transpose(1, 2).flatten(2)


class MultiHeadAttention(nn.Module):
    """From 23_multi_head: attention in several heads, between the linear maps `W_q`, `W_k`, `W_v` and `W_o`."""

    def __init__(self, d_model: int, heads: int) -> None:
        super().__init__()
        if d_model % heads:
            raise ValueError(f"{heads} heads do not divide d_model, which is {d_model}.")
        self.heads = heads
        self.W_q, self.W_k, self.W_v, self.W_o = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(
        self,
        q: Float[Tensor, "batch tgt d_model"],
        k: Float[Tensor, "batch src d_model"],
        v: Float[Tensor, "batch src d_model"],
        mask: Bool[Tensor, "batch 1 tgt src"] | None = None,
    ) -> tuple[Float[Tensor, "batch tgt d_model"], Float[Tensor, "batch heads tgt src"]]:
        """The output, and the weights of each head. The maps are in here: q, k and v are what goes into them."""
        parts = (split_heads(x, self.heads) for x in (self.W_q(q), self.W_k(k), self.W_v(v)))
        output, weights = attention(*parts, mask)
        return self.W_o(merge_heads(output)), weights


# %% [markdown]
# ## 1. Shapes first
#
# *Fifteen minutes, on paper.* Before any code: which shape does each tensor have on the way from tokens to logits? And
# which, when the model has read `seq` tokens, remembers their keys and values, and is given one token more?


# %%
def shapes_of_gpt(
    batch: int, seq: int, vocab: int, context: int, d_model: int, heads: int
) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor on the way through a GPT, for any sizes.

    `tokens` has the shape (batch, seq), with seq ≤ context; `heads` divides d_model. `mask` has the shape (batch, seq)
    too, and tells which tokens are real. Answer with a tuple of the parameters, of what is computed from them, and of
    ones.

    - "token_table": the weight of the embedding that has a row for each token of the vocabulary
    - "position_table": the weight of the embedding that has a row for each of the `context` positions there are
    - "x": the tokens' rows plus the positions' rows
    - "queries": `split_heads(W_q(x), heads)`
    - "allowed": `combine_masks(mask[:, None, None, :], causal_mask(seq))`
    - "weights": those of all heads of one block's attention
    - "hidden": `feed_forward.up(x)`, which is four times as wide as x
    - "logits": `x @ token_table.T`
    - "targets": the tokens that the loss compares with: each position's next one, where there is one
    - "step_weights": the weights of all heads for one token more, with everything before it remembered

    Example: for batch=2, seq=5, vocab=11, context=9, d_model=6, heads=3, "x" is (2, 5, 6).
    """
    ### BEGIN SOLUTION
    return {
        "token_table": (vocab, d_model),
        "position_table": (context, d_model),
        "x": (batch, seq, d_model),
        "queries": (batch, heads, seq, d_model // heads),
        "allowed": (batch, 1, seq, seq),
        "weights": (batch, heads, seq, seq),
        "hidden": (batch, seq, 4 * d_model),
        "logits": (batch, seq, vocab),
        "targets": (batch, seq - 1),
        "step_weights": (batch, heads, 1, seq + 1),
    }
    ### END SOLUTION


# %%
check(shapes_of_gpt)

# %% [markdown]
# ## 2. Each position by itself
#
# *Ten minutes.* Attention carries numbers from one position to another; what to make of them is worked out in each
# position for itself, by two linear maps with a bend between them. Two thirds of a block's weights are here.


# %%
class FeedForward(nn.Module):
    """down(GELU(up(x))), for each position by itself.

    Submodules: `up`, an nn.Linear from d_model to d_ff numbers, and `down`, one from d_ff to d_model; both have a bias.
    There are no other parameters. GELU is the exact one, z · Φ(z), which PyTorch computes by default, not its
    approximation by tanh. There is no dropout, and no shortcut: that belongs to the block around it.

    Example: FeedForward(d_model=6, d_ff=24) makes (2, 5, 6) of (2, 5, 6), and has 318 parameters.
    """

    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.up = nn.Linear(d_model, d_ff, bias=True)
        self.down = nn.Linear(d_ff, d_model, bias=True)
        ### END SOLUTION

    def forward(self, x: Float[Tensor, "*lead d_model"]) -> Float[Tensor, "*lead d_model"]:
        """Of the shape of x, which may have any axes in front of the last one, or none."""
        ### BEGIN SOLUTION
        return self.down(F.gelu(self.up(x)))
        ### END SOLUTION


# %%
check(FeedForward)

# %% [markdown]
# ## 3. The block
#
# *Fifteen minutes.* First the positions look at each other, then each thinks by itself. What either finds is *added* to
# x, so that x runs through the whole model as on a road. The norms stand on the two side roads, in front of what they
# serve (*pre-norm*); nothing stands on the road itself.


# %%
class DecoderBlock(nn.Module):
    """x + attention(norm1(x)), and then x + feed_forward(norm2(x)), of the x that is there by then.

    Submodules: `norm1` and `norm2`, each an nn.LayerNorm over d_model numbers with its default arguments; `attention`,
    a MultiHeadAttention(d_model, heads) as given above; `feed_forward`, your FeedForward(d_model, d_ff). There are no
    other parameters, and no dropout. Queries, keys and values are all made of the same norm1(x).

    Example: DecoderBlock(d_model=6, heads=3, d_ff=24) makes (2, 5, 6) of (2, 5, 6), and has 510 parameters.
    """

    def __init__(self, d_model: int, heads: int, d_ff: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.norm1 = nn.LayerNorm(d_model)
        self.attention = MultiHeadAttention(d_model, heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.feed_forward = FeedForward(d_model, d_ff)
        ### END SOLUTION

    def forward(
        self, x: Float[Tensor, "batch seq d_model"], mask: Bool[Tensor, "batch 1 seq seq"] | None = None
    ) -> Float[Tensor, "batch seq d_model"]:
        """The block's result alone, without the weights.

        `mask` is handed on to the attention as it is: True where a position (row) may look at another (column); its
        batch axis may have size 1. Without a mask everyone sees everyone: the block itself hides nothing. x is not
        changed.
        """
        ### BEGIN SOLUTION
        normed = self.norm1(x)
        x = x + self.attention(normed, normed, normed, mask)[0]
        return x + self.feed_forward(self.norm2(x))
        ### END SOLUTION


# %%
check(DecoderBlock)

# %% [markdown]
# ## 4. The model
#
# *Twenty-five minutes.* A table of tokens, a table of positions, the blocks, a last norm, and back to the vocabulary by
# the *same* table of tokens: the score of a word is the dot product of what the model has in mind with the word's own
# row. A sentence of a batch may be padded, on either side, and its logits must be those that it has alone.


# %%
class GPT(nn.Module):
    """From tokens to logits: at each position a score for each token of the vocabulary, to come next.

    Submodules: `token_embedding`, an nn.Embedding of `vocab` rows, and `position_embedding`, one of `context` rows,
    both d_model wide; `blocks`, an nn.ModuleList of `depth` of your DecoderBlock, with d_ff = 4 · d_model;
    `final_norm`, an nn.LayerNorm over d_model numbers with its default arguments. There are no other parameters, and no
    dropout. How the weights begin is free; GPT-2 draws both embeddings with a standard deviation of 0.02, which keeps
    the first logits small.

    Example: GPT(vocab=11, context=9, d_model=6, heads=3, depth=2) has 1,152 parameters, and makes (2, 5, 11) of (2, 5).
    """

    def __init__(self, vocab: int, context: int, d_model: int, heads: int, depth: int) -> None:
        super().__init__()
        self.context = context  # `generate` reads it
        ### BEGIN SOLUTION
        self.token_embedding = nn.Embedding(vocab, d_model)
        self.position_embedding = nn.Embedding(context, d_model)
        self.blocks = nn.ModuleList(DecoderBlock(d_model, heads, 4 * d_model) for _ in range(depth))
        self.final_norm = nn.LayerNorm(d_model)
        for embedding in (self.token_embedding, self.position_embedding):
            nn.init.normal_(embedding.weight, std=0.02)
        ### END SOLUTION

    def forward(
        self, tokens: Int[Tensor, "batch seq"], mask: Bool[Tensor, "batch seq"] | None = None
    ) -> Float[Tensor, "batch seq vocab"]:
        """The logits at each position. Those on padding may be anything: they are not looked at.

        - x is the sum of each token's row and its position's row. The first *real* token of a sentence has position 0,
          wherever the padding stands; which row padding gets does not matter.
        - Through the blocks each position sees itself and what is before it, and no padding.
        - The logits are the dot products of final_norm(x) with the rows of the token embedding: no bias, no softmax.
        - `mask` is True on real tokens. Padding stands on the left or on the right of a sentence, never between its
          tokens; its token is some number of the vocabulary. Without a mask all tokens are real. A row may be padding
          alone; gradients are finite all the same.
        - More than `context` positions, padding included, raise a ValueError.
        """
        ### BEGIN SOLUTION
        seq = tokens.shape[1]
        if seq > self.context:
            raise ValueError(f"{seq} positions are more than the {self.context} that this model has.")
        if mask is None:
            mask = torch.ones_like(tokens, dtype=torch.bool)
        allowed = combine_masks(mask[:, None, None, :], causal_mask(seq))
        x = self.token_embedding(tokens) + self.position_embedding(position_ids(mask))
        for block in self.blocks:
            x = block(x, allowed)
        return self.final_norm(x) @ self.token_embedding.weight.T
        ### END SOLUTION


# %%
check(GPT)

# %% [markdown]
# ## 5. The loss
#
# *Fifteen minutes.* One sentence of `seq` tokens is `seq` - 1 exercises at once: each position has to guess the token
# that comes next, and because of the mask it has not seen it. The last position has nothing to guess at.


# %%
def causal_loss(
    logits: Float[Tensor, "batch seq vocab"], tokens: Int[Tensor, "batch seq"], pad_id: int
) -> Float[Tensor, ""]:
    """The mean cross-entropy of the next token, over all targets of the batch that are real.

    The logits at position t are a guess at the token at position t + 1, which is their target. The loss of one target
    is minus the logarithm of the probability that the softmax of the logits gives to it. Targets that are `pad_id` do
    not count: neither in the sum nor in what it is divided by. So a long sentence counts for more than a short one.

    Sentences are padded on the right. No real token is `pad_id`, which may lie outside the vocabulary (-100, say). At
    least one target is real. Gradients flow into the logits; those of logits that predict nothing real are 0.

    Example: logits of zeros of shape (1, 4, 8), tokens [[5, 2, 7, 0]] and pad_id 0 give log 8, about 2.079: the mean
    over the two targets 2 and 7.

    Rules: no loops. Neither input is changed.
    """
    ### BEGIN SOLUTION
    guesses, targets = logits[:, :-1], tokens[:, 1:]
    real = targets != pad_id
    chosen = guesses[real].log_softmax(dim=1).gather(1, targets[real][:, None])
    return -chosen.mean()
    ### END SOLUTION


# %%
check(causal_loss)

# %% [markdown]
# ## 6. Writing
#
# *Twenty minutes.* To write, a model guesses one token, gets it back as its own input, and guesses the next. What is
# drawn at random cannot be compared with anything, so the checks use two models that you find above the stub. `Adder`
# has learned one thing; where it is sure of it, or little else is let through, the outcome is certain. `Die` is thrown
# by a few hundred rows at once, and when it is asked for a second throw it looks at how often each face came at the
# first. Where that fits, it raises `FairThrows`: then that exception is the right outcome, and goes through your code.


# %%
class Adder(nn.Module):
    """Given: a language model whose next token is the sum of the tokens that it sees, modulo `vocab`.

    The right token has a logit of `sureness`, all others 0. In training mode dropout spoils that.
    """

    def __init__(self, vocab: int, context: int, sureness: float, training: bool = True) -> None:
        super().__init__()
        self.vocab, self.context, self.sureness = vocab, context, sureness
        self.dropout = nn.Dropout(0.9)
        self.train(training)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """The logits, (batch, seq, vocab). Raises ValueError for more than `context` tokens, as a GPT does."""
        if tokens.shape[1] > self.context:
            raise ValueError(f"{tokens.shape[1]} positions are more than the {self.context} that this model has.")
        return self.dropout(self.sureness * F.one_hot(tokens.cumsum(dim=1) % self.vocab, self.vocab).float())


class FairThrows(Exception):
    """Given: each face of a `Die` came about as often as it should."""


class Die(nn.Module):
    """Given: a language model to which every token is as likely as its entry in `logits` says, whatever came before.

    Asked for a second throw, it raises FairThrows where the first one gave each face to about as many rows as `shares`
    says, and where `generator`, if there is one, was drawn from.
    """

    context = 8

    def __init__(self, logits: list[float], shares: list[float], generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.logits, self.shares = torch.tensor(logits), torch.tensor(shares)
        self.generator = generator
        self.untouched = None if generator is None else generator.manual_seed(0).get_state()
        self.eval()

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """The logits, (batch, seq, vocab)."""
        if tokens.shape[1] > 1:
            came = F.one_hot(tokens[:, -1], len(self.logits)).float().mean(dim=0)
            drawn = self.generator is None or not torch.equal(self.generator.get_state(), self.untouched)
            if drawn and (came - self.shares).abs().max() < 0.14:
                raise FairThrows(f"the faces' shares are {came.tolist()}, and should be {self.shares.tolist()}")
        return self.logits.expand(*tokens.shape, -1)


CUP = torch.Generator()  # what `Die` is thrown from


def generate(
    model: nn.Module,
    tokens: Int[Tensor, "batch seq"],
    steps: int,
    temperature: float,
    top_k: int | None,
    generator: torch.Generator | None,
) -> Int[Tensor, "batch longer"]:
    """The tokens given, and behind them `steps` ≥ 0 more, one after the other, for each row.

    `model` is built like a GPT: model(tokens) gives logits of shape (batch, seq, vocab), and model.context says how
    many tokens it takes at most. All tokens are real: there is no mask. At each step

    - the model sees what is there so far, of which the last `context` tokens where that is more, and the logits at the
      last position count;
    - they are divided by `temperature`, and of the tokens the `top_k` most likely stay: all of them where `top_k` is
      None or larger than the vocabulary. No two logits of the cases are equal where that matters;
    - one token is drawn for each row, by the probabilities that the softmax gives to those that stayed. Draw with
      `generator`, or with torch's own where it is None; torch.multinomial takes it as it is, and any other way of
      drawing is right too. A `temperature` of 0 draws nothing: the most likely token is taken.

    The model runs in evaluation mode, with all its parts, and without gradients; afterwards it is in the mode that it
    was in. `tokens` is not changed. An exception that the model raises goes through.

    Example: Adder(vocab=10, context=3, sureness=50.0) and tokens [[1, 2, 4]] give with 3 steps and temperature 1.0
        [[1, 2, 4, 7, 3, 4]]: 1 + 2 + 4 is 7, and of 2 + 4 + 7 and of 4 + 7 + 3 the last digit counts.
    """
    ### BEGIN SOLUTION
    training = model.training
    model.eval()
    with torch.no_grad():
        for _ in range(steps):
            logits = model(tokens[:, -model.context :])[:, -1]
            if temperature == 0:
                chosen = logits.argmax(dim=-1, keepdim=True)
            else:
                logits = logits / temperature
                if top_k is not None and top_k < logits.shape[-1]:
                    least = logits.topk(top_k).values[:, -1:]
                    logits = logits.masked_fill(logits < least, -torch.inf)
                chosen = torch.multinomial(logits.softmax(dim=-1), 1, generator=generator)
            tokens = torch.cat([tokens, chosen], dim=1)
    model.train(training)
    return tokens
    ### END SOLUTION


# %%
check(generate)

# %% [markdown]
# ## 7. A memory for keys and values
#
# *Ten minutes.* In `generate` the model reads everything again for each token that it writes. But what is past does not
# change: no position sees a later one, so its keys and values stay what they were. It is enough to keep them.


# %%
class KeyValueCache:
    """Keeps the keys and values of all positions so far, of one attention.

    A new cache is empty, and each cache has a memory of its own. It is a class like any other, no nn.Module: it has
    nothing to learn.

    Example: a first append of k and v of shape (2, 3, 4, 5) gives these back, and a second one of shape (2, 3, 1, 5)
    gives two tensors of shape (2, 3, 5, 5), the new step behind the four.
    """

    def __init__(self) -> None:
        ### BEGIN SOLUTION
        self.past: Tensor | None = None  # keys and values in one tensor, (2, batch, heads, seq, d_head)
        ### END SOLUTION

    def append(
        self, k: Float[Tensor, "batch heads steps d_head"], v: Float[Tensor, "batch heads steps d_head"]
    ) -> tuple[Float[Tensor, "batch heads seq d_head"], Float[Tensor, "batch heads seq d_head"]]:
        """Keep `steps` ≥ 1 more, and give back the keys and the values of all positions so far, the oldest first.

        From one call to the next all sizes but `steps` are the same. What came in, and what was given back before, is
        not changed.
        """
        ### BEGIN SOLUTION
        new = torch.stack([k, v])
        self.past = new if self.past is None else torch.cat([self.past, new], dim=3)
        return self.past[0], self.past[1]
        ### END SOLUTION


# %%
check(KeyValueCache)

# %% [markdown]
# ## 8. A GPT that remembers
#
# *Thirty minutes.* The same model, with the same parameters: but it is given new tokens alone, as many as there are,
# and has a cache for each block that knows the rest. Whatever portions a text comes in, the logits have to be those
# that your GPT gives when it reads the text as a whole.


# %%
class CachedGPT(GPT):
    """A GPT that is told new tokens only: each call goes on where the one before ended.

    It has the parameters of your GPT, which it inherits, and no others; beside them a KeyValueCache for each block. It
    needs no mask: all tokens are real.

    Example: in GPT(11, 9, 6, 3, 2) the call model(tokens) on tokens of shape (2, 5) gives (2, 5, 11). In a CachedGPT
    with the same weights model(tokens[:, :3]) gives the first three of these positions, then model(tokens[:, 3:4]) the
    fourth, and then model(tokens[:, 4:5]) the fifth.
    """

    def __init__(self, vocab: int, context: int, d_model: int, heads: int, depth: int) -> None:
        super().__init__(vocab, context, d_model, heads, depth)
        ### BEGIN SOLUTION
        self.heads = heads
        self.caches = [KeyValueCache() for _ in range(depth)]
        self.seen = 0
        ### END SOLUTION

    def forward(self, tokens: Int[Tensor, "batch steps"]) -> Float[Tensor, "batch steps vocab"]:
        """The logits at the new positions.

        - The first token of all has position 0; the first of a later call comes behind all that were seen before.
        - In each block the new positions alone go through the norms and the maps. Their keys and values are appended to
          the block's cache, and their queries look at all keys so far: each new position sees what came in earlier
          calls, itself, and the new ones before it.
        - Where old and new positions together are more than `context`, the call raises a ValueError.
        """
        ### BEGIN SOLUTION
        past, self.seen = self.seen, self.seen + tokens.shape[1]
        if self.seen > self.context:
            raise ValueError(f"{self.seen} positions are more than the {self.context} that this model has.")
        allowed = causal_mask(self.seen)[past:]
        x = self.token_embedding(tokens) + self.position_embedding.weight[past : self.seen]
        for block, cache in zip(self.blocks, self.caches, strict=True):
            maps, normed = block.attention, block.norm1(x)
            q, k, v = (split_heads(map_to(normed), self.heads) for map_to in (maps.W_q, maps.W_k, maps.W_v))
            output, _ = attention(q, *cache.append(k, v), allowed)
            x = x + maps.W_o(merge_heads(output))
            x = x + block.feed_forward(block.norm2(x))
        return self.final_norm(x) @ self.token_embedding.weight.T
        ### END SOLUTION


# %%
check(CachedGPT)

# %% [markdown]
# ## Your own GPT reads names, and writes some
#
# Below your model reads names of people from six countries, letter by letter, and then writes names itself. It runs on
# your own masks and your own attention from earlier lessons where those pass their checks, and says which are in use.
# Training takes about half a minute. A tenth of all names is kept back. What do you expect: will your model write a
# name that exists, and that it was never shown?

# %%
# demonstration: the learner's own GPT reads names, and writes some
if ready(FeedForward, DecoderBlock, GPT, causal_loss, generate, KeyValueCache, CachedGPT):
    import importlib.util
    import math
    import random
    import time
    from collections import Counter, defaultdict

    import matplotlib.pyplot as plt

    from autograder import own

    if importlib.util.find_spec("faker") is None:
        print(
            "The names come with the package Faker, which is not installed. In a terminal, in the course's folder, run"
        )
        print('    .venv/bin/pip install -c constraints.txt -e ".[capstones]"')
        print("and then this cell again.")
    else:
        earlier = {
            "18_padding": [position_ids],
            "21_attention": [attention],
            "22_masks": [causal_mask, combine_masks],
            "23_multi_head": [MultiHeadAttention],
        }
        parts = {part.__name__: own(part, lesson) for lesson, given in earlier.items() for part in given}

        torch.set_num_threads(1)  # a model this small gains nothing from more
        torch.manual_seed(0)
        dice = random.Random(0)
        countries = {
            "Finland": "fi_FI",
            "Germany": "de_DE",
            "Ireland": "en_IE",
            "Italy": "it_IT",
            "Netherlands": "nl_NL",
            "Spain": "es_ES",
        }
        shown, kept_back = {}, {}  # for each country its first names and its last names
        for country, locale in countries.items():
            provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
            shown[country], kept_back[country] = [], []
            for names in (provider.first_names, provider.last_names):
                single = sorted({name for name in names if " " not in name})
                dice.shuffle(single)
                kept_back[country].append(single[: len(single) // 10])
                shown[country].append(single[len(single) // 10 :])

        context, steps = 30, 600

        def people(names: dict[str, list[list[str]]], count: int) -> list[str]:
            """That many lines, each a country and a first and a last name from there."""
            drawn = dice.choices(list(names.items()), k=2 * count)
            texts = [f"{country}: {dice.choice(first)} {dice.choice(last)}\n" for country, (first, last) in drawn]
            return [text for text in texts if len(text) <= context][:count]

        texts, others = people(shown, 20_000), people(kept_back, 500)
        letters = ["·", *sorted(set("".join(texts + others)))]  # token 0 is padding
        number = {letter: token for token, letter in enumerate(letters)}

        def tokens_of(texts: list[str]) -> Tensor:
            """Padded on the right: (batch, context)."""
            return torch.tensor([[number[letter] for letter in text.ljust(context, "·")] for text in texts])

        def choices(loss: float) -> str:
            """A loss as something to imagine."""
            return f"as unsure as a choice among {math.exp(loss):4.1f} letters"

        def loss_of_table(before: int) -> float:
            """How well it goes by counting alone which letter follows the last few."""
            counts: dict[str, Counter[str]] = defaultdict(Counter)
            for text in texts:
                for i in range(1, len(text)):
                    counts[text[max(0, i - before) : i]][text[i]] += 1
            total = {start: counter.total() for start, counter in counts.items()}
            found = [(text[max(0, i - before) : i], text[i]) for text in others for i in range(1, len(text))]
            shares = [
                (counts[start][letter] + 0.1) / (total.get(start, 0) + 0.1 * len(letters)) for start, letter in found
            ]
            return -torch.tensor(shares).log().mean().item()

        tables = {before: loss_of_table(before) for before in range(5)}
        for before, loss in tables.items():
            print(f"a table of what follows the last {before} letters: {choices(loss)}")

        def written(country: str, count: int) -> list[str]:
            """Names that the model writes behind a country, up to the end of the line."""
            start = tokens_of([f"{country}: "])[:, : len(country) + 2].expand(count, -1)
            rest = generate(model, start, context - start.shape[1], 0.6, 20, generator)[:, start.shape[1] :]
            return ["".join(letters[token] for token in row).split("\n")[0] for row in rest.tolist()]

        names_of_model = GPT.forward.__globals__  # where it looks for the earlier lessons' parts
        given = {name: names_of_model[name] for name in parts}
        names_of_model.update(parts)
        try:
            data, test = tokens_of(texts), tokens_of(others)
            sizes = {"vocab": len(letters), "context": context, "d_model": 64, "heads": 4, "depth": 3}
            model, generator = GPT(**sizes), torch.Generator().manual_seed(0)
            print("\nbefore training it writes", repr(written("Italy", 1)[0]), "\n")
            optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
            plan = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps + 1, pct_start=0.1)
            losses, test_losses, began = [], {}, time.perf_counter()
            for step in range(steps + 1):
                if step % (steps // 8) == 0:
                    with torch.no_grad():
                        test_losses[step] = causal_loss(model(test, test != 0), test, 0).item()
                    seconds = time.perf_counter() - began
                    print(f"step {step:3}, {seconds:3.0f} s: {choices(test_losses[step])}")
                batch = data[torch.randint(len(data), (64,))]
                loss = causal_loss(model(batch, batch != 0), batch, 0)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                plan.step()
                losses.append(loss.item())

            known = {name for lists in shown.values() for names in lists for name in names}
            hidden = {name for lists in kept_back.values() for names in lists for name in names} - known
            print("\nafter training (* is in no list; ! is in a list, but among the names kept back):")
            wrote = {country: [line.split(" ") for line in written(country, 60)] for country in countries}
            for country, lines in wrote.items():
                marked = (
                    " ".join(name + "!" * (name in hidden) + "*" * (name not in known | hidden) for name in line)
                    for line in lines
                )
                print(f"    {country:12}", ", ".join(list(marked)[:5]))
            every = {name for lines in wrote.values() for line in lines for name in line}
            print(f"Of {len(every)} different names that it wrote, {len(every & known)} had been shown to it.", end=" ")
            print(
                f"{len(every - known - hidden)} are in no list. {len(every & hidden)} exist and had been kept back:",
                end=" ",
            )
            print(*sorted(every & hidden), sep=", ")

            start, cached = tokens_of(["Finland: "])[:, :9], CachedGPT(**sizes)
            cached.load_state_dict(model.state_dict())
            whole = generate(model, start, context - 9, 0, None, None)
            pieces, read = [start], 0
            with torch.no_grad():
                for _ in range(context - 9):
                    read += pieces[-1].shape[1]
                    pieces.append(cached(pieces[-1])[:, -1:].argmax(dim=-1))
            same = "the same" if torch.equal(torch.cat(pieces, dim=1), whole) else "another"
            print(f"\nWith a cache it writes {same} line, and {read} positions go through the blocks", end=" ")
            print(f"in place of {sum(range(9, context))}.")

            looks, name = [], "Italy: " + " ".join(wrote["Italy"][0])
            hooks = [
                block.attention.register_forward_hook(lambda _module, _inputs, output: looks.append(output[1][0]))
                for block in model.blocks
            ]
            with torch.no_grad():
                model(tokens_of([name])[:, : len(name)])
            for hook in hooks:
                hook.remove()
        finally:
            names_of_model.update(given)

        figure, axes = plt.subplots(figsize=(8, 3.6), facecolor="white")
        axes.plot(losses, color="#0072B2", alpha=0.4, label="on what it reads")
        axes.plot(test_losses.keys(), test_losses.values(), "o-", color="#0072B2", label="on names kept back")
        for before in (0, 1, min(tables, key=tables.get)):
            axes.axhline(tables[before], color="#D55E00", linewidth=0.8)
            says = f"a table of what follows {before} letters"
            axes.text(steps, tables[before], says, ha="right", va="bottom", fontsize=8, color="#D55E00")
        axes.set(xlabel="step", ylabel="loss", title="what your GPT learned, and what counting gives")
        axes.legend(frameon=False)
        figure.tight_layout()
        plt.show()

        figure, axes = plt.subplots(3, 4, figsize=(12, 9.5), facecolor="white", layout="constrained")
        for block, row in enumerate(axes):
            for head, axis in enumerate(row):
                axis.imshow(looks[block][head], cmap="Blues", vmin=0, vmax=1)
                axis.set_xticks(range(len(name)), name)
                axis.set_yticks(range(len(name)), name)
                axis.set_title(f"block {block}, head {head}", fontsize=9)
        figure.supxlabel("the letter looked at")
        figure.supylabel("the letter that looks, and guesses the next one")
        plt.show()
