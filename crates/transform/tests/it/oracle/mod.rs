//! `_function` against a real MariaDB: generated expressions, the same answer or a decided reason.

mod cases;
mod catalogue;
mod compare;
mod decided;
mod found;
mod likeness;
mod odd;
mod pools;
mod shapes;
mod slips;
mod written;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use heliu_testkit::mariadb::MariaDb;
use heliu_transform::function::Function;
use heliu_transform::{EvalRequest, Value, evaluate};
use mysql_async::prelude::Queryable;

use cases::{Case, Dice};
use compare::{Answer, Outcome};

/// The clock of both sides, in unix seconds.
const NOW: i64 = 1_710_406_800;

/// Cases of a run; `HELIU_ORACLE_CASES` gives another number, `HELIU_ORACLE_SEED` other cases (`cargo xtask oracle`);
/// `HELIU_ORACLE_DECIDED` shows more examples of each decided difference.
const CASES: usize = 9000;
const SEED: usize = 20_240_229;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// What was found before, every pattern plainly, then nested ones until there are enough.
pub(crate) fn generate() -> Vec<Case> {
    let mut dice = Dice::new(setting("HELIU_ORACLE_SEED", SEED) as u64);
    let wanted = setting("HELIU_ORACLE_CASES", CASES);
    let mut out: Vec<Case> = found::FOUND.iter().map(|e| cases::found(e)).collect();
    out.extend(written::all());
    let mut round = 0;
    while out.len() < wanted {
        let depth = [0, 0, 1, 0, 1, 2][round % 6];
        out.extend(catalogue::all().map(|pattern| cases::draw(&mut dice, pattern, depth)));
        round += 1;
    }
    out
}

fn ours(case: &Case) -> Outcome {
    let expr = Value::from(format!("_function {}", case.ours));
    let record = Value::parse(case.record.as_bytes()).unwrap_or_else(|e| panic!("{e}: {}", case.record));
    let result = evaluate(&EvalRequest {
        expr: &expr,
        record: Some(&record),
        row: None,
        now: NOW,
        last_sync: NOW - 3600,
        // The session's zone is an offset; Shanghai had summer times.
        tz: chrono_tz::Etc::GMTMinus8,
        ty: None,
        parser: None,
        strict: true,
        lookups: None,
    });
    match result {
        Ok((v, _)) => Outcome::Value(v),
        Err(e) => Outcome::Error(format!("{e:?}")),
    }
}

async fn ask(cases: &[Case]) -> Vec<Answer> {
    let server = MariaDb::shared();
    let opts = mysql_async::Opts::from_url(&server.dsn("bi")).unwrap();
    let mut conn = mysql_async::Conn::new(opts).await.unwrap();
    conn.query_drop("SET NAMES utf8mb4 COLLATE utf8mb4_general_ci").await.unwrap();
    conn.query_drop(format!("SET time_zone = '+08:00', timestamp = {NOW}")).await.unwrap();
    let mut out = Vec::with_capacity(cases.len());
    for case in cases {
        out.push(Answer::of(conn.query_first(format!("SELECT {}", case.theirs)).await));
    }
    conn.disconnect().await.unwrap();
    out
}

/// Names written with a parenthesis behind them.
fn called(text: &str, name: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find(name) {
        let before = rest[..at].chars().next_back();
        let after = rest[at + name.len()..].chars().next();
        let joined = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        if !joined(before) && !joined(after) {
            return true;
        }
        rest = &rest[at + name.len()..];
    }
    false
}

#[test]
fn every_function_is_compared_or_says_why_not() {
    let all: String = catalogue::PATTERNS.iter().map(|p| format!("{}\n", p.2)).collect::<String>()
        + &pools::AGGREGATES.iter().map(|a| format!("{}(\n", a.0)).collect::<String>();
    let missing: Vec<&str> = Function::names()
        .into_iter()
        .filter(|n| !called(&all, n) && !catalogue::NOT_COMPARED.iter().any(|(m, _)| m == n))
        .collect();
    assert!(missing.is_empty(), "neither compared nor explained: {missing:?}");
    for (name, reason) in catalogue::NOT_COMPARED {
        assert!(!reason.is_empty() && Function::names().contains(name), "{name}");
    }
}

#[derive(Default)]
struct Tally {
    all: usize,
    equal: usize,
    decided: usize,
}

#[tokio::test]
async fn functions_answer_as_mariadb_does() {
    let cases = generate();
    let answers = ask(&cases).await;
    let mut groups: BTreeMap<&str, Tally> = BTreeMap::new();
    let mut reasons: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let mut open: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (case, answer) in cases.iter().zip(&answers) {
        let tally = groups.entry(case.group).or_default();
        tally.all += 1;
        let outcome = ours(case);
        if compare::equal(&outcome, answer) {
            tally.equal += 1;
            continue;
        }
        let shown = format!(
            "[{}] {}  {}\n      ours    {}\n      MariaDB {}",
            case.group, case.ours, case.record, outcome, answer
        );
        match decided::reason(case, &outcome, answer) {
            Some(at) => {
                tally.decided += 1;
                reasons.entry(at).or_default().push(shown);
            }
            None => open.entry(case.group).or_default().push(shown),
        }
    }
    let percent = |n: usize, of: usize| 100.0 * n as f64 / of.max(1) as f64;
    let mut report = String::from("group        cases   equal  decided  open   rate\n");
    let mut sum = Tally::default();
    for (group, t) in &groups {
        let _ = writeln!(
            report,
            "{group:<11} {:>6}  {:>6}  {:>7}  {:>4}  {:>6.2} %",
            t.all,
            t.equal,
            t.decided,
            t.all - t.equal - t.decided,
            percent(t.equal, t.all)
        );
        sum.all += t.all;
        sum.equal += t.equal;
        sum.decided += t.decided;
    }
    let rate = percent(sum.equal, sum.all);
    let _ = writeln!(
        report,
        "all {:>14}  {:>6}  {:>7}  {:>4}  {rate:>6.2} %",
        sum.all,
        sum.equal,
        sum.decided,
        sum.all - sum.equal - sum.decided
    );
    let show = setting("HELIU_ORACLE_DECIDED", 1);
    for (at, all) in &mut reasons {
        let Some((id, reason)) = decided::table().nth(*at).map(decided::Decided::text) else { continue };
        all.sort_by_key(String::len);
        let _ = writeln!(report, "decided {:>4}  {id}: {reason}", all.len());
        all.iter().take(show).for_each(|s| report += &format!("    {s}\n"));
    }
    println!("{report}");
    // The shortest of each group say most.
    let show = setting("HELIU_ORACLE_SHOW", 8);
    let mut listed = String::new();
    for (group, all) in &mut open {
        let _ = writeln!(listed, "{group}: {} without a reason", all.len());
        all.sort_by_key(String::len);
        all.iter().take(show).for_each(|s| listed += &format!("  {s}\n"));
    }
    assert!(open.is_empty(), "differences without a reason (HELIU_ORACLE_SHOW shows more):\n{listed}");
    assert!(rate >= 99.5, "{rate:.2} % equal, 99.5 % wanted");
}
