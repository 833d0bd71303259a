"""Cross-view attention (StereoCrafter-Zero, Eq. 9) as attention processors: the right view asks with the left's queries.

Torch is imported by the callers; here tensors are only passed on.
"""

from typing import Any

from stereocast.types import Array


def coupled(site: Any, *, script: bool) -> bool:
    """Whether the views are coupled here: every self-attention; `script`: text and image too, but not the first one."""
    return not site.is_initial if script else bool(site.is_self)


class Record:
    """Runs the left view and keeps its queries by site."""

    def __init__(self, features: dict[str, Array], *, script: bool = False, host: bool = False) -> None:
        """`host`: queries are kept in main memory."""
        self.features, self.script, self.host = features, script, host

    def __call__(self, site: Any, q: Array, k: Array, v: Array) -> Array:
        from stereocast.models.attention import fused

        if coupled(site, script=self.script):
            self.features[site.name] = q.to("cpu") if self.host else q
        return fused(site, q, k, v)


class Replay:
    """Runs the right view with the left's queries."""

    def __init__(self, features: dict[str, Array], *, script: bool = False) -> None:
        self.features, self.script = features, script

    def __call__(self, site: Any, q: Array, k: Array, v: Array) -> Array:
        from stereocast.models.attention import fused

        if coupled(site, script=self.script):
            q = self.features[site.name].to(q.device, q.dtype)
        return fused(site, q, k, v)


def paired(*, script: bool = False) -> Any:
    """A processor for a batch [left, right]: the naive run, and the readable form of Eq. 9."""

    def attend(site: Any, q: Array, k: Array, v: Array) -> Array:
        from stereocast.models.attention import fused

        if coupled(site, script=script):
            q = q.clone()
            half = len(q) // 2
            q[half:] = q[:half]
        return fused(site, q, k, v)

    return attend
