//! `basic.consume`: starts a consumer of a queue.
//!
//! Fields: `queue` (empty: the channel's last one), `consumer-tag` (empty: the server generates
//! one), `no-local` (has no effect, as in RabbitMQ), `no-ack`, `exclusive`, `no-wait`, `arguments`.
//! Reply: `basic.consume-ok`. A tag in use closes the connection with 530 NOT_ALLOWED. A queue with
//! an exclusive consumer, or an exclusive consumer on a queue with consumers, is 403
//! ACCESS_REFUSED. The queue `amq.rabbitmq.reply-to` is the direct reply-to (`reply_to.rs`). The
//! argument `x-priority` is any integer (else 406 PRECONDITION_FAILED): consumers of a higher
//! priority are served first. A stream is read without taking anything from it (`streams.rs`), and
//! so is a log that keeps its messages for a time, if the consumer names an `x-stream-offset`: this
//! needs a prefetch count (else 406 PRECONDITION_FAILED) and acknowledgements (else 540
//! NOT_IMPLEMENTED). Spec: 1.8.3.3. Deviations from RabbitMQ: none.

use stele_core_broker::{self as broker, Action};
use stele_core_engine::{
    self as engine, LedgerId, LogDefinition, LogError, limits::POOL_CONSUMERS_MAX,
};
use stele_wire_amqp::{
    ShortString, Table,
    method::basic::{Consume, ConsumeOk},
};

use super::{Handled, queue_declare};
use crate::{
    connection::{Connection, reading::Reading},
    errors::{Fault, Subject},
    limits::CONSUMER_CREDIT_BYTES,
    lookup,
    queue_arguments::{Kept, is_stream_of_one},
    reply_to,
    session::Subscription,
    streams::Wanted,
};

const PRIORITY: &str = "x-priority";

pub(super) async fn run(connection: &mut Connection, number: u16, consume: Consume) -> Handled {
    let tag = tag(connection, number, &consume.consumer_tag)?;
    if consume.queue.as_str() == reply_to::PSEUDO_QUEUE {
        let queue = reply_to::open(connection, number, consume.no_ack).await?;
        subscribe(connection, number, &queue, tag.clone(), &consume).await?;
    } else {
        consume_queue(connection, number, tag.clone(), &consume).await?;
    }
    if !consume.no_wait {
        connection.reply(number, ConsumeOk { consumer_tag: tag });
    }
    Ok(())
}

async fn consume_queue(
    connection: &mut Connection,
    number: u16,
    tag: ShortString,
    consume: &Consume,
) -> Handled {
    let name = lookup::queue_name(connection, number, &consume.queue)?;
    let queue = lookup::queue(connection, &name, Action::Consume)?;
    let vhost = connection.session.opened.vhost.clone();
    let subject = Subject::queue(&name, &vhost);
    connection.patience.note(&queue, connection.now);
    if let Some(wanted) = Wanted::read(&queue, &subject, &consume.arguments)? {
        let subscription = Subscription {
            channel: number,
            tag,
            queue: name.clone(),
            log: queue.id,
            no_ack: consume.no_ack,
            exclusive: consume.exclusive,
            reads: true,
            counts_deliveries: false,
        };
        let in_turn = is_stream_of_one(&queue);
        return read(connection, &subject, subscription, wanted, in_turn).await;
    }
    queue_declare::adopt(connection, &queue).await?;
    subscribe(connection, number, &queue, tag, consume).await
}

/// Starts a consumer that reads without taking anything; in turn with the stream's others, if it
/// serves one at a time.
async fn read(
    connection: &mut Connection,
    subject: &Subject<'_>,
    subscription: Subscription,
    wanted: Wanted,
    in_turn: bool,
) -> Handled {
    let channel = connection.session.channel(subscription.channel)?;
    let queue = subject.describe();
    let Some(prefetch) = channel.prefetch else {
        return Err(Fault::precondition(format!(
            "consumer prefetch count is not set for '{queue}'"
        )));
    };
    if subscription.no_ack {
        return Err(Fault::not_implemented(format!(
            "automatic acknowledgement not supported by stream queues {queue}"
        )));
    }
    if channel.prefetch_shared.is_some() {
        let what = format!("{queue} does not support global qos");
        return Err(Fault::not_implemented(what));
    }
    if channel.consumers.len() >= POOL_CONSUMERS_MAX {
        return Err(subject.fault(broker::Error::Refused(LogError::TooManyConsumers)));
    }
    let now = connection.settings.clock.now();
    let from = wanted.start.find(&connection.broker, wanted.partition, now);
    let from = from.await.map_err(|error| subject.fault(error))?;
    let consumer = connection.session.add_subscription(subscription);
    let (holder, partition) = (&connection.holder, wanted.partition);
    let reader = match in_turn {
        true => holder.reader_in_turn(partition, from, consumer),
        false => holder.reader(partition, from, consumer),
    };
    let reading = Reading::new(reader, wanted.filter, prefetch);
    connection.readings.add(consumer, reading);
    Ok(())
}

/// The consumer's tag: the client's, which must be unused on the channel, or a generated one.
fn tag(
    connection: &mut Connection,
    number: u16,
    wanted: &ShortString,
) -> Result<ShortString, Fault> {
    if wanted.is_empty() {
        let text = connection.settings.random.name("amq.ctag-");
        return Ok(ShortString::truncated(&text));
    }
    if connection
        .session
        .channel(number)?
        .consumers
        .contains_key(wanted)
    {
        return Err(Fault::not_allowed(format!(
            "attempt to reuse consumer tag '{wanted}'"
        )));
    }
    // Copied, because the tag outlives the read buffer.
    Ok(ShortString::truncated(wanted))
}

/// Whether the queue's deliveries show how often a message was delivered before.
pub(super) fn counts_deliveries(queue: &LogDefinition) -> bool {
    let kept = queue.facets.get(lookup::FACET);
    kept.is_some_and(|kept| Kept(kept).is_quorum())
}

/// The consumer's priority; 0 if it names none.
fn priority(subject: &Subject<'_>, arguments: &Table) -> Result<i64, Fault> {
    let Some(value) = arguments.find(PRIORITY) else {
        return Ok(0);
    };
    value.as_integer().ok_or_else(|| {
        let what = format!("\"expected integer, got {}\"", value.type_name());
        subject.invalid(PRIORITY, &what)
    })
}

async fn subscribe(
    connection: &mut Connection,
    number: u16,
    queue: &LogDefinition,
    tag: ShortString,
    consume: &Consume,
) -> Handled {
    let vhost = &connection.session.opened.vhost;
    let priority = priority(&Subject::queue(&queue.name, vhost), &consume.arguments)?;
    let consumer = connection.session.add_subscription(Subscription {
        channel: number,
        tag,
        queue: queue.name.clone(),
        log: queue.id,
        no_ack: consume.no_ack,
        exclusive: consume.exclusive,
        counts_deliveries: counts_deliveries(queue),
        reads: false,
    });
    let holder = &connection.holder;
    let shard = holder.shard_of(queue.id);
    let channel = connection.session.channel(number)?;
    let terms = engine::Subscription {
        ledger: LedgerId::DEFAULT,
        consumer: connection.holder.consumer(consumer),
        // Deliveries that are settled when sent never count as unacknowledged.
        prefetch: channel.prefetch.filter(|_| !consume.no_ack),
        pool: channel.id.life,
        // They still wait for room in the pool, as in RabbitMQ.
        pool_prefetch: channel.bound_at(shard, |log| holder.shard_of(log)),
        settle: consume.no_ack,
        // As in RabbitMQ, which ignores the flag there.
        exclusive: consume.exclusive && !lookup::is_quorum_of_one(queue),
        credit_bytes: CONSUMER_CREDIT_BYTES,
        priority,
    };
    channel.forget_told(Some(shard));
    let subscribed = connection.holder.subscribe(queue.id, terms).await;
    subscribed.map_err(|error| {
        connection.session.remove_subscription(consumer);
        let vhost = &connection.session.opened.vhost;
        Subject::queue(&queue.name, vhost).fault(error)
    })
}
