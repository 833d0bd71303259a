"""The packing stage: StereoClip to PackedClip."""

from collections.abc import Iterator

from stereocast.pack import layouts
from stereocast.pictures import planes
from stereocast.pictures.pool import Pool
from stereocast.types import Array, Layout, PackedClip, StereoClip, StereoFormat


class FlatPacker:
    """Packs flat layouts frame by frame. Nothing is held back."""

    held = 0

    def __init__(self, form: StereoFormat) -> None:
        self.format = form
        self._pool = Pool()

    def own_bytes(self, height: int, width: int) -> int:
        """0: it keeps no memory besides the picture."""
        return 0

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of the packed picture for views of this size."""
        return layouts.shape(self.format.layout, height, width)

    def __call__(self, clips: Iterator[StereoClip]) -> Iterator[PackedClip]:
        for clip in clips:
            packed = self.pack(clip)
            del clip  # release it while the packed clip is encoded
            yield packed
            del packed

    def pack(self, clip: StereoClip) -> PackedClip:
        """Packs one clip."""
        layout = self.format.layout
        if layout in (Layout.LEFT, Layout.MONO, Layout.PAIR):
            frames = clip.left
        elif layout is Layout.RIGHT:
            frames = clip.right
        else:
            frames = self._joined(clip)
        second = clip.right if layout is Layout.PAIR else None
        return PackedClip(frames, clip.pts, self.format, clip.pixel_format, clip.colour, second, clip.shot)

    def _joined(self, clip: StereoClip) -> Array:
        height, width = self.shape(clip.height, clip.width)
        frames = planes.empty(self._pool, height, width, clip.pixel_format, len(clip))
        depths = clip.depth.values if clip.depth is not None else [None] * len(clip)
        for out, left, right, depth in zip(frames, clip.left, clip.right, depths, strict=True):
            layouts.pack_frame(left, right, out, self.format, clip.pixel_format, clip.colour, depth)
        return frames
