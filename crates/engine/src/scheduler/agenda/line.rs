//! One line of a plan's timetable: what is due of it, and when it is looked at again.

use heliu_model::Ts;
use heliu_model::ports::Trigger;
use heliu_model::schedule::{Due, Missed, Schedule};

use super::{GRACE_MS, SkippedTicks};

#[derive(Debug)]
pub(super) struct Line {
    pub trigger: Trigger,
    pub schedule: Option<Schedule>,
    pub shift_ms: i64,
    pub answered: Ts,
    pub owed: Option<Ts>,
    pub failures: u32,
    /// Not before this instant (somebody else is at it).
    pub hold: Option<Ts>,
    /// When the plan that this one follows last went through.
    pub ended: Option<Ts>,
    /// To be started: tick, planned instant, passed over.
    pub due: Option<(Ts, Ts, u64)>,
    /// When it is looked at again.
    pub wake: Option<Ts>,
}

impl Line {
    /// Decides what is due, or when to look again.
    pub fn decide(
        &mut self,
        tz: chrono_tz::Tz,
        missed: Missed,
        now: Ts,
        plan: &str,
        skipped: &mut Vec<SkippedTicks>,
    ) {
        self.wake = None;
        if let Some(hold) = self.hold.filter(|h| *h > now) {
            self.wake = Some(hold);
            return;
        }
        if let Some(owed) = self.owed.filter(|o| *o <= now) {
            self.due = Some((self.answered, owed, 0));
            return;
        }
        let next = match &self.schedule {
            // Another plan's end starts this one.
            None => {
                if let Some(ended) = self.ended.filter(|e| *e > self.answered) {
                    self.due = Some((ended, ended, 0));
                    return;
                }
                None
            }
            // Whatever is owed goes first; ticks that come meanwhile are answered with it.
            Some(schedule) if self.owed.is_some() => schedule.next(now.plus_ms(-self.shift_ms), tz),
            Some(schedule) => {
                let shifted = now.plus_ms(-self.shift_ms);
                match schedule.due(tz, self.answered, shifted, missed, GRACE_MS) {
                    Due::Tick { tick, passed_over } => {
                        self.due = Some((tick, tick.plus_ms(self.shift_ms), passed_over));
                        return;
                    }
                    Due::Skipped { upto, missed, next } => {
                        skipped.push(SkippedTicks { plan: plan.to_owned(), trigger: self.trigger, missed });
                        self.answered = upto;
                        next
                    }
                    Due::Nothing { next } => next,
                }
            }
        };
        let next = next.map(|t| t.plus_ms(self.shift_ms));
        self.wake = [self.owed, next].into_iter().flatten().min();
    }
}
