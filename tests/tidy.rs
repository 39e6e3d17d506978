//! The rules that prose cannot hold: who imports whom, where venues are named, where `unsafe`
//! stands, who touches the outside world.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A source file: its path below `src/` and its lines without comments and tests.
struct Source {
    path: String,
    module: String,
    code: Vec<(usize, String)>,
    lines: usize,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files.sort();
    files.iter().map(|file| read(&root, file)).collect()
}

fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

fn read(root: &Path, file: &Path) -> Source {
    let path = file.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
    let module = path.split(['/', '.']).next().unwrap().to_owned();
    let text = fs::read_to_string(file).unwrap();
    let is_test = path.ends_with("tests.rs") || path.ends_with("fixture.rs");
    let code = text
        .lines()
        .take_while(|_| !is_test)
        .enumerate()
        // Tests stand at the foot of their file and may do as they please.
        .take_while(|(_, line)| !(line.starts_with("#[cfg(") && line.contains("test")))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(i, line)| (i + 1, line.split(" // ").next().unwrap().to_owned()))
        .collect();
    Source { path, module, code, lines: text.lines().count() }
}

/// The import table of the crate's documentation.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let rows = text.split("# Who may import whom").nth(1).unwrap().split("# The map").next().unwrap();
    rows.lines()
        .filter_map(|line| line.strip_prefix("//! | `"))
        .map(|row| {
            let (module, imports) = row.split_once("` |").unwrap();
            let imports = imports.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            (module.to_owned(), imports)
        })
        .collect()
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let table = table();
    assert!(table.len() > 10, "the table was not found");
    let mut wrong = Vec::new();
    for source in sources() {
        if source.module == "lib" || source.module == "main" {
            continue;
        }
        let allowed = table.get(&source.module).unwrap_or_else(|| panic!("no row for `{}`", source.module));
        let text: String = source.code.iter().map(|(_, line)| format!("{line}\n")).collect();
        for found in text.split("crate::").skip(1) {
            // `use crate::{a::b, c}` names several; everything else names one.
            let names: Vec<String> = match found.strip_prefix('{') {
                Some(group) => top_level(group),
                None => vec![word(found)],
            };
            for name in names {
                let known = table.contains_key(&name);
                if known && name != source.module && !allowed.contains(&name) {
                    wrong.push(format!("src/{}: `{}` may not import `{name}`", source.path, source.module));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first words of a brace group's items.
fn top_level(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut names) = (0, true, Vec::new());
    for (i, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            c if c.is_alphabetic() && start => {
                names.push(word(&group[i..]));
                start = false;
            }
            _ => {}
        }
    }
    names
}

/// Fails with every line outside `homes` that holds one of `words`.
#[track_caller]
fn only_in(homes: &[&str], words: &[&str], why: &str) {
    let mut wrong = Vec::new();
    for source in sources() {
        if homes.iter().any(|home| source.path.starts_with(home)) {
            continue;
        }
        for (number, line) in &source.code {
            let lower = line.to_lowercase();
            if let Some(word) = words.iter().find(|word| lower.contains(**word)) {
                wrong.push(format!("src/{}:{number}: `{word}`", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{why}\n{}", wrong.join("\n"));
}

#[test]
fn venues_are_named_only_in_their_folders() {
    only_in(
        &["venue/"],
        &["binance", "coinbase", "kraken", "bybit", "okx"],
        "a venue is named outside src/venue/",
    );
}

#[test]
fn unsafe_stands_only_where_it_must() {
    only_in(
        &["wire/", "host/"],
        &["unsafe fn", "unsafe {", "unsafe impl"],
        "`unsafe` outside the SIMD kernels and the sockets",
    );
}

#[test]
fn only_the_host_touches_the_world() {
    only_in(
        &["host/", "cli/", "main.rs"],
        &[
            "std::net",
            "std::fs",
            "std::thread",
            "thread::",
            "instant::now",
            "systemtime",
            "tokio",
            "std::env",
            "file::open",
        ],
        "files, sockets, threads and clocks belong to src/host/",
    );
}

#[test]
fn no_hash_map_orders_anything() {
    only_in(&["host/", "cli/"], &["hashmap", "hashset"], "iteration order must be the same in every run");
}

#[test]
fn no_float_decides() {
    // One form of another program, and charts, hold floats: they are written, and never read back.
    let homes = ["telemetry/", "cli/", "capture/export/npz.rs", "backtest/report/"];
    only_in(&homes, &["f64", "f32"], "money, prices and decisions are integers");
}

#[test]
fn files_stay_one_idea() {
    let long: Vec<_> = sources()
        .iter()
        .filter(|s| s.lines > 800)
        .map(|s| format!("src/{}: {} lines", s.path, s.lines))
        .collect();
    assert!(long.is_empty(), "over 800 lines: is each still one idea?\n{}", long.join("\n"));
}
