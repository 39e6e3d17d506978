//! The feed against the simulated server: books that follow the exchange's, and notice what was lost.

use oorandom::Rand64;
use xarb::venue::Sequence;

use crate::dialogue::feed;
use crate::watch::Watcher;
use crate::world::{MARKETS, site};

fn watcher(venue: &'static str, depth: u32, headless: bool) -> Watcher {
    Watcher::new(&site(venue), feed(venue, depth, true, false), depth, headless)
}

#[test]
fn a_book_follows_the_exchange_at_every_depth() {
    for venue in MARKETS {
        for depth in [5, 400] {
            let mut watcher = watcher(venue, depth, false);
            let mut rng = Rand64::new(u128::from(depth));
            for _ in 0..40 {
                for _ in 0..20 {
                    watcher.step(&mut rng);
                }
                watcher.compare(u64::from(depth));
            }
            assert_eq!((watcher.lost, watcher.fetches), (0, 0));
            let news = if depth == 5 { watcher.snapshots } else { watcher.updates };
            assert!(news > 30, "{venue} {depth}: {news}");
        }
    }
}

#[test]
fn lost_messages_are_noticed_and_cured() {
    // Once with the venue's snapshots, once without: then every book comes by REST.
    for (venue, headless) in
        [("okx.spot", false), ("okx.spot", true), ("okx.swap", false), ("okx.swap", true)]
    {
        for seed in 0..6 {
            let mut watcher = watcher(venue, 400, headless);
            let mut rng = Rand64::new(u128::from(seed));
            for _ in 0..10 {
                for _ in 0..60 {
                    watcher.step(&mut rng);
                }
                watcher.lose = 10;
                while watcher.lose > 0 {
                    watcher.step(&mut rng);
                }
            }
            // A lost snapshot is missed, and asked for again.
            for _ in 0..500 {
                watcher.step(&mut rng);
            }
            watcher.compare(seed);
            assert!(watcher.lost > 0, "{venue}, seed {seed}");
            assert_eq!(watcher.fetches > 0, headless, "{venue}, seed {seed}: {} fetches", watcher.fetches);
            assert!(watcher.snapshots > 1, "{venue}, seed {seed}");
        }
    }
}

/// Ten milliseconds of depth are for high fee tiers: where the venue refuses, everyone's will do.
#[test]
fn a_faster_channel_that_is_refused_is_left_for_the_usual_one() {
    let mut watcher = Watcher::new(&site("okx.spot"), crate::dialogue::fast_feed("okx.spot"), 400, false);
    let mut rng = Rand64::new(1);
    for _ in 0..200 {
        watcher.step(&mut rng);
    }
    watcher.compare(1);
    assert_eq!((watcher.lost, watcher.snapshots), (0, 1));
}

/// Copies of linked books can be told apart by number; whole ones replace each other.
#[test]
fn only_linked_books_are_merged_by_number() {
    for (depth, discover, want) in
        [(400, false, Sequence::Shared), (5, false, Sequence::Own), (400, true, Sequence::Own)]
    {
        assert_eq!(feed("okx.spot", depth, true, discover).sequence(), want, "{depth} {discover}");
    }
    assert_eq!(crate::dialogue::fast_feed("okx.spot").sequence(), Sequence::Shared);
}
