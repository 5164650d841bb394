"""Counts: results that are Python numbers or tuples of them, such as sizes and shapes."""

from __future__ import annotations

from collections.abc import Sequence

from autograder.diagnosis.edits import Edit, common_edit
from autograder.diagnosis.evidence import Evidence, Finding, Sample, uncapitalized
from autograder.diagnosis.formulas import formula_finding
from autograder.diagnosis.quantities import named_sizes
from autograder.diagnosis.sizes import size_name
from autograder.diagnosis.terms import terms_finding

LEAST = 3  # wrong cases that have to agree on one number


def number_finding(evidence: Evidence) -> Finding | None:
    """A number that is off by the same amount, by the same factor, or by a formula, in every case."""
    if not all(_number(sample.expected) and _number(sample.yours) for sample in evidence.samples):
        return None
    sized = [(sample, sample.expected, sample.yours) for sample in evidence.samples]
    if not all(isinstance(expected, int) and isinstance(yours, int) for _, expected, yours in sized):
        return _constant(evidence)
    return formula_finding(sized, evidence.your) or _constant(evidence) or terms_finding(sized, evidence.your)


def _constant(evidence: Evidence) -> Finding | None:
    """The same amount or factor in every case, or a factor that is one size."""
    wrong = evidence.wrong
    if len(wrong) < LEAST or len({sample.expected for sample in wrong}) < LEAST or evidence.right:
        return None
    if any(type(sample.expected) is not type(sample.yours) for sample in wrong):
        return _of_another_type(evidence)
    steps = {round(sample.yours - sample.expected, 9) for sample in wrong}
    if len(steps) == 1:
        step = steps.pop()
        return Finding(
            f"{evidence.your} is {abs(step):g} too {'large' if step > 0 else 'small'}, in every case.",
            "What is counted once too often, or not at all?",
        )
    if not all(sample.expected for sample in wrong):
        return None
    ratios = [sample.yours / sample.expected for sample in wrong]
    if max(ratios) - min(ratios) < 1e-9 and ratios[0]:
        return Finding(
            f"{evidence.your} is the expected one times {ratios[0]:.4g}, in every case.",
            "What is multiplied or divided by once too often, or not at all?",
        )
    name = next((name for name in named_sizes(wrong[0]) if _is_ratio(name, wrong, ratios)), "")
    return (
        Finding(f"{evidence.your} is the expected one times {name}.", f"How often does {name} count?") if name else None
    )


def _of_another_type(evidence: Evidence) -> Finding | None:
    """Numbers that are right, and are no ints where ints are asked for."""
    if not all(sample.yours == sample.expected for sample in evidence.samples):
        return None
    came = {type(sample.yours).__name__ for sample in evidence.wrong}
    asked = {type(sample.expected).__name__ for sample in evidence.wrong}
    if came != {"float"} or asked != {"int"}:
        return None
    return Finding(
        f"{evidence.your} is the right number, as a float; an int is asked for.",
        "`/` gives a float even where it comes out even; `//` gives an int.",
    )


def _is_ratio(name: str, samples: Sequence[Sample], ratios: Sequence[float]) -> bool:
    values = [named_sizes(sample).get(name) for sample in samples]
    return len(set(values)) > 1 and values == list(ratios)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def tuple_finding(evidence: Evidence) -> Finding | None:
    """The entry of a tuple that is missing, extra, another one, or in another place, in every case."""
    samples = evidence.samples
    if not all(_numbers(sample.expected) and _numbers(sample.yours) for sample in samples):
        return None
    if all(sample.yours == tuple(size for size in sample.expected if size != 1) for sample in samples):
        return Finding(f"{evidence.your} lacks its sizes of 1.", "Which step leaves them out?")
    pairs = [(tuple(sample.expected), tuple(sample.yours)) for sample in evidence.wrong]
    if evidence.right and any(len(e) != len(y) for e, y in pairs):
        return None
    if all(y == e[::-1] for e, y in pairs) and _longer_than_two(pairs):
        return Finding(f"{evidence.your} is back to front.", "From which end do you begin?")
    edit = common_edit(pairs)
    if edit is None:
        return _another_order(evidence, pairs)
    names = [_entry(evidence.wrong, 0, index) for index in range(len(pairs[0][0]))]
    if edit.kind in ("exchanged", "ordered"):
        return _another_order(evidence, pairs)
    if edit.kind == "missing":
        lacking = " and ".join(names[i] if names[i] != "1" else "a 1" for i in edit.indices)
        return (
            Finding(f"{evidence.your} lacks {lacking}.", "Which sizes are lined up with which?")
            if all(names[i] for i in edit.indices)
            else None
        )
    if edit.kind == "extra":
        extra = [_entry(evidence.wrong, 1, i) for i in edit.indices]
        shown = " and ".join(name if name != "1" else "a 1" for name in extra)
        shown = f"{len(extra)} ones" if len(extra) > 1 and set(extra) == {"1"} else shown
        return Finding(f"{evidence.your} has {shown} too many.", "Which step puts it in?") if all(extra) else None
    return _replaced(evidence, edit) if edit.kind == "replaced" else _joined(evidence, edit)


def _joined(evidence: Evidence, edit: Edit) -> Finding | None:
    """Two entries where their product is expected, or the product of two where these are."""
    (i,) = edit.indices
    one, two = (0, 1) if edit.kind == "split" else (1, 0)  # which side has the product, and which its factors
    product = _entry(evidence.wrong, one, i)
    factors = [_entry(evidence.wrong, two, index) for index in (i, i + 1)]
    if not product or not all(factors):
        return None
    first = " and ".join(factors)
    sides = (first, product) if edit.kind == "split" else (product, first)
    verb = "is" if edit.kind == "split" else "are"
    return Finding(f"{evidence.your} has {sides[0]} where {sides[1]} {verb} expected.", "Which axes are joined to one?")


def _replaced(evidence: Evidence, edit: Edit) -> Finding | None:
    """What stands in the place of what: its name holds on all cases, or is that of one more or less."""
    lengths = {len(sample.expected) for sample in evidence.samples}
    samples = evidence.samples if len(lengths) == 1 else evidence.wrong  # where nothing is wrong both names hold too
    names, came = ({i: _entry(samples, side, i) for i in edit.indices} for side in (0, 1))
    if len(edit.indices) == 1 and len(lengths) == 1 and not (all(names.values()) and all(came.values())):
        (i,) = edit.indices
        return terms_finding(
            [(sample, sample.expected[i], sample.yours[i]) for sample in samples],
            f"Entry {i} of {uncapitalized(evidence.your)}",
        )
    if not all(names.values()) or not all(came.values()):
        return None
    shown = " and ".join(dict.fromkeys(f"{y} where {names[i]} is expected" for i, y in came.items()))
    return Finding(f"{evidence.your} has {shown}.", "Line the shapes up from the right: what meets what at this place?")


def _another_order(evidence: Evidence, pairs: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]) -> Finding | None:
    same = all(sorted(e) == sorted(y) for e, y in pairs)
    told = sum(len(e) > 1 and len(set(e)) > 1 for e, y in pairs)
    if not same or told < 2:
        return None
    return Finding(f"{evidence.your} holds the right numbers in another order.", "Which one comes first?")


def _longer_than_two(pairs: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]) -> bool:
    return any(len(set(e)) > 2 for e, _ in pairs) and len(pairs) > 1


def _entry(samples: Sequence[Sample], side: int, index: int) -> str:
    """The name of an entry of the expected tuple (side 0) or the candidate's (side 1)."""
    return size_name(samples, [(sample.expected, sample.yours)[side][index] for sample in samples])


def _numbers(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, int) and not isinstance(item, bool) for item in value)
