//! From the file's tables to the checked parts: every bound and every rule between keys is here.

use super::parts::*;
use super::section::Section;
use super::{Config, ConfigError, DelayConfig, delay};
use crate::types::{
    Asset, Bps, ContractKind, Endpoint, Environment, FeeRate, KeyRights, Money, Nanos, Price, Qty, Scale,
    Symbol, Text, VenueId,
};
use crate::venue::{Channels, Encoding, HostKind, Transport, host_kind, speaks_sbe};

/// Ceilings that no file may lift: beyond them a number is a slip of the unit.
const MAX_NOTIONAL: i64 = 1_000_000;
const MAX_VENUES: usize = 16;
const MAX_INSTRUMENTS: usize = 256;

/// More copies of one stream than these only cost time.
const MAX_CONNECTIONS: u64 = 4;

const HOUR_MS: u64 = 3_600_000;

fn whole(units: i64) -> Money {
    Money::from_scaled(units, Scale::new(0).unwrap_or_default())
}

fn millis(ms: u64) -> Nanos {
    Nanos::from_millis(i64::try_from(ms).unwrap_or(i64::MAX))
}

fn micros(us: u64) -> Nanos {
    Nanos::from_micros(i64::try_from(us).unwrap_or(i64::MAX))
}

fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

pub(super) fn config(root: Section<'_>, known: &dyn Fn(&str) -> bool) -> Result<Config, ConfigError> {
    let run = run(root.section("run")?)?;
    let venues = venues(&root, known)?;
    let instruments = instruments(&root, &venues)?;
    let quote = super::quote::read(root.section("quote")?, &instruments, &venues)?;
    let risk = risk(root.section("risk")?)?;
    let detect = detect(root.section("detect")?, &risk)?;
    let exec = exec(root.section("exec")?)?;
    let roles = roles(root.section("roles")?)?;
    let sim = sim(root.section("sim")?, &instruments)?;
    let latency = latency(root.section("latency")?, &venues)?;
    root.finish()?;
    Ok(Config { run, venues, instruments, quote, detect, risk, exec, roles, sim, latency })
}

fn run(s: Section<'_>) -> Result<Run, ConfigError> {
    let modes = [
        ("auto", Mode::Auto),
        ("pinned", Mode::Pinned),
        ("shared", Mode::Shared),
        ("stepped", Mode::Stepped),
    ];
    let run = Run {
        mode: s.choice("mode", &modes, Some(Mode::Auto))?,
        seed: s.int("seed", 0..=u64::MAX, 1)?,
        seconds: s.int("seconds", 0..=31_536_000, 0)?,
        data_dir: s.text("data_dir")?.unwrap_or("data").into(),
        state_dir: s.text("state_dir")?.map(Into::into),
    };
    if run.state_dir.as_ref().is_some_and(|folder| folder.as_os_str().is_empty()) {
        return Err(s.refuse_key("state_dir", "a directory"));
    }
    if run.data_dir.as_os_str().is_empty() {
        return Err(s.refuse_key("data_dir", "a directory"));
    }
    s.finish()?;
    Ok(run)
}

fn venues(root: &Section<'_>, known: &dyn Fn(&str) -> bool) -> Result<Vec<VenueConfig>, ConfigError> {
    let mut venues: Vec<VenueConfig> = Vec::new();
    for (id, section) in root.named("venue")? {
        if !known(id) {
            let names: Vec<_> = crate::venue::VENUES.iter().map(|venue| venue.id).collect();
            let mut error = root.refuse_key("venue", &format!("one of {}", names.join(", ")));
            error.key = format!("venue.{id}");
            error.value = "unknown".to_owned();
            return Err(error);
        }
        venues.push(venue(id, section)?);
    }
    if venues.is_empty() || venues.len() > MAX_VENUES {
        return Err(root.missing("venue", &format!("1 to {MAX_VENUES} tables [venue.\"<id>\"]")));
    }
    let first = venues[0].environment;
    if let Some(other) = venues.iter().find(|venue| venue.environment != first) {
        let mut error = root.missing("venue", "");
        error.key = format!("venue.{}.environment", other.id);
        error.value = format!("\"{}\"", environment_name(other.environment));
        error.expected = format!(
            "the environment of {}, \"{}\": money and play money are not traded against each other",
            venues[0].id,
            environment_name(first)
        );
        return Err(error);
    }
    Ok(venues)
}

pub(super) const ENVIRONMENTS: [(&str, Environment); 4] = [
    ("sim", Environment::Sim),
    ("paper", Environment::Paper),
    ("sandbox", Environment::Sandbox),
    ("live", Environment::Live),
];

pub(super) fn environment_name(environment: Environment) -> &'static str {
    ENVIRONMENTS[environment as usize].0
}

fn venue(id: &str, s: Section<'_>) -> Result<VenueConfig, ConfigError> {
    let environment = s.choice("environment", &ENVIRONMENTS, None)?;
    let (depth, ticker) = channels(&s)?;
    let fee = |key| s.fee(key)?.ok_or_else(|| s.missing(key, "a fee in basis points (10 is 0.1 %)"));
    let tops = [("depth", TopSource::Depth), ("ticker", TopSource::Ticker), ("overlay", TopSource::Overlay)];
    let venue = VenueConfig {
        id: id.to_owned(),
        environment,
        stream: endpoint(&s, "stream", id, environment, true)?,
        rest: endpoint(&s, "rest", id, environment, false)?,
        orders: endpoint(&s, "orders", id, environment, true)?,
        private: endpoint(&s, "private", id, environment, true)?,
        channels: Channels {
            depth,
            ticker,
            levels: narrow(s.int("levels", 1..=5_000, 100)?),
            interval_ms: narrow(s.int("interval_ms", 0..=1_000, 0)?),
        },
        connections: s.int("connections", 1..=MAX_CONNECTIONS, 1)? as usize,
        encoding: s.choice(
            "encoding",
            &[("json", Encoding::Json), ("sbe", Encoding::Sbe)],
            Some(Encoding::Json),
        )?,
        top: s.choice("top", &tops, Some(TopSource::Depth))?,
        taker: fee("taker_bps")?,
        maker: fee("maker_bps")?,
        max_age: millis(s.int("max_age_ms", 1..=HOUR_MS, 2_000)?),
        window_ms: narrow(s.int("window_ms", 10..=60_000, 1_000)?),
        transport: s.choice(
            "transport",
            &[("rest", Transport::Rest), ("ws", Transport::Ws)],
            Some(Transport::Ws),
        )?,
        credentials_env: credentials(&s, environment)?,
        validate: s.flag("validate", false)?,
        allow_unread_rights: s.flag("allow_unread_rights", false)?,
    };
    // Requests to a shared host are sandbox requests when the streams go to the sandbox.
    let shared = venue.rest.as_ref().is_some_and(|rest| host_kind(id, &rest.host) == Some(HostKind::Shared));
    if environment == Environment::Sandbox && shared {
        for (key, endpoint) in [("orders", &venue.orders), ("private", &venue.private)] {
            if endpoint.is_none() {
                return Err(
                    s.missing(key, "a host of this venue's sandbox: that of `rest` is the real one's too")
                );
            }
        }
    }
    if venue.encoding == Encoding::Sbe {
        if !speaks_sbe(id) {
            return Err(s.refuse_key("encoding", "`json`: this venue has no other market data"));
        }
        if environment == Environment::Paper {
            return Err(s.refuse_key(
                "encoding",
                "`json`: binary data is for those with a key, and paper runs have none",
            ));
        }
    }
    if venue.taker < venue.maker {
        return Err(s.refuse_key("maker_bps", "no more than taker_bps"));
    }
    let (needs_depth, needs_ticker) = match venue.top {
        TopSource::Depth => (true, false),
        TopSource::Ticker => (false, true),
        TopSource::Overlay => (true, true),
    };
    if needs_depth && !depth || needs_ticker && !ticker {
        return Err(s.refuse_key("channels", "the channels that `top` needs"));
    }
    if venue.validate && environment != Environment::Live {
        return Err(
            s.refuse_key("validate", "false outside `environment = \"live\"`: nothing is at stake there")
        );
    }
    s.finish()?;
    Ok(venue)
}

fn channels(s: &Section<'_>) -> Result<(bool, bool), ConfigError> {
    let Some(names) = s.texts("channels")? else { return Ok((true, false)) };
    let (mut depth, mut ticker) = (false, false);
    for name in names {
        match name {
            "depth" => depth = true,
            "ticker" => ticker = true,
            _ => return Err(s.refuse_key("channels", "a list of \"depth\" and \"ticker\"")),
        }
    }
    if !depth && !ticker {
        return Err(s.refuse_key("channels", "at least one of \"depth\" and \"ticker\""));
    }
    Ok((depth, ticker))
}

/// Simulated venues are on this machine, sandboxes on hosts known to be the venue's sandbox, real
/// ones on hosts known to be real: a key can go nowhere else by a slip in a file.
fn endpoint(
    s: &Section<'_>,
    key: &'static str,
    id: &str,
    environment: Environment,
    websocket: bool,
) -> Result<Option<Endpoint>, ConfigError> {
    let Some(url) = s.text(key)? else { return Ok(None) };
    let schemes = if websocket {
        "a URL that starts with wss:// or ws://"
    } else {
        "a URL that starts with https:// or http://"
    };
    let endpoint = Endpoint::parse(url).map_err(|_| s.refuse_key(key, schemes))?;
    if endpoint.websocket != websocket {
        return Err(s.refuse_key(key, schemes));
    }
    let kind = host_kind(id, &endpoint.host);
    let loopback = endpoint.is_loopback();
    // Of a stream nothing tells which side it is but its host.
    let shared = !websocket && kind == Some(HostKind::Shared);
    let wrong = match environment {
        Environment::Sim if !loopback => {
            Some("an address of this machine (127.0.0.1): the venue is simulated")
        }
        Environment::Paper if !loopback && kind.is_none() => Some("a host of this venue"),
        Environment::Paper if key == "orders" || key == "private" => {
            Some("nothing: a paper run sends no orders")
        }
        Environment::Sandbox if !loopback && !shared && kind != Some(HostKind::Sandbox) => {
            Some("a host of this venue's sandbox")
        }
        Environment::Live if !shared && kind != Some(HostKind::Live) => {
            Some("a host of this venue's real market")
        }
        _ => None,
    };
    if let Some(expected) = wrong {
        return Err(s.refuse_key(key, expected));
    }
    if !endpoint.tls && !loopback {
        return Err(s.refuse_key(key, "wss or https: in clear only to this machine"));
    }
    Ok(Some(endpoint))
}

fn credentials(s: &Section<'_>, environment: Environment) -> Result<Option<String>, ConfigError> {
    let prefix = s.text("credentials_env")?;
    let refuse = |expected: &str| {
        // What stands there may be a key pasted by mistake: it is not shown.
        let mut error = s.refuse_key("credentials_env", expected);
        error.value = if prefix.is_some() { "not usable".to_owned() } else { String::new() };
        error
    };
    match (environment, prefix) {
        (Environment::Sim | Environment::Paper, Some(_)) => {
            Err(refuse("no key: simulated venues make their own, and a paper run sends no orders"))
        }
        (Environment::Sim | Environment::Paper, None) => Ok(None),
        (_, None) => {
            Err(refuse("the PREFIX of PREFIX_KEY and PREFIX_SECRET in the environment; it is missing"))
        }
        (_, Some(name)) => {
            let first = name.bytes().next().is_some_and(|b| b.is_ascii_uppercase());
            let rest = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
            if first && rest && name.len() <= 40 {
                Ok(Some(name.to_owned()))
            } else {
                Err(refuse("a PREFIX of capital letters, digits and _, such as XARB_SANDBOX"))
            }
        }
    }
}

fn instruments(root: &Section<'_>, venues: &[VenueConfig]) -> Result<Vec<InstrumentConfig>, ConfigError> {
    let mut instruments: Vec<InstrumentConfig> = Vec::new();
    for (name, section) in root.named("instrument")? {
        let instrument = instrument(name, section, venues)?;
        for listing in &instrument.listings {
            let twice = |other: &&InstrumentConfig| {
                other.listings.iter().any(|l| l.venue == listing.venue && l.symbol == listing.symbol)
            };
            if let Some(other) = instruments.iter().find(twice) {
                let mut error = root.missing("instrument", "");
                error.key = format!("instrument.{name}.symbols");
                error.value = format!("{:?}", listing.symbol);
                error.expected =
                    format!("a symbol of its own: {} has this one on the same venue", other.name);
                return Err(error);
            }
        }
        instruments.push(instrument);
    }
    if instruments.is_empty() || instruments.len() > MAX_INSTRUMENTS {
        return Err(root.missing("instrument", &format!("1 to {MAX_INSTRUMENTS} tables [instrument.<name>]")));
    }
    Ok(instruments)
}

fn instrument(name: &str, s: Section<'_>, venues: &[VenueConfig]) -> Result<InstrumentConfig, ConfigError> {
    let bad_name = || {
        let mut error = s.missing("", "");
        error.key = format!("instrument.{name}");
        error.value = format!("{name:?}");
        error.expected =
            "BASE-QUOTE, BASE-QUOTE-PERP or BASE-QUOTE-PERP:inverse, such as BTC-USDT".to_owned();
        error
    };
    let (pair, kind) = match (name.strip_suffix("-PERP:inverse"), name.strip_suffix("-PERP")) {
        (Some(pair), _) => (pair, ContractKind::Inverse),
        (None, Some(pair)) => (pair, ContractKind::Linear),
        (None, None) => (name, ContractKind::Spot),
    };
    let (base, quote) = pair.split_once('-').ok_or_else(bad_name)?;
    let (base, quote) = (asset(base).ok_or_else(bad_name)?, asset(quote).ok_or_else(bad_name)?);
    let full_name = Text::new(name).ok_or_else(bad_name)?;
    if base == quote {
        return Err(bad_name());
    }
    let digits = s.int("scale", 0..=12, 8)?;
    let scale = u8::try_from(digits).ok().and_then(Scale::new).unwrap_or_default();

    let rules = s.named("rules")?;
    let mut read_rules: Vec<(&str, Rules)> = Vec::new();
    for (venue, section) in rules {
        read_rules.push((venue, self::rules(section, scale)?));
    }
    let mut listings = Vec::new();
    for (venue, symbol) in s.text_table("symbols")? {
        let at = venues.iter().position(|config| config.id == venue).and_then(|at| u8::try_from(at).ok());
        let Some(at) = at else {
            return Err(s.refuse_key("symbols", &format!("venues that the file has, not {venue:?}")));
        };
        let symbol = Symbol::new(symbol)
            .filter(|symbol| !symbol.is_empty() && symbol.as_bytes().iter().all(u8::is_ascii_graphic))
            .ok_or_else(|| s.refuse_key("symbols", "the venue's own symbol, such as \"BTCUSDT\""))?;
        let rules = read_rules.iter().find(|(id, _)| *id == venue).map(|(_, rules)| *rules);
        listings.push(Listing { venue: VenueId(at), symbol, rules });
    }
    let listed =
        |id: &str| listings.iter().any(|l| venues.get(usize::from(l.venue.0)).is_some_and(|v| v.id == id));
    if let Some((stray, _)) = read_rules.iter().find(|(id, _)| !listed(id)) {
        return Err(s.refuse_key("rules", &format!("venues that `symbols` names, not {stray:?}")));
    }
    if listings.is_empty() {
        return Err(s.missing("symbols", "a table of symbols by venue, such as { \"x.spot\" = \"BTCUSDT\" }"));
    }
    s.finish()?;
    Ok(InstrumentConfig { name: full_name, base, quote, kind, scale, listings })
}

/// The name of an asset: capital letters and digits.
pub(super) fn asset(text: &str) -> Option<Asset> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    Asset::new(text).filter(|_| plain)
}

/// What trades at a venue, where the instrument's name does not tell.
const CONTRACTS: [(&str, Option<ContractKind>); 3] = [
    ("spot", Some(ContractKind::Spot)),
    ("linear", Some(ContractKind::Linear)),
    ("inverse", Some(ContractKind::Inverse)),
];

fn rules(s: Section<'_>, scale: Scale) -> Result<Rules, ConfigError> {
    let read = |key: &'static str| -> Result<Option<i64>, ConfigError> {
        let what = format!("a decimal with at most {} places, not negative", scale.digits());
        let Some(money) = s.money(key, &what)? else { return Ok(None) };
        money.to_scaled(scale).map(Some).ok_or_else(|| s.refuse_key(key, &what))
    };
    let positive = |key: &'static str| match read(key)? {
        Some(value) if value > 0 => Ok(value),
        Some(_) => Err(s.refuse_key(key, "more than zero")),
        None => Err(s.missing(key, "a decimal above zero")),
    };
    let (tick, lot) = (positive("tick")?, positive("lot")?);
    let min_qty = read("min_qty")?.unwrap_or(lot);
    let max_qty = read("max_qty")?.unwrap_or(0);
    let contract = s.choice("contract", &CONTRACTS, Some(None))?;
    let contract_size = match read("contract_size")? {
        Some(size) if size <= 0 => return Err(s.refuse_key("contract_size", "more than zero")),
        size => size.map(Qty),
    };
    let quote = super::quote::asset_of(&s, "quote")?;
    let rules = Rules {
        tick: Price(tick),
        lot: Qty(lot),
        min_qty: Qty(min_qty),
        max_qty: Qty(max_qty),
        min_notional: s.money("min_notional", "a decimal, not negative")?.unwrap_or_default(),
        contract,
        contract_size,
        quote,
    };
    if max_qty != 0 && max_qty < min_qty {
        return Err(s.refuse_key("max_qty", "no less than min_qty"));
    }
    if min_qty % lot != 0 {
        return Err(s.refuse_key("min_qty", "a multiple of the lot"));
    }
    s.finish()?;
    Ok(rules)
}

fn capped(s: &Section<'_>, key: &'static str, default: Money) -> Result<Money, ConfigError> {
    let value = s.money(key, "an amount, not negative")?.unwrap_or(default);
    if value > whole(MAX_NOTIONAL) {
        return Err(s.refuse_key(key, &format!("no more than {MAX_NOTIONAL}: no file lifts that ceiling")));
    }
    if value == Money::ZERO {
        return Err(s.refuse_key(key, "more than zero"));
    }
    Ok(value)
}

fn detect(s: Section<'_>, risk: &RiskConfig) -> Result<DetectConfig, ConfigError> {
    let detect = DetectConfig {
        min_edge: s.bps("min_edge_bps", -100, 10_000, Bps(Bps::ONE))?,
        haircut: s.share("haircut", FeeRate::ONE)?,
        max_notional: capped(&s, "max_notional", whole(1_000))?,
        merge: s.flag("merge", true)?,
        basis_half_life: millis(s.int("basis_half_life_ms", 0..=24 * HOUR_MS, 0)?),
    };
    if detect.haircut == 0 {
        return Err(s.refuse_key("haircut", "more than zero: the share of a level that is counted on"));
    }
    if detect.max_notional > risk.max_order_notional {
        let limit = format!("no more than risk.max_order_notional, {}", risk.max_order_notional);
        return Err(s.refuse_key("max_notional", &limit));
    }
    s.finish()?;
    Ok(detect)
}

fn risk(s: Section<'_>) -> Result<RiskConfig, ConfigError> {
    let risk = RiskConfig {
        max_order_notional: capped(&s, "max_order_notional", whole(5_000))?,
        max_orders_per_s: narrow(s.int("max_orders_per_s", 1..=1_000, 20)?),
        max_open_intents: narrow(s.int("max_open_intents", 1..=64, 4)?),
        price_band: s.bps("price_band_bps", 1, 1_000, Bps(100 * Bps::ONE))?,
        cooldown: millis(s.int("cooldown_ms", 0..=HOUR_MS, 0)?),
        max_exposure: s.money("max_exposure", "an amount, not negative")?.unwrap_or(whole(20_000)),
        max_loss: s.money("max_loss", "an amount, not negative")?.unwrap_or_default(),
    };
    s.finish()?;
    Ok(risk)
}

fn exec(s: Section<'_>) -> Result<ExecConfig, ConfigError> {
    let policies =
        [("finish", HedgePolicy::Finish), ("reverse", HedgePolicy::Reverse), ("keep", HedgePolicy::Keep)];
    let exec = ExecConfig {
        ack_timeout: millis(s.int("ack_timeout_ms", 1..=60_000, 1_000)?),
        query_every: millis(s.int("query_every_ms", 10..=60_000, 500)?),
        queue: s.int("queue", 1..=65_536, 64)? as usize,
        hedge: s.choice("hedge", &policies, Some(HedgePolicy::Finish))?,
        hedge_bound: s.bps("hedge_bound_bps", 0, 1_000, Bps(30 * Bps::ONE))?,
        keep_max: s.money("keep_max", "an amount, not negative")?.unwrap_or_default(),
        presign: s.int("presign", 0..=1_024, 0)? as usize,
    };
    if exec.hedge != HedgePolicy::Keep && exec.keep_max != Money::ZERO {
        return Err(s.refuse_key("keep_max", "hedge = \"keep\" beside it"));
    }
    s.finish()?;
    Ok(exec)
}

fn roles(s: Section<'_>) -> Result<Roles, ConfigError> {
    let ways = [("spin", Waiting::Spin), ("yield", Waiting::Yield), ("park", Waiting::Park)];
    let roles = Roles {
        cores: s.ints("cores", 0..=1_023)?.into_iter().map(|core| core as usize).collect(),
        waiting: s.choice("waiting", &ways, Some(Waiting::Park))?,
        rehearse: micros(s.int("rehearse_us", 0..=1_000_000, 50)?),
    };
    let mut sorted = roles.cores.clone();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.len() != roles.cores.len() {
        return Err(s.refuse_key("cores", "each core once: two spinning roles on one core starve each other"));
    }
    s.finish()?;
    Ok(roles)
}

fn sim(s: Section<'_>, instruments: &[InstrumentConfig]) -> Result<SimConfig, ConfigError> {
    let ppm = |key| Ok::<u32, ConfigError>(narrow(s.int(key, 0..=1_000_000, 0)?));
    let sim = SimConfig {
        balances: s.amounts("balances")?,
        latency: micros(s.int("latency_us", 0..=10_000_000, 0)?),
        jitter: micros(s.int("jitter_us", 0..=10_000_000, 0)?),
        reject_ppm: ppm("reject_ppm")?,
        partial_ppm: ppm("partial_ppm")?,
        disconnect_ppm: ppm("disconnect_ppm")?,
        gap_ppm: ppm("gap_ppm")?,
        price: s.money("price", "a price")?.unwrap_or(whole(60_000)),
        prices: prices(&s, instruments)?,
        volatility: s.bps("volatility_bps", 0, 1_000, Bps(Bps::ONE))?,
        offset: s.bps("offset_bps", 0, 1_000, Bps(20 * Bps::ONE))?,
        offset_half_life: millis(s.int("offset_half_life_ms", 1..=HOUR_MS, 1_000)?),
        requote: (
            millis(s.int("requote_min_ms", 0..=60_000, 50)?),
            millis(s.int("requote_max_ms", 0..=60_000, 200)?),
        ),
        updates_per_s: narrow(s.int("updates_per_s", 1..=100_000, 50)?),
        leverage: narrow(s.int("leverage", 1..=125, 5)?),
        key_rights: key_rights(&s)?,
    };
    if sim.requote.0 > sim.requote.1 {
        return Err(s.refuse_key("requote_min_ms", "no more than requote_max_ms"));
    }
    if sim.price == Money::ZERO {
        return Err(s.refuse_key("price", "more than zero"));
    }
    s.finish()?;
    Ok(sim)
}

/// A simulated key works from this machine alone, unless it says `anywhere`.
fn key_rights(s: &Section<'_>) -> Result<KeyRights, ConfigError> {
    let names = s.texts("key_rights")?.unwrap_or(vec!["read", "trade"]);
    let known = ["read", "trade", "transfer", "withdraw", "anywhere"];
    if names.iter().any(|name| !known.contains(name)) {
        return Err(s.refuse_key("key_rights", "a list of read, trade, transfer, withdraw and anywhere"));
    }
    let has = |name| names.contains(&name);
    let ips = if has("anywhere") { Vec::new() } else { vec!["127.0.0.1".to_owned()] };
    Ok(KeyRights {
        read: Some(has("read")),
        trade: Some(has("trade")),
        transfer: Some(has("transfer")),
        withdraw: Some(has("withdraw")),
        ip_bound: Some(!ips.is_empty()),
        ips,
        ..KeyRights::default()
    })
}

fn prices(s: &Section<'_>, instruments: &[InstrumentConfig]) -> Result<Vec<(Text<31>, Money)>, ConfigError> {
    let price = |(name, price): (&str, Money)| {
        let own = instruments.iter().find(|instrument| instrument.name.as_str() == name);
        match own {
            Some(own) if price > Money::ZERO => Ok((own.name, price)),
            Some(_) => Err(s.refuse_key("prices", &format!("a price above zero for {name}"))),
            None => Err(s.refuse_key("prices", &format!("instruments that the file has, not {name:?}"))),
        }
    };
    s.money_table("prices", "a table such as { BTC-USDT = \"60000\" }")?.into_iter().map(price).collect()
}

/// What nobody measured is supposed to take this long, one way.
const DELAY_DEFAULT: DelayConfig = DelayConfig::Constant(Nanos::from_micros(500));

fn latency(s: Section<'_>, venues: &[VenueConfig]) -> Result<LatencyConfig, ConfigError> {
    let delays = |s: &Section<'_>, default: &Delays| {
        let delay = |key, default: &DelayConfig| match s.plain(key)? {
            None => Ok(default.clone()),
            Some(text) => DelayConfig::parse(text).ok_or_else(|| s.refuse_key(key, delay::EXPECTED)),
        };
        Ok::<_, ConfigError>(Delays {
            feed: delay("feed", &default.feed)?,
            entry: delay("entry", &default.entry)?,
            response: delay("response", &default.response)?,
        })
    };
    let usual = Delays { feed: DELAY_DEFAULT, entry: DELAY_DEFAULT, response: DELAY_DEFAULT };
    let usual = delays(&s, &usual)?;
    let kernel_stamps = s.flag("kernel_stamps", true)?;
    let mut latency = LatencyConfig { kernel_stamps, venues: vec![usual.clone(); venues.len()] };
    for (id, section) in s.named("venue")? {
        let Some(at) = venues.iter().position(|venue| venue.id == id) else {
            return Err(s.refuse_key("venue", &format!("venues that the file has, not {id:?}")));
        };
        latency.venues[at] = delays(&section, &usual)?;
        section.finish()?;
    }
    s.finish()?;
    Ok(latency)
}
