//! REST: public calls, and private ones with key, signature and rising nonce.

use std::collections::BTreeMap;

use super::super::json::quoted;
use super::super::sign::Signer;
use super::super::symbol;
use super::trade::Wish;
use super::{KrakenServer, TOKEN_LIFE, Token, text};
use crate::types::{FeeRate, InstrumentSpec, Nanos};
use crate::venue::{ApiKey, Exchange, KeySecret, OrderRef, OrderView};

/// A request as it came.
pub struct Request<'a> {
    pub method: &'a str,
    pub target: &'a str,
    pub headers: &'a [(String, String)],
    pub body: &'a [u8],
    pub peer: &'a str,
}

impl Request<'_> {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }
}

/// Rows of a page of orders or trades.
const PAGE: usize = 50;

type Fields = BTreeMap<String, String>;
type Result<T> = std::result::Result<T, String>;

impl KrakenServer {
    /// The body of the answer; errors are answers too.
    pub(super) fn request(
        &mut self,
        request: &Request<'_>,
        now: Nanos,
        exchange: &mut dyn Exchange,
    ) -> String {
        let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
        let result = if let Some(name) = path.strip_prefix("/0/public/") {
            self.public(name, &form(query), now, exchange)
        } else if let Some(name) = path.strip_prefix("/0/private/") {
            self.checked(request, path, now, exchange)
                .and_then(|(key, fields)| self.private(name, &key, &fields, now, exchange))
        } else {
            Err("EGeneral:Unknown method".to_owned())
        };
        match result {
            Ok(result) => format!("{{\"error\":[],\"result\":{result}}}"),
            Err(error) => format!("{{\"error\":[{}]}}", quoted(&error)),
        }
    }

    /// Who asks, and for what: key, address, signature, then the nonce.
    fn checked(
        &mut self,
        request: &Request<'_>,
        path: &str,
        now: Nanos,
        exchange: &mut dyn Exchange,
    ) -> Result<(ApiKey, Fields)> {
        if request.method != "POST" {
            return Err("EGeneral:Unknown method".to_owned());
        }
        let key = exchange.key(request.header("api-key")).ok_or("EAPI:Invalid key")?.clone();
        let text = std::str::from_utf8(request.body).map_err(|_| "EGeneral:Invalid arguments")?;
        let fields = if request.header("content-type").contains("json") { object(text)? } else { form(text) };
        let nonce_text = fields.get("nonce").ok_or("EAPI:Invalid nonce")?;
        let KeySecret::Shared(secret) = &key.secret else { return Err("EAPI:Invalid key".to_owned()) };
        let signer = Signer::from_bytes(secret);
        if !signer.verify(path, nonce_text.as_bytes(), request.body, request.header("api-sign")) {
            return Err("EAPI:Invalid signature".to_owned());
        }
        let host = request.peer.rsplit_once(':').map_or(request.peer, |(host, _)| host);
        if !key.rights.ips.is_empty() && !key.rights.ips.iter().any(|ip| ip == host || ip == request.peer) {
            return Err("EGeneral:Permission denied".to_owned());
        }
        if key.rights.expires.is_some_and(|until| until <= now) {
            return Err("EAPI:Invalid key".to_owned());
        }
        let nonce: u64 = nonce_text.parse().map_err(|_| "EAPI:Invalid nonce")?;
        let last = self.nonces.entry(key.key.clone()).or_insert(0);
        if nonce <= *last {
            return Err("EAPI:Invalid nonce".to_owned());
        }
        *last = nonce;
        if !self.counters.call(&key.key, path.rsplit('/').next().unwrap_or(""), now) {
            return Err("EAPI:Rate limit exceeded".to_owned());
        }
        Ok((key, fields))
    }

    fn public(
        &mut self,
        name: &str,
        query: &Fields,
        now: Nanos,
        exchange: &mut dyn Exchange,
    ) -> Result<String> {
        match name {
            "Time" => Ok(format!("{{\"unixtime\":{},\"rfc1123\":\"\"}}", now.0.div_euclid(1_000_000_000))),
            "SystemStatus" => Ok(format!("{{\"status\":\"online\",\"timestamp\":\"{}\"}}", now.rfc3339(0))),
            "AssetPairs" => {
                let wanted = match query.get("pair") {
                    Some(pair) => {
                        let (place, _) = self.find(pair, exchange).ok_or("EQuery:Unknown asset pair")?;
                        Some(place)
                    }
                    None => None,
                };
                let all = exchange.instruments().iter().enumerate();
                let rows: Vec<String> = all
                    .filter(|(place, _)| wanted.is_none_or(|wanted| wanted == *place))
                    .filter_map(|(_, spec)| pair_record(spec))
                    .collect();
                Ok(format!("{{{}}}", rows.join(",")))
            }
            "Depth" => {
                let pair = query.get("pair").ok_or("EGeneral:Invalid arguments")?;
                let (place, spec) = self.find(pair, exchange).ok_or("EQuery:Unknown asset pair")?;
                let count = query.get("count").map_or(Some(100), |count| count.parse().ok());
                let count =
                    count.filter(|count| (1..=500).contains(count)).ok_or("EGeneral:Invalid arguments")?;
                let (spec, book) = (spec.clone(), exchange.book(place, count));
                let rows = |levels: &[crate::types::Level]| {
                    let rows: Vec<String> = levels
                        .iter()
                        .map(|level| {
                            let (price, qty) = (text::price(level.price, &spec), text::qty(level.qty, &spec));
                            format!("[\"{price}\",\"{qty}\",{}]", book.at.0.div_euclid(1_000_000_000))
                        })
                        .collect();
                    rows.join(",")
                };
                let key = symbol::key_name(spec.symbol.as_str()).unwrap_or_default();
                Ok(format!(
                    "{{\"{key}\":{{\"asks\":[{}],\"bids\":[{}]}}}}",
                    rows(&book.asks),
                    rows(&book.bids)
                ))
            }
            _ => Err("EGeneral:Unknown method".to_owned()),
        }
    }

    fn private(
        &mut self,
        name: &str,
        key: &ApiKey,
        fields: &Fields,
        now: Nanos,
        exchange: &mut dyn Exchange,
    ) -> Result<String> {
        let field = |name: &str| fields.get(name).map(String::as_str);
        let reads =
            ["OpenOrders", "ClosedOrders", "QueryOrders", "TradesHistory", "BalanceEx", "TradeVolume"];
        let trades = ["CancelAll", "CancelAllOrdersAfter", "GetWebSocketsToken"];
        let denied = (reads.contains(&name) && key.rights.read == Some(false))
            || (trades.contains(&name) && key.rights.trade == Some(false));
        if denied {
            return Err("EGeneral:Permission denied".to_owned());
        }
        match name {
            "GetWebSocketsToken" => {
                let token = format!("{:016x}{:016x}", self.rng.rand_u64(), self.rng.rand_u64());
                let entry =
                    Token { account: key.account, key: key.key.clone(), until: now + TOKEN_LIFE, conn: None };
                self.tokens.insert(token.clone(), entry);
                Ok(format!("{{\"token\":\"{token}\",\"expires\":900}}"))
            }
            "AddOrder" => {
                let flags = field("oflags").unwrap_or("");
                let wish = Wish {
                    pair: field("pair").unwrap_or(""),
                    side: field("type").unwrap_or(""),
                    kind: field("ordertype").unwrap_or(""),
                    tif: field("timeinforce").unwrap_or(""),
                    post_only: flags.split(',').any(|flag| flag == "post"),
                    price: field("price"),
                    qty: field("volume").unwrap_or(""),
                    client: field("cl_ord_id").unwrap_or(""),
                    deadline: field("deadline"),
                    fok: true,
                    validate: field("validate") == Some("true"),
                };
                let placed = self.place(key, &wish, now, exchange)?;
                let descr = format!(
                    "{} {} {} @ {} {}",
                    wish.side,
                    wish.qty,
                    wish.pair,
                    wish.kind,
                    wish.price.unwrap_or("")
                );
                let ids = placed
                    .map_or(String::new(), |view| format!(",\"txid\":[\"{}\"]", text::order_id(view.id)));
                Ok(format!("{{\"descr\":{{\"order\":{}}}{ids}}}", quoted(descr.trim())))
            }
            "AmendOrder" => {
                let order = order(fields).ok_or("EGeneral:Invalid arguments")?;
                let view =
                    self.amend(key, &order, field("limit_price"), field("order_qty"), now, exchange)?;
                Ok(format!("{{\"amend_id\":\"TA{}\"}}", view.updated.0))
            }
            "CancelOrder" => {
                let order = order(fields).ok_or("EGeneral:Invalid arguments")?;
                self.cancel(key, &order, now, exchange)?;
                Ok("{\"count\":1,\"pending\":false}".to_owned())
            }
            "CancelAll" => {
                let count = exchange.cancel_all(key.account, None, now).len();
                Ok(format!("{{\"count\":{count},\"pending\":false}}"))
            }
            "CancelAllOrdersAfter" => {
                let seconds = field("timeout").and_then(|timeout| timeout.parse().ok());
                let seconds =
                    seconds.filter(|seconds| *seconds < 86_400).ok_or("EGeneral:Invalid arguments")?;
                Ok(self.switch(key.account, seconds, now))
            }
            "OpenOrders" => {
                let mut views = exchange.open_orders(key.account);
                views.retain(|view| field("cl_ord_id").is_none_or(|id| id == view.order.client));
                Ok(format!("{{\"open\":{}}}", orders(&views, exchange.instruments())))
            }
            "ClosedOrders" => {
                let mut views = exchange.ended_orders(key.account, Nanos::ZERO);
                views.retain(|view| field("cl_ord_id").is_none_or(|id| id == view.order.client));
                // The newest first, a page at a time.
                views.reverse();
                let count = views.len();
                let from = field("ofs").and_then(|ofs| ofs.parse().ok()).unwrap_or(0);
                let page: Vec<OrderView> = views.into_iter().skip(from).take(PAGE).collect();
                Ok(format!("{{\"closed\":{},\"count\":{count}}}", orders(&page, exchange.instruments())))
            }
            "QueryOrders" => {
                let ids = field("txid").unwrap_or("").split(',').take(PAGE);
                let views: Vec<OrderView> = ids
                    .filter_map(|id| exchange.order(key.account, &OrderRef::Id(text::order_number(id)?)))
                    .collect();
                Ok(orders(&views, exchange.instruments()))
            }
            "TradesHistory" => Ok(history(key, fields, exchange)),
            "BalanceEx" => {
                let rows: Vec<String> = exchange
                    .balances(key.account)
                    .iter()
                    .map(|balance| {
                        let total = balance.free.checked_add(balance.locked).unwrap_or_default();
                        let code = symbol::long_code(balance.asset.as_str()).to_owned();
                        format!(
                            "\"{code}\":{{\"balance\":\"{total}\",\"hold_trade\":\"{}\"}}",
                            balance.locked
                        )
                    })
                    .collect();
                Ok(format!("{{{}}}", rows.join(",")))
            }
            "TradeVolume" => {
                let pair = field("pair").ok_or("EGeneral:Invalid arguments")?;
                let (place, spec) = self.find(pair, exchange).ok_or("EQuery:Unknown asset pair")?;
                let name = symbol::key_name(spec.symbol.as_str()).unwrap_or_default();
                let (maker, taker) = exchange.fees(key.account, place);
                Ok(format!(
                    "{{\"currency\":\"ZUSD\",\"volume\":\"0.0000\",\"fees\":{{\"{name}\":{}}},\"fees_maker\":{{\"{name}\":{}}}}}",
                    fee_record(taker),
                    fee_record(maker)
                ))
            }
            "GetApiKeyInfo" => Ok(self.key_info(key)),
            _ => Err("EGeneral:Unknown method".to_owned()),
        }
    }

    fn key_info(&self, key: &ApiKey) -> String {
        let groups: [(Option<bool>, &[&str]); 4] = [
            (key.rights.read, &["query-funds", "query-open-trades", "query-closed-trades"]),
            (key.rights.trade, &["modify-trades", "close-trades", "create-ws-token"]),
            (key.rights.withdraw, &["withdraw-funds"]),
            (Some(!key.rights.excess.is_empty()), &[]),
        ];
        let mut names: Vec<String> = groups
            .iter()
            .filter(|(right, _)| *right == Some(true))
            .flat_map(|(_, names)| names.iter().map(|name| quoted(name)))
            .collect();
        names.extend(key.rights.excess.iter().map(|name| quoted(name)));
        let ips: Vec<String> = if key.rights.ips.is_empty() {
            vec!["\"\"".to_owned()]
        } else {
            key.rights.ips.iter().map(|ip| quoted(ip)).collect()
        };
        let until = key.rights.expires.map_or(0, |until| until.0.div_euclid(1_000_000_000));
        format!(
            "{{\"api_key_name\":\"sim\",\"api_key\":{},\"nonce\":\"{}\",\"nonce_window\":\"0\",\"permissions\":[{}],\"iban\":\"\",\
             \"valid_until\":\"{until}\",\"query_from\":\"0\",\"query_to\":\"0\",\"created_time\":\"0\",\"modified_time\":\"0\",\
             \"ip_allowlist\":[{}],\"last_used\":\"0\"}}",
            quoted(&key.key),
            self.nonces.get(&key.key).copied().unwrap_or(0),
            names.join(","),
            ips.join(",")
        )
    }
}

/// The order that a request names.
fn order(fields: &Fields) -> Option<OrderRef> {
    match (fields.get("txid"), fields.get("cl_ord_id")) {
        (Some(id), _) => Some(OrderRef::Id(text::order_number(id).unwrap_or(u64::MAX))),
        (None, Some(client)) => Some(OrderRef::Client(client.clone())),
        (None, None) => None,
    }
}

fn orders(views: &[OrderView], specs: &[InstrumentSpec]) -> String {
    let rows: Vec<String> = views
        .iter()
        .filter_map(|view| {
            let spec = specs.get(view.order.instrument)?;
            let pair = symbol::rest_name(spec.symbol.as_str())?;
            Some(format!("\"{}\":{}", text::order_id(view.id), text::order_record(view, spec, &pair)))
        })
        .collect();
    format!("{{{}}}", rows.join(","))
}

fn history(key: &ApiKey, fields: &Fields, exchange: &mut dyn Exchange) -> String {
    let number = |name: &str| fields.get(name).and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    let since = Nanos::from_secs(number("start"));
    let mut fills = exchange.fills(key.account, since);
    fills.retain(|fill| fill.at > since);
    fills.reverse();
    let rows: Vec<String> = fills
        .iter()
        .skip(usize::try_from(number("ofs")).unwrap_or(0))
        .take(PAGE)
        .filter_map(|fill| {
            let spec = exchange.instruments().get(fill.instrument)?;
            let pair = symbol::key_name(spec.symbol.as_str())?;
            let value = crate::types::Money::notional(fill.price, fill.qty, spec.scale)?;
            Some(format!(
                "\"{}\":{{\"ordertxid\":\"{}\",\"pair\":\"{pair}\",\"time\":{},\"type\":\"{}\",\"ordertype\":\"limit\",\
                 \"price\":\"{}\",\"cost\":\"{value}\",\"fee\":\"{}\",\"vol\":\"{}\",\"trade_id\":{},\"maker\":{}}}",
                text::trade_id(fill),
                text::order_id(fill.order),
                text::seconds(fill.at),
                fill.side.name(),
                text::price(fill.price, spec),
                fill.fee,
                text::qty(fill.qty, spec),
                fill.trade,
                fill.maker
            ))
        })
        .collect();
    format!("{{\"trades\":{{{}}},\"count\":{}}}", rows.join(","), fills.len())
}

fn pair_record(spec: &InstrumentSpec) -> Option<String> {
    let symbol = spec.symbol.as_str();
    Some(format!(
        "\"{}\":{{\"altname\":\"{}\",\"wsname\":\"{}\",\"aclass_base\":\"currency\",\"base\":\"{}\",\"aclass_quote\":\"currency\",\"quote\":\"{}\",\
         \"pair_decimals\":{},\"cost_decimals\":5,\"lot_decimals\":{},\"lot_multiplier\":1,\"ordermin\":\"{}\",\"costmin\":\"{}\",\"tick_size\":\"{}\",\
         \"status\":\"{}\"}}",
        symbol::key_name(symbol)?,
        symbol::rest_name(symbol)?,
        symbol::v1_name(symbol)?,
        symbol::long_code(spec.base.as_str()),
        symbol::long_code(spec.quote.as_str()),
        spec.price_digits,
        spec.qty_digits,
        text::fixed(spec.min_qty.0, spec.scale, 0),
        spec.min_notional,
        text::fixed(spec.tick.0, spec.scale, 0),
        if spec.open { "online" } else { "cancel_only" },
    ))
}

/// A share in units of 1e-8 is a percentage in units of 1e-6.
fn fee_record(rate: FeeRate) -> String {
    let scale = crate::types::Scale::new(6).unwrap_or_default();
    format!("{{\"fee\":\"{}\"}}", text::fixed(rate.0, scale, 4))
}

/// The fields of a form; what cannot be unescaped is dropped.
fn form(text: &str) -> Fields {
    text.split('&')
        .filter_map(|field| field.split_once('='))
        .filter_map(|(name, value)| Some((unescape(name)?, unescape(value)?)))
        .collect()
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                bytes.push((digit(high)? * 16 + digit(low)?) as u8);
                rest = tail;
            }
            (b'%', _) => return None,
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).ok()
}

/// The fields of a flat JSON object, as texts.
fn object(text: &str) -> Result<Fields> {
    let fields: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|_| "EGeneral:Invalid arguments")?;
    Ok(fields
        .into_iter()
        .map(|(name, value)| match value {
            serde_json::Value::String(text) => (name, text),
            other => (name, other.to_string()),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_unescaped() {
        let fields = form("a=1%3A2&b=x+y&c=%zz&d=%4&e");
        let want = [("a", "1:2"), ("b", "x y")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(fields, want.into());
        assert_eq!(fee_record(FeeRate(260_000)), r#"{"fee":"0.2600"}"#);
    }
}
