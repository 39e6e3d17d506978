//! A virtual network in virtual time, between the engine's links and simulated venues.
//!
//! Bytes take as long as a path says, plus jitter, and keep their order. A path can chop what
//! arrives at any byte, stall, break connections at any byte of what is under way, or refuse new
//! ones. Time moves only when its owner says so ([`Net::advance`]), and the same seed and calls give
//! the same bytes at the same times.

mod pipe;
mod rows;
mod served;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oorandom::Rand64;

use self::pipe::Pipe;
use self::rows::Rows;
use self::served::{Heard, Served};
use super::delay::Delay;
use super::venue::Backend;
use crate::types::{Dial, Endpoint, Link, LinkError, Nanos, Received};
use crate::venue::{ConnId, ServerInput, ServerOut};

/// How bytes travel between the engine and one venue.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Path {
    /// One way, at least.
    pub latency: Nanos,
    /// At most so much more, at random.
    pub jitter: Nanos,
    /// What arrives is handed over in pieces that end at any byte.
    pub chop: bool,
    /// Mean life of a connection; zero = until somebody closes it.
    pub cut_every: Nanos,
}

/// A venue's place in the network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Host {
    /// Its name, as endpoints spell it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Which venue is there.
    pub venue: usize,
    /// How bytes get there and back.
    pub path: Path,
}

/// The network, and the venues' ends of its connections.
pub struct Net {
    wires: Arc<Mutex<Wires>>,
    served: Rows<(usize, Served)>,
    requests: u64,
    out: Vec<ServerOut>,
    /// Connections that may have something for their servers now.
    ready: Vec<u64>,
}

/// What both ends share.
struct Wires {
    now: Nanos,
    hosts: Vec<Host>,
    /// Not before this time does anything new get through to a host.
    stalled: Vec<Nanos>,
    refused: Vec<bool>,
    /// Of hosts whose two ways differ: to the host and back, in place of its path's latency.
    delays: Vec<Option<[Delay; 2]>>,
    conns: Rows<Conn>,
    next: u64,
    rng: Rand64,
}

struct Conn {
    host: usize,
    tag: u32,
    /// When both ends know of it.
    open_at: Nanos,
    cut_at: Nanos,
    up: Pipe,
    down: Pipe,
    /// The engine has let go of its end.
    dropped: bool,
}

impl Net {
    /// A network without connections.
    pub fn new(seed: u64, hosts: Vec<Host>, now: Nanos) -> Net {
        let wires = Wires {
            now,
            stalled: vec![Nanos::ZERO; hosts.len()],
            refused: vec![false; hosts.len()],
            delays: vec![None; hosts.len()],
            hosts,
            conns: Rows::new(),
            next: 0,
            rng: Rand64::new((u128::from(seed) << 64) | 0x006e_6574),
        };
        Net {
            wires: Arc::new(Mutex::new(wires)),
            served: Rows::new(),
            requests: 0,
            out: Vec::new(),
            ready: Vec::new(),
        }
    }

    /// A way into the network for the engine. TLS is left out: what an `https` link carries here
    /// is what it would carry inside the tunnel.
    pub fn dialer(&self) -> NetDial {
        self.tagged(0)
    }

    /// A dialler whose connections can be broken apart from all others: they bear this tag.
    pub fn tagged(&self, tag: u32) -> NetDial {
        NetDial { wires: self.wires.clone(), tag }
    }

    /// The next time after `after` at which bytes arrive at either end, a connection opens or one
    /// breaks.
    pub fn next_at(&self, after: Nanos) -> Nanos {
        let wires = lock(&self.wires);
        let later = |at: Nanos| if at > after { at } else { Nanos::MAX };
        let next = |conn: &Conn| {
            conn.up.next(after).min(conn.down.next(after)).min(later(conn.open_at)).min(later(conn.cut_at))
        };
        wires.conns.iter().map(|(_, conn)| next(conn)).min().unwrap_or(Nanos::MAX)
    }

    /// Brings the network to `now`, which must not fall: what has arrived at the venues is handed to
    /// them, each venue is ticked, and what they send is put on its way.
    pub fn advance(&mut self, now: Nanos, venues: &mut dyn Backend) {
        self.arrive(now);
        let ready = std::mem::take(&mut self.ready);
        for id in &ready {
            self.read(*id, now, venues);
        }
        self.ready = ready;
        for venue in 0..venues.venues() {
            venues.tick(venue, now, &mut self.out);
            self.route(venue, now, venues);
        }
        self.sweep(now, venues);
    }

    /// How bytes travel to a host from now on.
    pub fn set_path(&mut self, host: usize, path: Path) {
        if let Some(host) = lock(&self.wires).hosts.get_mut(host) {
            host.path = path;
        }
    }

    /// How long bytes travel to a host and back from now on, in place of its path's latency.
    pub fn set_delays(&mut self, host: usize, there: Delay, back: Delay) {
        if let Some(delays) = lock(&self.wires).delays.get_mut(host) {
            *delays = Some([there, back]);
        }
    }

    /// Breaks all connections of a host, each at some byte of what is under way. Returns how many.
    pub fn cut(&mut self, host: usize) -> usize {
        self.cut_those(|conn| conn.host == host)
    }

    /// Nothing gets through to or from a host before `until`; [`Nanos::MAX`] = never.
    pub fn stall(&mut self, host: usize, until: Nanos) {
        if let Some(stalled) = lock(&self.wires).stalled.get_mut(host) {
            *stalled = until;
        }
        self.stall_those(until, |conn| conn.host == host);
    }

    /// Breaks all connections of a tag, each at some byte of what is under way. Returns how many.
    pub fn cut_tagged(&mut self, tag: u32) -> usize {
        self.cut_those(|conn| conn.tag == tag)
    }

    fn cut_those(&mut self, own: impl Fn(&Conn) -> bool) -> usize {
        let Wires { conns, now, rng, .. } = &mut *lock(&self.wires);
        let mut count = 0;
        conns.each(|_, conn| {
            if own(conn) && !conn.is_broken() {
                conn.cut(*now, rng);
                count += 1;
            }
        });
        count
    }

    /// Nothing gets through on the connections that a tag has now before `until`.
    pub fn stall_tagged(&mut self, tag: u32, until: Nanos) {
        self.stall_those(until, |conn| conn.tag == tag);
    }

    fn stall_those(&mut self, until: Nanos, own: impl Fn(&Conn) -> bool) {
        lock(&self.wires).conns.each(|_, conn| {
            if own(conn) {
                conn.up.stall(until);
                conn.down.stall(until);
            }
        });
    }

    /// Makes zero of one byte of what is under way to the engine on the connections of a tag. Returns
    /// how many had anything under way.
    pub fn spoil_tagged(&mut self, tag: u32) -> usize {
        let Wires { conns, rng, .. } = &mut *lock(&self.wires);
        let mut count = 0;
        conns.each(|_, conn| count += usize::from(conn.tag == tag && conn.down.spoil(rng)));
        count
    }

    /// Whether a host turns away new connections.
    pub fn refuse(&mut self, host: usize, refuse: bool) {
        if let Some(own) = lock(&self.wires).refused.get_mut(host) {
            *own = refuse;
        }
    }

    /// Moves the clock, gives new connections their server's end, and notes which have anything to read.
    fn arrive(&mut self, now: Nanos) {
        let wires = &mut *lock(&self.wires);
        wires.now = wires.now.max(now);
        let Wires { conns, hosts, rng, .. } = wires;
        let Net { served, ready, .. } = self;
        ready.clear();
        conns.each(|id, conn| {
            if conn.cut_at <= now {
                conn.cut_at = Nanos::MAX;
                conn.cut(now, rng);
            }
            let host = &hosts[conn.host];
            if conn.open_at <= now && !served.contains(id) {
                served.insert(id, (host.venue, Served::new(ConnId(id))));
            }
            // Chopped bytes draw where they are chopped at each look, whether any are there or not.
            if host.path.chop || conn.up.has_arrived(now) {
                ready.push(id);
            }
        });
    }

    /// Reads what has arrived at one server's end, and says it to its venue.
    fn read(&mut self, id: u64, now: Nanos, venues: &mut dyn Backend) {
        loop {
            let Some((_, served)) = self.served.get_mut(id) else { return };
            let taken = {
                let wires = &mut *lock(&self.wires);
                let Some(conn) = wires.conns.get_mut(id) else { return };
                let chop = wires.hosts[conn.host].path.chop;
                let space = served.space();
                let room = piece(&mut wires.rng, chop, space.len());
                conn.up.take(now, &mut space[..room])
            };
            let Some((count, _)) = taken else { return };
            served.filled(count);
            if !self.hear(id, now, venues) {
                self.hang_up(id, now, venues);
                return;
            }
        }
    }

    /// Hands on all whole inputs of a connection; false when it is over.
    fn hear(&mut self, id: u64, now: Nanos, venues: &mut dyn Backend) -> bool {
        loop {
            let Some((venue, served)) = self.served.get_mut(id) else { return true };
            let venue = *venue;
            let out = &mut self.out;
            let heard = served
                .hear(&mut self.requests, &mut |input: ServerInput<'_>| venues.input(venue, input, now, out));
            self.route(venue, now, venues);
            match heard {
                Heard::Input => {}
                Heard::Nothing => {
                    self.flush(id);
                    return true;
                }
                Heard::Over => return false,
            }
        }
    }

    /// Puts what a venue said on its way.
    fn route(&mut self, venue: usize, now: Nanos, venues: &mut dyn Backend) {
        let mut out = std::mem::take(&mut self.out);
        let mut again = Vec::new();
        for sent in out.drain(..) {
            match sent {
                ServerOut::Binary(ConnId(id), bytes) => {
                    if let Some((own, served)) = self.served.get_mut(id)
                        && *own == venue
                    {
                        served.send_binary(&bytes);
                        self.flush(id);
                    }
                }
                ServerOut::Text(ConnId(id), text) => {
                    if let Some((own, served)) = self.served.get_mut(id)
                        && *own == venue
                    {
                        served.send(&text);
                        self.flush(id);
                    }
                }
                ServerOut::Response { id, status, headers, body } => {
                    let waiting = self.served.iter().find(|(_, (_, served))| served.awaits(id));
                    let waiting = waiting.map(|(conn, _)| conn);
                    if let Some((_, served)) = waiting.and_then(|conn| self.served.get_mut(conn)) {
                        served.respond(id, status, &headers, &body);
                        again.extend(waiting);
                    }
                }
                ServerOut::Close(ConnId(id)) => {
                    if let Some((_, served)) = self.served.get_mut(id) {
                        served.close();
                        again.retain(|other| *other != id);
                        self.hang_up(id, now, venues);
                    }
                }
            }
        }
        // Keeps the buffer, unless a hang-up above has filled another.
        if self.out.is_empty() {
            self.out = out;
        }
        for id in again {
            self.flush(id);
            if !self.hear(id, now, venues) {
                self.hang_up(id, now, venues);
            }
        }
    }

    fn flush(&mut self, id: u64) {
        let Some((_, served)) = self.served.get_mut(id) else { return };
        let wires = &mut *lock(&self.wires);
        served.flush(&mut |bytes| wires.send(id, false, bytes));
    }

    /// Sends what is left, then closes the server's end.
    fn hang_up(&mut self, id: u64, now: Nanos, venues: &mut dyn Backend) {
        self.flush(id);
        let Some((venue, mut served)) = self.served.remove(id) else { return };
        {
            let wires = &mut *lock(&self.wires);
            let due = wires.due(wires.conns.get(id).map_or(0, |conn| conn.host), false);
            if let Some(conn) = wires.conns.get_mut(id) {
                // No new server's end for it.
                conn.open_at = Nanos::MAX;
                conn.down.finish(due);
            }
        }
        if let Some(closed) = served.gone() {
            venues.input(venue, closed, now, &mut self.out);
            self.route(venue, now, venues);
        }
    }

    /// Lets go of connections that are over.
    fn sweep(&mut self, now: Nanos, venues: &mut dyn Backend) {
        let over: Vec<u64> = {
            let wires = lock(&self.wires);
            let own = self.served.numbers().iter().copied();
            own.filter(|id| wires.conns.get(*id).is_none_or(|conn| conn.up.is_over(now))).collect()
        };
        for id in over {
            self.hang_up(id, now, venues);
        }
        let served = &self.served;
        let conns = &mut lock(&self.wires).conns;
        conns.retain(|id, conn| !conn.dropped || served.contains(id) || conn.open_at <= now);
    }
}

impl Wires {
    /// When something sent now arrives.
    fn due(&mut self, host: usize, up: bool) -> Nanos {
        let Some(Host { path, .. }) = self.hosts.get(host) else { return Nanos::MAX };
        if let Some(Some(delays)) = self.delays.get(host) {
            let delay = delays[usize::from(!up)].draw(&mut self.rng);
            return (self.now + delay).max(self.stalled[host]);
        }
        let extra =
            if path.jitter.0 > 0 { self.rng.rand_range(0..path.jitter.0 as u64 + 1) as i64 } else { 0 };
        (self.now + path.latency + Nanos(extra)).max(self.stalled[host])
    }

    fn send(&mut self, id: u64, up: bool, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let Some(host) = self.conns.get(id).map(|conn| conn.host) else { return };
        let due = self.due(host, up);
        if let Some(conn) = self.conns.get_mut(id) {
            if up { &mut conn.up } else { &mut conn.down }.put(due, bytes);
        }
    }
}

impl Conn {
    fn cut(&mut self, now: Nanos, rng: &mut Rand64) {
        self.up.cut(now, rng);
        self.down.cut(now, rng);
    }

    fn is_broken(&self) -> bool {
        self.up.is_over(Nanos::MAX) && self.down.is_over(Nanos::MAX)
    }
}

/// How much to take at once.
fn piece(rng: &mut Rand64, chop: bool, room: usize) -> usize {
    if chop && room > 1 {
        // Short pieces more often than long ones: it is the odd byte that finds a bug.
        let most = room.min(1 << rng.rand_range(0..15)) as u64;
        rng.rand_range(1..most + 1) as usize
    } else {
        room
    }
}

/// A panic while the lock was held has already failed the run.
fn lock(wires: &Mutex<Wires>) -> MutexGuard<'_, Wires> {
    wires.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes virtual links.
#[derive(Clone)]
pub struct NetDial {
    wires: Arc<Mutex<Wires>>,
    tag: u32,
}

impl Dial for NetDial {
    fn dial(&mut self, to: &Endpoint) -> Result<Box<dyn Link>, LinkError> {
        let wires = &mut *lock(&self.wires);
        let at = wires.hosts.iter().position(|host| host.host == to.host && host.port == to.port);
        let refused = match at {
            None => Some("no such host"),
            Some(at) => wires.refused[at].then_some("connection refused"),
        };
        let id = wires.next;
        wires.next += 1;
        if let (Some(host), None) = (at, refused) {
            // There and back once, as TCP's handshake goes.
            let there = wires.due(host, true);
            let back = match &wires.delays[host] {
                Some([_, back]) => back.least(),
                None => wires.hosts[host].path.latency,
            };
            let open_at = (there + back).max(wires.stalled[host]);
            let every = wires.hosts[host].path.cut_every.0;
            let life = if every > 0 { wires.rng.rand_range(0..2 * every as u64) as i64 } else { i64::MAX };
            let (up, down) = (Pipe::default(), Pipe::default());
            let cut_at = wires.now + Nanos(life);
            wires.conns.insert(id, Conn { host, tag: self.tag, open_at, cut_at, up, down, dropped: false });
        }
        Ok(Box::new(NetLink { wires: self.wires.clone(), id, refused, opened: false }))
    }
}

/// The engine's end of a virtual connection.
struct NetLink {
    wires: Arc<Mutex<Wires>>,
    id: u64,
    refused: Option<&'static str>,
    opened: bool,
}

impl Link for NetLink {
    fn ready(&mut self) -> Result<bool, LinkError> {
        if let Some(why) = self.refused {
            return Err(LinkError::Connect(why.to_owned()));
        }
        let wires = lock(&self.wires);
        let conn = wires.conns.get(self.id).ok_or_else(closed)?;
        self.opened |= conn.open_at <= wires.now;
        if !self.opened && conn.down.is_over(wires.now) {
            return Err(LinkError::Connect("connection reset".to_owned()));
        }
        Ok(self.opened)
    }

    fn recv(&mut self, into: &mut [u8]) -> Result<Option<Received>, LinkError> {
        let wires = &mut *lock(&self.wires);
        let conn = wires.conns.get_mut(self.id).ok_or_else(closed)?;
        let chop = wires.hosts[conn.host].path.chop;
        let room = piece(&mut wires.rng, chop, into.len());
        match conn.down.take(wires.now, &mut into[..room]) {
            Some((len, at)) => {
                let wire_ns = u32::try_from((wires.now - at).0).unwrap_or(u32::MAX);
                Ok(Some(Received { len, kernel: Some(at), wire_ns, ticks: 0 }))
            }
            None if conn.down.is_over(wires.now) => Err(closed()),
            None => Ok(None),
        }
    }

    /// As a kernel does, takes bytes for a connection that broke until the break is known.
    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        let wires = &mut *lock(&self.wires);
        let conn = wires.conns.get(self.id).ok_or_else(closed)?;
        if conn.down.is_over(wires.now) {
            return Err(closed());
        }
        wires.send(self.id, true, bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<bool, LinkError> {
        Ok(true)
    }

    fn backlog(&self) -> usize {
        0
    }
}

impl Drop for NetLink {
    fn drop(&mut self) {
        let wires = &mut *lock(&self.wires);
        let Some(host) = wires.conns.get(self.id).map(|conn| conn.host) else { return };
        let due = wires.due(host, true);
        if let Some(conn) = wires.conns.get_mut(self.id) {
            conn.dropped = true;
            conn.up.finish(due);
        }
    }
}

fn closed() -> LinkError {
    LinkError::Closed("by the peer".to_owned())
}

#[cfg(test)]
mod tests;
