//! What templates and scanners are made of, in two makes: AVX2 and plain. Which one is picked once,
//! at start; a [`Job`] is compiled for each, whole, so that everything in it is inlined.

use crate::types::Scale;
use crate::wire::Padded;
use crate::wire::decimal::{self, Number, Rescale};

/// The end of a string.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StringEnd {
    /// Offset of the closing quote.
    pub quote: usize,
    /// No byte of it is above 127.
    pub ascii: bool,
}

/// Two decimals and what stands behind them.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// The decimals.
    pub numbers: [Number; 2],
    /// The bytes from the second one's end on, of which some may be slack.
    pub behind: &'a [u8; 16],
}

/// A short plain text and what stands behind it.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    /// The text.
    pub text: &'a [u8],
    /// The bytes from its end on, of which some may be slack.
    pub behind: &'a [u8; 16],
}

/// The operations that differ between instruction sets. All read from the message and at most its
/// slack behind it; what they take may run into the slack, so a reader compares its last offset
/// with the message's length.
pub trait Kernel: Copy {
    /// The scale of decimals.
    fn scale(self) -> Scale;

    /// The decimal at `at`, in the usual form; with `json`, without leading zeros. What stands
    /// behind it is the caller's to check: it must end a number.
    fn number(self, text: Padded<'_>, at: usize, json: bool) -> Option<Number>;

    /// Two decimals with exactly `gap` between them. The caller checks what stands behind; if that
    /// is no number's end, the number may be longer than was seen.
    fn pair<'a, const GAP: usize>(
        self,
        text: Padded<'a>,
        at: usize,
        gap: &[u8; GAP],
        json: bool,
    ) -> Option<Pair<'a>>;

    /// The unsigned integer at `at` without leading zeros, and the offset behind it, where the
    /// caller checks what stands there.
    fn integer(self, text: Padded<'_>, at: usize) -> Option<(u64, usize)>;

    /// The plain name at `at`: at most 31 bytes of printable ASCII without space, `!`, quote and
    /// backslash. The caller checks that what stands behind it ends a string.
    fn name<'a>(self, text: Padded<'a>, at: usize) -> Option<Name<'a>>;

    /// The end of the string whose first byte is at `at`; `None` when it has an escape or a control
    /// character, or does not end.
    fn string_end(self, text: Padded<'_>, at: usize) -> Option<StringEnd>;

    /// True when the `len` bytes at both places are the same.
    fn same(self, text: Padded<'_>, one: usize, other: usize, len: usize) -> bool;
}

/// Names are shorter than this.
const NAME: usize = 32;

/// Work that is compiled for each kernel. [`Job::run`] and all that it calls with the kernel must
/// be `#[inline(always)]`.
pub trait Job {
    /// What comes of it.
    type Out;
    /// Does it.
    fn run<K: Kernel>(self, kernel: K) -> Self::Out;
}

/// An instruction set that this CPU has, and a scale.
#[derive(Clone, Copy, Debug)]
pub struct Isa {
    avx2: bool,
    scale: Scale,
    rescale: Rescale,
}

impl Isa {
    /// The widest instructions that this CPU has.
    pub fn detect(scale: Scale) -> Isa {
        Isa { avx2: has_avx2(), ..Isa::plain(scale) }
    }

    /// The plain twin, on any CPU.
    pub fn plain(scale: Scale) -> Isa {
        Isa { avx2: false, scale, rescale: Rescale::from_eight(scale) }
    }

    /// The scale of decimals.
    pub fn scale(self) -> Scale {
        self.scale
    }

    /// Runs a job by the kernel for this instruction set.
    #[inline]
    pub fn run<J: Job>(self, job: J) -> J::Out {
        #[cfg(target_arch = "x86_64")]
        if self.avx2 {
            // SAFETY: `avx2` is set only where the CPU has all these features.
            return unsafe {
                if self.scale == Scale::DEFAULT {
                    run_avx2(job, Avx2(Eight))
                } else {
                    run_avx2(job, Avx2(Other { scale: self.scale, rescale: self.rescale }))
                }
            };
        }
        run_plain(job, Plain(self.scale))
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("bmi2")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx2() -> bool {
    false
}

/// # Safety
/// The CPU has AVX2, BMI1 and BMI2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2")]
unsafe fn run_avx2<J: Job, S: Scaling>(job: J, kernel: Avx2<S>) -> J::Out {
    job.run(kernel)
}

/// Not inlined, so that [`Isa::run`] can be.
#[inline(never)]
fn run_plain<J: Job>(job: J, kernel: Plain) -> J::Out {
    job.run(kernel)
}

/// The `N` bytes at `at`, of which some may be slack; `None` beyond the message's end.
#[inline(always)]
pub fn window<const N: usize>(text: Padded<'_>, at: usize) -> Option<&[u8; N]> {
    const { assert!(N <= crate::wire::PADDING) };
    if at > text.len() {
        return None;
    }
    // SAFETY: `at` is at most the message's length, and a `Padded` has at least `PADDING` >= N bytes
    // behind its message.
    Some(unsafe { &*text.with_slack().as_ptr().add(at).cast() })
}

/// True when exactly these bytes stand at `at`.
#[inline(always)]
pub fn is<const N: usize>(text: Padded<'_>, at: usize, literal: &[u8; N]) -> bool {
    window::<64>(text, at).is_some_and(|bytes| starts_with(bytes, literal))
}

/// True when a window starts with exactly these bytes: a few wide loads and one branch.
#[inline(always)]
pub fn starts_with<const N: usize, const M: usize>(bytes: &[u8; M], literal: &[u8; N]) -> bool {
    const { assert!(N > 0 && N <= M && M >= 8) };
    if N == 1 {
        return bytes[0] == literal[0];
    }
    if N <= 4 {
        let mask = u32::MAX >> (32 - 8 * N);
        let mut padded = [0; 4];
        padded[..N].copy_from_slice(literal);
        return (word(bytes, 0) as u32) & mask == u32::from_le_bytes(padded);
    }
    if N < 8 {
        let mut padded = [0; 8];
        padded[8 - N..].copy_from_slice(literal);
        return word(bytes, 0) << (64 - 8 * N) == u64::from_le_bytes(padded);
    }
    let mut different = 0;
    let mut at = 0;
    while at < N {
        // The last eight bytes may overlap those before.
        let from = if at + 8 <= N { at } else { N - 8 };
        different |= word(bytes, from) ^ word(literal, from);
        at += 8;
    }
    different == 0
}

/// The eight bytes from `at` on, which the caller knows to be there.
#[inline(always)]
fn word<const N: usize>(bytes: &[u8; N], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

/// Byte by byte: the judge of the other, and the way on CPUs without AVX2.
#[derive(Clone, Copy)]
struct Plain(Scale);

impl Kernel for Plain {
    #[inline(always)]
    fn scale(self) -> Scale {
        self.0
    }

    #[inline(always)]
    fn number(self, text: Padded<'_>, at: usize, json: bool) -> Option<Number> {
        decimal::plain(text, at, json, self.0)
    }

    #[inline(always)]
    fn pair<'a, const GAP: usize>(
        self,
        text: Padded<'a>,
        at: usize,
        gap: &[u8; GAP],
        json: bool,
    ) -> Option<Pair<'a>> {
        let first = decimal::plain(text, at, json, self.0)?;
        if text.with_slack().get(first.end..first.end + GAP) != Some(gap) {
            return None;
        }
        let second = decimal::plain(text, first.end + GAP, json, self.0)?;
        Some(Pair { numbers: [first, second], behind: window(text, second.end)? })
    }

    #[inline(always)]
    fn integer(self, text: Padded<'_>, at: usize) -> Option<(u64, usize)> {
        plain_integer(text, at)
    }

    #[inline(always)]
    fn name<'a>(self, text: Padded<'a>, at: usize) -> Option<Name<'a>> {
        let bytes: &[u8; 64] = window(text, at)?;
        let plain = |byte: &&u8| matches!(byte, 0x23..=0x7f) && **byte != b'\\';
        let len = bytes.iter().take(NAME).take_while(plain).count();
        (len < NAME).then_some(Name { text: &bytes[..len], behind: bytes[len..].first_chunk()? })
    }

    #[inline(always)]
    fn string_end(self, text: Padded<'_>, at: usize) -> Option<StringEnd> {
        plain_string_end(text, at)
    }

    #[inline(always)]
    fn same(self, text: Padded<'_>, one: usize, other: usize, len: usize) -> bool {
        plain_same(text, one, other, len)
    }
}

#[inline(always)]
fn plain_same(text: Padded<'_>, one: usize, other: usize, len: usize) -> bool {
    let [one, other] = [one, other].map(|at| text.message().get(at..)?.get(..len));
    one.is_some() && one == other
}

#[inline(always)]
fn plain_integer(text: Padded<'_>, at: usize) -> Option<(u64, usize)> {
    let rest = text.message().get(at..)?;
    let mut value = 0u64;
    let mut len = 0;
    while let Some(digit) = rest.get(len).map(|b| b.wrapping_sub(b'0')).filter(|&d| d < 10) {
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
        len += 1;
    }
    (len == 1 || (len > 1 && rest[0] != b'0')).then_some((value, at + len))
}

#[inline(always)]
fn plain_string_end(text: Padded<'_>, at: usize) -> Option<StringEnd> {
    let rest = text.message().get(at..)?;
    let len = rest.iter().position(|&b| b < 0x20 || b == b'"' || b == b'\\')?;
    (rest[len] == b'"').then(|| StringEnd { quote: at + len, ascii: rest[..len].is_ascii() })
}

#[cfg(target_arch = "x86_64")]
use avx2::{Avx2, Eight, Other, Scaling};

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::{Kernel, NAME, Name, Pair, StringEnd, plain_integer, plain_same, window};
    use crate::types::Scale;
    use crate::wire::Padded;
    use crate::wire::decimal::{self, Number, Rescale};

    /// Made only where the CPU has AVX2, BMI1 and BMI2. At the usual scale it has no size, so that
    /// it costs nothing to hand it on.
    #[derive(Clone, Copy)]
    pub(super) struct Avx2<S>(pub S);

    /// How what the decimal kernels give, scale 8, becomes the scale that is wanted.
    pub(super) trait Scaling: Copy {
        fn scale(self) -> Scale;
        fn apply(self, value: i64) -> Option<i64>;
    }

    /// The scale is 8.
    #[derive(Clone, Copy)]
    pub(super) struct Eight;

    impl Scaling for Eight {
        #[inline(always)]
        fn scale(self) -> Scale {
            Scale::DEFAULT
        }

        #[inline(always)]
        fn apply(self, value: i64) -> Option<i64> {
            Some(value)
        }
    }

    /// Any scale.
    #[derive(Clone, Copy)]
    pub(super) struct Other {
        pub scale: Scale,
        pub rescale: Rescale,
    }

    impl Scaling for Other {
        #[inline(always)]
        fn scale(self) -> Scale {
            self.scale
        }

        #[inline(always)]
        fn apply(self, value: i64) -> Option<i64> {
            self.rescale.apply(value)
        }
    }

    impl<S: Scaling> Kernel for Avx2<S> {
        #[inline(always)]
        fn scale(self) -> Scale {
            self.0.scale()
        }

        #[inline(always)]
        fn number(self, text: Padded<'_>, at: usize, json: bool) -> Option<Number> {
            // SAFETY: an `Avx2` is made only where the CPU has the features.
            let (value, shape) = unsafe { decimal::avx2::one(window(text, at)?, json) }?;
            Some(Number { value: self.0.apply(value)?, end: at + shape.end, places: shape.places() })
        }

        #[inline(always)]
        fn pair<'a, const GAP: usize>(
            self,
            text: Padded<'a>,
            at: usize,
            gap: &[u8; GAP],
            json: bool,
        ) -> Option<Pair<'a>> {
            // SAFETY: an `Avx2` is made only where the CPU has the features.
            let pair = unsafe { decimal::avx2::pair(window(text, at)?, gap, json) }?;
            let ([price, qty], [first, second]) = (pair.values, pair.shapes);
            let end = at + first.end;
            let numbers = [
                Number { value: self.0.apply(price)?, end, places: first.places() },
                Number { value: self.0.apply(qty)?, end: end + GAP + second.end, places: second.places() },
            ];
            Some(Pair { numbers, behind: pair.behind })
        }

        #[inline(always)]
        fn integer(self, text: Padded<'_>, at: usize) -> Option<(u64, usize)> {
            // SAFETY: an `Avx2` is made only where the CPU has the features.
            match unsafe { decimal::avx2::integer(window(text, at)?) } {
                Some((value, len)) if len < 16 => Some((value, at + len)),
                _ => long_integer(text, at),
            }
        }

        #[inline(always)]
        fn name<'a>(self, text: Padded<'a>, at: usize) -> Option<Name<'a>> {
            let bytes: &[u8; 64] = window(text, at)?;
            // SAFETY: an `Avx2` is made only where the CPU has AVX2; the load reads the window.
            let stop = unsafe {
                let raw = _mm256_loadu_si256(bytes.as_ptr().cast());
                // As signed bytes those above 127 are negative.
                let high = _mm256_cmpgt_epi8(raw, _mm256_set1_epi8(0x22));
                let escape = _mm256_cmpeq_epi8(raw, _mm256_set1_epi8(b'\\' as i8));
                !_mm256_movemask_epi8(_mm256_andnot_si256(escape, high)) as u32
            };
            let len = stop.trailing_zeros() as usize;
            (len < NAME).then_some(Name { text: &bytes[..len], behind: bytes[len..].first_chunk()? })
        }

        #[inline(always)]
        fn string_end(self, text: Padded<'_>, mut at: usize) -> Option<StringEnd> {
            let mut above = 0;
            loop {
                let bytes: &[u8; 32] = window(text, at)?;
                // SAFETY: an `Avx2` is made only where the CPU has AVX2; the load reads the window.
                let (stop, high) = unsafe {
                    let raw = _mm256_loadu_si256(bytes.as_ptr().cast());
                    let control = _mm256_cmpeq_epi8(_mm256_min_epu8(raw, _mm256_set1_epi8(0x1f)), raw);
                    let quote = _mm256_cmpeq_epi8(raw, _mm256_set1_epi8(b'"' as i8));
                    let escape = _mm256_cmpeq_epi8(raw, _mm256_set1_epi8(b'\\' as i8));
                    let stop = _mm256_or_si256(control, _mm256_or_si256(quote, escape));
                    (_mm256_movemask_epi8(stop) as u32, _mm256_movemask_epi8(raw) as u32)
                };
                if stop != 0 {
                    let len = stop.trailing_zeros();
                    above |= high & !(u32::MAX << len);
                    let quote = at + len as usize;
                    return (bytes.get(len as usize) == Some(&b'"'))
                        .then_some(StringEnd { quote, ascii: above == 0 });
                }
                above |= high;
                at += 32;
            }
        }

        #[inline(always)]
        fn same(self, text: Padded<'_>, one: usize, other: usize, len: usize) -> bool {
            if len > 32 {
                return long_same(text, one, other, len);
            }
            let (Some(one), Some(other)) = (window::<32>(text, one), window::<32>(text, other)) else {
                return false;
            };
            // SAFETY: an `Avx2` is made only where the CPU has AVX2; the loads read the windows.
            let same = unsafe {
                let one = _mm256_loadu_si256(one.as_ptr().cast());
                let other = _mm256_loadu_si256(other.as_ptr().cast());
                _mm256_movemask_epi8(_mm256_cmpeq_epi8(one, other)) as u32
            };
            u64::from(!same).trailing_zeros() as usize >= len
        }
    }

    /// Longer than a window.
    #[cold]
    #[inline(never)]
    fn long_same(text: Padded<'_>, one: usize, other: usize, len: usize) -> bool {
        plain_same(text, one, other, len)
    }

    /// More digits than the vector kernel takes.
    #[cold]
    #[inline(never)]
    fn long_integer(text: Padded<'_>, at: usize) -> Option<(u64, usize)> {
        plain_integer(text, at)
    }
}
