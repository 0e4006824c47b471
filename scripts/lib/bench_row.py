"""What a row of the benchmark is."""

from dataclasses import dataclass
from typing import Callable


@dataclass
class Row:
    """`measure(lab)` returns {figure: value}. `first` and `then` are the goals of the figure named like
    the row's `key`. `lower`: less is better. `quick`: part of the quick form. `beside`: the program of
    the figure `floor`, if it is not the floor program."""
    key: str
    title: str
    definition: str
    unit: str
    first: float
    then: float
    measure: Callable
    lower: bool = True
    quick: bool = True
    beside: str = ""
