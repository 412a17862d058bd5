"""The engine's room for designs: reused by a thread, never shared by two, bounded in what it keeps."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from llrsim.simulation import dense as module
from llrsim.simulation.dense import room


def test_a_thread_reuses_what_it_has_and_gets_the_shapes_it_asks_for():
    first = room(7, drawn=50, gathered=20, single=30)
    again = room(5, drawn=40, gathered=0, single=1)
    assert [buffer.shape for buffer in again] == [(40, 5), (0, 5), (1, 5)]
    assert [buffer.dtype for buffer in again] == [np.float64, np.float64, np.float32]
    assert all(buffer.flags.c_contiguous for buffer in again)
    assert np.shares_memory(first.drawn, again.drawn)
    assert not np.shares_memory(again.drawn, again.single)


def test_threads_have_rooms_of_their_own():
    mine = room(7, drawn=50, gathered=20, single=30)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(room, 7, drawn=50, gathered=20, single=30).result()
    assert not any(np.shares_memory(a, b) for a, b in zip(mine, other, strict=True))


def test_what_is_too_large_is_given_back(monkeypatch):
    monkeypatch.setattr(module, "KEPT", 8 * 10_000)
    monkeypatch.setattr(module, "_buffers", module._Buffers())
    kept, large = room(10, drawn=1000, gathered=0, single=0), room(10, drawn=1001, gathered=0, single=0)
    assert not np.shares_memory(kept.drawn, large.drawn)
    assert np.shares_memory(kept.drawn, room(10, drawn=1000, gathered=0, single=0).drawn)
