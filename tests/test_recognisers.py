"""What single recognisers say of wrong answers, and what they do not say."""

from __future__ import annotations

from typing import Any

import torch
from answers_as_written import cells
from conftest import EXERCISES, KEYS, LESSONS, report_on
from torch import Tensor, nn

from autograder.answers import Answer, Answers
from autograder.authoring import Candidate
from autograder.diagnosis import diagnose
from autograder.report import Report


def report(name: str, candidate: Candidate) -> Report:
    lesson, exercise = next((lesson, each) for lesson, each in EXERCISES if each.name == name)
    return report_on(lesson, exercise, candidate)


def with_results(name: str, change: Any) -> Any:
    """What is diagnosed where each expected result of an exercise is changed so."""
    key = next(each for key in KEYS.values() for each in key.exercises if each.name == name)
    cases = [
        Answer("returned", {n: change(v) if n == "result" else v for n, v in case["expected"].items()})
        for case in key.cases
    ]
    return diagnose(key, Answers(cases=cases))


def test_a_right_number_of_another_type_is_not_too_small() -> None:
    def as_float(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> float:
        return float((size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1)

    assert report("conv_output_size", as_float).diagnosis == (
        "Your result is the right number, as a float; an int is asked for."
    )


def test_a_count_is_off_by_a_term_in_the_exercises_names() -> None:
    def without_the_height(c_in: int, c_mid: int, c_out: int, kernel: int, height: int, width: int) -> Any:
        with_it = height * width * c_mid * c_out * kernel**2 + width * c_in * c_mid
        return height * width * c_in * c_out * kernel**2, with_it

    assert report("bottleneck_cost", without_the_height).diagnosis == (
        "Entry 1 of your result is the expected one plus c_in·c_mid·width minus c_in·c_mid·height·width."
    )


def test_what_is_written_into_is_named_where_it_is_known() -> None:
    right: Any = LESSONS["14_resnet"].module

    class BasicBlock(right.BasicBlock):  # type: ignore[misc]
        def forward(self, x: Tensor) -> Tensor:
            shortcut = self.downsample(x)
            shortcut += self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
            result: Tensor = shortcut.relu()
            return result

    assert report("BasicBlock", BasicBlock).diagnosis.startswith("Your code writes into ")
    assert report("BasicBlock", BasicBlock).diagnosis.endswith(", in place.")


def test_a_gradient_that_a_change_in_place_prevents_is_not_said_to_be_cut() -> None:
    def squared(images: Tensor) -> Tensor:
        result = images.flatten(2).mean(dim=-1).exp()
        doubled = result.log() + 0 * result.sin()
        result += 1  # the way back of log and sin needs it as it was
        return doubled

    found = report("global_average_pool", squared)
    assert found.diagnosis == (
        "The values are right, but no gradient can be computed: a step changes in place what the way back needs."
    )
    assert "cut" not in found.look


def test_a_block_is_asked_what_it_says_of_itself() -> None:
    right: Any = LESSONS["14_resnet"].module

    class Bottleneck(right.Bottleneck):  # type: ignore[misc]
        expansion = 2

        def __init__(self, c_in: int, c_mid: int, stride: int = 1) -> None:
            type(self).expansion = 4
            super().__init__(c_in, c_mid, stride)
            type(self).expansion = 2

    failure = report("Bottleneck", Bottleneck).first_failure
    assert failure is not None
    assert failure.fault is not None
    assert failure.fault.headline == "The attribute expansion is not what was expected."
    assert (failure.fault.expected, failure.fault.yours) == ("4", "2")


def test_a_module_that_is_known_by_two_names_is_right() -> None:
    """Its parameters are one set of numbers: the names that are asked for are there, and none is trained twice."""
    right: Any = LESSONS["13_inception"].module

    class AuxiliaryHead(right.AuxiliaryHead):  # type: ignore[misc]
        def __init__(self, c_in: int, classes: int = 1000) -> None:
            super().__init__(c_in, classes)
            self.last = nn.Sequential(self.dropout, self.fc2)

    assert report("AuxiliaryHead", AuxiliaryHead).status == "passed"


def test_double_precision_that_passed_through_single_precision_is_wrong() -> None:
    def add_channel_bias(images: Tensor, bias: Tensor) -> Tensor:
        return (images + bias[:, None, None]).float().to(images.dtype)

    found = report("add_channel_bias", add_channel_bias)
    assert found.diagnosis == "Your result is right up to the precision of float32."


def test_a_stretch_is_not_named_where_an_index_in_it_is_right() -> None:
    def at(*indices: int) -> Any:
        def change(result: Tensor) -> Tensor:
            result = result.clone()
            for index in indices:
                if index < result.shape[1]:
                    result[:, index] = result[:, index].sin() + 3
            return result

        return change

    for name, axis in (("global_average_pool", "channel"), ("max_pool2d", "channel")):
        found = with_results(name, at(0, 1))
        assert found is not None
        assert found.sentence == f"Along the {axis} axis, indices 0 to 1 alone are wrong in your result."
    assert with_results("max_pool2d", at(0, 2)) is None


def test_a_misconception_explains_an_answer_that_is_right_where_it_matters_little() -> None:
    right = cells(LESSONS["21_attention"])

    def weighted_average(weights: Tensor, values: Tensor) -> Tensor:
        shares = weights.softmax(dim=-1).where(weights.sum(dim=-1, keepdim=True) > 0, 0)
        return shares @ values

    found = report("weighted_average", weighted_average)
    assert found.recogniser == "misconception"
    assert found.diagnosis.startswith("Yours takes the softmax of the weights.")

    def another(weights: Tensor, values: Tensor) -> Tensor:
        first = right["weighted_average"](weights, values)
        return torch.cat([weighted_average(weights, values)[:, :1], first[:, 1:] + 1], dim=1)

    assert report("weighted_average", another).recogniser != "misconception"
