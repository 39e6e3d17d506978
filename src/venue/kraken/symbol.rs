//! Kraken's names, and its rules for each pair.
//!
//! One pair has four spellings: `BTC/USD` (WebSocket v2, and here the venue's own symbol),
//! `XBT/USD` (v1), `XBTUSD` (REST) and `XXBTZUSD` (the key of REST answers). Old assets carry a
//! class letter, `X` for coins and `Z` for money, and newer ones none; since `XTZ` and `ZEC` exist,
//! nothing can be told from a first letter. So a table says what is what, and all spellings of a
//! configured pair are written out ahead and compared whole.

use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

use super::json::Number;
use crate::types::{Asset, Contract, InstrumentSpec, Money, Price, Qty, Scale, Symbol, Text, parse};

/// Assets with more than one name: in v2, in v1 and REST pairs, and as the key of a balance.
const ASSETS: &[(&str, &str, &str)] = &[
    ("BTC", "XBT", "XXBT"),
    ("DOGE", "XDG", "XXDG"),
    ("ETH", "ETH", "XETH"),
    ("ETC", "ETC", "XETC"),
    ("LTC", "LTC", "XLTC"),
    ("MLN", "MLN", "XMLN"),
    ("REP", "REP", "XREP"),
    ("XLM", "XLM", "XXLM"),
    ("XMR", "XMR", "XXMR"),
    ("XRP", "XRP", "XXRP"),
    ("ZEC", "ZEC", "XZEC"),
    ("USD", "USD", "ZUSD"),
    ("EUR", "EUR", "ZEUR"),
    ("GBP", "GBP", "ZGBP"),
    ("CAD", "CAD", "ZCAD"),
    ("JPY", "JPY", "ZJPY"),
    ("AUD", "AUD", "ZAUD"),
];

/// Endings of balances that cannot be traded: staked, earning rewards, held.
const SUFFIXES: &[&str] = &[".S", ".M", ".F", ".B", ".P", ".HOLD"];

/// The v2 name of an asset in any spelling; names not in the table are the same everywhere.
pub fn asset_name(code: &str) -> &str {
    ASSETS.iter().find(|(_, short, long)| *short == code || *long == code).map_or(code, |(name, ..)| name)
}

/// The asset of a balance; `None` for balances that cannot be traded.
pub fn balance_asset(code: &str) -> Option<Asset> {
    if SUFFIXES.iter().any(|suffix| code.ends_with(suffix)) {
        return None;
    }
    Asset::new(asset_name(code))
}

/// The name that REST gives an asset within a pair.
fn short_code(name: &str) -> &str {
    ASSETS.iter().find(|(v2, ..)| *v2 == name).map_or(name, |(_, short, _)| short)
}

/// The name that REST gives an asset on its own.
pub fn long_code(name: &str) -> &str {
    ASSETS.iter().find(|(v2, ..)| *v2 == name).map_or(name, |(.., long)| long)
}

/// `BTC/USD` from `XBT/USD`; a v2 name comes back as it is. `None` without a slash.
pub fn v2_name(wsname: &str) -> Option<Symbol> {
    let (base, quote) = wsname.split_once('/')?;
    Symbol::new(&format!("{}/{}", asset_name(base), asset_name(quote)))
}

/// `XBT/USD` from `BTC/USD`.
pub fn v1_name(symbol: &str) -> Option<String> {
    let (base, quote) = symbol.split_once('/')?;
    Some(format!("{}/{}", short_code(base), short_code(quote)))
}

/// `XBTUSD` from `BTC/USD`.
pub fn rest_name(symbol: &str) -> Option<String> {
    let (base, quote) = symbol.split_once('/')?;
    Some(format!("{}{}", short_code(base), short_code(quote)))
}

/// `XXBTZUSD` from `BTC/USD`: the class letters appear only when both assets have one.
pub fn key_name(symbol: &str) -> Option<String> {
    let (base, quote) = symbol.split_once('/')?;
    let (long_base, long_quote) = (long_code(base), long_code(quote));
    if long_base == base || long_quote == quote {
        return rest_name(symbol);
    }
    Some(format!("{long_base}{long_quote}"))
}

/// Every spelling of some pairs, each with the pair's place in the list.
#[derive(Clone, Debug, Default)]
pub struct Names(BTreeMap<String, usize>);

impl Names {
    /// Of these v2 symbols. The list's first pair wins a spelling that two could have.
    pub fn new<'a>(symbols: impl IntoIterator<Item = &'a str>) -> Names {
        let mut names = BTreeMap::new();
        for (place, symbol) in symbols.into_iter().enumerate() {
            names.entry(symbol.to_owned()).or_insert(place);
            let Some((base, quote)) = symbol.split_once('/') else { continue };
            for base in [base, short_code(base), long_code(base)] {
                for quote in [quote, short_code(quote), long_code(quote)] {
                    for name in [format!("{base}/{quote}"), format!("{base}{quote}")] {
                        names.entry(name).or_insert(place);
                    }
                }
            }
        }
        Names(names)
    }

    /// Which pair this is, in whatever spelling.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    result: Option<BTreeMap<Cow<'a, str>, RestPair<'a>>>,
}

#[derive(Deserialize)]
struct RestPair<'a> {
    #[serde(borrow)]
    wsname: Option<Cow<'a, str>>,
    pair_decimals: u8,
    lot_decimals: u8,
    #[serde(borrow)]
    ordermin: Option<Number<'a>>,
    #[serde(borrow)]
    costmin: Option<Number<'a>>,
    #[serde(borrow)]
    tick_size: Option<Number<'a>>,
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    channel: Cow<'a, str>,
    #[serde(borrow)]
    data: Reference<'a>,
}

#[derive(Deserialize)]
struct Reference<'a> {
    #[serde(borrow)]
    pairs: Vec<StreamPair<'a>>,
}

#[derive(Deserialize)]
struct StreamPair<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    price_precision: u8,
    qty_precision: u8,
    #[serde(borrow)]
    price_increment: Option<Number<'a>>,
    #[serde(borrow)]
    qty_increment: Option<Number<'a>>,
    #[serde(borrow)]
    qty_min: Option<Number<'a>>,
    #[serde(borrow)]
    cost_min: Option<Number<'a>>,
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
}

/// What both answers tell of a pair.
struct Facts<'a> {
    symbol: Symbol,
    price_digits: u8,
    qty_digits: u8,
    tick: Option<Number<'a>>,
    lot: Option<Number<'a>>,
    min_qty: Option<Number<'a>>,
    min_cost: Option<Number<'a>>,
    status: Option<&'a str>,
}

/// Reads the REST answer `AssetPairs` or a v2 `instrument` message. Pairs that this engine cannot
/// hold (no stream name, more than twelve decimals) are left out. `None` when it is neither.
pub fn instruments(text: &[u8]) -> Option<Vec<InstrumentSpec>> {
    if let Ok(Answer { result: Some(pairs) }) = serde_json::from_slice::<Answer>(text) {
        let specs = pairs.values().filter_map(|pair| {
            spec(&Facts {
                symbol: v2_name(pair.wsname.as_deref()?)?,
                price_digits: pair.pair_decimals,
                qty_digits: pair.lot_decimals,
                tick: pair.tick_size,
                lot: None,
                min_qty: pair.ordermin,
                min_cost: pair.costmin,
                status: pair.status.as_deref(),
            })
        });
        return Some(specs.collect());
    }
    let message = serde_json::from_slice::<Message>(text).ok().filter(|m| m.channel == "instrument")?;
    let specs = message.data.pairs.iter().filter_map(|pair| {
        spec(&Facts {
            symbol: v2_name(&pair.symbol)?,
            price_digits: pair.price_precision,
            qty_digits: pair.qty_precision,
            tick: pair.price_increment,
            lot: pair.qty_increment,
            min_qty: pair.qty_min,
            min_cost: pair.cost_min,
            status: pair.status.as_deref(),
        })
    });
    Some(specs.collect())
}

fn spec(facts: &Facts<'_>) -> Option<InstrumentSpec> {
    let symbol = facts.symbol.as_str();
    let (base, quote) = symbol.split_once('/')?;
    // A tick may have more decimals than the pair's prices are written with, never the reverse.
    let numbers = [facts.tick, facts.lot];
    let places = numbers.iter().flatten().map(places).max().unwrap_or(0);
    let digits = places.max(facts.price_digits).max(facts.qty_digits).max(Scale::DEFAULT.digits());
    let scale = Scale::new(digits)?;
    let step = |places: u8| 10i64.pow(u32::from(digits - places));
    let or_step = |number: Option<Number<'_>>, places: u8| match number {
        Some(number) => number.scaled(scale).filter(|step| *step > 0),
        None => Some(step(places)),
    };
    let (base, quote) = (Asset::new(base)?, Asset::new(quote)?);
    let lot = or_step(facts.lot, facts.qty_digits)?;
    Some(InstrumentSpec {
        name: Text::new(&format!("{base}-{quote}"))?,
        symbol: facts.symbol,
        base,
        quote,
        scale,
        tick: Price(or_step(facts.tick, facts.price_digits)?),
        lot: Qty(lot),
        min_qty: match facts.min_qty {
            Some(least) => least.qty(scale)?,
            None => Qty(lot),
        },
        max_qty: Qty::ZERO,
        min_notional: match facts.min_cost {
            Some(least) => least.money()?,
            None => Money::ZERO,
        },
        price_digits: facts.price_digits,
        qty_digits: facts.qty_digits,
        contract: Contract::spot(quote, scale),
        // Old answers have no status. In `limit_only` every order that this engine sends is taken.
        open: matches!(facts.status, None | Some("online" | "limit_only")),
    })
}

/// The decimals that a number needs, trailing zeros and exponents seen through.
pub fn places(number: &Number<'_>) -> u8 {
    (0..=Scale::MAX.digits())
        .find(|places| {
            Scale::new(*places).is_some_and(|scale| parse(number.text().as_bytes(), scale).is_ok())
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIRS: &str = r#"{"error":[],"result":{
        "XXBTZUSD":{"altname":"XBTUSD","wsname":"XBT/USD","base":"XXBT","quote":"ZUSD","pair_decimals":1,
            "lot_decimals":8,"cost_decimals":5,"ordermin":"0.00005","costmin":"0.5","tick_size":"0.1","status":"online"},
        "XDGUSD":{"altname":"XDGUSD","wsname":"XDG/USD","pair_decimals":7,"lot_decimals":8,"ordermin":"13"},
        "SHIBUSD":{"altname":"SHIBUSD","wsname":"SHIB/USD","pair_decimals":10,"lot_decimals":5,"ordermin":"1",
            "tick_size":"0.0000000001","status":"cancel_only"},
        "XBTUSD.d":{"altname":"XBTUSD.d","pair_decimals":1,"lot_decimals":8}}}"#;

    const STREAM: &str = r#"{"channel":"instrument","type":"snapshot","data":{"assets":[{"id":"BTC","precision":10}],
        "pairs":[{"symbol":"BTC/USD","base":"BTC","quote":"USD","status":"online","price_increment":0.1,
            "price_precision":1,"qty_increment":1e-8,"qty_precision":8,"qty_min":0.00005,"cost_min":"0.5","cost_precision":5},
          {"symbol":"BTC/EUR","status":"maintenance","price_increment":0.5,"price_precision":1,"qty_precision":8}]}}"#;

    #[test]
    fn rest_and_stream_tell_the_same_of_a_pair() {
        let rest = instruments(PAIRS.as_bytes()).unwrap();
        let stream = instruments(STREAM.as_bytes()).unwrap();
        let btc = rest.iter().find(|spec| spec.symbol.as_str() == "BTC/USD").unwrap();
        assert_eq!(btc, &stream[0]);
        assert_eq!((btc.name.as_str(), btc.price_digits, btc.qty_digits), ("BTC-USD", 1, 8));
        assert_eq!((btc.tick, btc.lot, btc.min_qty), (Price(10_000_000), Qty(1), Qty(5_000)));
        assert_eq!(
            (btc.min_notional.to_string().as_str(), btc.open, btc.scale),
            ("0.5", true, Scale::DEFAULT)
        );
        assert_eq!((stream[1].tick, stream[1].open), (Price(50_000_000), false));
    }

    #[test]
    fn a_finer_pair_has_a_finer_scale() {
        let rest = instruments(PAIRS.as_bytes()).unwrap();
        assert_eq!(rest.len(), 3, "a pair without a stream name is left out");
        let [doge, shib] =
            ["DOGE/USD", "SHIB/USD"].map(|s| rest.iter().find(|r| r.symbol.as_str() == s).unwrap());
        assert_eq!(
            (shib.scale.digits(), shib.tick, shib.lot, shib.open),
            (10, Price(1), Qty(100_000), false)
        );
        assert_eq!((doge.base.as_str(), doge.tick, doge.min_qty), ("DOGE", Price(10), Qty(1_300_000_000)));
    }

    #[test]
    fn other_texts_are_no_instruments() {
        for text in ["", "{}", "[]", r#"{"error":["EGeneral:x"]}"#, r#"{"channel":"book","data":[]}"#] {
            assert_eq!(instruments(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn every_spelling_finds_its_pair() {
        let names = Names::new(["BTC/USD", "DOGE/BTC", "XTZ/ZEC"]);
        for (name, want) in [
            ("BTC/USD", Some(0)),
            ("XBT/USD", Some(0)),
            ("XBTUSD", Some(0)),
            ("XXBTZUSD", Some(0)),
            ("XXDGXXBT", Some(1)),
            ("XDG/XBT", Some(1)),
            ("XTZZEC", Some(2)),
            ("XTZXZEC", Some(2)),
            ("TZ/EC", None),
            ("ETHUSD", None),
        ] {
            assert_eq!(names.find(name), want, "{name}");
        }
        assert_eq!(key_name("BTC/USD").as_deref(), Some("XXBTZUSD"));
        assert_eq!(key_name("SOL/USD").as_deref(), Some("SOLUSD"));
        assert_eq!(rest_name("DOGE/USD").as_deref(), Some("XDGUSD"));
        assert_eq!(v1_name("BTC/USD").as_deref(), Some("XBT/USD"));
    }

    #[test]
    fn balances_that_cannot_be_traded_are_left_out() {
        let name = |code| balance_asset(code).map(|asset| asset.to_string());
        assert_eq!(name("XXBT").as_deref(), Some("BTC"));
        assert_eq!(name("ZUSD").as_deref(), Some("USD"));
        assert_eq!(name("SOL").as_deref(), Some("SOL"));
        assert_eq!(name("ZEUR.HOLD").or(name("DOT.S")).or(name("XBT.F")), None);
    }
}
