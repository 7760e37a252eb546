//! `exchange.declare`: creates an exchange, or checks that an existing one matches.
//!
//! Fields: `exchange`, `type` (the names of [`ExchangeKind`]), `passive`, `durable`, `auto-delete`,
//! `internal`, `no-wait`, `arguments` (`alternate-exchange` and those of `exchange_arguments.rs`;
//! others are stored and have no effect, as in RabbitMQ). Reply: `exchange.declare-ok`. An unknown
//! type closes the connection with 503 COMMAND_INVALID; attributes that differ from the existing
//! ones are 406 PRECONDITION_FAILED; a new name with the prefix `amq.` and the default exchange are
//! 403 ACCESS_REFUSED. Spec: 1.6.2.1. Deviations from RabbitMQ: none.

use stele_base_types::Name;
use stele_core_engine::{ALTERNATE_EXCHANGE, Argument, DeclareExchange, Exchange, ExchangeKind};
use stele_wire_amqp::{
    Table, Value,
    method::exchange::{Declare, DeclareOk},
};

use super::Handled;
use crate::{
    arguments::{Described, arguments},
    connection::Connection,
    errors::{Fault, Kind, Subject},
    exchange_arguments, lookup,
};

pub(super) async fn run(connection: &mut Connection, number: u16, declare: Declare) -> Handled {
    let name = lookup::name(&declare.exchange);
    if name.is_empty() {
        return Err(Fault::default_exchange());
    }
    if declare.passive {
        lookup::named_exchange(connection, &name)?;
    } else {
        declare_active(connection, &name, &declare).await?;
    }
    if !declare.no_wait {
        connection.reply(number, DeclareOk {});
    }
    Ok(())
}

async fn declare_active(connection: &Connection, name: &Name, declare: &Declare) -> Handled {
    let vhost = connection.session.opened.vhost.clone();
    let subject = Subject::exchange(name, &vhost);
    let kind = exchange_arguments::kind(&declare.kind)?;
    if let Some(existing) = lookup::exchange(connection, name) {
        return check_equivalence(&subject, declare, kind, &existing);
    }
    if name.starts_with(lookup::RESERVED_PREFIX) {
        return Err(Fault::reserved(Kind::Exchange, name));
    }
    check_alternate(&subject, &declare.arguments)?;
    exchange_arguments::check(&subject, kind, &declare.arguments)?;
    let declare = DeclareExchange {
        vhost: vhost.clone(),
        name: name.clone(),
        kind,
        durable: declare.durable,
        auto_delete: declare.auto_delete,
        internal: declare.internal,
        arguments: arguments(&declare.arguments),
    };
    let declared = connection.broker.declare_exchange(declare).await;
    declared.map_err(|error| subject.fault(error))
}

/// The kind as an Erlang atom: in quotes if it isn't a plain word.
fn atom(kind: ExchangeKind) -> String {
    let name = kind.name();
    match name.contains('-') {
        true => format!("'{name}'"),
        false => name.to_owned(),
    }
}

fn check_alternate(subject: &Subject<'_>, arguments: &Table) -> Handled {
    match arguments.find(ALTERNATE_EXCHANGE) {
        None | Some(Value::LongString(_)) => Ok(()),
        Some(other) => Err(subject.invalid_type(ALTERNATE_EXCHANGE, other)),
    }
}

fn check_equivalence(
    subject: &Subject<'_>,
    declare: &Declare,
    kind: ExchangeKind,
    existing: &Exchange,
) -> Handled {
    let same = |field, received: &str, current: &str| {
        if received == current {
            return Ok(());
        }
        let (received, current) = (format!("'{received}'"), format!("'{current}'"));
        Err(subject.inequivalent(field, &received, &current))
    };
    let flag = |field, received: bool, current: bool| {
        same(field, &received.to_string(), &current.to_string())
    };
    same("type", &atom(kind), &atom(existing.kind))?;
    flag("durable", declare.durable, existing.durable)?;
    flag("auto_delete", declare.auto_delete, existing.auto_delete)?;
    flag("internal", declare.internal, existing.internal)?;
    check_same_alternate(subject, declare, existing)
}

fn check_same_alternate(subject: &Subject<'_>, declare: &Declare, existing: &Exchange) -> Handled {
    let received = declare
        .arguments
        .find(ALTERNATE_EXCHANGE)
        .map(Described::of);
    let current = match existing.arguments.get(ALTERNATE_EXCHANGE) {
        Some(Argument::Text(octets)) => {
            let text = String::from_utf8_lossy(octets);
            Some(Described::of(&Value::text(&text)))
        }
        _ => None,
    };
    crate::queue_arguments::check_same(
        subject,
        ALTERNATE_EXCHANGE,
        received.as_ref(),
        current.as_ref(),
    )
}
