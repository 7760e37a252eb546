//! DescribeCluster (key 60), versions 0 to 2.
//!
//! Returns the cluster's id and its only broker.
//!
//! Endpoint type 2, controllers, is refused, as by Kafka's brokers. No broker is ever fenced.
//!
//! Deviations: none known.
//!
//! Spec: `DescribeClusterRequest.json`; KIP-700, KIP-919 (endpoint types).

use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{
        BrokerId, DescribeClusterRequest, DescribeClusterResponse,
        describe_cluster_response::DescribeClusterBroker,
    },
};

use super::{Operation, text};
use crate::{authorized, session::Session, topics::NODE_ID};

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

/// The operation.
pub(crate) struct DescribeCluster;

impl Operation for DescribeCluster {
    type Request = DescribeClusterRequest;

    const VERSIONS: (i16, i16) = (0, 2);

    async fn handle(
        session: &mut Session,
        _header: &RequestHeader,
        request: DescribeClusterRequest,
    ) -> DescribeClusterResponse {
        let refused = match request.endpoint_type {
            BROKERS => None,
            CONTROLLERS => Some(ResponseError::MismatchedEndpointType),
            _ => Some(ResponseError::UnsupportedEndpointType),
        };
        if let Some(error) = refused {
            return DescribeClusterResponse::default().with_error_code(error.code());
        }
        let broker = DescribeClusterBroker::default()
            .with_broker_id(BrokerId(NODE_ID))
            .with_host(text(&session.endpoint.host))
            .with_port(i32::from(session.endpoint.port));
        DescribeClusterResponse::default()
            .with_cluster_id(text(&session.settings.cluster_id))
            .with_controller_id(BrokerId(NODE_ID))
            .with_brokers(vec![broker])
            .with_cluster_authorized_operations(authorized::if_asked(
                request.include_cluster_authorized_operations,
                authorized::CLUSTER,
            ))
    }
}
