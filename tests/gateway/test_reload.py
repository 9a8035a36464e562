"""What differs is found key by key; what cannot be taken is left as it was; a file with faults changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from gateway.errors import ConfigError
from gateway.reload import Part, Reload, Report, changed, merged


class Inner(BaseModel):
    model_config = ConfigDict(frozen=True)

    rate: int = 1
    names: tuple[str, ...] = ()


class Tree(BaseModel):
    model_config = ConfigDict(frozen=True)

    level: str = "INFO"
    door: Inner = Inner()
    desk: Inner = Inner()


inners = st.builds(Inner, rate=st.integers(0, 2), names=st.lists(st.sampled_from("ab")).map(tuple))
trees = st.builds(Tree, level=st.sampled_from(["INFO", "DEBUG"]), door=inners, desk=inners)


@given(trees, trees, st.data())
def test_merging_takes_exactly_the_keys_it_is_given(before: Tree, after: Tree, data: st.DataObject) -> None:
    keys = set(changed(before, after))
    assert (not keys) == (before == after)
    assert merged(before, after, keys) == after
    some = data.draw(st.sets(st.sampled_from(sorted(keys)))) if keys else set()
    half = merged(before, after, some)
    assert set(changed(before, half)) == some
    assert set(changed(half, after)) == keys - some


class Gateway:
    """Parts that take `level` and `door`, and may not like what they get."""

    def __init__(self) -> None:
        self.file: Tree | ConfigError = Tree()
        self.taken: list[Tree] = []
        self.told: list[Report] = []
        parts = [
            Part(("level",), self.take),
            Part(("door",), self.door, lambda _, after: after.door.rate != 7),
        ]
        self.reload = Reload(Tree(), self.read, parts, self.hear)

    def read(self) -> Tree:
        if isinstance(self.file, ConfigError):
            raise self.file
        return self.file

    async def take(self, tree: Tree) -> None:
        self.taken.append(tree)

    async def door(self, tree: Tree) -> None:
        self.taken.append(tree)
        if tree.door.rate == 9:
            raise ConfigError(["door.rate: 9 cannot be had"])

    async def hear(self, report: Report) -> None:
        self.told.append(report)


async def test_each_part_gets_its_own_keys_and_the_rest_is_named() -> None:
    it = Gateway()
    it.file = Tree(level="DEBUG", door=Inner(rate=2), desk=Inner(rate=3))
    report = await it.reload.reload()
    assert report == Report(["level", "door.rate"], ["desk.rate"], [])
    assert it.taken == [Tree(level="DEBUG"), Tree(level="DEBUG", door=Inner(rate=2))]
    assert it.told == [report]
    assert await it.reload.reload() == Report([], ["desk.rate"], []), "it still waits for a restart"


async def test_nothing_new_is_said_so() -> None:
    it = Gateway()
    assert (await it.reload.reload()).lines() == ["nothing has changed"]
    assert it.taken == []


async def test_a_part_that_fails_goes_back_and_the_others_go_on() -> None:
    it = Gateway()
    it.file = Tree(level="DEBUG", door=Inner(rate=9, names=("a",)))
    report = await it.reload.reload()
    assert report == Report(["level"], [], ["door.rate: 9 cannot be had"])
    assert it.taken[-1] == it.reload.running == Tree(level="DEBUG")
    it.file = Tree(level="DEBUG", door=Inner(rate=2))
    assert (await it.reload.reload()).applied == ["door.rate"]


async def test_what_may_not_change_this_once_waits_for_a_restart() -> None:
    it = Gateway()
    it.file = Tree(door=Inner(rate=7))
    assert await it.reload.reload() == Report([], ["door.rate"], [])


async def test_a_file_with_faults_changes_nothing() -> None:
    it = Gateway()
    it.file = ConfigError(["config.toml:3: level: no such level", "config.toml:9: door: unknown key"])
    with pytest.raises(ConfigError) as caught:
        await it.reload.reload()
    assert len(caught.value.faults) == 2
    assert (it.taken, it.told, it.reload.running) == ([], [], Tree())
