//! Declares an exchange, or compares it with the existing one.

use stele_base_types::{Name, Timestamp};

use super::{arguments_allowed, change, same, unchanged};
use crate::{
    Adds, Arguments, CatalogueError, CatalogueRecord, Command, Contradiction, Decision, Exchange,
    ExchangeKind, State,
};

/// Declares an exchange. If it exists, nothing changes, and different attributes are a
/// [`CatalogueError::Contradiction`].
#[derive(Clone, Debug, PartialEq)]
pub struct DeclareExchange {
    /// The virtual host.
    pub vhost: Name,
    /// Its name.
    pub name: Name,
    /// How it routes.
    pub kind: ExchangeKind,
    /// Whether it survives a restart.
    pub durable: bool,
    /// Whether it is deleted with its last binding.
    pub auto_delete: bool,
    /// Whether clients may not publish to it.
    pub internal: bool,
    /// Its arguments.
    pub arguments: Arguments,
}

impl Command for DeclareExchange {
    type Reply = ();
    type Error = CatalogueError;

    const ADDS: Adds = Adds::Definitions;

    fn decide(self, state: &State, _now: Timestamp) -> Result<Decision<()>, CatalogueError> {
        let host = state.catalogue.host(&self.vhost)?;
        if let Some(existing) = host.exchange(&self.name) {
            equivalent(&self, &existing.exchange)?;
            return Ok(unchanged(()));
        }
        arguments_allowed(&self.arguments)?;
        let exchange = Exchange {
            kind: self.kind,
            durable: self.durable,
            auto_delete: self.auto_delete,
            internal: self.internal,
            arguments: self.arguments,
        };
        state.definition_allowed(exchange.bytes(), 0)?;
        let declared = CatalogueRecord::ExchangeDeclared {
            vhost: self.vhost,
            name: self.name,
            exchange: Box::new(exchange),
        };
        Ok(change(declared, ()))
    }
}

fn equivalent(received: &DeclareExchange, current: &Exchange) -> Result<(), Contradiction> {
    if received.kind != current.kind {
        return Err(Contradiction {
            field: "type",
            received: received.kind.name().into(),
            current: current.kind.name().into(),
        });
    }
    same("durable", &received.durable, &current.durable)?;
    same("auto_delete", &received.auto_delete, &current.auto_delete)?;
    same("internal", &received.internal, &current.internal)?;
    if received.arguments != current.arguments {
        return Err(Contradiction {
            field: "arguments",
            received: format!("{:?}", received.arguments).into(),
            current: format!("{:?}", current.arguments).into(),
        });
    }
    Ok(())
}
