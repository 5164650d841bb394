"""What decides whether the exercises of 18_padding are right. A mask is True on real tokens.

What lies on padding is large in many cases, so that whatever leaks shows. In half precision it keeps to ±30000, and
where all of a row is masked it is positive there: right answers that add numbers do not overflow.
"""

import itertools

import torch
import torch.nn.functional as F

from autograder.authoring import Exercise
from autograder.draw import Draw

HUGE = 1e30


def lowest(x):
    return torch.finfo(x.dtype).min


def padded_right(lengths, seq):
    return torch.arange(seq) < torch.as_tensor(lengths)[:, None]


def padded_left(lengths, seq):
    return padded_right(lengths, seq).flip(1)


def anything(draw, x, real, size=HUGE):
    """x, with large numbers of either sign where it is not real."""
    sign = draw.booleans(*x.shape).to(x.dtype) * 2 - 1
    large = (sign * (draw.uniform(*x.shape, dtype=torch.float64) + 0.5).to(x.dtype)) * (size / 1.5)
    return torch.where(real.expand(x.shape), x, large)


# ---- shapes_of_padding -----------------------------------------------------------------------------------------------

shapes_of_padding = Exercise(
    "shapes_of_padding",
    points=1,
    hints=[
        "A row for each sentence, a column for each place: which sentence decides how many places there are?",
        "Write (batch, heads, tgt, src) down and put `batch` and `src` of is_real below the axes of those names. For "
        "`column` do the same with (batch, max_len, d_model). Which places are left over?",
        "x[is_real] picks the rows of all real tokens, one behind the other: sum(lengths) of them. A mean over all "
        "tokens leaves no axis: ().",
    ],
)


@shapes_of_padding.case("as in the example")
def _(draw):
    return {"lengths": (3, 5, 2), "d_model": 4, "vocab": 9}


@shapes_of_padding.case("other sizes")
def _(draw):
    d_model, vocab = (draw.permutation(50) + 60).tolist()[:2]
    return {"lengths": tuple((draw.permutation(40) + 2).tolist()[:7]), "d_model": d_model, "vocab": vocab}


@shapes_of_padding.case("the longest last, and one of no words")
def _(draw):
    return {
        "lengths": (draw.integer(4, 6), 0, draw.integer(7, 9), draw.integer(30, 50)),
        "d_model": draw.integer(60, 80),
        "vocab": draw.integer(100, 200),
    }


@shapes_of_padding.case("one sentence")
def _(draw):
    return {"lengths": (draw.integer(3, 30),), "d_model": draw.integer(31, 50), "vocab": draw.integer(51, 90)}


def shapes(lengths, d_model, vocab, **changes):
    batch, max_len = len(lengths), max(lengths)
    right = {
        "tokens": (batch, max_len),
        "mask": (batch, 1, 1, max_len),
        "x": (batch, max_len, d_model),
        "column": (batch, max_len, 1),
        "means": (batch, d_model),
        "real": (sum(lengths), d_model),
        "logits": (batch, max_len, vocab),
        "losses": (batch, max_len),
        "loss": (),
    }
    return {**right, **changes}


@shapes_of_padding.misconception
def as_wide_as_all_together(lengths, d_model, vocab):
    """Your batch has a place for every token of all sentences, one behind the other. Each sentence has a row of its
    own: the longest decides how many places a row needs."""
    places = sum(lengths)
    of_places = {"tokens": (len(lengths), places), "mask": (len(lengths), 1, 1, places)}
    of_places |= {"x": (len(lengths), places, d_model), "column": (len(lengths), places, 1)}
    of_places |= {"logits": (len(lengths), places, vocab), "losses": (len(lengths), places)}
    return shapes(lengths, d_model, vocab, **of_places)


@shapes_of_padding.misconception
def places_first(lengths, d_model, vocab):
    """Your "tokens" have a row for each place and a column for each sentence. This course puts the batch first; torch's
    recurrent layers do not, unless they are told."""
    return shapes(lengths, d_model, vocab, tokens=(max(lengths), len(lengths)))


@shapes_of_padding.misconception
def one_axis_put_in(lengths, d_model, vocab):
    """Your "mask" has three axes. Lined up from the right with (batch, heads, tgt, src), its first one would stand
    under heads: one more axis of size 1 brings it under batch."""
    return shapes(lengths, d_model, vocab, mask=(len(lengths), 1, max(lengths)))


@shapes_of_padding.misconception
def mask_over_targets(lengths, d_model, vocab):
    """Your "mask" ends in an axis of size 1, so its tokens stand under tgt, those who look. It tells which *sources*
    are real: they belong under src, the last axis."""
    return shapes(lengths, d_model, vocab, mask=(len(lengths), 1, max(lengths), 1))


@shapes_of_padding.misconception
def column_as_a_row(lengths, d_model, vocab):
    """Your "column" has its new axis in the middle, so its tokens would stand under d_model. The axis that `x` has and
    `is_real` has not is the last one."""
    return shapes(lengths, d_model, vocab, column=(len(lengths), 1, max(lengths)))


@shapes_of_padding.misconception
def column_stretched_too_early(lengths, d_model, vocab):
    """Your "column" is stretched already. An axis that is put in has size 1; it stretches when the column meets x."""
    return shapes(lengths, d_model, vocab, column=(len(lengths), max(lengths), d_model))


@shapes_of_padding.misconception
def a_mean_for_each_token(lengths, d_model, vocab):
    """Your "means" have one number for each token. What is averaged away is the axis of the tokens; the d_model numbers
    of a vector stay apart."""
    return shapes(lengths, d_model, vocab, means=(len(lengths), max(lengths)))


@shapes_of_padding.misconception
def real_keeps_its_rows(lengths, d_model, vocab):
    """Your "real" is as large as x. Indexing with booleans *picks*: what is False is gone, and since the rows are of
    unequal length then, what is left stands one behind the other."""
    return shapes(lengths, d_model, vocab, real=(len(lengths), max(lengths), d_model))


@shapes_of_padding.misconception
def padding_picked_too(lengths, d_model, vocab):
    """Your "real" has a row for each place, padding included. is_real picks the real tokens alone: how many are
    there?"""
    return shapes(lengths, d_model, vocab, real=(len(lengths) * max(lengths), d_model))


@shapes_of_padding.misconception
def losses_for_each_word(lengths, d_model, vocab):
    """Your "losses" still have the axis of the vocabulary. Of all the words' probabilities a loss looks at that of the
    right one: one number for each token."""
    return shapes(lengths, d_model, vocab, losses=(len(lengths), max(lengths), vocab))


@shapes_of_padding.misconception
def a_loss_for_each_sentence(lengths, d_model, vocab):
    """Your "loss" has one number for each sentence. The mean over all tokens of the batch is a single one."""
    return shapes(lengths, d_model, vocab, loss=(len(lengths),))


@shapes_of_padding.misconception
def a_list_of_one_number(lengths, d_model, vocab):
    """Your "loss" has an axis, of size 1. A tensor that holds a single number has none: its shape is ()."""
    return shapes(lengths, d_model, vocab, loss=(1,))


@shapes_of_padding.variant
def from_real_tensors(lengths, d_model, vocab):
    is_real = padded_right(lengths, max(lengths))
    x, logits = torch.zeros(*is_real.shape, d_model), torch.zeros(*is_real.shape, vocab)
    column = is_real.unsqueeze(-1)
    losses = logits.logsumexp(dim=-1)
    steps = {"tokens": is_real.long(), "mask": is_real[:, None, None], "x": x, "column": column}
    steps |= {"means": (x * column).mean(dim=1), "real": x[is_real], "logits": logits, "losses": losses}
    return {name: step.shape for name, step in {**steps, "loss": losses[is_real].mean()}.items()}


@shapes_of_padding.variant
def one_from_the_other(lengths, d_model, vocab):
    tokens = (len(lengths), sorted(lengths)[-1])
    batch, places = tokens
    return {
        "loss": (),
        "losses": tokens,
        "logits": (*tokens, vocab),
        "x": (*tokens, d_model),
        "column": (*tokens, 1),
        "mask": (batch,) + (1,) * 2 + (places,),
        "means": (batch, d_model),
        "real": (sum(lengths), d_model),
        "tokens": tokens,
    }


@shapes_of_padding.variant
def assigned_one_by_one(lengths, d_model, vocab):
    answer = dict.fromkeys(["tokens", "losses"], (len(lengths), max(lengths)))
    for name, last in {"x": d_model, "logits": vocab, "column": 1}.items():
        answer[name] = answer["tokens"] + (last,)
    total = 0
    for length in lengths:
        total += length
    answer["real"] = total, d_model
    answer["means"] = len(lengths), d_model
    answer["mask"] = len(lengths), 1, 1, max(lengths)
    answer["loss"] = ()
    return answer


# ---- pad_batch -------------------------------------------------------------------------------------------------------

pad_batch = Exercise(
    "pad_batch",
    points=1,
    forbids=[
        "pad_sequence",
        "pad_packed_sequence",
        "_pad_packed_sequence",
        "to_padded_tensor",
        "nested_to_padded_tensor",
        "nested_tensor",
        "as_nested_tensor",
    ],
    hints=[
        "How wide must the tensor be, and what stands in it before the first sentence is written in?",
        "torch.full makes a tensor that is full of one number. Which part of row i belongs to sentence i?",
        "row[: len(sequence)] = sequence writes a sentence to the beginning of a row, for each row in turn.",
    ],
)


def sentences(draw, lengths, vocab=90):
    return [
        draw.integers(0, vocab, length + 1)[1:] for length in lengths
    ]  # an empty one drawn as such has a stride of 0


@pad_batch.case("three sentences, padding is 0")
def _(draw):
    return {"sequences": [draw.integers(1, 9, length) for length in (3, 1, 4)], "pad_id": 0}


@pad_batch.case("padding is not 0, and 0 is a token")
def _(draw):
    sequences = sentences(draw, (2, draw.integer(6, 9), 4, 5), vocab=3)
    sequences[0][0] = sequences[1][2] = 0
    return {"sequences": sequences, "pad_id": draw.integer(100, 60_000)}


@pad_batch.case("the longest first")
def _(draw):
    return {"sequences": sentences(draw, (draw.integer(8, 12), 3, 1, 5, 2)), "pad_id": 1}


@pad_batch.case("an empty sentence")
def _(draw):
    return {"sequences": sentences(draw, (2, 0, draw.integer(4, 6))), "pad_id": draw.integer(91, 99)}


@pad_batch.case("nothing to pad, and as many sentences as tokens in each")
def _(draw):
    return {"sequences": sentences(draw, (4, 4, 4, 4)), "pad_id": 0}


@pad_batch.case("one sentence of one token")
def _(draw):
    return {"sequences": sentences(draw, (1,)), "pad_id": 7}


@pad_batch.case("padding is -100")
def _(draw):
    return {"sequences": sentences(draw, (1, draw.integer(3, 5), 2)), "pad_id": -100}


@pad_batch.case("tokens that equal the padding")
def _(draw):
    pad_id = draw.integer(20, 40)
    ends, begins, whole = sentences(draw, (5, 3, 2), vocab=19)
    ends[3:] = begins[0] = whole[:] = pad_id
    return {"sequences": [begins, ends, whole], "pad_id": pad_id}


@pad_batch.case("sentences that are columns of a table")
def _(draw):
    table = draw.integers(5, 80, 6, 4)
    return {"sequences": [table[:2, 0], table[:, 1], table[::2, 3]], "pad_id": 3}


def filled(sequences, pad_id, places=None):
    places = max(map(len, sequences)) if places is None else places
    return torch.stack([F.pad(each[:places], (0, places - len(each[:places])), value=pad_id) for each in sequences])


@pad_batch.misconception
def padded_on_the_left(sequences, pad_id):
    """Yours pads on the left: each sentence ends where its row does. Models that write are fed so; here the padding
    comes behind the sentence."""
    places = max(map(len, sequences))
    return torch.stack([F.pad(each, (places - len(each), 0), value=pad_id) for each in sequences])


@pad_batch.misconception
def zeros_whatever_padding_is(sequences, pad_id):
    """Yours fills up with 0. Which id means padding is for the caller to say; 0 may be a word."""
    return filled(sequences, 0)


@pad_batch.misconception
def cut_to_the_shortest(sequences, pad_id):
    """Yours is as wide as the shortest sentence, so the others lose their ends. Nothing may get lost: which sentence
    decides the width?"""
    return filled(sequences, pad_id, min(map(len, sequences)))


@pad_batch.misconception
def as_wide_as_the_first(sequences, pad_id):
    """Yours is as wide as the first sentence, and cuts off what is longer. The longest may stand anywhere."""
    return filled(sequences, pad_id, len(sequences[0]))


@pad_batch.misconception
def one_column_too_many(sequences, pad_id):
    """Each of your rows has one place too many. The longest sentence needs no padding."""
    return filled(sequences, pad_id, max(map(len, sequences)) + 1)


@pad_batch.misconception
def places_in_rows(sequences, pad_id):
    """Yours has a row for each place and a column for each sentence. That is what pad_sequence does unless it is told
    batch_first=True; this course has the batch first."""
    return filled(sequences, pad_id).T


@pad_batch.misconception
def longest_first(sequences, pad_id):
    """Your rows are sorted by length. Some of torch's functions ask for that; here row i is sentence i."""
    return filled(sorted(sequences, key=len, reverse=True), pad_id)


@pad_batch.misconception
def floats(sequences, pad_id):
    """Your tensor holds floats: that is what torch.zeros and torch.ones make unless they are told a dtype. An embedding
    takes whole numbers alone."""
    return filled(sequences, pad_id).float()


@pad_batch.misconception
def last_token_repeated(sequences, pad_id):
    """Yours repeats the last token of each sentence. To a model those would be words; padding has an id of its own."""
    places = max(map(len, sequences))
    rows = [torch.cat([each, each[-1:].expand(places - len(each))]) if len(each) else each for each in sequences]
    return filled(rows, pad_id)


@pad_batch.misconception
def zeros_replaced(sequences, pad_id):
    """Yours makes padding of every 0, those that are tokens included. Afterwards nothing tells the two apart: write the
    padding where no token is."""
    padded = filled(sequences, 0)
    return padded.masked_fill(padded == 0, pad_id)


@pad_batch.misconception
def padding_taken_out_first(sequences, pad_id):
    """Yours takes tokens out of the sentences that equal pad_id, and those behind them move. In a sentence such an id
    is a token, and stays."""
    return filled([each[each != pad_id] for each in sequences], pad_id, max(map(len, sequences)))


@pad_batch.variant
def by_writing_into_rows(sequences, pad_id):
    batch = torch.full((len(sequences), max(len(sequence) for sequence in sequences)), pad_id)
    for row, sequence in zip(batch, sequences, strict=True):
        row[: len(sequence)] = sequence
    return batch


@pad_batch.variant
def by_zipping(sequences, pad_id):
    rows = [sequence.tolist() for sequence in sequences]
    return torch.tensor(list(zip(*itertools.zip_longest(*rows, fillvalue=pad_id), strict=True)))


@pad_batch.variant
def by_a_mask(sequences, pad_id):
    lengths = torch.tensor([sequence.numel() for sequence in sequences])
    is_real = torch.arange(int(lengths.max())) < lengths.unsqueeze(1)
    batch = torch.full(is_real.shape, pad_id, dtype=torch.long)
    batch[is_real] = torch.cat(sequences)
    return batch


@pad_batch.variant
def row_by_row(sequences, pad_id):
    longest = max(sequence.shape[0] for sequence in sequences)
    rows = [torch.cat([s, s.new_full((longest - s.shape[0],), pad_id)]) for s in sequences]
    return torch.cat(rows).reshape(-1, longest)


# ---- padding_mask ----------------------------------------------------------------------------------------------------

padding_mask = Exercise(
    "padding_mask",
    points=1,
    hints=[
        "What tells a real token from padding, in one comparison of a whole tensor?",
        "The comparison has the shape (batch, src). Write (batch, heads, tgt, src) below it, each name under its own: "
        "two places are left over.",
        "(tokens != pad_id), indexed with [:, None, None, :], which puts two axes of size 1 in.",
    ],
)


@padding_mask.case("padding on the right, with 0")
def _(draw):
    tokens = draw.integers(1, 9, 3, 5)
    return {"tokens": tokens * padded_right([5, draw.integer(2, 4), 1], 5), "pad_id": 0}


@padding_mask.case("padding is not 0, and 0 is a token")
def _(draw):
    pad_id = draw.integer(30, 60_000)
    tokens = draw.integers(0, 2, 2, 7)
    tokens[:, 0] = tokens[1, 2] = 0
    return {"tokens": tokens.masked_fill(~padded_right([4, 6], 7), pad_id), "pad_id": pad_id}


@padding_mask.case("padding on the left")
def _(draw):
    tokens = draw.integers(3, 40, 4, 6)
    return {"tokens": tokens.masked_fill(~padded_left([2, 6, draw.integer(3, 5), 1], 6), 2), "pad_id": 2}


@padding_mask.case("a row of padding alone")
def _(draw):
    tokens = draw.integers(1, 9, 3, 4)
    return {"tokens": tokens.masked_fill(~padded_right([2, 0, 4], 4), 0), "pad_id": 0}


@padding_mask.case("padding is -100, beside other negative ids")
def _(draw):
    tokens = draw.integers(-9, 9, 2, 8)
    tokens[0, 0] = -1
    return {"tokens": tokens.masked_fill(~padded_right([8, draw.integer(3, 7)], 8), -100), "pad_id": -100}


@padding_mask.case("ids on either side of that of padding, and padding in between")
def _(draw):
    return {"tokens": torch.tensor([[6, 4, 5, 6, 4, 5], [5, 4, 4, 6, 5, 5]]), "pad_id": 5}


@padding_mask.case("as many sentences as tokens")
def _(draw):
    tokens = draw.integers(1, 9, 5, 5)
    return {"tokens": tokens * padded_right([5, 1, 3, draw.integer(2, 4), 4], 5), "pad_id": 0}


@padding_mask.case("one token")
def _(draw):
    return {"tokens": torch.tensor([[draw.integer(1, 9)]]), "pad_id": 0}


@padding_mask.case("int32 tokens, a view")
def _(draw):
    tokens = draw.integers(0, 3, 18, 4).int()
    return {"tokens": tokens.T[:, ::2], "pad_id": 1}


@padding_mask.no_loop_over("batch or src")
def _(draw, size):
    return {"tokens": draw.integers(0, 3, 1, size).expand(size, size), "pad_id": 0}  # a key keeps one row


@padding_mask.misconception
def true_on_padding(tokens, pad_id):
    """Your mask is True on padding. In this course True means "a real token"; some of torch's modules mean the
    opposite, so look it up each time."""
    return (tokens == pad_id)[:, None, None, :]


@padding_mask.misconception
def zero_is_padding(tokens, pad_id):
    """Yours takes 0 for padding, whatever pad_id says. Here 0 may be a word like any other."""
    return (tokens != 0)[:, None, None, :]


@padding_mask.misconception
def larger_ids_are_real(tokens, pad_id):
    """Yours takes every id below pad_id for padding too. Ids have no order: one of them means padding."""
    return (tokens > pad_id)[:, None, None, :]


@padding_mask.misconception
def no_axes_put_in(tokens, pad_id):
    """Yours has the shape (batch, src). Lined up from the right with scores of shape (batch, heads, tgt, src), its
    batch would stand under tgt."""
    return tokens != pad_id


@padding_mask.misconception
def one_axis_missing(tokens, pad_id):
    """Yours has the shape (batch, 1, src). Lined up from the right with (batch, heads, tgt, src), its batch would stand
    under heads: one more axis."""
    return (tokens != pad_id)[:, None, :]


@padding_mask.misconception
def axes_at_the_end(tokens, pad_id):
    """Yours has its two new axes behind src. The last axis of the scores is that of the sources: src belongs there, and
    the new axes in between."""
    return (tokens != pad_id)[:, :, None, None]


@padding_mask.misconception
def axes_in_front(tokens, pad_id):
    """Yours has its two new axes in front, (1, 1, batch, src), so its batch stands under tgt. Batch belongs first."""
    return (tokens != pad_id)[None, None]


@padding_mask.misconception
def over_the_targets(tokens, pad_id):
    """Yours lays the tokens along tgt, (batch, 1, src, 1): it would silence those who look. It is the ones looked at
    that must not be padding."""
    return (tokens != pad_id)[:, None, :, None]


@padding_mask.misconception
def sentences_begin_on_the_left(tokens, pad_id):
    """Yours counts the real tokens of a row and takes as many from the left. Where the padding stands on the left, or
    in between, that hits others: ask each token itself."""
    return padded_right((tokens != pad_id).sum(dim=1), tokens.shape[1])[:, None, None]


@padding_mask.misconception
def ends_at_the_first_padding(tokens, pad_id):
    """Yours takes everything behind a row's first padding for padding. On rows that are padded on the left nothing is
    left then: ask each token itself."""
    return (tokens != pad_id).long().cumprod(dim=1).bool()[:, None, None]


@padding_mask.misconception
def numbers_in_place_of_booleans(tokens, pad_id):
    """Yours holds ones and zeros. A mask is boolean: `~mask` and masked_fill need it so."""
    return (tokens != pad_id).float()[:, None, None]


@padding_mask.misconception
def added_to_scores(tokens, pad_id):
    """Yours holds what is added to scores, 0 and −∞. The mask itself is asked for: True on real tokens."""
    return torch.zeros(tokens.shape).masked_fill(tokens == pad_id, -torch.inf)[:, None, None]


@padding_mask.misconception
def stretched_over_the_targets(tokens, pad_id):
    """Yours has a row for each target already. Each row is the same: the axis keeps size 1, and stretches when the mask
    meets the scores."""
    batch, src = tokens.shape
    return (tokens != pad_id)[:, None, None].expand(batch, 1, src, src)


@padding_mask.misconception
def nobody_sees_nothing(tokens, pad_id):
    """In yours a row of padding alone has real tokens. There are none in it; what a softmax makes of such a row is for
    the softmax to see to."""
    is_real = tokens != pad_id
    return (is_real | ~is_real.any(dim=1, keepdim=True))[:, None, None]


@padding_mask.variant
def by_viewing(tokens, pad_id):
    batch, src = tokens.shape
    return tokens.ne(pad_id).reshape(batch, 1, 1, src)


@padding_mask.variant
def by_differences(tokens, pad_id):
    return (tokens - pad_id).bool().unsqueeze(1).unsqueeze(1)


@padding_mask.variant
def turned_around(tokens, pad_id):
    is_padding = torch.eq(tokens, torch.full_like(tokens, pad_id))
    return torch.logical_not(is_padding).view(len(tokens), 1, 1, -1)


# ---- position_ids ----------------------------------------------------------------------------------------------------

position_ids = Exercise(
    "position_ids",
    points=2,
    hints=[
        "How would you number the True of [False, False, True, True] from left to right, with sums alone?",
        "A running sum along the row counts the real tokens so far, this one included. Which number does the first "
        "real token get so, and what do the places of padding hold?",
        "mask.cumsum(dim=1) - 1, with 0 filled in where the mask is False.",
    ],
)


@position_ids.case("padding on the right")
def _(draw):
    return {"mask": padded_right([4, draw.integer(2, 3), 6], 6)}


@position_ids.case("padding on the left")
def _(draw):
    return {"mask": padded_left([draw.integer(2, 5), 7], 7)}


@position_ids.case("some rows padded on the left, some on the right")
def _(draw):
    right, left = padded_right([3, 5, 1], 9), padded_left([1, draw.integer(4, 8)], 9)
    return {"mask": torch.cat([right, left])[draw.permutation(5)]}


@position_ids.case("a row of padding alone")
def _(draw):
    return {"mask": padded_right([3, 0, draw.integer(1, 4)], 5)}


@position_ids.case("no padding, as many sentences as tokens")
def _(draw):
    return {"mask": torch.ones(4, 4, dtype=torch.bool)}


@position_ids.case("one token")
def _(draw):
    return {"mask": torch.ones(1, 1, dtype=torch.bool)}


@position_ids.case("a single token, in the middle of nothing but padding on the left")
def _(draw):
    return {"mask": padded_left([1, 2, 0, 3], draw.integer(10, 14))}


@position_ids.case("a long row, a view")
def _(draw):
    return {"mask": padded_left([draw.integer(150, 250), 3, 300], 300).T.contiguous().T}


@position_ids.no_loop_over("batch or seq")
def _(draw, size):
    return {"mask": padded_left([draw.integer(1, size)], size).expand(size, size)}  # a key keeps one row


@position_ids.misconception
def padding_counted_too(mask):
    """Yours numbers the places of a row, padding or not. On a row that is padded on the left the first word gets
    another number for each padding before it."""
    return torch.arange(mask.shape[1]).expand(mask.shape)


@position_ids.misconception
def places_where_real(mask):
    """Yours is 0 on padding, and else the number of the place. Padding on the left still counts: the first word of a
    sentence is to get 0, wherever it stands."""
    return torch.arange(mask.shape[1]) * mask


@position_ids.misconception
def counted_from_one(mask):
    """Yours counts from 1. The running sum counts this token too; how many stand before it?"""
    return mask.cumsum(dim=1) * mask


@position_ids.misconception
def running_sum_as_it_is(mask):
    """Yours is the running sum as it is: it counts this token too, so that the first one gets 1, and on padding it goes
    on with the last number. From 0, and 0 on padding."""
    return mask.cumsum(dim=1)


@position_ids.misconception
def minus_one_on_padding(mask):
    """Yours is right on real tokens, and −1 on padding. An embedding has no row −1: padding gets 0."""
    return mask.cumsum(dim=1) * mask - 1


@position_ids.misconception
def padding_on_the_right_repeats_the_last(mask):
    """Yours is right but for padding on the right, which repeats the number of the last token. Padding gets 0 on either
    side."""
    return (mask.cumsum(dim=1) - 1).clamp(min=0)


@position_ids.misconception
def padding_left_as_it_came(mask):
    """Yours is right on real tokens. On padding it holds what the running sum left there, −1 on the left and the last
    token's number on the right; 0 is asked for."""
    return mask.cumsum(dim=1) - 1


@position_ids.misconception
def one_on_padding(mask):
    """Yours is right but for padding, which gets 1. Some libraries write that; here it is 0."""
    return (mask.cumsum(dim=1) - 1).masked_fill(~mask, 1)


@position_ids.misconception
def counted_down_the_batch(mask):
    """Your running sum goes down the batch. Tokens are counted along their own row."""
    return (mask.cumsum(dim=0) - 1).masked_fill(~mask, 0)


@position_ids.misconception
def how_many_there_are(mask):
    """Yours gives every real token the number of all real tokens of its row. Count only those that stand before it."""
    return mask.sum(dim=1, keepdim=True) * mask


@position_ids.misconception
def counted_from_the_end(mask):
    """Yours counts from the end of a sentence backwards. The first token gets 0."""
    return (mask.flip(1).cumsum(dim=1).flip(1) - 1).masked_fill(~mask, 0)


@position_ids.misconception
def shifted_by_the_padding_on_the_right(mask):
    """Yours takes off as many as there is padding in the row, on whichever side. What shifts a token is the padding
    *before* it."""
    shift = (~mask).sum(dim=1, keepdim=True)
    return (torch.arange(mask.shape[1]) - shift).masked_fill(~mask, 0)


@position_ids.misconception
def numbers_with_a_point(mask):
    """Yours holds floats. Positions pick the rows of an embedding, and have to be whole numbers."""
    return (mask.float().cumsum(dim=1) - 1).masked_fill(~mask, 0)


@position_ids.variant
def from_the_first_real_one(mask):
    first = mask.long().argmax(dim=1, keepdim=True)
    return torch.where(mask, torch.arange(mask.shape[1]) - first, 0)


@position_ids.variant
def by_a_product(mask):
    as_numbers = mask.to(torch.int64)
    return (as_numbers.cumsum(-1) - 1) * as_numbers


@position_ids.variant
def by_a_triangle(mask):
    seq = mask.size(1)
    before = torch.ones(seq, seq).triu(1)
    return (mask.float() @ before * mask).round().int()


# ---- masked_mean -----------------------------------------------------------------------------------------------------

masked_mean = Exercise(
    "masked_mean",
    points=2,
    hints=[
        "A mean is a sum, divided by a count. Which of the two does padding spoil?",
        "The mask has the shape (batch, seq), x has one axis more: put one in. Set what is not real to 0, add up over "
        "seq, and divide by how many are real. What is divided by in a row of padding alone?",
        "x.masked_fill(~mask[:, :, None], 0).sum(dim=1), divided by mask.sum(dim=1, keepdim=True).clamp(min=1).",
    ],
)


def vectors(draw, batch, seq, feature, lengths, left=False, size=HUGE, dtype=torch.float32):
    mask = (padded_left if left else padded_right)(lengths, seq)
    return {
        "x": anything(draw, draw.normal(batch, seq, feature, mean=0.5, dtype=dtype), mask[..., None], size),
        "mask": mask,
    }


@masked_mean.case("two sentences", probe="gradients")
def _(draw):
    return vectors(draw, 2, 5, 3, [2, 4], size=3)


@masked_mean.case("large numbers on padding", probe="gradients")
def _(draw):
    return vectors(draw, 3, 7, 4, [draw.integer(2, 4), 5, 1])


@masked_mean.case("a row of padding alone", probe="gradients")
def _(draw):
    return vectors(draw, 4, 6, 5, [3, 0, draw.integer(4, 6), 2])


@masked_mean.case("padding on the left", probe="gradients")
def _(draw):
    return vectors(draw, 2, 8, 5, [draw.integer(2, 4), 6], left=True, size=1e4)


@masked_mean.case("padding in between, and words whose vectors are zeros", probe="gradients")
def _(draw):
    mask = torch.tensor([[True, False, True, True, False, True], [False, True, True, False, True, False]])
    x = draw.normal(2, 6, 4, mean=1.0)
    x[0, 2] = x[1, 1] = 0
    return {"x": anything(draw, x, mask[..., None], 1e6), "mask": mask}


@masked_mean.case("a batch, a sequence and vectors of one size", probe="gradients")
def _(draw):
    return vectors(draw, 4, 4, 4, [4, 1, draw.integer(2, 3), 2], size=100)


@masked_mean.case("no padding")
def _(draw):
    return {"x": draw.normal(3, 5, 2, mean=1.0), "mask": torch.ones(3, 5, dtype=torch.bool)}


@masked_mean.case("one word")
def _(draw):
    return {"x": draw.normal(1, 1, 1, mean=2.0), "mask": torch.ones(1, 1, dtype=torch.bool)}


def same_vectors(draw, seq):
    """The same two sentences in every case and for every seed, in `seq` places."""
    words = Draw(18, "masked_mean", "words").normal(2, 5, 3, mean=0.5)
    x = F.pad(words, (0, 0, 0, seq - 5))
    mask = padded_right([5, 3], seq)
    return {"x": anything(draw, x, mask[..., None], 1e12), "mask": mask}


@masked_mean.case("two sentences in 6 places", probe="gradients")
def _(draw):
    return same_vectors(draw, 6)


@masked_mean.case("the same two, padded further", probe="gradients")
def _(draw):
    return same_vectors(draw, draw.integer(15, 20))


@masked_mean.case("half precision, with a row of padding alone", probe="gradients")
def _(draw):
    return vectors(draw, 3, 6, 4, [draw.integer(2, 4), 0, 6], size=3e4, dtype=torch.float16)


@masked_mean.case("double precision, views", probe="gradients")
def _(draw):
    mask = padded_right([draw.integer(2, 4), 5], 5)
    x = anything(draw, draw.normal(2, 5, 3, dtype=torch.float64), mask[..., None], 1e9)
    return {"x": x.permute(2, 0, 1).contiguous().permute(1, 2, 0), "mask": mask.T.contiguous().T}


@masked_mean.no_loop_over("batch or seq")
def _(draw, size):
    mask = padded_right([draw.integer(1, size)], size).expand(size, size)  # stretched: a key keeps one row
    return {"x": draw.normal(1, 1, 2).expand(size, size, 2), "mask": mask}


def total(x, mask):
    return x.masked_fill(~mask[..., None], 0).sum(dim=1)


def count(mask):
    return mask.sum(dim=1, keepdim=True)


@masked_mean.misconception
def mask_not_used(x, mask):
    """Yours is the plain mean: padding is added up, and counted."""
    return x.mean(dim=1)


@masked_mean.misconception
def divided_by_all_places(x, mask):
    """Your sum leaves padding out, and is divided by all places all the same. So a sentence's mean shrinks as its row
    gets longer: by how many is it to be divided?"""
    return total(x, mask) / x.shape[1]


@masked_mean.misconception
def not_divided(x, mask):
    """Yours is the sum of the real vectors. A mean is divided by how many there are."""
    return total(x, mask)


@masked_mean.misconception
def mean_of_padding(x, mask):
    """Yours is the mean of the padding. The mask is True on real tokens, and masked_fill writes where *its* mask is
    True."""
    return total(x, ~mask) / count(~mask).clamp(min=1)


@masked_mean.misconception
def nan_for_padding_alone(x, mask):
    """Yours is right but for a row of padding alone, where it divides 0 by 0. One such NaN makes the loss of the whole
    batch NaN."""
    return total(x, mask) / count(mask)


@masked_mean.misconception
def nan_on_both_ways(x, mask):
    """Yours is right but for a row of padding alone, where it divides 0 by 0: the mean is NaN, and so are the gradients
    of that row. One such NaN makes the loss of the whole batch NaN."""
    return (x * mask[..., None]).sum(dim=1) / count(mask)


@masked_mean.misconception
def nan_in_the_gradient(x, mask):
    """Your means are right. But a row of padding alone is divided by 0 on the way, and wiping the NaN off the result
    does not wipe it off the gradient. Nothing may be divided by 0 to begin with."""
    return (x * mask[..., None]).sum(dim=1).div(count(mask)).nan_to_num(0.0)


@masked_mean.misconception
def one_added_to_the_count(x, mask):
    """Yours divides by one more than there are, so that it is never 0. That changes every other row too."""
    return total(x, mask) / (count(mask) + 1)


@masked_mean.misconception
def one_word_divided_by_two(x, mask):
    """Yours divides a sentence of a single word by 2: clamp lifts every count that is below its `min`. What may not be
    divided by is 0 alone."""
    return total(x, mask) / count(mask).clamp(min=2)


@masked_mean.misconception
def words_that_are_not_zero(x, mask):
    """Yours counts the vectors that are not zero. A word's vector may be zero, and it counts all the same: the mask
    knows which ones are real."""
    kept = x.masked_fill(~mask[..., None], 0)
    return kept.sum(dim=1) / (kept != 0).any(dim=-1).sum(dim=1, keepdim=True).clamp(min=1)


@masked_mean.misconception
def one_count_for_all(x, mask):
    """Yours divides every row by one number, the mean of all counts. Each sentence has a count of its own."""
    return total(x, mask) / count(mask).to(x.dtype).mean()


@masked_mean.misconception
def all_words_of_the_batch(x, mask):
    """Yours divides every row by the real tokens of the whole batch. Each sentence is divided by its own."""
    return total(x, mask) / mask.sum()


@masked_mean.misconception
def one_mean_for_all(x, mask):
    """Yours gives every sentence the mean of all real tokens of the batch. x[mask] puts them one behind the other, and
    whose they are is lost: each sentence has a mean of its own."""
    return x[mask].mean(dim=0).expand(len(x), -1)


@masked_mean.misconception
def words_on_the_left(x, mask):
    """Yours counts a row's real tokens and takes as many from the left. On rows that are padded on the left, or in
    between, those are others."""
    return total(x, padded_right(mask.sum(dim=1), x.shape[1])) / count(mask).clamp(min=1)


@masked_mean.misconception
def padding_taken_off_again(x, mask):
    """Yours adds up everything and takes the padding off again. Where padding is large, what is real is lost in the
    rounding of the first sum."""
    return (x.sum(dim=1) - total(x, ~mask)) / count(mask).clamp(min=1)


@masked_mean.misconception
def gradient_for_padding(x, mask):
    """Your means are right, but the gradient takes padding for real: it reaches what lies there as if padding had been
    added up. Whatever has no part in a result has a gradient of 0."""
    wiped = x + (x.masked_fill(~mask[..., None], 0) - x).detach()
    return wiped.sum(dim=1) / count(mask).clamp(min=1)


@masked_mean.misconception
def over_the_features(x, mask):
    """Yours is the mean of each vector's numbers, one for each token. It is the tokens that are averaged away."""
    return x.masked_fill(~mask[..., None], 0).mean(dim=2)


@masked_mean.misconception
def in_single_precision(x, mask):
    """Yours is in single precision, whatever x is: mask.float() made it so. The result has x's dtype."""
    real = mask[..., None].float()
    return (x.float() * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)


@masked_mean.misconception
def padding_wiped_in_place(x, mask):
    """Yours writes zeros into x itself, and x is the caller's: its padding is gone, and where x is to be trained torch
    refuses. masked_fill and torch.where make a new tensor; assignments to x[...] do not."""
    x[~mask] = 0
    return x.sum(dim=1) / count(mask).clamp(min=1)


@masked_mean.misconception
def detached(x, mask):
    """Your means are right, and no gradient reaches x: nothing before this could learn."""
    return (total(x, mask) / count(mask).clamp(min=1)).detach()


@masked_mean.variant
def by_letters(x, mask):
    weights = mask.to(x.dtype)
    weights = weights / weights.sum(1, keepdim=True).clamp(min=1)
    return torch.einsum("bsf,bs->bf", x, weights)


@masked_mean.variant
def by_a_product_of_matrices(x, mask):
    real = mask.unsqueeze(1).type_as(x)
    n = real.sum(-1)
    return torch.bmm(real, x).squeeze(1) / torch.where(n > 0, n, torch.ones_like(n))


@masked_mean.variant
def by_choosing(x, mask):
    batch, _, feature = x.shape
    row = torch.arange(batch)[:, None].expand(mask.shape)[mask]
    sums = x.new_zeros(batch, feature).index_add(0, row, x[mask])
    return sums / torch.bincount(row, minlength=batch).clamp(min=1)[:, None]


@masked_mean.variant
def in_double_precision(x, mask):
    chosen = torch.where(mask.unsqueeze(-1), x.double(), 0.0)
    return (chosen.sum(1) / mask.double().sum(1).add(1e-12).unsqueeze(-1)).to(x.dtype)


# ---- masked_softmax --------------------------------------------------------------------------------------------------

masked_softmax = Exercise(
    "masked_softmax",
    points=3,
    hints=[
        "Which score becomes a weight of 0, so that the others share the whole? And is there such a number in half "
        "precision too?",
        "Fill the masked scores before the softmax with the lowest number that their dtype has; torch.finfo knows it. "
        "What does the softmax make of a row in which all scores are that number?",
        "scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(dim=-1), and then 0 filled in where the mask "
        "is False: that changes rows alone in which all is masked.",
    ],
)


def some_of_each(draw, *shape):
    """A mask in whose rows some are real and some are not, not the same ones in each row."""
    mask = draw.booleans(*shape, true=0.6)
    first = draw.integers(0, shape[-1] - 1, *shape[:-1], 1)
    mask.scatter_(-1, first, True)
    return mask.scatter_(-1, (first + 1) % shape[-1], False)


@masked_softmax.case("two rows", probe="gradients")
def _(draw):
    mask = padded_right([3, 2], 4)
    return {"scores": anything(draw, draw.normal(2, 4), mask, 3), "mask": mask}


@masked_softmax.case("scores of attention, a mask of padding", probe="gradients")
def _(draw):
    mask = padded_right([draw.integer(2, 4), 6], 6)[:, None, None]
    return {"scores": anything(draw, draw.normal(2, 3, 4, 6), mask, 5), "mask": mask}


@masked_softmax.case("large numbers on padding", probe="gradients")
def _(draw):
    mask = some_of_each(draw, 3, 5)
    return {"scores": anything(draw, draw.normal(3, 5), mask), "mask": mask}


@masked_softmax.case("a row that is masked from end to end", probe="gradients")
def _(draw):
    mask = some_of_each(draw, 2, 3, 5)
    mask[0, 1] = False
    return {"scores": anything(draw, draw.normal(2, 3, 5), mask), "mask": mask}


@masked_softmax.case("padding and the future, in one mask", probe="gradients")
def _(draw):
    mask = padded_left([draw.integer(2, 3), 5], 5)[:, None, None] & torch.ones(5, 5, dtype=torch.bool).tril()
    return {"scores": anything(draw, draw.normal(2, 3, 5, 5), mask, 1e4), "mask": mask}


@masked_softmax.case("real scores that are large, too", probe="gradients")
def _(draw):
    mask = some_of_each(draw, 5, 6)
    mask[4] = torch.arange(6) == draw.integer(1, 4)
    level = torch.tensor([[-30_000.0], [draw.integer(-20_000, -15_000)], [29_000.0], [200.0], [-30_000.0]])
    apart = torch.tensor([[50.0], [50.0], [50.0], [0.5], [0.0]])  # far, so that no rounding of 30000 shows
    steps = torch.stack([draw.permutation(6) for _ in range(5)]) * apart
    return {"scores": anything(draw, level + steps, mask), "mask": mask}


@masked_softmax.case("one mask for all rows", probe="gradients")
def _(draw):
    mask = some_of_each(draw, 6)
    return {"scores": anything(draw, draw.normal(2, 3, 6), mask, 10), "mask": mask}


@masked_softmax.case("a mask that hides whole rows", probe="gradients")
def _(draw):
    mask = torch.tensor([[True], [False], [True]])
    return {"scores": anything(draw, draw.normal(2, 3, 4), mask, 100), "mask": mask}


@masked_softmax.case("a single axis")
def _(draw):
    mask = some_of_each(draw, 7)
    return {"scores": anything(draw, draw.normal(7), mask, 50), "mask": mask}


@masked_softmax.case("one score")
def _(draw):
    return {"scores": draw.normal(1, 1), "mask": torch.ones(1, 1, dtype=torch.bool)}


@masked_softmax.case("nothing masked")
def _(draw):
    return {"scores": draw.normal(3, 4, std=2.0), "mask": torch.ones(3, 4, dtype=torch.bool)}


def same_scores(draw, src):
    """The same rows in every case and for every seed, among `src` sources."""
    scores = F.pad(Draw(18, "masked_softmax", "scores").normal(2, 3, 4), (0, src - 4))
    mask = padded_right([4, 2], src)[:, None]
    return {"scores": anything(draw, scores, mask, 1e12), "mask": mask}


@masked_softmax.case("two sentences in 5 places", probe="gradients")
def _(draw):
    return same_scores(draw, 5)


@masked_softmax.case("the same two, padded further", probe="gradients")
def _(draw):
    return same_scores(draw, draw.integer(12, 16))


@masked_softmax.case("half precision, with a row that is masked from end to end", probe="gradients")
def _(draw):
    mask = some_of_each(draw, 3, 6)
    mask[1] = False
    scores = anything(draw, draw.normal(3, 6, dtype=torch.float16), mask, 3e4)
    scores[1] = scores[1].abs()
    return {"scores": scores, "mask": mask}


@masked_softmax.case("double precision, views", probe="gradients")
def _(draw):
    mask = some_of_each(draw, 2, 3, 5)
    scores = anything(draw, draw.normal(2, 3, 5, dtype=torch.float64), mask, 1e9)
    return {
        "scores": scores.transpose(0, 2).contiguous().transpose(0, 2),
        "mask": mask.transpose(1, 2).contiguous().transpose(1, 2),
    }


@masked_softmax.no_loop_over("lead or src")
def _(draw, size):
    scores = draw.normal(1, size).expand(size, size)  # stretched: a key keeps one row
    return {"scores": scores, "mask": some_of_each(draw, 1, size).expand(size, size)}


def shares(scores, mask, fill=None, dim=-1, emptied=True):
    """A right softmax, to be spoiled in one place."""
    weights = scores.masked_fill(~mask, lowest(scores) if fill is None else fill).softmax(dim=dim)
    return weights.masked_fill(~mask, 0) if emptied else weights


def added(scores, mask, hidden):
    """A mask that is added to scores: 0 where they are real, `hidden` where not."""
    return torch.zeros(mask.shape, dtype=scores.dtype).masked_fill(~mask, hidden)


@masked_softmax.misconception
def masked_afterwards(scores, mask):
    """Yours takes the softmax of everything and sets masked weights to 0 afterwards. What they had is gone: the weights
    that are left no longer sum to one."""
    return scores.softmax(dim=-1).masked_fill(~mask, 0)


@masked_softmax.misconception
def shared_out_again(scores, mask):
    """Yours takes the softmax of everything, sets masked weights to 0, and divides by what is left. Where padding has
    the largest score there is nothing left to divide: the real weights were rounded to 0 before."""
    weights = scores.softmax(dim=-1) * mask
    return weights / (weights.sum(dim=-1, keepdim=True) + 1e-9)


@masked_softmax.misconception
def masked_scores_of_zero(scores, mask):
    """Yours gives what is masked the score 0. That is an ordinary one: e⁰ is 1, and takes its share from the others."""
    return shares(scores, mask, fill=0)


@masked_softmax.misconception
def masked_scores_of_zero_share(scores, mask):
    """Yours gives what is masked the score 0, as multiplying scores by the mask does. That is an ordinary one: e⁰ is 1,
    so padding still has a weight."""
    return shares(scores, mask, fill=0, emptied=False)


@masked_softmax.misconception
def even_shares(scores, mask):
    """Yours is right but for a row that is masked from end to end: there all scores are the same lowest number, and the
    softmax gives each an even share. Zeros were asked for."""
    return shares(scores, mask, emptied=False)


@masked_softmax.misconception
def nan_for_padding_alone_in_a_row(scores, mask):
    """Yours is right but for a row that is masked from end to end: the softmax computes −∞ − (−∞) there, and all of the
    row is NaN. Zeros were asked for."""
    return shares(scores, mask, fill=-torch.inf, emptied=False)


@masked_softmax.misconception
def nan_on_the_way_back(scores, mask):
    """Your weights are right, but where a row is masked from end to end the gradient is NaN. The NaN that is wiped off
    the weights comes back on the way backward: a −∞ that is *added* to the scores lets it pass."""
    return (scores + added(scores, mask, -torch.inf)).softmax(dim=-1).nan_to_num(0.0)


@masked_softmax.misconception
def too_low_for_half_precision(scores, mask):
    """Yours is right in single precision. Half precision has no number as low as the one you fill with: its lowest is
    −65504, and torch.finfo knows that of any dtype."""
    return shares(scores, mask, fill=-1e9)


@masked_softmax.misconception
def too_low_and_even_shares(scores, mask):
    """Half precision has no number as low as the one you fill with; torch.finfo knows the lowest of any dtype. And a
    row that is masked from end to end gets even shares, where zeros were asked for."""
    return shares(scores, mask, fill=-1e9, emptied=False)


@masked_softmax.misconception
def not_low_enough(scores, mask):
    """Yours fills masked scores with a number that is low, and not low enough: real scores may be lower still, and then
    the padding wins. Fill with the lowest number that there is."""
    return shares(scores, mask, fill=-1e4)


@masked_softmax.misconception
def a_billion_taken_off(scores, mask):
    """Yours takes a large number off the scores that are masked. What lies there may be larger than that number, and
    wins the softmax then: write over it."""
    return (scores - 1e9 * ~mask).softmax(dim=-1) * mask


@masked_softmax.misconception
def a_billion_taken_off_and_the_dtype_kept(scores, mask):
    """Yours takes a large number off the scores that are masked. What lies there may be larger than that number, and
    wins the softmax then, whatever is set to 0 afterwards: write over it."""
    return ((scores - 1e9 * ~mask).softmax(dim=-1) * mask).to(scores.dtype)


@masked_softmax.misconception
def a_billion_taken_off_in_single_precision(scores, mask):
    """Yours takes a large number off the scores that are masked. What lies there may be larger than that number, and
    wins the softmax then: write over it. And yours computes in single precision, which rounds scores that came in
    double."""
    return ((scores.float() - 1e9 * ~mask).softmax(dim=-1) * mask).to(scores.dtype)


@masked_softmax.misconception
def divided_by_nothing(scores, mask):
    """Yours lets padding take part in the softmax, sets its weights to 0, and divides by what is left. Where padding
    has the largest score the real weights were rounded to 0 before, and where all is masked there are none: 0 divided
    by 0 is NaN."""
    weights = scores.softmax(dim=-1) * mask
    return weights / weights.sum(dim=-1, keepdim=True)


@masked_softmax.misconception
def e_to_whatever_comes(scores, mask):
    """Yours takes e to the scores as they are. Single precision ends at e⁸⁸: beyond that there is ∞, and ∞ divided by ∞
    is NaN. A softmax first takes off the largest of the real ones."""
    raised = scores.masked_fill(~mask, lowest(scores)).exp()
    summed = raised.sum(dim=-1, keepdim=True)
    return raised / summed.masked_fill(summed == 0, 1)


@masked_softmax.misconception
def over_the_rows(scores, mask):
    """Your softmax goes down the first axis: columns sum to one. Each row shares out among its sources, the last
    axis."""
    return shares(scores, mask, dim=0)


@masked_softmax.misconception
def mask_the_other_way_around(scores, mask):
    """Yours weighs the padding and hides what is real. masked_fill writes where *its* mask is True, and yours is True
    on real tokens."""
    return shares(scores, ~mask)


@masked_softmax.misconception
def no_mask_at_all(scores, mask):
    """Yours is the plain softmax, mask or no mask."""
    return scores.softmax(dim=-1)


@masked_softmax.misconception
def logarithms(scores, mask):
    """Yours are the logarithms of the weights. The weights themselves are asked for: they are not negative, and sum to
    one."""
    return scores.masked_fill(~mask, lowest(scores)).log_softmax(dim=-1).masked_fill(~mask, 0)


@masked_softmax.misconception
def always_single_precision(scores, mask):
    """Your weights are in single precision, whatever the scores are. Computing in it is fine; the result has the dtype
    of the scores."""
    return shares(scores.float(), mask)


@masked_softmax.misconception
def written_into_the_scores(scores, mask):
    """Yours writes into the scores that you were given, and they are the caller's: where they are to be differentiated
    torch refuses. Methods that end in an underscore change the tensor itself; masked_fill makes a new one."""
    scores.masked_fill_(~mask, lowest(scores))
    return shares(scores, mask)


@masked_softmax.misconception
def one_hot_of_the_largest(scores, mask):
    """Yours gives all to the largest score. A softmax gives each its share: e to it, divided by the sum."""
    kept = scores.masked_fill(~mask, lowest(scores))
    return torch.zeros_like(kept).scatter(-1, kept.argmax(dim=-1, keepdim=True), 1).masked_fill(~mask, 0)


@masked_softmax.variant
def by_infinity(scores, mask):
    weights = torch.where(mask, scores, -torch.inf).softmax(-1)
    return torch.where(mask, weights, torch.zeros((), dtype=weights.dtype))


@masked_softmax.variant
def by_hand(scores, mask):
    real = mask.expand(scores.shape)
    top = scores.masked_fill(~real, -torch.inf).amax(-1, keepdim=True)
    shifted = torch.where(real, scores - top.nan_to_num(neginf=0), 0)
    raised = shifted.exp() * real
    return raised / raised.sum(-1, keepdim=True).clamp(min=0.5)


@masked_softmax.variant
def in_double(scores, mask):
    hidden = ~mask.broadcast_to(scores.shape)
    wide = scores.double().masked_fill(hidden, -1e300)
    return F.softmax(wide, dim=wide.dim() - 1).masked_fill(hidden, 0).type_as(scores)


@masked_softmax.variant
def by_replacing_and_adding(scores, mask):
    kept = scores * mask + added(scores, mask, lowest(scores))
    return kept.softmax(dim=-1) * mask


# ---- masked_cross_entropy --------------------------------------------------------------------------------------------

masked_cross_entropy = Exercise(
    "masked_cross_entropy",
    points=3,
    forbids=["ignore_index"],
    hints=[
        "What would the loss be of a single token, and of two? Which tokens are summed over, and what is the sum "
        "divided by?",
        "log_softmax gives the logarithms of all probabilities at once; gather picks those of the targets. But −100 is "
        "no word to pick: leave padding out before, or put some word in its place and leave out what comes of it.",
        "With is_real = targets != pad_id, logits[is_real] has the shape (real tokens, vocab), and targets[is_real] a "
        "word for each. The mean of what gather picks, times −1.",
    ],
)


def guesses(draw, lengths, seq, vocab, pad_id, size=HUGE, left=False, dtype=torch.float32, std=1.5):
    real = (padded_left if left else padded_right)(lengths, seq)
    logits = anything(draw, draw.normal(len(lengths), seq, vocab, std=std, dtype=dtype), real[..., None], size)
    words = draw.integers(0, vocab - 2, len(lengths), seq)
    if 0 <= pad_id < vocab:
        words += (words >= pad_id).long()
    return {"logits": logits, "targets": words.masked_fill(~real, pad_id), "pad_id": pad_id}


@masked_cross_entropy.case("padding is 0", probe="gradients")
def _(draw):
    return guesses(draw, [2, 4], 5, 6, 0, size=3)


@masked_cross_entropy.case("padding is another word, and 0 is a real one", probe="gradients")
def _(draw):
    drawn = guesses(draw, [4, 2, draw.integer(3, 5)], 6, 4, draw.integer(1, 3), size=5)
    drawn["targets"][:, 0] = drawn["targets"][0, 2] = 0
    return drawn


@masked_cross_entropy.case("padding is -100", probe="gradients")
def _(draw):
    drawn = guesses(draw, [draw.integer(2, 4), 6, 1], 7, 5, -100, size=4)
    drawn["targets"][1, 1] = 0
    return drawn


@masked_cross_entropy.case("large numbers on padding, and a row of padding alone", probe="gradients")
def _(draw):
    return guesses(draw, [3, 0, draw.integer(1, 5), 2], 6, 7, 5)


@masked_cross_entropy.case("padding is -1, on the left", probe="gradients")
def _(draw):
    return guesses(draw, [draw.integer(2, 3), 5], 5, 8, -1, size=1e9, left=True)


@masked_cross_entropy.case("as many tokens as words", probe="gradients")
def _(draw):
    return guesses(draw, [2, 4, 3], 4, 4, draw.integer(0, 3), size=10)


@masked_cross_entropy.case("one long sentence and several of a single word", probe="gradients")
def _(draw):
    return guesses(draw, [9, 1, 1, 1], 9, 3, -100, size=2, std=3.0)


@masked_cross_entropy.case("real logits that are large, too", probe="gradients")
def _(draw):
    drawn = guesses(draw, [3, draw.integer(4, 5)], 6, 5, 2, std=0.0)
    offsets = torch.tensor([[[-300.0]], [[300.0]]])
    real = (drawn["targets"] != 2)[..., None]
    drawn["logits"] = torch.where(real, draw.integers(-200, 200, 2, 6, 5) / 2 + offsets, drawn["logits"])
    return drawn


@masked_cross_entropy.case("one token")
def _(draw):
    return {"logits": draw.normal(1, 1, 3), "targets": draw.integers(1, 2, 1, 1), "pad_id": 0}


def same_guesses(draw, seq):
    """The same two sentences in every case and for every seed, in `seq` places."""
    shared = Draw(18, "masked_cross_entropy", "logits")
    real = padded_right([4, 2], seq)
    logits = F.pad(shared.normal(2, 4, 5), (0, 0, 0, seq - 4))
    targets = F.pad(shared.integers(0, 3, 2, 4), (0, seq - 4)).masked_fill(~real, 4)
    return {"logits": anything(draw, logits, real[..., None], 1e12), "targets": targets, "pad_id": 4}


@masked_cross_entropy.case("two sentences in 5 places", probe="gradients")
def _(draw):
    return same_guesses(draw, 5)


@masked_cross_entropy.case("the same two, padded further", probe="gradients")
def _(draw):
    return same_guesses(draw, draw.integer(12, 16))


@masked_cross_entropy.case("half precision, with a row of padding alone", probe="gradients")
def _(draw):
    return guesses(draw, [draw.integer(2, 4), 0, 3], 5, 6, -100, size=3e4, dtype=torch.float16)


@masked_cross_entropy.case("double precision, views", probe="gradients")
def _(draw):
    drawn = guesses(draw, [4, draw.integer(1, 3)], 4, 7, 1, size=1e9, dtype=torch.float64)
    logits = drawn["logits"].transpose(1, 2).contiguous().transpose(1, 2)
    return {**drawn, "logits": logits, "targets": drawn["targets"].T.contiguous().T}


@masked_cross_entropy.no_loop_over("batch or seq")
def _(draw, size):
    logits = draw.normal(1, 1, 3).expand(size, size, 3)  # stretched: a key keeps one row of it
    return {"logits": logits, "targets": draw.integers(0, 2, 1, size).expand(size, size), "pad_id": -100}


def losses(logits, targets, dim=-1):
    """The loss of each token, that of word 0 where there is none of the target's number."""
    known = targets.clamp(min=0, max=logits.shape[-1] - 1)
    return -logits.log_softmax(dim=dim).gather(-1, known[..., None])[..., 0]


def mean_where(each, real):
    return each.masked_fill(~real, 0).sum() / real.sum()


@masked_cross_entropy.misconception
def padding_is_a_word(logits, targets, pad_id):
    """Yours is the mean over all tokens: padding counts as a word to be guessed. A model learns from that to say
    "padding", and its loss looks good."""
    return losses(logits, targets).mean()


@masked_cross_entropy.misconception
def divided_by_all_tokens(logits, targets, pad_id):
    """Your sum leaves padding out, and is divided by all tokens all the same. So more padding makes the loss smaller:
    by how many is it to be divided?"""
    return losses(logits, targets).masked_fill(targets == pad_id, 0).mean()


@masked_cross_entropy.misconception
def mean_of_means(logits, targets, pad_id):
    """Yours is the mean of the sentences' means: a word of a short sentence counts more than one of a long one. Each
    token counts alike."""
    real = targets != pad_id
    counts = real.sum(dim=1)
    means = losses(logits, targets).masked_fill(~real, 0).sum(dim=1) / counts.clamp(min=1)
    return means.sum() / (counts > 0).sum()


@masked_cross_entropy.misconception
def mean_of_all_rows(logits, targets, pad_id):
    """Yours is the mean of the rows' means, those of padding alone included: a word of a short sentence counts more
    than one of a long one, and a row without words counts as a loss of 0. Each token counts alike."""
    real = targets != pad_id
    return (losses(logits, targets).masked_fill(~real, 0).sum(dim=1) / real.sum(dim=1).clamp(min=1)).mean()


@masked_cross_entropy.misconception
def summed_up(logits, targets, pad_id):
    """Yours is the sum of the losses. The mean is asked for: divided by how many tokens are real."""
    return losses(logits, targets).masked_fill(targets == pad_id, 0).sum()


@masked_cross_entropy.misconception
def divided_by_the_sentences(logits, targets, pad_id):
    """Yours divides by the number of sentences. Each real token counts alike: by how many of those?"""
    return losses(logits, targets).masked_fill(targets == pad_id, 0).sum() / len(targets)


@masked_cross_entropy.misconception
def zero_is_always_padding(logits, targets, pad_id):
    """Yours leaves out the targets that are 0, whatever pad_id says."""
    return mean_where(losses(logits, targets), targets != 0)


@masked_cross_entropy.misconception
def negative_ids_are_padding(logits, targets, pad_id):
    """Yours leaves out what is negative. pad_id may be one of the vocabulary's ids, and then it is no word to be
    guessed either."""
    return mean_where(losses(logits, targets), targets >= 0)


@masked_cross_entropy.misconception
def logits_zeroed(logits, targets, pad_id):
    """Yours sets the logits of padding to 0 and goes on with all tokens. Zeros are logits too: they say that all words
    are equally likely, and cost log(vocab) each. It is the loss that is to be left out."""
    return losses(logits.masked_fill((targets == pad_id)[..., None], 0), targets).mean()


@masked_cross_entropy.misconception
def padding_alone(logits, targets, pad_id):
    """Yours is the mean over the padding, and leaves out what is real. Look at which way your comparison goes."""
    return mean_where(losses(logits, targets), targets == pad_id)


@masked_cross_entropy.misconception
def log_of_a_softmax(logits, targets, pad_id):
    """Yours takes the softmax first and its logarithm then. A probability below 10⁻⁴⁵ is rounded to 0, and the
    logarithm of 0 is −∞. log_softmax does both in one, and never gets there."""
    real = targets != pad_id
    probabilities = logits[real].softmax(dim=-1)
    return -probabilities.gather(-1, targets[real][:, None]).log().mean()


@masked_cross_entropy.misconception
def small_number_in_the_logarithm(logits, targets, pad_id):
    """Yours adds a small number to the probabilities before it takes the logarithm. That hides the ∞, and the loss of
    what is truly unlikely: it never gets above a certain size. log_softmax needs no such help."""
    real = targets != pad_id
    probabilities = logits[real].softmax(dim=-1)
    return -(probabilities.gather(-1, targets[real][:, None]) + 1e-9).log().mean()


@masked_cross_entropy.misconception
def e_to_large_logits(logits, targets, pad_id):
    """Yours takes e to the logits as they are. Single precision ends at e⁸⁸, and beyond it there is ∞: log_softmax and
    logsumexp take the largest off first."""
    real = targets != pad_id
    kept = logits[real]
    return (kept.exp().sum(dim=-1).log() - kept.gather(-1, targets[real][:, None])[:, 0]).mean()


@masked_cross_entropy.misconception
def over_all_real_tokens(logits, targets, pad_id):
    """Your softmax goes over the real tokens, not over the words. logits[is_real] has the shape (real tokens, vocab):
    which axis is it?"""
    real = targets != pad_id
    return -logits[real].log_softmax(dim=0).gather(-1, targets[real][:, None]).mean()


@masked_cross_entropy.misconception
def zero_times_infinity(logits, targets, pad_id):
    """Yours takes the logarithm of every probability, padding's too, and multiplies by 0 where it is padding. On
    padding a probability may be 0, its logarithm −∞, and 0 times that is NaN."""
    real = targets != pad_id
    known = targets.clamp(min=0)
    return -(logits.softmax(dim=-1).gather(-1, known[..., None])[..., 0].log() * real).sum() / real.sum()


@masked_cross_entropy.misconception
def nan_under_a_where(logits, targets, pad_id):
    """Your loss is right where logits are small. But on padding the logarithm of 0 is taken, and `where` hides it on
    the way forward alone: the gradient is 0 times ∞, NaN. log_softmax never gets there."""
    real = targets != pad_id
    known = targets.clamp(min=0)
    each = logits.softmax(dim=-1).gather(-1, known[..., None])[..., 0].log()
    return -torch.where(real, each, 0).sum() / real.sum()


@masked_cross_entropy.misconception
def over_the_tokens(logits, targets, pad_id):
    """Your softmax is over the tokens of a sentence. Each token has a guess of its own, over the words: which axis is
    the vocabulary?"""
    return mean_where(losses(logits, targets, dim=1), targets != pad_id)


@masked_cross_entropy.misconception
def over_the_tokens_with_padding_zeroed(logits, targets, pad_id):
    """Your softmax is over the tokens of a sentence, and the zeros that you put on padding have their share in it. Each
    token has a guess of its own, over the words: which axis is the vocabulary?"""
    real = targets != pad_id
    return mean_where(losses(logits.masked_fill(~real[..., None], 0), targets, dim=1), real)


@masked_cross_entropy.misconception
def classes_on_the_second_axis(logits, targets, pad_id):
    """F.cross_entropy takes the second axis for the classes, and yours is that of the tokens. Mostly that is an error;
    with as many tokens as words it runs. Turn the axes, or make one of batch and seq."""
    real = targets != pad_id
    each = F.cross_entropy(logits, targets.clamp(min=0), reduction="none")
    return each.masked_fill(~real, 0).sum() / real.sum()


@masked_cross_entropy.misconception
def sign_left_out(logits, targets, pad_id):
    """Yours is the mean of the logarithms themselves, which are negative. A loss is what is to become small: minus
    that."""
    return -mean_where(losses(logits, targets), targets != pad_id)


@masked_cross_entropy.misconception
def logits_as_they_are(logits, targets, pad_id):
    """Yours picks the logits of the targets, without a softmax. A logit says nothing by itself: it is what the others
    have that makes it likely or not."""
    known = targets.clamp(min=0)
    return mean_where(-logits.gather(-1, known[..., None])[..., 0], targets != pad_id)


@masked_cross_entropy.misconception
def minus_one_hundred_needs_help(logits, targets, pad_id):
    """Yours takes a target for a word before it asks whether it is padding. −100 is no word, and torch raises an error:
    put some word in its place first, or leave padding out first."""
    each = -logits.log_softmax(dim=-1).gather(-1, targets[..., None])[..., 0]
    return mean_where(each, targets != pad_id)


@masked_cross_entropy.misconception
def a_loss_for_each_row(logits, targets, pad_id):
    """Yours gives a loss for each sentence. One number for the whole batch is asked for."""
    real = targets != pad_id
    return losses(logits, targets).masked_fill(~real, 0).sum(dim=1) / real.sum(dim=1).clamp(min=1)


@masked_cross_entropy.misconception
def a_loss_in_single_precision(logits, targets, pad_id):
    """Your loss is in single precision, whatever the logits are. Computing in it is fine; the result has their
    dtype."""
    return mean_where(losses(logits.float(), targets), targets != pad_id)


@masked_cross_entropy.variant
def by_torchs_own(logits, targets, pad_id):
    real = targets != pad_id
    safe = targets.masked_fill(~real, 0)
    each = F.cross_entropy(logits.transpose(1, 2), safe, reduction="none")
    return (each * real).sum() / real.sum()


@masked_cross_entropy.variant
def by_logsumexp(logits, targets, pad_id):
    real = (targets != pad_id).flatten()
    kept, words = logits.flatten(0, 1)[real], targets.flatten()[real]
    return (kept.logsumexp(dim=1) - kept[torch.arange(len(kept)), words]).mean()


@masked_cross_entropy.variant
def by_one_hot(logits, targets, pad_id):
    is_target = targets[..., None] == torch.arange(logits.shape[-1])
    counted = is_target & (targets != pad_id)[..., None]
    return -torch.where(counted, logits.log_softmax(-1), 0).sum() / counted.sum()


@masked_cross_entropy.variant
def of_what_is_real(logits, targets, pad_id):
    real = targets.ne(pad_id)
    return F.nll_loss(F.log_softmax(logits[real], dim=-1), targets[real])
