"""Reused memory is never memory that is still in use."""

import gc
import threading
from collections import deque
from queue import Queue

import av
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stereocast.pictures.pool import Pool


def address(array: np.ndarray) -> int:
    return int(array.ctypes.data)


def test_memory_comes_back_when_the_last_view_is_gone() -> None:
    pool = Pool()
    whole = pool.empty((4, 6, 8), np.uint8)
    place = address(whole)
    part = whole[1:3, ::2].T
    del whole
    assert address(pool.empty((4, 6, 8), np.uint8)) != place
    del part
    assert address(pool.empty((2, 6, 8), np.uint8)) == place  # a shorter one fits as well


def test_memory_that_is_too_small_is_given_up() -> None:
    pool = Pool()
    del (small := [pool.empty((10,), np.float32)])[:]
    large = pool.empty((20,), np.float32)
    large[:] = 1
    assert large.shape == (20,)
    assert not pool._free
    assert small == []


def test_a_frame_that_an_encoder_holds_keeps_its_memory() -> None:
    pool = Pool()
    picture = pool.empty((24, 16), np.uint8)
    picture[:] = 50
    place = address(picture)
    frame = av.VideoFrame.from_numpy_buffer(picture, format="yuv420p")
    del picture
    gc.collect()
    other = pool.empty((24, 16), np.uint8)
    other[:] = 200
    assert (frame.to_ndarray() == 50).all()
    del frame
    gc.collect()
    assert place in (address(pool.empty((24, 16), np.uint8)), address(pool.empty((24, 16), np.uint8)))


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 5)), max_size=60))
@settings(max_examples=60, deadline=None)
def test_what_is_held_stays_as_it_was_written(steps: list[tuple[int, int]]) -> None:
    pool = Pool()
    held: deque[tuple[np.ndarray, int]] = deque()
    for number, (size, keep) in enumerate(steps):
        array = pool.empty((size, 3), np.int64)
        array[:] = number
        held.append((array[size // 2 :], number))
        while len(held) > keep:
            held.popleft()
        assert all((view == written).all() for view, written in held)


def test_threads_share_a_pool() -> None:
    pool, queue, wrong = Pool(), Queue[tuple[np.ndarray, int] | None](3), []

    def make(first: int) -> None:
        for number in range(first, first + 300):
            array = pool.empty((500 + number % 7,), np.int32)
            array[:] = number
            queue.put((array, number))
            del array

    def take() -> None:
        while (item := queue.get()) is not None:
            if not (item[0] == item[1]).all():
                wrong.append(item[1])

    taker = threading.Thread(target=take)
    makers = [threading.Thread(target=make, args=(1000 * n,)) for n in range(3)]
    for thread in (taker, *makers):
        thread.start()
    for thread in makers:
        thread.join()
    queue.put(None)
    taker.join()
    assert not wrong
    assert len(pool._free) <= 8  # no more than was ever on loan at one time: a queue of 3, one in each hand
