//! Declarations of logs, as fronts make them.

use stele_base_types::Name;
use stele_core_engine::{
    Adopt, DeclareLog, Durability, LedgerConfig, Lifetime, LogConfig, Retention, Settings,
};

/// A durable queue of one partition, as declared by the AMQP front.
pub fn queue(name: &str, durability: Durability) -> DeclareLog {
    let config = LogConfig {
        partitions: 1,
        durability,
        retention: Retention::QUEUE,
        lifetime: Lifetime::default(),
        queue: Some(LedgerConfig::default()),
    };
    DeclareLog {
        vhost: Name::vhost_default(),
        name: Name::new(name).expect("a short name"),
        adopt: Adopt::same_as(&config),
        config,
        facet: "amqp".into(),
        settings: Settings::new(),
    }
}
