//! Writes a log line when something is defined or deleted.
//!
//! Definitions that end with their client or consumers are logged at debug level, as they come and
//! go often.

use stele_core_engine::{Bind, BindingTarget, Catalogue, CatalogueRecord, LogDefinition};

/// Writes the line for a change that is about to be made to `catalogue`.
pub(super) fn log_change(catalogue: &Catalogue, record: &CatalogueRecord) {
    match record {
        CatalogueRecord::LogDefined(definition) => {
            let is_new = catalogue.log_by_id(definition.id).is_none();
            log_log(definition, if is_new { "created" } else { "changed" });
        }
        CatalogueRecord::LogDeleted(id) => {
            if let Some(definition) = catalogue.log_by_id(*id) {
                log_log(definition, "deleted");
            }
        }
        CatalogueRecord::ExchangeDeclared {
            vhost,
            name,
            exchange,
        } if exchange.durable && !exchange.auto_delete => {
            tracing::info!(%vhost, %name, kind = ?exchange.kind, "exchange created");
        }
        CatalogueRecord::ExchangeDeclared { vhost, name, .. } => {
            tracing::debug!(%vhost, %name, "exchange created");
        }
        CatalogueRecord::ExchangeDeleted { vhost, name } => {
            tracing::info!(%vhost, %name, "exchange deleted");
        }
        CatalogueRecord::Bound(binding) => log_binding(catalogue, binding, "created"),
        CatalogueRecord::Unbound(binding) => log_binding(catalogue, binding, "deleted"),
    }
}

fn log_binding(catalogue: &Catalogue, binding: &Bind, what: &str) {
    let Bind {
        vhost,
        source,
        target,
        key,
        ..
    } = binding;
    let target = match target {
        BindingTarget::Log(id) => catalogue.log_by_id(*id).map(|it| &it.name),
        BindingTarget::Exchange(name) => Some(name),
    };
    let target = target.map(|name| name.as_str()).unwrap_or_default();
    tracing::debug!(%vhost, exchange = %source, target, %key, "binding {what}");
}

fn log_log(definition: &LogDefinition, what: &str) {
    let LogDefinition {
        vhost,
        name,
        config,
        facets,
        ..
    } = definition;
    let through = facets.keys().map(AsRef::as_ref).collect::<Vec<&str>>();
    let through = through.join(",");
    if config.lifetime.stays() {
        tracing::info!(%vhost, %name, through, "queue or topic {what}");
    } else {
        tracing::debug!(%vhost, %name, through, "queue or topic {what}");
    }
}
