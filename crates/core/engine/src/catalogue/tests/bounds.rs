//! What definitions take in memory, and what is refused beyond that.

use super::*;
use crate::StateBytes;

impl Driven {
    /// Leaves room for so much more.
    fn leave(&mut self, bytes: usize) {
        self.state.set_bounds(StateBytes {
            definitions: self.state.bytes().definitions + bytes,
            records: usize::MAX,
        });
    }
}

#[test]
fn definitions_are_refused_where_there_is_no_room_for_more() {
    let mut driven = Driven::default();
    let log = driven.queue("q");
    driven.exchange(exchange("e", ExchangeKind::Direct));
    driven.run(bind("e", BindingTarget::Log(log), "k")).unwrap();
    driven.leave(1_000);

    let declared = driven.declare(declaration("r", "amqp", config()));
    assert_eq!(declared.unwrap_err(), CatalogueError::Full);
    let declared = driven.run(exchange("f", ExchangeKind::Direct));
    assert_eq!(declared.unwrap_err(), CatalogueError::Full);
    let bound = driven.run(bind("e", BindingTarget::Log(log), "l"));
    assert_eq!(bound.unwrap_err(), CatalogueError::Full);
    let more = AlterLog {
        partitions: Some(2),
        ..AlterLog::nothing(log)
    };
    assert_eq!(driven.run(more).unwrap_err(), CatalogueError::Full);

    // What is there may be declared again, and changed.
    driven.queue("q");
    driven.exchange(exchange("e", ExchangeKind::Direct));
    driven.run(bind("e", BindingTarget::Log(log), "k")).unwrap();
    let window = AlterLog {
        window_time_ms: Some(Some(1_000)),
        ..AlterLog::nothing(log)
    };
    driven.run(window).unwrap();

    // A deletion makes room.
    driven.undefine(log);
    driven.queue("r");
}

#[test]
fn what_is_gone_takes_nothing() {
    let mut driven = Driven::default();
    let nothing = driven.state.bytes();
    for round in 0..2 {
        let log = driven.queue("q");
        for source in ["e", "f", "g"] {
            driven.exchange(DeclareExchange {
                auto_delete: source == "f",
                ..exchange(source, ExchangeKind::Topic)
            });
            for key in ["k", "l"] {
                let binding = bind(source, BindingTarget::Log(log), key);
                driven.run(binding).unwrap();
            }
        }
        driven.run(bind("e", to_exchange("f"), "k")).unwrap();
        let unbound = Unbind(bind("g", BindingTarget::Log(log), "k"));
        driven.run(unbound).unwrap();
        if round == 0 {
            driven.undefine(log);
        }
        for name in ["e", "g"] {
            driven.run(deletion(name)).unwrap();
        }
        if round == 1 {
            driven.undefine(log);
        }
        assert_eq!(driven.state.bytes(), nothing);
    }
}

fn deletion(exchange: &str) -> DeleteExchange {
    DeleteExchange {
        vhost: Name::vhost_default(),
        name: name(exchange),
        if_unused: false,
    }
}
