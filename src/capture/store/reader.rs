//! Reading a container as a stream, a chunk at a time; messages are borrowed from the chunk.

use std::io::{self, Read};
use std::ops::Range;

use ::mcap::parse_record;
use ::mcap::records::{Record as McapRecord, op};

use super::super::record::{CaptureError, RecordKind, View};
use super::meta::StoreMeta;
use super::{CONNECTION, KINDS, VENUE, has_head};
use crate::types::Nanos;
use crate::wire::lz4::FrameDecoder;
use crate::wire::{PADDING, Padded};

/// What a container begins and ends with.
pub(in super::super) const MAGIC: [u8; 8] = [0x89, b'M', b'C', b'A', b'P', 0x30, b'\r', b'\n'];

/// Largest chunk, compressed or not: far above what anybody writes.
const MAX_CHUNK: u64 = 1 << 30;
/// Memory that a record's head alone is worth.
const BELIEVED: u64 = 4 << 20;
/// Bytes of a record's opcode and length, and of a message's head.
const RECORD_HEAD: usize = 9;
const MESSAGE_HEAD: usize = 22;

/// A container being read.
pub(in super::super) struct StoreReader<'a> {
    input: Box<dyn Read + 'a>,
    /// Bytes of the file that were used.
    at: u64,
    /// The record at hand as it stands in the file.
    body: Vec<u8>,
    /// The messages of the chunk at hand, with slack behind them.
    chunk: Vec<u8>,
    /// Made for the first chunk that needs it.
    lz4: Option<FrameDecoder>,
    /// What of `chunk` is still to be read.
    rest: Range<usize>,
    /// By MCAP's channel id.
    channels: Vec<Option<Channel>>,
    connections: Vec<(String, String)>,
    meta: StoreMeta,
    /// Said once the chunk at hand is used up.
    tear: Option<CaptureError>,
    /// Nothing more comes.
    over: bool,
    /// The messages ended as they should; what follows is summary and index.
    whole: bool,
    messages: u64,
    /// Messages of the chunk at hand.
    of_chunk: u64,
    current: Current,
}

#[derive(Clone, Copy)]
struct Channel {
    conn: usize,
    kind: RecordKind,
}

/// The message at hand.
#[derive(Clone, Default)]
struct Current {
    conn: usize,
    kind: RecordKind,
    ts: i64,
    status: u16,
    /// Places in the chunk.
    url: Range<usize>,
    data: Range<usize>,
}

/// A top-level record: whole, or as much as there is.
struct Found {
    start: u64,
    op: u8,
    len: u64,
    whole: bool,
}

impl<'a> StoreReader<'a> {
    /// A container whose first bytes, the magic, were read already.
    pub fn new(input: Box<dyn Read + 'a>) -> StoreReader<'a> {
        StoreReader {
            input,
            at: MAGIC.len() as u64,
            body: Vec::new(),
            chunk: Vec::new(),
            lz4: None,
            rest: 0..0,
            channels: Vec::new(),
            connections: Vec::new(),
            meta: StoreMeta::default(),
            tear: None,
            over: false,
            whole: false,
            messages: 0,
            of_chunk: 0,
            current: Current::default(),
        }
    }

    /// Bytes of the file that were used so far.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// Venue and name of each connection seen so far.
    pub fn connections(&self) -> &[(String, String)] {
        &self.connections
    }

    /// What the container said of itself so far.
    pub fn meta(&self) -> &StoreMeta {
        &self.meta
    }

    /// Goes to the next message; false at the end.
    ///
    /// # Errors
    /// [`CaptureError::Line`] for a message that cannot be, [`CaptureError::Read`] where the file is
    /// damaged or torn; the next call goes on behind it, or is the end.
    #[inline(always)]
    pub fn advance(&mut self) -> Result<bool, CaptureError> {
        loop {
            while let Some((op, body)) = self.next_in_chunk() {
                if op == op::MESSAGE {
                    self.messages += 1;
                    self.of_chunk += 1;
                    return self.message(body).map(|()| true);
                }
                self.define(op, body)?;
            }
            if let Some(tear) = self.tear.take() {
                return Err(tear);
            }
            if self.over {
                return Ok(false);
            }
            self.next_record()?;
        }
    }

    /// Time and kind of the message that [`StoreReader::advance`] went to.
    #[inline]
    pub fn head(&self) -> (Option<Nanos>, RecordKind) {
        let Current { ts, kind, .. } = self.current;
        ((ts != 0).then_some(Nanos(ts)), kind)
    }

    /// The message that [`StoreReader::advance`] went to.
    #[inline(always)]
    pub fn view(&self) -> View<'_> {
        let current = &self.current;
        let (venue, connection) =
            self.connections.get(current.conn).map_or(("", ""), |(venue, name)| (venue, name));
        let data = self.chunk.get(current.data.start..).unwrap_or_default();
        // The chunk has its slack behind it, so it is always there.
        let message = Padded::new(data, current.data.len()).unwrap_or_default();
        // Of messages there is none, and they are what nearly all records are.
        let url = if current.url.is_empty() { None } else { self.chunk.get(current.url.clone()) };
        let url = url.map_or(Ok(""), std::str::from_utf8).unwrap_or_default();
        View {
            ts: self.head().0,
            conn: current.conn,
            connection,
            venue,
            kind: current.kind,
            status: current.status,
            url,
            message,
            line: self.messages,
        }
    }

    /// The next record of the chunk at hand. One that the chunk has no room for ends it.
    #[inline(always)]
    fn next_in_chunk(&mut self) -> Option<(u8, Range<usize>)> {
        let head = self.chunk.get(self.rest.clone())?.first_chunk::<RECORD_HEAD>()?;
        let len = u64::from_le_bytes(*head.last_chunk()?);
        let body = self.rest.start + RECORD_HEAD;
        let end = usize::try_from(len).ok().and_then(|len| body.checked_add(len));
        match end.filter(|end| *end <= self.rest.end) {
            Some(end) => {
                let op = head[0];
                self.rest.start = end;
                Some((op, body..end))
            }
            None => {
                // Of a chunk that is cut short this is the tear, and said already.
                if self.tear.is_none() {
                    self.tear = Some(self.wrong(self.at, "a record that runs beyond its chunk".to_owned()));
                }
                self.rest = 0..0;
                None
            }
        }
    }

    #[inline(always)]
    fn message(&mut self, body: Range<usize>) -> Result<(), CaptureError> {
        let line = self.messages;
        let refuse = |what| Err(CaptureError::Line { line, what });
        let bytes = &self.chunk[body.clone()];
        let Some(head) = bytes.first_chunk::<MESSAGE_HEAD>() else {
            return refuse("expected a message's channel, number and times");
        };
        let [c0, c1, _, _, _, _, time @ ..] = head;
        let time = time.first_chunk().map_or(0, |time| u64::from_le_bytes(*time));
        let id = usize::from(u16::from_le_bytes([*c0, *c1]));
        let Some(Channel { conn, kind }) = self.channels.get(id).copied().flatten() else {
            return refuse("expected a channel that was defined before, with a schema of this program");
        };
        let Ok(ts) = i64::try_from(time) else {
            return refuse("expected a receive time before the year 2262");
        };
        let mut data = body.start + MESSAGE_HEAD..body.end;
        let (mut url, mut status) = (0..0, 0);
        if has_head(kind) {
            let rest = &bytes[MESSAGE_HEAD..];
            let Some(end) = rest.iter().position(|&byte| byte == b'\n') else {
                return refuse("expected a line about the message in front of it");
            };
            let mut head = &rest[..end];
            url = data.start..data.start + end;
            data.start += end + 1;
            if kind == RecordKind::HttpAnswer {
                let told = head.iter().position(|&byte| byte == b' ').map(|at| head.split_at(at));
                let number = told.and_then(|(number, _)| std::str::from_utf8(number).ok()?.parse().ok());
                let Some((number, (digits, address))) = number.zip(told) else {
                    return refuse("expected an HTTP status and an address in front of the answer");
                };
                status = number;
                url.start += digits.len() + 1;
                head = address;
            }
            if std::str::from_utf8(head).is_err() {
                return refuse("expected an address in UTF-8");
            }
        }
        self.current = Current { conn, kind, ts, status, url, data };
        Ok(())
    }

    /// Takes a channel or a schema of a chunk; anything else there means nothing to us.
    #[cold]
    fn define(&mut self, op: u8, body: Range<usize>) -> Result<(), CaptureError> {
        let parsed = parse_record(op, &self.chunk[body]).map_err(|error| self.damaged(&error))?;
        match parsed {
            McapRecord::Channel(channel) => {
                // Schemas may stand anywhere; the topic's last word is the same as the schema's.
                let word = channel.topic.rsplit('/').next().unwrap_or_default();
                let Some(&(kind, _)) = KINDS.iter().find(|(_, known)| *known == word) else { return Ok(()) };
                let word = |key| channel.metadata.get(key).cloned().unwrap_or_default();
                let known = (word(VENUE), word(CONNECTION));
                let conn = self.connections.iter().position(|seen| *seen == known).unwrap_or_else(|| {
                    self.connections.push(known);
                    self.connections.len() - 1
                });
                let id = usize::from(channel.id);
                if self.channels.len() <= id {
                    self.channels.resize(id + 1, None);
                }
                self.channels[id] = Some(Channel { conn, kind });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Reads the next record of the file into `body` or `chunk`.
    #[cold]
    fn next_record(&mut self) -> Result<(), CaptureError> {
        let Some(found) = self.read_record()? else { return Ok(()) };
        let Found { start, op, len, whole } = found;
        if op == op::CHUNK {
            return self.open_chunk(start, len, whole);
        }
        if !whole {
            self.over = true;
            let have = self.body.len();
            let lost = if self.whole { "; no message is missing" } else { "" };
            let what =
                format!("the container is cut short in a record of {len} bytes, {have} are there{lost}");
            return Err(self.wrong(start, what));
        }
        match op {
            op::DATA_END => self.whole = true,
            op::METADATA | op::CHANNEL => match parse_record(op, &self.body) {
                Ok(McapRecord::Metadata(metadata)) => {
                    let taken = self.meta.take(&metadata.name, &metadata.metadata);
                    taken.map_err(|what| self.wrong(start, what))?;
                }
                // A file without chunks: not written by us, and read as one chunk of one record.
                Ok(_) => {
                    self.chunk.clear();
                    self.chunk.extend_from_slice(&self.body);
                    self.define(op, 0..self.body.len())?;
                }
                Err(error) => return Err(self.damaged(&error)),
            },
            op::MESSAGE => {
                self.chunk.clear();
                self.chunk.push(op);
                self.chunk.extend_from_slice(&len.to_le_bytes());
                self.chunk.extend_from_slice(&self.body);
                self.rest = 0..self.chunk.len();
                self.chunk.extend_from_slice(&[0; PADDING]);
            }
            op::FOOTER => return self.read_end(),
            _ => {}
        }
        Ok(())
    }

    /// The head of the next record, and its body in `body`; `None` at the end of the file, which is
    /// an error once when it comes too early.
    fn read_record(&mut self) -> Result<Option<Found>, CaptureError> {
        let start = self.at;
        self.body.clear();
        let head = self.read_up_to(RECORD_HEAD as u64)?;
        if head < RECORD_HEAD {
            self.over = true;
            let what = match (self.whole, head) {
                (true, _) => "the container ends without its summary; no message is missing".to_owned(),
                (false, 0) => {
                    "the container ends without its last record: what followed is missing".to_owned()
                }
                (false, _) => "the container is cut short: what followed is missing".to_owned(),
            };
            return Err(self.wrong(start, what));
        }
        let op = self.body[0];
        let len = self.body.last_chunk().map_or(0, |len| u64::from_le_bytes(*len));
        self.body.clear();
        if len > MAX_CHUNK {
            self.over = true;
            return Err(self.wrong(start, format!("a record of {len} bytes: the container is damaged")));
        }
        // All at once, where the length can be believed before its bytes are seen.
        self.body.reserve(len.min(BELIEVED) as usize + PADDING);
        let have = self.read_up_to(len)? as u64;
        Ok(Some(Found { start, op, len, whole: have == len }))
    }

    /// Appends at most `len` bytes to `body`: fewer only at the end of the file.
    fn read_up_to(&mut self, len: u64) -> Result<usize, CaptureError> {
        let before = self.body.len();
        let read = self.input.by_ref().take(len).read_to_end(&mut self.body);
        let got = self.body.len() - before;
        self.at += got as u64;
        if let Err(error) = read {
            self.over = true;
            return Err(self.wrong(self.at, error.to_string()));
        }
        Ok(got)
    }

    /// Decodes the chunk in `body`, as far as it is there.
    fn open_chunk(&mut self, start: u64, len: u64, whole: bool) -> Result<(), CaptureError> {
        self.of_chunk = 0;
        self.over |= !whole;
        let have = self.body.len() as u64;
        let cut = |more: &str| {
            format!("the container is cut short in a chunk: {have} of {len} bytes are there{more}")
        };
        let Some(head) = ChunkHead::read(&self.body) else {
            let what = if whole { "a chunk without a head".to_owned() } else { cut("") };
            return Err(self.wrong(start, what));
        };
        if !whole {
            let ends = Nanos(i64::try_from(head.last).unwrap_or_default()).rfc3339(3);
            let more = format!("; messages up to {ends} and what followed are missing from there on");
            self.tear = Some(self.wrong(start, cut(&more)));
        }
        if head.size > MAX_CHUNK {
            return Err(
                self.wrong(start, format!("a chunk of {} bytes: the container is damaged", head.size))
            );
        }
        let Decoded { records, outcome } = head.decode(&mut self.body, &mut self.chunk, &mut self.lz4);
        // What came before a tear is read.
        self.rest = if whole && outcome.is_err() { 0..0 } else { records };
        if let (Err(error), true) = (outcome, whole) {
            return Err(self.wrong(start, format!("a chunk that cannot be decoded: {error}")));
        }
        let bytes = &self.chunk[self.rest.clone()];
        if whole && (bytes.len() as u64 != head.size || head.crc != 0 && crc32fast::hash(bytes) != head.crc) {
            self.rest = 0..0;
            return Err(
                self.wrong(start, "a chunk whose checksum differs: its messages are missing".to_owned())
            );
        }
        Ok(())
    }

    /// What must stand behind the footer.
    fn read_end(&mut self) -> Result<(), CaptureError> {
        self.over = true;
        self.body.clear();
        let at = self.at;
        self.read_up_to(MAGIC.len() as u64)?;
        if self.body != MAGIC {
            return Err(
                self.wrong(at, "the container's last bytes are cut off; no message is missing".to_owned())
            );
        }
        Ok(())
    }

    fn wrong(&self, at: u64, error: String) -> CaptureError {
        CaptureError::Read { at, error }
    }

    fn damaged(&self, error: &::mcap::McapError) -> CaptureError {
        self.wrong(self.at, format!("the container is damaged: {error}"))
    }
}

/// The head of a chunk.
struct ChunkHead {
    /// Time of its last message.
    last: u64,
    size: u64,
    crc: u32,
    lz4: bool,
    zstd: bool,
    /// Where its records begin.
    records: usize,
}

impl ChunkHead {
    fn read(body: &[u8]) -> Option<ChunkHead> {
        let u64_at = |at: usize| Some(u64::from_le_bytes(*body.get(at..)?.first_chunk()?));
        let u32_at = |at: usize| Some(u32::from_le_bytes(*body.get(at..)?.first_chunk()?));
        let name = usize::try_from(u32_at(28)?).ok()?;
        let compression = body.get(32..name.checked_add(32)?)?;
        let records = 32 + name + 8;
        body.get(..records)?;
        let (lz4, zstd) = (compression == b"lz4", compression == b"zstd");
        (lz4 || zstd || compression.is_empty()).then_some(())?;
        Some(ChunkHead { last: u64_at(8)?, size: u64_at(16)?, crc: u32_at(24)?, lz4, zstd, records })
    }

    /// The chunk's records, with slack behind them, in `chunk`, as far as they could be decoded.
    fn decode(&self, body: &mut Vec<u8>, chunk: &mut Vec<u8>, lz4: &mut Option<FrameDecoder>) -> Decoded {
        if !self.lz4 && !self.zstd {
            std::mem::swap(body, chunk);
            let end = chunk.len();
            chunk.extend_from_slice(&[0; PADDING]);
            return Decoded { records: self.records..end, outcome: Ok(()) };
        }
        // The buffer keeps its length: what stands behind the records means nothing.
        let size = self.size as usize; // bounded by the caller
        if chunk.len() < size + PADDING {
            chunk.resize(size + PADDING, 0);
        }
        let (packed, into) = (&body[self.records..], &mut chunk[..size]);
        let (filled, outcome) = if self.lz4 {
            let decoder = lz4.take().map_or_else(FrameDecoder::new, Ok);
            // The chunk's checksum is over the same bytes, where it has one.
            decoder.map_or_else(
                |error| (0, Err(error)),
                |decoder| lz4.insert(decoder).decode(packed, into, self.crc == 0),
            )
        } else {
            zstd::stream::read::Decoder::with_buffer(packed)
                .map_or_else(|error| (0, Err(error)), |packed| fill(packed, into))
        };
        Decoded { records: 0..filled, outcome }
    }
}

/// What a chunk gave.
struct Decoded {
    records: Range<usize>,
    outcome: io::Result<()>,
}

/// Reads until `into` is full, and sees that nothing is left.
fn fill(mut from: impl Read, into: &mut [u8]) -> (usize, io::Result<()>) {
    let mut filled = 0;
    loop {
        let mut more = [0];
        let full = filled == into.len();
        let room = if full { &mut more[..] } else { &mut into[filled..] };
        match from.read(room) {
            Ok(0) => return (filled, Ok(())),
            Ok(_) if full => return (filled, Err(io::Error::other("more bytes than its head says"))),
            Ok(got) => filled += got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (filled, Err(error)),
        }
    }
}
