from tests.style.ratchet import complaints, over_limit, recorded, shrink


def test_nothing_new_is_too_long() -> None:
    """Modules keep to 300 lines and functions to 70; what is over today may only shrink."""
    assert not complaints(over_limit(), recorded())


def test_a_longer_module_is_named_with_its_limit() -> None:
    """A module past its limit is a complaint, whether the limit is the common one or its own."""
    new = complaints({"src/a.py": 301}, {})
    grown = complaints({"src/a.py": 321}, {"src/a.py": 320})

    assert new == ["src/a.py has 301 lines, its limit is 300; split it where a second idea begins"]
    assert grown == ["src/a.py has 321 lines, its limit is 320; split it where a second idea begins"]


def test_a_gain_is_kept() -> None:
    """A module that became shorter than its record is a complaint until the record follows."""
    assert "make ratchet" in complaints({"src/a.py": 310}, {"src/a.py": 320})[0]
    assert "make ratchet" in complaints({}, {"src/a.py": 320})[0]


def test_the_record_never_grows_by_itself() -> None:
    """Shrinking lowers and removes entries; it neither raises one nor takes in a new one."""
    now = {"src/a.py": 310, "src/b.py": 500, "src/new.py": 400}
    allowed = {"src/a.py": 320, "src/b.py": 450, "src/gone.py": 330}

    assert shrink(now, allowed) == {"src/a.py": 310, "src/b.py": 450}
