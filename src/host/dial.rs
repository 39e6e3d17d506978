//! Where links come from.

use super::{HostClock, TcpLink, TlsLink, TlsRoots};
use crate::types::{Dial, Endpoint, Link, LinkError};

/// Dials real hosts: plain TCP, or TLS where the endpoint says so.
#[derive(Clone)]
pub struct Dialer {
    roots: TlsRoots,
    clock: HostClock,
}

impl Dialer {
    /// A dialer that trusts these roots, and whose links stamp what they receive by this clock.
    pub fn new(roots: TlsRoots, clock: HostClock) -> Dialer {
        Dialer { roots, clock }
    }
}

impl Dial for Dialer {
    fn dial(&mut self, to: &Endpoint) -> Result<Box<dyn Link>, LinkError> {
        let tcp = TcpLink::connect(&to.host, to.port, self.clock.clone())?;
        if to.tls {
            return Ok(Box::new(TlsLink::new(tcp, &to.host, &self.roots)?));
        }
        Ok(Box::new(tcp))
    }
}
