//! Kraken from the outside: recorded books, dialogues, the engine's end of the wire against the
//! venue's, and hostile bytes.

#[path = "kraken/books.rs"]
mod books;
#[path = "common/captures.rs"]
mod common;
#[path = "kraken/dialogue.rs"]
mod dialogue;
#[path = "common/ends.rs"]
mod ends;
#[path = "kraken/hostile.rs"]
mod hostile;
#[path = "kraken/world.rs"]
mod world;
