//! Adds and removes bindings of a log or an exchange to an exchange.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stele_base_types::{Name, Timestamp};

use super::{arguments_allowed, change, unchanged};
use crate::{
    Adds, Argument, BindingTarget, CatalogueError, CatalogueRecord, Command, Decision, State,
    catalogue::{
        Binding, Catalogue, predeclared,
        virtual_host::{BoundExchange, VirtualHost},
    },
};

/// Adds a binding, identified by all of its fields (AMQP 0-9-1 `queue.bind`). Does nothing if it
/// exists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bind {
    /// The virtual host.
    pub vhost: Name,
    /// The exchange that routes.
    pub source: Name,
    /// The target.
    pub target: BindingTarget,
    /// The binding key.
    pub key: Name,
    /// The arguments, which the headers exchange matches by.
    pub arguments: BTreeMap<Box<str>, Argument>,
}

/// Removes a binding. Does nothing if it doesn't exist. An auto-delete exchange is removed with its
/// last binding.
#[derive(Clone, Debug)]
pub struct Unbind(pub Bind);

impl Command for Bind {
    type Reply = ();
    type Error = CatalogueError;

    const ADDS: Adds = Adds::Definitions;

    fn decide(self, state: &State, _now: Timestamp) -> Result<Decision<()>, CatalogueError> {
        let host = state.catalogue.host(&self.vhost)?;
        let source = source(host, &self)?;
        if !state.catalogue.is_target(host, &self) {
            return Err(CatalogueError::NoSuchTarget);
        }
        if holds(source, &self) {
            return Ok(unchanged(()));
        }
        arguments_allowed(&self.arguments)?;
        state.definition_allowed(Binding::from(&self).bytes(), 0)?;
        Ok(change(CatalogueRecord::Bound(Box::new(self)), ()))
    }
}

impl Command for Unbind {
    type Reply = ();
    type Error = CatalogueError;

    fn decide(self, state: &State, _now: Timestamp) -> Result<Decision<()>, CatalogueError> {
        let Self(bind) = self;
        let source = source(state.catalogue.host(&bind.vhost)?, &bind)?;
        if !holds(source, &bind) {
            return Ok(unchanged(()));
        }
        Ok(change(CatalogueRecord::Unbound(Box::new(bind)), ()))
    }
}

impl Catalogue {
    fn is_target(&self, host: &VirtualHost, bind: &Bind) -> bool {
        match &bind.target {
            BindingTarget::Log(log) => self
                .log_by_id(*log)
                .is_some_and(|log| log.vhost == bind.vhost),
            BindingTarget::Exchange(name) => takes_bindings(name) && host.exchange(name).is_some(),
        }
    }
}

fn source<'a>(host: &'a VirtualHost, bind: &Bind) -> Result<&'a BoundExchange, CatalogueError> {
    host.exchange(&bind.source)
        .filter(|_| takes_bindings(&bind.source))
        .ok_or_else(|| CatalogueError::NoSuchExchange(bind.source.clone()))
}

/// The default exchange accepts no bindings: the log names are its bindings.
fn takes_bindings(exchange: &str) -> bool {
    exchange != predeclared::DEFAULT
}

fn holds(source: &BoundExchange, bind: &Bind) -> bool {
    source
        .bindings
        .contains(&bind.target, &bind.key, &bind.arguments)
}
