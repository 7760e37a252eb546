//! A unit of work in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use stele_toolkit_envelope::Timestamp;

use super::{
    MemoryStore,
    fault::Crash,
    store::MessageKey,
    tx::{Change, Changes},
};
use crate::{Claim, Extensions, Outgoing, Slot, StoreError, Unclaimed, Work};

/// A unit of work. Dropping it gives its claims back.
#[derive(Debug)]
pub(super) struct MemoryWork {
    store: MemoryStore,
    claims: Vec<MessageKey>,
    now: Timestamp,
    changes: BTreeMap<String, Change>,
    messages: Vec<Outgoing>,
}

impl MemoryWork {
    pub(super) fn new(store: MemoryStore, claim: &Claim<'_>) -> Self {
        Self {
            store,
            claims: vec![MessageKey::of(claim)],
            now: claim.now,
            changes: BTreeMap::new(),
            messages: Vec::new(),
        }
    }
}

impl MemoryWork {
    fn apply(&mut self) {
        let mut state = self.store.state();
        for key in &self.claims {
            state.rows.remove(key);
            state.handled.insert(key.clone());
        }
        for (name, change) in std::mem::take(&mut self.changes) {
            change.apply(&mut state.data, name);
        }
        for mut message in self.messages.drain(..) {
            let at = self.now + std::mem::take(&mut message.delay);
            state.outbox.push_back((at, message));
        }
        drop(state);
        self.store.changed();
    }
}

#[async_trait]
impl Work for MemoryWork {
    async fn join(&mut self, claim: &Claim<'_>) -> Result<Option<Unclaimed>, StoreError> {
        let key = MessageKey::of(claim);
        if self.claims.contains(&key) {
            return Ok(Some(Unclaimed::Duplicate));
        }
        let unclaimed = self.store.claim(claim).await?;
        if unclaimed.is_none() {
            self.claims.push(key);
        }
        Ok(unclaimed)
    }

    fn lend(&mut self, slot: &mut Extensions) {
        let before = self.store.state().data.clone();
        slot.insert(Slot::new(Changes {
            before,
            changes: BTreeMap::new(),
        }));
    }

    fn take_back(&mut self, slot: &mut Extensions) -> Result<(), StoreError> {
        if let Some(slot) = slot.remove::<Slot<Changes>>() {
            self.changes.extend(slot.take_back()?.changes);
        }
        Ok(())
    }

    async fn send(&mut self, messages: Vec<Outgoing>) -> Result<(), StoreError> {
        self.store.reachable()?;
        self.messages.extend(messages);
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        self.store.faults().crash(Crash::BeforeCommit).await;
        self.store.reachable()?;
        self.apply();
        self.store.faults().crash(Crash::AfterCommit).await;
        Ok(())
    }

    async fn rollback(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Drop for MemoryWork {
    fn drop(&mut self) {
        let mut state = self.store.state();
        for key in &self.claims {
            state.claimed.remove(key);
        }
        drop(state);
        self.store.changed();
    }
}
