//! What a service asks of its store and transport, checked before it starts.

use std::time::Duration;

use super::{Service, StopError};
use crate::{Caps, FailureClass, KeyOrder, Ordering, Reads, Release, Store, TransportError};

/// Why a service can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It has nothing to do.
    #[error("{0} has no handlers")]
    NoHandlers(String),
    /// Two handlers read the same. The name is that of the handler.
    #[error("there are two handlers of {0}")]
    Repeated(String),
    /// A handler can't be called.
    #[error("{handler} can't be called: {problem}")]
    Handler {
        /// Its name.
        handler: String,
        /// What is missing.
        problem: String,
    },
    /// The transport can't give what the service's policy asks, and no durable store does.
    #[error("{service} asks for {what}, and {transport} {why}: {advice}")]
    Unsupported {
        /// The service.
        service: String,
        /// The transport's name.
        transport: &'static str,
        /// What is asked.
        what: String,
        /// Why the transport can't give it.
        why: String,
        /// What to do.
        advice: &'static str,
    },
    /// Something that runs beside its handlers can't start.
    #[error("what runs beside the handlers can't start: {0}")]
    Companion(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The broker refuses the topology or the subscription.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// It has ended in another way than by being asked to.
    #[error(transparent)]
    Stopped(#[from] StopError),
}

/// The last advice of most checks.
const USE_A_STORE: &str = "use a durable store";

impl Service {
    pub(super) fn check(
        &self,
        store: &dyn Store,
        transport: &'static str,
        caps: Caps,
    ) -> Result<(), StartError> {
        if self.registrations.is_empty() {
            return Err(StartError::NoHandlers(self.name.clone()));
        }
        for registration in &self.registrations {
            let checked = (registration.check)(&self.states).and_then(|()| {
                match (registration.reads, registration.from.name()) {
                    (Reads::Raw, "") => {
                        Err("it reads raw messages: give it by Service::on_raw".to_owned())
                    }
                    _ => Ok(()),
                }
            });
            checked.map_err(|problem| StartError::Handler {
                handler: registration.entry.name.clone(),
                problem,
            })?;
        }
        let objection = self
            .objection_to_order(caps)
            .or_else(|| match store.is_durable() {
                true => None,
                false => self.objection_without_store(caps),
            });
        match objection {
            None => Ok(()),
            Some((what, why, advice)) => Err(StartError::Unsupported {
                service: self.name.clone(),
                transport,
                what,
                why,
                advice,
            }),
        }
    }

    /// What is asked, why it can't be given, and what to do.
    fn objection_to_order(&self, caps: Caps) -> Option<(String, String, &'static str)> {
        if self.is_single_active && !caps.single_active {
            return Some((
                "one active process".to_owned(),
                "has no such thing".to_owned(),
                "take a lease in a database",
            ));
        }
        if self.policy.concurrency.order() == KeyOrder::Relaxed {
            return None;
        }
        let what = "the order of keys".to_owned();
        match caps.ordering {
            Ordering::None => Some((
                what,
                "delivers in any order".to_owned(),
                "choose another queue type, or Service::concurrency",
            )),
            Ordering::ByQueue if !self.is_single_active => Some((
                what,
                "keeps it for one consumer of a queue alone".to_owned(),
                "add Service::single_active, or use Service::concurrency",
            )),
            Ordering::ByQueue | Ordering::ByKey => None,
        }
    }

    fn objection_without_store(&self, caps: Caps) -> Option<(String, String, &'static str)> {
        let retries = FailureClass::ALL
            .into_iter()
            .any(|class| self.policy.attempts_max(class) > 1);
        let longest = self.policy.backoff_max();
        if retries && longest > caps.release_max {
            let longest_of_transport: Duration = caps.release_max;
            return Some((
                format!("retries up to {longest:?} later"),
                format!("takes messages back for {longest_of_transport:?} at most"),
                USE_A_STORE,
            ));
        }
        if retries && !caps.counts_deliveries && !self.counts_in_memory {
            return Some((
                "a count of attempts".to_owned(),
                "doesn't count deliveries".to_owned(),
                "use a durable store, or Service::count_attempts_in_memory if a message that ends \
                 the process may come again for ever",
            ));
        }
        let is_ordered = self.policy.concurrency.order() == KeyOrder::Strict;
        let has_batches = |it: &super::Registration| it.entry.is_batch;
        if is_ordered && retries && self.registrations.iter().any(has_batches) {
            return Some((
                "the order of keys across retries of batches".to_owned(),
                "can't take back what waits behind a message of another batch".to_owned(),
                USE_A_STORE,
            ));
        }
        if is_ordered && retries && caps.release == Release::Message {
            return Some((
                "the order of keys across retries".to_owned(),
                "delivers the next message of a key while one waits for its retry".to_owned(),
                USE_A_STORE,
            ));
        }
        None
    }
}
