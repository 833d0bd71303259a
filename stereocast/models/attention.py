"""The seam in every attention: a network says where to attend, an `Attend` how.

The default is fused attention (no score matrix in memory). The stereo sampler passes its own, so no network is ever
patched. It knows nothing about stereo.
"""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class Site:
    """One attention of a network."""

    name: str  # the module's path, unique within the network
    kind: str  # "spatial", "temporal" (both self-attention), "text" or "image" (both read the context)

    @property
    def is_self(self) -> bool:
        return self.kind in ("spatial", "temporal")

    @property
    def is_initial(self) -> bool:
        """Whether this is the attention right after the first convolution."""
        return self.name.startswith("init_attn")


class Attend(Protocol):
    """q [N, heads, n, d], k and v [N, heads, m, d] to [N, heads, n, d]. Views and samples come first within N."""

    def __call__(self, site: Site, q: Tensor, k: Tensor, v: Tensor, /) -> Tensor: ...


def fused(site: Site, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q kᵀ / sqrt(d)) v without the score matrix."""
    return F.scaled_dot_product_attention(q, k, v)


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[N, n, heads * d] to [N, heads, n, d]."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """[N, heads, n, d] to [N, n, heads * d]."""
    return x.transpose(1, 2).flatten(2)
