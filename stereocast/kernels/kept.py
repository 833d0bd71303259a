"""Keeps the machine code of kernels between runs and calls it without Numba.

Importing and initialising Numba costs more than the first frame of a film: a second of CPU and 100 MB. The compiled code
needs none of it. So a kernel's object code is kept in a file, loaded by llvmlite and called by Numba's convention: two
pointers (result, exception), then the arguments. An array is passed as memory info and parent (both null here), item
count, item size, address, shape and strides. The convention is checked against the function's type before code is kept.
Code with another type, or that needs more than the C library, isn't kept; Numba runs it.
"""

import ctypes
import json
import logging
import os
import platform
import stat
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
_KNOWN = (sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64"), sys.maxsize > 1 << 32)
_SCALARS = {  # kind: LLVM type, ctypes type, Python type
    "b": ("i8", ctypes.c_int8, int),
    "int32": ("i32", ctypes.c_int32, int),
    "int64": ("i64", ctypes.c_int64, int),
    "float32": ("float", ctypes.c_float, float),
    "float64": ("double", ctypes.c_double, float),
}
_RESULTS = {"none": None, "int64": ctypes.c_int64, "float32": ctypes.c_float, "float64": ctypes.c_double}
_OF_C = (
    "floor",
    "ceil",
    "rint",
    "exp",
    "exp2",
    "log",
    "pow",
    "sin",
    "cos",
    "fma",
    "sqrt",
    "trunc",
    "round",
    "nearbyint",
)
_INLINE = {  # LLVM's own functions that become instructions, or calls of memset and the like
    "abs", "aarch64", "assume", "bswap", "copysign", "ctlz", "ctpop", "cttz", "experimental", "fabs", "fshl", "fshr", "lifetime",
    "masked", "memcpy", "memmove", "memset", "sadd", "smax", "smin", "smul", "sshl", "ssub", "stepvector", "uadd", "umax", "umin",
    "umul", "ushl", "usub", "vector", "x86",
}  # fmt: skip
_NEVER = "NRT_MemInfo_call_dtor"  # releases memory that Numba owns; there is none
_NO_MATTER = ("NUMBA_CACHE_DIR", "NUMBA_NUM_THREADS")  # settings that don't change the code: no kernel is parallel
_engines: list[Any] = []  # keep the code alive


def possible() -> bool:
    """Whether code can be kept on this platform."""
    return all(_KNOWN)


def scalar(value: Any) -> str:
    """The kind of a scalar argument, as Numba would type it."""
    kind = type(value)
    if kind is int:
        return "int64"
    if kind is float:
        return "float64"
    name = str(getattr(value, "dtype", kind.__name__))
    return "b" if name == "bool" else name


def is_plain(kind: Any) -> bool:
    """Whether an argument of this kind is an array or a known scalar; a tuple, for one, is neither."""
    return not isinstance(kind, str) or kind in _SCALARS


def temporary_folder() -> Path | None:
    """A folder in the system's temporary folder that only this user can write to, or None.

    Machine code runs from it, so a folder that belongs to another user is refused.
    """
    user = os.getuid() if hasattr(os, "getuid") else 0
    place = Path(tempfile.gettempdir()) / f"stereocast-kernels-{user}"
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        found = place.lstat()
    except OSError:
        return None
    if hasattr(os, "getuid") and (found.st_uid != user or stat.S_IMODE(found.st_mode) & 0o022):
        return None
    return place if stat.S_ISDIR(found.st_mode) and os.access(place, os.W_OK) else None


def _writable(place: Path) -> bool:
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError:
        return False


def places() -> list[Path]:
    """Where code may be kept, in order of preference: next to the package, then the user's cache. NUMBA_CACHE_DIR overrides."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    if named:
        return [Path(named) / "stereocast"]
    found = [HERE / "__pycache__"]
    with suppress(RuntimeError):  # no home
        root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        found.append(Path(root) / "stereocast" / "kernels")
    return found


@cache
def folder() -> Path | None:
    """The folder of kept code, or None if none is writable."""
    for place in places():
        if _writable(place):
            return place
    return temporary_folder()


@cache
def fingerprint() -> str:
    """A hash of everything that kept code depends on: the kernels' source, compiler, processor and Numba's settings."""
    import llvmlite
    from llvmlite import binding

    found = find_spec("numba")  # a package's metadata would take longer to read than all kernels to load
    numba = Path(found.origin).with_name("_version.py") if found is not None and found.origin else HERE / "none"
    compiler = numba.read_text("utf-8") if numba.is_file() else ""
    switches = sorted(item for item in os.environ.items() if item[0].startswith("NUMBA_") and item[0] not in _NO_MATTER)
    known = [sys.version, compiler, llvmlite.__version__, binding.get_host_cpu_name(), str(_features()), str(switches)]
    for path in sorted(HERE.glob("*.py")):
        told = path.stat()
        known.append(f"{path.name} {told.st_mtime_ns} {told.st_size}")
    return sha256("\n".join(known).encode()).hexdigest()[:16]


def _features() -> str:
    from llvmlite import binding

    try:
        return str(binding.get_host_cpu_features().flatten())
    except RuntimeError:
        return ""


def name_of(kernel: Callable[..., Any]) -> str:
    """The name under which a kernel's code is kept: module, function and a hash of its bytecode."""
    mark = sha256(kernel.__code__.co_code + str(kernel.__code__.co_consts).encode()).hexdigest()[:8]
    return f"{kernel.__module__.rpartition('.')[2]}.{kernel.__name__}-{mark}"


def _path(name: str, kinds: Sequence[Any]) -> Path | None:
    place = folder()
    if place is None:
        return None
    key = sha256(f"{fingerprint()} {name} {kinds}".encode()).hexdigest()[:16]
    return place / f"{name}-{key}.code"


def _flat(kinds: Sequence[Any]) -> list[str]:
    """The LLVM types of a function's arguments."""
    types = ["ptr", "ptr"]
    for kind in kinds:
        if isinstance(kind, str):
            types.append(_SCALARS[kind][0])
        else:
            types += ["ptr", "ptr", "i64", "i64", "ptr", *["i64"] * (2 * kind[1])]
    return types


def keep(name: str, kinds: Sequence[Any], compiled: Any) -> Callable[..., Any] | None:
    """Keeps a compile result of Numba's for arguments of these kinds. Returns the function, or None if it can't be kept."""
    try:
        library, symbol, result = compiled.library, compiled.fndesc.llvm_func_name, str(compiled.signature.return_type)
        module, code = library._final_module, library._get_compiled_object()
        if result not in _RESULTS or [str(one.type) for one in module.get_function(symbol).arguments] != _flat(kinds):
            return None
        needs = sorted({_needed(one.name) for one in module.functions if one.is_declaration} - {""})
    except (AttributeError, KeyError, TypeError, NameError, RuntimeError) as error:
        log.info("%s: Numba's code has an unknown form (%s)", name, error)
        return None
    head = {"symbol": symbol, "result": result, "needs": needs, "sha256": sha256(code).hexdigest()}
    entry = _entry(head, code, kinds)
    path = _path(name, kinds)
    if entry is not None and path is not None:
        _write(path, json.dumps(head).encode() + b"\n" + code)
    return entry


def _write(path: Path, content: bytes) -> None:
    """Writes a file atomically."""
    part = None
    try:
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=".part-")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(part, path)
    except OSError as error:
        log.info("%s isn't kept: %s", path, error)
        if part is not None:
            with suppress(OSError):
                os.unlink(part)


def load(name: str, kinds: Sequence[Any]) -> Callable[..., Any] | None:
    """The function from kept code, or None if there is none."""
    path = _path(name, kinds)
    try:
        if path is None:
            return None
        first, _, code = path.read_bytes().partition(b"\n")
        head = json.loads(first)
        if head["sha256"] != sha256(code).hexdigest():  # damaged code makes LLVM abort the process
            raise ValueError("damaged")
        return _entry(head, code, kinds)
    except (OSError, ValueError, KeyError) as error:
        if not isinstance(error, FileNotFoundError):
            log.info("%s: kept code can't be used (%s)", name, error)
        return None


def _needed(name: str) -> str:
    """The C library function that a declaration needs, or '' if it needs none.

    An unknown name is returned as it is: no library has it, and LLVM aborts the process if a function is missing.
    """
    if not name.startswith("llvm."):
        return "" if name == _NEVER else name
    _, base, *kinds = name.split(".")
    if base in _INLINE:
        return ""
    return base + ("f" if kinds and kinds[0].endswith("f32") else "") if base in _OF_C else name


@cache
def _machine() -> Any:
    """The target machine, initialised once. Binds _NEVER to `abort`."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    if not binding.address_of_symbol(_NEVER):
        binding.add_symbol(_NEVER, ctypes.cast(ctypes.CDLL(None).abort, ctypes.c_void_p).value)
    return binding.Target.from_default_triple().create_target_machine(opt=3, jit=True)


def _entry(head: dict[str, Any], code: bytes, kinds: Sequence[Any]) -> Callable[..., Any] | None:
    """A Python function from object code, or None if a function that it needs is missing."""
    from llvmlite import binding

    libc = ctypes.CDLL(None)
    if not all(hasattr(libc, need) for need in head["needs"]):
        return None
    machine = _machine()
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
    engine.add_object_file(binding.object_file.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address = engine.get_function_address(head["symbol"])
    if not address:
        return None
    _engines.append(engine)
    return _caller(address, head["result"], kinds)


def _caller(address: int, result: str, kinds: Sequence[Any]) -> Callable[..., Any]:
    c_types: dict[str, Any] = {"ptr": ctypes.c_void_p, "i64": ctypes.c_int64}
    c_types |= {llvm: c_type for llvm, c_type, _ in _SCALARS.values()}
    function = ctypes.CFUNCTYPE(ctypes.c_int32, *(c_types[one] for one in _flat(kinds)))(address)
    scalars = tuple(_SCALARS[kind][2] if isinstance(kind, str) else None for kind in kinds)
    made, pointer, reference = _RESULTS[result], ctypes.c_void_p, ctypes.addressof

    def call(*given: Any) -> Any:
        """ctypes releases the GIL during the call."""
        out, failure = (made() if made else pointer()), pointer()
        flat: list[Any] = [reference(out), reference(failure)]
        for value, plain in zip(given, scalars, strict=True):
            if plain is not None:
                flat.append(plain(value))
            else:
                address = value.__array_interface__["data"][0]
                flat += (None, None, value.size, value.itemsize, address, *value.shape, *value.strides)
        status = function(*flat)
        if status:
            raise RuntimeError(f"a kernel failed with status {status}")
        return out.value if made else None

    return call
