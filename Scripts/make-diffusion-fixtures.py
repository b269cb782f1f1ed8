#!/usr/bin/env python3
"""Writes Tests/Fixtures/Diffusion/ddim.json: timesteps and steps of DDIM (eta = 0) as diffusers' DDIMScheduler computes them.

Needs PyTorch, NumPy and diffusers; their versions are recorded in the file.

The predictor is analytic: the best one for data whose elements are independent normal with means m and deviations s,

    x0(x, t) = m + sqrt(a) s^2 (x - sqrt(a) m) / (a s^2 + 1 - a),   a = product of 1 - beta up to t,

from which noise and velocity follow.
"""
import json
import pathlib

import diffusers
import numpy as np
import torch
from diffusers import DDIMScheduler

FILE = pathlib.Path(__file__).resolve().parent.parent / "Tests" / "Fixtures" / "Diffusion" / "ddim.json"
# 16, 32, 64 and 80 do not divide 1000 and meet halves on the way.
COUNTS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 16, 20, 25, 30, 32, 40, 50, 64, 80, 100, 250, 500, 1000]
# The scheduler steps by 1000 // count, so the timesteps it steps to are those of its list for divisors of 1000 alone.
STEPS = [1, 5, 20, 50]

random = np.random.default_rng(20250611)


def numbers(tensor):
    """As float32 in its shortest form."""
    return [float(str(value)) for value in tensor.numpy().astype(np.float32)]


def scheduler(prediction, count):
    result = DDIMScheduler(
        num_train_timesteps=1000, beta_start=1e-4, beta_end=0.02, beta_schedule="linear", clip_sample=False, set_alpha_to_one=True,
        timestep_spacing="trailing", prediction_type=prediction)
    # In double precision, so that a difference is the fault of the code under test.
    result.alphas_cumprod = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)
    result.final_alpha_cumprod = torch.tensor(1, dtype=torch.float64)
    result.set_timesteps(count)
    return result


def trajectory(prediction, count, initial, mean, deviation):
    """The field before each step and after the last."""
    ddim = scheduler(prediction, count)
    x, fields = initial, [numbers(initial)]
    for t in ddim.timesteps:
        a = ddim.alphas_cumprod[t]
        clean = mean + a.sqrt() * deviation**2 * (x - a.sqrt() * mean) / (a * deviation**2 + 1 - a)
        noise = (x - a.sqrt() * clean) / (1 - a).sqrt()
        output = noise if prediction == "epsilon" else a.sqrt() * noise - (1 - a).sqrt() * clean
        x = ddim.step(output, t, x, eta=0).prev_sample
        fields.append(numbers(x))
    return fields


def main():
    initial, mean, deviation = (
        torch.from_numpy(values.round(3)) for values in (random.normal(0, 1, 12), random.normal(0, 0.8, 12), random.uniform(0.2, 1.5, 12)))
    content = {
        "versions": {"diffusers": diffusers.__version__, "torch": torch.__version__, "numpy": np.__version__},
        "timesteps": [scheduler("epsilon", count).timesteps.tolist() for count in COUNTS],
        "mean": numbers(mean),
        "deviation": numbers(deviation),
        "trajectories": [
            {"prediction": prediction, "fields": trajectory(prediction, count, initial, mean, deviation)}
            for prediction in ("epsilon", "v_prediction") for count in STEPS],
    }
    FILE.parent.mkdir(parents=True, exist_ok=True)
    with open(FILE, "w") as file:
        json.dump(content, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
