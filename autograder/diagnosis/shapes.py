"""Shapes: an axis that is missing, extra, exchanged, stretched, merged or one too large, in the exercise's names."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from autograder.axes import axis
from autograder.diagnosis.edits import Edit, apply, common_edits
from autograder.diagnosis.evidence import Evidence, Finding, Sample
from autograder.diagnosis.formulas import formula_finding
from autograder.diagnosis.quantities import named_sizes
from autograder.values import Outline


def shape_finding(evidence: Evidence) -> Finding | None:
    """The one change of shape that all wrong cases have in common."""
    wrong = [sample for sample in evidence.wrong if _has_shapes(sample)]
    if len(wrong) != len(evidence.wrong) or not all(_has_shapes(sample) for sample in evidence.right):
        return None
    changed = [sample for sample in wrong if sample.expected.shape != sample.yours.shape]
    edits = [
        edit
        for edit in common_edits([_sizes(sample) for sample in changed])
        # where the shape is right by chance, the change has to be one that does not show there
        if all(apply(edit.indices, edit.kind, *_sizes(sample)) for sample in evidence.samples if sample not in changed)
    ]
    if len(edits) == 1:
        return _SENTENCES[edits[0].kind](evidence, changed, edits[0])
    names = {changed[0].names[i] for edit in edits for i in edit.indices if edit.kind == "missing"}
    if len(names) == 1 and names != {""}:
        which = f"One of the {names.pop()} axes is missing in {evidence.what}."
        return Finding(which, "Which two tensors should meet, each with an axis of its own?")
    return _one_size(evidence, changed) if not edits else None


def _has_shapes(sample: Sample) -> bool:
    return isinstance(sample.expected, Tensor | Outline) and isinstance(sample.yours, Tensor | Outline)


def _sizes(sample: Sample) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(sample.expected.shape), tuple(sample.yours.shape)


def _exchanged(evidence: Evidence, samples: Sequence[Sample], edit: Edit) -> Finding:
    names = samples[0].names
    i, j = edit.indices
    sentence = f"In {evidence.what}, {axis(names, i)} and {axis(names, j)} are exchanged."
    look = f"`transpose({i}, {j})` exchanges them. Which axis comes first where the result is made?"
    if i == 0 and names[0] == "batch":
        look = f"The batch comes first here; some of torch's modules want {names[j]} first unless told otherwise."
    return Finding(sentence, look)


def _ordered(evidence: Evidence, samples: Sequence[Sample], edit: Edit) -> Finding:
    names = samples[0].names
    shown = ", ".join(names[i] or str(i) for i in edit.indices)
    back = tuple(edit.indices.index(i) for i in range(len(edit.indices)))
    return Finding(
        f"In {evidence.what} the axes stand in another order: ({shown}).",
        f"`permute{back}` would bring them into the order that is asked for.",
    )


def _missing(evidence: Evidence, samples: Sequence[Sample], edit: Edit) -> Finding:
    names = samples[0].names
    which = "the last axis" if edit.indices == (-1,) else " and ".join(axis(names, i) for i in edit.indices)
    verb = "is" if len(edit.indices) == 1 else "are"
    ones = all(sample.expected.shape[i] == 1 for sample in samples for i in edit.indices)
    brackets = "`None` between the brackets puts an axis of size 1 in; keepdim=True keeps one."
    look = brackets if ones else "`dim` names the axis that disappears; an index takes one away too."
    return Finding(f"{_capital(which)} {verb} missing in {evidence.what}.", look)


def _extra(evidence: Evidence, samples: Sequence[Sample], edit: Edit) -> Finding:
    if len(edit.indices) > 1:
        positions = " and ".join(str(i) for i in edit.indices)
        return Finding(
            f"{_capital(evidence.what)} has {len(edit.indices)} axes too many, at positions {positions}.",
            "Which step puts them in?",
        )
    (i,) = edit.indices
    if all(sample.yours.shape[i] == 1 for sample in samples):
        return Finding(
            f"{_capital(evidence.what)} has one axis too many, of size 1 {_at(i)}.",
            f"keepdim=True and `None` between the brackets make such an axis; `squeeze({i})` would take it away.",
        )
    name = _name_of([(sample, sample.yours.shape[i]) for sample in samples], samples[0].names)
    if name:
        return Finding(
            f"The {name} axis is still there in {evidence.what}, at position {i}.",
            f"Over which axis do you sum, average or choose? `dim={i}` would make this one disappear.",
        )
    return Finding(f"{_capital(evidence.what)} has one axis too many, at position {i}.", "Which step puts it in?")


def _at(index: int) -> str:
    return "at the end" if index < 0 else f"at position {index}"


def _merged(evidence: Evidence, samples: Sequence[Sample], edit: Edit) -> Finding:
    (i,) = edit.indices
    names = samples[0].names
    return Finding(
        f"In {evidence.what}, {axis(names, i)} and {axis(names, i + 1)} are merged into one.",
        "Where do you reshape or flatten?",
    )


def _split(evidence: Evidence, samples: Sequence[Sample], edit: Edit) -> Finding:
    (i,) = edit.indices
    return Finding(
        f"In {evidence.what}, {axis(samples[0].names, i)} is still split in two, at positions {i} and {i + 1}.",
        f"`flatten({i}, {i + 1})` makes one axis of two neighbours.",
    )


def _replaced(evidence: Evidence, samples: Sequence[Sample], edit: Edit) -> Finding | None:
    if len(edit.indices) > 1 and all(sample.yours.shape[i] == 1 for sample in samples for i in edit.indices):
        which = " and ".join(axis(samples[0].names, i) for i in edit.indices)
        return Finding(
            f"{_capital(which)} of {evidence.what} have size 1: they are not stretched to their full sizes, or were "
            "reduced.",
            "`expand` stretches axes of size 1; keepdim=True leaves them behind.",
        )
    if len(edit.indices) > 1:
        return _one_size(evidence, samples)
    return _one_axis(evidence, samples, edit.indices[0])


def _one_size(evidence: Evidence, samples: Sequence[Sample]) -> Finding | None:
    """Several axes that are all off by the same number, as in a square that is too large."""
    if not samples or any(len(sample.expected.shape) != len(sample.yours.shape) for sample in samples):
        return None
    off = {tuple(y - e for e, y in zip(sample.expected.shape, sample.yours.shape, strict=True)) for sample in samples}
    steps = off.pop()
    changed = [index for index, step in enumerate(steps) if step]
    if evidence.right or off or not changed or len({steps[index] for index in changed}) > 1 or len(samples) < 2:
        return None
    which = " and ".join(axis(samples[0].names, index) for index in changed)
    look = "Which argument of the layer decides these sizes?" if evidence.name == "parameters" else BOUNDS
    return Finding(f"{_capital(which)} of {evidence.what} are {_too(steps[changed[0]])}, in every case.", look)


def _one_axis(evidence: Evidence, samples: Sequence[Sample], index: int) -> Finding | None:
    """What stands in an axis in place of the size that is expected."""
    name = axis(samples[0].names, index)
    pairs = [(sample.expected.shape[index], sample.yours.shape[index]) for sample in samples]
    came = _name_of([(sample, sample.yours.shape[index]) for sample in samples], samples[0].names)
    if all(y == 1 for _, y in pairs) and all(
        s.expected.shape[index] == 1 for s in evidence.samples if s not in samples
    ):
        return Finding(
            f"{_capital(name)} of {evidence.what} has size 1: it is not stretched to its full size, or was reduced.",
            "`expand` stretches an axis of size 1; keepdim=True leaves one behind.",
        )
    if all(e == 1 for e, _ in pairs) and evidence.name != "parameters":
        stretched = f" to that of {came}" if came else ""
        return Finding(
            f"{_capital(name)} of {evidence.what} is expected to have size 1, and is stretched{stretched}.",
            "An axis of size 1 stretches where it meets a larger one: which two tensors meet there?",
        )
    every = [sample for sample in evidence.samples if _has_shapes(sample)]
    formula = formula_finding(
        [(sample, sample.expected.shape[index], sample.yours.shape[index]) for sample in every],
        f"{_capital(name)} of {evidence.what}",
    )
    if formula is not None:
        return formula
    steps = {y - e for e, y in pairs}
    if len(steps) == 1 and len({e for e, _ in pairs}) > 1 and not evidence.right:
        return Finding(f"{_capital(name)} of {evidence.what} is {_too(steps.pop())}, in every case.", BOUNDS)
    if came:
        return Finding(
            f"{_capital(name)} of {evidence.what} has the size of {came}.",
            "Which axis do you keep, and which one goes?",
        )
    return None


BOUNDS = "Look at the bounds: what is the first one, what is the last one, and does it count?"


def _too(step: int) -> str:
    count = "one" if abs(step) == 1 else str(abs(step))
    return f"{count} too {'large' if step > 0 else 'small'}"


def _name_of(sized: Sequence[tuple[Sample, int]], names: Sequence[str]) -> str:
    """The one name that has these sizes on all samples, at least one of them larger than 1."""
    if all(size == 1 for _, size in sized):
        return ""
    known = [named_sizes(sample) for sample, _ in sized]
    found = [
        name for name in known[0] if all(each.get(name) == size for each, (_, size) in zip(known, sized, strict=True))
    ]
    return found[0] if len(found) == 1 else ""


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


_SENTENCES = {
    "exchanged": _exchanged,
    "ordered": _ordered,
    "missing": _missing,
    "extra": _extra,
    "merged": _merged,
    "split": _split,
    "replaced": _replaced,
}
