use proptest::prelude::*;

use super::*;
use crate::{PartKind, StatePart, StoredRecord};

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

/// Takes a step, if what it names exists.
fn take(driven: &mut Driven, step: &Step) -> Option<()> {
    match step {
        Step::Queue(at, volatile) => {
            let mut config = config();
            if *volatile {
                config.durability = Durability::Volatile;
            }
            if queue(driven, *at).is_none() {
                // Skips ids, so that consecutive logs are in different parts.
                let logs = &mut driven.state.catalogue.logs;
                logs.raise_next(LogId(logs.next().0 + 40));
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
                let routed = catalogue.route("/", exchange, &[key], &NoHeaders, &mut targets);
                routed.map(|()| targets)
            };
            assert_eq!(route(one), route(other), "{exchange} {key}");
        }
    }
}

/// Checks that both ends of every binding exist.
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

type Parts = BTreeMap<StatePart, Vec<u8>>;

fn loaded<'a>(parts: impl IntoIterator<Item = (&'a StatePart, &'a Vec<u8>)>) -> State {
    let mut state = State::default();
    for (part, bytes) in parts {
        state.load_part(*part, bytes).unwrap();
    }
    state
}

fn is_of(part: StatePart, kinds: &[PartKind]) -> bool {
    match part {
        StatePart::Definitions(_) => kinds.contains(&PartKind::Definitions),
        StatePart::Bindings(_) => kinds.contains(&PartKind::Bindings),
        _ => false,
    }
}

/// Does what settling does: brings a snapshot's parts up to date, using only parts that the record
/// touches. The previous versions of the changed parts are loaded first or last.
fn settle(parts: &mut Parts, record: &CatalogueRecord, reversed: bool) {
    let record = Record::Catalogue(record.clone()).store(Vec::new());
    let record = StoredRecord::read(&record).unwrap();
    let touched = record.touched();
    let is_touched = |part| touched.parts.contains(&part) || is_of(part, &touched.kinds);
    let needed = parts.iter().filter(|(part, _)| is_touched(**part));
    let mut state = if reversed {
        loaded(needed.rev())
    } else {
        loaded(needed)
    };
    record.apply_to(&mut state);
    parts.retain(|part, _| !is_touched(*part));
    for part in state.parts().filter(|part| is_touched(*part)) {
        parts.extend(state.store_part(part).map(|stored| (part, stored)));
    }
}

/// The stored form before there were parts.
fn stored_whole(catalogue: &Catalogue) -> Vec<u8> {
    let vhosts = catalogue.vhosts.iter().map(|(name, host)| {
        let exchanges = host.exchanges().map(|(name, bound)| {
            let bindings: Vec<_> = bound.bindings.iter().collect();
            (name, &bound.exchange, bindings)
        });
        (name, exchanges.collect::<Vec<_>>())
    });
    let logs: Vec<_> = catalogue.all_logs().collect();
    let whole = (
        catalogue.version,
        catalogue.logs.next(),
        logs,
        vhosts.collect::<Vec<_>>(),
    );
    postcard::to_extend(&whole, vec![0x82]).unwrap()
}

proptest! {
    #[test]
    fn parts_take_records_without_the_others(steps in steps(), reversed in any::<bool>()) {
        let mut driven = Driven::default();
        let mut parts = Parts::from_iter(State::default().store());
        for step in &steps {
            let from = driven.records.len();
            take(&mut driven, step);
            for record in &driven.records[from..] {
                settle(&mut parts, record, reversed);
            }
            let of_catalogue = |state: &State| -> Vec<_> {
                let parts = state.catalogue_parts();
                parts.map(|part| (part, state.store_part(part))).collect()
            };
            prop_assert_eq!(of_catalogue(&loaded(&parts)), of_catalogue(&driven.state));
        }
    }

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
        let whole = (StatePart::WholeCatalogue, stored_whole(&driven.state.catalogue));
        let restored = loaded([(&whole.0, &whole.1)]).catalogue;
        prop_assert_eq!(&restored, &driven.state.catalogue);
        let parts = Parts::from_iter(driven.state.store());
        let restored = loaded(&parts).catalogue;
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
