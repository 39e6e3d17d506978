//! Live inputs on their way to a container: copied into buffers on the thread that took them, written
//! by a slower one. The first never waits: where no buffer is free, the input is lost and counted, and
//! the container says so.

use std::io::{Seek, Write};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::record::{RecordKind, View};
use super::store::{StoreError, StoreWriter};
use crate::sync::{Arc, AtomicU64, Ordering};
use crate::types::{Nanos, VenueId};
use crate::venue::{FeedInput, GatewayInput, Lane, Venue};
use crate::wire::PaddedBuf;

/// Bytes that a buffer holds from the start: nearly every message, and no allocation for it later.
const BUFFER: usize = 4 << 10;
/// A buffer that grew beyond this gives its memory back once it was written.
const BUFFER_MAX: usize = 1 << 20;

/// What happened, without its bytes.
#[derive(Clone, Copy, Debug)]
enum Happened {
    Feed(RecordKind),
    Fetched { status: u16 },
    Opened(Lane),
    Closed(Lane),
    Text(Lane),
    Response { token: u128, status: u16 },
    Failed { token: u128, sent: bool },
    Tick,
}

/// One input, copied.
struct Slot {
    venue: VenueId,
    now: Nanos,
    what: Happened,
    /// Where an answer came from, then the message: split here.
    head: usize,
    bytes: Vec<u8>,
}

/// The side of the threads that take inputs: a clone for each.
#[derive(Clone)]
pub struct Intake {
    free: Receiver<Slot>,
    filled: Sender<Slot>,
    dropped: Arc<AtomicU64>,
}

/// The side of the thread that writes.
pub struct Recorder {
    filled: Receiver<Slot>,
    free: Sender<Slot>,
    dropped: Arc<AtomicU64>,
    /// Lost messages that the container knows of.
    told: u64,
    /// By venue.
    venues: Vec<&'static Venue>,
    /// Connections of the container at hand, by venue: the public one, then the private one.
    connections: Vec<[Option<usize>; 2]>,
    text: Vec<u8>,
    padded: PaddedBuf,
}

/// Connects the two: as many inputs as `buffers` may wait to be written. `VenueId(i)` is `venues[i]`.
pub fn recorder(venues: Vec<&'static Venue>, buffers: usize) -> (Intake, Recorder) {
    let buffers = buffers.max(1);
    let (filled_in, filled_out) = bounded(buffers);
    let (free_in, free_out) = bounded(buffers);
    for _ in 0..buffers {
        let bytes = Vec::with_capacity(BUFFER);
        let slot = Slot { venue: VenueId(0), now: Nanos::ZERO, what: Happened::Tick, head: 0, bytes };
        // There is room for each of them.
        let _ = free_in.try_send(slot);
    }
    let dropped = Arc::new(AtomicU64::new(0));
    let intake = Intake { free: free_out, filled: filled_in, dropped: Arc::clone(&dropped) };
    let recorder = Recorder {
        filled: filled_out,
        free: free_in,
        dropped,
        told: 0,
        connections: vec![[None; 2]; venues.len()],
        venues,
        text: Vec::new(),
        padded: PaddedBuf::default(),
    };
    (intake, recorder)
}

impl Intake {
    /// Takes an input of a venue's public side.
    #[inline]
    pub fn feed(&self, venue: VenueId, now: Nanos, input: &FeedInput<'_>) {
        let (what, head, message) = match input {
            FeedInput::Opened => (Happened::Feed(RecordKind::Connect), "", &[][..]),
            FeedInput::Closed => (Happened::Feed(RecordKind::Closed), "", &[][..]),
            FeedInput::Text(text) => (Happened::Feed(RecordKind::Text), "", text.message()),
            FeedInput::Binary(bytes) => (Happened::Feed(RecordKind::Binary), "", bytes.message()),
            FeedInput::Fetched { url, status, body, .. } => {
                (Happened::Fetched { status: *status }, *url, *body)
            }
            FeedInput::Tick => (Happened::Feed(RecordKind::Tick), "", &[][..]),
        };
        self.put(venue, now, what, head, message);
    }

    /// Takes an input of an account's private side.
    #[inline]
    pub fn gateway(&self, venue: VenueId, now: Nanos, input: &GatewayInput<'_>) {
        let (what, message) = match input {
            GatewayInput::Opened(lane) => (Happened::Opened(*lane), &[][..]),
            GatewayInput::Closed(lane) => (Happened::Closed(*lane), &[][..]),
            GatewayInput::Text(lane, text) => (Happened::Text(*lane), text.message()),
            // Headers may hold cookies, and nothing of them is needed.
            GatewayInput::Response { token, status, body, .. } => {
                (Happened::Response { token: *token, status: *status }, *body)
            }
            GatewayInput::Failed { token, sent } => {
                (Happened::Failed { token: *token, sent: *sent }, &[][..])
            }
            GatewayInput::Tick => (Happened::Tick, &[][..]),
        };
        self.put(venue, now, what, "", message);
    }

    /// Copies an input into a free buffer. Receivers never sleep in the queue's own way, so nobody has to
    /// be woken, which would be a system call.
    #[inline]
    fn put(&self, venue: VenueId, now: Nanos, what: Happened, head: &str, message: &[u8]) {
        let Ok(mut slot) = self.free.try_recv() else {
            // ORDERING: a count; who reads it last does so when this thread has ended.
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        };
        slot.bytes.clear();
        slot.bytes.extend_from_slice(head.as_bytes());
        slot.bytes.extend_from_slice(message);
        (slot.venue, slot.now, slot.what, slot.head) = (venue, now, what, head.len());
        // As many buffers as there is room for: it cannot be full.
        if self.filled.try_send(slot).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Recorder {
    /// Writes at most `most` inputs that wait; how many there were. What was lost by now is said first.
    ///
    /// # Errors
    /// [`StoreError`] when the container cannot be written.
    pub fn turn<W: Write + Seek>(
        &mut self,
        out: &mut StoreWriter<W>,
        most: usize,
    ) -> Result<usize, StoreError> {
        let dropped = self.dropped();
        if dropped > self.told {
            self.told = dropped;
            out.dropped(dropped)?;
        }
        for written in 0..most {
            let Ok(mut slot) = self.filled.try_recv() else { return Ok(written) };
            let outcome = self.write(out, &slot);
            if slot.bytes.capacity() > BUFFER_MAX {
                slot.bytes = Vec::with_capacity(BUFFER);
            }
            let _ = self.free.try_send(slot);
            outcome?;
        }
        Ok(most)
    }

    /// Inputs lost so far.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// A new container begins with the next input.
    pub fn rotate(&mut self) {
        self.connections.fill([None; 2]);
        self.told = 0;
    }

    fn write<W: Write + Seek>(&mut self, out: &mut StoreWriter<W>, slot: &Slot) -> Result<(), StoreError> {
        let at = usize::from(slot.venue.0);
        let (Some(venue), Some(known)) = (self.venues.get(at), self.connections.get_mut(at)) else {
            return Ok(());
        };
        let (head, message) = slot.bytes.split_at(slot.head.min(slot.bytes.len()));
        let private = private_words(slot.what);
        let (kind, status, url) = match slot.what {
            Happened::Feed(kind) => (kind, 0, ""),
            Happened::Fetched { status } => {
                (RecordKind::HttpAnswer, status, std::str::from_utf8(head).unwrap_or_default())
            }
            _ => (RecordKind::Private, 0, private.as_str()),
        };
        let is_private = kind == RecordKind::Private;
        let name = if is_private { "private" } else { "public" };
        let connection =
            *known[usize::from(is_private)].get_or_insert_with(|| out.connection(venue.id, name));
        let message = if is_private {
            self.text.clear();
            venue.secrets.blank(message, &mut self.text);
            self.padded.fill(&self.text)
        } else {
            self.padded.fill(message)
        };
        let ts = Some(slot.now);
        let view =
            View { ts, conn: 0, connection: name, venue: venue.id, kind, status, url, message, line: 0 };
        out.write(connection, &view)
    }
}

/// What happened on the private side, in words; empty for the public one.
fn private_words(what: Happened) -> String {
    let lane = |lane: Lane| match lane {
        Lane::Orders => "orders",
        Lane::Private => "private",
        Lane::Rest => "rest",
    };
    match what {
        Happened::Feed(_) | Happened::Fetched { .. } => String::new(),
        Happened::Opened(on) => format!("opened {}", lane(on)),
        Happened::Closed(on) => format!("closed {}", lane(on)),
        Happened::Text(on) => format!("text {}", lane(on)),
        Happened::Response { token, status } => format!("response {token:032x} {status}"),
        Happened::Failed { token, sent } => {
            format!("failed {token:032x} {}", if sent { "sent" } else { "unsent" })
        }
        Happened::Tick => "tick".to_owned(),
    }
}

/// The input of a feed that a record was made of; `None` for other records.
pub fn public_input<'a>(view: &View<'a>) -> Option<FeedInput<'a>> {
    Some(match view.kind {
        RecordKind::Connect => FeedInput::Opened,
        RecordKind::Closed => FeedInput::Closed,
        RecordKind::Text => FeedInput::Text(view.message),
        RecordKind::Binary => FeedInput::Binary(view.message),
        RecordKind::HttpAnswer => {
            let body = view.message.message();
            FeedInput::Fetched { book: None, url: view.url, status: view.status, body }
        }
        RecordKind::Tick => FeedInput::Tick,
        _ => return None,
    })
}

/// The input of a private side that a record was made of, secrets blanked and headers left out; `None`
/// for other records, and for words that are not ours.
pub fn private_input<'a>(view: &View<'a>) -> Option<GatewayInput<'a>> {
    if view.kind != RecordKind::Private {
        return None;
    }
    let lane = |word: &str| match word {
        "orders" => Some(Lane::Orders),
        "private" => Some(Lane::Private),
        "rest" => Some(Lane::Rest),
        _ => None,
    };
    let token = |word: &str| u128::from_str_radix(word, 16).ok();
    let words: Vec<&str> = view.url.split(' ').collect();
    Some(match words[..] {
        ["tick"] => GatewayInput::Tick,
        ["opened", on] => GatewayInput::Opened(lane(on)?),
        ["closed", on] => GatewayInput::Closed(lane(on)?),
        ["text", on] => GatewayInput::Text(lane(on)?, view.message),
        ["response", of, status] => GatewayInput::Response {
            token: token(of)?,
            status: status.parse().ok()?,
            headers: &[],
            body: view.message.message(),
        },
        ["failed", of, sent @ ("sent" | "unsent")] => {
            GatewayInput::Failed { token: token(of)?, sent: sent == "sent" }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::{Capture, Record, StoreMeta, StoreOptions};
    use super::*;
    use crate::venue::VENUES;

    fn read(bytes: &[u8]) -> (Vec<Record>, u64) {
        let mut capture = Capture::new(Box::new(bytes)).unwrap();
        let mut records = Vec::new();
        let mut record = Record::default();
        while capture.next(&mut record).unwrap() {
            records.push(record.clone());
        }
        (records, capture.meta().unwrap().dropped)
    }

    #[test]
    fn inputs_are_written_in_order_and_secrets_are_not() {
        let (intake, mut recorder) = recorder(VENUES.iter().take(1).collect(), 8);
        let mut out =
            StoreWriter::new(Cursor::new(Vec::new()), StoreOptions::default(), &StoreMeta::default())
                .unwrap();
        let mut padded = PaddedBuf::default();
        let venue = VenueId(0);
        intake.feed(venue, Nanos(1), &FeedInput::Opened);
        intake.feed(venue, Nanos(2), &FeedInput::Text(padded.fill(b"{\"a\":1}")));
        let answer = FeedInput::Fetched { book: None, url: "/depth?symbol=X", status: 418, body: b"{}" };
        intake.feed(venue, Nanos(3), &answer);
        let secret = padded.fill(b"{\"id\":1,\"listenKey\":\"SECRET\"}");
        intake.gateway(venue, Nanos(4), &GatewayInput::Text(Lane::Private, secret));
        let headers = [("set-cookie".to_owned(), "SECRET".to_owned())];
        let response = GatewayInput::Response {
            token: 7,
            status: 200,
            headers: &headers,
            body: b"{\"signature\":\"SECRET\"}",
        };
        intake.gateway(venue, Nanos(5), &response);
        assert_eq!(recorder.turn(&mut out, 100).unwrap(), 5);
        let bytes = out.finish().unwrap().into_inner();
        let (records, dropped) = read(&bytes);
        let told: Vec<_> = records
            .iter()
            .map(|r| (r.kind, r.status, r.url.as_str(), String::from_utf8_lossy(&r.bytes).into_owned()))
            .collect();
        use RecordKind::{Connect, HttpAnswer, Private, Text};
        assert_eq!(
            told,
            [
                (Connect, 0, "", String::new()),
                (Text, 0, "", "{\"a\":1}".to_owned()),
                (HttpAnswer, 418, "/depth?symbol=X", "{}".to_owned()),
                (Private, 0, "text private", "{\"id\":1,\"listenKey\":\"blanked\"}".to_owned()),
                (
                    Private,
                    0,
                    "response 00000000000000000000000000000007 200",
                    "{\"signature\":\"blanked\"}".to_owned()
                ),
            ]
        );
        assert_eq!(dropped, 0);
    }

    #[test]
    fn what_finds_no_buffer_is_lost_and_told() {
        let (intake, mut recorder) = recorder(VENUES.iter().take(1).collect(), 2);
        let mut out =
            StoreWriter::new(Cursor::new(Vec::new()), StoreOptions::default(), &StoreMeta::default())
                .unwrap();
        for at in 1..=5 {
            intake.feed(VenueId(0), Nanos(at), &FeedInput::Tick);
        }
        assert_eq!(recorder.dropped(), 3);
        while recorder.turn(&mut out, 1).unwrap() > 0 {}
        intake.feed(VenueId(0), Nanos(6), &FeedInput::Tick);
        assert_eq!(recorder.turn(&mut out, 9).unwrap(), 1, "the buffers came back");
        let (records, dropped) = read(&out.finish().unwrap().into_inner());
        let times: Vec<_> = records.iter().map(|record| record.ts.unwrap().0).collect();
        assert_eq!((times, dropped), (vec![1, 2, 6], 3));
    }
}
