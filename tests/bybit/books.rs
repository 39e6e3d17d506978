//! The feed against the simulated server: books that follow the exchange's, and notice what was lost.

use oorandom::Rand64;

use crate::dialogue::feed;
use crate::watch::Watcher;
use crate::world::{MARKETS, site};

fn watcher(venue: &'static str, depth: u32) -> Watcher {
    Watcher::new(&site(venue), feed(venue, depth, true, false), depth, false)
}

#[test]
fn a_book_follows_the_exchange_at_every_depth() {
    for venue in MARKETS {
        // More orders than the smaller depths: levels slide out and come back.
        for depth in [1, 50, 200, 1_000] {
            let mut watcher = watcher(venue, depth);
            let mut rng = Rand64::new(u128::from(depth));
            for _ in 0..40 {
                for _ in 0..20 {
                    watcher.step(&mut rng);
                }
                watcher.compare(u64::from(depth));
            }
            assert_eq!(watcher.lost, 0);
            let news = if depth == 1 { watcher.snapshots } else { watcher.updates };
            assert!(news > 30, "{venue} {depth}: {news}");
        }
    }
}

#[test]
fn lost_messages_are_noticed_and_cured() {
    for venue in MARKETS {
        for seed in 0..10 {
            let mut watcher = watcher(venue, 50);
            let mut rng = Rand64::new(u128::from(seed));
            for _ in 0..10 {
                for _ in 0..30 {
                    watcher.step(&mut rng);
                }
                watcher.lose = 20;
                while watcher.lose > 0 {
                    watcher.step(&mut rng);
                }
            }
            // A lost snapshot is missed, and asked for again.
            for _ in 0..500 {
                watcher.step(&mut rng);
            }
            watcher.compare(seed);
            assert!(watcher.lost > 0, "{venue}, seed {seed}: {} lost", watcher.lost);
        }
    }
}
