//! Dead letters in their queue, for services without a database.

use std::{collections::HashSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use stele_toolkit_envelope::Ids;

use super::{
    dead_queue, headers,
    tool::{DeadLetter, DeadLetters, Edit, Filter, LettersError},
};
use crate::{
    Clock, Delivery, Outgoing, Subscription, Topology, Transport, TransportError, retry_queue,
};

/// How long the queue has to give nothing more to be taken as read to its end.
const SILENCE: Duration = Duration::from_secs(1);

/// How many letters are looked at in one go. Letters behind them aren't seen.
const LETTERS_MAX: u32 = 10_000;

/// The dead letters of a service in its queue `{service}.dead`.
///
/// Looking at a queue takes its messages and gives them back. While one tool looks, another sees
/// less; where [`crate::Caps::counts_deliveries`], looking counts.
#[derive(Debug)]
pub struct QueueLetters {
    service: String,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

/// What to do with a letter.
enum Action {
    Keep,
    Drop,
    Retry(Outgoing),
}

impl QueueLetters {
    /// The letters of a service.
    pub fn new(
        service: impl Into<String>,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        Self {
            service: service.into(),
            transport,
            clock,
            ids,
        }
    }

    /// Takes all letters, and does with each what is said.
    async fn each(
        &self,
        mut action: impl FnMut(&DeadLetter, &Delivery) -> Action + Send,
    ) -> Result<(), LettersError> {
        let (queue, retries) = (dead_queue(&self.service), retry_queue(&self.service));
        let topology = Topology {
            queues: vec![queue.clone(), retries],
            ..Topology::default()
        };
        self.transport.declare(&topology).await?;
        let mut subscription = Subscription::new(format!("{queue}.tool")).queue(&queue);
        subscription.prefetch = LETTERS_MAX;
        let mut taking = self.transport.subscribe(&subscription).await?;
        let mut kept = Vec::new();
        // What is retried may be dead again before the end of the queue is reached.
        let mut retried = HashSet::new();
        let mut ended = Ok(());
        while let Some(delivery) = self.next(&mut taking).await {
            let letter = headers::read(&delivery.message);
            let action = match &letter {
                Some(letter) if !retried.contains(&letter.message_id) => action(letter, &delivery),
                Some(_) | None => Action::Keep,
            };
            ended = match action {
                Action::Keep => {
                    kept.push(delivery);
                    continue;
                }
                Action::Drop => delivery.ack().await,
                Action::Retry(message) => match self.send(message).await {
                    Ok(()) => {
                        retried.extend(letter.map(|letter| letter.message_id));
                        delivery.ack().await
                    }
                    Err(error) => {
                        kept.push(delivery);
                        Err(error)
                    }
                },
            };
            if ended.is_err() {
                break;
            }
        }
        for delivery in kept {
            delivery.release(Duration::ZERO).await?;
        }
        taking.drain().await?;
        ended.map_err(Into::into)
    }

    async fn next(&self, taking: &mut Box<dyn crate::Deliveries>) -> Option<Delivery> {
        tokio::select! {
            biased;
            delivery = taking.next() => delivery,
            () = self.clock.sleep(SILENCE) => None,
        }
    }

    async fn send(&self, message: Outgoing) -> Result<(), TransportError> {
        let mut results = self.transport.publish(&[message]).await;
        results.pop().unwrap_or(Err(TransportError::Closed))
    }

    fn again(&self, delivery: &Delivery, body: bytes::Bytes) -> Action {
        let id = self.ids.message_id(self.clock.now());
        let message = headers::retry(&delivery.message, &self.service, id, body);
        Action::Retry(message)
    }
}

#[async_trait]
impl DeadLetters for QueueLetters {
    async fn list(&self, filter: &Filter) -> Result<Vec<DeadLetter>, LettersError> {
        let mut letters = Vec::new();
        self.each(|letter, _| {
            if filter.fits(letter) {
                letters.push(letter.clone());
            }
            Action::Keep
        })
        .await?;
        Ok(letters)
    }

    async fn retry(&self, filter: &Filter) -> Result<usize, LettersError> {
        let mut count = 0;
        self.each(|letter, delivery| {
            if !filter.fits(letter) {
                return Action::Keep;
            }
            count += 1;
            self.again(delivery, letter.body.clone())
        })
        .await?;
        Ok(count)
    }

    async fn edit(&self, id: &str, edit: Edit) -> Result<(), LettersError> {
        let mut is_found = false;
        self.each(|letter, delivery| {
            if letter.id != id || is_found {
                return Action::Keep;
            }
            is_found = true;
            self.again(delivery, edit.body.clone())
        })
        .await?;
        match is_found {
            true => Ok(()),
            false => Err(LettersError::NoSuchLetter { id: id.to_owned() }),
        }
    }

    async fn forget(&self, filter: &Filter) -> Result<usize, LettersError> {
        let mut count = 0;
        self.each(|letter, _| {
            if !filter.fits(letter) {
                return Action::Keep;
            }
            count += 1;
            Action::Drop
        })
        .await?;
        Ok(count)
    }
}
