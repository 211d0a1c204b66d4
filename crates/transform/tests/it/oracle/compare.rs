//! When two answers are the same.

use std::fmt;
use std::str::FromStr;

use bigdecimal::{BigDecimal, Zero};
use heliu_transform::Value;
use mysql_async::consts::ColumnType;

/// What we answered.
#[derive(Debug)]
pub enum Outcome {
    Value(Value),
    Error(String),
}

impl Outcome {
    /// The text of a value.
    pub fn text(&self) -> Option<String> {
        match self {
            Outcome::Value(Value::String(s)) => Some(s.to_string()),
            Outcome::Value(Value::Number(n)) => Some(n.text().into_owned()),
            _ => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Value(v) => f.write_str(&v.to_json()),
            Outcome::Error(e) => write!(f, "error {e}"),
        }
    }
}

/// What the server answered.
#[derive(Debug)]
pub enum Answer {
    Null,
    /// The text, and whether the number is an approximate one.
    Text {
        text: String,
        approximate: bool,
    },
    Error(String),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Null => f.write_str("NULL"),
            Answer::Text { text, approximate } => {
                // The beginning says enough.
                let shown: String = text.chars().take(300).collect();
                write!(f, "{shown:?}{}", if *approximate { " (double)" } else { "" })
            }
            Answer::Error(e) => write!(f, "error {e}"),
        }
    }
}

impl Answer {
    /// Reads the only column of the only row.
    pub fn of(result: mysql_async::Result<Option<mysql_async::Row>>) -> Answer {
        let row = match result {
            Ok(Some(row)) => row,
            Ok(None) => return Answer::Null,
            Err(mysql_async::Error::Server(e)) => return Answer::Error(e.message),
            Err(e) => panic!("the connection failed: {e}"),
        };
        let kind = row.columns_ref()[0].column_type();
        let approximate = matches!(kind, ColumnType::MYSQL_TYPE_DOUBLE | ColumnType::MYSQL_TYPE_FLOAT);
        match &row[0] {
            mysql_async::Value::NULL => Answer::Null,
            mysql_async::Value::Bytes(b) => {
                Answer::Text { text: String::from_utf8_lossy(b).into_owned(), approximate }
            }
            other => panic!("the text protocol sends text: {other:?}"),
        }
    }
}

/// Numbers by value, text by character; an approximate number of the server to 14 digits, because ours are exact
/// where text is taken as a number (rule Fn8), and libraries differ in the last digit of a logarithm.
pub fn equal(ours: &Outcome, theirs: &Answer) -> bool {
    match (ours, theirs) {
        (Outcome::Error(_), Answer::Error(_)) => true,
        (Outcome::Value(Value::Null), Answer::Null) => true,
        (Outcome::Value(Value::String(s)), Answer::Text { text, .. }) => s == text,
        (Outcome::Value(Value::Number(n)), Answer::Text { text, approximate }) => {
            let (Ok(a), Ok(b)) = (BigDecimal::from_str(&n.text()), BigDecimal::from_str(text)) else {
                return false;
            };
            a == b || (*approximate && near(&a, &b))
        }
        _ => false,
    }
}

fn near(a: &BigDecimal, b: &BigDecimal) -> bool {
    let largest = a.abs().max(b.abs());
    largest.is_zero() || (a - b).abs() <= largest * BigDecimal::new(1.into(), 14)
}
