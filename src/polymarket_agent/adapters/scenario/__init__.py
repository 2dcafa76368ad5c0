"""The built-in scenario: a few made-up markets that live through twenty minutes, the same for the same seed.

It is a recording that is computed instead of read. It is no exchange: nobody in it reacts to our orders.
"""

from polymarket_agent.adapters.scenario.feed import ScenarioFeed

__all__ = ["ScenarioFeed"]
