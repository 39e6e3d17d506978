//! The exec role: the stage behind its queue, and the end of a run.

use crossbeam_channel::{Receiver, Sender};

use super::exec::ExecStage;
use super::queue::Inbox;
use super::role::Role;
use super::signal::{Control, Signal, Status};
use crate::types::{Nanos, Stopwatch};

/// Signals taken in one turn before the venues' news get theirs.
const SIGNALS_MAX: usize = 8;

/// The one role that sends orders.
pub struct ExecRole<W> {
    stage: ExecStage<W>,
    queue: Inbox,
    control: Receiver<Control>,
    status: Sender<Status>,
    ready: bool,
    draining: bool,
    drained: bool,
}

impl<W: Stopwatch> ExecRole<W> {
    /// A role around the stage.
    pub fn new(
        stage: ExecStage<W>,
        queue: Inbox,
        control: Receiver<Control>,
        status: Sender<Status>,
    ) -> ExecRole<W> {
        ExecRole { stage, queue, control, status, ready: false, draining: false, drained: false }
    }

    /// The stage, for reports.
    pub fn stage(&mut self) -> &mut ExecStage<W> {
        &mut self.stage
    }

    /// Shows the next signal to `act`, together with the stage, when there is one.
    #[inline]
    pub fn take_signal<R>(&mut self, act: impl FnOnce(&mut ExecStage<W>, &Signal) -> R) -> Option<R> {
        self.queue.take(|signal| act(&mut self.stage, signal))
    }

    fn take_signals(&mut self, now: Nanos) -> bool {
        let signals = (0..SIGNALS_MAX)
            .take_while(|_| self.take_signal(|stage, signal| stage.on_signal(signal, now)).is_some());
        signals.count() > 0
    }
}

impl<W: Stopwatch + Send + 'static> Role for ExecRole<W> {
    fn name(&self) -> &str {
        "exec"
    }

    fn turn(&mut self, now: Nanos) -> bool {
        while let Ok(control) = self.control.try_recv() {
            match control {
                Control::Drain => {
                    self.draining = true;
                    self.stage.drain();
                }
                Control::NoncesBelow(below) => self.stage.nonces_below(below),
            }
        }
        let mut worked = self.take_signals(now);
        worked |= self.stage.turn(now);
        if !worked {
            self.stage.idle(now);
        }
        if !self.ready && self.stage.is_ready() {
            self.ready = true;
            // Nobody may be waiting for it.
            let _ = self.status.try_send(Status::Ready);
        }
        if self.draining && !self.drained && self.stage.is_drained(now) {
            self.drained = true;
            self.stage.stand_down(now);
            let _ = self.status.try_send(Status::Drained);
        }
        worked
    }

    fn rehearse(&mut self, now: Nanos) {
        self.stage.rehearse(now);
    }
}
