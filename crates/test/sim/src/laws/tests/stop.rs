//! Law 13.

use super::law_tells;
use crate::event::{Event, StartedShort};

fn refused() -> StartedShort {
    StartedShort {
        refusal: Some("cut".into()),
        is_file_named: true,
        changed: Vec::new(),
    }
}

#[test]
fn law_13_tells_a_start_that_takes_less_than_a_stop_had_left() {
    let lawful = [Event::StartedShort(refused())];
    for forged in [
        StartedShort {
            refusal: None,
            ..refused()
        },
        StartedShort {
            is_file_named: false,
            ..refused()
        },
        StartedShort {
            changed: vec!["/data/shard-0".into()],
            ..refused()
        },
    ] {
        law_tells(13, &[], &lawful, &[Event::StartedShort(forged)]);
    }
}
