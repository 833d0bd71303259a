"""What of a film's other streams can't go along is named."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stereocast.media import covers


def stream(kind: str, index: int, **metadata: str) -> Any:
    return SimpleNamespace(type=kind, index=index, metadata=metadata, disposition=0)


STREAMS = [
    stream("video", 0), stream("attachment", 1, filename="font.ttf"), stream("attachment", 2), stream("audio", 3),
    stream("data", 4), stream("data", 5, handler_name="GoPro MET\0"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("container", "attachments"), [("mkv", []), ("mp4", ["font.ttf", "2"]), ("fmp4", ["font.ttf", "2"])]
)
def test_what_is_left_out_is_said(
    container: str, attachments: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(covers, "is_cover", lambda stream: False)
    covers.attach(SimpleNamespace(name=str(Path("in.mkv")), streams=STREAMS), None, container)
    said = [record.getMessage() for record in caplog.records]
    assert [text for text in said if text.startswith("attachment")] == [
        f"attachment {name} is left out: {container} can't store it" for name in attachments
    ]
    assert [text for text in said if text.startswith("data")] == [
        "data track 4 (timecode or sensor data) is left out", "data track 5 (GoPro MET) is left out",
    ]  # fmt: skip
