"""Choices that are remembered."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from fuel_image.archive.choices import Choice, Choices

from .conftest import index, stanza

QUESTION = "0" * 64


def packages(*names: str) -> Choice:
    texts = [
        stanza(name, "1:2~3", Depends="a (>= 1) | b, c", Provides="x (= 2)", Essential="yes", Source="y (1)")
        for name in names
    ]
    chosen = tuple(package for name in names for package in index(2, *texts).named(name))
    return Choice(chosen, ("gone",))


class Asked:
    """Answers, and counts how often it was asked."""

    def __init__(self, *names: str) -> None:
        self.answer = packages(*names)
        self.times = 0

    def __call__(self) -> Choice:
        self.times += 1
        return self.answer


def never() -> Choice:
    raise AssertionError("asked again")


def test_an_answer_is_the_same_when_a_later_build_reads_it(tmp_path: Path) -> None:
    asked = Asked("one", "two")
    first = Choices(tmp_path / "choices").recalled(QUESTION, asked)
    assert Choices(tmp_path / "choices").recalled(QUESTION, never) == first == asked.answer
    assert [path.name for path in (tmp_path / "choices").iterdir()] == [f"3-{QUESTION}.json"]


def test_that_nothing_is_needed_is_an_answer_too(tmp_path: Path) -> None:
    Choices(tmp_path).recalled(QUESTION, Asked())
    assert Choices(tmp_path).recalled(QUESTION, never) == packages()


def test_each_question_has_its_own_answer(tmp_path: Path) -> None:
    choices = Choices(tmp_path)
    one, other = choices.recalled("1" * 64, Asked("one")), choices.recalled("2" * 64, Asked("two"))
    assert [one, other] == [packages("one"), packages("two")]
    assert choices.recalled("1" * 64, never) == one


def test_a_build_without_cache_asks_once_and_keeps_the_answer_for_the_next(tmp_path: Path) -> None:
    Choices(tmp_path).recalled(QUESTION, Asked("old"))
    choices, asked = Choices(tmp_path, use=False), Asked("new")
    assert choices.recalled(QUESTION, asked) == choices.recalled(QUESTION, asked) == packages("new")
    assert asked.times == 1
    assert Choices(tmp_path).recalled(QUESTION, never) == packages("new")


@pytest.mark.parametrize(
    "damaged",
    [
        *(b"", b"[{", b"\xff", b"null", b"{}", b"7", b"[]", b'{"packages": 7, "removed": []}'),
        *(
            b'{"packages": [%b], "removed": []}' % one
            for one in (b'"x"', b"[]", b"{}", b'{"depends": 7, "provides": []}')
        ),
        b'{"packages": [], "removed": [1]}',
    ],
)
def test_a_damaged_answer_is_made_anew_and_said_so(
    damaged: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / f"3-{QUESTION}.json").write_bytes(damaged)
    assert Choices(tmp_path).recalled(QUESTION, Asked("one")) == packages("one")
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert Choices(tmp_path).recalled(QUESTION, never) == packages("one")


def test_an_answer_that_a_version_with_other_fields_kept_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / f"3-{QUESTION}.json"
    Choices(tmp_path).recalled(QUESTION, Asked("one"))
    path.write_text(path.read_text().replace('"source"', '"origin"'))
    assert Choices(tmp_path).recalled(QUESTION, Asked("one")) == packages("one")


def test_a_question_that_fails_is_not_answered(tmp_path: Path) -> None:
    choices = Choices(tmp_path)
    with pytest.raises(AssertionError):
        choices.recalled(QUESTION, never)
    assert list(tmp_path.iterdir()) == []
    assert choices.recalled(QUESTION, Asked("one")) == packages("one")
