//! Coinbase from the outside, both products: dialogues, the engine's end of the wire against the
//! venue's, whole runs, and hostile bytes.

#[path = "coinbase/dialogue.rs"]
mod dialogue;
#[path = "coinbase/hostile.rs"]
mod hostile;
#[path = "coinbase/run.rs"]
mod run;
#[path = "coinbase/world.rs"]
mod world;
