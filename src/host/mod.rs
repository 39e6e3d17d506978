//! The only home of threads, sockets and real clocks.
//!
//! [`Dialer`] makes links over TCP and TLS, [`HostClock`] tells the time, [`pinned`] and
//! [`shared`] turn roles on threads, [`Listening`] puts simulated venues on loopback ports, and
//! [`NonceFile`] keeps on disk which nonces were used.

mod clock;
mod dial;
mod interrupt;
mod listen;
mod nonces;
mod tcp;
mod threads;
mod tls;

pub use clock::HostClock;
pub use dial::Dialer;
pub use interrupt::on_interrupt;
pub use listen::{Counts, ListenConfig, Listening, serve};
pub use nonces::{Found, NonceFile};
pub use tcp::TcpLink;
pub use threads::{Stop, Threads, cores, pinned, shared};
pub use tls::{TlsError, TlsLink, TlsRoots};
