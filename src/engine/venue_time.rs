//! A gateway that lives by its venue's clock while its caller lives by ours.

use crate::types::{Draft, Nanos, Report};
use crate::venue::{
    Command, EncodeError, Form, Gateway, GatewayInput, GatewayOut, LaneSpec, Limited, OrderBytes,
    Unsupported, Urgency,
};

/// Answers kept: the one with the shortest round trip decides, since its error is the least.
const SAMPLES: usize = 8;

/// A difference up to this, beyond what the round trip explains, is left alone: every venue's
/// window bears it, and a clock that is not touched cannot be set wrong.
const LET_BE: Nanos = Nanos::from_millis(250);

/// Shifts every `now` by what we know of the venue's clock, learns from its answers, and gives back
/// times in ours: timestamps that the venue checks are right, and deadlines that we check are too.
pub struct InVenueTime {
    gateway: Box<dyn Gateway>,
    samples: [Option<Sample>; SAMPLES],
    next: usize,
    /// What is added. Changes only with an answer, so question and answer agree.
    applied: Nanos,
}

#[derive(Clone, Copy)]
struct Sample {
    round_trip: Nanos,
    offset: Nanos,
}

impl InVenueTime {
    /// The venue's clock is taken to be ours until an answer proves it different.
    pub fn new(gateway: Box<dyn Gateway>) -> InVenueTime {
        InVenueTime { gateway, samples: [None; SAMPLES], next: 0, applied: Nanos::ZERO }
    }

    /// Takes the answers among the reports, and puts into our time what the gateway reckoned in its own.
    fn learn(&mut self, out: &mut GatewayOut, before: usize, now: Nanos) {
        let applied = self.applied;
        for report in out.reports.iter_mut().skip(before) {
            match report {
                Report::ServerTime { venue, asked } => {
                    *asked = *asked - applied;
                    self.answer(*venue, *asked, now);
                }
                Report::OrderError { retry_at: Some(at), .. } | Report::DeadMan { until: at } => {
                    *at = *at - applied;
                }
                _ => {}
            }
        }
    }

    fn answer(&mut self, venue: Nanos, asked: Nanos, now: Nanos) {
        let round_trip = now - asked;
        // An answer from before its question, or an absurd one, is not taken.
        let a_day = Nanos::from_secs(86_400);
        if round_trip < Nanos::ZERO || venue - now > a_day || now - venue > a_day {
            return;
        }
        let middle = Nanos(asked.0 + round_trip.0 / 2);
        self.samples[self.next] = Some(Sample { round_trip, offset: venue - middle });
        self.next = (self.next + 1) % SAMPLES;
        let best = self.samples.iter().flatten().min_by_key(|sample| sample.round_trip);
        self.applied = match best {
            Some(best) if best.offset.0.abs() > best.round_trip.0 / 2 + LET_BE.0 => best.offset,
            _ => Nanos::ZERO,
        };
    }
}

impl Gateway for InVenueTime {
    fn lanes(&self) -> Vec<LaneSpec> {
        self.gateway.lanes()
    }

    fn form(&self) -> Form {
        self.gateway.form()
    }

    fn ready(&self) -> bool {
        self.gateway.ready()
    }

    fn on(&mut self, input: GatewayInput<'_>, now: Nanos, out: &mut GatewayOut) {
        let before = out.reports.len();
        self.gateway.on(input, now + self.applied, out);
        self.learn(out, before, now);
    }

    fn encode(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) -> Result<(), EncodeError> {
        self.gateway.encode(order, now + self.applied, out)?;
        out.expires = out.expires - self.applied;
        Ok(())
    }

    fn begin(&mut self, order: &Draft, out: &mut OrderBytes) -> Result<(), EncodeError> {
        self.gateway.begin(order, out)
    }

    fn complete(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) -> Result<(), EncodeError> {
        self.gateway.complete(order, now + self.applied, out)?;
        out.expires = out.expires - self.applied;
        Ok(())
    }

    fn rehearse(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) {
        self.gateway.rehearse(order, now + self.applied, out);
    }

    fn spend(&mut self, order: &Draft, urgency: Urgency, now: Nanos) -> Result<(), Limited> {
        self.gateway.spend(order, urgency, now + self.applied)
    }

    fn refund(&mut self, order: &Draft, now: Nanos) {
        self.gateway.refund(order, now + self.applied);
    }

    fn nonces_below(&mut self, below: u64) {
        self.gateway.nonces_below(below);
    }

    fn command(&mut self, command: &Command, now: Nanos, out: &mut GatewayOut) -> Result<(), Unsupported> {
        let before = out.reports.len();
        let started = self.gateway.command(command, now + self.applied, out);
        self.learn(out, before, now);
        started
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Class, ClientId, InstrumentId, Kind, Price, Qty, Side, Tif, VenueId, VenueRef};

    /// A time that the gateway reckoned, in the clock that it is given.
    const LATER: Nanos = Nanos::from_millis(20_000);

    /// Answers every tick with the venue's time, and stamps orders with the time that it is told.
    struct Asked {
        venue: Nanos,
        asked: Nanos,
    }

    impl Gateway for Asked {
        fn lanes(&self) -> Vec<LaneSpec> {
            Vec::new()
        }

        fn form(&self) -> Form {
            Form::Session
        }

        fn ready(&self) -> bool {
            true
        }

        fn on(&mut self, _: GatewayInput<'_>, _: Nanos, out: &mut GatewayOut) {
            out.reports.push(Report::ServerTime { venue: self.venue, asked: self.asked });
            out.reports.push(Report::DeadMan { until: LATER });
            let (client, code) = (ClientId::default(), VenueRef::default());
            let (class, retry_at) = (Class::Throttled, Some(LATER));
            out.reports.push(Report::OrderError { client, class, code, retry_at });
        }

        fn encode(&mut self, _: &Draft, now: Nanos, out: &mut OrderBytes) -> Result<(), EncodeError> {
            out.buffer()[..8].copy_from_slice(&now.0.to_le_bytes());
            out.expires = now + Nanos(1_000);
            out.set(0, 8)
        }

        fn rehearse(&mut self, order: &Draft, now: Nanos, out: &mut OrderBytes) {
            self.encode(order, now, out).unwrap();
        }

        fn command(&mut self, _: &Command, _: Nanos, _: &mut GatewayOut) -> Result<(), Unsupported> {
            Ok(())
        }
    }

    #[test]
    fn only_a_clock_that_is_proven_wrong_is_corrected() {
        let ms = Nanos::from_millis;
        let draft = Draft {
            client: ClientId::default(),
            venue: VenueId(0),
            instrument: InstrumentId(0),
            side: Side::Buy,
            kind: Kind::Limit,
            tif: Tif::Ioc,
            price: Price(1),
            qty: Qty(1),
            reduce_only: false,
        };
        // The venue's time, when it was asked and answered, and what an order at 10,000 ms is stamped.
        for (venue, asked, now, want) in [
            (ms(1_150), ms(1_000), ms(1_100), ms(10_000)), // within the round trip
            (ms(1_250), ms(1_000), ms(1_010), ms(10_000)), // within what is let be
            (ms(3_005), ms(1_000), ms(1_010), ms(12_000)), // two seconds ahead
            (ms(5), ms(3_000), ms(3_010), ms(7_000)),      // three behind
            (ms(90_000_000), ms(1), ms(2), ms(10_000)),    // absurd
            (ms(9_000), ms(5_000), ms(4_000), ms(10_000)), // answered before it was asked
        ] {
            let mut gateway = InVenueTime::new(Box::new(Asked { venue, asked }));
            let (mut out, mut bytes) = (GatewayOut::default(), OrderBytes::new());
            gateway.on(GatewayInput::Tick, now, &mut out);
            assert_eq!(out.reports[0], Report::ServerTime { venue, asked });
            out.clear();
            gateway.on(GatewayInput::Tick, now, &mut out);
            let shift = want - ms(10_000);
            assert!(matches!(out.reports[1], Report::DeadMan { until } if until == LATER - shift));
            assert!(
                matches!(out.reports[2], Report::OrderError { retry_at: Some(at), .. } if at == LATER - shift)
            );
            gateway.encode(&draft, ms(10_000), &mut bytes).unwrap();
            let stamped = i64::from_le_bytes(bytes.as_slice().try_into().unwrap());
            assert_eq!((Nanos(stamped), bytes.expires), (want, ms(10_000) + Nanos(1_000)), "{venue:?}");
            gateway.rehearse(&draft, ms(10_000), &mut bytes);
            assert_eq!(bytes.as_slice(), want.0.to_le_bytes(), "{venue:?}: a rehearsal");
        }
    }
}
