//! Account calls over REST: what was asked, and what its answer says.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

use super::json::Number;
use super::private::{Stream, side};
use super::symbol::balance_asset;
use crate::types::{
    ClientId, FeeRate, KeyRights, Money, Nanos, OrderState, OrderStatus, Qty, Report, Scale, Side, Symbol,
    VenueRef,
};

/// What a key of this engine needs, and may have.
const SAFE_RIGHTS: [&str; 7] = [
    "query-funds",
    "query-open-trades",
    "query-closed-trades",
    "modify-trades",
    "close-trades",
    "create-ws-token",
    "query-ledger",
];
/// What it must have to trade.
const TRADE_RIGHTS: [&str; 3] = ["modify-trades", "close-trades", "create-ws-token"];

/// Every answer of the venue.
#[derive(Deserialize)]
pub struct Answer<'a> {
    #[serde(borrow)]
    pub error: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    pub result: Option<&'a RawValue>,
}

/// An order as queries tell of it.
#[derive(Deserialize)]
pub struct Order<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    vol: Number<'a>,
    #[serde(borrow)]
    vol_exec: Number<'a>,
    #[serde(borrow)]
    descr: Description<'a>,
    #[serde(borrow)]
    cl_ord_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Description<'a> {
    #[serde(borrow)]
    pair: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    side: Cow<'a, str>,
    #[serde(borrow)]
    price: Number<'a>,
}

impl Order<'_> {
    /// Our id, where it has one.
    pub fn client(&self) -> Option<ClientId> {
        ClientId::parse(self.cl_ord_id.as_deref()?.as_bytes())
    }

    /// As a report; `None` for a pair that is not ours, or numbers that do not fit it.
    pub fn status(&self, id: &str, stream: &Stream) -> Option<OrderStatus> {
        let (_, spec) = stream.find(&self.descr.pair)?;
        let filled = self.vol_exec.qty(spec.scale)?;
        Some(OrderStatus {
            client: self.client(),
            venue_ref: VenueRef::new(id)?,
            symbol: spec.symbol,
            side: side(&self.descr.side)?,
            state: match &*self.status {
                "closed" => OrderState::Filled,
                "canceled" | "expired" => OrderState::Cancelled,
                _ if filled > Qty::ZERO => OrderState::PartFilled,
                _ => OrderState::Accepted,
            },
            price: self.descr.price.price(spec.scale)?,
            qty: self.vol.qty(spec.scale)?,
            filled,
        })
    }
}

/// Orders by id, however the answer wraps them.
pub fn orders<'a>(result: &'a RawValue) -> Option<BTreeMap<Cow<'a, str>, Order<'a>>> {
    #[derive(Deserialize)]
    struct Wrapped<'a> {
        #[serde(borrow, alias = "closed")]
        open: BTreeMap<Cow<'a, str>, Order<'a>>,
    }
    let text = result.get();
    match serde_json::from_str::<Wrapped<'a>>(text) {
        Ok(wrapped) => Some(wrapped.open),
        Err(_) => serde_json::from_str(text).ok(),
    }
}

/// A fill as the trade list tells of it, still without the client id.
#[derive(Clone, Debug)]
pub struct Trade {
    pub order: VenueRef,
    pub trade: VenueRef,
    pub symbol: Symbol,
    pub side: Side,
    pub price: crate::types::Price,
    pub qty: Qty,
    pub fee: Money,
    pub fee_asset: crate::types::Asset,
    pub at: Nanos,
}

impl Trade {
    /// As a report.
    pub fn report(&self, client: ClientId) -> Report {
        Report::Filled {
            client,
            venue_ref: self.order,
            trade: self.trade,
            symbol: self.symbol,
            side: self.side,
            price: self.price,
            qty: self.qty,
            total: None,
            fee: self.fee,
            fee_asset: self.fee_asset,
            at: self.at,
        }
    }
}

/// A page of the trade list: its trades of our pairs, how many rows it had, and how many there are.
pub fn trades(result: &RawValue, stream: &Stream) -> Option<(Vec<Trade>, usize, u64)> {
    #[derive(Deserialize)]
    struct Page<'a> {
        #[serde(borrow)]
        trades: BTreeMap<Cow<'a, str>, Row<'a>>,
        #[serde(borrow)]
        count: Option<Number<'a>>,
    }
    #[derive(Deserialize)]
    struct Row<'a> {
        #[serde(borrow)]
        ordertxid: Cow<'a, str>,
        #[serde(borrow)]
        pair: Cow<'a, str>,
        #[serde(borrow)]
        time: Number<'a>,
        #[serde(borrow, rename = "type")]
        side: Cow<'a, str>,
        #[serde(borrow)]
        price: Number<'a>,
        #[serde(borrow)]
        vol: Number<'a>,
        #[serde(borrow)]
        fee: Number<'a>,
    }
    let page: Page = serde_json::from_str(result.get()).ok()?;
    let mut list = Vec::with_capacity(page.trades.len());
    for (id, row) in &page.trades {
        let Some((_, spec)) = stream.find(&row.pair) else { continue };
        list.push(Trade {
            order: VenueRef::new(&row.ordertxid)?,
            trade: VenueRef::new(id)?,
            symbol: spec.symbol,
            side: side(&row.side)?,
            price: row.price.price(spec.scale)?,
            qty: row.vol.qty(spec.scale)?,
            fee: row.fee.money()?,
            fee_asset: spec.quote,
            at: seconds(&row.time)?,
        });
    }
    list.sort_by_key(|trade| trade.at);
    let count = page.count.and_then(|count| count.count()).unwrap_or(page.trades.len() as u64);
    Some((list, page.trades.len(), count))
}

/// Seconds since the epoch, with whatever decimals.
pub fn seconds(number: &Number<'_>) -> Option<Nanos> {
    // Floats are printed by the venue with up to four decimals; nine always fit.
    number.scaled(Scale::new(9)?).map(Nanos)
}

/// Balances, with what open orders hold.
pub fn balances(result: &RawValue) -> Option<Vec<Report>> {
    #[derive(Deserialize)]
    struct Row<'a> {
        #[serde(borrow)]
        balance: Number<'a>,
        #[serde(borrow)]
        hold_trade: Option<Number<'a>>,
        #[serde(borrow)]
        credit: Option<Number<'a>>,
        #[serde(borrow)]
        credit_used: Option<Number<'a>>,
    }
    let rows: BTreeMap<Cow<'_, str>, Row<'_>> = serde_json::from_str(result.get()).ok()?;
    let mut reports = Vec::with_capacity(rows.len());
    for (code, row) in &rows {
        let Some(asset) = balance_asset(code) else { continue };
        let or_zero = |number: Option<Number<'_>>| number.map_or(Some(Money::ZERO), |number| number.money());
        let held = or_zero(row.hold_trade)?;
        let lent = or_zero(row.credit)?.0.checked_sub(or_zero(row.credit_used)?.0)?;
        let free = row.balance.money()?.0.checked_add(lent)?.checked_sub(held.0)?;
        reports.push(Report::Balance { asset, free: Money(free), locked: Some(held) });
    }
    Some(reports)
}

/// Taker and maker fee of the one pair that was asked for.
pub fn fees(result: &RawValue, symbol: Symbol) -> Option<Report> {
    #[derive(Deserialize)]
    struct Volume<'a> {
        #[serde(borrow)]
        fees: BTreeMap<Cow<'a, str>, Row<'a>>,
        #[serde(borrow, default)]
        fees_maker: Option<BTreeMap<Cow<'a, str>, Row<'a>>>,
    }
    #[derive(Deserialize)]
    struct Row<'a> {
        #[serde(borrow)]
        fee: Number<'a>,
    }
    // A percentage in units of 1e-6 is a share in units of 1e-8.
    let rate = |row: &Row<'_>| row.fee.scaled(Scale::new(6)?).map(FeeRate);
    let volume: Volume = serde_json::from_str(result.get()).ok()?;
    let taker = rate(volume.fees.values().next()?)?;
    // Pairs without a maker schedule charge the same to both.
    let maker = match volume.fees_maker.as_ref().and_then(|fees| fees.values().next()) {
        Some(row) => rate(row)?,
        None => taker,
    };
    Some(Report::Fees { symbol, taker, maker })
}

/// What a key may do. The venue has spelled its fields in two ways.
pub fn rights(result: &RawValue) -> Option<KeyRights> {
    #[derive(Deserialize)]
    struct Info<'a> {
        #[serde(borrow)]
        permissions: Vec<Cow<'a, str>>,
        #[serde(borrow, alias = "ipAllowlist")]
        ip_allowlist: Option<Vec<Cow<'a, str>>>,
        #[serde(borrow, alias = "validUntil")]
        valid_until: Option<Number<'a>>,
        #[serde(borrow, alias = "nonceWindow")]
        nonce_window: Option<Number<'a>>,
    }
    let info: Info = serde_json::from_str(result.get()).ok()?;
    let has = |right: &str| info.permissions.iter().any(|own| own == right);
    let mut excess: Vec<String> = info
        .permissions
        .iter()
        .filter(|right| !SAFE_RIGHTS.contains(&&***right))
        .map(|right| right.to_string())
        .collect();
    if info.nonce_window.and_then(|window| window.count()).is_some_and(|window| window != 0) {
        // A window lets requests pass out of order, an old one after a new one.
        excess.push("nonce-window".to_owned());
    }
    let ips: Option<Vec<String>> = info
        .ip_allowlist
        .map(|list| list.iter().filter(|ip| !ip.is_empty()).map(|ip| ip.to_string()).collect());
    Some(KeyRights {
        read: Some(has("query-funds") && has("query-open-trades") && has("query-closed-trades")),
        trade: Some(TRADE_RIGHTS.into_iter().all(has)),
        withdraw: Some(info.permissions.iter().any(|right| right.contains("withdraw"))),
        transfer: None,
        ip_bound: ips.as_ref().map(|ips| !ips.is_empty()),
        ips: ips.unwrap_or_default(),
        expires: info.valid_until.and_then(|until| seconds(&until)).filter(|until| *until != Nanos::ZERO),
        excess,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn both_spellings_of_a_key_are_read() {
        for text in [
            r#"{"permissions":["query-funds","query-open-trades","query-closed-trades","modify-trades","close-trades","create-ws-token"],
                "ip_allowlist":["1.2.3.4",""],"valid_until":"0","nonce_window":"0"}"#,
            r#"{"permissions":["query-funds","query-open-trades","query-closed-trades","modify-trades","close-trades","create-ws-token"],
                "ipAllowlist":["1.2.3.4"],"validUntil":"0","nonceWindow":0}"#,
        ] {
            let want = KeyRights {
                read: Some(true),
                trade: Some(true),
                withdraw: Some(false),
                transfer: None,
                ip_bound: Some(true),
                ips: vec!["1.2.3.4".to_owned()],
                expires: None,
                excess: vec![],
            };
            assert_eq!(rights(&raw(text)), Some(want));
        }
        let wide = r#"{"permissions":["withdraw-funds","add-funds"],"ip_allowlist":[""],"nonce_window":"5000","valid_until":"1785060000"}"#;
        let got = rights(&raw(wide)).unwrap();
        assert_eq!((got.trade, got.withdraw, got.ip_bound), (Some(false), Some(true), Some(false)));
        assert_eq!(got.excess, ["withdraw-funds", "add-funds", "nonce-window"]);
        assert_eq!(got.expires, Some(Nanos::from_secs(1_785_060_000)));
    }

    #[test]
    fn what_is_held_is_not_free() {
        let text = r#"{"XXBT":{"balance":"1.2435","hold_trade":"0.8423"},"ZUSD":{"balance":"10","credit":"5","credit_used":"1"},
            "XBT.F":{"balance":"7"}}"#;
        let list: Vec<_> = balances(&raw(text))
            .unwrap()
            .iter()
            .map(|report| match report {
                Report::Balance { asset, free, locked } => format!("{asset} {free} {}", locked.unwrap()),
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(list, ["BTC 0.4012 0.8423", "USD 14 0"]);
    }

    #[test]
    fn percentages_are_shares() {
        let text = r#"{"currency":"ZUSD","volume":"1","fees":{"XXBTZUSD":{"fee":"0.1000"}},"fees_maker":{"XXBTZUSD":{"fee":"-0.0200"}}}"#;
        let symbol = Symbol::new("BTC/USD").unwrap();
        let want = Report::Fees { symbol, taker: FeeRate(100_000), maker: FeeRate(-20_000) };
        assert_eq!(fees(&raw(text), symbol), Some(want));
    }
}
