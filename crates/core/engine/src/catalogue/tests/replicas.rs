use proptest::prelude::*;

use super::*;

#[test]
fn what_is_transient_does_not_survive_recovery() {
    let mut driven = Driven::default();
    let kept = driven.queue("kept");
    driven
        .declare(declaration("mine", "amqp", exclusive()))
        .unwrap();
    let volatile = LogConfig {
        durability: Durability::Volatile,
        ..config()
    };
    let declared = driven.declare(declaration("volatile", "amqp", volatile));
    let gone = declared.unwrap().definition().id;
    driven.exchange(DeclareExchange {
        durable: false,
        ..exchange("transient", ExchangeKind::Fanout)
    });
    driven.bind(bind("amq.fanout", BindingTarget::Log(kept), ""));
    driven.bind(bind("amq.fanout", BindingTarget::Log(gone), ""));
    driven.bind(bind("amq.fanout", to_exchange("transient"), ""));
    driven.recover();
    let logs: Vec<_> = driven
        .state
        .catalogue
        .all_logs()
        .map(|log| log.id)
        .collect();
    assert_eq!(logs, [kept]);
    assert!(driven.state.catalogue.exchange("/", "transient").is_none());
    assert_eq!(driven.bindings("amq.fanout"), 1);
    assert!(driven.queue("new") > gone, "ids stay used");
}

#[derive(Clone, Debug)]
enum Step {
    Queue(u8, bool),
    DeleteQueue(u8),
    Exchange(u8, ExchangeKind, bool),
    DeleteExchange(u8),
    Bind(u8, Result<u8, u8>, u8),
    Unbind(u8, Result<u8, u8>, u8),
    Recovered,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let end = || prop_oneof![(0_u8..4).prop_map(Ok), (0_u8..4).prop_map(Err)];
    let kind = prop_oneof![
        Just(ExchangeKind::Direct),
        Just(ExchangeKind::Fanout),
        Just(ExchangeKind::Topic),
        Just(ExchangeKind::Headers)
    ];
    let step = prop_oneof![
        3 => (0_u8..4, any::<bool>()).prop_map(|(at, volatile)| Step::Queue(at, volatile)),
        1 => (0_u8..4).prop_map(Step::DeleteQueue),
        3 => (0_u8..4, kind, any::<bool>()).prop_map(|(at, kind, auto)| Step::Exchange(at, kind, auto)),
        1 => (0_u8..4).prop_map(Step::DeleteExchange),
        8 => (0_u8..4, end(), 0_u8..4).prop_map(|(from, to, key)| Step::Bind(from, to, key)),
        3 => (0_u8..4, end(), 0_u8..4).prop_map(|(from, to, key)| Step::Unbind(from, to, key)),
        1 => Just(Step::Recovered),
    ];
    proptest::collection::vec(step, 0..60)
}

const KEYS: [&str; 4] = ["a", "a.b", "#.b", "*"];

/// Takes a step, where what it names is there.
fn take(driven: &mut Driven, step: &Step) -> Option<()> {
    match step {
        Step::Queue(at, volatile) => {
            let mut config = config();
            if *volatile {
                config.durability = Durability::Volatile;
            }
            drop(driven.declare(declaration(&format!("q{at}"), "amqp", config)));
        }
        Step::DeleteQueue(at) => {
            let log = queue(driven, *at)?;
            driven.undefine(log);
        }
        Step::Exchange(at, kind, auto_delete) => drop(driven.run(DeclareExchange {
            auto_delete: *auto_delete,
            durable: at % 2 == 0,
            ..exchange(&format!("e{at}"), *kind)
        })),
        Step::DeleteExchange(at) => drop(driven.run(DeleteExchange {
            vhost: Name::vhost_default(),
            name: name(&format!("e{at}")),
            if_unused: false,
        })),
        Step::Bind(from, to, key) => {
            let bind = binding(driven, *from, to, *key)?;
            drop(driven.run(bind));
        }
        Step::Unbind(from, to, key) => {
            let bind = binding(driven, *from, to, *key)?;
            drop(driven.run(Unbind(bind)));
        }
        Step::Recovered => driven.recover(),
    }
    Some(())
}

fn queue(driven: &Driven, at: u8) -> Option<LogId> {
    let log = driven.state.catalogue.log("/", &format!("q{at}"));
    log.map(|log| log.id)
}

fn binding(driven: &Driven, from: u8, to: &Result<u8, u8>, key: u8) -> Option<Bind> {
    let target = match *to {
        Ok(at) => BindingTarget::Log(queue(driven, at)?),
        Err(at) => to_exchange(&format!("e{at}")),
    };
    Some(bind(&format!("e{from}"), target, KEYS[usize::from(key)]))
}

fn assert_routes_equally(one: &Catalogue, other: &Catalogue) {
    for (exchange, _) in one.exchanges("/") {
        for key in ["", "a", "b", "a.b", "q0"] {
            let route = |catalogue: &Catalogue| {
                let mut targets = SmallVec::new();
                let routed = catalogue.route("/", exchange, key, &NoHeaders, &mut targets);
                routed.map(|()| targets)
            };
            assert_eq!(route(one), route(other), "{exchange} {key}");
        }
    }
}

/// Every binding's ends exist.
fn assert_whole(catalogue: &Catalogue) {
    for (exchange, _) in catalogue.exchanges("/") {
        for binding in catalogue.bindings("/", exchange) {
            match &binding.target {
                BindingTarget::Log(log) => assert!(catalogue.log_by_id(*log).is_some()),
                BindingTarget::Exchange(name) => assert!(catalogue.exchange("/", name).is_some()),
            }
        }
    }
}

proptest! {
    #[test]
    fn replicas_and_snapshots_equal_the_original(steps in steps()) {
        let mut driven = Driven::default();
        let mut replica = Catalogue::default();
        for step in &steps {
            let from = driven.records.len();
            take(&mut driven, step);
            driven.records[from..].iter().for_each(|record| replica.apply(record));
            assert_whole(&driven.state.catalogue);
        }
        prop_assert_eq!(&replica, &driven.state.catalogue);
        prop_assert_eq!(replica.version(), driven.state.catalogue.version());
        let stored = postcard::to_stdvec(&driven.state.catalogue).unwrap();
        let restored: Catalogue = postcard::from_bytes(&stored).unwrap();
        prop_assert_eq!(&restored, &driven.state.catalogue);
        prop_assert_eq!(restored.version(), driven.state.catalogue.version());
        assert_routes_equally(&restored, &driven.state.catalogue);
        let mut emptied = driven;
        for log in restored.all_logs() {
            emptied.undefine(log.id);
        }
        prop_assert_eq!(emptied.state.catalogue.all_logs().count(), 0);
        assert_whole(&emptied.state.catalogue);
    }
}
