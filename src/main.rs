//! xarb
fn main() {}
