//! What is tried: keys of the configuration, and the values of each.

/// More than these are a slip, and hardly a search.
pub const MOST_COMBINATIONS: usize = 100_000;

/// Why a grid was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GridError {
    /// No key, no equals sign, or no value.
    #[error("--grid {0}: expected KEY=VALUE,VALUE,... such as detect.min_edge_bps=1,2,3")]
    Shape(String),
    /// Two commas in a row, or one at an end.
    #[error("--grid {0}: a value is empty")]
    Empty(String),
    /// The same key in two places.
    #[error("--grid {0}: the key is given twice")]
    Key(String),
    /// The same value twice for one key.
    #[error("--grid {0}: the value {1} is given twice")]
    Value(String, String),
    /// Too many in all.
    #[error("--grid: more than {MOST_COMBINATIONS} combinations")]
    Many,
}

/// A key and what is tried for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Axis {
    /// As for `--set`.
    pub key: String,
    /// At least one.
    pub values: Vec<String>,
}

/// All combinations of the values of some keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grid {
    axes: Vec<Axis>,
    combinations: usize,
}

impl Grid {
    /// Reads `key=a,b,c` of each key; commas inside brackets and quotes part nothing.
    ///
    /// # Errors
    /// [`GridError`] names the key.
    pub fn parse(texts: &[String]) -> Result<Grid, GridError> {
        let (mut axes, mut combinations): (Vec<Axis>, usize) = (Vec::new(), 1);
        for text in texts {
            let shape = || GridError::Shape(text.clone());
            let (key, values) = text.split_once('=').ok_or_else(shape)?;
            let (key, values) = (key.trim().to_owned(), values.trim());
            if key.is_empty() || values.is_empty() {
                return Err(shape());
            }
            let name = key.replace('"', "");
            if axes.iter().any(|other| other.key.replace('"', "") == name) {
                return Err(GridError::Key(key));
            }
            let values = parts(values);
            for (at, value) in values.iter().enumerate() {
                if value.is_empty() {
                    return Err(GridError::Empty(text.clone()));
                }
                if values[..at].contains(value) {
                    return Err(GridError::Value(key, value.clone()));
                }
            }
            combinations = combinations.saturating_mul(values.len());
            axes.push(Axis { key, values });
        }
        if combinations > MOST_COMBINATIONS { Err(GridError::Many) } else { Ok(Grid { axes, combinations }) }
    }

    /// The keys, in the order given.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// How many combinations there are; never none.
    pub fn combinations(&self) -> usize {
        self.combinations
    }

    /// The values of a combination, one of each key; the last key's turn fastest.
    pub fn values(&self, combination: usize) -> Vec<&str> {
        let mut rest = combination;
        let mut values: Vec<&str> = Vec::new();
        for axis in self.axes.iter().rev() {
            values.push(&axis.values[rest % axis.values.len()]);
            rest /= axis.values.len();
        }
        values.reverse();
        values
    }

    /// The same as `key=value` each, for `--set`.
    pub fn overrides(&self, combination: usize) -> Vec<String> {
        let values = self.values(combination);
        self.axes.iter().zip(values).map(|(axis, value)| format!("{}={value}", axis.key)).collect()
    }
}

/// Splits at commas that stand outside of brackets and quotes.
fn parts(text: &str) -> Vec<String> {
    let (mut parts, mut depth, mut quoted) = (vec![String::new()], 0u32, false);
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            '[' | '{' if !quoted => depth += 1,
            ']' | '}' if !quoted => depth = depth.saturating_sub(1),
            ',' if !quoted && depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(letter);
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(texts: &[&str]) -> Result<Grid, GridError> {
        Grid::parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn all_combinations_come_once_the_last_key_fastest() {
        let grid = grid(&["a.b=1, 2", r#"c=["x","y"],"p,q""#, "d=7"]).unwrap();
        let all: Vec<_> = (0..grid.combinations()).map(|at| grid.overrides(at).join(" ")).collect();
        assert_eq!(
            all,
            [
                r#"a.b=1 c=["x","y"] d=7"#,
                r#"a.b=1 c="p,q" d=7"#,
                r#"a.b=2 c=["x","y"] d=7"#,
                r#"a.b=2 c="p,q" d=7"#,
            ]
        );
    }

    #[test]
    fn slips_are_refused_by_name() {
        let many = (0..400).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        let (many_a, many_b) = (format!("a={many}"), format!("b={many}"));
        let cases: [(&[&str], &str); 7] = [
            (&["a.b"], "--grid a.b: expected KEY=VALUE"),
            (&["=1,2"], "--grid =1,2: expected KEY=VALUE"),
            (&["a="], "--grid a=: expected KEY=VALUE"),
            (&["a=1,,2"], "--grid a=1,,2: a value is empty"),
            (&["a=1,2", "\"a\"=3"], "--grid \"a\": the key is given twice"),
            (&["a=1,2,1"], "--grid a: the value 1 is given twice"),
            (&[&many_a, &many_b], "more than 100000 combinations"),
        ];
        for (texts, want) in cases {
            let error = grid(texts).unwrap_err().to_string();
            assert!(error.contains(want), "{error} has no {want}");
        }
    }
}
