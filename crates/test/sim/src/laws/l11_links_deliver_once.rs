//! Law 11: commands sent over a link between shards arrive exactly once.

use super::{Law, ensure};
use crate::{
    event::{Event, LinkEnds},
    model::Model,
};

/// See the module.
#[derive(Debug)]
pub(crate) struct LinksDeliverOnce;

impl Law for LinksDeliverOnce {
    fn name(&self) -> &'static str {
        "11: what goes over a link arrives exactly once"
    }

    fn judge(&mut self, event: &Event, _: &Model) -> Result<(), String> {
        match event {
            Event::Linked(links) => links.iter().try_for_each(is_in_order),
            Event::AtRest {
                links,
                defined,
                open,
                ..
            } => {
                links.iter().try_for_each(has_arrived)?;
                ensure(defined == open, || {
                    format!("the catalogue defines {defined:?}, open are {open:?}")
                })
            }
            _ => Ok(()),
        }
    }
}

/// The receiver accepts nothing that a crash of the sender would undo, and the sender forgets
/// nothing that a crash of the receiver would undo.
fn is_in_order(link: &LinkEnds) -> Result<(), String> {
    let holds = link.acknowledged <= link.taken && link.taken <= link.sent;
    ensure(holds, || {
        format!("from {} to {}: {link:?}", link.from, link.to)
    })
}

fn has_arrived(link: &LinkEnds) -> Result<(), String> {
    let holds = link.acknowledged == link.taken && link.taken == link.sent;
    ensure(holds, || {
        format!("never arrives from {} at {}: {link:?}", link.from, link.to)
    })
}
