//! The bare loader: the same rows as REPLACE text of 1000 rows a statement on one connection. No HTTP, no parsing.

use std::time::Instant;

use heliu_sandbox::Sandbox;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use serde_json::Value;

/// Columns, each a member of the source's rows.
pub const COLUMNS: [&str; 22] = [
    "id",
    "order_no",
    "shop_id",
    "shop_name",
    "status",
    "buyer_nick",
    "receiver_name",
    "receiver_mobile",
    "province",
    "city",
    "address",
    "created",
    "pay_time",
    "modified",
    "total_amount",
    "pay_amount",
    "freight",
    "discount",
    "pieces",
    "weight",
    "currency",
    "items",
];

const TABLE: &str = "CREATE TABLE orders (id BIGINT UNSIGNED PRIMARY KEY, order_no VARCHAR(32), shop_id BIGINT,
  shop_name VARCHAR(64), status VARCHAR(20), buyer_nick VARCHAR(64), receiver_name VARCHAR(64),
  receiver_mobile VARCHAR(32), province VARCHAR(32), city VARCHAR(32), address VARCHAR(128), created DATETIME,
  pay_time DATETIME, modified DATETIME, total_amount DECIMAL(18,2), pay_amount DECIMAL(18,2), freight DECIMAL(18,2),
  discount DECIMAL(18,2), pieces INT, weight DECIMAL(10,3), currency CHAR(3), items LONGTEXT)";

async fn connect(dsn: &str) -> Conn {
    Conn::new(Opts::from_url(dsn).unwrap()).await.unwrap()
}

/// Makes the table anew.
pub async fn empty(dsn: &str) {
    let mut conn = connect(dsn).await;
    conn.query_drop("DROP TABLE IF EXISTS orders").await.unwrap();
    conn.query_drop(TABLE).await.unwrap();
    conn.disconnect().await.unwrap();
}

fn literal(v: &Value, out: &mut String) {
    match v {
        Value::Null => out.push_str("NULL"),
        Value::Bool(b) => out.push_str(if *b { "1" } else { "0" }),
        Value::Number(n) => out.push_str(&n.to_string()),
        Value::String(s) => quoted(s, out),
        other => quoted(&other.to_string(), out),
    }
}

fn quoted(s: &str, out: &mut String) {
    out.push('\'');
    for c in s.chars() {
        if matches!(c, '\'' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('\'');
}

/// Seconds to send all rows. The statements are written before the clock starts.
pub async fn load(dsn: &str, records: u32) -> f64 {
    let sandbox = Sandbox::builder("bench").records(records).listen("127.0.0.1:0").await.unwrap();
    let mut conn = connect(dsn).await;
    let mut seconds = 0.0;
    empty(dsn).await;
    let mut statements = Vec::new();
    let mut statement = String::new();
    let mut rows = 0;
    let head = format!("REPLACE INTO orders ({}) VALUES ", COLUMNS.join(","));
    sandbox.each_order(|_, text| {
        let v: Value = serde_json::from_str(&text).unwrap();
        statement.push_str(if rows == 0 { &head } else { "," });
        for (i, c) in COLUMNS.iter().enumerate() {
            statement.push(if i == 0 { '(' } else { ',' });
            literal(&v[*c], &mut statement);
        }
        statement.push(')');
        rows += 1;
        if rows == 1000 {
            statements.push(std::mem::take(&mut statement));
            rows = 0;
        }
    });
    if !statement.is_empty() {
        statements.push(statement);
    }
    for s in statements {
        let begun = Instant::now();
        conn.query_drop(s).await.unwrap();
        seconds += begun.elapsed().as_secs_f64();
    }
    verify(dsn, records).await;
    conn.disconnect().await.unwrap();
    seconds
}

/// A fast run with wrong rows would be worth nothing.
pub async fn verify(dsn: &str, records: u32) {
    let mut conn = connect(dsn).await;
    let (n, ids, sum): (u32, u32, String) = conn
        .query_first("SELECT COUNT(*), COUNT(DISTINCT order_no), CAST(SUM(total_amount) AS CHAR) FROM orders")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((n, ids), (records, records));
    let sandbox = Sandbox::builder("bench").records(records).listen("127.0.0.1:0").await.unwrap();
    let mut cents = 0i128;
    sandbox.each_order(|_, text| {
        let at = text.find("\"total_amount\":").unwrap() + 15;
        let digits: String = text[at..]
            .trim_start_matches('"')
            .chars()
            .take_while(|c| c.is_ascii_digit() || *c == '.')
            .collect();
        let (whole, part) = digits.split_once('.').unwrap_or((&digits, "00"));
        cents += whole.parse::<i128>().unwrap() * 100 + part.parse::<i128>().unwrap();
    });
    assert_eq!(sum.replace('.', "").parse::<i128>().unwrap(), cents);
    conn.disconnect().await.unwrap();
}
