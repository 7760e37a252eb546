//! Binds a log or an exchange to an exchange, and unbinds it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stele_base_types::{Name, Timestamp};

use super::{arguments_allowed, change, unchanged};
use crate::{
    Adds, Argument, BindingTarget, CatalogueError, CatalogueRecord, Command, Decision, State,
    catalogue::{
        Catalogue, predeclared,
        virtual_host::{BoundExchange, VirtualHost},
    },
};

/// A binding, named by all of its parts (AMQP 0-9-1 `queue.bind`). Asked for, it is made; one that
/// exists is left as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bind {
    /// Virtual host.
    pub vhost: Name,
    /// The exchange that routes.
    pub source: Name,
    /// What to.
    pub target: BindingTarget,
    /// Binding key.
    pub key: Name,
    /// Arguments; the headers exchange matches by them.
    pub arguments: BTreeMap<Box<str>, Argument>,
}

/// Undoes a binding. One that doesn't exist is no error. The last one of an auto-delete exchange
/// takes the exchange with it.
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

/// The default exchange takes none: its bindings are the log names.
fn takes_bindings(exchange: &str) -> bool {
    exchange != predeclared::DEFAULT
}

fn holds(source: &BoundExchange, bind: &Bind) -> bool {
    source
        .bindings
        .contains(&bind.target, &bind.key, &bind.arguments)
}
