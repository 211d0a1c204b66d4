//! 聚水潭's open API, version 2: signed form calls, business errors under HTTP 200.

mod biz;
mod change;
mod check;
mod form;
mod orders;
mod page;
mod query;
mod rows;
mod serve;
mod tables;
mod token;
mod upload;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

pub use change::{Kind, Mutation};
pub use check::Check;
pub use form::sign;
pub(crate) use serve::Call;
pub use token::TokenMode;
pub(crate) use token::TokenRules;

use crate::clock::Clock;
use crate::faults::{Armed, Fault, Faults};
use check::Rate;
use orders::Orders;
use rows::Recipe;
use tables::Table;
use token::Tokens;
use upload::Uploads;

/// What a client needs to call the stand-in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Credentials {
    /// The application.
    pub app_key: String,
    /// Its secret.
    pub app_secret: String,
    /// The newest access token.
    pub access_token: String,
    /// The newest refresh token.
    pub refresh_token: String,
}

/// Settings of the stand-in.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) credentials: Credentials,
    pub(crate) tokens: TokenRules,
    /// What `/openWeb/auth/accessToken` takes as code.
    pub(crate) auth_code: String,
    /// 0: no limit.
    pub(crate) per_second: u32,
    pub(crate) per_minute: u32,
    pub(crate) order: Vec<Check>,
    pub(crate) is_sign_lenient: bool,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) denied: BTreeSet<String>,
    pub(crate) faults: Faults,
    pub(crate) storm_length: u32,
    pub(crate) slow: Duration,
    pub(crate) seed: u64,
    pub(crate) records: u32,
    pub(crate) shops: u32,
    /// Seconds from the first order's stamp to the last.
    pub(crate) spread: i64,
    /// The last order's stamp; `None`: two minutes before the start.
    pub(crate) until: Option<i64>,
}

/// The data sets.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) orders: Orders,
    pub(crate) shops: Table,
    skus: Table,
    inventory: Table,
    partners: Table,
}

/// What calls change.
#[derive(Debug)]
struct State {
    tokens: Tokens,
    rate: Rate,
    armed: Armed,
    /// Calls that the running storm still throttles.
    storm_left: u32,
    is_storming: bool,
    answered: u64,
}

/// The stand-in.
#[derive(Debug)]
pub(crate) struct Jushuitan {
    options: Options,
    clock: Clock,
    data: RwLock<Data>,
    state: Mutex<State>,
    uploads: Mutex<Uploads>,
}

impl Jushuitan {
    pub(crate) fn new(options: Options, clock: Clock) -> Self {
        let (now, seed) = (clock.seconds(), options.seed);
        // A little before now, so that a client that leaves the youngest minute alone still sees every order.
        let until = options.until.unwrap_or(now - 120);
        let armed = Armed::new(&options.faults, seed);
        let recipe = Recipe { seed, shops: options.shops, is_colliding: armed.is_mode(Fault::Collide) };
        let data = Data {
            orders: Orders::new(recipe, options.records, until - options.spread, options.spread),
            shops: tables::shops(options.shops, seed, until),
            skus: tables::skus(seed, until),
            inventory: tables::inventory(seed, until),
            partners: tables::partners(),
        };
        let c = &options.credentials;
        let state = State {
            tokens: Tokens::new(options.tokens.clone(), &c.access_token, &c.refresh_token, seed, now * 1000),
            rate: Rate::default(),
            armed,
            storm_left: 0,
            is_storming: false,
            answered: 0,
        };
        Jushuitan {
            clock,
            data: RwLock::new(data),
            state: Mutex::new(state),
            uploads: Mutex::default(),
            options,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn uploaded(&self) -> MutexGuard<'_, Uploads> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn data(&self) -> RwLockReadGuard<'_, Data> {
        self.data.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn data_mut(&self) -> RwLockWriteGuard<'_, Data> {
        self.data.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The application with the newest pair of tokens.
    pub(crate) fn credentials(&self) -> Credentials {
        let (access_token, refresh_token) = self.state().tokens.newest();
        Credentials { access_token, refresh_token, ..self.options.credentials.clone() }
    }
}
