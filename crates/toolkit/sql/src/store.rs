//! What handlers keep, in the database: the bus's store.

use std::{error::Error as StdError, sync::Arc, time::Duration};

use async_trait::async_trait;
use stele_toolkit_bus::{
    Backlog, Begun, Burial, Claim, Due, DueQuery, Extensions, FailureClass, Outgoing, Parking,
    Slot, Store, StoreError, Transport, Unclaimed, Work,
};

use crate::{
    Db, Error, Point, Relay, RelayOptions, Tx, activity::Lending, inbox, parked, tx::Open,
};

#[async_trait]
impl Store for Db {
    async fn begin(&self, claim: &Claim<'_>) -> Result<Begun, StoreError> {
        let day = day(self, claim).await?;
        if day.is_none() && !claim.is_parked {
            return Ok(Begun::Not(Unclaimed::TooOld));
        }
        let mut tx = self.begin().await?;
        match inbox::claim(&mut tx, claim, day).await? {
            None => Ok(Begun::Work(Box::new(SqlWork {
                db: self.clone(),
                held: Held::Here(tx),
            }))),
            Some(reason) => {
                // The row of a parked message that was handled meanwhile goes for good.
                if claim.is_parked {
                    tx.commit().await?;
                }
                Ok(Begun::Not(reason))
            }
        }
    }

    async fn count_attempt(&self, claim: &Claim<'_>) -> Result<u32, StoreError> {
        let mut tx = self.begin().await?;
        let attempts = inbox::count_attempt(&mut tx, claim).await?;
        tx.commit().await?;
        Ok(attempts)
    }

    async fn park(&self, claim: &Claim<'_>, parking: &Parking<'_>) -> Result<(), StoreError> {
        let day = day(self, claim).await?;
        let mut tx = self.begin().await?;
        parked::park(&mut tx, claim, parking, day).await?;
        Ok(tx.commit().await?)
    }

    async fn due(&self, query: &DueQuery<'_>) -> Result<Due, StoreError> {
        Ok(parked::due(self, query).await?)
    }

    async fn bury(&self, claim: &Claim<'_>, burial: &Burial<'_>) -> Result<(), StoreError> {
        let day = day(self, claim).await?;
        let mut tx = self.begin().await?;
        parked::bury(&mut tx, claim, burial, day).await?;
        Ok(tx.commit().await?)
    }

    fn is_durable(&self) -> bool {
        true
    }

    fn class_of(&self, error: &(dyn StdError + 'static)) -> Option<FailureClass> {
        let is_transient = match error.downcast_ref::<Error>() {
            Some(error) => error.is_transient(),
            None => crate::error::is_transient(error.downcast_ref()?),
        };
        Some(if is_transient {
            FailureClass::Transient
        } else {
            FailureClass::Permanent
        })
    }

    async fn due_changed(&self, seen: u64) -> u64 {
        self.due_changes(seen).await
    }

    fn poll_every(&self) -> Option<Duration> {
        Some(self.poll())
    }

    fn lend(&self, slot: &mut Extensions) {
        slot.insert(self.clone());
    }

    async fn backlog(&self, service: &str) -> Result<Option<Backlog>, StoreError> {
        Ok(Some(parked::backlog(self, service).await?))
    }

    async fn relay(&self, transport: Arc<dyn Transport>) -> StoreError {
        let options = RelayOptions {
            poll: self.poll(),
            ..RelayOptions::default()
        };
        let _only = self.relaying().lock().await;
        let relay = Relay::with(self.clone(), transport, options);
        relay.run().await.into()
    }
}

/// The day of a claimed message, whose table is there; `None` if it is too old.
async fn day(db: &Db, claim: &Claim<'_>) -> Result<Option<i64>, Error> {
    let day = inbox::day(db, claim.timestamp, claim.now);
    if let Some(day) = day {
        inbox::open_day(db, day, claim.now).await?;
    }
    Ok(day)
}

/// A unit of work: one transaction.
#[derive(Debug)]
struct SqlWork {
    db: Db,
    held: Held,
}

#[derive(Debug)]
enum Held {
    Here(Tx),
    Lent {
        place: Slot<Open>,
        _lending: Lending,
    },
    /// It was lent, and didn't come back.
    Lost,
}

impl SqlWork {
    fn tx(&mut self) -> Result<&mut Tx, StoreError> {
        match &mut self.held {
            Held::Here(tx) => Ok(tx),
            Held::Lent { .. } | Held::Lost => Err(StoreError::Leaked),
        }
    }

    fn into_tx(self) -> Result<Tx, StoreError> {
        match self.held {
            Held::Here(tx) => Ok(tx),
            Held::Lent { .. } | Held::Lost => Err(StoreError::Leaked),
        }
    }
}

#[async_trait]
impl Work for SqlWork {
    async fn join(&mut self, claim: &Claim<'_>) -> Result<Option<Unclaimed>, StoreError> {
        let day = inbox::day(&self.db, claim.timestamp, claim.now);
        let tx = self.tx()?;
        if let Some(day) = day {
            inbox::open_day_within(tx, day).await?;
        }
        Ok(inbox::claim(tx, claim, day).await?)
    }

    fn lend(&mut self, slot: &mut Extensions) {
        if let Held::Here(tx) = std::mem::replace(&mut self.held, Held::Lost)
            && let Ok(mut open) = tx.into_own()
        {
            let lending = self.db.lendings().begin();
            open.lending = Some(lending.number());
            let place = Slot::new(open);
            slot.insert(place.clone());
            self.held = Held::Lent {
                place,
                _lending: lending,
            };
        }
    }

    fn take_back(&mut self, slot: &mut Extensions) -> Result<(), StoreError> {
        drop(slot.remove::<Slot<Open>>());
        match std::mem::replace(&mut self.held, Held::Lost) {
            Held::Lent { place, .. } => self.held = Held::Here(Tx::of(place.take_back()?)),
            here => self.held = here,
        }
        Ok(())
    }

    async fn send(&mut self, messages: Vec<Outgoing>) -> Result<(), StoreError> {
        Ok(self.tx()?.send(&messages).await?)
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        let db = self.db.clone();
        let tx = self.into_tx()?;
        db.reach(Point::BeforeCommit).await;
        tx.commit().await?;
        db.reach(Point::AfterCommit).await;
        Ok(())
    }

    async fn rollback(self: Box<Self>) -> Result<(), StoreError> {
        Ok(self.into_tx()?.rollback().await?)
    }
}
