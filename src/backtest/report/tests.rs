use super::super::html::escaped;
use super::*;
use crate::backtest::{BookOutcome, Parts};
use crate::book::Counters;
use crate::config::Config;
use crate::detect::{BookSlot, Leg, Opportunity, Sums};
use crate::engine::RunReport;
use crate::exec::{Entry, Journal, Record, RecordKind};
use crate::telemetry::{Hop, HopReport, HopRow};
use crate::types::{Asset, InstrumentId, Nanos, Price, Qty, Side, VenueId};

const START: Nanos = Nanos(1_700_000_000_000_000_000);
const SECOND: Nanos = Nanos(1_000_000_000);
const HOSTILE: &str = "<b onload='x'>\"&amp;";

fn config() -> Config {
    Config::parse("reference", include_str!("../../../configs/reference-spot-usdm.toml"), &[]).unwrap()
}

fn observed() -> Observed {
    let books = [(InstrumentId(0), VenueId(0)), (InstrumentId(0), VenueId(1))];
    Observed::new(&config(), &books, START)
}

fn price(whole: i64) -> Price {
    Price(whole * 100_000_000)
}

fn fill(observed: &mut Observed, at: Nanos, venue: u8, side: Side, whole: i64) {
    let mut journal = Journal::new(4, true);
    let entry = Entry::new(RecordKind::Filled, at).venue(VenueId(venue)).instrument(InstrumentId(0));
    let quote = Asset::new("USDT").unwrap();
    journal.append(&entry.order(side, price(whole), Qty(100_000_000)).amount(Money::ONE, quote));
    journal.catch_up();
    let bytes = journal.take_kept();
    Record::all(&bytes).for_each(|record| observed.fill(&record));
}

fn opportunity(at: Nanos, sold: i64) -> Opportunity {
    let leg =
        |venue, side| Leg { venue: VenueId(venue), side, price: price(100), qty: Qty(1), book_version: 1 };
    let sums = Sums {
        bought: Money(100 * Money::ONE.0),
        sold: Money(i128::from(sold) * Money::ONE.0),
        ..Sums::default()
    };
    Opportunity::new(InstrumentId(0), at, &[leg(0, Side::Buy), leg(1, Side::Sell)], sums, false).unwrap()
}

fn outcome() -> Outcome {
    let book = BookOutcome {
        venue: HOSTILE.to_owned(),
        symbol: "S".to_owned(),
        instrument: "I".to_owned(),
        trust: Trust::Live,
        counters: Counters::default(),
        met: true,
    };
    Outcome {
        files: Vec::new(),
        fed: Vec::new(),
        books: vec![book],
        messages: 0,
        span: Nanos::ZERO,
        evaluations: 0,
        run: RunReport { journal_sha256: "feed".to_owned(), ..RunReport::default() },
        funnel: Funnel::default(),
        hops: HopReport::default(),
    }
}

fn inputs() -> Inputs {
    let file =
        |name: &str, sha256: &str| Fingerprint { name: name.to_owned(), bytes: 1, sha256: sha256.to_owned() };
    Inputs {
        config: file(HOSTILE, "c0ffee"),
        overrides: vec!["detect.min_edge_bps=<3>".to_owned()],
        captures: vec![file("one.gz", "abad1dea")],
    }
}

/// Every tag is closed in its turn, nothing runs, and nothing is fetched.
fn check(page: &str) {
    let body = page.strip_prefix("<!DOCTYPE html>").expect("a document type");
    let mut open = Vec::new();
    for part in body.split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap_or_else(|| panic!("an open tag: <{part}"));
        assert!(!text.contains('>') || open.last() == Some(&"style"), "a stray >: {part}");
        assert_eq!(tag.matches('"').count() % 2, 0, "<{tag}>");
        let name = tag.split([' ', '\n', '/']).next().unwrap_or_default();
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "closed out of turn");
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        assert!(!["script", "link", "img", "iframe", "object", "b onload='x'"].contains(&name), "<{tag}>");
        assert!(!tag.contains(" on") && !tag.contains("href") && !tag.contains(" src"), "<{tag}>");
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    let outside = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for word in ["http://", "https://", "url(", "@import", "NaN", "inf\""] {
        assert!(!outside.contains(word), "{word}");
    }
    assert!(!page.contains(HOSTILE));
}

#[test]
fn a_run_that_did_nothing_has_a_whole_page() {
    let page = page(&outcome(), &observed(), &inputs());
    check(&page);
    for shown in [
        "Nothing was filled",
        "No intent was sent",
        "No evaluation found",
        "never two books",
        "No position",
        "No hop",
        "feed",
        "c0ffee",
        "abad1dea",
        "detect.min_edge_bps=&lt;3&gt;",
        &escaped(HOSTILE),
        env!("CARGO_PKG_VERSION"),
    ] {
        assert!(page.contains(shown), "{shown}");
    }
}

#[test]
fn a_run_that_traded_has_all_its_charts() {
    let mut own = observed();
    own.moved(BookSlot(0), Some((price(99), price(100))), START);
    own.moved(BookSlot(1), Some((price(102), price(103))), START + SECOND);
    for i in 0..3 {
        let at = START + Nanos(SECOND.0 * (2 + i));
        let found = opportunity(at, 101 + i);
        own.found(&found);
        own.lasted(Nanos(1_000_000));
        fill(&mut own, at, 0, Side::Buy, 100);
        fill(&mut own, at, 1, Side::Sell, 102);
        let legs = [(Qty(100_000_000), Money::ONE), (Qty(100_000_000), Money::ONE)];
        own.ended(&found, legs, Money::ONE, if i == 0 { -Money::ONE } else { Money::ONE });
    }
    let mut outcome = outcome();
    outcome.funnel.parts = Parts { predicted: Money::ONE, realised: Money::ONE, ..Parts::default() };
    outcome
        .hops
        .rows
        .push((Hop::Decode, HopRow { count: 1, p50_ns: 400, p99_ns: 900, p999_ns: 900, max_ns: 901 }));
    let page = page(&outcome, &own, &inputs());
    check(&page);
    for label in [
        "equity over time",
        "drawdown over time",
        "predicted against realised",
        "opportunities over time",
        "opportunities by hour of the day",
        "histogram of net edges",
        "histogram of lifetimes",
        "spread of BTC-USDT",
        "inventory of BTC-USDT by venue",
        "latency by hop",
    ] {
        assert!(page.contains(&format!("<svg role=\"img\" aria-label=\"{label}\"")), "{label}");
    }
    assert!(!page.contains("class=\"none\""));
}

#[test]
fn equity_is_cash_and_positions_at_the_mid_and_falls_from_its_peak() {
    let mut own = observed();
    let one = |n: i128| Money(n * Money::ONE.0);
    fill(&mut own, START, 0, Side::Buy, 100);
    assert_eq!((own.equity_now(), own.deepest), (one(-1), one(-1)), "only the fee");
    for (bid, ask, equity, deepest) in [(109, 111, 9, -1), (94, 96, -6, -15), (119, 121, 19, -15)] {
        own.moved(BookSlot(0), Some((price(bid), price(ask))), START + SECOND);
        assert_eq!((own.equity_now(), own.deepest), (one(equity), one(deepest)), "at {bid}");
    }
    // The other book's mid is not this position's.
    own.moved(BookSlot(1), Some((price(1), price(2))), START + SECOND);
    assert_eq!(own.equity_now(), one(19));
    // A book that was lost leaves the last value.
    own.moved(BookSlot(0), None, START + SECOND);
    assert_eq!(own.equity_now(), one(19));
    fill(&mut own, START + SECOND, 1, Side::Sell, 120);
    assert_eq!(own.fills, 2);
}

#[test]
fn steps_of_several_series_add_up() {
    let changes =
        vec![(0.0, 0, 0.0), (0.0, 1, 0.0), (1.0, 0, 2.0), (3.0, 1, -2.0), (2.0, 0, 5.0), (3.0, 0, 2.0)];
    assert_eq!(total(changes), [(0.0, 0.0), (1.0, 2.0), (2.0, 5.0), (3.0, 0.0)]);
}
