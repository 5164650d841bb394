"""What decides whether the exercises of 21_attention are right. A mask is True where a position may be attended to.

In double precision the numbers are such that float32 holds them: whoever computes in it inside is right too.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from autograder.authoring import Exercise, built

FORBIDDEN = [
    "scaled_dot_product_attention",
    "MultiheadAttention",
    "multi_head_attention_forward",
    "_native_multi_head_attention",
    "flex_attention",
]


def lowest(x):
    return torch.finfo(x.dtype).min


# ---- shapes_of_attention ---------------------------------------------------------------------------------------------

shapes_of_attention = Exercise(
    "shapes_of_attention",
    points=1,
    hints=[
        "Write the shape of q down, and below it that of k_turned. A product of matrices takes the last axis of the "
        "left one and the last but one of the right one away: which two sizes are left, behind batch?",
        "For `products` write down (batch, tgt, 1, d_k) and (batch, 1, src, d_k). For the mask, write the scores' "
        "shape down and put `batch` and `src` of is_real below the axes of those names: which place is left over?",
        "A softmax changes no shape. sum(dim=-1) takes the last axis away. weights @ v takes src away: both have it.",
    ],
)


@shapes_of_attention.case("as in the example")
def _(draw):
    return {"batch": 2, "tgt": 5, "src": 7, "d_k": 3, "d_v": 4}


@shapes_of_attention.case("other sizes")
def _(draw):
    batch, tgt, src, d_k, d_v = (draw.permutation(60) + 2).tolist()[:5]
    return {"batch": batch, "tgt": tgt, "src": src, "d_k": d_k, "d_v": d_v}


@shapes_of_attention.case("a single target position")
def _(draw):
    batch, src, d_k, d_v = (draw.permutation(60) + 2).tolist()[:4]
    return {"batch": batch, "tgt": 1, "src": src, "d_k": d_k, "d_v": d_v}


@shapes_of_attention.case("one sentence, keys and values of one width")
def _(draw):
    tgt, src, d_k = (draw.permutation(60) + 2).tolist()[:3]
    return {"batch": 1, "tgt": tgt, "src": src, "d_k": d_k, "d_v": d_k}


def shapes(batch, tgt, src, d_k, d_v, **changes):
    right = {
        "k_turned": (batch, d_k, src),
        "scores": (batch, tgt, src),
        "products": (batch, tgt, src, d_k),
        "mask": (batch, 1, src),
        "weights": (batch, tgt, src),
        "sums": (batch, tgt),
        "output": (batch, tgt, d_v),
    }
    return {**right, **changes}


@shapes_of_attention.misconception
def batch_turned_too(batch, tgt, src, d_k, d_v):
    """Your "k_turned" has its axes in reverse order. transpose(1, 2) exchanges the last two axes of three, and leaves
    the batch where it is."""
    return shapes(batch, tgt, src, d_k, d_v, k_turned=(d_k, src, batch))


@shapes_of_attention.misconception
def source_first(batch, tgt, src, d_k, d_v):
    """Your "scores" have a row for each source. A row belongs to the one who looks, a column to what is looked at: the
    rows of a product are those of its left factor."""
    return shapes(batch, tgt, src, d_k, d_v, scores=(batch, src, tgt), weights=(batch, src, tgt))


@shapes_of_attention.misconception
def products_summed_already(batch, tgt, src, d_k, d_v):
    """Your "products" have three axes. `*` multiplies number by number and sums nothing: the axis of d_k is still
    there."""
    return shapes(batch, tgt, src, d_k, d_v, products=(batch, tgt, src))


@shapes_of_attention.misconception
def mask_stretched_too_early(batch, tgt, src, d_k, d_v):
    """Your "mask" is stretched over the targets already. An axis that is put in has size 1; it stretches when the mask
    meets the scores."""
    return shapes(batch, tgt, src, d_k, d_v, mask=(batch, tgt, src))


@shapes_of_attention.misconception
def mask_for_targets(batch, tgt, src, d_k, d_v):
    """Your "mask" has its new axis at the end, so its src would stand under tgt. It tells which *sources* are real: src
    belongs under src."""
    return shapes(batch, tgt, src, d_k, d_v, mask=(batch, src, 1))


@shapes_of_attention.misconception
def one_sum_for_each_source(batch, tgt, src, d_k, d_v):
    """Your "sums" have one number for each source. `dim=-1` sums over the last axis, src, so that is the one that
    goes."""
    return shapes(batch, tgt, src, d_k, d_v, sums=(batch, src))


@shapes_of_attention.misconception
def sum_kept(batch, tgt, src, d_k, d_v):
    """Your "sums" keep an axis of size 1. That is what keepdim=True does; without it the summed axis is gone."""
    return shapes(batch, tgt, src, d_k, d_v, sums=(batch, tgt, 1))


@shapes_of_attention.misconception
def output_of_keys(batch, tgt, src, d_k, d_v):
    """Your "output" is as wide as the keys. Keys are only compared; what is averaged are the values."""
    return shapes(batch, tgt, src, d_k, d_v, output=(batch, tgt, d_k))


@shapes_of_attention.misconception
def output_for_each_source(batch, tgt, src, d_k, d_v):
    """Your "output" has a row for each source. The sources are what is averaged over: there is one average for each
    target."""
    return shapes(batch, tgt, src, d_k, d_v, output=(batch, src, d_v))


@shapes_of_attention.variant
def from_real_tensors(batch, tgt, src, d_k, d_v):
    q, k, v = torch.zeros(batch, tgt, d_k), torch.zeros(batch, src, d_k), torch.zeros(batch, src, d_v)
    mask = torch.ones(batch, src, dtype=torch.bool)[:, None]
    k_turned = k.transpose(1, 2)
    scores = q @ k_turned
    weights = scores.masked_fill(~mask, -torch.inf).softmax(dim=-1)
    steps = {"k_turned": k_turned, "scores": scores, "products": q[:, :, None] * k[:, None], "mask": mask}
    steps |= {"weights": weights, "sums": weights.sum(dim=-1), "output": weights @ v}
    return {name: step.shape for name, step in steps.items()}


@shapes_of_attention.variant
def one_from_the_other(batch, tgt, src, d_k, d_v):
    scores = (batch, tgt, src)
    return {
        "output": (*scores[:2], d_v),
        "sums": scores[:-1],
        "weights": scores,
        "scores": scores,
        "products": (*scores, d_k),
        "mask": tuple(torch.broadcast_shapes((batch, 1, src))),
        "k_turned": (scores[0], d_k, scores[2]),
    }


@shapes_of_attention.variant
def assigned_one_by_one(batch, tgt, src, d_k, d_v):
    answer = dict.fromkeys(["scores", "weights"], (batch, tgt, src))
    answer["sums"] = batch, tgt
    answer["output"] = batch, tgt, d_v
    answer["k_turned"] = batch, d_k, src
    answer["mask"] = batch, 1, src
    answer["products"] = answer["scores"] + (d_k,)
    return answer


# ---- weighted_average ------------------------------------------------------------------------------------------------

weighted_average = Exercise(
    "weighted_average",
    points=1,
    forbids=FORBIDDEN,
    hints=[
        "With weights 1 and 3, which share of the whole does the first source have? What must all shares of a row sum "
        "to?",
        "Divide each row of weights by its own sum; keepdim=True leaves an axis of size 1 that stretches over the row. "
        "Which rows have a sum that nothing can be divided by?",
        "The shares, (batch, tgt, src), times the values, (batch, src, d_v), as a product of matrices. Put a 1 in "
        "place of every sum that is 0 before you divide: zero divided by one is zero.",
    ],
)


@weighted_average.case("weights that sum to one", probe="gradients")
def _(draw):
    return {"weights": draw.normal(2, 3, 4).softmax(dim=-1), "values": draw.normal(2, 4, 5)}


@weighted_average.case("weights of any sum", probe="gradients")
def _(draw):
    return {"weights": draw.uniform(3, 5, 4) * 6 + 0.5, "values": draw.normal(3, 4, 2, mean=1.0)}


@weighted_average.case("as many targets as sources, weights that sum to less than one", probe="gradients")
def _(draw):
    return {"weights": draw.uniform(2, 4, 4) / 5 + 0.02, "values": draw.normal(2, 4, 3)}


@weighted_average.case("rows of zeros")
def _(draw):
    weights = draw.uniform(2, 5, 6) + 0.2
    weights[0, 3] = weights[1, 0] = 0
    weights[1, :, 2] = 0
    return {"weights": weights, "values": draw.normal(2, 6, 3)}


@weighted_average.case("weights that are small")
def _(draw):
    return {"weights": draw.uniform(2, 3, 4) * 1e-4 + 1e-5, "values": draw.normal(2, 4, 5, mean=1.0)}


@weighted_average.case("one source, one target")
def _(draw):
    return {"weights": draw.uniform(1, 1, 1) + 2, "values": draw.normal(1, 1, 1)}


@weighted_average.case("whole numbers as weights, inputs that are views")
def _(draw):
    weights = draw.integers(0, 4, 7, 2, 3).float().permute(1, 2, 0)
    weights[..., 0] += 1
    return {"weights": weights, "values": draw.normal(2, 4, 14).transpose(1, 2)[:, ::2]}


@weighted_average.case("half precision")
def _(draw):
    weights = draw.uniform(2, 3, 5, dtype=torch.float16) + 0.25
    return {"weights": weights, "values": draw.normal(2, 5, 4, dtype=torch.float16)}


@weighted_average.no_loop_over("tgt or src")
def _(draw, size):
    weights = draw.uniform(1, 1, size) + 0.1  # stretched: a key keeps one row of it
    return {"weights": weights.expand(1, size, size), "values": draw.normal(1, size, 3)}


def shares(weights):
    total = weights.sum(dim=-1, keepdim=True)
    return weights / torch.where(total > 0, total, 1)


@weighted_average.misconception
def not_divided(weights, values):
    """Yours sums the weighted values and does not divide. Where the weights of a row sum to one that is the average;
    where they sum to seven, it is seven times too large."""
    return weights @ values


@weighted_average.misconception
def divided_by_the_count(weights, values):
    """Yours divides by the number of sources. An average counts each value by its weight, so what it divides by is made
    of the weights."""
    return weights @ values / weights.shape[-1]


@weighted_average.misconception
def shares_of_the_column(weights, values):
    """Yours divides each weight by the sum over the *targets*. The shares of one target sum to one, over the sources it
    averages."""
    total = weights.sum(dim=1, keepdim=True)
    return weights / torch.where(total > 0, total, 1) @ values


@weighted_average.misconception
def shares_of_everything(weights, values):
    """Yours divides by the sum of all weights of the batch. Each target has a row of its own, and each row a sum of its
    own."""
    return weights / weights.sum() @ values


@weighted_average.misconception
def softmax_of_weights(weights, values):
    """Yours takes the softmax of the weights. They are weights already: 3 next to 1 means three times as much, and
    e³ next to e means seven times as much."""
    return weights.softmax(dim=-1) @ values


@weighted_average.misconception
def nan_where_nothing_counts(weights, values):
    """Yours is right but for rows of weights that are zero from end to end: 0 divided by 0 is NaN."""
    return weights / weights.sum(dim=-1, keepdim=True) @ values


@weighted_average.misconception
def plain_mean_where_nothing_counts(weights, values):
    """Where all weights of a row are zero, yours gives the plain mean of the values. There is nothing to average there:
    zeros were asked for."""
    total = weights.sum(dim=-1, keepdim=True)
    return torch.where(total > 0, shares(weights) @ values, values.mean(dim=1, keepdim=True))


@weighted_average.misconception
def small_sums_left_alone(weights, values):
    """Yours is right but for rows whose weights sum to less than one: clamp(min=1) divides those by 1. What may not be
    divided by is 0 alone."""
    return weights @ values / weights.sum(dim=-1, keepdim=True).clamp(min=1)


@weighted_average.misconception
def a_millionth_added(weights, values):
    """Yours adds a small number to each sum, so that it is never 0. Small weights may have a sum as small as that
    number, and then the shares are wrong: what may not be divided by is 0 alone."""
    return weights / (weights.sum(dim=-1, keepdim=True) + 1e-6) @ values


@weighted_average.misconception
def divided_in_place(weights, values):
    """Your result is right, but the weights that you were given are divided too: `/=` and methods that end in an
    underscore write into the caller's tensor."""
    total = weights.sum(dim=-1, keepdim=True)
    with torch.no_grad():
        weights /= torch.where(total > 0, total, 1)
    return weights @ values


@weighted_average.misconception
def largest_weight_wins(weights, values):
    """Yours hands over the value with the largest weight alone. The others count too, each by its weight."""
    best = weights.argmax(dim=-1, keepdim=True).expand(-1, -1, values.shape[-1])
    return values.gather(1, best) * (weights.sum(dim=-1, keepdim=True) > 0)


@weighted_average.variant
def divided_afterwards(weights, values):
    total = weights.sum(-1).unsqueeze(-1)
    return torch.where(total == 0, torch.zeros((), dtype=values.dtype), weights.bmm(values) / total)


@weighted_average.variant
def by_einsum(weights, values):
    return torch.einsum("bts,bsv->btv", F.normalize(weights, p=1, dim=-1), values)


@weighted_average.variant
def by_broadcasting(weights, values):
    total = weights.sum(dim=2)
    return (weights[..., None] * values[:, None]).sum(dim=2) / (total + (total == 0))[..., None]


# ---- attention_scores ------------------------------------------------------------------------------------------------

attention_scores = Exercise(
    "attention_scores",
    points=1,
    forbids=FORBIDDEN,
    hints=[
        "A product of matrices takes each row of the left one with each *column* of the right one. The keys lie in "
        "rows: what has to be done to them first, and which axes must stay where they are?",
        "Which axis of q has the size d_k? Its square root is what to divide by, for any sizes of the others.",
        "q @ k.transpose(1, 2), divided by q.shape[-1] to the power of 0.5.",
    ],
)


@attention_scores.case("five targets, seven sources", probe="gradients")
def _(draw):
    return {"q": draw.normal(2, 5, 3), "k": draw.normal(2, 7, 3)}


@attention_scores.case("wide queries", probe="gradients")
def _(draw):
    d_k = draw.integer(40, 70)
    return {"q": draw.normal(3, 2, d_k), "k": draw.normal(3, 4, d_k)}


@attention_scores.case("as many targets as sources", probe="gradients")
def _(draw):
    return {"q": draw.normal(2, 4, 6), "k": draw.normal(2, 4, 6)}


@attention_scores.case("one number each")
def _(draw):
    return {"q": draw.normal(1, 1, 1), "k": draw.normal(1, 1, 1)}


@attention_scores.case("inputs that are views", probe="gradients")
def _(draw):
    return {"q": draw.normal(5, 4, 3).permute(1, 2, 0), "k": draw.normal(4, 2, 10)[:, :, ::2]}


@attention_scores.case("half precision")
def _(draw):
    return {"q": draw.normal(2, 3, 8, dtype=torch.float16), "k": draw.normal(2, 5, 8, dtype=torch.float16)}


@attention_scores.case("whole numbers in double precision")
def _(draw):
    q, k = draw.integers(-5, 5, 2, 6, 4), draw.integers(-5, 5, 2, 3, 4)
    return {"q": q.double(), "k": k.double()}


@attention_scores.no_loop_over("tgt or src")
def _(draw, size):
    return {"q": draw.normal(2, size, 3), "k": draw.normal(2, size, 3)}


def dots(q, k):
    return q @ k.transpose(-2, -1)


@attention_scores.misconception
def unscaled(q, k):
    """Your dot products are right, and not divided. Their spread grows with the width d_k, and so would the softmax's
    certainty."""
    return dots(q, k)


@attention_scores.misconception
def divided_by_d_k(q, k):
    """Yours divides by d_k itself. The spread of a sum of d_k products grows with the *square root* of d_k."""
    return dots(q, k) / q.shape[-1]


@attention_scores.misconception
def multiplied(q, k):
    """Yours multiplies by the square root of d_k. The scores are to become smaller where there are more products in
    each."""
    return dots(q, k) * q.shape[-1] ** 0.5


@attention_scores.misconception
def scaled_by_the_sources(q, k):
    """Yours divides by the square root of the number of sources. What makes a score spread is the number of products
    that are summed in it: look at the axis that the two share."""
    return dots(q, k) / k.shape[1] ** 0.5


@attention_scores.misconception
def scaled_by_the_targets(q, k):
    """Yours divides by the square root of the number of targets. q.shape[1] is tgt; which axis is summed over?"""
    return dots(q, k) / q.shape[1] ** 0.5


@attention_scores.misconception
def keys_ask(q, k):
    """Your scores have a row for each source and a column for each target. Rows are the ones who look: queries stand on
    the left of the product."""
    return dots(k, q) / q.shape[-1] ** 0.5


@attention_scores.misconception
def already_weights(q, k):
    """Yours takes the softmax too. The scores come before it: they may be negative, and they sum to anything."""
    return (dots(q, k) / q.shape[-1] ** 0.5).softmax(dim=-1)


@attention_scores.misconception
def cosines(q, k):
    """Yours divides each dot product by the lengths of its two vectors: that is the cosine of their angle. Here a long
    query counts more than a short one; what is divided by is the same for all."""
    return dots(F.normalize(q, dim=-1), F.normalize(k, dim=-1))


@attention_scores.misconception
def scaled_in_place(q, k):
    """Your scores are right, but q itself is scaled too, in place: the next one who uses it finds other numbers."""
    with torch.no_grad():
        q /= q.shape[-1] ** 0.5
    return dots(q, k)


@attention_scores.variant
def query_scaled_first(q, k):
    return torch.bmm(q * q.size(-1) ** -0.5, k.mT)


@attention_scores.variant
def by_letters(q, k):
    return torch.einsum("bik,bjk->bij", q, k) / math.sqrt(k.shape[2])


@attention_scores.variant
def by_pairs(q, k):
    pairs = q.unsqueeze(2) * k.unsqueeze(1)
    return pairs.float().sum(dim=3).div(math.sqrt(q.shape[2])).to(q.dtype)


# ---- attention -------------------------------------------------------------------------------------------------------

attention_exercise = Exercise(
    "attention",
    points=3,
    needs=["attention_scores"],
    forbids=FORBIDDEN,
    hints=[
        "Three steps: scores, weights, average. Where among them does the mask go, so that the weights that are left "
        "still sum to one?",
        "masked_fill writes where its mask is True, and yours is True where looking is *allowed*. With which number "
        "does a score become a weight of 0, and is it one that half precision has? What does the softmax make of a row "
        "in which every score is that number?",
        "Fill the hidden scores with torch.finfo(scores.dtype).min, take the softmax over the last axis, and fill the "
        "hidden weights with 0: that changes rows alone in which all is hidden. Then weights @ v.",
    ],
)


def inputs(draw, batch, tgt, src, d_k, d_v, dtype=torch.float32):
    return {
        "q": draw.normal(batch, tgt, d_k, dtype=dtype),
        "k": draw.normal(batch, src, d_k, dtype=dtype),
        "v": draw.normal(batch, src, d_v, dtype=dtype),
    }


def some_of_each(draw, *shape):
    """A mask in whose rows some are allowed and some are not, not the same ones in each row."""
    mask = draw.booleans(*shape, true=0.6)
    first = draw.integers(0, shape[-1] - 1, *shape[:-1], 1)
    mask.scatter_(-1, first, True)
    return mask.scatter_(-1, (first + 1) % shape[-1], False)


@attention_exercise.case("no mask", probe="gradients")
def _(draw):
    return inputs(draw, 2, 3, 5, 4, 6)


@attention_exercise.case("a mask of its own for each row", probe="gradients")
def _(draw):
    return {**inputs(draw, 2, 5, 7, 3, 4), "mask": some_of_each(draw, 2, 5, 7)}


@attention_exercise.case("as many targets as sources, wide keys", probe="gradients")
def _(draw):
    return {**inputs(draw, 3, 4, 4, 33, 2), "mask": some_of_each(draw, 3, 4, 4)}


@attention_exercise.case("a target that may look at nothing", probe="gradients")
def _(draw):
    mask = some_of_each(draw, 2, 4, 6)
    mask[0, 2] = mask[1, 0] = False
    return {**inputs(draw, 2, 4, 6, 5, 3), "mask": mask}


@attention_exercise.case("a batch of which one sentence may look at nothing")
def _(draw):
    mask = some_of_each(draw, 3, 2, 5)
    mask[1] = False
    return {**inputs(draw, 3, 2, 5, 4, 7), "mask": mask}


@attention_exercise.case("one mask for all sentences", probe="gradients")
def _(draw):
    return {**inputs(draw, 3, 6, 6, 2, 5), "mask": torch.ones(6, 6, dtype=torch.bool).tril()}


@attention_exercise.case("a padding mask that stretches over the targets", probe="gradients")
def _(draw):
    lengths = draw.integers(1, 6, 3)
    return {**inputs(draw, 3, 4, 7, 5, 2), "mask": (torch.arange(7) < lengths[:, None])[:, None]}


@attention_exercise.case("one target, one source")
def _(draw):
    return {**inputs(draw, 1, 1, 1, 2, 3), "mask": torch.ones(1, 1, 1, dtype=torch.bool)}


@attention_exercise.case("mask=None, a single target")
def _(draw):
    return {**inputs(draw, 2, 1, draw.integer(8, 20), 6, 1), "mask": None}


@attention_exercise.case("half precision, with a mask and a target that may look at nothing")
def _(draw):
    mask = some_of_each(draw, 2, 3, 6)
    mask[1, 1] = False
    return {**inputs(draw, 2, 3, 6, 4, 5, dtype=torch.float16), "mask": mask}


@attention_exercise.case("an even share, in double precision")
def _(draw):
    mask = torch.tensor([[True] * 4, [True, False, False, True], [False] * 3 + [True]])
    v = draw.integers(-9, 9, 2, 4, 5).double() / 8
    return {"q": torch.zeros(2, 3, 4).double(), "k": draw.integers(-3, 3, 2, 4, 4).double(), "v": v, "mask": mask}


@attention_exercise.case("inputs and a mask that are views", probe="gradients")
def _(draw):
    return {
        "q": draw.normal(4, 3, 2).permute(2, 1, 0),
        "k": draw.normal(2, 10, 4)[:, ::2],
        "v": draw.normal(2, 6, 5).transpose(1, 2),
        "mask": some_of_each(draw, 2, 3, 5).transpose(0, 2).contiguous().transpose(0, 2),
    }


@attention_exercise.no_loop_over("tgt or src")
def _(draw, size):
    return {**inputs(draw, 1, size, size, 3, 2), "mask": some_of_each(draw, 1, 1, size).expand(1, size, size)}


def scored(q, k):
    return q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5


def attend(
    q, k, v, mask=None, scores=None, fill=None, dim=-1, emptied=True, shown=lambda weights: weights
):  # a right attention, to be spoiled in one place
    scores = scored(q, k) if scores is None else scores
    if mask is not None:
        scores = scores.masked_fill(~mask, lowest(scores) if fill is None else fill)
    weights = scores.softmax(dim=dim)
    if mask is not None and emptied:
        weights = weights.masked_fill(~mask, 0)
    return weights @ v, shown(weights)


def added(mask, scores, hidden):
    """A mask that is added to the scores: 0 where looking is allowed, `hidden` where it is not."""
    return torch.zeros(mask.shape, dtype=scores.dtype).masked_fill(~mask, hidden)


@attention_exercise.misconception
def mask_upside_down(q, k, v, mask=None):
    """Yours hides what may be looked at, and shows what may not. masked_fill writes where its mask is True, and in this
    course True means that looking is allowed."""
    return attend(q, k, v, None if mask is None else ~mask)


@attention_exercise.misconception
def mask_added_as_numbers(q, k, v, mask=None):
    """Yours adds the mask to the scores as 1 and 0. That lifts what may be looked at a little and hides nothing: a mask
    that is added has 0 where looking is allowed, and a very low number elsewhere."""
    scores = scored(q, k)
    return attend(q, k, v, scores=scores if mask is None else scores + mask)


@attention_exercise.misconception
def mask_ignored(q, k, v, mask=None):
    """Yours looks everywhere, mask or no mask."""
    return attend(q, k, v)


@attention_exercise.misconception
def softmax_over_targets(q, k, v, mask=None):
    """Your softmax is over the targets: each *source's* weights sum to one. It is each target that shares out its
    attention, over the sources: sum your weights along both axes and look."""
    return attend(q, k, v, mask, dim=1)


@attention_exercise.misconception
def masked_after_the_softmax(q, k, v, mask=None):
    """Yours sets weights to zero after the softmax, so those that are left no longer sum to one. The hidden sources had
    their share of the whole, and nobody gave it back."""
    weights = scored(q, k).softmax(dim=-1)
    weights = weights if mask is None else weights * mask
    return weights @ v, weights


@attention_exercise.misconception
def hidden_scores_of_zero(q, k, v, mask=None):
    """Yours gives a hidden source the score 0. A score of 0 is an ordinary one: e⁰ is 1, and takes its share. Which
    score has a weight of 0?"""
    scores = scored(q, k)
    weights = (scores if mask is None else scores * mask).softmax(dim=-1)
    weights = weights if mask is None else weights.masked_fill(~mask, 0)
    return weights @ v, weights


@attention_exercise.misconception
def hidden_scores_of_zero_share(q, k, v, mask=None):
    """Yours gives a hidden source the score 0, as multiplying the scores by the mask does. A score of 0 is an ordinary
    one: e⁰ is 1, so what is hidden still has a weight. Which score has a weight of 0?"""
    return attend(q, k, v, mask, fill=0, emptied=False)


@attention_exercise.misconception
def even_share_of_nothing(q, k, v, mask=None):
    """Yours is right but for a target that may look at nothing: there all sources have the same lowest score, so the
    softmax gives each an even share, hidden or not. Zeros were asked for."""
    return attend(q, k, v, mask, emptied=False)


@attention_exercise.misconception
def even_share_by_adding(q, k, v, mask=None):
    """Yours is right but for a target that may look at nothing: the lowest number added to all of its scores makes them
    equal, and the softmax gives each source an even share, hidden or not. Weights and output of 0 were asked for."""
    scores = scored(q, k)
    return attend(q, k, v, scores=scores if mask is None else scores + added(mask, scores, lowest(scores)))


@attention_exercise.misconception
def nan_where_nothing_is_seen(q, k, v, mask=None):
    """Yours is right but for a target that may look at nothing: the softmax computes −∞ − (−∞) there, and the row is
    NaN. One such row makes the loss of the whole batch NaN."""
    return attend(q, k, v, mask, fill=-torch.inf, emptied=False)


@attention_exercise.misconception
def nan_by_adding(q, k, v, mask=None):
    """Yours is right but for a target that may look at nothing: with −∞ added to all of its scores the softmax computes
    −∞ − (−∞), and the row is NaN, output, weights and gradients. Zeros were asked for."""
    scores = scored(q, k)
    return attend(q, k, v, scores=scores if mask is None else scores + added(mask, scores, -torch.inf))


@attention_exercise.misconception
def nan_in_the_gradient(q, k, v, mask=None):
    """Your output is right, but where a target may look at nothing the gradients of the queries are NaN. The NaN of the
    softmax is wiped away on the way forward, and comes back on the way backward: a −∞ that is *added* lets it pass."""
    scores = scored(q, k)
    if mask is not None:
        scores = scores + added(mask, scores, -torch.inf)
    weights = scores.softmax(dim=-1).nan_to_num(0.0)
    return weights @ v, weights


@attention_exercise.misconception
def too_low_for_half_precision(q, k, v, mask=None):
    """Yours is right in single precision. Half precision has no number as low as the one you fill with: its lowest is
    −65504, and that of any dtype is known to torch.finfo."""
    return attend(q, k, v, mask, fill=-1e9)


@attention_exercise.misconception
def too_low_and_an_even_share(q, k, v, mask=None):
    """Half precision has no number as low as the one you fill with: its lowest is −65504, and torch.finfo knows that of
    any dtype. And a target that may look at nothing gets an even share of what is hidden from it, where zeros were
    asked for."""
    return attend(q, k, v, mask, fill=-1e9, emptied=False)


@attention_exercise.misconception
def scores_not_scaled(q, k, v, mask=None):
    """Your scores are the plain dot products. They are to be divided by the square root of d_k, as in exercise 3."""
    return attend(q, k, v, mask, scores=q @ k.transpose(-2, -1))


@attention_exercise.misconception
def scaled_twice(q, k, v, mask=None):
    """Your scores are divided by the square root of d_k twice. Exercise 3 has done it already."""
    return attend(q, k, v, mask, scores=scored(q, k) / q.shape[-1] ** 0.5)


@attention_exercise.misconception
def scaled_after_the_softmax(q, k, v, mask=None):
    """Yours divides the weights by the square root of d_k, after the softmax. So they no longer sum to one; it is the
    scores that are scaled."""
    _, weights = attend(q, k, v, mask, scores=q @ k.transpose(-2, -1))
    weights = weights / q.shape[-1] ** 0.5
    return weights @ v, weights


@attention_exercise.misconception
def scores_returned(q, k, v, mask=None):
    """Your output is right; next to it you return the scores. The weights are what the softmax makes of them."""
    scores = scored(q, k)
    return attend(q, k, v, mask)[0], scores if mask is None else scores.masked_fill(~mask, lowest(scores))


@attention_exercise.misconception
def in_the_other_order(q, k, v, mask=None):
    """Yours returns the weights first and the output second. The other order was asked for."""
    return attend(q, k, v, mask)[::-1]


@attention_exercise.misconception
def output_alone(q, k, v, mask=None):
    """Yours returns the output alone. The weights were asked for too: they tell where each target looked."""
    return attend(q, k, v, mask)[0]


@attention_exercise.misconception
def weights_detached(q, k, v, mask=None):
    """Your numbers are right, but the gradient reaches the values alone. Queries and keys learn through the weights:
    detach() and torch.no_grad() cut that way."""
    _, weights = attend(q, k, v, mask)
    return weights.detach() @ v, weights.detach()


@attention_exercise.misconception
def returned_weights_detached(q, k, v, mask=None):
    """Your numbers are right, and so are the gradients of your output. But the weights that you give back are detached:
    what is computed from them teaches queries and keys nothing."""
    return attend(q, k, v, mask, shown=torch.Tensor.detach)


@attention_exercise.misconception
def one_row_for_all(q, k, v, mask=None):
    """Yours uses the mask's first row for every target. Each target may have a row of its own, as under a causal
    mask."""
    return attend(q, k, v, None if mask is None else mask[..., :1, :])


@attention_exercise.variant
def by_where(query, key, value, mask=None):
    scores = torch.einsum("btk,bsk->bts", query, key) * key.shape[-1] ** -0.5
    if mask is None:
        mask = torch.ones((), dtype=torch.bool)
    scores = torch.where(mask, scores, torch.tensor(-torch.inf, dtype=scores.dtype))
    weights = torch.softmax(scores, dim=-1).nan_to_num(nan=0.0)
    return torch.einsum("bts,bsv->btv", weights, value), weights


@attention_exercise.variant
def by_exponentials(q, k, v, mask=None):
    scores = torch.bmm(q.float() / math.sqrt(q.shape[-1]), k.float().mT)
    raised = (scores - scores.amax(dim=-1, keepdim=True).detach()).exp()
    if mask is not None:
        raised = raised * mask
    total = raised.sum(dim=-1, keepdim=True)
    weights = (raised / total.masked_fill(total == 0, 1)).to(v.dtype)
    return torch.matmul(weights, v), weights


@attention_exercise.variant
def in_single_precision(q, k, v, mask=None):
    scores = scored(q, k)
    allowed = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask.expand_as(scores)
    sees_something = allowed.any(dim=-1, keepdim=True)
    scores = scores.masked_fill(~allowed & sees_something, -torch.inf)
    weights = F.softmax(scores, dim=-1, dtype=torch.float32).to(q.dtype) * sees_something
    return (v.mT @ weights.mT).mT, weights


@attention_exercise.variant
def by_adding(q, k, v, mask=None):
    scores = scored(q, k)
    if mask is None:
        weights = torch.softmax(scores, -1)
    else:
        weights = torch.softmax(scores + added(mask, scores, lowest(q)), -1) * mask.any(-1, keepdim=True)
    return (weights.unsqueeze(-1) * v.unsqueeze(1)).sum(dim=2), weights


# ---- SelfAttention ---------------------------------------------------------------------------------------------------

self_attention = Exercise(
    "SelfAttention",
    points=2,
    needs=["attention"],
    forbids=FORBIDDEN,
    hints=[
        "Three different maps of the same x. Which module is a linear map, how wide is what goes in and what comes "
        "out, and how is its bias left out?",
        "Make the three in __init__, under the names asked for, and call each on x in forward. In which order does "
        "`attention` take what they give?",
        "nn.Linear(d_model, d_k, bias=False) three times; then attention(self.W_q(x), self.W_k(x), self.W_v(x), mask).",
    ],
)


@self_attention.case("no mask")
def _(draw):
    return built(6, 4).differentiate(draw.normal(2, 5, 6))


@self_attention.case("a mask of its own for each row")
def _(draw):
    return built(5, 3).differentiate(draw.normal(2, 4, 5), some_of_each(draw, 2, 4, 4))


@self_attention.case("a causal mask, more numbers out than in")
def _(draw):
    return built(3, 8).differentiate(draw.normal(3, 6, 3), torch.ones(6, 6, dtype=torch.bool).tril())


@self_attention.case("a padding mask, and a sentence of padding alone")
def _(draw):
    lengths = torch.tensor([4, 0, draw.integer(1, 3)])
    mask = (torch.arange(5) < lengths[:, None])[:, None, :]
    return built(4, 7).differentiate(draw.normal(3, 5, 4), mask)


@self_attention.case("as many numbers out as in")
def _(draw):
    return built(4, 4).differentiate(draw.normal(2, 3, 4), some_of_each(draw, 2, 3, 3))


@self_attention.case("a single position")
def _(draw):
    return built(3, 2).differentiate(draw.normal(1, 1, 3))


@self_attention.case("the same sentences, with their words in another order")
def _(draw):
    x, order = draw.normal(2, 7, 5), draw.permutation(7)
    return built(5, 6).call(x).call(x[:, order])


@self_attention.case("half precision, and inputs that are views")
def _(draw):
    x = draw.normal(4, 6, 2, dtype=torch.float16).permute(2, 1, 0)
    return built(4, 3).to(torch.float16).call(x, some_of_each(draw, 2, 6, 6).mT.contiguous().mT)


@self_attention.case("sizes of its own")
def _(draw):
    d_model, d_k = (draw.permutation(12) + 9).tolist()[:2]
    seq = draw.integer(4, 8)
    return built(d_model, d_k).differentiate(draw.normal(2, seq, d_model), some_of_each(draw, 2, seq, seq))


class Looking(nn.Module):
    """A right SelfAttention, to be spoiled in one place."""

    def __init__(self, d_model, d_k):
        super().__init__()
        self.W_q, self.W_k, self.W_v = (nn.Linear(d_model, d_k, bias=False) for _ in range(3))

    def forward(self, x, mask=None):
        return attend(self.W_q(x), self.W_k(x), self.W_v(x), mask)


@self_attention.misconception
class BiasesLeftIn(Looking):
    """Your linear maps have biases. nn.Linear has one unless it is told otherwise, and here it was to have none."""

    def __init__(self, d_model, d_k):
        nn.Module.__init__(self)
        self.W_q, self.W_k, self.W_v = (nn.Linear(d_model, d_k) for _ in range(3))


@self_attention.misconception
class OneMapForAll(Looking):
    """Yours has one linear map under three names. What a position looks for, what it offers and what it hands over are
    three different things, each with a weight of its own."""

    def __init__(self, d_model, d_k):
        nn.Module.__init__(self)
        self.W_q = self.W_k = self.W_v = nn.Linear(d_model, d_k, bias=False)


@self_attention.misconception
class OutAndInSwapped(Looking):
    """Your linear maps have d_model and d_k the other way round. nn.Linear takes what goes in first, what comes out
    second."""

    def __init__(self, d_model, d_k):
        super().__init__(d_k, d_model)


@self_attention.misconception
class QueriesAndKeysSwapped(Looking):
    """Yours takes the queries from `W_k` and the keys from `W_q`. Each score is then that of the other direction: what
    the target offers, against what the source looks for."""

    def forward(self, x, mask=None):
        return attend(self.W_k(x), self.W_q(x), self.W_v(x), mask)


@self_attention.misconception
class ValuesAreX(Looking):
    """Yours averages x itself, and `W_v` does nothing. What is handed over is the value, W_v(x)."""

    def forward(self, x, mask=None):
        return attend(self.W_q(x), self.W_k(x), x, mask)


@self_attention.misconception
class ValuesAreKeys(Looking):
    """Yours averages the keys. They are there to be compared; what is handed over is what `W_v` makes of x."""

    def forward(self, x, mask=None):
        return attend(self.W_q(x), self.W_k(x), self.W_k(x), mask)


@self_attention.misconception
class ScaledByTheModel(Looking):
    """Your scores are divided by the square root of d_model. The dot product sums d_k products: the width of queries
    and keys counts, not that of x."""

    def forward(self, x, mask=None):
        q, k = self.W_q(x), self.W_k(x)
        return attend(q, k, self.W_v(x), mask, scores=q @ k.mT / x.shape[-1] ** 0.5)


@self_attention.misconception
class MaskNotHandedOn(Looking):
    """Yours takes a mask and does nothing with it."""

    def forward(self, x, mask=None):
        return super().forward(x)


@self_attention.misconception
class MaskTurned(Looking):
    """Your mask is transposed: it hides a target from a source where it should hide the source from the target. Rows
    are the ones who look."""

    def forward(self, x, mask=None):
        return super().forward(x, None if mask is None else mask.mT)


@self_attention.misconception
class CausalByItself(Looking):
    """Yours hides what comes later, though nobody asked for it: who may look at whom is for the mask to say."""

    def forward(self, x, mask=None):
        causal = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
        return super().forward(x, causal if mask is None else mask & causal)


@self_attention.misconception
class CausalWithoutAMask(Looking):
    """Yours hides what comes later where it is given no mask. Without a mask every position sees all of them: who hides
    the future, as a GPT does, hands in a mask."""

    def forward(self, x, mask=None):
        causal = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
        return super().forward(x, causal if mask is None else mask)


@self_attention.misconception
class OutputOnly(Looking):
    """Yours returns the output alone. The weights were asked for too: they tell where each position looked."""

    def forward(self, x, mask=None):
        return super().forward(x, mask)[0]


@self_attention.misconception
class NanForPadding(Looking):
    """Yours is right but for a position that may look at nothing: its row is NaN, where weights and output of 0 were
    asked for. One such row makes the loss of the whole batch NaN."""

    def forward(self, x, mask=None):
        return attend(self.W_q(x), self.W_k(x), self.W_v(x), mask, fill=-torch.inf, emptied=False)


@self_attention.misconception
class EvenShareForPadding(Looking):
    """Yours is right but for a position that may look at nothing: it gets an even share of what is hidden from it.
    Weights and output of 0 were asked for."""

    def forward(self, x, mask=None):
        return attend(self.W_q(x), self.W_k(x), self.W_v(x), mask, emptied=False)


@self_attention.misconception
class ShortcutAdded(Looking):
    """Yours adds its input to the output where the two are equally wide. That is a shortcut, which a Transformer's
    block puts around attention; attention itself has none."""

    def forward(self, x, mask=None):
        output, weights = super().forward(x, mask)
        return output + x if output.shape == x.shape else output, weights


@self_attention.variant
class InOneProduct(nn.Module):
    def __init__(self, d_model, d_k):
        super().__init__()
        for name in ("W_v", "W_k", "W_q"):
            self.add_module(name, nn.Linear(d_model, d_k, False))

    def forward(self, inputs, allowed=None):
        weight = torch.cat([self.W_q.weight, self.W_k.weight, self.W_v.weight])
        q, k, v = F.linear(inputs, weight).chunk(3, dim=-1)
        return by_where(q, k, v, allowed)


@self_attention.variant
class ByHand(Looking):
    def forward(self, x, mask=None):
        q, k, v = (x @ layer.weight.T for layer in (self.W_q, self.W_k, self.W_v))
        return by_adding(q, k, v, mask)


@self_attention.variant
class WithAStateOfItsOwn(nn.Module):
    def __init__(self, d_model, d_k):
        super().__init__()
        self.W_q = nn.Linear(in_features=d_model, out_features=d_k, bias=False)
        self.W_k = nn.Linear(in_features=d_model, out_features=d_k, bias=False)
        self.W_v = nn.Linear(in_features=d_model, out_features=d_k, bias=False)
        self.scale = 1 / math.sqrt(d_k)
        nn.init.xavier_uniform_(self.W_q.weight)

    def forward(self, x, mask=None):
        weights = self.W_q(x).matmul(self.W_k(x).transpose(1, 2)) * self.scale
        if mask is not None:
            weights = weights.masked_fill(mask == 0, float("-inf"))
        weights = F.softmax(weights, dim=2)
        weights = weights if mask is None else weights.masked_fill(mask == 0, 0.0)
        return weights.bmm(self.W_v(x)), weights


# ---- CrossAttention --------------------------------------------------------------------------------------------------

cross_attention = Exercise(
    "CrossAttention",
    points=2,
    needs=["attention"],
    forbids=FORBIDDEN,
    hints=[
        "Who asks, and who is found? Which of the three maps reads the target, and which read the source, and how wide "
        "is what each of them reads?",
        "`attention` wants a mask that lines up with (batch, tgt, src). Write (batch, src) below it, with each name "
        "under its own: which axis is missing?",
        "W_q reads d_tgt numbers, W_k and W_v read d_src. src_mask[:, None, :] has the shape (batch, 1, src); where "
        "src_mask is None, so is the mask.",
    ],
)


def real(lengths, src):
    return torch.arange(src) < torch.as_tensor(lengths)[:, None]


@cross_attention.case("no mask")
def _(draw):
    return built(6, 3, 4).differentiate(draw.normal(2, 5, 6), draw.normal(2, 7, 3))


@cross_attention.case("a padded source")
def _(draw):
    mask = real([draw.integer(1, 3), draw.integer(4, 5)], 6)
    return built(3, 5, 7).differentiate(draw.normal(2, 4, 3), draw.normal(2, 6, 5), mask)


@cross_attention.case("as many targets as sources, equally wide")
def _(draw):
    mask = real([draw.integer(1, 4), 5, draw.integer(2, 3)], 5)
    return built(4, 4, 6).differentiate(draw.normal(3, 5, 4), draw.normal(3, 5, 4), mask)


@cross_attention.case("as many targets as sentences")
def _(draw):
    mask = real([2, 7, draw.integer(3, 6)], 7)
    return built(2, 6, 5).differentiate(draw.normal(3, 3, 2), draw.normal(3, 7, 6), mask)


@cross_attention.case("a source of padding alone")
def _(draw):
    mask = real([0, draw.integer(1, 5), 3], 6)
    return built(5, 4, 3).differentiate(draw.normal(3, 2, 5), draw.normal(3, 6, 4), mask)


@cross_attention.case("padding on the left, everything equally wide")
def _(draw):
    mask = real([2, draw.integer(3, 4)], 5).flip(1)
    return built(3, 3, 3).differentiate(draw.normal(2, 4, 3), draw.normal(2, 5, 3), mask)


@cross_attention.case("one target, one source")
def _(draw):
    return built(2, 3, 1).differentiate(draw.normal(1, 1, 2), draw.normal(1, 1, 3))


@cross_attention.case("half precision, and inputs that are views")
def _(draw):
    tgt, src = draw.normal(6, 3, 2, dtype=torch.float16), draw.normal(2, 4, 14, dtype=torch.float16)
    return (
        built(6, 4, 5)
        .to(torch.float16)
        .call(tgt.permute(2, 1, 0), src.transpose(1, 2)[:, ::2], real([3, 6], 14)[:, :7])
    )


@cross_attention.case("the same source in another order, and one more target")
def _(draw):
    tgt, src, order = draw.normal(2, 4, 3), draw.normal(2, 6, 5), draw.permutation(6)
    mask = real([draw.integer(2, 5), 6], 6)
    return built(3, 5, 8).call(tgt[:, :3], src, mask).call(tgt, src[:, order], mask[:, order])


class LookingAcross(nn.Module):
    """A right CrossAttention, to be spoiled in one place."""

    def __init__(self, d_tgt, d_src, d_k):
        super().__init__()
        self.W_q = nn.Linear(d_tgt, d_k, bias=False)
        self.W_k, self.W_v = (nn.Linear(d_src, d_k, bias=False) for _ in range(2))

    def forward(self, tgt, src, src_mask=None):
        return attend(self.W_q(tgt), self.W_k(src), self.W_v(src), None if src_mask is None else src_mask[:, None, :])


@cross_attention.misconception
class SourceAsks(LookingAcross):
    """In yours the source asks and the target is handed over: `W_q` reads the source, and `W_k` and `W_v` the target.
    The result has a row for each one who asks: that is the target."""

    def __init__(self, d_tgt, d_src, d_k):
        super().__init__(d_src, d_tgt, d_k)

    def forward(self, tgt, src, src_mask=None):
        return super().forward(src, tgt, src_mask)


@cross_attention.misconception
class ValuesFromTheTarget(LookingAcross):
    """Your `W_v` reads the target. What is handed over comes from the source, from the same places as the keys."""

    def __init__(self, d_tgt, d_src, d_k):
        super().__init__(d_tgt, d_src, d_k)
        self.W_v = nn.Linear(d_tgt, d_k, bias=False)

    def forward(self, tgt, src, src_mask=None):
        mask = None if src_mask is None else src_mask[:, None, :]
        return attend(self.W_q(tgt), self.W_k(src), self.W_v(tgt), mask)


@cross_attention.misconception
class TheSourcesMapOnTheTarget(LookingAcross):
    """Your `W_v` is made for the source, and is given the target. What is handed over comes from the source, from the
    same places as the keys."""

    def forward(self, tgt, src, src_mask=None):
        mask = None if src_mask is None else src_mask[:, None, :]
        return attend(self.W_q(tgt), self.W_k(src), self.W_v(tgt), mask)


@cross_attention.misconception
class KeysAreValues(LookingAcross):
    """Your `W_k` and `W_v` are one linear map under two names. By what a source is found and what it hands over are two
    different things, each with a weight of its own."""

    def __init__(self, d_tgt, d_src, d_k):
        super().__init__(d_tgt, d_src, d_k)
        self.W_v = self.W_k


@cross_attention.misconception
class MaskOfTheFirstSentence(LookingAcross):
    """Yours uses the first sentence's mask for all of them. Each sentence of the batch has padding of its own."""

    def forward(self, tgt, src, src_mask=None):
        return super().forward(tgt, src, None if src_mask is None else src_mask[:1])


@cross_attention.misconception
class EverythingOneWidth(LookingAcross):
    """All three of your maps read d_tgt numbers. The source has a width of its own."""

    def __init__(self, d_tgt, d_src, d_k):
        super().__init__(d_tgt, d_tgt, d_k)


@cross_attention.misconception
class BiasesToo(LookingAcross):
    """Your linear maps have biases. nn.Linear has one unless it is told otherwise, and here it was to have none."""

    def __init__(self, d_tgt, d_src, d_k):
        nn.Module.__init__(self)
        self.W_q, self.W_k, self.W_v = nn.Linear(d_tgt, d_k), nn.Linear(d_src, d_k), nn.Linear(d_src, d_k)


@cross_attention.misconception
class MaskLeftOut(LookingAcross):
    """Yours takes a mask and does nothing with it: the source's padding is averaged with the rest."""

    def forward(self, tgt, src, src_mask=None):
        return super().forward(tgt, src)


@cross_attention.misconception
class MaskUpsideDown(LookingAcross):
    """Yours shows the padding and hides the words. The mask is True on the sources that are real."""

    def forward(self, tgt, src, src_mask=None):
        return super().forward(tgt, src, None if src_mask is None else ~src_mask)


@cross_attention.misconception
class MaskWithoutAnAxis(LookingAcross):
    """Yours lays the mask of shape (batch, src) over scores of shape (batch, tgt, src) as it is. From the right, its
    batch stands under tgt. Mostly that is an error; with as many targets as sentences it runs, and each *target* gets
    the mask of a sentence."""

    def forward(self, tgt, src, src_mask=None):
        return attend(self.W_q(tgt), self.W_k(src), self.W_v(src), src_mask)


@cross_attention.misconception
class MaskOverTargets(LookingAcross):
    """Your mask has its new axis at the end, (batch, src, 1): it hides whole rows. It tells which *sources* may be
    seen, so src belongs under src."""

    def forward(self, tgt, src, src_mask=None):
        mask = None if src_mask is None else src_mask[:, :, None]
        return attend(self.W_q(tgt), self.W_k(src), self.W_v(src), mask)


@cross_attention.misconception
class ScaledByTheSource(LookingAcross):
    """Your scores are divided by the square root of d_src. The dot product sums d_k products: the width of queries and
    keys counts, not that of what they are made of."""

    def forward(self, tgt, src, src_mask=None):
        q, k = self.W_q(tgt), self.W_k(src)
        mask = None if src_mask is None else src_mask[:, None, :]
        return attend(q, k, self.W_v(src), mask, scores=q @ k.mT / src.shape[-1] ** 0.5)


@cross_attention.misconception
class NanForAnEmptySource(LookingAcross):
    """Yours is right but for a source of padding alone: weights and output are NaN there, where zeros were asked
    for."""

    def forward(self, tgt, src, src_mask=None):
        mask = None if src_mask is None else src_mask[:, None, :]
        return attend(self.W_q(tgt), self.W_k(src), self.W_v(src), mask, fill=-torch.inf, emptied=False)


@cross_attention.misconception
class EvenShareOfPadding(LookingAcross):
    """Yours is right but for a source of padding alone: its padding gets an even share, where weights and output of 0
    were asked for."""

    def forward(self, tgt, src, src_mask=None):
        mask = None if src_mask is None else src_mask[:, None, :]
        return attend(self.W_q(tgt), self.W_k(src), self.W_v(src), mask, emptied=False)


@cross_attention.misconception
class PaddingZeroedBefore(LookingAcross):
    """Yours sets the source's padding to zero before it is looked at. A key of zeros has the score 0, which is an
    ordinary one: padding still takes its share of the weights."""

    def forward(self, tgt, src, src_mask=None):
        return super().forward(tgt, src if src_mask is None else src * src_mask[:, :, None])


@cross_attention.misconception
class OutputAlone(LookingAcross):
    """Yours returns the output alone. The weights were asked for too: they tell where each target looked."""

    def forward(self, tgt, src, src_mask=None):
        return super().forward(tgt, src, src_mask)[0]


@cross_attention.variant
class WithAnExpandedMask(nn.Module):
    def __init__(self, d_tgt, d_src, d_k):
        super().__init__()
        self.W_v = nn.Linear(d_src, d_k, bias=False)
        self.W_k = nn.Linear(d_src, d_k, bias=False)
        self.W_q = nn.Linear(d_tgt, d_k, bias=False)

    def forward(self, target, source, real_sources=None):
        if real_sources is None:
            real_sources = torch.ones(source.shape[:2], dtype=torch.bool)
        mask = real_sources.unsqueeze(1).expand(-1, target.shape[1], -1)
        return by_where(self.W_q(target), self.W_k(source), self.W_v(source), mask)


@cross_attention.variant
class PaddingWeighedZero(LookingAcross):
    def forward(self, tgt, src, src_mask=None):
        raised = scored(self.W_q(tgt), self.W_k(src)).clamp(max=20).exp()
        if src_mask is not None:
            raised = torch.einsum("bts,bs->bts", raised, src_mask.to(raised.dtype))
        total = raised.sum(dim=-1, keepdim=True)
        weights = raised / (total + (total == 0))
        return weights @ self.W_v(src), weights


@cross_attention.variant
class KeysAndValuesAtOnce(LookingAcross):
    def forward(self, tgt, src, src_mask=None):
        both = src @ torch.cat([self.W_k.weight, self.W_v.weight]).T
        k, v = both.tensor_split(2, dim=-1)
        mask = None
        if src_mask is not None:
            batch, length = src_mask.shape
            mask = src_mask.reshape(batch, 1, length)
        return by_exponentials(self.W_q(tgt), k, v, mask)
