//! The hot path allocates nothing: a counting allocator watches every hop from the frame to the
//! order bytes, after the buffers have grown.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[path = "../benches/common/path.rs"]
#[allow(dead_code)]
mod path;

use path::{Case, HotPath};
use xarb::host::HostClock;

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator with the same arguments; the counter beside it
// is a plain cell of this thread that needs no allocation and no drop.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn no_hop_from_frame_to_order_allocates() {
    for case in Case::ALL {
        let mut path = HotPath::new(case, HostClock::new());
        let mut orders = 0;
        for (round, frame) in path.frames(400).into_iter().enumerate() {
            let before = COUNT.with(Cell::get);
            let (size, _) = path.run(&frame);
            path.rehearse(&frame);
            let allocated = COUNT.with(Cell::get) - before;
            path.rest();
            orders += u64::from(size > 0);
            // The first rounds let reused buffers grow to their size.
            assert!(round < 100 || allocated == 0, "{case:?}: {allocated} allocations in round {round}");
        }
        assert_eq!(orders, 400, "{case:?}: every frame makes an order");
    }
}

/// What a venue does on the hot path by itself: books from frames, bytes from orders.
#[test]
fn no_coinbase_update_or_order_allocates() {
    use secrecy::SecretString;
    use xarb::types::*;
    use xarb::venue::*;
    use xarb::wire::PaddedBuf;

    let endpoint = |url: &str| Endpoint::parse(url).expect("a URL");
    let product = br#"[{"id":"BTC-USD","base_currency":"BTC","quote_currency":"USD","quote_increment":"0.01","base_increment":"0.00000001"}]"#;
    for venue in ["coinbase.advanced", "coinbase.exchange"] {
        let advanced = venue == "coinbase.advanced";
        let row = find(venue).expect("a venue");
        let spec =
            (find("coinbase.exchange").expect("a venue").instruments)(product).expect("a product").remove(0);
        let mut gateway = row.gateway.expect("a gateway")(&GatewayConfig {
            venue: VenueId(0),
            instruments: vec![(InstrumentId(0), spec.clone())],
            credentials: Credentials {
                key: "KEY".to_owned(),
                secret: SecretString::from("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
                passphrase: Some(SecretString::from("PASS")),
                generation: 0,
            },
            transport: Transport::Rest,
            rest: endpoint("https://127.0.0.1"),
            orders: endpoint("wss://127.0.0.1"),
            private: endpoint("wss://127.0.0.1"),
            window_ms: 1_000,
            nonce_from: 0,
            mask_seed: 1,
        })
        .expect("a sound key");
        let (mut out, mut padded) = (GatewayOut::default(), PaddedBuf::default());
        let mut now = Nanos::from_secs(1_785_060_000);
        gateway.on(GatewayInput::Opened(Lane::Private), now, &mut out);
        let granted = match advanced {
            true => {
                r#"{"channel":"subscriptions","sequence_num":0,"events":[{"subscriptions":{"user":["u"]}}]}"#
            }
            false => r#"{"type":"subscriptions","channels":[{"name":"user"}]}"#,
        };
        gateway.on(GatewayInput::Text(Lane::Private, padded.fill(granted.as_bytes())), now, &mut out);
        assert!(gateway.ready(), "{venue}");
        let mut bytes = OrderBytes::new();
        for number in 1..40 {
            now = now + Nanos::from_millis(100);
            gateway.on(GatewayInput::Tick, now, &mut out);
            let draft = Draft {
                client: ClientId::from_bits(number),
                venue: VenueId(0),
                instrument: InstrumentId(0),
                side: Side::Buy,
                kind: Kind::Limit,
                tif: Tif::Ioc,
                price: Price(6_000_000_000_000),
                qty: Qty(1_000_000),
                reduce_only: false,
            };
            let before = COUNT.with(Cell::get);
            gateway.encode(&draft, now, &mut bytes).expect("an order");
            let allocated = COUNT.with(Cell::get) - before;
            assert_eq!(allocated, 0, "{venue}: order {number}");
        }

        let mut feed = (row.feed)(&FeedConfig {
            books: vec![BookConfig { symbol: spec.symbol, spec: Some(spec) }],
            discover: false,
            channels: Channels { depth: true, levels: 100, interval_ms: 0, ticker: true },
            encoding: xarb::venue::Encoding::Json,
            stream: endpoint("wss://127.0.0.1"),
            rest: endpoint("https://127.0.0.1"),
        });
        let mut out = FeedOut::default();
        feed.on(FeedInput::Opened, now, &mut out).expect("no message yet");
        for number in 0..60 {
            let kind = if number == 0 { "snapshot" } else { "update" };
            // Sides in order, and mixed, which the first tier leaves to the second.
            let sides = if number % 2 == 0 { ["bid", "offer", "offer"] } else { ["offer", "bid", "offer"] };
            let level = |side: &str| {
                format!(
                    r#"{{"side":"{side}","event_time":"2026-08-09T21:05:48.1Z","price_level":"65083.66","new_quantity":"0.2"}}"#
                )
            };
            let text = match (advanced, number) {
                (true, _) => format!(
                    r#"{{"channel":"l2_data","timestamp":"2026-08-09T21:05:48.48Z","sequence_num":{number},"events":[{{"type":"{kind}","product_id":"BTC-USD","updates":[{}]}}]}}"#,
                    sides.map(level).join(",")
                ),
                (false, 0) => {
                    r#"{"type":"snapshot","product_id":"BTC-USD","asks":[["2","1"]],"bids":[["1","1"]]}"#
                        .to_owned()
                }
                (false, _) => format!(
                    r#"{{"type":"l2update","product_id":"BTC-USD","changes":[{}],"time":"2026-08-09T21:05:48.48Z"}}"#,
                    sides
                        .map(|side| format!(
                            r#"["{}","1.5","2"]"#,
                            if side == "bid" { "buy" } else { "sell" }
                        ))
                        .join(",")
                ),
            };
            let text = padded.fill(text.as_bytes());
            out.clear();
            let before = COUNT.with(Cell::get);
            feed.on(FeedInput::Text(text), now, &mut out).expect("a sound message");
            let allocated = COUNT.with(Cell::get) - before;
            assert_eq!(out.changes.len(), 1, "{venue}: message {number}");
            assert!(number < 4 || allocated == 0, "{venue}: {allocated} allocations in message {number}");
        }
    }
}

/// The same of Bybit, by session and by signed request.
#[test]
fn no_bybit_update_or_order_allocates() {
    use secrecy::SecretString;
    use xarb::types::*;
    use xarb::venue::*;
    use xarb::wire::PaddedBuf;

    let endpoint = |url: &str| Endpoint::parse(url).expect("a URL");
    let rules = include_bytes!("data/bybit/instruments_spot.json");
    let row = find("bybit.spot").expect("a venue");
    let spec = (row.instruments)(rules).expect("rules").remove(0);
    for transport in [Transport::Ws, Transport::Rest] {
        let mut gateway = row.gateway.expect("a gateway")(&GatewayConfig {
            venue: VenueId(0),
            instruments: vec![(InstrumentId(0), spec.clone())],
            credentials: Credentials {
                key: "KEY".to_owned(),
                secret: SecretString::from("SECRET"),
                passphrase: None,
                generation: 0,
            },
            transport,
            rest: endpoint("https://127.0.0.1"),
            orders: endpoint("wss://127.0.0.1/v5/trade"),
            private: endpoint("wss://127.0.0.1/v5/private"),
            window_ms: 1_000,
            nonce_from: 0,
            mask_seed: 1,
        })
        .expect("a sound key");
        let (mut out, mut padded) = (GatewayOut::default(), PaddedBuf::default());
        let now = Nanos::from_secs(1_785_060_000);
        gateway.on(GatewayInput::Opened(Lane::Orders), now, &mut out);
        let granted = padded.fill(br#"{"retCode":0,"retMsg":"OK","op":"auth"}"#);
        gateway.on(GatewayInput::Text(Lane::Orders, granted), now, &mut out);
        let mut bytes = OrderBytes::new();
        for number in 1..40 {
            let draft = Draft {
                client: ClientId::from_bits(number),
                venue: VenueId(0),
                instrument: InstrumentId(0),
                side: Side::Buy,
                kind: Kind::Limit,
                tif: Tif::Ioc,
                price: Price(6_000_000_000_000),
                qty: Qty(1_000_000),
                reduce_only: false,
            };
            let before = COUNT.with(Cell::get);
            gateway.encode(&draft, now, &mut bytes).expect("an order");
            let allocated = COUNT.with(Cell::get) - before;
            assert_eq!(allocated, 0, "{transport:?}: order {number}");
        }
    }

    let mut feed = (row.feed)(&FeedConfig {
        books: vec![BookConfig { symbol: spec.symbol, spec: Some(spec) }],
        discover: false,
        channels: Channels { depth: true, levels: 50, interval_ms: 0, ticker: true },
        encoding: xarb::venue::Encoding::Json,
        stream: endpoint("wss://127.0.0.1/v5/public/spot"),
        rest: endpoint("https://127.0.0.1"),
    });
    let (mut out, mut padded) = (FeedOut::default(), PaddedBuf::default());
    feed.on(FeedInput::Opened, Nanos::ZERO, &mut out).expect("no message yet");
    for number in 0..60 {
        let kind = if number == 0 { "snapshot" } else { "delta" };
        // In the usual order of fields, and in another, which the first tier leaves to the second.
        let space = if number % 2 == 0 { "" } else { " " };
        let text = format!(
            r#"{{"topic":"orderbook.50.BTCUSDT",{space}"ts":1672304484978,"type":"{kind}","data":{{"s":"BTCUSDT","b":[["65083.6","0.2"],["65083.5","0"]],"a":[["65083.7","1"]],"u":{},"seq":{}}},"cts":1672304484976}}"#,
            number + 7,
            number + 9
        );
        let text = padded.fill(text.as_bytes());
        out.clear();
        let before = COUNT.with(Cell::get);
        feed.on(FeedInput::Text(text), Nanos::ZERO, &mut out).expect("a sound message");
        let allocated = COUNT.with(Cell::get) - before;
        assert_eq!(out.changes.len(), 1, "message {number}");
        assert!(number < 4 || allocated == 0, "{allocated} allocations in message {number}");
    }
}

/// Looks by rates: a pair and a merge across assets, and the rate that moves them.
#[test]
fn no_look_across_quote_assets_allocates() {
    use xarb::book::{Book, BookConfig, Reader, Stamp, Writer, cell};
    use xarb::detect::*;
    use xarb::types::*;

    let asset = |name: &str| Asset::new(name).expect("a name");
    let level = |cents: i64| Level::new(cents * 1_000_000, 100_000_000);
    let (mut writers, readers): (Vec<Writer>, Vec<Reader>) = (0..6).map(|_| cell()).unzip();
    let watched = |slot: u16, quote: &str| Watched {
        slot: BookSlot(slot),
        market: Market {
            venue: VenueId(slot as u8),
            taker_fee: FeeRate(0),
            lot: Qty(1_000),
            min_qty: Qty(1_000),
            min_notional: Money::ZERO,
        },
        quote: asset(quote),
        max_age: Nanos::ZERO,
    };
    let watch = |instrument, books| Watch {
        instrument: InstrumentId(instrument),
        terms: Terms {
            scale: Scale::DEFAULT,
            contract: Contract::spot(asset("USD"), Scale::DEFAULT),
            min_edge: Bps(0),
            max_notional: Money(1_000 * Money::ONE.0),
            haircut: FeeRate(FeeRate::ONE),
        },
        books,
        merge: true,
    };
    let pair = watch(0, vec![watched(0, "USD"), watched(1, "USDT")]);
    let merge = watch(1, vec![watched(2, "USD"), watched(3, "USDT"), watched(4, "USDT")]);
    let rate = RateBook {
        base: asset("USDT"),
        quote: asset("USD"),
        scale: Scale::DEFAULT,
        haircut: FeeRate(10_000),
        max_age: Nanos::from_secs(1),
        slot: BookSlot(5),
        venue: VenueId(5),
        instrument: InstrumentId(2),
    };
    let plan = RatePlan { common: asset("USD"), books: vec![rate] };
    let mut detector = Detector::across(&[pair, merge], Some(&plan)).expect("sound terms");
    let mut cells = Cells::new(readers);
    let mut books: Vec<_> = (0..6).map(|_| Book::new(BookConfig::default())).collect();
    let mut set = |slot: usize, bid: i64, ask: i64, seq: u64| {
        let stamp = Stamp { seq, received: Nanos(seq as i64), venue_time: Nanos::ZERO };
        let touched = books[slot].snapshot(&[level(bid)], &[level(ask)], true, 0, stamp).expect("a book");
        books[slot].publish(touched, &mut writers[slot]);
    };
    for (slot, bid, ask) in
        [(0, 9_900, 10_000), (1, 10_500, 10_600), (2, 9_900, 10_000), (3, 9_900, 10_100), (4, 10_500, 10_600)]
    {
        set(slot, bid, ask, 1);
    }
    let mut found = 0;
    for round in 2..200u64 {
        set(5, 99 - (round % 3) as i64, 101, round);
        let before = COUNT.with(Cell::get);
        detector.evaluate(&mut cells, BookSlot(5), Nanos(round as i64), |_| found += 1);
        detector.evaluate(&mut cells, BookSlot(1), Nanos(round as i64), |_| found += 1);
        detector.evaluate(&mut cells, BookSlot(4), Nanos(round as i64), |_| found += 1);
        assert_eq!(COUNT.with(Cell::get) - before, 0, "round {round}");
    }
    assert_eq!(found, 4 * 198, "the rate moves two, and two move by themselves");
}

/// A recording looks on every input of the hot path: it copies into buffers made at the start, also
/// where none is free.
#[test]
fn no_recorded_input_allocates() {
    use xarb::capture::{StoreMeta, StoreOptions, StoreWriter, recorder};
    use xarb::types::{Nanos, VenueId};
    use xarb::venue::{FeedInput, GatewayInput, Lane, VENUES};
    use xarb::wire::PaddedBuf;

    let (intake, mut writer) = recorder(VENUES.iter().take(1).collect(), 16);
    let file = std::io::Cursor::new(Vec::new());
    let mut out =
        StoreWriter::new(file, StoreOptions::default(), &StoreMeta::default()).expect("a container");
    let mut padded = PaddedBuf::default();
    let text = padded.fill(&[b'x'; 3_000]);
    for round in 0..50 {
        let before = COUNT.with(Cell::get);
        for at in 0..10 {
            intake.feed(VenueId(0), Nanos(at), &FeedInput::Text(text));
            intake.gateway(VenueId(0), Nanos(at), &GatewayInput::Text(Lane::Private, text));
        }
        assert_eq!(COUNT.with(Cell::get) - before, 0, "round {round}");
        assert_eq!(writer.turn(&mut out, 100).expect("written"), 16);
    }
    assert_eq!(writer.dropped(), 50 * 4);
}
