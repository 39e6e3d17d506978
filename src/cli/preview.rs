//! `xarb preview`: an order or a signature exactly as it would be sent; nothing is sent.

use clap::{Subcommand, ValueEnum};
use secrecy::SecretString;
use serde::{Serialize, Serializer};

use super::{Exit, Failure, out};
use crate::types::{Kind, Side, Tif};
use crate::venue::{
    self, Credentials, OrderText, PREVIEW_EXAMPLES, Preview, PreviewError, SignRequest, Transport, Venue,
};

const ABOUT_KEYS: &str = "\
The key comes from the environment: with --credentials-env ACME the variables ACME_KEY, ACME_SECRET
and, where the venue has one, ACME_PASSPHRASE. The secret is never printed.

Examples:
";

fn after_help() -> String {
    // Its first line has no indent.
    format!("{ABOUT_KEYS}  {PREVIEW_EXAMPLES}")
}

/// What to preview.
#[derive(clap::Args, Debug)]
#[command(after_help = after_help())]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// The request or the messages of an order
    Order(OrderArgs),
    /// The signature of a request as it stands
    Sign(SignArgs),
}

#[derive(clap::Args, Debug)]
#[command(after_help = after_help())]
struct OrderArgs {
    /// The venue, for example binance.spot
    #[arg(long)]
    venue: String,
    /// The venue's own symbol, for example BTCUSDT or BTC/USD
    #[arg(long)]
    symbol: String,
    /// Buy or sell
    #[arg(long)]
    side: SideArg,
    /// Limit, market, or a limit that must not take
    #[arg(long = "type")]
    kind: KindArg,
    /// How long it lives
    #[arg(long)]
    tif: TifArg,
    /// The limit, sent as it stands; not for market orders
    #[arg(long, default_value = "")]
    price: String,
    /// The quantity, sent as it stands
    #[arg(long)]
    qty: String,
    /// The client order id, sent as it stands
    #[arg(long, value_name = "ID")]
    client_id: String,
    /// One HTTP request, or messages over a WebSocket session
    #[arg(long)]
    transport: TransportArg,
    /// The request's time, in ms since the epoch
    #[arg(long)]
    time_ms: i64,
    /// The nonce, where the venue has one [default: from the time]
    #[arg(long)]
    nonce: Option<u64>,
    /// PREFIX of PREFIX_KEY, PREFIX_SECRET and PREFIX_PASSPHRASE in the environment
    #[arg(long, value_name = "PREFIX")]
    credentials_env: String,
}

#[derive(clap::Args, Debug)]
#[command(after_help = after_help())]
struct SignArgs {
    /// The venue, for example binance.spot
    #[arg(long)]
    venue: String,
    /// The HTTP method
    #[arg(long)]
    method: String,
    /// The path, without query
    #[arg(long)]
    path: String,
    /// The complete query, without `?`; signed as it stands
    #[arg(long, default_value = "")]
    query: String,
    /// The complete body; signed as it stands
    #[arg(long, default_value = "")]
    body: String,
    /// The request's time, in ms since the epoch
    #[arg(long)]
    time_ms: i64,
    /// The nonce, where the venue has one
    #[arg(long)]
    nonce: Option<u64>,
    /// PREFIX of PREFIX_KEY, PREFIX_SECRET and PREFIX_PASSPHRASE in the environment
    #[arg(long, value_name = "PREFIX")]
    credentials_env: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SideArg {
    Buy,
    Sell,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum KindArg {
    Limit,
    Market,
    PostOnly,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum TifArg {
    Ioc,
    Fok,
    Gtc,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TransportArg {
    Rest,
    Ws,
}

pub fn run(args: &Args, json: bool) -> Result<Exit, Failure> {
    match &args.what {
        What::Order(args) => order(args, json),
        What::Sign(args) => sign(args, json),
    }
}

fn order(args: &OrderArgs, json: bool) -> Result<Exit, Failure> {
    let venue = venue(&args.venue)?;
    let preview = venue.preview.ok_or_else(|| none(venue, "orders"))?;
    if args.symbol.is_empty() || args.symbol.chars().any(char::is_control) {
        return Err(Failure::usage("--symbol: expected the venue's own symbol"));
    }
    match (args.kind, args.price.as_str()) {
        (KindArg::Market, "") => {}
        (KindArg::Market, _) => return Err(Failure::usage("--price: a market order has none")),
        (_, price) => decimal("--price", price)?,
    }
    decimal("--qty", &args.qty)?;
    if args.client_id.is_empty() {
        return Err(Failure::usage("--client-id: expected an id of your own for the order"));
    }
    // No venue has another such order.
    if args.kind == KindArg::PostOnly && args.tif != TifArg::Gtc {
        let tif = if args.tif == TifArg::Ioc { "ioc" } else { "fok" };
        return Err(Failure::usage(format!("--tif `{tif}`: expected gtc for a post-only order")));
    }
    let order = OrderText {
        symbol: args.symbol.clone(),
        side: match args.side {
            SideArg::Buy => Side::Buy,
            SideArg::Sell => Side::Sell,
        },
        kind: match args.kind {
            KindArg::Limit => Kind::Limit,
            KindArg::Market => Kind::Market,
            KindArg::PostOnly => Kind::PostOnly,
        },
        tif: match args.tif {
            TifArg::Ioc => Tif::Ioc,
            TifArg::Fok => Tif::Fok,
            TifArg::Gtc => Tif::Gtc,
        },
        price: args.price.clone(),
        qty: args.qty.clone(),
        client_id: args.client_id.clone(),
        transport: match args.transport {
            TransportArg::Rest => Transport::Rest,
            TransportArg::Ws => Transport::Ws,
        },
        time_ms: time(args.time_ms)?,
        nonce: args.nonce,
    };
    let key = credentials(&args.credentials_env)?;
    let shown = preview(&key, &order).map_err(|error| refused(error, &args.credentials_env, &key))?;
    show_order(&shown, json);
    Ok(Exit::Done)
}

fn sign(args: &SignArgs, json: bool) -> Result<Exit, Failure> {
    let venue = venue(&args.venue)?;
    let sign = venue.sign.ok_or_else(|| none(venue, "signatures"))?;
    let request = SignRequest {
        method: args.method.clone(),
        path: args.path.clone(),
        query: args.query.clone(),
        body: args.body.clone(),
        time_ms: time(args.time_ms)?,
        nonce: args.nonce,
    };
    let key = credentials(&args.credentials_env)?;
    let signed = sign(&key, &request).map_err(|error| refused(error, &args.credentials_env, &key))?;
    if json {
        out::json(&SignedJson {
            string_to_sign: &signed.string_to_sign,
            signature: &signed.signature,
            headers: Headers(&signed.headers),
        });
    } else {
        out::line(&format!("string to sign:\n{}\n\nsignature:\n{}", signed.string_to_sign, signed.signature));
        for (name, value) in &signed.headers {
            out::line(&format!("{name}: {value}"));
        }
    }
    Ok(Exit::Done)
}

fn show_order(preview: &Preview, json: bool) {
    match preview {
        Preview::Http { method, url, headers, body } if json => {
            out::json(&HttpJson { method, url, headers: Headers(headers), body });
        }
        Preview::Frames { frames, notes } if json => out::json(&FramesJson { frames, notes }),
        Preview::Http { method, url, headers, body } => {
            out::line(&format!("{method} {url}"));
            for (name, value) in headers {
                out::line(&format!("{name}: {value}"));
            }
            if !body.is_empty() {
                out::line(&format!("\n{body}"));
            }
        }
        Preview::Frames { frames, .. } => frames.iter().for_each(|frame| out::line(frame)),
    }
    if let Preview::Frames { notes, .. } = preview {
        notes.iter().for_each(|note| eprintln!("xarb: note: {note}"));
    }
}

fn venue(id: &str) -> Result<&'static Venue, Failure> {
    venue::find(id).ok_or_else(|| {
        let names: Vec<_> = venue::VENUES.iter().map(|venue| venue.id).collect();
        Failure::usage(format!("--venue {id:?}: expected one of {}", names.join(", ")))
    })
}

fn none(venue: &Venue, what: &str) -> Failure {
    Failure::usage(format!("{}: no {what} are supported there", venue.id))
}

/// What a venue does not take, by the name of the flag or the variable that it came from.
fn refused(error: PreviewError, prefix: &str, key: &Credentials) -> Failure {
    Failure::usage(match error {
        PreviewError::Value { .. } => format!("--{error}"),
        PreviewError::Secret(what) if what.contains("passphrase") && key.passphrase.is_none() => {
            format!("{prefix}_PASSPHRASE is not set in the environment: {what}")
        }
        error => error.to_string(),
    })
}

fn time(time_ms: i64) -> Result<i64, Failure> {
    // Up to the year 9999: what lies beyond is a slip of the unit.
    if (0..=253_402_300_799_999).contains(&time_ms) {
        Ok(time_ms)
    } else {
        Err(Failure::usage(format!("--time-ms {time_ms}: expected milliseconds since the epoch")))
    }
}

/// A plain positive decimal; sent as it stands, so that nothing is reprinted.
fn decimal(flag: &str, text: &str) -> Result<(), Failure> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let positive = text.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
    if digits(whole) && digits(fraction) && positive && text.len() <= 40 {
        return Ok(());
    }
    Err(Failure::usage(format!("{flag} {text:?}: expected a plain decimal above zero, such as 0.01")))
}

/// The key from the environment. Errors name the variable, never what is in it.
fn credentials(prefix: &str) -> Result<Credentials, Failure> {
    let plain = !prefix.is_empty() && prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !plain {
        return Err(Failure::usage("--credentials-env: expected the PREFIX of variable names, such as ACME"));
    }
    let read = |suffix: &str| match std::env::var(format!("{prefix}_{suffix}")) {
        Ok(value) => Ok(Some(value)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Failure::usage(format!("{prefix}_{suffix} in the environment is not UTF-8")))
        }
    };
    let missing = |suffix| Failure::usage(format!("{prefix}_{suffix} is not set in the environment"));
    let key = read("KEY")?.ok_or_else(|| missing("KEY"))?;
    let secret = read("SECRET")?.ok_or_else(|| missing("SECRET"))?;
    Ok(Credentials {
        key,
        secret: SecretString::from(secret),
        passphrase: read("PASSPHRASE")?.map(SecretString::from),
        generation: 0,
    })
}

/// Headers as a JSON object, in their order.
struct Headers<'a>(&'a [(String, String)]);

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

#[derive(Serialize)]
struct HttpJson<'a> {
    method: &'a str,
    url: &'a str,
    headers: Headers<'a>,
    body: &'a str,
}

#[derive(Serialize)]
struct FramesJson<'a> {
    frames: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
}

#[derive(Serialize)]
struct SignedJson<'a> {
    string_to_sign: &'a str,
    signature: &'a str,
    headers: Headers<'a>,
}
