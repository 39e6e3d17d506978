//! What the venue tells of an account besides its orders: fees, the key's rights, the time.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::private::{Page, Unreadable};
use super::symbol::Market;
use crate::types::{FeeRate, KeyRights, Nanos, Report, Scale, Symbol, parse};

/// `fee-rate`.
pub(super) fn fees(text: &str) -> Result<Report, Unreadable> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Rates {
        symbol: String,
        taker_fee_rate: String,
        maker_fee_rate: String,
    }
    let page: Page = serde_json::from_str(text).map_err(|_| "the fees")?;
    let first = page.list.first().ok_or("the fees: none")?;
    let rates: Rates = serde_json::from_str(first.get()).map_err(|_| "the fees")?;
    let symbol = Symbol::new(&rates.symbol).ok_or("the fees: their symbol")?;
    Ok(Report::Fees { symbol, taker: rate(&rates.taker_fee_rate)?, maker: rate(&rates.maker_fee_rate)? })
}

/// A rate as a fraction; makers may be paid.
fn rate(text: &str) -> Result<FeeRate, Unreadable> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |text| (-1, text));
    let value = parse(text.as_bytes(), Scale::DEFAULT).map_err(|_| "the fees: a rate")?;
    Ok(FeeRate(sign * value))
}

/// `query-api`. Every right that is granted and not needed for this market is excess, known to us or
/// not.
pub(super) fn rights(market: Market, text: &str) -> Result<Report, Unreadable> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Key {
        read_only: u8,
        permissions: BTreeMap<String, Vec<String>>,
        #[serde(default)]
        ips: Vec<String>,
        #[serde(rename = "type", default)]
        kind: u8,
        #[serde(default)]
        expired_at: String,
        #[serde(default)]
        uta: u8,
    }
    let key: Key = serde_json::from_str(text).map_err(|_| "the key's rights")?;
    let has = |group: &str, right: &str| {
        key.permissions.get(group).is_some_and(|rights| rights.iter().any(|own| own == right))
    };
    let trade = match market {
        Market::Spot => has("Spot", "SpotTrade"),
        Market::Linear | Market::Inverse => {
            let contracts = has("ContractTrade", "Order") && has("ContractTrade", "Position");
            contracts || has("Derivatives", "DerivativesTrade")
        }
    };
    let needed: &[&str] = match market {
        Market::Spot => &["Spot", "Wallet"],
        Market::Linear | Market::Inverse => &["ContractTrade", "Derivatives", "Wallet"],
    };
    let granted = key.permissions.iter().filter(|(group, _)| !needed.contains(&group.as_str()));
    let mut excess: Vec<String> = granted
        .flat_map(|(group, rights)| rights.iter().map(move |right| format!("{group}.{right}")))
        .collect();
    if key.kind == 2 {
        excess.push("third-party application".to_owned());
    }
    if key.uta == 0 {
        excess.push("not a unified account".to_owned());
    }
    let moves = |right: &String| right.contains("Transfer");
    let open = key.ips.is_empty() || key.ips.iter().any(|ip| ip == "*");
    Ok(Report::Rights(KeyRights {
        read: Some(true),
        trade: Some(trade && key.read_only == 0),
        withdraw: Some(has("Wallet", "Withdraw")),
        transfer: Some(key.permissions.get("Wallet").is_some_and(|rights| rights.iter().any(moves))),
        ip_bound: Some(!open),
        ips: if open { Vec::new() } else { key.ips },
        // A key that is bound to addresses does not lapse: its date is the epoch.
        expires: Nanos::parse_rfc3339(key.expired_at.as_bytes()).ok().filter(|at| at.0 > 0),
        excess,
    }))
}

/// `time`.
pub(super) fn server_time(text: &str) -> Result<Nanos, Unreadable> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        time_nano: String,
    }
    let answer: Answer = serde_json::from_str(text).map_err(|_| "the server's time")?;
    let digits = answer.time_nano.bytes().all(|byte| byte.is_ascii_digit());
    let nanos = if digits { answer.time_nano.parse().ok() } else { None };
    nanos.map(Nanos).ok_or("the server's time")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = r#"{"id":"13770661","note":"xarb","apiKey":"kq3n8xT1","readOnly":0,"secret":"",
        "permissions":{"ContractTrade":["Order","Position"],"Spot":["SpotTrade"],"Wallet":[],"Options":[],
        "Derivatives":[],"CopyTrading":[],"BlockTrade":[],"Exchange":["ExchangeHistory"],"NFT":[],"Affiliate":[]},
        "ips":["203.0.113.7"],"type":1,"deadlineDay":-2,"expiredAt":"1970-01-01T00:00:00Z",
        "createdAt":"2023-08-09T06:05:11Z","unified":0,"uta":1,"userID":24600000,"isMaster":false}"#;

    fn read(market: Market, text: &str) -> KeyRights {
        match rights(market, text) {
            Ok(Report::Rights(rights)) => rights,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rights_that_are_not_needed_are_excess() {
        let spot = read(Market::Spot, KEY);
        assert_eq!(
            (spot.read, spot.trade, spot.withdraw, spot.transfer, spot.ip_bound, spot.expires),
            (Some(true), Some(true), Some(false), Some(false), Some(true), None)
        );
        assert_eq!(
            spot.excess,
            ["ContractTrade.Order", "ContractTrade.Position", "Exchange.ExchangeHistory"]
        );
        assert_eq!(spot.ips, ["203.0.113.7"]);
        let linear = read(Market::Linear, KEY);
        assert_eq!((linear.trade, linear.excess.len()), (Some(true), 2));

        let loose = KEY
            .replace(r#""Wallet":[]"#, r#""Wallet":["AccountTransfer","Withdraw"]"#)
            .replace("203.0.113.7", "*")
            .replace("1970-01-01T00:00:00Z", "2026-12-01T00:00:00Z")
            .replace(r#""readOnly":0"#, r#""readOnly":1"#);
        let loose = read(Market::Spot, &loose);
        assert_eq!(
            (loose.trade, loose.withdraw, loose.transfer, loose.ip_bound),
            (Some(false), Some(true), Some(true), Some(false))
        );
        assert!(loose.expires.is_some() && loose.ips.is_empty());
        for text in ["", "{}", "[]", r#"{"permissions":{}}"#] {
            assert!(rights(Market::Spot, text).is_err(), "{text}");
        }
    }

    #[test]
    fn fees_and_time_are_read() {
        let text = r#"{"list":[{"symbol":"BTCUSDT","takerFeeRate":"0.00055","makerFeeRate":"-0.00005"}]}"#;
        let want = Report::Fees {
            symbol: Symbol::new("BTCUSDT").unwrap(),
            taker: FeeRate(55_000),
            maker: FeeRate(-5_000),
        };
        assert_eq!(fees(text), Ok(want));
        assert!(fees(r#"{"list":[]}"#).is_err());
        let time = r#"{"timeSecond":"1688639403","timeNano":"1688639403423213947"}"#;
        assert_eq!(server_time(time), Ok(Nanos(1_688_639_403_423_213_947)));
        assert!(server_time(r#"{"timeNano":"-5"}"#).is_err());
    }
}
