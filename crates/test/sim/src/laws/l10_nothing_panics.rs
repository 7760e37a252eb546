//! Law 10: no input crashes the process. (That no input costs unbounded memory before it is
//! authenticated is for the fronts' own tests.)

use super::Law;
use crate::{event::Event, model::Model};

/// See the module.
#[derive(Debug)]
pub(crate) struct NothingPanics;

impl Law for NothingPanics {
    fn name(&self) -> &'static str {
        "10: no input crashes the process"
    }

    fn judge(&mut self, event: &Event, _: &Model) -> Result<(), String> {
        match event {
            Event::Panicked(message) => Err(message.clone()),
            _ => Ok(()),
        }
    }
}
