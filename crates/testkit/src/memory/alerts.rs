//! Alerts and their notices.

use async_trait::async_trait;
use heliu_model::alert::{Alert, Notice};
use heliu_model::ports::*;
use heliu_model::{Failure, Ts};

use super::{MemoryLedger, State};

#[derive(Clone)]
pub(super) struct Pending {
    id: i64,
    alert: i64,
    recovery: bool,
    channel: String,
    since: Ts,
    due: Ts,
    tries: u32,
}

impl State {
    fn tell(&mut self, alert: i64, recovery: bool, channels: &[String], now: Ts) {
        for channel in channels {
            self.last_notice += 1;
            let (id, channel) = (self.last_notice, channel.clone());
            self.notices.push(Pending { id, alert, recovery, channel, since: now, due: now, tries: 0 });
        }
    }

    fn take(&mut self, channel: &str, now: Ts, until: Ts, limit: usize) -> Vec<Notice> {
        let mut out = Vec::new();
        for n in self.notices.iter_mut().filter(|n| n.channel == channel && n.due <= now).take(limit) {
            let Some(alert) = self.alerts.iter().find(|a| a.id == n.alert) else { continue };
            out.push(Notice {
                id: n.id,
                alert: alert.clone(),
                recovery: n.recovery,
                since: n.since,
                tries: n.tries,
            });
            n.due = until;
            n.tries += 1;
        }
        out
    }
}

#[async_trait]
impl Alerts for MemoryLedger {
    async fn observe(&self, seen: &Observation, now: Ts) -> Result<Observed, Failure> {
        let mut state = self.lock();
        let mut out = Observed::default();
        for trouble in &seen.troubles {
            let open = state.alerts.iter_mut().find(|a| a.closed.is_none() && a.trouble.key == trouble.key);
            if let Some(alert) = open {
                alert.trouble = trouble.clone();
                alert.times += 1;
                alert.last = now;
                continue;
            }
            let id = state.alerts.len() as i64 + 1;
            let alert =
                Alert { id, trouble: trouble.clone(), opened: now, last: now, times: 1, closed: None };
            state.alerts.push(alert.clone());
            state.tell(id, false, &seen.channels, now);
            out.opened.push(alert);
        }
        for alert in state.alerts.iter_mut().filter(|a| a.closed.is_none()) {
            let key = &alert.trouble.key;
            let judged = seen.judged.contains(key) || seen.judged_kind == Some(alert.trouble.kind);
            if judged && !seen.troubles.iter().any(|t| t.key == *key) {
                alert.closed = Some(now);
                out.closed.push(alert.clone());
            }
        }
        for alert in &out.closed {
            state.tell(alert.id, true, &seen.channels, now);
        }
        Ok(out)
    }

    async fn alerts(&self, filter: &AlertFilter) -> Result<Vec<Alert>, Failure> {
        let state = self.lock();
        let most = if filter.limit == 0 { usize::MAX } else { filter.limit };
        Ok(state
            .alerts
            .iter()
            .rev()
            .filter(|a| !filter.open_only || a.closed.is_none())
            .filter(|a| filter.plan.as_ref().is_none_or(|p| a.trouble.plan == *p))
            .take(most)
            .cloned()
            .collect())
    }

    async fn close_alert(&self, id: i64, now: Ts) -> Result<bool, Failure> {
        let mut state = self.lock();
        let open = state.alerts.iter_mut().find(|a| a.id == id && a.closed.is_none());
        Ok(open.map(|a| a.closed = Some(now)).is_some())
    }

    async fn take_notices(
        &self,
        channel: &str,
        now: Ts,
        until: Ts,
        limit: usize,
    ) -> Result<Vec<Notice>, Failure> {
        Ok(self.lock().take(channel, now, until, limit))
    }

    async fn settle_notices(&self, ids: &[i64], what: Sending) -> Result<(), Failure> {
        let mut state = self.lock();
        match what {
            Sending::Again(at) => {
                state.notices.iter_mut().filter(|n| ids.contains(&n.id)).for_each(|n| n.due = at);
            }
            Sending::Arrived | Sending::GivenUp => state.notices.retain(|n| !ids.contains(&n.id)),
        }
        Ok(())
    }
}
