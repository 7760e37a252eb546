//! `GET /api/connections/NAME`: one connection. `DELETE` closes it with 320 CONNECTION_FORCED and
//! the reason in the header `X-Reason`, and returns 204.

use hyper::{Method, StatusCode, http::request::Parts};

use super::{connections, view::View};
use crate::{
    errors::Error,
    router::{self, Answer},
    settings::Settings,
};

/// The default reason, which is RabbitMQ's.
const REASON_DEFAULT: &str = "Closed via management plugin";

/// The response.
pub(super) fn answer(
    settings: &Settings,
    name: &str,
    head: &Parts,
    view: &View,
) -> Result<Answer, Error> {
    if head.method == Method::DELETE {
        let reason = head.headers.get("x-reason");
        let reason = reason.and_then(|reason| reason.to_str().ok());
        let reason = reason.unwrap_or(REASON_DEFAULT);
        return match settings.connections.close(name, reason) {
            true => Ok(router::empty(StatusCode::NO_CONTENT)),
            false => Err(Error::NoSuchPage),
        };
    }
    let open = settings.connections.list();
    let info = open.iter().find(|info| info.name() == name);
    let info = info.ok_or(Error::NoSuchPage)?;
    Ok(view.one(connections::of(info)))
}
