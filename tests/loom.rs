//! The lock-free parts under loom: every interleaving of two or three threads, and every stale
//! value that the memory model lets them see.
//!
//! The files are the engine's own, compiled here a second time against loom's atomics (their
//! `crate::sync` is the one below) with one published level a side, so the models stay small.

#![allow(dead_code, missing_docs)]

mod sync {
    pub use loom::sync::{
        Arc,
        atomic::{AtomicU64, Ordering, fence},
    };
}

mod types {
    pub use xarb::types::{Level, Nanos, Price, Qty, Side};
}

pub const LEVELS: usize = 1;

/// Stands for the ladder's, which the writer only compares.
#[derive(Clone, Copy)]
pub struct Touched {
    bid: types::Price,
    ask: types::Price,
}

#[path = "../src/detect/ring.rs"]
mod ring;
#[path = "../src/book/top.rs"]
mod top;

use loom::thread;
use top::{Top, Trust};
use types::{Level, Nanos};

/// A top whose every word follows from one number.
fn filled(number: i64) -> Top {
    let level = Level::new(number, number);
    Top {
        trust: Trust::Live,
        received: Nanos(number),
        venue_time: Nanos(number),
        seq: number as u64,
        bids: [level],
        asks: [level],
        bid_count: 1,
        ask_count: 1,
        ..Top::default()
    }
}

/// Every interleaving with at most three preemptions: more find nothing new in code this short,
/// and take hours.
fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

#[test]
fn a_whole_top_is_read_or_none() {
    model(|| {
        let (mut writer, reader) = top::cell();
        let writing = thread::spawn(move || writer.publish(&filled(1)));
        let mut seen = Top::default();
        if reader.read(&mut seen) {
            let want = if seen.version == 0 { Top::default() } else { Top { version: 1, ..filled(1) } };
            assert_eq!(seen, want);
        }
        writing.join().unwrap();
        assert!(reader.read(&mut seen) && seen.seq == 1);
    });
}

#[test]
fn a_glance_is_whole_and_never_younger_than_its_book() {
    model(|| {
        let (mut writer, reader) = top::cell();
        writer.publish(&filled(1));
        let writing = thread::spawn(move || writer.publish(&filled(2)));
        if let Some(seen) = reader.glance() {
            let number = seen.bid.map_or(0, |level| level.price.0);
            assert_eq!(number as u64, seen.version);
            assert_eq!(seen.ask, seen.bid);
            assert!(seen.heard.0 <= number, "heard at {:?}, shows {number}", seen.heard);
        }
        writing.join().unwrap();
    });
}

#[test]
fn a_withdrawn_book_is_not_shown_with_its_old_trust() {
    model(|| {
        let (mut writer, reader) = top::cell();
        writer.publish(&filled(1));
        let writing = thread::spawn(move || {
            writer.withdraw(Trust::Lost);
            writer.alive(Nanos(9));
        });
        let heard = reader.heard();
        if let Some(seen) = reader.glance() {
            assert_eq!(seen.trust == Trust::Lost, seen.version == 2);
            assert!(heard != Nanos(9) || seen.trust == Trust::Lost);
        }
        writing.join().unwrap();
        assert_eq!(reader.glance().unwrap().trust, Trust::Lost);
    });
}

#[test]
fn a_book_that_moved_is_taken_with_what_was_published() {
    model(|| {
        let (notifier, mut taker) = ring::ring(2);
        let newest = [0; 2].map(|_| loom::sync::Arc::new(loom::sync::atomic::AtomicU64::new(0)));
        let threads: Vec<_> = (0..2u16)
            .map(|book| {
                let (notifier, newest) = (notifier.clone(), newest[usize::from(book)].clone());
                thread::spawn(move || {
                    for value in 1..=2 {
                        newest.store(value, loom::sync::atomic::Ordering::Relaxed);
                        notifier.moved(book);
                    }
                })
            })
            .collect();
        let read = |book: u16| newest[usize::from(book)].load(loom::sync::atomic::Ordering::Relaxed);
        let mut seen = [0; 2];
        for _ in 0..2 {
            if let Some(book) = taker.take() {
                seen[usize::from(book)] = read(book);
                assert!(seen[usize::from(book)] > 0, "the flag came before the book");
            }
        }
        for thread in threads {
            thread.join().unwrap();
        }
        // Whatever was not seen yet is still in the ring.
        while let Some(book) = taker.take() {
            seen[usize::from(book)] = read(book);
        }
        assert_eq!(seen, [2, 2]);
    });
}
