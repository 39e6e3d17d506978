//! Sound messages of the venues as trees, written down in any spelling, and ways to break them.

use oorandom::Rand64;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Venue {
    Binance,
    Kraken,
    KrakenFutures,
    Coinbase,
    Bybit,
    Okx,
}

pub const VENUES: [Venue; 6] =
    [Venue::Binance, Venue::Kraken, Venue::KrakenFutures, Venue::Coinbase, Venue::Bybit, Venue::Okx];

/// A JSON value.
#[derive(Clone)]
pub enum Json {
    /// Written as it is.
    Raw(String),
    Text(String),
    List(Vec<Json>),
    /// Its fields may change places.
    Map(Vec<(String, Json)>),
}

/// How a tree is written down.
pub struct Style {
    shuffle: bool,
    spaces: bool,
    escapes: bool,
    extras: bool,
}

impl Style {
    /// As the venue does.
    pub fn usual() -> Style {
        Style { shuffle: false, spaces: false, escapes: false, extras: false }
    }

    /// In any way that means the same.
    pub fn any(rand: &mut Rand64) -> Style {
        let mut coin = || rand.rand_range(0..2) == 0;
        Style { shuffle: coin(), spaces: coin(), escapes: coin() && coin(), extras: coin() }
    }
}

impl Json {
    pub fn render(&self, style: &mut Style, rand: &mut Rand64) -> String {
        let mut out = String::new();
        space(&mut out, style, rand);
        self.write(&mut out, style, rand);
        space(&mut out, style, rand);
        out
    }

    fn write(&self, out: &mut String, style: &Style, rand: &mut Rand64) {
        match self {
            Json::Raw(text) => out.push_str(text),
            Json::Text(text) => string(out, text, style, rand),
            Json::List(elements) => {
                out.push('[');
                space(out, style, rand);
                for (i, element) in elements.iter().enumerate() {
                    comma(out, i, style, rand);
                    element.write(out, style, rand);
                    space(out, style, rand);
                }
                out.push(']');
            }
            Json::Map(fields) => {
                let mut fields = fields.clone();
                if style.extras && rand.rand_range(0..3) == 0 {
                    let extra = EXTRAS[rand.rand_range(0..EXTRAS.len() as u64) as usize];
                    fields.push(("new_field".to_owned(), Json::Raw(extra.to_owned())));
                }
                if style.shuffle {
                    for i in (1..fields.len()).rev() {
                        fields.swap(i, rand.rand_range(0..i as u64 + 1) as usize);
                    }
                }
                out.push('{');
                space(out, style, rand);
                for (i, (key, value)) in fields.iter().enumerate() {
                    comma(out, i, style, rand);
                    string(out, key, style, rand);
                    space(out, style, rand);
                    out.push(':');
                    space(out, style, rand);
                    value.write(out, style, rand);
                    space(out, style, rand);
                }
                out.push('}');
            }
        }
    }
}

const EXTRAS: [&str; 12] = [
    "1",
    "-1.5e+3",
    "null",
    "true",
    "false",
    "\"\"",
    "\"a longer text with { and [ and , in it, of more than 32 bytes\"",
    "[]",
    "{}",
    "[1,[2,{\"b\":[[\"1\",\"2\"]]}],\"x\"]",
    "{\"e\":1,\"data\":[null,{\"a\":{}}]}",
    "\"１２３４\"",
];

fn comma(out: &mut String, index: usize, style: &Style, rand: &mut Rand64) {
    if index > 0 {
        out.push(',');
        space(out, style, rand);
    }
}

fn space(out: &mut String, style: &Style, rand: &mut Rand64) {
    while style.spaces && rand.rand_range(0..3) == 0 {
        out.push([' ', '\n', '\t', '\r'][rand.rand_range(0..4) as usize]);
    }
}

fn string(out: &mut String, text: &str, style: &Style, rand: &mut Rand64) {
    out.push('"');
    for c in text.chars() {
        if style.escapes && rand.rand_range(0..20) == 0 {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else if style.escapes && c == '/' {
            out.push_str("\\/");
        } else {
            out.push(c);
        }
    }
    out.push('"');
}

fn map<const N: usize>(fields: [(&str, Json); N]) -> Json {
    Json::Map(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn text(text: impl ToString) -> Json {
    Json::Text(text.to_string())
}

fn raw(text: impl ToString) -> Json {
    Json::Raw(text.to_string())
}

fn coin(rand: &mut Rand64) -> bool {
    rand.rand_range(0..2) == 0
}

/// A decimal that is exact at scale 12, mostly of the usual form.
fn decimal(rand: &mut Rand64, json: bool) -> String {
    let digits = rand.rand_range(0..7) as u32;
    let whole = rand.rand_range(0..10u64.pow(digits) + 1);
    let places = rand.rand_range(0..9) as usize;
    let fraction = rand.rand_range(0..10u64.pow(places as u32));
    match rand.rand_range(0..24) {
        0 => "0".to_owned(),
        1 => format!("{whole}e-{places}"),
        2 => format!("{}.5E+1", whole % 100_000),
        3 if !json => format!("000{whole}.{fraction:08}"),
        4 => format!("0.0000{fraction:08}"),
        5 => format!("{whole}.{:015}", u128::from(fraction) * 10_000_000),
        _ if places == 0 => whole.to_string(),
        _ => format!("{whole}.{fraction:0places$}"),
    }
}

fn levels(rand: &mut Rand64, level: impl Fn(&mut Rand64) -> Json) -> Json {
    let n = [0, 1, 2, 5, 12][rand.rand_range(0..5) as usize];
    Json::List((0..n).map(|_| level(rand)).collect())
}

fn symbol(rand: &mut Rand64, names: &[&str]) -> String {
    names[rand.rand_range(0..names.len() as u64) as usize].to_owned()
}

/// A message that the venue might send.
pub fn sound(venue: Venue, rand: &mut Rand64) -> Json {
    match venue {
        Venue::Binance => binance(rand),
        Venue::Kraken => kraken(rand),
        Venue::KrakenFutures => kraken_futures(rand),
        Venue::Coinbase => coinbase(rand),
        Venue::Bybit => bybit(rand),
        Venue::Okx => okx(rand),
    }
}

fn binance(rand: &mut Rand64) -> Json {
    let name = symbol(rand, &["BTCUSDT", "1000SATSUSDT", "币安人生USDT", "BTCUSD_PERP"]);
    let id = rand.rand_range(0..1 << 53);
    let ms = rand.rand_range(1_600_000_000_000..1_900_000_000_000);
    let inner = match rand.rand_range(0..8) {
        0..=2 => {
            let level =
                |rand: &mut Rand64| Json::List(vec![text(decimal(rand, false)), text(decimal(rand, false))]);
            let mut fields = vec![("e".to_owned(), text("depthUpdate")), ("E".to_owned(), raw(ms))];
            let futures = coin(rand);
            if futures {
                fields.push(("T".to_owned(), raw(ms - 1)));
            }
            fields.push(("s".to_owned(), text(&name)));
            if futures && coin(rand) {
                fields.push(("ps".to_owned(), text("BTCUSD")));
            }
            fields.push(("U".to_owned(), raw(id)));
            fields.push(("u".to_owned(), raw(id + 5)));
            if futures {
                fields.push(("pu".to_owned(), raw(id.saturating_sub(1))));
            }
            fields.push(("b".to_owned(), levels(rand, level)));
            fields.push(("a".to_owned(), levels(rand, level)));
            Json::Map(fields)
        }
        3 | 4 => {
            let mut fields = vec![("u".to_owned(), raw(id)), ("s".to_owned(), text(&name))];
            for key in ["b", "B", "a", "A"] {
                fields.push((key.to_owned(), text(decimal(rand, false))));
            }
            if coin(rand) {
                fields.insert(rand.rand_range(0..2) as usize, ("e".to_owned(), text("bookTicker")));
                fields.push(("T".to_owned(), raw(ms)));
                fields.push(("E".to_owned(), raw(ms)));
            }
            Json::Map(fields)
        }
        5 => map([("e", text("serverShutdown")), ("E", raw(ms))]),
        6 => map([
            ("e", text("aggTrade")),
            ("E", raw(ms)),
            ("s", text(&name)),
            ("a", raw(26_129)),
            ("p", text("0.01633102")),
            ("q", text("4.70443515")),
            ("T", raw(ms)),
            ("m", raw(true)),
        ]),
        _ => map([
            ("e", text("kline")),
            ("s", text(&name)),
            ("k", map([("t", raw(ms)), ("o", text("1.5")), ("x", raw(false)), ("B", text("0"))])),
        ]),
    };
    match rand.rand_range(0..8) {
        0 => map([("result", raw("null")), ("id", raw(id))]),
        1 => map([("error", map([("code", raw(2)), ("msg", text("Invalid request"))])), ("id", text("x"))]),
        2..=4 => map([("stream", text(format!("{}@depth@100ms", name.to_lowercase()))), ("data", inner)]),
        _ => inner,
    }
}

fn bybit(rand: &mut Rand64) -> Json {
    let name = symbol(rand, &["BTCUSDT", "1000SATSUSDT", "BTCUSDT-25DEC26", "BTC.币"]);
    let id = rand.rand_range(0..1 << 53);
    let ms = rand.rand_range(1_600_000_000_000..1_900_000_000_000);
    let kind = text(if coin(rand) { "delta" } else { "snapshot" });
    match rand.rand_range(0..10) {
        0..=4 => {
            let level =
                |rand: &mut Rand64| Json::List(vec![text(decimal(rand, false)), text(decimal(rand, false))]);
            let depth = [1, 50, 200, 1_000][rand.rand_range(0..4) as usize];
            let data = map([
                ("s", text(&name)),
                ("b", levels(rand, level)),
                ("a", levels(rand, level)),
                ("u", raw(id)),
                ("seq", raw(id + 7)),
            ]);
            let mut fields = vec![
                ("topic".to_owned(), text(format!("orderbook.{depth}.{name}"))),
                ("type".to_owned(), kind),
                ("ts".to_owned(), raw(ms)),
            ];
            if coin(rand) {
                fields.swap(1, 2);
            }
            fields.push(("data".to_owned(), data));
            fields.push(("cts".to_owned(), raw(ms - 2)));
            Json::Map(fields)
        }
        5 | 6 => {
            let mut data = vec![("symbol".to_owned(), text(&name))];
            for key in ["lastPrice", "bid1Price", "bid1Size", "markPrice", "ask1Price", "ask1Size"] {
                if coin(rand) {
                    data.push((key.to_owned(), text(decimal(rand, false))));
                }
            }
            map([
                ("topic", text(format!("tickers.{name}"))),
                ("type", kind),
                ("data", Json::Map(data)),
                ("cs", raw(id)),
                ("ts", raw(ms)),
            ])
        }
        7 => map([
            ("topic", text(format!("publicTrade.{name}"))),
            ("type", kind),
            ("ts", raw(ms)),
            (
                "data",
                Json::List(vec![map([
                    ("T", raw(ms)),
                    ("s", text(&name)),
                    ("p", text("1")),
                    ("BT", raw(false)),
                ])]),
            ),
        ]),
        8 => map([
            ("success", raw(coin(rand))),
            ("ret_msg", text("pong")),
            ("conn_id", text("c")),
            ("op", text(["ping", "pong", "subscribe", "auth"][rand.rand_range(0..4) as usize])),
        ]),
        _ => map([
            ("topic", text(format!("orderbook.rpi.{name}"))),
            ("data", map([("b", Json::List(vec![]))])),
        ]),
    }
}

fn okx(rand: &mut Rand64) -> Json {
    let name = symbol(rand, &["BTC-USDT", "BTC-USDT-SWAP", "BTC-USD-261225", "币-USDT"]);
    let id = rand.rand_range(0..1 << 53) as i64;
    let ms = rand.rand_range(1_600_000_000_000..1_900_000_000_000);
    let arg = |channel: &str| ("arg".to_owned(), map([("channel", text(channel)), ("instId", text(&name))]));
    match rand.rand_range(0..10) {
        0..=5 => {
            let level = |rand: &mut Rand64| {
                let count = rand.rand_range(0..30);
                Json::List(vec![
                    text(decimal(rand, false)),
                    text(decimal(rand, false)),
                    text("0"),
                    text(count),
                ])
            };
            let channels = ["books", "books5", "bbo-tbt", "books50-l2-tbt", "books-l2-tbt"];
            let channel = channels[rand.rand_range(0..5) as usize];
            let is_whole = matches!(channel, "books5" | "bbo-tbt");
            let mut data = vec![
                ("asks".to_owned(), levels(rand, level)),
                ("bids".to_owned(), levels(rand, level)),
                ("ts".to_owned(), text(ms)),
            ];
            if coin(rand) {
                let checksum = rand.rand_range(0..1 << 32) as i64 - (1 << 31);
                data.push(("checksum".to_owned(), raw(if coin(rand) { 0 } else { checksum })));
            }
            if coin(rand) {
                data.push(("seqId".to_owned(), raw(id)));
                let before = if coin(rand) { -1 } else { id - 4 };
                data.push(("prevSeqId".to_owned(), raw(before)));
                let last = data.len() - 1;
                if coin(rand) {
                    data.swap(last - 1, last);
                }
            }
            let mut fields = vec![arg(channel)];
            if !is_whole {
                let action = if coin(rand) { "update" } else { "snapshot" };
                fields.push(("action".to_owned(), text(action)));
            }
            fields.push(("data".to_owned(), Json::List(vec![Json::Map(data)])));
            Json::Map(fields)
        }
        6 | 7 => {
            let mut ticker = vec![("instType".to_owned(), text("SPOT")), ("instId".to_owned(), text(&name))];
            for key in ["last", "askPx", "askSz", "bidPx", "bidSz", "open24h"] {
                ticker.push((key.to_owned(), text(decimal(rand, false))));
            }
            ticker.push(("ts".to_owned(), text(ms)));
            Json::Map(vec![arg("tickers"), ("data".to_owned(), Json::List(vec![Json::Map(ticker)]))])
        }
        8 => Json::Map(vec![
            ("event".to_owned(), text(["subscribe", "error", "notice"][rand.rand_range(0..3) as usize])),
            arg("books"),
            ("connId".to_owned(), text("accb8e21")),
        ]),
        _ => {
            let trade =
                map([("instId", text(&name)), ("px", text("1.5")), ("sz", text("2")), ("ts", text(ms))]);
            Json::Map(vec![arg("trades"), ("data".to_owned(), Json::List(vec![trade]))])
        }
    }
}

fn kraken(rand: &mut Rand64) -> Json {
    let name = symbol(rand, &["BTC/USD", "XBT/USD", "ETH/币", "PEPE/EUR"]);
    let ts = format!("2026-07-{:02}T17:35:55.{:06}Z", rand.rand_range(1..29), rand.rand_range(0..1_000_000));
    let kind = if coin(rand) { "update" } else { "snapshot" };
    let data = |channel: &str, data: Json| {
        map([("channel", text(channel)), ("type", text(kind)), ("data", Json::List(vec![data]))])
    };
    match rand.rand_range(0..12) {
        0..=3 => {
            let level = |rand: &mut Rand64| {
                map([("price", raw(decimal(rand, true))), ("qty", raw(decimal(rand, true)))])
            };
            let mut book = vec![
                ("symbol".to_owned(), text(name)),
                ("bids".to_owned(), levels(rand, level)),
                ("asks".to_owned(), levels(rand, level)),
                ("checksum".to_owned(), raw(rand.rand_range(0..1 << 32))),
            ];
            if coin(rand) {
                book.push(("timestamp".to_owned(), text(ts)));
            }
            data("book", Json::Map(book))
        }
        4 => {
            let mut fields = vec![("symbol".to_owned(), text(name))];
            for key in [
                "bid",
                "bid_qty",
                "ask",
                "ask_qty",
                "last",
                "volume",
                "vwap",
                "low",
                "high",
                "change",
                "change_pct",
            ] {
                fields.push((key.to_owned(), raw(decimal(rand, true))));
            }
            fields.push(("timestamp".to_owned(), text(ts)));
            data("ticker", Json::Map(fields))
        }
        5 => data(
            "status",
            map([("version", text("2.0.10")), ("system", text("online")), ("connection_id", raw(u64::MAX))]),
        ),
        6 => map([("channel", text("heartbeat"))]),
        7 => map([
            ("channel", text("instrument")),
            ("data", map([("assets", Json::List(vec![])), ("pairs", Json::List(vec![]))])),
        ]),
        8 => map([
            ("method", text(if coin(rand) { "subscribe" } else { "pong" })),
            ("req_id", raw(7)),
            ("result", map([("channel", text("book")), ("depth", raw(10)), ("symbol", text(name))])),
            ("success", raw(true)),
            ("time_in", text(ts)),
        ]),
        9 => map([
            ("channelID", raw(336)),
            ("channelName", text("book-10")),
            ("event", text("subscriptionStatus")),
            ("pair", text(name)),
            ("status", text(["subscribed", "unsubscribed", "error"][rand.rand_range(0..3) as usize])),
            ("reqid", raw(3)),
        ]),
        _ => {
            let old = |rand: &mut Rand64| {
                let time = format!(
                    "{}.{:06}",
                    rand.rand_range(1_500_000_000..1_900_000_000),
                    rand.rand_range(0..1_000_000)
                );
                let mut level = vec![text(decimal(rand, false)), text(decimal(rand, false)), text(time)];
                if rand.rand_range(0..4) == 0 {
                    level.push(text("r"));
                }
                Json::List(level)
            };
            let (one, two) = (levels(rand, old), levels(rand, old));
            let mut parts = vec![raw(336)];
            match rand.rand_range(0..3) {
                0 => parts.push(map([("as", one), ("bs", two)])),
                1 => parts.push(map([("b", one), ("c", text(rand.rand_range(0..1 << 32)))])),
                _ => parts
                    .extend([map([("a", one)]), map([("b", two), ("c", text(rand.rand_range(0..1 << 32)))])]),
            }
            parts.extend([text("book-10"), text(name)]);
            Json::List(parts)
        }
    }
}

fn kraken_futures(rand: &mut Rand64) -> Json {
    let name = symbol(rand, &["PI_XBTUSD", "FI_ETHUSD_210924", "PF_AAPLxUSD", "PF_币USD"]);
    let (seq, ms) = (rand.rand_range(0..1 << 53), rand.rand_range(1_600_000_000_000..1_900_000_000_000));
    match rand.rand_range(0..10) {
        0..=3 => map([
            ("feed", text("book")),
            ("product_id", text(name)),
            ("side", text(if coin(rand) { "buy" } else { "sell" })),
            ("seq", raw(seq)),
            ("price", raw(decimal(rand, true))),
            ("qty", raw(decimal(rand, true))),
            ("timestamp", raw(ms)),
        ]),
        4 | 5 => {
            let level = |rand: &mut Rand64| {
                map([("price", raw(decimal(rand, true))), ("qty", raw(decimal(rand, true)))])
            };
            map([
                ("feed", text("book_snapshot")),
                ("product_id", text(name)),
                ("timestamp", raw(ms)),
                ("seq", raw(seq)),
                ("tickSize", raw(if coin(rand) { "null" } else { "0.5" })),
                ("bids", levels(rand, level)),
                ("asks", levels(rand, level)),
            ])
        }
        6 => {
            let mut fields = vec![("time".to_owned(), raw(ms)), ("product_id".to_owned(), text(name))];
            fields.push(("feed".to_owned(), text("ticker")));
            fields.push(("funding_rate".to_owned(), raw("-6.2604214e-11")));
            for key in ["bid", "ask", "bid_size", "ask_size"] {
                let value = if rand.rand_range(0..6) == 0 { "null".to_owned() } else { decimal(rand, true) };
                fields.push((key.to_owned(), raw(value)));
            }
            Json::Map(fields)
        }
        7 => map([("feed", text("heartbeat")), ("time", raw(ms))]),
        8 => map([
            ("feed", text("trade")),
            ("product_id", text(name)),
            ("side", text("buy")),
            ("seq", raw(seq)),
            ("time", raw(ms)),
            ("qty", raw("320.0")),
            ("price", raw("119.44")),
        ]),
        _ => map([
            ("event", text(["subscribed", "info", "error", "alert"][rand.rand_range(0..4) as usize])),
            ("feed", text("book")),
            ("product_ids", Json::List(vec![text(name)])),
        ]),
    }
}

fn coinbase(rand: &mut Rand64) -> Json {
    let name = symbol(rand, &["BTC-USD", "00-USD", "ETH-币", "SHIB-USDC"]);
    let nanos = rand.rand_range(0..1_000_000_000);
    let ts = format!("2026-08-{:02}T21:05:48.{nanos:09}Z", rand.rand_range(1..29));
    let ts = if coin(rand) { ts } else { format!("{}Z", ts.trim_end_matches(['0', '9', 'Z'])) };
    // Mostly one side before the other, as they come.
    let grouped = rand.rand_range(0..4) > 0;
    let first = rand.rand_range(0..13) as usize;
    let is_bid = move |at: usize, rand: &mut Rand64| if grouped { at < first } else { coin(rand) };
    let count = [1, 2, 5, 12][rand.rand_range(0..4) as usize];
    let wrapped = |channel: &str, rand: &mut Rand64, event: Json| {
        let mut fields = vec![("channel".to_owned(), text(channel))];
        if coin(rand) {
            fields.push(("client_id".to_owned(), text("")));
        }
        fields.push(("timestamp".to_owned(), text(&ts)));
        fields.push(("sequence_num".to_owned(), raw(rand.rand_range(0..1 << 40))));
        fields.push(("events".to_owned(), Json::List(vec![event])));
        Json::Map(fields)
    };
    let kind = if coin(rand) { "update" } else { "snapshot" };
    match rand.rand_range(0..12) {
        0..=3 => {
            let updates = (0..count)
                .map(|at| {
                    map([
                        ("side", text(if is_bid(at, rand) { "bid" } else { "offer" })),
                        ("event_time", text(&ts)),
                        ("price_level", text(decimal(rand, false))),
                        ("new_quantity", text(decimal(rand, false))),
                    ])
                })
                .collect();
            let event =
                map([("type", text(kind)), ("product_id", text(name)), ("updates", Json::List(updates))]);
            wrapped("l2_data", rand, event)
        }
        4 => {
            let mut ticker = vec![("type".to_owned(), text("ticker")), ("product_id".to_owned(), text(name))];
            for key in [
                "price",
                "volume_24_h",
                "low_24_h",
                "high_24_h",
                "low_52_w",
                "high_52_w",
                "price_percent_chg_24_h",
            ] {
                ticker.push((key.to_owned(), text("1.5")));
            }
            for key in ["best_bid", "best_ask", "best_bid_quantity", "best_ask_quantity"] {
                ticker.push((key.to_owned(), text(decimal(rand, false))));
            }
            let event = map([("type", text(kind)), ("tickers", Json::List(vec![Json::Map(ticker)]))]);
            wrapped("ticker", rand, event)
        }
        5 => {
            let event =
                map([("current_time", text("2026-08-09 21:05:48 +0000 UTC")), ("heartbeat_counter", raw(7))]);
            wrapped("heartbeats", rand, event)
        }
        6 => wrapped("market_trades", rand, map([("type", text(kind)), ("trades", Json::List(vec![]))])),
        7 => {
            let level =
                |rand: &mut Rand64| Json::List(vec![text(decimal(rand, false)), text(decimal(rand, false))]);
            let mut fields =
                vec![("type".to_owned(), text("snapshot")), ("product_id".to_owned(), text(name))];
            fields.push(("asks".to_owned(), levels(rand, level)));
            fields.push(("bids".to_owned(), levels(rand, level)));
            if coin(rand) {
                fields.swap(2, 3);
                fields.push(("time".to_owned(), text(&ts)));
            }
            Json::Map(fields)
        }
        8 | 9 => {
            let changes = (0..count)
                .map(|at| {
                    let side = text(if is_bid(at, rand) { "buy" } else { "sell" });
                    Json::List(vec![side, text(decimal(rand, false)), text(decimal(rand, false))])
                })
                .collect();
            let mut fields =
                vec![("type".to_owned(), text("l2update")), ("product_id".to_owned(), text(name))];
            fields.push(("changes".to_owned(), Json::List(changes)));
            fields.insert(if coin(rand) { 2 } else { 3 }, ("time".to_owned(), text(&ts)));
            Json::Map(fields)
        }
        10 => {
            let mut fields = vec![
                ("type".to_owned(), text("ticker")),
                ("sequence".to_owned(), raw(37_475_248_783u64)),
                ("product_id".to_owned(), text(name)),
            ];
            for key in ["price", "open_24h", "volume_24h", "low_24h", "high_24h", "volume_30d"] {
                fields.push((key.to_owned(), text("1.5")));
            }
            let quantities = coin(rand);
            for (key, always) in
                [("best_bid", true), ("best_bid_size", false), ("best_ask", true), ("best_ask_size", false)]
            {
                if always || quantities {
                    fields.push((key.to_owned(), text(decimal(rand, false))));
                }
            }
            fields.push(("side".to_owned(), text("buy")));
            fields.push(("time".to_owned(), text(&ts)));
            fields.push(("trade_id".to_owned(), raw(370_843_401)));
            fields.push(("last_size".to_owned(), text("11.4396987")));
            Json::Map(fields)
        }
        _ => map([
            ("type", text(if coin(rand) { "heartbeat" } else { "error" })),
            ("sequence", raw(90)),
            ("product_id", text(name)),
            ("time", text(&ts)),
        ]),
    }
}

/// A text with a few bytes changed, taken out, put in, or moved.
pub fn broken(text: &[u8], rand: &mut Rand64) -> Vec<u8> {
    const BYTES: &[u8] = b"\"\\{}[]:,.0123456789eE+-tfn \n\x00\x1f\x7f\xc3\xa9\xff/";
    let mut text = text.to_vec();
    for _ in 0..rand.rand_range(1..3) {
        if text.is_empty() {
            break;
        }
        let at = rand.rand_range(0..text.len() as u64) as usize;
        let byte = BYTES[rand.rand_range(0..BYTES.len() as u64) as usize];
        match rand.rand_range(0..5) {
            0 => text[at] = byte,
            1 => drop(text.remove(at)),
            2 => text.insert(at, byte),
            3 => {
                let other = rand.rand_range(0..text.len() as u64) as usize;
                text.swap(at, other);
            }
            _ => {
                let end = (at + rand.rand_range(1..20) as usize).min(text.len());
                let piece = text[at..end].to_vec();
                let to = rand.rand_range(0..text.len() as u64) as usize;
                text.splice(to..to, piece);
            }
        }
    }
    text
}
