//! Subscriptions of a connection: at most ten topics a request in spot, and at most so much text of
//! topics in all.

use crate::types::Nanos;

/// Topics of one request.
const BATCH: usize = 10;
/// Most text of all topics of a connection.
const MAX_TEXT: usize = 21_000;
/// Between two requests.
const PAUSE: Nanos = Nanos::from_millis(100);

/// What is still to be asked for.
#[derive(Default, Debug)]
pub struct Subscriptions {
    /// Requests, the last one first.
    waiting: Vec<String>,
    next_at: Nanos,
}

impl Subscriptions {
    /// The requests for those topics. Topics beyond the limit get none: their books stay without
    /// data, and never become live.
    pub fn new(mut topics: Vec<String>) -> Subscriptions {
        let mut text = 0;
        let fitting = topics.iter().take_while(|topic| {
            text += topic.len();
            text <= MAX_TEXT
        });
        let fitting = fitting.count();
        topics.truncate(fitting);
        let batches = topics.chunks(BATCH).map(|topics| {
            let args = serde_json::Value::from(topics);
            format!(r#"{{"req_id":"topics","op":"subscribe","args":{args}}}"#)
        });
        let mut waiting: Vec<String> = batches.collect();
        waiting.reverse();
        Subscriptions { waiting, next_at: Nanos::ZERO }
    }

    /// The next request, when it is time for one.
    pub fn next(&mut self, now: Nanos) -> Option<String> {
        if now < self.next_at {
            return None;
        }
        let text = self.waiting.pop()?;
        self.next_at = now + PAUSE;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_topics_go_out_in_requests_within_the_venues_limits() {
        for (count, requests, told) in [(0, 0, 0), (1, 1, 1), (23, 3, 23), (5_000, 96, 954)] {
            let topics = (0..count).map(|i| format!("orderbook.200.SYMB{i:04}")).collect();
            let mut all = Subscriptions::new(topics);
            let mut sent = Vec::new();
            for ms in (0..20_000).step_by(10) {
                sent.extend(
                    all.next(Nanos::from_millis(ms)).map(|text| (ms, text.matches("orderbook.").count())),
                );
            }
            assert_eq!(sent.len(), requests);
            assert_eq!(sent.iter().map(|(_, topics)| topics).sum::<usize>(), told);
            assert!(sent.iter().all(|(_, topics)| *topics <= 10));
            assert!(sent.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 100));
        }
        let text = Subscriptions::new(vec!["orderbook.50.BTCUSDT".to_owned()]).next(Nanos::ZERO).unwrap();
        assert_eq!(text, r#"{"req_id":"topics","op":"subscribe","args":["orderbook.50.BTCUSDT"]}"#);
    }
}
