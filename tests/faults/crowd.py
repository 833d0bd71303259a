"""A worker process under a watchdog: a hang is killed and named, a crash is noticed, the next case gets a new one."""

import multiprocessing
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.faults import worker

ROOT = Path(__file__).resolve().parents[2]
_PATIENCE = 8  # times the limit, for a case that works on


@cache
def _processes() -> Any:
    """Begins processes: as forks of one that has imported the program already, where the system can."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", worker.__name__])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # not Numba's: kernels would be compiled anew
            patch.setenv(name, "1")
        forkserver.ensure_running()
    return context


def _cpu_s(pid: int) -> float:
    """Processor time that a process has used so far, where the system tells."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Worker:
    """Runs cases one after another. One without progress for `timeout_s` counts as hanging; slowness does not."""

    def __init__(self, temporary: Path, *, timeout_s: float = 90, real: bool = False) -> None:
        self.temporary, self.timeout_s, self.real = temporary, timeout_s, real
        temporary.mkdir(parents=True, exist_ok=True)
        self._process: Any = None
        self._cases: Any = None

    def begin(self, source: Path, output: Path, **flags: Any) -> None:
        """Starts a case; `answer` waits for its end, `close` kills it (SIGKILL)."""
        if self._process is None:
            processes = _processes()
            self._cases, theirs = processes.Pipe()
            given = theirs, str(self.temporary), self.real
            self._process = processes.Process(target=worker.work, args=given, daemon=True)
            self._process.start()
            theirs.close()  # so that the end of the process ends the connection
        self._cases.send((str(source), str(output), flags))

    def run(self, source: Path, output: Path, **flags: Any) -> dict[str, Any]:
        """How the case ended: done, refused, crashed, killed by a signal, or hung."""
        self.begin(source, output, **flags)
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """How the case that was begun ended."""
        for _ in range(_PATIENCE):
            before = _cpu_s(self._process.pid)
            if self._cases.poll(self.timeout_s):
                return self._received()
            if _cpu_s(self._process.pid) - before < 1:
                break
        self.close()
        return {"ended": "hung", "message": f"no answer in {self.timeout_s:g} s", "threads": 0, "files": 0}

    def _received(self) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self._cases.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            code = self._process.exitcode
            self.close()
            return {"ended": "killed", "message": f"exit code {code}", "threads": 0, "files": 0}
        return answer

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
            self._cases.close()
            self._process = None
