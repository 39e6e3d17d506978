//! Bybit from the outside: captured streams rebuilt into books, dialogues, both ends of its wire
//! around a simulated exchange, the whole engine on it, and hostile input.

#[path = "bybit/books.rs"]
mod books;
#[path = "bybit/captures.rs"]
mod captures;
#[path = "common/captures.rs"]
mod common;
#[path = "bybit/dialogue.rs"]
mod dialogue;
#[path = "bybit/engine.rs"]
mod engine;
#[path = "bybit/hostile.rs"]
mod hostile;
#[path = "bybit/limits.rs"]
mod limits;
#[path = "bybit/metadata.rs"]
mod metadata;
#[path = "common/pairing.rs"]
mod pairing;
#[path = "bybit/preview.rs"]
mod preview;
#[path = "common/run.rs"]
mod run;
#[path = "common/dialogue.rs"]
mod script;
#[path = "common/world.rs"]
mod stage;
#[path = "bybit/trading.rs"]
mod trading;
#[path = "common/books.rs"]
mod watch;
#[path = "bybit/world.rs"]
mod world;
