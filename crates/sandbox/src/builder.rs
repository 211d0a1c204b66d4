//! Settings of a stand-in before it starts.

use std::net::IpAddr;
use std::time::Duration;

use heliu_transform::text;
use tokio::net::ToSocketAddrs;

use crate::bench::Bench;
use crate::clock::Clock;
use crate::error::SandboxError;
use crate::faults::Faults;
use crate::jushuitan::{Check, Credentials, Jushuitan, Options, TokenMode, TokenRules};
use crate::other::{Common, Other};
use crate::rng::Rng;
use crate::server::{Sandbox, StandIn};

/// A stand-in to be. Made by [`Sandbox::builder`].
#[derive(Debug, Clone)]
pub struct Builder {
    platform: String,
    records: Option<u32>,
    shops: Option<u32>,
    seed: u64,
    faults: Faults,
    latency: Duration,
    limits: Option<(u32, u32)>,
    clock: Clock,
    credentials: Option<Credentials>,
    tokens: TokenRules,
    auth_code: Option<String>,
    order: Vec<Check>,
    is_sign_lenient: bool,
    addresses: Vec<IpAddr>,
    denied: Vec<String>,
    storm_length: u32,
    slow: Duration,
    spread: Duration,
    until: Option<i64>,
}

impl Builder {
    pub(crate) fn new(platform: &str) -> Self {
        Builder {
            platform: platform.to_owned(),
            records: None,
            shops: None,
            seed: 1,
            faults: Faults::none(),
            latency: Duration::ZERO,
            limits: None,
            clock: Clock::system(),
            credentials: None,
            tokens: TokenRules {
                mode: TokenMode::Rotate,
                life: 2_592_000,
                refresh_life: 2 * 2_592_000,
                is_refresh_omitted: false,
            },
            auth_code: None,
            order: Check::ORDER.to_vec(),
            is_sign_lenient: false,
            addresses: Vec::new(),
            denied: Vec::new(),
            storm_length: 5,
            slow: Duration::from_secs(3),
            spread: Duration::from_secs(3 * 86_400),
            until: None,
        }
    }

    /// Number of orders (1 000; the bench source 100 000). There is one shop for every four orders, 12 to 1 000.
    #[must_use]
    pub fn records(mut self, records: u32) -> Self {
        self.records = Some(records);
        self
    }

    /// Number of shops.
    #[must_use]
    pub fn shops(mut self, shops: u32) -> Self {
        self.shops = Some(shops);
        self
    }

    /// The seed (1) of data, credentials and dice: the same seed gives the same stand-in.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// What goes wrong on purpose.
    #[must_use]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// Wait before every answer.
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Calls per second before throttling; the limit per minute becomes sixty times that. 0 lifts both.
    #[must_use]
    pub fn limit_rps(self, per_second: u32) -> Self {
        self.limits(per_second, per_second.saturating_mul(60))
    }

    /// Calls per second (5) and per minute (100) before throttling; 0 is no limit. The bench source has none by default.
    #[must_use]
    pub fn limits(mut self, per_second: u32, per_minute: u32) -> Self {
        self.limits = Some((per_second, per_minute));
        self
    }

    /// Where the stand-in gets the time from.
    #[must_use]
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Application and first tokens, instead of those made from the seed.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// What a refresh does ([`TokenMode::Rotate`]).
    #[must_use]
    pub fn token_mode(mut self, mode: TokenMode) -> Self {
        self.tokens.mode = mode;
        self
    }

    /// Lifetimes of access token (30 days) and refresh token (60 days).
    #[must_use]
    pub fn token_life(mut self, access: Duration, refresh: Duration) -> Self {
        let seconds = |d: Duration| i64::try_from(d.as_secs()).unwrap_or(i64::MAX / 2_000);
        self.tokens.life = seconds(access);
        self.tokens.refresh_life = seconds(refresh);
        self
    }

    /// Answers of a refresh carry no refresh token; the old one stays valid.
    #[must_use]
    pub fn omit_refresh_token(mut self, is_omitted: bool) -> Self {
        self.tokens.is_refresh_omitted = is_omitted;
        self
    }

    /// The code that `/openWeb/auth/accessToken` takes.
    #[must_use]
    pub fn auth_code(mut self, code: &str) -> Self {
        self.auth_code = Some(code.to_owned());
        self
    }

    /// The checks of a business call and their order ([`Check::ORDER`]); one that is left out is not made.
    #[must_use]
    pub fn check_order(mut self, order: impl IntoIterator<Item = Check>) -> Self {
        self.order = order.into_iter().collect();
        self
    }

    /// Accepts upper-case signatures too.
    #[must_use]
    pub fn lenient_sign(mut self, is_lenient: bool) -> Self {
        self.is_sign_lenient = is_lenient;
        self
    }

    /// Serves these addresses only (110 to others).
    #[must_use]
    pub fn allow_addresses(mut self, list: impl IntoIterator<Item = IpAddr>) -> Self {
        self.addresses = list.into_iter().collect();
        self
    }

    /// Takes the permission for a path away (190).
    #[must_use]
    pub fn deny(mut self, path: &str) -> Self {
        self.denied.push(path.to_owned());
        self
    }

    /// Calls that one storm throttles (5).
    #[must_use]
    pub fn storm_length(mut self, calls: u32) -> Self {
        self.storm_length = calls;
        self
    }

    /// How late the first byte of a slow answer comes (3 s).
    #[must_use]
    pub fn slow(mut self, wait: Duration) -> Self {
        self.slow = wait;
        self
    }

    /// Time from the first order's stamp to the last one's (3 days).
    #[must_use]
    pub fn spread(mut self, spread: Duration) -> Self {
        self.spread = spread;
        self
    }

    /// The last order's stamp, in seconds since 1970 (two minutes before the start).
    #[must_use]
    pub fn until(mut self, seconds: i64) -> Self {
        self.until = Some(seconds);
        self
    }

    /// Starts the stand-in on `addr` (port 0: any free one) in the current tokio runtime. It ends when the
    /// [`Sandbox`] is dropped.
    ///
    /// # Errors
    /// `HL-8001` for an unknown platform, `HL-8003` where the address cannot be listened on.
    pub async fn listen(self, addr: impl ToSocketAddrs + std::fmt::Display) -> Result<Sandbox, SandboxError> {
        let known = crate::known::find(&self.platform).ok_or_else(|| unknown(&self.platform))?;
        let (clock, latency) = (self.clock.clone(), self.latency);
        let stand_in = match known.name {
            "bench" => {
                let (per_second, _) = self.limits.unwrap_or((0, 0));
                StandIn::Bench(Bench::new(
                    self.seed,
                    self.records.unwrap_or(100_000),
                    per_second,
                    clock.clone(),
                ))
            }
            "jushuitan" => StandIn::Jushuitan(Box::new(Jushuitan::new(self.options(), clock.clone()))),
            name => StandIn::Other(Box::new(Other::new(name, self.common(), clock.clone()))),
        };
        Sandbox::start(known, stand_in, clock, latency, addr).await
    }

    /// Settings of the stand-ins beside 聚水潭.
    fn common(self) -> Common {
        let now = self.clock.seconds();
        Common {
            seed: self.seed,
            records: self.records.unwrap_or(200),
            limits: self.limits.unwrap_or((0, 0)),
            faults: self.faults,
            slow: self.slow,
            storm_length: self.storm_length,
            until: self.until.unwrap_or(now - 120),
            spread: i64::try_from(self.spread.as_secs()).unwrap_or(86_400),
            life: (self.tokens.life != 2_592_000).then_some(self.tokens.life),
        }
    }

    fn options(self) -> Options {
        let records = self.records.unwrap_or(1_000);
        let (per_second, per_minute) = self.limits.unwrap_or((5, 100));
        let mut rng = Rng::of(self.seed, 0xC0, 0);
        Options {
            credentials: self.credentials.unwrap_or_else(|| Credentials {
                app_key: rng.hex32(),
                app_secret: rng.hex32(),
                access_token: rng.hex32(),
                refresh_token: rng.hex32(),
            }),
            tokens: self.tokens,
            auth_code: self.auth_code.unwrap_or_else(|| rng.hex32()),
            per_second,
            per_minute,
            order: self.order,
            is_sign_lenient: self.is_sign_lenient,
            addresses: self.addresses,
            denied: self.denied.into_iter().collect(),
            faults: self.faults,
            storm_length: self.storm_length,
            slow: self.slow,
            seed: self.seed,
            records,
            shops: self.shops.unwrap_or((records / 4).clamp(12, 1_000)),
            spread: i64::try_from(self.spread.as_secs()).unwrap_or(86_400),
            until: self.until,
        }
    }
}

fn unknown(name: &str) -> SandboxError {
    let names = crate::known::KNOWN.iter().map(|k| k.name).collect::<Vec<_>>().join(", ");
    SandboxError::new(
        SandboxError::UNKNOWN_PLATFORM,
        text!(
            "there is no sandbox of `{name}`; there are {names}",
            "没有 `{name}` 的沙箱；可用的有：{names}"
        ),
    )
}
