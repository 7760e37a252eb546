//! Direct reply-to (RabbitMQ's extension): a client consumes from the pseudo-queue
//! `amq.rabbitmq.reply-to`, names it as `reply-to` in its messages, and gets the replies.
//!
//! Here the pseudo-queue stands for a queue with a generated name, in memory, exclusive, and
//! deleted with its consumer. A `reply-to` that names the pseudo-queue is replaced with that name
//! on publishing; a replier publishes to it over the default exchange like to any queue. For
//! clients, the behaviour is RabbitMQ's: replies that arrive when nobody consumes any more are
//! dropped in both. But a mandatory reply is returned only then, and by RabbitMQ always.

use stele_base_types::Name;
use stele_core_engine::{
    Adopt, DeclareLog, Durability, LedgerConfig, Lifetime, LogConfig, LogDefinition, Retention,
    Settings,
};
use stele_wire_amqp::{ShortOctets, ShortString};

use crate::{
    connection::Connection,
    errors::{Fault, Subject},
    lookup::FACET,
    stored::Message,
};

/// The name that clients use.
pub(crate) const PSEUDO_QUEUE: &str = "amq.rabbitmq.reply-to";

/// Creates the queue for a channel's replies.
pub(crate) async fn open(
    connection: &mut Connection,
    number: u16,
    no_ack: bool,
) -> Result<LogDefinition, Fault> {
    if !no_ack {
        return Err(Fault::precondition("reply consumer cannot acknowledge"));
    }
    if reply_queue(connection, number)?.is_some() {
        return Err(Fault::precondition("reply consumer already set"));
    }
    let text = connection.settings.random.name("amq.rabbitmq.reply-to.");
    let name = Name::new(&text).expect("a made-up name is short");
    let vhost = connection.session.opened.vhost.clone();
    let config = LogConfig {
        partitions: 1,
        durability: Durability::Volatile,
        retention: Retention::QUEUE,
        lifetime: Lifetime {
            exclusive: Some(connection.holder.id()),
            auto_delete: true,
            ..Lifetime::default()
        },
        queue: Some(LedgerConfig::default()),
    };
    let declare = DeclareLog {
        vhost: vhost.clone(),
        name: name.clone(),
        config,
        adopt: Adopt::same_as(&config),
        facet: Box::from(FACET),
        settings: Settings::new(),
    };
    let declared = connection.broker.declare_log(declare).await;
    let declared = declared.map_err(|error| Subject::queue(&name, &vhost).fault(error))?;
    let definition = declared.definition().clone();
    connection.exclusive.push(definition.id);
    Ok(definition)
}

/// Whether a declaration names the pseudo-queue, or an existing reply queue of any connection.
pub(crate) fn is_pseudo(connection: &Connection, name: &Name) -> bool {
    let vhost = connection.session.opened.vhost.as_str();
    let exists = || connection.broker.catalogue().log(vhost, name).is_some();
    name.as_str() == PSEUDO_QUEUE || is_reply_queue(name) && exists()
}

/// Whether this is the name of a reply queue. To clients these aren't queues: they can only publish
/// to them, and declare them to learn whether they exist.
pub(crate) fn is_reply_queue(name: &str) -> bool {
    let rest = name.strip_prefix(PSEUDO_QUEUE);
    rest.is_some_and(|rest| rest.starts_with('.'))
}

/// The queue for a message's replies, if they go to the pseudo-queue.
pub(crate) fn redirect(
    connection: &mut Connection,
    number: u16,
    message: &mut Message,
) -> Result<(), Fault> {
    let reply_to = message.properties.reply_to.as_ref();
    if reply_to.and_then(ShortOctets::as_text) != Some(PSEUDO_QUEUE) {
        return Ok(());
    }
    let Some(queue) = reply_queue(connection, number)? else {
        return Err(Fault::precondition("fast reply consumer does not exist"));
    };
    message.set_reply_to(ShortString::truncated(&queue).into());
    Ok(())
}

/// The queue of the channel's reply consumer.
fn reply_queue(connection: &mut Connection, number: u16) -> Result<Option<Name>, Fault> {
    let channel = connection.session.channel(number)?;
    let consumers: Vec<_> = channel.consumers.values().copied().collect();
    Ok(consumers
        .into_iter()
        .filter_map(|id| Some(&connection.session.subscription(id)?.queue))
        .find(|queue| is_reply_queue(queue))
        .cloned())
}
