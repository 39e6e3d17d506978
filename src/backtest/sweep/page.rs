//! The results as one HTML page: heat maps where two keys were varied, and the ranking.

use std::fmt::Write;

use super::grid::{Axis, Grid};
use super::ranking::Ranking;
use super::shard::Part;
use crate::types::Money;

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#222}\
table{border-collapse:collapse;margin:1rem 0}td,th{border:1px solid #ccc;padding:.3rem .6rem;text-align:right}\
th{background:#f3f3f3}.warn{background:#fff3cd;border:1px solid #e0c36a;padding:.6rem .8rem}\
.maps{display:flex;flex-wrap:wrap;gap:2rem}";

/// The page. `notes` are sentences on what was tried, shown on top; `held_back` says whether there is a
/// part that was not chosen by.
pub fn page(grid: &Grid, ranking: &Ranking, notes: &[String], held_back: bool) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>xarb sweep</title>\
         <style>{STYLE}</style></head><body>\n<h1>Sweep</h1>\n"
    );
    for note in notes {
        let _ = writeln!(html, "<p class=\"warn\">{}</p>", escaped(note));
    }
    let parts: &[Part] = if held_back { &[Part::Train, Part::Test] } else { &[Part::Train] };
    if let [down, across] = grid.axes() {
        html.push_str("<div class=\"maps\">\n");
        for part in parts {
            heat_map(&mut html, (down, across), ranking, *part);
        }
        html.push_str("</div>\n");
    }
    html.push_str("<h2>Ranking</h2>\n<table><tr><th>rank</th>");
    for axis in grid.axes() {
        let _ = write!(html, "<th>{}</th>", escaped(&axis.key));
    }
    for part in parts {
        let _ = write!(html, "<th>realised, {}</th>", part.name());
    }
    html.push_str("</tr>\n");
    for (at, place) in ranking.places.iter().enumerate() {
        let rank = place.train.map_or_else(|| "–".to_owned(), |_| (at + 1).to_string());
        let _ = write!(html, "<tr><td>{rank}</td>");
        for value in grid.values(place.combination) {
            let _ = write!(html, "<td>{}</td>", escaped(value));
        }
        for part in parts {
            let _ = write!(html, "<td>{}</td>", shown(ranking.of(place.combination, *part)));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table>\n</body></html>\n");
    html
}

/// One part's sums by the values of two keys; the scale is that of this part alone.
fn heat_map(html: &mut String, (down, across): (&Axis, &Axis), ranking: &Ranking, part: Part) {
    let use_of = match part {
        Part::Train => "train: chosen by",
        Part::Test => "test: held back, never ranked by",
    };
    let columns = across.values.len();
    let sums = (0..down.values.len() * columns).filter_map(|at| ranking.of(at, part));
    let most = sums.map(|sum| sum.0.unsigned_abs()).max().unwrap_or(0);
    let _ = write!(html, "<div><h2>Realised, {use_of}</h2>\n<table><tr><th>");
    let _ = write!(html, "{} \u{2193} {} \u{2192}</th>", escaped(&down.key), escaped(&across.key));
    for value in &across.values {
        let _ = write!(html, "<th>{}</th>", escaped(value));
    }
    html.push_str("</tr>\n");
    for (row, value) in down.values.iter().enumerate() {
        let _ = write!(html, "<tr><th>{}</th>", escaped(value));
        for column in 0..columns {
            let sum = ranking.of(row * columns + column, part);
            let _ = write!(html, "<td style=\"background:{}\">{}</td>", colour(sum, most), shown(sum));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table></div>\n");
}

/// Green for gains, red for losses, paler towards nothing; grey where a result is missing.
fn colour(sum: Option<Money>, most: u128) -> String {
    let Some(sum) = sum else { return "#ddd".to_owned() };
    // 97 % light at nothing, 62 % at the largest sum of either sign.
    let share = if most == 0 { 0 } else { sum.0.unsigned_abs() / (most / 35).max(1) };
    let hue = if sum.0 < 0 { 8 } else { 140 };
    format!("hsl({hue} 60% {}%)", 97 - share.min(35))
}

/// Two decimals more than cents, cut off: for people.
fn shown(sum: Option<Money>) -> String {
    let unit = Money::ONE.0 / 10_000;
    sum.map_or_else(|| "missing".to_owned(), |sum| Money(sum.0 / unit * unit).to_string())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::sweep::Place;

    #[test]
    fn a_page_has_a_cell_for_each_pair_of_values() {
        let grid = Grid::parse(&["a.b=1,2".to_owned(), "c=<x>,y,z".to_owned()]).unwrap();
        let place = |combination: usize| Place {
            combination,
            train: (combination != 4).then(|| Money(Money::ONE.0 * (combination as i128 - 2))),
            test: Some(Money::ZERO),
        };
        let ranking = Ranking { places: (0..6).map(place).collect() };
        let html = page(&grid, &ranking, &["6 tried".to_owned()], true);
        assert_eq!(html.matches("<td style=").count(), 12);
        assert_eq!(html.matches("background:#ddd\">missing").count(), 1);
        assert!(html.contains("6 tried") && html.contains("&lt;x&gt;") && !html.contains("<x>"));
        let one_part = page(&grid, &ranking, &[], false);
        assert!(!one_part.contains("held back"));
    }

    #[test]
    fn colours_go_from_loss_to_gain() {
        let of = |units: i128| colour(Some(Money(units)), 3_500);
        assert_eq!(
            [of(0), of(3_500), of(-3_500)],
            ["hsl(140 60% 97%)", "hsl(140 60% 62%)", "hsl(8 60% 62%)"]
        );
        assert_eq!(colour(Some(Money::ZERO), 0), "hsl(140 60% 97%)");
    }
}
