//! Random and mutated input.
