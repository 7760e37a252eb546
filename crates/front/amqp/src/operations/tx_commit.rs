//! `tx.commit`: publishes and settles the contents of the transaction, and begins the next one.
//!
//! Fields: none. Reply: `tx.commit-ok`, when every message is durable in every queue it was routed
//! to, and all acknowledgements and rejections are durable. A mandatory message whose queues have
//! all been deleted since it was published is returned before that with `basic.return`. As in
//! RabbitMQ, a transaction isn't atomic: its messages become visible one after the other, and if
//! one can't be stored, the channel closes with 406 PRECONDITION_FAILED. Spec: 1.9.2.3. Deviations
//! from RabbitMQ: none.

use stele_core_broker as broker;
use stele_core_engine::Settle;
use stele_wire_amqp::method::tx::CommitOk;

use super::{Handled, basic_publish, tx_select};
use crate::{
    connection::{Connection, committing::Committing, publishing::Gathering, settling::Settling},
    errors::Fault,
    routing,
};

pub(super) async fn run(connection: &mut Connection, number: u16) -> Handled {
    let mut transaction = tx_select::take(connection, number)?;
    let publishes = std::mem::take(&mut transaction.publishes);
    let mut committing = Committing::new(number, transaction);
    let mut gathering = Gathering::default();
    let mut mandatory = Vec::new();
    for (queues, message) in publishes {
        let to = routing::present(connection, &queues, &message);
        if to.is_empty() {
            basic_publish::unroutable(connection, number, &message, None);
            continue;
        }
        if !gathering.has_room_for(&to, &message)
            && let Some(gathered) = gathering.take()
        {
            let mandatory = std::mem::take(&mut mandatory);
            connection
                .publish_of(&mut committing, gathered, mandatory)
                .await;
        }
        let now = connection.settings.clock.now();
        let pushed = gathering.push(to, &message, now, None);
        committing.is_cut_short |= pushed.is_err();
        if message.content.publish.mandatory {
            mandatory.push(message);
        }
    }
    if let Some(gathered) = gathering.take() {
        connection
            .publish_of(&mut committing, gathered, mandatory)
            .await;
    }
    if committing.is_answered() {
        return finish(connection, committing).await;
    }
    connection.commit(committing);
    Ok(())
}

/// Executes the settlements, once the messages are stored, and sends the reply.
pub(super) async fn finish(connection: &mut Connection, committed: Committing) -> Handled {
    let Committing {
        number,
        transaction,
        is_cut_short,
        ..
    } = committed;
    let mut settling = Settling::default();
    let mut settles = Vec::new();
    for (_, unacked, outcome) in &transaction.settlements {
        if connection.settle_read(unacked) {
            continue;
        }
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
                tracing::warn!(
                    client = %connection.principal(), %error, "transaction partly committed"
                );
                return Err(partial());
            }
        }
    }
    if is_cut_short {
        return Err(partial());
    }
    connection.reply(number, CommitOk {});
    Ok(())
}

fn partial() -> Fault {
    Fault::precondition("partial tx completion")
}
