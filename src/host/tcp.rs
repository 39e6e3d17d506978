//! Links over TCP.
//!
//! Names are looked up and connections made on a thread of their own, since both may take seconds
//! and neither can be polled; from then on the socket never blocks. On Linux each receive brings
//! the kernel's stamp of the bytes along.

use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use super::HostClock;
use super::clock::system_time;
use crate::types::{Link, LinkError, Received, Stopwatch};

/// Time to connect to one address.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes that may wait for the kernel before the link is given up: the peer does not read.
const BACKLOG_MAX: usize = 8 << 20;

enum State {
    Connecting(Receiver<Result<TcpStream, String>>),
    Up(TcpStream),
    Broken(LinkError),
}

/// A TCP connection, or one in the making.
pub struct TcpLink {
    state: State,
    /// Bytes that the kernel did not take, from `taken` on.
    backlog: Vec<u8>,
    taken: usize,
    clock: HostClock,
}

impl TcpLink {
    /// Starts to connect; never blocks. The clock stamps what is received, and the kernel too where it
    /// is asked to.
    ///
    /// # Errors
    /// [`LinkError::Connect`] when no thread could be started for it.
    pub fn connect(
        host: &str,
        port: u16,
        kernel_stamps: bool,
        clock: HostClock,
    ) -> Result<TcpLink, LinkError> {
        let (done, outcome) = channel();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        thread::Builder::new()
            .name("connect".to_owned())
            .spawn(move || {
                // The link may be gone by then; nobody wants the socket in that case.
                let _ = done.send(connect(&host, port, kernel_stamps));
            })
            .map_err(|error| LinkError::Connect(error.to_string()))?;
        Ok(TcpLink { state: State::Connecting(outcome), backlog: Vec::new(), taken: 0, clock })
    }

    fn up(&mut self) -> Result<&mut TcpStream, LinkError> {
        match &mut self.state {
            State::Up(stream) => Ok(stream),
            State::Connecting(_) => Err(LinkError::Connect("not connected yet".to_owned())),
            State::Broken(error) => Err(error.clone()),
        }
    }

    fn broken(&mut self, error: LinkError) -> LinkError {
        self.state = State::Broken(error.clone());
        error
    }

    /// Writes as much as the kernel takes; returns how much.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, LinkError> {
        let stream = self.up()?;
        let mut written = 0;
        while written < bytes.len() {
            match stream.write(&bytes[written..]) {
                Ok(0) => return Err(self.broken(LinkError::Closed("nothing more is taken".to_owned()))),
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken(LinkError::Closed(error.to_string()))),
            }
        }
        Ok(written)
    }
}

fn connect(host: &str, port: u16, kernel_stamps: bool) -> Result<TcpStream, String> {
    let addresses: Vec<SocketAddr> =
        (host, port).to_socket_addrs().map_err(|error| error.to_string())?.collect();
    let mut last = format!("`{host}` has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(stream) => return prepare(stream, kernel_stamps).map_err(|error| error.to_string()),
            Err(error) => last = format!("{address}: {error}"),
        }
    }
    Err(last)
}

fn prepare(stream: TcpStream, kernel_stamps: bool) -> std::io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    #[cfg(target_os = "linux")]
    if kernel_stamps {
        stamps::enable(&stream);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = kernel_stamps;
    Ok(stream)
}

impl Link for TcpLink {
    fn ready(&mut self) -> Result<bool, LinkError> {
        match &self.state {
            State::Up(_) => Ok(true),
            State::Broken(error) => Err(error.clone()),
            State::Connecting(outcome) => match outcome.try_recv() {
                Err(TryRecvError::Empty) => Ok(false),
                Ok(Ok(stream)) => {
                    self.state = State::Up(stream);
                    Ok(true)
                }
                Ok(Err(text)) => Err(self.broken(LinkError::Connect(text))),
                Err(TryRecvError::Disconnected) => {
                    Err(self.broken(LinkError::Connect("the attempt was lost".to_owned())))
                }
            },
        }
    }

    fn recv(&mut self, into: &mut [u8]) -> Result<Option<Received>, LinkError> {
        if into.is_empty() {
            return Ok(None);
        }
        let stream = self.up()?;
        #[cfg(target_os = "linux")]
        let read = stamps::recv(stream, into);
        #[cfg(not(target_os = "linux"))]
        let read = std::io::Read::read(stream, into).map(|len| (len, None));
        match read {
            Ok((0, _)) => Err(self.broken(LinkError::Closed("by the peer".to_owned()))),
            Ok((len, kernel)) => {
                let ticks = self.clock.ticks();
                // The kernel stamps by the system's clock, so that clock tells how long ago it was.
                let wire = kernel.map_or(0, |kernel| (system_time() - kernel).0);
                let wire_ns = u32::try_from(wire.max(0)).unwrap_or(u32::MAX);
                Ok(Some(Received { len, kernel, wire_ns, ticks }))
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
            Err(error) => Err(self.broken(LinkError::Closed(error.to_string()))),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        let written = if self.flush()? { self.write(bytes)? } else { 0 };
        let rest = &bytes[written..];
        if self.backlog() + rest.len() > BACKLOG_MAX {
            return Err(self.broken(LinkError::Closed(format!("{BACKLOG_MAX} bytes wait to be sent"))));
        }
        self.backlog.extend_from_slice(rest);
        Ok(())
    }

    fn flush(&mut self) -> Result<bool, LinkError> {
        if self.backlog.is_empty() {
            return Ok(true);
        }
        let backlog = std::mem::take(&mut self.backlog);
        let written = self.write(&backlog[self.taken..]);
        self.backlog = backlog;
        self.taken += written?;
        if self.taken == self.backlog.len() {
            self.backlog.clear();
            self.taken = 0;
        } else if self.taken > 1 << 20 {
            self.backlog.drain(..self.taken);
            self.taken = 0;
        }
        Ok(self.backlog.is_empty())
    }

    fn backlog(&self) -> usize {
        self.backlog.len() - self.taken
    }
}

/// Receive stamps of the Linux kernel.
#[cfg(target_os = "linux")]
mod stamps {
    use std::io;
    use std::mem::size_of;
    use std::net::TcpStream;
    use std::os::fd::AsRawFd;

    use crate::types::Nanos;

    /// Asks for stamps. Without them the engine works as well, so a refusal is no error.
    pub fn enable(stream: &TcpStream) {
        let on: libc::c_int = 1;
        let size = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: the descriptor is open, since `stream` is borrowed; the option's value is a
        // `c_int` that lives until the call returns, and its size is told.
        unsafe {
            libc::setsockopt(
                stream.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_TIMESTAMPNS,
                (&raw const on).cast(),
                size,
            );
        }
    }

    /// Room for control messages, aligned as they must be; a stamp needs 32 bytes of it.
    #[repr(C, align(8))]
    struct Control([u8; 64]);

    /// Reads what has arrived, with the kernel's stamp of the last bytes where there is one.
    pub fn recv(stream: &TcpStream, into: &mut [u8]) -> io::Result<(usize, Option<Nanos>)> {
        let mut control = Control([0; 64]);
        let mut part = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
        // SAFETY: `msghdr` is a plain C struct for which all zeros is a valid, empty value.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = control.0.len();
        // SAFETY: the descriptor is open, since `stream` is borrowed. The message names one part,
        // which is `into` and writable for its whole length, and a control buffer that is writable
        // for the length told; all of them outlive the call.
        let len = unsafe { libc::recvmsg(stream.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) };
        let len = usize::try_from(len).map_err(|_| io::Error::last_os_error())?;
        Ok((len, stamp(&message)))
    }

    fn stamp(message: &libc::msghdr) -> Option<Nanos> {
        // SAFETY: `message` was filled by `recvmsg`, so `msg_control` and `msg_controllen` tell the
        // part of the control buffer that the kernel wrote; the macro gives its first header, or
        // null when there is none.
        let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
        while !header.is_null() {
            // SAFETY: not null, so it points at a whole header inside the buffer, which is aligned
            // for it.
            let found = unsafe { header.read() };
            let whole = found.cmsg_len >= size_of::<libc::cmsghdr>() + size_of::<libc::timespec>();
            if found.cmsg_level == libc::SOL_SOCKET && found.cmsg_type == libc::SCM_TIMESTAMPNS && whole {
                // SAFETY: the header says that a `timespec` follows it inside the buffer; it is read
                // without any claim on its alignment.
                let time = unsafe { libc::CMSG_DATA(header).cast::<libc::timespec>().read_unaligned() };
                return Some(Nanos(time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)));
            }
            // SAFETY: as for the first; the macro stays inside the buffer or gives null.
            header = unsafe { libc::CMSG_NXTHDR(message, header) };
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;
    use std::time::Instant;

    use super::*;
    use crate::types::Clock;

    fn wait<T>(mut poll: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(value) = poll() {
                return value;
            }
            assert!(start.elapsed() < Duration::from_secs(10), "took too long");
            thread::sleep(Duration::from_micros(100));
        }
    }

    #[test]
    fn bytes_go_both_ways_and_carry_the_kernels_stamp() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let clock = HostClock::new();
        let mut link =
            TcpLink::connect("localhost", listener.local_addr().unwrap().port(), true, clock.clone())
                .unwrap();
        assert!(matches!(link.send(b"early"), Err(LinkError::Connect(_))));
        let (mut peer, _) = listener.accept().unwrap();
        wait(|| link.ready().unwrap().then_some(()));
        let mut buffer = [0; 100];
        assert_eq!(link.recv(&mut buffer), Ok(None));
        let before = clock.now();
        peer.write_all(b"hello").unwrap();
        let received = wait(|| link.recv(&mut buffer).unwrap());
        assert_eq!(&buffer[..received.len], b"hello");
        assert!(received.ticks > 0);
        if let Some(kernel) = received.kernel {
            let delay = (kernel - before).0;
            assert!((-20_000_000..1_000_000_000).contains(&delay), "{delay}");
            assert!((1..1_000_000_000).contains(&received.wire_ns), "{}", received.wire_ns);
        }
        link.send(b"hi").unwrap();
        peer.read_exact(&mut buffer[..2]).unwrap();
        assert_eq!(&buffer[..2], b"hi");
        drop(peer);
        let end = wait(|| link.recv(&mut buffer).err());
        assert!(matches!(end, LinkError::Closed(_)));
        assert_eq!(link.ready(), Err(end));
    }

    #[test]
    fn what_the_kernel_does_not_take_is_kept_in_order() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut link =
            TcpLink::connect("127.0.0.1", listener.local_addr().unwrap().port(), true, HostClock::new())
                .unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        wait(|| link.ready().unwrap().then_some(()));
        let bytes: Vec<u8> = (0..7_000_000u32).map(|i| (i / 3) as u8).collect();
        for piece in bytes.chunks(70_001) {
            link.send(piece).unwrap();
        }
        assert!(link.backlog() > 0);
        let reader = thread::spawn(move || {
            let mut all = vec![0; 7_000_000];
            peer.read_exact(&mut all).unwrap();
            (peer, all)
        });
        wait(|| link.flush().unwrap().then_some(()));
        let (_peer, all) = reader.join().unwrap();
        assert!(all == bytes);
        // A peer that never reads costs bounded memory.
        let piece = vec![0; 1 << 20];
        let error = (0..64).find_map(|_| link.send(&piece).err());
        assert!(matches!(error, Some(LinkError::Closed(_))), "{error:?}");
        assert!(link.backlog() <= BACKLOG_MAX);
    }

    #[test]
    fn a_failed_attempt_is_told_by_ready() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut link = TcpLink::connect("127.0.0.1", port, true, HostClock::new()).unwrap();
        let error = wait(|| link.ready().err());
        assert!(matches!(error, LinkError::Connect(_)), "{error:?}");
    }
}
