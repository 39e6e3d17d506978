//! A capture in memory to books: chunks, messages, decoding, the sequence rule, the ladder.
//!
//! `depth` counts levels, the others messages: what a second of them comes to is in criterion's
//! throughput. The market is generated; captured ones have cheaper levels, since fewer are far away.

#![allow(missing_docs)]

#[allow(dead_code, reason = "other benches use the rest")]
#[path = "common/frames.rs"]
mod frames;

use std::hint::black_box;
use std::io::Cursor;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use frames::{Case, frames};
use xarb::capture::{Capture, Compression, Record, RecordKind, Replay, StoreMeta, StoreOptions, StoreWriter};
use xarb::types::Nanos;
use xarb::venue::VENUES;
use xarb::wire::PaddedBuf;

/// Enough that opening and closing a file and its books is little beside them.
const MESSAGES: usize = 20_000;

/// A capture of a connection to Binance's spot market: a snapshot, then these messages.
fn capture(texts: &[String], compression: Compression) -> Vec<u8> {
    let options = StoreOptions { compression, ..StoreOptions::default() };
    let mut out = StoreWriter::new(Cursor::new(Vec::new()), options, &StoreMeta::default()).expect("fits");
    let connection = out.connection("binance.spot", "public");
    let snapshot = (
        RecordKind::HttpAnswer,
        "https://api.binance.com/api/v3/depth?symbol=BTCUSDT",
        r#"{"lastUpdateId":1000,"bids":[["61737.00","1"]],"asks":[["61738.00","1"]]}"#,
    );
    let messages = texts.iter().map(|text| (RecordKind::Text, "", text.as_str()));
    let mut padded = PaddedBuf::default();
    for (at, (kind, url, text)) in [snapshot].into_iter().chain(messages).enumerate() {
        let ts = Some(Nanos::from_secs(1_700_000_000) + Nanos::from_micros(at as i64));
        let status = if kind == RecordKind::HttpAnswer { 200 } else { 0 };
        let record = Record { ts, kind, url: url.to_owned(), status, ..Record::default() };
        out.write(connection, &record.view("public", "binance.spot", padded.fill(text.as_bytes())))
            .expect("fits");
    }
    out.finish().expect("fits").into_inner()
}

/// Depth updates that follow one another, and how many levels they have.
fn depth() -> (Vec<String>, u64) {
    let mut last = 1_000u64;
    let mut levels = 0;
    let texts = frames(Case::BinanceDepth, MESSAGES).into_iter().map(|frame| {
        let text = String::from_utf8(frame.message().to_vec()).expect("text");
        let (head, rest) = text.split_once("\"U\":").expect("a first id");
        let (_, rest) = rest.split_once(",\"b\":").expect("a last id");
        levels += rest.matches("\",\"").count() as u64;
        let first = last + 1;
        last += 40;
        format!("{head}\"U\":{first},\"u\":{last},\"b\":{rest}")
    });
    (texts.collect(), levels)
}

fn replay(c: &mut Criterion) {
    let (updates, levels) = depth();
    let tickers: Vec<_> = frames(Case::BinanceTicker, MESSAGES)
        .iter()
        .map(|frame| String::from_utf8(frame.message().to_vec()).expect("text"))
        .collect();
    let mut group = c.benchmark_group("replay");
    for (name, texts, count) in [("depth", &updates, levels), ("ticker", &tickers, tickers.len() as u64)] {
        for (how, compression) in
            [("none", Compression::None), ("lz4", Compression::Lz4), ("zstd", Compression::Zstd)]
        {
            let bytes = capture(texts, compression);
            group.throughput(Throughput::Elements(count));
            group.bench_function(format!("binance_{name}_{how}"), |b| {
                b.iter(|| {
                    let mut replay = Replay::new(VENUES, None);
                    let mut capture = Capture::new(Box::new(&bytes[..])).expect("a container");
                    replay.file("bench", &mut capture, &mut |_| {}).expect("known");
                    let outcome = replay.outcome(0);
                    let book = &outcome.books[0];
                    assert!(outcome.is_sound() && outcome.messages() == MESSAGES as u64);
                    assert_eq!(book.updates, if name == "depth" { MESSAGES as u64 } else { 0 });
                    black_box(outcome)
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, replay);
criterion_main!(benches);
