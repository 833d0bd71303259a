"""Kernels: `reference` (NumPy, the specification), `cpu*` (Numba), `cuda` (torch and Triton).

The functions here dispatch on the kind of array: NumPy arrays go to Numba, tensors are processed on their own device.
"""

from stereocast.types import Array


def warp_exact(source: Array, depth: Array, scale_percent: float, exponent: float = 1.0) -> tuple[Array, Array]:
    """The paper's integer warp, see `reference.warp_exact`. Bit-exact for every kind of array and device."""
    if hasattr(source, "detach"):
        from stereocast.kernels import cuda

        return cuda.warp_exact(source, depth, scale_percent, exponent)
    from stereocast.kernels import cpu_exact

    return cpu_exact.warp_exact(source, depth, scale_percent, exponent)


def warp_soft(left: Array, disparity: Array) -> tuple[Array, Array]:
    """StereoCrafter's soft splat, see `soft.warp_soft`. NumPy arrays only."""
    from stereocast.kernels import soft

    return soft.warp_soft(left, disparity)
