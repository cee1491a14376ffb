"""Runs on the wire by their rows: a row that was shown lately and did not change is neither decoded nor encoded again.

The row itself is the key, so nobody has to say what changed, in this process or another.
"""

from collections import OrderedDict

import msgspec

from agentrunner.domain.run import view
from agentrunner.store.runs import RunRow, of_row

MOST_BYTES = 16 * 1024 * 1024
LARGEST_BYTES = 64 * 1024
_encoder = msgspec.json.Encoder()


class WireRuns:
    """The JSON of the runs that were lately listed, up to `most_bytes` of it; the keys need about as much again."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._known: OrderedDict[RunRow, bytes] = OrderedDict()

    def of(self, row: RunRow) -> bytes:
        """The JSON of a run."""
        known = self._known
        if (data := known.get(row)) is not None:
            known.move_to_end(row)
            return data
        data = _encoder.encode(view(of_row(row)))
        if len(data) <= LARGEST_BYTES:
            known[row] = data
            self._bytes += len(data)
        while self._bytes > self._most_bytes:
            self._bytes -= len(known.popitem(last=False)[1])
        return data
