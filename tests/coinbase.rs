//! Coinbase from the outside, both products: dialogues, the engine's end of the wire against the
//! venue's, whole runs, and hostile bytes.

#[path = "coinbase/dialogue.rs"]
mod dialogue;
#[path = "common/ends.rs"]
mod ends;
#[path = "coinbase/engine.rs"]
mod engine;
#[path = "coinbase/hostile.rs"]
mod hostile;
#[path = "common/engine.rs"]
mod run;
#[path = "coinbase/world.rs"]
mod world;
