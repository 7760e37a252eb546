use super::*;

#[test]
fn predeclared_exchanges_are_there_without_records() {
    let catalogue = Catalogue::default();
    let kinds: Vec<_> = catalogue
        .exchanges("/")
        .map(|(name, exchange)| (name.as_str(), exchange.kind))
        .collect();
    assert_eq!(
        kinds,
        [
            ("", ExchangeKind::Direct),
            ("amq.direct", ExchangeKind::Direct),
            ("amq.fanout", ExchangeKind::Fanout),
            ("amq.headers", ExchangeKind::Headers),
            ("amq.match", ExchangeKind::Headers),
            ("amq.rabbitmq.trace", ExchangeKind::Topic),
            ("amq.topic", ExchangeKind::Topic),
        ]
    );
}

#[test]
fn predeclared_exchanges_cannot_be_deleted() {
    let mut driven = Driven::default();
    let delete = DeleteExchange {
        vhost: Name::vhost_default(),
        name: name("amq.topic"),
        if_unused: false,
    };
    assert_eq!(driven.run(delete).unwrap_err(), CatalogueError::InUse);
}

#[test]
fn the_default_exchange_routes_by_log_name() {
    let mut driven = Driven::default();
    let orders = driven.queue("orders");
    assert_eq!(driven.route("", "orders"), [orders]);
    assert!(driven.route("", "nothing").is_empty());
}

#[test]
fn the_default_exchange_takes_no_bindings() {
    let mut driven = Driven::default();
    let orders = driven.queue("orders");
    let from = bind("", BindingTarget::Log(orders), "k");
    assert_eq!(
        driven.run(from).unwrap_err(),
        CatalogueError::NoSuchExchange(name(""))
    );
    let to = bind("amq.fanout", to_exchange(""), "k");
    assert_eq!(driven.run(to).unwrap_err(), CatalogueError::NoSuchTarget);
}

#[test]
fn a_direct_exchange_routes_by_equal_key_and_each_log_once() {
    let mut driven = Driven::default();
    let (one, two) = (driven.queue("one"), driven.queue("two"));
    driven.bind(bind("amq.direct", BindingTarget::Log(one), "k"));
    driven.bind(bind("amq.direct", BindingTarget::Log(two), "k"));
    let mut varied = bind("amq.direct", BindingTarget::Log(two), "k");
    varied.arguments.insert("x".into(), Argument::Void);
    driven.bind(varied.clone());
    assert_eq!(driven.bindings("amq.direct"), 3);
    assert_eq!(driven.route("amq.direct", "k"), [one, two]);
    assert!(driven.route("amq.direct", "K").is_empty());

    driven.run(Unbind(varied)).unwrap();
    assert_eq!(
        driven.route("amq.direct", "k"),
        [one, two],
        "the other holds"
    );
    let last = bind("amq.direct", BindingTarget::Log(two), "k");
    driven.run(Unbind(last)).unwrap();
    assert_eq!(driven.route("amq.direct", "k"), [one]);
}

#[test]
fn a_fanout_exchange_routes_to_all() {
    let mut driven = Driven::default();
    let (one, two) = (driven.queue("one"), driven.queue("two"));
    driven.bind(bind("amq.fanout", BindingTarget::Log(two), "x"));
    driven.bind(bind("amq.fanout", BindingTarget::Log(one), ""));
    driven.bind(bind("amq.fanout", BindingTarget::Log(one), "y"));
    assert_eq!(driven.route("amq.fanout", "any"), [one, two]);
}

#[test]
fn several_keys_leave_each_log_once() {
    let mut driven = Driven::default();
    let one = driven.queue("one");
    driven.bind(bind("amq.topic", BindingTarget::Log(one), "#"));
    let mut targets = SmallVec::new();
    driven
        .state
        .catalogue
        .route("/", "amq.topic", &["a", "b"], &NoHeaders, &mut targets)
        .unwrap();
    assert_eq!(targets.into_vec(), [one]);
}

fn with_alternate(name: &str, alternate: &str) -> DeclareExchange {
    let alternate = Argument::Text(alternate.as_bytes().into());
    DeclareExchange {
        arguments: Arguments::from([(ALTERNATE_EXCHANGE.into(), alternate)]),
        ..exchange(name, ExchangeKind::Direct)
    }
}

#[test]
fn an_alternate_gets_what_no_binding_of_its_exchange_matches() {
    let mut driven = Driven::default();
    let log = driven.queue("log");
    driven.bind(bind("amq.fanout", BindingTarget::Log(log), ""));
    driven.exchange(with_alternate("first", "second"));
    driven.exchange(with_alternate("second", "amq.fanout"));
    driven.exchange(with_alternate("lonely", "absent"));
    driven.exchange(with_alternate("selfish", "selfish"));
    assert_eq!(driven.route("first", "none"), [log]);
    assert!(driven.route("lonely", "none").is_empty());
    assert!(driven.route("selfish", "none").is_empty());
}

#[test]
fn a_binding_that_leads_nowhere_has_matched() {
    let mut driven = Driven::default();
    let log = driven.queue("log");
    driven.bind(bind("amq.fanout", BindingTarget::Log(log), ""));
    driven.exchange(with_alternate("first", "amq.fanout"));
    driven.exchange(exchange("nowhere", ExchangeKind::Topic));
    driven.bind(bind("first", to_exchange("nowhere"), "on"));
    driven.bind(bind("first", to_exchange("first"), "back"));
    assert!(driven.route("first", "on").is_empty());
    assert!(driven.route("first", "back").is_empty());
    assert_eq!(driven.route("first", "none"), [log]);
}

#[test]
fn all_keys_go_along_to_exchanges_on_the_way() {
    let mut driven = Driven::default();
    let log = driven.queue("log");
    driven.exchange(exchange("second", ExchangeKind::Topic));
    driven.bind(bind("amq.direct", to_exchange("second"), "key"));
    driven.bind(bind("second", BindingTarget::Log(log), "copy"));
    let mut targets = SmallVec::new();
    let catalogue = &driven.state.catalogue;
    let keys = ["key", "copy"];
    let routed = catalogue.route("/", "amq.direct", &keys, &NoHeaders, &mut targets);
    routed.unwrap();
    assert_eq!(targets.into_vec(), [log]);
}

#[test]
fn circles_of_exchanges_end() {
    let mut driven = Driven::default();
    let log = driven.queue("log");
    for exchange_name in ["a", "b"] {
        driven.exchange(exchange(exchange_name, ExchangeKind::Fanout));
    }
    driven.bind(bind("a", to_exchange("b"), ""));
    driven.bind(bind("b", to_exchange("a"), ""));
    driven.bind(bind("a", to_exchange("a"), ""));
    driven.bind(bind("a", BindingTarget::Log(log), ""));
    driven.bind(bind("b", BindingTarget::Log(log), ""));
    assert_eq!(driven.route("b", ""), [log]);
}

#[test]
fn a_chain_longer_than_the_limit_is_cut() {
    let mut driven = Driven::default();
    let log = driven.queue("log");
    let count = crate::limits::ROUTE_EXCHANGES_MAX;
    let names: Vec<_> = (0..=count).map(|at| format!("e{at}")).collect();
    for link in &names {
        driven.exchange(exchange(link, ExchangeKind::Fanout));
    }
    for pair in names.windows(2) {
        driven.bind(bind(&pair[0], to_exchange(&pair[1]), ""));
    }
    driven.bind(bind(&names[count], BindingTarget::Log(log), ""));
    assert!(driven.route(&names[0], "").is_empty());
    assert_eq!(driven.route(&names[1], ""), [log]);
}

#[test]
fn a_deleted_log_takes_its_bindings_and_their_auto_delete_exchanges() {
    let mut driven = Driven::default();
    let log = driven.queue("log");
    let auto = |text| DeclareExchange {
        auto_delete: true,
        ..exchange(text, ExchangeKind::Direct)
    };
    driven.exchange(auto("inner"));
    driven.exchange(auto("outer"));
    driven.exchange(auto("never-bound"));
    driven.bind(bind("outer", to_exchange("inner"), "k"));
    driven.bind(bind("inner", BindingTarget::Log(log), "k"));
    driven.bind(bind("amq.direct", to_exchange("inner"), "k"));
    driven.undefine(log);
    assert!(driven.state.catalogue.exchange("/", "inner").is_none());
    assert!(driven.state.catalogue.exchange("/", "outer").is_none());
    assert!(
        driven
            .state
            .catalogue
            .exchange("/", "never-bound")
            .is_some()
    );
    assert_eq!(driven.bindings("amq.direct"), 0);
}

#[test]
fn the_last_unbind_takes_an_auto_delete_exchange() {
    let mut driven = Driven::default();
    let log = driven.queue("log");
    driven.exchange(DeclareExchange {
        auto_delete: true,
        ..exchange("auto", ExchangeKind::Topic)
    });
    let binding = |key| bind("auto", BindingTarget::Log(log), key);
    driven.bind(binding("a.#"));
    driven.bind(binding("b.#"));
    driven.run(Unbind(binding("a.#"))).unwrap();
    assert_eq!(driven.route("auto", "b.c"), [log]);
    driven.run(Unbind(binding("none"))).unwrap();
    assert!(driven.state.catalogue.exchange("/", "auto").is_some());
    driven.run(Unbind(binding("b.#"))).unwrap();
    assert!(driven.state.catalogue.exchange("/", "auto").is_none());
}

#[test]
fn an_exchange_in_use_is_deleted_only_without_if_unused() {
    let mut driven = Driven::default();
    let log = driven.queue("log");
    driven.exchange(exchange("e", ExchangeKind::Direct));
    driven.bind(bind("e", BindingTarget::Log(log), "k"));
    driven.bind(bind("amq.fanout", to_exchange("e"), ""));
    let delete = |if_unused| DeleteExchange {
        vhost: Name::vhost_default(),
        name: name("e"),
        if_unused,
    };
    assert_eq!(driven.run(delete(true)).unwrap_err(), CatalogueError::InUse);
    driven.run(delete(false)).unwrap();
    assert_eq!(driven.bindings("amq.fanout"), 0);
    let again = driven.run(delete(false)).unwrap_err();
    assert_eq!(again, CatalogueError::NoSuchExchange(name("e")));
}

#[test]
fn declaring_an_exchange_again_compares() {
    let mut driven = Driven::default();
    driven.exchange(exchange("e", ExchangeKind::Direct));
    driven.exchange(exchange("e", ExchangeKind::Direct));
    let mut field = |declaration| match driven.run(declaration) {
        Err(CatalogueError::Contradiction(contradiction)) => contradiction.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        field(exchange("e", ExchangeKind::Fanout)),
        "inequivalent 'type': received 'fanout' but current is 'direct'"
    );
    let transient = DeclareExchange {
        durable: false,
        ..exchange("e", ExchangeKind::Direct)
    };
    assert_eq!(
        field(transient),
        "inequivalent 'durable': received 'false' but current is 'true'"
    );
}

#[test]
fn a_binding_needs_both_ends() {
    let mut driven = Driven::default();
    let nowhere = bind("amq.direct", BindingTarget::Log(LogId(9)), "");
    assert_eq!(
        driven.run(nowhere).unwrap_err(),
        CatalogueError::NoSuchTarget
    );
    let from_nothing = bind("none", to_exchange("amq.direct"), "");
    let refused = driven.run(from_nothing).unwrap_err();
    assert_eq!(refused, CatalogueError::NoSuchExchange(name("none")));
}

#[test]
fn routing_from_nowhere_says_what_is_missing() {
    let catalogue = Catalogue::default();
    let mut targets = SmallVec::new();
    let mut route = |vhost: &str, exchange: &str| {
        catalogue.route(vhost, exchange, &[""], &NoHeaders, &mut targets)
    };
    assert_eq!(
        route("/", "none"),
        Err(CatalogueError::NoSuchExchange(name("none")))
    );
    assert_eq!(
        route("v", ""),
        Err(CatalogueError::NoSuchVirtualHost(name("v")))
    );
    assert!(route("/", &"long".repeat(100)).is_err());
}

/// A message without headers, with this random number.
struct Drawn(u64);

impl Headers for Drawn {
    fn header(&self, _name: &str) -> Option<Argument> {
        None
    }

    fn property(&self, _name: &str) -> Option<Box<[u8]>> {
        None
    }

    fn random(&self) -> u64 {
        self.0
    }
}

#[test]
fn a_random_exchange_routes_to_the_binding_of_the_number_drawn() {
    for kind in [ExchangeKind::Random, ExchangeKind::LocalRandom] {
        let mut driven = Driven::default();
        let (one, two) = (driven.queue("one"), driven.queue("two"));
        driven.exchange(exchange("e", kind));
        let route = |driven: &Driven, random| {
            let mut targets = SmallVec::new();
            let catalogue = &driven.state.catalogue;
            let routed = catalogue.route("/", "e", &["any"], &Drawn(random), &mut targets);
            routed.unwrap();
            targets.into_vec()
        };
        assert!(route(&driven, 0).is_empty());
        driven.bind(bind("e", BindingTarget::Log(two), "a"));
        driven.bind(bind("e", BindingTarget::Log(one), "b"));
        driven.bind(bind("e", BindingTarget::Log(two), "c"));
        let drawn: Vec<_> = (0..4).flat_map(|random| route(&driven, random)).collect();
        assert_eq!(drawn, [one, two, two, one]);
        driven
            .run(Unbind(bind("e", BindingTarget::Log(two), "a")))
            .unwrap();
        let drawn: Vec<_> = (0..3).flat_map(|random| route(&driven, random)).collect();
        assert_eq!(drawn, [one, two, one]);
    }
}

#[test]
fn a_modulus_hash_exchange_routes_equal_keys_to_one_binding() {
    let mut driven = Driven::default();
    driven.exchange(exchange("e", ExchangeKind::ModulusHash));
    assert!(driven.route("e", "k").is_empty());
    for at in 0..4 {
        let log = driven.queue(&format!("q{at}"));
        driven.bind(bind("e", BindingTarget::Log(log), ""));
    }
    let route = |key: usize| driven.route("e", &key.to_string());
    let mut reached: Vec<_> = (0..100).flat_map(route).collect();
    assert_eq!(reached, (0..100).flat_map(route).collect::<Vec<_>>());
    reached.sort_unstable();
    reached.dedup();
    assert_eq!(reached.len(), 4);
}

fn delayed(name: &str, kind: &str) -> DeclareExchange {
    let kind = Argument::Text(kind.as_bytes().into());
    DeclareExchange {
        arguments: Arguments::from([(DELAYED_TYPE.into(), kind)]),
        ..exchange(name, ExchangeKind::Delayed)
    }
}

#[test]
fn a_delayed_exchange_routes_as_its_argument_says() {
    let mut driven = Driven::default();
    let log = driven.queue("log");
    driven.exchange(delayed("d", "topic"));
    driven.bind(bind("d", BindingTarget::Log(log), "a.*"));
    assert_eq!(driven.route("d", "a.b"), [log]);
    assert!(driven.route("d", "b").is_empty());
}

#[test]
fn what_is_reached_with_and_without_a_delay_is_told_apart() {
    let mut driven = Driven::default();
    let (both, late) = (driven.queue("both"), driven.queue("late"));
    driven.exchange(exchange("first", ExchangeKind::Fanout));
    driven.exchange(exchange("last", ExchangeKind::Fanout));
    driven.exchange(delayed("d", "fanout"));
    driven.bind(bind("first", BindingTarget::Log(both), ""));
    driven.bind(bind("first", to_exchange("d"), ""));
    driven.bind(bind("d", BindingTarget::Log(late), ""));
    driven.bind(bind("d", to_exchange("last"), ""));
    driven.bind(bind("last", BindingTarget::Log(both), ""));
    driven.bind(bind("last", to_exchange("first"), ""));
    let catalogue = &driven.state.catalogue;
    let route = catalogue.route_delayed("/", "first", &["k"], &NoHeaders);
    let Route {
        now,
        delayed,
        passes_delay,
    } = route.unwrap();
    assert_eq!(now.into_vec(), [both]);
    assert_eq!(delayed.into_vec(), [both, late]);
    assert!(passes_delay);
    assert_eq!(driven.route("first", "k"), [both, late]);
}

#[test]
fn a_message_may_pass_an_exchange_that_delays_and_lead_nowhere() {
    let mut driven = Driven::default();
    driven.exchange(delayed("unbound", "fanout"));
    for (exchange, passes_delay) in [("unbound", true), ("amq.fanout", false), ("", false)] {
        let catalogue = &driven.state.catalogue;
        let route = catalogue.route_delayed("/", exchange, &["k"], &NoHeaders);
        let expected = Route {
            passes_delay,
            ..Route::default()
        };
        assert_eq!(route.unwrap(), expected);
    }
}

#[test]
fn an_exchange_leads_to_what_bindings_and_alternates_reach_with_any_key() {
    let mut driven = Driven::default();
    let [near, far, other] = ["near", "far", "other"].map(|it| driven.queue(it));
    driven.exchange(exchange("next", ExchangeKind::Topic));
    driven.exchange(DeclareExchange {
        arguments: Arguments::from([(
            ALTERNATE_EXCHANGE.into(),
            Argument::Text(b"amq.fanout".as_slice().into()),
        )]),
        ..exchange("first", ExchangeKind::Direct)
    });
    driven.bind(bind("first", to_exchange("next"), "a"));
    driven.bind(bind("next", to_exchange("first"), "b"));
    driven.bind(bind("next", BindingTarget::Log(near), "c"));
    driven.bind(bind("amq.fanout", BindingTarget::Log(far), ""));
    let leads_to = |exchange: &str, log: LogId| {
        let catalogue = &driven.state.catalogue;
        catalogue.leads_to(exchange, catalogue.log_by_id(log).unwrap())
    };
    assert_eq!(
        [near, far, other].map(|log| leads_to("first", log)),
        [true, true, false]
    );
    assert_eq!(
        [near, far, other].map(|log| leads_to("amq.fanout", log)),
        [false, true, false]
    );
    assert_eq!([near, far, other].map(|log| leads_to("", log)), [true; 3]);
    assert!(!leads_to("missing", near));
}
