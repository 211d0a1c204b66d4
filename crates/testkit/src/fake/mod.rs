//! A platform and a target in memory, which do what a test tells them to.

mod source;
mod target;

pub use source::{Act, FakeSource, Row, Shelf};
pub use target::{Did, Entry, FakeTarget, Table, lost};

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use chrono_tz::Tz;
use heliu_engine::{PlanSpec, Renderer};
use heliu_model::ports::RowBody;
use heliu_model::record::Policy;
use heliu_model::walk::Verify;
use heliu_model::{Failure, Ts, Window, text};
use heliu_transform::Value;

/// Something that test and fake share.
pub type Shared<T> = Arc<Mutex<T>>;

/// Shares a thing.
pub fn shared<T>(thing: T) -> Shared<T> {
    Arc::new(Mutex::new(thing))
}

/// Looks into a shared thing.
pub fn with<T, R>(thing: &Shared<T>, look: impl FnOnce(&mut T) -> R) -> R {
    look(&mut thing.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A plan over the fakes, with the defaults of interface §2.2.
pub fn spec() -> PlanSpec {
    PlanSpec {
        name: "orders".into(),
        uuid: "7d3c0c1e-0000-5000-8000-000000000001".into(),
        tz: Tz::UTC,
        start: Some(Ts(0)),
        lookback_ms: 600_000,
        settle_ms: 0,
        window_ms: None,
        windowed: true,
        batch: 1_000,
        retries: 3,
        max_attempts: 10,
        policy: Policy::default(),
        verify: Verify::Auto,
        connectors: Vec::new(),
    }
}

/// Hands the content over as it is; a record whose content says `"unfit":true` cannot be rendered.
pub struct Whole;

impl Renderer for Whole {
    fn render(&self, _window: &Window, content: &Bytes) -> Result<RowBody, Failure> {
        let text = String::from_utf8_lossy(content).into_owned();
        if text.contains("\"unfit\":true") {
            return Err(Failure::data("HL-2210", text!("cannot be rendered", "无法渲染")).at("name"));
        }
        Ok(RowBody::Columns(vec![Value::from(text)]))
    }
}
