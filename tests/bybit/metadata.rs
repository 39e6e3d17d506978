//! Instruments that come in pages: all of them are loaded, over the real loader and the venue's own end.

use std::sync::{Arc, Mutex};

use oorandom::Rand64;
use xarb::engine::{MetadataError, MetadataLoader};
use xarb::sim::exchange::{ExchangeConfig, Knobs, Rates, SimExchange};
use xarb::types::*;
use xarb::venue::*;
use xarb::wire::http::{HttpLimits, HttpServer, Incoming};

use crate::world::{START, spec};

/// Path and query to status and body.
type Answers = Arc<Mutex<dyn FnMut(&str) -> (u16, String) + Send>>;

/// A connection to something that answers at once.
struct Desk(HttpServer, Answers);

impl Link for Desk {
    fn ready(&mut self) -> Result<bool, LinkError> {
        Ok(true)
    }
    fn recv(&mut self, into: &mut [u8]) -> Result<Option<Received>, LinkError> {
        let len = self.0.out().len().min(into.len());
        into[..len].copy_from_slice(&self.0.out()[..len]);
        self.0.sent(len);
        Ok((len > 0).then_some(Received { len, ..Received::default() }))
    }
    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.0.space()[..bytes.len()].copy_from_slice(bytes);
        self.0.filled(bytes.len());
        if let Ok(Some(Incoming::Request(request))) = self.0.next() {
            let (status, body) = self.1.lock().unwrap()(request.target);
            self.0.respond(status, &[], body.as_bytes()).unwrap();
        }
        Ok(())
    }
    fn flush(&mut self) -> Result<bool, LinkError> {
        Ok(true)
    }
    fn backlog(&self) -> usize {
        0
    }
}

#[derive(Clone)]
struct Dialer(Answers);

impl Dial for Dialer {
    fn dial(&mut self, _: &Endpoint) -> Result<Box<dyn Link>, LinkError> {
        Ok(Box::new(Desk(HttpServer::new(HttpLimits::default()), self.0.clone())))
    }
}

fn load(venue: &str, answers: Answers) -> Result<Vec<InstrumentSpec>, MetadataError> {
    let (rest, until) = (Endpoint::parse("http://127.0.0.1:1/").unwrap(), START + Nanos::from_secs(20));
    let mut loader = MetadataLoader::new(find(venue).unwrap(), &rest, Box::new(Dialer(answers)), until, 1);
    let mut now = START;
    loop {
        if let Some(told) = loader.poll(now) {
            return told;
        }
        now = now + Nanos::from_millis(1);
    }
}

/// An exchange with so many contracts, behind the venue's own end.
fn venue_with(venue: &'static str, count: usize, asked: Arc<Mutex<Vec<String>>>) -> Answers {
    let instruments = (0..count).map(|number| InstrumentSpec {
        symbol: Symbol::new(&format!("C{number}USDT")).unwrap(),
        base: Asset::new(&format!("C{number}")).unwrap(),
        ..spec(venue)
    });
    let config = ExchangeConfig {
        instruments: instruments.collect(),
        fee_in: find(venue).unwrap().sim.fee_in,
        rates: Rates { maker: FeeRate(0), taker: FeeRate(0) },
        knobs: Knobs::default(),
    };
    let mut exchange = SimExchange::new(config, Rand64::new(1)).unwrap();
    let mut server = find(venue).unwrap().server.unwrap()(1);
    Arc::new(Mutex::new(move |target: &str| {
        asked.lock().unwrap().push(target.to_owned());
        let mut out = Vec::new();
        let (id, peer) = (RequestId(1), "10.0.0.1:1");
        let request = ServerInput::Request { id, method: "GET", target, headers: &[], body: b"", peer };
        server.on(request, START, &mut exchange, &mut out);
        match out.remove(0) {
            ServerOut::Response { status, body, .. } => (status, body),
            other => panic!("{other:?}"),
        }
    }))
}

#[test]
fn all_pages_are_loaded() {
    // Contracts come 1,000 at a time; spot comes whole.
    for (venue, count, pages) in [
        ("bybit.linear", 1, 1),
        ("bybit.linear", 1_000, 1),
        ("bybit.linear", 2_345, 3),
        ("bybit.spot", 1_234, 1),
    ] {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let told = load(venue, venue_with(venue, count, asked.clone())).unwrap();
        let symbols: std::collections::BTreeSet<_> = told.iter().map(|spec| spec.symbol).collect();
        let asked = asked.lock().unwrap().clone();
        assert_eq!((told.len(), symbols.len(), asked.len()), (count, count, pages), "{asked:?}");
        assert_eq!(asked[0], find(venue).unwrap().instruments_target);
    }
}

#[test]
fn a_page_that_fails_fails_the_list_and_no_list_is_endless() {
    let good = venue_with("bybit.linear", 1_001, Arc::default());
    let breaks = Arc::new(Mutex::new(move |target: &str| match target.contains("cursor") {
        true => (502, String::new()),
        false => good.lock().unwrap()(target),
    }));
    let error = load("bybit.linear", breaks).unwrap_err().to_string();
    assert!(error.contains("cursor=") && error.contains("502"), "{error}");

    let good = venue_with("bybit.linear", 1_001, Arc::default());
    let first = good.lock().unwrap()(find("bybit.linear").unwrap().instruments_target);
    let endless = Arc::new(Mutex::new(move |_: &str| first.clone()));
    let error = load("bybit.linear", endless).unwrap_err().to_string();
    assert!(error.contains("100 pages"), "{error}");
}
