//! Formats that are JSON outside as well as inside.
//!
//! - `cryptofeed-jsonl`: one record a line, the first a header; `t` says what it is, `ts` is seconds,
//!   `data` the message as a JSON string. Connections follow one another in the file, so records
//!   are sorted by time, ties in the order of lines.
//! - `init-updates`: one object `{"init": <message or list of them>, "updates": [<message>, …]}`,
//!   without times. Messages keep their text to the byte: decimals must not be reprinted.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::lines::seconds;
use super::record::{CaptureError, Record, RecordKind};

/// A line of `cryptofeed-jsonl`; other keys are of no use here.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    t: Cow<'a, str>,
    #[serde(borrow, default)]
    conn: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    ts: Option<&'a RawValue>,
    #[serde(borrow, default)]
    addr: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    url: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data: Option<Cow<'a, str>>,
}

/// True for the header line of `cryptofeed-jsonl`.
pub(super) fn is_header(line: &[u8]) -> bool {
    serde_json::from_slice::<Line<'_>>(line).is_ok_and(|line| line.t == "header")
}

/// A record and its connection's name; `None` for a header.
pub(super) fn read_line(line: &[u8]) -> Result<Option<(Record, String)>, &'static str> {
    let line: Line<'_> = serde_json::from_slice(line).map_err(|_| "expected a JSON record with `t`")?;
    let kind = match line.t.as_ref() {
        "header" => return Ok(None),
        "recv" => RecordKind::Text,
        "http" => RecordKind::HttpAnswer,
        "connect" => RecordKind::Connect,
        "send" => RecordKind::Sent,
        _ => return Err("expected `t` to be header, http, connect, send or recv"),
    };
    let ts = line.ts.and_then(|ts| seconds(ts.get().as_bytes())).ok_or("expected `ts` in seconds")?;
    let needs_data = matches!(kind, RecordKind::Text | RecordKind::HttpAnswer);
    let bytes = match line.data {
        Some(data) => data.into_owned().into_bytes(),
        None if needs_data => return Err("expected `data`"),
        None => Vec::new(),
    };
    let url = line.url.or(line.addr).unwrap_or_default().into_owned();
    let conn = line.conn.ok_or("expected `conn`")?.into_owned();
    let status = if kind == RecordKind::HttpAnswer { 200 } else { 0 };
    Ok(Some((Record { ts: Some(ts), kind, url, status, bytes, ..Record::default() }, conn)))
}

/// True when the text may be an `init-updates` document.
pub(super) fn looks_like_document(head: &[u8]) -> bool {
    let mut seen = head.iter().filter(|byte| !byte.is_ascii_whitespace());
    seen.next() == Some(&b'{') && seen.take(7).eq(b"\"init\":".iter())
}

/// Reads an `init-updates` document: the messages up to where it breaks, and how it breaks.
pub(super) fn read_document(text: &[u8]) -> (Vec<Record>, Option<CaptureError>) {
    let mut records = Vec::new();
    let mut json = serde_json::Deserializer::from_slice(text);
    let outcome = Document(&mut records).deserialize(&mut json).and_then(|()| json.end());
    let error = outcome.err().map(|error| {
        let before: usize = text
            .split_inclusive(|&byte| byte == b'\n')
            .take(error.line().saturating_sub(1))
            .map(<[u8]>::len)
            .sum();
        let at = (before + error.column()) as u64;
        let what = if error.is_eof() { "the document is cut short".to_owned() } else { error.to_string() };
        CaptureError::Read { at, error: what }
    });
    (records, error)
}

struct Document<'a>(&'a mut Vec<Record>);

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object with `init` and `updates`")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match key.as_ref() {
                "init" => {
                    let init: &RawValue = map.next_value()?;
                    for message in messages_of(init) {
                        push(self.0, message);
                    }
                }
                "updates" => map.next_value_seed(Messages(self.0))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// `init` is a message, or a list of them; a message may be a list itself, one that begins with a
/// number.
fn messages_of(init: &RawValue) -> Vec<&RawValue> {
    let mut text = init.get().bytes().filter(|byte| !byte.is_ascii_whitespace());
    let list = text.next() == Some(b'[') && matches!(text.next(), Some(b'{' | b'['));
    let several = if list { serde_json::from_str(init.get()).ok() } else { None };
    several.unwrap_or_else(|| vec![init])
}

struct Messages<'a>(&'a mut Vec<Record>);

impl<'de> DeserializeSeed<'de> for Messages<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Messages<'_> {
    type Value = ();
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of messages")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(message) = list.next_element::<&RawValue>()? {
            push(self.0, message);
        }
        Ok(())
    }
}

fn push(records: &mut Vec<Record>, message: &RawValue) {
    let line = records.len() as u64 + 1;
    records.push(Record { bytes: message.get().as_bytes().to_vec(), line, ..Record::default() });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_keeps_the_text_of_its_messages() {
        for (text, want) in [
            (
                r#"{"init": {"a": 1.50}, "updates": [[1, 2.0], {"b":3}]}"#,
                vec![r#"{"a": 1.50}"#, "[1, 2.0]", r#"{"b":3}"#],
            ),
            (r#"{"init": [{"a":1}, [7,{}]], "updates": []}"#, vec![r#"{"a":1}"#, "[7,{}]"]),
            (r#"{"init": [7, {"as":[]}], "updates": []}"#, vec![r#"[7, {"as":[]}]"#]),
        ] {
            assert!(looks_like_document(text.as_bytes()));
            let (records, error) = read_document(text.as_bytes());
            let got: Vec<_> = records.iter().map(|record| String::from_utf8_lossy(&record.bytes)).collect();
            assert_eq!((got, error), (want.into_iter().map(Cow::from).collect(), None));
        }
    }

    #[test]
    fn a_torn_document_gives_what_came_before() {
        let text = "{\"init\": {\"a\":1},\n \"updates\": [{\"b\":2}, {\"c\":";
        let (records, error) = read_document(text.as_bytes());
        assert_eq!(records.len(), 2);
        let want =
            CaptureError::Read { at: text.len() as u64, error: "the document is cut short".to_owned() };
        assert_eq!(error, Some(want));
    }

    #[test]
    fn lines_are_read_or_refused() {
        let (record, conn) =
            read_line(br#"{"t":"http","conn":"c","ts":1.5,"url":"https://x","data":"a\"b","more":1}"#)
                .unwrap()
                .unwrap();
        assert_eq!(
            (record.kind, record.url.as_str(), record.bytes.as_slice()),
            (RecordKind::HttpAnswer, "https://x", &b"a\"b"[..])
        );
        assert_eq!((record.ts.unwrap().0, conn.as_str()), (1_500_000_000, "c"));
        assert_eq!(read_line(br#"{"t":"header","format":2}"#), Ok(None));
        for bad in [
            r#"{"t":"recv","conn":"c","data":"x"}"#,
            r#"{"t":"recv","ts":1,"conn":"c"}"#,
            r#"{"t":"x"}"#,
            "[]",
            "",
        ] {
            assert!(read_line(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
