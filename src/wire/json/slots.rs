//! Where an object's fields are, for fields whose meaning is told by others that may come later.

use super::Error;
use super::kernel::Kernel;
use super::scan::Scanner;

/// Which of up to 32 fields of one object were there, by the schema's own index.
#[derive(Clone, Copy, Default, Debug)]
pub struct Seen(u32);

impl Seen {
    /// Says that the field is there.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is there a second time.
    #[inline(always)]
    pub fn once(&mut self, key: usize, at: usize) -> Result<(), Error> {
        if self.has(key) {
            return Err(Error::expected("each field only once", at));
        }
        self.0 |= 1 << key;
        Ok(())
    }

    /// True when the field is there.
    #[inline(always)]
    pub fn has(self, key: usize) -> bool {
        self.0 >> key & 1 == 1
    }
}

/// Places of up to 32 fields of one object, by the schema's own index. Only the scanner's checks
/// were made of a value that is noted here: what it is must be asked.
pub struct Slots<const N: usize> {
    seen: Seen,
    spans: [(u32, u32); N],
}

impl<const N: usize> Slots<N> {
    /// No field yet.
    #[inline(always)]
    pub fn new() -> Slots<N> {
        const { assert!(N <= 32) };
        Slots { seen: Seen(0), spans: [(0, 0); N] }
    }

    /// Says that the field is there.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is there a second time.
    #[inline(always)]
    pub fn once(&mut self, key: usize, at: usize) -> Result<(), Error> {
        self.seen.once(key, at)
    }

    /// Notes where the field's value begins and ends. Messages are far below 4 GiB.
    #[inline(always)]
    pub fn set(&mut self, key: usize, at: usize, end: usize) {
        self.spans[key] = (at as u32, end as u32);
    }

    /// Where the field's value begins and ends, if it is there.
    #[inline(always)]
    pub fn get(&self, key: usize) -> Option<(usize, usize)> {
        let (at, end) = self.spans[key];
        self.seen.has(key).then_some((at as usize, end as usize))
    }

    /// The field's text; `None` where it is not there or no string.
    #[inline(always)]
    pub fn text<'a, K: Kernel>(&self, scan: &Scanner<'a, K>, key: usize) -> Option<&'a [u8]> {
        let (at, end) = self.get(key)?;
        (scan.byte(at) == b'"').then(|| scan.bytes(at + 1, end - 1))
    }

    /// The plain integer that the field is, if it is there.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is something else.
    #[inline(always)]
    pub fn integer<K: Kernel>(&self, scan: &mut Scanner<'_, K>, key: usize) -> Result<Option<u64>, Error> {
        self.get(key).map(|(at, _)| scan.integer(at).map(|(value, _)| value)).transpose()
    }

    /// The time that the field is as a plain integer, if it is there.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is something else.
    #[inline(always)]
    pub fn time<K: Kernel>(&self, scan: &mut Scanner<'_, K>, key: usize) -> Result<Option<i64>, Error> {
        let Some((at, _)) = self.get(key) else { return Ok(None) };
        let (time, _) = scan.integer(at)?;
        i64::try_from(time).map(Some).map_err(|_| Error::expected("a time", at))
    }

    /// The decimal that the field holds as a string.
    ///
    /// # Errors
    /// [`Error`] when it is not there, no string, or holds no decimal of the scale.
    #[inline(always)]
    pub fn text_decimal<K: Kernel>(&self, scan: &mut Scanner<'_, K>, key: usize) -> Result<i64, Error> {
        let (at, _) = self.get(key).ok_or_else(|| Error::expected("a price or quantity", 0))?;
        Ok(scan.text_decimal(at)?.value)
    }
}

impl<const N: usize> Default for Slots<N> {
    fn default() -> Slots<N> {
        Slots::new()
    }
}
