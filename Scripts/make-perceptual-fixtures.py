#!/usr/bin/env python3
"""Writes the weights of LPIPS that come with the program, and the values its tests compare with.

    python Scripts/make-perceptual-fixtures.py WEIGHTS EXPECTED

WEIGHTS is a safetensors file of torchvision's AlexNet (`features.{0,3,6,8,10}.{weight,bias}`) and LPIPS v0.1's heads (`lin{0…4}.model.1.weight`);
EXPECTED a JSON file of distances computed elsewhere with these weights, beside a folder `lpips_testimgs` of the images. Needs torch, numpy, Pillow
and safetensors.

Sources/SuperResolution/Resources/LPIPS/alexnet-v0.1.safetensors: the same tensors as 16-bit floats.
Tests/Fixtures/Metrics/perceptual.safetensors:
    image.{reference,p0,p1}      8-bit RGB, [height, width, 3]
    distance.{p0,p1,waves}       of EXPECTED: image to reference, and the pair of analytic fields that it describes
and, from here on computed in float64 with the 16-bit weights,
    grey.{a,b}                   fields in [−1, 1], [2, 37, 42, 1]
    grey.distance                of each pair, [2]
    grey.gradient.{a,b}          of sum(distance · [1, −2])
    grey.pooled                  the mean of a's last features over the pixels, [2, 256]
    colour.{a,b,distance}        the same of three channels, [1, 31, 33, 3]
    fields                       the distance of truth and prediction of Metrics/fields.json, trimmed to 96 × 64 pixels
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).resolve().parent.parent
LAYERS = [(0, 4, 2), (3, 1, 2), (6, 1, 1), (8, 1, 1), (10, 1, 1)]  # torchvision's index, stride, padding


def features(x, weights):
    shift = torch.tensor([-0.030, -0.088, -0.188], dtype=torch.float64)[:, None, None]
    scale = torch.tensor([0.458, 0.448, 0.450], dtype=torch.float64)[:, None, None]
    x = (x.permute(0, 3, 1, 2) - shift) / scale
    for index, stride, padding in LAYERS:
        if index in (3, 6):
            x = F.max_pool2d(x, 3, 2)
        x = F.relu(F.conv2d(x, weights[f"features.{index}.weight"], weights[f"features.{index}.bias"], stride=stride, padding=padding))
        yield x


def distance(a, b, weights):
    total = 0
    for index, pair in enumerate(zip(features(a, weights), features(b, weights))):
        u, v = (x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10) for x in pair)
        total = total + ((u - v).square() * weights[f"lin{index}.model.1.weight"]).sum(1).mean((1, 2))
    return total


def waves(seed, shape):
    """Smooth patterns with some noise, within [−1, 1], that float32 holds exactly."""
    generator = torch.Generator().manual_seed(seed)
    batch, height, width, channels = shape
    y, x = torch.arange(height)[:, None, None], torch.arange(width)[None, :, None]
    phase = 6 * torch.rand((batch, 1, 1, channels), generator=generator)
    noise = torch.randn(shape, generator=generator)
    return (0.6 * torch.sin(0.31 * x + phase) * torch.cos(0.23 * y - phase) + 0.1 * noise).clamp(-1, 1).float().double()


def field_distance(weights):
    with open(ROOT / "Tests/Fixtures/Metrics/fields.json") as file:
        fields = json.load(file)
    scaled = [np.clip(np.array(fields[name], np.float64)[:64, :96], -3000, 3000) / 3000 for name in ("truth", "prediction")]
    return distance(*(torch.tensor(field)[None, :, :, None].expand(-1, -1, -1, 3) for field in scaled), weights)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("expected", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    halves = {name: tensor.half() for name, tensor in load_file(arguments.weights).items()}
    save_file(halves, ROOT / "Sources/SuperResolution/Resources/LPIPS/alexnet-v0.1.safetensors", metadata={"format": "pt"})
    weights = {name: tensor.double() for name, tensor in halves.items()}

    images = {"reference": "ex_ref.png", "p0": "ex_p0.png", "p1": "ex_p1.png"}
    tensors = {}
    for name, file in images.items():
        tensors[f"image.{name}"] = torch.tensor(np.asarray(Image.open(arguments.expected.parent / "lpips_testimgs" / file).convert("RGB")))
    with open(arguments.expected) as file:
        cases = [case for case in json.load(file)["cases"] if case["net"] == "alex"]
    for name, word in {"p0": "ex_p0.png", "p1": "ex_p1.png", "waves": "analytic"}.items():
        (value,) = (case["distance"] for case in cases if word in case["pair"])
        tensors[f"distance.{name}"] = torch.tensor(value)

    a, b = waves(1, (2, 37, 42, 1)).requires_grad_(), waves(2, (2, 37, 42, 1)).requires_grad_()
    values = distance(a.expand(-1, -1, -1, 3), b.expand(-1, -1, -1, 3), weights)
    gradients = torch.autograd.grad((values * torch.tensor([1.0, -2.0])).sum(), (a, b))
    *_, last = features(a.expand(-1, -1, -1, 3), weights)
    tensors |= {"grey.a": a, "grey.b": b, "grey.distance": values, "grey.gradient.a": gradients[0], "grey.gradient.b": gradients[1]}
    tensors["grey.pooled"] = last.mean((2, 3))
    a, b = waves(3, (1, 31, 33, 3)), waves(4, (1, 31, 33, 3))
    tensors |= {"colour.a": a, "colour.b": b, "colour.distance": distance(a, b, weights)}
    tensors["fields"] = field_distance(weights)
    assert all(tensor.isfinite().all() for tensor in tensors.values())
    tensors = {name: (tensor if tensor.dtype == torch.uint8 else tensor.detach().float()).contiguous().clone() for name, tensor in tensors.items()}
    save_file(tensors, ROOT / "Tests/Fixtures/Metrics/perceptual.safetensors", metadata={"torch": torch.__version__})


if __name__ == "__main__":
    main()
