//! `GET /startupz`: 503 until recovery is done and every port is open, 200 from then on.
//!
//! For a startup probe, which suspends the liveness probe while a large directory recovers.

use hyper::StatusCode;

use crate::{
    router::{Answer, text},
    state::{Phase, State},
};

/// The response.
pub(crate) fn answer(state: &State) -> Answer {
    match state.phase() {
        Phase::Recovering => {
            let word = Phase::Recovering.word();
            text(StatusCode::SERVICE_UNAVAILABLE, format!("{word}\n"))
        }
        Phase::Ready | Phase::Draining => text(StatusCode::OK, "ok\n".to_owned()),
    }
}
