from __future__ import annotations

from itertools import permutations

import pytest

from polymarket_agent.decision.states import (
    CAUSES,
    AgentState,
    By,
    OpenCause,
    Release,
    StateBook,
    StateError,
    allows,
)

S = AgentState
T0 = 1_771_200_000_000  # 2026-02-16 00:00 UTC
MINUTE = 60_000
DAY = 86_400_000


@pytest.mark.parametrize(
    ("state", "entry", "reducing"),
    [
        (S.ACTIVE, True, True),
        (S.REDUCING, False, True),
        (S.RECOVERING, False, False),
        (S.HALTED, False, False),
        (S.KILLED, False, False),
    ],
)
def test_what_each_state_lets_pass(state: AgentState, entry: bool, reducing: bool) -> None:
    """ACTIVE passes everything, REDUCING what reduces risk, all others no order at all."""
    assert (allows(state, reducing=False), allows(state, reducing=True)) == (entry, reducing)


def test_the_most_restrictive_cause_holds_in_any_order() -> None:
    """KILLED over HALTED over RECOVERING over REDUCING, however they came and went."""
    causes = ["kill", "ledger", "start", "drawdown"]
    for order in permutations(causes):
        book = StateBook()
        for cause in order:
            book.enter(cause, at_ms=T0)
        assert book.state is S.KILLED
        assert [each.cause for each in book.causes] == causes


def test_a_book_without_causes_is_active() -> None:
    """Nothing wrong means everything is allowed."""
    assert StateBook().state is S.ACTIVE
    assert StateBook().describe() == "ACTIVE"


def test_entering_says_what_changed_once() -> None:
    """A new cause is one change with the states before and after; the same one again is none."""
    book = StateBook()

    first = book.enter("drawdown", detail="fell by 30", at_ms=T0)
    second = book.enter("ghost_fills", at_ms=T0 + 1)

    assert first is not None
    assert (first.before, first.after, first.opened, first.detail) == (S.ACTIVE, S.REDUCING, True, "fell by 30")
    assert second is not None
    assert (second.before, second.after) == (S.REDUCING, S.REDUCING)
    assert book.enter("drawdown", detail="fell by 31", at_ms=T0 + 2) is None
    assert book.describe() == "REDUCING (drawdown: fell by 30; ghost_fills)"


def test_a_known_cause_cannot_be_made_harmless() -> None:
    """Whoever enters a kill as REDUCING gets KILLED; a stricter state than the table's is taken."""
    book = StateBook()
    book.enter("kill", S.REDUCING, at_ms=T0)
    assert book.state is S.KILLED

    other = StateBook()
    other.enter("drawdown", S.HALTED, at_ms=T0)
    assert other.state is S.HALTED


def test_a_cause_that_gets_worse_goes_down_and_keeps_its_time() -> None:
    """An open cause that asks for more is a change; one that asks for less is not."""
    book = StateBook()
    book.enter("odd", S.REDUCING, at_ms=T0)

    worse = book.enter("odd", S.HALTED, at_ms=T0 + 5)

    assert worse is not None
    assert worse.after is S.HALTED
    assert book.enter("odd", S.REDUCING, at_ms=T0 + 6) is None
    assert (book.state, book.causes[0].at_ms) == (S.HALTED, T0)


@pytest.mark.parametrize("state", [None, S.ACTIVE])
def test_a_cause_must_ask_for_something(state: AgentState | None) -> None:
    """A cause that nobody knows needs a state below ACTIVE; a mistake there changes nothing."""
    book = StateBook()

    with pytest.raises(StateError, match="below ACTIVE"):
        book.enter("odd", state, at_ms=T0)
    assert book.causes == ()


# -- what ends by itself ----------------------------------------------------------------------------------------------


def test_a_daily_loss_ends_with_the_utc_day() -> None:
    """Not a millisecond before midnight, and not on a clock that goes back."""
    book = StateBook()
    book.enter("daily_loss", at_ms=T0 + 5_000)

    assert book.sweep(T0 + DAY - 1, priced=True) == []
    assert book.sweep(T0 - DAY, priced=True) == []
    [change] = book.sweep(T0 + DAY, priced=True)
    assert (change.cause, change.opened, change.after, change.by) == ("daily_loss", False, S.ACTIVE, "time")


def test_a_loss_that_is_only_a_missing_price_ends_with_the_price() -> None:
    """Whatever the day, and not before everything that is held has a price."""
    book = StateBook()
    book.enter("unpriced_loss", at_ms=T0)

    assert book.sweep(T0 + 9 * DAY, priced=False) == []
    assert [change.after for change in book.sweep(T0 + 1, priced=True)] == [S.ACTIVE]


@pytest.mark.parametrize("cause", ["clock", "disk_low", "edge_block"])
def test_clock_disk_and_edge_must_be_clear_for_five_minutes(cause: str) -> None:
    """The five minutes begin anew when the reason comes back."""
    book = StateBook()
    book.enter(cause, at_ms=T0)
    assert book.sweep(T0 + DAY, priced=True) == []

    book.clear(cause, T0 + MINUTE)
    book.clear(cause, T0 + 2 * MINUTE)  # still clear: the first time counts
    book.enter(cause, at_ms=T0 + 4 * MINUTE)
    assert book.sweep(T0 + 6 * MINUTE, priced=True) == []
    book.clear(cause, T0 + 5 * MINUTE)
    assert book.sweep(T0 + 10 * MINUTE - 1, priced=True) == []
    assert [change.cause for change in book.sweep(T0 + 10 * MINUTE, priced=True)] == [cause]


def test_everything_else_waits_for_the_operator() -> None:
    """No time and no price ends what the table gives to the operator or to reconciliation."""
    book = StateBook()
    waits = [cause for cause, (_, release) in CAUSES.items() if release in (Release.OPERATOR, Release.RECONCILED)]
    for cause in [*waits, "odd"]:
        book.enter(cause, None if cause in CAUSES else S.REDUCING, at_ms=T0)
        book.clear(cause, T0)

    assert book.sweep(T0 + 999 * DAY, priced=True) == []
    assert {"drawdown", "external_activity", "revival", "ghost_fills", "kill"} <= set(waits)


# -- who lets go ------------------------------------------------------------------------------------------------------


def test_reconciliation_ends_recovering_and_nothing_else() -> None:
    """Two clean comparisons end RECOVERING; the operator cannot talk it away, and it ends nothing of theirs."""
    book = StateBook()
    book.enter("start", at_ms=T0)
    book.enter("drawdown", at_ms=T0)

    with pytest.raises(StateError, match="two clean comparisons"):
        book.leave("start", By.OPERATOR, T0)
    with pytest.raises(StateError, match="only the operator"):
        book.leave("drawdown", By.RECONCILIATION, T0)
    change = book.leave("start", By.RECONCILIATION, T0 + 1)
    assert change is not None
    assert (change.before, change.after) == (S.RECOVERING, S.REDUCING)
    assert book.leave("start", By.RECONCILIATION, T0 + 2) is None


def test_time_ends_nothing_early_by_that_name_either() -> None:
    """Leaving by time is only what the sweep would do; a refusal changes nothing."""
    book = StateBook()
    book.enter("daily_loss", at_ms=T0)

    with pytest.raises(StateError, match="ends with the UTC day"):
        book.leave("daily_loss", By.TIME, T0 + 1)
    assert book.state is S.REDUCING
    assert book.leave("daily_loss", By.OPERATOR, T0 + 2) is not None


@pytest.mark.parametrize("cause", ["ledger", "kill", "operator_halt"])
@pytest.mark.parametrize("by", list(By))
def test_a_halt_is_left_by_resuming_only(cause: str, by: By) -> None:
    """HALTED and KILLED do not end cause by cause: resuming goes by way of RECOVERING."""
    book = StateBook()
    book.enter(cause, at_ms=T0)

    with pytest.raises(StateError, match="agent"):
        book.leave(cause, by, T0)
    assert book.state.rank >= S.HALTED.rank


def test_resuming_goes_by_way_of_recovering() -> None:
    """What waits for the operator ends, nothing can be sent until two clean comparisons, and then everything can."""
    book = StateBook()
    for cause in ("ledger", "drawdown", "daily_loss"):
        book.enter(cause, at_ms=T0)

    changes = book.resume(T0 + MINUTE, confirmed=False)

    assert [change.cause for change in changes] == ["resume", "ledger", "drawdown"]
    assert changes[-1].after is S.RECOVERING
    assert all(not allows(change.after, reducing=True) for change in changes)  # never open in between
    book.leave("resume", By.RECONCILIATION, T0 + 2 * MINUTE)
    assert book.describe() == "REDUCING (daily_loss)"


def test_a_kill_is_sticky() -> None:
    """I16: it survives a restart and needs the typed confirmation."""
    book = StateBook()
    book.enter("kill", detail="by the kill file", at_ms=T0)
    again = StateBook(book.causes)

    with pytest.raises(StateError, match="KILLED"):
        again.resume(T0 + DAY, confirmed=False)
    assert again.describe() == "KILLED (kill: by the kill file)"
    again.resume(T0 + DAY, confirmed=True)
    assert again.describe() == "RECOVERING (resume: resumed by the operator)"


def test_resuming_an_agent_that_needs_no_operator_changes_nothing() -> None:
    """A daily loss or a start is not resumed away."""
    book = StateBook([OpenCause("daily_loss", S.REDUCING, "", T0)])

    assert book.resume(T0 + 1, confirmed=True) == []
    assert book.state is S.REDUCING


def test_the_causes_of_the_table_ask_for_what_the_specification_says() -> None:
    """Failure model 3.4: what reduces, what halts, what kills, and what recovers."""
    asks = {cause: state for cause, (state, _) in CAUSES.items()}

    for cause in ("daily_loss", "drawdown", "external_activity", "revival", "edge_block", "disk_low", "clock"):
        assert asks[cause] is S.REDUCING
    for cause in ("invariant", "difference", "ledger", "disk", "operator_halt"):
        assert asks[cause] is S.HALTED
    for cause in ("start", "time_jump", "lease_regained"):
        assert asks[cause] is S.RECOVERING
    assert asks["kill"] is S.KILLED
