//! Declarations of logs, as fronts make them.

use stele_base_types::Name;
use stele_core_engine::{
    DeclareLog, Durability, Lifetime, LogConfig, QueueConfig, Retention, Settings,
};

/// A lasting queue of one partition, as the AMQP front declares it.
pub fn queue(name: &str, durability: Durability) -> DeclareLog {
    DeclareLog {
        vhost: Name::vhost_default(),
        name: Name::new(name).expect("a short name"),
        config: LogConfig {
            partitions: 1,
            durability,
            retention: Retention::QUEUE,
            lifetime: Lifetime::default(),
            queue: Some(QueueConfig::default()),
        },
        facet: "amqp".into(),
        settings: Settings::new(),
    }
}
