# %% [markdown]
# # 18 Padding: exercises
#
# Seven exercises. Sentences are of unequal length and a batch is one tensor, so the shorter ones are filled up. What
# they are filled up with means nothing, and must not count: not in a mean, not in a softmax, not in a loss, not in the
# number that tells a word where it stands. You build the batch, and then each of these so that padding cannot touch it.
#
# A mask is **True on real tokens**. What lies on padding is anybody's guess: in the checks it is often huge (up to
# 10³⁰), though never NaN or infinite. A right answer does not move when it does.
#
# Run `check(...)` below an exercise to see what is right and what is not; `hint(...)`, as in `hint(pad_batch)`, gives
# the next of its hints. The explanation is [the lesson 18_padding](../../lessons/18_padding.ipynb).

# %%
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor

from autograder import check, hint, ready

# %% [markdown]
# ## 1. Shapes first
#
# *Ten minutes, on paper.* The sentences of a batch have lengths of their own; the tensor that holds them has one for
# all. Before any code: which shape does each step have, from the tokens to the loss?


# %%
def shapes_of_padding(lengths: tuple[int, ...], d_model: int, vocab: int) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor on the way from sentences of these lengths to a loss.

    `is_real` is `tokens != pad_id`, and no token of a sentence equals `pad_id`. Answer with a tuple of ints for each;
    a tensor that holds one number and has no axes has the shape ().

    - "tokens": the sentences as one batch, a row for each, padded as far as the longest needs and no further
    - "mask": `is_real`, with axes of size 1 put in so that it lines up with scores of attention, of the shape (batch,
      heads, tgt, src), where the tokens are the sources; not stretched yet
    - "x": a vector of d_model numbers for each token, padding included
    - "column": `is_real`, with an axis of size 1 put in so that it lines up with `x`; not stretched yet
    - "means": for each sentence the mean of the vectors of its real tokens
    - "real": `x[is_real]`
    - "logits": a score for each of the vocab words, at each token, padding included
    - "losses": a loss for each token, padding included
    - "loss": the mean of the losses of all real tokens of the batch

    Example: for lengths=(3, 5, 2), d_model=4, vocab=9, "x" is (3, 5, 4).
    """
    ### BEGIN SOLUTION
    batch, max_len = len(lengths), max(lengths)
    return {
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
    ### END SOLUTION


# %%
check(shapes_of_padding)

# %% [markdown]
# ## 2. From a list to a batch
#
# *Ten minutes.* A list of sentences, each a tensor of ids, becomes one tensor. Which id stands for padding is up to
# whoever made the vocabulary: 0 in many, 1 in others, 50256 in GPT-2's, where it is an ordinary token as well.


# %%
def pad_batch(sequences: list[Int64[Tensor, "length"]], pad_id: int) -> Int64[Tensor, "batch max_len"]:
    """The sequences as the rows of one int64 tensor, in their order, filled up with `pad_id` on the right.

    The tensor is as wide as the longest sequence. The sequences are int64; some may be empty, but not all. `pad_id` is
    any number, and ids that equal it may stand in a sequence too: there they stay.

    Example: pad_batch([tensor([4, 7, 5]), tensor([8])], pad_id=1) is
        [[4, 7, 5],
         [8, 1, 1]]

    Rules: a loop over the sequences is fine, for they are a list. Neither the list nor its tensors are changed.
    Forbidden are torch.nn.utils.rnn.pad_sequence, and what does the same: pad_packed_sequence and nested tensors.
    """
    ### BEGIN SOLUTION
    max_len = max(len(sequence) for sequence in sequences)
    return torch.stack([F.pad(sequence, (0, max_len - len(sequence)), value=pad_id) for sequence in sequences])
    ### END SOLUTION


# %%
check(pad_batch)

# %% [markdown]
# ## 3. Which tokens are real
#
# *Five minutes.* From the batch alone: what is not padding is real. This is the mask that attention takes: its scores
# have the shape `(batch, heads, tgt, src)`, and whoever looks, at whatever head, no padding may be seen.


# %%
def padding_mask(tokens: Int[Tensor, "batch src"], pad_id: int) -> Bool[Tensor, "batch heads=1 tgt=1 src"]:
    """True on real tokens, False on padding: on every token that equals `pad_id`, wherever in its row it stands.

    The two axes of size 1 line the mask up with scores of shape (batch, heads, tgt, src). No other id means padding,
    0 and negative ones included, and a row may hold nothing else than padding.

    Example: padding_mask([[4, 0, 9], [7, 9, 9]], pad_id=9) is
        [[[[True, True,  False]]],
         [[[True, False, False]]]]

    Rules: no loops.
    """
    ### BEGIN SOLUTION
    is_padding = tokens == pad_id
    return ~is_padding[:, None, None, :]
    ### END SOLUTION


# %%
check(padding_mask)

# %% [markdown]
# ## 4. Where a word stands in its sentence
#
# *Ten minutes.* Models are told where each token stands, by a number from 0 on. Models that write are padded on the
# *left*, so that every sentence ends where the writing goes on. The third word of a sentence is its third word all the
# same, however much padding stands before it.


# %%
def position_ids(mask: Bool[Tensor, "batch seq"]) -> Int[Tensor, "batch seq"]:
    """The place of each real token among the real tokens of its row, counted from 0; and 0 on padding.

    `mask` is True on real tokens. Padding lies on the right of a row's tokens, or on their left, or is the whole row;
    there are no holes. int64, or any other signed integer dtype that holds the numbers.

    Example: position_ids([[True, True, True, False], [False, False, True, True]]) is
        [[0, 1, 2, 0],
         [0, 0, 0, 1]]

    Rules: no loops.
    """
    ### BEGIN SOLUTION
    counted = mask.cumsum(dim=1) - 1
    return counted.masked_fill(~mask, 0)
    ### END SOLUTION


# %%
check(position_ids)

# %% [markdown]
# ## 5. A mean of what is real
#
# *Ten minutes.* One vector for a whole sentence: the mean of its words' vectors. Many sentence embeddings are made so.
# The plain mean counts the padding too: in what is added up, and in what it is divided by.


# %%
def masked_mean(
    x: Float[Tensor, "batch seq feature"], mask: Bool[Tensor, "batch seq"]
) -> Float[Tensor, "batch feature"]:
    """For each row the mean of the vectors where `mask` is True.

    A row of padding alone gives zeros, not NaN. The result has x's dtype. What x holds on padding may be huge, never
    NaN; it changes nothing, its gradients are 0, and all gradients are finite, those of a row of padding alone too.

    Example: x [[[2., 8.], [4., 0.], [9., 9.]]] and mask [[True, True, False]] give [[3., 4.]].

    Rules: no loops over the batch or the sequence. Neither input is changed.
    """
    ### BEGIN SOLUTION
    real = mask[:, :, None]
    total = x.masked_fill(~real, 0).sum(dim=1)
    return total / real.sum(dim=1).clamp(min=1)
    ### END SOLUTION


# %%
check(masked_mean)

# %% [markdown]
# ## 6. A softmax over what is real
#
# *Fifteen minutes.* Attention shares out its weights with a softmax, and padding is to get none of them. A row in which
# everything is masked has nothing to share out: this course gives it zeros. One NaN would spread through the whole
# batch, and those that hide in gradients are found last.


# %%
def masked_softmax(scores: Float[Tensor, "*lead src"], mask: Bool[Tensor, "*lead src"]) -> Float[Tensor, "*lead src"]:
    """The softmax over the last axis, among the scores where `mask` is True; 0 where it is False.

    - `scores` may have any number of axes, one included. `mask` may have any shape that broadcasts to that of `scores`,
      such as (batch, 1, 1, src) for scores of shape (batch, heads, tgt, src).
    - A row that is masked from end to end gives zeros, not NaN.
    - Real scores lie between −30000 and 30000, half precision included, whose largest number is 65504. Masked scores
      may be huge, never NaN; they change nothing, their gradients are 0, and all gradients are finite.
    - The result has the dtype of `scores`.

    Example: scores [[2., 2., 9.], [5., 7., 1.]] and mask [[True, True, False], [False, False, False]] give
        [[0.5, 0.5, 0.],
         [0.,  0.,  0.]]

    Rules: no loops. Neither input is changed.
    """
    ### BEGIN SOLUTION
    lowest = torch.finfo(scores.dtype).min
    weights = scores.masked_fill(~mask, lowest).softmax(dim=-1)
    return weights.masked_fill(~mask, 0)
    ### END SOLUTION


# %%
check(masked_softmax)

# %% [markdown]
# ## 7. A loss of what is real
#
# *Twenty minutes.* At each token a model says how much it expects each word, and cross-entropy is the price for what it
# gave the right one. Padding has no right one. Here everything comes together: targets that are padding, sentences of
# unequal length, a sum and what to divide it by.


# %%
def masked_cross_entropy(
    logits: Float[Tensor, "batch seq vocab"], targets: Int[Tensor, "batch seq"], pad_id: int
) -> Float[Tensor, ""]:
    """The mean, over all real tokens of the batch, of minus the logarithm of the target's probability.

    - The probabilities at a token are the softmax of its logits over `vocab`. Targets are int64.
    - A token is padding where its target equals `pad_id`: one of the vocabulary's ids, or a negative number such as
      −100 that is none. At least one token is real. Each real token counts alike, whatever sentence it is from.
    - Logits of real tokens lie between −1000 and 1000. Those of padding may be huge, never NaN; they change nothing,
      their gradients are 0, and all gradients are finite.
    - The result is one number without axes, in the dtype of `logits`.

    Example: with logits [[[0., 0., 0.], [5., 7., 9.]]], targets [[2, 1]] and pad_id=1 the loss is log 3, 1.0986.

    Rules: no loops. Neither input is changed. Forbidden is the ignore_index of torch's losses (F.cross_entropy,
    F.nll_loss, their modules), its default of −100 included: no target that you give them may be equal to it. Else
    they are at hand, with reduction="none" for instance.
    """
    ### BEGIN SOLUTION
    is_real = targets != pad_id
    log_probabilities = logits[is_real].log_softmax(dim=-1)
    of_targets = log_probabilities.gather(-1, targets[is_real][:, None])
    return -of_targets.mean()
    ### END SOLUTION


# %%
check(masked_cross_entropy)

# %% [markdown]
# ## Your functions at work
#
# Python carries its own reference manual. The cell below takes a few hundred sentences from it, on text, on classes and
# on statements, and trains a small model on *your* functions to tell which of the three a sentence is about. Each word
# looks at the others through your softmax and votes, your loss teaches every word its sentence's subject, and the
# sentence's answer is your mean of the votes.
#
# It does so twice: once under your mask, and once with a mask that takes everything for real. Both learn from batches
# of about equally long sentences. Then one sentence is watched while padding is added, on its right and on its left. It
# takes a few seconds. What do you expect of the model that cannot tell padding from words?

# %%
# demonstration: the learner's own functions read sentences of unequal length, with and without their mask
if ready(pad_batch, padding_mask, position_ids, masked_mean, masked_softmax, masked_cross_entropy):
    import random
    import re
    from collections import Counter
    from pydoc_data.topics import topics

    import matplotlib.pyplot as plt
    from torch import nn

    torch.set_num_threads(1)  # a model this small gains nothing from more
    subjects = {
        "text": ["formatstrings", "string-methods", "strings"],
        "classes": ["specialnames", "customization", "attribute-access", "class", "typesmethods"],
        "statements": ["compound", "assignment", "import", "try", "with", "for", "raise", "execmodel"],
    }

    def sentences_of(chapter: str) -> set[str]:
        """A chapter's plain sentences, without marks, in lower case."""
        paragraphs = re.split(r"\n\s*\n", re.sub(r"[*`\"]", "", topics.get(chapter, "")))
        sentences = (part for text in paragraphs for part in re.split(r"(?<=[a-z)])\.\s+", " ".join(text.split())))
        plain = (sentence for sentence in sentences if re.fullmatch(r"[A-Z][a-z]+ [a-z][\w ,()'-]+\.?", sentence))
        return {" ".join(re.findall(r"\w+", sentence.lower())) for sentence in plain}

    chapters = [sorted(set().union(*map(sentences_of, names))) for names in subjects.values()]
    texts = [(text, subject) for subject, found in enumerate(chapters) for text in found if len(text.split()) > 3]
    random.Random(0).shuffle(texts)
    counts = Counter(word for text, _ in texts for word in text.split())
    words = ["·", "?", *sorted(word for word, count in counts.items() if count > 1)]
    numbers = {word: number for number, word in enumerate(words)}
    ids = [torch.tensor([numbers.get(word, 1) for word in text.split()]) for text, _ in texts]
    labels, new = torch.tensor([subject for _, subject in texts]), 150
    by_length = sorted(range(new, len(ids)), key=lambda i: len(ids[i]))

    class Reader(nn.Module):
        """Each word looks at the others and votes; the mean of the votes is the answer."""

        def __init__(self, masked: bool, width: int = 32) -> None:
            super().__init__()
            self.word, self.place, self.masked = nn.Embedding(len(words), width), nn.Embedding(400, width), masked
            self.look, self.vote = nn.Linear(width, width, bias=False), nn.Linear(width, len(subjects))

        def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
            mask = padding_mask(tokens, 0)
            mask = mask if self.masked else torch.ones_like(mask)
            x = self.word(tokens) + 0.3 * self.place(position_ids(mask[:, 0, 0]))
            scores = self.look(x) @ x.transpose(1, 2) / x.shape[2] ** 0.5
            votes = self.vote(x + masked_softmax(scores, mask[:, 0]) @ x)
            return masked_mean(votes, mask[:, 0, 0]), votes

    def train(masked: bool) -> Reader:
        """A reader after 250 batches, each of sentences that are about equally long."""
        torch.manual_seed(0)
        model = Reader(masked)
        optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
        for _ in range(250):
            start = int(torch.randint(len(by_length) - 31, ()))
            rows = by_length[start : start + 32]
            tokens = pad_batch([ids[i] for i in rows], pad_id=0)
            targets = labels[rows][:, None].expand(tokens.shape)
            if masked:
                targets = targets.masked_fill(tokens == 0, -100)
            loss = masked_cross_entropy(model(tokens)[1], targets, pad_id=-100)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return model.requires_grad_(False)

    readers = {"with your mask": train(masked=True), "without a mask": train(masked=False)}
    print(f"{len(texts)} sentences of {min(map(len, ids))} to {max(map(len, ids))} words; {new} of them are kept aside")
    together, alone = pad_batch(ids[:new], pad_id=0), {}
    for name, reader in readers.items():
        alone[name] = torch.cat([reader(each[None])[0] for each in ids[:new]])
        print(f"{name}: {(alone[name].argmax(dim=1) == labels[:new]).float().mean():.0%} right where each comes alone")
        for more in (0, 50, 300):
            answers = reader(F.pad(together, (0, more)))[0].argmax(dim=1)
            changed = int((answers != alone[name].argmax(dim=1)).sum())
            print(f"    all in one batch, {more:3} places more: {changed} of {new} answers have changed")

    steps = [0, 1, 2, 5, 10, 20, 50, 100, 300]
    far = readers["without a mask"](F.pad(together, (0, 300)))[0]
    before, after = (
        answers.softmax(dim=1)[torch.arange(new), labels[:new]] for answers in (alone["without a mask"], far)
    )
    watched = int((before - after).argmax())
    print(f"\nthe sentence that loses most, on {list(subjects)[labels[watched]]}: {texts[watched][0]}")
    figure, axes = plt.subplots(1, 2, figsize=(9, 2.8), sharey=True, facecolor="white")
    for axis, side in zip(axes, ("right", "left"), strict=True):
        for (name, reader), colour, marker in zip(readers.items(), ("#0072B2", "#D55E00"), "so", strict=True):
            rows = [F.pad(ids[watched], (0, more) if side == "right" else (more, 0)) for more in steps]
            chances = [reader(row[None])[0].softmax(dim=1)[0, labels[watched]].item() for row in rows]
            axis.plot(steps, chances, color=colour, marker=marker, label=name)
        axis.set(xscale="symlog", xlabel=f"places of padding on the {side}", ylim=(-0.05, 1.05))
        axis.set_xticks([0, 1, 10, 100], ["0", "1", "10", "100"])
    axes[0].set_ylabel("trust in the right subject")
    axes[1].legend(frameon=False)
    figure.tight_layout()
    plt.show()
