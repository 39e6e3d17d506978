//! Binance's market data once more, in the venue's binary encoding.

use xarb::types::{Level, Scale};
use xarb::venue::binance::decode::{Decoder, Message};
use xarb::venue::binance::sbe::{self, Written};

use super::frames::Frame;

/// The same updates as those of the frames.
pub fn binary(frames: &[Frame]) -> Vec<Vec<u8>> {
    let mut decoder = Decoder::new(Scale::DEFAULT);
    let mut levels: Vec<Level> = Vec::with_capacity(256);
    let written = |frame: &Frame| {
        levels.clear();
        match decoder.decode(frame.padded(), &mut levels) {
            Ok(Message::Depth(depth)) => {
                let symbol = std::str::from_utf8(depth.symbol).expect("a symbol");
                let side = |range: &std::ops::Range<u32>| &levels[range.start as usize..range.end as usize];
                let (sides, ids) = ([side(&depth.bids), side(&depth.asks)], (depth.first, depth.last));
                Written::depth(symbol, Scale::DEFAULT, depth.event_ms * 1_000, ids, sides)
            }
            Ok(Message::Ticker(ticker)) => {
                let symbol = std::str::from_utf8(ticker.symbol).expect("a symbol");
                let (bid, ask) = (ticker.bid, ticker.ask);
                Written::best(symbol, Scale::DEFAULT, 1_672_515_782_136_000, ticker.update_id, bid, ask)
            }
            other => panic!("{other:?} is not sent in binary"),
        }
    };
    frames.iter().map(written).collect()
}

/// Reads a message to its levels.
#[inline(always)]
pub fn read(message: &[u8], levels: &mut Vec<Level>) -> u64 {
    levels.clear();
    let frame = sbe::frame(message).expect("a frame");
    std::hint::black_box(&frame.message(Scale::DEFAULT, levels)).is_ok() as u64
}
