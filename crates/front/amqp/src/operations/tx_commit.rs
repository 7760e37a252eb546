//! `tx.commit`: publishes and settles the contents of the transaction, and begins the next one.
//!
//! Fields: none. Reply: `tx.commit-ok`, when every message is durable in every queue it was routed
//! to, and all acknowledgements and rejections are durable. A mandatory message whose queues have
//! all been deleted since it was published is returned before that with `basic.return`. If one
//! can't be stored, nothing is, and the channel closes with 406 PRECONDITION_FAILED. Spec: 1.9.2.3.
//! Deviations from RabbitMQ: a transaction is atomic, also if the server crashes.

use stele_core_broker::{self as broker, Transaction as Commit};
use stele_core_engine::{AppendError, Outcome, Settle};
use stele_wire_amqp::method::tx::CommitOk;

use super::{Handled, basic_publish, tx_select};
use crate::{
    connection::{Connection, committing::Committing, publishing::Gathering, settling::Settling},
    errors::Fault,
    routing,
    session::transaction::Transaction,
    stored::Message,
};

pub(super) async fn run(connection: &mut Connection, number: u16) -> Handled {
    let mut transaction = tx_select::take(connection, number)?;
    let (commit, mandatory) = match batches(connection, number, &mut transaction) {
        Ok((publishes, mandatory)) => {
            let settles = settles(&transaction);
            (Commit { publishes, settles }, mandatory)
        }
        Err(error) => {
            tracing::warn!(client = %connection.principal(), %error, "transaction refused");
            return refuse(connection, number, transaction).await;
        }
    };
    if commit.is_empty() {
        return accept(connection, number, &transaction);
    }
    let room = std::mem::take(&mut transaction.room);
    match connection.holder.commit(commit, room).await {
        Ok(sent) => {
            connection.commit(Committing {
                number,
                transaction,
                mandatory,
                sent,
                outcome: None,
            });
            Ok(())
        }
        Err(error) => {
            tell(connection, &error);
            refuse(connection, number, transaction).await
        }
    }
}

/// The messages in batches, and the mandatory ones with the positions of their batches. A message
/// whose queues are all gone is returned.
#[allow(clippy::type_complexity, reason = "used once")]
fn batches(
    connection: &mut Connection,
    number: u16,
    transaction: &mut Transaction,
) -> Result<(Vec<broker::Publish>, Vec<(usize, Message)>), stele_wire_batch::Error> {
    let mut batches = Vec::new();
    let mut mandatory = Vec::new();
    let mut gathering = Gathering::default();
    for (queues, message) in std::mem::take(&mut transaction.publishes) {
        let to = routing::present(connection, &queues, &message);
        if to.is_empty() {
            basic_publish::unroutable(connection, number, &message, None);
            continue;
        }
        if !gathering.has_room_for(&to, &message) {
            batches.extend(gathering.take().map(|gathered| gathered.publish));
        }
        let now = connection.settings.clock.now();
        gathering.push(to, &message, now, None)?;
        if message.content.publish.mandatory {
            mandatory.push((batches.len(), message));
        }
    }
    batches.extend(gathering.take().map(|gathered| gathered.publish));
    Ok((batches, mandatory))
}

/// The settlements, except those of messages that were read without being taken.
fn settles(transaction: &Transaction) -> Vec<Settle> {
    let mut settling = Settling::default();
    let mut settles = Vec::new();
    for (_, unacked, outcome) in &transaction.settlements {
        if unacked.read_by.is_none() {
            settles.extend(settling.push(unacked, *outcome));
        }
    }
    settles.extend(settling.take());
    settles
}

/// Sends the reply, once the transaction is final and all of it can be seen.
pub(super) async fn finish(connection: &mut Connection, committing: Committing) -> Handled {
    let Committing {
        number,
        transaction,
        mandatory,
        sent,
        outcome,
    } = committing;
    let gone = match outcome.unwrap_or_else(|| Ok(Vec::new())) {
        Ok(gone) => gone,
        Err(error) => {
            tell(connection, &error);
            return refuse(connection, number, transaction).await;
        }
    };
    let gone: Vec<usize> = gone
        .into_iter()
        .filter_map(|it| sent.position(it))
        .collect();
    for (_, message) in mandatory.iter().filter(|(batch, _)| gone.contains(batch)) {
        basic_publish::unroutable(connection, number, message, None);
    }
    if connection.holder.see_committed(&sent).await.is_err() {
        // The broker is stopping. The transaction is final, but nobody can be told that.
        return Err(Fault::precondition("partial tx completion"));
    }
    accept(connection, number, &transaction)
}

fn accept(connection: &mut Connection, number: u16, transaction: &Transaction) -> Handled {
    for (_, unacked, outcome) in &transaction.settlements {
        connection.settle_read(unacked, *outcome);
    }
    connection.reply(number, CommitOk {});
    Ok(())
}

fn tell(connection: &Connection, error: &broker::Error<AppendError>) {
    // A full queue that refuses messages does what it was declared for.
    if !matches!(error, broker::Error::Refused(AppendError::TooLong)) {
        tracing::warn!(client = %connection.principal(), %error, "a transaction was refused");
    }
}

/// Closes the channel. Nothing of the transaction was done: its deliveries are unacknowledged again
/// and return with the channel's others.
async fn refuse(connection: &mut Connection, number: u16, transaction: Transaction) -> Handled {
    let now = connection.now;
    for (tag, unacked, _) in transaction.settlements {
        match connection.session.channel(number) {
            Ok(channel) => channel.deliveries.restore(tag, unacked, now),
            Err(_) => connection.settle(&unacked, Outcome::Return(0)).await,
        }
    }
    // RabbitMQ's words.
    Err(Fault::precondition("partial tx completion"))
}
