"""The home of the `datasets` library: rows of a Hub dataset, streamed, so that no more than a batch is held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import datasets

from curate.errors import InputError
from curate.readers.paths import HubName

_REMEDY = "check the name, the network, and `hf auth login` for gated datasets"


def hub_rows(text: str) -> Iterator[Any]:
    """The rows of `hub:ORG/NAME[@REVISION][:CONFIG][:SPLIT]`, split after split if none is named.

    Raises:
        UsageError: if the text is no such name.
        InputError: if the Hub does not give the dataset.
    """
    name = HubName.parse(text)
    try:
        loaded = datasets.load_dataset(
            name.repository, name.config, split=name.split, revision=name.revision, streaming=True
        )
        splits = loaded.values() if isinstance(loaded, Mapping) else [loaded]
        for split in splits:
            yield from split
    except Exception as error:  # the library raises its own, requests', fsspec's and more
        raise InputError(f"{text} cannot be read from the Hub ({type(error).__name__}: {error})", _REMEDY) from error


def hub_commit(text: str) -> str:
    """The commit that a Hub dataset's revision (its newest if none is named) stands for now.

    Raises:
        InputError: if the Hub does not say.
    """
    from huggingface_hub import HfApi

    name = HubName.parse(text)
    try:
        commit = HfApi().dataset_info(name.repository, revision=name.revision).sha
    except Exception as error:
        raise InputError(f"{text}: the Hub gives no revision ({type(error).__name__}: {error})", _REMEDY) from error
    return commit or ""
