"""The order of recognisers: the first that says something is heard, so the most specific stands first.

1. A dtype alone, and gradients: what is wrong although every value is right. NaN, and one value everywhere.
2. What explains the whole result by one operation, on every case: a mask turned over, axes exchanged, a factor. Of two
   that fit, the one that fewer wrong answers would fit comes first: one particular order of the axes before "the right
   numbers in the wrong places".
3. The shape. Behind the operations, because axes that are exchanged with all their values say more than sizes do.
4. What was tried: called again, an argument changed, axes exchanged.
5. One value for another, or differences at one place that has a name, which can be seen. That the reference gives the
   same with one thing done wrong.
6. What describes the differences and not their cause: at which places, in which cases.
"""

from __future__ import annotations

from collections.abc import Callable

from autograder.diagnosis.circumstances import call_finding, circumstance_finding
from autograder.diagnosis.counts import number_finding, tuple_finding
from autograder.diagnosis.evidence import Evidence, Finding
from autograder.diagnosis.factors import factor_finding, offset_finding
from autograder.diagnosis.flat import flat_finding, reduced_finding
from autograder.diagnosis.functions import argument_finding, cut_finding, function_finding
from autograder.diagnosis.gradients import (
    gradient_finding,
    in_place_finding,
    unused_finding,
    wrong_gradient_finding,
)
from autograder.diagnosis.ignored import again_finding, ignored_finding, mistaken_axis_finding
from autograder.diagnosis.masks import mask_finding
from autograder.diagnosis.modes import mode_finding, norm_finding
from autograder.diagnosis.numbers import (
    constant_finding,
    dtype_finding,
    nonfinite_finding,
    precision_finding,
    value_finding,
)
from autograder.diagnosis.parts import copied_part_finding, exchanged_parts_finding, one_part_finding
from autograder.diagnosis.places import all_but_finding, edge_finding, padding_finding, place_finding, triangle_finding
from autograder.diagnosis.ranges import range_finding
from autograder.diagnosis.rearranged import rearranged_finding, shuffled_finding
from autograder.diagnosis.regions import region_finding
from autograder.diagnosis.shapes import shape_finding
from autograder.diagnosis.slips import slip_finding
from autograder.diagnosis.sums import softmax_finding, temperature_finding
from autograder.diagnosis.varying import varying_factor_finding, varying_offset_finding

Recogniser = Callable[[Evidence], Finding | None]

RECOGNISERS: tuple[Recogniser, ...] = (
    dtype_finding,
    in_place_finding,
    gradient_finding,
    nonfinite_finding,
    constant_finding,
    mask_finding,
    exchanged_parts_finding,
    rearranged_finding,
    argument_finding,
    factor_finding,
    offset_finding,
    function_finding,
    reduced_finding,
    shuffled_finding,
    number_finding,
    tuple_finding,
    copied_part_finding,
    precision_finding,
    softmax_finding,
    temperature_finding,
    shape_finding,
    again_finding,
    ignored_finding,
    unused_finding,
    flat_finding,
    mistaken_axis_finding,
    padding_finding,
    value_finding,
    cut_finding,
    place_finding,
    region_finding,
    triangle_finding,
    slip_finding,
    varying_factor_finding,
    varying_offset_finding,
    all_but_finding,
    range_finding,
    edge_finding,
    mode_finding,
    call_finding,
    circumstance_finding,
    norm_finding,
    one_part_finding,
    wrong_gradient_finding,
)

# what may be said of results that are off by a few tolerances
OF_SLIGHT: tuple[Recogniser, ...] = (precision_finding, again_finding, ignored_finding)

# what may be said of a module that is made of other parameters than were asked for
OF_PARAMETERS: tuple[Recogniser, ...] = (shape_finding, ignored_finding)
