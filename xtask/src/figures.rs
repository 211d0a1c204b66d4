//! `cargo xtask figures FILE`: what `cargo bench` measured last, as a table.

use std::fs;
use std::path::{Path, PathBuf};

/// Writes the table.
///
/// # Errors
/// Nothing was measured yet, or the file cannot be written.
pub fn run(args: &[String]) -> Result<(), String> {
    let [file] = args else { return Err("name the file that the table is written to".into()) };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no workspace")?;
    let mut rows = Vec::new();
    gather(&root.join("target/criterion"), &mut rows);
    if rows.is_empty() {
        return Err("nothing was measured yet; `cargo bench -p heliu-transform` does".into());
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let mut out = String::from("| | µs | a second |\n|---|--:|--:|\n");
    for (name, median) in &rows {
        out.push_str(&format!("| {name} | {:.2} | {:.0} |\n", median / 1e3, 1e9 / median));
    }
    print!("{out}");
    fs::write(file, out).map_err(|e| format!("{file}: {e}"))
}

/// Every benchmark below a directory: its name and the median in nanoseconds.
fn gather(dir: &Path, out: &mut Vec<(String, f64)>) {
    let inner: Vec<PathBuf> = fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
    let read = |name: &str| fs::read_to_string(dir.join("new").join(name)).unwrap_or_default();
    if let (Some(name), Some(median)) =
        (text(&read("benchmark.json"), "full_id"), median(&read("estimates.json")))
    {
        out.push((name, median));
        return;
    }
    inner.iter().filter(|p| p.is_dir()).for_each(|p| gather(p, out));
}

/// A text member of a JSON object that criterion wrote.
fn text(json: &str, key: &str) -> Option<String> {
    let value = heliu_transform::Value::parse(json.as_bytes()).ok()?;
    value.get_path(key).map(|v| v.in_text())
}

fn median(json: &str) -> Option<f64> {
    text(json, "median.point_estimate")?.parse().ok()
}
