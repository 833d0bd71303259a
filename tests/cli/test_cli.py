"""The command line as a user meets it: exit codes, messages, interruption."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.films import make_film, read_film
from tests.support.commands import stereocast
from tests.support.system import needs_signals, symlink

ROOT = Path(__file__).resolve().parents[2]


def process(*arguments: object, **options: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "stereocast", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, cwd=ROOT, timeout=600, check=False, **options)  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("films") / "film.mp4", frames=30, audio=["aac"])


def test_convert_beside_the_source(film: Path) -> None:
    run = process("convert", film)
    assert run.returncode == 0, run.stderr
    output = film.with_name("film_LRF_Full_SBS.mp4")
    assert read_film(output)["audio"] == read_film(film)["audio"]
    again = process("convert", film)
    assert again.returncode == 1
    assert b"--overwrite" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["convert", "nowhere.mp4"], 1, "no such file: nowhere.mp4"),
        (["convert", "{film}", "--format", "sbss"], 2, "did you mean 'sbs'?"),
        (["convert", "{film}", "--strength", "99"], 2, "--strength 99"),
        (["convert", "{film}", "--preset", "qest3"], 2, "did you mean 'quest3'?"),
        (["convert", "{film}", "--depth", "midas"], 2, "no depth estimator named 'midas'"),
        (["convert", "ftp://example.org/a.mp4"], 2, "only http, https and file"),
        (["convert", "{film}", "-o", "{film}"], 2, "is the input itself"),
        (["convert", "{film}", "-o", "x.docx"], 2, "can't write '.docx' files"),
        (["inspect", "{film}", "--preset", "psvr"], 2, "no preset named 'psvr'"),
    ],
)
def test_mistakes_get_one_line_and_no_traceback(film: Path, arguments: list[str], code: int, text: str) -> None:
    run = stereocast(*[a.format(film=film) for a in arguments])
    assert run.exit_code == code, run.output
    assert text in run.stderr
    assert "Traceback" not in run.output
    assert len(run.stderr.strip().splitlines()) == 1


def test_json_and_dry_run(film: Path, tmp_path: Path) -> None:
    run = stereocast("convert", film, "-o", tmp_path / "a.mkv", "--dry-run", "--json")
    plan = json.loads(run.stdout)
    assert plan["picture"] == "384x96"
    assert plan["memory_total_mb"] > 0
    assert not list(tmp_path.iterdir())
    done = json.loads(stereocast("convert", film, "-o", tmp_path / "a.mkv", "--json").stdout)
    assert done["frames"] == 30
    assert set(done["stage_ms_per_frame"]) >= {"reading", "depth", "synthesis", "packing", "encoding"}


def test_a_pipe_in_and_out(film: Path) -> None:
    with film.open("rb") as source:
        run = process("convert", "-", "-o", "-", "-q", stdin=source)
    assert run.returncode == 0, run.stderr
    copied = film.with_name("piped.mp4")
    copied.write_bytes(run.stdout)
    piped = read_film(copied)
    assert len(piped["frames"]) == 30
    assert piped["audio"] == read_film(film)["audio"]


def test_a_folder_goes_on_after_a_bad_file(film: Path, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "a.mp4").write_bytes(film.read_bytes())
    (folder / "b.mp4").write_bytes(b"nothing")
    (folder / "notes.txt").write_text("not a film")
    run = stereocast("convert", folder, "-o", tmp_path / "out", "--json")
    assert run.exit_code == 1
    assert (tmp_path / "out" / "a_LRF_Full_SBS.mp4").exists()
    assert "not a video" in run.stderr


def test_a_still(tmp_path: Path) -> None:
    import cv2

    from tests.films import picture

    cv2.imwrite(str(tmp_path / "photo.png"), picture(3, 90, 121))
    run = stereocast("convert", tmp_path / "photo.png")
    assert run.exit_code == 0, run.output
    assert cv2.imread(str(tmp_path / "photo_LRF_Full_SBS.png")).shape == (90, 244, 3)
    assert "photo_LRF_Full_SBS.png: written in" in run.stderr
    assert "fps" not in run.stderr


@pytest.fixture(scope="module")
def long_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("films") / "long.mp4", frames=24 * 10, size=(180, 320), cuts=[120])


def start_long(tmp_path: Path, film: Path) -> tuple[subprocess.Popen, Path]:
    source = tmp_path / "long.mp4"
    source.write_bytes(film.read_bytes())
    part = tmp_path / "long_LRF_Full_SBS.part.mp4"
    command = [sys.executable, "-m", "stereocast", "convert", str(source)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True)
    deadline = time.monotonic() + 600
    while (
        not (part.exists() and part.stat().st_size > 40_000) and time.monotonic() < deadline and process.poll() is None
    ):
        time.sleep(0.02)
    return process, part


@needs_signals
def test_ctrl_c_ends_soon_and_says_where_things_are(tmp_path: Path, long_film: Path) -> None:
    process, part = start_long(tmp_path, long_film)
    process.send_signal(signal.SIGINT)
    message = process.communicate(timeout=300)[1].decode()
    assert process.returncode == 130, message
    assert str(part) in message
    assert len(read_film(part)["frames"]) > 24


def test_kill_leaves_a_readable_part(tmp_path: Path, long_film: Path) -> None:
    process, part = start_long(tmp_path, long_film)
    process.kill()
    process.communicate()
    assert len(read_film(part)["frames"]) > 24
    assert not part.with_name("long_LRF_Full_SBS.mp4").exists()


def test_a_link_where_the_part_grows_is_not_followed(tmp_path: Path, film: Path) -> None:
    (tmp_path / "precious.txt").write_text("notes")
    symlink(tmp_path / "out.part.mp4", tmp_path / "precious.txt")
    run = stereocast("convert", film, "-o", tmp_path / "out.mp4", "--overwrite")
    assert run.exit_code == 1
    assert "out.part.mp4 is in the way" in run.stderr
    assert "Traceback" not in run.output
    assert (tmp_path / "precious.txt").read_text() == "notes"


def test_doctor_and_inspect(film: Path) -> None:
    findings = json.loads(stereocast("doctor", "--json").stdout)
    assert findings["encoders"]["x264"] == "opens"
    facts = json.loads(stereocast("inspect", film, "--json").stdout)
    assert facts["picture"]["size"] == "192x96"
    assert "plays it" in facts["verdict"]


def test_a_preview_line_gives_its_reasons() -> None:
    from stereocast.cli.preview import _line

    figures = {"percent": {"p1": -1.5, "p99": 0.5}, "degrees": {"p1": -0.9, "p99": 0.3}}
    quiet = {"time_s": 1.0, "verdict": "comfortable", "reasons": [], **figures}
    assert _line(quiet).endswith("comfortable: disparity -1.50 .. 0.50 % of the width (-0.90 .. 0.30 degrees)")
    assert _line({**quiet, "verdict": "strong", "reasons": ["too fast", "too near"]}).endswith("; too fast; too near")
    assert _line({"time_s": 1.0}) == "     1.0 s"
