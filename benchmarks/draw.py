"""Measure how many circuits per second are generated, drawn and rasterised. Run as `python benchmarks/draw.py`.

Two worker processes, no cache, 224 x 168 pixels, 3 to 8 components, all styles in turn.
"""

from __future__ import annotations

import time

from rich.console import Console

from circuitvlm.circuit import draw, generate
from circuitvlm.runtime import worker

WORKERS, CHUNK_SIZE, CHUNKS = 2, 100, 12


def draw_chunk(number: int) -> int:
    """Draw one chunk of items; returns their size in bytes."""
    size = 0
    for index in range(number * CHUNK_SIZE, (number + 1) * CHUNK_SIZE):
        item = generate.item(0, index, components=(3, 8))
        style = list(draw.STYLES)[index % len(draw.STYLES)]
        size += len(draw.image(item.circuit, item.placement, style=style, seed=index, width=224, height=168))
    return size


def main() -> None:
    """Warm up both workers, then measure."""
    with worker.pool(WORKERS) as pool:
        list(pool.map(draw_chunk, range(2 * WORKERS)))
        start = time.perf_counter()
        size = sum(pool.map(draw_chunk, range(100, 100 + CHUNKS)))
        seconds = time.perf_counter() - start
    images = CHUNK_SIZE * CHUNKS
    Console().print(
        f"{images / seconds:.0f} images per second with {WORKERS} workers: {images} in {seconds:.2f} s, "
        f"{size / images / 1024:.1f} KiB each (required: 100 per second)"
    )


if __name__ == "__main__":
    main()
