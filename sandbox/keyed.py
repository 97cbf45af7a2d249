"""Everything random or unique hangs on a name, so that adding one thing to the world never reshuffles another."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Keys:
    """The seed's random streams and identifiers."""

    seed: int

    def rng(self, purpose: str) -> np.random.Generator:
        """The random stream of one purpose, independent of every other purpose's."""
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=purpose.encode())))

    def id(self, prefix: str, name: str, length: int = 24) -> str:
        """An identifier shaped like the APIs': prefix and `length` characters of base 62, a function of prefix and name."""
        digest = hashlib.blake2b(f"{self.seed}/{prefix}/{name}".encode(), digest_size=32).digest()
        number = int.from_bytes(digest, "big")
        characters = []
        for _ in range(length):
            number, remainder = divmod(number, 62)
            characters.append(_ALPHABET[remainder])
        return prefix + "".join(characters)
