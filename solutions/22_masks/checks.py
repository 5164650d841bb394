"""What decides whether the exercises of 22_masks are right. A mask is True where a position may be attended to."""

import torch
import torch.nn.functional as F

from autograder.authoring import Exercise


def position(length):
    """Row and column numbers that broadcast to a square: (length, 1) and (1, length)."""
    numbers = torch.arange(length)
    return numbers[:, None], numbers[None, :]


# ---- shapes_of_masks -------------------------------------------------------------------------------------------------

shapes_of_masks = Exercise(
    "shapes_of_masks",
    points=1,
    hints=[
        "A comparison gives a tensor of the shape of what is compared. What is the shape of the tokens?",
        "Write the shape of `scores` down, and that of `is_real` below it. `src` belongs under `src`, `batch` under "
        "`batch`: which places are left over?",
        "Line two shapes up from the right. Where one has 1 or nothing, the other one's size is the result's.",
    ],
)


@shapes_of_masks.case("as in the lesson")
def _(draw):
    return {"batch": 2, "heads": 3, "tgt": 5, "src": 7}


@shapes_of_masks.case("other sizes")
def _(draw):
    batch, heads, tgt, src = (draw.permutation(40) + 2).tolist()[:4]
    return {"batch": batch, "heads": heads, "tgt": tgt, "src": src}


@shapes_of_masks.case("one sentence, one head")
def _(draw):
    return {"batch": 1, "heads": 1, "tgt": draw.integer(3, 20), "src": draw.integer(21, 40)}


@shapes_of_masks.case("a single target position")
def _(draw):
    return {"batch": draw.integer(2, 5), "heads": draw.integer(6, 9), "tgt": 1, "src": draw.integer(10, 40)}


def shapes(batch, heads, tgt, src, **changes):
    right = {
        "is_real": (batch, src),
        "per_score": (batch, 1, 1, src),
        "causal": (tgt, src),
        "both": (batch, 1, tgt, src),
        "masked_scores": (batch, heads, tgt, src),
    }
    return {**right, **changes}


@shapes_of_masks.misconception
def one_axis_put_in(batch, heads, tgt, src):
    """Your "per_score" has three axes. Lined up from the right with (batch, heads, tgt, src), its first axis would
    stand under heads: one more axis of size 1 brings it under batch."""
    return shapes(batch, heads, tgt, src, per_score=(batch, 1, src))


@shapes_of_masks.misconception
def stretched_too_early(batch, heads, tgt, src):
    """Your "per_score" is stretched already. Axes that are put in have size 1; broadcasting stretches them when the
    mask meets the scores."""
    return shapes(batch, heads, tgt, src, per_score=(batch, heads, tgt, src))


@shapes_of_masks.misconception
def axes_at_the_end(batch, heads, tgt, src):
    """Your "per_score" puts the new axes behind src. Shapes line up from the right, so src, which both have, comes
    last."""
    return shapes(batch, heads, tgt, src, per_score=(batch, src, 1, 1))


@shapes_of_masks.misconception
def heads_in_the_mask(batch, heads, tgt, src):
    """Your "both" has the heads in it. Neither `per_score` nor `causal` knows of heads: that axis is still 1, and
    stretches only when the scores come."""
    return shapes(batch, heads, tgt, src, both=(batch, heads, tgt, src))


@shapes_of_masks.misconception
def causal_source_first(batch, heads, tgt, src):
    """Your "causal" has a row for each source position. Rows are the ones who look (tgt), columns are what is looked
    at (src)."""
    return shapes(batch, heads, tgt, src, causal=(src, tgt))


@shapes_of_masks.variant
def from_real_tensors(batch, heads, tgt, src):
    scores = torch.zeros(batch, heads, tgt, src)
    is_real = torch.ones(batch, src, dtype=torch.bool)
    per_score = is_real[:, None, None]
    causal = torch.ones(tgt, src, dtype=torch.bool)
    both = per_score & causal
    steps = {"is_real": is_real, "per_score": per_score, "causal": causal, "both": both}
    return {name: step.shape for name, step in {**steps, "masked_scores": scores.masked_fill(~both, 0)}.items()}


@shapes_of_masks.variant
def step_by_step(batch, heads, tgt, src):
    answer = {"masked_scores": (batch, heads, tgt, src), "is_real": (batch, src)}
    answer["per_score"] = (*answer["is_real"][:1], 1, 1, *answer["is_real"][1:])
    answer["causal"] = (tgt, src)
    answer["both"] = answer["per_score"][:2] + answer["causal"]
    return answer


# ---- causal_mask -----------------------------------------------------------------------------------------------------

causal_mask = Exercise(
    "causal_mask",
    points=1,
    hints=[
        "Row i is what position i may look at. How many True values does row 0 have, and row 1?",
        "Number the rows and the columns with torch.arange. Which comparison of the two numbers is True where looking "
        "is allowed?",
        "torch.arange(length)[:, None] is a column of row numbers. Compared with torch.arange(length), it becomes "
        "a square. torch.tril of a square of ones does the same.",
    ],
)


@causal_mask.case("five positions")
def _(draw):
    return {"length": 5}


@causal_mask.case("a single position")
def _(draw):
    return {"length": 1}


@causal_mask.case("a length of its own")
def _(draw):
    return {"length": draw.integer(6, 30)}


@causal_mask.case("a long sequence")
def _(draw):
    return {"length": draw.integer(60, 90)}


@causal_mask.no_loop_over("length")
def _(draw, size):
    return {"length": size}


@causal_mask.misconception
def sees_the_future(length):
    """Row i is what position i may look at. Yours lets it look ahead and hides the past: keep the lower triangle."""
    return torch.ones(length, length, dtype=torch.bool).triu()


@causal_mask.misconception
def inverted(length):
    """Your mask is True where looking is forbidden. In this course True means "may be attended to"; some libraries
    mean the opposite, so look it up each time."""
    return torch.ones(length, length, dtype=torch.bool).triu(1)


@causal_mask.misconception
def without_itself(length):
    """In your mask no position sees itself. Position i predicts what comes after it, so its own token is known and
    allowed: the diagonal belongs to the mask."""
    return torch.ones(length, length, dtype=torch.bool).tril(-1)


@causal_mask.misconception
def one_ahead(length):
    """In your mask each position also sees the one after it, which is the very token it has to predict."""
    return torch.ones(length, length, dtype=torch.bool).tril(1)


@causal_mask.misconception
def floats(length):
    """Your mask is right where it is 1 and 0, but it holds floating-point numbers. masked_fill and `&` need
    booleans."""
    return torch.ones(length, length).tril()


@causal_mask.variant
def lower_triangle(length):
    return torch.ones(length, length, dtype=torch.bool).tril()


@causal_mask.variant
def inverted_upper_triangle(length):
    return ~torch.triu(torch.ones(length, length), diagonal=1).bool()


@causal_mask.variant
def counted(length):
    return torch.eye(length).cumsum(dim=0) > 0


# ---- combine_masks ---------------------------------------------------------------------------------------------------

combine_masks = Exercise(
    "combine_masks",
    points=1,
    hints=[
        "A position may be seen when both masks allow it. Which operation of two booleans is that?",
        "Write the two shapes below each other, lined up from the right. What does broadcasting make of them?",
        "For booleans `&` is elementwise and broadcasts; `and` asks for the truth of a whole tensor and cannot.",
    ],
)


def padding_of(draw, batch, src):
    """A padding mask with at least one real and, where there is room, one padded position in each row."""
    lengths = draw.integers(1, max(1, src - 1), batch)
    return (torch.arange(src) < lengths[:, None])[:, None, None, :]


@combine_masks.case("causal, equal lengths")
def _(draw):
    return {"padding": padding_of(draw, 3, 6), "causal": torch.ones(6, 6, dtype=torch.bool).tril()}


@combine_masks.case("target shorter than source")
def _(draw):
    return {"padding": padding_of(draw, 2, 7), "causal": draw.booleans(5, 7)}


@combine_masks.case("one sentence, one position")
def _(draw):
    return {"padding": torch.ones(1, 1, 1, 1, dtype=torch.bool), "causal": torch.ones(1, 1, dtype=torch.bool)}


@combine_masks.case("a sentence of padding alone, masks that are views")
def _(draw):
    padding = padding_of(draw, 4, 9)
    padding[1] = False
    return {"padding": padding.transpose(2, 3).transpose(2, 3), "causal": draw.booleans(9, 3, true=0.7).T}


@combine_masks.case("padding on the left")
def _(draw):
    return {"padding": padding_of(draw, 2, 8).flip(-1), "causal": draw.booleans(4, 8, true=0.6)}


@combine_masks.misconception
def either(padding, causal):
    """Yours allows a position when either mask does. Both must: use `&` where you use `|`."""
    return padding | causal


@combine_masks.misconception
def heads_axis_squeezed(padding, causal):
    """Your result has lost the axis for the heads. It stays, with size 1, so that the mask lines up with scores of
    shape (batch, heads, tgt, src)."""
    return (padding & causal).squeeze(1)


@combine_masks.misconception
def causal_alone(padding, causal):
    """Yours is the causal mask repeated for each sentence: the padding mask makes no difference in it."""
    return causal.expand(len(padding), 1, *causal.shape)


@combine_masks.misconception
def padding_alone(padding, causal):
    """Yours is the padding mask stretched over the target: the causal mask makes no difference in it."""
    return padding.expand(-1, -1, causal.shape[0], -1)


@combine_masks.misconception
def added_up(padding, causal):
    """You added the masks up. Adding booleans means "either", so a position is allowed when one of the two allows it,
    and the result is no longer boolean here. `&` means "both"."""
    return padding.int() + causal.int()


@combine_masks.misconception
def written_into(padding, causal):
    """Your result is right, but your code writes into the causal mask it was given: the next sentence gets a broken
    one. Work on a new tensor."""
    result = padding & causal
    causal &= False
    return result


@combine_masks.misconception
def written_into_the_padding(padding, causal):
    """Yours writes the result into the padding mask, which is the caller's: that is what `&=` does. And it fails where
    the result has more rows than that mask has room for. Make a new tensor."""
    padding &= causal
    return padding


@combine_masks.variant
def by_logical_and(padding, causal):
    return torch.logical_and(padding, causal.unsqueeze(0).unsqueeze(0))


@combine_masks.variant
def by_product(padding, causal):
    return (padding.float() * causal.float()).bool()


@combine_masks.variant
def by_where(padding, causal):
    return torch.where(padding, causal, torch.tensor(False))


# ---- to_additive -----------------------------------------------------------------------------------------------------

to_additive = Exercise(
    "to_additive",
    points=2,
    hints=[
        "Two numbers only: which one leaves a score as it is when it is added, and which one pushes it out of the "
        "softmax?",
        "torch.finfo(torch.float16) prints what a dtype can hold. Which of its attributes is the lowest number?",
        "Make zeros of the mask's shape and the right dtype, and masked_fill them where the mask is *not* True.",
    ],
)


@to_additive.case("a causal mask")
def _(draw):
    return {"mask": torch.ones(4, 4, dtype=torch.bool).tril()}


@to_additive.case("half precision")
def _(draw):
    return {"mask": draw.booleans(2, 1, 3, 5), "dtype": torch.float16}


@to_additive.case("bfloat16")
def _(draw):
    return {"mask": draw.booleans(3, 7), "dtype": torch.bfloat16}


@to_additive.case("double precision, a view")
def _(draw):
    return {"mask": draw.booleans(6, 5).T, "dtype": torch.float64}


@to_additive.case("a fully masked row")
def _(draw):
    mask = draw.booleans(3, 6, true=0.7)
    mask[1] = False
    return {"mask": mask}


@to_additive.case("one value")
def _(draw):
    return {"mask": torch.tensor([False])}


@to_additive.misconception
def minus_infinity(mask, dtype=torch.float32):
    """Yours holds minus infinity. In a fully masked row the softmax then computes -inf - (-inf), which is NaN: use the
    lowest finite number of the dtype."""
    return torch.zeros(mask.shape, dtype=dtype).masked_fill(~mask, -torch.inf)


@to_additive.misconception
def inverted_fill(mask, dtype=torch.float32):
    """Yours pushes out what is allowed and keeps what is not: True means "may be attended to", so True becomes 0."""
    return torch.zeros(mask.shape, dtype=dtype).masked_fill(mask, torch.finfo(dtype).min)


@to_additive.misconception
def always_float32(mask, dtype=torch.float32):
    """Your result is float32 whatever `dtype` asks for. Added to scores in half precision it would turn them into
    float32, or overflow to minus infinity."""
    return torch.zeros(mask.shape).masked_fill(~mask, torch.finfo(torch.float32).min)


@to_additive.misconception
def smallest_instead_of_lowest(mask, dtype=torch.float32):
    """You used finfo's `tiny`, the smallest number above zero. Added to a score it changes nothing: the lowest number,
    far below zero, is finfo's `min`."""
    return torch.zeros(mask.shape, dtype=dtype).masked_fill(~mask, torch.finfo(dtype).tiny)


@to_additive.misconception
def ones_and_zeros(mask, dtype=torch.float32):
    """Yours is the mask as numbers, 1 and 0. An additive mask is *added* to the scores, so allowed is 0 and forbidden
    a huge negative number."""
    return mask.to(dtype)


@to_additive.misconception
def a_large_number(mask, dtype=torch.float32):
    """You wrote -1e9. It works in float32, and overflows in float16, whose numbers end at 65504; the exercise asks for
    the lowest number of the given dtype, whichever it is."""
    return torch.zeros(mask.shape, dtype=dtype).masked_fill(~mask, max(-1e9, torch.finfo(dtype).min))


@to_additive.misconception
def a_large_number_overflows(mask, dtype=torch.float32):
    """You wrote -1e9. float16 ends at 65504 and cannot be filled with it, and in the other dtypes it is not the lowest
    number: the exercise asks for that of the given dtype, whichever it is."""
    return torch.zeros(mask.shape, dtype=dtype).masked_fill(~mask, -1e9)


@to_additive.misconception
def a_large_number_becomes_infinite(mask, dtype=torch.float32):
    """You wrote -1e9. In float16, which ends at 65504, it becomes minus infinity, and in the other dtypes it is not the
    lowest number: the exercise asks for that of the given dtype, whichever it is."""
    return torch.zeros(mask.shape).masked_fill(~mask, -1e9).to(dtype)


@to_additive.misconception
def zero_times_infinity(mask, dtype=torch.float32):
    """You wrote -1e9. In float16, which ends at 65504, it becomes minus infinity, and 0 times that is NaN: even what is
    allowed is lost. In the other dtypes it is not the lowest number, which was asked for."""
    return (~mask).to(dtype) * torch.tensor(-1e9).to(dtype)


@to_additive.misconception
def where_of_two_numbers(mask, dtype=torch.float32):
    """Yours is right but for float64. Of two Python numbers torch.where makes a float32, which cannot hold the lowest
    number of float64: one of the two has to be a tensor of the right dtype."""
    return torch.where(mask, 0.0, torch.finfo(dtype).min).to(dtype)


@to_additive.misconception
def where_without_a_dtype(mask, dtype=torch.float32):
    """Your result is float32 whatever `dtype` asks for: of two Python numbers torch.where makes that, and it cannot
    hold the lowest number of float64. One of the two has to be a tensor of the right dtype."""
    return torch.where(mask, 0.0, torch.finfo(dtype).min)


@to_additive.misconception
def where_the_other_way_around(mask, dtype=torch.float32):
    """Yours pushes out what is allowed and keeps what is not: True means "may be attended to", so True becomes 0. And
    of two Python numbers torch.where makes a float32, which cannot hold the lowest number of float64."""
    return torch.where(mask, torch.finfo(dtype).min, 0.0).to(dtype)


@to_additive.variant
def by_where_additive(mask, dtype=torch.float32):
    return torch.where(mask, torch.zeros((), dtype=dtype), torch.full((), torch.finfo(dtype).min, dtype=dtype))


@to_additive.variant
def by_multiplying(mask, dtype=torch.float32):
    return (~mask).to(dtype) * torch.finfo(dtype).min


@to_additive.variant
def by_assignment(mask, dtype=torch.float32):
    result = torch.zeros(mask.shape, dtype=dtype)
    result[~mask] = torch.finfo(dtype).min
    return result


# ---- cross_attention_mask --------------------------------------------------------------------------------------------

cross_attention_mask = Exercise(
    "cross_attention_mask",
    points=2,
    hints=[
        "Whose padding must stay unseen: that of the one who looks, or of what is looked at?",
        "`src_tokens != pad_id` has the shape (batch, src). Where do the axes for heads and target go?",
        "expand stretches axes of size 1 without a copy: (batch, 1, 1, src) becomes (batch, 1, tgt, src).",
    ],
)


def tokens_of(draw, batch, length, pad_id):
    """Rows of tokens that end in padding, at least one of them real."""
    tokens = draw.integers(1, 50, batch, length) + max(pad_id, 0)
    lengths = draw.integers(1, length, batch)
    lengths[0] = max(1, length - 2)
    return tokens.masked_fill(torch.arange(length) >= lengths[:, None], pad_id)


@cross_attention_mask.case("two sentences")
def _(draw):
    return {"tgt_tokens": tokens_of(draw, 2, 5, 0), "src_tokens": tokens_of(draw, 2, 7, 0), "pad_id": 0}


@cross_attention_mask.case("a pad id other than zero")
def _(draw):
    tgt_tokens, src_tokens = tokens_of(draw, 3, 6, 9), tokens_of(draw, 3, 4, 9)
    src_tokens[:, 0] = 0  # a real token
    return {"tgt_tokens": tgt_tokens, "src_tokens": src_tokens, "pad_id": 9}


@cross_attention_mask.case("one token each")
def _(draw):
    return {"tgt_tokens": torch.tensor([[3]]), "src_tokens": torch.tensor([[5]]), "pad_id": 0}


@cross_attention_mask.case("a source of padding alone")
def _(draw):
    src_tokens = tokens_of(draw, 3, 8, 0)
    src_tokens[1] = 0
    return {"tgt_tokens": tokens_of(draw, 3, 2, 0), "src_tokens": src_tokens, "pad_id": 0}


@cross_attention_mask.case("padding on the left, a negative pad id")
def _(draw):
    tgt_tokens, src_tokens = tokens_of(draw, 4, 3, -1), tokens_of(draw, 4, 6, -1)
    return {"tgt_tokens": tgt_tokens.flip(1), "src_tokens": src_tokens.flip(1), "pad_id": -1}


@cross_attention_mask.misconception
def target_axis_of_one(tgt_tokens, src_tokens, pad_id):
    """Your target axis still has size 1. It would broadcast, but this exercise asks for its full size: expand it."""
    return (src_tokens != pad_id)[:, None, None, :]


@cross_attention_mask.misconception
def hides_target_rows(tgt_tokens, src_tokens, pad_id):
    """Yours hides everything from target positions that are padding. Then their row has nothing to look at and the
    softmax has nothing to share out. Only the source's padding is hidden."""
    return (tgt_tokens != pad_id)[:, None, :, None] & (src_tokens != pad_id)[:, None, None, :]


@cross_attention_mask.misconception
def target_padding(tgt_tokens, src_tokens, pad_id):
    """Yours hides where the *target* is padding. What is looked at is the source: its padding has to go."""
    return (tgt_tokens != pad_id)[:, None, :, None].expand(-1, -1, -1, src_tokens.shape[1])


@cross_attention_mask.misconception
def inverted_padding(tgt_tokens, src_tokens, pad_id):
    """Your mask is True on padding. In this course True means "may be attended to"."""
    return (src_tokens == pad_id)[:, None, None, :].expand(-1, 1, tgt_tokens.shape[1], -1)


@cross_attention_mask.misconception
def pad_id_ignored(tgt_tokens, src_tokens, pad_id):
    """Yours takes 0 for padding, whatever `pad_id` says."""
    return (src_tokens != 0)[:, None, None, :].expand(-1, 1, tgt_tokens.shape[1], -1)


@cross_attention_mask.misconception
def source_by_target(tgt_tokens, src_tokens, pad_id):
    """Yours has the source in the rows and the target in the columns. Rows are the ones who look (tgt), columns what
    is looked at (src)."""
    return (src_tokens != pad_id)[:, None, :, None].expand(-1, 1, -1, tgt_tokens.shape[1])


@cross_attention_mask.misconception
def causal_over_the_source(tgt_tokens, src_tokens, pad_id):
    """Yours lays a causal mask over the source too. The source is there as a whole before the first target is written:
    it has no future that must not be seen."""
    causal = torch.ones(tgt_tokens.shape[1], src_tokens.shape[1], dtype=torch.bool).tril()
    return (src_tokens != pad_id)[:, None, None, :] & causal


@cross_attention_mask.variant
def by_ones(tgt_tokens, src_tokens, pad_id):
    everyone = torch.ones_like(tgt_tokens, dtype=torch.bool)
    return everyone[:, None, :, None] & (src_tokens != pad_id)[:, None, None, :]


@cross_attention_mask.variant
def by_repeat(tgt_tokens, src_tokens, pad_id):
    return src_tokens.ne(pad_id).unsqueeze(1).unsqueeze(2).repeat(1, 1, tgt_tokens.size(1), 1)


@cross_attention_mask.variant
def by_einsum(tgt_tokens, src_tokens, pad_id):
    everyone = torch.ones(tgt_tokens.shape)
    return torch.einsum("bt,bs->bts", everyone, (src_tokens != pad_id).float()).bool().unsqueeze(1)


# ---- sliding_window_mask ---------------------------------------------------------------------------------------------

sliding_window_mask = Exercise(
    "sliding_window_mask",
    points=2,
    hints=[
        "How far back is column j from row i, as a number? What is that number for j = i, and for j in the future?",
        "Row numbers minus column numbers is a square of distances. Two conditions on a distance make the mask.",
        "The distance is at least 0 and less than `window`. Join the two with `&`, each in brackets.",
    ],
)


@sliding_window_mask.case("six positions, window of three")
def _(draw):
    return {"length": 6, "window": 3}


@sliding_window_mask.case("each position sees itself alone")
def _(draw):
    return {"length": draw.integer(3, 9), "window": 1}


@sliding_window_mask.case("a window longer than the sequence")
def _(draw):
    return {"length": draw.integer(4, 8), "window": draw.integer(9, 20)}


@sliding_window_mask.case("a long sequence")
def _(draw):
    return {"length": draw.integer(50, 80), "window": draw.integer(5, 40)}


@sliding_window_mask.case("a single position")
def _(draw):
    return {"length": 1, "window": 1}


@sliding_window_mask.no_loop_over("length")
def _(draw, size):
    return {"length": size, "window": 3}


@sliding_window_mask.misconception
def one_too_many(length, window):
    """Your window is one position too wide: `window` counts the position itself, so window-1 come before it."""
    row, column = position(length)
    return (column <= row) & (row - column <= window)


@sliding_window_mask.misconception
def both_directions(length, window):
    """Your window reaches into the future as far as into the past. Nothing later than the row may be seen."""
    row, column = position(length)
    return (row - column).abs() < window


@sliding_window_mask.misconception
def looks_ahead(length, window):
    """Your window lies ahead of each position instead of behind it."""
    row, column = position(length)
    return (column >= row) & (column - row < window)


@sliding_window_mask.misconception
def everything_but_the_window(length, window):
    """Yours shows the past *beyond* the window and hides the window."""
    row, column = position(length)
    return row - column >= window


@sliding_window_mask.misconception
def window_cut_off(length, window):
    """Yours shows the farthest position of the window and the past beyond it, and hides the rest of the window. tril
    keeps what lies below a diagonal; the window lies above it."""
    row, column = position(length)
    return (column <= row) & (row - column >= window - 1)


@sliding_window_mask.misconception
def no_window(length, window):
    """Yours is the causal mask: the window makes no difference in it."""
    row, column = position(length)
    return column <= row


@sliding_window_mask.misconception
def itself_left_out(length, window):
    """In yours a position sees those before it and not itself; the window counts the position itself."""
    row, column = position(length)
    return (column < row) & (row - column < window)


@sliding_window_mask.misconception
def blocks(length, window):
    """Yours cuts the sequence into blocks of `window` positions, and each looks back within its block only. A sliding
    window moves with the position."""
    row, column = position(length)
    return (column <= row) & (row // window == column // window)


@sliding_window_mask.variant
def two_triangles(length, window):
    ones = torch.ones(length, length, dtype=torch.bool)
    return ones.tril() & ones.triu(1 - window)


@sliding_window_mask.variant
def difference_of_triangles(length, window):
    ones = torch.ones(length, length)
    return (ones.tril() - ones.tril(-window)).bool()


@sliding_window_mask.variant
def by_shifted_positions(length, window):
    row, column = position(length)
    return torch.logical_and(column > row - window, ~(column > row))


# ---- prefix_mask -----------------------------------------------------------------------------------------------------

prefix_mask = Exercise(
    "prefix_mask",
    points=2,
    needs=["causal_mask"],
    hints=[
        "A position may be seen for one of two reasons. Which two, and which operation of booleans is 'one or the "
        "other'?",
        "Whether a column lies in the prefix does not depend on the row. Which shape does `torch.arange(length) < "
        "prefix[:, None]` have?",
        "That is (batch, length), and speaks of columns: [:, None, None, :] lines it up with (batch, 1, length, "
        "length). The causal mask broadcasts by itself.",
    ],
)


@prefix_mask.case("three prompts")
def _(draw):
    return {"prefix": torch.tensor([2, 4, 1]), "length": 6}


@prefix_mask.case("no prompt, and nothing but the prompt")
def _(draw):
    length = draw.integer(4, 8)
    return {"prefix": torch.tensor([0, length, 3]), "length": length}


@prefix_mask.case("one sentence of one position")
def _(draw):
    return {"prefix": torch.tensor([1]), "length": 1}


@prefix_mask.case("as many sentences as positions")
def _(draw):
    return {"prefix": draw.permutation(6), "length": 6}


@prefix_mask.case("long sentences")
def _(draw):
    return {"prefix": draw.integers(3, 30, 4), "length": draw.integer(40, 60)}


@prefix_mask.no_loop_over("length")
def _(draw, size):
    return {"prefix": torch.tensor([2, 5]), "length": size}


@prefix_mask.misconception
def prefix_rows(prefix, length):
    """In yours the positions *of* the prompt see everything, what comes after it included. It is the prompt's columns
    that are open to all rows."""
    row, column = position(length)
    return (column <= row) | (torch.arange(length) < prefix[:, None])[:, None, :, None]


@prefix_mask.misconception
def prefix_alone(prefix, length):
    """Yours opens the prompt and nothing else: what is written after it must see what was written before, causally."""
    return (torch.arange(length) < prefix[:, None])[:, None, None, :].expand(-1, 1, length, -1)


@prefix_mask.misconception
def causal_within(prefix, length):
    """Yours asks for both conditions, causal and in the prompt. One of the two is enough."""
    row, column = position(length)
    return (column <= row) & (torch.arange(length) < prefix[:, None])[:, None, None, :]


@prefix_mask.misconception
def plain_causal(prefix, length):
    """Yours is the causal mask for every sentence: the prompt's length makes no difference in it."""
    row, column = position(length)
    return (column <= row).expand(len(prefix), 1, -1, -1)


@prefix_mask.misconception
def one_position_more(prefix, length):
    """Your prompt is one position too long: it covers positions 0 to prefix-1."""
    row, column = position(length)
    return (column <= row) | (torch.arange(length) <= prefix[:, None])[:, None, None, :]


@prefix_mask.misconception
def first_prompt_for_all(prefix, length):
    """Yours uses the first sentence's prompt for all of them. Each sentence of the batch has a length of its own."""
    row, column = position(length)
    mask = (column <= row) | (torch.arange(length) < prefix[0])
    return mask.expand(len(prefix), 1, -1, -1)


@prefix_mask.misconception
def only_prompt_reads_the_prompt(prefix, length):
    """In yours the prompt reads itself in both directions, as it should, but what comes after it is shut out of it."""
    row, column = position(length)
    inside = torch.arange(length) < prefix[:, None]
    both_inside = inside[:, None, :, None] & inside[:, None, None, :]
    both_after = ~inside[:, None, :, None] & ~inside[:, None, None, :]
    return both_inside | (both_after & (column <= row))


@prefix_mask.variant
def by_maximum(prefix, length):
    row, column = position(length)
    last_seen = torch.maximum(row.T, prefix[:, None] - 1)
    return (column <= last_seen[:, :, None])[:, None]


@prefix_mask.variant
def by_filling_columns(prefix, length):
    mask = torch.ones(length, length, dtype=torch.bool).tril().repeat(len(prefix), 1, 1, 1)
    return mask.masked_fill(torch.arange(length).view(1, 1, 1, -1) < prefix.view(-1, 1, 1, 1), True)


# ---- document_mask ---------------------------------------------------------------------------------------------------

document_mask = Exercise(
    "document_mask",
    points=3,
    needs=["causal_mask"],
    hints=[
        "How would you number the documents of [5, 5, 2, 5] so that no number comes twice?",
        "A new document begins where an id differs from the one before it. Adding up the beginnings, position by "
        "position, numbers the documents.",
        "cumsum(dim=1) of `documents[:, 1:] != documents[:, :-1]` numbers them, with a 0 in front. Compare the numbers "
        "of rows and columns: run[:, :, None] == run[:, None, :].",
    ],
)


def packed(draw, batch, seq, ids):
    """Runs of one to four positions whose ids come back, in each row."""
    rows = []
    for _ in range(batch):
        row, last = [], None
        while len(row) < seq:
            new = draw.integer(0, ids - 1)
            if new != last:
                row += [new] * draw.integer(1, 4)
                last = new
        rows.append(row[:seq])
    return torch.tensor(rows)


@document_mask.case("three documents in a row")
def _(draw):
    return {"documents": torch.tensor([[0, 0, 0, 1, 1, 2], [0, 1, 1, 1, 1, 2]])}


@document_mask.case("an id that comes back")
def _(draw):
    return {"documents": torch.tensor([[5, 5, 2, 2, 2, 5, 5]])}


@document_mask.case("one token")
def _(draw):
    return {"documents": torch.tensor([[3]])}


@document_mask.case("one document, and one for each token")
def _(draw):
    return {"documents": torch.stack([torch.full((5,), 4), draw.permutation(5)])}


@document_mask.case("ids in any order, negative ones too")
def _(draw):
    return {"documents": packed(draw, 3, 17, 4) - 2}


@document_mask.case("a long row, a view")
def _(draw):
    return {"documents": packed(draw, 40, 2, 50).T}


@document_mask.no_loop_over("seq")
def _(draw, size):
    return {"documents": packed(draw, 2, size, 3)}


def numbered_runs(documents):
    starts = documents[:, 1:] != documents[:, :-1]
    return F.pad(starts, (1, 0)).cumsum(dim=1)


@document_mask.misconception
def same_id(documents):
    """Yours compares ids, so a document sees an earlier one that carries the same id. A document is one unbroken run:
    number the runs first."""
    row, column = position(documents.shape[1])
    return ((documents[:, :, None] == documents[:, None, :]) & (column <= row))[:, None]


@document_mask.misconception
def not_causal(documents):
    """In yours a token sees the later tokens of its document too. Within a document the mask is causal."""
    run = numbered_runs(documents)
    return (run[:, :, None] == run[:, None, :])[:, None]


@document_mask.misconception
def causal_across(documents):
    """Yours is the causal mask: tokens look into the documents before theirs."""
    batch, seq = documents.shape
    row, column = position(seq)
    return (column <= row).expand(batch, 1, seq, seq)


@document_mask.misconception
def zero_is_padding(documents):
    """Yours hides the document with id 0, as if 0 meant padding. Here no id does."""
    run = numbered_runs(documents)
    row, column = position(documents.shape[1])
    mask = (run[:, :, None] == run[:, None, :]) & (column <= row)
    return (mask & (documents != 0)[:, None, :])[:, None]


@document_mask.misconception
def no_heads_axis(documents):
    """Your mask lacks the axis for the heads: (batch, seq, seq) would line up with scores as if batch were heads."""
    run = numbered_runs(documents)
    row, column = position(documents.shape[1])
    return (run[:, :, None] == run[:, None, :]) & (column <= row)


@document_mask.misconception
def counted_down_the_batch(documents):
    """Your cumsum adds up the beginnings down the batch. A document's number is how many have begun before it in its
    own row."""
    run = F.pad(documents[:, 1:] != documents[:, :-1], (1, 0)).cumsum(dim=0)
    row, column = position(documents.shape[1])
    return ((run[:, :, None] == run[:, None, :]) & (column <= row))[:, None]


@document_mask.misconception
def sorted_ids(documents):
    """Yours lets a token see every earlier token whose id is not larger. Ids say which document, they have no order."""
    row, column = position(documents.shape[1])
    return ((documents[:, :, None] >= documents[:, None, :]) & (column <= row))[:, None]


@document_mask.variant
def by_last_start(documents):
    seq = documents.shape[1]
    row, column = position(seq)
    is_start = F.pad(documents[:, 1:] != documents[:, :-1], (1, 0), value=1).bool()
    start = torch.where(is_start, torch.arange(seq), 0).cummax(dim=1).values
    return ((column >= start[:, :, None]) & (column <= row)).unsqueeze(1)


@document_mask.variant
def by_changes_between(documents):
    changes = torch.cat([torch.zeros_like(documents[:, :1]), documents.diff(dim=1).ne(0).long()], dim=1)
    run = changes.cumsum(dim=1)
    return (run.unsqueeze(2).eq(run.unsqueeze(1))).tril().unsqueeze(1)
