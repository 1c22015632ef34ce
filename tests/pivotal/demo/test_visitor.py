"""What a browser would send with a form it does not touch."""

from __future__ import annotations

from pivotal.demo.visitor import Form

PAGE = """
<input name="outside" value="1">
<form method="post" action="/there?a=1&amp;b=2">
  <input type="hidden" name="state" value="a&quot;b">
  <input type="radio" name="account" value="first" checked>
  <input type="radio" name="account" value="second">
  <input type="checkbox" name="unticked" value="1">
  <input type="text">
</form>
<form action="/elsewhere"><input name="late" value="1"></form>
"""


def test_the_first_form_is_read_as_a_browser_would() -> None:
    form = Form.first_of(PAGE)
    assert form is not None
    assert form.action == "/there?a=1&b=2"
    assert form.fields == {"state": 'a"b', "account": "first"}


def test_a_page_without_a_form_has_none() -> None:
    assert Form.first_of("<p>No form") is None
