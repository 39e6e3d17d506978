//! TOML to a checked configuration; a refusal names file, key, value and what was expected.
