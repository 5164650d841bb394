"""What decides whether the exercises of 23_multi_head are right. A mask is True where a position may be attended to.

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

# ---- shapes_of_heads -------------------------------------------------------------------------------------------------

shapes_of_heads = Exercise(
    "shapes_of_heads",
    points=1,
    hints=[
        "view cuts the last axis in two. Which two sizes have the product heads · d_head, and in which order are they "
        "asked for? transpose(1, 2) exchanges two axes of four: count from 0.",
        "Write (batch, heads, tgt, d_head) and below it (batch, heads, d_head, src). A product of matrices is about "
        "the last two axes alone. For the mask, write the scores' shape down and put `batch` and `src` below the axes "
        "of those names: which places are left over?",
        "A softmax changes no shape. weights @ values takes src away and leaves d_head. reshape(batch, tgt, -1) puts "
        "into the last axis whatever is left; flatten(0, 1) multiplies the first two sizes.",
    ],
)


@shapes_of_heads.case("as in the example")
def _(draw):
    return {"batch": 2, "tgt": 5, "src": 7, "heads": 3, "d_head": 4}


@shapes_of_heads.case("other sizes")
def _(draw):
    batch, tgt, src, heads, d_head = (draw.permutation(60) + 2).tolist()[:5]
    return {"batch": batch, "tgt": tgt, "src": src, "heads": heads, "d_head": d_head}


@shapes_of_heads.case("a single head")
def _(draw):
    batch, tgt, src, d_head = (draw.permutation(60) + 2).tolist()[:4]
    return {"batch": batch, "tgt": tgt, "src": src, "heads": 1, "d_head": d_head}


@shapes_of_heads.case("one sentence, heads of one channel")
def _(draw):
    tgt, src, heads = (draw.permutation(60) + 2).tolist()[:3]
    return {"batch": 1, "tgt": tgt, "src": src, "heads": heads, "d_head": 1}


def shapes(batch, tgt, src, heads, d_head, **changes):
    right = {
        "viewed": (batch, tgt, heads, d_head),
        "queries": (batch, heads, tgt, d_head),
        "scores": (batch, heads, tgt, src),
        "mask": (batch, 1, 1, src),
        "weights": (batch, heads, tgt, src),
        "attended": (batch, heads, tgt, d_head),
        "merged": (batch, tgt, heads * d_head),
        "folded": (batch * heads, tgt, src),
    }
    return {**right, **changes}


@shapes_of_heads.misconception
def viewed_with_heads_in_front(batch, tgt, src, heads, d_head):
    """Your "viewed" has the heads in front of tgt. view(batch, tgt, heads, d_head) gives the sizes that stand there, in
    that order; it is the transpose that brings the heads in front."""
    return shapes(batch, tgt, src, heads, d_head, viewed=(batch, heads, tgt, d_head))


@shapes_of_heads.misconception
def other_axes_exchanged(batch, tgt, src, heads, d_head):
    """Your "queries" have the last two axes exchanged. transpose(1, 2) exchanges the second and the third: axes count
    from 0, and the batch is axis 0."""
    return shapes(batch, tgt, src, heads, d_head, queries=(batch, tgt, d_head, heads))


@shapes_of_heads.misconception
def scores_without_heads(batch, tgt, src, heads, d_head):
    """Your "scores" and "weights" have no axis of heads. A product of matrices takes the axes in front of the last two
    for a batch and keeps them: each head has scores of its own."""
    one = (batch, tgt, src)
    return shapes(batch, tgt, src, heads, d_head, scores=one, weights=one)


@shapes_of_heads.misconception
def scores_of_the_source(batch, tgt, src, heads, d_head):
    """Your "scores" have a row for each source. A row belongs to the one who looks: rows of a product are those of its
    left factor, here the queries."""
    turned = (batch, heads, src, tgt)
    return shapes(batch, tgt, src, heads, d_head, scores=turned, weights=turned)


@shapes_of_heads.misconception
def mask_one_axis_short(batch, tgt, src, heads, d_head):
    """Your "mask" has three axes, and shapes line up from the right: its batch stands under the heads. It takes two
    axes of size 1, one for the heads and one for the targets."""
    return shapes(batch, tgt, src, heads, d_head, mask=(batch, 1, src))


@shapes_of_heads.misconception
def mask_for_every_head(batch, tgt, src, heads, d_head):
    """Your "mask" is stretched already. An axis that is put in has size 1; it stretches when the mask meets the scores,
    and no copy is made for each head."""
    return shapes(batch, tgt, src, heads, d_head, mask=(batch, heads, tgt, src))


@shapes_of_heads.misconception
def mask_under_the_targets(batch, tgt, src, heads, d_head):
    """Your "mask" has src in the place of tgt, so it hides whole rows. It tells which *sources* are real: src belongs
    under src, the last axis."""
    return shapes(batch, tgt, src, heads, d_head, mask=(batch, 1, src, 1))


@shapes_of_heads.misconception
def attended_at_full_width(batch, tgt, src, heads, d_head):
    """Your "attended" has all channels in each head. A head averages the values of its own d_head channels."""
    return shapes(batch, tgt, src, heads, d_head, attended=(batch, heads, tgt, heads * d_head))


@shapes_of_heads.misconception
def attended_for_each_source(batch, tgt, src, heads, d_head):
    """Your "attended" has a row for each source. The sources are what is averaged over: there is one average for each
    target, in each head."""
    return shapes(batch, tgt, src, heads, d_head, attended=(batch, heads, src, d_head))


@shapes_of_heads.misconception
def merged_by_adding(batch, tgt, src, heads, d_head):
    """Your "merged" has the width of one head. Nothing is summed: the heads lie side by side, so their channels add
    up."""
    return shapes(batch, tgt, src, heads, d_head, merged=(batch, tgt, d_head))


@shapes_of_heads.misconception
def folded_into_the_targets(batch, tgt, src, heads, d_head):
    """Your "folded" joins the heads with the targets. flatten(0, 1) joins axis 0 with axis 1: batch and heads."""
    return shapes(batch, tgt, src, heads, d_head, folded=(batch, heads * tgt, src))


@shapes_of_heads.variant
def from_real_tensors(batch, tgt, src, heads, d_head):
    viewed = torch.zeros(batch, tgt, heads * d_head, device="meta").view(batch, tgt, heads, d_head)
    keys = torch.zeros(batch, heads, src, d_head, device="meta")
    queries = viewed.transpose(1, 2)
    scores = queries @ keys.transpose(-2, -1)
    attended = scores @ keys
    steps = {"viewed": viewed, "queries": queries, "scores": scores, "weights": scores, "attended": attended}
    steps |= {"mask": torch.zeros(batch, src)[:, None, None], "folded": scores.flatten(0, 1)}
    steps |= {"merged": attended.transpose(1, 2).reshape(batch, tgt, -1)}
    return {name: step.shape for name, step in steps.items()}


@shapes_of_heads.variant
def one_from_the_other(batch, tgt, src, heads, d_head):
    front = (batch, heads)
    queries, scores = (*front, tgt, d_head), (*front, tgt, src)
    return {
        "folded": (math.prod(front), *scores[2:]),
        "merged": (batch, tgt, math.prod(queries[1::2])),
        "attended": queries,
        "weights": scores,
        "mask": (batch, *(1,) * 2, src),
        "scores": scores,
        "queries": queries,
        "viewed": tuple(queries[i] for i in (0, 2, 1, 3)),
    }


@shapes_of_heads.variant
def assigned_one_by_one(batch, tgt, src, heads, d_head):
    answer = dict.fromkeys(["scores", "weights"], (batch, heads, tgt, src))
    answer["queries"] = answer["attended"] = batch, heads, tgt, d_head
    answer["viewed"] = batch, tgt, heads, d_head
    answer["mask"] = batch, 1, 1, src
    answer["merged"] = batch, tgt, d_head * heads
    answer["folded"] = heads * batch, tgt, src
    return answer


# ---- split_heads -----------------------------------------------------------------------------------------------------

split_exercise = Exercise(
    "split_heads",
    points=1,
    hints=[
        "Where do the numbers of head 0 of one position lie, and where those of head 1? Which view of the last axis "
        "leaves each of them where it is?",
        "view only draws other borders in one row of numbers: it moves nothing, and it cannot bring an axis in front "
        "of another. Cut the last axis in two with it, the heads first. Which axes have to change places then?",
        "x.view(batch, seq, heads, d_model // heads), and then transpose(1, 2).",
    ],
)


@split_exercise.case("three heads of four channels", probe="gradients")
def _(draw):
    return {"x": draw.normal(2, 5, 12), "heads": 3}


@split_exercise.case("as many heads as positions", probe="gradients")
def _(draw):
    return {"x": draw.normal(2, 4, 12), "heads": 4}


@split_exercise.case("as many heads as channels in each", probe="gradients")
def _(draw):
    return {"x": draw.normal(3, 7, 4), "heads": 2}


@split_exercise.case("a single head")
def _(draw):
    return {"x": draw.normal(2, 3, 5), "heads": 1}


@split_exercise.case("a head for each channel")
def _(draw):
    return {"x": draw.normal(2, 3, 5), "heads": 5}


@split_exercise.case("one position, one sentence")
def _(draw):
    return {"x": draw.normal(1, 1, 6), "heads": 2}


@split_exercise.case("an input that is a view", probe="gradients")
def _(draw):
    return {"x": draw.normal(12, 4, 3).permute(2, 1, 0)[:, :, ::2], "heads": 3}


@split_exercise.case("half precision")
def _(draw):
    return {"x": draw.normal(3, 4, 10, dtype=torch.float16), "heads": 5}


@split_exercise.case("whole numbers in double precision, sizes of its own")
def _(draw):
    seq, heads, d_head = (draw.permutation(5) + 2).tolist()[:3]
    return {"x": draw.integers(-99, 99, 2, seq, heads * d_head).double(), "heads": heads}


@split_exercise.no_loop_over("seq")
def _(draw, size):
    return {"x": draw.normal(1, size, 4), "heads": 2}


def split(x, heads):
    batch, seq, d_model = x.shape
    return x.reshape(batch, seq, heads, d_model // heads).transpose(1, 2)


@split_exercise.misconception
def view_alone(x, heads):
    """Your shape is right and its numbers are scrambled. view moves nothing: with the heads in front of seq it gives
    head 0 the first *positions*, whole, in place of the first channels of every position. Look where the numbers of one
    position went."""
    batch, seq, d_model = x.shape
    return x.reshape(batch, heads, seq, d_model // heads)


@split_exercise.misconception
def view_and_no_more(x, heads):
    """Your shape is right and its numbers are scrambled: a view with the heads in front of seq gives head 0 the first
    *positions*, whole, in place of the first channels of every position. (And where x is a view itself, it is an
    error.) Look where the numbers of one position went."""
    batch, seq, d_model = x.shape
    return x.view(batch, heads, seq, d_model // heads)


@split_exercise.misconception
def heads_behind_the_positions(x, heads):
    """Yours has cut the channels into heads and left the heads behind seq. Attention works on the last two axes: those
    have to be seq and d_head."""
    batch, seq, d_model = x.shape
    return x.reshape(batch, seq, heads, d_model // heads)


@split_exercise.misconception
def channels_dealt_out(x, heads):
    """Yours deals the channels out like cards: head 0 gets every heads-th one. Each head gets a piece of neighbours:
    cut the last axis into (heads, d_head), in this order."""
    batch, seq, d_model = x.shape
    return x.reshape(batch, seq, d_model // heads, heads).permute(0, 3, 1, 2)


@split_exercise.misconception
def heads_and_channels_exchanged(x, heads):
    """Yours has d_head heads with as many channels as there should be heads. Which of the two sizes is known, and which
    is what is left of d_model?"""
    batch, seq, d_model = x.shape
    return x.reshape(batch, seq, d_model // heads, heads).transpose(1, 2)


@split_exercise.misconception
def channels_in_front_of_positions(x, heads):
    """In yours each head is turned: d_head stands in front of seq. Each head is to be like a small x: a row for each
    position."""
    batch, seq, d_model = x.shape
    return x.reshape(batch, seq, heads, d_model // heads).permute(0, 2, 3, 1)


@split_exercise.misconception
def heads_in_front_of_the_batch(x, heads):
    """Yours has the heads in front of the batch. The batch stays the first axis, the heads are the second."""
    batch, seq, d_model = x.shape
    return x.reshape(batch, seq, heads, d_model // heads).permute(2, 0, 1, 3)


@split_exercise.misconception
def folded_into_the_batch(x, heads):
    """Yours has made one axis of batch and heads. That is a way to attend, and it is not what was asked for: the two
    stay apart, as four axes."""
    return split(x, heads).flatten(0, 1)


@split_exercise.misconception
def pieces_behind(x, heads):
    """Your pieces are right, and stacked behind everything else. The axis of the heads belongs in front of seq:
    torch.stack takes the place for the new axis."""
    return torch.stack(x.chunk(heads, dim=-1), dim=-1)


@split_exercise.misconception
def positions_cut_up(x, heads):
    """Yours has exchanged seq and the channels before it cut, so each head's rows are no positions. Cut the last axis
    first and exchange axes afterwards."""
    batch, seq, d_model = x.shape
    return x.transpose(1, 2).reshape(batch, heads, seq, d_model // heads)


@split_exercise.misconception
def cut_from_the_graph(x, heads):
    """Your numbers are right, but no gradient comes back through them. The heads of a model are trained: detach(),
    .data and torch.tensor(...) cut that way."""
    return split(x, heads).detach()


@split_exercise.variant
def stacked_pieces(x, heads):
    return torch.stack(x.chunk(heads, dim=-1), dim=1)


@split_exercise.variant
def unflattened(x, heads):
    return x.unflatten(-1, (heads, -1)).movedim(2, 1).contiguous()


@split_exercise.variant
def by_letters(x, heads):
    return torch.einsum("bshd->bhsd", x.reshape(*x.shape[:2], heads, -1))


@split_exercise.variant
def head_by_head(x, heads):
    width = x.shape[-1] // heads
    return torch.cat([x[:, None, :, head * width : (head + 1) * width] for head in range(heads)], dim=1)


# ---- merge_heads -----------------------------------------------------------------------------------------------------

merge_exercise = Exercise(
    "merge_heads",
    points=1,
    hints=[
        "Read your split_heads backwards. What did it do last?",
        "Each position's pieces have to lie next to each other, behind that position, before borders may be taken "
        "away. Which axes have to change places first? And can a view read numbers in an order in which they "
        "do not lie?",
        "x.transpose(1, 2), and then reshape(batch, seq, heads * d_head): reshape copies where no view will do.",
    ],
)


@merge_exercise.case("three heads of four channels", probe="gradients")
def _(draw):
    return {"x": draw.normal(2, 3, 5, 4)}


@merge_exercise.case("as many heads as positions", probe="gradients")
def _(draw):
    return {"x": draw.normal(2, 4, 4, 3)}


@merge_exercise.case("as many heads as channels in each", probe="gradients")
def _(draw):
    return {"x": draw.normal(3, 2, 7, 2)}


@merge_exercise.case("a single head")
def _(draw):
    return {"x": draw.normal(2, 1, 3, 5)}


@merge_exercise.case("heads of one channel")
def _(draw):
    return {"x": draw.normal(2, 5, 3, 1)}


@merge_exercise.case("one position, one sentence")
def _(draw):
    return {"x": draw.normal(1, 3, 1, 2)}


@merge_exercise.case("heads that were split by a view", probe="gradients")
def _(draw):
    return {"x": draw.normal(2, 6, 3, 5).transpose(1, 2)}


@merge_exercise.case("an input with every second channel left out")
def _(draw):
    return {"x": draw.normal(8, 2, 3, 4).permute(1, 2, 3, 0)[..., ::2]}


@merge_exercise.case("half precision")
def _(draw):
    return {"x": draw.normal(3, 5, 4, 2, dtype=torch.float16)}


@merge_exercise.case("whole numbers in double precision, sizes of its own")
def _(draw):
    heads, seq, d_head = (draw.permutation(5) + 2).tolist()[:3]
    return {"x": draw.integers(-99, 99, 2, heads, seq, d_head).double()}


@merge_exercise.no_loop_over("seq")
def _(draw, size):
    return {"x": draw.normal(1, 2, size, 2)}


def merge(x):
    batch, heads, seq, d_head = x.shape
    return x.transpose(1, 2).reshape(batch, seq, heads * d_head)


@merge_exercise.misconception
def reshaped_alone(x):
    """Your shape is right and its numbers are scrambled. reshape reads the numbers in their order, and in that order
    all positions of head 0 come first: a row of yours holds several positions of one head. The axes have to change
    places first."""
    batch, heads, seq, d_head = x.shape
    return x.reshape(batch, seq, heads * d_head)


@merge_exercise.misconception
def view_after_the_transpose(x):
    """The axes are the right ones, and view fails behind a transpose: that leaves the numbers where they are, and in
    their old order no view can read two axes as one. What copies where it has to?"""
    batch, heads, seq, d_head = x.shape
    return x.transpose(1, 2).view(batch, seq, heads * d_head)


@merge_exercise.misconception
def not_merged(x):
    """Yours has brought seq in front of the heads and stopped there. The last two axes have to become one."""
    return x.transpose(1, 2).contiguous()


@merge_exercise.misconception
def channels_first(x):
    """Yours lays down channel 0 of every head, then channel 1 of every head. Head 0 comes first, with all its channels:
    in the merged axis the heads are the slow ones."""
    return x.permute(0, 2, 3, 1).flatten(2)


@merge_exercise.misconception
def heads_averaged(x):
    """Yours averages the heads. Nothing is lost in a merge: they lie side by side."""
    return x.mean(dim=1)


@merge_exercise.misconception
def heads_added(x):
    """Yours adds the heads up. Nothing is lost in a merge: they lie side by side."""
    return x.sum(dim=1)


@merge_exercise.misconception
def heads_one_after_the_other(x):
    """Yours sets the heads one below the other, along the positions. They belong side by side: the axis that grows is
    the last one."""
    return x.flatten(1, 2)


@merge_exercise.misconception
def last_axes_exchanged(x):
    """Yours exchanges the last two axes before it merges, so each row holds one channel at several positions. Which two
    axes did split_heads exchange?"""
    batch, heads, seq, d_head = x.shape
    return x.transpose(2, 3).reshape(batch, seq, heads * d_head)


@merge_exercise.misconception
def channels_in_rows(x):
    """Yours has a row for each channel and a column for each position. Each position has a row."""
    return merge(x).transpose(1, 2)


@merge_exercise.misconception
def batch_taken_along(x):
    """Yours has turned all axes around. The batch stays where it is, and so does d_head: two axes change places."""
    batch, heads, seq, d_head = x.shape
    return x.permute(3, 2, 1, 0).reshape(batch, seq, heads * d_head)


@merge_exercise.variant
def pieces_side_by_side(x):
    return torch.cat(x.unbind(dim=1), dim=-1)


@merge_exercise.variant
def flattened(x):
    return x.swapaxes(1, 2).flatten(start_dim=2)


@merge_exercise.variant
def contiguous_first(x):
    moved = x.permute(0, 2, 1, 3).contiguous()
    return moved.view(moved.size(0), moved.size(1), -1)


@merge_exercise.variant
def written_into_place(x):
    batch, heads, seq, d_head = x.shape
    merged = x.new_zeros(batch, seq, heads * d_head)
    for head in range(heads):
        merged[..., head * d_head : (head + 1) * d_head] = x[:, head]
    return merged


# ---- attend_in_heads -------------------------------------------------------------------------------------------------

attend_exercise = Exercise(
    "attend_in_heads",
    points=2,
    needs=["split_heads", "merge_heads"],
    forbids=FORBIDDEN,
    quantities={
        "√d_head": lambda arguments: (arguments["q"].shape[-1] // arguments["heads"]) ** 0.5,
        "√d_model": lambda arguments: arguments["q"].shape[-1] ** 0.5,
        "√heads": lambda arguments: arguments["heads"] ** 0.5,
    },
    hints=[
        "Three steps, and you have all of them. Which of q, k and v have to be split, and what has to be merged?",
        "attention takes the axes in front of the last two for a batch. Which shape has the mask, and which have the "
        "scores? Write one below the other, from the right: does anything have to be done to the mask at all?",
        "Split q, k and v with split_heads; output, weights = attention(q, k, v, mask); give back merge_heads(output) "
        "and weights.",
    ],
)


def some_of_each(draw, *shape):
    """A mask in whose rows some are allowed and some are not, not the same ones in each row."""
    mask = draw.booleans(*shape, true=0.6)
    first = draw.integers(0, shape[-1] - 1, *shape[:-1], 1)
    mask.scatter_(-1, first, True)
    return mask.scatter_(-1, (first + 1) % shape[-1], False)


def padding_mask(lengths, src):
    return (torch.arange(src) < torch.as_tensor(lengths)[:, None])[:, None, None]


def inputs(draw, batch, tgt, src, d_model, dtype=torch.float32):
    return {
        "q": draw.normal(batch, tgt, d_model, dtype=dtype),
        "k": draw.normal(batch, src, d_model, dtype=dtype),
        "v": draw.normal(batch, src, d_model, dtype=dtype),
    }


@attend_exercise.case("no mask", probe="gradients")
def _(draw):
    return {**inputs(draw, 2, 4, 5, 6), "heads": 3}


@attend_exercise.case("a mask of its own for each row", probe="gradients")
def _(draw):
    return {**inputs(draw, 2, 4, 6, 6), "heads": 2, "mask": some_of_each(draw, 2, 1, 4, 6)}


@attend_exercise.case("a target that may look at nothing", probe="gradients")
def _(draw):
    mask = some_of_each(draw, 2, 1, 4, 5)
    mask[0, 0, 2] = mask[1, 0, 0] = False
    return {**inputs(draw, 2, 4, 5, 6), "heads": 3, "mask": mask}


@attend_exercise.case("a causal mask for all sentences")
def _(draw):
    return {**inputs(draw, 3, 4, 4, 6), "heads": 2, "mask": torch.ones(1, 1, 4, 4, dtype=torch.bool).tril()}


@attend_exercise.case("padding, and a sentence of padding alone")
def _(draw):
    return {**inputs(draw, 3, 4, 6, 8), "heads": 2, "mask": padding_mask([draw.integer(1, 3), 0, 5], 6)}


@attend_exercise.case("as many sentences as heads")
def _(draw):
    return {**inputs(draw, 3, 4, 5, 6), "heads": 3, "mask": some_of_each(draw, 3, 1, 4, 5)}


@attend_exercise.case("as many heads as positions and as channels in each")
def _(draw):
    return {**inputs(draw, 2, 3, 3, 9), "heads": 3, "mask": some_of_each(draw, 2, 1, 3, 3)}


@attend_exercise.case("a single head, a single target")
def _(draw):
    return {**inputs(draw, 2, 1, 6, 5), "heads": 1, "mask": None}


@attend_exercise.case("a head for each channel")
def _(draw):
    return {**inputs(draw, 2, 3, 5, 4), "heads": 4, "mask": some_of_each(draw, 2, 1, 3, 5)}


@attend_exercise.case("half precision, with a mask and a target that may look at nothing")
def _(draw):
    mask = some_of_each(draw, 2, 1, 3, 6)
    mask[1, 0, 1] = False
    return {**inputs(draw, 2, 3, 6, 8, dtype=torch.float16), "heads": 2, "mask": mask}


@attend_exercise.case("inputs and a mask that are views")
def _(draw):
    return {
        "q": draw.normal(4, 3, 6)[::2],
        "k": draw.normal(1, 5, 6).expand(2, 5, 6),
        "v": draw.normal(5, 5, 6)[1::3],
        "heads": 2,
        "mask": some_of_each(draw, 2, 1, 3, 5).transpose(0, 3).contiguous().transpose(0, 3),
    }


@attend_exercise.case("sizes of its own")
def _(draw):
    tgt, src, d_head = (draw.permutation(5) + 2).tolist()[:3]
    heads = draw.integer(2, 4)
    return {**inputs(draw, 1, tgt, src, heads * d_head), "heads": heads, "mask": some_of_each(draw, 1, 1, tgt, src)}


@attend_exercise.no_loop_over("tgt or src")
def _(draw, size):
    mask = some_of_each(draw, 1, 1, 1, size)
    return {**inputs(draw, 1, size, size, 4), "heads": 2, "mask": mask}


def attend(q, k, v, mask=None, divisor=None, fill=None, dim=-1, emptied=True):
    """A right attention on any leading axes, to be spoiled in one place."""
    scores = q @ k.transpose(-2, -1) / (q.shape[-1] ** 0.5 if divisor is None else divisor)
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min if fill is None else fill)
    weights = scores.softmax(dim=dim)
    if mask is not None and emptied:
        weights = weights.masked_fill(~mask, 0)
    return weights @ v, weights


def in_heads(q, k, v, heads, mask=None, splitting=split, merging=merge, attending=attend, **more):
    """Right attention in heads, to be spoiled in one place."""
    output, weights = attending(*(splitting(x, heads) for x in (q, k, v)), mask, **more)
    return merging(output), weights


def among_heads(q, k, v, heads, mask=None):
    """Attention without the transpose: at each position the heads look at each other."""
    parts = [x.reshape(*x.shape[:2], heads, -1) for x in (q, k, v)]
    output, weights = attend(*parts)
    return output.flatten(2), weights


@attend_exercise.misconception
def scaled_by_the_model(q, k, v, heads, mask=None):
    """Your scores are divided by the square root of d_model. A head's dot product sums the d_head products of its own
    channels, and its spread is what the division is for."""
    return in_heads(q, k, v, heads, mask, divisor=q.shape[-1] ** 0.5)


@attend_exercise.misconception
def not_scaled(q, k, v, heads, mask=None):
    """Your scores are the plain dot products of each head. They are to be divided by the square root of the number of
    channels that are summed."""
    return in_heads(q, k, v, heads, mask, divisor=1)


@attend_exercise.misconception
def scaled_by_the_heads(q, k, v, heads, mask=None):
    """Your scores are divided by the square root of the number of heads. What makes a score spread is the number of
    products that are summed in it."""
    return in_heads(q, k, v, heads, mask, divisor=heads**0.5)


@attend_exercise.misconception
def split_without_transpose(q, k, v, heads, mask=None):
    """Your heads are cut by a view alone, with the heads in front of the positions. That runs, and the numbers are
    scrambled: head 0 gets the first positions whole, and no head sees all of them. Try split_heads on small numbers."""
    return in_heads(q, k, v, heads, mask, splitting=view_alone)


@attend_exercise.misconception
def merged_without_transpose(q, k, v, heads, mask=None):
    """Your weights are right, and the heads' outputs are merged by a reshape alone. A row of yours then holds several
    positions of one head. Try merge_heads on small numbers."""
    return in_heads(q, k, v, heads, mask, merging=reshaped_alone)


@attend_exercise.misconception
def split_and_merged_without_transpose(q, k, v, heads, mask=None):
    """Yours splits and merges by views alone. The shapes are right from end to end, and the heads never saw whole
    sentences: a view with the heads in front of the positions gives head 0 the first positions."""
    return in_heads(q, k, v, heads, mask, splitting=view_alone, merging=reshaped_alone)


@attend_exercise.misconception
def heads_look_at_each_other(q, k, v, heads, mask=None):
    """In yours the heads of one position look at each other, and no position looks at another. Attention works on the
    last two axes: in front of d_head the positions have to stand, not the heads."""
    return among_heads(q, k, v, heads)


@attend_exercise.misconception
def channels_dealt_out_to_heads(q, k, v, heads, mask=None):
    """Your heads get every heads-th channel, as cards are dealt. Each head gets a piece of d_head neighbours: its last
    axis is cut into (heads, d_head), in this order."""
    return in_heads(
        q, k, v, heads, mask, splitting=channels_dealt_out, merging=lambda x: x.permute(0, 2, 3, 1).flatten(2)
    )


@attend_exercise.misconception
def one_head_for_everything(q, k, v, heads, mask=None):
    """Yours attends once with all channels. Each head makes scores of its own, from its own channels."""
    return in_heads(q, k, v, 1, mask)


@attend_exercise.misconception
def weights_averaged(q, k, v, heads, mask=None):
    """Your output is right, and your weights are averaged over the heads. That is what nn.MultiheadAttention gives by
    default; here each head's own were asked for."""
    output, weights = in_heads(q, k, v, heads, mask)
    return output, weights.mean(dim=1)


@attend_exercise.misconception
def one_choice_for_all_heads(q, k, v, heads, mask=None):
    """Yours averages the weights of all heads before it averages the values, so every head looks where the mean of them
    looks. Each head's values go with its own weights."""
    q, k, v = (split(x, heads) for x in (q, k, v))
    weights = attend(q, k, v, mask)[1].mean(dim=1, keepdim=True)
    return merge(weights @ v), weights.expand(-1, heads, -1, -1)


@attend_exercise.misconception
def weights_of_the_first_head(q, k, v, heads, mask=None):
    """Your weights are right, but every head's values are averaged under those of the first head. Each head's values go
    with its own weights."""
    _, weights = attend(*(split(x, heads) for x in (q, k, v)), mask)
    return merge(weights[:, :1] @ split(v, heads)), weights


@attend_exercise.misconception
def keys_and_values_swapped(q, k, v, heads, mask=None):
    """Yours compares the queries with v and hands over k. Keys are compared, values are averaged: look at the order in
    which attention takes them."""
    return in_heads(q, v, k, heads, mask)


@attend_exercise.misconception
def mask_ignored(q, k, v, heads, mask=None):
    """Yours looks everywhere, mask or no mask."""
    return in_heads(q, k, v, heads)


@attend_exercise.misconception
def mask_upside_down(q, k, v, heads, mask=None):
    """Yours hides what may be looked at, and shows what may not. In this course True means that looking is allowed; in
    nn.MultiheadAttention it means the opposite."""
    return in_heads(q, k, v, heads, None if mask is None else ~mask)


@attend_exercise.misconception
def mask_under_the_heads(q, k, v, heads, mask=None):
    """Yours takes the mask's axis of size 1 away before it meets the scores, so its batch stands under the heads.
    Mostly that is an error; with as many sentences as heads it runs, and each *head* gets the mask of a sentence."""
    return in_heads(q, k, v, heads, None if mask is None else mask.squeeze(1))


@attend_exercise.misconception
def mask_of_the_first_sentence(q, k, v, heads, mask=None):
    """Yours uses the first sentence's mask for all of them. The axis of size 1 is that of the heads; the batch has a
    mask for each sentence."""
    return in_heads(q, k, v, heads, None if mask is None else mask[:1])


@attend_exercise.misconception
def one_row_for_all(q, k, v, heads, mask=None):
    """Yours uses the mask's first row for every target. The axis of size 1 is that of the heads; each target may have a
    row of its own, as under a causal mask."""
    return in_heads(q, k, v, heads, None if mask is None else mask[:, :, :1])


@attend_exercise.misconception
def even_share_of_nothing(q, k, v, heads, mask=None):
    """Yours is right but for a target that may look at nothing: its scores are all the same lowest number, and the
    softmax gives each source an even share, hidden or not. Zeros were asked for."""
    return in_heads(q, k, v, heads, mask, emptied=False)


@attend_exercise.misconception
def nan_where_nothing_is_seen(q, k, v, heads, mask=None):
    """Yours is right but for a target that may look at nothing: the softmax computes −∞ − (−∞) there, and its row is
    NaN. Zeros were asked for."""
    return in_heads(q, k, v, heads, mask, fill=-torch.inf, emptied=False)


@attend_exercise.misconception
def softmax_over_targets(q, k, v, heads, mask=None):
    """Your softmax is over the targets. It is each target that shares out its attention, over the sources: the last
    axis."""
    return in_heads(q, k, v, heads, mask, dim=-2)


@attend_exercise.misconception
def softmax_over_heads(q, k, v, heads, mask=None):
    """Your softmax is over the heads. With the heads in front, the sources are the last axis, and axis 1 is no longer
    theirs: count from the end."""
    return in_heads(q, k, v, heads, mask, dim=1)


@attend_exercise.misconception
def heads_not_merged(q, k, v, heads, mask=None):
    """Your output still has its heads apart. They belong side by side again: merge_heads."""
    return in_heads(q, k, v, heads, mask, merging=lambda x: x)


@attend_exercise.misconception
def in_the_other_order(q, k, v, heads, mask=None):
    """Yours returns the weights first and the output second. The other order was asked for."""
    return in_heads(q, k, v, heads, mask)[::-1]


@attend_exercise.misconception
def output_alone(q, k, v, heads, mask=None):
    """Yours returns the output alone. Each head's weights were asked for too: they tell where it looked."""
    return in_heads(q, k, v, heads, mask)[0]


@attend_exercise.variant
def head_by_head_in_a_loop(q, k, v, heads, mask=None):
    width = q.size(-1) // heads
    outputs, weights = [], []
    for head in range(heads):
        mine = slice(head * width, (head + 1) * width)
        out, w = attend(q[..., mine], k[..., mine], v[..., mine], None if mask is None else mask[:, 0])
        outputs.append(out)
        weights.append(w)
    return torch.cat(outputs, dim=-1), torch.stack(weights, dim=1)


@attend_exercise.variant
def folded_with_bmm(q, k, v, heads, mask=None):
    batch, tgt, _ = q.shape
    src = k.shape[1]
    parts = [x.unflatten(2, (heads, -1)).transpose(1, 2).flatten(0, 1) for x in (q, k, v)]
    if mask is not None:
        mask = mask.expand(batch, heads, tgt, src).flatten(0, 1)
    output, weights = attend(*parts, mask)
    return output.unflatten(0, (batch, heads)).transpose(1, 2).flatten(2), weights.view(batch, heads, tgt, src)


@attend_exercise.variant
def by_einsum(queries, keys, values, heads, mask=None):
    def cut(x):
        return x.reshape(x.shape[0], x.shape[1], heads, -1)

    scores = torch.einsum("bthd,bshd->bhts", cut(queries), cut(keys)) * (heads / queries.shape[-1]) ** 0.5
    raised = (scores.float() - scores.float().amax(dim=-1, keepdim=True).detach()).exp()
    if mask is not None:
        raised = raised * mask
    total = raised.sum(dim=-1, keepdim=True)
    weights = (raised / total.masked_fill(total == 0, 1)).to(values.dtype)
    return torch.einsum("bhts,bshd->bthd", weights, cut(values)).flatten(2), weights


@attend_exercise.variant
def with_channels_hidden(q, k, v, heads, mask=None):
    """Every head has all channels, with those of the others set to zero."""
    d_model = q.shape[-1]
    mine = (torch.arange(d_model) // (d_model // heads) == torch.arange(heads)[:, None])[:, None].to(q.dtype)
    output, weights = attend(q[:, None] * mine, k[:, None], v[:, None], mask, divisor=(d_model // heads) ** 0.5)
    return (output * mine).sum(dim=1), weights


# ---- cost_of_heads ---------------------------------------------------------------------------------------------------

cost_exercise = Exercise(
    "cost_of_heads",
    points=1,
    hints=[
        "How many numbers has the weight of one linear map from d_model to d_model, and how many its bias? Does the "
        "number of heads stand anywhere in that?",
        "In one head: (tgt, d_head) times (d_head, src), then (tgt, src) times (src, d_head). Multiply by the number "
        "of heads, and see what becomes of heads · d_head.",
        '4 · (d_model² + d_model), 2 · tgt · src · d_model and heads · tgt · src. For "full_width" write w = heads · '
        "d_model: three times d_model · w + w, and w · d_model + d_model.",
    ],
)


@cost_exercise.case("as in the example")
def _(draw):
    return {"tgt": 5, "src": 7, "d_model": 6, "heads": 2}


@cost_exercise.case("one head")
def _(draw):
    return {"tgt": draw.integer(2, 40), "src": draw.integer(41, 90), "d_model": draw.integer(91, 300), "heads": 1}


@cost_exercise.case("a head for each channel")
def _(draw):
    width = draw.integer(3, 40)
    return {"tgt": draw.integer(41, 60), "src": draw.integer(61, 90), "d_model": width, "heads": width}


@cost_exercise.case("one number of everything")
def _(draw):
    return {"tgt": 1, "src": 1, "d_model": 1, "heads": 1}


@cost_exercise.case("sizes of its own")
def _(draw):
    heads, d_head = (draw.permutation(30) + 2).tolist()[:2]
    return {"tgt": draw.integer(100, 300), "src": draw.integer(400, 900), "d_model": heads * d_head, "heads": heads}


@cost_exercise.case("a long text")
def _(draw):
    return {"tgt": draw.integer(1, 9), "src": draw.integer(10_000, 99_999), "d_model": 4096, "heads": 32}


def costs(tgt, src, d_model, heads, **changes):
    wide = heads * d_model
    right = {
        "d_head": d_model // heads,
        "parameters": 4 * d_model * (d_model + 1),
        "multiply_adds": 2 * tgt * src * d_model,
        "weights": heads * tgt * src,
        "full_width": 3 * wide * (d_model + 1) + d_model * (wide + 1),
    }
    return {**right, **changes}


@cost_exercise.misconception
def biases_forgotten(tgt, src, d_model, heads):
    """Your "parameters" and "full_width" leave the biases out. Each of the four maps has one, as long as what comes out
    of it."""
    return costs(tgt, src, d_model, heads, parameters=4 * d_model * d_model, full_width=4 * heads * d_model * d_model)


@cost_exercise.misconception
def three_maps(tgt, src, d_model, heads):
    """Your "parameters" count three maps. The fourth is behind the heads: it mixes what they found."""
    return costs(tgt, src, d_model, heads, parameters=3 * d_model * (d_model + 1))


@cost_exercise.misconception
def parameters_for_each_head(tgt, src, d_model, heads):
    """Your "parameters" are multiplied by the number of heads. The heads share d_model channels: each has only a piece
    of what the maps give, and more heads are thinner ones."""
    return costs(tgt, src, d_model, heads, parameters=heads * 4 * d_model * (d_model + 1))


@cost_exercise.misconception
def thin_maps(tgt, src, d_model, heads):
    """Your "parameters" are those of a single head, from d_model to d_head numbers. There are as many such pieces as
    heads, and together they are a map from d_model to d_model."""
    d_head = d_model // heads
    return costs(tgt, src, d_model, heads, parameters=3 * d_head * (d_model + 1) + d_model * (d_head + 1))


@cost_exercise.misconception
def multiply_adds_of_full_width(tgt, src, d_model, heads):
    """Your "multiply_adds" grow with the number of heads. A head's products are d_head wide, and all heads together are
    as wide as d_model, however many there are."""
    return costs(tgt, src, d_model, heads, multiply_adds=2 * heads * tgt * src * d_model)


@cost_exercise.misconception
def one_product(tgt, src, d_model, heads):
    """Your "multiply_adds" count one product. There are two: queries with keys, and weights with values."""
    return costs(tgt, src, d_model, heads, multiply_adds=tgt * src * d_model)


@cost_exercise.misconception
def products_of_one_head(tgt, src, d_model, heads):
    """Your "multiply_adds" are those of a single head. All of them were asked for together."""
    return costs(tgt, src, d_model, heads, multiply_adds=2 * tgt * src * (d_model // heads))


@cost_exercise.misconception
def weights_of_one_head(tgt, src, d_model, heads):
    """Your "weights" are those of a single head. Each head has a weight for each pair of target and source, and they
    are all kept: that is what more heads cost."""
    return costs(tgt, src, d_model, heads, weights=tgt * src)


@cost_exercise.misconception
def narrow_output_map(tgt, src, d_model, heads):
    """Your "full_width" has a last map from d_model numbers. It takes what all heads give, side by side: each of them
    gives d_model."""
    wide = heads * d_model
    return costs(tgt, src, d_model, heads, full_width=3 * wide * (d_model + 1) + d_model * (d_model + 1))


@cost_exercise.misconception
def wide_output_bias(tgt, src, d_model, heads):
    """Your "full_width" gives the last map's bias heads · d_model numbers. A bias is as long as what comes *out*, and
    the last map leads back to d_model."""
    wide = heads * d_model
    return costs(tgt, src, d_model, heads, full_width=4 * (d_model * wide + wide))


@cost_exercise.misconception
def d_head_and_heads(tgt, src, d_model, heads):
    """Your "d_head" is the number of heads. The d_model channels are shared out among them: how many does each get?"""
    return costs(tgt, src, d_model, heads, d_head=heads)


@cost_exercise.variant
def from_a_real_module(tgt, src, d_model, heads):
    def count(shapes):
        return sum(math.prod(shape) for shape in shapes)

    d_head, wide = divmod(d_model, heads)[0], d_model * heads
    maps = [(d_model, d_model), (d_model,)] * 4
    head = tgt * d_head * src + tgt * src * d_head
    full = [(wide, d_model), (wide,)] * 3 + [(d_model, wide), (d_model,)]
    return {
        "full_width": count(full),
        "weights": tgt * src * heads,
        "multiply_adds": head * heads,
        "parameters": count(maps),
        "d_head": d_head,
    }


@cost_exercise.variant
def in_words(tgt, src, d_model, heads):
    answer = {"d_head": int(d_model / heads)}
    answer["parameters"] = 4 * d_model**2 + 4 * d_model
    answer["multiply_adds"] = tgt * src * d_model * 2
    answer["weights"] = src * heads * tgt
    answer["full_width"] = heads * answer["parameters"] - (heads - 1) * d_model
    return answer


@cost_exercise.variant
def head_after_head(tgt, src, d_model, heads):
    d_head = d_model // heads
    answer = {"d_head": d_head, "parameters": d_model * (d_model + 1), "multiply_adds": 0, "weights": 0}
    answer["full_width"] = d_model
    for _ in range(heads):
        answer["parameters"] += 3 * (d_model * d_head + d_head)
        answer["multiply_adds"] += 2 * tgt * d_head * src
        answer["weights"] += tgt * src
        answer["full_width"] += 4 * d_model * d_model + 3 * d_model
    return answer


# ---- MultiHeadAttention ----------------------------------------------------------------------------------------------

module_exercise = Exercise(
    "MultiHeadAttention",
    points=3,
    needs=["attend_in_heads"],
    forbids=FORBIDDEN,
    hints=[
        "Which of the four maps stand in front of the heads, and which behind them? How wide is each on both sides, "
        "however many heads there are?",
        "Check first that the heads divide d_model, with %, and remember their number: forward needs it. In forward "
        "each map reads a tensor of its own; what do you hand to attend_in_heads, in which order, and what comes back?",
        "raise ValueError where d_model % heads is not 0; four times nn.Linear(d_model, d_model). Then output, "
        "weights = attend_in_heads(self.W_q(q), self.W_k(k), self.W_v(v), self.heads, mask), and give back "
        "self.W_o(output) and weights.",
    ],
)


def qkv(draw, batch, tgt, src, d_model, dtype=torch.float32):
    return tuple(inputs(draw, batch, tgt, src, d_model, dtype).values())


@module_exercise.case("three different sequences, no mask")
def _(draw):
    return built(6, 3).differentiate(*qkv(draw, 2, 4, 5, 6))


@module_exercise.case("a sequence that looks at itself, under a causal mask")
def _(draw):
    x = draw.normal(2, 4, 6)
    return built(6, 2).call(x, x.clone(), x.clone(), torch.ones(1, 1, 4, 4, dtype=torch.bool).tril())


@module_exercise.case("a mask of its own for each row")
def _(draw):
    return built(6, 2).call(*qkv(draw, 2, 3, 5, 6), some_of_each(draw, 2, 1, 3, 5))


@module_exercise.case("a target that may look at nothing")
def _(draw):
    mask = some_of_each(draw, 2, 1, 4, 5)
    mask[0, 0, 2] = mask[1, 0, 0] = False
    return built(6, 2).differentiate(*qkv(draw, 2, 4, 5, 6), mask)


@module_exercise.case("padding, and a sentence of padding alone")
def _(draw):
    return built(4, 2).call(*qkv(draw, 3, 2, 6, 4), padding_mask([draw.integer(1, 3), 0, 5], 6))


@module_exercise.case("as many sentences as heads")
def _(draw):
    return built(6, 3).call(*qkv(draw, 3, 4, 5, 6), some_of_each(draw, 3, 1, 4, 5))


@module_exercise.case("as many heads as positions and as channels in each")
def _(draw):
    return built(9, 3).call(*qkv(draw, 2, 3, 3, 9), some_of_each(draw, 2, 1, 3, 3))


@module_exercise.case("a single head")
def _(draw):
    return built(5, 1).call(*qkv(draw, 2, 3, 4, 5), some_of_each(draw, 2, 1, 3, 4))


@module_exercise.case("a head for each channel")
def _(draw):
    return built(4, 4).call(*qkv(draw, 2, 3, 5, 4), some_of_each(draw, 2, 1, 3, 5))


@module_exercise.case("one target, one source, mask=None")
def _(draw):
    return built(6, 2).call(*qkv(draw, 1, 1, 1, 6), None)


@module_exercise.case("half precision, inputs that are views")
def _(draw):
    half = torch.float16
    q, k = draw.normal(8, 3, 2, dtype=half).permute(2, 1, 0), draw.normal(2, 10, 8, dtype=half)[:, ::2]
    v, mask = draw.normal(2, 8, 5, dtype=half).mT, some_of_each(draw, 2, 1, 3, 5)
    mask[1, 0, 1] = False
    return built(8, 2).to(half).call(q, k, v, mask.mT.contiguous().mT)


@module_exercise.case("sizes of its own, called twice")
def _(draw):
    tgt, src, d_head = (draw.permutation(5) + 2).tolist()[:3]
    heads = draw.integer(2, 4)
    plan = built(heads * d_head, heads).call(
        *qkv(draw, 1, tgt, src, heads * d_head), some_of_each(draw, 1, 1, tgt, src)
    )
    return plan.call(*qkv(draw, 2, src, tgt, heads * d_head))


@module_exercise.case("a large one, by its parameters alone")
def _(draw):
    return built(768, 12).meta()


@module_exercise.case("heads that do not divide d_model", raises=ValueError)
def _(draw):
    heads = draw.integer(3, 9)
    return built(heads * draw.integer(2, 5) + draw.integer(1, heads - 1), heads)


@module_exercise.case("more heads than channels", raises=ValueError)
def _(draw):
    return built(draw.integer(2, 5), draw.integer(6, 12))


class Heads(nn.Module):
    """A right MultiHeadAttention, to be spoiled in one place."""

    def __init__(self, d_model, heads):
        super().__init__()
        if d_model % heads:
            raise ValueError("heads must divide d_model")
        self.heads = heads
        self.W_q, self.W_k, self.W_v, self.W_o = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, q, k, v, mask=None):
        output, weights = self.attended(self.W_q(q), self.W_k(k), self.W_v(v), mask)
        return self.W_o(output), weights

    def attended(self, q, k, v, mask, **more):
        return in_heads(q, k, v, self.heads, mask, **more)


@module_exercise.misconception
class WithoutBias(Heads):
    """Your linear maps have no bias. These have one, which is what nn.Linear gives unless it is told otherwise."""

    def __init__(self, d_model, heads):
        super().__init__(d_model, heads)
        self.W_q, self.W_k, self.W_v, self.W_o = (nn.Linear(d_model, d_model, bias=False) for _ in range(4))


@module_exercise.misconception
class OneThinMapForAllHeads(Heads):
    """Your W_q, W_k and W_v give d_head numbers, so all heads would share them and see the same. Each head has d_head
    numbers *of its own*: together the maps give d_model."""

    def __init__(self, d_model, heads):
        super().__init__(d_model, heads)
        self.W_q, self.W_k, self.W_v = (nn.Linear(d_model, d_model // heads) for _ in range(3))

    def forward(self, q, k, v, mask=None):
        q, k, v = (x.repeat(1, 1, self.heads) for x in (self.W_q(q), self.W_k(k), self.W_v(v)))
        output, weights = self.attended(q, k, v, mask)
        return self.W_o(output), weights


@module_exercise.misconception
class FullWidthForEachHead(Heads):
    """Your maps give heads · d_model numbers: each head is as wide as the whole model. The heads share d_model
    channels, which is why more of them cost no more parameters."""

    def __init__(self, d_model, heads):
        super().__init__(d_model, heads)
        self.W_q, self.W_k, self.W_v = (nn.Linear(d_model, heads * d_model) for _ in range(3))
        self.W_o = nn.Linear(heads * d_model, d_model)


@module_exercise.misconception
class ScaledByTheModel(Heads):
    """Your scores are divided by the square root of d_model. A head's dot product sums the d_head products of its own
    channels, and its spread is what the division is for."""

    def attended(self, q, k, v, mask):
        return super().attended(q, k, v, mask, divisor=q.shape[-1] ** 0.5)


@module_exercise.misconception
class SplitByViewAlone(Heads):
    """Your heads are cut by a view alone, with the heads in front of the positions. That runs, and the numbers are
    scrambled: head 0 gets the first positions whole, and no head sees all of them."""

    def attended(self, q, k, v, mask):
        return super().attended(q, k, v, mask, splitting=view_alone)


@module_exercise.misconception
class MergedByViewAlone(Heads):
    """Your weights are right, and the heads' outputs are merged by a reshape alone: a row of yours holds several
    positions of one head. The positions have to come in front of the heads first."""

    def attended(self, q, k, v, mask):
        return super().attended(q, k, v, mask, merging=reshaped_alone)


@module_exercise.misconception
class SplitAndMergedByViewAlone(Heads):
    """Yours splits and merges by views alone. The shapes are right from end to end, and the heads never saw whole
    sentences: a view with the heads in front of the positions gives head 0 the first positions."""

    def attended(self, q, k, v, mask):
        return super().attended(q, k, v, mask, splitting=view_alone, merging=reshaped_alone)


@module_exercise.misconception
class HeadsLookAtEachOther(Heads):
    """In yours the heads of one position look at each other, and no position looks at another. Attention works on the
    last two axes: in front of d_head the positions have to stand, not the heads."""

    def attended(self, q, k, v, mask):
        return among_heads(q, k, v, self.heads)


@module_exercise.misconception
class ChannelsDealtOut(Heads):
    """Your heads get every heads-th channel, as cards are dealt. Head h works on the h-th piece of d_head neighbours
    that the maps give."""

    def attended(self, q, k, v, mask):
        return channels_dealt_out_to_heads(q, k, v, self.heads, mask)


@module_exercise.misconception
class OutputMapLeftOut(Heads):
    """Yours has `W_o` and does not use it: what comes out are the merged heads. The fourth map stands behind them."""

    def forward(self, q, k, v, mask=None):
        return self.attended(self.W_q(q), self.W_k(k), self.W_v(v), mask)


@module_exercise.misconception
class OutputMapOnTheValues(Heads):
    """Yours puts `W_o` on the values, in front of the heads: what each head averages is a mixture of all channels
    already. It stands behind the merged heads, and mixes what they found."""

    def forward(self, q, k, v, mask=None):
        return self.attended(self.W_q(q), self.W_k(k), self.W_o(self.W_v(v)), mask)


@module_exercise.misconception
class OneMapForThree(Heads):
    """Yours has one map three times as wide, `W_qkv`, in place of three. It can compute the same, but W_q, W_k and W_v
    were asked for by their names: each is a linear map of its own."""

    def __init__(self, d_model, heads):
        super().__init__(d_model, heads)
        del self.W_q, self.W_k, self.W_v
        self.W_qkv, self.W_o = nn.Linear(d_model, 3 * d_model), nn.Linear(d_model, d_model)

    def forward(self, q, k, v, mask=None):
        weights, biases = self.W_qkv.weight.chunk(3), self.W_qkv.bias.chunk(3)
        output, weights = self.attended(*map(F.linear, (q, k, v), weights, biases), mask)
        return self.W_o(output), weights


@module_exercise.misconception
class WithDropout(Heads):
    """Yours drops a tenth of the output in training, as the first Transformer does around its sublayers. Here there is
    no dropout."""

    def forward(self, q, k, v, mask=None):
        output, weights = super().forward(q, k, v, mask)
        return F.dropout(output, 0.1, self.training), weights


@module_exercise.misconception
class QueriesAndKeysSwapped(Heads):
    """Yours makes the queries with `W_k` and the keys with `W_q`. W_q reads the ones who look, W_k those that are
    looked at."""

    def forward(self, q, k, v, mask=None):
        output, weights = self.attended(self.W_k(q), self.W_q(k), self.W_v(v), mask)
        return self.W_o(output), weights


@module_exercise.misconception
class KeysAndValuesSwapped(Heads):
    """Yours reads the keys from v and hands over k. The keys are compared, the values are averaged: k goes through W_k,
    v through W_v."""

    def forward(self, q, k, v, mask=None):
        return super().forward(q, v, k, mask)


@module_exercise.misconception
class ValuesFromTheKeys(Heads):
    """Your values are made of k. Mostly k and v are the same tensor; here they may differ, and what is handed over is
    W_v(v)."""

    def forward(self, q, k, v, mask=None):
        return super().forward(q, k, k, mask)


@module_exercise.misconception
class EverythingFromTheQuery(Heads):
    """Yours makes queries, keys and values of q alone. That is what a sequence does that looks at itself; in general k
    and v come from another one, of another length."""

    def forward(self, q, k, v, mask=None):
        return super().forward(q, q, q, mask)


@module_exercise.misconception
class WeightsAveraged(Heads):
    """Your output is right, and your weights are averaged over the heads. That is what nn.MultiheadAttention gives by
    default; here each head's own were asked for."""

    def forward(self, q, k, v, mask=None):
        output, weights = super().forward(q, k, v, mask)
        return output, weights.mean(dim=1)


@module_exercise.misconception
class OneHeadForEverything(Heads):
    """Yours attends once with all channels, however many heads are asked for. Each head makes scores of its own, from
    its own channels."""

    def attended(self, q, k, v, mask):
        return in_heads(q, k, v, 1, mask)


@module_exercise.misconception
class MaskIgnored(Heads):
    """Yours takes a mask and does nothing with it."""

    def attended(self, q, k, v, mask):
        return super().attended(q, k, v, None)


@module_exercise.misconception
class MaskUpsideDown(Heads):
    """Yours hides what may be looked at, and shows what may not. In this course True means that looking is allowed; in
    nn.MultiheadAttention it means the opposite."""

    def attended(self, q, k, v, mask):
        return super().attended(q, k, v, None if mask is None else ~mask)


@module_exercise.misconception
class MaskUnderTheHeads(Heads):
    """Yours takes the mask's axis of size 1 away before it meets the scores, so its batch stands under the heads.
    Mostly that is an error; with as many sentences as heads it runs, and each *head* gets the mask of a sentence."""

    def attended(self, q, k, v, mask):
        return super().attended(q, k, v, None if mask is None else mask.squeeze(1))


@module_exercise.misconception
class EvenShareOfNothing(Heads):
    """Yours is right but for a target that may look at nothing: it gets an even share of what is hidden from it, in
    each head. Weights of 0 were asked for."""

    def attended(self, q, k, v, mask):
        return super().attended(q, k, v, mask, emptied=False)


@module_exercise.misconception
class NanForNothing(Heads):
    """Yours is right but for a target that may look at nothing: its row is NaN, where weights of 0 and the bias of W_o
    were asked for. One such row makes the loss of the whole batch NaN."""

    def attended(self, q, k, v, mask):
        return super().attended(q, k, v, mask, fill=-torch.inf, emptied=False)


@module_exercise.misconception
class EmptiedAfterTheOutputMap(Heads):
    """Yours is right but for a target that may look at nothing: it sets the output to zero behind `W_o`. The merged
    heads are 0 there, and what W_o makes of zeros is its bias."""

    def forward(self, q, k, v, mask=None):
        output, weights = super().forward(q, k, v, mask)
        return output if mask is None else output * mask.any(dim=-1)[:, 0, :, None], weights


@module_exercise.misconception
class RemainderDropped(Heads):
    """Yours builds where the heads do not divide d_model: `//` rounds down, and some channels would belong to no head.
    A ValueError was asked for, when the module is built."""

    def __init__(self, d_model, heads):
        super().__init__(d_model, 1)
        self.heads = heads


@module_exercise.misconception
class AnotherError(Heads):
    """Yours raises another error than ValueError where the heads do not divide d_model. An assert raises
    AssertionError, and Python can be told to skip it."""

    def __init__(self, d_model, heads):
        assert d_model % heads == 0
        super().__init__(d_model, heads)


@module_exercise.misconception
class ShortcutAdded(Heads):
    """Yours adds its query to the output. That is a shortcut, which a Transformer's block puts around attention;
    attention itself has none."""

    def forward(self, q, k, v, mask=None):
        output, weights = super().forward(q, k, v, mask)
        return output + q, weights


@module_exercise.misconception
class OutputAlone(Heads):
    """Yours returns the output alone. Each head's weights were asked for too: they tell where it looked."""

    def forward(self, q, k, v, mask=None):
        return super().forward(q, k, v, mask)[0]


@module_exercise.variant
class InOneProduct(nn.Module):
    def __init__(self, d_model, heads):
        super().__init__()
        self.d_head, rest = divmod(d_model, heads)
        if rest:
            raise ValueError(d_model, heads)
        for name in ("W_o", "W_v", "W_k", "W_q"):
            self.add_module(name, nn.Linear(d_model, d_model))

    def forward(self, q, k, v, mask=None):
        parts = [layer(x) for layer, x in ((self.W_q, q), (self.W_k, k), (self.W_v, v))]
        q, k, v = (x.unflatten(-1, (-1, self.d_head)).transpose(1, 2) for x in parts)
        scores = q.matmul(k.mT) / math.sqrt(self.d_head)
        if mask is not None:
            scores = scores.masked_fill(mask == 0, float("-inf"))
        weights = scores.softmax(-1)
        if mask is not None:
            weights = weights.masked_fill(mask == 0, 0.0)
        return self.W_o((weights @ v).transpose(1, 2).flatten(2)), weights


@module_exercise.variant
class WithWeightsOfEachHead(Heads):
    """Each head's part of the four maps, in a loop, and the outputs added: W_o of a merge is a sum over the heads."""

    def forward(self, q, k, v, mask=None):
        output, weights = self.W_o.bias, []
        width = self.W_q.in_features // self.heads
        for rows in torch.arange(self.W_q.in_features).split(width):
            mine = [F.linear(x, m.weight[rows], m.bias[rows]) for m, x in ((self.W_q, q), (self.W_k, k), (self.W_v, v))]
            seen, w = attend(*mine, None if mask is None else mask[:, 0])
            output = output + seen @ self.W_o.weight[:, rows].T
            weights.append(w)
        return output, torch.stack(weights, dim=1)


@module_exercise.variant
class Folded(Heads):
    def attended(self, q, k, v, mask):
        return folded_with_bmm(q, k, v, self.heads, mask)


@module_exercise.variant
class ByLetters(Heads):
    def forward(self, query, key, value, mask=None):
        output, weights = by_einsum(self.W_q(query), self.W_k(key), self.W_v(value), self.heads, mask)
        return torch.einsum("bti,oi->bto", output, self.W_o.weight) + self.W_o.bias, weights
