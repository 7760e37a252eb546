//! `basic.qos`: bounds how many deliveries may be unacknowledged.
//!
//! Fields: `prefetch-size` (0, or 540 NOT_IMPLEMENTED), `prefetch-count` (0: no bound), `global`.
//! Answer: `basic.qos-ok`.
//! As RabbitMQ reads it: without `global` each consumer that comes later has this bound, and a
//! bound of the channel is lifted; with `global` the channel's consumers share it. What
//! `basic.get` gives isn't counted.
//! Spec: 1.8.3.1.
//! Deviations from RabbitMQ: a channel with `global` that consumes queues of several shards may
//! have messages leased beyond its limit, at most the limit for each shard but one. They aren't
//! sent before it has room; other consumers don't get them until then, or until it ends.

use stele_wire_amqp::method::basic::{Qos, QosOk};

use super::Handled;
use crate::{connection::Connection, errors::Fault};

pub(super) async fn run(connection: &mut Connection, number: u16, qos: &Qos) -> Handled {
    if qos.prefetch_size != 0 {
        let size = qos.prefetch_size;
        return Err(Fault::not_implemented(format!("prefetch_size!=0 ({size})")));
    }
    let limit = (qos.prefetch_count != 0).then_some(u32::from(qos.prefetch_count));
    let channel = connection.session.channel(number)?;
    let shared_before = channel.prefetch_shared;
    if qos.global {
        channel.prefetch_shared = limit;
    } else {
        channel.prefetch = limit;
        channel.prefetch_shared = None;
    }
    let (shared, pool) = (channel.prefetch_shared, channel.id.life);
    if shared != shared_before {
        channel.forget_told(None);
        for log in connection.session.consumed_logs(number) {
            connection.holder.prefetch(log, pool, shared).await;
        }
    }
    connection.reply(number, QosOk {});
    Ok(())
}
