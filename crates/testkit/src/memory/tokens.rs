//! Tokens and budgets.

use async_trait::async_trait;
use heliu_model::budget::{AHEAD_MS, LOST_MS, Limits, MEMORY_MS, MOST_HOLD_MS, next_slot};
use heliu_model::ports::*;
use heliu_model::{Failure, Ts};

use super::{MemoryLedger, State};

/// A slot of a budget: under way since `at` while it has an owner, released at `at` without one.
#[derive(Clone)]
pub(super) struct Taken {
    id: i64,
    at: i64,
    owner: Option<String>,
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
        let slots = state.slots.entry(credential.to_owned()).or_default();
        slots.iter_mut().filter(|s| s.at > now.0 + AHEAD_MS).for_each(|s| s.at = now.0);
        slots.retain(|s| s.owner.is_some() || s.at >= now.0 - MEMORY_MS);
        for s in slots.iter_mut().filter(|s| s.owner.is_some() && now.0 - s.at > LOST_MS) {
            (s.at, s.owner) = (now.0, None);
        }
        let sent: Vec<i64> = slots.iter().map(|s| if s.owner.is_some() { now.0 } else { s.at }).collect();
        let at = next_slot(&sent, limits, now.0.max(held));
        if at > now.0 {
            return Ok(Slot::Wait(Ts(at)));
        }
        state.last_slot += 1;
        slots.push(Taken { id: state.last_slot, at, owner: Some(owner.to_owned()) });
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
}
