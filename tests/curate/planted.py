"""Texts with near-duplicates among them, in chunk files as a run leaves them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from curate.digest import write_chunk
from curate.minhash import signatures
from curate.neardup_chunks import ChunkRows
from curate.signature_store import to_arrow

WORDS = [f"w{number}" for number in range(5_000)]


def planted(seed: int, originals: int, crowd: int) -> list[str]:
    """Dialogues and edited copies; a crowd around one boilerplate, some of it twice; some empty texts."""
    rng = random.Random(seed)
    boilerplate = rng.choices(WORDS, k=120)
    texts = [rng.choices(WORDS, k=rng.randrange(8, 200)) for _ in range(originals)]
    texts += [edited(rng.choice(texts), rng) for _ in range(originals)]
    for _ in range(crowd // 2):
        own = rng.choices(WORDS, k=40)
        texts += [boilerplate + own, edited(boilerplate + own, rng)]
    texts += [[] for _ in range(5)] + [["same", "text"]] * 40
    rng.shuffle(texts)
    return [" ".join(words) for words in texts]


def edited(words: list[str], rng: random.Random) -> list[str]:
    share = rng.uniform(0, 0.06)
    return [rng.choice(WORDS) if rng.random() < share else word for word in words]


def chunk_files(folder: Path, texts: Sequence[str], size: int) -> ChunkRows:
    """The texts and their signatures in files of `size` rows."""
    paths = []
    for first in range(0, len(texts), size):
        part = pa.array(texts[first : first + size], pa.large_string())
        paths.append(str(folder / f"{first:06d}.arrow"))
        write_chunk(pa.table({"text": part, "signature": to_arrow(signatures(part))}), Path(paths[-1]))
    numbers = np.arange(len(texts))
    return ChunkRows(paths, numbers // size, numbers % size)
