"""Figures with their units, as tables and axes here write them."""

import math


def _plain(value):
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _seconds(value):
    if value == 0:
        return "0"
    if abs(value) < 1e-3:
        return f"{_plain(value * 1e6)} us"
    if abs(value) < 1:
        return f"{_plain(value * 1e3)} ms"
    return f"{_plain(value)} s"


def _bytes(value):
    for power, unit in [(3, "GiB"), (2, "MiB"), (1, "KiB")]:
        if abs(value) >= 1024**power:
            return f"{_plain(value / 1024**power)} {unit}"
    return f"{_plain(value)} B" if value else "0"


def _rate(value):
    for size, letter in [(1e6, " M"), (1e3, " k")]:
        if abs(value) >= 10 * size:
            return f"{_plain(value / size)}{letter}"
    return _plain(value)


_FORMATS = {
    "": _plain,
    "s": _seconds,  # seconds
    "ms": lambda value: _seconds(value / 1e3),  # given in milliseconds
    "bytes": _bytes,
    "share": lambda value: f"{_plain(100 * value)} %",  # 1 is 100 %
    "per second": lambda value: f"{_rate(value)}/s" if value else "0",
}


def show(value, unit=""):
    """`value` in words; what is not there is a dash."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "infinite"
    return _FORMATS[unit](value)


def clock(seconds):
    """A length of time as 14:30."""
    sign, seconds = ("-" if seconds < 0 else ""), abs(round(seconds))
    return f"{sign}{seconds // 60}:{seconds % 60:02d}"
