"""A build that is ended in the middle.

Each place at which a build changes the host, of which ``faulty.py`` makes the list while one runs, is one to end it at.
"""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Sequence

import pytest

from .conftest import Tried
from .ground import Ground, few, reset, shares

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_SHARES = 8
_A_WHILE_SECONDS = 0.1


def end(ground: Ground, place: str, number: signal.Signals, *, seconds_later: float = 0) -> bool:
    """End a build at a place, or when it has gone on from there for a while; tell whether it came there."""
    stopped = ground.stopped_at(place)
    if stopped is None:
        ground.assert_done()
        return False
    if seconds_later:
        stopped.let_go()
        time.sleep(seconds_later)
    stopped.process.send_signal(number)
    said = stopped.ended()
    code = stopped.process.returncode
    if code == 0:  # it was so near to its end that it came there
        assert number != signal.SIGKILL or seconds_later, place
        ground.assert_done()
    else:
        assert code in (-number, 128 + number), (place, said)
        assert code < 0 or f"interrupted by signal {number}" in said, place
    assert ground.left() == {}, place
    ground.assert_whole()
    return True


def end_at_each(ground: Ground, places: Sequence[str], signals: Sequence[signal.Signals]) -> None:
    """End a build at each place, on what those before it have left."""
    ground.forget()
    reset(ground)
    for place, number in zip(places, itertools.cycle(signals)):
        if not end(ground, place, number):  # what is kept by now saves it the way there
            ground.forget()
            assert end(ground, place, number), place
    ground.assert_next_succeeds()


@pytest.mark.parametrize("share", shares(_SHARES, quick=1))
def test_ended_again_and_again(share: int, ground: Ground, places: Sequence[str], tried: Tried) -> None:
    """A build that is ended, and the next one, and the one after it, each a little later: nothing hinders the last."""
    mine = few(places)[share::_SHARES]
    end_at_each(ground, mine, SIGNALS)
    tried(len(mine))


@pytest.mark.parametrize("share", shares(len(SIGNALS), quick=1))
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_ended_while_a_program_runs(
    number: signal.Signals, share: int, ground: Ground, places: Sequence[str], tried: Tried
) -> None:
    """A build that is ended while dpkg, apt or any other program works for it ends that, too."""
    programs = [place for place in places if place.startswith("os.fork") and "namespaces" not in place]
    # Every program is among the first shares of the signals, too.
    programs = programs[(share + SIGNALS.index(number)) % len(SIGNALS) :: len(SIGNALS)]
    ground.forget()
    reset(ground)
    for place in programs:
        if not end(ground, place, number, seconds_later=_A_WHILE_SECONDS):
            ground.forget()
            assert end(ground, place, number, seconds_later=_A_WHILE_SECONDS), place
    ground.assert_next_succeeds()
    tried(len(programs))


@pytest.mark.thorough
@pytest.mark.parametrize("share", range(_SHARES))
@pytest.mark.parametrize("number", SIGNALS[1:], ids=lambda number: number.name)
def test_interrupted_anywhere(
    number: signal.Signals, share: int, ground: Ground, places: Sequence[str], tried: Tried
) -> None:
    """A build that SIGTERM or SIGINT ends, wherever it changes something, removes what it has half made."""
    mine = places[share::_SHARES]
    end_at_each(ground, mine, [number])
    tried(len(mine))


@pytest.mark.thorough
@pytest.mark.parametrize("share", range(_SHARES))
def test_killed_anywhere(share: int, ground: Ground, warm: Sequence[str], places: Sequence[str], tried: Tried) -> None:
    """A build killed by SIGKILL, wherever it changes something, leaves nothing that runs or is mounted, and the next
    one succeeds and removes the rest.
    """
    mine = places[share::_SHARES]
    for place in mine:
        if place not in warm:
            ground.forget()
        reset(ground)
        assert end(ground, place, signal.SIGKILL), place
        ground.assert_next_succeeds()
    tried(len(mine))


def test_the_earlier_set_stays_until_the_new_one_is_whole(ground: Ground, places: Sequence[str]) -> None:
    """Until everything new is whole and on the disk, the earlier set stays as it was."""
    publishing = [place for place in places if "publish.py" in place]
    for place in publishing:
        if place.startswith(("os.remove", "os.rename")):
            continue
        reset(ground)
        stopped = ground.stopped_at(place)
        assert stopped is not None
        assert (ground.output / "small.yaml").read_bytes() == (ground.top / "earlier/small.yaml").read_bytes(), place
        assert (ground.output / "small.img.gz").read_bytes() == (ground.top / "earlier/small.img.gz").read_bytes()
        stopped.process.kill()
        stopped.ended()
