//! `GET /api/aliveness-test/VHOST`: checks that the broker works. RabbitMQ passes a message through
//! a queue; here, a request to every shard is just as conclusive and changes nothing.

use hyper::StatusCode;
use serde_json::json;
use tokio::time::timeout;

use crate::{
    errors::Error,
    limits::PROBE_TIMEOUT,
    router::{self, Answer},
    state::State,
};

/// The response.
pub(super) async fn answer(state: &State, vhost: &str) -> Result<Answer, Error> {
    let broker = &state.serving()?.broker;
    if !broker.catalogue().has_vhost(vhost) {
        return Err(Error::NoSuchPage);
    }
    let asked = timeout(PROBE_TIMEOUT, broker.shard_statuses());
    asked.await.map_err(|_| Error::Stuck)??;
    Ok(router::json(StatusCode::OK, &json!({ "status": "ok" })))
}
