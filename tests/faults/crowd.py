"""A worker process under a watchdog: a hang is killed and named, a crash is noticed, the next case gets a new one."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_PATIENCE = 8  # times the limit, for a case that works on


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
        self._process: subprocess.Popen[str] | None = None

    def _spawn(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            threads = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            environment = {**os.environ, **threads, "TMPDIR": str(self.temporary)}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.worker", *(["--real"] if self.real else [])],
                cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                env=environment,
            )  # fmt: skip
        return self._process

    def begin(self, source: Path, output: Path, **flags: Any) -> subprocess.Popen[str]:
        """Starts a case; `answer` waits for its end, `close` kills it (SIGKILL)."""
        process = self._spawn()
        assert process.stdin is not None
        process.stdin.write(json.dumps({"source": str(source), "output": str(output), "flags": flags}) + "\n")
        process.stdin.flush()
        return process

    def run(self, source: Path, output: Path, **flags: Any) -> dict[str, Any]:
        """How the case ended: done, refused, crashed, killed by a signal, or hung."""
        self.begin(source, output, **flags)
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """How the case that was begun ended."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        lines: list[str] = []
        reader = threading.Thread(target=lambda: lines.append(process.stdout.readline()), daemon=True)
        reader.start()
        for _ in range(_PATIENCE):
            before = _cpu_s(process.pid)
            reader.join(self.timeout_s)
            if not reader.is_alive() or _cpu_s(process.pid) - before < 1:
                break
        if reader.is_alive():
            process.kill()
            reader.join()
            self.close()
            return {"ended": "hung", "message": f"no answer in {self.timeout_s:g} s", "threads": 0, "files": 0}
        (line,) = lines
        if not line:
            code = process.wait()
            self.close()
            return {"ended": "killed", "message": f"exit code {code}", "threads": 0, "files": 0}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process = None
