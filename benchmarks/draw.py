"""How many circuits per second are generated, drawn and rasterised? Run as `python benchmarks/draw.py`.

Two worker processes, nothing cached, 224 x 168 pixels, 3 to 8 components, all styles in turn.
"""

from __future__ import annotations

import time

from rich.console import Console

from circuitvlm.circuit import draw, generate
from circuitvlm.runtime import worker

WORKERS, CHUNK, CHUNKS = 2, 100, 12


def chunk(number: int) -> int:
    """Draws one chunk of items; gives how many bytes they have."""
    total = 0
    for index in range(number * CHUNK, (number + 1) * CHUNK):
        item = generate.item(0, index, components=(3, 8))
        style = list(draw.STYLES)[index % len(draw.STYLES)]
        total += len(draw.image(item.circuit, item.placement, style=style, seed=index, width=224, height=168))
    return total


def main() -> None:
    """Warms both workers up, then measures."""
    with worker.pool(WORKERS) as pool:
        list(pool.map(chunk, range(2 * WORKERS)))
        start = time.perf_counter()
        size = sum(pool.map(chunk, range(100, 100 + CHUNKS)))
        seconds = time.perf_counter() - start
    images = CHUNK * CHUNKS
    Console().print(
        f"{images / seconds:.0f} images per second with {WORKERS} workers: {images} in {seconds:.2f} s, "
        f"{size / images / 1024:.1f} KiB each (floor: 100 per second)"
    )


if __name__ == "__main__":
    main()
