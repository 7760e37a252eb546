//! FindCoordinator (key 10), versions 0 to 6.
//!
//! There is one broker, so it coordinates every group. Versions 4 and later request several keys at
//! once.
//!
//! Deviations: coordinators of transactions (key type 1) and share groups (2) are refused, because
//! neither is supported.
//!
//! Spec: `FindCoordinatorRequest.json`; KIP-699 (several keys).

use stele_wire_kafka::{
    RequestHeader, ResponseError, StrBytes,
    messages::{
        BrokerId, FindCoordinatorRequest, FindCoordinatorResponse,
        find_coordinator_response::Coordinator,
    },
};

use super::{Operation, text};
use crate::{errors::Fault, session::Session, topics::NODE_ID};

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

/// The first version with several keys.
const KEYS_SINCE: i16 = 4;

/// The operation.
pub(crate) struct FindCoordinator;

impl Operation for FindCoordinator {
    type Request = FindCoordinatorRequest;

    const VERSIONS: (i16, i16) = (0, 6);

    async fn handle(
        session: &mut Session,
        header: &RequestHeader,
        request: FindCoordinatorRequest,
    ) -> FindCoordinatorResponse {
        let found = check_type(request.key_type);
        if header.api_version >= KEYS_SINCE {
            let keys = request.coordinator_keys.into_iter();
            let coordinators = keys.map(|key| coordinator(session, key, &found));
            return FindCoordinatorResponse::default().with_coordinators(coordinators.collect());
        }
        let only = coordinator(session, request.key, &found);
        FindCoordinatorResponse::default()
            .with_error_code(only.error_code)
            .with_error_message(only.error_message)
            .with_node_id(only.node_id)
            .with_host(only.host)
            .with_port(only.port)
    }
}

fn check_type(key_type: i8) -> Result<(), Fault> {
    match key_type {
        GROUP => Ok(()),
        // Of the codes that clients don't retry, this is the one whose message both the Java
        // producer and librdkafka show.
        TRANSACTION => Err(Fault::new(
            ResponseError::ClusterAuthorizationFailed,
            "transactions aren't supported yet",
        )),
        other => Err(Fault::new(
            ResponseError::InvalidRequest,
            format!("coordinator type {other} isn't supported"),
        )),
    }
}

fn coordinator(session: &Session, key: StrBytes, found: &Result<(), Fault>) -> Coordinator {
    let coordinator = Coordinator::default().with_key(key);
    match found {
        Ok(()) => coordinator
            .with_node_id(BrokerId(NODE_ID))
            .with_host(text(&session.endpoint.host))
            .with_port(i32::from(session.endpoint.port)),
        Err(fault) => coordinator
            .with_error_code(fault.code())
            .with_error_message(fault.text())
            .with_node_id(BrokerId(-1))
            .with_port(-1),
    }
}
