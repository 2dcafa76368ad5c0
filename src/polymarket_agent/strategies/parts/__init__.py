"""What several strategies are made of: checked params, own holdings, entries and exits, ladders, sets of legs."""
