//! The one driver of the three tiers. A venue says what its messages are by a [`Dialect`]; a
//! [`Decoder`] of it walks the tiers, keeps count of them, and keeps the buffer of levels clean.
//!
//! What a venue writes, in one file for each tier:
//!
//! - [`Dialect::template`]: the spellings that the venue's servers use, byte by byte, made of
//!   [`Template`]'s steps. `None` at the first byte that differs.
//! - [`Dialect::scan`]: the same fields in any order and spelling, by a [`Scanner`]. Fields whose
//!   meaning hangs on others that come later go into [`Slots`](super::slots::Slots) first.
//! - [`Dialect::library`]: the same fields out of the tree that
//!   [`library::strings`](super::library::strings) or [`library::exact`](super::library::exact)
//!   makes.
//!
//! All three must tell the same of every message that they take, and the scanner and the library
//! must refuse the same ones. None of them cleans up: levels that were pushed by a tier that did
//! not take the message are dropped here. A message that tells no levels must not leave any,
//! though: only its maker knows. The two first are compiled for each instruction set, whole, so
//! mark them and all that they call with the kernel `#[inline(always)]`, and loop over
//! [`Walk`](super::scan::Walk)s where a closure would do: a closure cannot be marked.
//!
//! ```
//! use xarb::types::{Level, Scale};
//! use xarb::wire::PaddedBuf;
//! use xarb::wire::json::kernel::Kernel;
//! use xarb::wire::json::library::{self, Scratch};
//! use xarb::wire::json::scan::Scanner;
//! use xarb::wire::json::slots::Slots;
//! use xarb::wire::json::template::Template;
//! use xarb::wire::json::{Decoder, Dialect, Error};
//!
//! /// `{"id":7,"b":[["1.5","2"]]}`
//! struct Example;
//!
//! struct Bids {
//!     id: u64,
//!     bids: std::ops::Range<u32>,
//! }
//!
//! /// What is read, by index.
//! const KEYS: [&str; 2] = ["id", "b"];
//!
//! impl Dialect for Example {
//!     type Message<'a> = Bids;
//!     type Memory = Scratch;
//!
//!     #[inline(always)]
//!     fn template<'a, K: Kernel>(template: Template<'a, K>, levels: &mut Vec<Level>) -> Option<Bids> {
//!         let (id, at) = template.integer(template.literal(0, b"{\"id\":")?)?;
//!         let (bids, at) = template.levels(template.literal(at, b",\"b\":[")?, levels)?;
//!         template.end(template.literal(at, b"}")?)?;
//!         Some(Bids { id, bids })
//!     }
//!
//!     #[inline(always)]
//!     fn scan<'a, K: Kernel>(mut scan: Scanner<'a, K>, levels: &mut Vec<Level>) -> Result<Bids, Error> {
//!         let mut slots = Slots::<{ KEYS.len() }>::new();
//!         let mut bids = None;
//!         let mut walk = scan.object(scan.space(0))?;
//!         while let Some((key, at)) = scan.field(&mut walk)? {
//!             let Some(key) = KEYS.iter().position(|k| k.as_bytes() == key) else {
//!                 walk.at = scan.skip(at, 1)?;
//!                 continue;
//!             };
//!             slots.once(key, at)?;
//!             walk.at = if key == 1 {
//!                 let start = levels.len() as u32;
//!                 let end = scan.levels(at, 1, levels)?;
//!                 bids = Some(start..levels.len() as u32);
//!                 end
//!             } else {
//!                 scan.skip(at, 1)?
//!             };
//!             slots.set(key, at, walk.at);
//!         }
//!         scan.finish(walk.at)?;
//!         let id = slots.integer(&mut scan, 0)?.ok_or_else(|| Error::expected("id", 0))?;
//!         Ok(Bids { id, bids: bids.ok_or_else(|| Error::expected("b", 0))? })
//!     }
//!
//!     fn library<'a>(
//!         text: &'a [u8],
//!         scale: Scale,
//!         memory: &'a mut Scratch,
//!         levels: &mut Vec<Level>,
//!     ) -> Result<Bids, Error> {
//!         let tree = library::strings(text, memory)?;
//!         let fields = tree.map().ok_or_else(|| Error::expected("an object", 0))?;
//!         library::once(fields, &KEYS)?;
//!         let id = library::integer(fields, "id")?.ok_or_else(|| Error::expected("id", 0))?;
//!         Ok(Bids { id, bids: library::levels(fields, "b", scale, levels)? })
//!     }
//! }
//!
//! let mut decoder = Decoder::<Example>::new(Scale::DEFAULT);
//! let (mut buffer, mut levels) = (PaddedBuf::default(), Vec::new());
//! let mut read = |text: &str| {
//!     decoder.decode(buffer.fill(text.as_bytes()), &mut levels).map(|told| (told.id, told.bids))
//! };
//! assert_eq!(read(r#"{"id":7,"b":[["1.5","2"]]}"#), Ok((7, 0..1)));
//! assert_eq!(read(r#"{ "b": [["1.5", "2"]], "id": 8 }"#), Ok((8, 1..2)));
//! assert_eq!(read(r#"{"\u0069d":9,"b":[]}"#), Ok((9, 2..2)));
//! assert!(read(r#"{"id":10,"b":[["1.5"]]}"#).is_err());
//! let used = decoder.tiers();
//! assert_eq!((used.template, used.scanner, used.library), (1, 1, 2));
//! ```

use std::fmt;
use std::hint::black_box;
use std::iter::Sum;
use std::marker::PhantomData;
use std::ops::Add;

use super::kernel::{Isa, Job, Kernel};
use super::scan::{Scanner, gave_up};
use super::template::Template;
use super::{Error, Tier};
use crate::types::{Level, Scale};
use crate::wire::Padded;

/// A venue's messages, by three ways to read them. Levels are appended to the buffer that each way
/// is given.
pub trait Dialect {
    /// What a message says.
    type Message<'a>;
    /// What the library's reading works in and keeps texts in; reused from message to message.
    type Memory: Default + fmt::Debug;

    /// The first tier: the usual spellings, every byte of the message compared; `None` for any other.
    fn template<'a, K: Kernel>(
        template: Template<'a, K>,
        levels: &mut Vec<Level>,
    ) -> Option<Self::Message<'a>>;

    /// The second tier: the schema in any spelling.
    ///
    /// # Errors
    /// [`Error`] when the message is not JSON, not of the schema, has a decimal that the scale
    /// cannot hold, or has an escape.
    fn scan<'a, K: Kernel>(scan: Scanner<'a, K>, levels: &mut Vec<Level>)
    -> Result<Self::Message<'a>, Error>;

    /// The third tier, whose verdict is final.
    ///
    /// # Errors
    /// [`Error`] as the second tier, but escapes are read.
    fn library<'a>(
        text: &'a [u8],
        scale: Scale,
        memory: &'a mut Self::Memory,
        levels: &mut Vec<Level>,
    ) -> Result<Self::Message<'a>, Error>;
}

/// Messages by the JSON tier that took them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TierUse {
    /// The byte-checked template.
    pub template: u64,
    /// The schema-directed scanner.
    pub scanner: u64,
    /// The library.
    pub library: u64,
}

impl Add for TierUse {
    type Output = TierUse;

    fn add(self, other: TierUse) -> TierUse {
        TierUse {
            template: self.template + other.template,
            scanner: self.scanner + other.scanner,
            library: self.library + other.library,
        }
    }
}

impl Sum for TierUse {
    fn sum<I: Iterator<Item = TierUse>>(all: I) -> TierUse {
        all.fold(TierUse::default(), TierUse::add)
    }
}

/// Reads messages of a dialect whose decimals are of one scale.
pub struct Decoder<D: Dialect> {
    isa: Isa,
    used: TierUse,
    memory: D::Memory,
}

impl<D: Dialect> fmt::Debug for Decoder<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("isa", &self.isa).field("used", &self.used).finish_non_exhaustive()
    }
}

impl<D: Dialect> Decoder<D> {
    /// A decoder for decimals of that scale, with the widest instructions that this CPU has.
    pub fn new(scale: Scale) -> Decoder<D> {
        Decoder::with_isa(Isa::detect(scale))
    }

    /// A decoder by a given instruction set.
    #[doc(hidden)]
    pub fn with_isa(isa: Isa) -> Decoder<D> {
        Decoder { isa, used: TierUse::default(), memory: D::Memory::default() }
    }

    /// Reads a message; its levels are appended to `levels`, which is left as it was on an error
    /// and for messages without levels.
    ///
    /// # Errors
    /// [`Error`] when the message is not JSON, not what the venue documents, or has a decimal that
    /// the scale cannot hold.
    #[inline]
    pub fn decode<'a>(
        &'a mut self,
        text: Padded<'a>,
        levels: &mut Vec<Level>,
    ) -> Result<D::Message<'a>, Error> {
        let isa = self.isa;
        isa.run(All { decoder: self, text, levels })
    }

    /// Reads a message once more for nothing, so that what reads it is at hand for the next one: no tier
    /// counts it, and `levels` is left as it was.
    pub fn rehearse(&mut self, text: Padded<'_>, levels: &mut Vec<Level>) {
        let (used, start) = (self.used, levels.len());
        black_box(self.decode(text, levels).is_ok());
        self.used = used;
        levels.truncate(start);
    }

    /// The second tier, then the third.
    #[cold]
    #[inline(never)]
    fn slowly<'a>(&'a mut self, text: Padded<'a>, levels: &mut Vec<Level>) -> Result<D::Message<'a>, Error> {
        let start = levels.len();
        let refusal = match self.isa.run(Scan { text, levels, dialect: PhantomData::<D> }) {
            Ok(message) => {
                self.used.scanner += 1;
                return Ok(message);
            }
            Err(refusal) => refusal,
        };
        levels.truncate(start);
        self.used.library += 1;
        // The scanner's refusal tells where; the library's counts only where the scanner gave up.
        let judged = self.by_library(text.message(), levels);
        judged.map_err(|error| if gave_up(&refusal) { error } else { refusal })
    }

    fn by_library<'a>(
        &'a mut self,
        text: &'a [u8],
        levels: &mut Vec<Level>,
    ) -> Result<D::Message<'a>, Error> {
        let start = levels.len();
        D::library(text, self.isa.scale(), &mut self.memory, levels).inspect_err(|_| levels.truncate(start))
    }

    /// [`Decoder::decode`] by one tier alone; `None` when the tier leaves the message to the next.
    #[doc(hidden)]
    pub fn decode_with<'a>(
        &'a mut self,
        tier: Tier,
        text: Padded<'a>,
        levels: &mut Vec<Level>,
    ) -> Option<Result<D::Message<'a>, Error>> {
        let start = levels.len();
        match tier {
            Tier::Template => {
                let taken = self.isa.run(ByTemplate { text, levels, dialect: PhantomData::<D> });
                if taken.is_none() {
                    levels.truncate(start);
                }
                taken.map(Ok)
            }
            Tier::Scanner => match self.isa.run(Scan { text, levels, dialect: PhantomData::<D> }) {
                Err(error) => {
                    levels.truncate(start);
                    (!gave_up(&error)).then_some(Err(error))
                }
                Ok(message) => Some(Ok(message)),
            },
            Tier::Library => Some(self.by_library(text.message(), levels)),
        }
    }

    /// How many messages each tier took.
    pub fn tiers(&self) -> TierUse {
        self.used
    }
}

/// All tiers in turn. One job, so that the usual message is made where its reader wants it.
struct All<'a, 'l, D: Dialect> {
    decoder: &'a mut Decoder<D>,
    text: Padded<'a>,
    levels: &'l mut Vec<Level>,
}

impl<'a, D: Dialect> Job for All<'a, '_, D> {
    type Out = Result<D::Message<'a>, Error>;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Self::Out {
        let All { decoder, text, levels } = self;
        let start = levels.len();
        if let Some(message) = D::template(Template { text, kernel }, levels) {
            decoder.used.template += 1;
            return Ok(message);
        }
        levels.truncate(start);
        decoder.slowly(text, levels)
    }
}

/// The first tier alone.
struct ByTemplate<'a, 'l, D> {
    text: Padded<'a>,
    levels: &'l mut Vec<Level>,
    dialect: PhantomData<D>,
}

impl<'a, D: Dialect> Job for ByTemplate<'a, '_, D> {
    type Out = Option<D::Message<'a>>;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Self::Out {
        D::template(Template { text: self.text, kernel }, self.levels)
    }
}

/// The second tier alone.
struct Scan<'a, 'l, D> {
    text: Padded<'a>,
    levels: &'l mut Vec<Level>,
    dialect: PhantomData<D>,
}

impl<'a, D: Dialect> Job for Scan<'a, '_, D> {
    type Out = Result<D::Message<'a>, Error>;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Self::Out {
        D::scan(Scanner::new(self.text, kernel), self.levels)
    }
}
