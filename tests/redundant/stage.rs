//! A stage with three scripted feeds. The venue's stream is a list of changes; each connection gets
//! it cut into updates of its own, at its own pace, with snapshots and losses in between. Whatever
//! the order, a live book is the venue's at the number that it stands at.

use std::collections::{BTreeMap, BTreeSet};

use oorandom::Rand64;
use xarb::book::{BookConfig, LadderConfig, Top, Trust, cell};
use xarb::detect::ring;
use xarb::engine::{FeedBook, FeedStage, JourneyCell};
use xarb::sync::Arc;
use xarb::telemetry::Stamps;
use xarb::types::*;
use xarb::venue::{
    BookChange, ChangeKind, Feed, FeedError, FeedInput, FeedOut, Lost, Sequence, TierUse, Want,
};
use xarb::wire::PaddedBuf;

/// Virtual time measures nothing.
struct Still;

impl Stopwatch for Still {
    fn ticks(&self) -> u64 {
        0
    }

    fn nanos(&self, _: u64, _: u64) -> u64 {
        0
    }
}

/// Messages are words: `snapshot SEQ TIME [PRICE QTY]...`, `update SEQ TIME [PRICE QTY]...`,
/// `alive`, `lost`, `bad`. Odd prices are bids, even ones asks.
struct Scripted(Sequence);

impl Feed for Scripted {
    fn endpoint(&self) -> Endpoint {
        Endpoint::parse("ws://127.0.0.1/").unwrap()
    }

    fn on(&mut self, input: FeedInput<'_>, _: Nanos, out: &mut FeedOut) -> Result<(), FeedError> {
        let FeedInput::Text(text) = input else { return Ok(()) };
        let text = std::str::from_utf8(text.message()).unwrap();
        let mut words = text.split(' ');
        let kind = match words.next().unwrap() {
            "snapshot" => ChangeKind::Snapshot { live: true },
            "update" => ChangeKind::Update,
            "alive" => ChangeKind::Alive,
            "lost" => ChangeKind::Lost(Lost::Closed),
            _ => return Err(FeedError::Malformed { at: 0, what: "a word that is known" }),
        };
        let mut numbers = words.map(|word| word.parse::<i64>().unwrap());
        let (seq, time) = (numbers.next().unwrap_or(0) as u64, numbers.next().unwrap_or(0));
        let mut sides = [Vec::new(), Vec::new()];
        while let (Some(price), Some(qty)) = (numbers.next(), numbers.next()) {
            sides[usize::from(price % 2 == 0)].push(Level { price: Price(price), qty: Qty(qty) });
        }
        let [bids, asks] = sides.map(|levels| {
            let start = out.levels.len() as u32;
            out.levels.extend(levels);
            start..out.levels.len() as u32
        });
        let venue_time = Nanos(time);
        out.changes.push(BookChange {
            book: BookId(0),
            kind,
            seq,
            venue_time,
            check: None,
            keep: 0,
            bids,
            asks,
        });
        Ok(())
    }

    fn sequence(&self) -> Sequence {
        self.0
    }

    fn distrust(&mut self, _: BookId, _: Lost, _: Nanos, out: &mut FeedOut) {
        out.wants.push(Want::Send("again".to_owned()));
    }

    fn tiers(&self) -> TierUse {
        TierUse::default()
    }
}

const CONNECTIONS: usize = 3;

struct Bench {
    stage: FeedStage,
    reader: xarb::book::Reader,
    text: PaddedBuf,
    now: i64,
}

impl Bench {
    fn new(sequence: Sequence) -> Bench {
        let (writer, reader) = cell();
        let (notifier, _) = ring(1);
        let ladder = LadderConfig { tick: Some(Price(1)), ..LadderConfig::default() };
        let config = BookConfig { ladder, ticker_only: false };
        let book = FeedBook::new(config, false, writer, Arc::new(JourneyCell::default()), 0);
        let feed = || Box::new(Scripted(sequence)) as Box<dyn Feed>;
        let more = (1..CONNECTIONS).map(|_| feed()).collect();
        let stage = FeedStage::new(feed(), vec![book], notifier).with_more(more);
        assert_eq!(stage.connections(), CONNECTIONS);
        Bench { stage, reader, text: PaddedBuf::default(), now: 0 }
    }

    /// One message; what the feeds then ask for, by connection.
    fn say(&mut self, connection: usize, text: &str) -> Vec<usize> {
        self.now += 1;
        let input = FeedInput::Text(self.text.fill(text.as_bytes()));
        let taken = self.stage.turn_from(connection, input, Nanos(self.now), Stamps::default(), &Still);
        assert_eq!(taken.is_err(), text == "bad", "{text}");
        self.stage.take_wants().into_iter().map(|(connection, _)| connection).collect()
    }

    fn trust(&self) -> Trust {
        self.stage.book(BookId(0)).unwrap().trust()
    }

    /// Trust, number, best bid and best ask, as they are published.
    fn published(&self) -> (Trust, u64, i64, i64) {
        let mut top = Top::default();
        assert!(self.reader.read(&mut top));
        let best = |levels: &[Level]| levels.first().map_or(0, |level| level.price.0);
        (top.trust, top.seq, best(top.bids()), best(top.asks()))
    }
}

#[test]
fn the_first_copy_of_an_update_counts() {
    let mut bench = Bench::new(Sequence::Shared);
    for (connection, text, want) in [
        (0, "snapshot 10 0 101 5 110 5", (Trust::Live, 10, 101, 110)),
        (1, "snapshot 9 0 99 5 110 5", (Trust::Live, 10, 101, 110)),
        // What is older than the book is no news; what reaches beyond it is, wherever it begins.
        (1, "update 10 0 101 5", (Trust::Live, 10, 101, 110)),
        (1, "update 12 0 103 5", (Trust::Live, 12, 103, 110)),
        (0, "update 11 0 101 0 108 1", (Trust::Live, 12, 103, 110)),
        (0, "update 13 0 103 0 105 5", (Trust::Live, 13, 105, 110)),
        // A snapshot ahead of the book is not joined until others have brought what is between.
        (2, "snapshot 20 0 91 5 112 5", (Trust::Live, 13, 105, 110)),
        (2, "update 21 0 93 5", (Trust::Live, 13, 105, 110)),
        (1, "update 22 0 107 5", (Trust::Live, 22, 107, 110)),
        (2, "update 23 0 107 0", (Trust::Live, 23, 105, 110)),
        // Losing one connection, even the one that was first, loses nothing.
        (1, "lost", (Trust::Live, 23, 105, 110)),
        (0, "bad", (Trust::Live, 23, 105, 110)),
        (0, "update 24 0 107 5", (Trust::Live, 23, 105, 110)),
        (2, "update 24 0 109 5", (Trust::Live, 24, 109, 110)),
        (2, "lost", (Trust::Lost, 24, 109, 110)),
        (1, "snapshot 30 0 95 5 114 5", (Trust::Live, 30, 95, 114)),
    ] {
        bench.say(connection, text);
        assert_eq!(bench.published(), want, "{connection}: {text}");
    }
    let counters = bench.stage.counters();
    assert_eq!((counters.resyncs, counters.malformed, counters.frames), (1, 1, 16));
    let told: Vec<_> = bench.stage.copies().iter().map(|c| (c.first, c.late, c.lost, c.covered)).collect();
    assert_eq!(told, [(1, 1, 1, 1), (2, 1, 1, 1), (2, 0, 1, 0)]);
    // Update 11 came one tick after the update that covers it.
    let trail = bench.stage.copies()[0].trail;
    assert_eq!((trail.count, trail.sum_ns, trail.max_ns), (1, 1, 1));
}

#[test]
fn what_would_break_the_ladder_breaks_one_connection_only() {
    let mut bench = Bench::new(Sequence::Shared);
    bench.say(0, "snapshot 10 0 101 5 110 5");
    bench.say(1, "snapshot 10 0 101 5 110 5");
    assert_eq!(bench.say(0, "update 11 0 103 -5"), [0]);
    assert_eq!((bench.published(), bench.stage.counters().resyncs), ((Trust::Live, 10, 101, 110), 0));
    // With nobody else to carry it, it is the book's end; and who was ahead of it starts anew.
    bench.say(2, "snapshot 15 0 101 5 110 5");
    assert_eq!(bench.say(1, "update 11 0 -7 5"), [2, 1]);
    assert_eq!((bench.trust(), bench.stage.counters().resyncs), (Trust::Lost, 1));
    // Numbers that fall tell nothing about who is ahead: everybody starts anew.
    bench.say(0, "snapshot 20 0 101 5 110 5");
    bench.say(1, "snapshot 20 0 101 5 110 5");
    assert_eq!(bench.say(1, "update 3 0 103 5"), [0, 1, 2]);
    assert_eq!((bench.trust(), bench.stage.counters().resyncs), (Trust::Lost, 2));
    // A cross that lasts is the book's own fault, too.
    bench.say(0, "snapshot 1 0 101 5 110 5");
    bench.say(0, "update 2 0 111 5");
    bench.now += 200_000_000;
    assert_eq!(bench.say(0, "alive"), [0, 1, 2]);
    assert_eq!((bench.trust(), bench.stage.counters().resyncs), (Trust::Lost, 3));
}

#[test]
fn a_sign_of_life_counts_when_it_is_about_the_newest_book() {
    let mut bench = Bench::new(Sequence::Shared);
    bench.say(0, "snapshot 10 0 101 5 110 5");
    bench.say(1, "snapshot 10 0 101 5 110 5");
    bench.say(0, "update 11 0 103 5");
    let heard = |bench: &Bench| bench.reader.glance().unwrap().heard;
    let before = heard(&bench);
    bench.say(1, "alive");
    assert_eq!(heard(&bench), before);
    bench.say(0, "alive");
    assert_eq!(heard(&bench), Nanos(bench.now));
}

#[test]
fn without_a_shared_sequence_the_newest_trusted_book_is_published() {
    let mut bench = Bench::new(Sequence::Own);
    for (connection, text, want) in [
        (0, "snapshot 1 100 101 5 110 5", (Trust::Live, 1, 101, 110)),
        (1, "snapshot 1 100 101 5 110 5", (Trust::Live, 1, 101, 110)),
        // The copy that comes first is published, whoever brings it; its later copy changes nothing.
        (1, "update 2 200 103 5", (Trust::Live, 2, 103, 110)),
        (0, "update 2 200 103 5", (Trust::Live, 2, 103, 110)),
        (0, "update 3 300 105 5", (Trust::Live, 3, 105, 110)),
        (1, "update 3 250 108 5", (Trust::Live, 3, 105, 110)),
        // Losing the published one publishes the next newest at once.
        (0, "lost", (Trust::Live, 3, 103, 108)),
        (0, "snapshot 4 240 101 5 110 5", (Trust::Live, 3, 103, 108)),
        (1, "bad", (Trust::Live, 4, 101, 110)),
        (0, "update 5 241 101 -1", (Trust::Lost, 4, 101, 110)),
        (2, "snapshot 1 400 91 5 120 5", (Trust::Live, 1, 91, 120)),
    ] {
        bench.say(connection, text);
        assert_eq!(bench.published(), want, "{connection}: {text}");
    }
    assert_eq!(bench.stage.counters().resyncs, 1);
    let told: Vec<_> = bench.stage.copies().iter().map(|c| (c.first, c.late, c.lost, c.covered)).collect();
    assert_eq!(told, [(1, 1, 2, 1), (1, 1, 1, 1), (0, 0, 0, 0)]);
    assert_eq!(bench.stage.copies()[0].trail.sum_ns, 1);

    // Equally new: the published one stays, unless it fell silent.
    let mut bench = Bench::new(Sequence::Own);
    bench.say(0, "snapshot 1 100 101 5 110 5");
    bench.say(1, "snapshot 7 100 101 5 110 5");
    bench.now += 400_000_000;
    bench.say(1, "alive");
    assert_eq!(bench.published().1, 1);
    bench.now += 200_000_000;
    bench.say(1, "alive");
    assert_eq!(bench.published().1, 7);
    assert_eq!(bench.reader.glance().unwrap().heard, Nanos(bench.now));
}

#[test]
fn a_connection_can_be_spared_while_another_one_has_its_books() {
    for sequence in [Sequence::Shared, Sequence::Own] {
        let mut bench = Bench::new(sequence);
        for connection in 0..2 {
            bench.say(connection, "snapshot 10 10 101 5 110 5");
        }
        let spare = |bench: &Bench, connection, away: [bool; 3]| bench.stage.can_spare(connection, &away);
        assert!(spare(&bench, 0, [false; 3]) && spare(&bench, 1, [false; 3]));
        assert!(!spare(&bench, 0, [false, true, false]), "{sequence:?}: the other one is about to go");
        assert!(spare(&bench, 2, [true, true, false]), "{sequence:?}: it has no book to lose");
        bench.say(1, "lost");
        assert!(!spare(&bench, 0, [false; 3]) && spare(&bench, 1, [false; 3]));
    }
}

/// The venue's book after each change: quantities by price.
fn history(rng: &mut Rand64, length: usize) -> Vec<BTreeMap<i64, i64>> {
    let mut books = vec![BTreeMap::from([(101, 5), (110, 5)])];
    for _ in 0..length {
        let mut book = books.last().unwrap().clone();
        let price = 2 * rng.rand_range(1..50) as i64;
        let (price, qty) = (price + 100 * (price % 4) - 1, rng.rand_range(0..4) as i64);
        // Bids are odd and below, asks even and above, so that nothing crosses.
        let price = if price > 150 { 200 + (price & !1) } else { price.clamp(1, 150) | 1 };
        if qty == 0 {
            book.remove(&price)
        } else {
            book.insert(price, qty)
        };
        books.push(book);
    }
    books
}

/// Every level that the changes after `from`, up to `to`, touched, as it is then; also one that is
/// as it was before.
fn update(truth: &[BTreeMap<i64, i64>], from: usize, to: usize) -> String {
    let mut touched = BTreeSet::new();
    for pair in truth[from..=to].windows(2) {
        let prices = pair[0].keys().chain(pair[1].keys());
        touched.extend(prices.filter(|price| pair[0].get(price) != pair[1].get(price)));
    }
    let level = |price: &i64| format!(" {price} {}", truth[to].get(price).unwrap_or(&0));
    format!("update {to} {to}{}", touched.iter().map(level).collect::<String>())
}

fn snapshot(truth: &[BTreeMap<i64, i64>], at: usize) -> String {
    let levels = truth[at].iter().map(|(price, qty)| format!(" {price} {qty}"));
    format!("snapshot {at} {at}{}", levels.collect::<String>())
}

#[test]
fn whatever_comes_over_which_connection_the_book_is_the_venues() {
    const LENGTH: usize = 300;
    for sequence in [Sequence::Shared, Sequence::Own] {
        let (mut lost, mut covered, mut first) = (0, 0, 0);
        for seed in 0..60 {
            let mut rng = Rand64::new(seed);
            let truth = history(&mut rng, LENGTH);
            let mut bench = Bench::new(sequence);
            // How far each connection is in the stream; `None` without a snapshot.
            let mut places: [Option<usize>; CONNECTIONS] = [None; CONNECTIONS];
            let mut reached = 1;
            let mut stood = 0;
            while reached < LENGTH {
                let connection = rng.rand_range(0..CONNECTIONS as u64) as usize;
                // The stream of one connection is at most so far ahead of another's.
                reached = (reached + rng.rand_range(0..3) as usize).min(LENGTH);
                let chance = rng.rand_range(0..100);
                let again = match places[connection] {
                    _ if chance == 0 => {
                        places[connection] = None;
                        bench.say(connection, if seed % 2 == 0 { "lost" } else { "bad" })
                    }
                    Some(from) if from < reached => {
                        let to = from + 1 + rng.rand_range(0..(reached - from).min(4) as u64) as usize;
                        places[connection] = Some(to);
                        bench.say(connection, &update(&truth, from, to))
                    }
                    None if chance < 30 => {
                        let at = reached - rng.rand_range(0..reached.min(6) as u64) as usize;
                        places[connection] = Some(at);
                        bench.say(connection, &snapshot(&truth, at))
                    }
                    _ => continue,
                };
                for connection in again {
                    places[connection] = None;
                }
                let book = bench.stage.book(BookId(0)).unwrap();
                if book.trust() != Trust::Live {
                    // A book that is whole on some connection is only ever missing when that one was
                    // ahead of it, and was told to start anew.
                    assert!(places.iter().all(Option::is_none), "{sequence:?}, seed {seed}: {places:?}");
                    stood = 0;
                    continue;
                }
                let at = book.stamp().venue_time.0 as usize;
                assert!(
                    at >= stood || sequence == Sequence::Own,
                    "{sequence:?}, seed {seed}: {stood}, then {at}"
                );
                stood = at;
                let mut ours = BTreeMap::new();
                for side in Side::BOTH {
                    ours.extend(book.levels(side).map(|level| (level.price.0, level.qty.0)));
                }
                assert_eq!(ours, truth[at], "{sequence:?}, seed {seed}, at {at}");
                if sequence == Sequence::Own {
                    let newest = places.iter().flatten().max();
                    assert_eq!(newest, Some(&at), "seed {seed}: the newest is published");
                }
            }
            let all = bench.stage.copies();
            lost += all.iter().map(|told| told.lost).sum::<u64>();
            covered += all.iter().map(|told| told.covered).sum::<u64>();
            first += all.iter().map(|told| told.first).sum::<u64>();
            let counters = bench.stage.book(BookId(0)).unwrap().counters();
            let applied: u64 = all.iter().map(|told| told.first).sum();
            assert!(sequence == Sequence::Own || counters.updates == applied, "seed {seed}: applied once");
            assert!(bench.stage.counters().resyncs <= lost - covered, "{sequence:?}, seed {seed}");
        }
        assert!(lost > 100 && covered * 10 > lost * 8 && first > 2_000, "{lost} {covered} {first}");
    }
}
