//! What a tap saw of a private side, fed back in the place of connections.

use std::collections::VecDeque;

use crate::venue::{GatewayInput, Lane};
use crate::wire::PaddedBuf;

/// Inputs that are still to be taken.
#[derive(Default)]
pub(super) struct Script {
    inputs: VecDeque<Kept>,
    /// Tokens of requests that were asked and not answered yet.
    asked: Vec<u128>,
}

/// An input, kept.
struct Kept {
    what: What,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy)]
enum What {
    Opened(Lane),
    Closed(Lane),
    Text(Lane),
    Response { token: u128, status: u16 },
    Failed { token: u128, sent: bool },
}

impl Script {
    /// Keeps an input for the next turn. That time passed is no input here: whoever turns the gateway
    /// says so.
    pub fn keep(&mut self, input: &GatewayInput<'_>) {
        let (what, bytes) = match *input {
            GatewayInput::Opened(lane) => (What::Opened(lane), &[][..]),
            GatewayInput::Closed(lane) => (What::Closed(lane), &[][..]),
            GatewayInput::Text(lane, text) => (What::Text(lane), text.message()),
            GatewayInput::Response { token, status, body, .. } => (What::Response { token, status }, body),
            GatewayInput::Failed { token, sent } => (What::Failed { token, sent }, &[][..]),
            GatewayInput::Tick => return,
        };
        self.inputs.push_back(Kept { what, bytes: bytes.to_vec() });
    }

    /// Shows the next input that came over a connection to `take`; false when there is none. A request
    /// that failed as it was asked is an input of that moment, and waits for it.
    pub fn next(&mut self, padded: &mut PaddedBuf, take: impl FnOnce(GatewayInput<'_>)) -> bool {
        match self.inputs.front().map(|kept| kept.what) {
            None => return false,
            Some(What::Failed { token, .. }) if !self.asked.contains(&token) => return false,
            Some(What::Failed { token, .. } | What::Response { token, .. }) => {
                self.asked.retain(|asked| *asked != token);
            }
            Some(What::Opened(_) | What::Closed(_) | What::Text(_)) => {}
        }
        let Some(Kept { what, bytes }) = self.inputs.pop_front() else { return false };
        take(match what {
            What::Opened(lane) => GatewayInput::Opened(lane),
            What::Closed(lane) => GatewayInput::Closed(lane),
            What::Text(lane) => GatewayInput::Text(lane, padded.fill(&bytes)),
            What::Response { token, status } => {
                GatewayInput::Response { token, status, headers: &[], body: &bytes }
            }
            What::Failed { token, sent } => GatewayInput::Failed { token, sent },
        });
        true
    }

    /// A request is asked: whether it failed at once, and if so, whether any of it may have left.
    pub fn ask(&mut self, token: u128) -> Option<bool> {
        match self.inputs.front().map(|kept| kept.what) {
            Some(What::Failed { token: failed, sent }) if failed == token => {
                self.inputs.pop_front();
                Some(sent)
            }
            _ => {
                self.asked.push(token);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes next, in words.
    fn next(script: &mut Script) -> String {
        let mut told = String::from("nothing");
        script.next(&mut PaddedBuf::default(), |input| {
            told = match input {
                GatewayInput::Text(_, text) => String::from_utf8_lossy(text.message()).into_owned(),
                GatewayInput::Failed { token, sent } => format!("failed {token} {sent}"),
                GatewayInput::Response { token, status, .. } => format!("response {token} {status}"),
                _ => "other".to_owned(),
            };
        });
        told
    }

    #[test]
    fn a_failure_waits_for_its_question() {
        let mut script = Script::default();
        let mut padded = PaddedBuf::default();
        script.keep(&GatewayInput::Opened(Lane::Rest));
        script.keep(&GatewayInput::Tick);
        script.keep(&GatewayInput::Text(Lane::Orders, padded.fill(b"news")));
        script.keep(&GatewayInput::Failed { token: 7, sent: false });
        script.keep(&GatewayInput::Response { token: 8, status: 200, headers: &[], body: b"" });
        script.keep(&GatewayInput::Failed { token: 9, sent: true });
        assert_eq!(script.ask(9), None, "its failure comes later");
        assert_eq!([next(&mut script), next(&mut script), next(&mut script)], ["other", "news", "nothing"]);
        assert_eq!(script.ask(7), Some(false));
        assert_eq!([next(&mut script), next(&mut script)], ["response 8 200", "failed 9 true"]);
        assert_eq!(next(&mut script), "nothing");
    }
}
