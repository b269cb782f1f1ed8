#!/usr/bin/env python3
"""Writes what the tests of Fréchet distances and of CLIP's image encoder compare with.

    python Scripts/make-frechet-fixtures.py [OUTPUT]

OUTPUT is Tests/Fixtures/Metrics by default. Needs numpy, scipy, torch, transformers and Pillow.

frechet.json: cases of two sets of feature vectors, `a` and `b`, their `distance`, and whether either covariance is rank-deficient.
clip.json: two fields in Gauss, `[rows]` of whole numbers, the first input of the network for each, and the `embedding` of each by transformers'
CLIPVisionModelWithProjection in float64, with QuickGELU. The network is small, and its weights are not stored: `weight` below makes them of hashed
positions, in the order of `names`, as the tests do.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import scipy.linalg
import torch
import torch.nn.functional as F
from PIL import Image
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

ROOT = Path(__file__).resolve().parent.parent

# --- Fréchet distances


def frechet_distance(a, b):
    """By the eigenvalues of the product of both covariances, of which no more than the lesser rank differ from 0. Where both covariances are
    regular, scipy's root of a matrix must give the same."""
    first, second = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    eigenvalues = np.sort(np.linalg.eigvals(first @ second).real)[::-1]
    rank = min(len(a) - 1, len(b) - 1, a.shape[1])
    trace = np.sqrt(np.clip(eigenvalues[:rank], 0, None)).sum()
    if min(len(a), len(b)) > a.shape[1]:
        assert math.isclose(trace, np.trace(scipy.linalg.sqrtm(first @ second)).real, rel_tol=1e-9)
    else:
        # The same with the root of a symmetric matrix, which rounding leaves a little less sharp.
        values, vectors = np.linalg.eigh(first)
        root = vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T
        assert math.isclose(trace, np.sqrt(np.clip(np.linalg.eigvalsh(root @ second @ root), 0, None)).sum(), rel_tol=1e-5)
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(first) + np.trace(second) - 2 * trace)


def frechet_cases():
    generator = np.random.default_rng(1)

    def features(count, dimensions, offset=0.0, directions=None):
        """Correlated features of three decimals."""
        mixing = generator.normal(size=(directions or dimensions, dimensions))
        return np.round(generator.normal(size=(count, directions or dimensions)) @ mixing + offset, 3)

    sets = {
        "more vectors than dimensions": (features(40, 6), features(25, 6, offset=0.5)),
        "as many vectors as dimensions": (features(6, 6), features(40, 6)),
        "one vector more than dimensions": (features(7, 6), features(7, 6)),
        "fewer vectors than dimensions": (features(5, 12), features(8, 12, offset=0.2)),
        "fewer vectors than dimensions in one set": (features(30, 12), features(4, 12)),
        "two vectors": (features(2, 5), features(2, 5)),
        "one dimension": (features(9, 1), features(4, 1, offset=1)),
    }
    return [
        {
            "name": name,
            "a": a.tolist(),
            "b": b.tolist(),
            "distance": frechet_distance(a, b),
            "deficient": [len(a) <= a.shape[1], len(b) <= b.shape[1]],
        }
        for name, (a, b) in sets.items()
    ]


# --- CLIP

WIDTH, LAYERS, HEADS, HIDDEN, PATCH, SIDE, PROJECTION = 128, 3, 2, 192, 8, 32, 16
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073], dtype=torch.float64)
DEVIATION = torch.tensor([0.26862954, 0.26130258, 0.27577711], dtype=torch.float64)


def shapes():
    """Names and shapes as in published files."""
    embeddings = "vision_model.embeddings"
    result = {
        f"{embeddings}.class_embedding": [WIDTH],
        f"{embeddings}.patch_embedding.weight": [WIDTH, 3, PATCH, PATCH],
        f"{embeddings}.position_embedding.weight": [(SIDE // PATCH) ** 2 + 1, WIDTH],
    }
    norms = ["vision_model.pre_layrnorm"]
    for layer in range(LAYERS):
        place = f"vision_model.encoder.layers.{layer}"
        norms += [f"{place}.layer_norm1", f"{place}.layer_norm2"]
        linears = {f"self_attn.{name}_proj": (WIDTH, WIDTH) for name in "qkv"} | {"self_attn.out_proj": (WIDTH, WIDTH)}
        linears |= {"mlp.fc1": (HIDDEN, WIDTH), "mlp.fc2": (WIDTH, HIDDEN)}
        for name, (outputs, inputs) in linears.items():
            result |= {f"{place}.{name}.weight": [outputs, inputs], f"{place}.{name}.bias": [outputs]}
    for norm in norms + ["vision_model.post_layernorm"]:
        result |= {f"{norm}.weight": [WIDTH], f"{norm}.bias": [WIDTH]}
    return dict(sorted(result.items())) | {"visual_projection.weight": [PROJECTION, WIDTH]}


def weight(name, shape, index):
    """Numbers that look random, uniform in ±bound, around 1 for the weights of layer norms."""
    count = math.prod(shape)
    x = (np.arange(count, dtype=np.uint64) + np.uint64(index * 1_000_003)) & np.uint64(0xFFFFFFFF)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = ((x ^ (x >> np.uint64(shift))) * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    x = x ^ (x >> np.uint64(16))
    uniform = (x >> np.uint64(8)).astype(np.float64) / 2**23 - 1
    is_matrix = len(shape) > 1 and "position" not in name
    bound = 2 / math.sqrt(count / shape[0]) if is_matrix else 0.5
    values = uniform * bound + (1 if "norm" in name and name.endswith("weight") else 0)
    return torch.tensor(values.astype(np.float32)).double().reshape(shape)


def network():
    config = CLIPVisionConfig(
        hidden_size=WIDTH, intermediate_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=HEADS, patch_size=PATCH, image_size=SIDE,
        projection_dim=PROJECTION, hidden_act="quick_gelu", layer_norm_eps=1e-5, attn_implementation="eager",
    )
    model = CLIPVisionModelWithProjection(config).double().eval()
    weights = {name: weight(name, shape, index) for index, (name, shape) in enumerate(shapes().items())}
    model.load_state_dict(weights, strict=True)
    return model


def network_input(field):
    """[1, 3, side, side]"""
    grey = (torch.tensor(field, dtype=torch.float64).clamp(-3000, 3000) / 3000 + 1) / 2
    small = F.interpolate(grey[None, None], (SIDE, SIDE), mode="bicubic", antialias=True, align_corners=False)
    pillow = np.asarray(Image.fromarray(grey.float().numpy()).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    assert np.abs(pillow - small[0, 0].numpy()).max() < 1e-5
    return (small.expand(-1, 3, -1, -1) - MEAN[:, None, None]) / DEVIATION[:, None, None]


def clip_cases():
    model = network()
    generator = np.random.default_rng(2)
    cases = []
    for height, width in ((36, 45), (53, 20)):
        y, x = np.mgrid[:height, :width]
        field = np.round(2500 * np.sin(0.3 * x + 0.1 * y) * np.cos(0.21 * y) + 700 * generator.normal(size=(height, width))).astype(int)
        assert np.abs(field).max() > 3000
        with torch.no_grad():
            pixels = network_input(field.tolist())
            embedding = model(pixel_values=pixels).image_embeds[0]
        cases.append({"field": field.tolist(), "embedding": (embedding / embedding.norm()).tolist()})
    return cases


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, nargs="?", default=ROOT / "Tests/Fixtures/Metrics")
    output = parser.parse_args().output
    torch.set_num_threads(1)
    (output / "frechet.json").write_text(json.dumps(frechet_cases()) + "\n")
    names = [{"name": name, "shape": shape} for name, shape in shapes().items()]
    (output / "clip.json").write_text(json.dumps({"tensors": names, "cases": clip_cases()}) + "\n")


if __name__ == "__main__":
    main()
