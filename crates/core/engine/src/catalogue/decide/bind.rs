//! Binds a log or an exchange to an exchange, and unbinds it.

use super::{change, unchanged};
use crate::{
    BindingTarget, CatalogueRecord, Decision, Error, Reply,
    catalogue::{
        Catalogue, predeclared,
        virtual_host::{BoundExchange, VirtualHost},
    },
    command::Bind,
};

impl Catalogue {
    pub(super) fn bind(&self, bind: Bind) -> Result<Decision, Error> {
        let host = self.host(&bind.vhost)?;
        let source = source(host, &bind)?;
        if !self.is_target(host, &bind) {
            return Err(Error::NoSuchTarget);
        }
        if holds(source, &bind) {
            return Ok(unchanged(Reply::Done));
        }
        Ok(change(CatalogueRecord::Bound(Box::new(bind)), Reply::Done))
    }

    pub(super) fn unbind(&self, bind: Bind) -> Result<Decision, Error> {
        let source = source(self.host(&bind.vhost)?, &bind)?;
        if !holds(source, &bind) {
            return Ok(unchanged(Reply::Done));
        }
        Ok(change(
            CatalogueRecord::Unbound(Box::new(bind)),
            Reply::Done,
        ))
    }

    fn is_target(&self, host: &VirtualHost, bind: &Bind) -> bool {
        match &bind.target {
            BindingTarget::Log(log) => self
                .log_by_id(*log)
                .is_some_and(|log| log.vhost == bind.vhost),
            BindingTarget::Exchange(name) => takes_bindings(name) && host.exchange(name).is_some(),
        }
    }
}

fn source<'a>(host: &'a VirtualHost, bind: &Bind) -> Result<&'a BoundExchange, Error> {
    host.exchange(&bind.source)
        .filter(|_| takes_bindings(&bind.source))
        .ok_or_else(|| Error::NoSuchExchange(bind.source.clone()))
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
