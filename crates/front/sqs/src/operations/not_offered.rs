//! The unsupported actions: permissions, because access is by credentials only.
//!
//! - Deviations: each fails with `UnsupportedOperation`, an error of AWS's model, and not as an
//!   unknown action.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html>

use stele_wire_sqs::{Action, Error, ErrorKind};

/// The error.
pub(crate) fn refuse(action: Action) -> Error {
    Error::new(
        ErrorKind::UnsupportedOperation,
        format!("{action} isn't supported by this server."),
    )
}
