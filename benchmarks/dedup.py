"""Near-duplicates against datasketch and rensa, in time, memory and quality; the last line is one JSON object.

Documents are desk dialogues as `curate` sees them, three in ten of them edited copies of others; making them is not
timed. Each library runs in its own process, in turns, from texts in memory to what it finds, all with 90 permutations,
18 bands of 5 rows and the same 5-word shingles; ours alone verifies what it finds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

# As a script this file stands beside one of the package's name.
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent]

THRESHOLD, PERMUTATIONS, BANDS, ROWS = 0.8, 90, 18, 5
COPIES = 0.3
MOST_RECORDED = 70_000
QUALITY = 6_000
NEW = 10_000
_WORD = re.compile(r"[^\W_]+")


def documents(count: int, seed: int, copies: float = COPIES) -> Iterator[str]:
    """Texts of desk dialogues, some of them edited copies of a dialogue before.

    At most `MOST_RECORDED` dialogues are recorded; beyond, they come again with every digit (ids, prices, dates) set to
    another, as other customers' dialogues: Jaccard 0.2 to 0.5 with the first.
    """
    rng = random.Random(seed)
    texts: list[str] = []
    recorded = _recorded(min(MOST_RECORDED, count), seed)
    for number in range(count):
        if len(texts) > 100 and rng.random() < copies:
            yield _edited(rng.choice(texts[-20_000:]), rng)
        elif number < MOST_RECORDED / (1 - copies) and (text := next(recorded, None)) is not None:
            texts.append(text)
            yield text
        else:
            digits = "".join(rng.sample("0123456789", 10))
            yield rng.choice(texts).translate(str.maketrans("0123456789", digits))


def _recorded(count: int, seed: int) -> Iterator[str]:
    from curate.dedup_text import dedup_text
    from curate.sandbox import record

    for row in record(count, seed):
        messages = [
            {
                **message,
                "content_json": None,
                "tool_calls": [call["function"] for call in message.get("tool_calls") or ()],
            }
            for message in row["messages"]
        ]
        yield dedup_text({"messages": messages})  # type: ignore[typeddict-item]


def _edited(text: str, rng: random.Random) -> str:
    """A copy: as it is (1 in 10), with lines left out (2 in 10), or with words changed, up to 1 in 14."""
    kind = rng.random()
    if kind < 0.1:
        return text
    if kind < 0.3:
        lines = text.split("\n")
        first = rng.randrange(len(lines))
        return "\n".join(lines[:first] + lines[first + 1 + rng.randrange(3) :])
    share = 0.07 * rng.random()
    words = text.split(" ")
    return " ".join(f"{word[:2]}{rng.randrange(1000)}" if rng.random() < 4 * share else word for word in words)


def ours(texts: pa.Array[Any], rows: pa.Table) -> int:
    """Our kernel, buckets and verification."""
    from curate.minhash import signatures
    from curate.neardup import near_duplicates
    from curate.neardup_settings import NearDupSettings

    values = signatures(texts, PERMUTATIONS)
    settings = NearDupSettings(THRESHOLD, permutations=PERMUTATIONS)
    return len(near_duplicates(values, lambda indexes: texts.take(pa.array(indexes)), rows, settings).removed)


def _shingles(text: str) -> set[bytes]:
    words = _WORD.findall(text)
    return {" ".join(words[first : first + 5]).encode() for first in range(max(1, len(words) - 4))}


def datasketch(texts: pa.Array[Any], rows: pa.Table) -> int:
    """Its bulk MinHash with a quick hash (xxh32 instead of SHA-1) and its LSH in memory."""
    import xxhash
    from datasketch import MinHash, MinHashLSH

    lsh = MinHashLSH(num_perm=PERMUTATIONS, params=(BANDS, ROWS))
    shingles = (_shingles(text.as_py()) for text in texts)
    hashes = list(MinHash.generator(shingles, num_perm=PERMUTATIONS, hashfunc=xxhash.xxh32_intdigest))
    for number, value in enumerate(hashes):
        lsh.insert(number, value, check_duplication=False)
    return sum(len(lsh.query(value)) > 1 for value in hashes)


def rensa(texts: pa.Array[Any], rows: pa.Table) -> int:
    """Its bulk digests and its one-shot LSH, which says of each row whether it has candidates."""
    from rensa import RMinHash, RMinHashLSH

    shingles = (_shingles(text.as_py()) for text in texts)
    digests = RMinHash.digest_matrix_from_token_byte_sets(shingles, PERMUTATIONS, 1)
    lsh = RMinHashLSH(THRESHOLD, PERMUTATIONS, BANDS)
    return sum(lsh.query_duplicate_flags_matrix_one_shot(digests))


def rensa_prehashed(texts: pa.Array[Any], rows: pa.Table) -> int:
    """The same without any Python per shingle: it gets the hashes of our shingle sets. What its own kernel can do."""
    from rensa import RMinHash, RMinHashLSH

    from curate.minhash import shingle_sets

    offsets, hashes = shingle_sets(texts)
    digests = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets.astype(np.uint64), PERMUTATIONS, 1)
    lsh = RMinHashLSH(THRESHOLD, PERMUTATIONS, BANDS)
    return sum(lsh.query_duplicate_flags_matrix_one_shot(digests))


LIBRARIES: dict[str, Callable[[pa.Array[Any], pa.Table], int]] = {
    "ours": ours,
    "datasketch": datasketch,
    "rensa": rensa,
    "rensa_prehashed": rensa_prehashed,
}


def work(library: str, corpus: Path) -> dict[str, float]:
    """In a process of its own: read the corpus, warm up on its first texts, run once."""
    texts = read_corpus(corpus)
    rows = facts(texts)
    run = LIBRARIES[library]
    start = time.perf_counter()
    run(texts[:200], rows[:200])
    first = time.perf_counter() - start
    start, used = time.perf_counter(), time.process_time()
    found = run(texts, rows)
    took, used = time.perf_counter() - start, time.process_time() - used
    return {"seconds": took, "cpu": used, "first": first, "found": found, "peak_mb": peak_mb()}


def work_against(corpus: Path, base: Path) -> dict[str, float]:
    """In a process of its own: the new texts of `corpus` against the signatures of `base`, which lie in a file."""
    from curate.minhash import signatures
    from curate.neardup import near_duplicates
    from curate.signature_store import SignatureStore, signature_schema, to_arrow

    new = read_corpus(corpus)
    with pa.memory_map(str(base)) as file, tempfile.TemporaryDirectory() as folder:
        old = pa.ipc.open_file(file).read_all().column("text")
        shard, schema = Path(folder) / "signatures-00000.parquet", signature_schema(PERMUTATIONS)
        with pq.ParquetWriter(shard, schema, compression="zstd") as writer:
            for chunk in old.chunks:
                columns = [pa.nulls(len(chunk), pa.string()), to_arrow(signatures(chunk, PERMUTATIONS))]
                writer.write_table(pa.Table.from_arrays(columns, schema=schema), row_group_size=1_000)
        ours(new[:200], facts(new[:200]))
        start, used = time.perf_counter(), time.process_time()
        found = near_duplicates(
            signatures(new, PERMUTATIONS),
            lambda rows: new.take(pa.array(rows)),
            facts(new),
            base=SignatureStore([[shard]], PERMUTATIONS),
            base_texts=lambda rows: old.take(pa.array(rows)).combine_chunks(),
        )
        took, used = time.perf_counter() - start, time.process_time() - used
    return {"seconds": took, "cpu": used, "first": 0.0, "found": len(found.removed_by_base), "peak_mb": peak_mb()}


def read_corpus(path: Path) -> pa.Array[Any]:
    """The texts of a file of `write_corpus`, in memory."""
    with pa.OSFile(str(path)) as file:
        return pa.ipc.open_file(file).read_all().column("text").combine_chunks()


def facts(texts: pa.Array[Any]) -> pa.Table:
    """Ids and rewards that texts might have."""
    rng = np.random.default_rng(0)
    ids = [f"{number:032x}" for number in rng.integers(0, 2**62, len(texts)).tolist()]
    rewards = rng.integers(0, 2, len(texts)).astype(np.float32)
    return pa.table({"trajectory_id": ids, "reward": rewards, "size": pc.binary_length(texts).cast(pa.int64())})


def peak_mb() -> float:
    """The most memory that this process ever held; getrusage would count its parent's too."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def quality(seed: int) -> tuple[float, float, int]:
    """(recall, precision, pairs) against all pairs of `QUALITY` texts, compared by the numpy oracle's shingles."""
    from scipy.sparse import csr_array

    from curate.buckets import bands_and_rows, candidate_pairs, encoded
    from curate.minhash import signatures
    from curate.minhash_reference import shingle_hashes
    from curate.neardup import verify

    texts = pa.array(list(documents(QUALITY, seed, copies=0.5)))
    sets = [shingle_hashes(text.as_py()) for text in texts]
    sizes = np.array([len(one) for one in sets])
    _, columns = np.unique(np.concatenate(sets), return_inverse=True)
    matrix = csr_array((np.ones(len(columns), np.int32), columns, np.cumsum(np.append(0, sizes))))
    common = (matrix @ matrix.T).tocoo()
    one, other = common.coords
    alike = (common.data / (sizes[one] + sizes[other] - common.data) >= THRESHOLD) & (one < other)
    truth = encoded(np.stack([one[alike], other[alike]], axis=1))
    values, order = signatures(texts, PERMUTATIONS), np.arange(len(texts))
    pairs, _ = candidate_pairs(values, order, *bands_and_rows(THRESHOLD, PERMUTATIONS), THRESHOLD)
    lengths = pc.binary_length(texts).to_numpy()
    found = encoded(pairs[verify(pairs, lambda rows: texts.take(pa.array(rows)), lengths) >= THRESHOLD])
    right = len(np.intersect1d(found, truth))
    return right / len(truth), right / len(found), len(truth)


def in_process(library: str, corpus: Path, base: Path | None = None, **environment: str) -> dict[str, float] | None:
    """`work` or `work_against` in a fresh process; None if the library is not installed."""
    command = [sys.executable, __file__, "--library", library, "--corpus", str(corpus)]
    command += ["--base", str(base)] if base else []
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)
    if done.returncode:
        if "ModuleNotFoundError" in done.stderr and library in done.stderr:
            return None
        raise RuntimeError(done.stderr)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def write_corpus(path: Path, texts: Iterable[str]) -> Path:
    """Texts as an Arrow file of large strings."""
    schema, rest = pa.schema([("text", pa.large_string())]), iter(texts)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        while batch := list(islice(rest, 10_000)):
            writer.write_batch(pa.record_batch([pa.array(batch, pa.large_string())], schema=schema))
    return path


def new_documents(base: Path, seed: int) -> Iterator[str]:
    """`NEW` texts, a third of them edited copies of texts of the base."""
    rng = random.Random(seed)
    old = read_corpus(base)
    for text in documents(NEW, seed + 1):
        yield _edited(old[rng.randrange(len(old))].as_py(), rng) if rng.random() < 1 / 3 else text


def compare(corpus: Path, repeats: int) -> dict[str, dict[str, float] | None]:
    """Each library's run of the least time, of `repeats` in turns."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in LIBRARIES}
    for _ in range(repeats):
        for name in LIBRARIES:
            result = in_process(name, corpus)
            if result is not None:
                runs[name].append(result)
    return {name: min(found, key=lambda run: run["seconds"]) if found else None for name, found in runs.items()}


def speedup(best: dict[str, dict[str, float] | None], name: str) -> float | None:
    """How many times the other's time is ours."""
    mine, other = best["ours"], best[name]
    return round(other["seconds"] / mine["seconds"], 1) if mine and other else None


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table and the JSON line."""
    parser = argparse.ArgumentParser(prog="python benchmarks/dedup.py", description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000, help="texts that the libraries are timed on")
    parser.add_argument("--repeats", type=int, default=2, help="runs of each library, in turns; the best counts")
    parser.add_argument("--full", action="store_true", help="also ours on ten times as many texts")
    parser.add_argument("--seed", type=int, default=0, help="of the texts")
    parser.add_argument("--library", choices=LIBRARIES, help=argparse.SUPPRESS)
    parser.add_argument("--corpus", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--base", type=Path, help=argparse.SUPPRESS)
    settings = parser.parse_args(argv)
    if settings.library:
        run = work_against(settings.corpus, settings.base) if settings.base else None
        print(json.dumps(run or work(settings.library, settings.corpus)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        corpus = write_corpus(Path(folder) / "corpus.arrow", documents(settings.documents, settings.seed))
        cold = in_process("ours", corpus, NUMBA_CACHE_DIR=str(Path(folder) / "cold"))
        best = compare(corpus, settings.repeats)
        large = against = None
        if settings.full:
            ten = write_corpus(Path(folder) / "ten.arrow", documents(10 * settings.documents, settings.seed))
            new = write_corpus(Path(folder) / "new.arrow", new_documents(ten, settings.seed))
            large, against = in_process("ours", ten), in_process("ours", new, base=ten)
        size = corpus.stat().st_size
    report(settings, size, cold, best, large, against)
    return 0


def report(
    settings: argparse.Namespace,
    size: int,
    cold: dict[str, float] | None,
    best: dict[str, dict[str, float] | None],
    large: dict[str, float] | None,
    against: dict[str, float] | None,
) -> None:
    """Print what was measured."""
    recall, precision, pairs = quality(settings.seed)
    mine = best["ours"]
    assert mine is not None and cold is not None
    print(f"{settings.documents:,} documents, {size / 1e6:.0f} MB\n")
    print("what | seconds | CPU seconds | peak MB | rows found")
    print("---|---|---|---|---")
    more = {"ours, ten times as many": large, f"ours, {NEW:,} new against these": against}
    for name, run in (*best.items(), *more.items()):
        if run is not None:
            print(f"{name} | {run['seconds']:.2f} | {run['cpu']:.2f} | {run['peak_mb']:.0f} | {run['found']:.0f}")
    print("\nrows found: by us, rows to remove, verified; by the others, rows that have a candidate")
    print(f"first use: {cold['first']:.1f} s compile everything once; warm from the cache: {mine['first']:.1f} s")
    print(f"quality: {pairs:,} pairs with J >= {THRESHOLD} of {QUALITY:,} texts, by brute force")
    figures = {
        "speedup_datasketch": speedup(best, "datasketch"),
        "speedup_rensa": speedup(best, "rensa"),
        "speedup_rensa_prehashed": speedup(best, "rensa_prehashed"),
        "recall": round(recall, 4),
        "precision": round(precision, 4),
        "peak_rss_mb": round(mine["peak_mb"]),
        "peak_rss_mb_1m": round(large["peak_mb"]) if large else None,
        "growth_100k_1m": round(large["seconds"] / mine["seconds"], 1) if large else None,
        "against_1m_seconds": round(against["seconds"], 1) if against else None,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    raise SystemExit(main())
