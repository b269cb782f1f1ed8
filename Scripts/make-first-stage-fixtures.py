#!/usr/bin/env python3
"""Writes what the tests of the first stages compare with: diffusers' VQModel and AutoencoderKL.

    python Scripts/make-first-stage-fixtures.py [--output Tests/Fixtures/Models]

needs torch, diffusers and safetensors.

first-stage-<kind>.safetensors, the network with the names of <kind> and few channels, images and latents in [batch, height, width, channels]:
    weights.<name>         float16; all that follows is computed from them in float64 and rounded to float32
    input                  grey images
    latents                encode(input), of kl the mean
    output                 the mean of the channels of decode(latents), with vq through the codebook
and with vq
    indices, quantized     the codes nearest to the latents
    codebook_loss          mean((code − sg[latent])²) + 0.25·mean((sg[code] − latent)²)
    unquantized            decode(latents) without the codebook
and with vq-f8
    gradient.<name>, gradient.input   of mean((decode(encode(input)) − input)²) + codebook_loss, straight through the codebook

first-stage-<kind>.json, the published network at its full width, lists in one order:
    shapes, diffusers      of its state dictionary
    older_diffusers        the names before diffusers 0.17
    compvis_shapes, compvis   those of CompVis' latent-diffusion; they are built from the architecture, and diffusers' own converters say which is
                           which
"""

import argparse
import json
import zlib
from pathlib import Path

import diffusers
import torch
from diffusers import AutoencoderKL, VQModel
from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint, update_vae_attentions_ldm_to_diffusers
from safetensors.torch import save_file

# multipliers, latent channels, codes (0: variational), attention at the deepest level
KINDS = {
    "vq-f4": ([1, 2, 4], 3, 8192, False),
    "vq-f8": ([1, 2, 2, 4], 4, 16384, True),
    "vq-f16": ([1, 1, 2, 2, 4], 8, 16384, True),
    "kl-f4": ([1, 2, 4], 3, 0, False),
    "kl-f8": ([1, 2, 4, 4], 4, 0, False),
}
# width, norm groups, codes, image channels, image size
REDUCED = {"vq-f4": (8, 4, 32, 3, (32, 24)), "vq-f8": (4, 2, 24, 3, (64, 40)), "kl-f8": (4, 2, 0, 1, (32, 48))}


def build(kind, width=128, groups=32, codes=None, channels=3):
    multipliers, latents, published, attends = KINDS[kind]
    last = len(multipliers) - 1
    options = dict(
        in_channels=channels, out_channels=channels, block_out_channels=[width * m for m in multipliers], layers_per_block=2,
        latent_channels=latents, norm_num_groups=groups,
        down_block_types=["AttnDownEncoderBlock2D" if attends and i == last else "DownEncoderBlock2D" for i in range(last + 1)],
        up_block_types=["AttnUpDecoderBlock2D" if attends and i == 0 else "UpDecoderBlock2D" for i in range(last + 1)])
    return VQModel(**options, num_vq_embeddings=codes or published) if published else AutoencoderKL(**options)


# ------------------------------------------------------------------------------------------------------------------------ names


def compvis(kind, width=128):
    """Names and shapes of CompVis' Encoder, Decoder, quantize, quant_conv and post_quant_conv."""
    multipliers, latents, codes, attends = KINDS[kind]
    widths = [width * m for m in multipliers]
    last = len(widths) - 1
    shapes = {}

    def convolution(name, inputs, outputs, kernel):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = [outputs, inputs, kernel, kernel], [outputs]

    def norm(name, channels):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = [channels], [channels]

    def block(name, inputs, outputs):
        norm(f"{name}.norm1", inputs)
        convolution(f"{name}.conv1", inputs, outputs, 3)
        norm(f"{name}.norm2", outputs)
        convolution(f"{name}.conv2", outputs, outputs, 3)
        if inputs != outputs:
            convolution(f"{name}.nin_shortcut", inputs, outputs, 1)

    def attention(name, channels):
        norm(f"{name}.norm", channels)
        for part in ("q", "k", "v", "proj_out"):
            convolution(f"{name}.{part}", channels, channels, 1)

    def middle(name, channels):
        block(f"{name}.block_1", channels, channels)
        attention(f"{name}.attn_1", channels)
        block(f"{name}.block_2", channels, channels)

    def level(name, inputs, outputs, blocks, attends):
        for index in range(blocks):
            block(f"{name}.block.{index}", outputs if index else inputs, outputs)
            if attends:
                attention(f"{name}.attn.{index}", outputs)

    moments = latents if codes else 2 * latents
    convolution("encoder.conv_in", 3, width, 3)
    for i, outputs in enumerate(widths):
        level(f"encoder.down.{i}", widths[max(0, i - 1)], outputs, 2, attends and i == last)
        if i < last:
            convolution(f"encoder.down.{i}.downsample.conv", outputs, outputs, 3)
    middle("encoder.mid", widths[last])
    norm("encoder.norm_out", widths[last])
    convolution("encoder.conv_out", widths[last], moments, 3)
    convolution("decoder.conv_in", latents, widths[last], 3)
    middle("decoder.mid", widths[last])
    for i in reversed(range(last + 1)):
        level(f"decoder.up.{i}", widths[min(last, i + 1)], widths[i], 3, attends and i == last)
        if i > 0:
            convolution(f"decoder.up.{i}.upsample.conv", widths[i], widths[i], 3)
    norm("decoder.norm_out", width)
    convolution("decoder.conv_out", width, 3, 3)
    if codes:
        shapes["quantize.embedding.weight"] = [codes, latents]
    convolution("quant_conv", moments, moments, 1)
    convolution("post_quant_conv", latents, latents, 1)
    return shapes


def converted(shapes, levels):
    """CompVis' name by diffusers', as diffusers converts them, which knows neither codebooks nor attention in levels."""
    # The values tell whence they came; an expanded tensor takes no memory.
    names = list(shapes)
    tensors = {name: torch.tensor(float(index)).expand(shapes[name]) for index, name in enumerate(names)}
    in_levels = [name for name in names if ".attn." in name]
    plain = {name: tensor for name, tensor in tensors.items() if name not in in_levels}
    result = convert_ldm_vae_checkpoint(plain, {"down_block_types": [None] * levels, "up_block_types": [None] * levels})
    for index in range(3):
        for old, new in ((f"down.{levels - 1}.attn.{index}.", f"down_blocks.{levels - 1}.attentions.{index}."),
                         (f"up.{levels - 1}.attn.{index}.", f"up_blocks.0.attentions.{index}.")):
            keys = [name for name in in_levels if f".{old}" in name]
            update_vae_attentions_ldm_to_diffusers(keys, result, tensors, {"old": old, "new": new})
    if "quantize.embedding.weight" in tensors:
        result["quantize.embedding.weight"] = tensors["quantize.embedding.weight"]
    found = {name: names[int(tensor.flatten()[0])] for name, tensor in result.items()}
    assert sorted(found.values()) == sorted(names)
    return found, {name: list(tensor.shape) for name, tensor in result.items()}


def older(name):
    for new, old in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")):
        name = name.replace(f".{new}.", f".{old}.")
    return name


def names(kind):
    with torch.device("meta"):
        network = build(kind)
    shapes = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    by_compvis = compvis(kind)
    found, converted_shapes = converted(by_compvis, len(KINDS[kind][0]))
    assert converted_shapes == shapes, kind
    by_older = {older(name): name for name in shapes}
    assert set(network._fix_state_dict_keys_on_load(dict(by_older))) == set(shapes), kind
    return {
        "shapes": list(shapes.values()), "diffusers": list(shapes), "older_diffusers": list(by_older),
        "compvis_shapes": [by_compvis[found[name]] for name in shapes], "compvis": [found[name] for name in shapes],
    }


# ----------------------------------------------------------------------------------------------------------------------- values


def randomised(network, generator):
    """Weights that keep a signal's size and are exact in 16 bits."""
    for name, parameter in network.named_parameters():
        values = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() > 1:
            values = values / parameter[0].numel() ** 0.5
        else:
            values = 0.2 * values + (1 if "norm" in name and name.endswith("weight") else 0)
        parameter.data = values.half().float()
    return network.double()


def nearest(latents, codes):
    """Straight-through codes, indices and loss."""
    vectors = latents.permute(0, 2, 3, 1)
    distances = torch.cdist(vectors.reshape(-1, codes.shape[1]), codes)
    least = distances.topk(2, largest=False).values
    assert (least[:, 1] - least[:, 0]).min() > 1e-4, "two codes are equally near"
    indices = distances.argmin(1)
    picked = codes[indices].view(vectors.shape)
    loss = (picked - vectors.detach()).square().mean() + 0.25 * (picked.detach() - vectors).square().mean()
    return (vectors + (picked - vectors).detach()).permute(0, 3, 1, 2), indices, loss


def last_channels(x):
    return x.permute(0, 2, 3, 1)


def values(kind):
    generator = torch.Generator().manual_seed(zlib.crc32(kind.encode()))
    width, groups, codes, channels, size = REDUCED[kind]
    network = randomised(build(kind, width, groups, codes, channels), generator)
    x = torch.randn((2, 1, *size), generator=generator).clamp(-2, 2).double().requires_grad_()
    image = x.expand(-1, channels, -1, -1)
    if not codes:
        latents = network.encode(image).latent_dist.mode()
        output = network.decode(latents).sample
    else:
        latents = network.encode(image).latents
        codebook = network.quantize.embedding.weight
        vectors = last_channels(latents).reshape(-1, latents.shape[1])
        picked = vectors[torch.randperm(len(vectors), generator=generator)[:codes]]
        codebook.data = (picked + 0.2 * torch.randn(codebook.shape, generator=generator)).detach().half().double()
        output = network.decode(latents).sample
    tensors = {f"weights.{name}": parameter.half() for name, parameter in network.named_parameters()}
    tensors |= {"input": last_channels(x), "latents": last_channels(latents), "output": last_channels(output).mean(-1, keepdim=True)}
    if codes:
        quantized, indices, loss = nearest(latents, codebook)
        assert len(indices.unique()) > codes / 2
        assert (network.decode(quantized, force_not_quantize=True).sample - output).abs().max() < 1e-12
        plain = network.decode(latents, force_not_quantize=True).sample
        tensors |= {"indices": indices.int(), "quantized": last_channels(quantized), "codebook_loss": loss}
        tensors["unquantized"] = last_channels(plain).mean(-1, keepdim=True)
    if kind == "vq-f8":
        output = network.decode(quantized, force_not_quantize=True).sample.mean(1, keepdim=True)
        parameters = dict(network.named_parameters()) | {"input": x}
        gradients = torch.autograd.grad((output - x).square().mean() + loss, list(parameters.values()))
        for name, gradient in zip(parameters, gradients):
            tensors[f"gradient.{name}"] = last_channels(gradient) if name == "input" else gradient
    return {name: (tensor.float() if tensor.dtype == torch.float64 else tensor).detach().contiguous().clone() for name, tensor in tensors.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path(__file__).resolve().parent.parent / "Tests" / "Fixtures" / "Models")
    folder = parser.parse_args().output
    torch.set_num_threads(1)
    for kind in KINDS:
        lists = names(kind)
        lines = ",\n".join(f'"{key}": {json.dumps(entries, separators=(",", ":"))}' for key, entries in lists.items())
        (folder / f"first-stage-{kind}.json").write_text(f"{{\n{lines}\n}}\n")
        print(f"first-stage-{kind}.json: {len(lists['shapes'])} tensors")
    for kind in REDUCED:
        tensors = values(kind)
        path = folder / f"first-stage-{kind}.safetensors"
        # One entry alone: save_file writes several in an order that changes from run to run.
        save_file(tensors, path, metadata={"torch": f"{torch.__version__}, diffusers {diffusers.__version__}"})
        print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
