//! JSON in three tiers, each the judge of the one before.
//!
//! 1. A *template*: the message's usual spelling, every byte of it compared. What it takes is
//!    therefore that spelling and nothing else; anything else is a "no", not an error.
//! 2. A *scanner* that is told the schema: keys in any order, white space, unknown fields. It
//!    checks all that it passes over, and says "no" to escapes in strings.
//! 3. A *library* ([`library`]): simd-json on a scratch copy, or serde_json where numbers must
//!    keep their digits. Its verdict is final.
//!
//! The templates and schemas are the venues'; what they are made of is here, and so is what walks
//! the tiers: [`tiers`] says what a venue writes, with an example. One rule holds in all
//! tiers: a field that a schema reads may stand only once in its object, text must be UTF-8, and
//! nothing may be nested deeper than [`MAX_DEPTH`].

pub mod kernel;
pub mod library;
pub mod scan;
pub mod slots;
pub mod template;
pub mod tiers;
pub mod time;

pub use tiers::{Decoder, Dialect, TierUse};

use crate::types::DecimalError;

/// The deepest nesting of arrays and objects that is read.
pub const MAX_DEPTH: usize = 64;

/// The three ways to read a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tier {
    /// The byte-checked template.
    Template,
    /// The schema-directed scanner.
    Scanner,
    /// The library.
    Library,
}

/// Why a message is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not JSON, or not what the schema asks for.
    #[error("byte {at}: {what}")]
    Malformed {
        /// Offset in the message; zero where it is not known.
        at: usize,
        /// What was expected.
        what: &'static str,
    },
    /// A number that the scale cannot hold exactly.
    #[error("byte {at}: {error}")]
    Decimal {
        /// Offset in the message; zero where it is not known.
        at: usize,
        /// Why.
        error: DecimalError,
    },
}

impl Error {
    /// A refusal at a byte.
    #[cold]
    pub fn expected(what: &'static str, at: usize) -> Error {
        Error::Malformed { at, what }
    }
}
