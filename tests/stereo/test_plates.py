import cv2
import numpy as np

from stereocast.settings import StereoSettings
from stereocast.stereo.plates import motion, small_luma
from stereocast.stereo.synthesizer import WarpSynthesizer, with_later
from stereocast.types import Clip, DepthMap, PixelFormat

HEIGHT, WIDTH = 120, 200


def passing_block(count=8, step=6):
    """A grey block passes before a still, textured wall, from left to right."""
    rng = np.random.default_rng(1)
    wall = cv2.GaussianBlur(rng.integers(0, 255, (HEIGHT, WIDTH)).astype(np.uint8), (0, 0), 2)
    wall = cv2.normalize(wall, None, 20, 220, cv2.NORM_MINMAX)
    frames = np.full((count, HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    depth = np.zeros((count, HEIGHT, WIDTH), np.float32)
    for t in range(count):
        frames[t, :HEIGHT] = wall
        x = 40 + step * t
        frames[t, 30:90, x : x + 40] = 235
        depth[t, 30:90, x : x + 40] = 1
    return wall, frames, depth


def synthesise(frames, depth, cuts=False, alone=True):
    """With `alone` each clip is the last that is known of its shot: nothing later is seen."""
    settings = StereoSettings(eyes="right", fill="best", strength=10 / WIDTH * 100, convergence=0.0)
    stage = WarpSynthesizer(settings, threads=1)
    clips = (
        (
            Clip(
                frames[t : t + 1],
                np.array([t]),
                PixelFormat.YUV420P,
                first=cuts or t == 0,
                last=cuts or alone or t == len(frames) - 1,
            ),
            DepthMap(depth[t : t + 1]),
        )
        for t in range(len(frames))
    )
    return [(clip.right[0, :HEIGHT], clip.holes_right[0]) for clip in stage(clips)]


def error(views, wall):
    return np.mean([np.abs(view.astype(int) - wall)[holes].mean() for view, holes in views[2:]])


def test_what_an_earlier_frame_saw_is_shown_behind_the_block():
    wall, frames, depth = passing_block()
    kept, forgotten = synthesise(frames, depth), synthesise(frames, depth, cuts=True)
    assert error(kept, wall) < 0.6 * error(forgotten, wall)


def test_what_a_later_frame_sees_is_shown_already():
    wall, frames, depth = passing_block(count=12)
    frames, depth = frames[::-1].copy(), depth[::-1].copy()  # the block moves left: its right side is shown only later
    ahead, back = synthesise(frames, depth, alone=False), synthesise(frames, depth)
    early = slice(0, 6)

    def wrong(views):
        return np.mean([np.abs(view.astype(int) - wall)[holes].mean() for view, holes in views[early]])

    assert wrong(ahead) < 0.7 * wrong(back)


def test_the_look_ahead_ends_at_a_cut_and_holds_no_more_clips_than_it_needs():
    taken = []

    def clips():
        for t in range(40):
            taken.append(t)
            frame = np.full((1, 24, 16), t, np.uint8)
            begins, ends = t in (0, 15), t in (14, 39)
            yield (
                Clip(frame, np.array([t]), PixelFormat.YUV420P, first=begins, last=ends),
                DepthMap(np.zeros((1, 16, 16), np.float32)),
            )

    for number, ((clip, _), later) in enumerate(with_later(clips(), 6)):
        end = 15 if number < 15 else 40
        assert clip.pts[0] == number
        assert [int(frame[0, 0]) for frame, _ in later] == list(range(number + 1, min(number + 7, end)))
        assert len(taken) <= number + 8


def test_motion_leads_to_the_frame_before():
    rng = np.random.default_rng(0)
    texture = cv2.GaussianBlur(rng.integers(0, 255, (100, 240)).astype(np.uint8), (0, 0), 3)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX)
    before, now = texture[:, :220], texture[:, 4:224]  # the picture moves 4 px to the left
    flow = motion(np.ascontiguousarray(now), np.ascontiguousarray(before), 220)
    assert np.median(flow[0]) > 3
    assert abs(np.median(flow[1])) < 0.5


def test_small_luma_of_ten_bit_is_eight_bit():
    frame = np.full((96, 64), 512, np.uint16)
    assert small_luma(frame, PixelFormat.YUV420P10, (32, 32)).max() == 128
