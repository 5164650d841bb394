"""What decides whether the exercises of 02_broadcasting are right."""

import torch
import torch.nn.functional as F

from autograder.authoring import Exercise

# ---- shapes_after_broadcasting ---------------------------------------------------------------------------------------

shapes_after_broadcasting = Exercise(
    "shapes_after_broadcasting",
    points=1,
    hints=[
        "Write the two shapes of each expression one below the other, lined up on the right. Which size does each "
        "column of your paper have?",
        "`None` between the brackets puts an axis of size 1 at that place. `keepdim=True` leaves an axis of size 1 "
        "where an axis was averaged away.",
        'For "error", (batch, 1) and (batch,) are lined up on the right: 1 meets batch, and batch meets nothing. For '
        '"differences", (batch, 1, feature) meets (classes, feature).',
    ],
)


@shapes_after_broadcasting.case("small sizes")
def _(draw):
    return {"batch": 2, "channel": 3, "height": 4, "width": 5, "feature": 6, "classes": 7}


@shapes_after_broadcasting.case("other sizes")
def _(draw):
    sizes = (draw.permutation(12) + 2).tolist()
    return dict(zip(("batch", "channel", "height", "width", "feature", "classes"), sizes, strict=False))


@shapes_after_broadcasting.case("one image with one channel")
def _(draw):
    height, width, feature, classes = (draw.permutation(12) + 2).tolist()[:4]
    return {"batch": 1, "channel": 1, "height": height, "width": width, "feature": feature, "classes": classes}


@shapes_after_broadcasting.case("one feature, one class")
def _(draw):
    batch, channel, height, width = (draw.permutation(12) + 2).tolist()[:4]
    return {"batch": batch, "channel": channel, "height": height, "width": width, "feature": 1, "classes": 1}


def shapes(batch, channel, height, width, feature, classes, **changes):
    right = {
        "column": (channel, 1, 1),
        "shifted": (batch, channel, height, width),
        "channel_mean": (1, channel, 1, 1),
        "differences": (batch, classes, feature),
        "is_class": (batch, classes),
        "error": (batch, batch),
    }
    return {**right, **changes}


@shapes_after_broadcasting.misconception
def new_axes_in_front(batch, channel, height, width, feature, classes):
    """Your "column" has its new axes in front. A `None` puts its axis where it stands between the brackets: which side
    of the colon are they on?"""
    return shapes(batch, channel, height, width, feature, classes, column=(1, 1, channel))


@shapes_after_broadcasting.misconception
def mean_drops_the_axes(batch, channel, height, width, feature, classes):
    """Your "channel_mean" has lost the axes that were averaged. With keepdim=True they stay, with a size that lets
    them meet the images again."""
    return shapes(batch, channel, height, width, feature, classes, channel_mean=(channel,))


@shapes_after_broadcasting.misconception
def mean_over_the_other_axes(batch, channel, height, width, feature, classes):
    """In your "channel_mean" the channels are averaged and the rest stays. `dim` lists the axes that are averaged
    away, not those that stay."""
    return shapes(batch, channel, height, width, feature, classes, channel_mean=(batch, 1, height, width))


@shapes_after_broadcasting.misconception
def shapes_of_vectors_match(batch, channel, height, width, feature, classes):
    """Your "error" has one number for each row, as its author surely meant. Line (batch, 1) and (batch,) up from the
    right and see which sizes meet: nothing is raised, and that is what makes it dangerous."""
    return shapes(batch, channel, height, width, feature, classes, error=(batch,))


@shapes_after_broadcasting.misconception
def error_stays_a_column(batch, channel, height, width, feature, classes):
    """Your "error" has the shape of the prediction. The labels have one axis only, and it is lined up on the right:
    under the prediction's 1, not under its batch."""
    return shapes(batch, channel, height, width, feature, classes, error=(batch, 1))


@shapes_after_broadcasting.misconception
def differences_without_classes(batch, channel, height, width, feature, classes):
    """Your "differences" has no axis for the classes. x has got a new axis in the middle: it stretches where it meets
    the rows of the prototypes."""
    return shapes(batch, channel, height, width, feature, classes, differences=(batch, feature))


@shapes_after_broadcasting.misconception
def classes_first(batch, channel, height, width, feature, classes):
    """Your "differences" has the classes first. In x[:, None] the new axis comes after the batch, so it is the middle
    axis that stretches."""
    return shapes(batch, channel, height, width, feature, classes, differences=(classes, batch, feature))


@shapes_after_broadcasting.misconception
def comparison_of_classes_first(batch, channel, height, width, feature, classes):
    """Your "is_class" has a row for each class. The labels were made a column, so each label has a row."""
    return shapes(batch, channel, height, width, feature, classes, is_class=(classes, batch))


@shapes_after_broadcasting.variant
def from_real_tensors(batch, channel, height, width, feature, classes):
    images, bias = torch.zeros(batch, channel, height, width), torch.zeros(channel)
    x, prototypes = torch.zeros(batch, feature), torch.zeros(classes, feature)
    prediction, labels = torch.zeros(batch, 1), torch.zeros(batch)
    return {
        "column": bias[:, None, None].shape,
        "shifted": (images + bias[:, None, None]).shape,
        "channel_mean": images.mean(dim=(0, 2, 3), keepdim=True).shape,
        "differences": (x[:, None] - prototypes).shape,
        "is_class": (labels[:, None] == torch.arange(classes)).shape,
        "error": (prediction - labels).shape,
    }


@shapes_after_broadcasting.variant
def built_up(batch, channel, height, width, feature, classes):
    answer = {"error": (batch,) * 2, "is_class": (batch, classes)}
    answer["differences"] = (*answer["is_class"], feature)
    answer["column"] = (channel,) + (1,) * 2
    answer["channel_mean"] = (1, *answer["column"])
    answer["shifted"] = (*answer["error"][:1], channel, height, width)
    return answer


# ---- broadcast_shape -------------------------------------------------------------------------------------------------

broadcast_shape = Exercise(
    "broadcast_shape",
    points=2,
    # sizes larger than any memory keep out what these tools could do; the list is for the message
    forbids=["broadcast_shapes", "broadcast_tensors", "broadcast_to", "expand", "expand_as", "empty", "zeros", "ones"],
    hints=[
        "Which of the two shapes is shorter, and on which side is something missing?",
        "Put ones in front of the shorter shape until both have the same length. Then walk through both together: "
        "which pairs of sizes fit, and what does each give?",
        "`(1,) * (length - len(a)) + a` pads; `zip` pairs the sizes. Where one of a pair is 1, take the other one; "
        "where they are equal, either; else raise ValueError(...).",
    ],
)


@broadcast_shape.case("a column and a row")
def _(draw):
    return {"a": (draw.integer(2, 5), 1), "b": (1, draw.integer(6, 9))}


@broadcast_shape.case("one shape has fewer axes")
def _(draw):
    rows, columns, depth = (draw.permutation(9) + 2).tolist()[:3]
    return {"a": (depth, 1, columns), "b": (rows, 1)}


@broadcast_shape.case("the second shape is longer")
def _(draw):
    sizes = (draw.permutation(12) + 2).tolist()
    return {"a": (sizes[2], 1, sizes[4]), "b": (*sizes[:2], 1, sizes[3], 1)}


@broadcast_shape.case("equal shapes")
def _(draw):
    shape = tuple((draw.permutation(9) + 2).tolist()[:4])
    return {"a": shape, "b": shape}


@broadcast_shape.case("a single number and a matrix")
def _(draw):
    return {"a": (), "b": (draw.integer(2, 5), draw.integer(6, 9))}


@broadcast_shape.case("two single numbers")
def _(draw):
    return {"a": (), "b": ()}


@broadcast_shape.case("axes of size 1 that nothing stretches")
def _(draw):
    return {"a": (1, draw.integer(2, 9), 1), "b": (1, 1)}


@broadcast_shape.case("sizes that no memory holds")
def _(draw):
    return {"a": (10**20 + draw.integer(0, 10**6), 1), "b": (draw.integer(2, 9), 1, 10**21 + draw.integer(0, 10**6))}


@broadcast_shape.case("sizes that do not fit", raises=ValueError)
def _(draw):
    columns = draw.integer(2, 5)
    return {"a": (7, columns), "b": (7, columns + draw.integer(1, 4))}


@broadcast_shape.case("fits from the left only", raises=ValueError)
def _(draw):
    rows = draw.integer(2, 5)
    return {"a": (rows, rows + 3), "b": (rows,)}


@broadcast_shape.case("the first axes do not fit", raises=ValueError)
def _(draw):
    rows, columns = draw.integer(2, 5), draw.integer(6, 9)
    return {"a": (rows + 1, 1, columns), "b": (rows, 8, columns)}


@broadcast_shape.case("one size is a multiple of the other", raises=ValueError)
def _(draw):
    size = draw.integer(2, 6)
    return {"a": (2 * size, 3), "b": (size, 3)}


def fitted(a, b, choose, fits, pad=lambda shape, length: (1,) * (length - len(shape)) + shape):
    """The rule with one of its parts exchanged."""
    length = max(len(a), len(b))
    pairs = list(zip(pad(a, length), pad(b, length), strict=True))
    if not all(fits(p, q) for p, q in pairs):
        raise ValueError
    return tuple(choose(p, q) for p, q in pairs)


def fit(p, q):
    return p == q or 1 in (p, q)


def stretch(p, q):
    return q if p == 1 else p


@broadcast_shape.misconception
def lined_up_from_the_left(a, b):
    """Yours lines the shapes up from the left. They are lined up from the right: the missing axes are the first ones
    of the shorter shape."""
    return fitted(a, b, stretch, fit, lambda shape, length: shape + (1,) * (length - len(shape)))


@broadcast_shape.misconception
def the_larger_size(a, b):
    """Yours takes the larger of two sizes without asking whether they fit. Only a 1 stretches: 2 and 3 are an error."""
    return fitted(a, b, max, lambda p, q: True)


@broadcast_shape.misconception
def only_the_second_stretches(a, b):
    """Yours stretches `b` to the shape of `a` and never `a` to that of `b`. Broadcasting is mutual: each of the two may
    have the 1."""
    return fitted(a, b, lambda p, q: p, lambda p, q: q in (1, p))


@broadcast_shape.misconception
def shorter_shape_only(a, b):
    """Your result ends where the shorter shape ends: zip stops there. The axes that only the longer shape has belong to
    the result too."""
    length = min(len(a), len(b))
    return fitted(a[len(a) - length :], b[len(b) - length :], stretch, fit)


@broadcast_shape.misconception
def same_number_of_axes(a, b):
    """Yours refuses shapes of different lengths. The shorter one counts as if ones stood in front of it."""
    if len(a) != len(b):
        raise ValueError
    return fitted(a, b, stretch, fit)


@broadcast_shape.misconception
def multiples_repeat(a, b):
    """Yours lets a size repeat where it divides the other one. Only 1 stretches: 2 and 4 do not fit, though 2 would go
    into 4 twice."""
    return fitted(a, b, max, lambda p, q: fit(p, q) or bool(p and q and max(p, q) % min(p, q) == 0))


@broadcast_shape.misconception
def backwards(a, b):
    """Your result is back to front. You walked through the shapes from their ends, which is a good way: turn what you
    collected around."""
    return fitted(a, b, stretch, fit)[::-1]


@broadcast_shape.misconception
def a_list(a, b):
    """Yours is right, but it is a list. A shape is a tuple."""
    return list(fitted(a, b, stretch, fit))


@broadcast_shape.misconception
def asserted(a, b):
    """Yours stops with an AssertionError where the shapes do not fit. An `assert` is for your own mistakes, and can be
    switched off; what a caller may get wrong is told with `raise ValueError(...)`."""
    length = max(len(a), len(b))
    a, b = ((1,) * (length - len(shape)) + shape for shape in (a, b))
    assert all(fit(p, q) for p, q in zip(a, b, strict=True))
    return tuple(stretch(p, q) for p, q in zip(a, b, strict=True))


@broadcast_shape.misconception
def none_where_it_fails(a, b):
    """Yours returns None where the shapes do not fit. A caller who does not look goes on with None; an exception cannot
    be overlooked."""
    try:
        return fitted(a, b, stretch, fit)
    except ValueError:
        return None


@broadcast_shape.misconception
def an_error_that_is_returned(a, b):
    """Yours *returns* a ValueError where the shapes do not fit, as if it were a result. `raise` stops the caller."""
    try:
        return fitted(a, b, stretch, fit)
    except ValueError as error:
        return error


@broadcast_shape.variant
def from_the_end(a, b):
    result, i = [], 1
    while i <= len(a) or i <= len(b):
        p = a[-i] if i <= len(a) else 1
        q = b[-i] if i <= len(b) else 1
        if p == 1:
            result.insert(0, q)
        elif q in (1, p):
            result.insert(0, p)
        else:
            raise ValueError("these shapes do not fit: " + repr((a, b)))
        i += 1
    return tuple(result)


@broadcast_shape.variant
def by_zip_longest(a, b):
    from itertools import zip_longest

    shape = []
    for pair in zip_longest(reversed(a), reversed(b), fillvalue=1):
        sizes = set(pair) - {1}
        if len(sizes) > 1:
            raise ValueError(pair)
        shape.append(sizes.pop() if sizes else 1)
    return tuple(shape[::-1])


@broadcast_shape.variant
def by_recursion(a, b):
    class DoesNotFit(ValueError):
        pass

    if not a or not b:
        return a or b
    *rest_a, p = a
    *rest_b, q = b
    if p != q and p != 1 and q != 1:
        raise DoesNotFit
    return (*by_recursion(tuple(rest_a), tuple(rest_b)), p * q if 1 in (p, q) else p)


# ---- add_channel_bias ------------------------------------------------------------------------------------------------

add_channel_bias = Exercise(
    "add_channel_bias",
    points=1,
    hints=[
        "Write (channel,) below (batch, channel, height, width), lined up on the right. Which axis does it meet, and "
        "which one should it meet?",
        "Two more axes of size 1 to the right of channel would push it to its place.",
        "bias[:, None, None] has the shape (channel, 1, 1), as does bias.view(-1, 1, 1). What is missing on the left "
        "stretches by itself.",
    ],
)


@add_channel_bias.case("two images, three channels")
def _(draw):
    return {"images": draw.normal(2, 3, 4, 5), "bias": draw.normal(3, std=3.0)}


@add_channel_bias.case("more channels than anything else")
def _(draw):
    return {"images": draw.normal(3, 7, 2, 5), "bias": draw.normal(7, std=3.0)}


@add_channel_bias.case("every axis of the same size")
def _(draw):
    return {"images": draw.normal(4, 4, 4, 4), "bias": draw.normal(4, std=3.0)}


@add_channel_bias.case("as many columns as channels")
def _(draw):
    return {"images": draw.normal(2, 3, 5, 3), "bias": draw.normal(3, std=3.0)}


@add_channel_bias.case("one pixel")
def _(draw):
    return {"images": draw.normal(1, 1, 1, 1), "bias": draw.normal(1, mean=3.0)}


@add_channel_bias.case("images and bias that are views")
def _(draw):
    return {"images": draw.normal(2, 4, 5, 3).permute(0, 3, 1, 2), "bias": draw.normal(6, std=3.0)[::2]}


@add_channel_bias.case("half precision")
def _(draw):
    images = draw.normal(2, 5, 3, 4, dtype=torch.float16)
    return {"images": images, "bias": draw.normal(5, std=3.0, dtype=torch.float16)}


@add_channel_bias.case("double precision")
def _(draw):
    images = draw.normal(1, 4, 2, 3, std=100.0, dtype=torch.float64)
    return {"images": images, "bias": draw.normal(4, dtype=torch.float64)}


@add_channel_bias.misconception
def bias_along_the_width(images, bias):
    """Yours adds one number to each column of pixels, and stops with an error unless there happen to be as many columns
    as channels. Shapes are lined up from the right, so a bias of one axis meets the width."""
    return images + bias


@add_channel_bias.misconception
def bias_along_the_height(images, bias):
    """Yours adds one number to each row of pixels. The bias stands one place too far to the right: it meets the height,
    and channel is the axis before it."""
    return images + bias[:, None]


@add_channel_bias.misconception
def bias_along_the_batch(images, bias):
    """Yours adds one number to each image. The bias stands one place too far to the left: it meets the batch, and
    channel is the axis after it."""
    return images + bias[:, None, None, None]


@add_channel_bias.misconception
def reshaped_to_channels_last(images, bias):
    """Yours reshapes the images until the last axis has the size of the bias. A reshape leaves every number where it is
    in memory, so what lies along that axis are neighbouring pixels, not channels."""
    return (images.reshape(-1, len(bias)) + bias).reshape(images.shape)


@add_channel_bias.misconception
def multiplied(images, bias):
    """Yours multiplies each channel by its number. A bias is added."""
    return images * bias[:, None, None]


@add_channel_bias.misconception
def channels_left_at_the_end(images, bias):
    """Yours moves the channels to the end, where they meet the bias, and leaves them there. The numbers are right; the
    axes have to go back to their places after the sum."""
    return images.permute(0, 2, 3, 1) + bias


@add_channel_bias.misconception
def added_in_place(images, bias):
    """Your result is right, but it is written into the images you were given: whoever needs the originals has lost
    them. `+=` and methods that end in an underscore do that."""
    images += bias[:, None, None]
    return images


@add_channel_bias.misconception
def all_biases_everywhere(images, bias):
    """Yours adds the sum of all biases to every pixel. Each channel gets its own number only."""
    return images + bias.sum()


@add_channel_bias.misconception
def outer_sum(images, bias):
    """Your result has five axes: every number of the images meets every number of the bias. The bias needs axes of size
    1 on its right, not the images."""
    return images[..., None] + bias


@add_channel_bias.variant
def by_view(images, bias):
    return bias.view(1, -1, 1, 1) + images


@add_channel_bias.variant
def channels_last_and_back(images, bias):
    return (images.permute(0, 2, 3, 1) + bias).permute(0, 3, 1, 2)


@add_channel_bias.variant
def channel_by_channel(images, bias):
    result = images.clone()
    for channel, number in enumerate(bias.tolist()):
        result[:, channel] += number
    return result


@add_channel_bias.variant
def by_einsum_of_ones(images, bias):
    batch, _, height, width = images.shape
    ones = torch.ones(batch, height, width, dtype=bias.dtype)
    return images + torch.einsum("c,bhw->bchw", bias, ones)


@add_channel_bias.variant
def stretched_by_hand(images, bias):
    return images.clone().add_(bias.unsqueeze(-1).unsqueeze(-1).expand_as(images))


# ---- standardize -----------------------------------------------------------------------------------------------------

standardize = Exercise(
    "standardize",
    points=2,
    forbids=[
        "layer_norm",
        "batch_norm",
        "instance_norm",
        "group_norm",
        "rms_norm",
        "native_layer_norm",
        "native_batch_norm",
        "native_group_norm",
        "_native_batch_norm_legit",
        "_batch_norm_impl_index",
    ],
    hints=[
        "How many means are there: one for each row, one for each feature, or one in all?",
        "mean(dim=...) and var(dim=...) take the axis that disappears. var divides by batch - 1 unless it is told not "
        "to: look for `correction`.",
        "(x - x.mean(dim=0)) has mean 0. Divide it by the root of x.var(dim=0, correction=0) + eps: eps is added "
        "before the root is taken.",
    ],
)


def scaled_features(draw, batch, feature, dtype=torch.float32):
    """Features of different means and spreads, none of them trivial."""
    spread = 0.5 * 1.5 ** draw.permutation(feature)
    shift = draw.normal(feature, std=2.0)
    return (draw.normal(batch, feature) * spread + shift).to(dtype)


@standardize.case("six rows, four features")
def _(draw):
    return {"x": scaled_features(draw, 6, 4)}


@standardize.case("more features than rows")
def _(draw):
    return {"x": scaled_features(draw, 3, 7)}


@standardize.case("as many rows as features")
def _(draw):
    return {"x": scaled_features(draw, 5, 5)}


@standardize.case("two rows")
def _(draw):
    return {"x": draw.integers(-9, 0, 2, 3).float() + torch.tensor([[0.0], [10.0]])}


@standardize.case("a batch of one row")
def _(draw):
    return {"x": draw.normal(1, 5, std=3.0)}


@standardize.case("a large eps")
def _(draw):
    return {"x": scaled_features(draw, 8, 3), "eps": draw.integer(2, 9) / 4}


@standardize.case("a feature that hardly varies, one that does not at all")
def _(draw):
    x = draw.normal(8, 5)
    x[:, 1] *= 2e-3
    x[:, 3] = draw.integer(2, 9)
    return {"x": x}


@standardize.case("double precision, a view")
def _(draw):
    return {"x": scaled_features(draw, 6, 9, dtype=torch.float64).T, "eps": 1e-3}


@standardize.case("half precision")
def _(draw):
    return {"x": draw.normal(16, 6, dtype=torch.float16), "eps": 0.125}


@standardize.misconception
def over_the_features(x, eps=1e-5):
    """Yours brings each *row* to mean 0 and variance 1: it averages over the features. Here each feature is averaged
    over the batch. The axis that `dim` names is the one that disappears."""
    mean, var = x.mean(dim=1, keepdim=True), x.var(dim=1, keepdim=True, correction=0)
    return (x - mean) / torch.sqrt(var + eps)


@standardize.misconception
def unbiased_variance(x, eps=1e-5):
    """Your variance is divided by batch - 1, which is what var and std do unless told otherwise. This exercise divides
    by batch; with a single row, yours divides by zero."""
    return (x - x.mean(dim=0)) / torch.sqrt(x.var(dim=0) + eps)


@standardize.misconception
def eps_outside_the_root(x, eps=1e-5):
    """Yours adds eps to the standard deviation. It belongs to the variance, under the root: where a feature hardly
    varies, the two are far apart."""
    return (x - x.mean(dim=0)) / (x.std(dim=0, correction=0) + eps)


@standardize.misconception
def quotient_first(x, eps=1e-5):
    """Yours divides the mean, and subtracts that quotient from x: `/` comes before `-`. The difference is to be
    divided, so it needs brackets."""
    return x - x.mean(dim=0) / torch.sqrt(x.var(dim=0, correction=0) + eps)


@standardize.misconception
def divided_by_the_variance(x, eps=1e-5):
    """Yours divides by the variance. The variance is in squared units: its root brings x to variance 1."""
    return (x - x.mean(dim=0)) / (x.var(dim=0, correction=0) + eps)


@standardize.misconception
def one_mean_for_everything(x, eps=1e-5):
    """Yours takes one mean and one variance of all numbers together. Each feature has its own: a feature that counts in
    thousands would drown the others."""
    return (x - x.mean()) / torch.sqrt(x.var(correction=0) + eps)


@standardize.misconception
def without_eps(x, eps=1e-5):
    """Yours leaves eps out. A feature that never changes has variance 0, and 0 / 0 is NaN."""
    return (x - x.mean(dim=0)) / x.std(dim=0, correction=0)


@standardize.misconception
def eps_of_its_own(x, eps=1e-5):
    """Yours uses 1e-5 whatever `eps` says: the parameter makes no difference."""
    return (x - x.mean(dim=0)) / torch.sqrt(x.var(dim=0, correction=0) + 1e-5)


@standardize.misconception
def mean_of_squares(x, eps=1e-5):
    """Yours divides by the root of the mean *square*. The variance is the mean square of the deviations: subtract the
    mean before squaring."""
    return (x - x.mean(dim=0)) / torch.sqrt(x.square().mean(dim=0) + eps)


@standardize.misconception
def mean_not_subtracted(x, eps=1e-5):
    """Your features have variance 1, but they keep a mean. Subtract it before you divide."""
    return x / torch.sqrt(x.var(dim=0, correction=0) + eps)


@standardize.misconception
def mean_subtracted_afterwards(x, eps=1e-5):
    """Yours divides x first and subtracts the mean of the undivided x afterwards. Brackets around x - mean bring them
    onto one scale."""
    return x / torch.sqrt(x.var(dim=0, correction=0) + eps) - x.mean(dim=0)


@standardize.misconception
def standardized_in_place(x, eps=1e-5):
    """Your result is right, but it is written into the x you were given. `-=`, `/=` and methods that end in an
    underscore change the caller's tensor."""
    var = x.var(dim=0, correction=0)
    x -= x.mean(dim=0)
    x /= torch.sqrt(var + eps)
    return x


@standardize.misconception
def ready_made_norm(x, eps=1e-5):
    """Yours calls a ready-made batch norm, which is what you are asked to build. It also refuses a batch of one row in
    training."""
    return F.batch_norm(x, None, None, training=True, eps=eps)


@standardize.variant
def by_hand(x, eps=1e-5):
    batch = x.shape[0]
    centred = x - x.sum(0) / batch
    return centred * (centred.pow(2).sum(0) / batch + eps).rsqrt()


@standardize.variant
def mean_of_squares_minus_square_of_mean(x, eps=1e-5):
    mean = x.mean(-2)
    var = (x**2).mean(-2) - mean**2
    return (x - mean[None]) / (var[None] + eps) ** 0.5


@standardize.variant
def feature_by_feature(x, eps=1e-5):
    columns = []
    for column in x.unbind(dim=1):
        var, mean = torch.var_mean(column, unbiased=False)
        columns.append((column - mean) / torch.sqrt(var + eps))
    return torch.stack(columns, dim=1)


@standardize.variant
def transposed_and_back(x, eps=1e-5):
    features = x.T
    centred = features - features.mean(dim=-1, keepdim=True)
    return (centred / (features.std(dim=-1, unbiased=False, keepdim=True) ** 2 + eps).sqrt()).T


@standardize.variant
def in_single_precision_inside(x, eps=1e-5):
    wide = x.double()
    result = wide.clone().sub_(wide.mean(dim=0)).div_(torch.sqrt(wide.var(dim=0, correction=0).add(eps)))
    return result.to(x.dtype)


# ---- pairwise_distances ----------------------------------------------------------------------------------------------

pairwise_distances = Exercise(
    "pairwise_distances",
    points=3,
    forbids=["cdist", "pairwise_distance", "pdist", "_euclidean_dist", "_cdist_forward"],
    hints=[
        "The result has a place for each pair. Which shape do all the differences have, one vector for each pair, "
        "before anything is summed?",
        "(n, 1, feature) and (1, m, feature) meet as (n, m, feature). Where do x and y get their axis of size 1?",
        "x[:, None, :] - y[None, :, :] holds every difference. Square it, sum over the last axis, take the root.",
    ],
)


def points(draw, count, feature, reach=24, step=0.125, dtype=torch.float32):
    """Points on a grid. Their squares and sums are exact, so that every right formula agrees, at distance 0 too."""
    return (draw.integers(-reach, reach, count, feature) * step).to(dtype)


def apart(x, y):
    """y, with nothing left of a point that is also in x: the distances of a case without coincidences."""
    return torch.where((x[:, None] == y).all(dim=2).any(dim=0)[:, None], y + 0.0625, y)


@pairwise_distances.case("two points and three in the plane")
def _(draw):
    return {"x": torch.tensor([[0.0, 0.0], [3.0, 0.0]]), "y": torch.tensor([[0.0, 4.0], [3.0, 0.0], [5.0, 12.0]])}


@pairwise_distances.case("four points and six, five features")
def _(draw):
    x = points(draw, 4, 5)
    return {"x": x, "y": apart(x, points(draw, 6, 5))}


@pairwise_distances.case("more points in x than in y")
def _(draw):
    x = points(draw, 9, 3)
    return {"x": x, "y": apart(x, points(draw, 2, 3))}


@pairwise_distances.case("as many points as features")
def _(draw):
    x = points(draw, 4, 4)
    return {"x": x, "y": apart(x, points(draw, 4, 4))}


@pairwise_distances.case("one point, one feature")
def _(draw):
    return {"x": torch.tensor([[draw.integer(2, 9) / 4]]), "y": torch.tensor([[-draw.integer(2, 9) / 4]])}


@pairwise_distances.case("points that are in both sets")
def _(draw):
    x = points(draw, 5, 3)
    return {"x": x, "y": torch.cat([x[[3, 1]], points(draw, 5, 3)])}


@pairwise_distances.case("far away points, views")
def _(draw):
    x = points(draw, 3, 6, reach=900, step=1.0).T
    return {"x": x, "y": points(draw, 8, 3, reach=900, step=1.0)[::2]}


@pairwise_distances.case("half precision")
def _(draw):
    x = points(draw, 6, 4, reach=5, step=1.0, dtype=torch.float16)
    return {"x": x, "y": points(draw, 3, 4, reach=5, step=1.0, dtype=torch.float16)}


@pairwise_distances.case("double precision")
def _(draw):
    x = points(draw, 3, 7, dtype=torch.float64)
    return {"x": x, "y": apart(x, points(draw, 5, 7, dtype=torch.float64))}


@pairwise_distances.case("points that nearly coincide")
def _(draw):
    # |x|² is rounded down, x·y and |y|² up, in whichever order they are added: multiplied out, each square is a little
    # below zero. The points are so near to the origin that no formula loses a digit that counts.
    x, y = 2047 - 2 * draw.permutation(5)[:3], 2059 + 2 * draw.permutation(8)[:4]
    return {name: (1 + numbers[:, None] * 2.0**-23) * 2.0**-7 for name, numbers in {"x": x, "y": y}.items()}


@pairwise_distances.no_loop_over("n or m")
def _(draw, size):
    return {"x": points(draw, size, 2), "y": points(draw, size, 2)}


@pairwise_distances.misconception
def no_root(x, y):
    """Yours are the *squared* distances. The nearest point is the same, but 3 and 4 make 5, not 25."""
    return (x[:, None] - y).square().sum(dim=2)


@pairwise_distances.misconception
def city_blocks(x, y):
    """Yours adds up the absolute differences, which is the way along the streets and not the straight line. The order
    is: square, sum, then root; a root before the sum undoes the square."""
    return (x[:, None] - y).abs().sum(dim=2)


@pairwise_distances.misconception
def summed_before_squaring(x, y):
    """Yours sums the differences before it squares them, so that a step to the right and one to the left cancel."""
    return (x[:, None] - y).sum(dim=2).square().sqrt()


@pairwise_distances.misconception
def mean_instead_of_sum(x, y):
    """Yours takes the mean of the squared differences instead of their sum, so that the distance shrinks with the
    number of features."""
    return (x[:, None] - y).square().mean(dim=2).sqrt()


@pairwise_distances.misconception
def rows_of_y_first(x, y):
    """Your rows belong to y and your columns to x. Which of the two got its new axis in front?"""
    return (y[:, None] - x).square().sum(dim=2).sqrt()


@pairwise_distances.misconception
def row_with_row(x, y):
    """Yours compares the first row with the first row, the second with the second. All pairs are asked for, so each set
    needs an axis of its own: without it the rows meet, or collide."""
    return (x - y).square().sum(dim=1).sqrt()


@pairwise_distances.misconception
def summed_over_the_points(x, y):
    """Yours sums over the points of y and leaves the features. The features disappear: which axis are they, after x has
    got its new one?"""
    return (x[:, None] - y).square().sum(dim=1).sqrt()


@pairwise_distances.misconception
def within_x(x, y):
    """Yours are the distances of x to itself: y makes no difference in it."""
    return (x[:, None] - x).square().sum(dim=2).sqrt()


@pairwise_distances.misconception
def largest_difference(x, y):
    """Yours takes the largest difference of each pair. All features count: square, sum, root."""
    return (x[:, None] - y).abs().amax(dim=2)


@pairwise_distances.misconception
def dot_product_once(x, y):
    """Yours is |x|² + |y|² - x·y under the root. When (x - y)² is multiplied out, x·y comes twice."""
    return (x.square().sum(1)[:, None] + y.square().sum(1) - x @ y.T).clamp(min=0).sqrt()


@pairwise_distances.misconception
def root_of_a_negative_square(x, y):
    """Yours is NaN where two points nearly coincide. Multiplied out, their square is a small difference of large
    numbers, and rounding can leave it below zero: what keeps it at zero or above before the root is taken?"""
    return (x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.T).sqrt()


@pairwise_distances.misconception
def root_of_a_little_more(x, y):
    """Yours adds a small number under the root, so that a point has a distance to itself. It helps a gradient, but this
    exercise asks for 0 there."""
    return ((x[:, None] - y).square().sum(dim=2) + 1e-6).sqrt()


@pairwise_distances.misconception
def ready_made_distances(x, y):
    """Yours calls torch.cdist, which is what you are asked to build. It also refuses half precision on the CPU."""
    return torch.cdist(x, y)


@pairwise_distances.variant
def multiplied_out(x, y):
    squared = (x * x).sum(1, keepdim=True) + (y * y).sum(1) - 2 * x @ y.T
    return squared.clamp(min=0).sqrt()


@pairwise_distances.variant
def by_einsum_of_differences(x, y):
    differences = x.unsqueeze(1) - y.unsqueeze(0)
    return torch.einsum("nmf,nmf->nm", differences, differences) ** 0.5


@pairwise_distances.variant
def feature_after_feature(x, y):
    total = torch.zeros(len(x), len(y), dtype=x.dtype)
    for k in range(x.shape[1]):
        total += (x[:, k, None] - y[:, k]) ** 2
    return total.sqrt_()


@pairwise_distances.variant
def by_norm(x, y):
    return torch.linalg.vector_norm(y - x[:, None], dim=-1)


@pairwise_distances.variant
def stretched_out_and_transposed(x, y):
    n, m, feature = len(x), len(y), x.shape[1]
    left, right = x.expand(m, n, feature), y.repeat_interleave(n, dim=0).view(m, n, feature)
    return (left - right).norm(dim=2).T


# ---- one_hot ---------------------------------------------------------------------------------------------------------

one_hot = Exercise(
    "one_hot",
    points=2,
    forbids=[
        "one_hot",
        "eye",
        "scatter",
        "scatter_",
        "scatter_add",
        "scatter_add_",
        "scatter_reduce",
        "scatter_reduce_",
        "gather",
        "index_select",
        "index_put",
        "index_put_",
        "index_add",
        "index_add_",
        "index_copy",
        "index_copy_",
        "index_fill",
        "index_fill_",
        "embedding",
        "diag",
        "diagflat",
        "diag_embed",
    ],
    hints=[
        "Each place of the table asks one question of one label and one class. Which question?",
        "torch.arange(classes) holds the classes. Which shape must the labels have so that a comparison with it gives "
        "a row for each label?",
        "labels[:, None] == torch.arange(classes) has the shape (batch, classes). It is boolean: .float() makes "
        "numbers of it.",
    ],
)


@one_hot.case("four labels, three classes")
def _(draw):
    return {"labels": torch.tensor([2, 0, 1, 2]), "classes": 3}


@one_hot.case("more classes than labels")
def _(draw):
    classes = draw.integer(9, 14)
    return {"labels": draw.integers(0, classes - 4, draw.integer(4, 7)), "classes": classes}


@one_hot.case("more labels than classes")
def _(draw):
    return {"labels": draw.integers(0, 4, draw.integer(12, 20)), "classes": 5}


@one_hot.case("as many labels as classes")
def _(draw):
    count = draw.integer(4, 9)
    return {"labels": (torch.arange(count) + 1) % count, "classes": count}


@one_hot.case("one label, one class")
def _(draw):
    return {"labels": torch.tensor([0]), "classes": 1}


@one_hot.case("int32 labels")
def _(draw):
    return {"labels": draw.integers(0, 7, 6).int(), "classes": 8}


@one_hot.case("a column of a table")
def _(draw):
    return {"labels": draw.integers(0, 8, 5, 3)[:, 1], "classes": 9}


@one_hot.no_loop_over("batch or classes")
def _(draw, size):
    return {"labels": draw.integers(0, size - 1, size), "classes": size}


@one_hot.misconception
def booleans(labels, classes):
    """Yours has the right places, but it holds booleans. A network multiplies: it needs float32 numbers."""
    return labels[:, None] == torch.arange(classes)


@one_hot.misconception
def whole_numbers(labels, classes):
    """Yours has the right places, but it holds integers. A network multiplies with floating-point weights: float32 is
    asked for."""
    return (labels[:, None] == torch.arange(classes)).long()


@one_hot.misconception
def classes_in_rows(labels, classes):
    """Yours has a row for each class. A row for each label is asked for: the labels are the ones to become a column."""
    return (torch.arange(classes)[:, None] == labels).float()


@one_hot.misconception
def counted_from_one(labels, classes):
    """Yours counts the classes from 1. They are numbered from 0 to classes - 1: label 0 has its 1 in the first
    column."""
    return (labels[:, None] == torch.arange(1, classes + 1)).float()


@one_hot.misconception
def zeros_for_the_class(labels, classes):
    """Yours has a 0 where the class is and ones elsewhere: it asks where a label is *not*."""
    return (labels[:, None] != torch.arange(classes)).float()


@one_hot.misconception
def thermometer(labels, classes):
    """Yours has ones in all columns up to the label. Only the column of the label itself is 1: ask for equality."""
    return (torch.arange(classes) <= labels[:, None]).float()


@one_hot.misconception
def as_many_classes_as_seen(labels, classes):
    """Yours has as many columns as the labels at hand need. `classes` says how many there are: the highest class may be
    missing from a batch."""
    return (labels[:, None] == torch.arange(int(labels.max()) + 1)).float()


@one_hot.misconception
def ready_made(labels, classes):
    """Yours is F.one_hot, which is what you are asked to build. It also stops with an error at a label that lies
    outside, and takes int64 labels only."""
    return F.one_hot(labels, classes).float()


@one_hot.variant
def by_eq_and_float(labels, classes):
    return torch.arange(classes).unsqueeze(0).eq(labels.unsqueeze(1)).float()


@one_hot.variant
def by_differences(labels, classes):
    steps = (labels.view(-1, 1) - torch.arange(classes).view(1, -1)).abs()
    return 1.0 - steps.clamp(max=1).to(torch.float32)


@one_hot.variant
def by_assigning_where_equal(labels, classes):
    result = torch.zeros(labels.size(0), classes)
    result[labels.reshape(-1, 1).expand(-1, classes) == torch.arange(classes)] = 1
    return result


@one_hot.variant
def between_two_steps(labels, classes):
    columns = torch.arange(classes, dtype=torch.float32)
    position = labels.to(torch.float32)[:, None]
    return ((columns > position - 0.5) & (columns < position + 0.5)).type(torch.FloatTensor)


# ---- lengths_to_mask -------------------------------------------------------------------------------------------------

lengths_to_mask = Exercise(
    "lengths_to_mask",
    points=2,
    hints=[
        "A sentence of length 3 has real tokens at positions 0, 1 and 2. How do you tell from a position and a length "
        "whether the token is real?",
        "torch.arange(max_len) holds the positions. What shape must the lengths have to be compared with each of them?",
        "torch.arange(max_len) < lengths[:, None] compares (max_len,) with (batch, 1).",
    ],
)


@lengths_to_mask.case("three sentences, four positions")
def _(draw):
    return {"lengths": torch.tensor([3, 1, 4]), "max_len": 4}


@lengths_to_mask.case("lengths of their own")
def _(draw):
    return {"lengths": draw.integers(1, 9, draw.integer(4, 7)), "max_len": draw.integer(12, 16)}


@lengths_to_mask.case("more sentences than positions")
def _(draw):
    return {"lengths": draw.integers(0, 5, draw.integer(9, 14)), "max_len": 5}


@lengths_to_mask.case("as many sentences as positions")
def _(draw):
    return {"lengths": draw.permutation(6) + draw.integers(0, 1, 6), "max_len": 6}


@lengths_to_mask.case("an empty sentence and a full one")
def _(draw):
    max_len = draw.integer(6, 9)
    return {"lengths": torch.tensor([0, max_len, 2]), "max_len": max_len}


@lengths_to_mask.case("one sentence of one token")
def _(draw):
    return {"lengths": torch.tensor([1]), "max_len": 1}


@lengths_to_mask.case("int32 lengths, a column of a table")
def _(draw):
    return {"lengths": draw.integers(0, 8, 4, 3).int()[:, 2], "max_len": 10}


@lengths_to_mask.no_loop_over("batch or max_len")
def _(draw, size):
    return {"lengths": draw.integers(0, size, size), "max_len": size}


@lengths_to_mask.misconception
def true_on_padding(lengths, max_len):
    """Your mask is True on padding. In this course True means "a real token"; some libraries mean the opposite, so look
    it up each time."""
    return torch.arange(max_len) >= lengths[:, None]


@lengths_to_mask.misconception
def one_token_too_many(lengths, max_len):
    """Each row of yours has one True too many. Positions count from 0, so the last real one is length - 1: look at the
    sign of your comparison."""
    return torch.arange(max_len) <= lengths[:, None]


@lengths_to_mask.misconception
def one_token_too_few(lengths, max_len):
    """Each row of yours has one True too few. Positions count from 0: a sentence of length 1 has its token at
    position 0."""
    return torch.arange(1, max_len + 1) < lengths[:, None]


@lengths_to_mask.misconception
def positions_in_rows(lengths, max_len):
    """Yours has a row for each position. A row for each sentence is asked for: the lengths are the ones to become a
    column."""
    return torch.arange(max_len)[:, None] < lengths


@lengths_to_mask.misconception
def as_wide_as_the_longest(lengths, max_len):
    """Your mask ends where the longest sentence ends. It has max_len columns, whatever the sentences are like."""
    return torch.arange(int(lengths.max())) < lengths[:, None]


@lengths_to_mask.misconception
def padded_on_the_left(lengths, max_len):
    """Your real tokens stand at the end of each row. Here the padding comes after them."""
    return torch.arange(max_len) >= max_len - lengths[:, None]


@lengths_to_mask.misconception
def ones_and_zeros(lengths, max_len):
    """Yours holds the numbers 1 and 0. A mask is boolean: that is what a comparison gives."""
    return (torch.arange(max_len) < lengths[:, None]).float()


@lengths_to_mask.misconception
def one_length_for_all(lengths, max_len):
    """Yours gives every sentence the length of the longest. Each row has a length of its own."""
    return (torch.arange(max_len) < lengths.max()).expand(len(lengths), max_len)


@lengths_to_mask.misconception
def last_token_alone(lengths, max_len):
    """Yours is True at the last real token alone. All positions before it are real as well."""
    return torch.arange(max_len) == lengths[:, None] - 1


@lengths_to_mask.variant
def by_expanding(lengths, max_len):
    positions = torch.arange(max_len).expand(len(lengths), max_len)
    return positions.lt(lengths.unsqueeze(1).expand_as(positions))


@lengths_to_mask.variant
def by_counting(lengths, max_len):
    return torch.ones(lengths.shape[0], max_len).cumsum(dim=1) <= lengths.view(-1, 1)


@lengths_to_mask.variant
def rows_of_a_triangle(lengths, max_len):
    table = torch.ones(max_len + 1, max_len, dtype=torch.bool).tril(-1)
    return table[lengths.clamp(max=max_len).long()]


@lengths_to_mask.variant
def by_where_with_numbers(lengths, max_len):
    left = lengths[None].T - torch.arange(max_len)
    return torch.where(left > 0, torch.tensor(True), torch.tensor(False))
