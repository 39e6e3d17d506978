//! Private messages without what authenticates somebody, so that they may be kept.

/// What of a venue's private texts must never be kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Secrets {
    /// The values of these keys, wherever they stand, compared without regard to case.
    pub keys: &'static [&'static str],
    /// Messages in which this key has this value hold secrets in a list, which is the third's value.
    pub login: Option<(&'static str, &'static str, &'static str)>,
}

/// What stands in the place of a secret.
const BLANK: &str = "\"blanked\"";
/// What stands in the place of a text that cannot be read: nobody can tell where its secrets are.
const UNREADABLE: &str = "\"blanked: not readable\"";

impl Secrets {
    /// Appends `text` to `out` with its secrets blanked; every other byte stays as it is.
    pub fn blank(&self, text: &[u8], out: &mut Vec<u8>) {
        let before = out.len();
        let login = self.login.filter(|(key, value, _)| {
            let mut found = false;
            let told = walk(text, &mut |name, span| {
                found |= name.eq_ignore_ascii_case(key) && string(&text[span]).as_deref() == Some(*value);
                false
            });
            found || told.is_none()
        });
        let mut from = 0;
        let read = walk(text, &mut |name, span: std::ops::Range<usize>| {
            let is = |key: &&str| name.eq_ignore_ascii_case(key);
            let secret = self.keys.iter().any(is) || login.is_some_and(|(.., list)| is(&list));
            if secret {
                out.extend_from_slice(&text[from..span.start]);
                out.extend_from_slice(BLANK.as_bytes());
                from = span.end;
            }
            secret
        });
        if read.is_none() {
            out.truncate(before);
            out.extend_from_slice(UNREADABLE.as_bytes());
            return;
        }
        out.extend_from_slice(&text[from..]);
    }
}

/// Shows each field of each object, its name and where its value stands; one that `taken` takes is
/// not looked into. `None` when the text is not JSON; empty text is no text at all.
fn walk(text: &[u8], taken: &mut dyn FnMut(&str, std::ops::Range<usize>) -> bool) -> Option<()> {
    let mut at = space(text, 0);
    if at == text.len() {
        return Some(());
    }
    // Is the whole a value? The spans below are good only if it is.
    serde_json::from_slice::<serde::de::IgnoredAny>(text).ok()?;
    while at < text.len() {
        match text[at] {
            b'"' => {
                let end = string_end(text, at)?;
                let colon = space(text, end);
                if text.get(colon) != Some(&b':') {
                    at = end;
                    continue;
                }
                let start = space(text, colon + 1);
                let span = start..value_end(text, start)?;
                let skipped = taken(&string(&text[at..end])?, span.clone());
                at = if skipped { span.end } else { start };
            }
            _ => at += 1,
        }
    }
    Some(())
}

fn space(text: &[u8], from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// Behind the string that begins at `from`.
fn string_end(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from + 1;
    loop {
        match text.get(at)? {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// Behind the value that begins at `from`, in text that is known to be JSON.
fn value_end(text: &[u8], from: usize) -> Option<usize> {
    let (mut at, mut depth) = (from, 0usize);
    loop {
        match text.get(at)? {
            b'"' => at = string_end(text, at)?,
            b'{' | b'[' => (at, depth) = (at + 1, depth + 1),
            b'}' | b']' if depth > 0 => (at, depth) = (at + 1, depth - 1),
            b',' | b'}' | b']' if depth == 0 => return Some(at),
            _ => at += 1,
        }
        let ended = matches!(text.get(at - 1), Some(b'"' | b'}' | b']'));
        if depth == 0 && ended && at > from + 1 {
            return Some(at);
        }
    }
}

/// The text of a JSON string.
fn string(json: &[u8]) -> Option<String> {
    serde_json::from_slice(json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRETS: Secrets = Secrets { keys: &["apiKey", "sign"], login: Some(("op", "auth", "args")) };

    #[test]
    fn secrets_go_and_everything_else_stays() {
        for (text, want) in [
            ("", ""),
            (" ", " "),
            (r#"{"a": 1.50, "b":[{}, "sign"]}"#, r#"{"a": 1.50, "b":[{}, "sign"]}"#),
            (r#"{"apiKey":"k","x":1}"#, r#"{"apiKey":"blanked","x":1}"#),
            (r#"{ "APIKEY" : "k\"}" , "x":"sign"}"#, r#"{ "APIKEY" : "blanked" , "x":"sign"}"#),
            (r#"{"\u0061piKey":"k"}"#, r#"{"\u0061piKey":"blanked"}"#),
            (r#"[{"n":{"sign":{"deep":["s"]},"m":2}}]"#, r#"[{"n":{"sign":"blanked","m":2}}]"#),
            (r#"{"sign":12,"n":null}"#, r#"{"sign":"blanked","n":null}"#),
            (r#"{"sign":[]}"#, r#"{"sign":"blanked"}"#),
            (r#"{"sign":""}"#, r#"{"sign":"blanked"}"#),
            (r#"{"op":"auth","args":["k",1,"s"]}"#, r#"{"op":"auth","args":"blanked"}"#),
            (r#"{"args":["k"],"op":"\u0061uth"}"#, r#"{"args":"blanked","op":"\u0061uth"}"#),
            (r#"{"op":"subscribe","args":["k"]}"#, r#"{"op":"subscribe","args":["k"]}"#),
            (r#"{"sign":"s""#, UNREADABLE),
            ("apiKey=k&sign=s", UNREADABLE),
        ] {
            let mut out = b"head ".to_vec();
            SECRETS.blank(text.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("head {want}"), "{text}");
        }
    }
}
