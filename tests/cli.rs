//! The real binary: help that teaches, exit codes that mean something, one JSON object on stdout.

use std::process::Command;

use serde_json::Value;

/// What the binary did.
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    /// The one JSON object on stdout, in which no key stands twice.
    #[track_caller]
    fn json(&self) -> Value {
        let value: Value =
            serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout));
        assert!(value.is_object(), "{}", self.stdout);
        // Of two the reader kept one, and what it writes is shorter.
        let again = serde_json::to_string(&value).unwrap();
        assert_eq!(again.len(), self.stdout.trim_end().len(), "a key stands twice: {}", self.stdout);
        value
    }
}

fn xarb(args: &[&str], key: Option<(&str, &str)>) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xarb"));
    command.args(args).env_remove("T_KEY").env_remove("T_SECRET");
    if let Some((key, secret)) = key {
        command.env("T_KEY", key).env("T_SECRET", secret);
    }
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn help_teaches() {
    for (args, words) in [
        (&["--help"][..], &["replay", "backtest", "preview", "Examples:", "Exit codes:"][..]),
        (&["replay", "--help"], &["--until-ns", "--depth", "Examples:", "unsynced"]),
        (&["record", "--help"], &["--rotate-mb", "Examples:", "environment", "lost"]),
        (&["run", "--help"], &["--config <FILE>", "--force", "Examples:"]),
        (&["demo", "--help"], &["--venues binance.spot,coinbase.advanced", "0 = until Ctrl-C", "Examples:"]),
        (&["import", "--help"], &["--compression", "Examples:", "Tardis", "MCAP"]),
        (&["export", "--help"], &["npz", "parquet", "tardis", "Examples:", "updates  time venue_time"]),
        (&["stats", "--help"], &["offset", "Examples:", "above"]),
        (&["backtest", "--help"], &["--opportunities", "--ledger", "--example", "Examples:", "net_quote"]),
        (&["instruments", "--help"], &["--venue", "Examples:", "min_notional", "-c FILE"]),
        (&["preview", "--help"], &["order", "sign", "Examples:", "ACME_SECRET"]),
        (&["preview", "order", "--help"], &["--client-id", "--transport", "Examples:\n  xarb preview order"]),
        (&["preview", "sign", "--help"], &["--nonce", "Examples:"]),
    ] {
        let ran = xarb(args, None);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{args:?}");
        for word in words {
            assert!(ran.stdout.contains(word), "{args:?} lacks {word}");
        }
    }
    assert!(xarb(&["--version"], None).stdout.starts_with("xarb "));
}

const KEY: Option<(&str, &str)> = Some(("key", "secret"));

/// A limit order whose parts can be replaced.
fn order<'a>(changes: &[(&'a str, &'a str)]) -> Vec<&'a str> {
    let mut args = vec!["preview", "order", "--json"];
    for (flag, value) in [
        ("--venue", "binance.spot"),
        ("--symbol", "BTCUSDT"),
        ("--side", "buy"),
        ("--type", "limit"),
        ("--tif", "ioc"),
        ("--price", "60000.10"),
        ("--qty", "0.010"),
        ("--client-id", "my-1"),
        ("--transport", "rest"),
        ("--time-ms", "1700000000000"),
        ("--credentials-env", "T"),
    ] {
        args.extend([flag, changes.iter().find(|change| change.0 == flag).map_or(value, |change| change.1)]);
    }
    args
}

#[test]
fn wrong_use_is_refused_by_code_and_in_json() {
    let missing = std::env::temp_dir().join("xarb-no-such-file");
    let missing = missing.to_str().unwrap();
    let folder = std::env::temp_dir();
    let folder = folder.to_str().unwrap();
    for (args, key, code, word) in [
        (vec![], None, 2, "Usage"),
        (vec!["fly"], None, 2, "fly"),
        (vec!["replay"], None, 2, "FILE"),
        (vec!["replay", "--depth", "x", "f"], None, 2, "--depth"),
        (vec!["replay", "--json", missing], None, 1, "xarb-no-such-file"),
        (vec!["--json"], None, 2, "command"),
        (vec!["fly", "--json"], None, 2, "fly"),
        (vec!["replay", "--json"], None, 2, "FILE"),
        (vec!["record", "--json", "-o", "x.mcap"], None, 2, "--config <FILE>"),
        (vec!["run", "--json"], None, 2, "--config <FILE>"),
        (vec!["demo", "--json", "--venues", "binance.spot"], None, 2, "`binance.spot` alone"),
        (
            vec!["demo", "--json", "--venues", "okx.spot,okx.spot, bybit.spot"],
            None,
            2,
            "`okx.spot` is named twice",
        ),
        (vec!["demo", "--json", "--venues", "okx.spot,mars.spot"], None, 2, "\"mars.spot\""),
        (vec!["demo", "--json", "--stepped", "--seconds", "0"], None, 2, "run.seconds: 0"),
        (vec!["demo", "--json", "--set", "roles.cores=[1023]"], None, 2, "roles.cores: 1023"),
        (vec!["import", "--json", folder, "-o", missing], None, 2, "is a directory, expected a capture"),
        (vec!["import", "--json", missing, "-o", folder, "--force"], None, 2, "is a directory"),
        (vec!["export", "--json", folder, "-o", missing, "--format", "npz"], None, 2, "is a directory"),
        (vec!["import", "--json", missing, "-o", missing], None, 1, "xarb-no-such-file"),
        (vec!["export", "--json", missing, "-o", missing, "--format", "xml"], None, 2, "--format"),
        (vec!["stats", "--json", missing], None, 1, "xarb-no-such-file"),
        (vec!["instruments", "--json", "--venue", "mars.spot"], None, 2, "--venue: `mars.spot`"),
        (vec!["instruments", "--json", "-c", missing], None, 2, "xarb-no-such-file"),
        (vec!["instruments", "--json", "--set", "detect.speed=1"], None, 2, "detect.speed"),
        (
            vec!["instruments", "--json", "--set", "instrument.BTC-USDT.scale=2"],
            None,
            2,
            "rules.binance.spot.lot",
        ),
        (order(&[("--venue", "mars.spot")]), KEY, 2, "binance.spot"),
        (order(&[("--side", "hold")]), KEY, 2, "hold"),
        (order(&[("--qty", "-1")]), KEY, 2, "-1"),
        (order(&[("--qty", "1e5")]), KEY, 2, "--qty"),
        (order(&[("--qty", "0.0")]), KEY, 2, "--qty"),
        (order(&[("--price", "")]), KEY, 2, "--price"),
        (order(&[("--type", "market")]), KEY, 2, "--price"),
        (order(&[("--time-ms", "99999999999999999")]), KEY, 2, "--time-ms"),
        (order(&[("--credentials-env", "a b")]), KEY, 2, "PREFIX"),
        (order(&[]), None, 2, "T_KEY is not set"),
        (order(&[("--client-id", "not/legal")]), KEY, 2, "--client-id: `not/legal`"),
        (order(&[("--client-id", "")]), KEY, 2, "--client-id"),
        (order(&[("--type", "post-only")]), KEY, 2, "--tif `ioc`: expected gtc"),
        (
            order(&[("--venue", "okx.spot"), ("--symbol", "BTC-USDT"), ("--client-id", "my1")]),
            KEY,
            2,
            "T_PASSPHRASE",
        ),
        (
            order(&[("--venue", "kraken.spot"), ("--symbol", "BTC/USD")]),
            Some(("k", "not base64!")),
            2,
            "secret",
        ),
    ] {
        let ran = xarb(&args, key);
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(word), "{args:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("not base64!"), "{}", ran.stderr);
        if args.contains(&"--json") {
            assert!(ran.json()["error"].as_str().unwrap().contains(word), "{}", ran.stdout);
        }
    }
}

const HMAC: (&str, &str) = (
    "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
    "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
);
const FUTURES: (&str, &str) = (
    "dbefbc809e3e83c283a984c3a1459732ea7db1360ca80c5c2c8867408d28cc83",
    "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9",
);
const ED25519: (&str, &str) = (
    "4yNzx3yWC5bS6YTwEkSRaC0nRmSQIIStAUOh1b6kqaBrTLIhjCpI5lJH8q8R8WNO",
    "MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u",
);

fn sign(venue: &str, method: &str, path: &str, query: &str, body: &str, key: (&str, &str)) -> Value {
    sign_at("1616492376594", venue, method, path, query, body, key)
}

fn sign_at(
    time_ms: &str,
    venue: &str,
    method: &str,
    path: &str,
    query: &str,
    body: &str,
    key: (&str, &str),
) -> Value {
    let args = [
        "preview",
        "sign",
        "--json",
        "--venue",
        venue,
        "--method",
        method,
        "--path",
        path,
        "--query",
        query,
        "--body",
        body,
        "--time-ms",
        time_ms,
        "--nonce",
        "1616492376594",
        "--credentials-env",
        "T",
    ];
    let ran = xarb(&args, Some(key));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!ran.stdout.contains(key.1) && !ran.stderr.contains(key.1), "the secret is shown");
    ran.json()
}

#[test]
fn the_documented_signatures_come_out() {
    for (method, query, body, key, want) in [
        (
            "POST",
            "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
            "",
            HMAC,
            "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
        ),
        (
            "POST",
            "symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
            "",
            HMAC,
            "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
        ),
        (
            "POST",
            "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC",
            "quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
            HMAC,
            "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77",
        ),
        (
            "WS",
            "apiKey=vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A&price=52000.00&quantity=0.01000000&recvWindow=100&side=SELL&symbol=BTCUSDT&timeInForce=GTC&timestamp=1645423376532&type=LIMIT",
            "",
            HMAC,
            "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24",
        ),
        (
            "WS",
            "apiKey=vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A&price=0.10000000&quantity=1.00000000&recvWindow=5000&side=BUY&symbol=１２３４５６&timeInForce=GTC&timestamp=1645423376532&type=LIMIT",
            "",
            HMAC,
            "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd",
        ),
        (
            "GET",
            "timestamp=1578963600000",
            "",
            HMAC,
            "d84e6641b1e328e7b418fff030caed655c266299c9355e36ce801ed14631eed4",
        ),
        (
            "POST",
            "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&timestamp=1591702613943",
            "",
            FUTURES,
            "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9",
        ),
        (
            "WS",
            "A\u{1}EXAMPLE\u{1}SPOT\u{1}1\u{1}20240627-11:17:25.223",
            "",
            ED25519,
            "4MHXelVVcpkdwuLbl6n73HQUXUf1dse2PCgT1DYqW9w8AVZ1RACFGM+5UdlGPrQHrgtS3CvsRURC1oj73j8gCA==",
        ),
        (
            "POST",
            "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=1&price=0.2&timestamp=1668481559918&recvWindow=5000",
            "",
            ED25519,
            "inDT086KVIP8vgUfw5sV3VTkescWztiAGlf4x8FLKHM4NInsn0c1kYVLoGMO8cyjfR6vmTku2YQE0gtfVVlfCw==",
        ),
        (
            "WS",
            "apiKey=4yNzx3yWC5bS6YTwEkSRaC0nRmSQIIStAUOh1b6kqaBrTLIhjCpI5lJH8q8R8WNO&timestamp=1649729878532",
            "",
            ED25519,
            "cGkloHLHGGNbrduoWDYBlzIPwRHyDVYVfCE0rDkPwKdKedurBgm2JNWRkwloQDBFG6Mcloavo1siYfEtZbV/Ag==",
        ),
    ] {
        let signed = sign("binance.spot", method, "/api/v3/order", query, body, key);
        assert_eq!(signed["signature"], want, "{query}");
        assert_eq!(signed["string_to_sign"], format!("{query}{body}"));
        if method != "WS" {
            assert_eq!(signed["headers"]["X-MBX-APIKEY"], key.0);
        }
    }
}

const KRAKEN: (&str, &str) =
    ("public", "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==");

#[test]
fn the_documented_signature_with_a_nonce_comes_out() {
    for (body, want) in [
        (
            "nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25",
            "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ==",
        ),
        (
            r#"{"nonce":"1616492376594","ordertype":"limit","pair":"XBTUSD","price":"37500","type":"buy","volume":"1.25"}"#,
            "r/o+GpKxXjV/mls/r5CKLu5R+yzK5psqvQ4hXxMX1nzdxTBhV+ui82QGgPZMMitpFwCOAdPEZMmXgZxD2chJEg==",
        ),
    ] {
        let signed = sign("kraken.spot", "POST", "/0/private/AddOrder", "", body, KRAKEN);
        assert_eq!((&signed["signature"], &signed["headers"]["API-Sign"]), (&want.into(), &want.into()));
        assert_eq!(signed["headers"]["API-Key"], "public");
    }
}

const BYBIT: (&str, &str) = ("test_api_key", "test_secret");

#[test]
fn the_documented_signatures_with_a_time_come_out() {
    const ORDER: &str = r#"{"category":"spot","symbol":"BTCUSDT","side":"Buy","orderType":"Limit","qty":"0.001","price":"10000","timeInForce":"IOC","orderLinkId":"arb-000001"}"#;
    const ORDER_SIGNED: &str = "747e1b25e7924d3d4e11409758235e5b0e1e65e4de54bc5f29aeaae07b4a83b3";
    let text = |payload: &str| format!("1700000000000test_api_key5000{payload}");
    let get = "category=linear&symbol=BTCUSDT";
    let spaced = r#"{"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "test-order-1"}"#;
    for (method, path, query, body, text, want) in [
        (
            "GET",
            "/v5/order/realtime",
            get,
            "",
            text(get),
            "fd4f31228a46109dc6673062328693696df9a96c7ff04e6491a45e7f63a0fdd7",
        ),
        (
            "POST",
            "/v5/order/create",
            "",
            spaced,
            text(spaced),
            "2df4a0603d69c08d5dea29ba85b46eb7db64ce9e9ebd34a7802a3d69700cb2a1",
        ),
        (
            "WS",
            "/v5/private",
            "",
            "",
            "GET/realtime1700000000000".to_owned(),
            "bacffe7500499eb829bb58c45d36d1b3e5ac67c14eaeba91df5e99ccee013925",
        ),
        ("POST", "/v5/order/create", "", ORDER, text(ORDER), ORDER_SIGNED),
    ] {
        let signed = sign_at("1700000000000", "bybit.spot", method, path, query, body, BYBIT);
        assert_eq!((&signed["string_to_sign"], &signed["signature"]), (&text.into(), &want.into()));
        let carried = if method == "WS" { Value::Null } else { want.into() };
        assert_eq!(signed["headers"]["X-BAPI-SIGN"], carried);
    }
    // The order of the last one, as it would be sent.
    let changes = [
        ("--venue", "bybit.spot"),
        ("--price", "10000"),
        ("--qty", "0.001"),
        ("--client-id", "arb-000001"),
        ("--time-ms", "1700000000000"),
    ];
    let shown = xarb(&order(&changes), Some(BYBIT)).json();
    assert_eq!(
        (&shown["body"], &shown["url"]),
        (&ORDER.into(), &"https://api.bybit.com/v5/order/create".into())
    );
    let headers = &shown["headers"];
    assert_eq!(
        (&headers["X-BAPI-SIGN"], &headers["X-BAPI-TIMESTAMP"]),
        (&ORDER_SIGNED.into(), &"1700000000000".into())
    );
    // A session's login expires ten seconds after the order's time.
    let changes = [
        ("--venue", "bybit.spot"),
        ("--transport", "ws"),
        ("--time-ms", "1699999990000"),
        ("--price", "10000"),
    ];
    let shown = xarb(&order(&changes), Some(BYBIT)).json();
    let login: Value = serde_json::from_str(shown["frames"][0].as_str().unwrap()).unwrap();
    assert_eq!(
        login["args"],
        serde_json::json!([
            "test_api_key",
            1_700_000_000_000i64,
            "bacffe7500499eb829bb58c45d36d1b3e5ac67c14eaeba91df5e99ccee013925"
        ])
    );
}

#[test]
fn an_order_over_rest_is_signed_as_the_signer_signs() {
    let ran = xarb(&order(&[]), Some(HMAC));
    let shown = ran.json();
    assert_eq!(
        (ran.code, &shown["method"], &shown["body"]),
        (0, &"POST".into(), &"".into()),
        "{}",
        ran.stderr
    );
    let url = shown["url"].as_str().unwrap();
    let query = url.strip_prefix("https://api.binance.com/api/v3/order?").unwrap();
    let (signed, signature) = query.split_once("&signature=").unwrap();
    for part in [
        "price=60000.10",
        "quantity=0.010",
        "newClientOrderId=my-1",
        "timeInForce=IOC",
        "timestamp=1700000000000",
    ] {
        assert!(signed.contains(part), "{query} lacks {part}");
    }
    assert_eq!(sign("binance.spot", "POST", "/api/v3/order", signed, "", HMAC)["signature"], signature);

    let changes = [("--venue", "kraken.spot"), ("--symbol", "BTC/USD")];
    let mut args = order(&changes);
    args.extend(["--nonce", "1616492376594"]);
    let shown = xarb(&args, Some(KRAKEN)).json();
    let body = shown["body"].as_str().unwrap();
    assert!(body.starts_with("nonce=1616492376594&"), "{body}");
    let signed = sign("kraken.spot", "POST", "/0/private/AddOrder", "", body, KRAKEN);
    assert_eq!(shown["headers"]["API-Sign"], signed["signature"]);
}

#[test]
fn an_order_over_a_session_shows_its_login_first() {
    let shown = xarb(&order(&[("--transport", "ws")]), Some(ED25519)).json();
    let frames: Vec<Value> = shown["frames"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| serde_json::from_str(f.as_str().unwrap()).unwrap())
        .collect();
    let methods: Vec<_> = frames.iter().map(|frame| frame["method"].as_str().unwrap()).collect();
    assert_eq!(methods, ["session.logon", "order.place"]);
    let changes = [("--transport", "ws"), ("--venue", "kraken.spot"), ("--symbol", "BTC/USD")];
    let shown = xarb(&order(&changes), Some(KRAKEN)).json();
    let last = shown["frames"].as_array().unwrap().last().unwrap().as_str().unwrap();
    assert!(last.contains(r#""method":"add_order""#) && last.contains(r#""limit_price":60000.10"#), "{last}");
}

/// One instrument of an answer.
#[track_caller]
fn listed<'a>(answer: &'a Value, venue: &str) -> &'a Value {
    let rows = answer["instruments"].as_array().unwrap();
    rows.iter().find(|row| row["venue"] == venue).unwrap_or_else(|| panic!("no {venue} in {answer}"))
}

#[test]
fn instruments_are_told_as_the_venues_tell_them() {
    let ran = xarb(&["instruments", "--json"], None);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let answer = ran.json();
    for (venue, key, want) in [
        ("binance.spot", "instrument", Value::from("BTC-USDT")),
        ("binance.spot", "symbol", "BTCUSDT".into()),
        ("binance.spot", "tick", "0.01".into()),
        ("binance.spot", "lot", "0.00001".into()),
        ("binance.spot", "min_qty", "0.00001".into()),
        ("binance.spot", "max_qty", "9000".into()),
        ("binance.spot", "min_notional", "5".into()),
        ("binance.spot", "contract", "spot".into()),
        ("binance.spot", "multiplier", "1".into()),
        ("binance.spot", "settle", "USDT".into()),
        ("binance.spot", "taker_bps", "7.5".into()),
        ("binance.spot", "open", true.into()),
        ("kraken.spot", "symbol", "BTC/USDT".into()),
        ("kraken.spot", "tick", "0.1".into()),
        ("kraken.spot", "max_qty", Value::Null),
        ("kraken.spot", "maker_bps", "8".into()),
        ("kraken.spot", "scale", 8.into()),
    ] {
        assert_eq!(listed(&answer, venue)[key], want, "{venue} {key}");
    }
    assert_eq!(
        (&answer["venues"][0]["environment"], &answer["venues"][0]["listed"]),
        (&"sim".into(), &1.into())
    );

    // One venue alone, and for people.
    let ran = xarb(&["instruments", "--venue", "kraken.spot"], None);
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 2), "{}", ran.stdout);
    assert!(ran.stdout.contains("BTC/USDT") && !ran.stdout.contains("binance"), "{}", ran.stdout);
}

#[test]
fn instruments_come_from_the_configured_endpoint() {
    use xarb::host::{HostClock, ListenConfig, serve};
    use xarb::types::Clock;
    let rules = "instrument.BTC-USDT.rules.\"binance.spot\".tick=0.05".to_owned();
    let config = xarb::config::Config::demo_on(&["binance.spot"], &[rules]).unwrap();
    let clock = HostClock::new();
    let (sim, _) = xarb::sim::setup::simulate(&config, clock.now()).unwrap();
    let served = serve(sim, ListenConfig::default(), clock).unwrap();
    let port = served.addresses()[0].port();
    let file = std::env::temp_dir().join(format!("xarb-instruments-{}.toml", std::process::id()));
    let text = |symbol: &str, port: u16| {
        format!(
            "[venue.\"binance.spot\"]\nenvironment = \"paper\"\nrest = \"http://127.0.0.1:{port}\"\n\
             stream = \"ws://127.0.0.1:{port}/stream\"\ntaker_bps = 10\nmaker_bps = -0.25\n\
             [instrument.BTC-USDT]\nsymbols = {{ \"binance.spot\" = \"{symbol}\" }}\n"
        )
    };
    let ask = |symbol, port| {
        std::fs::write(&file, text(symbol, port)).unwrap();
        xarb(&["instruments", "--json", "-c", file.to_str().unwrap()], None)
    };
    let ran = ask("BTCUSDT", port);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let answer = ran.json();
    let row = listed(&answer, "binance.spot");
    assert_eq!((&row["tick"], &row["maker_bps"]), (&"0.05".into(), &"-0.25".into()));
    assert_eq!(answer["venues"][0]["environment"], "paper");
    // A symbol that the venue does not list is the configuration's mistake.
    let ran = ask("BTCMARS", port);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let error = ran.json()["error"].to_string();
    assert!(error.contains("instrument.BTC-USDT") && error.contains("BTCMARS"), "{error}");
    std::fs::remove_file(&file).unwrap();
}

/// What a command printed to nobody is no error; what could not be printed is.
#[cfg(target_os = "linux")]
#[test]
fn results_that_cannot_be_printed_are_an_error() {
    let into = |args: &[&str], stdout: &str| {
        let line = format!("exec \"$0\" \"$@\" {stdout}");
        let program = env!("CARGO_BIN_EXE_xarb");
        let output = Command::new("sh").args(["-c", &line, program]).args(args).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let missing = std::env::temp_dir().join("xarb-no-such-file");
    for (args, code) in [
        (&["preview", "order", "--help"][..], 1),
        (&["--version"], 1),
        (&["instruments", "--venue", "okx.spot"], 1),
        // It failed for another reason first.
        (&["replay", "--json", missing.to_str().unwrap()], 1),
        (&["fly", "--json"], 2),
    ] {
        let (ended, talk) = into(args, "> /dev/full");
        assert!(ended == Some(code) && talk.contains("cannot write to stdout: No space"), "{args:?}: {talk}");
    }
    // The reader is gone before anything is written.
    let line = r#"{ sleep 0.3; "$0" --version; echo "$?" >&2; } | true"#;
    let output = Command::new("sh").args(["-c", line, env!("CARGO_BIN_EXE_xarb")]).output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "0\n");
}

#[test]
fn an_export_is_there_whole_or_not_at_all() {
    let folder = std::env::temp_dir().join(format!("xarb-export-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (run, broken, out, day) = (path("run.mcap"), path("broken.mcap"), path("out"), path("day.mcap"));
    let demo =
        ["demo", "--stepped", "--seconds", "2", "--venues", "binance.spot, kraken.spot", "--record", &run];
    let ran = xarb(&demo, None);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // One rule for what is there: the same as that of `record`.
    let ran = xarb(&demo, None);
    assert!(ran.code == 2 && ran.stderr.contains("--force"), "{}", ran.stderr);
    let ran = xarb(&[&demo[..], &["--force"]].concat(), None);
    assert_eq!(ran.code, 0, "{}", ran.stderr);

    std::fs::write(&broken, "no capture").unwrap();
    for form in ["npz", "parquet", "tardis"] {
        let export = ["export", "--json", &run, "-o", &out, "--format", form];
        let ran = xarb(&["export", "--json", &run, &broken, "-o", &out, "--format", form], None);
        assert!(ran.code == 2 && ran.json()["error"].as_str().unwrap().contains("broken"), "{}", ran.stderr);
        assert!(!std::path::Path::new(&out).exists(), "{form}: nothing is left");
        let ran = xarb(&export, None);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let report = ran.json();
        let mut written: Vec<_> = report["written"].as_array().unwrap().iter().collect();
        written.sort_by_key(|file| file["path"].as_str());
        let mut found: Vec<_> = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path()).collect();
        found.sort();
        assert!(
            written
                .iter()
                .map(|file| file["path"].as_str().unwrap())
                .eq(found.iter().map(|path| path.to_str().unwrap())),
            "{report}"
        );
        assert!(written.iter().all(|file| file["bytes"].as_u64() > Some(0)), "{report}");
        assert_eq!(report["files"][0]["path"], run.as_str());
        // Some of the files are there: none is made anew.
        std::fs::remove_file(&found[0]).unwrap();
        let ran = xarb(&export, None);
        assert!(ran.code == 2 && ran.stderr.contains("--force"), "{}", ran.stderr);
        assert_eq!(std::fs::read_dir(&out).unwrap().count(), found.len() - 1, "{form}");
        std::fs::remove_dir_all(&out).unwrap();
    }
    for args in
        [&["import", "--json", &run, "-o", &day][..], &["stats", "--json", &run], &["replay", "--json", &run]]
    {
        let ran = xarb(args, None);
        assert_eq!(
            (ran.code, ran.json()["files"][0]["path"].as_str()),
            (0, Some(run.as_str())),
            "{}",
            ran.stderr
        );
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
