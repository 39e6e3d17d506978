//! The executor's hops on the way out: admission, the queue before it, ready orders, the journal.

#[path = "../tests/exec/world.rs"]
#[allow(dead_code)]
mod world;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use world::{BTC_USDT, E8, config, opportunity, world_of};
use xarb::engine::signals;
use xarb::exec::{Entry, Ids, Journal, RecordKind};
use xarb::telemetry::Stamps;
use xarb::types::{Environment, Nanos, Price, Qty, Side, VenueId};
use xarb::venue::Form;

const QTY: i64 = 1_000_000;

fn roomy() -> xarb::exec::ExecutorConfig {
    let mut config = config();
    config.limits.orders_per_second = 1_000_000;
    config.limits.orders_burst = 1_000_000;
    config.limits.open_intents_max = 1_000;
    config.orders_kept = 1 << 14;
    config.journal_keep = false;
    config.journal_pending = 1 << 14;
    config
}

fn admit(c: &mut Criterion) {
    let mut group = c.benchmark_group("hop/admit");
    let mut world = world_of(roomy());
    let now = world.now;
    let pair = opportunity(QTY, now);
    group.bench_function("refused", |b| {
        let mut gone = pair;
        gone.instrument = BTC_USDT;
        world.desk.venues[1].quote.as_mut().unwrap().bid.price = Price(60_199 * E8);
        b.iter(|| world.exec.admit(black_box(&gone), now, &mut world.desk).is_err());
        world.desk.venues[1].quote.as_mut().unwrap().bid.price = Price(60_200 * E8);
    });
    // An admission takes the direction: each needs a gate of its own.
    group.bench_function("pair", |b| {
        b.iter_batched_ref(
            || world_of(roomy()),
            |world| world.exec.admit(black_box(&pair), now, &mut world.desk).map(black_box).is_ok(),
            BatchSize::LargeInput,
        )
    });
    group.finish();

    let mut group = c.benchmark_group("hop/prepare");
    for (name, form) in [("pair", Form::Session), ("pool_pair", Form::Signed)] {
        let ready = || {
            let mut world = world_of(roomy());
            for venue in &mut world.desk.venues {
                venue.form = form;
            }
            world.fire(QTY).unwrap();
            world.step(20);
            let now = world.now;
            let pair = opportunity(QTY, now);
            let admitted = world.exec.admit(&pair, now, &mut world.desk).unwrap();
            (world, Some(admitted))
        };
        group.bench_function(name, |b| {
            b.iter_batched_ref(
                ready,
                |(world, admitted)| {
                    let now = world.now;
                    let admitted = admitted.take().unwrap();
                    world.exec.prepare(admitted, now, &mut world.desk).map(black_box).is_ok()
                },
                BatchSize::LargeInput,
            )
        });
    }
    group.finish();
}

fn queue(c: &mut Criterion) {
    let mut group = c.benchmark_group("hop/queue");
    let (mut outbox, inbox) = signals(64);
    let pair = opportunity(QTY, Nanos(1));
    group.bench_function("crossbeam", |b| {
        b.iter(|| {
            assert!(outbox.send(black_box(&pair), &Stamps::begin(1, 0)));
            inbox.take(|signal| black_box(signal.opportunity.sums.net()))
        })
    });
    group.finish();
}

fn journal(c: &mut Criterion) {
    let mut group = c.benchmark_group("hop/journal");
    let mut journal = Journal::new(1 << 16, false);
    let entry = Entry::new(RecordKind::Order, Nanos(1)).venue(VenueId(1)).instrument(BTC_USDT).order(
        Side::Buy,
        Price(60_000 * E8),
        Qty(QTY),
    );
    // Hashing is amortised in: the buffer fills, and is hashed whole.
    group.bench_function("append_and_hash", |b| b.iter(|| journal.append(black_box(&entry))));
    group.bench_function("append", |b| {
        b.iter_batched_ref(
            || Journal::new(64, false),
            |journal| (0..32).map(|_| journal.append(black_box(&entry))).sum::<u64>(),
            BatchSize::SmallInput,
        )
    });
    group.bench_function("id_made", |b| {
        let mut ids = Ids::new(Environment::Sim, 1, &[1; 32]);
        b.iter(|| ids.take(9))
    });
    group.finish();
}

criterion_group!(benches, admit, queue, journal);
criterion_main!(benches);
