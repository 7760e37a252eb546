//! Declarations. Each runs on a channel of its own, since an error closes its channel.

use lapin::{
    Connection, ExchangeKind,
    options::{ExchangeBindOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use stele_toolkit_bus::{Subscription, Topology, TransportError};

use crate::{
    QueueKind,
    connection::Broker,
    errors::{is_not_found, is_precondition_failed, is_unknown_to_broker, refused, translate},
    names::short,
};

/// How often a message may come back, which is as good as always. RabbitMQ 4 drops messages after
/// 20 times unless told otherwise. A negative number, which is no limit there, has RabbitMQ 3 drop
/// them at the first time.
const DELIVERY_LIMIT: i32 = 1_000_000_000;

impl Broker {
    /// Declares all of a topology. Topics need nothing but the exchange.
    pub(crate) async fn declare(
        &self,
        connection: &Connection,
        topology: &Topology,
    ) -> Result<(), TransportError> {
        self.declare_events(connection).await?;
        let delays = self.delays.get_or_try_init(|| self.ask_for_delays());
        if *delays.await? {
            self.bind_delayed_events(connection).await?;
        }
        for subscription in &topology.subscriptions {
            self.declare_subscription(connection, subscription).await?;
        }
        for queue in &topology.queues {
            self.declare_queue(connection, queue, false).await?;
        }
        Ok(())
    }

    /// Declares the service's queue with its bindings, and the queues that it consumes.
    pub(crate) async fn declare_subscription(
        &self,
        connection: &Connection,
        subscription: &Subscription,
    ) -> Result<(), TransportError> {
        let is_single_active = subscription.is_single_active;
        if !subscription.topics.is_empty() {
            self.declare_events(connection).await?;
            let service = &subscription.service;
            self.declare_queue(connection, service, is_single_active)
                .await?;
            for topic in &subscription.topics {
                self.bind(connection, service, &self.exchanges.events, topic)
                    .await?;
            }
        }
        for queue in &subscription.queues {
            self.declare_queue(connection, queue, is_single_active)
                .await?;
        }
        Ok(())
    }

    /// Binds a queue to an exchange. A missing queue is told by its name.
    pub(crate) async fn bind(
        &self,
        connection: &Connection,
        queue: &str,
        exchange: &ShortString,
        routing_key: &str,
    ) -> Result<(), TransportError> {
        let channel = self.in_time(connection.create_channel()).await?;
        let bound = channel.queue_bind(
            short(queue)?,
            exchange.clone(),
            short(routing_key)?,
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        let bound = self.answer(bound).await?;
        bound.map_err(|error| match is_not_found(&error) {
            true => TransportError::NoSuchDestination {
                destination: queue.to_owned(),
            },
            false => translate(&error),
        })
    }

    /// How many messages are ready in a queue.
    pub(crate) async fn depth(
        &self,
        connection: &Connection,
        queue: &str,
    ) -> Result<u64, TransportError> {
        let found = self.queue_declare(connection, queue, true, FieldTable::default());
        match found.await? {
            Ok(ready) => Ok(ready),
            Err(error) if is_not_found(&error) => Err(TransportError::NoSuchDestination {
                destination: queue.to_owned(),
            }),
            Err(error) => Err(translate(&error)),
        }
    }

    async fn declare_events(&self, connection: &Connection) -> Result<(), TransportError> {
        let channel = self.in_time(connection.create_channel()).await?;
        let declared = channel.exchange_declare(
            self.exchanges.events.clone(),
            ExchangeKind::Topic,
            durable_exchange(),
            FieldTable::default(),
        );
        self.in_time(declared).await
    }

    /// Whether the broker has delayed exchanges: it is asked to declare them. RabbitMQ without the
    /// plugin closes the connection for it, so this takes one of its own.
    async fn ask_for_delays(&self) -> Result<bool, TransportError> {
        let connection = self.connect("asks for delays").await?;
        for (exchange, of_type) in [
            (&self.exchanges.delayed_events, "topic"),
            (&self.exchanges.delayed_queues, "direct"),
        ] {
            let channel = self.in_time(connection.create_channel()).await?;
            let mut arguments = FieldTable::default();
            arguments.insert("x-delayed-type".into(), text(of_type));
            let declared = channel.exchange_declare(
                exchange.clone(),
                ExchangeKind::Custom("x-delayed-message".to_owned()),
                durable_exchange(),
                arguments,
            );
            match self.answer(declared).await? {
                Ok(()) => {}
                Err(error) if is_unknown_to_broker(&error) => return Ok(false),
                Err(error) if is_precondition_failed(&error) => return Ok(false),
                Err(error) => return Err(translate(&error)),
            }
        }
        Ok(true)
    }

    async fn bind_delayed_events(&self, connection: &Connection) -> Result<(), TransportError> {
        let channel = self.in_time(connection.create_channel()).await?;
        let bound = channel.exchange_bind(
            self.exchanges.events.clone(),
            self.exchanges.delayed_events.clone(),
            "#".into(),
            ExchangeBindOptions::default(),
            FieldTable::default(),
        );
        self.in_time(bound).await
    }

    /// Declares a queue. One that exists otherwise is taken as it is, unless it would serve several
    /// consumers at a time where one is to be active.
    async fn declare_queue(
        &self,
        connection: &Connection,
        queue: &str,
        is_single_active: bool,
    ) -> Result<(), TransportError> {
        let mut arguments = FieldTable::default();
        if is_single_active {
            arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
        }
        let kind = match self.settings.queue_kind {
            QueueKind::Quorum => "quorum",
            QueueKind::Classic => "classic",
        };
        arguments.insert("x-queue-type".into(), text(kind));
        if kind == "quorum" {
            arguments.insert(
                "x-delivery-limit".into(),
                AMQPValue::LongInt(DELIVERY_LIMIT),
            );
        }
        let declared = self.queue_declare(connection, queue, false, arguments);
        match declared.await? {
            Ok(_) => Ok(()),
            Err(error) if is_precondition_failed(&error) && is_single_active => {
                let reason = "exists without x-single-active-consumer, or otherwise declared";
                Err(refused(format!("the queue `{queue}` {reason}: {error}")))
            }
            Err(error) if is_precondition_failed(&error) => {
                self.depth(connection, queue).await.map(|_| ())
            }
            Err(error) => Err(translate(&error)),
        }
    }

    /// Declares a queue, and returns how many messages are ready in it.
    async fn queue_declare(
        &self,
        connection: &Connection,
        queue: &str,
        passive: bool,
        arguments: FieldTable,
    ) -> Result<lapin::Result<u64>, TransportError> {
        let channel = self.in_time(connection.create_channel()).await?;
        let options = QueueDeclareOptions {
            passive,
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let declared = channel.queue_declare(short(queue)?, options, arguments);
        let declared = self.answer(declared).await?;
        Ok(declared.map(|queue| queue.message_count().into()))
    }
}

fn durable_exchange() -> ExchangeDeclareOptions {
    ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    }
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}
