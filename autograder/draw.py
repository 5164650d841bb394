"""Random inputs for cases, the same on every machine.

NumPy freezes the stream of `RandomState` (NEP 19), which torch does not promise for its own generators; so a key can
be checked against its seed anywhere.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor


class Draw:
    """Draws the inputs of one case. `seed`, exercise and label together decide all that is drawn."""

    def __init__(self, seed: int, exercise: str, label: str) -> None:
        digest = hashlib.sha256(f"{seed}/{exercise}/{label}".encode()).digest()
        self._random = np.random.RandomState(np.frombuffer(digest, dtype=np.uint32))

    def normal(self, *shape: int, mean: float = 0.0, std: float = 1.0, dtype: torch.dtype = torch.float32) -> Tensor:
        """Normally distributed numbers."""
        return torch.from_numpy(np.asarray(mean + std * self._random.standard_normal(shape))).to(dtype)

    def uniform(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Numbers from 0 up to 1."""
        return torch.from_numpy(np.asarray(self._random.random_sample(shape))).to(dtype)

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        """int64 numbers from `low` to `high`, both included."""
        return torch.from_numpy(np.asarray(self._random.randint(low, high + 1, size=shape, dtype=np.int64)))

    def integer(self, low: int, high: int) -> int:
        """One int from `low` to `high`, both included."""
        return int(self._random.randint(low, high + 1))

    def booleans(self, *shape: int, true: float = 0.5) -> Tensor:
        """Booleans, each True with probability `true`."""
        return torch.from_numpy(np.asarray(self._random.random_sample(shape) < true))

    def permutation(self, count: int) -> Tensor:
        """The int64 numbers from 0 to `count - 1`, shuffled."""
        return torch.from_numpy(self._random.permutation(count).astype(np.int64))
