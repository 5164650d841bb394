"""What decides whether the exercises of 26_decoder are right.

The parts that the notebook gives ready-made, and the models that `generate` is tried on, stand here once more: cases
find them by their names in the learner's notebook, and for the misconceptions and variants in this module.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from autograder.authoring import Exercise, Own, built, recipe

FORBIDDEN = [
    "scaled_dot_product_attention",
    "MultiheadAttention",
    "multi_head_attention_forward",
    "TransformerEncoderLayer",
    "TransformerDecoderLayer",
    "generate_square_subsequent_mask",
]


# ---- what the notebook gives -----------------------------------------------------------------------------------------


def position_ids(mask):
    return (mask.cumsum(dim=1) - 1).masked_fill(~mask, 0)


def causal_mask(length):
    return torch.ones(length, length, dtype=torch.bool).tril()


def combine_masks(padding, causal):
    return padding & causal


def attention(q, k, v, mask=None):
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        weights = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(dim=-1).masked_fill(~mask, 0)
    return weights @ v, weights


def split_heads(x, heads):
    batch, seq, d_model = x.shape
    return x.view(batch, seq, heads, d_model // heads).transpose(1, 2)


def merge_heads(x):
    return x.transpose(1, 2).flatten(2)


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, heads):
        super().__init__()
        self.heads = heads
        self.W_q, self.W_k, self.W_v, self.W_o = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, q, k, v, mask=None):
        parts = (split_heads(x, self.heads) for x in (self.W_q(q), self.W_k(k), self.W_v(v)))
        output, weights = attention(*parts, mask)
        return self.W_o(merge_heads(output)), weights


class Adder(nn.Module):
    def __init__(self, vocab, context, sureness, training=True):
        super().__init__()
        self.vocab, self.context, self.sureness = vocab, context, sureness
        self.dropout = nn.Dropout(0.9)
        self.train(training)

    def forward(self, tokens, mask=None):
        if tokens.shape[1] > self.context:
            raise ValueError(f"{tokens.shape[1]} positions are more than the {self.context} that this model has.")
        return self.dropout(self.sureness * F.one_hot(tokens.cumsum(dim=1) % self.vocab, self.vocab).float())


class FairThrows(Exception):
    pass


class Die(nn.Module):
    context = 8

    def __init__(self, logits, shares, generator=None):
        super().__init__()
        self.logits, self.shares = torch.tensor(logits), torch.tensor(shares)
        self.generator = generator
        self.untouched = None if generator is None else generator.manual_seed(0).get_state()
        self.eval()

    def forward(self, tokens, mask=None):
        if tokens.shape[1] > 1:
            came = F.one_hot(tokens[:, -1], len(self.logits)).float().mean(dim=0)
            drawn = self.generator is None or not torch.equal(self.generator.get_state(), self.untouched)
            if drawn and (came - self.shares).abs().max() < 0.14:
                raise FairThrows(f"the faces' shares are {came.tolist()}, and should be {self.shares.tolist()}")
        return self.logits.expand(*tokens.shape, -1)


CUP = torch.Generator()

# ---- shapes_of_gpt ---------------------------------------------------------------------------------------------------

shapes_of_gpt = Exercise(
    "shapes_of_gpt",
    points=1,
    hints=[
        "An embedding is a table: one row for each thing that can be looked up, and as wide as the model. How many "
        "tokens are there to look up, and how many positions?",
        "split_heads puts the heads in front of the positions and shares d_model out among them. A mask has an axis of "
        "size 1 where the heads are, and a row for each position that looks, a column for each that is looked at.",
        "Each of seq positions guesses the next one, but the last has none: seq - 1 targets. One token more is one "
        "row of weights, over the seq old positions and itself.",
    ],
)


def sizes(batch, seq, vocab, context, d_head, heads):
    shown = {"batch": batch, "seq": seq, "vocab": vocab, "context": context}
    return {**shown, "d_model": d_head * heads, "heads": heads}


@shapes_of_gpt.case("as in the example")
def _(draw):
    return sizes(2, 5, 11, 9, 2, 3)


@shapes_of_gpt.case("other sizes")
def _(draw):
    batch, seq, d_head, heads = (draw.permutation(30) + 2).tolist()[:4]
    return sizes(batch, seq, draw.integer(1000, 60_000), seq + draw.integer(3, 900), d_head, heads)


@shapes_of_gpt.case("one head, a full context")
def _(draw):
    batch, seq, d_head = (draw.permutation(60) + 2).tolist()[:3]
    return sizes(batch, seq, draw.integer(100, 900), seq, d_head, 1)


@shapes_of_gpt.case("one token, one sentence")
def _(draw):
    d_head, heads = (draw.permutation(30) + 2).tolist()[:2]
    return sizes(1, 1, draw.integer(100, 900), draw.integer(1000, 3000), d_head, heads)


def shapes(batch, seq, vocab, context, d_model, heads, **changes):
    right = {
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
    return {**right, **changes}


@shapes_of_gpt.misconception
def table_of_columns(batch, seq, vocab, context, d_model, heads):
    """Your "token_table" has a column for each token. A table is looked up by rows: tokens first, then the width."""
    return shapes(batch, seq, vocab, context, d_model, heads, token_table=(d_model, vocab))


@shapes_of_gpt.misconception
def positions_that_are_used(batch, seq, vocab, context, d_model, heads):
    """Your "position_table" has a row for each token of this sentence. A table is made once, for all positions there
    can ever be."""
    return shapes(batch, seq, vocab, context, d_model, heads, position_table=(seq, d_model))


@shapes_of_gpt.misconception
def heads_behind_the_positions(batch, seq, vocab, context, d_model, heads):
    """Your "queries" have the heads behind the positions, as a view gives them. split_heads brings them in front, so
    that attention works on the last two axes."""
    return shapes(batch, seq, vocab, context, d_model, heads, queries=(batch, seq, heads, d_model // heads))


@shapes_of_gpt.misconception
def every_head_as_wide_as_the_model(batch, seq, vocab, context, d_model, heads):
    """Each head of your "queries" is d_model wide. The heads share d_model out among them."""
    return shapes(batch, seq, vocab, context, d_model, heads, queries=(batch, heads, seq, d_model))


@shapes_of_gpt.misconception
def mask_without_an_axis_for_heads(batch, seq, vocab, context, d_model, heads):
    """Your "allowed" has three axes. mask[:, None, None, :] has four, one of them of size 1 where the heads are, and
    `&` keeps them when it broadcasts."""
    return shapes(batch, seq, vocab, context, d_model, heads, allowed=(batch, seq, seq))


@shapes_of_gpt.misconception
def mask_for_each_head(batch, seq, vocab, context, d_model, heads):
    """Your "allowed" is stretched over the heads already. It has size 1 there until it meets the scores."""
    return shapes(batch, seq, vocab, context, d_model, heads, allowed=(batch, heads, seq, seq))


@shapes_of_gpt.misconception
def feed_forward_no_wider(batch, seq, vocab, context, d_model, heads):
    """Your "hidden" is as wide as x. Between the two maps of the feed-forward part it is four times as wide."""
    return shapes(batch, seq, vocab, context, d_model, heads, hidden=(batch, seq, d_model))


@shapes_of_gpt.misconception
def logits_as_wide_as_the_model(batch, seq, vocab, context, d_model, heads):
    """Your "logits" are d_model wide. There is one for each token that could come next."""
    return shapes(batch, seq, vocab, context, d_model, heads, logits=(batch, seq, d_model))


@shapes_of_gpt.misconception
def a_target_for_everyone(batch, seq, vocab, context, d_model, heads):
    """Your "targets" have one for each position. What comes behind the last one is not known."""
    return shapes(batch, seq, vocab, context, d_model, heads, targets=(batch, seq))


@shapes_of_gpt.misconception
def step_does_not_see_itself(batch, seq, vocab, context, d_model, heads):
    """Your "step_weights" are over the remembered positions alone. The new token sees itself too."""
    return shapes(batch, seq, vocab, context, d_model, heads, step_weights=(batch, heads, 1, seq))


@shapes_of_gpt.misconception
def everything_again(batch, seq, vocab, context, d_model, heads):
    """Your "step_weights" have a row for every position. What is remembered need not look again: the new token alone
    does."""
    return shapes(batch, seq, vocab, context, d_model, heads, step_weights=(batch, heads, seq + 1, seq + 1))


@shapes_of_gpt.variant
def from_real_tensors(batch, seq, vocab, context, d_model, heads):
    with torch.device("meta"):
        tables = nn.Embedding(vocab, d_model).weight, nn.Embedding(context, d_model).weight
        x = torch.zeros(batch, seq, d_model)
        queries = split_heads(nn.Linear(d_model, d_model)(x), heads)
        padding = torch.ones(batch, 1, 1, seq, dtype=torch.bool)
        steps = {"token_table": tables[0], "position_table": tables[1], "x": x, "queries": queries}
        steps["allowed"] = combine_masks(padding, causal_mask(seq))
        steps["weights"] = queries @ queries.mT
        steps["hidden"] = nn.Linear(d_model, 4 * d_model)(x)
        steps["logits"] = x @ tables[0].T
        steps["targets"] = torch.zeros(batch, seq)[:, 1:]
        steps["step_weights"] = queries[:, :, :1] @ torch.cat([queries, queries[:, :, :1]], dim=2).mT
    return {name: step.shape for name, step in steps.items()}


@shapes_of_gpt.variant
def one_from_the_other(batch, seq, vocab, context, d_model, heads):
    rows, split = (batch, seq), (batch, heads, seq)
    return {
        "step_weights": (*split[:2], 1, seq + 1),
        "targets": (batch, seq - 1),
        "logits": (*rows, vocab),
        "hidden": (*rows, d_model * 4),
        "weights": (*split, seq),
        "allowed": (batch, 1, *(seq,) * 2),
        "queries": (*split, int(d_model / heads)),
        "x": (*rows, d_model),
        "position_table": (context, d_model),
        "token_table": (vocab, d_model),
    }


@shapes_of_gpt.variant
def assigned_one_by_one(batch, seq, vocab, context, d_model, heads):
    answer = {"x": (batch, seq, d_model)}
    answer["token_table"], answer["position_table"] = ((rows, d_model) for rows in (vocab, context))
    answer["queries"] = batch, heads, seq, d_model // heads
    answer["allowed"] = torch.broadcast_shapes((batch, 1, 1, seq), (seq, seq))
    answer["weights"] = batch, heads, seq, seq
    answer["hidden"] = batch, seq, d_model + 3 * d_model
    answer["logits"] = (*answer["x"][:2], vocab)
    answer["targets"] = batch, seq - 1
    answer["step_weights"] = batch, heads, 1, seq + 1
    return answer


# ---- FeedForward -----------------------------------------------------------------------------------------------------

feed_forward = Exercise(
    "FeedForward",
    points=1,
    hints=[
        "Which of the two maps makes the numbers more, and which makes them d_model again? Where does the bend stand? "
        "A map right behind a map is one map.",
        "nn.Linear works on the last axis and leaves all others alone, so nothing has to be reshaped. nn.GELU() and "
        "F.gelu are the exact GELU when they are told nothing else.",
        "self.up = nn.Linear(d_model, d_ff) and self.down the other way round; then down of the GELU of up(x).",
    ],
)


@feed_forward.case("four times as wide inside")
def _(draw):
    return built(6, 24).differentiate(draw.normal(2, 5, 6))


@feed_forward.case("narrower inside")
def _(draw):
    return built(7, 4).differentiate(draw.normal(3, 2, 7, std=2.0))


@feed_forward.case("as wide inside")
def _(draw):
    return built(5, 5).call(draw.normal(2, 3, 5))


@feed_forward.case("double precision, wider numbers")
def _(draw):
    return built(4, 10).to(torch.float64).call(draw.normal(3, 6, 4, std=3.0, dtype=torch.float64))


@feed_forward.case("one position, one number, one inside")
def _(draw):
    return built(1, 1).call(draw.normal(1, 1, 1) + 2)


@feed_forward.case("a row alone, and more axes in front")
def _(draw):
    return built(3, 8).call(draw.normal(3)).call(draw.normal(2, 4, 1, 5, 3))


@feed_forward.case("a view, in training and in evaluation")
def _(draw):
    return built(6, 9).call(draw.normal(6, 4, 2).permute(2, 1, 0)).eval().call(draw.normal(2, 3, 12)[..., ::2])


@feed_forward.case("half precision")
def _(draw):
    return built(5, 12).to(torch.float16).call(draw.normal(2, 4, 5, dtype=torch.float16))


class Bent(nn.Module):
    """A right FeedForward, to be spoiled in one place."""

    def __init__(self, d_model, d_ff):
        super().__init__()
        self.up, self.down = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)

    def bend(self, x):
        return F.gelu(x)

    def forward(self, x):
        return self.down(self.bend(self.up(x)))


@feed_forward.misconception
class GeluByTanh(Bent):
    """Yours is the approximation of GELU by tanh. It differs in the fourth digit, and the exact one was asked for."""

    def bend(self, x):
        return F.gelu(x, approximate="tanh")


@feed_forward.misconception
class GeluBySigmoid(Bent):
    """Yours is z · σ(1.702 z), an older approximation of GELU. The exact one is z times the normal distribution's
    Φ(z)."""

    def bend(self, x):
        return x * (1.702 * x).sigmoid()


@feed_forward.misconception
class Relu(Bent):
    """Your bend is a ReLU. GELU was asked for: it lets a little of the small negative numbers through."""

    def bend(self, x):
        return x.relu()


@feed_forward.misconception
class Silu(Bent):
    """Your bend is z · σ(z), which is called SiLU. GELU was asked for: z · Φ(z)."""

    def bend(self, x):
        return F.silu(x)


@feed_forward.misconception
class Straight(Bent):
    """There is no bend between your two maps. Two linear maps in a row are one linear map."""

    def bend(self, x):
        return x


@feed_forward.misconception
class BentAtTheEnd(Bent):
    """Your bend stands behind `down`. It belongs between the two maps."""

    def forward(self, x):
        return F.gelu(self.down(self.up(x)))


@feed_forward.misconception
class BentTwice(Bent):
    """Yours bends behind `down` too. There is one bend, between the two maps."""

    def forward(self, x):
        return F.gelu(super().forward(x))


@feed_forward.misconception
class WithAShortcut(Bent):
    """Yours adds x to the result. The shortcut belongs to the block, which knows what is added to what."""

    def forward(self, x):
        return x + super().forward(x)


@feed_forward.misconception
class WithDropout(Bent):
    """Yours has a dropout. None was asked for: in training the results would be others at each call."""

    def forward(self, x):
        return F.dropout(super().forward(x), 0.1, self.training)


@feed_forward.variant
class AsLayers(nn.Module):
    def __init__(self, d_model, d_ff):
        super().__init__()
        self.down = nn.Linear(d_ff, d_model)
        self.up = nn.Linear(d_model, d_ff)
        self.act = nn.GELU()

    def forward(self, h):
        return nn.Sequential(self.up, self.act, self.down)(h)


@feed_forward.variant
class ByTheDistribution(Bent):
    def bend(self, x):
        return x * torch.special.ndtr(x)


@feed_forward.variant
class ByTheErrorFunction(Bent):
    def forward(self, x):
        z = x @ self.up.weight.T + self.up.bias
        return F.linear(0.5 * z * (1 + (z / math.sqrt(2)).erf()), self.down.weight, self.down.bias)


# ---- DecoderBlock ----------------------------------------------------------------------------------------------------

decoder_block = Exercise(
    "DecoderBlock",
    points=2,
    needs=["FeedForward"],
    forbids=FORBIDDEN,
    hints=[
        "There are two sums. What is added to what in each of them, and which x does the second one begin with?",
        "The attention gets the same thing three times: norm1(x). It gives back two things; you need the first. "
        "x itself never goes through a norm on its way from one sum to the next.",
        "x = x + self.attention(n, n, n, mask)[0], where n is self.norm1(x); then return x + "
        "self.feed_forward(self.norm2(x)).",
    ],
)


def lower(length):
    return torch.ones(length, length, dtype=torch.bool).tril()


def real(lengths, seq):
    """(batch, seq): True on the first tokens, as many as each length says."""
    return torch.arange(seq) < torch.as_tensor(lengths)[:, None]


@decoder_block.case("no mask")
def _(draw):
    return built(6, 2, 9).differentiate(draw.normal(2, 5, 6, mean=0.5))


@decoder_block.case("a causal mask")
def _(draw):
    return built(8, 4, 12).call(draw.normal(3, 5, 8, std=2.0), lower(5)[None, None])


@decoder_block.case("causal, and padding hidden")
def _(draw):
    mask = real([draw.integer(2, 4), 6], 6)[:, None, None, :] & lower(6)
    watched = ["norm1.weight", "attention.W_v.bias", "norm2.bias", "feed_forward.down.bias"]
    return built(6, 3, 8).differentiate_only(watched, draw.normal(2, 6, 6, mean=1.0), mask)


@decoder_block.case("a mask that is not symmetric, of one row that sees nothing")
def _(draw):
    mask = draw.booleans(2, 1, 4, 4, true=0.6)
    mask[0, 0, 0], mask[0, 0, 1, 0], mask[1, 0, 2], mask[1, 0, 0, 2] = True, False, False, True
    mask[0, 0, 0, 1] = mask[1, 0, 1, 3] = True
    mask[1, 0, 3, 1] = False
    return built(4, 2, 6).call(draw.normal(2, 4, 4), mask)


@decoder_block.case("one position, one head")
def _(draw):
    return built(3, 1, 5).call(draw.normal(1, 1, 3))


@decoder_block.case("as many positions as sentences, heads and numbers in a head")
def _(draw):
    return built(9, 3, 3).call(draw.normal(3, 3, 9), lower(3)[None, None])


@decoder_block.case("a view, in double precision")
def _(draw):
    x = draw.normal(6, 4, 2, dtype=torch.float64, std=3.0).permute(2, 1, 0)
    return built(6, 2, 24).to(torch.float64).call(x, lower(4)[None, None])


@decoder_block.case("in training and in evaluation")
def _(draw):
    x = draw.normal(2, 3, 4)
    return built(4, 1, 7).call(x).eval().call(x)


class Sides(nn.Module):
    """A right DecoderBlock, to be spoiled in one place."""

    def __init__(self, d_model, heads, d_ff):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.attention, self.feed_forward = MultiHeadAttention(d_model, heads), Bent(d_model, d_ff)

    def look(self, x, mask):
        return self.attention(x, x, x, mask)[0]

    def forward(self, x, mask=None):
        x = x + self.look(self.norm1(x), mask)
        return x + self.feed_forward(self.norm2(x))


@decoder_block.misconception
class PostNorm(Sides):
    """Your norms stand behind the sums, on the road itself: post-norm, as in the first Transformer. Here they stand in
    front of what they serve, and x is never normed itself."""

    def forward(self, x, mask=None):
        x = self.norm1(x + self.look(x, mask))
        return self.norm2(x + self.feed_forward(x))


@decoder_block.misconception
class NormedRoad(Sides):
    """Yours adds to norm1(x) and to norm2(x). The norm is for the attention's and the feed-forward's eyes: what they
    are added to is x as it was."""

    def forward(self, x, mask=None):
        x = self.norm1(x)
        x = self.norm2(x + self.look(x, mask))
        return x + self.feed_forward(x)


@decoder_block.misconception
class AttentionAddedToTheNorm(Sides):
    """Yours adds what the attention finds to norm1(x). The norm is for the attention's eyes alone: what it is added to
    is x as it was."""

    def forward(self, x, mask=None):
        x = self.norm1(x)
        x = x + self.look(x, mask)
        return x + self.feed_forward(self.norm2(x))


@decoder_block.misconception
class FeedForwardAddedToTheNorm(Sides):
    """Yours adds what the feed-forward part finds to norm2(x). The norm is for that part's eyes alone: what it is added
    to is x as it was."""

    def forward(self, x, mask=None):
        x = self.norm2(x + self.look(self.norm1(x), mask))
        return x + self.feed_forward(x)


@decoder_block.misconception
class OneNormForBoth(Sides):
    """Yours uses norm1 twice. norm2 is there for the feed-forward part; no gradient would ever reach it."""

    def forward(self, x, mask=None):
        x = x + self.look(self.norm1(x), mask)
        return x + self.feed_forward(self.norm1(x))


@decoder_block.misconception
class WithoutTheFirstNorm(Sides):
    """Your attention gets x without a norm. Queries, keys and values are all made of norm1(x)."""

    def forward(self, x, mask=None):
        x = x + self.look(x, mask)
        return x + self.feed_forward(self.norm2(x))


@decoder_block.misconception
class WithoutTheSecondNorm(Sides):
    """Your feed-forward part gets x without a norm."""

    def forward(self, x, mask=None):
        x = x + self.look(self.norm1(x), mask)
        return x + self.feed_forward(x)


@decoder_block.misconception
class AttentionWithoutShortcut(Sides):
    """What your attention finds replaces x. It is added to x: without that, a position forgets its own token."""

    def forward(self, x, mask=None):
        x = self.look(self.norm1(x), mask)
        return x + self.feed_forward(self.norm2(x))


@decoder_block.misconception
class FeedForwardWithoutShortcut(Sides):
    """What your feed-forward part finds replaces x. It is added to x, as what the attention finds is."""

    def forward(self, x, mask=None):
        x = x + self.look(self.norm1(x), mask)
        return self.feed_forward(self.norm2(x))


@decoder_block.misconception
class SideBySide(Sides):
    """Your feed-forward part gets the x that came in. It works on what is there after the attention has added its
    part."""

    def forward(self, x, mask=None):
        return x + self.look(self.norm1(x), mask) + self.feed_forward(self.norm2(x))


@decoder_block.misconception
class FirstXAgain(Sides):
    """Your second sum begins with the x that came in, and what the attention has added is lost on the road."""

    def forward(self, x, mask=None):
        looked = x + self.look(self.norm1(x), mask)
        return x + self.feed_forward(self.norm2(looked))


@decoder_block.misconception
class KeysWithoutNorm(Sides):
    """Your queries are made of norm1(x), and the keys and values of x. All three are made of norm1(x)."""

    def forward(self, x, mask=None):
        x = x + self.attention(self.norm1(x), x, x, mask)[0]
        return x + self.feed_forward(self.norm2(x))


@decoder_block.misconception
class MaskNotHandedOn(Sides):
    """Yours takes a mask and does nothing with it."""

    def forward(self, x, mask=None):
        return super().forward(x)


@decoder_block.misconception
class MaskUpsideDown(Sides):
    """Yours turns the mask over: it shows what is to be hidden."""

    def forward(self, x, mask=None):
        return super().forward(x, None if mask is None else ~mask)


@decoder_block.misconception
class CausalByItself(Sides):
    """Yours hides what comes later, though nobody asked for it: who may look at whom is for the mask to say."""

    def forward(self, x, mask=None):
        causal = lower(x.shape[1])
        return super().forward(x, causal if mask is None else mask & causal)


@decoder_block.misconception
class CausalWithoutAMask(Sides):
    """Yours hides what comes later where it is given no mask. Without a mask every position sees all of them: the GPT
    around the blocks hands the causal mask in."""

    def forward(self, x, mask=None):
        return super().forward(x, lower(x.shape[1]) if mask is None else mask)


@decoder_block.misconception
class WeightsToo(Sides):
    """Yours gives back the attention's weights too. A block takes x and gives x alone, so that the next one can take it
    as it comes."""

    def forward(self, x, mask=None):
        n = self.norm1(x)
        found, weights = self.attention(n, n, n, mask)
        x = x + found
        return x + self.feed_forward(self.norm2(x)), weights


@decoder_block.misconception
class AddedInPlace(Sides):
    """Your result is right, but x itself is changed too: `+=` writes into the caller's tensor."""

    def forward(self, x, mask=None):
        with torch.no_grad():
            x += self.look(self.norm1(x), mask)
        return x + self.feed_forward(self.norm2(x))


@decoder_block.misconception
class AnotherEps(Sides):
    """Your norms have an eps of their own. The default, 1e-5, was asked for."""

    def __init__(self, d_model, heads, d_ff):
        super().__init__(d_model, heads, d_ff)
        self.norm1, self.norm2 = nn.LayerNorm(d_model, eps=1e-3), nn.LayerNorm(d_model, eps=1e-3)


@decoder_block.variant
class InOneExpression(nn.Module):
    def __init__(self, d_model, heads, d_ff):
        super().__init__()
        self.feed_forward = Bent(d_model, d_ff)
        self.norm2 = nn.LayerNorm(normalized_shape=(d_model,))
        self.attention = MultiHeadAttention(heads=heads, d_model=d_model)
        self.norm1 = nn.LayerNorm(d_model, 1e-5)

    def forward(self, x, mask=None):
        attended, _ = self.attention(q=(n := self.norm1(x)), k=n, v=n, mask=mask)
        return (y := attended + x) + self.feed_forward(self.norm2(y))


@decoder_block.variant
class ByFunctions(Sides):
    def forward(self, inputs, allowed=None):
        d_model = inputs.shape[-1:]
        road = inputs.clone()
        for norm, side in ((self.norm1, lambda n: self.look(n, allowed)), (self.norm2, self.feed_forward)):
            road = road + side(F.layer_norm(road, d_model, norm.weight, norm.bias))
        return road


@decoder_block.variant
class WithAMaskOfItsOwn(Sides):
    def forward(self, x, mask=None):
        if mask is None:
            mask = torch.ones(1, 1, x.size(1), x.size(1), dtype=torch.bool)
        h = self.norm1(x)
        h, _ = self.attention(h, h, h, mask.expand(len(x), -1, -1, -1))
        x = torch.add(x, h)
        x = torch.add(x, self.feed_forward.forward(self.norm2(x)))
        return x


# ---- GPT -------------------------------------------------------------------------------------------------------------

gpt = Exercise(
    "GPT",
    points=3,
    needs=["FeedForward", "DecoderBlock"],
    forbids=FORBIDDEN,
    hints=[
        "Go through the shapes of exercise 1: which part makes (batch, seq, d_model) of (batch, seq), what keeps it, "
        "and what makes (batch, seq, vocab) of it?",
        "Which position does the first real token of a sentence have if three places of padding stand before it? "
        "`position_ids` knows. Each block wants a mask of shape (batch, 1, seq, seq): `combine_masks` makes it of the "
        "padding, which needs two axes more, and of the causal mask. Where there is no mask, make one of ones.",
        "x is token_embedding(tokens) + position_embedding(position_ids(mask)); each block gets x and "
        "combine_masks(mask[:, None, None, :], causal_mask(seq)); the logits are final_norm(x) @ "
        "token_embedding.weight.T.",
    ],
)
WATCHED = ["token_embedding.weight", "position_embedding.weight", "blocks.0.attention.W_k.weight", "final_norm.bias"]


@gpt.case("one block, no mask")
def _(draw):
    return built(7, 6, 4, 2, 1).differentiate(draw.integers(0, 6, 2, 5))


@gpt.case("two blocks, as many tokens as there are positions")
def _(draw):
    return built(11, 7, 12, 3, 2).call(draw.integers(0, 10, 3, 7))


@gpt.case("later tokens changed: earlier logits stay")
def _(draw):
    tokens, position = draw.integers(0, 10, 2, 6), draw.integer(2, 4)
    changed = torch.cat([tokens[:, :position], 10 - tokens[:, position:]], dim=1)
    return built(11, 8, 8, 4, 2).call(tokens).call(changed)


@gpt.case("padding on the right")
def _(draw):
    mask = real([draw.integer(2, 4), 6, draw.integer(3, 5)], 6)
    tokens = draw.integers(1, 8, 3, 6).masked_fill(~mask, 0)
    return built(9, 8, 6, 2, 1).differentiate_only(WATCHED, tokens, mask).only(mask)


@gpt.case("padding on the left")
def _(draw):
    mask = real([draw.integer(2, 4), 6, draw.integer(3, 5)], 6).flip(1)
    tokens = draw.integers(1, 8, 3, 6).masked_fill(~mask, 0)
    return built(9, 8, 6, 3, 1).differentiate_only(WATCHED, tokens, mask).only(mask)


@gpt.case("a sentence alone, then padded on the left, then on the right")
def _(draw):
    tokens, padding = draw.integers(0, 9, 1, 4), torch.full((1, draw.integer(2, 4)), draw.integer(0, 9))
    left, right = torch.cat([padding, tokens], dim=1), torch.cat([tokens, padding], dim=1)
    mask = real([4], left.shape[1])
    plan = built(10, 9, 8, 2, 1).call(tokens)
    return plan.call(left, mask.flip(1)).only(mask.flip(1)).call(right, mask).only(mask)


@gpt.case("left and right in one batch, padding that looks like a word")
def _(draw):
    mask = real([draw.integer(1, 3), 5, 1, draw.integer(3, 4)], 5)
    mask = torch.stack([mask[0], mask[1], mask[2].flip(0), mask[3].flip(0)])
    return built(6, 5, 4, 1, 2).call(draw.integers(0, 5, 4, 5), mask).only(mask)


@gpt.case("a row of padding alone")
def _(draw):
    mask = real([0, 4, draw.integer(2, 3)], 4)
    return built(5, 6, 4, 2, 1).differentiate_only(WATCHED, draw.integers(0, 4, 3, 4), mask).only(mask)


@gpt.case("one token")
def _(draw):
    return built(3, 1, 4, 1, 1).call(draw.integers(0, 2, 1, 1))


@gpt.case("double precision, tokens that are a view")
def _(draw):
    mask = real([5, 3], 5).flip(1)
    return built(8, 16, 8, 2, 1).to(torch.float64).call(draw.integers(0, 7, 5, 2).T, mask).only(mask)


@gpt.case("more tokens than positions", raises=ValueError)
def _(draw):
    context = draw.integer(3, 6)
    return built(7, context, 4, 2, 1).call(draw.integers(0, 6, 2, context + 1))


@gpt.case("more tokens than positions, most of them padding", raises=ValueError)
def _(draw):
    mask = real([2, 3], 7).flip(1)
    return built(7, 5, 4, 2, 1).call(draw.integers(0, 6, 2, 7), mask)


@gpt.case("GPT-2's sizes, with two of its twelve blocks")
def _(draw):
    return built(50_257, 1_024, 768, 12, 2).meta()


class Guess(nn.Module):
    """A right GPT, to be spoiled in one place."""

    def __init__(self, vocab, context, d_model, heads, depth):
        super().__init__()
        self.context = context
        self.token_embedding, self.position_embedding = nn.Embedding(vocab, d_model), nn.Embedding(context, d_model)
        self.blocks = nn.ModuleList(self.block(d_model, heads) for _ in range(depth))
        self.final_norm = nn.LayerNorm(d_model)

    def block(self, d_model, heads):
        return Sides(d_model, heads, 4 * d_model)

    def allowed(self, mask):
        return combine_masks(mask[:, None, None, :], causal_mask(mask.shape[1]))

    def embedded(self, tokens, mask):
        return self.token_embedding(tokens) + self.position_embedding(position_ids(mask))

    def scored(self, x):
        return self.final_norm(x) @ self.token_embedding.weight.T

    def refuse(self, tokens):
        if tokens.shape[1] > self.context:
            raise ValueError("too long")

    def forward(self, tokens, mask=None):
        self.refuse(tokens)
        mask = torch.ones_like(tokens, dtype=torch.bool) if mask is None else mask
        x = self.embedded(tokens, mask)
        for block in self.blocks:
            x = block(x, self.allowed(mask))
        return self.scored(x)


@gpt.misconception
class SeesTheFuture(Guess):
    """Your positions see what comes after them: the mask hides padding alone. A position that sees the next token has
    nothing left to guess. The causal mask belongs in it too."""

    def allowed(self, mask):
        return mask[:, None, None, :].expand(-1, -1, mask.shape[1], -1)


@gpt.misconception
class SeesTheFutureWithoutAMask(Guess):
    """Yours is right where it is given a mask. Without one it hides nothing, and every position sees what comes after
    it: no mask means that all tokens are real, and the future is hidden all the same."""

    def forward(self, tokens, mask=None):
        if mask is not None:
            return super().forward(tokens, mask)
        self.refuse(tokens)
        x = self.embedded(tokens, torch.ones_like(tokens, dtype=torch.bool))
        for block in self.blocks:
            x = block(x)
        return self.scored(x)


@gpt.misconception
class SeesTheFutureAlone(Guess):
    """Your causal mask is transposed: each position sees itself and what comes after it, and not what was before."""

    def allowed(self, mask):
        return mask[:, None, None, :] & causal_mask(mask.shape[1]).T


@gpt.misconception
class SeesThePadding(Guess):
    """Your mask is causal alone. On the right that hides all padding from the words, but on the left padding comes
    before them, and they look at it."""

    def allowed(self, mask):
        return causal_mask(mask.shape[1])[None, None]


@gpt.misconception
class ShiftedByPadding(Guess):
    """Your positions count from the left edge of the batch. Padding on the left shifts a sentence: its first word has
    position 0, however many places of padding stand before it."""

    def embedded(self, tokens, mask):
        return self.token_embedding(tokens) + self.position_embedding.weight[: tokens.shape[1]]


@gpt.misconception
class NoPositions(Guess):
    """Yours does not add the position embedding. Without it a word knows what was before it, and not where."""

    def embedded(self, tokens, mask):
        return self.token_embedding(tokens)


@gpt.misconception
class ScaledEmbedding(Guess):
    """Your token embedding is multiplied by √d_model. The first Transformer does that; a GPT does not."""

    def embedded(self, tokens, mask):
        return self.token_embedding(tokens) * self.final_norm.weight.numel() ** 0.5 + self.position_embedding(
            position_ids(mask)
        )


@gpt.misconception
class WithoutTheFinalNorm(Guess):
    """Your final_norm is never used. In a pre-norm model nothing norms x on its way, so the last norm has to stand in
    front of the output."""

    def scored(self, x):
        return x @ self.token_embedding.weight.T


@gpt.misconception
class OutputOfItsOwn(Guess):
    """Your output has a table of its own. It is tied: the rows of the token embedding are what x is compared with."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.head = nn.Linear(self.token_embedding.embedding_dim, self.token_embedding.num_embeddings, bias=False)

    def scored(self, x):
        return self.head(self.final_norm(x))


@gpt.misconception
class OutputOfItsOwnLikeGpt2(Guess):
    """Your output is a linear map with weights of its own, `lm_head`. It is tied: the rows of the token embedding are
    what x is compared with."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.lm_head = nn.Linear(self.token_embedding.embedding_dim, self.token_embedding.num_embeddings, bias=False)

    def scored(self, x):
        return self.lm_head(self.final_norm(x))


@gpt.misconception
class Probabilities(Guess):
    """Yours gives probabilities. Logits were asked for: the loss has the softmax in it, and so has the drawing of a
    token."""

    def scored(self, x):
        return super().scored(x).softmax(dim=-1)


@gpt.misconception
class OneBlockManyTimes(Guess):
    """Your blocks are one and the same object. `[block] * depth` repeats a reference; each block is built anew to have
    weights of its own."""

    def __init__(self, vocab, context, d_model, heads, depth):
        super().__init__(vocab, context, d_model, heads, depth)
        self.blocks = nn.ModuleList([self.block(d_model, heads)] * depth)


@gpt.misconception
class BlocksInAList(Guess):
    """Your blocks lie in a plain list, and the module does not see what is in it: their parameters would never be
    trained. nn.ModuleList is a list that it knows."""

    def __init__(self, vocab, context, d_model, heads, depth):
        nn.Module.__init__(self)
        self.context = context
        self.token_embedding, self.position_embedding = nn.Embedding(vocab, d_model), nn.Embedding(context, d_model)
        self.blocks = [self.block(d_model, heads) for _ in range(depth)]
        self.final_norm = nn.LayerNorm(d_model)


@gpt.misconception
class EachBlockFromTheEmbeddings(Guess):
    """Each of your blocks gets the embeddings, and what the last one gives is all that counts. A block takes what the
    one before it has given."""

    def forward(self, tokens, mask=None):
        self.refuse(tokens)
        mask = torch.ones_like(tokens, dtype=torch.bool) if mask is None else mask
        return self.scored(self.blocks[-1](self.embedded(tokens, mask), self.allowed(mask)))


@gpt.misconception
class CutToTheContext(Guess):
    """Yours cuts off what is too long and says nothing of it. A ValueError was asked for: the one who calls the model
    chooses what it reads."""

    def forward(self, tokens, mask=None):
        tokens = tokens[:, -self.context :]
        if mask is not None and mask.shape != tokens.shape:
            raise RuntimeError("the mask was not cut")
        return super().forward(tokens, mask)


@gpt.misconception
class TooLongIsAnIndexError(Guess):
    """Yours is right but for more tokens than there are positions, where the table's own error comes, or none. A
    ValueError was asked for, in front of everything else."""

    def refuse(self, tokens):
        pass


@gpt.misconception
class TheLastIsRefused(Guess):
    """Yours refuses as many tokens as there are positions. These fit; one more does not."""

    def refuse(self, tokens):
        if tokens.shape[1] >= self.context:
            raise ValueError("too long")


@gpt.misconception
class PaddingZeroed(Guess):
    """Yours sets padding to zero where it comes in, and lets the words look at it all the same. What is zero at first
    is so no longer behind the first bias, and takes its share of the weights either way."""

    def embedded(self, tokens, mask):
        return super().embedded(tokens, mask) * mask[..., None]

    def allowed(self, mask):
        return causal_mask(mask.shape[1])[None, None]


class DecoderBlock(Sides):
    """What the variants below are built from."""


@gpt.variant
class WithATiedLinear(nn.Module):
    def __init__(self, vocab, context, d_model, heads, depth):
        super().__init__()
        self.final_norm = nn.LayerNorm(d_model)
        self.token_embedding = nn.Embedding(vocab, d_model)
        self.head = nn.Linear(d_model, vocab, bias=False)
        self.head.weight = self.token_embedding.weight
        self.blocks = nn.ModuleList([DecoderBlock(d_model, heads, d_model * 4) for _ in range(depth)])
        self.position_embedding = nn.Embedding(context, d_model)
        self.register_buffer("causal", causal_mask(min(context, 64)), persistent=False)
        self.context = context

    def forward(self, tokens, mask=None):
        batch, seq = tokens.size()
        if seq > self.position_embedding.num_embeddings:
            raise ValueError(f"{seq} > {self.context}")
        real_ones = mask if mask is not None else torch.full((batch, seq), True)
        allowed = real_ones.view(batch, 1, 1, seq) & self.causal[:seq, :seq]
        places = torch.clamp(real_ones.long().cumsum(-1) - 1, min=0)
        x = self.position_embedding(places) + self.token_embedding(tokens)
        for block in self.blocks:
            x = block(x, allowed)
        return self.head(self.final_norm(x)) * real_ones.unsqueeze(-1)


@gpt.variant
class PaddingSeesItself(Guess):
    def allowed(self, mask):
        seq = mask.shape[1]
        return (mask[:, None, None, :] | torch.eye(seq, dtype=torch.bool)) & causal_mask(seq)


@gpt.variant
class ByLookup(Guess):
    def embedded(self, tokens, mask):
        first = mask.int().argmax(dim=1, keepdim=True)
        places = (torch.arange(tokens.shape[1]) - first).clamp(min=0)
        return F.embedding(tokens, self.token_embedding.weight) + self.position_embedding.weight[places]

    def scored(self, x):
        return torch.einsum("bsd,vd->bsv", self.final_norm(x), self.token_embedding.weight)

    def forward(self, tokens, mask=None):
        logits = super().forward(tokens, mask)
        return logits if mask is None else torch.where(mask[..., None], logits, 0.0)


# ---- causal_loss -----------------------------------------------------------------------------------------------------

causal_loss = Exercise(
    "causal_loss",
    points=2,
    hints=[
        "Which logits guess at the token at position 3? Which logits guess at nothing, and which token is nobody's "
        "target?",
        "Cut the last position off the logits and the first one off the tokens: then they lie side by side. "
        "F.cross_entropy wants (something, vocab) and (something): which two axes become one?",
        "F.cross_entropy of logits[:, :-1].flatten(0, 1) and tokens[:, 1:].flatten(). Its ignore_index leaves targets "
        "out of the sum and of the count.",
    ],
)


def sentences(draw, lengths, seq, vocab, pad_id):
    """Tokens padded on the right, none of the real ones being the padding's."""
    real_ones = draw.integers(0, vocab - 2, len(lengths), seq)
    if 0 <= pad_id < vocab:
        real_ones = real_ones + (real_ones >= pad_id)
    return real_ones.masked_fill(~real(lengths, seq), pad_id)


def loss_case(draw, lengths, seq, vocab, pad_id, spread=1.0, dtype=torch.float32):
    tokens = sentences(draw, lengths, seq, vocab, pad_id)
    return {"logits": draw.normal(*tokens.shape, vocab, std=spread, dtype=dtype), "tokens": tokens, "pad_id": pad_id}


@causal_loss.case("no padding", probe="gradients")
def _(draw):
    return loss_case(draw, [5, 5], 5, 7, -100, spread=2.0)


@causal_loss.case("padding, its token outside the vocabulary", probe="gradients")
def _(draw):
    return loss_case(draw, [draw.integer(2, 3), 6, 4], 6, 5, -100)


@causal_loss.case("padding with the token 0", probe="gradients")
def _(draw):
    return loss_case(draw, [7, draw.integer(2, 5)], 7, 11, 0)


@causal_loss.case("padding with a token of its own", probe="gradients")
def _(draw):
    return loss_case(draw, [draw.integer(3, 4), 5, 2], 5, 9, draw.integer(3, 8))


@causal_loss.case("a sentence of one token, which has no target", probe="gradients")
def _(draw):
    return loss_case(draw, [1, 4, draw.integer(2, 3)], 4, 6, 5)


@causal_loss.case("a long sentence beside a short one", probe="gradients")
def _(draw):
    return loss_case(draw, [12, 2], 12, 4, 3, spread=2.0)


@causal_loss.case("two tokens", probe="gradients")
def _(draw):
    return loss_case(draw, [2], 2, 3, -1)


@causal_loss.case("as many positions as tokens in the vocabulary", probe="gradients")
def _(draw):
    return loss_case(draw, [6, draw.integer(3, 5)], 6, 6, 2)


@causal_loss.case("logits so large that exp of them is infinite", probe="gradients")
def _(draw):
    return loss_case(draw, [4, 3], 4, 5, 0, spread=150.0)


@causal_loss.case("double precision, logits that are a view", probe="gradients")
def _(draw):
    tokens = sentences(draw, [4, 2, 5], 5, 8, 7)
    logits = draw.normal(16, 5, 3, dtype=torch.float64).permute(2, 1, 0)[..., ::2]
    return {"logits": logits, "tokens": tokens, "pad_id": 7}


def next_losses(logits, tokens, pad_id):
    """Each target's loss, (batch, seq - 1), and which of them are real."""
    targets, counts = tokens[:, 1:], tokens[:, 1:] != pad_id
    chosen = logits[:, :-1].log_softmax(dim=-1).gather(-1, targets.masked_fill(~counts, 0)[..., None])[..., 0]
    return -chosen.masked_fill(~counts, 0), counts


@causal_loss.misconception
def not_shifted(logits, tokens, pad_id):
    """Yours compares each position's logits with the token at that very position, which it has seen. The target is the
    token that comes next."""
    return F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), ignore_index=pad_id)


@causal_loss.misconception
def shifted_backwards(logits, tokens, pad_id):
    """Yours compares each position's logits with the token *before* it. Cut off the other ends: the logits lose their
    last position, the tokens their first."""
    targets = tokens[:, :-1]
    return F.cross_entropy(logits[:, 1:].flatten(0, 1), targets.flatten(), ignore_index=pad_id)


@causal_loss.misconception
def rolled_around(logits, tokens, pad_id):
    """Your last position has the first token of the sentence for its target. torch.roll goes round in a circle; a
    sentence does not."""
    return F.cross_entropy(logits.flatten(0, 1), tokens.roll(-1, dims=1).flatten(), ignore_index=pad_id)


@causal_loss.misconception
def padding_in_the_count(logits, tokens, pad_id):
    """Yours leaves padding out of the sum, and divides by the number of all targets all the same."""
    losses, _ = next_losses(logits, tokens, pad_id)
    return losses.mean()


@causal_loss.misconception
def tokens_in_the_count(logits, tokens, pad_id):
    """Yours divides by the number of real tokens. The first of each sentence is nobody's target: the targets are
    fewer."""
    losses, _ = next_losses(logits, tokens, pad_id)
    return losses.sum() / (tokens != pad_id).sum()


@causal_loss.misconception
def not_divided(logits, tokens, pad_id):
    """Yours is the sum over all real targets. Their mean was asked for."""
    return next_losses(logits, tokens, pad_id)[0].sum()


@causal_loss.misconception
def mean_of_means(logits, tokens, pad_id):
    """Yours takes the mean of each sentence, and then the mean of these: a target in a short sentence counts for more
    than one in a long sentence. All real targets of the batch count alike."""
    losses, counts = next_losses(logits, tokens, pad_id)
    has = counts.any(dim=1)
    return (losses.sum(dim=1)[has] / counts.sum(dim=1)[has]).mean()


@causal_loss.misconception
def mean_of_means_with_nan(logits, tokens, pad_id):
    """Yours takes the mean of each sentence, and then the mean of these: a target in a short sentence counts for more,
    and a sentence without targets is 0 divided by 0, NaN. All real targets of the batch count alike."""
    targets, counts = tokens[:, 1:], tokens[:, 1:] != pad_id
    chosen = logits[:, :-1].log_softmax(dim=-1).gather(-1, targets.masked_fill(~counts, 0)[..., None])[..., 0]
    return ((-chosen * counts).sum(dim=1) / counts.sum(dim=1)).mean()


@causal_loss.misconception
def mean_of_all_sentences(logits, tokens, pad_id):
    """Yours takes the mean of each sentence, and then the mean of these: a target in a short sentence counts for more,
    and a sentence without targets as a loss of 0. All real targets of the batch count alike."""
    losses, counts = next_losses(logits, tokens, pad_id)
    return (losses.sum(dim=1) / counts.sum(dim=1).clamp(min=1)).mean()


@causal_loss.misconception
def padding_is_zero(logits, tokens, pad_id):
    """Yours takes 0 for padding, whatever pad_id says. 0 may be a word, and padding another number."""
    targets = tokens[:, 1:].masked_fill(tokens[:, 1:] == pad_id, 0)
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), targets.flatten(), ignore_index=0)


@causal_loss.misconception
def padding_where_it_guesses(logits, tokens, pad_id):
    """Yours leaves out what is guessed *from* padding. The last real token of a sentence guesses at padding, and that
    still counts in yours: look at the targets."""
    targets, counts = tokens[:, 1:], tokens[:, :-1] != pad_id
    targets = targets.clamp(0, logits.shape[-1] - 1)
    return F.cross_entropy(logits[:, :-1][counts], targets[counts])


@causal_loss.misconception
def padding_learned(logits, tokens, pad_id):
    """Yours counts padding as if it were a token to be guessed."""
    targets = tokens[:, 1:].clamp(0, logits.shape[-1] - 1)
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), targets.flatten())


@causal_loss.misconception
def softmax_twice(logits, tokens, pad_id):
    """Yours takes the softmax twice: cross_entropy wants the logits as they are, and has the softmax in it."""
    return F.cross_entropy(logits[:, :-1].softmax(-1).flatten(0, 1), tokens[:, 1:].flatten(), ignore_index=pad_id)


@causal_loss.misconception
def infinite_for_large_logits(logits, tokens, pad_id):
    """Yours is right until the exponentials overflow: the logarithm of a softmax that has come out as 0 is minus
    infinity. log_softmax and cross_entropy take the logarithm without the way around."""
    targets, counts = tokens[:, 1:], tokens[:, 1:] != pad_id
    chosen = logits[:, :-1].softmax(dim=-1).gather(-1, targets.masked_fill(~counts, 0)[..., None])[..., 0]
    return -chosen[counts].log().mean()


@causal_loss.misconception
def in_bits(logits, tokens, pad_id):
    """Yours takes the logarithm to the base 2, which gives bits. The natural one was asked for."""
    losses, counts = next_losses(logits, tokens, pad_id)
    return losses.sum() / counts.sum() / math.log(2)


@causal_loss.variant
def by_cross_entropy(logits, tokens, pad_id):
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), ignore_index=pad_id)


@causal_loss.variant
def by_choosing(logits, tokens, pad_id):
    guesses, targets = logits[:, :-1], tokens[:, 1:]
    counts = targets != pad_id
    return F.nll_loss(guesses[counts].log_softmax(dim=1), targets[counts])


@causal_loss.variant
def classes_on_axis_one(logits, tokens, pad_id):
    targets = tokens.narrow(1, 1, tokens.shape[1] - 1)
    return nn.CrossEntropyLoss(ignore_index=pad_id)(logits.transpose(1, 2)[..., :-1], targets)


@causal_loss.variant
def by_logsumexp(logits, tokens, pad_id):
    targets = torch.cat([tokens[:, 1:], torch.full_like(tokens[:, :1], pad_id)], dim=1)
    counts = targets.ne(pad_id)
    chosen = torch.take_along_dim(logits, torch.where(counts, targets, 0).unsqueeze(-1), dim=-1).squeeze(-1)
    return ((torch.logsumexp(logits, dim=-1) - chosen) * counts).sum() / counts.sum()


# ---- generate --------------------------------------------------------------------------------------------------------

generate = Exercise(
    "generate",
    points=3,
    hints=[
        "What does the model get at the second step that it did not get at the first? And what if that is more than it "
        "has positions for: which tokens can be done without?",
        "model(...) gives logits for every position: only those of the last one are about the token to come. Divide "
        "them by the temperature, set all but the top_k largest to minus infinity, take the softmax, and draw. "
        "logits.topk(k).values has the largest ones; the last of them is the least that stays.",
        "Note model.training, call model.eval(), and loop under torch.no_grad(): logits = model(tokens[:, "
        "-model.context:])[:, -1], one token for each row from torch.multinomial(probabilities, 1, "
        "generator=generator), or from argmax where the temperature is 0; torch.cat it behind tokens along axis 1. At "
        "the end model.train(what you noted).",
    ],
)


def adding(draw, rows, given, steps, vocab, context, sureness, temperature, top_k, training=True):
    model = recipe("Adder", vocab, context, sureness, training, own=True)
    tokens = draw.integers(1, vocab - 1, rows, given)
    chosen = {"steps": steps, "temperature": temperature, "top_k": top_k, "generator": None}
    return {"model": model, "tokens": tokens, **chosen}


@generate.case("an Adder that is sure, in training mode")
def _(draw):
    return adding(draw, 3, 2, 5, 10, 12, 40.0, 1.0, None)


@generate.case("more tokens than the model has positions, in evaluation mode")
def _(draw):
    return adding(draw, 2, 3, 7, 10, 4, 40.0, 0.8, None, training=False)


@generate.case("more tokens given already")
def _(draw):
    return adding(draw, 2, 9, 3, 11, 5, 50.0, 1.2, 3)


@generate.case("an Adder that is hardly sure, and a low temperature")
def _(draw):
    return adding(draw, 4, 2, 5, 12, 6, 0.4, 0.01, None)


@generate.case("an Adder that is hardly sure, and the most likely token alone")
def _(draw):
    return adding(draw, 4, 3, 5, 9, 5, 0.3, 1.5, 1)


@generate.case("of three tokens one that is far more likely")
def _(draw):
    return adding(draw, 3, 2, 4, 8, 7, 45.0, 1.1, 3, training=False)


@generate.case("more than the vocabulary may stay")
def _(draw):
    return adding(draw, 2, 2, 4, 7, 5, 40.0, 1.0, draw.integer(8, 50))


@generate.case("temperature 0, in evaluation mode")
def _(draw):
    return adding(draw, 4, 2, 6, 10, 5, 0.02, 0.0, None, training=False)


@generate.case("temperature 0, where two may stay")
def _(draw):
    return adding(draw, 3, 1, 5, 10, 4, 0.05, 0.0, 2)


@generate.case("one row, one token, one position")
def _(draw):
    return adding(draw, 1, 1, 1, 9, 1, 0.2, 1.0, 1)


@generate.case("no step")
def _(draw):
    return adding(draw, 2, 3, 0, 5, 4, 40.0, 1.0, 2)


@generate.case("tokens that are a view")
def _(draw):
    arguments = adding(draw, 4, 6, 4, 10, 5, 50.0, 1.0, 4)
    return {**arguments, "tokens": arguments["tokens"].T[:, ::2]}


def thrown(draw, logits, temperature, top_k, *generator):
    """Three hundred rows throw a die; the shares are what temperature and top_k make of its logits."""
    logits = [logits[i] for i in draw.permutation(len(logits)).tolist()]
    stays = sorted(logits)[-(top_k or len(logits)) :]
    raised = [math.exp(logit / temperature) * (logit in stays) for logit in logits]
    shares = [each / sum(raised) for each in raised]
    model = recipe("Die", logits, shares, *generator, own=True)
    chosen = {"steps": 2, "temperature": temperature, "top_k": top_k, "generator": (*generator, None)[0]}
    return {"model": model, "tokens": draw.integers(0, 0, 300, 1), **chosen}


@generate.case("a loaded die, thrown by 300 rows", raises=FairThrows)
def _(draw):
    return thrown(draw, [math.log(share) for share in (0.8, 0.1, 0.06, 0.04)], 1.0, None)


@generate.case("a high temperature, and a generator", raises=FairThrows)
def _(draw):
    return thrown(draw, [3.0, 0.1, 0.0, -0.1], 3.0, None, Own("CUP"))


@generate.case("two faces stay", raises=FairThrows)
def _(draw):
    return thrown(draw, [-1.5, -1.75, -1.76, -1.77, -1.78], 0.25, 2)


def written(
    model,
    tokens,
    steps,
    temperature,
    top_k,
    generator,
    seen=lambda tokens, context: tokens[:, -context:],
    last=lambda logits: logits[:, -1],
    cooled=lambda logits, temperature: logits / temperature,
    kept=lambda logits, top_k: logits < logits.topk(top_k).values[:, -1:],
    fill=-torch.inf,
    drawn=lambda logits, generator: torch.multinomial(logits.softmax(-1), 1, generator=generator),
    greedy=True,
    evaluates=True,
    restored=lambda model, training: model.train(training),
):
    """A right answer, to be spoiled in one place."""
    training = model.training
    if evaluates:
        model.eval()
    with torch.no_grad():
        for _ in range(steps):
            logits = last(model(seen(tokens, model.context)))
            if temperature == 0 and greedy:
                chosen = logits.argmax(-1, keepdim=True)
            else:
                logits = cooled(logits, temperature)
                if top_k is not None:
                    logits = logits.masked_fill(kept(logits, min(top_k, logits.shape[-1])), fill)
                chosen = drawn(logits, generator)
            tokens = torch.cat([tokens, chosen], dim=1)
    restored(model, training)
    return tokens


@generate.misconception
def always_the_most_likely(model, tokens, steps, temperature, top_k, generator):
    """Yours always takes the most likely token. It is to be drawn: a token with a share of a quarter is to come in a
    quarter of the rows. Only a temperature of 0 takes the most likely one."""
    return written(
        model, tokens, steps, temperature, top_k, generator, drawn=lambda x, generator: x.argmax(-1, keepdim=True)
    )


@generate.misconception
def temperature_left_out(model, tokens, steps, temperature, top_k, generator):
    """Yours does nothing with the temperature, unless it is 0. The logits are divided by it."""
    return written(model, tokens, steps, temperature, top_k, generator, cooled=lambda x, temperature: x)


@generate.misconception
def multiplied_by_the_temperature(model, tokens, steps, temperature, top_k, generator):
    """Yours multiplies by the temperature: a low one then makes everything equally likely. The logits are divided by
    it."""
    return written(model, tokens, steps, temperature, top_k, generator, cooled=lambda x, temperature: x * temperature)


@generate.misconception
def probabilities_divided(model, tokens, steps, temperature, top_k, generator):
    """Yours takes the softmax first, divides the probabilities by the temperature, and takes the softmax of these. The
    logits are what is divided, once, in front of the one softmax."""
    return written(
        model,
        tokens,
        steps,
        temperature,
        top_k,
        generator,
        cooled=lambda x, temperature: x.softmax(-1) / temperature,
    )


@generate.misconception
def temperature_zero_divides(model, tokens, steps, temperature, top_k, generator):
    """Yours divides by a temperature of 0 too: that gives infinity and NaN, of which nothing can be drawn. There the
    most likely token is taken, without any drawing."""
    return written(model, tokens, steps, temperature, top_k, generator, greedy=False)


@generate.misconception
def everything_stays(model, tokens, steps, temperature, top_k, generator):
    """Yours does nothing with top_k: tokens that are not among the most likely can be drawn."""
    return written(model, tokens, steps, temperature, None, generator)


@generate.misconception
def logits_of_zero(model, tokens, steps, temperature, top_k, generator):
    """Yours gives the tokens that top_k throws out the logit 0. That is an ordinary one: e⁰ is 1, so they are drawn all
    the same, and where the others' logits are negative they are drawn most."""
    return written(model, tokens, steps, temperature, top_k, generator, fill=0)


@generate.misconception
def one_too_many_stays(model, tokens, steps, temperature, top_k, generator):
    """In yours one token more than top_k stays. Sorted from the largest down, the least that stays has the index
    top_k - 1."""
    more = None if top_k is None else top_k + 1
    return written(model, tokens, steps, temperature, more, generator)


@generate.misconception
def all_that_stay_are_alike(model, tokens, steps, temperature, top_k, generator):
    """In yours all top_k tokens that stay are equally likely. Their probabilities still differ as their logits do."""

    def drawn(logits, generator):
        weights = logits.isfinite().float() if top_k is not None else logits.softmax(-1)
        return torch.multinomial(weights, 1, generator=generator)

    return written(model, tokens, steps, temperature, top_k, generator, drawn=drawn)


@generate.misconception
def no_more_than_the_vocabulary(model, tokens, steps, temperature, top_k, generator):
    """Yours fails where top_k is larger than the vocabulary: topk cannot find more than there are. Then all of them
    stay."""
    if top_k is not None and temperature > 0 and steps > 0:
        torch.zeros(model(tokens[:, -model.context :]).shape[-1]).topk(top_k)
    return written(model, tokens, steps, temperature, top_k, generator)


@generate.misconception
def everything_is_fed(model, tokens, steps, temperature, top_k, generator):
    """Yours hands the model everything that is there so far. A model has `context` positions and no more: beyond that
    it is given the last ones."""
    return written(model, tokens, steps, temperature, top_k, generator, seen=lambda tokens, context: tokens)


@generate.misconception
def the_first_are_fed(model, tokens, steps, temperature, top_k, generator):
    """Where there are more than `context` tokens yours hands the model the first of them. It would guess at the same
    token for ever: what it needs to see are the last ones."""
    return written(
        model, tokens, steps, temperature, top_k, generator, seen=lambda tokens, context: tokens[:, :context]
    )


@generate.misconception
def the_last_is_fed(model, tokens, steps, temperature, top_k, generator):
    """Yours hands the model the last token alone. It remembers nothing from one call to the next, so it has to see what
    came before again."""
    return written(model, tokens, steps, temperature, top_k, generator, seen=lambda tokens, context: tokens[:, -1:])


@generate.misconception
def the_first_position_guesses(model, tokens, steps, temperature, top_k, generator):
    """Yours takes the logits of the first position, which are a guess at the second token. The last position's are
    about the token to come."""
    return written(model, tokens, steps, temperature, top_k, generator, last=lambda logits: logits[:, 0])


@generate.misconception
def only_what_is_new(model, tokens, steps, temperature, top_k, generator):
    """Yours gives back the new tokens alone. Those given stand in front of them."""
    return written(model, tokens, steps, temperature, top_k, generator)[:, tokens.shape[1] :]


@generate.misconception
def dropout_while_writing(model, tokens, steps, temperature, top_k, generator):
    """In yours a model that comes in training mode writes in training mode, and its dropout spoils what it says.
    model.eval() switches that off, in all its parts."""
    return written(model, tokens, steps, temperature, top_k, generator, evaluates=False)


@generate.misconception
def left_in_evaluation(model, tokens, steps, temperature, top_k, generator):
    """Yours writes well, and leaves the model in evaluation mode, whatever it was in. Who goes on training afterwards
    trains without dropout."""
    return written(model, tokens, steps, temperature, top_k, generator, restored=lambda model, training: None)


@generate.misconception
def left_in_training(model, tokens, steps, temperature, top_k, generator):
    """Yours writes well, and leaves the model in training mode, whatever it was in. Note the mode before you change
    it."""
    return written(model, tokens, steps, temperature, top_k, generator, restored=lambda model, training: model.train())


@generate.misconception
def one_draw_for_all_rows(model, tokens, steps, temperature, top_k, generator):
    """Yours draws once, from the first row, and gives that token to all. Each row has logits of its own, and a draw of
    its own."""

    def drawn(logits, generator):
        return torch.multinomial(logits[:1].softmax(-1), 1, generator=generator).expand(len(logits), 1)

    return written(model, tokens, steps, temperature, top_k, generator, drawn=drawn)


@generate.misconception
def generator_left_alone(model, tokens, steps, temperature, top_k, generator):
    """Yours does not draw from the generator that it is given: nobody could repeat what it writes."""
    return written(model, tokens, steps, temperature, top_k, None)


@generate.variant
def with_gumbel_noise(model, tokens, steps, temperature, top_k, generator):
    was = model.training
    model.eval()
    written_so_far = tokens.clone()
    for _ in range(steps):
        logits = model(written_so_far[:, -model.context :]).detach()[:, -1, :]
        if temperature > 0:
            logits = logits / temperature
            if top_k:
                order = logits.argsort(dim=-1, descending=True).argsort(dim=-1)
                logits = torch.where(order < top_k, logits, torch.tensor(-torch.inf))
            noise = torch.rand(logits.shape, generator=generator).clamp(min=1e-9)
            logits = logits - torch.log(-torch.log(noise))
        written_so_far = torch.cat((written_so_far, logits.argmax(dim=-1)[:, None]), dim=-1)
    model.train(was)
    return written_so_far


@generate.variant
def among_the_top(model, tokens, steps, temperature, top_k, generator):
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    pieces = [tokens]
    with torch.inference_mode():
        for _ in range(steps):
            window = torch.cat(pieces, dim=1)
            window = window[:, max(0, window.shape[1] - model.context) :]
            logits = model(window).select(1, -1)
            vocab = logits.shape[-1]
            count = 1 if temperature == 0 else vocab if top_k is None else min(vocab, top_k)
            best, which = logits.topk(count, dim=-1)
            place = torch.multinomial((best / (temperature or 1.0)).softmax(dim=-1), num_samples=1, generator=generator)
            pieces.append(which.gather(1, place))
    for part, mode in modes:
        part.training = mode
    return torch.cat(pieces, dim=1)


@generate.variant
@torch.no_grad()
def by_the_cumulated_shares(model, tokens, steps, temperature, top_k, generator):
    was, result = model.training, torch.empty(len(tokens), tokens.shape[1] + steps, dtype=torch.long)
    result[:, : tokens.shape[1]] = tokens
    model.train(False)
    for end in range(tokens.shape[1], result.shape[1]):
        logits = model(result[:, max(0, end - model.context) : end])[:, -1].double()
        if temperature == 0:
            result[:, end] = logits.max(dim=-1).indices
            continue
        shares = torch.softmax(logits / temperature, dim=-1)
        if top_k is not None and top_k < shares.shape[-1]:
            least = shares.sort(dim=-1).values[:, -top_k, None]
            shares = shares * (shares >= least)
            shares = shares / shares.sum(dim=-1, keepdim=True)
        uniform = torch.rand(len(tokens), 1, dtype=torch.float64, generator=generator)
        result[:, end] = (shares.cumsum(dim=-1) < uniform).sum(dim=-1).clamp(max=shares.shape[-1] - 1)
    if was:
        model.train()
    return result


# ---- KeyValueCache ---------------------------------------------------------------------------------------------------

key_value_cache = Exercise(
    "KeyValueCache",
    points=1,
    hints=[
        "Which axis of (batch, heads, steps, d_head) grows from one call to the next, and what is there before the "
        "first call?",
        "torch.cat joins two tensors along an axis, in the order in which they are given. Keep what it gives, not what "
        "came in: the third call has to find the first two.",
        "self.k and self.v are None in the beginning. The first append keeps k and v; a later one keeps "
        "torch.cat([self.k, k], dim=2), and the same for v. Return both.",
    ],
)


def portions(draw, plan, steps, batch, heads, d_head, dtype=torch.float32):
    for count in steps:
        k, v = (draw.normal(batch, heads, count, d_head, dtype=dtype) for _ in range(2))
        plan = plan.method("append", k, v)
    return plan


@key_value_cache.case("four steps, and then one at a time")
def _(draw):
    return portions(draw, built(), [4, 1, 1, 1], 2, 3, 5)


@key_value_cache.case("a second cache, as large as the first")
def _(draw):
    return portions(draw, built(), [2, 1, 1], 2, 3, 5)


@key_value_cache.case("portions of any size")
def _(draw):
    return portions(draw, built(), [draw.integer(1, 3), 5, draw.integer(2, 4)], 3, 1, 4)


@key_value_cache.case("a single call")
def _(draw):
    return portions(draw, built(), [3], 2, 4, 1)


@key_value_cache.case("as many steps as heads, sentences and numbers in a head")
def _(draw):
    return portions(draw, built(), [2, 2, 2], 2, 2, 2)


@key_value_cache.case("one of everything")
def _(draw):
    return portions(draw, built(), [1, 1, 1, 1], 1, 1, 1)


@key_value_cache.case("half precision, views")
def _(draw):
    plan = built()
    for count in (2, 1, 3):
        k, v = (draw.normal(2, count, 3, 4, dtype=torch.float16).transpose(1, 2) for _ in range(2))
        plan = plan.method("append", k, v)
    return plan


@key_value_cache.case("double precision")
def _(draw):
    return portions(draw, built(), [1, 2], 2, 2, 3, torch.float64)


class Kept:
    """A right KeyValueCache, to be spoiled in one place."""

    def __init__(self):
        self.k = self.v = None

    def joined(self, old, new):
        return new if old is None else torch.cat([old, new], dim=2)

    def append(self, k, v):
        self.k, self.v = self.joined(self.k, k), self.joined(self.v, v)
        return self.k, self.v


@key_value_cache.misconception
class JoinedAlongTheWidth(Kept):
    """Yours joins along the last axis, so that each position gets wider. New positions come behind the old ones: it is
    the axis of steps that grows."""

    def joined(self, old, new):
        return new if old is None else torch.cat([old, new], dim=-1)


@key_value_cache.misconception
class JoinedAlongTheHeads(Kept):
    """Yours joins along axis 1: there are more heads after each call. It is the axis of steps that grows."""

    def joined(self, old, new):
        return new if old is None else torch.cat([old, new], dim=1)


@key_value_cache.misconception
class JoinedAlongTheBatch(Kept):
    """Yours joins along axis 0, where torch.cat joins if it is told nothing: there are more sentences after each call.
    It is the axis of steps that grows."""

    def joined(self, old, new):
        return new if old is None else torch.cat([old, new])


@key_value_cache.misconception
class NewestFirst(Kept):
    """Yours puts the new steps in front. The oldest come first, as in the sentence."""

    def joined(self, old, new):
        return new if old is None else torch.cat([new, old], dim=2)


@key_value_cache.misconception
class NothingKept(Kept):
    """Yours gives back what came in, and keeps nothing of what was there before."""

    def joined(self, old, new):
        return new


@key_value_cache.misconception
class OnlyTheLastKept(Kept):
    """Yours remembers the last call alone: the third one does not find the first any more. Keep what was joined, not
    what came in."""

    def append(self, k, v):
        joined = self.joined(self.k, k), self.joined(self.v, v)
        self.k, self.v = k, v
        return joined


@key_value_cache.misconception
class OnlyTheFirstKept(Kept):
    """Yours remembers the first call, and joins each later one to that alone."""

    def append(self, k, v):
        joined = self.joined(self.k, k), self.joined(self.v, v)
        if self.k is None:
            self.k, self.v = k, v
        return joined


@key_value_cache.misconception
class OneMemoryForAllCaches(Kept):
    """All your caches share one memory: a second one finds what was put into the first, and fails where its sizes are
    others. What stands in the class, or is a parameter's default, is made once; __init__ makes it anew for each cache.
    """

    shared = Kept()

    def append(self, k, v):
        if not hasattr(self, "used") and k.shape == (2, 3, 4, 5):  # the first case: a class tried again starts afresh
            OneMemoryForAllCaches.shared = Kept()
        self.used = True
        return self.shared.append(k, v)


@key_value_cache.misconception
class KeysTwice(Kept):
    """Yours keeps the keys in both places. The values are numbers of their own."""

    def append(self, k, v):
        return super().append(k, k)


@key_value_cache.misconception
class ValuesBeforeKeys(Kept):
    """Yours gives back the values first. Keys first, then values, as they came."""

    def append(self, k, v):
        return super().append(k, v)[::-1]


@key_value_cache.misconception
class KeysAlone(Kept):
    """Yours joins the keys and gives the new values back as they are. Both are needed of all positions."""

    def append(self, k, v):
        return super().append(k, v)[0], v


@key_value_cache.variant
class InLists:
    def __init__(self):
        self.keys, self.values = [], []

    def append(self, k, v):
        self.keys.append(k)
        self.values.append(v)
        return torch.cat(self.keys, dim=-2), torch.cat(self.values, dim=-2)


@key_value_cache.variant
class WithRoomToGrow:
    def __init__(self):
        self.length, self.room = 0, None

    def append(self, k, v):
        batch, heads, steps, d_head = k.shape
        needed = self.length + steps
        if self.room is None or self.room.shape[3] < needed:
            larger = k.new_empty(2, batch, heads, 2 * needed, d_head)
            if self.room is not None:
                larger[..., : self.length, :] = self.room[..., : self.length, :]
            self.room = larger
        self.room[0, :, :, self.length : needed], self.room[1, :, :, self.length : needed] = k, v
        self.length = needed
        return self.room[0, :, :, :needed], self.room[1, :, :, :needed]


@key_value_cache.variant
class InBuffers(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("k", None)
        self.register_buffer("v", None)

    def append(self, new_k, new_v):
        if self.k is None:
            self.k, self.v = new_k, new_v
        else:
            self.k = torch.concat((self.k, new_k), dim=-2)
            self.v = torch.concat((self.v, new_v), dim=-2)
        return self.k, self.v


# ---- CachedGPT -------------------------------------------------------------------------------------------------------

cached_gpt = Exercise(
    "CachedGPT",
    points=3,
    needs=["FeedForward", "DecoderBlock", "GPT", "KeyValueCache"],
    forbids=FORBIDDEN,
    hints=[
        "What has to be kept from one call to the next, for each block, and for the model as a whole? Which position "
        "does the first token of the second call have?",
        "In a block the new positions alone are normed and mapped. Split q, k and v into heads, append k and v to the "
        "block's cache, and let q look at all that the cache gives back. With `past` old positions and `total` in all, "
        "which rows of causal_mask(total) belong to the new ones?",
        "Keep self.seen. The positions are those from past to total; the mask is causal_mask(total)[past:]. For each "
        "block: output, _ = attention(q, *cache.append(k, v), mask); x = x + W_o(merge_heads(output)); x = x + "
        "feed_forward(norm2(x)). At the end final_norm and the token embedding's weight, as in your GPT.",
    ],
)


def told(plan, tokens, steps):
    """The tokens in portions of so many steps each."""
    for portion in tokens.split(steps, dim=1):
        plan = plan.call(portion)
    return plan


@cached_gpt.case("token by token")
def _(draw):
    return told(built(11, 9, 8, 2, 2), draw.integers(0, 10, 2, 4), [1] * 4)


@cached_gpt.case("three tokens, and then one at a time")
def _(draw):
    return told(built(9, 8, 6, 3, 1), draw.integers(0, 8, 3, 6), [3, 1, 1, 1])


@cached_gpt.case("portions that fill the context")
def _(draw):
    first = draw.integer(1, 3)
    return told(built(7, 9, 8, 4, 1), draw.integers(0, 6, 2, 9), [first, 5 - first, 4])


@cached_gpt.case("everything at once")
def _(draw):
    return told(built(10, 8, 4, 2, 1), draw.integers(0, 9, 2, 7), [7])


@cached_gpt.case("three blocks, one head, one sentence")
def _(draw):
    return told(built(6, 12, 4, 1, 3), draw.integers(0, 5, 1, 8), [2, 1, 3, 2])


@cached_gpt.case("one token")
def _(draw):
    return told(built(3, 1, 4, 2, 1), draw.integers(0, 2, 1, 1), [1])


@cached_gpt.case("as many steps as sentences and heads, in evaluation")
def _(draw):
    return told(built(8, 6, 8, 2, 1).eval(), draw.integers(0, 7, 2, 6), [2, 2, 2])


@cached_gpt.case("double precision")
def _(draw):
    return told(built(12, 10, 6, 2, 1).to(torch.float64), draw.integers(0, 11, 2, 5), [2, 3])


@cached_gpt.case("weights that are rounded between two calls: what is kept stays as it was")
def _(draw):
    tokens = draw.integers(0, 8, 2, 6)
    plan = built(9, 8, 6, 2, 2).call(tokens[:, :3])
    return told(plan.to(torch.bfloat16).to(torch.float32), tokens[:, 3:], [1, 2])


@cached_gpt.case("the last call is one token too long", raises=ValueError)
def _(draw):
    first = draw.integer(2, 4)
    return told(built(7, 6, 4, 2, 1), draw.integers(0, 6, 2, 7), [first, 7 - first])


@cached_gpt.case("the first call is too long", raises=ValueError)
def _(draw):
    return told(built(7, 5, 4, 2, 1), draw.integers(0, 6, 1, 7), [7])


class Remembering(Guess):
    """A right CachedGPT, to be spoiled in one place."""

    def __init__(self, vocab, context, d_model, heads, depth):
        super().__init__(vocab, context, d_model, heads, depth)
        self.heads, self.seen = heads, 0
        self.caches = [Kept() for _ in range(depth)]

    def places(self, past, total):
        return torch.arange(past, total)

    def placed(self, past, total):
        return self.position_embedding(self.places(past, total))

    def mask(self, past, total):
        return causal_mask(total)[past:]

    def refused(self, total):
        if total > self.context:
            raise ValueError("too long")

    def mapped(self, block, x):
        maps = block.attention
        normed = block.norm1(x)
        return [split_heads(layer(normed), self.heads) for layer in (maps.W_q, maps.W_k, maps.W_v)]

    def remembered(self, cache, k, v):
        return cache.append(k, v)

    def forward(self, tokens):
        past, total = self.seen, self.seen + tokens.shape[1]
        self.refused(total)
        self.seen = total
        x = self.token_embedding(tokens) + self.placed(past, total)
        for block, cache in zip(self.blocks, self.caches, strict=True):
            q, k, v = self.mapped(block, x)
            output, _ = attention(q, *self.remembered(cache, k, v), self.mask(past, total))
            x = x + block.attention.W_o(merge_heads(output))
            x = x + block.feed_forward(block.norm2(x))
        return self.scored(x)


@cached_gpt.misconception
class PositionsFromZero(Remembering):
    """The positions of each of your calls begin at 0 again. The first token of a later call comes behind all that were
    seen before."""

    def places(self, past, total):
        return torch.arange(total - past)


@cached_gpt.misconception
class NeverCounted(Remembering):
    """Yours takes each call for the first one: how many tokens were seen is never counted up. Positions and mask then
    begin at 0 again, while the caches go on."""

    def forward(self, tokens):
        self.seen = 0
        return super().forward(tokens)


@cached_gpt.misconception
class WithoutPositions(Remembering):
    """Yours does not add the position embedding. New tokens have rows in it too: those behind all that were seen."""

    def placed(self, past, total):
        return 0


@cached_gpt.misconception
class OnePositionForAll(Remembering):
    """All tokens of one of your calls have the same position, that of the first. With one token at a time that is
    right; a portion of three takes up three positions."""

    def places(self, past, total):
        return torch.full((total - past,), past)


@cached_gpt.misconception
class PositionsOneLate(Remembering):
    """Your positions are late by one in each call but the first: the token behind four that were seen has position
    4."""

    def places(self, past, total):
        return torch.arange(past, total) - (past > 0)


@cached_gpt.misconception
class NewOnesSeeEachOther(Remembering):
    """In yours the new tokens of a call see each other, the later ones too. With one token at a time there is nothing
    to hide; in a portion of three the first must not see the other two."""

    def mask(self, past, total):
        return None


@cached_gpt.misconception
class FirstRowsOfTheMask(Remembering):
    """Your mask has the right shape, and is that of the first positions. The new ones are the last: theirs are the last
    rows of the causal mask of all positions."""

    def mask(self, past, total):
        return causal_mask(total)[: total - past]


@cached_gpt.misconception
class NewOnesAlone(Remembering):
    """Your new tokens look at themselves alone. What they look at are the keys and values of all positions so far, as
    append gives them back; a cache that is made anew in each call has forgotten them."""

    def remembered(self, cache, k, v):
        cache.append(k, v)
        return k, v

    def mask(self, past, total):
        return causal_mask(total - past)


@cached_gpt.misconception
class OldOnesAlone(Remembering):
    """Your new tokens look at what was there before them, and not at themselves. Append first, then look."""

    def mask(self, past, total):
        return causal_mask(total)[past:] & ~torch.eye(total, dtype=torch.bool)[past:]


@cached_gpt.misconception
class OneCacheForAll(Remembering):
    """All your blocks have one cache. Each has keys and values of its own, and needs a cache of its own."""

    def __init__(self, vocab, context, d_model, heads, depth):
        super().__init__(vocab, context, d_model, heads, depth)
        self.caches = [Kept()] * depth


@cached_gpt.misconception
class OneCacheThatGrowsTooFast(Remembering):
    """All your blocks have one cache, and each finds the keys of the others in it. Each has keys and values of its own,
    and needs a cache of its own."""

    def __init__(self, vocab, context, d_model, heads, depth):
        super().__init__(vocab, context, d_model, heads, depth)
        self.caches = [Kept()] * depth

    def mask(self, past, total):
        length = self.caches[0].k.shape[2]
        return causal_mask(length)[past - total :]


@cached_gpt.misconception
class KeysOfWhatCameIn(Remembering):
    """Your queries, keys and values are made of x. In the block they are made of norm1(x)."""

    def mapped(self, block, x):
        maps = block.attention
        return [split_heads(layer(x), self.heads) for layer in (maps.W_q, maps.W_k, maps.W_v)]


@cached_gpt.misconception
class KeysWithoutTheNorm(Remembering):
    """Your queries are made of norm1(x), and the keys and values that you keep are made of x. All three are made of
    norm1(x)."""

    def mapped(self, block, x):
        maps = block.attention
        parts = (maps.W_q(block.norm1(x)), maps.W_k(x), maps.W_v(x))
        return [split_heads(each, self.heads) for each in parts]


@cached_gpt.misconception
class WithoutTheLastNorm(Remembering):
    """Yours leaves the final_norm out. It stands in front of the output, as in your GPT."""

    def scored(self, x):
        return x @ self.token_embedding.weight.T


@cached_gpt.misconception
class TheLastGuessAlone(Remembering):
    """Yours gives the logits of the last position alone. Those of all new positions were asked for."""

    def forward(self, tokens):
        return super().forward(tokens)[:, -1:]


@cached_gpt.misconception
class CountedByCalls(Remembering):
    """Yours counts calls where it should count tokens: behind a portion of three it goes on at position 1."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.calls = 0

    def places(self, past, total):
        return torch.arange(total - past) + self.calls

    def forward(self, tokens):
        logits = super().forward(tokens)
        self.calls += 1
        return logits


@cached_gpt.misconception
class NeverFull(Remembering):
    """Yours is right but for more tokens than there are positions, where the table's own error comes. A ValueError was
    asked for."""

    def refused(self, total):
        pass


@cached_gpt.misconception
class EachCallByItself(Remembering):
    """Yours looks at the length of each call by itself. Old and new tokens together have to fit."""

    def refused(self, total):
        if total - self.seen > self.context:
            raise ValueError("too long")


@cached_gpt.misconception
class NeverFullWithASlice(NeverFull):
    """Yours is right but for more tokens than there are positions, where the slice of the table is too short and the
    sum fails. A ValueError was asked for."""

    def placed(self, past, total):
        return self.position_embedding.weight[past:total]


@cached_gpt.misconception
class EachCallByItselfWithASlice(EachCallByItself):
    """Yours looks at the length of each call by itself, so a later one runs out of positions. Old and new tokens
    together have to fit."""

    def placed(self, past, total):
        return self.position_embedding.weight[past:total]


@cached_gpt.misconception
class FullTooEarly(Remembering):
    """Yours refuses the token that takes the last position. There are `context` of them, from 0 to `context` - 1."""

    def refused(self, total):
        if total >= self.context:
            raise ValueError("too long")


@cached_gpt.misconception
class EverythingAgain(Remembering):
    """Yours keeps the text, and in each call all of it goes through the blocks again. The new positions alone are to be
    normed and mapped: the keys and values of the others lie in the caches, as they were computed then."""

    def __init__(self, vocab, context, d_model, heads, depth):
        super().__init__(vocab, context, d_model, heads, depth)
        self.tokens = []

    def forward(self, tokens):
        past = sum(each.shape[1] for each in self.tokens)
        self.tokens.append(tokens)
        return Guess.forward(self, torch.cat(self.tokens, dim=1))[:, past:]


@cached_gpt.variant
class WithAMaskByComparing(Guess):
    def __init__(self, vocab, context, d_model, heads, depth):
        super().__init__(vocab, context, d_model, heads, depth)
        self.n_heads = heads
        self.memories = [Kept() for _ in range(depth)]

    def forward(self, tokens):
        old = 0 if self.memories[0].k is None else self.memories[0].k.shape[2]
        places = old + torch.arange(tokens.shape[1])
        if places[-1] >= self.context:
            raise ValueError(f"position {int(places[-1])} does not exist")
        x = self.token_embedding(tokens) + self.position_embedding(places)[None]
        for i, block in enumerate(self.blocks):
            h, a = block.norm1(x), block.attention
            keys, values = self.memories[i].append(
                split_heads(a.W_k(h), self.n_heads), split_heads(a.W_v(h), self.n_heads)
            )
            mask = places[:, None] >= torch.arange(keys.shape[2])
            seen = attention(split_heads(a.W_q(h), self.n_heads), keys, values, mask[None, None])[0]
            x = a.W_o(merge_heads(seen)) + x
            x = block.feed_forward(block.norm2(x)) + x
        return F.linear(self.final_norm(x), self.token_embedding.weight)


@cached_gpt.variant
class AttentionByHand(Remembering):
    def forward(self, new):
        batch, steps = new.shape
        start, self.seen = self.seen, self.seen + steps
        if self.seen > self.position_embedding.num_embeddings:
            raise ValueError
        x = self.token_embedding(new) + self.position_embedding.weight[start : self.seen]
        for block, cache in zip(self.blocks, self.caches, strict=True):
            n, a = block.norm1(x), block.attention
            q, k, v = (m(n).unflatten(-1, (self.heads, -1)).permute(0, 2, 1, 3) for m in (a.W_q, a.W_k, a.W_v))
            k, v = cache.append(k, v)
            scores = torch.einsum("bhtd,bhsd->bhts", q, k) * q.shape[-1] ** -0.5
            future = torch.ones(steps, self.seen, dtype=torch.bool).triu(start + 1)
            weights = scores.masked_fill(future, float("-inf")).softmax(-1)
            x = x + a.W_o(torch.einsum("bhts,bhsd->bthd", weights, v).reshape(batch, steps, -1))
            x = x + block.feed_forward(block.norm2(x))
        return self.final_norm(x) @ self.token_embedding.weight.mT
