//! The usual way to build this path, from well-known crates, as the rival of `tick_to_order`:
//! tungstenite reads the frame, serde_json the message, `BTreeMap`s hold the books of both venues,
//! a crossbeam channel carries the opportunity, `format!` and plain HMACs make its two orders.
//!
//! It does what anybody must do who trades on these frames: the sequence rule, the venue's checksum,
//! both legs. It has no gate, no order table and no histograms.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crossbeam_channel::{Receiver, Sender, bounded};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::{Digest, Sha256, Sha512};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket, WebSocketConfig};

/// What a combined stream puts around its messages.
#[derive(Deserialize)]
struct Combined<T> {
    data: T,
}

/// A depth update of a spot feed.
#[derive(Deserialize)]
struct Depth<'a> {
    #[serde(rename = "U")]
    first: u64,
    #[serde(rename = "u")]
    last: u64,
    #[serde(borrow, rename = "b")]
    bids: Vec<(&'a str, &'a str)>,
    #[serde(borrow, rename = "a")]
    asks: Vec<(&'a str, &'a str)>,
}

#[derive(Deserialize)]
struct Ticker<'a> {
    u: u64,
    b: &'a str,
    #[serde(rename = "B")]
    bid_qty: &'a str,
    a: &'a str,
    #[serde(rename = "A")]
    ask_qty: &'a str,
}

#[derive(Deserialize)]
struct KrakenBook {
    data: Vec<KrakenData>,
}

#[derive(Deserialize)]
struct KrakenData {
    bids: Vec<KrakenLevel>,
    asks: Vec<KrakenLevel>,
    checksum: u32,
}

#[derive(Deserialize)]
struct KrakenLevel {
    price: f64,
    qty: f64,
}

/// What arrives on the socket of the rival: one frame at a time, given by the bench.
#[derive(Default)]
struct OneFrame {
    bytes: Vec<u8>,
    at: usize,
}

impl OneFrame {
    fn set(&mut self, frame: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(frame);
        self.at = 0;
    }
}

impl Read for OneFrame {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.bytes.len() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let n = into.len().min(self.bytes.len() - self.at);
        into[..n].copy_from_slice(&self.bytes[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

impl Write for OneFrame {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A book, prices and quantities in units of 1e-8.
#[derive(Default)]
struct Book {
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
    last: u64,
}

impl Book {
    /// What buying here and selling there brings, after both taker fees, and how much of it there is.
    fn edge_to(&self, fee: f64, other: &Book, other_fee: f64) -> Option<(f64, Signal)> {
        let (&buy, &offered) = self.asks.first_key_value()?;
        let (&sell, &wanted) = other.bids.last_key_value()?;
        let edge = sell as f64 * (1.0 - other_fee) / (buy as f64 * (1.0 + fee)) - 1.0;
        Some((edge, Signal { buy_on: 0, prices: [buy, sell], qty: offered.min(wanted) }))
    }
}

/// An opportunity on its way to whoever orders.
struct Signal {
    buy_on: usize,
    /// To buy at, and to sell at.
    prices: [i64; 2],
    qty: i64,
}

/// Which message the frames hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Depth updates with decimals in strings, of the first venue.
    Depth,
    /// Best bid and ask, of the first venue.
    Ticker,
    /// Books with decimals as numbers and a checksum, of the second.
    KrakenBook,
}

/// Levels a side of the second venue's books.
const KRAKEN_DEPTH: usize = 10;

/// Taker fees of both.
const FEES: [f64; 2] = [0.00075, 0.0010];

/// The whole conventional path on one thread.
pub struct Conventional {
    socket: WebSocket<OneFrame>,
    shape: Shape,
    books: [Book; 2],
    min_edge: f64,
    queue: (Sender<Signal>, Receiver<Signal>),
    counter: u64,
}

impl Conventional {
    /// `books`: bids and asks of both venues, in units of 1e-8. `buffer`: tungstenite's read buffer. The
    /// least edge asked for is one that exactly one direction has.
    pub fn new(shape: Shape, books: &[[Vec<(i64, i64)>; 2]; 2], buffer: usize) -> Conventional {
        let config = WebSocketConfig::default().read_buffer_size(buffer);
        let books = books.each_ref().map(|[bids, asks]| Book {
            bids: bids.iter().copied().collect(),
            asks: asks.iter().copied().collect(),
            last: 0,
        });
        let [one, other] = &books;
        let edges = [one.edge_to(FEES[0], other, FEES[1]), other.edge_to(FEES[1], one, FEES[0])];
        let sum: f64 = edges.into_iter().flatten().map(|(edge, _)| edge).sum();
        Conventional {
            socket: WebSocket::from_raw_socket(OneFrame::default(), Role::Client, Some(config)),
            shape,
            books,
            min_edge: sum / 2.0,
            queue: bounded(1024),
            counter: 0,
        }
    }

    /// Lets the frames begin anew.
    pub fn restart(&mut self) {
        self.books[0].last = 0;
    }

    /// One frame to the bytes of the two signed orders.
    pub fn frame_to_orders(&mut self, frame: &[u8], time_ms: i64) -> Option<[String; 2]> {
        self.socket.get_mut().set(frame);
        let message = self.socket.read().ok()?;
        self.apply(message.to_text().ok()?)?;
        self.detect()?;
        let signal = self.queue.1.try_recv().ok()?;
        Some(["BUY", "SELL"].map(|side| self.order(&signal, side, time_ms)))
    }

    fn apply(&mut self, text: &str) -> Option<()> {
        let [own, kraken] = &mut self.books;
        match self.shape {
            Shape::Depth => {
                let Combined { data: depth } = serde_json::from_str::<Combined<Depth>>(text).ok()?;
                if own.last != 0 && depth.first > own.last + 1 {
                    return None;
                }
                own.last = depth.last;
                for (price, qty) in depth.bids {
                    set(&mut own.bids, decimal(price), decimal(qty));
                }
                for (price, qty) in depth.asks {
                    set(&mut own.asks, decimal(price), decimal(qty));
                }
            }
            Shape::Ticker => {
                let Combined { data: ticker } = serde_json::from_str::<Combined<Ticker>>(text).ok()?;
                own.last = ticker.u;
                own.bids.clear();
                own.asks.clear();
                set(&mut own.bids, decimal(ticker.b), decimal(ticker.bid_qty));
                set(&mut own.asks, decimal(ticker.a), decimal(ticker.ask_qty));
            }
            Shape::KrakenBook => {
                let book: KrakenBook = serde_json::from_str(text).ok()?;
                for data in book.data {
                    for level in data.bids {
                        set(&mut kraken.bids, float(level.price), float(level.qty));
                    }
                    for level in data.asks {
                        set(&mut kraken.asks, float(level.price), float(level.qty));
                    }
                    while kraken.bids.len() > KRAKEN_DEPTH {
                        kraken.bids.pop_first();
                    }
                    while kraken.asks.len() > KRAKEN_DEPTH {
                        kraken.asks.pop_last();
                    }
                    if checksum(kraken) != data.checksum {
                        return None;
                    }
                }
            }
        }
        Some(())
    }

    fn detect(&self) -> Option<()> {
        let [one, other] = &self.books;
        let (there, buying) = one.edge_to(FEES[0], other, FEES[1])?;
        let (back, selling) = other.edge_to(FEES[1], one, FEES[0])?;
        let signal = if there > self.min_edge {
            buying
        } else if back > self.min_edge {
            Signal { buy_on: 1, ..selling }
        } else {
            return None;
        };
        self.queue.0.try_send(signal).ok()
    }

    fn order(&mut self, signal: &Signal, side: &str, time_ms: i64) -> String {
        self.counter += 1;
        let sells = usize::from(side == "SELL");
        match (signal.buy_on + sells) % 2 {
            0 => self.binance(side, signal.prices[sells], signal.qty, time_ms),
            _ => self.kraken(&side.to_lowercase(), signal.prices[sells], signal.qty, time_ms),
        }
    }

    fn binance(&self, side: &str, price: i64, qty: i64, time_ms: i64) -> String {
        let query = format!(
            "symbol=BTCUSDT&side={side}&type=LIMIT&timeInForce=IOC&newClientOrderId=arb-{:012}&quantity={}.{:08}&price={}.{:08}&recvWindow=1000&timestamp={}",
            self.counter,
            qty / 100_000_000,
            qty % 100_000_000,
            price / 100_000_000,
            price % 100_000_000,
            time_ms,
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(
            b"NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
        )
        .expect("any length will do");
        mac.update(query.as_bytes());
        let signature = const_hex::encode(mac.finalize().into_bytes());
        format!(
            "POST /api/v3/order?{query}&signature={signature} HTTP/1.1\r\nHost: api.binance.com\r\nX-MBX-APIKEY: {}\r\nContent-Length: 0\r\n\r\n",
            "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
        )
    }

    fn kraken(&self, side: &str, price: i64, qty: i64, time_ms: i64) -> String {
        let nonce = (time_ms * 1_000 + self.counter as i64).to_string();
        let body = format!(
            "nonce={nonce}&ordertype=limit&pair=XBTUSDT&type={side}&timeinforce=IOC&cl_ord_id=arb-{:012}&volume={}.{:08}&price={}.{}",
            self.counter,
            qty / 100_000_000,
            qty % 100_000_000,
            price / 100_000_000,
            price % 100_000_000 / 10_000_000,
        );
        let mut mac = Hmac::<Sha512>::new_from_slice(&[7; 64]).expect("any length will do");
        mac.update(b"/0/private/AddOrder");
        mac.update(&Sha256::new().chain_update(&nonce).chain_update(&body).finalize());
        let signature = BASE64.encode(mac.finalize().into_bytes());
        format!(
            "POST /0/private/AddOrder HTTP/1.1\r\nHost: api.kraken.com\r\nAPI-Key: {}\r\nAPI-Sign: {signature}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
            body.len(),
        )
    }
}

/// The second venue's rule, at 1 and 8 decimals: the ten best asks, then the ten best bids.
fn checksum(book: &Book) -> u32 {
    let mut text = String::new();
    let levels = book.asks.iter().take(10).chain(book.bids.iter().rev().take(10));
    for (price, qty) in levels {
        text.push_str(&format!("{}{}", price / 10_000_000, qty));
    }
    crc32fast::hash(text.as_bytes())
}

fn set(side: &mut BTreeMap<i64, i64>, price: i64, qty: i64) {
    if qty == 0 {
        side.remove(&price);
    } else {
        side.insert(price, qty);
    }
}

fn float(value: f64) -> i64 {
    (value * 1e8).round() as i64
}

/// Decimal text to units of 1e-8, a digit at a time.
fn decimal(text: &str) -> i64 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut value: i64 = whole.parse().unwrap_or(0);
    let mut places = 0;
    for digit in fraction.bytes().take(8) {
        value = value * 10 + i64::from(digit - b'0');
        places += 1;
    }
    value * 10i64.pow(8 - places)
}
