//! The server's end of one virtual connection: bytes to requests and messages, by the server role
//! of the engine's own codecs.

use crate::venue::{ConnId, RequestId, ServerInput};
use crate::wire::http::{HttpLimits, HttpServer, Incoming};
use crate::wire::ws::{Limits, Message, Ws};

/// Where a connection's bytes come from, as the venue sees it.
const PEER: &str = "127.0.0.1";

/// What became of the bytes.
pub(super) enum Heard {
    /// Hand this on, then ask again.
    Input,
    /// Nothing whole yet.
    Nothing,
    /// The client has closed or broke the protocol: once what is to be sent is sent, close.
    Over,
}

enum End {
    /// Taken only while one turns into the other.
    Between,
    Http(HttpServer),
    Ws(Ws),
}

/// A connection from the first byte of its first request on.
pub(super) struct Served {
    conn: ConnId,
    end: End,
    /// The server was told of a WebSocket, and not yet of its end.
    opened: bool,
    awaited: Option<RequestId>,
}

impl Served {
    pub fn new(conn: ConnId) -> Served {
        Served { conn, end: End::Http(HttpServer::new(HttpLimits::default())), opened: false, awaited: None }
    }

    /// Where received bytes go. Empty while a request waits for its answer and another whole one
    /// waits behind it.
    pub fn space(&mut self) -> &mut [u8] {
        match &mut self.end {
            End::Between => &mut [],
            End::Ws(ws) => ws.space(),
            End::Http(http) => http.space(),
        }
    }

    /// `count` bytes were written to the front of [`Served::space`].
    pub fn filled(&mut self, count: usize) {
        match &mut self.end {
            End::Between => {}
            End::Ws(ws) => ws.filled(count),
            End::Http(http) => http.filled(count),
        }
    }

    /// Reads on, and hands what it finds to `to`. `ids` gives the next request's number.
    pub fn hear(&mut self, ids: &mut u64, to: &mut dyn FnMut(ServerInput<'_>)) -> Heard {
        if let End::Http(http) = &mut self.end {
            if http.is_over() {
                return Heard::Over;
            }
            match http.next() {
                Ok(None) => return Heard::Nothing,
                Err(_) => return Heard::Over,
                Ok(Some(Incoming::Request(request))) => {
                    *ids += 1;
                    self.awaited = Some(RequestId(*ids));
                    to(ServerInput::Request {
                        id: RequestId(*ids),
                        method: request.method,
                        target: request.target,
                        headers: request.headers,
                        body: request.body,
                        peer: PEER,
                    });
                    return Heard::Input;
                }
                Ok(Some(Incoming::Upgrade)) => {
                    if let End::Http(http) = std::mem::replace(&mut self.end, End::Between) {
                        self.end = End::Ws(http.into_websocket(Limits::default()));
                    }
                }
            }
        }
        let End::Ws(ws) = &mut self.end else { return Heard::Nothing };
        match ws.next() {
            Ok(None) => Heard::Nothing,
            Ok(Some(Message::Open)) => {
                let Some(upgrade) = ws.upgrade().cloned() else { return Heard::Over };
                ws.accept();
                self.opened = true;
                to(ServerInput::Opened {
                    conn: self.conn,
                    target: &upgrade.target,
                    headers: &upgrade.headers,
                    peer: PEER,
                });
                Heard::Input
            }
            Ok(Some(Message::Text(text))) => {
                // Known to be UTF-8.
                to(ServerInput::Text(self.conn, std::str::from_utf8(text.message()).unwrap_or_default()));
                Heard::Input
            }
            Ok(Some(Message::Binary(_) | Message::Pong(_))) => Heard::Input,
            Ok(Some(Message::Closed { .. })) | Err(_) => Heard::Over,
        }
    }

    /// Sends a text message; false when this is no open WebSocket.
    pub fn send(&mut self, text: &str) -> bool {
        if let End::Ws(ws) = &mut self.end { ws.send_text(text) } else { false }
    }

    /// Sends a binary message; false when this is no open WebSocket.
    pub fn send_binary(&mut self, bytes: &[u8]) -> bool {
        if let End::Ws(ws) = &mut self.end { ws.send_binary(bytes) } else { false }
    }

    /// Answers the request under way; false when it is not that one. After it, there may be more to
    /// hear.
    pub fn respond(&mut self, id: RequestId, status: u16, headers: &[(String, String)], body: &str) -> bool {
        match &mut self.end {
            End::Http(http) if self.awaited == Some(id) => {
                self.awaited = None;
                http.respond(status, headers, body.as_bytes()).is_ok()
            }
            _ => false,
        }
    }

    /// True for the request that this connection waits for.
    pub fn awaits(&self, id: RequestId) -> bool {
        self.awaited == Some(id)
    }

    /// Queues a close frame.
    pub fn close(&mut self) {
        if let End::Ws(ws) = &mut self.end {
            ws.close(1001, "");
        }
    }

    /// What must be told to the server when this connection is gone, once.
    pub fn gone(&mut self) -> Option<ServerInput<'static>> {
        std::mem::take(&mut self.opened).then_some(ServerInput::Closed(self.conn))
    }

    /// Hands everything that is to be sent to `to`.
    pub fn flush(&mut self, to: &mut dyn FnMut(&[u8])) {
        match &mut self.end {
            End::Between => {}
            End::Http(http) => {
                to(http.out());
                http.sent(http.out().len());
            }
            End::Ws(ws) => {
                to(ws.out());
                ws.sent(ws.out().len());
            }
        }
    }
}
