"""The page of the playground in a real browser: training, its settings, links, tables, and the run as Python."""

import re

import command_line
import playing
import pytest
from browsing import digest, frames, launched, needs_browser, number, opened, wait_for, wait_for_frames

from fastnn.playground.settings import ACTIVATIONS, OPTIMIZERS, Settings

pytestmark = needs_browser


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


def train(page, frames):
    """Trains for so many frames, and waits until the page stands still."""
    page.click("#play")
    wait_for_frames(page, frames)
    page.click("#play")
    wait_for(page, "status", "Paused")


def set_value(page, name, value):
    """Moves a slider, as far as a user would."""
    page.locator(f"#{name}").fill(str(value))
    page.locator(f"#{name}").dispatch_event("change")


# -------------------------------------------------------------------- training


def test_training_lowers_the_loss_until_it_is_paused(page):
    before = number(page, "train-loss")
    train(page, 60)
    assert number(page, "epochs") >= 60
    assert number(page, "updates") == 21 * number(page, "epochs")
    assert number(page, "train-loss") < before / 2
    assert number(page, "accuracy") > 75
    shown, bits = frames(page), digest(page)
    page.evaluate("() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")
    assert (frames(page), digest(page)) == (shown, bits)


def test_pictures_move(page):
    """The boundary, the units, the lines and the curves."""
    canvases = ["#plane .surface", ".unit >> nth=4 >> canvas", "#diagram > canvas", "#curves"]

    def pictures():
        return [page.locator(canvas).evaluate("(canvas) => canvas.toDataURL()") for canvas in canvases]

    before = pictures()
    train(page, 10)
    after = pictures()
    assert [a == b for a, b in zip(before, after, strict=True)] == [False] * 4
    page.check("[name=edges][value=gradients]", force=True)
    wait_for(page, "edges-hint", "gradient of the loss")
    assert pictures()[2] != after[2]


def test_one_update_and_reset(page):
    start = digest(page)
    for update in range(1, 4):
        page.click("#update")
        wait_for(page, "status", f"update {update},")
    assert (number(page, "updates"), number(page, "epochs")) == (3, 0)
    third = digest(page)
    assert third != start
    page.click("#reset")
    wait_for(page, "status", "Reset")
    assert digest(page) == start
    for update in range(1, 4):
        page.click("#update")
        wait_for(page, "status", f"update {update},")
    assert digest(page) == third, "the same seed, the same bits"


@pytest.mark.parametrize(("speed", "per_frame"), [("update", 1), ("1", 21), ("10", 210)])
def test_speeds(page, speed, per_frame):
    page.select_option("#speed", speed)
    begun = frames(page)
    train(page, 5)
    assert number(page, "updates") == per_frame * (frames(page) - begun)


def test_divergence_ends_the_run_with_a_word(browser, address):
    link = "#data=xor&activation=relu&optimizer=momentum&learning_rate=10.0&layers=12-12-12"
    with opened(browser, address, link) as page:
        page.select_option("#speed", "10")
        page.click("#play")
        wait_for(page, "alert", "choose a smaller learning rate, or Reset")
        wait_for(page, "play-text", "Train")
        for trial in ("#play", "#update"):
            page.evaluate("() => { document.getElementById('alert').textContent = '' }")
            page.click(trial)
            wait_for(page, "alert", "training diverged")
        page.click("#reset")
        wait_for(page, "status", "Reset")
        assert page.inner_text("#alert") == ""


# -------------------------------------------------------------------- settings


def test_the_form_offers_what_there_is(page):
    assert page.locator("#activation option").evaluate_all("(all) => all.map((o) => o.value)") == list(ACTIVATIONS)
    assert set(page.locator("#optimizer option").evaluate_all("(all) => all.map((o) => o.value)")) == set(OPTIMIZERS)
    for name in ("points", "noise", "held_out", "dropout", "batch_size", "seed"):
        control = page.locator(f"#{name}")
        for value in (control.get_attribute("min"), control.get_attribute("max")):
            Settings.from_query(f"{name}={value}")
    for rate in page.locator("#learning_rate option").evaluate_all("(all) => all.map((o) => o.value)"):
        assert Settings.from_query(f"learning_rate={rate}").as_texts()["learning_rate"] == rate
    for link in page.locator(".try a").evaluate_all("(all) => all.map((a) => a.hash.slice(1))"):
        assert Settings.from_query(link).to_query() == link


def test_every_setting_makes_another_run_and_a_link(page, browser, address):
    seen = {digest(page)}
    page.check("[name=data][value=circles]", force=True)
    wait_for(page, "network-title", "105")
    page.click("#more")
    wait_for(page, "layer-count", "3")
    page.fill("[aria-label='Units of layer 2']", "5")
    page.keyboard.press("Tab")
    page.select_option("#activation", "relu")
    page.select_option("#optimizer", "lion")
    page.select_option("#learning_rate", "0.003")
    page.select_option("#batch", "single")
    for name, value in {"points": 120, "noise": 0.25, "held_out": 0.5, "dropout": 0.1, "seed": 9}.items():
        set_value(page, name, value)
    page.wait_for_function("() => location.hash.includes('seed=9')")
    wait_for(page, "batch-hint", "60 training rows in 60 updates")
    link = page.evaluate("() => location.hash")
    assert link == (
        "#data=circles&points=120&noise=0.25&held_out=0.5&layers=8-5-8&activation=relu&dropout=0.1&optimizer=lion"
        "&learning_rate=0.003&batch=single&seed=9"
    )
    page.click("#update")
    wait_for(page, "status", "update 1,")
    assert digest(page) not in seen
    with opened(browser, address, link) as other:
        other.click("#update")
        wait_for(other, "status", "update 1,")
        assert digest(other) == digest(page)
        assert other.input_value("#dropout") == "0.1"
        assert other.locator(".unit").count() == 2 + 8 + 5 + 8 + 1


def test_layers_come_and_go(page):
    for count in (1, 0):
        page.click("#fewer")
        wait_for(page, "layer-count", str(count))
    assert page.get_attribute("#fewer", "aria-disabled") == "true"
    page.wait_for_function("() => document.querySelectorAll('.unit').length === 3")
    page.press("#fewer", "Enter")
    for count in range(1, 7):
        page.click("#more")
        wait_for(page, "layer-count", str(count))
    assert page.get_attribute("#more", "aria-disabled") == "true"
    page.wait_for_function("() => document.querySelectorAll('.unit').length === 51")


def test_what_does_not_fit_is_told_at_the_control(page):
    page.fill("[aria-label='Units of layer 1']", "40")
    page.keyboard.press("Tab")
    wait_for(page, "alert", "Units of layer 1 must be a whole number from 1 to 12; got 40")
    assert page.get_attribute("[aria-label='Units of layer 1']", "aria-invalid") == "true"
    page.fill("[aria-label='Units of layer 1']", "4")
    page.fill("#seed", "2.5")
    page.keyboard.press("Tab")
    wait_for(page, "alert", "Seed must be a whole number from 0 to 4294967295; got 2.5")
    assert page.locator("[aria-invalid]").count() == 1
    page.fill("#seed", "3")
    page.keyboard.press("Tab")
    page.wait_for_function("() => location.hash === '#layers=4-8&seed=3'")
    wait_for(page, "alert", "")
    assert page.inner_text("#alert") == ""
    assert page.locator("[aria-invalid]").count() == 0


def test_no_other_run_goes_on_than_the_one_that_the_form_shows(page):
    page.fill("#seed", "")
    page.keyboard.press("Tab")
    wait_for(page, "alert", "Seed must be a whole number")
    page.check("[name=data][value=table]", force=True)  # and no file has been chosen
    for trial in ("#play", "#update"):
        page.click(trial)
        wait_for(page, "alert", "Choose the CSV file of your table first")
    assert (number(page, "updates"), page.inner_text("#play-text")) == (0, "Train")
    page.click("#reset")
    wait_for(page, "status", "Reset")
    assert (page.inner_text("#alert"), page.input_value("#seed")) == ("", "0")
    assert page.is_checked("[value=spirals]")
    page.click("#update")
    wait_for(page, "status", "update 1,")


def test_the_output_says_what_it_means(page):
    page.locator(".unit").last.hover()
    wait_for(page, "detail-text", "Above 0, class 1 is more likely than class 0.")


def test_a_number_may_be_written_as_a_browser_takes_it(page):
    page.fill("#batch_size", "3e1")
    page.keyboard.press("Tab")
    page.wait_for_function("() => location.hash === '#batch_size=30'")
    assert page.input_value("#batch_size") == "30"


@pytest.mark.parametrize("link", ["#layers=99", "#colour=red", "#data=table&table=0123456789abcdef"])
def test_a_link_that_is_wrong_is_told_and_the_usual_run_begins(browser, address, link):
    with opened(browser, address, link) as page:
        assert re.search("must be|may set|choose the file", page.inner_text("#alert"))
        page.click("#update")
        wait_for(page, "status", "update 1,")


def test_a_link_within_the_page_begins_its_run(page):
    page.click("text=No hidden layer")
    wait_for(page, "layer-count", "0")
    assert page.is_checked("[value=gauss]")
    page.go_back()
    wait_for(page, "layer-count", "2")


# ---------------------------------------------------------------------- tables


def choose(page, content, name="mine.csv"):
    page.check("[name=data][value=table]", force=True)
    page.set_input_files("#file", {"name": name, "mimeType": "text/csv", "buffer": content})


def test_a_table_of_ones_own(page, tmp_path):
    choose(page, playing.table(";", ("a", "b", "c")), "my table.csv")
    wait_for(page, "x-name", "left")
    assert "my table.csv: 60 rows of left and right; to predict: kind." in page.inner_text("#file-hint")
    assert "b" in page.inner_text("#legend").split()
    train(page, 40)
    assert number(page, "accuracy") > 90
    (tmp_path / "my table.csv").write_bytes(playing.table(";", ("a", "b", "c")))
    assert as_python(page, tmp_path) == digest(page)
    page.reload()
    page.wait_for_selector("html[data-ready=true]")
    wait_for(page, "x-name", "left")


def test_columns_of_a_table(page):
    content = b"id,a,b,c,kind\n" + b"u,1,2,3,yes\nv,2,1,5,no\n" * 8
    choose(page, content)
    wait_for(page, "x-name", "a")
    page.select_option("#column-x", label="c")
    wait_for(page, "x-name", "c")
    page.select_option("#column-target", label="id")
    wait_for(page, "file-hint", "to predict: id.")
    assert page.evaluate("() => location.hash").endswith("&columns=3-2-0")
    page.select_option("#column-y", label="kind")
    wait_for(page, "alert", "line 2: 'kind' must hold numbers; got 'yes'")
    page.reload()
    page.wait_for_selector("html[data-ready=true]")
    wait_for(page, "x-name", "c")
    assert page.input_value("#column-target") == "0"
    choose(page, playing.table())
    wait_for(page, "x-name", "left")
    assert page.locator("#column-x").inner_text().split() == ["left", "right", "kind"]


def test_a_regression(page):
    choose(page, "\n".join(["u,v,w", *(f"{i % 9},{i % 7},{(i % 9) * (i % 7) / 3}" for i in range(99))]).encode())
    wait_for(page, "y-name", "v")
    assert not page.is_visible("#accuracy")
    train(page, 30)
    assert number(page, "train-loss") < 0.5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "mine.csv: the file must be a CSV file in UTF-8; it is empty"),
        (b"a,b\n1,2\n", "must have three columns or more"),
        (b"a,b,c\n" * 12, "mine.csv: line 2: 'a' must hold numbers; got 'a'"),
        (b"1" * 1_000_001, "The file must have at most 1,000 kB"),
    ],
)
def test_a_bad_table_is_told_and_may_be_chosen_again(browser, address, content, message):
    with opened(browser, address, expected="400 (Bad Request)") as page:
        choose(page, content)
        wait_for(page, "alert", message)
        choose(page, playing.table())
        wait_for(page, "x-name", "left")
        assert page.inner_text("#alert") == ""


def test_a_long_name_leaves_the_plane_its_place(page):
    choose(page, playing.table().replace(b"right", b"how far up the plane " * 8))
    wait_for(page, "y-name", "how far up")
    plane, axis = (page.locator(part).bounding_box() for part in ("#plane", ".axis.y"))
    assert abs(plane["height"] - plane["width"]) < 2
    assert abs(axis["height"] - plane["height"]) < 2


# ------------------------------------------------------------------- as Python


def as_python(page, folder):
    """The digest that the script on the page prints."""
    page.click("#copy-python")
    page.wait_for_selector("dialog[open]")
    done = command_line.process("-W", "error", "-c", page.locator("#python").inner_text(), cwd=folder)
    assert done.returncode == 0, done.stderr
    page.keyboard.press("Escape")
    return done.stdout.splitlines()[-1]


def test_the_run_as_python_has_its_digest(browser, address, tmp_path):
    permissions = ["clipboard-read", "clipboard-write"]
    with opened(browser, address, "#data=circles&dropout=0.2", permissions=permissions) as page:
        train(page, 12)
        page.click("#update")
        wait_for(page, "status", "update")
        assert as_python(page, tmp_path) == digest(page)
        wait_for(page, "copied-python", "Code copied")
        assert page.evaluate("() => navigator.clipboard.readText()") == page.locator("#python").text_content()
        page.click("#copy-link")
        wait_for(page, "copied", "Link copied")
        assert page.evaluate("() => navigator.clipboard.readText()") == f"http://{address}/#data=circles&dropout=0.2"


@pytest.mark.parametrize("is_training", [False, True])
def test_a_server_that_has_ended_is_told(browser, is_training):
    """Whatever the page is doing then, and whatever the user tries afterwards."""
    context = browser.new_context()
    page = context.new_page()
    with playing.served() as address:
        page.goto(f"http://{address}/")
        page.wait_for_selector("html[data-ready=true]")
        if is_training:
            page.click("#play")
            wait_for_frames(page, 2)
    wait_for(page, "alert", "start fastnn playground again")
    wait_for(page, "play-text", "Train")
    for trial in ("#play", "#update", "#reset", "#more", "#copy-python"):
        page.evaluate("() => { document.getElementById('alert').textContent = '' }")
        page.click(trial)
        wait_for(page, "alert", "start fastnn playground again")
    page.evaluate("() => { document.getElementById('alert').textContent = '' }")
    choose(page, playing.table())
    wait_for(page, "alert", "start fastnn playground again")
    context.close()
