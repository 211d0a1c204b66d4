//! The engine: fetches pages, stores them, writes what is due, settles, and proves that nothing was lost.
//!
//! It sees ports only. Every decision that takes time (waiting, repeating, giving up, resuming) is made here; the
//! class of a failure alone decides which (design §3). A crash between any two steps repeats the step, except
//! between announcing a write and settling it: such an intent is resolved at the next start.

mod alerts;
mod dialect;
mod fetch;
mod heart;
mod progress;
mod read;
mod remedy;
mod retention;
mod run;
mod scheduler;
mod spec;
mod write;

pub use alerts::{Alarm, Delivered, LATE_MS, Overdue, deliver};
pub use dialect::{DialectRenderer, DialectShaper};
pub use progress::{Progress, Silent};
pub use retention::retain;
pub use run::{Engine, Sides};
pub use scheduler::{
    Agenda, Change, Finish, PlanTimes, Runnable, Scheduler, SkippedTicks, Start, Watcher, Workshop, circle,
};
pub use spec::{Gathered, PlanSpec, Renderer, RunOptions, Shaper, Stop, Written};
