//! Answers on standard output, everything else on standard error.

use std::io::{IsTerminal, Write};

use heliu_model::{Class, Failure, Lang, Problem, Severity, Spot, Text, codes};
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use crate::caret::caret;

/// How answers are given.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    /// Language.
    pub lang: Lang,
    /// Machine-readable.
    pub json: bool,
    /// Say less.
    pub quiet: bool,
}

/// Ends a command early: exit status and what to say.
#[derive(Debug)]
pub enum Stop {
    /// Findings about files.
    Problems(Vec<Problem>),
    /// A failure.
    Failure(Box<Failure>),
}

impl From<Failure> for Stop {
    fn from(f: Failure) -> Self {
        Stop::Failure(Box::new(f))
    }
}

impl From<Vec<Problem>> for Stop {
    fn from(p: Vec<Problem>) -> Self {
        Stop::Problems(p)
    }
}

/// Result of a command: its exit status.
pub type Done = Result<u8, Stop>;

impl Out {
    /// A line on standard output. A reader that went away ends the program quietly.
    pub fn line(&self, s: &str) {
        let mut out = std::io::stdout().lock();
        if writeln!(out, "{s}").is_err() {
            std::process::exit(0);
        }
    }

    /// A JSON value on one line of standard output.
    pub fn value(&self, v: &Value) {
        self.line(&v.to_string());
    }

    /// A hint on standard error.
    pub fn hint(&self, t: &Text) {
        if !self.quiet {
            eprintln!("{}", t.get(self.lang));
        }
    }

    /// The sentence in the chosen language.
    pub fn say(&self, t: &Text) -> String {
        t.get(self.lang).to_owned()
    }

    /// What to do next: the failure's own words, else those of its code's page.
    fn next_step<'a>(&self, code: &str, own: &'a Text) -> Option<&'a str> {
        if !own.is_empty() {
            return Some(own.get(self.lang));
        }
        let (en, zh) = codes::find(code)?.todo;
        Some(if self.lang == Lang::Zh { zh } else { en })
    }

    /// A failure as JSON.
    pub fn failure_json(&self, f: &Failure) -> Value {
        let mut v = json!({"code": f.code, "message": f.message.get(self.lang)});
        if let Value::Object(map) = &mut v {
            if !f.place.is_empty() {
                map.insert("place".into(), f.place.clone().into());
            }
            if let Some(hint) = self.next_step(&f.code, &f.hint) {
                map.insert("hint".into(), hint.into());
            }
            if !f.vendor_code.is_empty() {
                map.insert("vendor_code".into(), f.vendor_code.clone().into());
            }
            add_spot(map, f.spot.as_deref());
        }
        v
    }

    /// A finding as JSON.
    pub fn problem_json(&self, p: &Problem) -> Value {
        let severity = if p.severity == Severity::Error { "error" } else { "warning" };
        let mut v = json!({"code": p.code, "severity": severity, "file": p.file, "path": p.path, "message": p.message.get(self.lang)});
        if let Value::Object(map) = &mut v {
            if let Some(hint) = self.next_step(&p.code, &p.hint) {
                map.insert("hint".into(), hint.into());
            }
            add_spot(map, p.spot.as_deref());
        }
        v
    }

    /// A failure on standard error.
    pub fn show_failure(&self, f: &Failure) {
        let mark = paint("31", if self.lang == Lang::Zh { "错误" } else { "error" });
        eprintln!("{mark} {}: {}", f.code, f.message.get(self.lang));
        if !f.place.is_empty() {
            eprintln!("      {} {}", if self.lang == Lang::Zh { "位置" } else { "at" }, f.place);
        }
        if let Some(spot) = &f.spot {
            eprintln!("{}", caret(spot, "      "));
        }
        if let Some(hint) = self.next_step(&f.code, &f.hint) {
            eprintln!("      {} {hint}", paint("36", "→"));
        }
    }

    /// A finding, on standard output of `check`, else on standard error.
    pub fn problem_text(&self, p: &Problem) -> String {
        let zh = self.lang == Lang::Zh;
        let mark = match (p.severity, zh) {
            (Severity::Error, false) => "error",
            (Severity::Error, true) => "错误",
            (Severity::Warning, false) => "warning",
            (Severity::Warning, true) => "警告",
        };
        let mut place = p.file.clone();
        if !p.path.is_empty() {
            if !place.is_empty() {
                place.push_str(": ");
            }
            place.push_str(&p.path);
        }
        let mut out = format!("{mark} {} {}", p.code, p.message.get(self.lang));
        if !place.is_empty() {
            out.push_str(&format!("\n      {} {place}", if zh { "位置" } else { "at" }));
        }
        if let Some(spot) = &p.spot {
            out.push_str(&format!("\n{}", caret(spot, "      ")));
        }
        if let Some(hint) = self.next_step(&p.code, &p.hint) {
            out.push_str(&format!("\n      → {hint}"));
        }
        out
    }

    /// Says why a command ended early; its exit status.
    pub fn stop(&self, stop: Stop) -> u8 {
        match stop {
            Stop::Failure(f) => {
                if self.json {
                    self.value(&json!({"error": self.failure_json(&f)}));
                } else {
                    self.show_failure(&f);
                }
                match f.class {
                    Class::Config
                        if f.code.starts_with("HL-1")
                            || f.code.starts_with("HL-2")
                            || f.code.starts_with("HL-8") =>
                    {
                        2
                    }
                    _ => 3,
                }
            }
            Stop::Problems(list) => {
                if self.json {
                    let all: Vec<Value> = list.iter().map(|p| self.problem_json(p)).collect();
                    let first = list.first();
                    self.value(&json!({"error": {
                        "code": first.map_or("HL-1000", |p| p.code.as_str()),
                        "message": first.map_or("", |p| p.message.get(self.lang)),
                        "problems": all,
                    }}));
                } else {
                    for p in &list {
                        eprintln!("{}", self.problem_text(p));
                    }
                }
                2
            }
        }
    }

    /// An aligned table; widths count what a terminal shows, Chinese included.
    pub fn table(&self, head: &[&str], rows: &[Vec<String>]) {
        let mut widths: Vec<usize> = head.iter().map(|h| h.width()).collect();
        widths.resize(rows.iter().map(Vec::len).max().unwrap_or(0).max(widths.len()), 0);
        for row in rows {
            for (w, cell) in widths.iter_mut().zip(row) {
                *w = (*w).max(cell.width());
            }
        }
        let print = |cells: &[String]| {
            let mut line = String::new();
            for (i, (cell, w)) in cells.iter().zip(&widths).enumerate() {
                if i > 0 {
                    line.push_str("  ");
                }
                line.push_str(cell);
                if i + 1 < cells.len() {
                    line.push_str(&" ".repeat(w.saturating_sub(cell.width())));
                }
            }
            self.line(line.trim_end());
        };
        if !head.is_empty() {
            print(&head.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>());
        }
        for row in rows {
            print(row);
        }
    }
}

/// The character of an expression that an answer is about.
fn add_spot(map: &mut serde_json::Map<String, Value>, spot: Option<&Spot>) {
    if let Some(spot) = spot {
        map.insert("position".into(), spot.at.into());
        map.insert("expression".into(), spot.text.clone().into());
    }
}

/// Colour where standard error is a terminal and NO_COLOR is not set.
pub fn paint(code: &str, s: &str) -> String {
    if std::env::var_os("NO_COLOR").is_none() && std::io::stderr().is_terminal() {
        format!("\u{1b}[{code}m{s}\u{1b}[0m")
    } else {
        s.to_owned()
    }
}

/// A stored reason: both languages as JSON, or plain words.
pub fn reason(stored: Option<&str>, lang: Lang) -> Option<String> {
    let stored = stored?;
    Some(match serde_json::from_str::<Text>(stored) {
        Ok(t) => t.get(lang).to_owned(),
        Err(_) => stored.to_owned(),
    })
}

/// A number with its English noun.
pub fn counted<N: std::fmt::Display + PartialEq + From<u8>>(n: N, word: &str) -> String {
    if n == N::from(1) { format!("{n} {word}") } else { format!("{n} {word}s") }
}
