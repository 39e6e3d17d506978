//! xarb: a low-latency cross-exchange arbitrage engine for crypto markets.
//!
//! These pages are the architecture. They say what happens to a frame, where each part lives, who
//! may know whom, and what is left out on purpose. `tests/tidy.rs` reads the tables below and
//! holds the code to them.
//!
//! # The journey of a frame
//!
//! ```text
//!  socket ──► frame ──► decode ──► book ──► publish ──► detect ──► queue ──► admit ──► encode ──► send
//!  host       wire/ws   venue      book/    book/top    detect     crossbeam risk      exec,      host
//!                       …/feed     ladder                          bounded             venue
//!
//!  socket ──► frame ──► ack, fill ──► order states ──► ledger ──► hedge ──► admit ──► …
//!                       venue          exec/orders     account    exec
//! ```
//!
//! | hop | in | out |
//! |---|---|---|
//! | `wire` | bytes of the kernel | bytes of ours, with the kernel's own stamp where it has one |
//! | `frame` | bytes | one WebSocket message, in place where it lies whole in the buffer |
//! | `decode` | a message | changes of books, levels as integers; the venue's sequence rule checked |
//! | `book` | a change | the full-depth ladder, owned by this thread |
//! | `verify` | the applied book | the venue's checksum over it, where it has one |
//! | `publish` | the best levels | a seqlock cell: levels, version, stamps, trust |
//! | `detect` | published books | an [`Opportunity`](detect::Opportunity), or a [refusal](detect::Refused) with its reason |
//! | `queue` | an opportunity | the executor; full means stale, so it is dropped and counted |
//! | `admit` | an opportunity | a proof that every limit holds, or a named refusal |
//! | `encode` | an admitted order | bytes ready to go: a template patched and signed, or a request signed ahead |
//! | `send` | those bytes and their journal record | bytes handed to the kernel |
//! | `ack`, `fill` | the venue's answers | [`Report`](types::Report)s |
//!
//! `tick_to_order` is from the start of `frame` to the end of `encode`; `tick_to_wire` from the
//! receive stamp of `wire` to the return of `send`. Hops `frame` to `encode` allocate nothing, lock
//! nothing, make no system call and format no text.
//!
//! # Who may import whom
//!
//! | module | imports |
//! |---|---|
//! | `sync` | |
//! | `types` | |
//! | `wire` | `types` |
//! | `venue` | `types` `wire` |
//! | `book` | `types` `sync` |
//! | `detect` | `types` `sync` `book` |
//! | `account` | `types` |
//! | `risk` | `types` `sync` `detect` `account` |
//! | `exec` | `types` `sync` `venue` `detect` `risk` `account` |
//! | `telemetry` | `types` `detect` |
//! | `capture` | `types` `sync` `wire` `venue` `book` |
//! | `config` | `types` `venue` |
//! | `engine` | `types` `sync` `wire` `venue` `book` `detect` `risk` `exec` `account` `telemetry` `config` |
//! | `sim` | `types` `sync` `wire` `venue` `book` `detect` `risk` `exec` `account` `telemetry` `config` `engine` |
//! | `backtest` | `types` `wire` `venue` `book` `detect` `risk` `exec` `account` `telemetry` `capture` `config` `engine` `sim` |
//! | `host` | `types` `sync` `wire` `venue` `telemetry` `config` `engine` `sim` |
//! | `cli` | `types` `sync` `wire` `venue` `book` `detect` `risk` `exec` `account` `telemetry` `capture` `config` `engine` `sim` `backtest` `host` |
//!
//! # The map
//!
//! - [`types`]: exact numbers, names, orders, time; the two doors [`Link`](types::Link) and [`Clock`](types::Clock).
//! - [`wire`]: codecs without I/O: WebSocket, HTTP/1.1, JSON in three tiers, decimals,
//!   LZ4 frames.
//! - [`venue`]: a folder per exchange operator with both ends of its wire, behind
//!   [`Feed`](venue::Feed), [`Gateway`](venue::Gateway) and [`Server`](venue::Server).
//! - [`book`]: the ladder that one thread owns, and the published top that any thread reads.
//! - [`detect`]: the net edge of a size, in integers, also across quote assets by rate books, and what
//!   to look at when a book moved.
//! - [`risk`]: the gate that every order passes. [`exec`]: legs, ready requests, order states,
//!   hedges, the journal. [`account`]: positions, fees, profit and loss.
//! - [`engine`]: the stages, and the roles that drive them over connections.
//! - [`telemetry`]: histograms of hops. [`capture`]: captured feeds: the container,
//!   recording, import, replay, statistics, export.
//! - [`sim`]: simulated exchanges, their market and network, and the stepped world.
//! - [`backtest`]: captured messages through the engine, and the account of what came of them.
//! - [`host`]: threads, sockets, TLS and clocks; nothing else opens, sleeps, spawns or asks the time.
//! - [`config`], [`cli`]: what people write and type.
//!
//! # One engine, four callers
//!
//! The same roles run pinned to cores, shared on few threads, or stepped in virtual time; over
//! TLS to real venues, over loopback to simulated ones, or over a virtual network. Which it is, is
//! configuration: no stage knows. A role that spins on a core of its own [rehearses](engine::Role::rehearse)
//! while it waits, so that the next message finds its caches warm.
//!
//! # Absences that matter
//!
//! - Core code never asks the time, opens a socket or draws a random number it was not handed.
//! - Nothing retries an order: not a layer, not a library.
//! - No float decides anything; no hash map is iterated.
//! - No order reaches a socket without the gate's proof and the journal's.

pub mod account;
pub mod backtest;
pub mod book;
pub mod capture;
pub mod cli;
pub mod config;
pub mod detect;
pub mod engine;
pub mod exec;
pub mod host;
pub mod risk;
pub mod sim;
pub mod sync;
pub mod telemetry;
pub mod types;
pub mod venue;
pub mod wire;
