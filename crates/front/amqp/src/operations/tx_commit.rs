//! `tx.commit`: publishes and settles what the transaction holds, and begins the next one.
//!
//! Fields: none. Answer: `tx.commit-ok`, when every message is durable in every queue it went to,
//! and so is what was acknowledged or rejected.
//! As in RabbitMQ, a transaction isn't atomic: its messages become visible one after the other, and
//! where one can't be stored the channel closes with 406 PRECONDITION_FAILED.
//! Spec: 1.9.2.3.
//! Deviations from RabbitMQ: none.

use stele_core_broker as broker;
use stele_core_engine::{AppendError, Settle};
use stele_wire_amqp::method::tx::CommitOk;

use super::{Handled, basic_publish, tx_select};
use crate::{
    connection::{
        Connection,
        publishing::{Gathered, Gathering, Targets},
        settling::Settling,
    },
    errors::Fault,
    stored::Message,
};

pub(super) async fn run(connection: &mut Connection, number: u16) -> Handled {
    let transaction = tx_select::take(connection, number)?;
    let published = publish(connection, number, transaction.publishes).await;
    // What was settled before the transaction was, goes before it.
    connection.flush().await;
    let mut settling = Settling::default();
    let mut settles = Vec::new();
    for (_, unacked, outcome) in &transaction.settlements {
        settles.extend(settling.push(unacked, *outcome));
    }
    settles.extend(settling.take());
    for settle in settles {
        let settle = Settle {
            durable: true,
            ..settle
        };
        match connection.broker.settle(settle).await {
            Ok(_) | Err(broker::Error::Refused(_)) => {}
            Err(error) => {
                return Err(cut_short(connection, &error));
            }
        }
    }
    published?;
    connection.reply(number, CommitOk {});
    Ok(())
}

async fn publish(
    connection: &mut Connection,
    number: u16,
    publishes: Vec<(Targets, Message)>,
) -> Handled {
    let mut gathering = Gathering::default();
    for (targets, message) in publishes {
        if targets.is_empty() {
            basic_publish::unroutable(connection, number, &message, None);
            continue;
        }
        if !gathering.has_room_for(&targets, message.content.body.size_bytes()) {
            append(connection, gathering.take()).await?;
        }
        let now = connection.settings.clock.now();
        gathering
            .push(targets, &message, now, None)
            .map_err(|_| partial())?;
    }
    append(connection, gathering.take()).await
}

async fn append(connection: &Connection, gathered: Option<Gathered>) -> Handled {
    let Some(gathered) = gathered else {
        return Ok(());
    };
    match connection.broker.append(gathered.publish).await {
        Ok(_) | Err(broker::Error::Refused(AppendError::NoSuchLog)) => Ok(()),
        Err(error) => Err(cut_short(connection, &error)),
    }
}

fn cut_short(connection: &Connection, error: &dyn std::error::Error) -> Fault {
    tracing::warn!(client = %connection.principal(), %error, "a transaction was cut short");
    partial()
}

fn partial() -> Fault {
    Fault::precondition("partial tx completion")
}
