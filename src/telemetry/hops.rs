//! The hops of a frame's journey, the stamps that ride with it, and the histograms that they end in.
//!
//! Stages stamp ([`Stamps::mark`] is one store); the last stage that sees the record hands it to its
//! own [`HopRecorder`]. A recorder belongs to one thread and is never shared: at the end, or now and
//! then, it is moved or cloned out and merged. Recording neither allocates nor formats.

use hdrhistogram::Histogram;

use crate::types::Stopwatch;

/// A stretch of the journey, in the order of the journey; two totals at the end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Hop {
    /// From the kernel's receive stamp to the bytes in our buffer.
    Wire,
    /// Bytes to a deframed message.
    Frame,
    /// Message to book changes, sequence rule checked.
    Decode,
    /// Changes applied to the full-depth book.
    Book,
    /// The venue's checksum over the applied book.
    Verify,
    /// Best levels gathered and stored where others read them. A ticker is put before them here: it
    /// changes no ladder, and has no `Book` hop.
    Publish,
    /// Books to an opportunity, or to none.
    Detect,
    /// Waiting in the executor's queue.
    Queue,
    /// The risk gate.
    Admit,
    /// Order bytes made ready: patched, signed.
    Encode,
    /// Bytes handed to the kernel.
    Send,
    /// From the send to the venue's word that it has the order.
    Ack,
    /// From the send to a fill.
    Fill,
    /// Total: frame bytes in a buffer to signed order bytes in a buffer.
    TickToOrder,
    /// Total: receive stamp to the return of send.
    TickToWire,
}

impl Hop {
    /// How many there are.
    pub const COUNT: usize = 15;

    /// All of them, in order.
    pub const ALL: [Hop; Hop::COUNT] = [
        Hop::Wire,
        Hop::Frame,
        Hop::Decode,
        Hop::Book,
        Hop::Verify,
        Hop::Publish,
        Hop::Detect,
        Hop::Queue,
        Hop::Admit,
        Hop::Encode,
        Hop::Send,
        Hop::Ack,
        Hop::Fill,
        Hop::TickToOrder,
        Hop::TickToWire,
    ];

    /// Its name in reports and bench ids.
    pub const fn name(self) -> &'static str {
        match self {
            Hop::Wire => "wire",
            Hop::Frame => "frame",
            Hop::Decode => "decode",
            Hop::Book => "book",
            Hop::Verify => "verify",
            Hop::Publish => "publish",
            Hop::Detect => "detect",
            Hop::Queue => "queue",
            Hop::Admit => "admit",
            Hop::Encode => "encode",
            Hop::Send => "send",
            Hop::Ack => "ack",
            Hop::Fill => "fill",
            Hop::TickToOrder => "tick_to_order",
            Hop::TickToWire => "tick_to_wire",
        }
    }
}

/// How many hops have an end inside a [`Stamps`]: `Frame` to `Send`.
const STAMPED: usize = Hop::Send as usize;

/// Stopwatch readings of one frame's journey: where it began, and where each hop from `Frame` to
/// `Send` ended. Rides in the record that passes from stage to stage, also across threads; so ends
/// are kept as distances from the start, in half the room.
///
/// A reading only measures: nothing may decide by it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stamps {
    start: u64,
    /// Ticks from the start, at least one; zero where not marked. More than fit, at some GHz more
    /// than a second, count as the most that fits.
    ends: [u32; STAMPED],
    wire_ns: u32,
}

impl Stamps {
    /// A journey that begins now: the bytes are in our buffer. `wire_ns` is how long ago the kernel
    /// had them; zero where it does not say.
    pub const fn begin(ticks: u64, wire_ns: u32) -> Stamps {
        Stamps { start: ticks, ends: [0; STAMPED], wire_ns }
    }

    /// The hop ends now. Hops without an end of their own (`Wire`, `Ack`, `Fill`, the totals) are
    /// not stamped but recorded directly; marking one does nothing.
    #[inline]
    pub fn mark(&mut self, hop: Hop, ticks: u64) {
        if let Some(end) = (hop as usize).checked_sub(1).and_then(|at| self.ends.get_mut(at)) {
            *end = u32::try_from(ticks.saturating_sub(self.start)).unwrap_or(u32::MAX).max(1);
        }
    }

    /// When the journey began.
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// How long before it the kernel had the bytes, in ns; zero where it did not say.
    pub const fn wire_ns(&self) -> u32 {
        self.wire_ns
    }

    /// When the hop ended; `None` when it was not marked.
    pub fn end(&self, hop: Hop) -> Option<u64> {
        let end = *self.ends.get((hop as usize).checked_sub(1)?)?;
        (end != 0).then_some(self.start + u64::from(end))
    }

    /// The ends of the hops up to `Publish`, which one thread stamps, as words: two in each.
    pub(crate) fn fed(&self) -> [u64; FED / 2] {
        std::array::from_fn(|at| u64::from(self.ends[2 * at]) | u64::from(self.ends[2 * at + 1]) << 32)
    }

    /// A journey up to `Publish`, from those words.
    pub(crate) fn from_fed(start: u64, wire_ns: u32, words: [u64; FED / 2]) -> Stamps {
        let mut own = Stamps::begin(start, wire_ns);
        for (at, word) in words.into_iter().enumerate() {
            (own.ends[2 * at], own.ends[2 * at + 1]) = (word as u32, (word >> 32) as u32);
        }
        own
    }
}

/// Hops up to `Publish`, made even.
pub(crate) const FED: usize = (Hop::Publish as usize).next_multiple_of(2);

/// Longest time told apart, in ns: ten seconds. Longer ones count as this long.
const MAX_NS: u64 = 10_000_000_000;

/// A histogram for each hop, 1 ns to 10 s to three digits, owned by one thread. Some 3 MB, all of it
/// taken when made.
#[derive(Clone)]
pub struct HopRecorder {
    hops: Vec<Histogram<u64>>,
}

impl HopRecorder {
    /// Empty histograms.
    pub fn new() -> HopRecorder {
        let hops = Hop::ALL
            .iter()
            .map(|_| Histogram::new_with_bounds(1, MAX_NS, 3).expect("bounds that hdrhistogram takes"))
            .collect();
        HopRecorder { hops }
    }

    /// Records one time, in ns. Zero counts as one, more than ten seconds as ten.
    #[inline]
    pub fn record(&mut self, hop: Hop, ns: u64) {
        self.hops[hop as usize].saturating_record(ns.clamp(1, MAX_NS));
    }

    /// Records every hop that was marked, from the end of the one marked before it, and the totals
    /// that are complete: `tick_to_order` with `Encode`, `tick_to_wire` with `Send`.
    pub fn record_journey(&mut self, stamps: &Stamps, watch: &impl Stopwatch) {
        if stamps.wire_ns > 0 {
            self.record(Hop::Wire, u64::from(stamps.wire_ns));
        }
        self.record_hops(0, &stamps.ends, Hop::Frame, watch);
        self.record_totals(stamps, watch);
    }

    /// As [`HopRecorder::record_journey`], but of the hops only those from `first` on: what came
    /// before was recorded where it happened.
    pub fn record_rest(&mut self, stamps: &Stamps, first: Hop, watch: &impl Stopwatch) {
        let (before, rest) = stamps.ends.split_at((first as usize).saturating_sub(1).min(STAMPED));
        let began = before.iter().rev().find(|end| **end != 0);
        self.record_hops(began.copied().unwrap_or(0), rest, first, watch);
        self.record_totals(stamps, watch);
    }

    fn record_hops(&mut self, mut from: u32, ends: &[u32], first: Hop, watch: &impl Stopwatch) {
        for (&end, &hop) in ends.iter().zip(&Hop::ALL[first as usize..]) {
            if end != 0 {
                self.record(hop, watch.nanos(u64::from(from), u64::from(end)));
                from = end;
            }
        }
    }

    fn record_totals(&mut self, stamps: &Stamps, watch: &impl Stopwatch) {
        if let Some(end) = stamps.end(Hop::Encode) {
            self.record(Hop::TickToOrder, watch.nanos(stamps.start, end));
        }
        if let Some(end) = stamps.end(Hop::Send) {
            let wire = u64::from(stamps.wire_ns);
            self.record(Hop::TickToWire, wire.saturating_add(watch.nanos(stamps.start, end)));
        }
    }

    /// Adds what another thread recorded.
    pub fn merge(&mut self, other: &HopRecorder) {
        for (ours, theirs) in self.hops.iter_mut().zip(&other.hops) {
            ours.add(theirs).expect("the same bounds on both sides");
        }
    }

    /// Forgets everything and keeps the memory: for reports over intervals.
    pub fn reset(&mut self) {
        for hop in &mut self.hops {
            hop.reset();
        }
    }

    /// The figures of one hop.
    pub fn row(&self, hop: Hop) -> HopRow {
        let hist = &self.hops[hop as usize];
        let empty = hist.is_empty();
        // The histogram tells a bucket's upper end, which may lie above the largest value seen.
        let quantile = |q| if empty { 0 } else { hist.value_at_quantile(q).min(hist.max()) };
        HopRow {
            count: hist.len(),
            p50_ns: quantile(0.5),
            p99_ns: quantile(0.99),
            p999_ns: quantile(0.999),
            max_ns: if empty { 0 } else { hist.max() },
        }
    }

    /// Every hop that was recorded at all, in the order of the journey.
    pub fn report(&self) -> HopReport {
        let rows = Hop::ALL.iter().map(|&hop| (hop, self.row(hop))).filter(|(_, row)| row.count > 0);
        HopReport { rows: rows.collect() }
    }
}

impl Default for HopRecorder {
    fn default() -> HopRecorder {
        HopRecorder::new()
    }
}

impl std::fmt::Debug for HopRecorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HopRecorder").field("report", &self.report()).finish()
    }
}

/// Figures of one hop, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct HopRow {
    /// How many were recorded.
    pub count: u64,
    /// Half were no longer than this.
    pub p50_ns: u64,
    /// 99 % were no longer.
    pub p99_ns: u64,
    /// 99.9 % were no longer.
    pub p999_ns: u64,
    /// The longest.
    pub max_ns: u64,
}

/// Figures of all hops. Serialises to one object, `{"decode":{"count":…},…}`, in the order of the
/// journey; shows itself as an aligned table.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HopReport {
    /// The hops that were recorded.
    pub rows: Vec<(Hop, HopRow)>,
}

impl serde::Serialize for HopReport {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.rows.iter().map(|(hop, row)| (hop.name(), row)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tick is 2 ns.
    struct Twice;
    impl Stopwatch for Twice {
        fn ticks(&self) -> u64 {
            0
        }
        fn nanos(&self, from: u64, to: u64) -> u64 {
            to.saturating_sub(from) * 2
        }
    }

    #[test]
    fn names_are_in_the_order_of_the_journey() {
        for (at, hop) in Hop::ALL.iter().enumerate() {
            assert_eq!(*hop as usize, at);
        }
        assert_eq!(Hop::ALL.map(Hop::name)[..4], ["wire", "frame", "decode", "book"]);
    }

    #[test]
    fn a_journey_gives_each_hop_and_the_totals() {
        let mut stamps = Stamps::begin(1_000, 50);
        for (hop, ticks) in [
            (Hop::Frame, 1_010),
            (Hop::Decode, 1_100),
            (Hop::Book, 1_110),
            (Hop::Publish, 1_130), // no checksum on this venue: `verify` has no mark
            (Hop::Encode, 1_500),
            (Hop::Send, 2_500),
            (Hop::Ack, 9_999), // not stamped
        ] {
            stamps.mark(hop, ticks);
        }
        assert_eq!((stamps.end(Hop::Verify), stamps.end(Hop::Ack)), (None, None));
        let mut recorder = HopRecorder::new();
        recorder.record_journey(&stamps, &Twice);
        recorder.record(Hop::Ack, 12_345);
        let got: Vec<_> = recorder.report().rows.iter().map(|(hop, row)| (hop.name(), row.max_ns)).collect();
        // Three digits: values above 2,047 are told to within a thousandth.
        let want = [
            ("wire", 50),
            ("frame", 20),
            ("decode", 180),
            ("book", 20),
            ("publish", 40),
            ("encode", 740),
            ("send", 2_000),
            ("ack", 12_351),
            ("tick_to_order", 1_000),
            ("tick_to_wire", 3_051),
        ];
        assert_eq!(got, want);
    }

    #[test]
    fn merging_adds_and_absurd_times_are_kept_in_range() {
        let (mut a, mut b) = (HopRecorder::new(), HopRecorder::new());
        a.record(Hop::Decode, 0);
        b.record(Hop::Decode, u64::MAX);
        b.record(Hop::Decode, 100);
        a.merge(&b);
        let row = a.row(Hop::Decode);
        assert_eq!((row.count, row.p50_ns), (3, 100));
        assert!((9_990_000_000..=10_010_000_000).contains(&row.max_ns), "{row:?}");
        a.reset();
        assert_eq!(a.row(Hop::Decode), HopRow::default());
        assert!(a.report().rows.is_empty());
    }

    #[test]
    fn the_json_keeps_the_order_and_the_field_names() {
        let mut recorder = HopRecorder::new();
        recorder.record(Hop::TickToOrder, 700);
        recorder.record(Hop::Decode, 300);
        let row = |ns| format!(r#"{{"count":1,"p50_ns":{ns},"p99_ns":{ns},"p999_ns":{ns},"max_ns":{ns}}}"#);
        let want = format!(r#"{{"decode":{},"tick_to_order":{}}}"#, row(300), row(700));
        assert_eq!(serde_json::to_string(&recorder.report()).unwrap(), want);
    }
}
