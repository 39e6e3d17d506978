//! Histograms of hops, counters and their tables: never on the hot path.
