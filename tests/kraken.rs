//! Kraken from the outside: recorded books, and dialogues between the engine's end of the wire and
//! the venue's.

#[path = "kraken/books.rs"]
mod books;
