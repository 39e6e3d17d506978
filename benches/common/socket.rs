//! A WebSocket client with its handshake behind it, and frames as a server sends them.

use xarb::wire::ws::{Limits, Message, Ws};

/// A client whose handshake is done.
pub fn open_socket() -> Ws {
    let to = xarb::types::Endpoint::parse("ws://127.0.0.1/").unwrap();
    let mut client = Ws::client(&to, &[], 1, Limits::DEFAULT).expect("a client");
    let mut server = Ws::server(Limits::DEFAULT);
    server.receive(client.out());
    assert!(server.next().expect("an upgrade").is_none() || server.upgrade().is_some());
    server.accept();
    client.receive(server.out());
    assert!(matches!(client.next(), Ok(Some(Message::Open))));
    client
}

pub fn server_frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    match payload.len() {
        length @ 0..126 => frame.push(length as u8),
        length @ 126..65_536 => {
            frame.push(126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}
