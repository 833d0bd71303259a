"""The page in a real Chromium: the list, the player, keys, links, and what is remembered."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette", reason="needs the serve extra")
pytest.importorskip("uvicorn", reason="needs the serve extra")

from tests.serve.browser import Page

pytestmark = pytest.mark.browser


def names(page: Page) -> list[str]:
    return page.js("[...document.querySelectorAll('#films .card strong')].map((one) => one.textContent)")


def is_red(seen: np.ndarray) -> bool:
    """At a spot that neither the bar in the film nor the controls reach."""
    red, _, blue = seen[int(0.35 * seen.shape[0]), seen.shape[1] // 2]
    return bool(red > 150 and blue < 80)


def is_blue(seen: np.ndarray) -> bool:
    return is_red(seen[..., ::-1])


def test_the_list_shows_names_badges_lengths_and_posters(page: Page) -> None:
    # the page asks again while the folder is being read
    page.until("document.querySelector('.card[title^=colours] .badge')?.innerText === '3D'")
    page.until("document.querySelector('.card[title*=below] .length, .card[title^=deep] .length')?.innerText")
    assert "colours" in names(page)
    assert "A title from the tags" in names(page)
    card = page.page.locator('.card[title^="colours"]')
    assert card.locator(".length").inner_text() == "0:08"
    assert "side by side" in card.locator(".about").inner_text()
    assert page.page.locator('.card[title^="upright"] .badge').count() == 0
    page.until("document.querySelector('.card[title^=colours] img').naturalWidth > 100")


def test_search_folders_and_order(page: Page) -> None:
    everything = len(names(page))
    page.page.fill("#search", "near")
    page.until("document.querySelectorAll('#films .card').length === 1")
    assert page.page.inner_text("#where") == "1 found"
    assert "q=near" in page.page.url
    page.page.fill("#search", "")
    page.until(f"document.querySelectorAll('#films .card').length === {everything}")
    page.page.click("#folders a:has-text('deep')")
    page.until("document.querySelectorAll('#films .card').length === 1")
    assert names(page) == ["A title from the tags"]
    page.page.go_back()
    page.until(f"document.querySelectorAll('#films .card').length === {everything}")
    page.page.select_option("#sort", "duration")
    page.until("document.querySelector('#films .card .length').textContent === '0:08'")
    page.page.reload()
    page.page.wait_for_selector("#films .card")
    assert page.page.input_value("#sort") == "duration"


def test_the_list_follows_while_the_folder_is_read(page: Page) -> None:
    half_read = [True]

    def answer(route: Any) -> None:
        made = route.fetch()
        route.fulfill(response=made, json={**made.json(), **({"indexed": 0.5} if half_read[0] else {})})

    page.page.route("**/api/films?*", answer)
    page.page.reload()
    page.until("document.querySelector('#state').textContent.includes('50 %')")
    half_read[0] = False
    page.until("document.querySelector('#state').textContent === ''")


def test_a_film_plays_and_answers_keys(page: Page) -> None:
    page.open()
    keys = page.page.keyboard
    page.until("!stereocast.video.paused")
    keys.press("k")
    page.until("stereocast.video.paused")
    page.pause_at(1)
    left = page.picture("left")
    assert is_red(left)
    bar = np.flatnonzero(left[left.shape[0] // 2].min(-1) > 180)
    assert bar.mean() / left.shape[1] == pytest.approx((24 + 8) / 320, abs=0.02)
    keys.press("s")
    right = page.picture("right")
    assert is_blue(right)
    keys.press("s")
    keys.press("a")
    assert np.abs(page.picture("anaglyph").astype(int) - left).mean() > 20
    keys.press("a")
    both = page.picture("both")
    middle = both.shape[0] // 3
    assert both[middle, 20, 0] > 150 and both[middle, -20, 2] > 150
    keys.press("ArrowRight")
    page.until("stereocast.video.currentTime > 7")
    keys.press("ArrowDown")
    assert page.js("stereocast.video.volume") == pytest.approx(0.95)
    keys.press("]")
    assert page.js("stereocast.player.look.shift") == pytest.approx(0.002)


def test_keys_in_a_list_or_slider_are_its_own(page: Page) -> None:
    page.open()
    page.pause_at(2)
    page.page.click("#settings")
    page.page.focus("#layout")
    before = page.js("stereocast.settings.volume")
    for key in ("ArrowDown", "ArrowUp", "ArrowDown", "ArrowRight", "ArrowLeft", "s", " "):
        page.page.keyboard.press(key)
    page.page.keyboard.press("Escape")
    page.page.focus("#volume")
    page.page.keyboard.press("ArrowLeft")
    page.page.keyboard.press("ArrowRight")
    assert page.now() == pytest.approx(2, abs=0.05)
    assert not page.js("stereocast.player.views.swapped")
    assert page.js("stereocast.video.paused")
    assert page.js("stereocast.settings.volume") == pytest.approx(before, abs=0.02)
    page.page.focus("#seek")
    page.page.keyboard.press("ArrowRight")  # 5 s there, not the 10 s of the page as well
    page.until("Math.abs(stereocast.video.currentTime - 7) < 0.2")


def test_back_a_link_for_each_film_and_the_focus(page: Page) -> None:
    page.open()
    assert "/watch/" in page.page.url
    link = page.page.url
    page.page.go_back()
    page.page.wait_for_selector("#library:not([hidden])")
    assert page.page.url.rstrip("/") == page.url
    assert page.js("document.activeElement.title").startswith("colours")
    page.page.go_forward()
    page.until("stereocast.player.film?.title.startsWith('colours')")
    page.page.keyboard.press("Escape")
    page.page.wait_for_selector("#library:not([hidden])")
    assert page.page.url.rstrip("/") == page.url
    page.page.goto(link)
    page.until("stereocast.player.film?.title.startsWith('colours')")
    page.until("stereocast.video.readyState >= 2")
    assert "colours" in page.page.title()
    page.page.keyboard.press("Escape")  # there is no list behind a link: it is shown all the same
    page.page.wait_for_selector("#films .card")


def test_mute_can_be_seen_and_is_remembered(page: Page) -> None:
    page.open()
    assert page.page.get_attribute("#mute", "aria-pressed") == "false"
    shape = page.page.get_attribute("#mute path", "d")
    page.page.keyboard.press("m")
    page.until("stereocast.video.muted")
    assert page.page.get_attribute("#mute", "aria-pressed") == "true"
    assert page.page.get_attribute("#mute path", "d") != shape
    page.page.reload()
    page.until("stereocast.player.film !== null")
    assert page.js("stereocast.video.muted")


def test_position_progress_and_choices_of_a_film_are_remembered(page: Page) -> None:
    page.open()
    page.pause_at(5.5)
    page.page.click("#settings")
    page.page.select_option("#layout", "mono")
    page.page.keyboard.press("Escape")
    page.page.keyboard.press("Escape")
    page.page.wait_for_selector("#continue:not([hidden]) .card")
    assert page.js("document.querySelector('#begun progress').value") == pytest.approx(5.5 / 8, abs=0.05)
    page.page.reload()
    page.page.wait_for_selector("#films .card")
    page.open()
    assert page.js("stereocast.player.views.layout") == "mono"
    page.page.keyboard.press("Escape")
    page.open("near")
    assert page.js("stereocast.player.views.layout") == "left-right"


def test_subtitles_size_and_place(page: Page) -> None:
    page.open()
    page.pause_at(2)
    page.page.keyboard.press("c")
    page.until("document.querySelector('#caption').textContent === 'A line of text\\nand another'")
    assert page.page.inner_text("#caption i") == "and another"
    low = page.page.locator("#caption").bounding_box()
    page.js("stereocast.player.set('textHeight', 0.5), stereocast.player.set('textSize', 2)")
    page.drawn()
    high = page.page.locator("#caption").bounding_box()
    assert high["y"] + high["height"] < low["y"] and high["height"] > 1.5 * low["height"]
    page.js(
        "stereocast.player.choose({ text: stereocast.player.film.text_tracks.find((one) => one.name.includes('.de')).number })"
    )
    page.until("document.querySelector('#caption').textContent === 'Eine Zeile'")


def test_a_picture_is_shown_like_a_film(page: Page) -> None:
    page.open("still")
    page.until("stereocast.player.picture !== null")
    seen = page.picture("still")
    assert is_red(seen)
    assert not page.page.is_visible("#seek")
    page.page.keyboard.press("P")
    page.until("!stereocast.player.film.title.startsWith('still')")


def test_the_seek_bar_shows_a_thumbnail(page: Page) -> None:
    page.open()
    page.until("stereocast.player.thumbnails.image != null")
    box = page.page.locator("#seek").bounding_box()
    page.page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + box["height"] / 2)
    page.page.wait_for_selector("#peek:not([hidden])")
    assert page.page.inner_text("#peek span") in ("0:05", "0:06")
    pixel = page.js("[...document.querySelector('#peek canvas').getContext('2d').getImageData(20, 10, 1, 1).data]")
    assert pixel[0] > 150 and pixel[2] < 80  # one view alone


@pytest.mark.parametrize(("size", "least"), [((390, 844), 0.95), ((844, 390), 0.75), ((1280, 800), 0.95)])
def test_the_film_is_seen_on_every_screen(
    chromium: Any, films: Path, tmp_path: Path, size: tuple[int, int], least: float
) -> None:
    with Page.opened(chromium, films, tmp_path, size, has_touch=True) as page:
        page.shot("list")
        assert page.js("document.documentElement.scrollWidth <= innerWidth")
        page.open()
        box = page.page.locator("#flat").bounding_box()
        assert box["width"] >= least * size[0] and box["height"] <= size[1] + 1
        assert box["y"] >= 0 and box["y"] + box["height"] <= size[1] + 1
        for button in page.page.locator("#row button:visible, #top button:visible").all():
            inside = button.bounding_box()
            assert inside["x"] >= 0 and inside["x"] + inside["width"] <= size[0], button.get_attribute("id")
            assert min(inside["width"], inside["height"]) >= 44
        page.page.evaluate("stereocast.controls.woken = -1e9")
        page.until("document.querySelector('#player.idle') !== null")
        page.shot("player")


def test_full_screen_keeps_the_controls(page: Page) -> None:
    page.open()
    page.page.click("#whole")
    page.until("document.fullscreenElement?.id === 'player'")
    assert page.js("document.fullscreenElement.contains(document.querySelector('#bar'))")
    page.page.wait_for_selector("#whole[aria-pressed=true]")


_CONTRAST = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const light = (c) => 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
  const back = (element) => {
    for (; element; element = element.parentElement) {
      const colour = rgb(getComputedStyle(element).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.8) return colour.slice(0, 3);
    }
    return [16, 18, 22];
  };
  document.querySelector('#library').hidden = false;
  const says = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  const all = [...document.querySelectorAll('body *')].filter((e) => says(e) && e.getClientRects().length && !e.disabled);
  const ratio = (e) => {
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(back(e))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  return all.map((e) => [ratio(e), e.outerHTML.slice(0, 80)]).sort((x, y) => x[0] - y[0])[0];
}"""


def test_contrast_of_words_is_enough(page: Page) -> None:
    """WCAG AA: 4.5 between words and what is behind them."""
    page.open()
    page.page.click("#settings")
    worst = page.js(_CONTRAST)
    assert worst[0] >= 4.5, worst


def test_every_button_has_a_name(page: Page) -> None:
    page.open()
    page.page.click("#settings")
    nameless = page.js(
        """[...document.querySelectorAll('button, input, select, a')]
            .filter((e) => !(e.ariaLabel || e.textContent.trim() || e.labels?.length)).map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert nameless == []


def test_the_next_film_follows_at_the_end_and_can_be_stopped(page: Page) -> None:
    page.open()
    page.until("stereocast.player.after !== null")
    following = page.js("stereocast.player.after.title")
    page.js("stereocast.video.currentTime = 7.9")
    page.page.wait_for_selector("#note button:has-text('Cancel')")
    assert "Next in" in page.page.inner_text("#note")
    page.page.click("#note button:has-text('Cancel')")
    page.until("stereocast.player.message() === ''")
    page.js("stereocast.player.ended()")
    page.page.click("#note button:has-text('Now')")
    page.until(f"stereocast.player.film.title === '{following}'")
