//! SaslHandshake (key 17), versions 0 and 1.
//!
//! Always refused: the listener has no authentication, and replies as Kafka's PLAINTEXT listener
//! does. The API exists so that a client configured to authenticate gets a clear error, and so that
//! the attempt is logged.
//!
//! Deviations: none.
//!
//! Spec: `SaslHandshakeRequest.json`; KIP-43.

use stele_front_accept::log_failed_login;
use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{SaslHandshakeRequest, SaslHandshakeResponse},
};

use super::Operation;
use crate::session::Session;

/// The operation.
pub(crate) struct SaslHandshake;

impl Operation for SaslHandshake {
    type Request = SaslHandshakeRequest;

    const VERSIONS: (i16, i16) = (0, 1);

    async fn handle(
        session: &mut Session,
        _header: &RequestHeader,
        request: SaslHandshakeRequest,
    ) -> SaslHandshakeResponse {
        let mechanism = &*request.mechanism;
        let reason = format!("the Kafka port has no authentication: {mechanism:?} was asked for");
        // The client names its user only after the handshake.
        log_failed_login("kafka", session.principal.address, "", &reason);
        SaslHandshakeResponse::default().with_error_code(ResponseError::IllegalSaslState.code())
    }
}
