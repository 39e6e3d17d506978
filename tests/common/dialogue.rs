//! Dialogues as text files: `>` is what comes in, `<` is what must follow from it, in order.
//! `BLESS=1 cargo test` writes down what does follow, for a person to read and keep.

use std::fmt::Write;
use std::path::PathBuf;

use xarb::types::Level;
use xarb::venue::*;

pub fn check(folder: &str, file: &str, mut say: impl FnMut(&str, &str) -> Vec<String>) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder).join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut got = String::new();
    for line in text.lines().filter(|line| !line.starts_with('<')) {
        writeln!(got, "{line}").unwrap();
        if let Some(input) = line.strip_prefix("> ") {
            let (word, rest) = input.split_once(' ').unwrap_or((input, ""));
            for answer in say(word, rest) {
                writeln!(got, "< {answer}").unwrap();
            }
        }
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &got).unwrap();
    }
    assert_eq!(got, text, "{file}: left is what followed, right is the file");
}

/// What a feed made of its input.
pub fn feed_said(out: &FeedOut) -> Vec<String> {
    let mut lines: Vec<String> = out.changes.iter().map(|change| change_line(out, change)).collect();
    lines.extend(out.wants.iter().map(|want| match want {
        Want::Send(text) => format!("send {text}"),
        Want::Fetch { target, .. } => format!("fetch {target}"),
        Want::Reconnect(why) => format!("reconnect: {why}"),
    }));
    if out.ignored > 0 {
        lines.push("ignored".to_owned());
    }
    lines
}

fn change_line(out: &FeedOut, change: &BookChange) -> String {
    let side = |levels: &[Level]| {
        levels.iter().map(|l| format!("{}x{}", l.price.0, l.qty.0)).collect::<Vec<_>>().join(" ")
    };
    let (bids, asks) = (side(out.bids(change)), side(out.asks(change)));
    let levels = format!("{} bids [{bids}] asks [{asks}]", change.seq);
    match change.kind {
        ChangeKind::Snapshot { live } => format!("snapshot live={live} {levels}"),
        ChangeKind::Update => format!("update {levels}"),
        ChangeKind::Top => format!("top {levels}"),
        ChangeKind::Alive => "alive".to_owned(),
        ChangeKind::Lost(why) => format!("lost: {why}"),
    }
}

/// What a gateway made of its input.
pub fn gateway_said(out: &GatewayOut) -> Vec<String> {
    let mut lines: Vec<String> = out.reports.iter().map(|report| format!("{report:?}")).collect();
    lines.extend(out.wants.iter().map(|want| match want {
        GatewayWant::Send(lane, text) => format!("send {lane:?} {text}"),
        GatewayWant::Http { token, request } => {
            let body = String::from_utf8_lossy(&request.body);
            let signature = request.headers.last().map_or("", |(_, value)| value);
            format!("http {token} {} {} {body} {signature}", request.method, request.target)
        }
        GatewayWant::Reconnect(lane, why) => format!("reconnect {lane:?}: {why}"),
    }));
    lines
}
