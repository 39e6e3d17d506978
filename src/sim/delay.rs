//! Times drawn from a distribution: constant, even, by quantiles, or as they were recorded.

use std::path::Path;
use std::sync::Arc;

use oorandom::Rand64;

use crate::config::DelayConfig;
use crate::types::Nanos;

/// The longest that a recorded delay may be: what is longer counts as this.
const MOST: Nanos = Nanos::from_secs(10);
/// Lines of a histogram that are read at most.
const LINES_MAX: usize = 100_000;

/// A distribution of times; copies share it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delay(Arc<[Part]>);

/// So much of the whole lies evenly from `least` to `most`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Part {
    /// Weight of all parts up to this one.
    upto: u64,
    least: Nanos,
    most: Nanos,
}

/// Why a recorded histogram is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {error}")]
pub struct DelayError {
    path: String,
    error: String,
}

impl Delay {
    /// Always the same.
    pub fn constant(time: Nanos) -> Delay {
        Delay(Arc::new([Part { upto: 1, least: time, most: time }]))
    }

    /// What the configuration says; `read` gives the text of a recorded histogram.
    ///
    /// # Errors
    /// [`DelayError`] names the file, and the line where there is one.
    pub fn new(
        config: &DelayConfig,
        read: &mut dyn FnMut(&Path) -> Result<String, String>,
    ) -> Result<Delay, DelayError> {
        match config {
            DelayConfig::Constant(time) => Ok(Delay::constant(*time)),
            DelayConfig::Uniform(least, most) => {
                Ok(Delay(Arc::new([Part { upto: 1, least: *least, most: *most }])))
            }
            DelayConfig::Quantiles(points) => {
                let mut least = points.first().map_or(Nanos::ZERO, |(_, time)| *time);
                let parts = points.iter().map(|(ppm, time)| {
                    let part = Part { upto: u64::from(*ppm), least, most: *time };
                    least = *time;
                    part
                });
                Ok(Delay(parts.collect()))
            }
            DelayConfig::Recorded(path) => {
                let refuse = |error| DelayError { path: path.display().to_string(), error };
                histogram(&read(path).map_err(refuse)?).map_err(refuse)
            }
        }
    }

    /// One of these times.
    pub fn draw(&self, rng: &mut Rand64) -> Nanos {
        let parts = &self.0;
        let whole = parts.last().map_or(1, |part| part.upto);
        let at = if parts.len() == 1 { 0 } else { rng.rand_range(0..whole) };
        let Some(part) = parts.iter().find(|part| at < part.upto) else { return Nanos::ZERO };
        let width = (part.most - part.least).0;
        let extra = if width > 0 { rng.rand_range(0..width as u64 + 1) as i64 } else { 0 };
        part.least + Nanos(extra)
    }

    /// The shortest of them.
    pub fn least(&self) -> Nanos {
        self.0.iter().map(|part| part.least).min().unwrap_or_default()
    }

    /// The longest of them.
    pub fn most(&self) -> Nanos {
        self.0.iter().map(|part| part.most).max().unwrap_or_default()
    }
}

/// Lines `ns,count`, in any order; a heading of these words, empty lines and comments (`#`) are
/// passed over.
fn histogram(text: &str) -> Result<Delay, String> {
    let (mut parts, mut upto) = (Vec::new(), 0u64);
    for (number, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') || line == "ns,count" {
            continue;
        }
        let row = line.split_once(',').and_then(|(ns, count)| {
            Some((ns.trim().parse::<u64>().ok()?, count.trim().parse::<u64>().ok()?))
        });
        let (ns, count) = row.ok_or_else(|| format!("line {}: expected ns,count", number + 1))?;
        if parts.len() == LINES_MAX {
            return Err(format!("more than {LINES_MAX} lines"));
        }
        let time = Nanos(i64::try_from(ns).unwrap_or(i64::MAX)).min(MOST);
        upto = upto.checked_add(count).ok_or_else(|| format!("line {}: counts overflow", number + 1))?;
        if count > 0 {
            parts.push(Part { upto, least: time, most: time });
        }
    }
    if parts.is_empty() { Err("no line ns,count with a count".to_owned()) } else { Ok(Delay(parts.into())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delay(config: &DelayConfig, text: &str) -> Result<Delay, String> {
        Delay::new(config, &mut |_| Ok(text.to_owned())).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_drawn_has_the_shape_that_was_asked_for() {
        let us = Nanos::from_micros;
        let quantiles = DelayConfig::Quantiles(vec![(900_000, us(100)), (1_000_000, us(200))]);
        let recorded = DelayConfig::Recorded("x".into());
        // Configuration, least, most, how many of 10,000 are at most 150 us: from and to.
        for (config, least, most, within) in [
            (DelayConfig::Constant(us(7)), us(7), us(7), 10_000..10_001),
            (DelayConfig::Uniform(us(100), us(200)), us(100), us(200), 4_700..5_300),
            (quantiles, us(100), us(200), 9_350..9_650),
            (recorded, us(100), us(200), 7_300..7_700),
        ] {
            let delay = delay(&config, "ns,count\n# comment\n100000,3\n\n200000, 1\n").unwrap();
            let mut rng = Rand64::new(1);
            let drawn: Vec<Nanos> = (0..10_000).map(|_| delay.draw(&mut rng)).collect();
            assert!(drawn.iter().all(|one| (least..=most).contains(one)), "{config:?}");
            let short = drawn.iter().filter(|one| **one <= us(150)).count();
            assert!(within.contains(&short), "{config:?}: {short}");
            assert_eq!((delay.least(), delay.most()), (least, most));
        }
    }

    #[test]
    fn a_histogram_that_is_none_is_refused_with_its_line() {
        let recorded = DelayConfig::Recorded("x.csv".into());
        for (text, want) in [
            ("", "x.csv: no line ns,count with a count"),
            ("5,0\n", "x.csv: no line ns,count with a count"),
            ("5,1\nseven,1", "x.csv: line 2: expected ns,count"),
            ("5,18446744073709551615\n6,1", "x.csv: line 2: counts overflow"),
        ] {
            assert_eq!(delay(&recorded, text), Err(want.to_owned()));
        }
    }
}
