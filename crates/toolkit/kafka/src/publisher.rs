//! Publishing.

use std::sync::{Mutex, PoisonError};

use futures_util::future::join_all;
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer as _};
use stele_toolkit_bus::{KeyedBatch, Outgoing, TransportError};

use crate::{
    Settings,
    client::Logging,
    declare::Topics,
    errors::{NAME, translate, unsupported},
    fields::record_headers,
};

/// An idempotent producer: its retries neither double nor reorder.
pub(crate) struct Publisher {
    settings: Settings,
    producer: Mutex<Option<FutureProducer<Logging>>>,
}

impl Publisher {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            producer: Mutex::new(None),
        }
    }

    pub(crate) async fn publish(
        &self,
        topics: &Topics,
        batch: &[Outgoing],
    ) -> Vec<Result<(), TransportError>> {
        let mut sending = KeyedBatch::new(batch);
        loop {
            let round = sending.next_round();
            if round.is_empty() {
                return sending.into_results();
            }
            let mut sent = Vec::with_capacity(round.len());
            for index in &round {
                sent.push(self.send(topics, &batch[*index]).await);
            }
            let confirms = round.into_iter().zip(sent).map(|(index, sent)| async move {
                let confirmed = async { confirm(sent?, &batch[index]).await };
                (index, confirmed.await)
            });
            for (index, result) in join_all(confirms).await {
                if let Err(TransportError::NoSuchDestination { destination }) = &result {
                    topics.forget(destination);
                }
                sending.settle(index, result);
            }
        }
    }

    async fn send(
        &self,
        topics: &Topics,
        message: &Outgoing,
    ) -> Result<DeliveryFuture, TransportError> {
        if !message.delay.is_zero() {
            return Err(unsupported("delayed messages"));
        }
        let topic = message.to.name();
        topics.find(topic).await?;
        let mut record = FutureRecord::<str, [u8]>::to(topic)
            .payload(&message.body)
            .headers(record_headers(message)?);
        if !message.key.is_empty() {
            record = record.key(&message.key);
        }
        let sent = self.producer()?.send_result(record);
        sent.map_err(|(error, _)| translate(&error, topic))
    }

    /// The producer, or a new one if it has had an error that it can't go on after.
    fn producer(&self) -> Result<FutureProducer<Logging>, TransportError> {
        let producer = self.producer.lock();
        let mut producer = producer.unwrap_or_else(PoisonError::into_inner);
        if let Some(producer) = &*producer
            && producer.client().fatal_error().is_none()
        {
            return Ok(producer.clone());
        }
        let new = self.settings.producer().create_with_context(Logging);
        let new: FutureProducer<Logging> = new.map_err(|error| translate(&error, NAME))?;
        *producer = Some(new.clone());
        Ok(new)
    }
}

async fn confirm(sent: DeliveryFuture, message: &Outgoing) -> Result<(), TransportError> {
    match sent.await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err((error, _))) => Err(translate(&error, message.to.name())),
        Err(_) => Err(TransportError::Closed),
    }
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").finish_non_exhaustive()
    }
}
