"""The benchmark: every pipeline in turn, again and again, and the report.

Owns the arguments, the order of the runs and what is written where. ``make bench`` installs what it needs first.
"""

from __future__ import annotations

import argparse
import datetime
import json
import logging
import os
import platform
import sys
from pathlib import Path
from typing import Any

from bench import emission, ours, pipelines, together, whole_disks, workload
from bench.chart import chart
from bench.measure import Failed
from bench.page import page
from bench.report import summaries
from bench.scenario import Place, Scenario

LOG = logging.getLogger("bench")
CHECKOUT = Path(__file__).resolve().parent.parent
ROUNDS = 3


def main() -> int:
    """Run the benchmark and return its exit code."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    directory = options.directory.absolute()
    file = directory / ("results-of-some.json" if options.only else "results.json")
    if not options.redraw:
        place = Place(CHECKOUT, directory, workload.learned())
        _run(place, options.rounds, options.only, file)
    results = json.loads(file.read_text(encoding="utf-8"))
    if options.remark:
        results["remarks"] += options.remark
        file.write_text(json.dumps(results, indent=1), encoding="utf-8")
    text = page(results)
    print(text)
    if results["only"]:
        LOG.info("not all was run: docs/ stays as it is")
    else:
        docs = CHECKOUT / "docs"
        docs.mkdir(exist_ok=True)
        (docs / "speed.rst").write_text(text, encoding="utf-8")
        (docs / "speed.svg").write_text(chart(summaries(results)), encoding="utf-8")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Compare fuel-image with its peers.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help="how often (%(default)s)")
    parser.add_argument("--only", default="", metavar="NAME,NAME", help="run these alone, and write no documentation")
    parser.add_argument("--redraw", action="store_true", help="write the report of the last results again")
    parser.add_argument("--remark", action="append", metavar="TEXT", help="keep TEXT with the results, for the report")
    parser.add_argument("--directory", type=Path, default=CHECKOUT / ".bench", metavar="DIR", help="where all is made")
    return parser.parse_args()


def _scenarios(place: Place, only: str) -> list[Scenario]:
    every = [module.scenarios(place) for module in (pipelines, ours, emission, whole_disks, together)]
    scenarios = [scenario for some in every for scenario in some]
    wanted = [name.strip() for name in only.split(",") if name.strip()]
    unknown = set(wanted) - {scenario.name for scenario in scenarios}
    if unknown:
        names = ", ".join(scenario.name for scenario in scenarios)
        sys.exit(f"no such pipeline: {', '.join(sorted(unknown))}; there are {names}")
    return [scenario for scenario in scenarios if not wanted or scenario.name in wanted]


def _run(place: Place, rounds: int, only: str, file: Path) -> None:
    """Run all in turn and keep what is known after every run: who interrupts loses nothing."""
    scenarios = _scenarios(place, only)
    results: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "rounds": rounds,
        "only": only,
        "machine": _machine(),
        "versions": pipelines.versions(place),
        "runs": [],
        "failures": [],
        "remarks": [],
    }
    ready = [scenario for scenario in scenarios if _prepared(scenario, results)]
    for number in range(1, rounds + 1):
        for scenario in ready:
            if scenario.once and number > 1:
                continue
            LOG.info("round %d of %d: %s ...", number, rounds, scenario.name)
            _measure(scenario, number, results)
            file.write_text(json.dumps(results, indent=1), encoding="utf-8")


def _prepared(scenario: Scenario, results: dict[str, Any]) -> bool:
    LOG.info("preparing: %s ...", scenario.name)
    try:
        scenario.prepare()
    except (Failed, OSError) as error:
        _note_failure(scenario, error, results)
        return False
    return True


def _measure(scenario: Scenario, number: int, results: dict[str, Any]) -> None:
    os.sync()  # what the one before left to be written must not slow down this one
    try:
        run = scenario.run()
    except (Failed, OSError) as error:
        _note_failure(scenario, error, results)
        return
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in run.stages)
    LOG.info("  %.1f s (%s) %s", run.seconds, stages, json.dumps(run.facts))
    results["runs"].append(
        {"name": scenario.name, "round": number, "seconds": run.seconds, "stages": run.stages, "facts": run.facts}
    )


def _note_failure(scenario: Scenario, error: Exception, results: dict[str, Any]) -> None:
    LOG.error("%s failed: %s", scenario.name, error)
    # The report is public: it gets the name of the stage, not what the machine said.
    message = str(error).splitlines()[0] if isinstance(error, Failed) else type(error).__name__
    results["failures"].append({"name": scenario.name, "message": message})


def _machine() -> dict[str, str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory / 1e9:.0f} GB",
        "kernel": platform.release(),
        "Python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(main())
