#!/usr/bin/env python3
"""Kriging of magnetograms by numpy alone: the reference for Sources/SuperResolution/Observation/{FieldSpectrum,Kriging}.swift.

    kriging.py FOLDER...    measures the spectrum of the maps (FITS) in these folders, and the mean square of what block means leave out of them as a
                            function of the variance about a block: the constants of FieldSpectrum.activeRegions and Kriging

Fields are continued by reflection to twice their size and transformed as complex numbers, whereas the program uses cosine transforms.
"""
import pathlib
import sys

import numpy as np
from astropy.io import fits

FACTOR = 4
# Quarters of an octave from 2^-9 to 2^-0.5 cycles per pixel.
EDGES = 2.0 ** (np.arange(-36, -1) / 4)
CENTRES = np.sqrt(EDGES[1:] * EDGES[:-1])


def read(file):
    with fits.open(file) as hdus:
        return next(hdu.data for hdu in hdus if hdu.data is not None and hdu.data.ndim == 2).astype(float)


def files(folder):
    return sorted(p for p in pathlib.Path(folder).iterdir() if p.name.endswith((".fits", ".fits.fz", ".fits.gz")))


def trimmed(field, multiple=32):
    return field[: field.shape[0] // multiple * multiple, : field.shape[1] // multiple * multiple]


def block_mean(field, factor=FACTOR):
    height, width = field.shape
    return field.reshape(height // factor, factor, width // factor, factor).mean((1, 3))


def replicated(field, factor=FACTOR):
    return np.kron(field, np.ones((factor, factor)))


def mirrored(field):
    return np.block([[field, field[:, ::-1]], [field[::-1], field[::-1, ::-1]]])


def frequency(shape):
    return np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])[None])


def spectrum(fields):
    """Mean square of orthonormal cosine coefficients in each class of frequency, in Gauss^2."""
    sums, counts = np.zeros(len(CENTRES)), np.zeros(len(CENTRES))
    for field in fields:
        double = mirrored(np.nan_to_num(field))
        # Of the field's size times 4, as many as there are coefficients, each is that of a cosine; on the axes the cosine is longer by the root of 2.
        height, width = field.shape
        power = (np.abs(np.fft.fft2(double)) ** 2 / double.size)[:height, :width]
        power[0] /= 2
        power[:, 0] /= 2
        place = frequency(double.shape)[:height, :width]
        cls = np.searchsorted(EDGES, place, side="right") - 1
        inside = (cls >= 0) & (cls < len(CENTRES))
        sums += np.bincount(cls[inside], power[inside], len(CENTRES))
        counts += np.bincount(cls[inside], minlength=len(CENTRES))
    known = counts > 0
    return np.interp(np.arange(len(CENTRES)), np.flatnonzero(known), np.maximum(sums[known] / counts[known], 1e-4))


def power_at(table, f):
    with np.errstate(divide="ignore"):
        return np.exp(np.interp(np.log(f), np.log(CENTRES), np.log(table)))


def gaussian(width):
    """The transfer function of a Gaussian of that full width at half maximum in pixels."""
    deviation = width / np.sqrt(8 * np.log(2))
    return lambda f: np.exp(-2 * (np.pi * deviation * f) ** 2)


def observed(field, transfer=None, factor=FACTOR):
    """Block means of the field behind an instrument's optics."""
    if transfer is None:
        return block_mean(field, factor)
    double = mirrored(field)
    blurred = np.fft.ifft2(np.fft.fft2(double) * transfer(frequency(double.shape))).real
    return block_mean(blurred[: field.shape[0], : field.shape[1]], factor)


def estimate(low, table, transfer=None, variance=0.0, factor=FACTOR):
    """S A^T (A S A^T + R)^-1 of a low-resolution field, NaN as 0."""
    double = mirrored(np.nan_to_num(low))
    height, width = (factor * n for n in double.shape)
    f = frequency((height, width))

    def block_gain(n):
        # The mean over a block of a wave, at the place of the block's first pixel.
        nu = np.fft.fftfreq(n)[:, None]
        return np.exp(2j * np.pi * nu * np.arange(factor)).mean(1)

    gain = block_gain(height)[:, None] * block_gain(width)[None]
    if transfer is not None:
        gain = gain * transfer(f)
    s = power_at(table, f)

    def folded(values):
        # Frequencies that the sampling of block means does not tell apart.
        return values.reshape(factor, double.shape[0], factor, double.shape[1]).sum((0, 2))

    total = folded(s * np.abs(gain) ** 2) / factor**2
    # The mean of the field is kept as it is.
    total.flat[1:] += variance
    coefficients = np.tile(np.fft.fft2(double) / total, (factor, factor)) * s * gain.conj()
    return np.fft.ifft2(coefficients).real[: height // 2, : width // 2]


# What block means leave out of a block of a field has about the mean square FLOOR + SLOPE v / sqrt(1 + v / TURN), in Gauss^2, where v is the variance of the
# block means about it.
FLOOR, SLOPE, TURN = 10.1, 0.433, 4370
# Noise matters the less the stronger the field varies: estimates for fields of these standard deviations, in units of the spectrum's, are blended.
LEVELS = 4.0 ** np.arange(-1.5, 2)


def unresolved(table, size=256, factor=FACTOR):
    """The standard deviation of what exact block means leave out of a field of that spectrum, of size x size pixels."""
    k, count = np.arange(size), size // factor
    alias = abs(k - 2 * count * ((k + count) // (2 * count)))  # The cosine of the block means, `count` of which there is none.
    nu = k / (2 * size)
    gain = np.abs(np.exp(2j * np.pi * nu[:, None] * np.arange(factor)).mean(1)) ** 2 * (alias < count)
    s = power_at(table, np.hypot(nu[:, None], nu[None]))
    gain = gain[:, None] * gain[None]

    def folded(values):
        result = np.zeros((count + 1, count + 1))
        np.add.at(result, (alias[:, None], alias[None]), values)
        return result[:count, :count]

    return np.sqrt((s.sum() - (folded(s**2 * gain) / folded(s * gain)).sum()) / size**2)


def neighbourhood_variance(low):
    """Variance of the 3 x 3 pixels about each, of those that there are."""
    padded = np.pad(np.stack([np.isfinite(low), np.nan_to_num(low), np.nan_to_num(low) ** 2]).astype(float), ((0, 0), (1, 1), (1, 1)))
    count, mean, square = sum(
        padded[:, j : j + low.shape[0], i : i + low.shape[1]] for j in range(3) for i in range(3))
    count = np.maximum(count, 1)
    return np.maximum(square / count - (mean / count) ** 2, 0)


def left_out(v, floor=FLOOR, slope=SLOPE, turn=TURN):
    return floor + slope * v / np.sqrt(1 + v / turn)


def amplitude(low, table, variance=0.0):
    return np.sqrt(left_out(np.maximum(neighbourhood_variance(low) - variance, 0))) / unresolved(table)


def upsampled(low, factor=FACTOR, a=-0.75):
    """Cubic convolution with repeated edges, as PyTorch's bicubic interpolation."""

    def kernel(d):
        d = abs(d)
        return ((a + 2) * d - (a + 3)) * d * d + 1 if d <= 1 else (((d - 5) * d + 8) * d - 4) * a if d < 2 else 0.0

    def matrix(count):
        result = np.zeros((count * factor, count))
        for row in range(count * factor):
            centre = (row + 0.5) / factor - 0.5
            for tap in range(int(np.floor(centre)) - 1, int(np.floor(centre)) + 3):
                result[row, min(max(tap, 0), count - 1)] += kernel(centre - tap)
        return result

    return matrix(low.shape[0]) @ low @ matrix(low.shape[1]).T


def local_estimate(low, table, transfer=None, variance=0.0):
    """The estimate from noisy block means, for a field whose strength is that of the neighbourhood."""
    if variance == 0:
        return estimate(low, table, transfer)
    place = np.clip(np.log2(amplitude(low, table, variance) / LEVELS[0]) / 2, 0, len(LEVELS) - 1)
    fine = np.clip(upsampled(place), place.min(), place.max())
    return sum(
        np.maximum(0, 1 - abs(fine - level)) * estimate(low, table, transfer, variance / strength**2)
        for level, strength in enumerate(LEVELS))


def consistent(prediction, low, table, transfer=None, variance=0.0):
    """A prediction, made for exact block means, held to what the observation tells."""
    if transfer is None and variance == 0:
        return prediction + estimate(low - block_mean(prediction), table)
    return prediction + local_estimate(low, table, transfer, variance) - estimate(block_mean(prediction), table)


def psnr(prediction, truth):
    a, b = np.clip(prediction, -3000, 3000), np.clip(truth, -3000, 3000)
    return 10 * np.log10(6000**2 / np.mean((a - b) ** 2))


def flux_error(prediction, truth):
    return 100 * (np.abs(prediction).sum() / np.abs(truth).sum() - 1)


def measure(folders):
    from scipy.optimize import minimize

    fields = [read(f) for folder in folders for f in files(folder)]
    table = spectrum(fields)
    print("spectrum (G^2):", ", ".join(f"{v:.4g}" for v in table))
    variances, squares = [], []
    for field in fields:
        field = np.nan_to_num(trimmed(field))
        if min(field.shape) < 64:
            continue
        low = block_mean(field)
        variances.append(neighbourhood_variance(low).ravel())
        squares.append(block_mean((field - estimate(low, table)) ** 2).ravel())
    v, e = np.concatenate(variances), np.concatenate(squares)

    def unlikelihood(p):
        model = left_out(v, *np.exp(p))
        return np.mean(np.log(model) + e / model)

    fit = np.exp(minimize(unlikelihood, np.log([10, 0.3, 1e4]), method="Nelder-Mead").x)
    print(f"mean square left out: {fit[0]:.3g} G^2 + {fit[1]:.3g} v / sqrt(1 + v / {fit[2]:.3g} G^2); of the spectrum's field: {unresolved(table) ** 2:.4g} G^2")


if __name__ == "__main__":
    measure(sys.argv[1:])
