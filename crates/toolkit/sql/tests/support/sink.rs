//! A transport whose broker is a list.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use stele_toolkit_bus::{
    Caps, Deliveries, Depth, FanOut, Ordering, Outgoing, Release, Subscription, Topology,
    Transport, TransportError,
};
use tokio::sync::watch;

use super::Hands;

/// Keeps what is published, in order. Clones are the same sink.
#[derive(Clone, Debug)]
pub(crate) struct Sink(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hands: Hands,
    sent: Mutex<Vec<Outgoing>>,
    failures: Mutex<HashMap<String, TransportError>>,
    /// How often publishing began.
    begun: watch::Sender<usize>,
    /// Whether publishing goes on after it has begun.
    is_open: watch::Sender<bool>,
}

impl Sink {
    /// A sink at which tests wait with these hands.
    pub(crate) fn new(hands: &Hands) -> Self {
        Self(Arc::new(Inner {
            hands: hands.clone(),
            sent: Mutex::default(),
            failures: Mutex::default(),
            begun: watch::Sender::new(0),
            is_open: watch::Sender::new(true),
        }))
    }

    /// Has messages of this id fail; `None` ends that.
    pub(crate) fn fail(&self, message_id: &str, error: Option<TransportError>) {
        let mut failures = self.0.failures.lock().unwrap();
        match error {
            Some(error) => drop(failures.insert(message_id.to_owned(), error)),
            None => drop(failures.remove(message_id)),
        }
    }

    /// Keeps publishing from ending.
    pub(crate) fn hold(&self) {
        self.0.is_open.send_replace(false);
    }

    /// Lets it end again.
    pub(crate) fn let_go(&self) {
        self.0.is_open.send_replace(true);
    }

    /// How often publishing began.
    pub(crate) fn begun(&self) -> usize {
        *self.0.begun.borrow()
    }

    /// Returns once this many messages have come, and gives the ids of all that have. Time goes on
    /// slowly meanwhile: on PostgreSQL the transactions of other tests hold messages up.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<String> {
        let come = async || {
            self.0.hands.advance(Duration::from_millis(1));
            self.ids().len() >= count
        };
        super::until(come).await;
        self.ids()
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.sent()
            .into_iter()
            .map(|message| message.message_id)
            .collect()
    }

    pub(crate) fn sent(&self) -> Vec<Outgoing> {
        self.0.sent.lock().unwrap().clone()
    }
}

#[async_trait]
impl Transport for Sink {
    fn name(&self) -> &'static str {
        "sink"
    }

    fn caps(&self) -> Caps {
        Caps {
            ordering: Ordering::ByKey,
            fan_out: FanOut::Broker,
            replay: false,
            delay_max: Duration::ZERO,
            counts_deliveries: false,
            release: Release::Message,
            batch_max: usize::MAX,
            body_bytes_max: usize::MAX,
            single_active: false,
            release_max: Duration::ZERO,
            deduplicates_for: Duration::ZERO,
        }
    }

    async fn declare(&self, _topology: &Topology) -> Result<(), TransportError> {
        Ok(())
    }

    async fn publish(&self, batch: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        self.0.begun.send_modify(|begun| *begun += 1);
        drop(
            self.0
                .is_open
                .subscribe()
                .wait_for(|is_open| *is_open)
                .await,
        );
        let failures = self.0.failures.lock().unwrap();
        let mut sent = self.0.sent.lock().unwrap();
        let mut failed: Vec<&str> = Vec::new();
        let mut publish = |message: &'_ Outgoing| match failures.get(&message.message_id) {
            Some(error) => Err(error.clone()),
            None => {
                sent.push(message.clone());
                Ok(())
            }
        };
        let mut results = Vec::new();
        for message in batch {
            let behind = !message.key.is_empty() && failed.contains(&message.key.as_str());
            let result = if behind {
                Err(TransportError::Behind)
            } else {
                publish(message)
            };
            if result.is_err() {
                failed.push(&message.key);
            }
            results.push(result);
        }
        results
    }

    async fn subscribe(
        &self,
        _subscription: &Subscription,
    ) -> Result<Box<dyn Deliveries>, TransportError> {
        Err(TransportError::Closed)
    }

    async fn depth(&self, _subscription: &Subscription) -> Result<Vec<Depth>, TransportError> {
        Ok(Vec::new())
    }
}
