//! `DELETE /v1/logs/NAME/queue?vhost=/` and `…/topic`: removes the role of queue or topic from a
//! log. From then on, the log retains records as its other role does. Refused if it has no other
//! role.

use hyper::StatusCode;
use stele_base_types::Principal;
use stele_core_broker::{self as broker, Action};
use stele_core_engine::{AlterLog, CatalogueError, Role};

use super::log;
use crate::{
    errors::Error,
    router::{self, Answer},
    settings::Settings,
    state::State,
};

/// The name and the role in the rest of the path after `/v1/logs/`.
pub(crate) fn split(path: &str) -> Option<(&str, Role)> {
    match path.rsplit_once('/')? {
        (name, "queue") => Some((name, Role::Queue)),
        (name, "topic") => Some((name, Role::Topic)),
        _ => None,
    }
}

/// Ends a role. Returns the log in its new state.
pub(crate) async fn end(
    state: &State,
    settings: &Settings,
    principal: &Principal,
    name: &str,
    role: Role,
    query: &str,
) -> Result<Answer, Error> {
    let broker = &state.serving()?.broker;
    let definition = log::find(broker, principal, name, query, Action::Configure)?;
    let alter = AlterLog {
        ends: Some(role),
        ..AlterLog::nothing(definition.id)
    };
    let altered = broker.alter_log(alter).await.map_err(of_alter)?;
    let body = log::of(broker, settings, altered.definition()).await?;
    Ok(router::json(StatusCode::OK, &body))
}

fn of_alter(error: broker::Error<CatalogueError>) -> Error {
    match error {
        broker::Error::Refused(CatalogueError::NoSuchLog) => Error::NoSuchLog,
        broker::Error::Refused(refused) => Error::Refused(refused.to_string()),
        broker::Error::Failed(failure) => Error::Broker(failure),
    }
}
