//! Requests in no hurry: one description, sent over REST or the WebSocket API.

use serde_json::{Map, Value};

use super::sign::{Signer, percent_encode};
use crate::types::{Endpoint, Nanos};
use crate::venue::HttpRequest;

/// A request by both its names.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// WebSocket API method; empty where it has none.
    pub ws: &'static str,
    /// HTTP method.
    pub verb: &'static str,
    /// REST path.
    pub path: &'static str,
    /// Parameters, without time, window, key and signature.
    pub params: Vec<(&'static str, Value)>,
    /// Needs key, time and signature.
    pub signed: bool,
    /// Needs the key alone.
    pub keyed: bool,
}

impl Call {
    /// A signed call without parameters.
    pub fn new(ws: &'static str, verb: &'static str, path: &'static str) -> Call {
        Call { ws, verb, path, params: Vec::new(), signed: true, keyed: false }
    }

    /// A signed call without parameters, by its names in a market.
    pub fn of((ws, verb, path): super::desk::Names) -> Call {
        Call::new(ws, verb, path)
    }

    /// The same without key and signature.
    pub fn public(self) -> Call {
        Call { signed: false, ..self }
    }

    /// The same with the key, and no signature.
    pub fn keyed(self) -> Call {
        Call { signed: false, keyed: true, ..self }
    }

    /// Adds a parameter.
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Call {
        self.params.push((name, value.into()));
        self
    }

    /// The REST request, all parameters in the query, the signature last.
    pub fn http(&self, key: &str, signer: &Signer, window_ms: u32, time: Nanos) -> HttpRequest {
        let mut query = String::new();
        for (name, value) in &self.params {
            push(&mut query, name, &percent_encode(&plain(value)));
        }
        let mut headers = Vec::new();
        if self.signed {
            push(&mut query, "recvWindow", &window_ms.to_string());
            push(&mut query, "timestamp", &time.millis().to_string());
            let signature = signer.sign_url(query.as_bytes());
            push(&mut query, "signature", &signature);
        }
        if self.signed || self.keyed {
            headers.push(("X-MBX-APIKEY", key.to_owned()));
        }
        let target = if query.is_empty() { self.path.to_owned() } else { format!("{}?{query}", self.path) };
        HttpRequest { method: self.verb, target, headers, body: Vec::new() }
    }

    /// The WebSocket request. `session` = the connection is logged on, so no signature is needed.
    pub fn frame(
        &self,
        id: &str,
        session: bool,
        key: &str,
        signer: &Signer,
        window_ms: u32,
        time: Nanos,
    ) -> String {
        let mut params: Map<String, Value> =
            self.params.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        if self.signed {
            params.insert("recvWindow".to_owned(), window_ms.into());
            params.insert("timestamp".to_owned(), time.millis().into());
            if !session {
                sign_params(&mut params, key, signer);
            }
        }
        request(id, self.ws, params)
    }
}

/// The login of a session: Ed25519 keys only.
pub fn logon(id: &str, key: &str, signer: &Signer, time: Nanos) -> String {
    let mut params = Map::new();
    params.insert("timestamp".to_owned(), time.millis().into());
    sign_params(&mut params, key, signer);
    request(id, "session.logon", params)
}

/// The subscription to the account's events: of the session's account, or by its own signature.
pub fn subscribe(id: &str, session: bool, key: &str, signer: &Signer, time: Nanos) -> String {
    let mut params = Map::new();
    if session {
        return request(id, "userDataStream.subscribe", params);
    }
    params.insert("timestamp".to_owned(), time.millis().into());
    sign_params(&mut params, key, signer);
    request(id, "userDataStream.subscribe.signature", params)
}

/// Adds the key, and the signature over all parameters in alphabetical order.
fn sign_params(params: &mut Map<String, Value>, key: &str, signer: &Signer) {
    params.insert("apiKey".to_owned(), key.into());
    let payload = payload(params.iter().map(|(name, value)| (name.as_str(), value)));
    params.insert("signature".to_owned(), signer.sign(payload.as_bytes()).into());
}

/// `name=value` of all parameters but the signature, in alphabetical order, as they are.
pub fn payload<'a>(params: impl Iterator<Item = (&'a str, &'a Value)>) -> String {
    let mut sorted: Vec<_> = params.filter(|(name, _)| *name != "signature").collect();
    sorted.sort_by_key(|(name, _)| *name);
    let mut text = String::new();
    for (name, value) in sorted {
        push(&mut text, name, &plain(value));
    }
    text
}

fn request(id: &str, method: &str, params: Map<String, Value>) -> String {
    let (id, method) = (Value::from(id), Value::from(method));
    if params.is_empty() {
        return format!(r#"{{"id":{id},"method":{method}}}"#);
    }
    format!(r#"{{"id":{id},"method":{method},"params":{}}}"#, Value::Object(params))
}

fn push(text: &mut String, name: &str, value: &str) {
    if !text.is_empty() {
        text.push('&');
    }
    text.push_str(name);
    text.push('=');
    text.push_str(value);
}

/// A parameter as it stands in a signed text: strings without quotes.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The whole URL of a target at an endpoint.
pub fn url(rest: &Endpoint, target: &str) -> String {
    rest.with_target(target).to_string()
}
