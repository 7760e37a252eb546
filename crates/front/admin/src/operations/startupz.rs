//! `GET /startupz`: 200 once recovery is done and every port is open, and from then on; 503 before.
//!
//! For a probe that holds the others back while a large directory recovers, which may take longer
//! than a liveness probe is patient.

use hyper::StatusCode;

use crate::{
    router::{Answer, text},
    state::{Phase, State},
};

/// The answer.
pub(crate) fn answer(state: &State) -> Answer {
    match state.phase() {
        Phase::Recovering => {
            let word = Phase::Recovering.word();
            text(StatusCode::SERVICE_UNAVAILABLE, format!("{word}\n"))
        }
        Phase::Ready | Phase::Draining => text(StatusCode::OK, "ok\n".to_owned()),
    }
}
