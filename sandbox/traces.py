"""How requests arrive and how many tokens they carry: the Azure LLM inference traces 2023, as quantile tables.

Source: Microsoft Azure Public Dataset, AzureLLMInferenceTrace_code (8,819 requests) and _conv (19,366 requests),
licence CC-BY-4.0. Each table holds the trace's empirical quantiles (inverted cdf) at `PROBABILITIES`; sampling
interpolates their logarithm. `tests/sandbox/test_traces.py` refits them and bounds the distance to the real trace.

The traces span one hour, so they say how requests of a session follow one another (`gap_us`), not how sessions
spread over day and week: that profile is the sandbox's own (`sandbox/usage.py`). Context and generated tokens are
uncorrelated in both traces (|rank correlation| < 0.08) and are drawn independently.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# fmt: off
PROBABILITIES = (
    0, .005, .01, .02, .03, .04, .05, .075, .1, .125, .15, .175, .2, .225, .25, .275, .3, .325, .35, .375, .4, .425,
    .45, .475, .5, .525, .55, .575, .6, .625, .65, .675, .7, .725, .75, .775, .8, .825, .85, .875, .9, .925, .95, .96,
    .97, .98, .99, .995, .999, 1,
)

QUANTILES: dict[tuple[str, str], tuple[int, ...]] = {
    ("code", "gap_us"): (
        6, 7, 22, 42, 60, 76, 88, 141, 209, 683, 885, 1022, 1184, 1672, 2077, 2623, 3292, 4117, 5345, 7497, 15117,
        27218, 38222, 50988, 63784, 77397, 89551, 92982, 94988, 96532, 97943, 99126, 100130, 101492, 103998, 122807,
        160092, 192965, 198853, 203900, 273039, 302239, 400846, 489428, 597913, 798791, 2205167, 10124387, 82752159,
        217168952,
    ),
    ("code", "input_tokens"): (
        3, 12, 17, 35, 50, 62, 75, 102, 147, 185, 232, 299, 385, 484, 578, 679, 770, 863, 938, 1016, 1075, 1153, 1261,
        1370, 1469, 1585, 1690, 1798, 1909, 2048, 2164, 2305, 2433, 2578, 2745, 2942, 3193, 3538, 3923, 4434, 5194,
        6097, 7315, 7431, 7435, 7436, 7436, 7436, 7437, 7437,
    ),
    ("code", "output_tokens"): (
        6, 6, 6, 6, 6, 6, 6, 6, 7, 7, 7, 8, 8, 9, 9, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 16, 16, 18, 19,
        20, 22, 24, 26, 29, 33, 39, 46, 55, 69, 90, 105, 128, 172, 252, 361, 831, 1899,
    ),
    ("conv", "gap_us"): (
        2, 188, 538, 1442, 2499, 4433, 6320, 11188, 16129, 21498, 26403, 31426, 36504, 42443, 48272, 54447, 60722,
        67121, 73455, 80238, 87253, 94017, 101943, 109305, 118424, 128201, 137611, 147645, 158670, 171040, 183172,
        196996, 213606, 229206, 246733, 265905, 288810, 315053, 345944, 378154, 420740, 477990, 565234, 618311, 673305,
        749287, 890868, 1049912, 1430997, 4314579,
    ),
    ("conv", "input_tokens"): (
        2, 16, 29, 91, 161, 181, 181, 200, 207, 235, 372, 379, 387, 393, 396, 400, 403, 407, 414, 428, 703, 922, 984,
        1005, 1020, 1034, 1045, 1058, 1071, 1083, 1097, 1112, 1130, 1153, 1189, 1277, 1315, 1434, 1877, 2310, 2735,
        4075, 4083, 4086, 4090, 4098, 4142, 4831, 6212, 14050,
    ),
    ("conv", "output_tokens"): (
        7, 14, 16, 24, 32, 38, 41, 48, 54, 60, 67, 72, 77, 82, 85, 88, 91, 93, 96, 99, 103, 108, 113, 120, 129, 139,
        151, 162, 177, 195, 217, 373, 384, 391, 395, 396, 400, 406, 411, 416, 424, 430, 451, 468, 509, 540, 601, 644,
        954, 1000,
    ),
}
# fmt: on


def sample(trace: str, column: str, rng: np.random.Generator, size: int) -> NDArray[np.int64]:
    """Draw `size` values of a trace's column: `gap_us` (microseconds to the request before) or a token count."""
    logarithms = np.log(np.asarray(QUANTILES[trace, column], dtype=np.float64))
    drawn: NDArray[np.int64] = np.rint(np.exp(np.interp(rng.random(size), PROBABILITIES, logarithms))).astype(np.int64)
    return drawn
