"""Average the networks that a run kept on its way (stochastic weight averaging, Izmailov et al. 2018; Cha et al. 2021 for unseen domains).

    python training/embedded_depth/average.py training/runs/a --from 80000 --early 18089 --share 0.35 --out training/runs/a/average.pt
    python training/embedded_depth/average.py training/runs/b --begin training/runs/shipped.pt --share 0.5 --out training/runs/b/average.pt

Takes the kept means of at least so many samples and the last one; of an early one, or of the weights that the run began from, if asked, a share:
what was learnt later without all that was forgotten (Wortsman et al. 2022). Networks trained apart have no average; those of one run have.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch


def average(states: list[dict]) -> dict[str, torch.Tensor]:
    """The mean of state dicts, entry by entry; counts are those of the last."""
    mean = dict(states[-1])
    for name, value in mean.items():
        if value.dtype.is_floating_point:
            mean[name] = torch.stack([s[name].double() for s in states]).mean(0).to(value.dtype)
    return mean


def blended(first: dict, second: dict, share: float) -> dict[str, torch.Tensor]:
    """`share` of the first state dict and the rest of the second."""
    return {name: torch.lerp(v, first[name], share) if v.dtype.is_floating_point else v for name, v in second.items()}


def main(argv=None) -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("run", type=Path)
    a.add_argument("--from", dest="least", type=int, default=0, help="samples after which a kept mean counts")
    a.add_argument("--early", type=int, help="samples of an early mean that gets its own share")
    a.add_argument(
        "--begin", type=Path, help="weights that the run began from (its --start), which get their own share"
    )
    a.add_argument("--share", type=float, default=0.35, help="of the early ones or of those")
    a.add_argument("--out", type=Path, required=True)
    o = a.parse_args(argv)
    last = torch.load(o.run / "last.pt", map_location="cpu", weights_only=False)
    kept = [torch.load(path, map_location="cpu", weights_only=False) for path in sorted(o.run.glob("mean_*.pt"))]
    taken = [k for k in kept if k["seen"] >= o.least and k["step"] < last["step"]] + [last]
    last["mean"] = average([k["mean"] for k in taken])
    last["averaged"] = [k["seen"] for k in taken]
    if o.early is not None:
        [early] = [k for k in kept if k["seen"] == o.early]
        last["mean"] = blended(early["mean"], last["mean"], o.share)
        last["early"] = {"samples": o.early, "share": o.share}
    if o.begin is not None:
        begin = torch.load(o.begin, map_location="cpu", weights_only=False)
        last["mean"] = blended(begin["mean"], last["mean"], o.share)
        last["begin"] = {"share": o.share}
    torch.save(last, o.out)
    print(f"{len(taken)} networks, of {', '.join(str(k['seen']) for k in taken)} samples")


if __name__ == "__main__":
    main()
