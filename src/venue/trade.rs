//! Trades of a market as its public stream tells them: for exports, off the hot path.

use serde_json::value::RawValue;

use crate::types::{Nanos, Price, Qty, Scale, Symbol, parse};

/// Reads the trades of a public message that tells of some, and of nothing else; appends them.
pub type ReadTrades = fn(&[u8], &mut Vec<Trade>);

/// One public trade.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trade {
    /// The venue's symbol.
    pub symbol: Symbol,
    /// The venue's time of it; zero where it tells none.
    pub venue_time: Nanos,
    /// At which price, in units of 1e-8.
    pub price: Price,
    /// How much, in units of 1e-8.
    pub qty: Qty,
    /// Who took.
    pub taker: Taker,
}

/// The side of a trade that came second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taker {
    /// The buyer.
    Buyer,
    /// The seller.
    Seller,
    /// Nobody tells.
    Unknown,
}

impl Taker {
    /// Of a word of the venue that names the taker's side.
    pub(super) fn of(side: &str) -> Taker {
        match side {
            "buy" | "Buy" | "BUY" | "b" => Taker::Buyer,
            "sell" | "Sell" | "SELL" | "s" => Taker::Seller,
            _ => Taker::Unknown,
        }
    }

    /// The same trade, seen from the maker.
    pub(super) fn other(self) -> Taker {
        match self {
            Taker::Buyer => Taker::Seller,
            Taker::Seller => Taker::Buyer,
            Taker::Unknown => Taker::Unknown,
        }
    }
}

/// A decimal that the venue writes as a number or as a string, in units of 1e-8; `None` when it does
/// not fit exactly.
pub(super) fn decimal(json: &RawValue) -> Option<i64> {
    parse(json.get().trim_matches('"').as_bytes(), Scale::DEFAULT).ok()
}

/// A time in whole ms, as a number or as a string.
pub(super) fn millis(json: &RawValue) -> Option<Nanos> {
    json.get().trim_matches('"').parse().ok().map(Nanos::from_millis)
}

/// A trade of the parts that venues tell; `None` when one of them cannot be, or there was none: some
/// venues tell of a quantity of zero.
pub(super) fn trade(
    symbol: &str,
    venue_time: Option<Nanos>,
    price: &RawValue,
    qty: &RawValue,
    taker: Taker,
) -> Option<Trade> {
    let (price, qty) = (Price(decimal(price)?), Qty(decimal(qty)?));
    let symbol = Symbol::new(symbol)?;
    let venue_time = venue_time.unwrap_or_default();
    (price.0 > 0 && qty.0 > 0).then_some(Trade { symbol, venue_time, price, qty, taker })
}

/// True when the beginning of a message holds one of these: most messages are not about trades, and
/// need not be read for it.
pub(super) fn mentions(message: &[u8], words: &[&str]) -> bool {
    let head = &message[..message.len().min(160)];
    words.iter().any(|word| head.windows(word.len()).any(|part| part == word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::*;

    #[test]
    fn trades_of_every_venue_are_read() {
        let (b, s) = (Taker::Buyer, Taker::Seller);
        for (venue, message, want) in [
            (
                "binance.coinm",
                r#"{"stream":"btcusd_perp@trade","data":{"e":"trade","E":2,"T":1,"s":"BTCUSD_PERP","t":8,"p":"61804.8","q":"4","X":"MARKET","m":false}}"#,
                vec![("BTCUSD_PERP", 1, "61804.8", "4", b)],
            ),
            (
                "binance.usdm",
                r#"{"e":"aggTrade","E":2,"a":1,"s":"CTKUSDT","p":"1.01200","q":"10","f":1,"l":1,"T":7,"m":true}"#,
                vec![("CTKUSDT", 7, "1.012", "10", s)],
            ),
            (
                "bybit.linear",
                r#"{"topic":"publicTrade.BTCUSDT","ts":3,"type":"snapshot","data":[{"i":"2","T":4,"p":"65140.4","v":"0.000611","S":"Sell","seq":1,"s":"BTCUSDT","BT":false}]}"#,
                vec![("BTCUSDT", 4, "65140.4", "0.000611", s)],
            ),
            (
                "okx.spot",
                r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"3","px":"30227.6","sz":"0.00000088","side":"buy","ts":"9"}]}"#,
                vec![("BTC-USDT", 9, "30227.6", "0.00000088", b)],
            ),
            (
                "kraken.spot",
                r#"[1921,[["0.043040","20000.00000000","1.005","b","l",""],["0.05","1","2","s","l",""]],"trade","SC/EUR"]"#,
                vec![("SC/EUR", 1005, "0.04304", "20000", b), ("SC/EUR", 2000, "0.05", "1", s)],
            ),
            (
                "kraken.spot",
                r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":60000.10,"qty":0.50000000,"ord_type":"limit","trade_id":1,"timestamp":"1970-01-01T00:00:01.000000Z"}]}"#,
                vec![("BTC/USD", 1000, "60000.1", "0.5", s)],
            ),
            (
                "kraken.futures",
                r#"{"feed":"trade","product_id":"PI_ETHUSD","uid":"a","side":"buy","type":"fill","seq":1,"time":6,"qty":40.0,"price":2005.2}"#,
                vec![("PI_ETHUSD", 6, "2005.2", "40", b)],
            ),
            (
                "coinbase.exchange",
                r#"{"type":"match","trade_id":8,"maker_order_id":"d","taker_order_id":"3","side":"sell","size":"0.002","price":"67.021","product_id":"NMR-EUR","sequence":4,"time":"1970-01-01T00:00:02.000000Z"}"#,
                vec![("NMR-EUR", 2000, "67.021", "0.002", b)],
            ),
            (
                "coinbase.advanced",
                r#"{"channel":"market_trades","timestamp":"x","sequence_num":1,"events":[{"type":"update","trades":[{"product_id":"ETH-USD","trade_id":"8","price":"1919.38","size":"0.02","time":"1970-01-01T00:00:03Z","side":"SELL"}]}]}"#,
                vec![("ETH-USD", 3000, "1919.38", "0.02", b)],
            ),
            // History, and what is about something else.
            (
                "coinbase.advanced",
                r#"{"channel":"market_trades","events":[{"type":"snapshot","trades":[{"product_id":"A","price":"1","size":"1","time":"x","side":"BUY"}]}]}"#,
                vec![],
            ),
            ("kraken.spot", r#"{"channel":"trade","type":"snapshot","data":[]}"#, vec![]),
            ("binance.spot", r#"{"e":"depthUpdate","E":1,"s":"B","U":1,"u":2,"b":[],"a":[]}"#, vec![]),
            ("binance.spot", r#"{"e":"trade","s":"B""#, vec![]),
        ] {
            let mut trades = Vec::new();
            (find(venue).unwrap().trades)(message.as_bytes(), &mut trades);
            let number = |text: &str| parse(text.as_bytes(), Scale::DEFAULT).unwrap();
            let want: Vec<_> = want
                .into_iter()
                .map(|(symbol, ms, price, qty, taker)| Trade {
                    symbol: Symbol::new(symbol).unwrap(),
                    venue_time: Nanos::from_millis(ms),
                    price: Price(number(price)),
                    qty: Qty(number(qty)),
                    taker,
                })
                .collect();
            assert_eq!(trades, want, "{venue}: {message}");
        }
    }
}
