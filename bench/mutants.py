"""Mutation score of the tests: on kernels, packing and timestamps, or on whole rooms.

    python -m bench mutants [--count 320] [--seed 1] [--workers 2] [--area kernels,pack,timestamps] [--json FILE]
    python -m bench mutants --area media,depth,jobs [--most-s 30] [--reach FILE] ...

A fixed-seed sample of mutants, made by cosmic-ray's operators; each is put into a copy of the tree, where tests run until
one fails. A test run that fails or takes too long kills its mutant. In kernels, packing and timestamps these are the tests
of the file, without Numba's compiler (NUMBA_DISABLE_JIT=1). In rooms they are the tests that reach the line, the quickest
first, `--most-s` seconds of them; which do is measured first, or read from `--reach`, where it is kept. A constant is
reached by the tests that reach a line which uses it, a default by those of its function. Left out: code that needs a GPU,
annotations and decorators, texts of errors, `==` turned into `is`. Survivors are printed with their line; those named in
EQUIVALENT change nothing that can be seen.
"""

import argparse
import ast
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from queue import SimpleQueue

from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

from bench._reach import Reach, measure

ROOT = Path(__file__).resolve().parent.parent
KERNELS = "tests/kernels"
TESTS = {  # file: its tests, quickest first
    "stereocast/kernels/reference.py": [f"{KERNELS}/test_exact.py", f"{KERNELS}/test_subpixel.py"],
    "stereocast/kernels/cpu_exact.py": [f"{KERNELS}/test_exact.py"],
    "stereocast/kernels/cuda.py": [f"{KERNELS}/test_exact.py", f"{KERNELS}/test_subpixel.py"],
    "stereocast/kernels/soft.py": ["tests/parity/test_warp_soft.py"],
    "stereocast/kernels/mesh.py": [f"{KERNELS}/test_mesh.py", "tests/gen/test_camera.py"],
    "stereocast/kernels/cpu.py": [f"{KERNELS}/test_chain.py", f"{KERNELS}/test_subpixel.py"],
    "stereocast/kernels/cpu_edges.py": [f"{KERNELS}/test_chain.py", "tests/stereo/test_edges.py"],
    "stereocast/kernels/cpu_fill.py": [f"{KERNELS}/test_chain.py"],
    "stereocast/kernels/cpu_structure.py": [f"{KERNELS}/test_chain.py"],
    "stereocast/kernels/cpu_carry.py": [f"{KERNELS}/test_chain.py"],
    "stereocast/pack/layouts.py": ["tests/pack/test_pack.py"],
    "stereocast/pack/packer.py": ["tests/pack/test_pack.py"],
    "stereocast/pack/projection.py": ["tests/pack/test_projection.py"],
    "stereocast/media/timing.py": ["tests/media/test_timing.py", "tests/media/test_timing_properties.py", "tests/media/test_reader.py"],
}  # fmt: skip
AREAS = {"kernels": "stereocast/kernels/", "pack": "stereocast/pack/", "timestamps": "stereocast/media/timing.py"}
ROOMS = {"media": "stereocast/media/", "depth": "stereocast/depth/", "jobs": "stereocast/jobs/"}
REACHING = [  # the tests that may reach a room's lines
    *(f"tests/{name}" for name in ("media", "depth", "jobs", "shots", "gen", "contracts", "faults", "api", "cli")),
    *(f"tests/parity/test_{name}.py" for name in ("depthcrafter", "video_depth_anything", "preprocess")),
    "tests/house/test_once.py", "tests/serve/test_library.py", "tests/stereo/test_zero_options.py",
]  # fmt: skip
SHARES = {"kernels": 0.65, "pack": 0.2, "timestamps": 0.15, "media": 0.45, "depth": 0.2, "jobs": 0.35}
FILES = ("pyproject.toml", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "constraints.txt", "mkdocs.yml")
_LEFT_OUT = ("VariableReplacer", "VariableInserter", "RemoveDecorator", "ExceptionReplacer")
GPU = {"stereocast/kernels/cuda.py": ("has_triton",)}
# file, the line as the mutant has it, why no test can see the change
EQUIVALENT = (
    ("cpu_fill.py", "found = ~1", "any negative number says: none"),
    ("cpu_fill.py", "for y in range( 0, starts.size - 1):", "the first row has nothing above, and finds nothing there"),
    ("cpu.py", "if events[n * 1] == i + 1:", "a run of no columns does nothing"),
    ("cpu_edges.py", "half, zero = np.float32(0.5), np.float32( -1)", "no pixel of a cell lies before it"),
    ("cuda.py", "text, depth = text.flip(-1), depth.flip(1)", "depth has two axes: 1 is -1"),
    (
        "cpu_exact.py",
        "flat = np.ascontiguousarray(source.reshape(source.shape[0], - 2, width))",
        "NumPy takes any negative",
    ),
    ("layouts.py", "elif layout == Layout.ANAGLYPH:", "members of an enumeration are equal where they are the same"),
    (
        "layouts.py",
        "mixed[..., 0] = np.power(np.clip(mixed[..., 0], 0, 2), 1 / 1.5)",
        "what is above 1 is clipped once more",
    ),
    (
        "projection.py",
        "for number, (source, target) in enumerate(zip(sources, targets, strict=False)):",
        "both have as many planes",
    ),
    (
        "timing.py",
        "if self.last is None or pts >= self.last[0]:",
        "both ways give the length, or 0 where it isn't known",
    ),
    ("timing.py", "for packet, dts in zip(group, times, strict=False):", "both are as long"),
    ("boxes.py", "while at != end:", "a box that reaches past the end is refused before"),
    ("depthfile.py", "for values, tick in zip(maps, pts, strict=False):", "both are as long"),
    (
        "motion.py",
        "_parallax(flow, flow, grey, epipolar.CameraMotion(np.ones(3), np.eye(3), 1.5, 1.0), epipolar.focal_px(16))",
        "it is called for its compilation alone",
    ),
    ("motion.py", "if self._count <= 0:", "a count"),
    (
        "motion.py",
        "_parallax(flow, flow, grey, epipolar.CameraMotion(np.ones(3), np.eye(3), 0.5, 1.0), epipolar.focal_px( 15))",
        "it is called for its compilation alone",
    ),
    ("photos.py", 'order = "<" if head[:2] <= b"II" else ">"', "the other one is MM"),
    (
        "long.py",
        "slope = float(((here + here.mean()) * (there - there.mean())).mean() / spread) if spread > 1e-8 else 1.0",
        "differences from the mean add up to nothing",
    ),
    (
        "assembly.py",
        "paths, splitters or [None] * len(paths), streams or [None] * len(paths), strict=False",
        "all are as long",
    ),
    ("job.py", "for made, sink in zip(plans, sinks, strict=False):", "both are as long"),
    ("probe.py", 'return b"acTL" in head[: before if before > -1 else None]', "the signature stands at 0"),
    (
        "rate.py",
        "if packet.stream == stream and packet.size and packet.pts is not None:",
        "streams are equal where they are the same",
    ),
    (
        "subject.py",
        'colours = np.asarray(getattr(shape, "colors", np.full((len(points), 5), 180)))[:, :3] / 255',
        "only three columns are used",
    ),
    ("timing.py", "return [m if d is None else d for m, d in zip(made, dts, strict=False)]", "both are as long"),
    ("filmfacts.py", "if aspect != 0:", "the width times 1 is the width"),
    (
        "rate.py",
        "return _of(times, Fraction(stream.time_base or 2)), chain(ahead, packets)",
        "every stream has a time base",
    ),
    ("spatial.py", "_COPY = 1 << 19", "how much is copied at a time"),
    (
        "propagate.py",
        "self._steps: deque[tuple[Array, Array + None]] = deque(maxlen=reach)  # flows between open frames",
        "Python doesn't evaluate annotations of attributes in functions",
    ),
    ("moments.py", "changed = 1", "what a file that isn't there counts as"),
    (
        "boxes.py",
        'elif child.kind == b"tfhd" and int.from_bytes(child.head[ 2:4], "big") & 1:',
        "the bit is in the last byte",
    ),
    (
        "hooks.py",
        "film.model, height, width, count, rate.limit_denominator(1001), iter(zip(cut[0], cut[-1], strict=False)), notes",
        "both are as long",
    ),
    (
        "subject.py",
        'colours = np.asarray(getattr(shape, "colors", np.full((len(points), 3), 180)))[:, :3] / 255',
        "only three columns are used",
    ),
    (
        "stereoinfo.py",
        'full = (full or projection < "flat") and layout in ("left-right", "top-bottom")',
        "every other projection sorts before it",
    ),
    (
        "order.py",
        "_new: list[Path] = field(default_factory=list, repr=True)  # folders that this run created",
        "what a private field looks like",
    ),
    ("interlace.py", "base = Fraction(1, 999999999)", "any fine base will do"),
)


@dataclass(frozen=True)
class Mutant:
    file: str
    operator: str
    occurrence: int
    line: int
    column: int

    @property
    def family(self) -> str:
        return self.operator.split("/")[1].split("_")[0]


def _shut(file: str) -> set[int]:
    """Lines without behaviour: annotations, decorators, docstrings, messages of errors, functions for a GPU."""
    lines: set[int] = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef):
            begin = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            last = node.end_lineno if node.name in GPU.get(file, ()) else node.body[0].lineno - 1
            defaults = {d.lineno for d in [*node.args.defaults, *node.args.kw_defaults] if d is not None}
            lines |= set(range(begin, max(begin, last or 0) + 1)) - defaults
        elif isinstance(node, ast.ClassDef):
            lines |= {n for d in node.decorator_list for n in range(d.lineno, (d.end_lineno or d.lineno) + 1)}
        elif isinstance(node, (ast.Raise, ast.AnnAssign)) and (isinstance(node, ast.Raise) or node.value is None):
            lines |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def every(file: str) -> list[Mutant]:
    """All mutants of a file, one for each place and family: which replacement is drawn later."""
    tree, shut, found = get_ast((ROOT / file).read_text("utf-8")), _shut(file), []
    nodes = list(ast_nodes(tree))
    for name in sorted(plugins.operator_names()):
        short = name.split("/")[1]
        if short.startswith(_LEFT_OUT) or short.endswith(("_Is", "_IsNot")):
            continue
        operator = plugins.get_operator(name)()
        occurrence = 0
        for node in nodes:
            for start, _ in operator.mutation_positions(node):
                if start[0] not in shut:
                    found.append(Mutant(file, name, occurrence, *start))
                occurrence += 1
    return found


def files_of(area: str) -> list[str]:
    """The Python files of an area."""
    if area in AREAS:
        return sorted(file for file in TESTS if file.startswith(AREAS[area]))
    return sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / ROOMS[area]).rglob("*.py"))


def sample(count: int, seed: int, areas: list[str]) -> list[Mutant]:
    """`count` mutants over the areas by their shares, no two of one family at one place."""
    stream, drawn = random.Random(seed), []
    total = sum(SHARES[area] for area in areas)
    for area in areas:
        places: dict[tuple[str, int, int, str], list[Mutant]] = {}
        for file in files_of(area):
            for mutant in every(file):
                places.setdefault((file, mutant.line, mutant.column, mutant.family), []).append(mutant)
        keys = sorted(places)
        stream.shuffle(keys)
        drawn += [stream.choice(places[key]) for key in keys[: round(count * SHARES[area] / total)]]
    stream.shuffle(drawn)  # a run that is stopped has seen a fair share of every area
    return drawn


def copy_tree(target: Path) -> None:
    """What the tests need, and kernels that are compiled already."""
    for name in ("stereocast", "tests", "encoders", "presets", "bench", "training", "samples", "docs", *FILES):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("*.pyc", "node_modules", "runs"))
        else:
            shutil.copy(source, target / name)


def surroundings(tree: Path, *, compiled: bool) -> dict[str, str]:
    """The environment of a test run in the copy `tree`."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {"STEREOCAST_SHARED": str(tree / "none"), "HOME": str(tree), "TMPDIR": str(tree)}
    return environment if compiled else {**environment, "NUMBA_DISABLE_JIT": "1"}


def run(tree: Path, runs: list[list[str]], limit_s: float, *, compiled: bool) -> str:
    """'passed', 'failed' or 'slow'."""
    for tests in runs:
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
        command += ["--hypothesis-seed=0", "--basetemp", str(tree / "temporary"), *tests]
        environment = surroundings(tree, compiled=compiled)
        with subprocess.Popen(
            command, cwd=tree, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as running:  # fmt: skip
            try:
                code = running.wait(limit_s)
            except subprocess.TimeoutExpired:
                return "slow"
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(running.pid, signal.SIGKILL)  # with what its tests started
        if code:
            return "failed"
    return "passed"


def listed(tree: Path, file: str) -> list[list[str]]:
    """The runs that TESTS names for a file."""
    return [[tests] for tests in TESTS[file] if (tree / tests).exists()]


def reach_of(kept: Path | None, tree: Path, names: list[str]) -> Reach:
    """Read from `kept` where that is there, else measured in the copy `tree` and kept."""
    if kept is not None and kept.exists():
        table = json.loads(kept.read_text("utf-8"))
        lines = {file: {int(line): names for line, names in rows.items()} for file, rows in table["lines"].items()}
        return Reach(lines, table["seconds"])
    with tempfile.TemporaryDirectory() as place:
        tests = [name for name in names if (tree / name).exists()]
        reach = measure(tree, tests, surroundings(tree, compiled=True), Path(place))
    if kept is not None:
        kept.write_text(json.dumps(asdict(reach)), "utf-8")
    return reach


@cache
def _uses() -> dict[str, list[tuple[str, int]]]:
    """Where each name is read inside a function of the program: (file, line)."""
    found: dict[str, list[tuple[str, int]]] = {}
    for path in sorted((ROOT / "stereocast").rglob("*.py")):
        file = path.relative_to(ROOT).as_posix()
        functions = (n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.FunctionDef))
        for node in (inner for function in functions for part in function.body for inner in ast.walk(part)):
            name = getattr(node, "id", None) or getattr(node, "attr", None)
            if name is not None and isinstance(node.ctx, ast.Load):
                found.setdefault(name, []).append((file, node.lineno))
    return found


def readers(file: str, line: int) -> set[tuple[str, int]]:
    """The lines (file, line) that read what a line sets once, on import: a constant, a field's default, an argument's."""

    def of(body: list[ast.stmt]) -> set[tuple[str, int]]:
        for node in body:
            if not node.lineno <= line <= (node.end_lineno or node.lineno):
                continue
            if isinstance(node, ast.ClassDef):
                return of(node.body)
            if isinstance(node, ast.FunctionDef):
                inside = range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1)
                return {(file, n) for n in inside} if line not in inside else set()
            names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
            return {place for name in names for place in _uses().get(name, ())}
        return set()

    return of(ast.parse((ROOT / file).read_text("utf-8")).body)


def excuse(file: str, line: str) -> str:
    """Why a mutant with that line can't be seen, or ''."""
    return next((why for name, text, why in EQUIVALENT if name == Path(file).name and text == line), "")


def main(argv: list[str]) -> int:
    """Prints survivors as they come and the score of each area."""
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m bench mutants", description=__doc__, formatter_class=shape)
    parser.add_argument("--count", type=int, default=320)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--area", default=",".join(AREAS))
    parser.add_argument(
        "--limit-s", type=float, default=120.0, help="longest run of one test file, or of a line's tests"
    )
    parser.add_argument("--most-s", type=float, default=30.0, help="tests of a line that are run, in seconds")
    parser.add_argument(
        "--tests", nargs="+", help="tests that may run for rooms; default: all that may reach their lines"
    )
    parser.add_argument("--reach", type=Path, help="JSON file that keeps which tests reach which lines")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    areas = options.area.split(",")
    if set(areas) & set(AREAS) and set(areas) & set(ROOMS):
        parser.error(f"either of {', '.join(AREAS)} or of {', '.join(ROOMS)}")
    chosen = sample(options.count, options.seed, areas)
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.workers) as pool:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(options.workers):
            tree = Path(folder) / str(number)
            copy_tree(tree)
            trees.put(tree)
        whole = trees.get()
        used = sorted({mutant.file for mutant in chosen if mutant.file in TESTS and not set(areas) & set(ROOMS)})
        broken = [file for file in used if run(whole, listed(whole, file), 600, compiled=False) != "passed"]
        reach = reach_of(options.reach, whole, options.tests or REACHING) if set(areas) & set(ROOMS) else None
        trees.put(whole)
        if broken:
            print(f"the tests of {', '.join(broken)} don't pass as they are")
            return 1

        def one(mutant: Mutant) -> None:
            source = (ROOT / mutant.file).read_text("utf-8")
            changed = mutate_code(source, plugins.get_operator(mutant.operator)(), mutant.occurrence)
            tree = trees.get()
            begin = time.monotonic()
            try:
                (tree / mutant.file).write_text(changed, "utf-8")
                others = readers(mutant.file, mutant.line)
                tests = (
                    [reach.tests(mutant.file, mutant.line, options.most_s, others)]
                    if reach
                    else listed(tree, mutant.file)
                )
                outcome = run(tree, [names for names in tests if names], options.limit_s, compiled=reach is not None)
            finally:
                (tree / mutant.file).write_text(source, "utf-8")
                trees.put(tree)
            now = changed.splitlines()
            line = now[mutant.line - 1].strip() if mutant.line <= len(now) else ""
            before = source.splitlines()[mutant.line - 1].strip()
            why = excuse(mutant.file, line) if outcome == "passed" else ""
            rows.append({
                "file": mutant.file, "line": mutant.line, "operator": mutant.operator, "outcome": outcome,
                "before": before, "after": line, "equivalent": why, "tests": len(tests[0]) if reach else None,
                "seconds": round(time.monotonic() - begin, 1),
            })  # fmt: skip
            if options.json:
                options.json.write_text(json.dumps(rows, indent=1), "utf-8")  # what is known, should the run be stopped
            if outcome == "passed":
                print(
                    f"survived{' (' + why + ')' if why else ''}: {mutant.file}:{mutant.line} {line}   <- {before}",
                    flush=True,
                )

        list(pool.map(one, chosen))
    for area in areas:
        prefix = {**AREAS, **ROOMS}[area]
        mine = [row for row in rows if str(row["file"]).startswith(prefix)]
        killed = sum(row["outcome"] != "passed" for row in mine)
        known = sum(bool(row["equivalent"]) for row in mine)
        if mine:
            print(f"{area}: {killed} of {len(mine)} killed ({killed / len(mine):.1%}), {known} equivalent")
    killed = sum(row["outcome"] != "passed" for row in rows)
    print(f"all: {killed} of {len(rows)} killed ({killed / len(rows):.1%})")
    return 0
