"""The page of the playground for everyone: by keyboard, by ear, on a phone, in light and dark, without motion."""

import playing
import pytest
from browsing import digest, frames, launched, needs_browser, number, opened, wait_for, wait_for_frames

pytestmark = needs_browser

ROLES = {"button", "checkbox", "combobox", "link", "radio", "slider", "spinbutton", "textbox", "image", "img", "dialog"}


@pytest.fixture(scope="module")
def address():
    with playing.served() as found:
        yield found


@pytest.fixture(scope="module")
def browser():
    with launched() as found:
        yield found


@pytest.fixture
def page(browser, address):
    with opened(browser, address) as found:
        yield found


def focused(page):
    return page.evaluate("() => document.activeElement.id || document.activeElement.getAttribute('aria-label')")


def tab_to(page, name, most=60):
    for _ in range(most):
        if focused(page) == name:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the Tab key does not lead to {name}")


def test_all_by_keyboard(page):
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert focused(page) == "training", "the first stop is a link that skips to it"
    page.keyboard.press("Tab")
    assert focused(page) == "play"
    page.keyboard.press("Space")
    wait_for_frames(page, 10)
    page.keyboard.press("Space")
    wait_for(page, "status", "Paused")
    assert page.inner_text("#alert") == ""
    trained = int(number(page, "updates"))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    wait_for(page, "status", f"update {trained + 1},")
    tab_to(page, "reset")
    page.keyboard.press("Enter")
    wait_for(page, "updates", "0")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.value") == "spirals"
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => location.hash === '#data=circles'")
    tab_to(page, "more")
    page.keyboard.press("Enter")
    wait_for(page, "layer-count", "3")
    assert focused(page) == "more", "who adds a layer can add another"
    tab_to(page, "Layer 1, unit 1")
    page.keyboard.press("ArrowDown")
    wait_for(page, "detail-title", "Layer 1, unit 2")
    page.keyboard.press("ArrowRight")
    wait_for(page, "detail-title", "Layer 2, unit 2")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    wait_for(page, "detail-title", "Output")
    page.keyboard.press("Tab")
    assert focused(page) == "copy-python", "the units are one stop for the Tab key"
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="hidden")
    assert focused(page) == "copy-python"


@pytest.mark.parametrize("link", ["", "#layers=12-12&batch=full"])
def test_everything_has_a_name(browser, address, link):
    with opened(browser, address, link) as page:
        page.hover(".unit >> nth=3")
        session = page.context.new_cdp_session(page)
        nodes = session.send("Accessibility.getFullAXTree")["nodes"]
        found = {}
        for node in nodes:
            role = node.get("role", {}).get("value")
            if role in ROLES and not node.get("ignored"):
                found.setdefault(role, []).append(node.get("name", {}).get("value", "").strip())
        assert {"button", "combobox", "link", "radio", "slider", "spinbutton", "image"} <= found.keys()
        assert [role for role, names in found.items() if not all(names)] == []
        assert {"Train", "One update", "Reset", "Layer 1, unit 2", "Feature x₁", "Output"} <= set(found["button"])
        assert {"Noise", "Held out", "Dropout"} <= set(found["slider"])


TOLD = """() => {
  window.told = [];
  const watch = new MutationObserver((changes) => window.told.push(changes.at(-1).target.textContent));
  for (const live of document.querySelectorAll("[role=status], [role=alert], [aria-live]"))
    watch.observe(live, { childList: true, subtree: true, characterData: true });
}"""


def test_a_screen_reader_is_told_little(page):
    """What is announced while training: that it trains, and what came of it when it is paused."""
    page.evaluate(TOLD)
    page.click("#play")
    wait_for_frames(page, 20)
    assert page.evaluate("() => window.told") == ["Training"]
    page.click("#play")
    wait_for(page, "status", "Paused")
    training, paused = page.evaluate("() => window.told")
    assert training == "Training"
    assert paused.startswith("Paused. epoch ")
    assert "held-out loss" in paused
    assert "% of the held-out rows" in page.get_attribute("#plane .points", "aria-label")


@pytest.mark.parametrize("width", [320, 360, 412, 768, 1024, 1600])
@pytest.mark.parametrize("link", ["", "#layers=12-12-12-12-12-12&batch=single", "table"])
def test_no_width_needs_sideways_scrolling(browser, address, width, link):
    if link == "table":
        classes = ("a rather long name of a class", "another-one-that-cannot-be-broken-anywhere", "c", "d")
        link = f"#data=table&table={playing.send_table(address, playing.table(classes=classes))[1]['table']}"
    with opened(browser, address, link, viewport={"width": width, "height": 740}) as page:
        page.locator(".unit >> nth=2").focus()
        wait_for(page, "detail-text", "It puts out")
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        cut_off = page.evaluate(
            """(width) => [...document.querySelectorAll("main *")].filter((element) => {
                 const { left, right, width: own } = element.getBoundingClientRect();
                 return own > 1 && (left < -1 || right > width + 1);
               }).map((element) => element.outerHTML.slice(0, 80))""",
            width,
        )
        assert cut_off == []


def test_on_a_phone_the_buttons_stay_in_sight(browser, address):
    with opened(browser, address, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True) as page:
        page.locator(".unit >> nth=2").tap()
        wait_for(page, "detail-title", "Layer 1, unit 1")
        page.locator("#digest").scroll_into_view_if_needed()
        page.locator("#play").tap()
        wait_for_frames(page, 5)
        small = page.evaluate(
            """() => [...document.querySelectorAll("button, select, input")].filter((element) => {
                 const { width, height } = element.getBoundingClientRect();
                 return width && (width < 24 || height < 16);
               }).map((element) => element.outerHTML.slice(0, 80))"""
        )
        assert small == []


CONTRAST = """() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = channels(getComputedStyle(at).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll("body *")].filter((element) => element.checkVisibility()
      && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())).map((element) => {
    const [a, b] = [light(channels(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
    return [element.outerHTML.slice(0, 90), (a + 0.05) / (b + 0.05)];
  }).filter(([, ratio]) => ratio < 4.5);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(browser, address, scheme):
    with opened(browser, address, color_scheme=scheme, reduced_motion="reduce") as page:
        page.locator(".unit >> nth=3").focus()
        page.fill("#seed", "-1")
        page.keyboard.press("Tab")
        wait_for(page, "alert", "Seed")
        assert page.evaluate(CONTRAST) == []
        is_dark = page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(14, 17, 22)"
        assert is_dark == (scheme == "dark")


def test_pictures_follow_the_scheme(page):
    light = page.evaluate("() => document.querySelector('#curves').toDataURL()")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("(light) => document.querySelector('#curves').toDataURL() !== light", arg=light)


def test_who_wants_no_motion_gets_a_picture_now_and_then(browser, address):
    with opened(browser, address, reduced_motion="reduce") as page:
        page.click("#play")
        wait_for_frames(page, 1)
        shown, since = frames(page), page.evaluate("() => performance.now()")
        wait_for_frames(page, 3)
        assert page.evaluate("() => performance.now()") - since > 950
        assert frames(page) - shown < 8
        page.click("#play")
        wait_for(page, "status", "Paused")
        assert digest(page)
