//! A container from a time on, by its index: the file without the chunks that end before it.
//!
//! What is left out is told by the summary at the file's end: channels and metadata that stand in the
//! part passed over are put in its place. A file without a whole and sound summary is read from its start.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use ::mcap::parse_record;
use ::mcap::records::{Record, op};

use super::MAGIC;
use crate::types::Nanos;

/// The footer, with its opcode and length.
const FOOTER: u64 = 9 + 20;
/// Largest summary that is looked at: far above what a recording has.
const SUMMARY_MAX: u64 = 1 << 28;
/// Opcode and length of a record.
const HEAD: usize = 9;

/// Parts of a file, read one after the other.
pub(in super::super) struct Parts<R> {
    file: R,
    /// The parts that are still to be read, the last one first.
    rest: Vec<Range<u64>>,
    /// Where the file stands.
    at: u64,
}

impl<R: Read + Seek> Parts<R> {
    /// A container without its chunks before `from`; the file is positioned behind the magic then, as one
    /// whose first bytes were read already.
    ///
    /// # Errors
    /// What the file says.
    pub fn since(mut file: R, from: Nanos) -> io::Result<Parts<R>> {
        let size = file.seek(SeekFrom::End(0))?;
        let magic = MAGIC.len() as u64;
        let mut rest =
            parts(&mut file, size, from)?.unwrap_or_else(|| std::iter::once(magic..size).collect());
        rest.retain(|part| !part.is_empty());
        rest.reverse();
        let at = file.seek(SeekFrom::Start(magic))?;
        Ok(Parts { file, rest, at })
    }
}

impl<R: Read + Seek> Read for Parts<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(part) = self.rest.last_mut() else { return Ok(0) };
        if part.start != self.at {
            self.at = self.file.seek(SeekFrom::Start(part.start))?;
        }
        let most = usize::try_from(part.end - part.start).unwrap_or(usize::MAX).min(into.len());
        let read = self.file.read(&mut into[..most])?;
        self.at += read as u64;
        part.start = self.at;
        // A file that became shorter ends here.
        if part.is_empty() || read == 0 && most > 0 {
            self.rest.pop();
        }
        Ok(read)
    }
}

/// The parts that are wanted, in order; `None` where the file's end does not tell.
fn parts(file: &mut (impl Read + Seek), size: u64, from: Nanos) -> io::Result<Option<Vec<Range<u64>>>> {
    let magic = MAGIC.len() as u64;
    let Some(footer) = size.checked_sub(FOOTER + magic) else { return Ok(None) };
    let mut bytes = vec![0; (FOOTER + magic) as usize];
    file.seek(SeekFrom::Start(footer))?;
    file.read_exact(&mut bytes)?;
    if bytes[0] != op::FOOTER || !bytes.ends_with(&MAGIC) {
        return Ok(None);
    }
    let start = u64::from_le_bytes(*bytes[HEAD..].first_chunk().unwrap_or(&[0; 8]));
    let len = footer.checked_sub(start).filter(|len| start >= magic && *len <= SUMMARY_MAX);
    let Some(len) = len else { return Ok(None) };
    let mut summary = vec![0; len as usize];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut summary)?;
    let crc = bytes.get(HEAD + 16..).and_then(|rest| rest.first_chunk());
    let crc = u32::from_le_bytes(*crc.unwrap_or(&[0; 4]));
    let mut hash = crc32fast::Hasher::new();
    hash.update(&summary);
    hash.update(&bytes[..HEAD + 16]);
    if crc != 0 && crc != hash.finalize() {
        return Ok(None);
    }

    let (mut chunks, mut channels, mut metadata) = (Vec::new(), Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(head) = summary.get(at..).and_then(|rest| rest.first_chunk::<HEAD>()) {
        let body = at + HEAD;
        let len = usize::try_from(u64::from_le_bytes(*head.last_chunk().unwrap_or(&[0; 8])));
        let end = len.ok().and_then(|len| body.checked_add(len)).filter(|end| *end <= summary.len());
        let Some(end) = end else { return Ok(None) };
        match parse_record(head[0], &summary[body..end]) {
            Ok(Record::ChunkIndex(index)) => chunks.push((index.chunk_start_offset, index.message_end_time)),
            Ok(Record::Channel(_)) => channels.push(start + at as u64..start + end as u64),
            Ok(Record::MetadataIndex(index)) => {
                metadata.push(index.offset..index.offset.saturating_add(index.length));
            }
            Ok(_) => {}
            Err(_) => return Ok(None),
        }
        at = end;
    }
    chunks.sort_unstable();
    metadata.sort_unstable_by_key(|part| part.start);
    // Messages without a time have zero for one: nobody knows whether they are wanted.
    let wanted = |end: u64| end == 0 || i64::try_from(end).is_ok_and(|end| Nanos(end) >= from);
    let (Some(&(first, _)), Some(&(last, _))) = (chunks.first(), chunks.last()) else { return Ok(None) };
    let begin = chunks.iter().find(|(_, end)| wanted(*end)).map_or(last, |(offset, _)| *offset);
    // An index of something else than this file is none.
    let within = first >= magic && last <= start && metadata.iter().all(|part| part.end <= start);
    if begin == first || !within {
        return Ok(None);
    }
    let passed = metadata.into_iter().filter(|part| part.start >= first && part.end <= begin);
    let once = std::iter::once;
    Ok(Some(once(magic..first).chain(passed).chain(channels).chain(once(begin..size)).collect()))
}
