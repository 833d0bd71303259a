"""The files of an HLS stream: their names, and how FFmpeg opens them."""

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from stereocast.media import owned, spatial
from stereocast.types import StereoFormat

NAMES = re.compile(r"(index\.m3u8|init\.mp4|segment_\d+\.m4s)(\.tmp)?")  # what an HLS folder is filled with


class Opener:
    """Opens the files of an HLS stream for FFmpeg. Each is created new, so that nothing is written through a link."""

    def __init__(self, form: StereoFormat | None) -> None:
        self._form = form
        self._made: list[Path] = []
        self._feeds: list[owned.Feed | owned.Failed] = []

    def __call__(self, url: str, flags: int, options: dict[str, str]) -> Any:
        path = Path(url.removeprefix("file:"))
        if not flags & 2:
            return path.open("rb")
        feed: owned.Feed | owned.Failed
        try:
            file = owned.create_again(path)  # checked before work began, or an older state of this very stream
        except OSError as error:
            feed = owned.Failed(error)
        else:
            head = path.name.startswith("init.mp4") and self._form is not None
            feed = owned.Feed(file, spatial.InFlight(self._form).feed if head and self._form else None)
            self._made.append(path)
        self._feeds = [old for old in self._feeds if old.error is not None or old.interrupted] + [feed]
        return feed

    @property
    def error(self) -> OSError | None:
        """The first error of any of the files."""
        return next((feed.error for feed in self._feeds if feed.error is not None), None)

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C came while one of the files was written."""
        return any(feed.interrupted for feed in self._feeds)

    def clear(self) -> None:
        """After a failure: removes what holds nothing."""
        for path in self._made:
            for each in (path, path.with_name(path.name.removesuffix(".tmp"))):
                with suppress(OSError):
                    if not each.stat().st_size:
                        each.unlink()
