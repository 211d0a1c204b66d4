//! An expression with a mark under the character that is meant.

use heliu_model::Spot;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Characters shown before and behind the mark.
const AROUND: usize = 60;

/// Two lines: the expression's line around the spot, and a caret under it. Widths are a terminal's, Chinese included.
pub fn caret(spot: &Spot, indent: &str) -> String {
    let chars: Vec<char> = spot.text.chars().collect();
    let at = spot.at.min(chars.len());
    let line_start = chars.iter().take(at).rposition(|c| *c == '\n').map_or(0, |i| i + 1);
    let line_end = chars.iter().skip(at).position(|c| *c == '\n').map_or(chars.len(), |i| at + i);
    let from = line_start.max(at.saturating_sub(AROUND));
    let to = line_end.min(at + AROUND);
    let shown = |a: usize, b: usize| -> String {
        chars.iter().take(b).skip(a).map(|c| if c.is_control() { ' ' } else { *c }).collect()
    };
    let lead = if from > line_start { "…" } else { "" };
    let tail = if to < line_end { "…" } else { "" };
    let before = shown(from, at);
    let width = lead.width() + before.chars().map(|c| c.width().unwrap_or(0)).sum::<usize>();
    format!("{indent}{lead}{before}{}{tail}\n{indent}{}^", shown(at, to), " ".repeat(width))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(text: &str, at: usize) -> String {
        caret(&Spot { text: text.to_owned(), at }, "")
    }

    #[test]
    fn the_caret_stands_under_the_character() {
        assert_eq!(mark("a+*b", 2), "a+*b\n  ^");
        assert_eq!(mark("单号+*b", 3), "单号+*b\n     ^");
        assert_eq!(mark("one\ntwo x\nthree", 8), "two x\n    ^");
        assert_eq!(mark("abc", 9), "abc\n   ^");
        let long = format!("{}*{}", "x".repeat(200), "y".repeat(200));
        let lines: Vec<String> = mark(&long, 200).lines().map(str::to_owned).collect();
        assert_eq!(lines[0].chars().position(|c| c == '*'), lines[1].chars().position(|c| c == '^'));
        assert!(lines[0].starts_with('…') && lines[0].ends_with('…') && lines[0].chars().count() < 130);
    }
}
