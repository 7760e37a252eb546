//! Publishing.
//!
//! The broker returns a message that no queue takes before it confirms it, and the client library
//! hands what is returned to whichever confirm comes next. So a channel is used by one publish at a
//! time, and what was returned is found by its id once all of its confirms are there.

use std::{collections::HashSet, sync::Arc};

use futures_util::future::join_all;
use lapin::{
    Channel, Confirmation, Connection, PublisherConfirm,
    message::BasicReturnMessage,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use stele_toolkit_bus::{Destination, KeyedBatch, Outgoing, TransportError};
use tokio::sync::Mutex;

use crate::{
    connection::Broker,
    errors::{busy, refused, translate, unsupported},
    fields::properties,
};

/// Publishes over one connection, which it opens when there is none.
#[derive(Debug)]
pub(crate) struct Publisher {
    broker: Arc<Broker>,
    connected: Mutex<Option<Connected>>,
}

#[derive(Debug)]
struct Connected {
    connection: Arc<Connection>,
    /// Channels that nobody uses at the moment.
    idle: Vec<Channel>,
    /// Queues that are bound to the exchange of delayed messages.
    delayed_queues: HashSet<String>,
}

impl Publisher {
    pub(crate) fn new(broker: Arc<Broker>) -> Self {
        Self {
            broker,
            connected: Mutex::new(None),
        }
    }

    /// The connection, which is also the one for declarations.
    pub(crate) async fn connection(&self) -> Result<Arc<Connection>, TransportError> {
        let mut connected = self.connected.lock().await;
        if let Some(connected) = &*connected
            && connected.connection.status().connected()
        {
            return Ok(Arc::clone(&connected.connection));
        }
        let connection = Arc::new(self.broker.connect_patiently("publishes").await?);
        *connected = Some(Connected {
            connection: Arc::clone(&connection),
            idle: Vec::new(),
            delayed_queues: HashSet::new(),
        });
        Ok(connection)
    }

    pub(crate) async fn publish(&self, batch: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        let mut sending = KeyedBatch::new(batch);
        loop {
            let mut round = sending.next_round();
            if round.is_empty() {
                return sending.into_results();
            }
            let mut accepted = Vec::new();
            for index in round.drain(..) {
                match self.accept(&batch[index]).await {
                    Ok(()) => accepted.push(index),
                    Err(error) => sending.settle(index, Err(error)),
                }
            }
            let results = self.publish_round(batch, &accepted).await;
            for (index, result) in accepted.into_iter().zip(results) {
                sending.settle(index, result);
            }
        }
    }

    /// Refuses what needs no broker to be refused, and prepares for delays.
    async fn accept(&self, message: &Outgoing) -> Result<(), TransportError> {
        let body_bytes_max = self.broker.settings.body_bytes_max;
        if message.body.len() > body_bytes_max {
            let bytes = message.body.len();
            return Err(refused(format!(
                "a body of {bytes} bytes: at most {body_bytes_max} are allowed"
            )));
        }
        if message.delay.is_zero() {
            return Ok(());
        }
        if message.delay > self.broker.delay_max() {
            return Err(unsupported(format!("a delay of {:?}", message.delay)));
        }
        match &message.to {
            Destination::Topic(_) => Ok(()),
            Destination::Queue(queue) => self.bind_delayed(queue).await,
        }
    }

    /// Binds a queue to the exchange of delayed messages. Fails if there is no such queue.
    async fn bind_delayed(&self, queue: &str) -> Result<(), TransportError> {
        let connection = self.connection().await?;
        let exchange = &self.broker.exchanges.delayed_queues;
        if let Some(connected) = &*self.connected.lock().await
            && connected.delayed_queues.contains(queue)
        {
            return Ok(());
        }
        let bound = self.broker.bind(&connection, queue, exchange, queue);
        bound.await?;
        if let Some(connected) = &mut *self.connected.lock().await {
            connected.delayed_queues.insert(queue.to_owned());
        }
        Ok(())
    }

    /// Publishes messages at the same time, and waits for all confirms.
    async fn publish_round(
        &self,
        batch: &[Outgoing],
        round: &[usize],
    ) -> Vec<Result<(), TransportError>> {
        if round.is_empty() {
            return Vec::new();
        }
        let (connection, channel) = match self.channel().await {
            Ok(channel) => channel,
            Err(error) => return vec![Err(error); round.len()],
        };
        let messages: Vec<&Outgoing> = round.iter().map(|index| &batch[*index]).collect();
        let confirmed = self.confirmed(&channel, &messages);
        let outcome = match self.broker.answer(async { Ok(confirmed.await) }).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => return vec![Err(translate(&error)); round.len()],
            // The channel isn't used again: late confirms would be taken for those of others.
            Err(_) if connection.status().blocked() => {
                return vec![Err(busy("the broker is short of space")); round.len()];
            }
            Err(error) => return vec![Err(error); round.len()],
        };
        let is_usable = outcome.results.iter().all(|result| match result {
            Err(TransportError::Unreachable { .. }) => false,
            _ => channel.status().connected(),
        });
        if is_usable {
            self.give_back(&connection, channel).await;
        }
        outcome.results(&messages)
    }

    /// A channel that nobody else uses.
    async fn channel(&self) -> Result<(Arc<Connection>, Channel), TransportError> {
        let connection = self.connection().await?;
        if let Some(connected) = &mut *self.connected.lock().await {
            while let Some(channel) = connected.idle.pop() {
                if channel.status().connected() {
                    return Ok((connection, channel));
                }
            }
        }
        let channel = self.broker.in_time(connection.create_channel()).await?;
        let confirms = channel.confirm_select(ConfirmSelectOptions::default());
        self.broker.in_time(confirms).await?;
        Ok((connection, channel))
    }

    async fn give_back(&self, connection: &Arc<Connection>, channel: Channel) {
        if let Some(connected) = &mut *self.connected.lock().await
            && Arc::ptr_eq(&connected.connection, connection)
        {
            connected.idle.push(channel);
        }
    }

    /// What came of each message.
    async fn confirmed(&self, channel: &Channel, messages: &[&Outgoing]) -> Outcome {
        let mut confirms = Vec::with_capacity(messages.len());
        for message in messages {
            confirms.push(self.send(channel, message).await);
        }
        let confirms = confirms.into_iter().map(|sent| async {
            let confirm = sent?.await;
            confirm.map_err(|error| translate(&error))
        });
        let mut outcome = Outcome::default();
        for confirm in join_all(confirms).await {
            outcome.add(confirm);
        }
        outcome
    }

    async fn send(
        &self,
        channel: &Channel,
        message: &Outgoing,
    ) -> Result<PublisherConfirm, TransportError> {
        let is_delayed = !message.delay.is_zero();
        let exchange = self.broker.exchanges.for_message(&message.to, is_delayed);
        let routing_key = crate::names::short(message.to.name())?;
        let options = BasicPublishOptions {
            mandatory: matches!(message.to, Destination::Queue(_)) && !is_delayed,
            ..BasicPublishOptions::default()
        };
        let properties = properties(message)?;
        let sent = channel.basic_publish(exchange, routing_key, options, &message.body, properties);
        sent.await.map_err(|error| translate(&error))
    }
}

/// What the confirms of a round told.
#[derive(Debug, Default)]
struct Outcome {
    results: Vec<Result<(), TransportError>>,
    returned: Vec<BasicReturnMessage>,
}

impl Outcome {
    fn add(&mut self, confirm: Result<Confirmation, TransportError>) {
        let result = match &confirm {
            Ok(Confirmation::Ack(_) | Confirmation::NotRequested) => Ok(()),
            Ok(Confirmation::Nack(_)) => Err(busy("a queue is full and refuses messages")),
            Err(error) => Err(error.clone()),
        };
        self.results.push(result);
        let returned = confirm.ok().and_then(Confirmation::take_message);
        self.returned.extend(returned);
    }

    fn results(mut self, messages: &[&Outgoing]) -> Vec<Result<(), TransportError>> {
        for returned in &self.returned {
            let id = returned.delivery.properties.message_id().as_ref();
            let is_it = |message: &&Outgoing| {
                id.is_some_and(|id| id.as_str() == message.message_id)
                    && returned.delivery.routing_key.as_str() == message.to.name()
            };
            for (message, result) in messages.iter().zip(&mut self.results) {
                if is_it(message) {
                    *result = Err(TransportError::NoSuchDestination {
                        destination: message.to.name().to_owned(),
                    });
                }
            }
        }
        self.results
    }
}
