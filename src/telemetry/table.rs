//! Aligned tables for people: words left, numbers right, times in a unit that fits.

use std::fmt;

use super::HopReport;

/// A table of texts. The first column is flush left, the others flush right.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column heads.
    pub fn new(heads: &[&str]) -> Table {
        Table { rows: vec![heads.iter().map(|head| (*head).to_owned()).collect()] }
    }

    /// Appends a row; it may be shorter or longer than the heads.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                if column == 0 {
                    line.push_str(&format!("{cell:<width$}"));
                } else {
                    line.push_str(&format!("  {cell:>width$}"));
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A time in three significant digits and a unit: `742 ns`, `1.24 us`, `35.0 ms`, `2.50 s`.
pub fn nanos(ns: u64) -> String {
    let (unit, name) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => (1_000, "us"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    let (whole, thousandths) = (ns / unit, ns % unit * 1_000 / unit);
    match whole {
        0..10 => format!("{whole}.{:02} {name}", thousandths / 10),
        10..100 => format!("{whole}.{} {name}", thousandths / 100),
        _ => format!("{whole} {name}"),
    }
}

/// A count with its thousands apart: `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl fmt::Display for HopReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&["hop", "count", "p50", "p99", "p99.9", "max"]);
        for (hop, row) in &self.rows {
            let times = [row.p50_ns, row.p99_ns, row.p999_ns, row.max_ns].map(nanos);
            table.row([hop.name().to_owned(), count(row.count)].into_iter().chain(times));
        }
        table.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{Hop, HopRecorder};

    #[test]
    fn times_get_a_unit_that_fits() {
        for (ns, want) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 us"),
            (1_239, "1.23 us"),
            (35_060, "35.0 us"),
            (742_999, "742 us"),
            (9_999_999, "9.99 ms"),
            (2_500_000_000, "2.50 s"),
            (u64::MAX, "18446744073 s"),
        ] {
            assert_eq!(nanos(ns), want);
        }
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn columns_line_up() {
        let mut recorder = HopRecorder::new();
        recorder.record(Hop::Decode, 300);
        for _ in 0..1_000 {
            recorder.record(Hop::TickToOrder, 1_500);
        }
        let want = "\
hop            count      p50      p99    p99.9      max
decode             1   300 ns   300 ns   300 ns   300 ns
tick_to_order  1,000  1.50 us  1.50 us  1.50 us  1.50 us
";
        assert_eq!(recorder.report().to_string(), want);
    }
}
