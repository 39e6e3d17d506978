//! Coinbase's names, and its rules for each product.
//!
//! One spelling everywhere, `BTC-USD`, and one trap: a product quoted in USDC shares the book of the
//! one in USD, and its public messages come under that name. Advanced Trade tells a price tick of
//! its own beside the quote's increment; Exchange has the one only, and a smallest value in place of
//! a smallest quantity.

use serde::Deserialize;
use std::borrow::Cow;

use crate::types::{Asset, Contract, InstrumentSpec, Money, Price, Qty, Scale, Symbol, Text, parse};
use crate::venue::kraken::json::Number;

/// The name under which a product's public messages may come instead of its own.
pub fn book_name(symbol: &str) -> Option<String> {
    symbol.strip_suffix("-USDC").map(|base| format!("{base}-USD"))
}

#[derive(Deserialize)]
struct Advanced<'a> {
    #[serde(borrow)]
    product_id: Cow<'a, str>,
    #[serde(borrow)]
    base_currency_id: Cow<'a, str>,
    #[serde(borrow)]
    quote_currency_id: Cow<'a, str>,
    #[serde(borrow)]
    price_increment: Option<Number<'a>>,
    #[serde(borrow)]
    quote_increment: Option<Number<'a>>,
    #[serde(borrow)]
    base_increment: Number<'a>,
    #[serde(borrow)]
    base_min_size: Option<Number<'a>>,
    #[serde(borrow)]
    base_max_size: Option<Number<'a>>,
    #[serde(borrow)]
    quote_min_size: Option<Number<'a>>,
    #[serde(borrow)]
    product_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
    #[serde(default)]
    is_disabled: bool,
    #[serde(default)]
    trading_disabled: bool,
    #[serde(default)]
    cancel_only: bool,
    #[serde(default)]
    post_only: bool,
    #[serde(default)]
    auction_mode: bool,
    #[serde(default)]
    view_only: bool,
}

#[derive(Deserialize)]
struct AdvancedList<'a> {
    #[serde(borrow)]
    products: Vec<Advanced<'a>>,
}

#[derive(Deserialize)]
struct Exchange<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    base_currency: Cow<'a, str>,
    #[serde(borrow)]
    quote_currency: Cow<'a, str>,
    #[serde(borrow)]
    quote_increment: Number<'a>,
    #[serde(borrow)]
    base_increment: Number<'a>,
    #[serde(borrow)]
    min_market_funds: Option<Number<'a>>,
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
    #[serde(default)]
    trading_disabled: bool,
    #[serde(default)]
    cancel_only: bool,
    #[serde(default)]
    post_only: bool,
    #[serde(default)]
    auction_mode: bool,
}

/// What both products tell of an instrument.
struct Facts<'a> {
    symbol: &'a str,
    base: &'a str,
    quote: &'a str,
    tick: Number<'a>,
    lot: Number<'a>,
    min_qty: Option<Number<'a>>,
    max_qty: Option<Number<'a>>,
    min_value: Option<Number<'a>>,
    open: bool,
}

/// Reads Advanced Trade's list of products, or one of them. Derivatives, and what this engine cannot
/// hold, are left out. `None` when it is neither.
pub fn advanced(text: &[u8]) -> Option<Vec<InstrumentSpec>> {
    let list = match serde_json::from_slice::<AdvancedList>(text) {
        Ok(list) => list.products,
        Err(_) => vec![serde_json::from_slice::<Advanced>(text).ok()?],
    };
    let spot =
        list.iter().filter(|product| product.product_type.as_deref().is_none_or(|kind| kind == "SPOT"));
    let specs = spot.filter_map(|product| {
        let closed = product.is_disabled
            || product.trading_disabled
            || product.cancel_only
            || product.post_only
            || product.auction_mode
            || product.view_only;
        spec(&Facts {
            symbol: &product.product_id,
            base: &product.base_currency_id,
            quote: &product.quote_currency_id,
            tick: product.price_increment.or(product.quote_increment)?,
            lot: product.base_increment,
            min_qty: product.base_min_size,
            max_qty: product.base_max_size,
            min_value: product.quote_min_size,
            open: is_online(product.status.as_deref()) && !closed,
        })
    });
    Some(specs.collect())
}

/// Reads Exchange's list of products, or one of them. What this engine cannot hold is left out.
/// `None` when it is neither.
pub fn exchange(text: &[u8]) -> Option<Vec<InstrumentSpec>> {
    let list = match serde_json::from_slice::<Vec<Exchange>>(text) {
        Ok(list) => list,
        Err(_) => vec![serde_json::from_slice::<Exchange>(text).ok()?],
    };
    let specs = list.iter().filter_map(|product| {
        let closed =
            product.trading_disabled || product.cancel_only || product.post_only || product.auction_mode;
        spec(&Facts {
            symbol: &product.id,
            base: &product.base_currency,
            quote: &product.quote_currency,
            tick: product.quote_increment,
            lot: product.base_increment,
            min_qty: None,
            max_qty: None,
            min_value: product.min_market_funds,
            open: is_online(product.status.as_deref()) && !closed,
        })
    });
    Some(specs.collect())
}

fn is_online(status: Option<&str>) -> bool {
    status.is_none_or(|status| status.eq_ignore_ascii_case("online"))
}

fn spec(facts: &Facts<'_>) -> Option<InstrumentSpec> {
    let (price_digits, qty_digits) = (places(&facts.tick)?, places(&facts.lot)?);
    let scale = Scale::new(price_digits.max(qty_digits).max(Scale::DEFAULT.digits()))?;
    let step = |number: &Number<'_>| number.scaled(scale).filter(|step| *step > 0);
    let (base, quote) = (Asset::new(facts.base)?, Asset::new(facts.quote)?);
    let lot = step(&facts.lot)?;
    Some(InstrumentSpec {
        name: Text::new(&format!("{base}-{quote}"))?,
        symbol: Symbol::new(facts.symbol)?,
        base,
        quote,
        scale,
        tick: Price(step(&facts.tick)?),
        lot: Qty(lot),
        min_qty: match facts.min_qty {
            Some(least) => least.qty(scale)?.max(Qty(lot)),
            None => Qty(lot),
        },
        // Some limits are beyond what the scale holds, and so beyond every order.
        max_qty: facts.max_qty.and_then(|most| most.qty(scale)).unwrap_or(Qty::ZERO),
        min_notional: match facts.min_value {
            Some(least) => least.money()?,
            None => Money::ZERO,
        },
        price_digits,
        qty_digits,
        contract: Contract::spot(quote, scale),
        open: facts.open,
    })
}

/// The decimals that a step needs, trailing zeros seen through; `None` when it needs too many.
fn places(number: &Number<'_>) -> Option<u8> {
    (0..=Scale::MAX.digits()).find(|places| {
        Scale::new(*places).is_some_and(|scale| parse(number.text().as_bytes(), scale).is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADVANCED: &str = r#"{"products":[
        {"product_id":"BTC-USD","price":"68923.67","base_increment":"0.00000001","quote_increment":"0.01","price_increment":"0.01",
         "quote_min_size":"1","quote_max_size":"150000000","base_min_size":"0.00000001","base_max_size":"3400","status":"online",
         "cancel_only":false,"limit_only":false,"post_only":false,"trading_disabled":false,"auction_mode":false,"is_disabled":false,
         "view_only":false,"product_type":"SPOT","quote_currency_id":"USD","base_currency_id":"BTC","alias":"","alias_to":["BTC-USDC"]},
        {"product_id":"SHIB-USD","base_increment":"1","quote_increment":"0.01","price_increment":"0.0000000001","quote_min_size":"1",
         "base_min_size":"1","base_max_size":"38000000000000000","status":"online","cancel_only":true,"product_type":"SPOT",
         "quote_currency_id":"USD","base_currency_id":"SHIB"},
        {"product_id":"BIT-26DEC26-CDE","base_increment":"1","price_increment":"5","status":"online","product_type":"FUTURE",
         "quote_currency_id":"USD","base_currency_id":""}]}"#;

    const EXCHANGE: &str = r#"[
        {"id":"BTC-USD","base_currency":"BTC","quote_currency":"USD","quote_increment":"0.01000000","base_increment":"0.00000001",
         "display_name":"BTC-USD","min_market_funds":"1","margin_enabled":false,"post_only":false,"limit_only":false,"cancel_only":false,
         "status":"online","status_message":"","trading_disabled":false,"fx_stablecoin":false,"auction_mode":false},
        {"id":"XYZ-EUR","base_currency":"XYZ","quote_currency":"EUR","quote_increment":"0.1","base_increment":"0.01","min_market_funds":"0.84",
         "status":"delisted","trading_disabled":true}]"#;

    #[test]
    fn both_products_tell_the_same_of_an_instrument() {
        let (one, two) = (advanced(ADVANCED.as_bytes()).unwrap(), exchange(EXCHANGE.as_bytes()).unwrap());
        assert_eq!((one.len(), two.len()), (2, 2), "derivatives are left out");
        let btc = &one[0];
        assert_eq!(InstrumentSpec { max_qty: Qty::ZERO, ..btc.clone() }, two[0]);
        assert_eq!((btc.name.as_str(), btc.symbol.as_str()), ("BTC-USD", "BTC-USD"));
        assert_eq!((btc.price_digits, btc.qty_digits, btc.scale), (2, 8, Scale::DEFAULT));
        assert_eq!((btc.tick, btc.lot, btc.max_qty), (Price(1_000_000), Qty(1), Qty(340_000_000_000)));
        assert_eq!((btc.min_notional.to_string().as_str(), btc.open), ("1", true));
        let (shib, xyz) = (&one[1], &two[1]);
        assert_eq!(
            (shib.scale.digits(), shib.tick, shib.open, shib.max_qty),
            (10, Price(1), false, Qty::ZERO)
        );
        assert_eq!(
            (xyz.price_digits, xyz.lot, xyz.min_qty, xyz.open),
            (1, Qty(1_000_000), Qty(1_000_000), false)
        );
    }

    #[test]
    fn one_product_is_a_list_of_one() {
        let one = ADVANCED.split_once('[').unwrap().1.split_once("},").unwrap().0.to_owned() + "}";
        assert_eq!(advanced(one.as_bytes()).unwrap().len(), 1);
    }

    #[test]
    fn other_texts_are_no_instruments() {
        for text in ["", "{}", "null", r#"{"message":"NotFound"}"#, r#"[1]"#, r#"{"products":[{}]}"#] {
            assert_eq!(advanced(text.as_bytes()), None, "{text}");
            assert_eq!(exchange(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_product_in_usdc_has_the_book_of_the_one_in_usd() {
        for (symbol, want) in [("BTC-USDC", Some("BTC-USD")), ("BTC-USD", None), ("USDC-EUR", None)] {
            assert_eq!(book_name(symbol).as_deref(), want);
        }
    }
}
