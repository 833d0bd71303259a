"""Options of version 0.1 that are gone or renamed: accepted until 0.3, each with a warning that says what to do."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

log = logging.getLogger(__name__)

GONE: Mapping[str, frozenset[str]] = {  # job: options that it took in 0.1 and never used
    "gen": frozenset(
        (
            *(
                "audio",
                "border",
                "crop",
                "depth_out",
                "disparity",
                "duration",
                "edge_dilation",
                "end",
                "engine",
                "fill",
            ),
            *("full_view", "ray_address", "resume", "start", "subs", "synth", "tonemap", "window_guard", "workers"),
            *("zero_levels", "zero_overlap", "zero_window"),
        )
    ),
    "serve": frozenset({"engine", "ray_address", "workers"}),
}


def without_retired(job: str, given: Mapping[str, Any], spelled: Callable[[str], str]) -> dict[str, Any]:
    """`given` without the options that `job` no longer has; `spelled` says how the warnings name an option."""
    gone = GONE.get(job, frozenset())
    for name in given:
        if name in gone:
            log.warning("%s: %s never used this option; it will be refused from version 0.3", spelled(name), job)
    kept = {name: value for name, value in given.items() if name not in gone}
    if str(kept.get("quality")).isdigit():
        log.warning("%s %s: numbers have moved to %s", spelled("quality"), kept["quality"], spelled("crf"))
    return kept
