//! What a public archive of market data calls the venues: its files name exchange and symbol in
//! each row.

/// The archive's name, the end of the symbols where one name stands for several of our venues, and
/// ours. Of two rows for one venue the first is the one to write.
const EXCHANGES: &[(&str, &str, &str)] = &[
    ("binance", "", "binance.spot"),
    ("binance-futures", "", "binance.usdm"),
    ("binance-delivery", "", "binance.coinm"),
    ("bybit-spot", "", "bybit.spot"),
    ("bybit", "USDT", "bybit.linear"),
    ("bybit", "USDC", "bybit.linear"),
    ("bybit", "PERP", "bybit.linear"),
    ("bybit", "USD", "bybit.inverse"),
    ("coinbase", "", "coinbase.exchange"),
    ("cryptofacilities", "", "kraken.futures"),
    ("kraken", "", "kraken.spot"),
    ("okex", "", "okx.spot"),
    ("okex-swap", "", "okx.swap"),
];

/// Our name of the venue behind an exchange and symbol of the archive; a name of ours is itself.
pub fn from_archive(exchange: &str, symbol: &str) -> Option<&'static str> {
    let row = EXCHANGES.iter().find(|row| row.0 == exchange && symbol.ends_with(row.1));
    let own = || super::find(exchange).map(|venue| venue.id);
    row.map(|row| row.2).or_else(own)
}

/// The archive's name of a venue, where [`from_archive`] leads back for that symbol; else our own.
pub fn to_archive(venue: &str, symbol: &str) -> String {
    let row = EXCHANGES.iter().find(|row| row.2 == venue && from_archive(row.0, symbol) == Some(row.2));
    row.map_or(venue, |row| row.0).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_there_and_back() {
        for (exchange, symbol, venue) in [
            ("binance", "BTCUSDT", Some("binance.spot")),
            ("bybit", "BTCUSDT", Some("bybit.linear")),
            ("bybit", "BTCUSD", Some("bybit.inverse")),
            ("bybit", "BTCUSDH26", None),
            ("okex-swap", "BTC-USDT-SWAP", Some("okx.swap")),
            ("coinbase.advanced", "BTC-USD", Some("coinbase.advanced")),
            ("mars", "BTC-USD", None),
        ] {
            assert_eq!(from_archive(exchange, symbol), venue, "{exchange} {symbol}");
            if let Some(venue) = venue {
                assert_eq!(to_archive(venue, symbol), exchange);
            }
        }
        assert_eq!(to_archive("bybit.inverse", "BTCUSDH26"), "bybit.inverse");
    }
}
