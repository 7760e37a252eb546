//! The cost of routing one message through an exchange with many bindings.
//!
//! `cargo bench -p stele-core-engine --bench route`: nanoseconds per message for each kind of
//! exchange, with 100 and with 10,000 bindings to as many queues, to show what grows with the
//! number of bindings. Keys and headers vary from message to message; each message reaches the same
//! few queues.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that can't go on says so, and prints what it found"
)]

use std::{hint::black_box, time::Duration};

use smallvec::SmallVec;
use stele_base_env::{Clock as _, SystemClock};
use stele_base_types::{LogId, Name, Timestamp};
use stele_core_engine::{
    Adopt, Argument, Arguments, Bind, BindingTarget, Command, DeclareExchange, DeclareLog,
    Durability, ExchangeKind, Headers, LedgerConfig, Lifetime, LogConfig, NoHeaders, Retention,
    Settings, State,
};

/// How long each measurement takes.
const MEASURED: Duration = Duration::from_millis(500);

/// Messages between two readings of the clock.
const ROUND: usize = 64;

fn main() {
    // Cargo's test runner also runs benches: a small one then shows that they work.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let sizes: &[usize] = if is_bench { &[100, 10_000] } else { &[100] };
    println!("{:<34} {:>9} {:>12}", "exchange", "bindings", "ns/message");
    for &bindings in sizes {
        direct(bindings);
        topic(bindings, "topic, words", |at| format!("eu.{at}.orders"));
        topic(bindings, "topic, * in each", |at| format!("eu.{at}.*"));
        topic(bindings, "topic, # in each", |at| format!("#.{at}.#"));
        topic(bindings, "topic, * first in each", |at| format!("*.{at}.*"));
        headers(bindings);
        chosen(bindings, ExchangeKind::Random);
        chosen(bindings, ExchangeKind::ModulusHash);
        chosen(bindings, ExchangeKind::ConsistentHash);
    }
}

fn direct(bindings: usize) {
    let bench = Bench::new("amq.direct", bindings, |at| {
        (at.to_string(), Arguments::new())
    });
    let keys: Vec<String> = (0..bindings).map(|at| at.to_string()).collect();
    bench.measure("direct", |at| (keys[at % bindings].as_str(), &NoHeaders));
}

fn topic(bindings: usize, title: &str, pattern: fn(usize) -> String) {
    let bench = Bench::new("amq.topic", bindings, |at| (pattern(at), Arguments::new()));
    let keys: Vec<String> = (0..bindings).map(|at| format!("eu.{at}.orders")).collect();
    bench.measure(title, |at| (keys[at % bindings].as_str(), &NoHeaders));
}

fn headers(bindings: usize) {
    let arguments = |at: usize| {
        let mut arguments = Arguments::new();
        arguments.insert("region".into(), Argument::Text(b"eu".as_slice().into()));
        arguments.insert("customer".into(), number(at));
        (String::new(), arguments)
    };
    let bench = Bench::new("amq.headers", bindings, arguments);
    let messages: Vec<Customer> = (0..bindings).map(Customer).collect();
    bench.measure("headers, two in each", |at| ("", &messages[at % bindings]));
}

/// An exchange that chooses one of its bindings.
fn chosen(bindings: usize, kind: ExchangeKind) {
    let weights = |_| ("1".to_owned(), Arguments::new());
    let bench = Bench::of(kind, bindings, weights);
    let messages: Vec<(String, Customer)> = (0..bindings)
        .map(|at| (at.to_string(), Customer(at)))
        .collect();
    bench.measure(kind.name(), |at| {
        let (key, message) = &messages[at % bindings];
        (key.as_str(), message)
    });
}

fn number(value: usize) -> Argument {
    Argument::Text(value.to_string().into_bytes().into())
}

/// The headers of a message of one customer.
struct Customer(usize);

impl Headers for Customer {
    fn header(&self, name: &str) -> Option<Argument> {
        match name {
            "region" => Some(Argument::Text(b"eu".as_slice().into())),
            "customer" => Some(number(self.0)),
            _ => None,
        }
    }

    fn property(&self, _name: &str) -> Option<Box<[u8]>> {
        None
    }

    fn random(&self) -> u64 {
        7919 * self.0 as u64
    }
}

struct Bench {
    state: State,
    exchange: &'static str,
    bindings: usize,
}

impl Bench {
    /// A new exchange of this kind, bound to as many queues as it has bindings.
    fn of(
        kind: ExchangeKind,
        bindings: usize,
        binding: impl Fn(usize) -> (String, Arguments),
    ) -> Self {
        let mut bench = Self {
            state: State::default(),
            exchange: kind.name(),
            bindings,
        };
        bench.run(DeclareExchange {
            vhost: Name::vhost_default(),
            name: Name::new(kind.name()).unwrap(),
            kind,
            durable: true,
            auto_delete: false,
            internal: false,
            arguments: Arguments::new(),
        });
        bench.bind(binding);
        bench
    }

    /// An exchange bound to as many queues as it has bindings.
    fn new(
        exchange: &'static str,
        bindings: usize,
        binding: impl Fn(usize) -> (String, Arguments),
    ) -> Self {
        let mut bench = Self {
            state: State::default(),
            exchange,
            bindings,
        };
        bench.bind(binding);
        bench
    }

    fn bind(&mut self, binding: impl Fn(usize) -> (String, Arguments)) {
        for at in 0..self.bindings {
            let queue = format!("q{at}");
            self.run(declaration(&queue));
            let log = self.state.catalogue.log("/", &queue).unwrap().id;
            let (key, arguments) = binding(at);
            self.run(Bind {
                vhost: Name::vhost_default(),
                source: Name::new(self.exchange).unwrap(),
                target: BindingTarget::Log(log),
                key: Name::new(&key).unwrap(),
                arguments,
            });
        }
    }

    fn run<C: Command>(&mut self, command: C) {
        let decision = command.decide(&self.state, Timestamp(1_000)).unwrap();
        for record in &decision.records {
            self.state.apply(record);
        }
    }

    /// Routes for a while, and prints the cost of a message. Each must reach one queue.
    fn measure<'a, H: Headers + 'a>(
        &self,
        title: &str,
        message: impl Fn(usize) -> (&'a str, &'a H),
    ) {
        let clock = SystemClock::new();
        let begun = clock.monotonic();
        let mut routed = 0;
        let mut targets: SmallVec<[LogId; 4]> = SmallVec::new();
        let elapsed = loop {
            for _ in 0..ROUND {
                // Avoids routing neighbouring entries one after the other.
                let (key, headers) = message(routed * 7919);
                targets.clear();
                self.state
                    .catalogue
                    .route("/", self.exchange, &[black_box(key)], headers, &mut targets)
                    .unwrap();
                assert_eq!(targets.len(), 1, "{title}: {key}");
                routed += 1;
            }
            let elapsed = clock.monotonic() - begun;
            if elapsed >= MEASURED {
                break elapsed;
            }
        };
        let nanos = elapsed.as_nanos() / routed as u128;
        println!("{title:<34} {:>9} {nanos:>12}", self.bindings);
    }
}

fn declaration(name: &str) -> DeclareLog {
    DeclareLog {
        vhost: Name::vhost_default(),
        name: Name::new(name).unwrap(),
        config: LogConfig {
            partitions: 1,
            durability: Durability::Synced,
            retention: Retention::QUEUE,
            lifetime: Lifetime::default(),
            queue: Some(LedgerConfig::default()),
        },
        adopt: Adopt::default(),
        facet: "bench".into(),
        settings: Settings::new(),
    }
}
