//! Links over TLS. No byte of the application leaves before the peer's certificate has been
//! checked: [`Link::ready`] says so only then, and [`Link::send`] refuses until then.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::TcpLink;
use crate::types::{Link, LinkError, Received};

/// Room for encrypted bytes: two records of the largest size.
const CIPHER_ROOM: usize = 2 * 17 * 1024;

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A root certificate that is none.
    #[error("root certificate: {0}")]
    Root(rustls::Error),
    /// The cryptography library offers no usable protocol version.
    #[error("TLS: {0}")]
    Setup(rustls::Error),
}

/// Who is trusted to vouch for a host: the web's certificate authorities, and maybe more.
#[derive(Clone)]
pub struct TlsRoots(Arc<ClientConfig>);

impl TlsRoots {
    /// The web's authorities, and these (DER).
    ///
    /// # Errors
    /// [`TlsError`] when one of them is not a certificate.
    pub fn new(more: &[Vec<u8>]) -> Result<TlsRoots, TlsError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for root in more {
            roots.add(CertificateDer::from(root.as_slice())).map_err(TlsError::Root)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(TlsRoots(Arc::new(config)))
    }
}

/// A TLS connection over TCP, or one in the making.
pub struct TlsLink {
    tcp: TcpLink,
    tls: ClientConnection,
    /// Encrypted bytes that arrived; those in `fed..filled` are not yet decrypted.
    cipher: Box<[u8]>,
    fed: usize,
    filled: usize,
    /// Encrypted bytes on their way out, for one call.
    out: Vec<u8>,
    /// Stamps of the last encrypted bytes.
    stamps: Received,
    broken: Option<LinkError>,
}

impl TlsLink {
    /// TLS over a connection, which may still be in the making, to a host of this name.
    ///
    /// # Errors
    /// [`LinkError::Tls`] when no certificate could name this host.
    pub fn new(tcp: TcpLink, host: &str, roots: &TlsRoots) -> Result<TlsLink, LinkError> {
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(|error| LinkError::Tls(error.to_string()))?;
        let mut tls = ClientConnection::new(roots.0.clone(), name)
            .map_err(|error| LinkError::Tls(error.to_string()))?;
        // What is written is handed to TCP at once, which has its own bound.
        tls.set_buffer_limit(None);
        Ok(TlsLink {
            tcp,
            tls,
            cipher: vec![0; CIPHER_ROOM].into(),
            fed: 0,
            filled: 0,
            out: Vec::with_capacity(CIPHER_ROOM),
            stamps: Received::default(),
            broken: None,
        })
    }

    /// Decrypts what has arrived, and receives more when all is decrypted; false when nothing came.
    fn pull(&mut self) -> Result<bool, LinkError> {
        if self.fed == self.filled {
            let Some(received) = self.tcp.recv(&mut self.cipher)? else { return Ok(false) };
            (self.fed, self.filled, self.stamps) = (0, received.len, received);
        }
        let mut rest = &self.cipher[self.fed..self.filled];
        let read = self.tls.read_tls(&mut rest);
        self.fed = self.filled - rest.len();
        let processed = match read {
            Ok(_) => self.tls.process_new_packets().map_err(|error| LinkError::Tls(error.to_string())),
            Err(error) => Err(LinkError::Closed(error.to_string())),
        };
        // Handshake messages go on, and so does the alert that tells the peer what was wrong.
        let pushed = self.push();
        processed?;
        pushed?;
        Ok(true)
    }

    /// Hands what TLS has to say to TCP, in one piece.
    fn push(&mut self) -> Result<(), LinkError> {
        if !self.tls.wants_write() {
            return Ok(());
        }
        self.out.clear();
        while self.tls.wants_write() {
            self.tls
                .write_tls(&mut Gather(&mut self.out))
                .map_err(|error| LinkError::Closed(error.to_string()))?;
        }
        self.tcp.send(&self.out)
    }

    fn keep<T>(&mut self, result: Result<T, LinkError>) -> Result<T, LinkError> {
        result.inspect_err(|error| self.broken = Some(error.clone()))
    }

    fn drive_handshake(&mut self) -> Result<bool, LinkError> {
        if !self.tcp.ready()? {
            return Ok(false);
        }
        self.push()?;
        while self.tls.is_handshaking() {
            if !self.pull()? {
                self.tcp.flush()?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn read(&mut self, into: &mut [u8]) -> Result<Option<Received>, LinkError> {
        loop {
            match self.tls.reader().read(into) {
                Ok(0) if !into.is_empty() => return Err(LinkError::Closed("by the peer".to_owned())),
                Ok(len) => return Ok(Some(Received { len, ..self.stamps })),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(LinkError::Closed(error.to_string())),
            }
            if !self.pull()? {
                return Ok(None);
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.tls.writer().write_all(bytes).map_err(|error| LinkError::Closed(error.to_string()))?;
        self.push()
    }

    fn check(&self) -> Result<(), LinkError> {
        self.broken.clone().map_or(Ok(()), Err)
    }
}

impl Link for TlsLink {
    fn ready(&mut self) -> Result<bool, LinkError> {
        self.check()?;
        let driven = if self.tls.is_handshaking() { self.drive_handshake() } else { Ok(true) };
        self.keep(driven)
    }

    fn recv(&mut self, into: &mut [u8]) -> Result<Option<Received>, LinkError> {
        self.check()?;
        if self.tls.is_handshaking() && !self.ready()? {
            return Ok(None);
        }
        let read = self.read(into);
        self.keep(read)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.check()?;
        if self.tls.is_handshaking() {
            return Err(LinkError::Tls("the handshake is not done".to_owned()));
        }
        let written = self.write(bytes);
        self.keep(written)
    }

    fn flush(&mut self) -> Result<bool, LinkError> {
        self.check()?;
        let flushed = self.tcp.flush();
        self.keep(flushed)
    }

    fn backlog(&self) -> usize {
        self.tcp.backlog()
    }
}

/// Gathers several slices into one buffer, so that one system call sends them.
struct Gather<'a>(&'a mut Vec<u8>);

impl Write for Gather<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        parts.iter().for_each(|part| self.0.extend_from_slice(part));
        Ok(parts.iter().map(|part| part.len()).sum())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::thread::{self, JoinHandle};
    use std::time::{Duration, Instant};

    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    use rustls::{ServerConfig, ServerConnection};

    use super::*;
    use crate::host::{Dialer, HostClock};
    use crate::types::{Dial, Endpoint};

    /// An authority of our own.
    fn authority() -> (Vec<u8>, Issuer<'static, KeyPair>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let der = params.self_signed(&key).unwrap().der().to_vec();
        (der, Issuer::new(params, key))
    }

    /// A server's certificate for a name, of this authority or of its own.
    fn certificate(
        name: &str,
        issuer: Option<&Issuer<'static, KeyPair>>,
        expired: bool,
    ) -> (Vec<u8>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired {
            params.not_before = date_time_ymd(2019, 1, 1);
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let certificate = match issuer {
            Some(issuer) => params.signed_by(&key, issuer).unwrap(),
            None => params.self_signed(&key).unwrap(),
        };
        (certificate.der().to_vec(), key)
    }

    /// Serves one connection: echoes what comes; returns the application bytes that came.
    fn echo(certificate: Vec<u8>, key: KeyPair) -> (u16, JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(certificate)], key)
            .unwrap();
        let server = thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            let tls = ServerConnection::new(Arc::new(config)).unwrap();
            serve(tls, socket)
        });
        (port, server)
    }

    fn serve(tls: ServerConnection, socket: TcpStream) -> Vec<u8> {
        let mut stream = rustls::StreamOwned::new(tls, socket);
        let (mut all, mut buffer) = (Vec::new(), [0; 10_000]);
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            all.extend_from_slice(&buffer[..count]);
            if stream.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        all
    }

    fn open(port: u16, roots: &[Vec<u8>]) -> Result<Box<dyn Link>, LinkError> {
        let to = Endpoint::parse(&format!("wss://localhost:{port}/")).unwrap();
        let mut link = Dialer::new(TlsRoots::new(roots).unwrap(), HostClock::new()).dial(&to)?;
        let start = Instant::now();
        while !link.ready()? {
            assert!(link.send(b"secret").is_err(), "nothing leaves before the certificate is checked");
            assert!(start.elapsed() < Duration::from_secs(10), "took too long");
            thread::sleep(Duration::from_micros(100));
        }
        Ok(link)
    }

    #[test]
    fn a_trusted_host_is_talked_to() {
        let (root, issuer) = authority();
        let (certificate, key) = certificate("localhost", Some(&issuer), false);
        let (port, server) = echo(certificate, key);
        let mut link = open(port, &[root]).unwrap();
        let bytes: Vec<u8> = (0..500_000u32).map(|i| (i / 7) as u8).collect();
        let (mut sent, mut got, mut buffer) = (0, Vec::new(), [0; 5000]);
        while got.len() < bytes.len() {
            if sent < bytes.len() && link.backlog() < 100_000 {
                let piece = &bytes[sent..bytes.len().min(sent + 33_333)];
                link.send(piece).unwrap();
                sent += piece.len();
            }
            link.flush().unwrap();
            if let Some(received) = link.recv(&mut buffer).unwrap() {
                got.extend_from_slice(&buffer[..received.len]);
            }
        }
        assert!(got == bytes);
        drop(link);
        assert!(server.join().unwrap() == bytes);
    }

    #[test]
    fn a_host_that_cannot_prove_its_name_gets_no_byte() {
        let (root, issuer) = authority();
        for (what, (certificate, key), want) in [
            ("self-signed", certificate("localhost", None, false), "UnknownIssuer"),
            ("wrong host", certificate("elsewhere.test", Some(&issuer), false), "not valid for name"),
            ("expired", certificate("localhost", Some(&issuer), true), "expired"),
        ] {
            let (port, server) = echo(certificate, key);
            let error = open(port, std::slice::from_ref(&root)).err();
            let Some(LinkError::Tls(text)) = &error else { panic!("{what}: {error:?}") };
            assert!(text.contains(want), "{what}: {text}");
            assert_eq!(server.join().unwrap(), b"", "{what}");
        }
    }

    #[test]
    fn plain_bytes_are_no_tls() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            socket.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").unwrap();
            let mut all = Vec::new();
            let _ = socket.read_to_end(&mut all);
            all
        });
        assert!(matches!(open(port, &[]), Err(LinkError::Tls(_))));
        let came = server.join().unwrap();
        assert!(!came.windows(6).any(|bytes| bytes == b"secret"));
    }
}
