//! `GET /api/connections`: the open AMQP connections.

use serde_json::{Map, Value, json};
use stele_front_accept::ConnectionInfo;

use super::{NODE, view::View};
use crate::{errors::Error, router::Answer, settings::Settings};

/// The client property with the connection's name.
const GIVEN_NAME: &str = "connection_name";

/// The response.
pub(super) fn answer(settings: &Settings, view: &View) -> Result<Answer, Error> {
    let open = settings.connections.list();
    let selected = open.iter().filter(|info| view.has(&info.name()));
    let selected: Vec<Value> = selected.map(|info| of(info)).collect();
    view.list(selected, open.len())
}

/// A connection as JSON.
pub(super) fn of(info: &ConnectionInfo) -> Value {
    let (peer, local) = (info.principal.address, info.local);
    let properties: Map<String, Value> = info
        .properties
        .iter()
        .map(|(name, text)| (name.clone(), Value::from(text.as_str())))
        .collect();
    let mut connection = json!({
        "name": info.name(),
        "node": NODE,
        "type": "network",
        "protocol": info.protocol,
        "state": "running",
        "user": info.principal.user(),
        "user_who_performed_action": info.principal.user(),
        "vhost": info.vhost.as_str(),
        "connected_at": info.since.0,
        "host": local.ip().to_string(),
        "port": local.port(),
        "peer_host": peer.ip().to_string(),
        "peer_port": peer.port(),
        "ssl": false,
    });
    if let Some(given) = properties.get(GIVEN_NAME) {
        connection["user_provided_name"] = given.clone();
    }
    connection["client_properties"] = properties.into();
    for (name, figure) in &info.figures {
        connection[*name] = (*figure).into();
    }
    connection
}
