//! The operations, one file each.

pub(crate) mod api;
pub(crate) mod livez;
pub(crate) mod log;
pub(crate) mod logs;
pub(crate) mod messages;
pub(crate) mod metrics;
pub(crate) mod readyz;
pub(crate) mod role;
pub(crate) mod startupz;
pub(crate) mod status;
pub(crate) mod tracing;
