//! The public connection's subscriptions: asked for, refused, renewed; and its signs of life.

use super::Product;
use super::feed::State;
use crate::types::Nanos;
use crate::venue::kraken::json::quoted;
use crate::venue::{ChangeKind, FeedOut, Lost, Want};

/// A link without a frame for this long is dead: five signs of life are missing.
const STALE: Nanos = Nanos::from_secs(5);
/// After a frame a book is said to be alive for so long.
const QUIET: Nanos = Nanos::from_secs(2);
/// A book of a living connection is said to be alive at least this often.
const SIGN: Nanos = Nanos::from_millis(500);
/// A book is not subscribed to anew sooner than this after the last time: its snapshot is large.
const RETRY: Nanos = Nanos::from_secs(1);
/// A subscription without a snapshot for this long, or a refused one, is tried again.
const PATIENCE: Nanos = Nanos::from_secs(30);
/// Products of one message: the venue limits how long a message may be.
const BATCH: usize = 50;

impl State {
    /// The venue refused something. It does not say what: what waits for its snapshot is meant.
    pub(super) fn refused(&mut self, text: &[u8], now: Nanos, out: &mut FeedOut) {
        let names = |word: &[u8]| text.windows(word.len()).any(|window| window == word);
        if names(b"ErrSlow") {
            self.open = false;
            self.lose_all(Lost::Ended, out);
            out.wants.push(Want::Reconnect("the venue says that we read too slowly"));
            return;
        }
        for (place, book) in self.books.iter_mut().enumerate().filter(|(_, book)| !book.live) {
            book.again = now + PATIENCE;
            out.changes.push(book.change(place, ChangeKind::Lost(Lost::Unsubscribed)));
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
        // Advanced Trade numbers what it sends, so any frame says that nothing else was sent.
        if self.product == Product::Advanced && now - self.last_frame < QUIET {
            self.alive(b"", self.last_frame, SIGN, out);
        }
        let due: Vec<usize> = (0..self.books.len()).filter(|&place| self.books[place].again <= now).collect();
        self.resubscribe(&due, now, out);
    }

    /// Tells of books without a sign for longer than `since`: one, or all for the empty name.
    pub(super) fn alive(&mut self, product: &[u8], at: Nanos, since: Nanos, out: &mut FeedOut) {
        let one = self.find(product);
        for (place, book) in self.books.iter_mut().enumerate() {
            let meant = product.is_empty() || one == Some(place);
            if meant && book.live && at - book.last_sign > since {
                book.last_sign = at;
                out.changes.push(book.change(place, ChangeKind::Alive));
            }
        }
    }

    pub(super) fn lose_all(&mut self, why: Lost, out: &mut FeedOut) {
        for (place, book) in self.books.iter_mut().enumerate() {
            (book.live, book.again) = (false, Nanos::MAX);
            out.changes.push(book.change(place, ChangeKind::Lost(why)));
        }
    }

    pub(super) fn start_anew(&mut self, place: usize, now: Nanos, out: &mut FeedOut) {
        let Some(own) = self.books.get_mut(place) else { return };
        own.live = false;
        if !self.open {
            return;
        }
        if now - own.asked < RETRY {
            own.again = own.asked + RETRY;
        } else {
            self.resubscribe(&[place], now, out);
        }
    }

    /// After a gap: all books anew, over the same connection.
    pub(super) fn subscribe_again(&mut self, now: Nanos, out: &mut FeedOut) {
        let mut due = Vec::with_capacity(self.books.len());
        for (place, own) in self.books.iter_mut().enumerate() {
            own.live = false;
            if now - own.asked < RETRY {
                own.again = own.asked + RETRY;
            } else {
                due.push(place);
            }
        }
        if self.open {
            self.resubscribe(&due, now, out);
        }
    }

    fn resubscribe(&mut self, places: &[usize], now: Nanos, out: &mut FeedOut) {
        if !self.channels.depth {
            return;
        }
        for places in places.chunks(BATCH) {
            let mut names = Vec::with_capacity(places.len());
            for &place in places {
                let Some(own) = self.books.get_mut(place) else { continue };
                (own.asked, own.again, own.live) = (now, now + PATIENCE, false);
                names.push(quoted(own.symbol.as_str()));
            }
            for kind in ["unsubscribe", "subscribe"] {
                out.wants.push(Want::Send(self.request(kind, Some(&names), self.product.book_channel())));
            }
        }
    }

    /// Subscribes to everything of a new connection. The venue closes one that does not within five
    /// seconds.
    pub(super) fn subscribe_all(&mut self, now: Nanos, out: &mut FeedOut) {
        if self.books.is_empty() {
            return;
        }
        let depth = self.channels.depth;
        for book in &mut self.books {
            (book.live, book.asked) = (false, now);
            book.again = if depth { now + PATIENCE } else { Nanos::MAX };
        }
        if self.product == Product::Advanced {
            out.wants.push(Want::Send(self.request("subscribe", None, "heartbeats")));
        }
        let names: Vec<String> = self.books.iter().map(|book| quoted(book.symbol.as_str())).collect();
        for names in names.chunks(BATCH) {
            if self.product == Product::Exchange {
                out.wants.push(Want::Send(self.request("subscribe", Some(names), "heartbeat")));
            }
            if self.channels.ticker {
                out.wants.push(Want::Send(self.request("subscribe", Some(names), "ticker")));
            }
            if depth {
                out.wants.push(Want::Send(self.request(
                    "subscribe",
                    Some(names),
                    self.product.book_channel(),
                )));
            }
        }
    }

    fn request(&self, kind: &str, names: Option<&[String]>, channel: &str) -> String {
        let products = names.map_or(String::new(), |names| format!(",\"product_ids\":[{}]", names.join(",")));
        match self.product {
            Product::Advanced => format!("{{\"type\":\"{kind}\"{products},\"channel\":\"{channel}\"}}"),
            Product::Exchange => format!("{{\"type\":\"{kind}\"{products},\"channels\":[\"{channel}\"]}}"),
        }
    }
}
