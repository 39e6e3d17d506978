//! The usual way to build this path, from well-known crates, as the rival of `tick_to_order`:
//! tungstenite reads the frame, serde_json the message, `BTreeMap`s hold the book, a crossbeam
//! channel carries the opportunity, `format!` and a plain HMAC make the order.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use crossbeam_channel::{Receiver, Sender, bounded};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket, WebSocketConfig};

/// A depth update in either of the two shapes that a spot feed sends.
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
}

#[derive(Deserialize)]
struct KrakenLevel {
    price: f64,
    qty: f64,
}

/// What arrives on the socket of the rival: one frame at a time, given by the bench.
#[derive(Default)]
pub struct OneFrame {
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

struct Signal {
    price: i64,
    qty: i64,
}

/// Which message the frames hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Depth updates with decimals in strings.
    Depth,
    /// Best bid and ask.
    Ticker,
    /// Books with decimals as numbers.
    KrakenBook,
}

/// The whole conventional path on one thread.
pub struct Conventional {
    socket: WebSocket<OneFrame>,
    shape: Shape,
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
    last: u64,
    other_bid: i64,
    queue: (Sender<Signal>, Receiver<Signal>),
    counter: u64,
}

impl Conventional {
    /// `other_bid`: what the other venue pays, in units of 1e-8. `buffer`: tungstenite's read buffer.
    pub fn new(shape: Shape, other_bid: i64, buffer: usize) -> Conventional {
        let config = WebSocketConfig::default().read_buffer_size(buffer);
        Conventional {
            socket: WebSocket::from_raw_socket(OneFrame::default(), Role::Client, Some(config)),
            shape,
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
            last: 0,
            other_bid,
            queue: bounded(1024),
            counter: 0,
        }
    }

    /// Puts levels into the book, as a snapshot would.
    pub fn seed(&mut self, bids: &[(i64, i64)], asks: &[(i64, i64)]) {
        self.bids.extend(bids.iter().copied());
        self.asks.extend(asks.iter().copied());
    }

    /// Lets the frames begin anew.
    pub fn restart(&mut self) {
        self.last = 0;
    }

    /// One frame to the bytes of one signed order.
    pub fn frame_to_order(&mut self, frame: &[u8], time_ms: i64) -> Option<String> {
        self.socket.get_mut().set(frame);
        let message = self.socket.read().ok()?;
        let text = message.to_text().ok()?;
        match self.shape {
            Shape::Depth => {
                let depth: Depth = serde_json::from_str(text).ok()?;
                if self.last != 0 && depth.first > self.last + 1 {
                    return None;
                }
                self.last = depth.last;
                for (price, qty) in depth.bids {
                    set(&mut self.bids, decimal(price), decimal(qty));
                }
                for (price, qty) in depth.asks {
                    set(&mut self.asks, decimal(price), decimal(qty));
                }
            }
            Shape::Ticker => {
                let ticker: Ticker = serde_json::from_str(text).ok()?;
                self.last = ticker.u;
                self.bids.clear();
                self.asks.clear();
                set(&mut self.bids, decimal(ticker.b), decimal(ticker.bid_qty));
                set(&mut self.asks, decimal(ticker.a), decimal(ticker.ask_qty));
            }
            Shape::KrakenBook => {
                let book: KrakenBook = serde_json::from_str(text).ok()?;
                for data in book.data {
                    for level in data.bids {
                        set(&mut self.bids, float(level.price), float(level.qty));
                    }
                    for level in data.asks {
                        set(&mut self.asks, float(level.price), float(level.qty));
                    }
                }
            }
        }
        let (&ask, &qty) = self.asks.first_key_value()?;
        if ask < self.other_bid {
            self.queue.0.try_send(Signal { price: ask, qty }).ok()?;
        }
        let signal = self.queue.1.try_recv().ok()?;
        Some(self.order(&signal, time_ms))
    }

    fn order(&mut self, signal: &Signal, time_ms: i64) -> String {
        self.counter += 1;
        let query = format!(
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=IOC&newClientOrderId=arb-{:012}&quantity={}.{:08}&price={}.{:08}&recvWindow=1000&timestamp={}",
            self.counter,
            signal.qty / 100_000_000,
            signal.qty % 100_000_000,
            signal.price / 100_000_000,
            signal.price % 100_000_000,
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
