//! ListPartitionReassignments (key 46), version 0.
//!
//! Lists none: with one broker no partition ever moves. Topics that don't exist are left out, as
//! are those that aren't moving.
//!
//! Deviations: none known.
//!
//! Spec: `ListPartitionReassignmentsRequest.json`; KIP-455.

use stele_wire_kafka::{
    RequestHeader,
    messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse},
};

use super::Operation;
use crate::session::Session;

/// The operation.
pub(crate) struct ListPartitionReassignments;

impl Operation for ListPartitionReassignments {
    type Request = ListPartitionReassignmentsRequest;

    const VERSIONS: (i16, i16) = (0, 0);

    async fn handle(
        _session: &mut Session,
        _header: &RequestHeader,
        _request: ListPartitionReassignmentsRequest,
    ) -> ListPartitionReassignmentsResponse {
        // Kafka's has a null message, where the default is an empty one.
        ListPartitionReassignmentsResponse::default().with_error_message(None)
    }
}
