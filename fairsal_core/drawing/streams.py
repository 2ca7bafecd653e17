"""What is random in a face: each thing that is drawn has a stream of its own."""

import random


class Streams:
    """Independent random streams of one face, by name: what one part draws does not move any other part."""

    def __init__(self, seed: int, index: int) -> None:
        self._face = f"{seed}/{index}"

    def __call__(self, name: str) -> random.Random:
        return random.Random(f"{self._face}/{name}")
