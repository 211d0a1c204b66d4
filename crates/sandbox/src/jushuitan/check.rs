//! The checks before an API does its work, and what a refused call is told.

use std::collections::VecDeque;

use crate::log::Verdict;

/// A call that is not served: what the log says, the business code and the platform's words.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) verdict: Verdict,
    pub(crate) code: i64,
    pub(crate) words: String,
    pub(crate) http: u16,
}

impl Refusal {
    pub(crate) fn new(verdict: Verdict, code: i64, words: impl Into<String>) -> Self {
        Refusal { verdict, code, words: words.into(), http: 200 }
    }

    pub(crate) fn http(mut self, status: u16) -> Self {
        self.http = status;
        self
    }

    /// A business parameter that cannot be used.
    pub(crate) fn parameter(what: impl std::fmt::Display) -> Self {
        Refusal::new(Verdict::Parameter, 130, format!("参数无法转换，参数错误：{what}"))
    }

    pub(crate) fn token() -> Self {
        Refusal::new(Verdict::Token, 100, words(100))
    }
}

/// The platform's words for a code.
pub(crate) fn words(code: i64) -> String {
    match code {
        10 => "验证失败！无效签名",
        100 => "验证失败！无效的access_token或access_token已过期",
        130 => "参数无法转换，参数错误",
        140 => "验证失败！无效的timestamp，请求最大时间误差15分钟",
        150 => "服务商应用禁止刷新access_token,需商户重新授权",
        190 => "验证失败！无API权限，请申请API权限",
        199 => "调用频次超过限制!请稍后再试",
        200 => "调用频次超过限制",
        -1 => "系统繁忙，请稍后重试",
        other => return format!("错误 {other}"),
    }
    .to_owned()
}

/// One check of a business call. The real order is not published, so it can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// All seven fields are there (130).
    Fields,
    /// Unix seconds within 15 minutes (140).
    Timestamp,
    /// The form's signature (10).
    Signature,
    /// The access token is known and lives (100).
    Token,
    /// The caller's address is on the list, if there is one (110).
    Address,
    /// The application may call this API (190).
    Permission,
    /// Not too many calls (199, 200).
    Rate,
}

impl Check {
    /// The order used unless another is set.
    pub const ORDER: [Check; 7] = [
        Check::Fields,
        Check::Timestamp,
        Check::Signature,
        Check::Token,
        Check::Address,
        Check::Permission,
        Check::Rate,
    ];
}

/// Seconds that a timestamp may be off.
pub(crate) const TOLERANCE: i64 = 15 * 60;

/// Checks a timestamp field.
pub(crate) fn timestamp(text: Option<&str>, now: i64) -> Result<(), Refusal> {
    let given = text.and_then(|t| t.parse::<i64>().ok());
    match given {
        Some(t) if (t - now).abs() <= TOLERANCE => Ok(()),
        _ => Err(Refusal::new(Verdict::Timestamp, 140, words(140))),
    }
}

/// Sliding windows over all calls of the application, refused ones included.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    arrivals: VecDeque<i64>,
}

impl Rate {
    /// Notes a call at `now` (milliseconds).
    pub(crate) fn note(&mut self, now: i64) {
        while self.arrivals.front().is_some_and(|t| now - t >= 60_000) {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back(now);
    }

    /// Judges the call noted last. A limit of 0 is none.
    pub(crate) fn judge(&self, now: i64, per_second: u32, per_minute: u32) -> Result<(), Refusal> {
        let recent = self.arrivals.iter().rev().take_while(|t| now - **t < 1000).count();
        if per_second > 0 && recent > per_second as usize {
            return Err(Refusal::new(Verdict::RateSecond, 199, words(199)));
        }
        if per_minute > 0 && self.arrivals.len() > per_minute as usize {
            return Err(Refusal::new(Verdict::RateMinute, 200, words(200)));
        }
        Ok(())
    }
}
