//! The six combinations while processes are killed, and messages are doubled, late and unreadable.

use tokio::join;

use crate::shop::Shop;

/// For how long orders may take to come to an end once everything runs again: much longer than they
/// do, for machines that are busy with other things.
const PATIENCE: &str = "--patience-s=600";

macro_rules! chaos {
    ($($name:ident: $protocol:literal $style:literal $seed:literal;)*) => {$(
        #[tokio::test]
        async fn $name() {
            under_chaos($protocol, $style, $seed).await;
        }
    )*};
}

chaos! {
    chaos_choreographed_over_kafka: "kafka" "choreographed" "--seed=1";
    chaos_choreographed_over_amqp: "amqp" "choreographed" "--seed=2";
    chaos_choreographed_over_sqs: "sqs" "choreographed" "--seed=3";
    chaos_orchestrated_over_kafka: "kafka" "orchestrated" "--seed=4";
    chaos_orchestrated_over_amqp: "amqp" "orchestrated" "--seed=5";
    chaos_orchestrated_over_sqs: "sqs" "orchestrated" "--seed=6";
}

/// 300 orders, while two processes are killed and one ends at a named point.
async fn under_chaos(protocol: &str, style: &str, seed: &str) {
    let faults = ["--mortal", "--doubles=0.05", "--delays=0.05", seed];
    let shop = Shop::open_with(protocol, style, &faults).await;
    let load = ["--orders=300", "--rate=50", PATIENCE, seed];
    let chaos = [
        "--kills=2",
        "--deaths=1",
        "--poison=2",
        "--every-ms=1000",
        seed,
    ];
    join!(shop.succeed("load", &load), shop.succeed("chaos", &chaos));
    shop.succeed("audit", &[PATIENCE]).await;
    shop.close().await;
}
