//! At which moment of its life a process is killed.

use std::time::Duration;

use crate::proxy::{Sent, Then, Trap};
use heliu_testkit::rng::Rng;

/// A moment.
#[derive(Debug, Clone, Copy)]
pub enum Moment {
    /// So long after its start: while it reads its files and opens the ledger.
    StartUp(Duration),
    /// So long after its start, anywhere in its life.
    AnyTime(Duration),
    /// So long after a request to renew a token has arrived at a platform; before it is answered, or about then.
    Refresh(Duration, bool),
    /// So long after a platform has answered so many more calls: a page is being stored then.
    Page(u64, Duration),
    /// At a statement: before the database has seen it, or after it was done and before the answer.
    Statement(Trap),
    /// At a delivery over HTTP: the so-manieth, before it was taken or after.
    Delivery(u64, bool),
    /// So long after the database's answer to a statement: the batch is being settled.
    Settle(Trap, Duration),
    /// At the so-manieth passage of a fail point: the process ends itself.
    Point(&'static str, u64),
}

fn ms(rng: &mut Rng, most: u64) -> Duration {
    Duration::from_micros(rng.below(most * 1_000))
}

impl Moment {
    /// One of them; `usual` is how long a life takes that is not cut short.
    pub fn pick(rng: &mut Rng, usual: Duration) -> Moment {
        let usual = u64::try_from(usual.as_millis()).unwrap_or(1_000).clamp(100, 5_000);
        let sent = *rng.pick(&[Sent::Write, Sent::Write, Sent::Write, Sent::Commit, Sent::Execute]);
        let nth = rng.between(1, 4);
        match rng.below(100) {
            0..8 => Moment::StartUp(ms(rng, 60)),
            8..30 => Moment::AnyTime(ms(rng, usual)),
            30..42 => Moment::Refresh(ms(rng, 8), rng.chance(50)),
            42..58 => Moment::Page(rng.between(1, 12), ms(rng, 6)),
            58..66 => Moment::Statement(Trap { at: sent, nth, then: Then::HoldBefore }),
            66..78 => Moment::Statement(Trap { at: sent, nth, then: Then::HoldAfter }),
            78..83 => Moment::Delivery(nth, false),
            83..88 => Moment::Delivery(nth, true),
            _ => Moment::Settle(Trap { at: sent, nth, then: Then::Tell }, ms(rng, 6)),
        }
    }

    /// Its name, for counting.
    pub fn name(&self) -> &'static str {
        match self {
            Moment::StartUp(_) => "start-up",
            Moment::AnyTime(_) => "any time",
            Moment::Refresh(..) => "token refresh",
            Moment::Page(..) => "page",
            Moment::Statement(t) if t.then == Then::HoldBefore => "before a statement",
            Moment::Statement(_) => "after a statement",
            Moment::Delivery(_, false) => "before a delivery",
            Moment::Delivery(_, true) => "after a delivery",
            Moment::Settle(..) => "settlement",
            Moment::Point(..) => "fail point",
        }
    }
}
