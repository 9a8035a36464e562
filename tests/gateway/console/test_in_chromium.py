"""The pages in Debian's Chromium, on a phone and on a desk, in both languages, without any script."""

from __future__ import annotations

from base64 import b32decode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.async_api import Page

from drivers.telemetry import SECOND
from gateway.console.sheet import POLICY
from gateway.registry import totp
from tests.gateway.api.people import PASSWORD
from tests.gateway.console import chromium
from tests.scenarios.city import City, city

pytestmark = pytest.mark.peer("chromium")

QUICK = {"people": {"argon2_memory_kb": 8, "argon2_passes": 1}}
LEAK = "井盖丢失 <script>document.title='broken'</script>"
LOWEST = 56  # px of the header's first line
WIDEST = 390  # px of the phone: nothing is wider, so nothing scrolls sideways


async def evening(town: City) -> dict[str, Any]:
    """One case overdue, a fresh one (given), and one that a citizen reported and nobody has dispatched."""
    for name, role in (("lin", "supervisor"), ("zhao", "crew")):
        form = {"name": name, "role": role, "password": PASSWORD}
        assert (await town.remote.post("/users", json=form)).is_success
    crew = {"department": "water", "members": ["user:zhao"], "lat": 31.2, "lon": 121.4}
    assert (await town.remote.put("/crews/drainage", json=crew)).is_success
    for number, street in (("MH-0042", "天平路 12 号"), ("MH-0043", "衡山路 5 号")):
        where = {"area": "xuhui/tianping", "lat": 31.2, "lon": 121.4}
        await town.device(number, "generic-manhole", name=f"雨水井 {street}", **where)
        await town.says(number, tilt=1, cover="closed")
    await town.at("17:01")
    await town.says("MH-0042", tilt=31)
    await town.at("17:02")
    await town.case("cover-danger", "MH-0042", "dispatched")
    report = {"category": "cover-danger", "text": LEAK, "address": LEAK, "lat": 31.25, "lon": 121.5}
    assert (await town.remote.post("/reports", json={**report, "area": "xuhui/hunan"})).is_success
    await town.at("19:30")
    await town.says("MH-0043", tilt=24)
    await town.at("19:31")
    return await town.case("cover-danger", "MH-0043", "dispatched")


async def log_in(page: Page, origin: str, name: str) -> None:
    await page.goto(origin)
    await page.fill("[name=name]", name)
    await page.fill("[name=password]", PASSWORD)
    await page.click("main button")
    await page.wait_for_url(f"{origin}/")


async def press(page: Page, event: str, **said: str) -> str:
    """Fill in the form of this event, unfolding it where it is folded, and send it. What the page then says."""
    form = page.locator(f"main form:has(input[name=event][value={event}])")
    if not await form.locator("button").is_visible():
        await page.locator(f"details:has(input[name=event][value={event}]) > summary").click()
    for name, value in said.items():
        await form.locator(f"[name={name}]").fill(value)
    async with page.expect_navigation():
        await form.locator("button").click()
    return await page.locator(".notice").inner_text()


async def shown(page: Page, folder: Path, name: str) -> None:
    """A picture of the whole page, which is never wider than its window."""
    box = await page.locator("body").bounding_box()
    assert box is not None
    assert page.viewport_size is not None
    assert box["width"] <= page.viewport_size["width"]
    await page.screenshot(path=folder / f"{name}.png", full_page=True)


async def test_a_case_goes_from_crew_to_dispatcher_without_script(tmp_path: Path) -> None:
    async with (
        city(tmp_path, "17:00", **QUICK) as town,
        chromium.served(town) as origin,
        chromium.browser() as browser,
    ):
        case = await evening(town)
        crew, crew_watch = await chromium.tab(browser, "zh", chromium.PHONE)
        await log_in(crew, origin, "zhao")
        await shown(crew, tmp_path, "overview-phone-zh")
        assert await crew.locator(".due.overdue").count() == 2
        await crew.click("text=我的任务")
        await shown(crew, tmp_path, "mine-phone-zh")
        await crew.click(f"a.title[href='/cases/{case['id']}']")
        assert await press(crew, "accept", note="马上到") == "已完成：接单"
        desk, desk_watch = await chromium.tab(browser, "en", chromium.DESK)
        await log_in(desk, origin, "lin")
        await shown(desk, tmp_path, "overview-desk-en")
        await desk.goto(f"{origin}/cases/{case['id']}")
        assert await press(crew, "start") == "已完成：开始处置"
        late = await press(desk, "merge", into="1", note="the same cover")
        assert "Somebody changed it meanwhile" in late
        assert await desk.input_value("[name=into]") == "1", "nothing that was typed is lost"
        await shown(desk, tmp_path, "case-stale-desk-en")
        assert await press(crew, "return", note="不属于我们") == "已完成：退回"
        await desk.goto(f"{origin}/cases/{case['id']}")
        assert await press(desk, "dispatch", crew="night crew", note="yours") == "Done: Dispatch"
        assert await press(desk, "repaired", note="cover back in place") == "Done: Repaired"
        await crew.goto(f"{origin}/cases/{case['id']}")
        await shown(crew, tmp_path, "case-phone-zh")
        assert "处置完成" in await crew.inner_text(".timeline")
        await desk.goto(f"{origin}/cases/2")
        assert "<script>" in await desk.inner_text("body"), (
            "what people report is shown as it is, and is no markup"
        )
        for watch in (crew_watch, desk_watch):
            assert (watch.asked, watch.said) == ({origin}, [])


async def test_nothing_runs_and_nothing_is_too_small_or_too_wide(tmp_path: Path) -> None:
    async with (
        city(tmp_path, "17:00", **QUICK) as town,
        chromium.served(town) as origin,
        chromium.browser() as browser,
    ):
        case = await evening(town)
        page, watch = await chromium.tab(browser, "en", chromium.PHONE, java_script_enabled=True)
        await log_in(page, origin, "lin")
        paths = ["/", "/cases", "/alarms", "/mine", f"/cases/{case['id']}", "/cases/2"]
        (alarm,) = await town.alarms("MH-0043")
        for path in (*paths, f"/alarms/{alarm['id']}"):
            answer = await page.goto(origin + path)
            assert answer is not None
            assert answer.headers["content-security-policy"] == POLICY
            assert await page.evaluate("document.documentElement.scrollWidth") == WIDEST, path
            small = await page.evaluate(SMALL)
            assert not small, f"{path}: {small}"
            assert await page.title() != "broken"
        await shown(page, tmp_path, "alarm-phone")
        await page.emulate_media(color_scheme="dark")
        await page.goto(f"{origin}/cases/{case['id']}")
        await shown(page, tmp_path, "case-phone-dark")
        assert (watch.asked, watch.said) == ({origin}, [])
        await follow_a_link_from_elsewhere(page, f"{origin}/cases/{case['id']}")


async def test_an_account_is_looked_after_on_a_phone(tmp_path: Path) -> None:
    async with (
        city(tmp_path, "17:00", **QUICK) as town,
        chromium.served(town) as origin,
        chromium.browser() as browser,
    ):
        lin = {"name": "lin.wei@dispatch.tianping.example", "password": PASSWORD}
        assert (await town.remote.post("/users", json={**lin, "role": "supervisor"})).is_success
        async with httpx.AsyncClient(base_url=f"{origin}/api/v1") as elsewhere:
            assert (await elsewhere.post("/session", json=lin)).is_success
        page, watch = await chromium.tab(browser, "en", chromium.PHONE, java_script_enabled=True)
        await log_in(page, origin, lin["name"])
        bar = await page.locator(".bar").bounding_box()
        assert bar is not None
        assert bar["height"] == LOWEST, "however long a name, the header's first line is one line"
        await page.click("header a.who")
        await fits_a_thumb(page, tmp_path, "account-phone-en")
        await page.click("section:has(#second) button")
        await fits_a_thumb(page, tmp_path, "account-key-phone-en")
        uri = await page.get_attribute("a[href^='otpauth:']", "href")
        assert uri is not None
        await page.fill("[name=code]", code_of(uri, town.clock.now()))
        await page.click("section:has(#second) button.main")
        assert await page.locator("section:has(#second) li").count() == 10
        await fits_a_thumb(page, tmp_path, "account-codes-phone-en")
        await page.click("section:has(#sessions) li button")
        assert await page.inner_text(".notice") == "Logged out there."
        assert await page.locator("section:has(#sessions) li").count() == 1
        await page.select_option("[name=language]", "zh")
        await page.click("section:has(#language) button")
        assert await page.inner_text(".notice") == "语言设置已保存。"
        await page.click("section:has(#password) summary")
        for name, value in (("old", PASSWORD), ("new", "seven green buoys"), ("again", "seven grey buoys")):
            await page.fill(f"[name={name}]", value)
        await page.click("section:has(#password) button")
        assert "两次输入的新密码不一致" in await page.inner_text(".notice")
        await fits_a_thumb(page, tmp_path, "account-phone-zh")
        assert (watch.asked, watch.said) == ({origin}, [])


def code_of(uri: str, now: int) -> str:
    """What a phone with this key shows."""
    (key,) = parse_qs(urlsplit(uri).query)["secret"]
    return totp.code(b32decode(key), totp.step_of(now / SECOND))


async def fits_a_thumb(page: Page, folder: Path, name: str) -> None:
    assert await page.evaluate("document.documentElement.scrollWidth") == WIDEST, name
    assert not await page.evaluate(SMALL), name
    await shown(page, folder, name)


async def follow_a_link_from_elsewhere(page: Page, url: str) -> None:
    """Such as one in a message that is read in a browser."""
    html = f'<!doctype html><title>mail</title><a href="{url}">case</a>'
    await page.route("http://mail.example/", lambda route: route.fulfill(body=html, content_type="text/html"))
    await page.goto("http://mail.example/")
    await page.click("a")
    await page.wait_for_selector(".timeline")


SMALL = """() => [...document.querySelectorAll("button, input:not([type=hidden], [type=checkbox]), select, nav a, a.who, summary")]
  .filter(one => one.checkVisibility() && one.getBoundingClientRect().height < 44)
  .map(one => one.outerHTML)"""  # what a thumb would miss
