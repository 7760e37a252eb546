//! `docs/getting-started-toolkit.md`: its programs, run as it says.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use stele_toolkit::{Envelope, Subscription, Topology, bus::Deliveries, dead_queue, transport};
use stele_toolkit_contract::{Broker, Protocol, cargo};
use tokio::process::{Child, Command};

const PAGE: &str = include_str!("../../../../../docs/getting-started-toolkit.md");

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// The page's programs and the operator's command line, as paths below the returned directory.
const PROGRAMS: [&str; 3] = ["examples/inventory", "examples/order", "stele-toolkit"];

/// The directory in which the programs are. Cargo builds them with all tests of the workspace; if
/// only some tests were built, they are built now, with the features of the whole workspace's tests,
/// so that nothing is built twice.
async fn programs() -> PathBuf {
    let test = std::env::current_exe().expect("this test");
    // TARGET/PROFILE/deps/facade-…
    let profile = test.ancestors().nth(2).expect("a profile's directory");
    if PROGRAMS.iter().all(|name| profile.join(name).exists()) {
        return profile.to_owned();
    }
    let mut build = cargo();
    build
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.."))
        .args(["build", "--quiet", "--workspace"])
        .args(["--features", "stele-toolkit-es/kafka"])
        .args(["--example", "inventory", "--example", "order"])
        .args(["--bin", "stele-toolkit", "--target-dir"])
        .arg(profile.parent().expect("a target directory"));
    let built = build.status().await.expect("cargo");
    assert!(built.success(), "they aren't built");
    profile.to_owned()
}

fn run(program: &Path, broker: &Broker, database: &str, arguments: &[&str]) -> Child {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("BROKER_URL", broker.address())
        .env("DATABASE_URL", database)
        .kill_on_drop(true);
    command.spawn().expect("a program")
}

#[tokio::test]
async fn the_service_reserves_retries_and_buries() {
    let broker = Broker::start(Protocol::Amqp).await;
    let directory = tempfile::tempdir().expect("a directory");
    let database = format!("sqlite:{}", directory.path().join("inventory.db").display());
    let mut reserved = watch(
        &broker,
        Subscription::new("test").topic("inventory.reserved"),
    )
    .await;
    // So that no order is published before somebody subscribes.
    let transport = transport::connect(broker.address()).expect("a transport");
    let subscription = Subscription::new("inventory").topic("order.created");
    let topology = Topology {
        subscriptions: vec![subscription],
        ..Default::default()
    };
    transport.declare(&topology).await.expect("declared");
    let programs = programs().await;
    let inventory = programs.join("examples/inventory");
    let order = programs.join("examples/order");
    let _service = run(&inventory, &broker, &database, &[]);
    for (number, quantity) in [("o-1", "3"), ("o-2", "1000"), ("o-3", "0")] {
        let mut placing = run(&order, &broker, &database, &[number, quantity]);
        assert!(placing.wait().await.expect("it ends").success());
    }
    let message = next(&mut reserved).await;
    assert!(message.data.as_str().contains("o-1"));
    let mut dead = watch(
        &broker,
        Subscription::new("test").queue(dead_queue("inventory")),
    )
    .await;
    let mut letters = Vec::new();
    for _ in 0..2 {
        let delivery = tokio::time::timeout(PATIENCE, dead.next()).await;
        let delivery = delivery.expect("in time").expect("a letter");
        let header = |name: &str| delivery.message.headers.text(name).map(str::to_owned);
        letters.push((header("error"), header("attempts")));
        delivery.ack().await.expect("acknowledged");
    }
    letters.sort();
    let letter = |error: &str, attempts: &str| Some((error.to_owned(), attempts.to_owned()));
    let expected = [
        letter("an order of nothing", "1"),
        letter("out of stock", "3"),
    ];
    let letters = letters
        .into_iter()
        .map(|(error, attempts)| error.zip(attempts));
    assert_eq!(letters.collect::<Vec<_>>(), expected);
    let mut operator = Command::new(programs.join("stele-toolkit"));
    operator.args(["dead", "list", "--database", &database]);
    let listed = operator.output().await.expect("the operator's program");
    let listed = String::from_utf8(listed.stdout).expect("text");
    for error in ["an order of nothing", "out of stock"] {
        assert!(listed.contains(error), "{listed}");
    }
}

async fn watch(broker: &Broker, subscription: Subscription) -> Box<dyn Deliveries> {
    let transport = transport::connect(broker.address()).expect("a transport");
    let subscribed = transport.subscribe(&subscription).await;
    subscribed.expect("subscribed")
}

async fn next(deliveries: &mut Box<dyn Deliveries>) -> Envelope {
    let delivery = tokio::time::timeout(PATIENCE, deliveries.next()).await;
    let delivery = delivery.expect("in time").expect("a delivery");
    let body = &delivery.message.body;
    let envelope = Envelope::decode(body, body.len()).expect("an envelope");
    delivery.ack().await.expect("acknowledged");
    envelope
}

#[test]
fn the_pages_programs_are_the_examples() {
    for (name, program) in [
        ("inventory.rs", include_str!("../../examples/inventory.rs")),
        ("order.rs", include_str!("../../examples/order.rs")),
    ] {
        assert!(PAGE.contains(program), "{name} is another one in the page");
    }
}

#[test]
fn the_page_names_features_that_there_are() {
    let manifest = include_str!("../../Cargo.toml");
    let lists = PAGE
        .lines()
        .filter(|line| line.starts_with("stele-toolkit = "));
    let features = |line: &'static str| {
        let (_, list) = line.split_once("features = [").expect("a list");
        let (list, _) = list.split_once(']').expect("its end");
        list.split(", ").map(|name| name.trim_matches('"'))
    };
    let mut count = 0;
    for feature in lists.flat_map(features) {
        let declared = format!("\n{feature} = [");
        assert!(manifest.contains(&declared), "{feature}");
        count += 1;
    }
    assert_eq!(count, 3);
}
