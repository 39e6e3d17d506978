//! Where real captures are, for tests and benches that use them when they are there.

use std::path::PathBuf;

/// `XARB_CAPTURES`, or a folder beside the checkout. May not exist.
pub fn folder() -> PathBuf {
    std::env::var_os("XARB_CAPTURES")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/captures"), PathBuf::from)
}
