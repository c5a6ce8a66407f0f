"""Means over several tasks, of each of which a few runs are known: each task is a stratum of its own.

A stratum is an array (n,) of n runs, such as the differences between two methods seed by seed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import t as student

from gailkit.functional.resampling import RESAMPLES, Estimate, interquartile_mean, interval


def stratified_mean(strata: Sequence[np.ndarray]) -> Estimate:
    """The mean over T strata of their means, with Student's 95 % interval, for strata of at least two runs each.

    Its variance is sum s_t^2 / n_t / T^2, with s_t^2 that of the sample (n_t - 1), and its degrees of freedom are those
    of Welch (1947) and Satterthwaite (1946); of one stratum it is the usual interval of a mean. A bootstrap of so few
    runs would promise too much: of 3 normal values its interval holds the truth less than 80 % of the time.
    """
    value = float(np.mean([np.mean(stratum) for stratum in strata]))
    variances = np.array([np.var(stratum, ddof=1) / len(stratum) for stratum in strata])
    if not variances.any():
        return Estimate(value, value, value)
    freedom = variances.sum() ** 2 / sum(v**2 / (len(s) - 1) for v, s in zip(variances, strata, strict=True))
    half = float(student.ppf(0.975, freedom) * np.sqrt(variances.sum()) / len(strata))
    return Estimate(value, value - half, value + half)


def stratified_iqm(strata: Sequence[np.ndarray], random: np.random.Generator) -> Estimate:
    """The interquartile mean of all runs of all strata together, with the interval of its stratified bootstrap: runs
    are drawn with replacement within each stratum (Agarwal et al. 2021, sections 4.2 and 4.3)."""
    drawn = [stratum[random.integers(len(stratum), size=(RESAMPLES, len(stratum)))] for stratum in strata]
    value = float(interquartile_mean(np.concatenate(strata)))
    return interval(value, interquartile_mean(np.concatenate(drawn, axis=1)))
