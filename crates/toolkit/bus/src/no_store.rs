//! A service without a database.

use async_trait::async_trait;

use crate::{
    Begun, Burial, Claim, Due, DueQuery, Extensions, Outgoing, Parking, Store, StoreError,
    Unclaimed, Work,
};

/// Keeps nothing: for services whose handlers may handle a message more than once.
///
/// Retries are then the transport's, as far as its [`crate::Caps`] reach, and messages are sent
/// before the delivery is acknowledged.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoStore;

/// Nothing calls what needs a memory, since [`Store::is_durable`] says that there is none.
fn no_memory<T>() -> Result<T, StoreError> {
    Err(StoreError::Refused("the service has no store".into()))
}

#[async_trait]
impl Store for NoStore {
    async fn begin(&self, _claim: &Claim<'_>) -> Result<Begun, StoreError> {
        Ok(Begun::Work(Box::new(NoWork)))
    }

    async fn count_attempt(&self, _claim: &Claim<'_>) -> Result<u32, StoreError> {
        no_memory()
    }

    async fn park(&self, _claim: &Claim<'_>, _parking: &Parking<'_>) -> Result<(), StoreError> {
        no_memory()
    }

    async fn due(&self, _query: &DueQuery<'_>) -> Result<Due, StoreError> {
        no_memory()
    }

    async fn bury(&self, _claim: &Claim<'_>, _burial: &Burial<'_>) -> Result<(), StoreError> {
        no_memory()
    }

    fn is_durable(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct NoWork;

#[async_trait]
impl Work for NoWork {
    async fn join(&mut self, _claim: &Claim<'_>) -> Result<Option<Unclaimed>, StoreError> {
        Ok(None)
    }

    fn lend(&mut self, _slot: &mut Extensions) {}

    fn take_back(&mut self, _slot: &mut Extensions) -> Result<(), StoreError> {
        Ok(())
    }

    async fn send(&mut self, _messages: Vec<Outgoing>) -> Result<(), StoreError> {
        no_memory()
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn rollback(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}
