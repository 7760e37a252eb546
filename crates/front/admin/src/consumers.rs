//! The consumers of logs, as the fronts have registered them.

use std::sync::Arc;

use stele_base_types::LogId;
use stele_core_engine::ConsumerRef;
use stele_front_accept::{ConnectionInfo, ConsumerInfo};

use crate::settings::Settings;

/// The open connections with their consumers.
#[derive(Debug)]
pub(crate) struct OpenConsumers(Vec<Arc<ConnectionInfo>>);

/// A consumer with its connection.
#[derive(Debug)]
pub(crate) struct OpenConsumer {
    pub(crate) reference: Option<ConsumerRef>,
    pub(crate) info: ConsumerInfo,
    pub(crate) connection: Arc<ConnectionInfo>,
}

impl OpenConsumers {
    pub(crate) fn list(settings: &Settings) -> Self {
        Self(settings.connections.list())
    }

    /// The consumers of a log.
    pub(crate) fn of(&self, log: LogId) -> Vec<OpenConsumer> {
        let of_one = |connection: &Arc<ConnectionInfo>| {
            let session = connection.principal.session;
            let consumers = connection.consumers.of(log).into_iter();
            let consumers = consumers.map(move |(consumer, info)| OpenConsumer {
                reference: session.map(|session| ConsumerRef { session, consumer }),
                info,
                connection: Arc::clone(connection),
            });
            consumers.collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of_one).collect()
    }

    /// The tag of a consumer, and the name of its connection.
    pub(crate) fn tag(&self, consumer: ConsumerRef) -> Option<(String, String)> {
        let mut open = self.0.iter();
        let connection = open.find(|it| it.principal.session == Some(consumer.session))?;
        let tag = connection.consumers.tag(consumer.consumer)?;
        Some((tag, connection.name()))
    }
}
