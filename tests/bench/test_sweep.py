"""A sweep runs `gen` for each setting and keeps its figures apart; a run that fails is told, not hidden."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench import sweep as bench


def test_each_setting_is_made_and_measured_and_failures_stay_in_their_row() -> None:
    made: list[tuple[int, int]] = []

    def make(dissolve: int, downsample: int) -> Path:
        made.append((dissolve, downsample))
        if dissolve == 20:
            raise RuntimeError("error: no weights")
        return Path(f"{dissolve}_{downsample}")

    rows = bench.sweep([(0, 1), (0, 2), (20, 1)], make, lambda path: {"residual": float(path.name[-1]), "clip_t": None})
    assert made == [(0, 1), (0, 2), (20, 1)]
    assert [row.get("residual") for row in rows] == [1.0, 2.0, None]
    lines = bench.table(rows).splitlines()
    assert lines[0] == "| dissolve | downsample | residual | seconds |"
    assert lines[-1].endswith("error: no weights")


def test_lists_are_read() -> None:
    assert bench.numbers("0,20,40,20") == [0, 20, 40]
    with pytest.raises(Exception, match="whole numbers"):
        bench.numbers("0,x")


def test_from_a_picture_to_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).random((96, 160, 3), np.float32)
    cv2.imwrite(str(tmp_path / "a.png"), cv2.GaussianBlur(noise, (0, 0), 3) * 255)
    arguments = f"{tmp_path}/a.png --prompt orbit --downsample 1,4 --keep {tmp_path}/films --json"
    rest = "--model camera --depth embedded --seconds 0.2 --encoder x264"
    assert bench.main([*arguments.split(), *rest.split()]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["dissolve"], row["downsample"]) for row in rows] == [(0, 1), (0, 4)]
    assert all(row["matched"] > 0.5 and row["vertical_px"] < 1 for row in rows)
    films = sorted((tmp_path / "films").iterdir())
    assert len(films) == 2
    assert films[0].read_bytes() != films[1].read_bytes()  # the setting reached gen
    assert bench.main([*arguments.split(), "--move", "nowhere"]) == 1
    assert "nowhere" in json.loads(capsys.readouterr().out)[0]["error"]
