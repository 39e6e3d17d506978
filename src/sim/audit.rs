//! The engine's own account of a run, as its journal has it, for comparison with the venues'.

use super::checks::{EngineContract, EngineFill, EngineOrder, EnginePosition, EngineView};
use crate::engine::Plan;
use crate::exec::{Executor, Record, RecordKind};
use crate::types::{ContractKind, Price};

/// What an executor with a kept journal says that it did.
pub fn engine_view(plan: &Plan, executor: &mut Executor) -> EngineView {
    executor.journal().catch_up();
    let mut view =
        EngineView { settled: executor.is_idle(), worths: executor.worths(), ..EngineView::default() };
    for record in Record::all(executor.journal().kept().unwrap_or_default()) {
        let venue = usize::from(record.venue().0);
        let Some(side) = record.side() else { continue };
        if record.is(RecordKind::Order) {
            let books = plan.venues.get(venue).map_or(&[][..], |venue| &venue.instruments);
            // A simulated exchange numbers its instruments as the plan does.
            let Some(instrument) = books.iter().position(|book| book.instrument == record.instrument())
            else {
                continue;
            };
            view.orders.push(EngineOrder {
                venue,
                instrument,
                client: record.client(),
                side,
                price: record.price(),
                qty: record.qty(),
                mid: Some(Price(record.total())),
            });
        } else if record.is(RecordKind::Filled) {
            let (fee, fee_asset) = record.amount();
            view.fills.push(EngineFill {
                venue,
                client: record.client(),
                side,
                price: record.price(),
                qty: record.qty(),
                fee,
                fee_asset,
            });
        }
    }
    let (ledger, venues) = (executor.ledger(), &plan.venues);
    for (number, venue) in venues.iter().enumerate() {
        let mut assets = Vec::new();
        for (at, book) in venue.instruments.iter().enumerate() {
            assets.push(book.spec.contract.settle);
            if book.spec.contract.kind == ContractKind::Spot {
                assets.push(book.spec.base);
            } else {
                let position = ledger.contract(venue.id, book.instrument);
                view.contracts.push(EngineContract { venue: number, instrument: at, position });
            }
        }
        assets.sort_unstable();
        assets.dedup();
        for asset in assets {
            if let Some(known) = ledger.find(asset) {
                let amount = ledger.position(venue.id, known);
                view.positions.push(EnginePosition { venue: number, asset, amount });
            }
        }
    }
    view
}
