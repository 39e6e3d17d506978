//! Where links come from.

use super::{HostClock, TcpLink, TlsLink, TlsRoots};
use crate::types::{Dial, Endpoint, Link, LinkError};

/// Dials real hosts: plain TCP, or TLS where the endpoint says so.
#[derive(Clone)]
pub struct Dialer {
    roots: TlsRoots,
    clock: HostClock,
    kernel_stamps: bool,
}

impl Dialer {
    /// A dialer that trusts these roots, and whose links stamp what they receive by this clock.
    pub fn new(roots: TlsRoots, clock: HostClock) -> Dialer {
        Dialer { roots, clock, kernel_stamps: true }
    }

    /// Whether links ask the kernel when it had the bytes.
    pub fn with_kernel_stamps(self, kernel_stamps: bool) -> Dialer {
        Dialer { kernel_stamps, ..self }
    }
}

impl Dial for Dialer {
    fn dial(&mut self, to: &Endpoint) -> Result<Box<dyn Link>, LinkError> {
        let tcp = TcpLink::connect(&to.host, to.port, self.kernel_stamps, self.clock.clone())?;
        if to.tls {
            return Ok(Box::new(TlsLink::new(tcp, &to.host, &self.roots)?));
        }
        Ok(Box::new(tcp))
    }
}
