//! What the answers to account calls say.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

use super::private::{Unreadable, millis};
use crate::types::{FeeRate, KeyRights, Money, Nanos, Report, Scale, Symbol};

/// The one row of an answer that has one.
fn only<'a, T: Deserialize<'a>>(data: &'a RawValue, what: Unreadable) -> Result<T, Unreadable> {
    let rows: Vec<&RawValue> = serde_json::from_str(data.get()).map_err(|_| what)?;
    serde_json::from_str(rows.first().ok_or(what)?.get()).map_err(|_| what)
}

/// The venue's clock.
pub fn time(data: &RawValue) -> Result<Nanos, Unreadable> {
    #[derive(Deserialize)]
    struct Time<'a> {
        #[serde(borrow)]
        ts: Cow<'a, str>,
    }
    millis(&only::<Time>(data, "the time")?.ts)
}

/// When the dead-man switch goes off; zero = it is off.
pub fn trigger(data: &RawValue) -> Result<Nanos, Unreadable> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Switch<'a> {
        #[serde(borrow)]
        trigger_time: Cow<'a, str>,
    }
    const FIRST_IN_MS: i64 = 100_000_000_000;
    let text = only::<Switch>(data, "the switch")?.trigger_time;
    let time: i64 = text.parse().map_err(|_| "the time of the switch")?;
    // Told in ms or in seconds.
    Ok(if time < FIRST_IN_MS { Nanos::from_secs(time) } else { Nanos::from_millis(time) })
}

/// Fees of the group that an instrument belongs to; the venue writes what is paid as negative.
pub fn fees(data: &RawValue, symbol: Symbol, group: Option<&str>) -> Result<Report, Unreadable> {
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct Fees<'a> {
        #[serde(borrow)]
        fee_group: Vec<Group<'a>>,
        #[serde(borrow)]
        maker: Cow<'a, str>,
        #[serde(borrow)]
        taker: Cow<'a, str>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Group<'a> {
        #[serde(borrow)]
        group_id: Cow<'a, str>,
        #[serde(borrow)]
        maker: Cow<'a, str>,
        #[serde(borrow)]
        taker: Cow<'a, str>,
    }
    let fees: Fees = only(data, "the fees")?;
    let rate = |text: &str| {
        let share = Money::parse(text).and_then(|share| share.to_scaled(Scale::DEFAULT));
        share.map(|share| FeeRate(-share)).ok_or("a fee rate")
    };
    let own = match group {
        Some(group) => fees.fee_group.iter().find(|own| own.group_id == group),
        None if fees.fee_group.len() == 1 => fees.fee_group.first(),
        None => None,
    };
    let (maker, taker) = own.map_or((&fees.maker, &fees.taker), |own| (&own.maker, &own.taker));
    Ok(Report::Fees { symbol, taker: rate(taker)?, maker: rate(maker)? })
}

/// What a key may do; and settings of its account under which an order could borrow, or mean
/// something else than it says.
pub fn rights(data: &RawValue, derivatives: bool) -> Result<KeyRights, Unreadable> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Config<'a> {
        #[serde(borrow)]
        perm: Cow<'a, str>,
        #[serde(borrow)]
        ip: Cow<'a, str>,
        #[serde(borrow, default)]
        pos_mode: Cow<'a, str>,
        #[serde(borrow, default)]
        acct_lv: Cow<'a, str>,
        #[serde(default)]
        auto_loan: bool,
        #[serde(default)]
        enable_spot_borrow: bool,
    }
    let config: Config = only(data, "the account's configuration")?;
    let list = |text: &str| -> Vec<String> {
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let (perms, ips) = (list(&config.perm), list(&config.ip));
    let has = |right: &str| perms.iter().any(|own| own == right);
    let known = ["read_only", "trade", "withdraw"];
    let mut excess: Vec<String> =
        perms.iter().filter(|own| !known.contains(&own.as_str())).cloned().collect();
    let mut note = |set: bool, name: &str| excess.extend(set.then(|| name.to_owned()));
    note(config.auto_loan, "autoLoan");
    note(config.enable_spot_borrow, "enableSpotBorrow");
    note(derivatives && config.pos_mode != "net_mode", "posMode is not net_mode");
    note(derivatives && config.acct_lv == "1", "acctLv 1 has no derivatives");
    Ok(KeyRights {
        // Every key may read.
        read: Some(!perms.is_empty()),
        trade: Some(has("trade")),
        withdraw: Some(has("withdraw")),
        transfer: None,
        ip_bound: Some(!ips.is_empty()),
        ips,
        expires: None,
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
    fn times_are_told_in_ms_or_in_seconds() {
        assert_eq!(time(&raw(r#"[{"ts":"1597026383085"}]"#)), Ok(Nanos::from_millis(1_597_026_383_085)));
        for (text, want) in [
            ("1587971460", Nanos::from_secs(1_587_971_460)),
            ("1587971460123", Nanos::from_millis(1_587_971_460_123)),
            ("0", Nanos::ZERO),
        ] {
            assert_eq!(trigger(&raw(&format!(r#"[{{"triggerTime":"{text}","ts":"1"}}]"#))), Ok(want));
        }
        assert!(time(&raw("[]")).is_err() && trigger(&raw(r#"[{"triggerTime":""}]"#)).is_err());
    }

    #[test]
    fn fees_that_are_paid_are_negative_there() {
        let symbol = Symbol::new("BTC-USDT").unwrap();
        let text = r#"[{"feeGroup":[{"groupId":"1","maker":"-0.0008","taker":"-0.001"},{"groupId":"2","maker":"0.0001","taker":"-0.0005"}],
            "maker":"-0.5","taker":"-0.5","level":"Lv1"}]"#;
        for (group, taker, maker) in [
            (Some("1"), 100_000, 80_000),
            (Some("2"), 50_000, -10_000),
            (None, 50_000_000, 50_000_000),
            (Some("9"), 50_000_000, 50_000_000),
        ] {
            let want = Report::Fees { symbol, taker: FeeRate(taker), maker: FeeRate(maker) };
            assert_eq!(fees(&raw(text), symbol, group), Ok(want), "{group:?}");
        }
        assert!(fees(&raw(r#"[{"feeGroup":[]}]"#), symbol, None).is_err());
    }

    #[test]
    fn a_key_says_what_it_may() {
        let text = r#"[{"perm":"read_only,trade","ip":"1.2.3.4, 5.6.7.8","posMode":"net_mode","acctLv":"2","autoLoan":false,"uid":"1"}]"#;
        let good = rights(&raw(text), true).unwrap();
        assert_eq!(
            (good.read, good.trade, good.withdraw, good.ip_bound),
            (Some(true), Some(true), Some(false), Some(true))
        );
        assert_eq!((good.ips.join(" "), good.excess.len()), ("1.2.3.4 5.6.7.8".to_owned(), 0));
        let text = r#"[{"perm":"read_only,trade,withdraw","ip":"","posMode":"long_short_mode","acctLv":"1","autoLoan":true,"enableSpotBorrow":true}]"#;
        let wide = rights(&raw(text), true).unwrap();
        assert_eq!((wide.withdraw, wide.ip_bound), (Some(true), Some(false)));
        assert_eq!(
            wide.excess,
            ["autoLoan", "enableSpotBorrow", "posMode is not net_mode", "acctLv 1 has no derivatives"]
        );
        assert_eq!(rights(&raw(text), false).unwrap().excess, ["autoLoan", "enableSpotBorrow"]);
    }
}
