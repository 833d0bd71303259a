"""Scene files, cameras, films: what is written can be read, and the eyes are the right way round."""

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the depth extra")
pytest.importorskip("safetensors", reason="needs the depth extra")

from stereocast.errors import SourceError  # noqa: E402
from stereocast.splat import back, density, fit, lift, loss, matrix, prepare, relief, render, scene  # noqa: E402
from stereocast.splat.motion import MotionConfig  # noqa: E402


def ball(count=400, radius=0.35, seed=0):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(count, 3))
    points *= radius / np.linalg.norm(points, axis=1, keepdims=True)
    return scene.from_points(points, (points / radius + 1) / 2, 0.04, 0.9, 0)


def test_scene_file_round_trip(tmp_path):
    made = scene.Scene(ball(), lift.Motion(MotionConfig(width=16, depth=4)), scene.SceneInfo(frames=5, loop=True))
    scene.save(made, tmp_path / "a.4dgs")
    read = scene.load(tmp_path / "a.4dgs")
    assert read.info == made.info
    for one, two in zip(made.at(0.3).tensors().values(), read.at(0.3).tensors().values(), strict=True):
        assert torch.equal(one, two)
    (tmp_path / "b.4dgs").write_bytes(b"no scene")
    with pytest.raises(SourceError, match="b.4dgs"):
        scene.load(tmp_path / "b.4dgs")


def test_exports():
    g = ball(7)
    data = scene.ply_bytes(g)
    head, body = data.split(b"end_header\n")
    assert b"element vertex 7" in head and len(body) == 7 * 4 * 14
    np.testing.assert_array_equal(np.frombuffer(body, "<f4").reshape(7, 14)[:, :3], g.means.numpy())
    assert len(scene.splat_bytes(g)) == 7 * 32


def test_left_eye_sees_near_things_further_right():
    near = scene.from_points(np.array([[0, 0, 0.5]]), np.array([[1, 0, 0]]), 0.05, 0.99, 0)
    far = scene.from_points(np.array([[0, 0, -0.5]]), np.array([[1, 0, 0]]), 0.05, 0.99, 0)
    at_screen = scene.from_points(np.array([[0, 0, 0.0]]), np.array([[1, 0, 0]]), 0.05, 0.99, 0)
    shifts = []
    for g in (near, at_screen, far):
        made = scene.Scene(g)
        clip = next(render.stereo_clips(render.Poses(made), render.fixed(made, 128, render.Pace(1, 0)), render.Rig()))
        columns = [(255 - eye[0, ..., 1].astype(float)).sum(0) for eye in (clip.left, clip.right)]
        left, right = (float((c * np.arange(128)).sum() / c.sum()) for c in columns)
        shifts.append(left - right)
    assert shifts[0] > 1 and abs(shifts[1]) < 0.05 and shifts[2] < -1


def test_films_of_a_scene_pose_it_once_a_time(monkeypatch):
    made = scene.Scene(ball(40), lift.Motion(MotionConfig(width=16, depth=4)), scene.SceneInfo(frames=5))
    asked = []

    def pose(g, motion, time):
        asked.append(round(time, 6))
        return g.means + time * torch.tensor([0.2, 0, 0]), g.quats, torch.exp(g.log_scales)

    monkeypatch.setattr(render, "posed", pose)
    pace, poses = render.Pace(16, 0.5), render.Poses(made)
    both = [render.orbit(made, 32, pace), render.fixed(made, 32, pace)]
    seen = [[clip.left for clip in render.stereo_clips(poses, moments, None)] for moments in both]
    assert sorted(asked) == [k / 8 for k in range(9)]
    for moments, clips in zip(both, seen, strict=True):
        again = [clip.left for clip in render.stereo_clips(render.Poses(made), moments, None)]
        assert np.array_equal(np.concatenate(again), np.concatenate(clips))
    asked.clear()
    monkeypatch.setattr(render, "_KEPT_BYTES", 2 * 40 * 10 * 4)  # means, quaternions and scales of two times
    few = render.Poses(made)
    for time in (0, 0.5, 0, 1, 0, 0.5):
        few.render(time, [scene.orbit_camera(0, 32)])
    assert asked == [0, 0.5, 1], "those that came first stay"


def test_cameras_look_at_the_middle_from_their_side():
    for azimuth, side in ((0, (0, 0, 2)), (90, (2, 0, 0))):
        camera = scene.orbit_camera(azimuth, 64)
        np.testing.assert_allclose(np.linalg.inv(camera.view)[:3, 3], side, atol=1e-12)
        np.testing.assert_allclose(camera.view @ [0, 0, 0, 1], [0, 0, 2, 1], atol=1e-12)
        assert (camera.view @ [0, 0.1, 0, 1])[1] < 0  # up in the world is up in the picture


def test_play_runs_round_or_to_and_fro():
    loop = scene.Scene(ball(4), None, scene.SceneInfo(frames=5, loop=True))
    assert [render.play(loop, f) for f in (0, 2, 4, 5)] == [0, 0.5, 0, 0.25]
    there_and_back = scene.Scene(ball(4), None, scene.SceneInfo(frames=5))
    assert [render.play(there_and_back, f) for f in (0, 4, 5, 8)] == [0, 1, 0.75, 0]
    assert [render.play(there_and_back, f) for f in (3.5, 4.25, 4.5, 7.75)] == [0.875, 0.9375, 0.875, 0.0625]


@pytest.mark.parametrize("loop", [True, False])
@pytest.mark.parametrize(("fps", "rate"), [(12, 24), (12, 30), (3, 25), (7.3, 24), (12, 10)])
def test_films_keep_the_speed_of_the_motion_and_close_without_a_seam(loop, fps, rate):
    made = scene.Scene(ball(4), None, scene.SceneInfo(frames=9, fps=fps, loop=loop))
    pace = render.Pace.of(made.info, 5.0, rate)
    times = np.array([moment.time for moment in render.fixed(made, 64, pace)])
    steps = np.abs(np.diff(np.append(times, times[0])))  # the film begins again after its last picture
    if loop:
        steps = np.minimum(steps, 1 - steps)
    allowed = pace.step / 8 + 1e-9  # a turning point between two pictures makes a step shorter, none longer
    assert times.min() >= 0 and times.max() <= 1 and steps.max() <= allowed
    assert pace.step == pytest.approx(fps / rate, rel=0.5 / pace.frames + 1e-9)
    assert abs(pace.frames / rate - 5) <= 8 / fps * (0.5 if loop else 1) + 0.5 / rate


def test_a_film_of_less_than_half_a_round_is_as_long_as_was_asked():
    assert render.Pace.of(scene.SceneInfo(frames=25, fps=2), 5, 30) == render.Pace(150, 2 / 30)
    assert render.Pace.of(scene.SceneInfo(frames=1), 2, 30).frames == 60


def test_a_disc_inflates_to_a_ball():
    y, x = np.mgrid[:65, :65] - 32
    half = relief.inflate(np.hypot(x, y) < 20)
    want = np.sqrt(np.maximum(20.0**2 - x**2 - y**2, 0)) * relief._PLUMP
    assert np.abs(half - want)[np.hypot(x, y) < 16].max() < 1.0
    assert half[0].max() == 0


def test_a_large_silhouette_is_solved_small_and_keeps_thin_parts():
    y, x = np.mgrid[:512, :512] - 256
    mask = np.hypot(x, y) < 150
    mask |= (np.abs(y) < 2) & (x > 0) & (x < 240)  # a wand, three pixels wide
    half = relief.inflate(mask)
    want = np.sqrt(np.maximum(150.0**2 - x**2 - y**2, 0)) * relief._PLUMP
    assert np.abs(half - want)[np.hypot(x, y) < 135].max() < 8
    assert half[256, 256 + 200] > 0.8 and half[~mask].max() == 0


def test_a_back_is_mirrored_crisp_and_without_what_only_a_front_has():
    y, x = np.mgrid[:200, :200] - 100
    mask = np.hypot(x, y) < 80
    colour = np.full((200, 200, 3), (0.2, 0.5, 0.2), np.float32)
    colour[y > 20] = (0.2, 0.3, 0.8)  # trousers reach the outline
    colour[np.hypot(x, y + 30) < 14] = (0.95, 0.95, 0.9)  # a badge doesn't
    behind = back.back_colours(colour, mask, relief.inflate(mask))
    hue = behind / behind.sum(-1, keepdims=True)
    assert np.abs(hue[70, 100] - np.array([0.2, 0.5, 0.2]) / 0.9).max() < 0.06  # where the badge was
    assert hue[112, 100, 1] - hue[112, 100, 2] > 0.2 and hue[128, 100, 2] - hue[128, 100, 1] > 0.2  # 16 pixels apart
    assert behind[mask].mean() < colour[mask].mean() * 1.08


def test_outlines_lose_the_background_and_thin_parts_keep_their_colour():
    picture = np.zeros((256, 256, 4), np.uint8)
    cv2.circle(picture, (100, 128), 60, (200, 40, 40, 255), -1)
    cv2.circle(picture, (100, 128), 60, (240, 200, 200, 255), 1)  # mixed with white
    cv2.line(picture, (150, 128), (230, 128), (40, 40, 200, 255), 1)
    made = relief.relief(picture, None, scene.orbit_camera(0, 256))
    rim = made.mask & ~cv2.erode(made.mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    rim[:, 150:] = False
    np.testing.assert_allclose(made.colour[rim], np.array([200, 40, 40]) / 255 + 0 * made.colour[rim], atol=0.02)
    np.testing.assert_allclose(made.colour[128, 215], np.array([40, 40, 200]) / 255, atol=0.02)


def test_alike_pixels_share_a_gaussian_and_outlines_stay_fine():
    camera = scene.orbit_camera(0, 128)
    picture = np.zeros((128, 128, 4), np.uint8)
    cv2.circle(picture, (64, 64), 40, (200, 40, 40, 255), -1)
    picture[40:60, 40:60, :3] = np.random.default_rng(0).integers(0, 255, (20, 20, 3), np.uint8)
    made = relief.relief(picture, None, camera)
    tiled = relief.surface(made, camera)
    front = tiled.share == 1
    assert (tiled.cell[front] ** 2).sum() == made.core.sum()  # every pixel once
    assert 0.3 < front.sum() / made.core.sum() < 0.6
    busy = front & (np.abs(tiled.u - 50) < 8) & (np.abs(tiled.v - 50) < 8)
    assert tiled.cell[busy].max() == 1
    rim = front & (np.abs(np.hypot(tiled.u - 64, tiled.v - 64) - 39) < 1.2)
    assert tiled.cell[rim].max() == 1


def test_box_is_shared_and_object_is_found():
    alpha = np.zeros((2, 40, 60), np.uint8)
    alpha[0, 10:20, 5:15] = 255
    alpha[1, 12:30, 20:30] = 1
    box = prepare.bounding_box(alpha, 0.5)
    assert (box.x, box.y, box.width, box.height, box.side) == (5, 10, 25, 20, 50)
    with pytest.raises(SourceError, match="no object"):
        prepare.bounding_box(alpha * 0)
    picture = np.full((90, 120, 3), 240, np.uint8)
    picture[20:70, 40:80] = (200, 30, 30)
    mask = prepare.cut_out(picture)[..., 3] > 127
    truth = np.zeros_like(mask)
    truth[20:70, 40:80] = True
    assert (mask & truth).sum() / (mask | truth).sum() > 0.95


def small_matrix(views=4, frames=3, size=32):
    settings = lift.LiftSettings(views=views, frames=frames, size=size)
    return lift.animate(ball(200), settings)


def test_matrix_round_trip_and_trust(tmp_path):
    made = small_matrix().matrix
    matrix.save(made, tmp_path / "m")
    read = matrix.load(tmp_path / "m")
    np.testing.assert_array_equal(read.images, made.images)
    np.testing.assert_array_equal(read.masks, made.masks)
    assert read.info == made.info
    trust = made.trust()
    assert np.allclose(trust[0], 1) and np.allclose(trust[:, 0], 1) and trust[2, 2] < 0.3
    (tmp_path / "m/matrix.json").unlink()
    with pytest.raises(SourceError):
        matrix.load(tmp_path / "m")


def test_fit_learns_and_a_checkpoint_changes_nothing(tmp_path):
    lifted = small_matrix()
    settings = fit.FitSettings(
        iterations=24, warm_up=10, degree=0, motion=MotionConfig(width=16, depth=4, place_octaves=2, time_octaves=2),
        refine_every=5, fade_at=0, initial_points=300, random_background=False, density=density.DensityRules(limit=400),
    )  # fmt: skip
    whole = fit.Fit(lifted.matrix, settings)
    done = whole.run()
    assert np.mean(whole.losses[-4:]) < np.mean(whole.losses[:4])
    first = fit.Fit(lifted.matrix, settings)
    for _ in range(13):
        first.step()
    shown = first.scene.motion
    assert shown is not None
    assert shown is not first.motion  # a scene on the CPU leaves the network that learns where it is
    first.save(tmp_path / "fit.pt")
    second = fit.Fit(lifted.matrix, settings)
    again = second.run(tmp_path / "fit.pt")
    assert len(second.losses) == 24 - 13
    for one, two in zip(done.gaussians.tensors().values(), again.gaussians.tensors().values(), strict=True):
        assert torch.equal(one, two)


def test_ssim_of_a_picture_with_itself_and_its_gradient():
    rng = np.random.default_rng(0)
    a = torch.tensor(rng.random((1, 20, 24, 3)), dtype=torch.float32)
    assert float(loss.ssim(a, a)) == pytest.approx(1, abs=1e-5)
    b = torch.tensor(rng.random((1, 20, 24, 3)), dtype=torch.float32, requires_grad=True)
    loss.ssim(a, b).backward()
    direction = torch.tensor(rng.normal(size=b.shape), dtype=torch.float32)
    ends = [float(loss.ssim(a, b.detach() + sign * 1e-2 * direction)) for sign in (-1, 1)]
    assert float((b.grad * direction).sum()) == pytest.approx((ends[1] - ends[0]) / 2e-2, rel=0.05)


def white_ball(size=96, light=(-0.5, -0.6, 0.62)):
    """A shaded white ball on white, and what of the picture it covers."""
    y, x = (np.mgrid[:size, :size] + 0.5 - size / 2) / (0.4 * size)
    inside = x**2 + y**2 < 1
    z = np.sqrt(np.maximum(1 - x**2 - y**2, 0))
    bright = np.clip(0.72 + 0.4 * (x * light[0] + y * light[1] + z * light[2]), 0, 1)
    grey = np.where(inside, np.rint(bright * 255), 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, -1), inside


@pytest.mark.parametrize(("light", "share"), [((0, 0, 1), 0.97), ((0.3, -0.3, 0.9), 0.97), ((-0.5, -0.6, 0.62), 0.85)])
def test_a_white_ball_keeps_its_mask(light, share):
    picture, inside = white_ball(light=light)  # the last one is white as far as the outline, over a quarter of it
    mask = prepare.mask_on_white(picture) > 127
    assert (mask & inside).sum() / inside.sum() > share
    assert (mask & ~inside).sum() / inside.sum() < 0.02


def test_a_hole_through_an_object_stays_open_to_the_border_only():
    picture = np.full((96, 96, 3), 255, np.uint8)
    cv2.circle(picture, (48, 48), 30, (90, 90, 90), 9)  # a ring: what it encloses counts as the object
    cv2.rectangle(picture, (36, 70), (60, 95), (255, 255, 255), -1)  # opened, it is background
    mask = prepare.mask_on_white(picture)
    assert mask[48, 48] == 0 and mask[18, 48] == 255
    picture[:] = 255
    picture[20:80, 20:36] = picture[20:80, 60:76] = picture[20:32, 20:76] = 243  # pale, with edges: no ramp
    assert prepare.mask_on_white(picture)[60, 48] == 0
