//! Declares an exchange, or compares with the one that is there.

use super::{change, same, unchanged};
use crate::{
    CatalogueRecord, Contradiction, Decision, Error, Exchange, Reply, catalogue::Catalogue,
    command::DeclareExchange,
};

impl Catalogue {
    pub(super) fn declare_exchange(&self, declaration: DeclareExchange) -> Result<Decision, Error> {
        let host = self.host(&declaration.vhost)?;
        if let Some(existing) = host.exchange(&declaration.name) {
            equivalent(&declaration, &existing.exchange)?;
            return Ok(unchanged(Reply::Done));
        }
        let DeclareExchange {
            vhost,
            name,
            kind,
            durable,
            auto_delete,
            internal,
            arguments,
        } = declaration;
        let exchange = Exchange {
            kind,
            durable,
            auto_delete,
            internal,
            arguments,
        };
        let declared = CatalogueRecord::ExchangeDeclared {
            vhost,
            name,
            exchange: Box::new(exchange),
        };
        Ok(change(declared, Reply::Done))
    }
}

fn equivalent(received: &DeclareExchange, current: &Exchange) -> Result<(), Error> {
    if received.kind != current.kind {
        let name = |kind| format!("{kind:?}").to_lowercase().into();
        return Err(Error::Contradiction(Contradiction {
            field: "type",
            received: name(received.kind),
            current: name(current.kind),
        }));
    }
    same("durable", &received.durable, &current.durable)?;
    same("auto_delete", &received.auto_delete, &current.auto_delete)?;
    same("internal", &received.internal, &current.internal)?;
    if received.arguments != current.arguments {
        return Err(Error::Contradiction(Contradiction {
            field: "arguments",
            received: format!("{:?}", received.arguments).into(),
            current: format!("{:?}", current.arguments).into(),
        }));
    }
    Ok(())
}
