//! Orders from plan to end: legs, ready requests, order states, hedging, and the journal of it all.
