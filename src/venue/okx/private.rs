//! What the venue says of orders and balances, over the private stream and in answers, as reports.
//!
//! The venue's rule: the channel `orders` sends an order whole whenever something happened to it, with
//! its last fill; there is no number to tell a lost message by, and the same one may come twice. A
//! fill has a trade id, unique within its instrument. An order that crosses at once may never be
//! told as `live`. Fees that were paid are negative. The faster channel `fills` is not used: it tells
//! no fee, and of client ids only those that are decimal numbers.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

use super::error;
use super::size::Sizes;
use crate::types::{
    Asset, Class, ClientId, InstrumentSpec, Money, Nanos, OrderState, OrderStatus, Price, Qty, Report, Scale,
    Side, VenueRef, parse,
};

/// Why a text could not be read; the text itself is not in it.
pub type Unreadable = &'static str;

/// Any message of the private socket but `pong`.
#[derive(Deserialize)]
pub struct Message<'a> {
    #[serde(borrow)]
    pub id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub op: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub event: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub arg: Option<Arg<'a>>,
    /// Of counts of connections, which have no `arg`.
    #[serde(borrow)]
    pub channel: Option<Cow<'a, str>>,
    #[serde(borrow)]
    code: Option<Cow<'a, str>>,
    #[serde(borrow)]
    msg: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub data: Option<&'a RawValue>,
}

impl<'a> Message<'a> {
    /// What it shares with answers over REST.
    pub fn envelope(self) -> Envelope<'a> {
        Envelope { code: self.code, msg: self.msg, data: self.data }
    }
}

/// What a message is about.
#[derive(Deserialize)]
pub struct Arg<'a> {
    #[serde(borrow)]
    pub channel: Cow<'a, str>,
}

/// What every answer has, whichever way it comes.
#[derive(Deserialize)]
pub struct Envelope<'a> {
    #[serde(borrow)]
    pub code: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub msg: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub data: Option<&'a RawValue>,
}

/// How the venue took one order, cancel or amendment.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct Ack<'a> {
    #[serde(borrow)]
    pub ord_id: Cow<'a, str>,
    #[serde(borrow)]
    pub cl_ord_id: Cow<'a, str>,
    #[serde(borrow)]
    pub ts: Cow<'a, str>,
    #[serde(borrow)]
    pub s_code: Cow<'a, str>,
    #[serde(borrow)]
    pub s_msg: Cow<'a, str>,
}

/// An error: its number and its text, cut short.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    pub code: u32,
    pub text: VenueRef,
}

impl<'a> Envelope<'a> {
    /// Acks of a request about orders, in its order; none when there are none.
    pub fn acks(&self) -> Vec<Ack<'a>> {
        self.data.and_then(|data| serde_json::from_str(data.get()).ok()).unwrap_or_default()
    }

    /// What is wrong with the answer as a whole.
    pub fn fault(&self) -> Option<Fault> {
        let code = self.code.as_deref().unwrap_or("");
        let msg = self.msg.as_deref().unwrap_or("");
        (code != "0").then(|| Fault { code: error::number(code), text: error::reference(code, msg) })
    }

    /// The ack of a request about one order, or what is wrong: the order's own code goes before the
    /// envelope's.
    pub fn single(&self) -> Result<Ack<'a>, Fault> {
        let ack = self.acks().into_iter().next();
        match ack {
            Some(ack) if !matches!(&*ack.s_code, "" | "0") => Err(Fault {
                code: error::number(&ack.s_code),
                text: error::reference(&ack.s_code, &ack.s_msg),
            }),
            Some(ack) if matches!(self.code.as_deref(), Some("0" | "2")) && ack.s_code == "0" => Ok(ack),
            // Code 1 without a code of the order's own tells nothing.
            _ => Err(self
                .fault()
                .unwrap_or(Fault { code: 0, text: VenueRef::cut("answer without its order") })),
        }
    }
}

/// An order as the stream and queries tell of it.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct OrderRow<'a> {
    #[serde(borrow)]
    pub inst_id: Cow<'a, str>,
    #[serde(borrow)]
    pub ord_id: Cow<'a, str>,
    #[serde(borrow)]
    pub cl_ord_id: Cow<'a, str>,
    #[serde(borrow)]
    side: Cow<'a, str>,
    #[serde(borrow)]
    state: Cow<'a, str>,
    #[serde(borrow)]
    px: Cow<'a, str>,
    #[serde(borrow)]
    sz: Cow<'a, str>,
    #[serde(borrow)]
    acc_fill_sz: Cow<'a, str>,
    #[serde(borrow)]
    fill_px: Cow<'a, str>,
    #[serde(borrow)]
    fill_sz: Cow<'a, str>,
    #[serde(borrow)]
    fill_fee: Cow<'a, str>,
    #[serde(borrow)]
    fill_fee_ccy: Cow<'a, str>,
    #[serde(borrow)]
    fill_time: Cow<'a, str>,
    #[serde(borrow)]
    trade_id: Cow<'a, str>,
    #[serde(borrow)]
    amend_result: Cow<'a, str>,
    #[serde(borrow)]
    cancel_source: Cow<'a, str>,
    #[serde(borrow)]
    code: Cow<'a, str>,
    #[serde(borrow)]
    msg: Cow<'a, str>,
    #[serde(borrow)]
    u_time: Cow<'a, str>,
}

/// A fill as the list of fills tells of it.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct FillRow<'a> {
    #[serde(borrow)]
    inst_id: Cow<'a, str>,
    #[serde(borrow)]
    ord_id: Cow<'a, str>,
    #[serde(borrow)]
    cl_ord_id: Cow<'a, str>,
    /// Names the row, for the next page.
    #[serde(borrow)]
    pub bill_id: Cow<'a, str>,
    #[serde(borrow)]
    trade_id: Cow<'a, str>,
    #[serde(borrow)]
    side: Cow<'a, str>,
    #[serde(borrow)]
    fill_px: Cow<'a, str>,
    #[serde(borrow)]
    fill_sz: Cow<'a, str>,
    #[serde(borrow)]
    fee: Cow<'a, str>,
    #[serde(borrow)]
    fee_ccy: Cow<'a, str>,
    #[serde(borrow)]
    ts: Cow<'a, str>,
}

/// Reasons for an end that concern the account: reduction by the venue, risk control, conversion.
const HALTING_SOURCES: [&str; 3] = ["3", "6", "44"];

/// Turns the venue's words into reports.
pub struct Reader {
    specs: Vec<InstrumentSpec>,
}

impl Reader {
    /// For these instruments; orders of others are foreign.
    pub fn new(specs: Vec<InstrumentSpec>) -> Reader {
        Reader { specs }
    }

    fn spec(&self, symbol: &str) -> Option<&InstrumentSpec> {
        self.specs.iter().find(|spec| spec.symbol.as_str() == symbol)
    }

    /// A message of the channel `orders`.
    pub fn orders(&self, data: &RawValue, out: &mut Vec<Report>) {
        let rows: Result<Vec<&RawValue>, _> = serde_json::from_str(data.get());
        let Ok(rows) = rows else { return out.push(malformed("orders: no list of orders")) };
        for row in rows {
            let read: Result<OrderRow, _> = serde_json::from_str(row.get());
            match read {
                Ok(row) => self.order(&row, out),
                Err(_) => out.push(malformed("orders: unreadable order")),
            }
        }
    }

    fn order(&self, row: &OrderRow<'_>, out: &mut Vec<Report>) {
        let Some(venue_ref) = VenueRef::new(&row.ord_id) else {
            return out.push(malformed("orders: order id too long"));
        };
        let client = ClientId::parse(row.cl_ord_id.as_bytes());
        let (Some(client), Some(spec)) = (client, self.spec(&row.inst_id)) else {
            return out.push(Report::Foreign { venue_ref });
        };
        let before = out.len();
        if let Err(what) = change(row, client, venue_ref, spec, out) {
            // Something happened to our order, and we cannot say what.
            out.truncate(before);
            out.push(malformed(what));
            out.push(Report::unknown(client, "unreadable order"));
        }
    }

    /// An order asked for, by itself or in a list.
    pub fn status(&self, row: &OrderRow<'_>) -> Result<Report, Unreadable> {
        let venue_ref = VenueRef::new(&row.ord_id).ok_or("an order: its id")?;
        let Some(spec) = self.spec(&row.inst_id) else { return Ok(Report::Foreign { venue_ref }) };
        let Some(client) = ClientId::parse(row.cl_ord_id.as_bytes()) else {
            return Ok(Report::Foreign { venue_ref });
        };
        Ok(Report::Status(OrderStatus {
            client: Some(client),
            venue_ref,
            symbol: spec.symbol,
            side: side(&row.side)?,
            state: state(&row.state).unwrap_or(OrderState::Unknown),
            price: Price(scaled(&row.px, spec.scale)?),
            qty: size(&row.sz, spec)?,
            filled: size(&row.acc_fill_sz, spec)?,
        }))
    }

    /// Positions, of the stream and of the account call.
    pub fn positions(&self, data: &RawValue, out: &mut Vec<Report>) -> Result<(), Unreadable> {
        let rows: Vec<PositionRow> = serde_json::from_str(data.get()).map_err(|_| "the positions")?;
        let before = out.len();
        for row in &rows {
            let Some(spec) = self.spec(&row.inst_id) else { continue };
            let report = position(row, spec).inspect_err(|_| out.truncate(before))?;
            out.extend(report);
        }
        Ok(())
    }

    /// Completes a list of positions: contracts without one are left out of it.
    pub fn flat(&self, out: &mut Vec<Report>) {
        for spec in &self.specs {
            let told =
                |report: &Report| matches!(report, Report::Position { symbol, .. } if *symbol == spec.symbol);
            if !out.iter().any(told) {
                out.push(Report::Position { symbol: spec.symbol, qty: Qty::ZERO, entry: None });
            }
        }
    }

    /// A row of the list of fills.
    pub fn fill(&self, row: &FillRow<'_>) -> Result<Report, Unreadable> {
        let venue_ref = VenueRef::new(&row.ord_id).ok_or("a fill: its order's id")?;
        let client = ClientId::parse(row.cl_ord_id.as_bytes());
        let (Some(client), Some(spec)) = (client, self.spec(&row.inst_id)) else {
            return Ok(Report::Foreign { venue_ref });
        };
        Ok(Report::Filled {
            client,
            venue_ref,
            trade: trade(&row.trade_id)?,
            symbol: spec.symbol,
            side: side(&row.side)?,
            price: Price(scaled(&row.fill_px, spec.scale)?),
            qty: size(&row.fill_sz, spec)?,
            total: None,
            fee: paid(&row.fee)?,
            fee_asset: asset(&row.fee_ccy)?,
            at: millis(&row.ts)?,
        })
    }
}

/// A position; none where nothing is held in one direction of an account that has two.
fn position(row: &PositionRow<'_>, spec: &InstrumentSpec) -> Result<Option<Report>, Unreadable> {
    let (sign, text) = match row.pos.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, &*row.pos),
    };
    let held = if text.is_empty() { Qty::ZERO } else { size(text, spec)? };
    if !matches!(&*row.pos_side, "net" | "") {
        // Two positions in one contract cannot be told as one.
        return if held == Qty::ZERO { Ok(None) } else { Err("a position: the account is in hedge mode") };
    }
    let entry = match held {
        Qty::ZERO => None,
        _ if row.avg_px.is_empty() => None,
        _ => {
            // An average has more places than prices have.
            let entry = Money::parse(&row.avg_px).and_then(|entry| entry.floor_to_scaled(spec.scale));
            Some(Price(entry.ok_or("a position: its entry price")?))
        }
    };
    Ok(Some(Report::Position { symbol: spec.symbol, qty: Qty(sign * held.0), entry }))
}

/// What one message of the stream says that happened.
fn change(
    row: &OrderRow<'_>,
    client: ClientId,
    venue_ref: VenueRef,
    spec: &InstrumentSpec,
    out: &mut Vec<Report>,
) -> Result<(), Unreadable> {
    let scale = spec.scale;
    let state = state(&row.state).ok_or("orders: a state of tomorrow")?;
    let at = millis(&row.u_time)?;
    let filled = size(&row.acc_fill_sz, spec)?;
    if !row.trade_id.is_empty() && !matches!(&*row.fill_sz, "" | "0") {
        out.push(Report::Filled {
            client,
            venue_ref,
            trade: trade(&row.trade_id)?,
            symbol: spec.symbol,
            side: side(&row.side)?,
            price: Price(scaled(&row.fill_px, scale)?),
            qty: size(&row.fill_sz, spec)?,
            total: Some(filled),
            fee: paid(&row.fill_fee)?,
            fee_asset: if row.fill_fee_ccy.is_empty() { spec.quote } else { asset(&row.fill_fee_ccy)? },
            at: if row.fill_time.is_empty() { at } else { millis(&row.fill_time)? },
        });
    } else if state == OrderState::Accepted {
        out.push(Report::Accepted { client, venue_ref, at });
    }
    match &*row.amend_result {
        "0" => out.push(Report::Amended {
            client,
            price: Price(scaled(&row.px, scale)?),
            qty: size(&row.sz, spec)?,
        }),
        "" => {}
        _ => {
            let (class, code) =
                (error::classify(error::number(&row.code)), error::reference(&row.code, &row.msg));
            out.push(Report::CancelError { client, class, code });
        }
    }
    if state.is_final() {
        out.push(Report::Ended { client, state, filled: Some(filled), at });
    }
    if state == OrderState::Cancelled && HALTING_SOURCES.contains(&&*row.cancel_source) {
        let code = VenueRef::cut(format!("ended by the venue, source {}", row.cancel_source).trim_end());
        out.push(Report::OrderError { client, class: Class::Halt, code, retry_at: None });
    }
    Ok(())
}

/// A position as the stream and the account call tell of it.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PositionRow<'a> {
    #[serde(borrow)]
    inst_id: Cow<'a, str>,
    #[serde(borrow)]
    pos_side: Cow<'a, str>,
    #[serde(borrow)]
    pos: Cow<'a, str>,
    #[serde(borrow)]
    avg_px: Cow<'a, str>,
}

/// Balances, of the stream and of the account call. Of an account with positions the wallet is what
/// is told: what is realised, of which margin holds a part.
pub fn balances(data: &RawValue, is_spot: bool, out: &mut Vec<Report>) -> Result<(), Unreadable> {
    #[derive(Deserialize)]
    struct Account<'a> {
        #[serde(borrow)]
        details: Vec<Detail<'a>>,
    }
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct Detail<'a> {
        #[serde(borrow)]
        ccy: Cow<'a, str>,
        #[serde(borrow)]
        avail_bal: Cow<'a, str>,
        #[serde(borrow)]
        frozen_bal: Cow<'a, str>,
        #[serde(borrow)]
        cash_bal: Cow<'a, str>,
    }
    let accounts: Vec<Account> = serde_json::from_str(data.get()).map_err(|_| "the account")?;
    let before = out.len();
    for detail in accounts.iter().flat_map(|account| &account.details) {
        // Names that the engine cannot hold are of assets that it cannot trade.
        let Some(asset) = Asset::new(&detail.ccy).filter(|asset| !asset.is_empty()) else { continue };
        let amount = |text: &str| Money::parse(text).ok_or("a balance");
        if !is_spot && !detail.cash_bal.is_empty() && !detail.avail_bal.is_empty() {
            let read = amount(&detail.cash_bal).and_then(|cash| Ok((cash, amount(&detail.avail_bal)?)));
            let (cash, free) = read.inspect_err(|_| out.truncate(before))?;
            // What open positions would bring may be free to use: it is not in the wallet.
            let free = free.min(cash);
            let locked = cash.0.checked_sub(free.0).map(Money);
            out.push(Report::Balance { asset, free, locked });
            continue;
        }
        let read = match (&*detail.avail_bal, &*detail.frozen_bal, &*detail.cash_bal) {
            ("", _, cash) => amount(cash).map(|cash| (cash, None)),
            (free, "", _) => amount(free).map(|free| (free, None)),
            (free, frozen, _) => amount(free).and_then(|free| Ok((free, Some(amount(frozen)?)))),
        };
        let (free, locked) = read.inspect_err(|_| out.truncate(before))?;
        out.push(Report::Balance { asset, free, locked });
    }
    Ok(())
}

/// What could not be understood.
pub fn malformed(what: &str) -> Report {
    Report::Malformed(format!("cannot read {what}"))
}

fn state(text: &str) -> Option<OrderState> {
    Some(match text {
        "live" => OrderState::Accepted,
        "partially_filled" => OrderState::PartFilled,
        "filled" => OrderState::Filled,
        "canceled" | "mmp_canceled" => OrderState::Cancelled,
        _ => return None,
    })
}

fn side(text: &str) -> Result<Side, Unreadable> {
    Side::BOTH.into_iter().find(|side| side.name() == text).ok_or("a side")
}

fn trade(text: &str) -> Result<VenueRef, Unreadable> {
    VenueRef::new(text).filter(|id| !id.is_empty()).ok_or("a trade id")
}

fn asset(text: &str) -> Result<Asset, Unreadable> {
    Asset::new(text).filter(|asset| !asset.is_empty()).ok_or("the asset of a fee")
}

fn scaled(text: &str, scale: Scale) -> Result<i64, Unreadable> {
    parse(text.as_bytes(), scale).ok().filter(|value| *value >= 0).ok_or("a number that does not fit")
}

/// A size as a quantity.
fn size(text: &str, spec: &InstrumentSpec) -> Result<Qty, Unreadable> {
    let size = Sizes::of(spec).qty_of(scaled(text, spec.scale)?);
    size.map(Qty).ok_or("a size that is no quantity")
}

/// The venue's sign of a fee is that of the balance's change; an empty text is none.
fn paid(text: &str) -> Result<Money, Unreadable> {
    if text.is_empty() {
        return Ok(Money::ZERO);
    }
    Money::parse(text).map(|fee| -fee).ok_or("a fee")
}

/// A time in ms, as text.
pub fn millis(text: &str) -> Result<Nanos, Unreadable> {
    text.parse().map(Nanos::from_millis).map_err(|_| "a time")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::okx::symbol;

    fn reader() -> Reader {
        let row = br#"{"code":"0","data":[{"instType":"SPOT","instId":"BTC-USDT","baseCcy":"BTC","quoteCcy":"USDT","tickSz":"0.1",
            "lotSz":"0.00000001","minSz":"0.00001","state":"live"}]}"#;
        Reader::new(symbol::instruments(row).unwrap())
    }

    const OURS: &str = r#""instId":"BTC-USDT","ordId":"24","clOrdId":"6d1b345e282140e2ad834ecb18a06876","side":"sell","px":"50100.0","sz":"0.05","uTime":"5""#;

    /// Plays entries of the channel and shows the reports that follow each.
    #[track_caller]
    fn check(entries: &[(String, &str)]) {
        for (entry, want) in entries {
            let data = RawValue::from_string(format!("[{entry}]")).unwrap();
            let mut out = Vec::new();
            reader().orders(&data, &mut out);
            let told: Vec<String> = out.iter().map(show).collect();
            assert_eq!(told.join(" "), *want, "{entry}");
        }
    }

    fn show(report: &Report) -> String {
        match report {
            Report::Accepted { venue_ref, at, .. } => format!("accepted({venue_ref} at {})", at.millis()),
            Report::Filled { trade, side, price, qty, total, fee, fee_asset, at, .. } => format!(
                "{}({trade} {}@{} of {:?} fee {fee}{fee_asset} at {})",
                side.name(),
                qty.0,
                price.0,
                total.map(|qty| qty.0),
                at.millis()
            ),
            Report::Ended { state, filled, .. } => format!("{state:?}({:?})", filled.map(|qty| qty.0)),
            Report::Amended { price, qty, .. } => format!("amended({}@{})", qty.0, price.0),
            Report::CancelError { class, code, .. } => format!("change {class:?} {code}"),
            Report::OrderError { class, code, .. } => format!("{class:?} {code}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn an_order_is_told_as_it_lives() {
        check(&[
            (
                format!(
                    "{{{OURS},\"state\":\"live\",\"accFillSz\":\"0\",\"fillSz\":\"0\",\"tradeId\":\"\"}}"
                ),
                "accepted(24 at 5)",
            ),
            (
                format!(
                    "{{{OURS},\"state\":\"partially_filled\",\"accFillSz\":\"0.02\",\"fillPx\":\"50100.5\",\"fillSz\":\"0.02\",\"fillTime\":\"4\",\
                     \"tradeId\":\"1518905531\",\"execType\":\"T\",\"fillFee\":\"-0.1002\",\"fillFeeCcy\":\"USDT\"}}"
                ),
                "sell(1518905531 2000000@5010050000000 of Some(2000000) fee 0.1002USDT at 4)",
            ),
            (
                format!(
                    "{{{OURS},\"state\":\"filled\",\"accFillSz\":\"0.05\",\"fillPx\":\"50100.5\",\"fillSz\":\"0.03\",\"fillTime\":\"4\",\
                     \"tradeId\":\"9\",\"execType\":\"M\",\"fillFee\":\"0.01\",\"fillFeeCcy\":\"USDT\"}}"
                ),
                "sell(9 3000000@5010050000000 of Some(5000000) fee -0.01USDT at 4) Filled(Some(5000000))",
            ),
            (
                format!("{{{OURS},\"state\":\"canceled\",\"accFillSz\":\"0.02\",\"cancelSource\":\"14\"}}"),
                "Cancelled(Some(2000000))",
            ),
            (format!("{{{OURS},\"state\":\"mmp_canceled\",\"accFillSz\":\"0\"}}"), "Cancelled(Some(0))"),
            (
                format!(
                    "{{{OURS},\"state\":\"filled\",\"accFillSz\":\"0.05\",\"fillSz\":\"0\",\"tradeId\":\"\"}}"
                ),
                "Filled(Some(5000000))",
            ),
            (
                format!(
                    "{{{OURS},\"state\":\"live\",\"accFillSz\":\"0\",\"amendResult\":\"0\",\"reqId\":\"r\"}}"
                ),
                "accepted(24 at 5) amended(5000000@5010000000000)",
            ),
            (
                format!(
                    "{{{OURS},\"state\":\"live\",\"accFillSz\":\"0\",\"amendResult\":\"-1\",\"code\":\"51503\",\"msg\":\"late\"}}"
                ),
                "accepted(24 at 5) change Refused 51503 late",
            ),
            (
                format!("{{{OURS},\"state\":\"canceled\",\"accFillSz\":\"0\",\"cancelSource\":\"6\"}}"),
                "Cancelled(Some(0)) Halt ended by the venue, source 6",
            ),
        ]);
    }

    #[test]
    fn what_cannot_be_understood_is_said_to_be_so() {
        check(&[
            (
                r#"{"instId":"BTC-USDT","ordId":"7","clOrdId":"web","state":"live"}"#.to_owned(),
                r#"Foreign { venue_ref: "7" }"#,
            ),
            (
                OURS.replace("BTC-USDT", "ETH-USDT").replace(r#""instId""#, r#"{"instId""#) + "}",
                r#"Foreign { venue_ref: "24" }"#,
            ),
            (
                format!("{{{OURS},\"state\":\"sleeping\",\"accFillSz\":\"0\"}}"),
                r#"Malformed("cannot read orders: a state of tomorrow") Unknown unreadable order"#,
            ),
            (
                format!("{{{OURS},\"state\":\"live\",\"accFillSz\":\"0.0000000000001\"}}"),
                r#"Malformed("cannot read a number that does not fit") Unknown unreadable order"#,
            ),
            ("7".to_owned(), r#"Malformed("cannot read orders: unreadable order")"#),
        ]);
    }

    #[test]
    fn balances_are_told_free_and_frozen() {
        let data = r#"[{"uTime":"1","details":[{"ccy":"BTC","availBal":"1.5","frozenBal":"0.25","cashBal":"1.75"},
            {"ccy":"USDT","availBal":"","cashBal":"10"},{"ccy":"A NAME THAT IS TOO LONG","availBal":"1"}]}]"#;
        let mut out = Vec::new();
        balances(&RawValue::from_string(data.to_owned()).unwrap(), true, &mut out).unwrap();
        let money = |text| Money::parse(text).unwrap();
        assert_eq!(
            out,
            [
                Report::Balance {
                    asset: Asset::new("BTC").unwrap(),
                    free: money("1.5"),
                    locked: Some(money("0.25"))
                },
                Report::Balance { asset: Asset::new("USDT").unwrap(), free: money("10"), locked: None },
            ]
        );
        let broken = RawValue::from_string(data.replace("1.5", "x")).unwrap();
        assert!(
            balances(&broken, true, &mut out).is_err() && out.len() == 2,
            "nothing of an unreadable list is told"
        );
    }

    #[test]
    fn the_orders_own_code_goes_before_the_envelopes() {
        for (text, want) in [
            (
                r#"{"code":"0","msg":"","data":[{"ordId":"1","clOrdId":"a","ts":"3","sCode":"0","sMsg":""}]}"#,
                Ok("1"),
            ),
            (r#"{"code":"2","msg":"","data":[{"ordId":"1","sCode":"0"}]}"#, Ok("1")),
            (
                r#"{"code":"1","msg":"All failed","data":[{"ordId":"","sCode":"51008","sMsg":"no funds"}]}"#,
                Err((51_008, "51008 no funds")),
            ),
            (
                r#"{"code":"1","msg":"","data":[{"ordId":"","sCode":"51008_1000","sMsg":""}]}"#,
                Err((51_008, "51008_1000")),
            ),
            (r#"{"code":"60013","msg":"Invalid args","data":[]}"#, Err((60_013, "60013 Invalid args"))),
            (
                r#"{"code":"50102","msg":"Timestamp request expired"}"#,
                Err((50_102, "50102 Timestamp request expired")),
            ),
            (r#"{"code":"0","msg":"","data":[]}"#, Err((0, "answer without its order"))),
            (r#"{"code":"1","msg":"odd","data":[{"ordId":"1","sCode":"0"}]}"#, Err((1, "1 odd"))),
        ] {
            let envelope: Envelope = serde_json::from_str(text).unwrap();
            let got = envelope.single().map(|ack| ack.ord_id.into_owned());
            let got = got.as_deref().map_err(|fault| (fault.code, fault.text.as_str()));
            assert_eq!(got, want, "{text}");
        }
    }
}
