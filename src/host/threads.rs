//! Roles on threads. `pinned` gives each a core and never sleeps; `shared` turns many on few
//! threads and waits when there is nothing to do.
//!
//! A role that panics ends the process, in every build: a half-alive engine is worse than none.

use std::thread;
use std::time::Duration;

use crate::config::Waiting;
use crate::engine::Role;
use crate::sync::{Arc, AtomicBool, Ordering};
use crate::types::{Clock, Nanos};

use super::HostClock;

/// Rounds without work in which a shared thread spins, then those in which it only yields.
const SPINS: u32 = 200;
const YIELDS: u32 = 400;
/// Sleeps after that: from the first to the last, doubling every so many rounds.
const SLEEP_FIRST: Duration = Duration::from_micros(50);
const SLEEP_LAST: Duration = Duration::from_millis(1);
const SLEEPS_EACH: u32 = 20;

/// Tells threads to end, from anywhere.
#[derive(Clone, Debug)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// A flag that is not set.
    pub fn new() -> Stop {
        Stop(Arc::new(AtomicBool::new(false)))
    }

    /// Sets the flag: every thread ends after its turn.
    pub fn stop(&self) {
        // ORDERING: the flag alone is the message; what threads share beside it has its own order.
        self.0.store(true, Ordering::Relaxed);
    }

    /// True once it is set.
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Default for Stop {
    fn default() -> Stop {
        Stop::new()
    }
}

/// Running threads.
pub struct Threads {
    handles: Vec<thread::JoinHandle<Vec<Box<dyn Role>>>>,
}

impl Threads {
    /// Waits for all threads to end and gives their roles back.
    pub fn join(self) -> Vec<Box<dyn Role>> {
        self.handles.into_iter().flat_map(|handle| handle.join().unwrap_or_default()).collect()
    }

    /// How many threads there are.
    pub fn len(&self) -> usize {
        self.handles.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.handles.is_empty()
    }
}

/// Cores that threads may be pinned to.
pub fn cores() -> Vec<usize> {
    core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect()
}

/// A thread for each role, on its core where one is given, spinning until `stop`. Roles rehearse each
/// time that they had no work for so long; never, when that is zero.
pub fn pinned(
    roles: Vec<(Box<dyn Role>, Option<usize>)>,
    rehearse: Nanos,
    clock: &HostClock,
    stop: &Stop,
) -> std::io::Result<Threads> {
    let start = |(mut role, core): (Box<dyn Role>, Option<usize>)| {
        let (clock, stop) = (clock.clone(), stop.clone());
        thread::Builder::new().name(role.name().to_owned()).spawn(move || {
            let _guard = AbortOnPanic;
            if let Some(id) = core {
                core_affinity::set_for_current(core_affinity::CoreId { id });
            }
            let idle = if rehearse > Nanos::ZERO { rehearse } else { Nanos::MAX };
            let mut due = Nanos::MAX;
            while !stop.is_stopped() {
                let now = clock.now();
                let worked = role.turn(now);
                if !worked && now < due {
                    std::hint::spin_loop();
                    continue;
                }
                if !worked {
                    role.rehearse(now);
                }
                due = Nanos(now.0.saturating_add(idle.0));
            }
            vec![role]
        })
    };
    Ok(Threads { handles: roles.into_iter().map(start).collect::<std::io::Result<_>>()? })
}

/// All roles on at most `threads` threads, dealt out in order, until `stop`.
pub fn shared(
    roles: Vec<Box<dyn Role>>,
    threads: usize,
    waiting: Waiting,
    clock: &HostClock,
    stop: &Stop,
) -> std::io::Result<Threads> {
    let count = threads.clamp(1, roles.len().max(1));
    let mut hands: Vec<Vec<Box<dyn Role>>> = (0..count).map(|_| Vec::new()).collect();
    for (at, role) in roles.into_iter().enumerate() {
        hands[at % count].push(role);
    }
    let start = |(at, mut roles): (usize, Vec<Box<dyn Role>>)| {
        let (clock, stop) = (clock.clone(), stop.clone());
        thread::Builder::new().name(format!("roles-{at}")).spawn(move || {
            let _guard = AbortOnPanic;
            let mut idle = 0;
            while !stop.is_stopped() {
                let mut worked = false;
                for role in &mut roles {
                    worked |= role.turn(clock.now());
                }
                idle = if worked { 0 } else { wait(idle, waiting) };
            }
            roles
        })
    };
    Ok(Threads { handles: hands.into_iter().enumerate().map(start).collect::<std::io::Result<_>>()? })
}

/// Waits a little, when parking the longer the longer nothing happened; returns the next count.
fn wait(idle: u32, waiting: Waiting) -> u32 {
    match idle {
        0..SPINS => std::hint::spin_loop(),
        _ if waiting == Waiting::Spin => std::hint::spin_loop(),
        SPINS..YIELDS => thread::yield_now(),
        _ if waiting == Waiting::Yield => thread::yield_now(),
        _ => {
            let doublings = ((idle - YIELDS) / SLEEPS_EACH).min(8);
            thread::sleep((SLEEP_FIRST * (1 << doublings)).min(SLEEP_LAST));
        }
    }
    idle.saturating_add(1)
}

struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counter {
        turns: Arc<AtomicBool>,
        last: Nanos,
        left: u32,
    }

    impl Role for Counter {
        fn name(&self) -> &str {
            "counter"
        }
        fn turn(&mut self, now: Nanos) -> bool {
            assert!(now >= self.last);
            self.last = now;
            self.left = self.left.saturating_sub(1);
            if self.left == 0 {
                self.turns.store(true, Ordering::Relaxed);
            }
            self.left > 0
        }
    }

    /// Has work once, and says when it rehearses.
    struct Idle {
        worked: bool,
        rehearsals: Arc<AtomicBool>,
    }

    impl Role for Idle {
        fn name(&self) -> &str {
            "idle"
        }
        fn turn(&mut self, _: Nanos) -> bool {
            !std::mem::replace(&mut self.worked, true)
        }
        fn rehearse(&mut self, _: Nanos) {
            self.rehearsals.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn roles_that_spin_for_nothing_rehearse_where_asked_to() {
        let clock = HostClock::new();
        for (every, wanted) in [(Nanos::from_micros(10), true), (Nanos::ZERO, false), (Nanos::MAX, false)] {
            let (stop, rehearsals) = (Stop::new(), Arc::new(AtomicBool::new(false)));
            let role = Idle { worked: false, rehearsals: rehearsals.clone() };
            let threads = pinned(vec![(Box::new(role), None)], every, &clock, &stop).unwrap();
            // What must happen is waited for; what must not has some time to.
            let waits = if wanted { 10_000 } else { 20 };
            for _ in 0..waits {
                if rehearsals.load(Ordering::Relaxed) {
                    break;
                }
                thread::sleep(Duration::from_millis(1));
            }
            stop.stop();
            threads.join();
            assert_eq!(rehearsals.load(Ordering::Relaxed), wanted, "{every:?}");
        }
    }

    #[test]
    fn roles_are_turned_until_they_are_stopped() {
        let clock = HostClock::new();
        for is_pinned in [true, false] {
            let stop = Stop::new();
            let done: Vec<_> = (0..5).map(|_| Arc::new(AtomicBool::new(false))).collect();
            let roles = done.iter().map(|done| -> Box<dyn Role> {
                Box::new(Counter { turns: done.clone(), last: Nanos::ZERO, left: 1000 })
            });
            let threads = if is_pinned {
                let roles = roles.take(2).map(|role| (role, cores().first().copied())).collect();
                pinned(roles, Nanos::ZERO, &clock, &stop)
            } else {
                shared(roles.collect(), 2, Waiting::Park, &clock, &stop)
            };
            let threads = threads.unwrap();
            assert_eq!(threads.len(), 2);
            let waited = &done[..if is_pinned { 2 } else { 5 }];
            while !waited.iter().all(|done| done.load(Ordering::Relaxed)) {
                thread::sleep(Duration::from_millis(1));
            }
            stop.stop();
            assert_eq!(threads.join().len(), waited.len());
        }
    }
}
