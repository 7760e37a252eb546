//! Calls of others outside: a payment provider, a mail server.
//!
//! Such a call can't be undone with a transaction, takes as long as it takes, and may have been
//! made although nobody knows. So a handler doesn't make it. It writes down that the call is
//! wanted, in the transaction in which its message is noted as handled. A loop makes the call
//! outside of any transaction, and then commits what came of it together with the end of the row:
//!
//! ```text
//!  handler: wanted ──commit──► claimed, for a while ──► call ──► note the outcome, forget ──commit
//!                                 ▲                      │
//!                                 └── later, or after ───┘ again
//!                                     a crash
//! ```
//!
//! A call may be made twice. Who is called has to tell by the call's id, which stays the same.

mod rows;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Serialize, de::DeserializeOwned};
use stele_toolkit_envelope::Envelope;
use stele_toolkit_sql::{Db, Point, Tx};
use tokio::{sync::Notify, task::JoinSet, time::sleep};

use crate::{
    activity::Activity,
    faults::{Guard, Guards},
    process::{Failed, Process},
};

/// How many calls are made at the same time.
const CONCURRENCY: usize = 32;

/// For how long nobody else makes a call that was claimed: longer than any call takes.
const LEASE: Duration = Duration::from_secs(10);

/// How often to look for calls that another process has written down, or that are due.
const POLL: Duration = Duration::from_millis(100);

/// The time before a call is made again: doubled each time, up to a maximum.
const AGAIN_FIRST: Duration = Duration::from_millis(100);
const AGAIN_MAX: Duration = Duration::from_secs(5);

/// The calls that a service wants to be made. Clones are the same.
#[derive(Clone, Debug)]
pub struct Calls {
    db: Db,
    /// Who makes them, and who is told how they go.
    service: &'static str,
    activity: Activity,
    wake: Arc<Notify>,
    guards: Guards,
}

/// A call to make.
#[derive(Clone, Debug)]
pub struct Call {
    /// What it is to whoever is called: the same each time it is made.
    pub id: String,
    /// What belongs to it, as JSON.
    pub payload: String,
    /// The message because of which it is made. What comes of it follows from that message.
    pub cause: Envelope,
    /// Which attempt this is, from 1. Those before it may have been carried out.
    pub attempts: u32,
    lease: String,
}

/// What came of making a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made<T> {
    /// This.
    Done(T),
    /// Nothing that is known. It is made again later; the reason is for people.
    Again(String),
}

/// Makes the calls of a service.
#[async_trait]
pub trait Caller: Send + Sync + 'static {
    /// What comes of a call.
    type Outcome: Send;

    /// Makes a call, within less than its lease: then somebody else makes it too.
    async fn make(&self, call: &Call) -> Made<Self::Outcome>;

    /// Writes down what came of it, and sends what others have to know. The call is forgotten if
    /// and only if this is committed.
    async fn note(&self, tx: &mut Tx, call: &Call, outcome: Self::Outcome) -> Result<(), Failed>;
}

impl Calls {
    /// The calls of a service in its process's database; makes the table if it isn't there.
    pub async fn open(
        process: &Process,
        service: &'static str,
    ) -> Result<Self, stele_toolkit_sql::Error> {
        let (db, activity) = (process.db.clone(), process.activity.clone());
        db.migrate("calls", rows::MIGRATIONS).await?;
        Ok(Self {
            db,
            service,
            activity,
            wake: Arc::default(),
            guards: process.guards.clone(),
        })
    }

    /// Writes down that a call is to be made because of a message. If it is wanted already, what
    /// comes of it follows from the later message.
    pub async fn want(
        &self,
        tx: &mut Tx,
        id: &str,
        payload: &(impl Serialize + Sync),
        cause: &Envelope,
    ) -> Result<(), Failed> {
        rows::insert(tx, id, &serde_json::to_string(payload)?, cause).await?;
        let wake = Arc::clone(&self.wake);
        tx.after_commit(move || wake.notify_one());
        Ok(())
    }

    /// Has a call not be made any more. One that is being made at this moment comes to its end, and
    /// nothing comes of it.
    pub async fn forget(&self, tx: &mut Tx, id: &str) -> Result<(), Failed> {
        Ok(rows::delete(tx, id).await?)
    }

    /// Notes the outcome of a call that came in another way. Does nothing if the call isn't wanted
    /// any more.
    pub async fn settle<C: Caller>(
        &self,
        caller: &C,
        id: &str,
        outcome: C::Outcome,
    ) -> Result<(), Failed> {
        let mut tx = self.db.begin().await?;
        if let Some(call) = rows::take(&mut tx, id).await? {
            caller.note(&mut tx, &call, outcome).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Makes calls for as long as it is polled.
    pub async fn run<C: Caller>(self, caller: Arc<C>) -> Result<(), Failed> {
        // Those that the process before this one was making when it was killed.
        rows::free(&self.db).await?;
        let mut running = JoinSet::new();
        let mut is_woken = true;
        loop {
            let free = CONCURRENCY - running.len();
            match self.claim(free, is_woken).await {
                Ok(claimed) => {
                    for call in claimed {
                        let (calls, caller) = (self.clone(), Arc::clone(&caller));
                        running.spawn(async move { calls.make(&*caller, call).await });
                    }
                }
                Err(error) => tracing::warn!(%error, "can't look for calls to make"),
            }
            is_woken = tokio::select! {
                Some(ended) = running.join_next() => ended.map(|()| false)?,
                () = self.wake.notified() => true,
                () = sleep(POLL) => false,
            };
        }
    }

    async fn claim(
        &self,
        free: usize,
        is_woken: bool,
    ) -> Result<Vec<Call>, stele_toolkit_sql::Error> {
        if free == 0 || !is_woken && !rows::is_due(&self.db).await? {
            return Ok(Vec::new());
        }
        rows::claim(&self.db, free, LEASE).await
    }

    async fn make<C: Caller>(&self, caller: &C, call: Call) {
        let made = match caller.make(&call).await {
            Made::Done(outcome) => {
                self.tell(&call, None);
                self.done(caller, &call, outcome).await
            }
            Made::Again(reason) => {
                let id = &call.id;
                tracing::warn!(id, attempts = call.attempts, "to be made again: {reason}");
                self.tell(&call, Some(&reason));
                self.again(&call, &reason).await
            }
        };
        if let Err(error) = made {
            // Its lease ends, and it is made again.
            tracing::error!(id = call.id, %error, "can't note what came of a call");
        }
    }

    fn tell(&self, call: &Call, error: Option<&str>) {
        let at = self.db.now();
        self.activity.called(self.service, call, at, error);
    }

    async fn done<C: Caller>(
        &self,
        caller: &C,
        call: &Call,
        outcome: C::Outcome,
    ) -> Result<(), Failed> {
        let mut tx = self.db.begin().await?;
        if !rows::end(&mut tx, call).await? && self.guards.has(Guard::Fencing) {
            tracing::info!(id = call.id, "nobody wants what came of this call any more");
            return Ok(tx.rollback().await?);
        }
        caller.note(&mut tx, call, outcome).await?;
        self.db.reach(Point::BeforeCommit).await;
        tx.commit().await?;
        self.db.reach(Point::AfterCommit).await;
        Ok(())
    }

    async fn again(&self, call: &Call, reason: &str) -> Result<(), Failed> {
        let doublings = call.attempts.saturating_sub(1).min(16);
        let after = (AGAIN_FIRST * 2_u32.pow(doublings)).min(AGAIN_MAX);
        Ok(rows::postpone(&self.db, call, after, reason).await?)
    }
}

impl Call {
    /// What belongs to it, as a type.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.payload)
    }
}
