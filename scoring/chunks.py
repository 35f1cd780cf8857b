"""Going through all customers of a brand in chunks, one after the other or on several connections at once."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

from accounts.models import Brand, Customer

CHUNK = 12_500
# What a sort of one chunk may take, so that it stays in memory.
CHUNK_MEMORY = "256MB"

Result = TypeVar("Result")
Progress = Callable[[int, int], None]


def in_chunks(
    *,
    brand: Brand,
    work: Callable[[list[int]], Result],
    workers: int = 1,
    progress: Progress | None = None,
) -> Iterator[Result]:
    """What ``work`` makes of each chunk of customer ids, in order; ``progress`` is called with (done, of).

    Erased customers are none.

    With several ``workers`` as many chunks run at once, each on a connection of its own, and so
    in a transaction of its own.
    """
    customers = list(
        Customer.objects.filter(brand=brand, erased_at=None)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    size = max(1, min(CHUNK, -(-len(customers) // workers)))
    chunks = [customers[start : start + size] for start in range(0, len(customers), size)]
    done = 0
    for chunk, result in zip(chunks, _results(chunks, work, workers), strict=True):
        done += len(chunk)
        if progress is not None:
            progress(done, len(customers))
        yield result


def _results(
    chunks: Sequence[list[int]], work: Callable[[list[int]], Result], workers: int
) -> Iterator[Result]:
    if workers == 1:
        yield from map(work, chunks)
        return

    def apart(chunk: list[int]) -> Result:
        try:
            return work(chunk)
        finally:
            connection.close()

    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(apart, chunks)
