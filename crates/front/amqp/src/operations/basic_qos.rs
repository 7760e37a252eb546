//! `basic.qos`: limits the number of unacknowledged deliveries.
//!
//! Fields: `prefetch-size` (0, or 540 NOT_IMPLEMENTED), `prefetch-count` (0: no limit), `global`.
//! Reply: `basic.qos-ok`. As in RabbitMQ, without `global` each later consumer has this limit, and
//! a limit of the channel is removed; with `global` the channel's consumers share it. Messages from
//! `basic.get` don't count. Spec: 1.8.3.1. Deviations from RabbitMQ: a channel with `global` that
//! consumes from queues of several shards may lease messages beyond its limit, at most the limit
//! for each shard but one. They are sent only when the channel has room; until then, or until it
//! ends, other consumers don't get them.

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
