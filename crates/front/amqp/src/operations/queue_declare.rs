//! `queue.declare`: creates a queue, or checks that an existing one matches.
//!
//! Fields: `queue` (empty: the server generates a name), `passive`, `durable`, `exclusive`,
//! `auto-delete`, `no-wait`, `arguments` (`queue_arguments.rs`). Reply: `queue.declare-ok` with
//! name, number of ready messages, number of consumers. An exclusive queue of another connection is
//! 405 RESOURCE_LOCKED; attributes that differ from the existing ones are 406 PRECONDITION_FAILED;
//! a name with the prefix `amq.` is 403 ACCESS_REFUSED unless `passive`; a missing queue, with
//! `passive`, is 404 NOT_FOUND. A durable queue waits for the disk, any other is in memory. An
//! exclusive queue is never durable, whatever is declared, because its connection doesn't survive a
//! restart. A log created by another protocol also becomes a queue, from its start, unless the
//! declaration contradicts it. Each declaration, even a passive one, counts as a use for
//! `x-expires`. Spec: 1.7.2.1. Deviations from RabbitMQ: `x-queue-type` selects a behaviour and not
//! a store; both types are the same log.

use stele_base_types::{LogId, Name};
use stele_core_broker::{self as broker, Action};
use stele_core_engine::{
    Adopt, DeclareLog, Declared, Durability, Lifetime, LogConfig, LogDefinition, LogError,
    Retention, Settings,
};
use stele_wire_amqp::{
    ShortString,
    method::queue::{Declare, DeclareOk},
};

use super::Handled;
use crate::{
    connection::Connection,
    errors::{Fault, Kind, Subject},
    lookup::{self, FACET},
    queue_arguments::QueueArguments,
    reply_to,
};

/// The setting for the declared flag.
const DURABLE: &str = "durable";

pub(super) async fn run(connection: &mut Connection, number: u16, mut declare: Declare) -> Handled {
    let mut name = lookup::name(&declare.queue);
    if reply_to::is_pseudo(connection, &name) {
        return answer_pseudo(connection, number, &declare, &name);
    }
    if declare.passive {
        let queue = lookup::queue(connection, &name, Action::Describe)?;
        if !use_queue(connection, &name, queue.id, queue.config.lifetime).await? {
            return Err(Fault::no_queue(&name, &connection.session.opened.vhost));
        }
        connection.session.channel(number)?.last_queue = Some(name.clone());
        return answer(connection, number, &declare, &name, queue.id).await;
    }
    // As in RabbitMQ: a later declaration may say either.
    declare.durable &= !declare.exclusive;
    if name.is_empty() {
        let text = connection.settings.random.name("amq.gen-");
        name = Name::new(&text).expect("a made-up name is short");
    } else if name.starts_with(lookup::RESERVED_PREFIX) {
        return Err(Fault::reserved(Kind::Queue, &name));
    }
    let definition = declare_active(connection, &name, &declare).await?;
    connection.session.channel(number)?.last_queue = Some(name.clone());
    answer(connection, number, &declare, &name, definition.id).await
}

async fn declare_active(
    connection: &mut Connection,
    name: &Name,
    declare: &Declare,
) -> Result<LogDefinition, Fault> {
    let vhost = connection.session.opened.vhost.clone();
    let subject = Subject::queue(name, &vhost);
    let arguments = QueueArguments::read(&declare.arguments);
    if let Some(existing) = lookup::log(connection, name, Action::Configure)? {
        // A queue that was only opened to consume from it hasn't been declared by anybody.
        if existing.facets.contains_key(FACET) && existing.config.retention.is_queue() {
            check_equivalence(connection, &subject, declare, &arguments, &existing)?;
            let lifetime = existing.config.lifetime;
            if use_queue(connection, name, existing.id, lifetime).await? {
                return Ok(existing);
            }
        }
    }
    arguments.check(&subject)?;
    check_quorum(&subject, declare, &arguments)?;
    let config = config(connection, declare, &arguments);
    let log = DeclareLog {
        vhost: vhost.clone(),
        name: name.clone(),
        config,
        adopt: Adopt::same_as(&config),
        facet: Box::from(FACET),
        settings: settings(declare, &arguments),
    };
    let declared = connection.broker.declare_log(log).await;
    match declared.map_err(|error| subject.fault(error))? {
        Declared::Exists(definition) => {
            // Another client has created it first.
            check_equivalence(connection, &subject, declare, &arguments, &definition)?;
            Ok(definition)
        }
        Declared::Created(definition) | Declared::Adopted(definition) => {
            if declare.exclusive {
                connection.exclusive.push(definition.id);
            }
            Ok(definition)
        }
    }
}

/// Records a use of a queue with `x-expires`. Returns false if it has just been deleted.
async fn use_queue(
    connection: &Connection,
    name: &Name,
    log: LogId,
    lifetime: Lifetime,
) -> Result<bool, Fault> {
    if lifetime.unused_ms_max.is_none() {
        return Ok(true);
    }
    match connection.broker.use_log(log).await {
        Ok(()) => Ok(true),
        Err(broker::Error::Refused(LogError::NoSuchLog)) => Ok(false),
        Err(error) => {
            let vhost = &connection.session.opened.vhost;
            Err(Subject::queue(name, vhost).fault(error))
        }
    }
}

/// A quorum queue must be durable, not exclusive and not auto-delete.
fn check_quorum(subject: &Subject<'_>, declare: &Declare, arguments: &QueueArguments) -> Handled {
    let invalid = |property| {
        let what = format!("invalid property '{property}' for {}", subject.describe());
        Err(Fault::precondition(what))
    };
    match arguments.is_quorum() {
        true if declare.auto_delete => invalid("auto-delete"),
        true if declare.exclusive => invalid("exclusive-owner"),
        true if !declare.durable => invalid("non-durable"),
        _ => Ok(()),
    }
}

fn check_equivalence(
    connection: &Connection,
    subject: &Subject<'_>,
    declare: &Declare,
    arguments: &QueueArguments,
    existing: &LogDefinition,
) -> Handled {
    let owner = declare.exclusive.then(|| connection.holder.id());
    if existing.config.lifetime.exclusive != owner {
        return Err(Fault::locked(subject.name, subject.vhost));
    }
    let none = Settings::new();
    let kept = existing.facets.get(FACET).unwrap_or(&none);
    let durable = match kept.get(DURABLE) {
        Some(flag) => &**flag == "true",
        None => existing.config.durability != Durability::Volatile,
    };
    let flag = |field, received: bool, current: bool| {
        if received == current {
            return Ok(());
        }
        let (received, current) = (format!("'{received}'"), format!("'{current}'"));
        Err(subject.inequivalent(field, &received, &current))
    };
    flag("durable", declare.durable, durable)?;
    let auto_delete = existing.config.lifetime.auto_delete;
    flag("auto_delete", declare.auto_delete, auto_delete)?;
    arguments.check_equivalence(subject, kept)
}

fn config(connection: &Connection, declare: &Declare, arguments: &QueueArguments) -> LogConfig {
    LogConfig {
        // One for each priority.
        partitions: arguments.priority_max() + 1,
        durability: if declare.durable {
            connection.settings.durability
        } else {
            Durability::Volatile
        },
        retention: Retention::QUEUE,
        lifetime: Lifetime {
            exclusive: declare.exclusive.then(|| connection.holder.id()),
            auto_delete: declare.auto_delete,
            unused_ms_max: arguments.expires_ms(),
        },
        queue: Some(arguments.ledger()),
    }
}

fn settings(declare: &Declare, arguments: &QueueArguments) -> Settings {
    let mut settings = Settings::new();
    settings.insert(Box::from(DURABLE), declare.durable.to_string().into());
    arguments.write(&mut settings);
    settings
}

async fn answer(
    connection: &mut Connection,
    number: u16,
    declare: &Declare,
    name: &Name,
    log: LogId,
) -> Handled {
    if declare.no_wait {
        return Ok(());
    }
    let vhost = connection.session.opened.vhost.clone();
    let status = connection.broker.status(log).await;
    let status = status.map_err(|error| Subject::queue(name, &vhost).fault(error))?;
    let declare_ok = DeclareOk {
        queue: ShortString::truncated(name),
        message_count: lookup::count(status.ready),
        consumer_count: lookup::count(status.consumers),
    };
    connection.reply(number, declare_ok);
    Ok(())
}

/// Answers for the pseudo-queue of direct reply-to, or the queue behind it, which a server may
/// declare to learn whether its client still waits.
fn answer_pseudo(
    connection: &mut Connection,
    number: u16,
    declare: &Declare,
    name: &Name,
) -> Handled {
    connection.session.channel(number)?.last_queue = Some(name.clone());
    if !declare.no_wait {
        let declare_ok = DeclareOk {
            queue: ShortString::truncated(name),
            message_count: 0,
            consumer_count: 1,
        };
        connection.reply(number, declare_ok);
    }
    Ok(())
}

/// Opens a log created by another protocol, so that it can be consumed from.
pub(super) async fn adopt(connection: &Connection, log: &LogDefinition) -> Handled {
    if log.config.queue.is_some() {
        return Ok(());
    }
    let durable = log.config.durability != Durability::Volatile;
    let settings = Settings::from([(Box::from(DURABLE), durable.to_string().into())]);
    let opening = DeclareLog::opening(log, Box::from(FACET), settings);
    let opened = connection.broker.declare_log(opening).await;
    opened
        .map(drop)
        .map_err(|error| Subject::queue(&log.name, &log.vhost).fault(error))
}
