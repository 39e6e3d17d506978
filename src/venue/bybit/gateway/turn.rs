//! What the venue's limits mean for this gateway's requests: their costs, their turn, and what answers
//! tell of the limits.

use super::{Answer, BybitGateway, PATIENCE, What};
use crate::types::{Nanos, Report};
use crate::venue::bybit::call::Call;
use crate::venue::bybit::limits::{self, Stop, Told};
use crate::venue::bybit::private::Limits;
use crate::venue::{Costs, GatewayOut, Lane, Urgency};

/// A request that waits for its turn.
pub(super) struct Waiting {
    call: Call,
    what: What,
    /// Counted as an HTTP request.
    over_http: bool,
}

impl Waiting {
    pub(super) fn is_time(&self) -> bool {
        matches!(self.what, What::ServerTime)
    }
}

/// The rule that counts a request's endpoint; none of what needs no key.
pub(super) fn rule(what: &What) -> Option<usize> {
    match what {
        What::Cancel(_) | What::CancelAll => Some(limits::CANCEL),
        What::Amend(_) => Some(limits::AMEND),
        What::ServerTime => None,
        _ => Some(limits::QUESTIONS),
    }
}

fn urgency(what: &What) -> Urgency {
    match what {
        What::Cancel(_) | What::CancelAll | What::Amend(_) | What::Switch(_) => Urgency::Urgent,
        _ => Urgency::Question,
    }
}

impl BybitGateway {
    /// What a new order costs.
    #[inline]
    pub(super) fn order_costs(&self) -> Costs {
        limits::request(limits::CREATE, !self.over_session())
    }

    /// The way that a call of its kind goes.
    fn lane(&self, call: &Call) -> Lane {
        let over_session = self.over_session() && self.orders.usable && !call.op.is_empty();
        if over_session { Lane::Orders } else { Lane::Rest }
    }

    /// Sends a request, now or when the limits have room for it.
    pub(super) fn send(&mut self, call: Call, what: What, now: Nanos, out: &mut GatewayOut) {
        let over_http = self.lane(&call) == Lane::Rest;
        let costs = rule(&what).map_or(limits::UNSIGNED, |rule| limits::request(rule, over_http));
        let urgency = urgency(&what);
        let waiting = Waiting { call, what, over_http };
        if let Some(Waiting { what, .. }) = self.turns.push(waiting, urgency, costs, 0, now) {
            self.unanswered(what, out);
        }
        self.take_turns(now, out);
    }

    /// Sends what there is room for by now, and gives up what has waited too long.
    pub(super) fn take_turns(&mut self, now: Nanos, out: &mut GatewayOut) {
        while let Some(Waiting { call, what, over_http }) = self.turns.next(now) {
            let lane = self.lane(&call);
            // The session was lost while it waited.
            if lane == Lane::Rest && !over_http {
                self.turns.budget.note(&limits::UNSIGNED, 0, now);
            }
            self.send_now(lane, call, what, now, out);
        }
        while let Some(Waiting { what, .. }) = self.turns.late(PATIENCE, now) {
            self.unanswered(what, out);
        }
    }

    /// Takes what an answer says of limits: what is used of its endpoint's, and what must stop.
    pub(super) fn obey(
        &mut self,
        rule: Option<usize>,
        told: Option<Told>,
        answer: &Answer<'_>,
        now: Nanos,
        reports: &mut Vec<Report>,
    ) {
        let budget = &mut self.turns.budget;
        if let (Some(rule), Some(told)) = (rule, told) {
            let used = told.limit.saturating_sub(told.left);
            reports.push(Report::Used { limit: limits::SPOT[rule].name, used });
            limits::told(budget, rule, told, now);
        }
        match (limits::stop(answer.status, answer.code, answer.retry_at, now), rule) {
            (Some(Stop::Rule(until)), Some(rule)) => budget.block(rule, 0, until),
            (Some(Stop::Rule(until) | Stop::All(until)), _) => budget.pause(until),
            (None, _) => {}
        }
    }
}

/// The counts in an answer's header.
pub(super) fn counts(limits: &Limits<'_>) -> Option<Told> {
    let number = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref()?.parse().ok();
    // A limit of nothing would never be heard of again: nothing would ask.
    Some(Told { limit: number(&limits.cap).filter(|cap| *cap > 0)?, left: number(&limits.left)? })
}
