//! Running a projection until it is told to stop.

use std::{future::Future, pin::pin, time::Duration};

use stele_toolkit_bus::StoreError;
use stele_toolkit_sql::{Error, Lease};
use tokio::{select, sync::watch};

use super::{Projection, RunError, Runner, Step};
use crate::ReadError;

/// How long to wait after the database failed.
const DATABASE_RETRY: Duration = Duration::from_secs(1);

/// How many times a lease is renewed before it would be over.
const RENEWALS: u32 = 3;

impl<P: Projection> Runner<P> {
    /// Keeps the tables up to date until `stop` is ready, while no other process does.
    ///
    /// It wakes when this process appends, and every [`super::Settings::poll`] for what others
    /// append. An event that can't be applied and a database that can't be reached are logged and
    /// tried again; they don't end it.
    ///
    /// # Errors
    ///
    /// [`RunError::Superseded`] when a newer version of the code has taken over.
    pub async fn run(mut self, stop: impl Future<Output = ()> + Send) -> Result<(), RunError> {
        let mut stop = pin!(stop);
        let mut changes = self.store.changes();
        let mut lease = None;
        loop {
            let worked = self.work(&mut lease).await;
            let wait = match worked {
                Ok(true) => Duration::ZERO,
                Ok(false) => self.settings.poll,
                Err(error @ RunError::Superseded { .. }) => {
                    self.give_back(lease).await;
                    return Err(error);
                }
                Err(error) => self.log(&error),
            };
            select! {
                biased;
                () = &mut stop => {
                    self.give_back(lease).await;
                    return Ok(());
                }
                () = self.rest(wait, &mut changes) => {}
            }
        }
    }

    /// Takes or renews the lease and does a step. `true` if there may be more to do at once.
    async fn work(&mut self, lease: &mut Option<Lease>) -> Result<bool, RunError> {
        if let Some(held) = lease
            && let Err(error) = self.keep(held).await
        {
            *lease = None;
            return Err(error.into());
        }
        if lease.is_none() {
            let name = format!("projection/{}/{}", P::NAME, P::VERSION);
            *lease = self.db.lease(&name, self.settings.lease).await?;
            self.renewed = self.db.now();
        }
        if lease.is_none() {
            return Ok(false);
        }
        Ok(self.step().await? != Step::Idle)
    }

    /// Renews a lease when it is time to.
    async fn keep(&mut self, lease: &Lease) -> Result<(), Error> {
        let now = self.db.now();
        if now.since(self.renewed) >= self.settings.lease / RENEWALS {
            lease.renew(&self.db).await?;
            self.renewed = now;
        }
        Ok(())
    }

    async fn give_back(&self, lease: Option<Lease>) {
        if let Some(lease) = lease
            && let Err(error) = lease.release(&self.db).await
        {
            tracing::debug!(projection = P::NAME, %error, "the lease ends by itself");
        }
    }

    /// Waits for something to do.
    async fn rest(&self, wait: Duration, changes: &mut watch::Receiver<u64>) {
        if wait.is_zero() {
            return;
        }
        select! {
            changed = changes.changed() => {
                // A store that is gone changes no more; what others append is still found.
                if changed.is_err() {
                    self.db.clock().sleep(wait).await;
                }
            }
            () = self.db.clock().sleep(wait) => {}
        }
    }

    /// Tells of a failure, and how long to wait after it.
    fn log(&self, error: &RunError) -> Duration {
        let projection = P::NAME;
        match error {
            RunError::Apply { .. } => {
                tracing::error!(projection, %error, "the projection has stopped");
                self.settings.poll
            }
            RunError::Raced { .. }
            | RunError::Store(StoreError::Unavailable(_))
            | RunError::Read(ReadError::Store(StoreError::Unavailable(_))) => {
                tracing::warn!(projection, %error, "the projection waits");
                DATABASE_RETRY
            }
            RunError::Superseded { .. }
            | RunError::TableName { .. }
            | RunError::Store(_)
            | RunError::Read(_) => {
                tracing::error!(projection, %error, "the projection can't go on");
                DATABASE_RETRY
            }
        }
    }
}
