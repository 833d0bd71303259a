"""`python -m bench NAME ...` runs bench/NAME.py; without a name it lists them."""

import sys
from importlib import import_module
from pathlib import Path


def main() -> int:
    names = sorted(
        p.stem
        for p in Path(__file__).parent.glob("*.py")
        if not p.stem.startswith("_") and "def main(" in p.read_text("utf-8")
    )
    if len(sys.argv) < 2 or sys.argv[1] not in names:
        print(f"usage: python -m bench {{{','.join(names)}}} [options]", file=sys.stderr)
        return 2
    return int(import_module(f"bench.{sys.argv[1]}").main(sys.argv[2:]) or 0)


if __name__ == "__main__":
    sys.exit(main())
