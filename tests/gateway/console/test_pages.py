"""What the pages show, in both languages and to whom; and that no name, however hostile, becomes markup."""

from __future__ import annotations

import re

import pytest

from gateway.console.sheet import POLICY
from tests.gateway.api.gate import Gate
from tests.gateway.console.visitor import Visitor, open_cover, visitor

HOSTILE = "<img src=x onerror=alert(1)>\"'&{{7*7}}"


@pytest.mark.parametrize(
    ("language", "html", "said"),
    [
        ("en", "en", ("Overview", "Due soon", "Timeline", "Cover is open or missing", "above the limit")),
        (
            "zh",
            "zh-CN",
            ("总览", "即将超期", "办理过程", "井盖打开", "高于限值", "断裂，危及行人和车辆安全", "恢复原状"),
        ),
    ],
)
async def test_every_page_speaks_the_readers_language(
    gate: Gate, language: str, html: str, said: tuple[str, ...]
) -> None:
    number = await open_cover(gate)
    (alarm,) = (await gate.ok("viewer", "GET", "/alarms"))["items"]
    texts = []
    async with await visitor(gate, "supervisor", language) as person:
        for path in (
            "/",
            "/cases",
            "/alarms",
            "/mine",
            "/account",
            f"/cases/{number}",
            f"/alarms/{alarm['id']}",
        ):
            page = await person.open(path)
            assert page.status == 200, page.text
            assert page.headers["content-security-policy"] == POLICY
            assert page.headers["cache-control"] == "no-store"
            assert [given["lang"] for tag, given in page.tags if tag == "html"] == [html]
            assert not [tag for tag, given in page.tags if tag in {"script", "style"} or "style" in given]
            texts.append(page.text)
    whole = " ".join(texts)
    assert [word for word in (*said[:1], *said[2:]) if word not in whole] == []


async def test_a_name_however_hostile_is_text(gate: Gate) -> None:
    number = await open_cover(gate, name=HOSTILE, area="xu<hui")
    path = f"/cases/{number}"
    async with await visitor(gate, "supervisor") as person:
        await person.act(path, "accept", note=HOSTILE)
        for where in ("/", "/?area=xu<hui", "/?family=%3Cscript%3E", "/cases", "/alarms", path):
            page = await person.open(where)
            assert page.status == 200
            assert "<img src=x" not in page.source
            assert not [tag for tag, _ in page.tags if tag == "script"]
        assert HOSTILE in (await person.open(path)).text


async def test_every_field_has_its_label(gate: Gate) -> None:
    number = await open_cover(gate)
    async with await visitor(gate, "supervisor") as person:
        for path in ("/", f"/cases/{number}", "/account"):
            page = await person.open(path)
            bare = re.sub(r"<label.*?</label>", "", page.source, flags=re.DOTALL)
            assert not re.search(r"<(select|textarea)|<input(?! type=\"hidden\")", bare)


async def test_the_first_page_shows_what_is_due_and_filters_it(gate: Gate) -> None:
    number = await open_cover(gate)
    await open_cover(gate, "M2", area="minhang", name="井 2")
    async with await visitor(gate, "operator") as person:
        page = await person.open("/")
        assert "2 h left" in page.text or "1 h 59 min left" in page.text
        assert "2 alarms" in page.text
        assert {f"/cases/{number}", "/?family=manhole"} <= set(page.links)
        here = await person.open("/?area=xuhui&family=manhole&state=dispatched")
        assert f"/cases/{number}" in here.links
        assert f"/cases/{number + 1}" not in here.links
        assert "Nothing here" in (await person.open("/?family=dust")).text
        for wrong in ("/?state=closed", "/cases?state=x", "/alarms?state=filed", "/?after=x"):
            assert (await person.open(wrong)).status == 422, wrong


async def test_lists_go_on_on_the_next_page(gate: Gate) -> None:
    for n in range(27):
        await gate.device(f"M{n}", area="xuhui")
    await gate.push(*({"device": f"M{n}", "v": {"tilt": 40}} for n in range(27)))
    async with await visitor(gate, "viewer") as person:
        for path in ("/", "/cases", "/alarms"):
            page, seen = await person.open(f"{path}?area=xuhui"), set[str]()
            pattern = r"/alarms/\w+" if path == "/alarms" else r"/cases/\d+"
            seen |= {link for link in page.links if re.fullmatch(pattern, link)}
            (later,) = [link for link in page.links if "after=" in link]
            assert "area=xuhui" in later
            page = await person.open(path + later)
            seen |= {link for link in page.links if re.fullmatch(pattern, link)}
            assert len(seen) >= 27


async def test_who_is_limited_to_areas_sees_nothing_else(gate: Gate) -> None:
    inside = await open_cover(gate)
    outside = await open_cover(gate, "M2", area="minhang", name="井 2")
    (alarm,) = (await gate.ok("viewer", "GET", "/alarms?device=M2"))["items"]
    async with await visitor(gate, "operator", areas=["xuhui"]) as person:
        for path in ("/", "/cases", "/alarms"):
            page = await person.open(path)
            assert "井 1" in page.text
            assert not re.search("井 2|minhang", page.source)
        assert (await person.open(f"/cases/{inside}")).status == 200
        for path in (f"/cases/{outside}", f"/alarms/{alarm['id']}"):
            assert (await person.open(path)).status == 403
        token = (await person.open(f"/cases/{inside}")).form(f"/cases/{inside}", "return")["csrf"]
        said = {"csrf": token, "event": "return", "note": "x"}
        assert (await person.send(f"/cases/{outside}", said)).status == 403
    assert (await gate.ok("viewer", "GET", f"/cases/{outside}"))["case"]["state"] == "dispatched"


async def test_what_there_is_not_is_a_page_too(gate: Gate) -> None:
    async with await visitor(gate, "viewer", "zh") as person:
        for path, status in (("/cases/99", 404), ("/cases/x", 422), ("/alarms/none", 404)):
            page = await person.open(path)
            assert (page.status, page.headers["content-security-policy"]) == (status, POLICY)
            assert "操作未完成" in page.text
            assert "/" in page.links
        assert "未找到" in (await person.open("/cases/99")).text


async def test_the_style_is_kept_and_there_is_no_other_file(gate: Gate) -> None:
    async with Visitor(gate) as stranger:
        page = await stranger.open("/login")
        (style,) = [given["href"] for tag, given in page.tags if given.get("rel") == "stylesheet"]
        assert style is not None
        sheet = await stranger.open(style)
        assert sheet.headers["content-type"] == "text/css; charset=utf-8"
        assert "immutable" in sheet.headers["cache-control"]
        assert "url(" not in sheet.source
        for name in ("../console.py", "x.css", "citygate.css.map"):
            assert (await stranger.open(f"/static/{name}")).status in {404, 422}
