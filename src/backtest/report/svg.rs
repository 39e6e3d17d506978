//! Charts as SVG text. Colours are marks that the page's stylesheet turns into those of its light or
//! dark scheme; a chart that stands alone shows the light ones.

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;

/// Text.
pub const INK: RGBColor = RGBColor(0x24, 0x29, 0x2f);
/// Text of less weight: axes.
pub const DIM: RGBColor = RGBColor(0x6e, 0x77, 0x81);
/// Lines of the grid.
pub const GRID: RGBColor = RGBColor(0xd8, 0xde, 0xe4);
/// What gains.
pub const GOOD: RGBColor = RGBColor(0x1a, 0x7f, 0x4b);
/// What loses.
pub const BAD: RGBColor = RGBColor(0xc9, 0x36, 0x2c);
/// One of several, in their order.
pub const MANY: [RGBColor; 6] = [
    RGBColor(0x25, 0x63, 0xc9),
    RGBColor(0xc2, 0x6a, 0x10),
    RGBColor(0x7c, 0x4d, 0xc4),
    RGBColor(0x0e, 0x84, 0x94),
    RGBColor(0xb8, 0x2e, 0x78),
    RGBColor(0x6b, 0x7d, 0x12),
];

/// The colour of one of several; they come round again.
pub fn colour(of: usize) -> RGBColor {
    MANY[of % MANY.len()]
}

/// A colour as the stylesheet names it.
pub fn hex(RGBColor(r, g, b): RGBColor) -> String {
    format!("#{r:02X}{g:02X}{b:02X}")
}

/// Something drawn over the axes; points in their units.
pub enum Layer {
    /// Points joined by straight lines.
    Line(RGBColor, Vec<(f64, f64)>),
    /// A value that holds until the next one.
    Steps(RGBColor, Vec<(f64, f64)>),
    /// Between a low and a high: x, low, high.
    Band(RGBColor, Vec<(f64, f64, f64)>),
    /// From x to x, from y to y.
    Boxes(RGBColor, Vec<[f64; 4]>),
    /// Dots of a radius, filled or not.
    Dots(RGBColor, i32, bool, Vec<(f64, f64)>),
}

/// A chart before it is drawn.
pub struct Plot {
    /// What it shows, for those who cannot see it.
    pub label: String,
    /// From left to right.
    pub x: Axis,
    /// From below.
    pub y: Axis,
    /// Height in pixels, at a width of [`WIDTH`].
    pub height: u32,
    /// From the back to the front.
    pub layers: Vec<Layer>,
}

/// Of every chart, in pixels before the page scales it.
pub const WIDTH: u32 = 960;

const FONT: &str = "sans-serif";

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = (value - self.low) / (self.high - self.low);
        from + (f64::from(to - from) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.low..self.high
    }
}

impl Plot {
    /// The SVG text.
    pub fn draw(&self) -> String {
        let mut text = String::new();
        let drawn = self.draw_to(&mut text);
        // Drawing into a string has no way to fail; if it had, the page says so.
        match drawn {
            Ok(()) => labelled(&text, &self.label),
            Err(error) => format!("<p>not drawn: {}</p>", super::html::escaped(&error.to_string())),
        }
    }

    fn draw_to(&self, text: &mut String) -> Result<(), Box<dyn std::error::Error>> {
        let area = SVGBackend::with_string(text, (WIDTH, self.height)).into_drawing_area();
        let widest = self.y.ticks.iter().map(|tick| self.y.shown(*tick).len()).max().unwrap_or(0);
        let mut chart = ChartBuilder::on(&area)
            .margin_top(8)
            .margin_right(16)
            .x_label_area_size(40)
            .y_label_area_size(34 + 7 * widest as u32)
            .build_cartesian_2d(self.x.clone(), self.y.clone())?;
        chart
            .configure_mesh()
            .x_labels(self.x.ticks.len())
            .y_labels(self.y.ticks.len())
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .axis_style(DIM)
            .label_style((FONT, 13).into_font().color(&DIM))
            .axis_desc_style((FONT, 13).into_font().color(&DIM))
            .x_desc(self.x.name.as_str())
            .y_desc(self.y.name.as_str())
            .x_label_formatter(&|value| self.x.shown(*value))
            .y_label_formatter(&|value| self.y.shown(*value))
            .draw()?;
        if self.y.low < 0.0 && self.y.high > 0.0 {
            let zero = vec![(self.x.low, 0.0), (self.x.high, 0.0)];
            chart.draw_series([PathElement::new(zero, DIM.stroke_width(1))])?;
        }
        for layer in &self.layers {
            match layer {
                Layer::Line(colour, points) => {
                    chart.draw_series([PathElement::new(points.clone(), colour.stroke_width(2))])?;
                }
                Layer::Steps(colour, points) => {
                    chart.draw_series([PathElement::new(steps(points), colour.stroke_width(2))])?;
                }
                Layer::Band(colour, points) => {
                    let there = points.iter().map(|(x, low, _)| (*x, *low));
                    let back = points.iter().rev().map(|(x, _, high)| (*x, *high));
                    let outline: Vec<_> = there.chain(back).collect();
                    chart.draw_series([Polygon::new(outline, colour.mix(0.25))])?;
                }
                Layer::Boxes(colour, boxes) => {
                    let boxes = boxes
                        .iter()
                        .map(|[x0, x1, y0, y1]| Rectangle::new([(*x0, *y0), (*x1, *y1)], colour.filled()));
                    chart.draw_series(boxes)?;
                }
                Layer::Dots(colour, radius, filled, points) => {
                    let style = ShapeStyle { color: colour.mix(0.75), filled: *filled, stroke_width: 1 };
                    chart.draw_series(points.iter().map(|at| Circle::new(*at, *radius, style)))?;
                }
            }
        }
        drop(chart);
        area.present()?;
        Ok(())
    }
}

/// A value that holds until the next one, as points to be joined.
fn steps(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut joined = Vec::with_capacity(points.len() * 2);
    let mut last = None;
    for &(x, y) in points {
        joined.extend(last.map(|last| (x, last)));
        joined.push((x, y));
        last = Some(y);
    }
    joined
}

/// Says what the drawing shows, and lets the page set its size.
fn labelled(svg: &str, label: &str) -> String {
    svg.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{}\" ", super::html::escaped(label)), 1)
}

/// A table of values as coloured fields: green above zero, red below, the stronger the further from
/// it; `values[y][x]`, none where there is no value.
pub fn heat_map(
    title: &str,
    x_labels: &[String],
    y_labels: &[String],
    values: &[Vec<Option<f64>>],
) -> String {
    let mut text = String::new();
    match draw_heat_map(&mut text, title, x_labels, y_labels, values) {
        Ok(()) => labelled(&text, title),
        Err(error) => format!("<p>not drawn: {}</p>", super::html::escaped(&error.to_string())),
    }
}

fn draw_heat_map(
    text: &mut String,
    title: &str,
    x_labels: &[String],
    y_labels: &[String],
    values: &[Vec<Option<f64>>],
) -> Result<(), Box<dyn std::error::Error>> {
    const TOP: i32 = 34;
    const BELOW: i32 = 30;
    let (columns, rows) = (x_labels.len().max(1) as i32, y_labels.len().max(1) as i32);
    let longest = y_labels.iter().map(|label| label.chars().count()).max().unwrap_or(0) as i32;
    let left = (16 + 8 * longest).min(WIDTH as i32 / 2);
    let (wide, tall) = (((WIDTH as i32 - left - 16) / columns).max(2), (480 / rows).clamp(18, 48));
    let area = SVGBackend::with_string(text, (WIDTH, (TOP + tall * rows + BELOW) as u32)).into_drawing_area();
    let put = |words: &str, at: (i32, i32), horizontal: HPos, size: i32, colour: RGBColor| {
        let style = (FONT, size).into_font().color(&colour).pos(Pos::new(horizontal, VPos::Center));
        area.draw(&Text::new(words.to_owned(), at, style))
    };
    put(title, (left, TOP / 2), HPos::Left, 15, INK)?;
    let known = || values.iter().flatten().flatten().filter(|value| value.is_finite());
    let most = known().fold(0.0f64, |most, value| most.max(value.abs()));
    for (row, label) in y_labels.iter().enumerate() {
        let top = TOP + row as i32 * tall;
        put(label, (left - 8, top + tall / 2), HPos::Right, 13, DIM)?;
        for column in 0..x_labels.len() {
            let x = left + column as i32 * wide;
            let value = values.get(row).and_then(|row| *row.get(column)?).filter(|value| value.is_finite());
            let corners = [(x, top), (x + wide - 2, top + tall - 2)];
            let Some(value) = value else {
                area.draw(&Rectangle::new(corners, GRID.stroke_width(1)))?;
                continue;
            };
            let share = if most > 0.0 { value.abs() / most } else { 0.0 };
            let colour = if value < 0.0 { BAD } else { GOOD };
            area.draw(&Rectangle::new(corners, colour.mix(0.06 + 0.6 * share).filled()))?;
            let words = super::axis::short(value);
            if words.len() as i32 * 8 < wide {
                put(&words, (x + wide / 2, top + tall / 2), HPos::Center, 12, INK)?;
            }
        }
    }
    // As many labels as there is room for.
    let longest = x_labels.iter().map(|label| label.chars().count()).max().unwrap_or(0) as i32;
    let every = ((8 * longest + 8 + wide - 1) / wide).max(1) as usize;
    for (column, label) in x_labels.iter().enumerate().step_by(every) {
        let x = left + column as i32 * wide + wide / 2;
        put(label, (x, TOP + tall * rows + BELOW / 2), HPos::Center, 13, DIM)?;
    }
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heat_map_shows_every_value_label_and_gap() {
        let labels = |of: &[&str]| of.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>();
        let values = [vec![Some(12.5), Some(-3.25), None], vec![Some(0.0), Some(f64::NAN), Some(25.0)]];
        let svg = heat_map("net <USDT>", &labels(&["1 bp", "2 bp", "3 bp"]), &labels(&["a&b", "c"]), &values);
        for shown in ["12.5", "-3.25", "25", "1 bp", "3 bp", "a&amp;b", "net &lt;USDT&gt;", &hex(BAD)] {
            assert!(svg.contains(shown), "{shown}: {svg}");
        }
        // Fields that are only an outline: no value, and none that is a number.
        assert_eq!(svg.matches("fill=\"none\"").count(), 2, "{svg}");
        let empty = heat_map("none", &[], &[], &[]);
        assert!(empty.starts_with("<svg ") && empty.trim_end().ends_with("</svg>"), "{empty}");
    }

    #[test]
    fn a_step_holds_until_the_next() {
        assert_eq!(steps(&[(1.0, 5.0), (2.0, 7.0)]), [(1.0, 5.0), (2.0, 5.0), (2.0, 7.0)]);
        assert_eq!(steps(&[]), []);
    }
}
