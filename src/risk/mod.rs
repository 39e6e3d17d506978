//! The gate that every order passes, the limits that it applies, and the kill flag.
