//! Tokens and budgets.

use std::collections::BTreeSet;

use async_trait::async_trait;
use heliu_model::budget::{
    AHEAD_MS, AT_WORK_MS, Book, FULL, GRACE_MS, LOST_MS, Limits, MOST_HOLD_MS, MOST_WAIT_MS, Pace, Throttle,
    Usage, after_throttle, memory_ms,
};
use heliu_model::ports::*;
use heliu_model::{Failure, Ts};

use super::{MemoryLedger, State};

/// A slot of a budget: under way since `at` while it has an owner, released at `at` without one.
#[derive(Clone)]
pub(super) struct Taken {
    id: i64,
    at: i64,
    owner: Option<String>,
    begun: i64,
    sender: String,
}

#[derive(Clone)]
pub(super) struct Row {
    stored: TokenRow,
    /// Who refreshes, and since when.
    intent: Option<(String, Ts)>,
}

impl Row {
    fn show(&self) -> TokenRow {
        TokenRow { broken_refresh: self.intent.as_ref().map(|i| i.1), ..self.stored.clone() }
    }
}

impl State {
    fn store_pair(&mut self, credential: &str, pair: &TokenPair, origin: Option<&str>, needs: bool, now: Ts) {
        let before = self.tokens.get(credential);
        let stored = TokenRow {
            pair: pair.clone(),
            generation: before.map_or(0, |r| r.stored.generation) + 1,
            origin: origin
                .map(str::to_owned)
                .or_else(|| before.map(|r| r.stored.origin.clone()))
                .unwrap_or_default(),
            broken_refresh: None,
            needs_authorisation: needs,
            stored_at: now,
        };
        self.tokens.insert(credential.to_owned(), Row { stored, intent: None });
    }
}

#[async_trait]
impl Tokens for MemoryLedger {
    async fn load(&self, credential: &str) -> Result<Option<TokenRow>, Failure> {
        Ok(self.lock().tokens.get(credential).map(Row::show))
    }

    async fn adopt(
        &self,
        credential: &str,
        pair: &TokenPair,
        origin: &str,
        now: Ts,
    ) -> Result<TokenRow, Failure> {
        let mut state = self.lock();
        if let Some(row) = state.tokens.get(credential).filter(|r| r.stored.origin == origin) {
            return Ok(row.show());
        }
        state.store_pair(credential, pair, Some(origin), false, now);
        let line = TokenEvent {
            at: now,
            event: "loaded".into(),
            by: "connector file".into(),
            detail: String::new(),
            expires_at: pair.expires_at,
        };
        state.events.push((credential.to_owned(), line));
        Ok(state.tokens[credential].show())
    }

    async fn begin_refresh(
        &self,
        credential: &str,
        generation: u64,
        owner: &str,
        now: Ts,
        stale_ms: u64,
    ) -> Result<RefreshStart, Failure> {
        let mut state = self.lock();
        if !state.tokens.contains_key(credential) {
            state.store_pair(credential, &TokenPair::default(), None, false, now);
            if let Some(row) = state.tokens.get_mut(credential) {
                row.stored.generation = 0;
            }
        }
        let gone = state.gone.clone();
        let row = state.tokens.get_mut(credential).expect("made above");
        if row.stored.generation > generation {
            return Ok(RefreshStart::Newer(row.show()));
        }
        let broken = match &row.intent {
            Some((other, at)) => {
                let fresh = u64::try_from(now.0 - at.0).unwrap_or(0) < stale_ms;
                if other != owner && fresh && !gone.contains(other) {
                    return Ok(RefreshStart::Busy(100));
                }
                true
            }
            None => false,
        };
        row.intent = Some((owner.to_owned(), now));
        Ok(RefreshStart::Yours { broken })
    }

    async fn end_refresh(
        &self,
        credential: &str,
        owner: &str,
        pair: Option<&TokenPair>,
        needs_authorisation: bool,
        event: &TokenEvent,
    ) -> Result<Option<TokenRow>, Failure> {
        let mut state = self.lock();
        state.events.push((credential.to_owned(), event.clone()));
        if let Some(pair) = pair {
            state.store_pair(credential, pair, None, needs_authorisation, event.at);
        } else if let Some(row) = state.tokens.get_mut(credential)
            && row.intent.as_ref().is_some_and(|i| i.0 == owner)
        {
            row.intent = None;
            row.stored.needs_authorisation = needs_authorisation;
        }
        Ok(state.tokens.get(credential).map(Row::show))
    }

    async fn history(&self, credential: &str, limit: usize) -> Result<Vec<TokenEvent>, Failure> {
        let limit = if limit == 0 { usize::MAX } else { limit };
        let state = self.lock();
        let ours = state.events.iter().rev().filter(|(c, _)| c == credential);
        Ok(ours.take(limit).map(|(_, e)| e.clone()).collect())
    }
}

/// A process that waits for a budget, in the order in which they came.
#[derive(Clone)]
pub(super) struct Waiter {
    credential: String,
    owner: String,
    due: i64,
}

impl State {
    fn pace(&mut self, credential: &str, now: Ts) -> Option<Pace> {
        let pace = self.paces.get_mut(credential)?;
        pace.set_back(now);
        Some(*pace)
    }

    /// Until when those were told to wait who came before `owner`.
    fn ahead(&mut self, credential: &str, owner: &str, now: Ts) -> Vec<i64> {
        let gone = &self.gone;
        self.queue.retain(|w| {
            w.credential != credential
                || w.owner == owner
                || (now.0 <= w.due + GRACE_MS
                    && w.due <= now.0 + MOST_WAIT_MS + AHEAD_MS
                    && !gone.contains(&w.owner))
        });
        let ours = self.queue.iter().filter(|w| w.credential == credential);
        ours.take_while(|w| w.owner != owner).map(|w| w.due).collect()
    }
}

#[async_trait]
impl Budget for MemoryLedger {
    async fn reserve(
        &self,
        credential: &str,
        limits: &Limits,
        owner: &str,
        now: Ts,
    ) -> Result<Slot, Failure> {
        let mut state = self.lock();
        let state = &mut *state;
        let most = now.plus_ms(MOST_HOLD_MS);
        if let Some(held) = state.holds.get_mut(credential).filter(|t| **t > most.plus_ms(AHEAD_MS)) {
            *held = most;
        }
        let held = state.holds.get(credential).map_or(0, |t| t.0);
        let pace = state.pace(credential, now).filter(|p| p.at(now) < FULL);
        if pace.is_none() {
            state.paces.remove(credential);
        }
        let ahead = state.ahead(credential, owner, now);
        let others = state.queue.iter().any(|w| w.credential == credential && w.owner != owner);
        let slots = state.slots.entry(credential.to_owned()).or_default();
        slots.iter_mut().filter(|s| s.at > now.0 + AHEAD_MS).for_each(|s| s.at = now.0);
        let memory = memory_ms(pace.as_ref(), now);
        slots.retain(|s| s.owner.is_some() || s.at >= now.0 - memory);
        for s in slots.iter_mut().filter(|s| s.owner.is_some() && now.0 - s.at > LOST_MS) {
            (s.at, s.owner) = (now.0, None);
        }
        let sent: Vec<i64> = slots.iter().map(|s| if s.owner.is_some() { now.0 } else { s.at }).collect();
        let last = slots.iter().map(|s| s.begun.min(now.0)).max();
        let at_work = |s: &Taken| s.sender != owner && (s.owner.is_some() || s.at > now.0 - AT_WORK_MS);
        let shared = others || slots.iter().any(at_work);
        let at =
            Book { sent: &sent, limits, pace: pace.as_ref(), held, ahead: &ahead, last, shared }.turn(now);
        let mine = state.queue.iter().position(|w| w.credential == credential && w.owner == owner);
        if at > now.0 {
            match mine.and_then(|i| state.queue.get_mut(i)) {
                Some(w) => w.due = at,
                None => {
                    let (credential, owner) = (credential.to_owned(), owner.to_owned());
                    state.queue.push(Waiter { credential, owner, due: at });
                }
            }
            return Ok(Slot::Wait(Ts(at)));
        }
        if let Some(i) = mine {
            state.queue.remove(i);
        }
        state.last_slot += 1;
        let (id, sender) = (state.last_slot, owner.to_owned());
        slots.push(Taken { id, at, owner: Some(sender.clone()), begun: at, sender });
        Ok(Slot::Go(state.last_slot))
    }

    async fn release(&self, slot: i64, now: Ts) -> Result<(), Failure> {
        let mut state = self.lock();
        let taken = state.slots.values_mut().flatten().find(|s| s.id == slot && s.owner.is_some());
        if let Some(s) = taken {
            (s.at, s.owner) = (now.0, None);
        }
        Ok(())
    }

    async fn hold(&self, credential: &str, until: Ts) -> Result<(), Failure> {
        let mut state = self.lock();
        let held = state.holds.entry(credential.to_owned()).or_insert(until);
        *held = (*held).max(until);
        Ok(())
    }

    async fn slow(&self, credential: &str, limits: &Limits, told: &Throttle, now: Ts) -> Result<Ts, Failure> {
        self.hold(credential, told.until).await?;
        let mut state = self.lock();
        let slots = state.slots.get(credential);
        let lately = slots.map_or(0, |l| l.iter().filter(|s| s.begun > now.0 - 10_000).count() as u32);
        let told = &Throttle { rate: told.rate.max(lately * 6), ..*told };
        let slowed = Pace::slowed(state.pace(credential, now), told, now);
        state.paces.insert(credential.to_owned(), slowed);
        let held = state.holds.get(credential).map_or(0, |t| t.0).min(now.0 + MOST_HOLD_MS);
        Ok(after_throttle(limits, &slowed, held, now))
    }

    async fn usage(&self, credential: Option<&str>, now: Ts) -> Result<Vec<Usage>, Failure> {
        let mut state = self.lock();
        let state = &mut *state;
        let names: BTreeSet<String> = state
            .slots
            .keys()
            .chain(state.holds.keys())
            .chain(state.paces.keys())
            .chain(state.queue.iter().map(|w| &w.credential))
            .filter(|n| credential.is_none_or(|c| c == n.as_str()))
            .cloned()
            .collect();
        let mut out = Vec::new();
        for name in names {
            let pace = state.pace(&name, now).filter(|p| p.at(now) < FULL);
            let held = state.holds.get(&name).filter(|t| **t > now);
            let mut usage = Usage {
                held: held.map(|t| (*t).min(now.plus_ms(MOST_HOLD_MS))),
                pace: pace.map(|p| p.at(now)),
                base: pace.map(|p| p.base),
                ..Usage::default()
            };
            for s in state.slots.get(&name).into_iter().flatten() {
                let by = s.owner.as_ref();
                let under_way = by.is_some_and(|o| now.0 - s.at <= LOST_MS && !state.gone.contains(o));
                usage.count(s.at, under_way, now);
            }
            let waits = |w: &&Waiter| {
                w.credential == name && now.0 <= w.due + GRACE_MS && !state.gone.contains(&w.owner)
            };
            usage.waiting = state.queue.iter().filter(waits).count() as u32;
            usage.credential = name;
            out.push(usage);
        }
        Ok(out)
    }
}
