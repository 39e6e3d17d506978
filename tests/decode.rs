//! The three JSON tiers, and the vector and plain kernels under them, must tell the same of every
//! message: of sound ones in any spelling, of broken ones, and of what the exchanges really sent.

#[path = "decode/messages.rs"]
mod messages;

#[path = "decode/captures.rs"]
mod captures;
#[path = "common/captures.rs"]
mod common;

use messages::{Style, Venue};
use oorandom::Rand64;
use proptest::prelude::*;
use xarb::types::{Level, Scale};
use xarb::venue::{binance, bybit, coinbase, kraken, okx};
use xarb::wire::json::kernel::Isa;
use xarb::wire::json::{self, Dialect, Error, Tier, TierUse};
use xarb::wire::{Padded, PaddedBuf};

/// What a message says, levels and all, in words.
type Told = Result<String, Error>;

/// Both decoders of a venue, each by one instruction set.
enum Decoder {
    Binance(binance::decode::Decoder),
    Kraken(kraken::decode::Decoder),
    KrakenFutures(kraken::futures::decode::Decoder),
    Coinbase(coinbase::decode::Decoder),
    Bybit(bybit::decode::Decoder),
    Okx(okx::decode::Decoder),
}

impl Decoder {
    fn new(venue: Venue, isa: Isa) -> Decoder {
        match venue {
            Venue::Binance => Decoder::Binance(binance::decode::Decoder::with_isa(isa)),
            Venue::Kraken => Decoder::Kraken(kraken::decode::Decoder::with_isa(isa)),
            Venue::KrakenFutures => Decoder::KrakenFutures(kraken::futures::decode::Decoder::with_isa(isa)),
            Venue::Coinbase => Decoder::Coinbase(coinbase::decode::Decoder::with_isa(isa)),
            Venue::Bybit => Decoder::Bybit(bybit::decode::Decoder::with_isa(isa)),
            Venue::Okx => Decoder::Okx(okx::decode::Decoder::with_isa(isa)),
        }
    }

    /// By one tier, or by all in turn.
    fn read(&mut self, tier: Option<Tier>, text: Padded<'_>) -> Option<Told> {
        let mut levels = vec![Level::new(1, 2)];
        let out = &mut levels;
        let told = match self {
            Decoder::Binance(decoder) => read_by(decoder, tier, text, out, binance_told)?,
            Decoder::Kraken(decoder) => read_by(decoder, tier, text, out, kraken_told)?,
            Decoder::KrakenFutures(decoder) => read_by(decoder, tier, text, out, futures_told)?,
            Decoder::Coinbase(decoder) => read_by(decoder, tier, text, out, coinbase_told)?,
            Decoder::Bybit(decoder) => read_by(decoder, tier, text, out, bybit_told)?,
            Decoder::Okx(decoder) => read_by(decoder, tier, text, out, okx_told)?,
        };
        if told.is_err() {
            assert_eq!(levels, [Level::new(1, 2)], "levels are left as they were");
        }
        Some(told)
    }

    fn tiers(&self) -> TierUse {
        match self {
            Decoder::Binance(decoder) => decoder.tiers(),
            Decoder::Kraken(decoder) => decoder.tiers(),
            Decoder::KrakenFutures(decoder) => decoder.tiers(),
            Decoder::Coinbase(decoder) => decoder.tiers(),
            Decoder::Bybit(decoder) => decoder.tiers(),
            Decoder::Okx(decoder) => decoder.tiers(),
        }
    }
}

/// `None` when the tier does not take the message.
fn read_by<D: Dialect>(
    decoder: &mut json::Decoder<D>,
    tier: Option<Tier>,
    text: Padded<'_>,
    levels: &mut Vec<Level>,
    told: impl FnOnce(D::Message<'_>, &[Level]) -> String,
) -> Option<Told> {
    let read = match tier {
        Some(tier) => decoder.decode_with(tier, text, levels)?,
        None => decoder.decode(text, levels),
    };
    Some(read.map(|message| told(message, levels)))
}

fn side(levels: &[Level], range: &std::ops::Range<u32>) -> Vec<(i64, i64)> {
    let levels = &levels[range.start as usize..range.end as usize];
    levels.iter().map(|level| (level.price.0, level.qty.0)).collect()
}

fn binance_told(mut message: binance::decode::Message<'_>, levels: &[Level]) -> String {
    let mut sides = (Vec::new(), Vec::new());
    match &mut message {
        binance::decode::Message::Depth(depth) => {
            sides = (side(levels, &depth.bids), side(levels, &depth.asks));
            (depth.bids, depth.asks) = (0..0, 0..0);
        }
        _ => assert_eq!(levels.len(), 1, "no levels but for depth"),
    }
    format!("{message:?} {sides:?}")
}

fn kraken_told(mut message: kraken::decode::Message<'_>, levels: &[Level]) -> String {
    let mut sides = (Vec::new(), Vec::new());
    match &mut message {
        kraken::decode::Message::Book(book) => {
            sides = (side(levels, &book.bids), side(levels, &book.asks));
            (book.bids, book.asks) = (0..0, 0..0);
        }
        _ => assert_eq!(levels.len(), 1, "no levels but for books"),
    }
    format!("{message:?} {sides:?}")
}

fn bybit_told(mut message: bybit::decode::Message<'_>, levels: &[Level]) -> String {
    let mut sides = (Vec::new(), Vec::new());
    match &mut message {
        bybit::decode::Message::Book(book) => {
            sides = (side(levels, &book.bids), side(levels, &book.asks));
            (book.bids, book.asks) = (0..0, 0..0);
        }
        _ => assert_eq!(levels.len(), 1, "no levels but for books"),
    }
    format!("{message:?} {sides:?}")
}

fn okx_told(mut message: okx::decode::Message<'_>, levels: &[Level]) -> String {
    let mut sides = (Vec::new(), Vec::new());
    match &mut message {
        okx::decode::Message::Book(book) => {
            sides = (side(levels, &book.bids), side(levels, &book.asks));
            (book.bids, book.asks) = (0..0, 0..0);
        }
        _ => assert_eq!(levels.len(), 1, "no levels but for books"),
    }
    format!("{message:?} {sides:?}")
}

fn futures_told(mut message: kraken::futures::decode::Message<'_>, levels: &[Level]) -> String {
    let mut sides = (Vec::new(), Vec::new());
    match &mut message.what {
        kraken::futures::decode::What::Book(book) => {
            sides = (side(levels, &book.bids), side(levels, &book.asks));
            (book.bids, book.asks) = (0..0, 0..0);
        }
        _ => assert_eq!(levels.len(), 1, "no levels but for books"),
    }
    format!("{message:?} {sides:?}")
}

fn coinbase_told(mut message: coinbase::decode::Message<'_>, levels: &[Level]) -> String {
    use coinbase::decode::What;
    let mut sides = (Vec::new(), Vec::new());
    match &mut message.what {
        What::Book(book) | What::Ticker(book) => {
            sides = (side(levels, &book.bids), side(levels, &book.asks));
            (book.bids, book.asks) = (0..0, 0..0);
        }
        _ => assert_eq!(levels.len(), 1, "no levels but for books"),
    }
    format!("{message:?} {sides:?}")
}

/// Reads a message by every tier and kernel, holds them all against the library, and says what the
/// library told and which tier would have taken it.
#[track_caller]
fn agreed(venue: Venue, scale: Scale, text: &[u8], slack: &[u8]) -> (Told, TierUse) {
    let shown = || format!("{scale:?} {}", String::from_utf8_lossy(text));
    let mut buffer = text.to_vec();
    buffer.extend_from_slice(slack);
    buffer.resize(buffer.len().max(text.len() + 64), b'7');
    let text = Padded::new(&buffer, text.len()).expect("slack");
    let judge = Decoder::new(venue, Isa::plain(scale)).read(Some(Tier::Library), text).expect("a verdict");
    let mut used = TierUse::default();
    for isa in [Isa::detect(scale), Isa::plain(scale)] {
        let mut decoder = Decoder::new(venue, isa);
        if let Some(told) = decoder.read(Some(Tier::Template), text) {
            assert_eq!(told, judge, "template, {isa:?}: {}", shown());
        }
        match (decoder.read(Some(Tier::Scanner), text), &judge) {
            (Some(Ok(told)), Ok(judge)) => assert_eq!(told, *judge, "scanner, {isa:?}: {}", shown()),
            (Some(Err(_)), Err(_)) | (None, _) => {}
            (Some(told), judge) => panic!("scanner, {isa:?}: {told:?} against {judge:?}: {}", shown()),
        }
        match (decoder.read(None, text).expect("a verdict"), &judge) {
            (Ok(told), Ok(judge)) => assert_eq!(told, *judge, "all, {isa:?}: {}", shown()),
            (Err(_), Err(_)) => {}
            (told, judge) => panic!("all, {isa:?}: {told:?} against {judge:?}: {}", shown()),
        }
        used = decoder.tiers();
    }
    (judge, used)
}

fn scale_of(rand: &mut Rand64) -> Scale {
    // Mostly the scale that the kernels are made for.
    let digits = if rand.rand_range(0..2) == 0 { 8 } else { rand.rand_range(4..13) as u8 };
    Scale::new(digits).expect("up to 12")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sound_messages_in_any_spelling_are_told_alike(seed: u64, slack in proptest::collection::vec(any::<u8>(), 0..80)) {
        let mut rand = Rand64::new(u128::from(seed));
        for venue in messages::VENUES {
            let scale = scale_of(&mut rand);
            let message = messages::sound(venue, &mut rand);
            let usual = message.render(&mut Style::usual(), &mut rand);
            let (told, used) = agreed(venue, Scale::MAX, usual.as_bytes(), &slack);
            prop_assert!(told.is_ok(), "{told:?}: {usual}");
            prop_assert_eq!(used.library, 0, "{}", usual);
            let other = message.render(&mut Style::any(&mut rand), &mut rand);
            let (again, _) = agreed(venue, Scale::MAX, other.as_bytes(), &slack);
            prop_assert_eq!(told.is_ok(), again.is_ok(), "{} {}", usual, other);
            if !usual.contains("instrument") {
                prop_assert_eq!(told, again, "{} {}", usual, other);
            }
            let _ = agreed(venue, scale, other.as_bytes(), &slack);
        }
    }

    #[test]
    fn broken_messages_are_told_alike(seed: u64) {
        let mut rand = Rand64::new(u128::from(seed));
        for venue in messages::VENUES {
            let scale = scale_of(&mut rand);
            let mut style = if rand.rand_range(0..2) == 0 { Style::usual() } else { Style::any(&mut rand) };
            let text = messages::sound(venue, &mut rand).render(&mut style, &mut rand).into_bytes();
            for _ in 0..8 {
                let broken = messages::broken(&text, &mut rand);
                let _ = agreed(venue, scale, &broken, &text);
            }
            let sound = text.trim_ascii_end();
            let cut = rand.rand_range(0..sound.len() as u64) as usize;
            let (told, _) = agreed(venue, scale, &text[..cut], &text[cut..]);
            prop_assert!(told.is_err(), "cut short: {}", String::from_utf8_lossy(&text[..cut]));
        }
    }

    #[test]
    fn random_bytes_are_told_alike(
        bytes in proptest::collection::vec(any::<u8>(), 0..120),
        json in r#"[\[\]{}",:a-c0-3eE.+\-\\u tfn ]{0,60}"#,
    ) {
        for venue in messages::VENUES {
            let _ = agreed(venue, Scale::DEFAULT, &bytes, &[]);
            let _ = agreed(venue, Scale::DEFAULT, json.as_bytes(), &[]);
        }
    }
}

#[test]
fn decimals_in_every_form_are_told_alike() {
    let mut buffer = PaddedBuf::default();
    for price in [
        "0",
        "1",
        "00012.5",
        "1234567",
        "12345678",
        "123456789012",
        "0.00000001",
        "0.000000001",
        "1.123456789",
        "999999999999.12345678",
        "1.10000000000000",
        "1e-8",
        "1E2",
        "-1",
        "-0",
        "-0.0",
        "1.",
        ".5",
        "1.2.3",
        "",
        "+1",
        "1e",
        "1-2",
        "12345678.12345678",
        "1234567.12345678",
        "0000000.00000000",
        "1:",
        "1;",
        "1.5:",
        "9223372036854775807",
        "92233720368.54775807",
        "92233720368.54775808",
        "18446744073709551616",
        "0.1234567890123456789",
        "NaN",
        "1 ",
        " 1",
    ] {
        for digits in [0, 2, 8, 9, 12] {
            let scale = Scale::new(digits).expect("up to 12");
            for (price, qty) in [(price, "2.50"), ("2.50", price), (price, price)] {
                let depth = format!(
                    r#"{{"e":"depthUpdate","E":1672515782136,"s":"BNBBTC","U":157,"u":160,"b":[["{price}","{qty}"]],"a":[]}}"#
                );
                let (told, _) = agreed(Venue::Binance, scale, depth.as_bytes(), &[]);
                let value = |text: &str| xarb::types::parse(text.as_bytes(), scale).ok().filter(|v| *v >= 0);
                assert_eq!(
                    told.is_ok(),
                    value(price).is_some() && value(qty).is_some(),
                    "{price} {qty} {scale:?}"
                );
                if let (Ok(told), Some(price), Some(qty)) = (told, value(price), value(qty)) {
                    assert!(told.contains(&format!("([({price}, {qty})], [])")), "{told}");
                }
                let book = format!(
                    r#"{{"channel":"book","type":"update","data":[{{"symbol":"A/B","bids":[{{"price":{price},"qty":{qty}}}],"asks":[],"checksum":1}}]}}"#
                );
                let _ = agreed(Venue::Kraken, scale, book.as_bytes(), &[]);
                let level = format!(
                    r#"{{"feed":"book","product_id":"PI_X","side":"buy","seq":7,"price":{price},"qty":{qty},"timestamp":1626994927744}}"#
                );
                let _ = agreed(Venue::KrakenFutures, scale, level.as_bytes(), &[]);
                let old = format!(
                    r#"[1,{{"b":[["{price}","{qty}","1534614248.123678"]],"c":"974942666"}},"book-10","A/B"]"#
                );
                let _ = agreed(Venue::Kraken, scale, old.as_bytes(), &[]);
                let ticker = format!(r#"{{"u":1,"s":"S","b":"{price}","B":"{qty}","a":"1","A":"2"}}"#);
                let _ = agreed(Venue::Binance, scale, ticker.as_bytes(), &[]);
                let update = |side: &str| {
                    format!(
                        r#"{{"side":"{side}","event_time":"t","price_level":"{price}","new_quantity":"{qty}"}}"#
                    )
                };
                let book = format!(
                    r#"{{"channel":"l2_data","timestamp":"2026-08-09T21:05:48.5Z","sequence_num":14,"events":[{{"type":"update","product_id":"A-B","updates":[{},{}]}}]}}"#,
                    update("bid"),
                    update("offer")
                );
                let (told, _) = agreed(Venue::Coinbase, scale, book.as_bytes(), &[]);
                assert_eq!(told.is_ok(), value(price).is_some() && value(qty).is_some());
                let ticker = format!(
                    r#"{{"topic":"tickers.A","type":"delta","data":{{"symbol":"A","bid1Price":"{price}","bid1Size":"{qty}"}},"cs":1,"ts":1}}"#
                );
                let (told, _) = agreed(Venue::Bybit, scale, ticker.as_bytes(), &[]);
                // A side without orders has empty texts.
                let value_or_none = |text: &str| if text.is_empty() { Some(0) } else { value(text) };
                let wanted = [value_or_none(price), value_or_none(qty)];
                assert_eq!(told.is_ok(), wanted.iter().all(Option::is_some), "{price} {qty}");
                if let Ok(told) = told {
                    assert!(
                        told.contains(&format!("best: [{:?}, {:?}, None, None]", wanted[0], wanted[1])),
                        "{told}"
                    );
                }
                let book = format!(
                    r#"{{"arg":{{"channel":"books5","instId":"A"}},"data":[{{"asks":[["{price}","{qty}","0","1"]],"bids":[],"ts":"1","seqId":1}}]}}"#
                );
                let (told, _) = agreed(Venue::Okx, scale, book.as_bytes(), &[]);
                assert_eq!(told.is_ok(), value(price).is_some() && value(qty).is_some());
                let ticker = format!(
                    r#"{{"type":"ticker","sequence":1,"product_id":"A-B","best_bid":"{price}","best_bid_size":"{qty}","time":"2026-08-09T21:05:48.5Z"}}"#
                );
                let _ = agreed(Venue::Coinbase, scale, ticker.as_bytes(), &[]);
                let snapshot = format!(r#"{{"lastUpdateId":7,"bids":[["{price}","{qty}"]],"asks":[]}}"#);
                let mut levels = Vec::new();
                let read =
                    binance::decode::snapshot(buffer.fill(snapshot.as_bytes()).message(), scale, &mut levels);
                assert_eq!(read.is_ok(), value(price).is_some() && value(qty).is_some());
                assert_eq!(levels.len(), usize::from(read.is_ok()));
            }
        }
    }
}

/// Each level of this book has a time, nearly always that of the level before.
#[test]
fn times_of_levels_need_not_be_the_same() {
    let long = "2026-08-09T21:05:48.123456789012345678901234567890Z";
    for (times, sound) in [
        (["2026-08-09T21:05:48.5Z"; 3], true),
        (["2026-08-09T21:05:48.5Z", "2026-08-09T21:05:48.55Z", "2026-08-09T21:05:48.5Z"], true),
        (["2026-08-09T21:05:48.55Z", "2026-08-09T21:05:48.5", "2026-08-09T21:05:48.55Z"], true),
        ([long; 3], true),
        (["", "", "t"], true),
        (["t", "", ""], true),
        (["t", "t\"", "t"], false),
        (["t", "\\u0074", "t"], true),
        (["t", "\u{1}", "t"], false),
        (["币", "币", "币"], true),
    ] {
        let rows: Vec<_> = times
            .iter()
            .map(|time| {
                format!(r#"{{"side":"bid","event_time":"{time}","price_level":"1","new_quantity":"2"}}"#)
            })
            .collect();
        let book = format!(
            r#"{{"channel":"l2_data","timestamp":"2026-08-09T21:05:48.123456789Z","sequence_num":14,"events":[{{"type":"update","product_id":"A-B","updates":[{}]}}]}}"#,
            rows.join(",")
        );
        let (told, _) = agreed(Venue::Coinbase, Scale::DEFAULT, book.as_bytes(), b"\",\"x");
        assert_eq!(told.is_ok(), sound, "{times:?} {told:?}");
    }
    // The wrapper's own time, in each form that is read.
    for (time, nanos) in [
        ("2026-08-09T21:05:48Z", Some(1_786_309_548_000_000_000i64)),
        ("2026-08-09T21:05:48.5Z", Some(1_786_309_548_500_000_000)),
        ("2026-08-09T21:05:48.12345678Z", Some(1_786_309_548_123_456_780)),
        ("2026-08-09T21:05:48.123456789Z", Some(1_786_309_548_123_456_789)),
        ("2026-08-09T21:05:48.1234567891Z", Some(1_786_309_548_123_456_789)),
        ("2026-08-09T21:05:48.Z", None),
        ("2026-13-09T21:05:48.5Z", None),
        ("2026-08-09T21:05:48.5", None),
    ] {
        let beat = format!(
            r#"{{"channel":"l2_data","timestamp":"{time}","sequence_num":14,"events":[{{"type":"update","product_id":"A-B","updates":[{{"side":"bid","event_time":"t","price_level":"1","new_quantity":"2"}}]}}]}}"#
        );
        let (told, _) = agreed(Venue::Coinbase, Scale::DEFAULT, beat.as_bytes(), &[]);
        assert_eq!(told.is_ok(), nanos.is_some(), "{time} {told:?}");
        if let (Ok(told), Some(nanos)) = (told, nanos) {
            assert!(told.contains(&format!("time: Nanos({nanos})")), "{told}");
        }
    }
}

#[test]
fn oddities_are_told_alike() {
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let nested = |n: usize| format!(r#"{{"stream":"x","data":{{"e":"serverShutdown","x":{}}}}}"#, deep(n));
    for (venue, text, sound) in [
        (Venue::Binance, r#"{"e":"serverShutdown","E":1}"#.to_owned(), true),
        (Venue::Binance, r#"{"e":"serverShutdown","e":"serverShutdown"}"#.to_owned(), false),
        (Venue::Binance, r#"{"e":"serverShutdown","\u0065":1}"#.to_owned(), false),
        (Venue::Binance, r#"{"e":"serverShutdown","x":1,"x":2}"#.to_owned(), true),
        (
            Venue::Binance,
            r#"{"e":"serverShutdown","x":1e400,"y":-0,"z":123456789012345678901234567890}"#.to_owned(),
            true,
        ),
        (Venue::Binance, r#"{"e":"serverShutdown","x":01}"#.to_owned(), false),
        (Venue::Binance, r#"{"e":"serverShutdown","x":"\ud83d\ude00\/"}"#.to_owned(), true),
        (Venue::Binance, r#"{"e":"serverShutdown","x":"\ud83d"}"#.to_owned(), false),
        (Venue::Binance, r#"{"e":"serverShutdown","x":"\q"}"#.to_owned(), false),
        (Venue::Binance, "{\"e\":\"serverShutdown\",\"x\":\"\t\"}".to_owned(), false),
        (Venue::Binance, r#"{"e":"serverShutdown"}}"#.to_owned(), false),
        (Venue::Binance, r#"{"e":"serverShutdown",}"#.to_owned(), false),
        (Venue::Binance, nested(62), true),
        (Venue::Binance, nested(63), false),
        (Venue::Binance, deep(64), true),
        (Venue::Binance, deep(65), false),
        (Venue::Kraken, deep(64), true),
        (Venue::Kraken, deep(65), false),
        (Venue::Kraken, "12".to_owned(), true),
        (Venue::Binance, " \r\n\t{} ".to_owned(), true),
        (Venue::Binance, String::new(), false),
        (Venue::Kraken, r#"[336,"book-10","XBT/USD"]"#.to_owned(), false),
        (Venue::Kraken, r#"[336,{},"book-10","XBT/USD"]"#.to_owned(), false),
        (Venue::Kraken, r#"[336,{"a":[],"as":[]},"book-10","XBT/USD"]"#.to_owned(), false),
        (Venue::Kraken, r#"[336,{"a":[]},{"a":[]},"book-10","XBT/USD"]"#.to_owned(), false),
        (Venue::Kraken, r#"[336,{"a":[]},{"b":[],"c":"007"},"book-10","XBT/USD"]"#.to_owned(), true),
        (Venue::Kraken, r#"[336,{"a":[],"c":"1"},{"b":[],"c":"2"},"book-10","XBT/USD"]"#.to_owned(), false),
        (Venue::Kraken, r#"[336,{"a":[],"c":"4294967296"},"book-10","XBT/USD"]"#.to_owned(), false),
        (Venue::Bybit, deep(64), true),
        (Venue::Bybit, r#"{"topic":"orderbook.50.A"}"#.to_owned(), false),
        (Venue::Bybit, r#"{"topic":"orderbook.050.A"}"#.to_owned(), true),
        (Venue::Bybit, r#"{"topic":"orderbook.50."}"#.to_owned(), true),
        (Venue::Bybit, r#"{"topic":"orderbook.99999999999.A"}"#.to_owned(), true),
        (Venue::Bybit, r#"{"topic":"orderbook.4294967296.A","type":"delta","ts":1,"data":{"s":"A","b":[],"a":[],"u":1,"seq":1},"cts":1}"#.to_owned(), true),
        (Venue::Bybit, r#"{"topic":"orderbook.50.A","type":"delta","ts":1,"data":{"s":"A","b":[],"a":[],"u":1,"seq":1}}"#.to_owned(), true),
        (Venue::Bybit, r#"{"topic":"orderbook.50.A","type":"delta","ts":1,"data":{"s":"A","b":[],"a":[],"u":1,"seq":1,"u":2},"cts":1}"#.to_owned(), false),
        (Venue::Bybit, r#"{"topic":"orderbook.50.A","type":"delta","ts":1,"data":{"s":"B","b":[],"a":[],"u":1,"seq":1},"cts":1}"#.to_owned(), false),
        (Venue::Bybit, r#"{"topic":"orderbook.50.A","type":"delta","ts":1,"data":{"s":"A","b":[["1"]],"a":[],"u":1,"seq":1},"cts":1}"#.to_owned(), false),
        (Venue::Bybit, r#"{"topic":"orderbook.50.A","type":"delta","ts":1,"data":[],"cts":1}"#.to_owned(), false),
        (Venue::Bybit, r#"{"topic":7,"data":{"b":7}}"#.to_owned(), true),
        (Venue::Bybit, r#"{"topic":"tickers.A","type":"delta","data":{"symbol":"A","bid1Price":"","b":[]},"cs":1,"ts":1}"#.to_owned(), true),
        (Venue::Bybit, r#"{"topic":"tickers.A","type":"delta","data":{"symbol":"A","bid1Price":1},"cs":1,"ts":1}"#.to_owned(), false),
        (Venue::Bybit, r#"{"topic":"tickers.A","type":"delta","data":{"symbol":"A","bid1Price":"1","bid1Price":"1"},"cs":1,"ts":1}"#.to_owned(), false),
        (Venue::Bybit, r#"{"topic":"tickers.A","type":"delta","data":{"symbol":"A","bid1Price":"1","bid1Size":"2","bid1Size":"2"},"cs":1,"ts":1}"#.to_owned(), false),
        (Venue::Bybit, r#"{"topic":"tickers.A","type":"delta","data":{"symbol":"A","ask1Size":"2","ask1Price":"1","ask1Size":"2"},"cs":1,"ts":1}"#.to_owned(), false),
        (Venue::Bybit, r#"{"topic":"tickers.A","type":"delta","data":{"symbol":"A","ask1Price":"1","ask1Size":"2","ask1Price":"1","ask1Size":"2"},"cs":1,"ts":1}"#.to_owned(), false),
        (Venue::Bybit, r#"{"topic":"tickers.A","type":"delta","data":{"symbol":"A","ask1Price":"1","ask1Size":""},"cs":1,"ts":1}"#.to_owned(), true),
        (Venue::Bybit, r#"{"topic":"tickers.A","type":"delta","data":{"symbol":"A","ask1Price":"1","bid1Size":"2","bid1Price":"3"},"cs":1,"ts":1}"#.to_owned(), true),
        (Venue::Bybit, r#"{"topic":"tickers.A","type":"delta","data":{"symbol":"A","bid1Price":"1","bid1Size":"2x"},"cs":1,"ts":1}"#.to_owned(), false),
        (Venue::Bybit, r#"{"topic":"tickers.A","type":"delta","data":{"symbol":"AB","bid1Price":"1","bid1Size":"2"},"cs":1,"ts":1}"#.to_owned(), false),
        (Venue::Bybit, r#"{"topic":"tickers.AB","type":"delta","data":{"symbol":"A","bid1Price":"1","bid1Size":"2"},"cs":1,"ts":1}"#.to_owned(), false),
        (Venue::Bybit, r#"{"success":"true","op":"subscribe"}"#.to_owned(), true),
        (Venue::Okx, deep(64), true),
        (Venue::Okx, deep(65), false),
        (Venue::Okx, r#"{"arg":{"channel":"books","instId":"A"},"action":"update","data":[{"asks":[],"bids":[],"ts":"1"}]}"#.to_owned(), true),
        (Venue::Okx, r#"{"arg":{"channel":"books","instId":"A"},"data":[{"asks":[],"bids":[],"ts":"1"}]}"#.to_owned(), false),
        (Venue::Okx, r#"{"arg":{"channel":"books5","instId":"A"},"data":[{"asks":[],"bids":[],"ts":"1"}]}"#.to_owned(), true),
        (Venue::Okx, r#"{"arg":{"channel":"books","instId":"A"},"action":"partial","data":[{"asks":[],"bids":[],"ts":"1"}]}"#.to_owned(), false),
        (Venue::Okx, r#"{"arg":{"channel":"bbo-tbt","instId":"A"},"data":[{"asks":[],"bids":[],"ts":1}]}"#.to_owned(), false),
        (Venue::Okx, r#"{"arg":{"channel":"bbo-tbt","instId":"A"},"data":[{"asks":[["1"]],"bids":[],"ts":"1"}]}"#.to_owned(), false),
        (Venue::Okx, r#"{"arg":{"channel":"bbo-tbt","instId":"A"},"data":[{"asks":[],"bids":[],"ts":"1","ts":"1"}]}"#.to_owned(), false),
        (Venue::Okx, r#"{"arg":{"channel":"bbo-tbt","instId":"A"},"data":[]}"#.to_owned(), false),
        (Venue::Okx, r#"{"arg":{"channel":"x","instId":"A"},"data":[{"asks":[["1"]]}]}"#.to_owned(), true),
        (Venue::Okx, r#"{"data":[{"asks":[["1","2","0","1"]],"bids":[],"ts":"1","prevSeqId":-1,"seqId":9}],"action":"snapshot","arg":{"instId":"A","channel":"books"}}"#.to_owned(), true),
        (Venue::KrakenFutures, deep(64), true),
        (Venue::KrakenFutures, deep(65), false),
        (Venue::KrakenFutures, r#"{"event":"subscribed","feed":"book","product_ids":["PI_X"]}"#.to_owned(), true),
        (Venue::KrakenFutures, r#"{"feed":"book","event":null}"#.to_owned(), false),
        (Venue::KrakenFutures, r#"{"feed":"book","product_id":"X","side":"hold","seq":1,"price":1,"qty":1,"timestamp":1}"#.to_owned(), false),
        (Venue::KrakenFutures, r#"{"feed":"book","product_id":"X","side":"buy","seq":-1,"price":1,"qty":1,"timestamp":1}"#.to_owned(), false),
        (Venue::KrakenFutures, r#"{"feed":"book","product_id":"X","side":"buy","seq":1,"price":1,"qty":1,"timestamp":9223372036855}"#.to_owned(), false),
        (Venue::KrakenFutures, r#"{"feed":"book_snapshot","product_id":"X","seq":1,"timestamp":1,"bids":[{"price":1}],"asks":[]}"#.to_owned(), false),
        (Venue::KrakenFutures, r#"{"feed":"book_snapshot","product_id":"X","seq":1,"timestamp":1,"bids":[]}"#.to_owned(), false),
        (Venue::KrakenFutures, r#"{"feed":"book_snapshot","product_id":"X","seq":1,"timestamp":1,"asks":[],"bids":[]}"#.to_owned(), true),
        (Venue::KrakenFutures, r#"{"feed":"ticker","product_id":"X","bid":null,"bid_size":1,"ask":1}"#.to_owned(), true),
        (Venue::KrakenFutures, r#"{"feed":"ticker","product_id":"X","bid":"1"}"#.to_owned(), false),
        (Venue::KrakenFutures, r#"{"feed":"trade","seq":1,"seq":1}"#.to_owned(), false),
        (Venue::Coinbase, deep(64), true),
        (Venue::Coinbase, r#"["open","A-B","44","o","sell","1","2","t"]"#.to_owned(), true),
        (Venue::Coinbase, r#"{"type":"done","order_id":"x"}"#.to_owned(), true),
        (Venue::Coinbase, r#"{"channel":"x"}"#.to_owned(), false),
        (Venue::Coinbase, r#"{"channel":7}"#.to_owned(), true),
        (Venue::Coinbase, r#"{"channel":"x","sequence_num":1,"timestamp":"now"}"#.to_owned(), false),
        (Venue::Coinbase, r#"{"channel":"l2_data","sequence_num":1,"events":[]}"#.to_owned(), false),
        (Venue::Coinbase, r#"{"channel":"ticker","sequence_num":1,"events":[]}"#.to_owned(), true),
        (Venue::Coinbase, r#"{"channel":"ticker","sequence_num":1,"events":[{"tickers":[{},{}]}]}"#.to_owned(), true),
        (Venue::Coinbase, r#"{"channel":"ticker","sequence_num":1,"events":[{"tickers":[{}]}]}"#.to_owned(), false),
        (Venue::Coinbase, r#"{"type":"l2update","changes":[["buy","1","2"]],"channel":"heartbeats","sequence_num":1}"#.to_owned(), true),
        (Venue::Coinbase, r#"{"type":"l2update","changes":[["buy","1","2"]],"channel":"candles","sequence_num":1,"events":[]}"#.to_owned(), true),
        (Venue::Coinbase, r#"{"type":"l2update","product_id":"A-B","changes":[["buy","1"]]}"#.to_owned(), false),
        (Venue::Coinbase, r#"{"type":"l2update","product_id":"A-B","changes":[["hold","1","2"]]}"#.to_owned(), false),
        (Venue::Coinbase, r#"{"type":"snapshot","product_id":"A-B","bids":[]}"#.to_owned(), false),
        (Venue::Coinbase, r#"{"type":"error","message":"x"}"#.to_owned(), true),
    ] {
        let (told, _) = agreed(venue, Scale::DEFAULT, text.as_bytes(), b"7");
        assert_eq!(told.is_ok(), sound, "{told:?}: {text}");
    }
    for bad in [
        &b"{\"e\":\"serverShutdown\",\"x\":\"\xff\"}"[..],
        b"{\"u\":1,\"s\":\"\xc3\",\"b\":\"1\",\"B\":\"1\",\"a\":\"1\",\"A\":\"1\"}",
    ] {
        assert!(agreed(Venue::Binance, Scale::DEFAULT, bad, &[]).0.is_err(), "not UTF-8");
    }
}
