//! What the private stream says of orders: the channel `executions`, and `balances`.
//!
//! The venue's rule: only the first message about an order is complete, later ones may hold little
//! more than its id and what happened; so facts are merged, never overwritten by their absence.
//! Messages of a subscription are numbered without gaps, from wherever the first one stands. A
//! message may overtake the answer to the request that caused it.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use super::json::Number;
use super::symbol::{Names, balance_asset};
use crate::types::{
    Asset, ClientId, InstrumentSpec, Money, Nanos, OrderState, OrderStatus, Price, Qty, Report, Scale, Side,
    Symbol, VenueRef,
};

/// Orders remembered for the sparse messages that follow; the oldest go first.
const ORDERS: usize = 4096;

/// Any message of the private socket.
#[derive(Deserialize, Debug)]
pub struct Message<'a> {
    #[serde(borrow)]
    pub method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub channel: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "type")]
    pub kind: Option<Cow<'a, str>>,
    pub sequence: Option<u64>,
    pub success: Option<bool>,
    #[serde(borrow)]
    pub error: Option<Cow<'a, str>>,
    pub req_id: Option<u64>,
    #[serde(borrow)]
    pub time_in: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub time_out: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub result: Option<&'a RawValue>,
    #[serde(borrow)]
    pub data: Option<&'a RawValue>,
}

/// One entry of `executions`; nearly everything may be missing.
#[derive(Deserialize, Debug)]
struct Execution<'a> {
    #[serde(borrow)]
    order_id: Cow<'a, str>,
    #[serde(borrow)]
    cl_ord_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    exec_type: Cow<'a, str>,
    #[serde(borrow)]
    exec_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    symbol: Option<Cow<'a, str>>,
    #[serde(borrow)]
    side: Option<Cow<'a, str>>,
    #[serde(borrow)]
    last_qty: Option<Number<'a>>,
    #[serde(borrow)]
    last_price: Option<Number<'a>>,
    #[serde(borrow)]
    order_status: Option<Cow<'a, str>>,
    #[serde(borrow)]
    order_qty: Option<Number<'a>>,
    #[serde(borrow)]
    limit_price: Option<Number<'a>>,
    #[serde(borrow)]
    cum_qty: Option<Number<'a>>,
    #[serde(borrow, default)]
    fees: Vec<Fee<'a>>,
    #[serde(borrow)]
    timestamp: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Debug)]
struct Fee<'a> {
    #[serde(borrow)]
    asset: Cow<'a, str>,
    #[serde(borrow)]
    qty: Number<'a>,
}

#[derive(Deserialize)]
struct Holding<'a> {
    #[serde(borrow)]
    asset: Cow<'a, str>,
    #[serde(borrow)]
    balance: Option<Number<'a>>,
    #[serde(borrow)]
    wallet_type: Option<Cow<'a, str>>,
}

/// What is known of an order.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    client: Option<ClientId>,
    place: Option<usize>,
    side: Option<Side>,
    price: Option<Price>,
    qty: Option<Qty>,
    filled: Option<Qty>,
    accepted: bool,
    foreign: bool,
}

/// A message number that does not follow the one before: something was lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap;

/// The private stream's memory.
pub struct Stream {
    names: Names,
    specs: Vec<InstrumentSpec>,
    orders: BTreeMap<VenueRef, Known>,
    /// In the order of their first message.
    oldest: VecDeque<VenueRef>,
    executions: Option<u64>,
    balances: Option<u64>,
}

impl Stream {
    /// For these instruments; orders of others are foreign.
    pub fn new(specs: Vec<InstrumentSpec>) -> Stream {
        let names = Names::new(specs.iter().map(|spec| spec.symbol.as_str()));
        Stream {
            names,
            specs,
            orders: BTreeMap::new(),
            oldest: VecDeque::new(),
            executions: None,
            balances: None,
        }
    }

    /// A new subscription: the next message numbers start anywhere.
    pub fn restart(&mut self) {
        (self.executions, self.balances) = (None, None);
    }

    /// The instrument of that name, in any spelling.
    pub fn find(&self, name: &str) -> Option<(usize, &InstrumentSpec)> {
        let place = self.names.find(name)?;
        Some((place, self.specs.get(place)?))
    }

    /// Remembers whose order this is.
    pub fn learn(&mut self, venue_ref: VenueRef, client: ClientId) {
        self.known(venue_ref).client = Some(client);
    }

    /// Whose order this is, when it has been seen.
    pub fn client(&self, venue_ref: &VenueRef) -> Option<ClientId> {
        self.orders.get(venue_ref)?.client
    }

    /// True when the order has been seen, ours or not.
    pub fn has(&self, venue_ref: &VenueRef) -> bool {
        self.orders.contains_key(venue_ref)
    }

    /// Remembers that an order is not ours.
    pub fn disown(&mut self, venue_ref: VenueRef) {
        self.known(venue_ref).foreign = true;
    }

    fn known(&mut self, venue_ref: VenueRef) -> &mut Known {
        if !self.orders.contains_key(&venue_ref) {
            if self.oldest.len() >= ORDERS
                && let Some(oldest) = self.oldest.pop_front()
            {
                self.orders.remove(&oldest);
            }
            self.oldest.push_back(venue_ref);
        }
        self.orders.entry(venue_ref).or_default()
    }

    /// Takes a message of `executions`.
    ///
    /// # Errors
    /// [`Gap`] when messages before it were lost; it is not taken then.
    pub fn on_executions(
        &mut self,
        message: &Message<'_>,
        now: Nanos,
        out: &mut Vec<Report>,
    ) -> Result<(), Gap> {
        follow(&mut self.executions, message.sequence)?;
        let snapshot = message.kind.as_deref() == Some("snapshot");
        let entries = message.data.map(|data| serde_json::from_str::<Vec<&RawValue>>(data.get()));
        let Some(Ok(entries)) = entries else {
            out.push(Report::Malformed("executions: no list of entries".to_owned()));
            return Ok(());
        };
        for entry in entries {
            let Ok(entry) = serde_json::from_str::<Execution>(entry.get()) else {
                out.push(Report::Malformed("executions: unreadable entry".to_owned()));
                continue;
            };
            if let Err(what) = self.execution(&entry, snapshot, now, out) {
                out.push(Report::Malformed(what.to_owned()));
                // Something happened to it, and nobody can say what.
                out.extend(self.client_of(&entry).map(|client| Report::unknown(client, what)));
            }
        }
        Ok(())
    }

    fn execution(
        &mut self,
        entry: &Execution<'_>,
        snapshot: bool,
        now: Nanos,
        out: &mut Vec<Report>,
    ) -> Result<(), &'static str> {
        let venue_ref = VenueRef::new(&entry.order_id).ok_or("executions: order id too long")?;
        let place = entry.symbol.as_deref().and_then(|name| self.names.find(name));
        let client = entry.cl_ord_id.as_deref().and_then(|id| ClientId::parse(id.as_bytes()));
        let symbol_given = entry.symbol.is_some();
        let known = self.known(venue_ref);
        known.client = client.or(known.client);
        known.place = place.or(known.place);
        known.side = entry.side.as_deref().and_then(side).or(known.side);
        let (Some(client), false) = (known.client, symbol_given && place.is_none()) else {
            if !std::mem::replace(&mut known.foreign, true) {
                out.push(Report::Foreign { venue_ref });
            }
            return Ok(());
        };
        let place = known.place;
        let spec = place.and_then(|place| self.specs.get(place));
        let scale = spec.map_or(Scale::DEFAULT, |spec| spec.scale);
        let symbol = spec.map_or(Symbol::EMPTY, |spec| spec.symbol);
        // Read whole before any of it counts.
        let mut known = self.orders.get(&venue_ref).copied().ok_or("executions: order forgotten")?;
        let exact = |number: &Option<Number<'_>>| match number {
            Some(number) => number.scaled(scale).map(Some).ok_or("executions: a number that does not fit"),
            None => Ok(None),
        };
        known.qty = exact(&entry.order_qty)?.map(Qty).or(known.qty);
        known.price = exact(&entry.limit_price)?.map(Price).or(known.price);
        // The total never falls: an older message that comes late does not undo a fill.
        known.filled = exact(&entry.cum_qty)?.map(Qty).max(known.filled);
        let at = time(entry.timestamp.as_deref(), now);
        match &*entry.exec_type {
            "trade" => {
                let missing = "executions: a trade without its facts";
                let trade = entry.exec_id.as_deref().and_then(VenueRef::new).ok_or(missing)?;
                let (fee, fee_asset) = fee(&entry.fees, spec)?;
                out.push(Report::Filled {
                    client,
                    venue_ref,
                    trade,
                    symbol: if symbol.is_empty() { return Err(missing) } else { symbol },
                    side: known.side.ok_or(missing)?,
                    price: exact(&entry.last_price)?.map(Price).ok_or(missing)?,
                    qty: exact(&entry.last_qty)?.map(Qty).ok_or(missing)?,
                    total: known.filled,
                    fee,
                    fee_asset,
                    at,
                });
                if entry.fees.len() > 1 {
                    out.push(Report::Malformed(format!(
                        "executions: fees of trade {trade} in several assets"
                    )));
                }
            }
            _ if snapshot => {
                let state = match entry.order_status.as_deref() {
                    Some("filled") => OrderState::Filled,
                    Some("canceled" | "expired") => OrderState::Cancelled,
                    _ if known.filled.is_some_and(|filled| filled > Qty::ZERO) => OrderState::PartFilled,
                    _ => OrderState::Accepted,
                };
                let missing = "executions: an order without its facts";
                out.push(Report::Status(OrderStatus {
                    client: Some(client),
                    venue_ref,
                    symbol,
                    side: known.side.ok_or(missing)?,
                    state,
                    price: known.price.unwrap_or_default(),
                    qty: known.qty.ok_or(missing)?,
                    filled: known.filled.unwrap_or_default(),
                }));
                known.accepted = true;
            }
            "pending_new" | "new" => {
                let told = std::mem::replace(&mut known.accepted, true);
                out.extend((!told).then_some(Report::Accepted { client, venue_ref, at }));
            }
            "filled" => {
                let filled = known.filled.or(known.qty);
                out.push(Report::Ended { client, state: OrderState::Filled, filled, at });
            }
            "canceled" | "expired" => {
                out.push(Report::Ended { client, state: OrderState::Cancelled, filled: known.filled, at });
            }
            "amended" | "restated" => {
                if let (Some(price), Some(qty)) = (known.price, known.qty) {
                    out.push(Report::Amended { client, price, qty });
                }
            }
            _ => {}
        }
        self.orders.insert(venue_ref, known);
        Ok(())
    }

    /// Whose order an entry is about, if it is one of ours.
    fn client_of(&self, entry: &Execution<'_>) -> Option<ClientId> {
        let told = entry.cl_ord_id.as_deref().and_then(|id| ClientId::parse(id.as_bytes()));
        told.or_else(|| self.client(&VenueRef::new(&entry.order_id)?))
    }

    /// Takes a message of `balances`: totals, since the venue does not tell what is held.
    ///
    /// # Errors
    /// [`Gap`] when messages before it were lost.
    pub fn on_balances(&mut self, message: &Message<'_>, out: &mut Vec<Report>) -> Result<(), Gap> {
        follow(&mut self.balances, message.sequence)?;
        let entries = message.data.map(|data| serde_json::from_str::<Vec<Holding>>(data.get()));
        let Some(Ok(entries)) = entries else {
            out.push(Report::Malformed("balances: no list of entries".to_owned()));
            return Ok(());
        };
        for entry in
            entries.iter().filter(|entry| entry.wallet_type.as_deref().is_none_or(|kind| kind == "spot"))
        {
            let Some(asset) = balance_asset(&entry.asset) else { continue };
            match entry.balance.and_then(|balance| balance.money()) {
                Some(free) => out.push(Report::Balance { asset, free, locked: None }),
                None => out.push(Report::Malformed(format!("balances: {asset} without its balance"))),
            }
        }
        Ok(())
    }
}

fn follow(last: &mut Option<u64>, sequence: Option<u64>) -> Result<(), Gap> {
    let Some(got) = sequence else { return Ok(()) };
    if last.is_some_and(|last| last.checked_add(1) != Some(got)) {
        return Err(Gap);
    }
    *last = Some(got);
    Ok(())
}

/// The fee of a trade, in its own asset; nothing at all is zero of the quote asset.
fn fee(fees: &[Fee<'_>], spec: Option<&InstrumentSpec>) -> Result<(Money, Asset), &'static str> {
    match fees.first() {
        Some(fee) => {
            let asset = balance_asset(&fee.asset).ok_or("executions: fee in an unknown asset")?;
            Ok((fee.qty.money().ok_or("executions: unreadable fee")?, asset))
        }
        None => Ok((Money::ZERO, spec.map_or(Asset::EMPTY, |spec| spec.quote))),
    }
}

/// `buy` or `sell`.
pub fn side(text: &str) -> Option<Side> {
    Side::BOTH.into_iter().find(|side| side.name() == text)
}

/// The venue's time, or ours where it told none.
pub fn time(text: Option<&str>, now: Nanos) -> Nanos {
    text.and_then(|text| Nanos::parse_rfc3339(text.as_bytes()).ok()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::kraken::symbol;

    fn stream() -> Stream {
        let pairs =
            br#"{"error":[],"result":{"XXBTZUSD":{"wsname":"XBT/USD","pair_decimals":1,"lot_decimals":8}}}"#;
        Stream::new(symbol::instruments(pairs).unwrap())
    }

    /// Plays entries as messages of one subscription and shows the reports that follow each.
    #[track_caller]
    fn check(messages: &[(&str, u64, &str, &str)]) {
        let mut stream = stream();
        for (kind, sequence, entry, want) in messages {
            let text = format!(
                r#"{{"channel":"executions","type":"{kind}","sequence":{sequence},"data":[{entry}]}}"#
            );
            let mut out = Vec::new();
            let message = serde_json::from_str(&text).unwrap();
            let got = match stream.on_executions(&message, Nanos(5), &mut out) {
                Ok(()) => out.iter().map(show).collect::<Vec<_>>().join(" "),
                Err(Gap) => "gap".to_owned(),
            };
            assert_eq!(&got, want, "{entry}");
        }
    }

    fn show(report: &Report) -> String {
        match report {
            Report::Accepted { venue_ref, .. } => format!("accepted({venue_ref})"),
            Report::Filled { trade, price, qty, total, fee, fee_asset, side, .. } => {
                format!(
                    "{}({trade} {}@{} of {:?} fee {fee}{fee_asset})",
                    side.name(),
                    qty.0,
                    price.0,
                    total.map(|q| q.0)
                )
            }
            Report::Ended { state, filled, at, .. } => {
                format!("{state:?}({:?} at {})", filled.map(|q| q.0), at.0)
            }
            Report::Amended { price, qty, .. } => format!("amended({}@{})", qty.0, price.0),
            Report::Status(s) => format!("status({:?} {}/{})", s.state, s.filled.0, s.qty.0),
            other => format!("{other:?}"),
        }
    }

    const NEW: &str = r#"{"order_id":"O1","cl_ord_id":"6d1b345e-2821-40e2-ad83-4ecb18a06876","exec_type":"new","symbol":"BTC/USD",
        "side":"buy","order_qty":0.01,"limit_price":26600.0,"order_status":"new"}"#;

    #[test]
    fn sparse_messages_are_merged() {
        check(&[
            ("snapshot", 3, NEW, "status(Accepted 0/1000000)"),
            (
                "update",
                4,
                r#"{"order_id":"O1","exec_type":"trade","exec_id":"T1","last_qty":0.005,"last_price":26599.9,"cum_qty":0.005,
                    "fees":[{"asset":"USD","qty":0.3458}],"timestamp":"1970-01-01T00:00:00.000001Z"}"#,
                "buy(T1 500000@2659990000000 of Some(500000) fee 0.3458USD)",
            ),
            (
                "update",
                5,
                r#"{"order_id":"O1","exec_type":"amended","limit_price":26601}"#,
                "amended(1000000@2660100000000)",
            ),
            (
                "update",
                6,
                r#"{"order_id":"O1","exec_type":"canceled","reason":"User requested"}"#,
                "Cancelled(Some(500000) at 5)",
            ),
            ("update", 8, r#"{"order_id":"O1","exec_type":"filled"}"#, "gap"),
        ]);
    }

    #[test]
    fn the_stream_may_overtake_the_answer() {
        check(&[
            ("update", 1, NEW, "accepted(O1)"),
            ("update", 2, NEW, ""),
            (
                "update",
                3,
                r#"{"order_id":"O1","exec_type":"filled","cum_qty":0.01}"#,
                "Filled(Some(1000000) at 5)",
            ),
        ]);
    }

    #[test]
    fn what_is_not_ours_is_foreign_once() {
        check(&[
            (
                "update",
                1,
                r#"{"order_id":"O2","exec_type":"new","symbol":"BTC/USD","cl_ord_id":"web"}"#,
                r#"Foreign { venue_ref: "O2" }"#,
            ),
            ("update", 2, r#"{"order_id":"O2","exec_type":"filled"}"#, ""),
            (
                "update",
                3,
                r#"{"order_id":"O3","exec_type":"new","symbol":"ETH/USD","cl_ord_id":"6d1b345e-2821-40e2-ad83-4ecb18a06876"}"#,
                r#"Foreign { venue_ref: "O3" }"#,
            ),
        ]);
    }

    #[test]
    fn what_cannot_be_understood_is_said_to_be_so() {
        check(&[
            ("update", 1, NEW, "accepted(O1)"),
            (
                "update",
                2,
                r#"{"order_id":"O1","exec_type":"trade"}"#,
                r#"Malformed("executions: a trade without its facts") OrderError { client: 6d1b345e282140e2ad834ecb18a06876, class: Unknown, code: "executions: a trade without its facts", retry_at: None }"#,
            ),
            (
                "update",
                3,
                r#"{"order_id":"O1","exec_type":"new","order_qty":1e-20}"#,
                r#"Malformed("executions: a number that does not fit") OrderError { client: 6d1b345e282140e2ad834ecb18a06876, class: Unknown, code: "executions: a number that does not fit", retry_at: None }"#,
            ),
            ("update", 4, "7", r#"Malformed("executions: unreadable entry")"#),
        ]);
    }

    #[test]
    fn balances_are_totals_of_the_spot_wallet() {
        let mut out = Vec::new();
        let text = r#"{"channel":"balances","type":"update","sequence":1,"data":[{"asset":"BTC","balance":1.5,"wallet_type":"spot"},
            {"asset":"BTC","balance":9,"wallet_type":"earn"},{"asset":"DOT.S","balance":3},{"asset":"USD","balance":"x"}]}"#;
        stream().on_balances(&serde_json::from_str(text).unwrap(), &mut out).unwrap();
        assert_eq!(
            out,
            [
                Report::Balance {
                    asset: Asset::new("BTC").unwrap(),
                    free: Money::parse("1.5").unwrap(),
                    locked: None
                },
                Report::Malformed("balances: USD without its balance".to_owned()),
            ]
        );
    }
}
