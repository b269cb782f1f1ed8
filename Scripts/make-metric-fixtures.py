#!/usr/bin/env python3
"""Writes Tests/Fixtures/Metrics: resampling, field metrics and active-region sizes as other programs compute them.

Needs PyTorch, scikit-image, OpenCV and NumPy; their versions are recorded in the files. Images are lists of rows, the lowest first.
"""
import json
import pathlib

import cv2
import numpy as np
import skimage
import torch
from skimage.metrics import structural_similarity

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "Tests" / "Fixtures" / "Metrics"
VERSIONS = {"torch": torch.__version__, "scikit-image": skimage.__version__, "opencv": cv2.__version__, "numpy": np.__version__}
random = np.random.default_rng(20250611)


def write(name, content):
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / name, "w") as file:
        json.dump({"versions": VERSIONS, **content}, file, separators=(",", ":"))
        file.write("\n")


def rows(image):
    """Rows as JSON holds them: float32 in its shortest form, None for NaN."""
    return [[None if np.isnan(value) else float(str(value)) for value in row] for row in image.astype(np.float32)]


def interpolate(image, scale, antialias=False):
    tensor = torch.from_numpy(image)[None, None]
    result = torch.nn.functional.interpolate(tensor, scale_factor=scale, mode="bicubic", align_corners=False, antialias=antialias)
    return result[0, 0].numpy()


def resampling():
    image = random.normal(0, 400, (7, 9)).round(1).astype(np.float32)
    holes = random.normal(0, 400, (8, 12)).round(1).astype(np.float32)
    holes[:4, :4] = np.nan
    holes[random.random(holes.shape) < 0.2] = np.nan
    blocks = holes.astype(np.float64).reshape(2, 4, 3, 4).transpose(0, 2, 1, 3).reshape(2, 3, 16)
    means = np.nanmean(blocks, 2)
    write("resampling.json", {
        "image": rows(image),
        "bicubic4": rows(interpolate(image, 4)),
        "bicubic2": rows(interpolate(image, 2)),
        # PyTorch's antialiased kernel is Keys' with a = -0.5; at the edges it renormalises instead of repeating pixels, so only the interior compares.
        "keys4": rows(interpolate(image, 4, antialias=True)),
        "holes": rows(holes),
        "holesMean4": rows(means),
    })


def spots(height, width, count):
    y, x = np.mgrid[:height, :width]
    field = np.zeros((height, width))
    for _ in range(count):
        centre_y, centre_x = random.uniform(0, height), random.uniform(0, width)
        size, strength = random.uniform(2, 9), random.uniform(-3500, 3500)
        field += strength * np.exp(-((y - centre_y) ** 2 + (x - centre_x) ** 2) / (2 * size**2))
    return field


def region_sizes(strong):
    """The pixels inside the filled external contours: of all, and of the one with the pixel nearest to the middle (of equally near ones the largest)."""
    contours, _ = cv2.findContours(strong.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(strong.shape, np.uint8)
    cv2.drawContours(filled, contours, -1, 1, cv2.FILLED)
    y, x = np.mgrid[:strong.shape[0], :strong.shape[1]]
    distance = (2 * x - strong.shape[1] + 1) ** 2 + (2 * y - strong.shape[0] + 1) ** 2
    regions = []
    for index in range(len(contours)):
        alone = np.zeros(strong.shape, np.uint8)
        cv2.drawContours(alone, contours, index, 1, cv2.FILLED)
        regions.append((int(distance[alone > 0].min()), -int(alone.sum())))
    return int(filled.sum()), -min(regions)[1] if regions else 0


def spectrum(field):
    """The Fourier transform under a Hann window that is symmetric about the middle, and the frequencies in cycles per pixel."""
    height, width = field.shape
    window = [np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 for n in field.shape]
    transform = np.fft.fft2((field - field.mean()) * window[0][:, None] * window[1][None])
    return transform, np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])


def spectral_metrics(prediction, truth):
    (a, frequency), (b, _) = spectrum(prediction), spectrum(truth)
    values = {}
    for key, lower in (("nyquist", 0.125), ("2arcsec", 0.25)):
        beyond = frequency > lower
        values[f"power_ratio_{key}"] = (np.abs(a[beyond]) ** 2).sum() / (np.abs(b[beyond]) ** 2).sum()
    for index in range(4):
        band = (frequency > index / 16) & (frequency <= (index + 1) / 16)
        first, second = (np.abs(a[band]) ** 2).sum(), (np.abs(b[band]) ** 2).sum()
        values[f"power_ratio_band_{index + 1}"] = first / second
        values[f"correlation_band_{index + 1}"] = (a[band] * b[band].conj()).real.sum() / np.sqrt(first * second)
    return {key: float(value) for key, value in values.items()}


def field_metrics(prediction, truth):
    a, b = (np.clip(field, -3000, 3000) / 3000 for field in (prediction, truth))
    unsigned = np.abs(truth).sum()
    sizes = [region_sizes(np.abs(field) >= 300) for field in (prediction, truth)]
    low = truth.reshape(truth.shape[0] // 4, 4, truth.shape[1] // 4, 4).mean((1, 3))
    quiet = np.abs(np.kron(low.astype(np.float32), np.ones((4, 4)))) <= 10
    return {
        "psnr": 10 * np.log10(4 / np.mean((a - b) ** 2)),
        "ssim": structural_similarity(a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=2),
        "unsigned_flux_error_signed": 100 * (np.abs(prediction).sum() - unsigned) / unsigned,
        "net_flux_error_signed": 100 * (prediction.sum() - truth.sum()) / unsigned,
        "ar_size_px": sizes[0][0],
        "truth_ar_size_px": sizes[1][0],
        "ar_size_error_signed": 100 * (sizes[0][0] - sizes[1][0]) / sizes[1][0],
        "central_ar_size_px": sizes[0][1],
        "truth_central_ar_size_px": sizes[1][1],
        "central_ar_size_error_signed": 100 * (sizes[0][1] - sizes[1][1]) / sizes[1][1],
        **spectral_metrics(prediction, truth),
        "quiet_std_ratio": prediction[quiet].std() / truth[quiet].std(),
        "rmse": np.sqrt(np.mean((prediction - truth) ** 2)),
    }


def fields():
    truth = spots(70, 100, 25) + random.normal(0, 30, (70, 100))
    prediction = 0.97 * cv2.GaussianBlur(truth, (0, 0), 0.8, borderType=cv2.BORDER_REPLICATE) + random.normal(4, 5, truth.shape)
    truth, prediction = truth.round(1).astype(np.float32), prediction.round(1).astype(np.float32)
    trimmed = [field[:64, :96].astype(np.float64) for field in (prediction, truth)]
    # A map without data in its first 20 columns scores as the map cut there (as far as the Fourier spectrum is not concerned).
    cut = [field[:, 20:] for field in trimmed]
    write("fields.json", {
        "truth": rows(truth), "prediction": rows(prediction), "expected": field_metrics(*trimmed), "expectedFromColumn20": field_metrics(*cut),
    })


def masks():
    drawn = [
        ["....", ".##.", ".##.", "...."],
        ["#####", "#...#", "#...#", "#...#", "#####"],
        ["#..#", "#..#", "####"],  # a bay open to the map's edge
        ["####", "#..#", "#..#"],
        ["######", "#....#", "#.##.#", "#.##.#", "#....#", "######"],  # nested
        ["..#..", ".#.#.", "#...#", ".#.#.", "..#.."],  # closed by corners
        ["#.#.#", ".#.#.", "#.#.#", ".#.#.", "#.#.#"],
        ["#########", "#.......#", "#.#####.#", "#.#...#.#", "#.#.#.#.#", "#.#...#.#", "#.#####.#", "#.......#", "#########"],
        ["#########", "#.......#", "#.#####.#", "#.#...#..", "#.#.#.#.#", "#.#...#.#", "#.#####.#", "#.......#", "#########"],  # with a gate
        ["#....", ".#...", "..#..", "...#.", "....#"],
        ["#"], ["."], ["#.#.##"], [".....", "....."],
        ["##.##", "##.##", "..#..", "##.##", "##.##"],
        ["....#", "####.", "#..#.", "#..#.", "####.", "....."],
        ["#.#####", "#.#...#", "#.#.#.#", "..#...#", "###.###"],  # touching borders and, by a corner, each other
        ["###..###", "#.#..#.#", "###..###", "........", "###..###", "#.#..#.#", "###..###"],  # equally near to the middle
    ]
    masks = [np.array([[c == "#" for c in line] for line in lines]) for lines in drawn]
    for share in (0.1, 0.3, 0.4, 0.45, 0.5, 0.6, 0.7, 0.9):
        masks.append(random.random((random.integers(20, 45), random.integers(20, 45))) < share)
    for _ in range(12):
        height, width = random.integers(30, 60, 2)
        masks.append(np.abs(spots(height, width, 14)) >= 300)
        noise = cv2.GaussianBlur(random.normal(0, 1, (height, width)), (0, 0), random.uniform(0.8, 2.5))
        masks.append(np.abs(noise) >= 0.8 * noise.std())
    write("regions.json", {
        "masks": [{"rows": ["".join(".#"[int(v)] for v in line) for line in mask], "size": region_sizes(mask)[0], "central": region_sizes(mask)[1]}
                  for mask in masks],
    })


def ensemble():
    """Six samples of a field, as an ensemble: some of them equal to the truth in places, some pixels of the truth without data."""
    truth = spots(32, 64, 8) + random.normal(0, 20, (32, 64))
    samples = truth + random.normal(0, 15, (6, 32, 64)) + 8 * random.normal(0, 1, (32, 64))
    truth, samples = truth.round(0).astype(np.float32), samples.round(0).astype(np.float32)
    truth[3:9, 40:50] = np.nan
    valid = np.isfinite(truth)
    y, x = truth[valid].astype(np.float64), np.sort(samples[:, valid].astype(np.float64), 0)
    count = len(x)
    mean = x.mean(0)
    differences = np.abs(x[:, None] - x[None]).sum((0, 1))
    clip = lambda field: np.clip(field, -3000, 3000) / 3000
    expected = {
        "crps": np.mean(np.abs(x - y).mean(0) - differences / (2 * count * (count - 1))),
        "spread_skill": np.sqrt((count + 1) / count * x.var(0, ddof=1).mean() / np.mean((mean - y) ** 2)),
        "psnr_mean": 10 * np.log10(4 / np.mean((clip(mean) - clip(y)) ** 2)),
    }
    coverage = {}
    for level in (0.3, 0.5, 0.7):
        # NumPy's "weibull" quantiles are those at p (N + 1).
        low, high = np.quantile(x, [(1 - level) / 2, (1 + level) / 2], axis=0, method="weibull")
        coverage[str(level)] = np.mean((y >= low) & (y <= high))
    expected["coverage_50"] = coverage["0.5"]
    ranks = np.zeros(count + 1)
    for below, equal in zip((x < y).sum(0), (x == y).sum(0)):
        ranks[below:below + equal + 1] += 1 / (equal + 1)
    write("ensemble.json", {
        "truth": rows(truth), "samples": [rows(sample) for sample in samples], "expected": expected, "coverage": coverage,
        "ranks": list(ranks / len(y)),
    })


resampling()
fields()
masks()
ensemble()
