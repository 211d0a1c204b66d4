//! Access and refresh tokens: lifetimes and rotation.

use crate::rng::Rng;

/// What a refresh does to the pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenMode {
    /// New texts; the old pair is dead at once.
    #[default]
    Rotate,
    /// New texts; the old pair lives on for this many seconds.
    Overlap(u32),
    /// The same texts with a new term.
    Prolong,
    /// A service provider's application: refreshing is refused with code 150.
    Isv,
}

/// One pair; times in milliseconds since 1970.
#[derive(Debug, Clone)]
struct Pair {
    access: String,
    access_until: i64,
    refresh: String,
    refresh_until: i64,
}

/// What a token call answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) access: String,
    pub(crate) refresh: Option<String>,
    /// Seconds left.
    pub(crate) expires_in: i64,
}

/// Settings of the token state.
#[derive(Debug, Clone)]
pub(crate) struct TokenRules {
    pub(crate) mode: TokenMode,
    /// Seconds an access token lives.
    pub(crate) life: i64,
    /// Seconds a refresh token lives.
    pub(crate) refresh_life: i64,
    /// Answers of a refresh carry no refresh token; the old one stays.
    pub(crate) is_refresh_omitted: bool,
}

#[derive(Debug)]
pub(crate) struct Tokens {
    rules: TokenRules,
    pairs: Vec<Pair>,
    rng: Rng,
}

impl Tokens {
    pub(crate) fn new(rules: TokenRules, access: &str, refresh: &str, seed: u64, now: i64) -> Self {
        let first = Pair {
            access: access.to_owned(),
            access_until: now + rules.life * 1000,
            refresh: refresh.to_owned(),
            refresh_until: now + rules.refresh_life * 1000,
        };
        Tokens { rules, pairs: vec![first], rng: Rng::of(seed, 0x70, 1) }
    }

    pub(crate) fn is_valid(&self, access: &str, now: i64) -> bool {
        self.pairs.iter().any(|p| p.access == access && now < p.access_until)
    }

    /// The newest pair's texts.
    pub(crate) fn newest(&self) -> (String, String) {
        self.pairs.last().map(|p| (p.access.clone(), p.refresh.clone())).unwrap_or_default()
    }

    /// A refresh; `None` when the refresh token is unknown, dead or expired.
    pub(crate) fn refresh(&mut self, refresh: &str, now: i64) -> Option<Granted> {
        let at = self.pairs.iter().position(|p| p.refresh == refresh && now < p.refresh_until)?;
        let omitted = self.rules.is_refresh_omitted;
        if self.rules.mode == TokenMode::Prolong {
            let (life, refresh_life) = (self.rules.life, self.rules.refresh_life);
            let pair = self.pairs.get_mut(at)?;
            pair.access_until = now + life * 1000;
            pair.refresh_until = now + refresh_life * 1000;
            let refresh = (!omitted).then(|| pair.refresh.clone());
            return Some(Granted { access: pair.access.clone(), refresh, expires_in: life });
        }
        let kept = omitted.then(|| refresh.to_owned());
        Some(self.replace(kept, now))
    }

    /// A first grant (or a new one after complete expiry).
    pub(crate) fn grant(&mut self, now: i64) -> Granted {
        let valid = self.pairs.iter().find(|p| now < p.access_until);
        if let (TokenMode::Prolong, Some(pair)) = (self.rules.mode, valid) {
            // Asking again while the grant lives gives the same pair with what is left of its term.
            return Granted {
                access: pair.access.clone(),
                refresh: Some(pair.refresh.clone()),
                expires_in: (pair.access_until - now) / 1000,
            };
        }
        self.replace(None, now)
    }

    fn replace(&mut self, kept_refresh: Option<String>, now: i64) -> Granted {
        let grace = match self.rules.mode {
            TokenMode::Overlap(seconds) => i64::from(seconds) * 1000,
            _ => 0,
        };
        for pair in &mut self.pairs {
            pair.access_until = pair.access_until.min(now + grace);
            pair.refresh_until = pair.refresh_until.min(now + grace);
        }
        self.pairs.retain(|p| now < p.access_until || now < p.refresh_until);
        let is_kept = kept_refresh.is_some();
        let pair = Pair {
            access: self.rng.hex32(),
            access_until: now + self.rules.life * 1000,
            refresh: kept_refresh.unwrap_or_else(|| self.rng.hex32()),
            refresh_until: now + self.rules.refresh_life * 1000,
        };
        let granted = Granted {
            access: pair.access.clone(),
            refresh: (!is_kept).then(|| pair.refresh.clone()),
            expires_in: self.rules.life,
        };
        self.pairs.push(pair);
        granted
    }

    /// Every access token ends now; refresh tokens stay.
    pub(crate) fn expire_access(&mut self, now: i64) {
        for pair in &mut self.pairs {
            pair.access_until = pair.access_until.min(now);
        }
    }

    /// Every refresh token ends now; access tokens stay.
    pub(crate) fn revoke_refresh(&mut self, now: i64) {
        for pair in &mut self.pairs {
            pair.refresh_until = pair.refresh_until.min(now);
        }
    }
}
