//! Draws expressions from the patterns: the text for us with references, the same for the server with literals.

use super::catalogue::{self, Kind, Pattern};
use super::odd;
use super::pools::*;

/// A small generator of numbers (SplitMix64): the same seed gives the same cases for ever.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// True once in `n`.
    fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// One comparison.
#[derive(Debug)]
pub struct Case {
    pub group: &'static str,
    /// For us, without the prefix.
    pub ours: String,
    /// For the server, without SELECT.
    pub theirs: String,
    /// The record that the references read, as JSON.
    pub record: String,
}

/// A case that was found once: the same text for both.
pub fn found(expression: &str) -> Case {
    Case {
        group: "found",
        ours: expression.to_owned(),
        theirs: expression.to_owned(),
        record: "{}".to_owned(),
    }
}

/// Draws a case from one pattern.
pub fn draw(dice: &mut Dice, pattern: &Pattern, depth: usize) -> Case {
    let mut case = Writing { dice, fields: Vec::new(), rows: None, two_way: "%Y", inner: false };
    let (ours, theirs) = case.fill(pattern.2, depth);
    let mut members: Vec<String> =
        case.fields.iter().enumerate().map(|(i, v)| format!("\"v{i}\":{v}")).collect();
    if let Some(rows) = &case.rows {
        members.push(format!("\"rows\":[{}]", rows.json));
    }
    Case { group: pattern.0, ours, theirs, record: format!("{{{}}}", members.join(",")) }
}

struct Rows {
    json: String,
    table: String,
}

struct Writing<'a> {
    dice: &'a mut Dice,
    fields: Vec<String>,
    rows: Option<Rows>,
    /// The format drawn last, to be used once more.
    two_way: &'static str,
    /// Inside another pattern, where what is no date is not drawn.
    inner: bool,
}

/// A literal for both sides.
fn same(s: String) -> (String, String) {
    (s.clone(), s)
}

fn quoted(s: &str) -> String {
    format!("'{}'", s.replace('\\', "\\\\").replace('\'', "''"))
}

impl Writing<'_> {
    /// Replaces the marks of a pattern.
    fn fill(&mut self, pattern: &str, depth: usize) -> (String, String) {
        let (mut ours, mut theirs) = (String::new(), String::new());
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            match (c, chars.peek().copied()) {
                // What only one of the two says.
                ('$', Some('(')) => {
                    chars.next();
                    let rest: String = chars.clone().collect();
                    let (one, behind) = rest.split_once("$|").expect("`$(` has a `$|`");
                    let (other, rest) = behind.split_once("$)").expect("`$(` has a `$)`");
                    ours.push_str(one);
                    theirs.push_str(other);
                    let (a, b) = self.fill(rest, depth);
                    return (ours + &a, theirs + &b);
                }
                ('$', Some(k)) if k.is_ascii_alphabetic() => {
                    chars.next();
                    let (a, b) = self.operand(k, depth);
                    ours.push_str(&a);
                    theirs.push_str(&b);
                }
                _ => {
                    ours.push(c);
                    theirs.push(c);
                }
            }
        }
        (ours, theirs)
    }

    /// An operand: a literal, a reference, or a nested expression.
    fn operand(&mut self, kind: Kind, depth: usize) -> (String, String) {
        let nestable = matches!(kind, 't' | 's' | 'i' | 'd' | 'x' | 'b' | 'D' | 'M' | 'H' | 'v' | 'j');
        if depth > 0 && nestable && self.dice.once_in(2) || (kind == 'b' && depth > 0) {
            return self.nested(kind, depth - 1);
        }
        if nestable && kind != 'j' && kind != 'b' && self.dice.once_in(24) {
            return same("NULL".into());
        }
        match kind {
            't' | 'O' => {
                let s = self.dice.of(TEXTS);
                self.text(s)
            }
            's' => {
                let s = self.dice.of(SHORT);
                self.text(s)
            }
            'n' => {
                let n = self.dice.below(14) as i64 - 3;
                self.number(&n.to_string())
            }
            'm' => same((1 + self.dice.below(12)).to_string()),
            'w' => same(self.dice.below(8).to_string()),
            'i' => {
                let n = match self.dice.below(4) {
                    0 => self.dice.below(10) as i64,
                    1 => self.dice.below(100_000) as i64 - 50_000,
                    2 => self.dice.below(1000) as i64,
                    _ => self.dice.below(4_000_000_000) as i64,
                };
                self.number(&n.to_string())
            }
            'd' => {
                let d = match self.dice.below(3) {
                    0 => self.dice.of(NUMBERS).replace("1e2", "1.10"),
                    1 => format!("{}.{:02}", self.dice.below(100_000), self.dice.below(100)),
                    _ => format!("-{}.{:04}", self.dice.below(1000), self.dice.below(10_000)),
                };
                self.number(&d)
            }
            'N' => {
                let n = 1 + self.dice.below(97);
                if self.dice.once_in(3) {
                    same(format!("{n}.{}", 1 + self.dice.below(9)))
                } else {
                    self.number(&n.to_string())
                }
            }
            'x' => match self.dice.below(5) {
                0 => self.operand('i', 0),
                1 => self.operand('n', 0),
                2 => self.operand('d', 0),
                3 => {
                    let d = self.dice.of(NUMBERS);
                    self.number(d)
                }
                _ => {
                    // As many digits as a floating number has.
                    let d = self.dice.of(NUMBERS);
                    self.text(if d.len() > 16 { "12.5" } else { d })
                }
            },
            'b' => match self.dice.below(6) {
                0 => same("TRUE".into()),
                1 => same("FALSE".into()),
                2 => same("NULL".into()),
                3 => same("1 = 1".into()),
                4 => same("2 < 1".into()),
                _ => same("0".into()),
            },
            'U' => {
                let n = match self.dice.below(3) {
                    0 => format!("{}", 1_600_000_000 + self.dice.below(200_000_000)),
                    1 => {
                        format!("{}.{}", 1_600_000_000 + self.dice.below(200_000_000), self.dice.below(1000))
                    }
                    _ => format!("{}", self.dice.below(2_000_000_000)),
                };
                self.number(&n)
            }
            'D' => {
                let d = self.date();
                self.dated(&d, "DATE")
            }
            'M' => {
                let m = self.moment();
                self.dated(&m, "TIMESTAMP")
            }
            'H' => {
                let h = self.dice.of(TIMES);
                self.dated(h, "TIME")
            }
            'v' => {
                let k = self.dice.of(&['t', 's', 'i', 'd', 'D', 'M', 'x']);
                self.operand(k, 0)
            }
            'j' => {
                let j = self.dice.of(JSONS);
                self.text(j)
            }
            'p' => same(quoted(self.dice.of(PATHS))),
            'f' => {
                let f = self.format();
                same(quoted(&f))
            }
            'K' => {
                self.two_way = self.dice.of(TWO_WAY);
                same(quoted(self.two_way))
            }
            'k' => same(quoted(self.two_way)),
            'S' => {
                let (text, pattern) = self.dice.of(TO_DATE);
                let (a, b) = self.text(text);
                (format!("{a}, {}", quoted(pattern)), format!("{b}, {}", quoted(pattern)))
            }
            'q' => same(self.dice.of(INTERVALS).to_owned()),
            'u' => same(self.dice.of(UNITS).to_owned()),
            'y' => {
                let n = self.dice.below(9);
                same(UNITS[n].to_owned())
            }
            'T' => same(self.dice.of(TYPES).to_owned()),
            'Z' => same(self.dice.of(DATED).to_owned()),
            'C' => self.chain(),
            'r' => same(format!("'{}'", self.dice.of(REGEXES))),
            'R' => same(format!("'{}'", self.dice.of(PCRE))),
            'o' => same(format!("'{}'", self.dice.of(CHARACTERS))),
            'L' => same(format!("'{}'", self.dice.of(LIKES))),
            'a' => self.odd(odd::ODD),
            'e' => self.odd(odd::WIDE),
            'g' => self.odd(odd::ODD_DATES),
            'h' => self.odd(odd::ODD_TIMES),
            'J' => {
                let j = self.dice.of(odd::DOCUMENTS);
                self.text(j)
            }
            'P' => same(quoted(self.dice.of(odd::DOCUMENT_PATHS))),
            'l' => same(format!("'{}'", self.dice.of(odd::ESCAPED))),
            'F' => {
                let (text, pattern) = self.dice.of(odd::TO_DATE_ODD);
                let (a, b) = self.text(text);
                (format!("{a}, {}", quoted(pattern)), format!("{b}, {}", quoted(pattern)))
            }
            'z' => {
                let (pattern, with) = self.dice.of(odd::REPLACING);
                same(format!("{pattern}, {with}"))
            }
            'c' => same(self.dice.of(odd::DIGITS).to_owned()),
            'A' => self.aggregate(AGGREGATES),
            'E' => self.aggregate(AGGREGATES.get(..NUMERIC).unwrap_or(AGGREGATES)),
            other => panic!("unknown mark ${other}"),
        }
    }

    /// Some letters of DATE_FORMAT, or a usual pattern.
    fn format(&mut self) -> String {
        if self.dice.once_in(2) {
            return self.dice.of(FORMATS).to_owned();
        }
        let letters: Vec<char> = LETTERS.chars().collect();
        (0..1 + self.dice.below(4))
            .map(|_| format!("%{}", self.dice.of(&letters)))
            .collect::<Vec<_>>()
            .join("|")
    }

    /// Operands between operators, without a parenthesis: what binds tighter decides.
    fn chain(&mut self) -> (String, String) {
        let (mut ours, mut theirs) = self.operand('N', 0);
        for _ in 0..2 + self.dice.below(4) {
            let op = self.dice.of(INFIX);
            let (a, b) = self.operand('N', 0);
            let blank = if op.chars().all(|c| c.is_ascii_alphabetic() || c == ' ') || self.dice.once_in(2) {
                " "
            } else {
                ""
            };
            let blank =
                if op.chars().any(|c| c.is_ascii_alphabetic()) || op.contains('-') { " " } else { blank };
            ours += &format!("{blank}{op}{blank}{a}");
            theirs += &format!("{blank}{op}{blank}{b}");
        }
        (ours, theirs)
    }

    fn nested(&mut self, kind: Kind, depth: usize) -> (String, String) {
        let fits = |p: &&Pattern| match kind {
            't' => matches!(p.1, 't' | 's'),
            's' => p.1 == 's',
            'i' => p.1 == 'i',
            'd' | 'x' => matches!(p.1, 'x' | 'i'),
            'v' => !matches!(p.1, 'j' | 'B'),
            k => p.1 == k,
        };
        let fitting: Vec<&Pattern> = catalogue::all().filter(|p| p.0 != "aggregate").filter(fits).collect();
        let pattern = fitting[self.dice.below(fitting.len())];
        let outer = std::mem::replace(&mut self.inner, true);
        let (a, b) = self.fill(pattern.2, depth);
        self.inner = outer;
        (format!("({a})"), format!("({b})"))
    }

    /// Text: as a literal, or inside quotes as a reference.
    fn text(&mut self, s: &str) -> (String, String) {
        match self.dice.below(3) {
            // Braces stand in data only: in the expression they are a reference.
            n if n == 0 || s.contains("{{") => {
                let at = self.field(serde_json::to_string(s).unwrap());
                (format!("'{{{{v{at}}}}}'"), quoted(s))
            }
            _ => same(quoted(s)),
        }
    }

    /// Odd text: as other text, or now and then as a bare reference.
    fn odd(&mut self, all: &[&str]) -> (String, String) {
        let s = self.dice.of(all);
        if !self.dice.once_in(4) {
            return self.text(s);
        }
        let at = self.field(serde_json::to_string(s).unwrap());
        // Rule Fn4: blank text is NULL, a plain number is a number, the rest is text.
        let plain = s.trim().strip_prefix(['-', '+']).unwrap_or(s.trim());
        let number = plain.chars().all(|c| c.is_ascii_digit() || c == '.')
            && plain.matches('.').count() < 2
            && plain.contains(|c: char| c.is_ascii_digit());
        let theirs = match s.trim() {
            "" => "NULL".to_owned(),
            _ if number => format!("({s})"),
            _ => quoted(s),
        };
        (format!("{{{{v{at}}}}}"), theirs)
    }

    /// A number: as a literal, a bare reference to a number, or one to text that looks like it.
    fn number(&mut self, n: &str) -> (String, String) {
        let plain = !n.contains('e');
        match self.dice.below(4) {
            0 if plain => {
                let at = self.field(n.to_owned());
                (format!("{{{{v{at}}}}}"), n.to_owned())
            }
            1 if plain => {
                let at = self.field(format!("\"{n}\""));
                (format!("{{{{v{at}}}}}"), n.to_owned())
            }
            2 if self.dice.once_in(8) => {
                // Missing and blank values are NULL.
                let at = self.field(self.dice_blank());
                (format!("{{{{v{at}}}}}"), "NULL".into())
            }
            _ => same(n.to_owned()),
        }
    }

    fn dice_blank(&self) -> String {
        if self.fields.len().is_multiple_of(2) { "null".into() } else { "\" \"".into() }
    }

    fn field(&mut self, json: String) -> usize {
        self.fields.push(json);
        self.fields.len() - 1
    }

    fn date(&mut self) -> String {
        match self.dice.below(12) {
            0 => format!(
                "20{:02}-{:02}-{:02}",
                self.dice.below(40),
                1 + self.dice.below(12),
                1 + self.dice.below(28)
            ),
            1 if !self.inner => self
                .dice
                .of(&["2023-02-29", "not a date", "2024-13-01", "", "2024/3/5", "20240229", "24-2-9"])
                .into(),
            _ => self.dice.of(DATES).into(),
        }
    }

    fn moment(&mut self) -> String {
        let day = self.dice.of(DATES);
        let clock = self.dice.of(CLOCKS);
        match self.dice.below(10) {
            0 => format!("{day} {clock}.{}", self.dice.of(&["5", "123456", "250"])),
            1 => format!("{day}T{clock}"),
            2 => day.to_owned(),
            3 if !self.inner => self
                .dice
                .of(&["2024-02-30 10:00:00", "20240229123005", "2024-03-01 25:00:00", "2024-2-3 4:5:6"])
                .into(),
            _ => format!("{day} {clock}"),
        }
    }

    /// A date, or date and time, or time: as text or typed.
    fn dated(&mut self, s: &str, function: &str) -> (String, String) {
        let (a, b) = self.text(s);
        // What is no date stays text: the server answers oddly where a NULL of these functions is compared.
        if !INVALID.contains(&s) && self.dice.once_in(3) {
            (format!("{function}({a})"), format!("{function}({b})"))
        } else {
            (a, b)
        }
    }

    /// An aggregate over the rows of the case's table.
    fn aggregate(&mut self, all: &[(&'static str, &'static str)]) -> (String, String) {
        if self.rows.is_none() {
            let count = 1 + self.dice.below(5);
            let (mut json, mut table) = (Vec::new(), Vec::new());
            for i in 0..count {
                let a = self.dice.of(&["1", "2", "3", "10", "0", "-4", "null"]);
                let b = self.dice.of(&["0.5", "2.25", "100.10", "-3.30", "0.00", "null", "12.34"]);
                let c = self.dice.of(&["红", "b", "A", "a", "蓝", "B"]);
                json.push(format!("{{\"a\":{a},\"b\":{b},\"c\":\"{c}\"}}"));
                let cast = if i == 0 { "AS DECIMAL(20,2)) AS b" } else { "AS DECIMAL(20,2))" };
                let names = if i == 0 { (" AS a", " AS c") } else { ("", "") };
                table.push(format!(
                    "SELECT CAST({a} AS SIGNED){}, CAST({b} {cast}, '{c}'{}",
                    names.0, names.1
                ));
            }
            self.rows = Some(Rows { json: json.join(","), table: table.join(" UNION ALL ") });
        }
        let table = self.rows.as_ref().map_or("", |r| r.table.as_str());
        let (name, formula) = self.dice.of(all);
        let mut ours = format!("{name}({formula})");
        let mut theirs = ours.clone();
        for f in ["a", "b", "c"] {
            ours = ours.replace(&format!("@{f}"), &format!("{{{{rows.{f}}}}}"));
            theirs = theirs.replace(&format!("@{f}"), &format!("r.{f}"));
        }
        (ours, format!("(SELECT {theirs} FROM ({table}) r)"))
    }
}
