//! `PUT /v1/tracing?vhost=/` starts tracing the messages of a virtual host: a copy of each message
//! that is published or delivered over AMQP goes to the exchange `amq.rabbitmq.trace`. `DELETE`
//! stops it; `GET` says whether it is on. It is off after a start.

use hyper::{Method, StatusCode};
use serde_json::json;
use stele_base_types::{Name, VHOST_DEFAULT};

use crate::{
    errors::Error,
    router::{self, Answer},
    settings::Settings,
    state::State,
};

/// The path.
pub(crate) const PATH: &str = "/v1/tracing";

/// The response.
pub(crate) fn answer(
    state: &State,
    settings: &Settings,
    method: &Method,
    query: &str,
) -> Result<Answer, Error> {
    let mut vhost = VHOST_DEFAULT.to_owned();
    for (parameter, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*parameter {
            "vhost" => vhost = value.into_owned(),
            _ => return Err(Error::BadQuery(format!("unknown parameter '{parameter}'"))),
        }
    }
    let wanted = match *method {
        Method::PUT => Some(true),
        Method::DELETE => Some(false),
        _ => None,
    };
    let is_on = set(state, settings, &vhost, wanted)?;
    let body = json!({ "vhost": vhost, "is_on": is_on });
    Ok(router::json(StatusCode::OK, &body))
}

/// Starts or stops tracing a virtual host, if that is wanted. Returns whether it is on then.
pub(super) fn set(
    state: &State,
    settings: &Settings,
    vhost: &str,
    wanted: Option<bool>,
) -> Result<bool, Error> {
    let name = Name::new(vhost).map_err(|_| Error::NoSuchVirtualHost)?;
    if !state.serving()?.broker.catalogue().has_vhost(vhost) {
        return Err(Error::NoSuchVirtualHost);
    }
    if let Some(is_on) = wanted {
        tracing::info!(vhost, is_on, "message tracing");
        settings.traced.set(name, is_on);
    }
    Ok(settings.traced.is_on(vhost))
}
