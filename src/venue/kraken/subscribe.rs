//! The public connection's subscriptions: asked for, refused, renewed; and its signs of life.

use super::decode;
use super::feed::State;
use super::json::quoted;
use crate::types::Nanos;
use crate::venue::{ChangeKind, FeedOut, Lost, Want};

/// A link without a frame for this long is dead: five heartbeats are missing.
const STALE: Nanos = Nanos::from_secs(5);
/// Quiet for this long, the feed asks for a sign of life.
const QUIET: Nanos = Nanos::from_secs(2);
/// A book of a living connection is said to be alive at least this often.
const SIGN: Nanos = Nanos::from_millis(500);
/// A book is not subscribed to anew sooner than this after the last time.
const RETRY: Nanos = Nanos::from_secs(1);
/// A subscription without a snapshot for this long, or a refused one, is tried again.
const PATIENCE: Nanos = Nanos::from_secs(30);

/// What a request was about, in the low bits of its id: refusals do not name their channel.
const ABOUT_BOOK: u64 = 1;
const ABOUT_TICKER: u64 = 2;

impl State {
    pub(super) fn reply(&mut self, reply: &decode::Reply<'_>, raw: &[u8], now: Nanos, out: &mut FeedOut) {
        if reply.method != b"subscribe" {
            return;
        }
        if reply.success {
            if self.discover {
                self.confirmed = answered_depth(raw).or(self.confirmed);
            }
            return;
        }
        let about_book = reply.req_id.is_none_or(|id| id % 4 != ABOUT_TICKER);
        let place = reply.symbol.and_then(|symbol| self.names.find(symbol)).map(|book| usize::from(book.0));
        if let (true, Some(place)) = (about_book, place) {
            let own = &mut self.books[place];
            own.live = false;
            own.again = now + PATIENCE;
            let change = own.change(place, ChangeKind::Lost(Lost::Unsubscribed));
            out.changes.push(change);
        }
    }

    pub(super) fn tick(&mut self, now: Nanos, out: &mut FeedOut) {
        if !self.open {
            return;
        }
        if now - self.last_frame > STALE {
            self.open = false;
            self.lose_all(Lost::Stale, out);
            out.wants.push(Want::Reconnect("no frame for five seconds"));
            return;
        }
        if now - self.last_frame > QUIET && now - self.last_ping > QUIET {
            self.last_ping = now;
            let id = self.request(0);
            out.wants.push(Want::Send(format!("{{\"method\":\"ping\",\"req_id\":{id}}}")));
        }
        if now - self.last_frame < QUIET {
            self.alive(self.last_frame, SIGN, out);
        }
        for place in 0..self.books.len() {
            if self.online && self.books[place].again <= now {
                self.resubscribe(place, now, out);
            }
        }
    }

    /// The venue sends all that changes: a frame of any kind says that quiet books stand as they
    /// are. Told of books without a sign for longer than `since`.
    pub(super) fn alive(&mut self, at: Nanos, since: Nanos, out: &mut FeedOut) {
        for (place, book) in self.books.iter_mut().enumerate() {
            if book.live && at - book.last_sign > since {
                book.last_sign = at;
                out.changes.push(book.change(place, ChangeKind::Alive));
            }
        }
    }

    pub(super) fn lose_all(&mut self, why: Lost, out: &mut FeedOut) {
        for (place, book) in self.books.iter_mut().enumerate() {
            book.live = false;
            book.again = Nanos::MAX;
            out.changes.push(book.change(place, ChangeKind::Lost(why)));
        }
    }

    pub(super) fn start_anew(&mut self, place: usize, now: Nanos, out: &mut FeedOut) {
        let Some(own) = self.books.get_mut(place) else { return };
        own.live = false;
        if !self.open || !self.online {
            return;
        }
        if now - own.asked < RETRY {
            own.again = own.asked + RETRY;
        } else {
            self.resubscribe(place, now, out);
        }
    }

    fn request(&mut self, about: u64) -> u64 {
        self.requests += 1;
        self.requests * 4 + about
    }

    fn resubscribe(&mut self, place: usize, now: Nanos, out: &mut FeedOut) {
        let id = self.request(0);
        let Some(own) = self.books.get_mut(place) else { return };
        let symbol = quoted(own.symbol.as_str());
        (own.asked, own.again, own.live) = (now, now + PATIENCE, false);
        let depth = own.keep;
        if self.channels.depth {
            out.wants.push(Want::Send(format!(
                "{{\"method\":\"unsubscribe\",\"params\":{{\"channel\":\"book\",\"symbol\":[{symbol}],\"depth\":{depth}}},\"req_id\":{id}}}"
            )));
            self.subscribe_book(&symbol, depth, out);
        }
    }

    fn subscribe_book(&mut self, symbols: &str, depth: u32, out: &mut FeedOut) {
        let id = self.request(ABOUT_BOOK);
        out.wants.push(Want::Send(format!(
            "{{\"method\":\"subscribe\",\"params\":{{\"channel\":\"book\",\"symbol\":[{symbols}],\"depth\":{depth},\"snapshot\":true}},\"req_id\":{id}}}"
        )));
    }

    /// Subscribes to everything of a new connection.
    pub(super) fn subscribe_all(&mut self, now: Nanos, out: &mut FeedOut) {
        if self.books.is_empty() {
            return;
        }
        for book in &mut self.books {
            (book.live, book.asked) = (false, now);
            book.again = if self.channels.depth { now + PATIENCE } else { Nanos::MAX };
        }
        let symbols: Vec<String> = self.books.iter().map(|book| quoted(book.symbol.as_str())).collect();
        let symbols = symbols.join(",");
        if self.channels.depth {
            self.subscribe_book(&symbols, self.depth, out);
        }
        if self.channels.ticker {
            let id = self.request(ABOUT_TICKER);
            out.wants.push(Want::Send(format!(
                "{{\"method\":\"subscribe\",\"params\":{{\"channel\":\"ticker\",\"symbol\":[{symbols}],\"event_trigger\":\"bbo\",\"snapshot\":true}},\"req_id\":{id}}}"
            )));
        }
    }

    /// After a halt: all books anew, over the same connection.
    pub(super) fn subscribe_again(&mut self, now: Nanos, out: &mut FeedOut) {
        for place in 0..self.books.len() {
            self.resubscribe(place, now, out);
        }
    }
}

/// The depth that an answer of v2 confirms.
fn answered_depth(raw: &[u8]) -> Option<u32> {
    #[derive(serde::Deserialize)]
    struct Answer {
        result: Confirmed,
    }
    #[derive(serde::Deserialize)]
    struct Confirmed {
        depth: u32,
    }
    serde_json::from_slice::<Answer>(raw).ok().map(|answer| answer.result.depth)
}
