#!/usr/bin/env python3
"""Writes what the tests of diffusion expect, as diffusers computes it, into Tests/Fixtures/Diffusion:

- ddim.json: timesteps of trailing spacing and steps of DDIM with eta = 0 (DDIMScheduler)
- samplers.safetensors: steps of DDIM with other eta, of DDPM with the variance beta (DDPMScheduler, fixed_large) and of DPM-Solver++(2M)
  (DPMSolverMultistepScheduler), given the noise that is put back

Needs PyTorch, NumPy, safetensors and diffusers; their versions are recorded in the files.

The predictor is analytic: the best one for data whose elements are independent normal with means m and deviations s,

    x0(x, t) = m + sqrt(a) s^2 (x - sqrt(a) m) / (a s^2 + 1 - a),   a = product of 1 - beta up to t,

from which noise and velocity follow.
"""
import json
import pathlib

import diffusers
import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from diffusers.schedulers import scheduling_ddpm
from safetensors.torch import save

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "Tests" / "Fixtures" / "Diffusion"
VERSIONS = {"diffusers": diffusers.__version__, "torch": torch.__version__, "numpy": np.__version__}
PREDICTIONS = ("epsilon", "v_prediction")
# The paper's noise schedule, T and the first and last beta, and a short one.
SCHEDULES = {"paper": (1000, 1e-4, 0.02), "short": (40, 2e-3, 0.25)}
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


def predict(prediction, a, x, mean, deviation):
    clean = mean + a.sqrt() * deviation**2 * (x - a.sqrt() * mean) / (a * deviation**2 + 1 - a)
    noise = (x - a.sqrt() * clean) / (1 - a).sqrt()
    return noise if prediction == "epsilon" else a.sqrt() * noise - (1 - a).sqrt() * clean


def trajectory(prediction, count, initial, mean, deviation):
    """The field before each step and after the last."""
    ddim = scheduler(prediction, count)
    x, fields = initial, [numbers(initial)]
    for t in ddim.timesteps:
        x = ddim.step(predict(prediction, ddim.alphas_cumprod[t], x, mean, deviation), t, x, eta=0).prev_sample
        fields.append(numbers(x))
    return fields


def write_ddim():
    initial, mean, deviation = (
        torch.from_numpy(values.round(3)) for values in (random.normal(0, 1, 12), random.normal(0, 0.8, 12), random.uniform(0.2, 1.5, 12)))
    content = {
        "versions": VERSIONS,
        "timesteps": [scheduler("epsilon", count).timesteps.tolist() for count in COUNTS],
        "mean": numbers(mean),
        "deviation": numbers(deviation),
        "trajectories": [
            {"prediction": prediction, "fields": trajectory(prediction, count, initial, mean, deviation)}
            for prediction in PREDICTIONS for count in STEPS],
    }
    with open(FOLDER / "ddim.json", "w") as file:
        json.dump(content, file, separators=(",", ":"))
        file.write("\n")


def any_scheduler(kind, schedule, prediction, count):
    """One whose noise schedule is in double precision."""
    steps, first, last = SCHEDULES[schedule]
    options = {
        "num_train_timesteps": steps, "beta_start": first, "beta_end": last, "beta_schedule": "linear", "prediction_type": prediction,
        "timestep_spacing": "trailing"}
    if kind == "ddpm":
        result = DDPMScheduler(**options, variance_type="fixed_large", clip_sample=False)
        result.one = torch.tensor(1, dtype=torch.float64)
    elif kind == "dpm-solver++":
        result = DPMSolverMultistepScheduler(
            **options, algorithm_type="dpmsolver++", solver_order=2, solver_type="midpoint", lower_order_final=True, final_sigmas_type="zero")
    else:
        result = DDIMScheduler(**options, clip_sample=False, set_alpha_to_one=True)
        result.final_alpha_cumprod = torch.tensor(1, dtype=torch.float64)
    result.alphas_cumprod = torch.cumprod(1 - torch.linspace(first, last, steps, dtype=torch.float64), 0)
    result.set_timesteps(count)
    if kind == "dpm-solver++":
        a = result.alphas_cumprod[result.timesteps]
        result.sigmas = torch.cat([((1 - a) / a).sqrt(), torch.zeros(1, dtype=torch.float64)])
    return result


def any_trajectory(kind, eta, schedule, prediction, count, initial, noise, mean, deviation):
    """The field before each step and after the last, `[count + 1, elements]`; step i puts noise[i] back, where it does."""
    sampler = any_scheduler(kind, schedule, prediction, count)
    x, fields = initial, [initial]
    for i, t in enumerate(sampler.timesteps):
        output = predict(prediction, sampler.alphas_cumprod[t], x, mean, deviation)
        if kind == "ddim":
            x = sampler.step(output, t, x, eta=eta, variance_noise=noise[i]).prev_sample
        elif kind == "ddpm":
            # DDPMScheduler draws its own.
            scheduling_ddpm.randn_tensor = lambda *_, **__: noise[i]
            x = sampler.step(output[None], t, x[None]).prev_sample[0]
        else:
            x = sampler.step(output, t, x).prev_sample
        fields.append(x)
    return torch.stack(fields).float()


def write_samplers():
    random = np.random.default_rng(20250729)
    # As float32 holds them, since that is what the code under test gets.
    initial, mean, deviation, noise = (
        torch.from_numpy(values.astype(np.float32)).double()
        for values in (random.normal(0, 1, 6), random.normal(0, 0.8, 6), random.uniform(0.2, 1.5, 6), random.normal(0, 1, (1000, 6))))
    tensors = {name: values.float() for name, values in
               {"initial": initial, "mean": mean, "deviation": deviation, "noise": noise}.items()}
    # DDIMScheduler steps by T // count: divisors alone.
    cases = [("ddim", eta, "paper", count) for eta in (0.5, 1) for count in (5, 50)] + [("ddim", 0.3, "short", 10)]
    cases += [("ddpm", 0, schedule, SCHEDULES[schedule][0]) for schedule in SCHEDULES]
    # 16 does not divide 1000; with at least 15 steps diffusers would take a second-order step last, were the final sigma not zero.
    cases += [("dpm-solver++", 0, "paper", count) for count in (1, 2, 3, 10, 16, 20, 1000)] + [("dpm-solver++", 0, "short", 10)]
    for kind, eta, schedule, count in cases:
        for prediction in PREDICTIONS:
            tensors[f"{kind} {eta} {schedule} {count} {prediction}"] = any_trajectory(
                kind, eta, schedule, prediction, count, initial, noise, mean, deviation)
    # One entry of metadata alone: several would be written in an order that changes from run to run.
    (FOLDER / "samplers.safetensors").write_bytes(save(tensors, metadata={"versions": json.dumps(VERSIONS)}))


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_ddim()
    write_samplers()


if __name__ == "__main__":
    main()
