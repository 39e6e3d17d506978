//! Axes: round ticks, and how numbers, times and durations are written beside them.

/// What an axis measures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// A plain number.
    Number,
    /// Seconds since 1970, as a time of the day (UTC), with the day where there are several.
    Time,
    /// The decimal logarithm of nanoseconds.
    LogNanos,
    /// Hours of the day.
    Hour,
    /// Nothing: names stand elsewhere.
    None,
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

    /// An axis without labels, from zero.
    pub fn bare(high: f64) -> Axis {
        Axis { name: String::new(), low: 0.0, high, ticks: Vec::new(), unit: Unit::None }
    }

    /// How a value on it is written.
    pub fn shown(&self, value: f64) -> String {
        match self.unit {
            Unit::Number => short(value),
            Unit::Time => time(value, self.high - self.low),
            Unit::LogNanos => nanos(10f64.powf(value)),
            Unit::Hour => format!("{value:02.0}"),
            Unit::None => String::new(),
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
    let (day, second) = ((at / 86_400.0).floor(), at.rem_euclid(86_400.0));
    let whole = second.floor() as u32;
    let clock = format!("{:02}:{:02}", whole / 3_600, whole / 60 % 60);
    if span > 86_400.0 {
        let (_, month, day) = date(day as i64);
        return if whole == 0 {
            format!("{month:02}-{day:02}")
        } else {
            format!("{month:02}-{day:02} {clock}")
        };
    }
    match span {
        span if span < 5.0 => format!("{clock}:{:06.3}", second.rem_euclid(60.0)),
        span if span < 3_600.0 => format!("{clock}:{:02}", whole % 60),
        _ => clock,
    }
}

/// A moment in full, to the second, from nanoseconds since 1970.
pub fn moment(ns: i64) -> String {
    let seconds = ns.div_euclid(1_000_000_000);
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

/// Year, month and day of a number of days since 1970, by the Gregorian calendar.
fn date(days: i64) -> (i64, i64, i64) {
    // Eras of 400 years that begin in March, so that the leap day is the last of its year.
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}
