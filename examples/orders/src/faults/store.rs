//! A service's store with guards switched off.

use std::{error::Error, sync::Arc, time::Duration};

use async_trait::async_trait;
use stele_toolkit_bus::{
    Backlog, Begun, Burial, Claim, Due, DueQuery, Extensions, FailureClass, Outgoing, Parking,
    Store, StoreError, Transport, Unclaimed, Work,
};
use stele_toolkit_sql::Db;
use uuid::Uuid;

use super::{Guard, Guards};

/// A database that forgets what was handled, or doesn't keep what is to be sent.
#[derive(Debug)]
pub(super) struct Unguarded {
    pub(super) db: Db,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) guards: Guards,
}

/// The id under which a message is claimed: a new one each time, if it is to be forgotten.
fn claimed_as(guards: &Guards, claim: &Claim<'_>) -> String {
    match guards.has(Guard::Inbox) || claim.is_parked {
        true => claim.message_id.to_owned(),
        false => Uuid::new_v4().to_string(),
    }
}

#[async_trait]
impl Store for Unguarded {
    async fn begin(&self, claim: &Claim<'_>) -> Result<Begun, StoreError> {
        let id = claimed_as(&self.guards, claim);
        let claim = Claim {
            message_id: &id,
            ..*claim
        };
        let begun = Store::begin(&self.db, &claim).await?;
        Ok(match begun {
            Begun::Work(inner) => Begun::Work(Box::new(UnguardedWork {
                inner,
                transport: Arc::clone(&self.transport),
                guards: self.guards.clone(),
                unsent: Vec::new(),
            })),
            not => not,
        })
    }

    async fn count_attempt(&self, claim: &Claim<'_>) -> Result<u32, StoreError> {
        self.db.count_attempt(claim).await
    }

    async fn park(&self, claim: &Claim<'_>, parking: &Parking<'_>) -> Result<(), StoreError> {
        self.db.park(claim, parking).await
    }

    async fn due(&self, query: &DueQuery<'_>) -> Result<Due, StoreError> {
        self.db.due(query).await
    }

    async fn bury(&self, claim: &Claim<'_>, burial: &Burial<'_>) -> Result<(), StoreError> {
        self.db.bury(claim, burial).await
    }

    fn is_durable(&self) -> bool {
        self.db.is_durable()
    }

    fn class_of(&self, error: &(dyn Error + 'static)) -> Option<FailureClass> {
        self.db.class_of(error)
    }

    async fn due_changed(&self, seen: u64) -> u64 {
        self.db.due_changed(seen).await
    }

    fn poll_every(&self) -> Option<Duration> {
        self.db.poll_every()
    }

    fn lend(&self, slot: &mut Extensions) {
        self.db.lend(slot);
    }

    async fn backlog(&self, service: &str) -> Result<Option<Backlog>, StoreError> {
        self.db.backlog(service).await
    }

    async fn relay(&self, transport: Arc<dyn Transport>) -> StoreError {
        self.db.relay(transport).await
    }
}

#[derive(Debug)]
struct UnguardedWork {
    inner: Box<dyn Work>,
    transport: Arc<dyn Transport>,
    guards: Guards,
    /// What is sent after the commit, if nothing keeps it.
    unsent: Vec<Outgoing>,
}

#[async_trait]
impl Work for UnguardedWork {
    async fn join(&mut self, claim: &Claim<'_>) -> Result<Option<Unclaimed>, StoreError> {
        let id = claimed_as(&self.guards, claim);
        let claim = Claim {
            message_id: &id,
            ..*claim
        };
        self.inner.join(&claim).await
    }

    fn lend(&mut self, slot: &mut Extensions) {
        self.inner.lend(slot);
    }

    fn take_back(&mut self, slot: &mut Extensions) -> Result<(), StoreError> {
        self.inner.take_back(slot)
    }

    async fn send(&mut self, messages: Vec<Outgoing>) -> Result<(), StoreError> {
        if self.guards.has(Guard::Outbox) {
            return self.inner.send(messages).await;
        }
        self.unsent.extend(messages);
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.inner.commit().await?;
        for result in self.transport.publish(&self.unsent).await {
            if let Err(error) = result {
                tracing::error!(%error, "lost, since there is no outbox");
            }
        }
        Ok(())
    }

    async fn rollback(self: Box<Self>) -> Result<(), StoreError> {
        self.inner.rollback().await
    }
}
