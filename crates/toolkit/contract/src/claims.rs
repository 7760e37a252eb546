//! The claims, each an async function of a [`crate::Subject`] that panics where the claim is wrong.

mod content;
mod control;
mod order;
mod outage;
mod settling;
mod sharing;
mod standby;
mod topology;

pub use content::*;
pub use control::*;
pub use order::*;
pub use outage::*;
pub use settling::*;
pub use sharing::*;
pub use standby::*;
pub use topology::*;
