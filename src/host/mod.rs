//! The only home of threads, sockets and real clocks.
//!
//! [`Dialer`] makes links over TCP and TLS, [`HostClock`] tells the time, [`pinned`] and
//! [`shared`] turn roles on threads, and [`Listening`] puts simulated venues on loopback ports.

mod clock;
mod dial;
mod interrupt;
mod listen;
mod tcp;
mod threads;
mod tls;

pub use clock::HostClock;
pub use dial::Dialer;
pub use interrupt::on_interrupt;
pub use listen::{Counts, ListenConfig, Listening, serve};
pub use tcp::TcpLink;
pub use threads::{Stop, Threads, cores, pinned, shared};
pub use tls::{TlsError, TlsLink, TlsRoots};
