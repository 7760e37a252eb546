//! `amqp://USER:PASSWORD@HOST:PORT/VHOST?namespace=NAME&queues=classic`. The rest of the query is
//! lapin's.

use std::sync::Arc;

use stele_toolkit_amqp::{Amqp, QueueKind, Settings};
use stele_toolkit_bus::Transport;

use super::ConnectError;

pub(super) fn connect(url: &str) -> Result<Arc<dyn Transport>, ConnectError> {
    let (before, query) = url.split_once('?').unwrap_or((url, ""));
    let mut settings = Settings::new(before);
    let mut others = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            Some(("namespace", name)) => settings.namespace = name.to_owned(),
            Some(("queues", "classic")) => settings.queue_kind = QueueKind::Classic,
            Some(("queues", "quorum")) => settings.queue_kind = QueueKind::Quorum,
            Some(("queues", other)) => {
                let reason = format!("queues={other} is neither classic nor quorum");
                let scheme = "amqp";
                return Err(ConnectError::Url { scheme, reason });
            }
            _ => others.push(part),
        }
    }
    if !others.is_empty() {
        settings.uri = format!("{before}?{}", others.join("&"));
    }
    Ok(Arc::new(Amqp::new(settings)?))
}
