//! `GET /api/connections`: the open AMQP connections.

use hyper::StatusCode;
use serde_json::{Map, Value, json};
use stele_front_accept::ConnectionInfo;

use super::NODE;
use crate::{
    router::{self, Answer},
    settings::Settings,
};

/// The client property with the connection's name.
const GIVEN_NAME: &str = "connection_name";

/// The response.
pub(super) fn answer(settings: &Settings) -> Answer {
    let open = settings.connections.list();
    let all: Vec<Value> = open.iter().map(|info| of(info)).collect();
    router::json(StatusCode::OK, &all)
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
