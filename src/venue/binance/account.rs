//! What the venue tells of an account besides its orders: fees, the key's rights, the time.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::private::Unreadable;
use crate::types::{FeeRate, KeyRights, Nanos, Report, Scale, Symbol, parse};

#[derive(Deserialize)]
struct Rates {
    maker: String,
    taker: String,
    #[serde(default)]
    buyer: String,
    #[serde(default)]
    seller: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Commission {
    symbol: String,
    standard_commission: Rates,
    special_commission: Option<Rates>,
    tax_commission: Option<Rates>,
}

/// `account.commission`: each class of commission is charged on top of the others, and the dearer
/// of buying and selling counts. The discount for paying in the venue's coin is left out: a fee must
/// not turn out higher than what was reckoned with.
pub(super) fn fees(text: &str) -> Result<Report, Unreadable> {
    let answer: Commission = serde_json::from_str(text).map_err(|_| "the commission")?;
    let (mut maker, mut taker) = (0i64, 0i64);
    for rates in [Some(answer.standard_commission), answer.special_commission, answer.tax_commission] {
        let Some(rates) = rates else { continue };
        let side = rate(&rates.buyer)?.max(rate(&rates.seller)?);
        let add = |sum: i64, more: i64| {
            sum.checked_add(more).and_then(|sum| sum.checked_add(side)).ok_or("the commission: too large")
        };
        maker = add(maker, rate(&rates.maker)?)?;
        taker = add(taker, rate(&rates.taker)?)?;
    }
    let symbol = Symbol::new(&answer.symbol).ok_or("the commission: its symbol")?;
    Ok(Report::Fees { symbol, taker: FeeRate(taker), maker: FeeRate(maker) })
}

/// `commissionRate` of futures.
pub(super) fn futures_fees(text: &str) -> Result<Report, Unreadable> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        symbol: String,
        maker_commission_rate: String,
        taker_commission_rate: String,
    }
    let answer: Answer = serde_json::from_str(text).map_err(|_| "the commission")?;
    let symbol = Symbol::new(&answer.symbol).ok_or("the commission: its symbol")?;
    let (maker, taker) = (rate(&answer.maker_commission_rate)?, rate(&answer.taker_commission_rate)?);
    Ok(Report::Fees { symbol, taker: FeeRate(taker), maker: FeeRate(maker) })
}

/// `positionSide/dual`: whether the account has two positions a symbol.
pub(super) fn is_dual(text: &str) -> Result<bool, Unreadable> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        dual_side_position: bool,
    }
    let answer: Answer = serde_json::from_str(text).map_err(|_| "the position mode")?;
    Ok(answer.dual_side_position)
}

/// `listenKey`: only what can stand in a path as it is.
pub(super) fn listen_key(text: &str) -> Result<String, Unreadable> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        listen_key: String,
    }
    let answer: Answer = serde_json::from_str(text).map_err(|_| "the listen key")?;
    let plain = !answer.listen_key.is_empty()
        && answer.listen_key.len() <= 256
        && answer.listen_key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if plain { Ok(answer.listen_key) } else { Err("the listen key") }
}

/// `countdownCancelAll`: when the switch fires, for a question asked at `asked`.
pub(super) fn dead_man(text: &str, asked: Nanos) -> Result<Report, Unreadable> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        countdown_time: String,
    }
    let answer: Answer = serde_json::from_str(text).map_err(|_| "the countdown")?;
    let left: i64 = answer.countdown_time.parse().map_err(|_| "the countdown")?;
    let until = if left == 0 { Nanos::ZERO } else { asked + Nanos::from_millis(left) };
    Ok(Report::DeadMan { until })
}

/// A rate as a fraction, in units of 1e-8.
fn rate(text: &str) -> Result<i64, Unreadable> {
    if text.is_empty() {
        return Ok(0);
    }
    parse(text.as_bytes(), Scale::DEFAULT).map_err(|_| "the commission: a rate")
}

/// `apiRestrictions`. Every right that is granted and is not one of those named in
/// [`KeyRights`] is excess, known to us or not.
pub(super) fn rights(text: &str) -> Result<Report, Unreadable> {
    let answer: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|_| "the key's rights")?;
    let flag = |name: &str| answer.get(name).and_then(serde_json::Value::as_bool);
    let named = [
        "ipRestrict",
        "enableReading",
        "enableSpotAndMarginTrading",
        "enableWithdrawals",
        "enableInternalTransfer",
        "permitsUniversalTransfer",
    ];
    if named.iter().all(|name| flag(name).is_none()) {
        return Err("the key's rights: none of those expected");
    }
    let transfer = match (flag("enableInternalTransfer"), flag("permitsUniversalTransfer")) {
        (Some(false), Some(false)) => Some(false),
        (Some(true), _) | (_, Some(true)) => Some(true),
        _ => None,
    };
    let granted = answer.iter().filter(|(_, value)| value.as_bool() == Some(true));
    let excess = granted.map(|(name, _)| name.clone()).filter(|name| !named.contains(&name.as_str()));
    Ok(Report::Rights(KeyRights {
        read: flag("enableReading"),
        trade: flag("enableSpotAndMarginTrading"),
        withdraw: flag("enableWithdrawals"),
        transfer,
        ip_bound: flag("ipRestrict"),
        ips: Vec::new(),
        expires: answer
            .get("tradingAuthorityExpirationTime")
            .and_then(serde_json::Value::as_i64)
            .map(Nanos::from_millis),
        excess: excess.collect(),
    }))
}

/// `time`.
pub(super) fn server_time(text: &str) -> Result<Nanos, Unreadable> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        server_time: i64,
    }
    let answer: Answer = serde_json::from_str(text).map_err(|_| "the server's time")?;
    Ok(Nanos::from_millis(answer.server_time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_classes_of_commission_add_up() {
        let text = r#"{"symbol":"BTCUSDT",
            "standardCommission":{"maker":"0.00000010","taker":"0.00100000","buyer":"0.00000030","seller":"0.00000040"},
            "specialCommission":{"maker":"0.01000000","taker":"0.02000000","buyer":"0.03000000","seller":"0.04000000"},
            "taxCommission":{"maker":"0.00000112","taker":"0.00000114","buyer":"0.00000118","seller":"0.00000116"},
            "discount":{"enabledForAccount":true,"enabledForSymbol":true,"discountAsset":"BNB","discount":"0.75000000"}}"#;
        let want = Report::Fees {
            symbol: Symbol::new("BTCUSDT").unwrap(),
            taker: FeeRate(100_000 + 40 + 2_000_000 + 4_000_000 + 114 + 118),
            maker: FeeRate(10 + 40 + 1_000_000 + 4_000_000 + 112 + 118),
        };
        assert_eq!(fees(text), Ok(want));
        assert!(fees("{}").is_err());
    }

    #[test]
    fn rights_that_are_not_needed_are_excess() {
        let text = r#"{"ipRestrict":true,"createTime":1698645219000,"enableReading":true,
            "enableWithdrawals":false,"enableInternalTransfer":false,"enableMargin":true,"enableFutures":false,
            "permitsUniversalTransfer":false,"enableVanillaOptions":false,"enableFixApiTrade":false,
            "enableSomethingNew":true,"enableSpotAndMarginTrading":true,"enablePortfolioMarginTrading":false}"#;
        let Ok(Report::Rights(rights)) = rights(text) else { panic!("rights") };
        assert_eq!(rights.excess, ["enableMargin", "enableSomethingNew"]);
        assert_eq!(
            (rights.read, rights.trade, rights.withdraw, rights.transfer, rights.ip_bound),
            (Some(true), Some(true), Some(false), Some(false), Some(true))
        );
        for text in ["", "{}", r#"{"code":-2015}"#, "[]"] {
            assert!(super::rights(text).is_err(), "{text}");
        }
    }
}
