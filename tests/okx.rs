//! OKX from the outside: captured streams rebuilt into books, dialogues, both ends of its wire
//! around a simulated exchange, the whole engine on it, and hostile input.

#[path = "okx/books.rs"]
mod books;
#[path = "okx/captures.rs"]
mod captures;
#[path = "common/captures.rs"]
mod common;
#[path = "okx/dialogue.rs"]
mod dialogue;
#[path = "okx/engine.rs"]
mod engine;
#[path = "okx/hostile.rs"]
mod hostile;
#[path = "common/pairing.rs"]
mod pairing;
#[path = "okx/preview.rs"]
mod preview;
#[path = "common/run.rs"]
mod run;
#[path = "common/dialogue.rs"]
mod script;
#[path = "common/world.rs"]
mod stage;
#[path = "okx/trading.rs"]
mod trading;
#[path = "common/books.rs"]
mod watch;
#[path = "okx/world.rs"]
mod world;
