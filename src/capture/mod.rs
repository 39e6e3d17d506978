//! Captured feeds: formats, import and replay.
