//! The methods that a client may send, one file each.
//!
//! Each file opens with the same header: what the method does, its fields, RabbitMQ's deviations
//! from the specification and ours from RabbitMQ, and the section of the specification.

mod access_request;
mod basic_ack;
mod basic_cancel;
mod basic_consume;
mod basic_get;
mod basic_nack;
pub(crate) mod basic_publish;
mod basic_qos;
mod basic_recover;
mod basic_reject;
mod channel_close;
mod channel_flow;
mod channel_open;
mod confirm_select;
mod connection_close;
mod connection_update_secret;
mod exchange_bind;
mod exchange_declare;
mod exchange_delete;
mod exchange_unbind;
mod queue_bind;
mod queue_declare;
mod queue_delete;
mod queue_purge;
mod queue_unbind;
mod tx_commit;
mod tx_rollback;
mod tx_select;

use stele_wire_amqp::{
    Method,
    method::{access, basic, channel, confirm, connection, exchange, queue, tx},
};

use crate::{
    connection::{Connection, committing::Committing},
    errors::Fault,
    session::Command,
};

/// The result of an operation: its reply is in the outbox, or the channel or connection closes.
pub(crate) type Handled = Result<(), Fault>;

/// The counted methods, frequent ones first: those that clients send, and deliveries.
pub(crate) const COUNTED: [&str; 29] = [
    PUBLISH,
    DELIVER,
    "basic.ack",
    "basic.nack",
    "basic.reject",
    "basic.get",
    "basic.qos",
    "basic.consume",
    "basic.cancel",
    "basic.recover",
    "basic.recover-async",
    "channel.open",
    "channel.close",
    "channel.flow",
    "confirm.select",
    "tx.select",
    "tx.commit",
    "tx.rollback",
    "queue.declare",
    "queue.bind",
    "queue.unbind",
    "queue.purge",
    "queue.delete",
    "exchange.declare",
    "exchange.delete",
    "exchange.bind",
    "exchange.unbind",
    "connection.close",
    "access.request",
];

pub(crate) const PUBLISH: &str = "basic.publish";
pub(crate) const DELIVER: &str = "basic.deliver";

/// The position of a method among the counted ones.
pub(crate) fn position(name: &str) -> usize {
    let position = COUNTED.iter().position(|counted| *counted == name);
    position.unwrap_or(COUNTED.len())
}

/// Executes a command.
pub(crate) async fn run(connection: &mut Connection, command: Command) -> Handled {
    let name = match &command {
        Command::Publish(..) => PUBLISH,
        Command::Method(_, method) => method.name(),
    };
    connection.meter.request(position(name), 1);
    let outcome = match command {
        Command::Publish(number, content) => basic_publish::run(connection, number, content).await,
        Command::Method(number, method) => {
            if !is_gathered(&method) {
                connection.flush().await;
            }
            dispatch(connection, number, method).await
        }
    };
    if outcome.is_err() {
        connection.meter.error(position(name), 1);
    }
    outcome
}

/// Continues a commit whose messages are stored.
pub(crate) async fn committed(connection: &mut Connection, committed: Committing) -> Handled {
    let outcome = tx_commit::finish(connection, committed).await;
    if outcome.is_err() {
        connection.meter.error(position("tx.commit"), 1);
    }
    outcome
}

/// Methods that arrive in streams, whose effects are gathered and sent together. All other methods
/// see the effects of earlier ones.
fn is_gathered(method: &Method) -> bool {
    matches!(
        method,
        Method::Basic(basic::Method::Ack(_) | basic::Method::Nack(_) | basic::Method::Reject(_))
    )
}

async fn dispatch(connection: &mut Connection, number: u16, method: Method) -> Handled {
    match method {
        Method::Connection(method) => on_connection(connection, method).await,
        Method::Channel(method) => on_channel(connection, number, method).await,
        Method::Access(access::Method::Request(_)) => access_request::run(connection, number),
        Method::Exchange(method) => on_exchange(connection, number, method).await,
        Method::Queue(method) => on_queue(connection, number, method).await,
        Method::Basic(method) => on_basic(connection, number, method).await,
        Method::Confirm(confirm::Method::Select(select)) => {
            confirm_select::run(connection, number, &select)
        }
        Method::Tx(tx::Method::Select(_)) => tx_select::run(connection, number),
        Method::Tx(tx::Method::Commit(_)) => tx_commit::run(connection, number).await,
        Method::Tx(tx::Method::Rollback(_)) => tx_rollback::run(connection, number),
        Method::Access(access::Method::RequestOk(_))
        | Method::Confirm(confirm::Method::SelectOk(_))
        | Method::Tx(
            tx::Method::SelectOk(_) | tx::Method::CommitOk(_) | tx::Method::RollbackOk(_),
        ) => Err(unimplemented()),
    }
}

async fn on_connection(connection: &mut Connection, method: connection::Method) -> Handled {
    use connection::Method as M;
    match method {
        M::Close(close) => connection_close::run(connection, &close).await,
        M::CloseOk(_) => connection_close::acknowledged(connection),
        M::UpdateSecret(_) => connection_update_secret::run(connection),
        M::Start(_)
        | M::StartOk(_)
        | M::Secure(_)
        | M::SecureOk(_)
        | M::Tune(_)
        | M::TuneOk(_)
        | M::Open(_)
        | M::OpenOk(_)
        | M::Blocked(_)
        | M::Unblocked(_)
        | M::UpdateSecretOk(_) => Err(Fault::channel_error(
            "unexpected method in connection state running",
        )),
    }
}

async fn on_channel(connection: &mut Connection, number: u16, method: channel::Method) -> Handled {
    use channel::Method as M;
    match method {
        M::Open(_) => channel_open::run(connection, number),
        M::Flow(flow) => channel_flow::run(connection, number, &flow),
        M::Close(close) => channel_close::run(connection, number, &close).await,
        M::CloseOk(_) => channel_close::acknowledged(connection, number).await,
        M::OpenOk(_) | M::FlowOk(_) => Err(unimplemented()),
    }
}

async fn on_exchange(
    connection: &mut Connection,
    number: u16,
    method: exchange::Method,
) -> Handled {
    use exchange::Method as M;
    match method {
        M::Declare(declare) => exchange_declare::run(connection, number, declare).await,
        M::Delete(delete) => exchange_delete::run(connection, number, &delete).await,
        M::Bind(bind) => exchange_bind::run(connection, number, &bind).await,
        M::Unbind(unbind) => exchange_unbind::run(connection, number, &unbind).await,
        M::DeclareOk(_) | M::DeleteOk(_) | M::BindOk(_) | M::UnbindOk(_) => Err(unimplemented()),
    }
}

async fn on_queue(connection: &mut Connection, number: u16, method: queue::Method) -> Handled {
    use queue::Method as M;
    match method {
        M::Declare(declare) => queue_declare::run(connection, number, declare).await,
        M::Bind(bind) => queue_bind::run(connection, number, &bind).await,
        M::Purge(purge) => queue_purge::run(connection, number, &purge).await,
        M::Delete(delete) => queue_delete::run(connection, number, &delete).await,
        M::Unbind(unbind) => queue_unbind::run(connection, number, &unbind).await,
        M::DeclareOk(_) | M::BindOk(_) | M::PurgeOk(_) | M::DeleteOk(_) | M::UnbindOk(_) => {
            Err(unimplemented())
        }
    }
}

async fn on_basic(connection: &mut Connection, number: u16, method: basic::Method) -> Handled {
    use basic::Method as M;
    match method {
        M::Qos(qos) => basic_qos::run(connection, number, &qos).await,
        M::Consume(consume) => basic_consume::run(connection, number, consume).await,
        M::Cancel(cancel) => basic_cancel::run(connection, number, cancel).await,
        M::Get(get) => basic_get::run(connection, number, &get).await,
        M::Ack(ack) => basic_ack::run(connection, number, &ack).await,
        M::Reject(reject) => basic_reject::run(connection, number, &reject).await,
        M::RecoverAsync(recover) => basic_recover::run(connection, number, recover.requeue).await,
        M::Recover(recover) => basic_recover::run_answered(connection, number, &recover).await,
        M::Nack(nack) => basic_nack::run(connection, number, &nack).await,
        // A publish comes with its content as a command of its own.
        M::Publish(_)
        | M::QosOk(_)
        | M::ConsumeOk(_)
        | M::CancelOk(_)
        | M::Return(_)
        | M::Deliver(_)
        | M::GetOk(_)
        | M::GetEmpty(_)
        | M::RecoverOk(_) => Err(unimplemented()),
    }
}

/// A method that only servers send.
fn unimplemented() -> Fault {
    Fault::command_invalid("unimplemented method")
}
