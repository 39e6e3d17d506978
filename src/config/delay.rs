//! How long something takes: `500` (µs), `"200..900"` (anything between, evenly),
//! `"50%:300 99%:900 100%:5000"` (quantiles, straight between them), `"file:acks.csv"` (a recorded
//! histogram).

use std::path::PathBuf;

use crate::types::Nanos;

/// A span of time that differs from case to case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DelayConfig {
    /// Always the same.
    Constant(Nanos),
    /// Anything from the first to the second, evenly.
    Uniform(Nanos, Nanos),
    /// Shares of a million and the time that so many cases stay within, both rising; the last share
    /// is a million.
    Quantiles(Vec<(u32, Nanos)>),
    /// A recorded histogram: lines `ns,count`.
    Recorded(PathBuf),
}

/// What to write, for refusals.
pub(super) const EXPECTED: &str = "microseconds: a number, \"200..900\", quantiles \"50%:300 99%:900 100%:5000\" \
                                   with 100% at the end, or \"file:PATH\" of a histogram with lines ns,count; \
                                   10 seconds at most";

/// The longest that is believed.
const MOST_US: i64 = 10_000_000;

impl DelayConfig {
    /// Reads one; `None` for anything that is none.
    pub(super) fn parse(text: &str) -> Option<DelayConfig> {
        let micros = |text: &str| {
            let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let us = text.parse().ok().filter(|us| plain && *us <= MOST_US)?;
            Some(Nanos::from_micros(us))
        };
        if let Some(path) = text.strip_prefix("file:") {
            return (!path.is_empty()).then(|| DelayConfig::Recorded(path.into()));
        }
        if let Some((least, most)) = text.split_once("..") {
            let (least, most) = (micros(least.trim())?, micros(most.trim())?);
            return (least <= most).then_some(DelayConfig::Uniform(least, most));
        }
        if !text.contains(':') {
            return micros(text.trim()).map(DelayConfig::Constant);
        }
        let mut points: Vec<(u32, Nanos)> = Vec::new();
        for part in text.split_whitespace() {
            let (share, us) = part.split_once(':')?;
            let share = ppm(share.strip_suffix('%')?)?;
            let at = micros(us)?;
            let (before, least) = points.last().copied().unwrap_or((0, Nanos::ZERO));
            if share <= before || at < least {
                return None;
            }
            points.push((share, at));
        }
        (points.last()?.0 == 1_000_000).then_some(DelayConfig::Quantiles(points))
    }
}

/// Percent with up to four decimals as parts of a million.
fn ppm(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 3 || part.len() > 4 || !plain(whole) || !plain(part) {
        return None;
    }
    let ppm: u32 = format!("{whole}{part:0<4}").parse().ok()?;
    (ppm <= 1_000_000).then_some(ppm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_read_or_refused() {
        let us = Nanos::from_micros;
        for (text, want) in [
            ("0", Some(DelayConfig::Constant(us(0)))),
            ("10000000", Some(DelayConfig::Constant(us(10_000_000)))),
            ("200..900", Some(DelayConfig::Uniform(us(200), us(900)))),
            (
                "50%:300 99.95%:900 100%:5000",
                Some(DelayConfig::Quantiles(vec![
                    (500_000, us(300)),
                    (999_500, us(900)),
                    (1_000_000, us(5_000)),
                ])),
            ),
            ("file:a.csv", Some(DelayConfig::Recorded("a.csv".into()))),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("10000001", None),
            ("900..200", None),
            ("50%:300", None),
            ("50%:300 40%:400 100%:500", None),
            ("50%:300 100%:200", None),
            ("101%:300", None),
            ("file:", None),
        ] {
            assert_eq!(DelayConfig::parse(text), want, "{text:?}");
        }
    }
}
