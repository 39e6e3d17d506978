//! Our decoders, one of each kind, by the kind of frame.

use std::hint::black_box;

use xarb::types::Level;
use xarb::venue::binance;
use xarb::venue::kraken::futures;
use xarb::venue::{bybit, coinbase, kraken, okx};
use xarb::wire::Padded;
use xarb::wire::json::Tier;
use xarb::wire::json::kernel::Isa;

use super::frames::{Case, Frame};

pub struct Ours {
    binance: binance::decode::Decoder,
    kraken: kraken::decode::Decoder,
    futures: futures::decode::Decoder,
    coinbase: coinbase::decode::Decoder,
    bybit: bybit::decode::Decoder,
    okx: okx::decode::Decoder,
}

/// The same call on the decoder of a case.
macro_rules! by_case {
    ($self:ident, $case:ident, |$decoder:ident| $call:expr) => {
        match $case {
            Case::BinanceDepth | Case::BinanceTicker => {
                let $decoder = &mut $self.binance;
                $call
            }
            Case::KrakenBook => {
                let $decoder = &mut $self.kraken;
                $call
            }
            Case::KrakenFutures => {
                let $decoder = &mut $self.futures;
                $call
            }
            Case::CoinbaseLevel2 | Case::CoinbaseTicker => {
                let $decoder = &mut $self.coinbase;
                $call
            }
            Case::BybitOrderbook | Case::BybitTicker => {
                let $decoder = &mut $self.bybit;
                $call
            }
            Case::OkxBooks | Case::OkxBest => {
                let $decoder = &mut $self.okx;
                $call
            }
        }
    };
}

impl Ours {
    pub fn new(isa: Isa) -> Ours {
        Ours {
            binance: binance::decode::Decoder::with_isa(isa),
            kraken: kraken::decode::Decoder::with_isa(isa),
            futures: futures::decode::Decoder::with_isa(isa),
            coinbase: coinbase::decode::Decoder::with_isa(isa),
            bybit: bybit::decode::Decoder::with_isa(isa),
            okx: okx::decode::Decoder::with_isa(isa),
        }
    }

    /// Whatever tier takes it, as in the engine.
    #[inline(always)]
    pub fn decode(&mut self, case: Case, text: Padded<'_>, levels: &mut Vec<Level>) -> u64 {
        by_case!(self, case, |decoder| black_box(&decoder.decode(text, levels)).is_ok() as u64)
    }

    /// One tier alone; 0 when it does not take the message.
    #[inline(always)]
    pub fn decode_with(&mut self, tier: Tier, case: Case, text: Padded<'_>, levels: &mut Vec<Level>) -> u64 {
        by_case!(self, case, |decoder| black_box(&decoder.decode_with(tier, text, levels)).is_some() as u64)
    }

    /// What is measured is the tier that is meant: the first one takes every frame, and finds levels.
    pub fn check(&mut self, case: Case, frames: &[Frame]) {
        let mut levels = Vec::new();
        for frame in frames {
            levels.clear();
            let taken = self.decode_with(Tier::Template, case, frame.padded(), &mut levels);
            assert!(taken == 1, "{case:?}: {}", String::from_utf8_lossy(frame.message()));
        }
    }
}
