//! Removes an exchange with its bindings and those to it.

use stele_base_types::Name;

use super::change;
use crate::{
    CatalogueRecord, Decision, Error, Reply,
    catalogue::{Catalogue, predeclared},
};

impl Catalogue {
    pub(super) fn delete_exchange(
        &self,
        vhost: Name,
        name: Name,
        if_unused: bool,
    ) -> Result<Decision, Error> {
        let Some(existing) = self.host(&vhost)?.exchange(&name) else {
            return Err(Error::NoSuchExchange(name));
        };
        let is_used = if_unused && !existing.bindings.is_empty();
        if is_used || predeclared::contains(&name) {
            return Err(Error::InUse);
        }
        Ok(change(
            CatalogueRecord::ExchangeDeleted { vhost, name },
            Reply::Done,
        ))
    }
}
