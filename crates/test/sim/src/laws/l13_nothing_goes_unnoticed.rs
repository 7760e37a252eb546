//! Law 13: after a graceful stop no loss in a journal goes unnoticed: a start that finds less than
//! the stop left refuses, names an existing file, and changes nothing in any shard.

use super::{Law, ensure};
use crate::{event::Event, model::Model};

/// See the module.
#[derive(Debug)]
pub(crate) struct NothingGoesUnnoticed;

impl Law for NothingGoesUnnoticed {
    fn name(&self) -> &'static str {
        "13: what goes after a graceful stop is noticed"
    }

    fn judge(&mut self, event: &Event, _: &Model) -> Result<(), String> {
        let Event::StartedShort(short) = event else {
            return Ok(());
        };
        let Some(refusal) = &short.refusal else {
            return Err("a start took less than a stop had left".into());
        };
        ensure(short.is_file_named, || {
            format!("a refusal names no file that there is: {refusal}")
        })?;
        ensure(short.changed.is_empty(), || {
            format!("a start that was refused changed {:?}", short.changed)
        })
    }
}
