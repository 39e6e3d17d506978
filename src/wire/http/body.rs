//! Bodies as they come: of a known length, in chunks, or until the connection ends.

use super::{HttpError, HttpLimits, Length};
use crate::wire::inbox::Inbox;

/// Longest line that may announce a chunk, extensions included.
const CHUNK_LINE_MAX: usize = 256;

/// A body under way.
#[derive(Default)]
pub(super) struct Body {
    pub bytes: Vec<u8>,
    part: Part,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Part {
    /// This many bytes, and no more.
    Known(usize),
    /// A line with a chunk's size.
    Size,
    /// This many bytes of a chunk, then an empty line.
    Chunk(usize),
    /// Lines after the last chunk; this many bytes of them came.
    Trailer(usize),
    UntilClose,
    #[default]
    Whole,
}

impl Body {
    /// A new body; the memory of the last one is kept.
    pub fn start(&mut self, length: Length, limits: &HttpLimits) -> Result<(), HttpError> {
        self.bytes.clear();
        self.part = match length {
            Length::Known(0) => Part::Whole,
            Length::Known(len) if len > limits.body => return Err(too_long(limits)),
            Length::Known(len) => Part::Known(len),
            Length::Chunked => Part::Size,
            Length::UntilClose => Part::UntilClose,
        };
        Ok(())
    }

    /// Takes what has arrived; true when the body is whole.
    pub fn read(&mut self, inbox: &mut Inbox, limits: &HttpLimits) -> Result<bool, HttpError> {
        loop {
            let unread = inbox.unread();
            match self.part {
                Part::Whole => return Ok(true),
                Part::Known(0) => self.part = Part::Whole,
                Part::Known(left) => {
                    let take = left.min(unread.len());
                    if take == 0 {
                        return Ok(false);
                    }
                    self.take(inbox, take, limits)?;
                    self.part = Part::Known(left - take);
                }
                Part::UntilClose => {
                    let take = unread.len();
                    self.take(inbox, take, limits)?;
                    return Ok(false);
                }
                Part::Size => {
                    let Some(line) = line(unread, CHUNK_LINE_MAX)? else { return Ok(false) };
                    let size = chunk_size(line)?;
                    let used = line.len() + 2;
                    inbox.consume(used);
                    self.part = if size == 0 { Part::Trailer(0) } else { Part::Chunk(size) };
                }
                Part::Chunk(0) => {
                    let Some(end) = unread.first_chunk() else { return Ok(false) };
                    if end != b"\r\n" {
                        return Err(HttpError::Malformed("end of chunk"));
                    }
                    inbox.consume(2);
                    self.part = Part::Size;
                }
                Part::Chunk(left) => {
                    let take = left.min(unread.len());
                    if take == 0 {
                        return Ok(false);
                    }
                    self.take(inbox, take, limits)?;
                    self.part = Part::Chunk(left - take);
                }
                Part::Trailer(came) => {
                    let left = limits.head.saturating_sub(came);
                    let Some(line) = line(unread, left)? else { return Ok(false) };
                    let (used, last) = (line.len() + 2, line.is_empty());
                    inbox.consume(used);
                    self.part = if last { Part::Whole } else { Part::Trailer(came + used) };
                }
            }
        }
    }

    /// True when the end of the connection is the end of the body.
    pub fn ends_with_connection(&self) -> bool {
        self.part == Part::UntilClose
    }

    fn take(&mut self, inbox: &mut Inbox, count: usize, limits: &HttpLimits) -> Result<(), HttpError> {
        if self.bytes.len() + count > limits.body {
            return Err(too_long(limits));
        }
        self.bytes.extend_from_slice(&inbox.unread()[..count]);
        inbox.consume(count);
        Ok(())
    }
}

fn too_long(limits: &HttpLimits) -> HttpError {
    HttpError::TooLong { what: "body", limit: limits.body }
}

/// The first line, without its end; `None` while it is not all there.
fn line(bytes: &[u8], limit: usize) -> Result<Option<&[u8]>, HttpError> {
    match bytes.iter().take(limit).position(|b| *b == b'\n') {
        Some(at) => match bytes[..at].strip_suffix(b"\r") {
            Some(line) => Ok(Some(line)),
            None => Err(HttpError::Malformed("line end")),
        },
        None if bytes.len() < limit => Ok(None),
        None => Err(HttpError::TooLong { what: "line in a chunked body", limit }),
    }
}

fn chunk_size(line: &[u8]) -> Result<usize, HttpError> {
    let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    // Extensions may follow the size; they mean nothing here.
    let clean = matches!(line.get(digits), None | Some(b';' | b' ' | b'\t'));
    if digits == 0 || digits > 8 || !clean {
        return Err(HttpError::Malformed("chunk size"));
    }
    let size = line[..digits].iter().fold(0, |n, b| n << 4 | (*b as char).to_digit(16).unwrap_or(0) as usize);
    Ok(size)
}
