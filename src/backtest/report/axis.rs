//! Axes: round ticks, and how numbers, times and durations are written beside them.

use crate::types::Nanos;

/// What an axis measures.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Unit {
    /// A plain number.
    Number,
    /// Seconds since 1970, as a time of the day (UTC), with the day where there are several.
    Time,
    /// The decimal logarithm of nanoseconds.
    LogNanos,
    /// Hours of the day.
    Hour,
    /// Names, one for each whole step.
    Names(Vec<String>),
}

/// One axis.
#[derive(Clone, PartialEq, Debug)]
pub struct Axis {
    /// What stands along it.
    pub name: String,
    /// Its lower end.
    pub low: f64,
    /// Its upper end, above the lower.
    pub high: f64,
    /// Where its labels stand.
    pub ticks: Vec<f64>,
    unit: Unit,
}

/// About so many labels on an axis.
const LABELS: f64 = 7.0;

impl Axis {
    /// Plain numbers around all of these, with a little room.
    pub fn around(name: &str, values: impl Iterator<Item = f64>) -> Axis {
        let (low, high) = ends(values);
        let room = (high - low) * 0.04;
        // Nothing reaches below zero: neither does the axis.
        let low = if (0.0..=room).contains(&low) { 0.0 } else { low - room };
        let high = if (-room..=0.0).contains(&high) { 0.0 } else { high + room };
        let step = round_step((high - low) / LABELS);
        Axis { name: name.to_owned(), low, high, ticks: multiples(low, high, step), unit: Unit::Number }
    }

    /// Numbers from zero up to the most of these.
    pub fn up_to(name: &str, values: impl Iterator<Item = f64>) -> Axis {
        Axis::around(name, values.chain([0.0]))
    }

    /// Times from one to another, in seconds since 1970.
    pub fn time(from: f64, to: f64) -> Axis {
        const STEPS: [f64; 19] = [
            0.001,
            0.01,
            0.1,
            1.0,
            5.0,
            10.0,
            30.0,
            60.0,
            300.0,
            600.0,
            1_800.0,
            3_600.0,
            7_200.0,
            14_400.0,
            21_600.0,
            43_200.0,
            86_400.0,
            604_800.0,
            2_592_000.0,
        ];
        let to = if to > from { to } else { from + 1.0 };
        let least = (to - from) / 9.0;
        let step = STEPS.into_iter().find(|step| *step >= least).unwrap_or_else(|| round_step(least));
        let name = if step >= 86_400.0 { "day (UTC)" } else { "time (UTC)" };
        Axis {
            name: name.to_owned(),
            low: from,
            high: to,
            ticks: multiples(from, to, step),
            unit: Unit::Time,
        }
    }

    /// Durations by their decimal logarithm: a label for each power of ten.
    pub fn log_nanos(name: &str, values: impl Iterator<Item = f64>) -> Axis {
        let (low, high) = ends(values);
        let (low, high) = (low.floor(), high.ceil().max(low.floor() + 1.0));
        Axis { name: name.to_owned(), low, high, ticks: multiples(low, high, 1.0), unit: Unit::LogNanos }
    }

    /// The hours of a day.
    pub fn hours() -> Axis {
        let ticks = multiples(0.0, 24.0, 3.0);
        Axis { name: "hour of the day (UTC)".to_owned(), low: 0.0, high: 24.0, ticks, unit: Unit::Hour }
    }

    /// A name for each step of one, the first at the upper end.
    pub fn names(mut names: Vec<String>) -> Axis {
        names.reverse();
        let ticks = (0..names.len()).map(|at| at as f64 + 0.5).collect();
        let high = names.len().max(1) as f64;
        Axis { name: String::new(), low: 0.0, high, ticks, unit: Unit::Names(names) }
    }

    /// How a value on it is written.
    pub fn shown(&self, value: f64) -> String {
        match &self.unit {
            Unit::Number => short(value),
            Unit::Time => time(value, self.high - self.low),
            Unit::LogNanos => nanos(10f64.powf(value)),
            Unit::Hour => format!("{value:02.0}"),
            Unit::Names(names) => names.get(value as usize).cloned().unwrap_or_default(),
        }
    }
}

/// The least and the most; around nothing, or one value, some room.
fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let mut ends: Option<(f64, f64)> = None;
    for value in values.filter(|value| value.is_finite()) {
        let (low, high) = ends.unwrap_or((value, value));
        ends = Some((low.min(value), high.max(value)));
    }
    match ends {
        None => (0.0, 1.0),
        Some((low, high)) if high > low => (low, high),
        Some((0.0, _)) => (0.0, 1.0),
        Some((value, _)) => (value - value.abs() * 0.1, value + value.abs() * 0.1),
    }
}

/// The next of 1, 2 and 5 times a power of ten.
pub fn round_step(least: f64) -> f64 {
    let ten = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * ten).find(|step| *step >= least).unwrap_or(ten)
}

fn multiples(low: f64, high: f64, step: f64) -> Vec<f64> {
    let first = (low / step).ceil();
    let count = ((high / step + 1e-9).floor() - first).clamp(-1.0, 100.0) as i64;
    // A zero below zero would be written with a sign.
    (0..=count).map(|n| (first + n as f64) * step + 0.0).collect()
}

/// A number in few signs: four significant digits, thousands apart.
pub fn short(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude >= 1e15 || magnitude > 0.0 && magnitude < 1e-6 {
        return format!("{value:.2e}");
    }
    let whole = if magnitude >= 1.0 { magnitude.log10().floor() as i32 + 1 } else { 0 };
    let lead = if magnitude > 0.0 && magnitude < 1.0 { -(magnitude.log10().floor() as i32) - 1 } else { 0 };
    let text = format!("{value:.*}", (4 - whole).max(0) as usize + lead as usize);
    let (integer, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let (sign, digits) = integer.strip_prefix('-').map_or(("", integer), |digits| ("-", digits));
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let fraction = fraction.trim_end_matches('0');
    let sign = if grouped == "0" && fraction.is_empty() { "" } else { sign };
    if fraction.is_empty() { format!("{sign}{grouped}") } else { format!("{sign}{grouped}.{fraction}") }
}

/// A duration in few signs.
fn nanos(ns: f64) -> String {
    const UNITS: [(f64, &str); 6] =
        [(86_400e9, "d"), (3_600e9, "h"), (1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")];
    // A thousand seconds are not yet worth another unit on a scale of tens.
    let fits = |(unit, name): &(f64, &str)| ns * 1.000_001 >= *unit && !matches!(*name, "d" | "h");
    let (unit, name) = UNITS.into_iter().find(fits).unwrap_or((1.0, "ns"));
    format!("{} {name}", short(ns / unit))
}

/// A time of the day; over more than a day with the date, below seconds with parts of them.
fn time(at: f64, span: f64) -> String {
    // A double holds a time of these years to a quarter of a microsecond.
    let text = Nanos((at * 1e3).round() as i64 * 1_000_000).rfc3339(3);
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let (date, clock) = (part(5, 10), part(11, 16));
    match span {
        span if span > 86_400.0 && clock == "00:00" => date.to_owned(),
        span if span > 86_400.0 => format!("{date} {clock}"),
        span if span > 3_600.0 => clock.to_owned(),
        span if span > 5.0 => part(11, 19).to_owned(),
        _ => part(11, 23).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_short() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (12.5, "12.5"),
            (-3.25, "-3.25"),
            (1_234_567.0, "1,234,567"),
            (1_234.56, "1,235"),
            (0.012_345_6, "0.01235"),
            (999.96, "1,000"),
            (-0.5, "-0.5"),
            (1e18, "1.00e18"),
        ];
        for (value, text) in cases {
            assert_eq!(short(value), text, "{value}");
        }
        assert_eq!(
            ["1 ns", "10 µs", "100 ms", "1,000 s"],
            [0.0, 4.0, 8.0, 12.0].map(|log: f64| nanos(10f64.powf(log)))
        );
    }

    #[test]
    fn times_are_as_fine_as_the_span_asks() {
        let at = 1_700_000_000.5;
        let cases = [(2.0, "22:13:20.500"), (60.0, "22:13:20"), (7_200.0, "22:13"), (1e6, "11-14 22:13")];
        for (span, text) in cases {
            assert_eq!(time(at, span), text, "{span}");
        }
    }

    #[test]
    fn ticks_are_round_and_inside() {
        let axis = Axis::around("x", [-3.7, 12.2].into_iter());
        assert_eq!(axis.ticks, [0.0, 5.0, 10.0], "{axis:?}");
        let day = Axis::time(1_700_000_000.0, 1_700_086_400.0);
        assert!(day.ticks.iter().all(|tick| tick % 14_400.0 == 0.0) && day.ticks.len() == 6, "{day:?}");
        // Nothing, one value, and zeros have an axis too.
        for values in [vec![], vec![7.0], vec![-7.0], vec![0.0, 0.0], vec![f64::NAN]] {
            let axis = Axis::around("x", values.iter().copied());
            assert!(axis.low < axis.high && axis.ticks.len() > 1, "{values:?}: {axis:?}");
        }
    }
}
