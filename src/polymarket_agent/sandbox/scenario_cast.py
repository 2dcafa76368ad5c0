"""Who plays in the full scenario: its questions, courses and ends. Times are seconds since the start."""

from __future__ import annotations

from polymarket_agent.domain.market import ConditionId, MarketGroup, ProtocolVersion
from polymarket_agent.sandbox.fair_value import LadderRung, SharedOut
from polymarket_agent.sandbox.scenario_markets import CULTURE, POLITICS, SPORTS, Casting, Listing

__all__ = ["Life", "full_cast", "one_market"]

# Second, what happens (an `ActionKind` by its value), to which market, with which payouts.
Life = tuple[float, str, ConditionId, tuple[int, int] | None]

_V2 = ProtocolVersion.V2
_YES, _NO, _HALF = (1_000_000, 0), (0, 1_000_000), (500_000, 500_000)


def one_market(casting: Casting) -> Listing:
    """Return the single market of the scenario `one`."""
    return Listing(
        market=casting.market("rain-in-lisbon", "Will it rain in Lisbon tomorrow?", fees=CULTURE),
        path=casting.score("rain-in-lisbon", ((0, 0.46),), news_every_s=120.0),
        description="Resolves to Yes if the weather office reports rain in Lisbon.",
        tags=("Weather",),
        activity=3.0,
    )


def full_cast(casting: Casting, factor: float) -> tuple[list[Listing], list[MarketGroup], list[Life]]:
    """Return every market of the full scenario, its groups and what happens to it; `factor` stretches time."""
    listings = [one_market(casting), _comet(casting), _sports(casting, factor)]
    groups: list[MarketGroup] = []
    for members, group in (_rates(casting), _film_prize(casting), _telescope(casting)):
        listings += members
        groups.append(group)
    half, disputed, edge = _half(casting, factor), _disputed(casting, factor), _favourite(casting, factor)
    listings += [half, disputed, edge]
    sports, draw, bill = (each.market.condition_id for each in (listings[2], half, disputed))
    lives: list[Life] = [
        (480, "close", bill, None),
        (485, "propose", bill, _NO),
        (600, "dispute", bill, None),
        (840, "propose", bill, _YES),
        (900, "resolve", bill, _YES),
        (700, "close", draw, None),
        (705, "propose", draw, _HALF),
        (720, "resolve", draw, _HALF),
        (300, "start_game", sports, None),  # resting orders of a sports market are cancelled then
        (3_000, "close", sports, None),
        (3_030, "propose", sports, _YES),
        (3_060, "resolve", sports, _YES),
    ]
    return listings, groups, [(at * factor, kind, market, payouts) for at, kind, market, payouts in lives]


def _comet(casting: Casting) -> Listing:
    return Listing(
        market=casting.market("comet-naked-eye", "Will the comet be visible to the naked eye?"),
        path=casting.score("comet-naked-eye", ((0, 0.38),), news_every_s=90.0, news_size=0.5, half_life_s=300.0),
        description="Resolves to Yes if two observatories report magnitude 6 or brighter.",
        tags=("Science",),
        half_spread=15_000,
    )


def _sports(casting: Casting, factor: float) -> Listing:
    course = ((0, 0.52), (900 * factor, 0.60), (1_800 * factor, 0.55), (2_700 * factor, 0.9), (2_990 * factor, 0.99))
    return Listing(
        market=casting.market(
            "harbour-v-mill-town", "Will Harbour beat Mill Town?", fees=SPORTS, ends_s=3_000 * factor
        ),
        path=casting.score("harbour-v-mill-town", course, noise=0.015, half_life_s=60.0 * factor, news_size=0.4),
        seconds_delay=3,
        description="Resolves to Yes if Harbour wins in regular time.",
        tags=("Sports",),
        activity=1.5,
    )


def _rates(casting: Casting) -> tuple[list[Listing], MarketGroup]:
    """A neg-risk group of four in the first protocol; one of them is so unlikely that its grid is fine."""
    group_id = casting.group_id("rate-decision")
    odds = {"No change": 0.60, "25 bps cut": 0.27, "25 bps hike": 0.10, "50 bps or more": 0.03}
    scores = tuple(
        casting.score(f"rates-{number}", ((0, chance),), noise=0.006, news_every_s=300.0, news_size=0.2)
        for number, chance in enumerate(odds.values())
    )
    listings = [
        Listing(
            market=casting.market(
                f"rate-decision-{number}",
                f"Rate decision: {label}?",
                fees=POLITICS,
                tick="0.001" if odds[label] < 0.04 else "0.01",
                neg_risk=True,
                group=(group_id, label),
            ),
            path=SharedOut(scores, casting.start_ms, number),
            description="Resolves by the statement of the central bank.",
            tags=("Economy", "Politics"),
            half_spread=8_000,
            depth=400,
        )
        for number, label in enumerate(odds)
    ]
    markets = [listing.market for listing in listings]
    return listings, MarketGroup.of(group_id, "Rate decision", markets, neg_risk=True, complete=True)


def _film_prize(casting: Casting) -> tuple[list[Listing], MarketGroup]:
    """A neg-risk group of three in the second protocol."""
    group_id = casting.group_id("film-prize")
    films = {"The Long Tide": 0.5, "Winter Bread": 0.3, "Any other film": 0.2}
    scores = tuple(
        casting.score(f"film-{number}", ((0, chance),), noise=0.006) for number, chance in enumerate(films.values())
    )
    listings = [
        Listing(
            market=casting.market(
                f"film-prize-{number}",
                f"Film prize: {film}?",
                version=_V2,
                fees=CULTURE,
                neg_risk=True,
                group=(group_id, film),
                member=(number, len(films)),
            ),
            path=SharedOut(scores, casting.start_ms, number),
            description="Resolves to the film that the jury names first.",
            tags=("Culture",),
            activity=0.7,
        )
        for number, film in enumerate(films)
    ]
    markets = [listing.market for listing in listings]
    return listings, MarketGroup.of(group_id, "Film prize", markets, neg_risk=True, complete=True)


def _telescope(casting: Casting) -> tuple[list[Listing], MarketGroup]:
    """A ladder of dates: one score, and the later the date the likelier."""
    group_id = casting.group_id("telescope")
    score = casting.score("telescope", ((0, 0.35),), noise=0.007, news_size=0.3)
    dates = {"March 31": 0.0, "June 30": 0.6, "December 31": 1.3}
    listings = [
        Listing(
            market=casting.market(
                f"telescope-by-{date.lower().replace(' ', '-')}",
                f"Will the telescope launch by {date}?",
                version=_V2,
                fees=POLITICS,
                group=(group_id, date),
            ),
            path=LadderRung(score, casting.start_ms, offset),
            description=f"Resolves to Yes if it lifts off on or before {date}.",
            tags=("Science", "Tech"),
            activity=0.7,
        )
        for date, offset in dates.items()
    ]
    markets = [listing.market for listing in listings]
    return listings, MarketGroup.of(group_id, "Telescope launch by …?", markets, neg_risk=False)


def _half(casting: Casting, factor: float) -> Listing:
    return Listing(
        market=casting.market("board-game-final", "Will White win the final?", ends_s=700 * factor),
        path=casting.score("board-game-final", ((0, 0.55), (600 * factor, 0.5)), half_life_s=60.0 * factor),
        description="Resolves 50/50 if the final is drawn.",
        tags=("Culture",),
    )


def _disputed(casting: Casting, factor: float) -> Listing:
    course = ((0, 0.45), (420 * factor, 0.7))
    return Listing(
        market=casting.market(
            "bill-passes-committee", "Will the bill pass the committee?", fees=POLITICS, ends_s=480 * factor
        ),
        path=casting.score("bill-passes-committee", course, half_life_s=60.0 * factor),
        description="Resolves to Yes if the committee passes the bill. The first proposal is disputed.",
        tags=("Politics",),
    )


def _favourite(casting: Casting, factor: float) -> Listing:
    """Goes through 0.96, where the venue refines the price grid."""
    course = ((0, 0.90), (240 * factor, 0.95), (420 * factor, 0.978), (1_200 * factor, 0.985))
    return Listing(
        market=casting.market("mayor-re-elected", "Will the mayor be re-elected?", fees=POLITICS),
        path=casting.score("mayor-re-elected", course, noise=0.01, half_life_s=30.0 * factor, news_every_s=0.0),
        description="Resolves to Yes if the incumbent keeps the office.",
        tags=("Politics",),
    )
