//! A gateway that lives by its venue's clock while its caller lives by ours.

use super::offset::ClockOffset;
use crate::types::{Draft, Nanos, Report};
use crate::venue::{
    Command, EncodeError, Form, Gateway, GatewayInput, GatewayOut, LaneSpec, OrderBytes, Unsupported,
};

/// Shifts every `now` by what we know of the venue's clock, learns from its answers, and gives back
/// times in ours: timestamps that the venue checks are right, and deadlines that we check are too.
pub struct InVenueTime {
    gateway: Box<dyn Gateway>,
    offset: ClockOffset,
    /// What is added. Changes only with an answer, so question and answer agree.
    applied: Nanos,
}

impl InVenueTime {
    /// The venue's clock is taken to be ours until it answers.
    pub fn new(gateway: Box<dyn Gateway>) -> InVenueTime {
        InVenueTime { gateway, offset: ClockOffset::default(), applied: Nanos::ZERO }
    }

    fn learn(&mut self, out: &mut GatewayOut, before: usize, now: Nanos) {
        for report in out.reports.iter_mut().skip(before) {
            if let Report::ServerTime { venue, asked } = report {
                *asked = *asked - self.applied;
                self.offset.answer(*venue, *asked, now);
                self.applied = self.offset.estimate().map_or(Nanos::ZERO, |(offset, _)| offset);
            }
        }
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

    fn command(&mut self, command: &Command, now: Nanos, out: &mut GatewayOut) -> Result<(), Unsupported> {
        let before = out.reports.len();
        let started = self.gateway.command(command, now + self.applied, out);
        self.learn(out, before, now);
        started
    }
}
