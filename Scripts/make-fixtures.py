#!/usr/bin/env python3
"""Writes the reference values that the tests of TensorCore and of the networks compare with: PyTorch's outputs and gradients.

    python Scripts/make-fixtures.py [--output Tests/Fixtures] [NAME ...]

needs torch, numpy and safetensors. Without names it writes every file; a name is that of a file without its extension (`convolution`).
Each file records the version of torch in its metadata, and each case draws from its own seed, so that a new case leaves the others as they were.

Inputs are float32. Outputs and gradients are computed from them in float64 and then rounded to float32, so that a difference is the fault
of the code under test and not of the reference; only the optimisers' state, which is float32 in training, stands for itself in float64 too.

TensorCore/<operation>.safetensors, in the layouts of the Swift code (activations [batch, height, width, channels], convolution weights
[kernel height, kernel width, in, out], linear weights [out, in]):
    <case>.input.<name>      the inputs
    <case>.output            the output
    <case>.cotangent         c, normally distributed
    <case>.gradient.<name>   the gradient of sum(output · c) with respect to each input

Models/<network>.safetensors: inputs and outputs in [batch, height, width, channels], parameters under their state-dict names in PyTorch's layouts:
    weights.<name>           the parameters
    input.<name>, output     as above
    cotangent                c
    gradient.<name>          the gradient of sum(output · c) with respect to each parameter, and to `input` or `input.<name>`

`Models/{paper-unet,enhance,progressive}.safetensors` are not written here: they were computed with the code published by Ramunno et al. 2025 (their
metadata says how); images in them are [batch, channels, height, width].
"""

import argparse
import math
import zlib
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

ARGUMENTS = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ARGUMENTS.add_argument("names", nargs="*", metavar="NAME", help="the files to write, without extension (default: all)")
ARGUMENTS.add_argument("--output", type=Path, default=Path(__file__).resolve().parent.parent / "Tests" / "Fixtures")
FILES = {}


def fixture(path):
    """Registers a function that returns the tensors of one file."""
    return lambda function: FILES.setdefault(path, function)


def seeded(name):
    """A generator whose numbers depend on `name` alone."""
    return torch.Generator().manual_seed(zlib.crc32(name.encode()))


def write(path, tensors):
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().float().contiguous().clone() for name, tensor in tensors.items()}
    # One entry alone: save_file writes several in an order that changes from run to run.
    save_file(tensors, path, metadata={"torch": torch.__version__})
    print(f"{path.name:36} {len(tensors):5} tensors {path.stat().st_size:9} bytes")


# --------------------------------------------------------------------------------------------------------------------- layouts


def nchw(x):
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1)


# ------------------------------------------------------------------------------------------------------------------ operations


class Cases:
    """The cases of one operation: `add` draws the inputs, runs the operation in float64 and keeps output, cotangent and gradients."""

    def __init__(self, operation):
        self.operation = operation
        self.tensors = {}

    def add(self, case, function, shapes, prepare=None):
        """`shapes` names the inputs; `prepare(name, values)` may change normally distributed values into ones that suit the operation.

        `function` takes the inputs in that order and returns the output, or (output, scalar loss, indices) as a quantiser does.
        """
        assert f"{case}.output" not in self.tensors, case
        generator = seeded(f"{self.operation}/{case}")
        inputs = {}
        for name, shape in shapes.items():
            values = torch.randn(shape, generator=generator)
            if prepare:
                values = prepare(name, values)
            inputs[name] = values.float().double().requires_grad_()
        output = function(*inputs.values())
        loss = 0
        if isinstance(output, tuple):
            output, loss, indices = output
            self.tensors[f"{case}.loss"] = loss
            self.tensors[f"{case}.indices"] = indices
        cotangent = torch.randn(output.shape, generator=generator).double()
        gradients = torch.autograd.grad((output * cotangent).sum() + loss, list(inputs.values()))
        self.tensors[f"{case}.output"] = output
        self.tensors[f"{case}.cotangent"] = cotangent
        for (name, values), gradient in zip(inputs.items(), gradients):
            self.tensors[f"{case}.input.{name}"] = values
            self.tensors[f"{case}.gradient.{name}"] = gradient


def away_from_zero(name, values):
    """Divisors: no smaller than 0.5 in modulus."""
    return values.sign() * (values.abs() + 0.5) if name == "b" else values


BROADCASTS = {
    "same-shape": ((2, 3, 5, 4), (2, 3, 5, 4)),
    "channels": ((1, 5, 4, 17), (17,)),
    "batch-and-channels": ((2, 5, 7, 3), (2, 1, 1, 3)),
    "one-element": ((2, 3, 4, 5), (1,)),
    "scalar": ((2, 3, 4, 5), ()),
    "map": ((2, 5, 4, 3), (2, 5, 4, 1)),
    "left-is-smaller": ((5,), (3, 4, 5)),
    "left-is-scalar": ((), (3, 5)),
    "both-broadcast": ((2, 1, 4, 1), (3, 1, 5)),
    "batch-only": ((3, 4, 5, 2), (3, 1, 1, 1)),
    "rows": ((2, 4, 5, 3), (4, 1, 1)),
    "many-pixels": ((1, 19, 23, 2), (2,)),
    "scalars": ((), ()),
}

for operation, function in {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
}.items():

    @fixture(f"TensorCore/{operation}")
    def binary(operation=operation, function=function):
        cases = Cases(operation)
        for case, (a, b) in BROADCASTS.items():
            cases.add(case, function, {"a": a, "b": b}, away_from_zero if operation == "divide" else None)
        if operation in ("add", "multiply"):
            # The same tensor twice: both gradients must arrive.
            cases.add("with-itself", lambda a: function(a, a), {"a": (3, 5)})
        return cases.tensors


@fixture("TensorCore/scalar-arithmetic")
def scalar_arithmetic():
    cases = Cases("scalar-arithmetic")
    x = {"x": (2, 3, 5, 3)}
    cases.add("negate", lambda x: -x, x)
    cases.add("add", lambda x: x + 2.5, x)
    cases.add("subtract", lambda x: x - 2.5, x)
    cases.add("multiply", lambda x: x * -1.75, x)
    cases.add("divide", lambda x: x / 3, x)
    return cases.tensors


def spread(_, values):
    return 3 * values


def with_extremes(_, values):
    """Values from −40 to 40, the ends where exponentials overflow or vanish; zero among them."""
    return torch.linspace(-40, 40, values.numel()).reshape(values.shape)


@fixture("TensorCore/activations")
def activations():
    cases = Cases("activations")
    for name, function in {"relu": F.relu, "silu": F.silu, "gelu": F.gelu, "absolute": torch.abs, "squared": torch.square}.items():
        cases.add(f"{name}.odd", function, {"x": (2, 5, 7, 3)}, spread)
        cases.add(f"{name}.one-element", function, {"x": (1, 1)})
        cases.add(f"{name}.extremes", function, {"x": (161,)}, with_extremes)
        cases.add(f"{name}.several-blocks", function, {"x": (1, 23, 19, 1)})
    cases.add("clamped", lambda x: x.clamp(-0.75, 1.25), {"x": (2, 5, 7, 3)})
    cases.add("clamped-several-blocks", lambda x: x.clamp(-1, 1), {"x": (1, 23, 19, 1)})
    return cases.tensors


@fixture("TensorCore/reductions")
def reductions():
    cases = Cases("reductions")
    shape = {"x": (2, 5, 7, 3)}
    for name, function in {"sum": torch.sum, "mean": torch.mean}.items():
        cases.add(f"{name}.all", lambda x: function(x), shape)
        cases.add(f"{name}.all-kept", lambda x: function(x, dim=(0, 1, 2, 3), keepdim=True), shape)
        for axes in [(0,), (1,), (3,), (1, 2), (0, 3), (0, 1, 2), (1, 2, 3), (0, 2)]:
            label = "-".join(map(str, axes))
            cases.add(f"{name}.axes-{label}", lambda x: function(x, dim=axes), shape)
            cases.add(f"{name}.axes-{label}-kept", lambda x: function(x, dim=axes, keepdim=True), shape)
        cases.add(f"{name}.vector", lambda x: function(x, dim=0), {"x": (17,)})
        cases.add(f"{name}.scalar", lambda x: function(x), {"x": ()})
        cases.add(f"{name}.many-pixels", lambda x: function(x, dim=(1, 2)), {"x": (2, 31, 17, 1)})
        cases.add(f"{name}.many-pixels-all", lambda x: function(x), {"x": (1, 31, 27, 1)})
        # Sums of values far from zero show whether the accumulation is careful.
        cases.add(f"{name}.offset", lambda x: function(x, dim=(0, 1, 2)), {"x": (1, 29, 23, 1)}, lambda _, values: values + 100)
    return cases.tensors


@fixture("TensorCore/shapes")
def shapes():
    cases = Cases("shapes")
    cases.add("reshape", lambda x: x.reshape(2, 15, 4), {"x": (2, 3, 5, 4)})
    cases.add("reshape-to-scalar", lambda x: x.reshape(()), {"x": (1, 1)})
    cases.add("slice-axis-0", lambda x: x[1:3], {"x": (4, 3, 2)})
    cases.add("slice-axis-1", lambda x: x[:, 1:4], {"x": (2, 5, 7, 3)})
    cases.add("slice-axis-2", lambda x: x[:, :, 2:3], {"x": (2, 5, 7, 3)})
    cases.add("slice-channels", lambda x: x[..., 5:12], {"x": (1, 5, 3, 17)})
    cases.add("slice-whole", lambda x: x[..., 0:3], {"x": (2, 3)})
    # Two slices of one tensor: their gradients add up where they overlap.
    cases.add("slices-overlap", lambda x: x[:, 0:4] * x[:, 2:6], {"x": (3, 6, 2)})
    for axis in range(4):
        lengths = [3, 1, 4]
        shape = {name: tuple(length if i == axis else size for i, size in enumerate((2, 3, 5, 2))) for name, length in zip("abc", lengths)}
        cases.add(f"concatenate-axis-{axis}", lambda *parts: torch.cat(parts, dim=axis), shape)
    cases.add("concatenate-channels", lambda a, b: torch.cat([a, b], dim=3), {"a": (2, 3, 5, 17), "b": (2, 3, 5, 4)})
    cases.add("concatenate-one", lambda a: torch.cat([a], dim=1), {"a": (2, 3)})
    cases.add("concatenate-with-itself", lambda a: torch.cat([a, a], dim=1), {"a": (2, 3)})
    for factor, channels in [(2, 1), (2, 3), (3, 2)]:
        cases.add(
            f"pixel-shuffle-{factor}-{channels}", lambda x: nhwc(F.pixel_shuffle(nchw(x), factor)), {"x": (2, 5, 3, channels * factor * factor)}
        )
        cases.add(
            f"pixel-unshuffle-{factor}-{channels}", lambda x: nhwc(F.pixel_unshuffle(nchw(x), factor)), {"x": (2, 4 * factor, 3 * factor, channels)}
        )
    return cases.tensors


@fixture("TensorCore/products")
def products():
    cases = Cases("products")
    for case, a, b in [
        ("square", (5, 5), (5, 5)),
        ("odd", (4, 5), (5, 3)),
        ("row-times-column", (1, 7), (7, 1)),
        ("column-times-row", (7, 1), (1, 5)),
        ("batch", (3, 4, 5), (3, 5, 2)),
        ("two-leading-axes", (2, 3, 7, 5), (2, 3, 5, 4)),
        ("blocked", (37, 33), (33, 19)),
    ]:
        cases.add(f"matmul.{case}", torch.matmul, {"a": a, "b": b})
    for case, leading, inner, outer in [
        ("matrix", (3,), 5, 17),
        ("tokens", (2, 37), 17, 3),
        ("image", (2, 5, 7), 3, 5),
        ("one-to-one", (4,), 1, 1),
        ("wide", (17,), 64, 48),
    ]:
        shape = {"x": (*leading, inner), "weight": (outer, inner), "bias": (outer,)}
        cases.add(f"linear.{case}", F.linear, shape)
    cases.add("linear.no-bias", F.linear, {"x": (2, 9, 5), "weight": (7, 5)})
    cases.add("linear.many-rows", F.linear, {"x": (1, 450, 2), "weight": (3, 2), "bias": (3,)})
    return cases.tensors


def convolution(stride=1, top=0, bottom=0, left=0, right=0):
    def apply(x, weight, bias=None):
        padded = F.pad(nchw(x), (left, right, top, bottom))
        return nhwc(F.conv2d(padded, weight.permute(3, 2, 0, 1).contiguous(), bias, stride=stride))

    return apply


def same(padding, stride=1):
    return convolution(stride, padding, padding, padding, padding)


@fixture("TensorCore/convolution")
def convolutions():
    cases = Cases("convolution")

    def add(case, apply, image, kernel, outputs, bias=True):
        shape = {"x": image, "weight": (*kernel, image[3], outputs)}
        if bias:
            shape["bias"] = (outputs,)
        cases.add(case, apply, shape, lambda name, values: values / math.sqrt(kernel[0] * kernel[1] * image[3]) if name == "weight" else values)

    add("1x1", same(0), (2, 5, 7, 3), (1, 1), 5)
    add("1x1-no-bias", same(0), (1, 4, 3, 5), (1, 1), 17, bias=False)
    add("1x1-stride-2", same(0, stride=2), (1, 7, 6, 4), (1, 1), 6)
    add("1x1-padded", same(1), (1, 3, 4, 2), (1, 1), 3)
    add("1x1-wide", same(0), (1, 5, 7, 48), (1, 1), 32)
    add("3x3", same(1), (2, 9, 7, 3), (3, 3), 5)
    add("3x3-no-bias", same(1), (1, 6, 11, 5), (3, 3), 3, bias=False)
    add("3x3-one-channel", same(1), (1, 7, 6, 1), (3, 3), 1)
    add("3x3-one-pixel", same(1), (2, 1, 1, 5), (3, 3), 3)
    add("3x3-one-row", same(1), (2, 1, 9, 2), (3, 3), 3)
    add("3x3-smaller-than-a-tile", same(1), (1, 2, 3, 4), (3, 3), 4)
    add("3x3-unpadded", same(0), (1, 8, 9, 5), (3, 3), 17)
    add("3x3-unpadded-one-output", same(0), (2, 3, 3, 5), (3, 3), 3)
    add("3x3-padding-2", same(2), (1, 5, 6, 3), (3, 3), 2)
    add("3x3-top-left", convolution(1, top=2, left=1), (1, 6, 5, 2), (3, 3), 3)
    add("3x3-right-bottom", convolution(1, bottom=1, right=1), (1, 6, 5, 2), (3, 3), 3)
    add("3x3-whole-tiles", same(1), (1, 8, 8, 16), (3, 3), 16)
    add("3x3-many-pixels", same(1), (1, 29, 23, 3), (3, 3), 2)
    add("3x3-batch-many-pixels", same(1), (3, 18, 13, 1), (3, 3), 2)
    add("3x3-wide", same(1), (1, 5, 6, 64), (3, 3), 32)
    add("3x3-odd-channels", same(1), (1, 5, 6, 17), (3, 3), 19)
    add("3x3-stride-2", same(1, stride=2), (2, 9, 8, 5), (3, 3), 3)
    add("3x3-stride-2-even", same(1, stride=2), (1, 8, 6, 3), (3, 3), 4)
    add("3x3-stride-2-right-bottom", convolution(2, bottom=1, right=1), (2, 8, 10, 3), (3, 3), 5)
    add("3x3-stride-2-right-bottom-odd", convolution(2, bottom=1, right=1), (1, 7, 9, 3), (3, 3), 5)
    add("3x3-stride-2-many-pixels", same(1, stride=2), (1, 31, 27, 2), (3, 3), 3)
    add("3x1", convolution(1, top=1, bottom=1), (1, 6, 7, 2), (3, 1), 3)
    add("1x3", convolution(1, left=1, right=1), (1, 6, 7, 2), (1, 3), 3)
    add("4x4-stride-2", same(1, stride=2), (2, 9, 10, 3), (4, 4), 5)
    add("4x4-stride-1", same(1), (1, 7, 7, 5), (4, 4), 1)
    add("5x5", same(2), (1, 9, 11, 3), (5, 5), 4)
    add("5x5-stride-2", same(2, stride=2), (1, 10, 7, 2), (5, 5), 3)
    add("11x11-stride-4", same(2, stride=4), (1, 27, 23, 3), (11, 11), 2)
    return cases.tensors


@fixture("TensorCore/normalisation")
def normalisation():
    cases = Cases("normalisation")

    def affine(name, values):
        return 1 + 0.3 * values if name == "weight" else values

    def offset(name, values):
        return values + 50 if name == "x" else affine(name, values)

    def add_group(case, image, groups, epsilon=1e-5, prepare=affine):
        cases.add(
            f"group.{case}",
            lambda x, weight, bias: nhwc(F.group_norm(nchw(x), groups, weight, bias, epsilon)),
            {"x": image, "weight": image[3:], "bias": image[3:]},
            prepare,
        )

    add_group("one-group", (2, 5, 7, 6), 1)
    add_group("two-groups", (2, 5, 7, 6), 2, epsilon=1e-6)
    add_group("all-groups", (2, 5, 7, 6), 6)
    add_group("odd-channels", (3, 4, 3, 17), 1)
    add_group("one-channel", (2, 5, 3, 1), 1)
    add_group("offset", (2, 9, 7, 4), 2, prepare=offset)
    add_group("large-epsilon", (1, 3, 2, 4), 2, epsilon=0.5)
    add_group("many-pixels", (1, 29, 23, 2), 1)
    add_group("many-pixels-two-groups", (1, 23, 13, 4), 2)
    add_group("32-groups", (1, 5, 4, 64), 32, epsilon=1e-6)

    def add_layer(case, shape, epsilon=1e-5, prepare=affine):
        channels = shape[-1:]
        cases.add(
            f"layer.{case}",
            lambda x, weight, bias: F.layer_norm(x, channels, weight, bias, epsilon),
            {"x": shape, "weight": channels, "bias": channels},
            prepare,
        )

    add_layer("tokens", (2, 19, 17))
    add_layer("matrix", (3, 5))
    add_layer("image", (2, 3, 5, 4))
    add_layer("offset", (2, 9, 16), prepare=offset)
    add_layer("wide", (1, 9, 64), epsilon=1e-6)
    add_layer("many-tokens", (1, 210, 5))

    def add_rms(case, shape, epsilon=1e-3, prepare=affine):
        cases.add(
            f"rms.{case}",
            lambda x, weight: x / torch.sqrt(x.square().mean(-1, keepdim=True) + epsilon) * weight,
            {"x": shape, "weight": shape[-1:]},
            prepare,
        )

    add_rms("image", (2, 3, 5, 17))
    add_rms("one-channel", (2, 5, 3, 1))
    add_rms("small-values", (1, 3, 5, 5), prepare=lambda name, values: 0.01 * values if name == "x" else affine(name, values))
    add_rms("matrix", (3, 5), epsilon=1e-6)
    add_rms("wide", (1, 4, 3, 64))
    add_rms("many-pixels", (1, 21, 25, 2))
    return cases.tensors


def attention(heads):
    def apply(packed):
        batch, tokens, width = packed.shape
        queries, keys, values = packed.reshape(batch, tokens, 3, heads, width // 3 // heads).permute(2, 0, 3, 1, 4)
        logits = queries @ keys.transpose(-1, -2) / math.sqrt(queries.shape[-1])
        return (logits.softmax(-1) @ values).permute(0, 2, 1, 3).reshape(batch, tokens, width // 3)

    return apply


@fixture("TensorCore/attention")
def attentions():
    cases = Cases("attention")
    for case, batch, tokens, width, heads in [
        ("one-head", 2, 37, 5, 1),
        ("four-heads", 2, 37, 12, 4),
        ("four-heads-of-16", 1, 11, 64, 4),
        ("one-token", 2, 1, 4, 2),
        ("two-tokens", 1, 2, 3, 3),
        ("64-tokens", 1, 64, 8, 2),
        ("150-tokens", 1, 150, 6, 2),
        ("300-tokens", 1, 300, 3, 1),
    ]:
        cases.add(case, attention(heads), {"packed": (batch, tokens, 3 * width)})
    # Logits of some hundreds overflow an exponential that is not taken relative to the running maximum.
    cases.add("large-logits", attention(2), {"packed": (1, 70, 18)}, lambda _, values: 12 * values)
    return cases.tensors


@fixture("TensorCore/resampling")
def resampling():
    cases = Cases("resampling")
    for case, shape in [
        ("even", (2, 4, 6, 3)),
        ("odd", (2, 7, 5, 3)),
        ("one-channel", (1, 8, 6, 1)),
        ("17-channels", (1, 4, 4, 17)),
        ("many-pixels", (1, 38, 26, 1)),
    ]:
        cases.add(f"max-pool.{case}", lambda x: nhwc(F.max_pool2d(nchw(x), 2)), {"x": shape})
    # Where values tie, as zeros do after a ReLU, the first in reading order has the whole gradient.
    cases.add("max-pool.ties", lambda x: nhwc(F.max_pool2d(nchw(x), 2)), {"x": (2, 6, 8, 3)}, lambda _, values: (values - 0.8).clamp(min=0))
    for scale in (2, 3, 4):
        nearest = lambda x: nhwc(F.interpolate(nchw(x), scale_factor=scale, mode="nearest"))
        bilinear = lambda x: nhwc(F.interpolate(nchw(x), scale_factor=scale, mode="bilinear", align_corners=True))
        edges = lambda x: nhwc(F.interpolate(nchw(x), scale_factor=scale, mode="bilinear", align_corners=False))
        for name, function in {"nearest": nearest, "bilinear": bilinear, "bilinear-edges": edges}.items():
            cases.add(f"{name}-{scale}.odd", function, {"x": (2, 5, 3, 3)})
            cases.add(f"{name}-{scale}.one-pixel", function, {"x": (1, 1, 1, 2)})
            cases.add(f"{name}-{scale}.one-row", function, {"x": (1, 1, 4, 2)})
            if scale == 2:
                cases.add(f"{name}-{scale}.17-channels", function, {"x": (1, 3, 4, 17)})
                cases.add(f"{name}-{scale}.many-pixels", function, {"x": (1, 21, 19, 1)})
    return cases.tensors


@fixture("TensorCore/leaky-relu")
def leaky_relu():
    cases = Cases("leaky-relu")
    cases.add("odd", lambda x: F.leaky_relu(x, 0.2), {"x": (2, 5, 7, 3)}, spread)
    cases.add("one-element", lambda x: F.leaky_relu(x, 0.2), {"x": (1, 1)})
    cases.add("extremes", lambda x: F.leaky_relu(x, 0.2), {"x": (161,)}, with_extremes)
    cases.add("several-blocks", lambda x: F.leaky_relu(x, 0.01), {"x": (1, 23, 19, 1)})
    return cases.tensors


@fixture("TensorCore/batch-norm")
def batch_norm():
    """`training.*` with the batch's statistics, `inference.*` with means 0.1 c − 0.2 and variances 0.5 + 0.25 c for channel c.

    Three steps of a layer with momentum 0.1: `running.<step>.x`, and after it `running.<step>.{mean,variance,count}`; `running.inference` is what it
    then gives for the last x at inference. Its weight is 1 + 0.1 c, its bias 0.2 c.
    """
    cases = Cases("batch-norm")

    def affine(name, values):
        return 1 + 0.3 * values if name == "weight" else values

    def offset(name, values):
        return values + 50 if name == "x" else affine(name, values)

    def add(case, image, epsilon=1e-5, prepare=affine):
        channel = torch.arange(image[3]).double()

        def training(x, weight, bias):
            return nhwc(F.batch_norm(nchw(x), None, None, weight, bias, training=True, eps=epsilon))

        def inference(x, weight, bias):
            return nhwc(F.batch_norm(nchw(x), 0.1 * channel - 0.2, 0.5 + 0.25 * channel, weight, bias, eps=epsilon))

        shapes = {"x": image, "weight": image[3:], "bias": image[3:]}
        cases.add(f"training.{case}", training, shapes, prepare)
        cases.add(f"inference.{case}", inference, shapes, prepare)

    add("odd", (2, 5, 7, 3))
    add("one-channel", (2, 5, 3, 1))
    add("one-image", (1, 4, 3, 5))
    add("one-pixel", (3, 1, 1, 4))
    add("17-channels", (2, 3, 4, 17))
    add("large-epsilon", (2, 3, 2, 4), epsilon=0.5)
    add("offset", (2, 9, 7, 4), prepare=offset)
    add("many-pixels", (2, 29, 23, 2))

    generator = seeded("batch-norm/running")
    layer = nn.BatchNorm2d(3, momentum=0.1).double()
    layer.weight.data, layer.bias.data = 1 + 0.1 * torch.arange(3).double(), 0.2 * torch.arange(3).double()
    for step in range(1, 4):
        x = (torch.randn((2, 5, 7, 3), generator=generator) * step - step).double()
        layer(nchw(x))
        cases.tensors |= {
            f"running.{step}.x": x,
            f"running.{step}.mean": layer.running_mean.clone(),
            f"running.{step}.variance": layer.running_var.clone(),
            f"running.{step}.count": layer.num_batches_tracked.clone(),
        }
    cases.tensors["running.inference"] = nhwc(layer.eval()(nchw(x)))
    return cases.tensors


@fixture("TensorCore/strided-convolution")
def strided_convolutions():
    """The convolutions of PatchGAN discriminators, 4 × 4 with padding 1, and of AlexNet."""
    cases = Cases("strided-convolution")

    def add(case, image, kernel, outputs, stride, padding, bias=True):
        shape = {"x": image, "weight": (kernel, kernel, image[3], outputs)} | ({"bias": (outputs,)} if bias else {})
        scale = kernel * math.sqrt(image[3])
        cases.add(case, same(padding, stride), shape, lambda name, values: values / scale if name == "weight" else values)

    add("4x4-stride-2.odd", (2, 9, 11, 3), 4, 5, 2, 1)
    add("4x4-stride-2.even", (2, 8, 6, 4), 4, 3, 2, 1, bias=False)
    add("4x4-stride-2.one-channel", (2, 10, 7, 1), 4, 1, 2, 1)
    add("4x4-stride-2.smallest", (1, 2, 3, 2), 4, 3, 2, 1)
    add("4x4-stride-2.wide", (1, 6, 5, 17), 4, 9, 2, 1, bias=False)
    add("4x4-stride-2.many-pixels", (2, 33, 30, 1), 4, 2, 2, 1)
    add("4x4-stride-1.odd", (2, 7, 5, 3), 4, 5, 1, 1)
    add("4x4-stride-1.one-channel", (2, 6, 5, 1), 4, 1, 1, 1)
    add("4x4-stride-1.wide", (1, 5, 4, 9), 4, 17, 1, 1, bias=False)
    add("11x11-stride-4.odd", (2, 31, 34, 1), 11, 3, 4, 2)
    add("3x3-stride-3", (2, 8, 10, 2), 3, 3, 3, 0)
    add("2x2-stride-3", (1, 8, 9, 2), 2, 3, 3, 0)
    return cases.tensors


@fixture("TensorCore/max-pool")
def max_pool():
    cases = Cases("max-pool")
    for case, size, stride, shape in [
        ("3-2.odd", 3, 2, (2, 7, 9, 3)),
        ("3-2.even", 3, 2, (2, 8, 6, 3)),
        ("3-2.one-channel", 3, 2, (2, 9, 6, 1)),
        ("3-2.one-window", 3, 2, (1, 3, 4, 2)),
        ("3-2.17-channels", 3, 2, (1, 5, 7, 17)),
        ("3-1.odd", 3, 1, (2, 5, 4, 3)),
        ("2-3.odd", 2, 3, (2, 7, 9, 3)),
    ]:
        cases.add(case, lambda x: nhwc(F.max_pool2d(nchw(x), size, stride)), {"x": shape})
    cases.add("3-2.ties", lambda x: nhwc(F.max_pool2d(nchw(x), 3, 2)), {"x": (2, 7, 9, 3)}, lambda _, values: (values - 0.8).clamp(min=0))
    return cases.tensors


@fixture("TensorCore/bicubic")
def bicubic():
    cases = Cases("bicubic")
    for name, antialias in {"plain": False, "antialiased": True}.items():
        for case, image, size in [
            ("twice.odd", (2, 5, 7, 3), (10, 14)),
            ("four-times.odd", (2, 3, 5, 2), (12, 20)),
            ("four-times.one-channel", (2, 6, 5, 1), (24, 20)),
            ("other-ratio", (2, 5, 7, 3), (7, 12)),
            ("smaller", (2, 13, 11, 2), (4, 5)),
            ("smaller-and-larger", (1, 9, 4, 1), (2, 9)),
            ("much-smaller", (1, 23, 17, 2), (2, 1)),
            ("same", (2, 4, 3, 2), (4, 3)),
            ("one-pixel", (1, 1, 1, 2), (3, 4)),
            ("one-row", (2, 1, 5, 1), (2, 10)),
            ("17-channels", (1, 4, 3, 17), (8, 6)),
            ("many-pixels", (1, 21, 19, 1), (42, 38)),
        ]:
            resize = lambda x: nhwc(F.interpolate(nchw(x), size=size, mode="bicubic", align_corners=False, antialias=antialias))
            cases.add(f"{name}.{case}", resize, {"x": image})
    return cases.tensors


@fixture("TensorCore/feature-distance")
def feature_distance():
    """Weights (c + 1) / channels for channel c."""
    cases = Cases("feature-distance")

    def distance(a, b):
        weight = (torch.arange(a.shape[3]).double() + 1) / a.shape[3]
        directions = [x / (x.square().sum(-1, keepdim=True).sqrt() + 1e-10) for x in (a, b)]
        return ((directions[0] - directions[1]).square() * weight).sum(-1).mean((1, 2))

    for case, shape in [
        ("odd", (2, 5, 7, 3)),
        ("one-pixel", (2, 1, 1, 5)),
        ("17-channels", (1, 4, 3, 17)),
        ("many-pixels", (2, 29, 23, 2)),
    ]:
        cases.add(case, distance, {"a": shape, "b": shape})
    return cases.tensors


def quantize(commitment):
    def apply(z, codebook):
        flat = z.detach().reshape(-1, z.shape[-1])
        distances = (flat[:, None] - codebook.detach()[None]).square().sum(-1)
        nearest, second = distances.topk(min(2, len(codebook)), largest=False).values.unbind(1)
        assert (second - nearest).min() > 1e-4, "two codes are equally near: take another seed"
        indices = distances.argmin(1)
        codes = codebook[indices].reshape(z.shape)
        loss = commitment * (codes.detach() - z).square().mean() + (codes - z.detach()).square().mean()
        return z + (codes - z).detach(), loss, indices

    return apply


@fixture("TensorCore/embedding")
def embedding():
    cases = Cases("embedding")
    for case, rows, width, indices in [
        ("repeated", 7, 5, [3, 0, 3, 6, 3]),
        ("one", 1, 1, [0]),
        ("many", 11, 3, [(5 * i * i + i) % 11 for i in range(300)]),
    ]:
        cases.add(case, lambda weight: F.embedding(torch.tensor(indices), weight), {"weight": (rows, width)})
    return cases.tensors


@fixture("TensorCore/quantize")
def quantization():
    """With `<case>.indices` and `<case>.loss`; the gradients are of sum(output · cotangent) + loss."""
    cases = Cases("quantize")
    cases.add("image", quantize(0.25), {"z": (2, 3, 4, 4), "codebook": (7, 4)})
    cases.add("matrix", quantize(1.0), {"z": (9, 3), "codebook": (5, 3)})
    cases.add("one-channel", quantize(0.25), {"z": (1, 3, 2, 1), "codebook": (3, 1)})
    cases.add("many-pixels", quantize(0.25), {"z": (1, 17, 19, 4), "codebook": (40, 4)})
    return cases.tensors


@fixture("TensorCore/losses")
def losses():
    cases = Cases("losses")
    for name, function in {"squared": F.mse_loss, "absolute": F.l1_loss}.items():
        cases.add(f"{name}.image", function, {"a": (2, 5, 7, 3), "b": (2, 5, 7, 3)})
        cases.add(f"{name}.one-element", function, {"a": (1,), "b": (1,)})
        cases.add(f"{name}.many-pixels", function, {"a": (1, 29, 23, 1), "b": (1, 29, 23, 1)})
    return cases.tensors


# ------------------------------------------------------------------------------------------------------------------ optimisers


@fixture("TensorCore/optimizers")
def optimizers():
    """Ten steps of AdamW and of Adam, and an exponential moving average of AdamW's weights.

    `<case>.start.<name>` are the weights before the first step, `<case>.gradient.<step>.<name>` and `<case>.weights.<step>.<name>` (steps 1…10)
    the gradients given to a step and the weights after it. AdamW: learning rate 0.05, betas 0.9 and 0.999, epsilon 1e-8, weight decay 0.01.
    Adam, as VQGANs are trained: 0.01, betas 0.5 and 0.9, no decay.
    `average.<step>.<name>` = 0.9 · the one before + 0.1 · weights, which starts at the weights before the first step.
    """
    tensors = {}
    options = {
        "adamw": {"lr": 0.05, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01},
        "adam": {"lr": 0.01, "betas": (0.5, 0.9), "eps": 1e-8, "weight_decay": 0},
    }
    for case, option in options.items():
        generator = seeded(f"optimizers/{case}")
        x, target = torch.randn(6, 4, generator=generator).double(), torch.randn(6, 3, generator=generator).double()
        parameters = {"weight": torch.randn(3, 4, generator=generator), "bias": torch.randn(3, generator=generator)}
        parameters = {name: nn.Parameter(values.double()) for name, values in parameters.items()}
        tensors |= {f"{case}.start.{name}": parameter.detach().clone() for name, parameter in parameters.items()}
        average = {name: parameter.detach().clone() for name, parameter in parameters.items()}
        optimizer = torch.optim.AdamW(parameters.values(), **option)
        for step in range(1, 11):
            optimizer.zero_grad()
            F.mse_loss(F.linear(x, parameters["weight"], parameters["bias"]), target).backward()
            for name, parameter in parameters.items():
                # The Swift optimiser sees the gradient as float32.
                parameter.grad = parameter.grad.float().double()
                tensors[f"{case}.gradient.{step}.{name}"] = parameter.grad.clone()
            optimizer.step()
            for name, parameter in parameters.items():
                tensors[f"{case}.weights.{step}.{name}"] = parameter.detach().clone()
                if case == "adamw":
                    average[name] = 0.9 * average[name] + 0.1 * parameter.detach()
                    tensors[f"average.{step}.{name}"] = average[name].clone()
    return tensors


# -------------------------------------------------------------------------------------------------------------- random numbers


def philox(counter, key):
    """Philox4x32-10 of Salmon et al. 2011: four 32-bit words from a counter of four and a key of two."""
    counter, key = list(counter), list(key)
    for _ in range(10):
        product0, product1 = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        counter = [
            (product1 >> 32) ^ counter[1] ^ key[0],
            product1 & 0xFFFFFFFF,
            (product0 >> 32) ^ counter[3] ^ key[1],
            product0 & 0xFFFFFFFF,
        ]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return counter


@fixture("TensorCore/random")
def random_numbers():
    """21 numbers from position 6 of stream 2⁴⁰ + 3 of seed 2³³ + 5: `uniform` = (word >> 8) · 2⁻²⁴, `normal` by Box and Muller from pairs of words.

    Words 4 b … 4 b + 3 of a stream come from the counter (b, stream) and the key (seed), each 64 bits with the low word first.
    """
    low_and_high = lambda value: (value & 0xFFFFFFFF, value >> 32)
    words = []
    for block in range(7):
        words += philox((*low_and_high(block), *low_and_high((1 << 40) + 3)), low_and_high((1 << 33) + 5))
    uniform = [(word >> 8) * 2.0**-24 for word in words]
    normal = []
    for first, second in zip(words[::2], words[1::2]):
        radius, angle = math.sqrt(-2 * math.log((first + 0.5) / 2**32)), 2 * math.pi * (second + 0.5) / 2**32
        normal += [radius * math.cos(angle), radius * math.sin(angle)]
    return {"uniform": torch.tensor(uniform[6:27]), "normal": torch.tensor(normal[6:27])}


# -------------------------------------------------------------------------------------------------------------------- networks


class RMSNorm(nn.Module):
    """Per pixel, over the channels: x / sqrt(mean(x²) + 1e-3) · weight."""

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        return x / torch.sqrt(x.square().mean(1, keepdim=True) + 1e-3) * self.weight[:, None, None]


def convolution3(inputs, outputs, stride=1, padding=1):
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=padding)


class ResidualBlock(nn.Module):
    """norm → SiLU → convolution, twice; with a time embedding, the second norm is scaled and shifted by it."""

    def __init__(self, inputs, outputs, time=None):
        super().__init__()
        self.norm1, self.conv1 = RMSNorm(inputs), convolution3(inputs, outputs)
        if time:
            self.time_emb_proj = nn.Linear(time, 2 * outputs)
        self.norm2, self.conv2 = RMSNorm(outputs), convolution3(outputs, outputs)
        if inputs != outputs:
            self.conv_shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x, temb=None):
        h = self.norm2(self.conv1(F.silu(self.norm1(x))))
        if temb is not None:
            scale, shift = self.time_emb_proj(F.silu(temb))[:, :, None, None].chunk(2, dim=1)
            h = h * (1 + scale) + shift
        h = self.conv2(F.silu(h))
        return h + (self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x)


class AttentionBlock(nn.Module):
    def __init__(self, channels, heads=4):
        super().__init__()
        self.heads = heads
        self.norm, self.to_qkv, self.to_out = RMSNorm(channels), nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)

    def forward(self, x):
        tokens = self.norm(x).flatten(2).transpose(1, 2)
        attended = self.to_out(attention(self.heads)(self.to_qkv(tokens)))
        return x + attended.transpose(1, 2).reshape(x.shape)


class Downsample(nn.Module):
    def __init__(self, channels, right_and_bottom=False):
        super().__init__()
        self.right_and_bottom = right_and_bottom
        self.conv = convolution3(channels, channels, stride=2, padding=0 if right_and_bottom else 1)

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)) if self.right_and_bottom else x)


class Upsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = convolution3(channels, channels)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


def stage(resnets, **others):
    return nn.ModuleDict({"resnets": nn.ModuleList(resnets)} | {name: nn.ModuleList([module]) for name, module in others.items()})


class SmallUNet(nn.Module):
    """The denoiser of the presets `small` and `tiny`: one residual block a level, attention at the lowest, per-pixel norms."""

    def __init__(self, inputs=8, outputs=4, width=8, multipliers=(1, 2, 2)):
        super().__init__()
        self.width, time = width, 4 * width
        levels = [width * multiplier for multiplier in multipliers]
        last = len(levels) - 1
        self.conv_in = convolution3(inputs, width)
        self.time_embedding = nn.ModuleDict({"linear_1": nn.Linear(time, time), "linear_2": nn.Linear(time, time)})
        self.down_blocks = nn.ModuleList()
        before = width
        for i, channels in enumerate(levels):
            others = {"downsamplers": Downsample(channels)} if i < last else {}
            self.down_blocks.append(stage([ResidualBlock(before, channels, time)], **others))
            before = channels
        self.mid_block = stage([ResidualBlock(before, before, time) for _ in range(2)], attentions=AttentionBlock(before))
        self.up_blocks = nn.ModuleList()
        for i, channels in reversed(list(enumerate(levels))):
            others = {"upsamplers": Upsample(channels)} if i > 0 else {}
            self.up_blocks.append(stage([ResidualBlock(before + channels, channels, time)], **others))
            before = channels
        self.norm_out, self.conv_out = RMSNorm(width), convolution3(width, outputs)

    def forward(self, x, t):
        half = 2 * self.width
        angles = t[:, None] * 10000 ** (-torch.arange(half, dtype=t.dtype) / half)
        temb = torch.cat([angles.sin(), angles.cos()], dim=1)
        temb = self.time_embedding["linear_2"](F.silu(self.time_embedding["linear_1"](temb)))
        h = self.conv_in(x)
        skips = []
        for block in self.down_blocks:
            h = block["resnets"][0](h, temb)
            skips.append(h)
            if "downsamplers" in block:
                h = block["downsamplers"][0](h)
        h = self.mid_block["resnets"][0](h, temb)
        h = self.mid_block["attentions"][0](h)
        h = self.mid_block["resnets"][1](h, temb)
        for block in self.up_blocks:
            h = block["resnets"][0](torch.cat([h, skips.pop()], dim=1), temb)
            if "upsamplers" in block:
                h = block["upsamplers"][0](h)
        return self.conv_out(F.silu(self.norm_out(h)))


class Autoencoder(nn.Module):
    """The autoencoder of the presets `small` and `tiny`: base 8, multipliers 1 and 2, 4 latent channels, patches of 2 × 2, f = 4."""

    def __init__(self, base=8, latents=4, patch=2, codes=16):
        super().__init__()
        self.patch = patch
        self.encoder = nn.ModuleDict(
            {
                "conv_in": convolution3(patch * patch, base),
                "down_blocks": nn.ModuleList(
                    [
                        stage([ResidualBlock(base, base)], downsamplers=Downsample(base, right_and_bottom=True)),
                        stage([ResidualBlock(base, 2 * base)]),
                    ]
                ),
                "mid_block": stage([ResidualBlock(2 * base, 2 * base)]),
                "conv_out": convolution3(2 * base, latents),
            }
        )
        self.decoder = nn.ModuleDict(
            {
                "conv_in": convolution3(latents, 2 * base),
                "mid_block": stage([ResidualBlock(2 * base, 2 * base)]),
                "up_blocks": nn.ModuleList(
                    [
                        stage([ResidualBlock(2 * base, 2 * base)], upsamplers=Upsample(2 * base)),
                        stage([ResidualBlock(2 * base, base)]),
                    ]
                ),
                "conv_out": convolution3(base, patch * patch),
            }
        )
        self.quantize = nn.ModuleDict({"embedding": nn.Embedding(codes, latents)})

    def encode(self, x):
        parts = self.encoder
        h = parts["conv_in"](F.pixel_unshuffle(x, self.patch))
        for block in parts["down_blocks"]:
            h = block["resnets"][0](h)
            if "downsamplers" in block:
                h = block["downsamplers"][0](h)
        return parts["conv_out"](F.silu(parts["mid_block"]["resnets"][0](h)))

    def decode(self, z):
        parts = self.decoder
        h = parts["mid_block"]["resnets"][0](parts["conv_in"](z))
        for block in parts["up_blocks"]:
            h = block["resnets"][0](h)
            if "upsamplers" in block:
                h = block["upsamplers"][0](h)
        return F.pixel_shuffle(parts["conv_out"](F.silu(h)), self.patch)


class DoubleConv(nn.Module):
    def __init__(self, inputs, outputs, middle=None, residual=False):
        super().__init__()
        self.residual, middle = residual, middle or outputs
        self.double_conv = nn.Sequential(
            nn.Conv2d(inputs, middle, 3, padding=1, bias=False),
            nn.GroupNorm(1, middle),
            nn.GELU(),
            nn.Conv2d(middle, outputs, 3, padding=1, bias=False),
            nn.GroupNorm(1, outputs),
        )

    def forward(self, x):
        return F.gelu(x + self.double_conv(x)) if self.residual else self.double_conv(x)


class Down(nn.Module):
    def __init__(self, inputs, outputs, time=256):
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(inputs, inputs, residual=True), DoubleConv(inputs, outputs))
        self.emb_layer = nn.Sequential(nn.SiLU(), nn.Linear(time, outputs))

    def forward(self, x, t):
        return self.maxpool_conv(x) + self.emb_layer(t)[:, :, None, None]


class Up(nn.Module):
    def __init__(self, inputs, outputs, time=256):
        super().__init__()
        self.conv = nn.Sequential(DoubleConv(inputs, inputs, residual=True), DoubleConv(inputs, outputs, inputs // 2))
        self.emb_layer = nn.Sequential(nn.SiLU(), nn.Linear(time, outputs))

    def forward(self, x, skip, t):
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        return self.conv(torch.cat([skip, x], dim=1)) + self.emb_layer(t)[:, :, None, None]


class SelfAttention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.mha = nn.MultiheadAttention(channels, 4, batch_first=True)
        self.ln = nn.LayerNorm(channels)
        self.ff_self = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, channels), nn.GELU(), nn.Linear(channels, channels))

    def forward(self, x):
        tokens = x.flatten(2).transpose(1, 2)
        normalised = self.ln(tokens)
        attended = self.mha(normalised, normalised, normalised, need_weights=False)[0] + tokens
        return (self.ff_self(attended) + attended).transpose(1, 2).reshape(x.shape)


class PaperUNet(nn.Module):
    """The U-Net of Ramunno et al. 2025, under the names of its published state dictionaries but for the layers it never uses."""

    def __init__(self, width=128, channels=4, attention=True):
        super().__init__()
        w = width
        self.inc = DoubleConv(2 * channels, w)
        self.down1, self.down2, self.down3 = Down(w, 2 * w), Down(2 * w, 4 * w), Down(4 * w, 4 * w)
        self.bot1, self.bot2, self.bot3 = DoubleConv(4 * w, 8 * w), DoubleConv(8 * w, 8 * w), DoubleConv(8 * w, 4 * w)
        self.up1, self.up2, self.up3 = Up(8 * w, 2 * w), Up(4 * w, w), Up(2 * w, w)
        for i, multiple in enumerate((2, 4, 4, 2, 1), start=1):
            setattr(self, f"sa{i}", SelfAttention(multiple * w) if attention else nn.Identity())
        self.outc = nn.Conv2d(w, channels, 1)

    def forward(self, x, t):
        """x: [x_t, condition]; t: one a sample, of the type of x."""
        angles = t[:, None] * 10000 ** -(torch.arange(128, dtype=t.dtype) / 128)
        t = torch.cat([angles.sin(), angles.cos()], dim=1)
        x1 = self.inc(x)
        x2 = self.sa1(self.down1(x1, t))
        x3 = self.sa2(self.down2(x2, t))
        x = self.sa3(self.down3(x3, t))
        x = self.bot3(self.bot2(self.bot1(x)))
        x = self.sa4(self.up1(x, x3, t))
        x = self.sa5(self.up2(x, x2, t))
        return self.outc(self.up3(x, x1, t))


class Enhance(nn.Module):
    """The network "Enhance" of Ramunno et al. 2025."""

    class Block(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.double_conv = nn.Sequential(
                nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
                nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
            )

        def forward(self, x):
            return self.double_conv(x)

    def __init__(self, width=8, align_corners=True):
        super().__init__()
        self.align_corners = align_corners
        self.conv1 = nn.Conv2d(1, width, 3, padding=1, bias=False)
        multiples = (1, 8, 16, 32, 16, 8, 1)
        for i, (before, after) in enumerate(zip(multiples, multiples[1:]), start=1):
            setattr(self, f"resblock{i}", self.Block(before * width, after * width))
        self.conv2, self.bnorm = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.outpc = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.Conv2d(width, 1, 1)

    def forward(self, x):
        first = x = F.relu(self.conv1(x))
        for i in range(1, 7):
            x = getattr(self, f"resblock{i}")(x)
        x = self.bnorm(self.conv2(x)) + first
        x = F.interpolate(x, scale_factor=4, mode="bilinear", align_corners=self.align_corners)
        return self.outpc(F.relu(self.conv3(x)))


class Progressive(nn.Module):
    """The network "Progressive" of Ramunno et al. 2025."""

    def __init__(self, width=8, align_corners=True, antialias=True):
        super().__init__()
        self.align_corners, self.antialias = align_corners, antialias
        widths = [1] + [multiple * width for multiple in (1, 8, 16, 32, 16, 8, 8, 4)]
        for i, (before, after) in enumerate(zip(widths, widths[1:]), start=1):
            setattr(self, f"conv{i}", nn.Conv2d(before, after, 3, padding=1, bias=False))
            setattr(self, f"norm{i}", nn.GroupNorm(1, after))
        self.outc = nn.Conv2d(4 * width, 1, 3, padding=1, bias=False)

    def forward(self, low):
        x = low
        for layers, scale in (range(1, 5), 2), (range(5, 9), 4):
            for i in layers:
                x = getattr(self, f"norm{i}")(getattr(self, f"conv{i}")(x))
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=self.align_corners)
            x = x + F.interpolate(low, scale_factor=scale, mode="bicubic", align_corners=False, antialias=self.antialias)
        return self.outc(x)


class PatchDiscriminator(nn.Module):
    """The discriminator of VQGAN (Esser et al. 2021), for images of one channel."""

    def __init__(self, width=64, layers=3):
        super().__init__()
        sequence = [nn.Conv2d(1, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        before = width
        for i in range(1, layers + 1):
            after = width * min(2**i, 8)
            sequence += [nn.Conv2d(before, after, 4, stride=2 if i < layers else 1, padding=1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
            before = after
        self.main = nn.Sequential(*sequence, nn.Conv2d(before, 1, 4, padding=1))

    def forward(self, x):
        return self.main(x)


# ------------------------------------------------------------------------------------------------------------ network fixtures


def randomised(module, name):
    """`module` in float64 with random parameters that float32 holds exactly: weights scaled by their fan-in, norms about one, nothing zero."""
    generator = seeded(name)
    for parameter in module.parameters():
        values = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() == 1:
            values = 0.2 * values
        else:
            values = values / math.sqrt(parameter[0].numel())
        parameter.data = values
    for layer in module.modules():
        if isinstance(layer, (RMSNorm, nn.GroupNorm, nn.LayerNorm, nn.BatchNorm2d)):
            layer.weight.data += 1
    return module.double(), generator


def to_swift(tensor):
    return nhwc(tensor) if tensor.dim() == 4 else tensor


def network_tensors(module, inputs, output, cotangent, loss):
    """The tensors of a network's file; `inputs` by key, in PyTorch's layout."""
    parameters = dict(module.named_parameters())
    wanted = {name: tensor for name, tensor in (parameters | inputs).items() if tensor.requires_grad}
    gradients = torch.autograd.grad(loss, list(wanted.values()), allow_unused=True)
    tensors = {f"weights.{name}": parameter for name, parameter in parameters.items()}
    tensors |= {name: to_swift(tensor) for name, tensor in inputs.items()}
    tensors |= {"output": to_swift(output), "cotangent": to_swift(cotangent)}
    for name, gradient in zip(wanted, gradients):
        if gradient is not None:
            tensors[f"gradient.{name}"] = to_swift(gradient) if name in inputs else gradient
    return tensors


def random(shape, generator):
    return torch.randn(shape, generator=generator).double().requires_grad_()


def add_block(name, build, **shapes):
    @fixture(f"Models/{name}")
    def block():
        module, generator = randomised(build(), name)
        inputs = {f"input.{key}": random(shape, generator) for key, shape in shapes.items()}
        output = module(*inputs.values())
        cotangent = torch.randn(output.shape, generator=generator).double()
        return network_tensors(module, inputs, output, cotangent, (output * cotangent).sum())


add_block("residual-block-time", lambda: ResidualBlock(5, 8, 32), x=(2, 5, 7, 6), temb=(2, 32))
add_block("residual-block-time-identity", lambda: ResidualBlock(8, 8, 32), x=(1, 8, 9, 5), temb=(1, 32))
add_block("residual-block", lambda: ResidualBlock(8, 16), x=(2, 8, 5, 7))
add_block("attention-block", lambda: AttentionBlock(12), x=(2, 12, 7, 5))
add_block("paper-double-conv", lambda: DoubleConv(5, 6, 4), x=(2, 5, 7, 6))
add_block("paper-double-conv-residual", lambda: DoubleConv(6, 6, residual=True), x=(2, 6, 5, 7))
add_block("paper-down", lambda: Down(4, 6), x=(2, 4, 10, 8), t=(2, 256))
add_block("paper-up", lambda: Up(10, 6), x=(2, 4, 5, 3), skip=(2, 6, 10, 6), t=(2, 256))
add_block("paper-self-attention", lambda: SelfAttention(8), x=(2, 8, 5, 7))


@fixture("Models/small-unet")
def small_unet():
    """16 × 12 latents, t = 1 and 731. `gradient.input` is that of the eight concatenated channels [x_t, condition]."""
    module, generator = randomised(SmallUNet(), "small-unet")
    x = random((2, 8, 16, 12), generator)
    t = torch.tensor([1, 731]).double()
    output = module(x, t)
    cotangent = torch.randn(output.shape, generator=generator).double()
    tensors = network_tensors(module, {"input": x, "input.t": t}, output, cotangent, (output * cotangent).sum())
    tensors["input.x_t"], tensors["input.condition"] = (part.clone() for part in tensors.pop("input").split(4, dim=-1))
    return tensors


@fixture("Models/autoencoder")
def autoencoder():
    """24 × 16 images of one channel. Two passes:

    plain: `latents` = encode(input), `output` = decode(latents), `gradient.*` of sum(output · cotangent);
    through the codebook of 16 codes, straight-through: `quantized.latents`, `quantized.indices`, `quantized.output`, `quantized.codebook_loss`
    (commitment 0.25), and `quantized.gradient.*` of sum(quantized.output · cotangent) + quantized.codebook_loss.
    """
    module, generator = randomised(Autoencoder(), "autoencoder")
    x = random((2, 1, 24, 16), generator)
    latents = module.encode(x)
    codebook = module.quantize["embedding"].weight
    # Codes near the latents, so that many of them are used.
    picked = nhwc(latents).reshape(-1, 4)[torch.randperm(48, generator=generator)[: len(codebook)]]
    codebook.data = (picked + 0.1 * codebook).detach().float().double()
    output = module.decode(latents)
    cotangent = torch.randn(output.shape, generator=generator).double()
    tensors = network_tensors(module, {"input": x}, output, cotangent, (output * cotangent).sum())
    tensors["latents"] = nhwc(latents)
    quantized, codebook_loss, indices = quantize(0.25)(nhwc(module.encode(x)), codebook)
    output = module.decode(nchw(quantized))
    again = network_tensors(module, {"input": x}, output, cotangent, (output * cotangent).sum() + codebook_loss)
    tensors |= {f"quantized.{name}": tensor for name, tensor in again.items() if name.startswith("gradient.") or name == "output"}
    tensors |= {"quantized.latents": quantized, "quantized.indices": indices, "quantized.codebook_loss": codebook_loss}
    return tensors


@fixture("Models/enhance-training")
def enhance_training():
    """Base width 1, edges aligned, two images of 6 × 5 in training; `after.<name>` are the running statistics afterwards."""
    module, generator = randomised(Enhance(1, align_corners=False), "enhance-training")
    before = {f"weights.{name}": buffer.clone() for name, buffer in module.named_buffers()}
    x = random((2, 1, 6, 5), generator)
    output = module(x)
    cotangent = torch.randn(output.shape, generator=generator).double()
    tensors = network_tensors(module, {"input": x}, output, cotangent, (output * cotangent).sum())
    return tensors | before | {f"after.{name}": buffer for name, buffer in module.named_buffers()}


@fixture("Models/progressive-plain")
def progressive_plain():
    """Base width 1, edges aligned, plain bicubic enlargement, two images of 6 × 5."""
    module, generator = randomised(Progressive(1, align_corners=False, antialias=False), "progressive-plain")
    x = random((2, 1, 6, 5), generator)
    output = module(x)
    cotangent = torch.randn(output.shape, generator=generator).double()
    return network_tensors(module, {"input": x}, output, cotangent, (output * cotangent).sum())


@fixture("Models/patch-discriminator")
def patch_discriminator():
    """Width 3, three layers, two images of 50 × 41 each, in training, first `input` and then `real`:

    `output` of `input` with `gradient.*` of sum(output · cotangent); `hinge` and `generator`, the losses of judging `real` real and `input` not, with
    `hinge.gradient.<parameter>` of the first and `generator.gradient.input` of the second; `after.<name>`, the running statistics after both; and
    `inference`, what `input` gives with those.
    """
    module, generator = randomised(PatchDiscriminator(3), "patch-discriminator")
    before = {f"weights.{name}": buffer.clone() for name, buffer in module.named_buffers()}
    x, real = random((2, 1, 50, 41), generator), torch.randn((2, 1, 50, 41), generator=generator).double()
    fake_output = module(x)
    cotangent = torch.randn(fake_output.shape, generator=generator).double()
    hinge = 0.5 * (F.relu(1 - module(real)).mean() + F.relu(1 + fake_output).mean())
    names, parameters = zip(*module.named_parameters())
    tensors = {f"hinge.gradient.{name}": g for name, g in zip(names, torch.autograd.grad(hinge, parameters, retain_graph=True))}
    adversarial = -fake_output.mean()
    tensors["generator.gradient.input"] = nhwc(*torch.autograd.grad(adversarial, x, retain_graph=True))
    tensors |= network_tensors(module, {"input": x}, fake_output, cotangent, (fake_output * cotangent).sum())
    tensors |= before | {f"after.{name}": buffer.clone() for name, buffer in module.named_buffers()}
    return tensors | {"real": nhwc(real), "hinge": hinge, "generator": adversarial, "inference": nhwc(module.eval()(x))}


@fixture("Models/adapted-self-attention")
def adapted_self_attention():
    """The paper's self-attention of 8 channels with low-rank additions to both projections, rank 3 and alpha 6: A and B of a layer are
    `adapters.<layer>.lora_A.weight` and `adapters.<layer>.lora_B.weight`."""
    module, generator = randomised(SelfAttention(8), "adapted-self-attention")
    weights = dict(module.named_parameters())
    adapters, adapted = {}, {}
    for layer, name in {"mha.in_proj": "mha.in_proj_weight", "mha.out_proj": "mha.out_proj.weight"}.items():
        outputs, inputs = weights[name].shape
        down, up = ((0.4 * torch.randn(shape, generator=generator)).double().requires_grad_() for shape in [(3, inputs), (outputs, 3)])
        adapters |= {f"adapters.{layer}.lora_A.weight": down, f"adapters.{layer}.lora_B.weight": up}
        adapted[name] = weights[name] + 6 / 3 * up @ down
    x = random((2, 8, 5, 3), generator)
    output = torch.func.functional_call(module, adapted, (x,))
    cotangent = torch.randn(output.shape, generator=generator).double()
    return network_tensors(module, {"input": x} | adapters, output, cotangent, (output * cotangent).sum())


def training_batches(generator, channels=4, steps=10, size=16):
    """x₀ and condition of a batch of two; the noise and the timesteps of each step."""
    draw = lambda *shape: torch.randn(shape, generator=generator).double()
    clean, condition, noise = draw(2, channels, size, size), draw(2, channels, size, size), draw(steps, 2, channels, size, size)
    return clean, condition, noise, torch.randint(1, 1000, (steps, 2), generator=generator)


def batch_tensors(clean, condition, noise, timesteps):
    return {"clean": nhwc(clean), "condition": nhwc(condition), "noise": noise.permute(0, 1, 3, 4, 2), "timesteps": timesteps}


def train(module, clean, condition, noise, timesteps):
    """A step of AdamW on mean((network − ε)²) for each batch of noise; returns the losses."""
    alphas = (1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)).cumprod(0)
    optimizer = torch.optim.AdamW(module.parameters(), lr=3e-4, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    losses = []
    for epsilon, t in zip(noise, timesteps):
        alpha = alphas[t][:, None, None, None]
        noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * epsilon
        loss = F.mse_loss(module(torch.cat([noisy, condition], dim=1), t.double()), epsilon)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return torch.tensor(losses, dtype=torch.float64)


@fixture("Models/paper-unet-training")
def paper_unet_training():
    """Ten steps of AdamW (learning rate 3e-4, betas 0.9 and 0.999, epsilon 1e-8, weight decay 0.01) of the paper's U-Net in latent space, on
    mean((network − ε)²) at 16² latents.

    `clean`, `condition`; `noise` and `timesteps`, whose first axis counts the steps. From `weights.<name>`, base width 4: `attention.losses` and
    `attention.after.<name>`, the weights afterwards; without attention `plain.losses` and `plain.after.<name>`; and `published.losses` from the
    weights in `paper-unet.safetensors`, base width 12.
    """
    start, generator = randomised(PaperUNet(4), "paper-unet-training")
    batches = training_batches(generator)
    tensors = batch_tensors(*batches)
    tensors |= {f"weights.{name}": parameter.detach().clone() for name, parameter in start.named_parameters()}
    for case, module in {"attention": PaperUNet(4), "plain": PaperUNet(4, attention=False)}.items():
        module.double().load_state_dict({name: tensors[f"weights.{name}"] for name in module.state_dict()})
        tensors[f"{case}.losses"] = train(module, *batches)
        tensors |= {f"{case}.after.{name}": parameter for name, parameter in module.named_parameters()}
    tensors["published.losses"] = train(published_unet(), *batches)
    return tensors


def published_unet():
    """The published network with the weights of its golden values, base width 12."""
    file = load_file(Path(__file__).resolve().parent.parent / "Tests" / "Fixtures" / "Models" / "paper-unet.safetensors")
    module = PaperUNet(12).double()
    module.load_state_dict({name: file[f"weights.{name}"] for name in module.state_dict()})
    return module


NON_FINITE = {
    "relu": lambda x: F.relu(x),
    "leaky-relu": lambda x: F.leaky_relu(x, 0.2),
    "silu": lambda x: F.silu(x),
    "gelu": lambda x: F.gelu(x),
    "absolute": lambda x: x.abs(),
    "clamped": lambda x: x.clamp(-0.75, 1.25),
    "squared": lambda x: x.square(),
    "hyperbolic-sine": lambda x: x.sinh(),
    "inverse-hyperbolic-sine": lambda x: x.asinh(),
    "logarithm": lambda x: x.log(),
    "affine": lambda x: x * 2 + 1,
    "negated": lambda x: -x,
    "multiplied": lambda x: x * torch.tensor([0.0, 1.0, -1.0, 2.0]),
    "divided": lambda x: torch.tensor([0.0, 1.0, -1.0, 2.0]) / x,
    "sum": lambda x: x.sum(),
    "mean-of-channels": lambda x: x.mean(dim=(1, 2)),
    "max-pool": lambda x: nhwc(F.max_pool2d(nchw(x), 2, 2)),
    "max-pool-3": lambda x: nhwc(F.max_pool2d(nchw(x), 3, 1)),
    "upsample-nearest": lambda x: nhwc(F.interpolate(nchw(x), scale_factor=2, mode="nearest")),
    "upsample-bilinear": lambda x: nhwc(F.interpolate(nchw(x), scale_factor=2, mode="bilinear", align_corners=False)),
    "resize-bicubic": lambda x: nhwc(F.interpolate(nchw(x), size=(9, 11), mode="bicubic", align_corners=False)),
    "resize-bicubic-antialiased": lambda x: nhwc(F.interpolate(nchw(x), size=(4, 3), mode="bicubic", align_corners=False, antialias=True)),
    "pixel-unshuffle": lambda x: nhwc(F.pixel_unshuffle(nchw(x), 2)),
    "group-norm": lambda x: nhwc(F.group_norm(nchw(x), 2)),
    "batch-norm": lambda x: nhwc(F.batch_norm(nchw(x), None, None, training=True)),
    "batch-norm-inference": lambda x: nhwc(F.batch_norm(nchw(x), torch.tensor([0.1, 0.2, 0.3, 0.4]), torch.tensor([1.0, 2.0, 3.0, 4.0]))),
    "layer-norm": lambda x: F.layer_norm(x, (4,)),
    "rms-norm": lambda x: F.rms_norm(x, (4,), eps=1e-3),
    "linear": lambda x: F.linear(x, torch.arange(12).reshape(3, 4) / 7 - 0.7),
    "matmul": lambda x: x @ (torch.arange(12).reshape(4, 3) / 7 - 0.7),
    "convolution": lambda x: nhwc(F.conv2d(nchw(x), torch.arange(108).reshape(3, 4, 3, 3) / 50 - 1.01, padding=1)),
    "convolution-1": lambda x: nhwc(F.conv2d(nchw(x), torch.arange(12).reshape(3, 4, 1, 1) / 7 - 0.7)),
    "convolution-stride-2": lambda x: nhwc(F.conv2d(nchw(x), torch.arange(108).reshape(3, 4, 3, 3) / 50 - 1.01, stride=2, padding=1)),
    "attention": lambda x: F.scaled_dot_product_attention(*(x.reshape(1, -1, 4),) * 3),
    "mean-squared-error": lambda x: F.mse_loss(x, torch.ones_like(x)),
    "mean-absolute-error": lambda x: F.l1_loss(x, torch.ones_like(x)),
}


@fixture("TensorCore/non-finite")
def non_finite():
    """What images [1, 6, 8, 4] become in which one value is NaN or infinite: <case>.output.<fill> from input.<fill>.

    In float64, as PyTorch's float32 gives NaN for the GELU of infinity, which is infinite. Attention to infinite values differs between its own ways.
    """
    tensors = {}
    torch.set_default_dtype(torch.float64)
    for fill in ("nan", "inf", "-inf"):
        x = torch.randn((1, 6, 8, 4), generator=seeded("non-finite")).float().double()
        x[0, 2, 3, 1] = float(fill)
        tensors[f"input.{fill}"] = x
        for case, function in NON_FINITE.items():
            if case != "attention" or fill == "nan":
                tensors[f"{case}.output.{fill}"] = function(x)
    torch.set_default_dtype(torch.float32)
    return tensors


def main():
    arguments = ARGUMENTS.parse_args()
    names = {path.split("/")[1] for path in FILES}
    if unknown := set(arguments.names) - names:
        ARGUMENTS.error(f"no such fixture: {', '.join(sorted(unknown))}; there are {', '.join(sorted(names))}")
    torch.set_num_threads(1)
    for path, function in FILES.items():
        if not arguments.names or path.split("/")[1] in arguments.names:
            write(arguments.output / f"{path}.safetensors", function())


if __name__ == "__main__":
    main()
