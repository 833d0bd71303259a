"""Push against a stand-in for adb: a program that keeps its 'headset' in a folder."""

import hashlib
import os
import sys
from pathlib import Path

import pytest

from stereocast.errors import SourceError
from stereocast.serve.push import Adb, PushError, push

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in is a script with a shebang")
FAKE = """#!{python}
import hashlib, os, pathlib, shlex, shutil, sys
root = pathlib.Path({root!r})
words = sys.argv[1:]
if words == ["devices"]:
    print("List of devices attached")
    print((root / "devices").read_text())
    sys.exit()
assert words[:2] == ["-s", "QUEST"], words
words = words[2:]
place = lambda path: root / path.lstrip("/")
(root / "log").open("a").write(" ".join(words) + "\\n")
if words[0] == "push":
    data = pathlib.Path(words[1]).read_bytes()
    place(words[2]).write_bytes(data[:-1] if (root / "bad").exists() else data)
elif words[0] == "reverse":
    pass
else:
    command = shlex.split(words[1])
    if command[0] == "mkdir":
        place(command[2]).mkdir(parents=True, exist_ok=True)
    elif command[0] == "df":
        print("Filesystem 1K-blocks Used Available Use% Mounted on")
        print("/dev/fuse 1000000 5", (root / "free").read_text(), "1% /storage/emulated")
    elif command[0] == "sh":
        path = place(shlex.split(command[2])[3])
        print(path.stat().st_size if path.exists() else -1)
    elif command[0] == "sha256sum":
        print(hashlib.sha256(place(command[1]).read_bytes()).hexdigest(), command[1])
    elif command[0] == "mv":
        place(command[1]).rename(place(command[2]))
    elif command[0] == "rm":
        place(command[2]).unlink(missing_ok=True)
    elif command[0] != "am":
        sys.exit(f"unknown: {{command}}")
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "headset"
    folder.mkdir()
    (folder / "devices").write_text("QUEST\tdevice\n")
    (folder / "free").write_text("900000")
    program = tmp_path / "adb"
    program.write_text(FAKE.format(python=sys.executable, root=str(folder)))
    program.chmod(0o755)
    return folder


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "It's a film_LR.mp4"
    path.write_bytes(os.urandom(100_000))
    return path


def test_a_film_arrives_whole_and_the_library_is_told(root: Path, film: Path) -> None:
    adb = Adb.find(program=str(root.parent / "adb"))
    seen = []
    target = push(film, adb, progress=lambda at: seen.append((at.done, at.total)))
    assert target == f"/sdcard/Movies/{film.name}"
    assert (root / target.lstrip("/")).read_bytes() == film.read_bytes()
    assert seen[-1] == (100_000, 100_000)
    log = (root / "log").read_text()
    assert "MEDIA_SCANNER_SCAN_FILE" in log
    assert push(film, adb) == target  # not again
    assert (root / "log").read_text().count("push ") == 1


def test_refusals(root: Path, film: Path) -> None:
    program = str(root.parent / "adb")
    adb = Adb.find(program=program)
    with pytest.raises(SourceError, match="no such file"):
        push(film.with_name("missing.mp4"), adb)
    (root / "free").write_text("100")
    with pytest.raises(PushError, match="free some space"):
        push(film, adb)
    (root / "free").write_text("900000")
    (root / "bad").touch()
    with pytest.raises(PushError, match="damaged"):
        push(film, adb)
    assert not list((root / "sdcard/Movies").iterdir())
    (root / "bad").unlink()
    push(film, adb)
    film.write_bytes(b"other")
    with pytest.raises(PushError, match="--overwrite"):
        push(film, adb)
    assert (
        hashlib.sha256((root / push(film, adb, overwrite=True).lstrip("/")).read_bytes()).digest()
        == hashlib.sha256(b"other").digest()
    )


@pytest.mark.parametrize(
    ("devices", "serial", "text"),
    [
        ("", "", "developer mode"),
        ("A\tunauthorized\n", "", "allow USB debugging"),
        ("A\tdevice\nB\tdevice\n", "", "--serial"),
        ("A\tdevice\n", "C", "no headset with serial 'C'"),
    ],
)
def test_a_missing_headset_is_explained(root: Path, devices: str, serial: str, text: str) -> None:
    (root / "devices").write_text(devices)
    with pytest.raises(PushError, match=text):
        Adb.find(serial, str(root.parent / "adb"))


def test_missing_adb_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PushError, match="platform tools"):
        Adb.find()


def test_a_folder_and_a_missing_film(root: Path, film: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import json

    from typer.testing import CliRunner

    from stereocast.cli import build

    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    shelf = tmp_path / "shelf"
    (shelf / "more").mkdir(parents=True)
    for name in ("b.mp4", "more/c.mkv", "more/notes.txt", "d.part.mp4", ".e.mp4"):
        (shelf / name).write_bytes(name.encode())
    words = ["push", str(film), str(tmp_path / "missing.mp4"), str(shelf), "--json"]
    run = CliRunner().invoke(build("push"), words)
    assert run.exit_code == 1
    assert "no such file" in run.stderr
    assert "1 of 4 films weren't copied" in run.stderr
    answers = json.loads(run.stdout)
    assert [answer.get("target") for answer in answers] == [
        f"/sdcard/Movies/{film.name}", "/sdcard/Movies/b.mp4", "/sdcard/Movies/more/c.mkv", None,
    ]  # fmt: skip
    assert (root / "sdcard/Movies/more/c.mkv").read_bytes() == b"more/c.mkv"
    # a headset that is gone ends it: the rest isn't tried
    (root / "devices").write_text("")
    gone = CliRunner().invoke(build("push"), ["push", str(film)])
    assert gone.exit_code == 1
    assert "developer mode" in gone.stderr
