//! What the headers of an answer say about the budget that is left: those in common use (`X-RateLimit-*`), those of the
//! IETF draft (`RateLimit-*`, `RateLimit`), those that a manifest names; and `Retry-After`.

use heliu_model::Ts;

use super::client::Reply;
use crate::manifest::ReplyForm;

/// A budget that is renewed later than this (ms) is not spread over the time until then: a day's budget may be used up
/// in the morning.
const SPREAD_MS: i64 = 120_000;

/// No answer holds for longer than this (ms).
const MOST_MS: i64 = 3_600_000;

/// The budget as an answer tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quota {
    limit: Option<i64>,
    left: i64,
    /// Until it is renewed (ms).
    renewed: i64,
}

const LIMIT: &[&str] = &["ratelimit-limit", "x-ratelimit-limit", "x-rate-limit-limit"];
const LEFT: &[&str] = &["ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining"];
const RENEWED: &[&str] = &["ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset"];

/// A whole number at the beginning of a value; what follows (`100, 100;w=60`, fractions) is not asked for.
fn number(v: &str) -> Option<i64> {
    let digits: String = v.trim().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// When the answer was made, by its own clock; by ours where it does not say.
fn made(reply: &Reply, now: Ts) -> i64 {
    let date = reply.header("date").and_then(|d| chrono::DateTime::parse_from_rfc2822(d.trim()).ok());
    date.map_or(now.0, |d| d.timestamp_millis())
}

impl Quota {
    /// Reads the headers.
    pub fn of(reply: &Reply, form: &ReplyForm, now: Ts) -> Option<Quota> {
        let find = |own: &[String], known: &[&str]| {
            let own = own.iter().map(String::as_str);
            own.chain(known.iter().copied()).find_map(|n| number(reply.header(n)?))
        };
        let separate = || {
            let left = find(&form.rate_remaining, LEFT)?;
            // Seconds until then, or an instant in seconds or milliseconds.
            let renewed = match find(&form.rate_reset, RENEWED)? {
                at if at > 100_000_000_000 => at - made(reply, now),
                at if at > 1_000_000_000 => at * 1_000 - made(reply, now),
                seconds => seconds.saturating_mul(1_000),
            };
            Some(Quota { limit: find(&form.rate_limit, LIMIT), left, renewed })
        };
        let found = separate().or_else(|| together(reply.header("ratelimit")?));
        found.map(|q| Quota { renewed: q.renewed.clamp(0, MOST_MS), ..q })
    }

    /// Until when nobody should ask: until it is renewed when nothing is left, a part of the time when little is.
    pub fn brake(&self, now: Ts) -> Option<Ts> {
        let little = self.limit.map_or(self.left <= 2, |l| self.left.saturating_mul(10) < l);
        let wait = match self.left {
            0 => self.renewed,
            left if little && self.renewed <= SPREAD_MS => self.renewed / (left + 1),
            _ => 0,
        };
        (wait > 0).then(|| now.plus_ms(wait))
    }
}

/// `limit=100, remaining=0, reset=30`, or `"default";r=0;t=30` (newer drafts), of several the one with the least left.
fn together(v: &str) -> Option<Quota> {
    let pairs = |part: &str| -> Vec<(String, i64)> {
        let pair = |p: &str| {
            let (k, v) = p.split_once('=')?;
            Some((k.trim().to_ascii_lowercase(), number(v)?))
        };
        part.split([';', ',']).filter_map(pair).collect()
    };
    let get = |list: &[(String, i64)], name: &str| list.iter().find(|(k, _)| k == name).map(|(_, v)| *v);
    let all = pairs(v);
    if let (Some(left), Some(seconds)) = (get(&all, "remaining"), get(&all, "reset")) {
        return Some(Quota { limit: get(&all, "limit"), left, renewed: seconds.saturating_mul(1_000) });
    }
    let policies = v.split(',').filter_map(|p| {
        let list = pairs(p);
        let renewed = get(&list, "t").unwrap_or(1).saturating_mul(1_000);
        Some(Quota { limit: None, left: get(&list, "r")?, renewed })
    });
    policies.min_by_key(|q| (q.left, -q.renewed))
}

/// `Retry-After` in milliseconds: seconds, or a date by the other side's clock.
pub(super) fn retry_after(reply: &Reply, now: Ts) -> Option<u64> {
    let v = reply.header("retry-after")?.trim();
    let wait = match v.parse::<i64>() {
        Ok(seconds) => seconds.saturating_mul(1_000),
        // What is neither asks to wait, without saying how long.
        Err(_) => match chrono::DateTime::parse_from_rfc2822(v) {
            Ok(date) => date.timestamp_millis() - made(reply, now),
            Err(_) => 1_000,
        },
    };
    u64::try_from(wait.clamp(0, MOST_MS)).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests {
    use super::*;

    /// 2024-03-14 08:00:00 UTC.
    const NOW: Ts = Ts(1_710_403_200_000);

    fn reply(headers: &[(&str, &str)]) -> Reply {
        let mut reply = Reply::recorded(200, "application/json", bytes::Bytes::new());
        reply.headers.extend(headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        reply
    }

    fn brake(headers: &[(&str, &str)]) -> Option<i64> {
        let quota = Quota::of(&reply(headers), &ReplyForm::default(), NOW)?;
        quota.brake(NOW).map(|t| t.0 - NOW.0)
    }

    #[test]
    fn nothing_left_waits_until_it_is_renewed() {
        let left = ("X-RateLimit-Remaining", "0");
        assert_eq!(brake(&[left, ("X-RateLimit-Reset", "30")]), Some(30_000));
        assert_eq!(brake(&[left, ("X-RateLimit-Reset", "1710403245")]), Some(45_000));
        assert_eq!(brake(&[left, ("X-RateLimit-Reset", "1710403245500")]), Some(45_500));
        // By the clock that wrote it, which is a minute fast.
        let date = ("Date", "Thu, 14 Mar 2024 08:01:00 GMT");
        assert_eq!(brake(&[left, ("X-RateLimit-Reset", "1710403290"), date]), Some(30_000));
        assert_eq!(brake(&[("RateLimit-Remaining", "0"), ("RateLimit-Reset", "7")]), Some(7_000));
        assert_eq!(brake(&[("RateLimit", "limit=100, remaining=0, reset=50")]), Some(50_000));
        assert_eq!(brake(&[("RateLimit", r#""burst";r=5;t=1, "day";r=0;t=900"#)]), Some(900_000));
        // In the past, absurd, or not said when.
        assert_eq!(brake(&[left, ("X-RateLimit-Reset", "1710403199")]), None);
        assert_eq!(brake(&[left, ("X-RateLimit-Reset", "99999999")]), Some(3_600_000));
        assert_eq!(brake(&[left]), None);
        assert_eq!(brake(&[left, ("X-RateLimit-Reset", "soon")]), None);
    }

    #[test]
    fn little_left_is_spread_over_the_time_until_then() {
        let all = |limit, left, reset| {
            brake(&[("ratelimit-limit", limit), ("ratelimit-remaining", left), ("ratelimit-reset", reset)])
        };
        assert_eq!(all("100", "50", "60"), None);
        assert_eq!(all("100, 100;w=60", "9", "60"), Some(6_000));
        assert_eq!(all("5000", "9", "36000"), None, "a day's budget may be used up");
        assert_eq!(brake(&[("RateLimit", r#""default";r=1;t=10"#)]), Some(5_000));
        assert_eq!(brake(&[("RateLimit", r#""default";r=50;t=10"#)]), None);
    }

    #[test]
    fn a_manifest_may_name_its_own_headers() {
        let form = ReplyForm {
            rate_remaining: vec!["X-Call-Left".into()],
            rate_reset: vec!["X-Call-Renew".into()],
            ..ReplyForm::default()
        };
        let seen = reply(&[("x-call-left", "0"), ("x-call-renew", "12"), ("x-ratelimit-remaining", "7")]);
        let quota = Quota::of(&seen, &form, NOW).unwrap();
        assert_eq!(quota.brake(NOW), Some(NOW.plus_ms(12_000)));
    }

    #[test]
    fn retry_after_in_seconds_or_as_a_date() {
        let after = |v, date| retry_after(&reply(&[("Retry-After", v), ("Date", date)]), NOW);
        let date = "Thu, 14 Mar 2024 08:00:00 GMT";
        assert_eq!(after("20", date), Some(20_000));
        assert_eq!(after("999999", date), Some(3_600_000));
        assert_eq!(after("Thu, 14 Mar 2024 08:00:09 GMT", date), Some(9_000));
        assert_eq!(after("Thu, 14 Mar 2024 07:00:00 GMT", date), Some(0));
        assert_eq!(after("later", date), Some(1_000));
        assert_eq!(retry_after(&reply(&[]), NOW), None);
    }
}
